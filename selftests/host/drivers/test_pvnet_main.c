// SPDX-License-Identifier: MIT
/*
 * The network front end's parameters, and what it reads before an interface is
 * made (drivers/pvnet/main.c).
 */
#include "driver/kernel.c"
#include "driver/hypervisor.c"

#include <setjmp.h>
#include <cmocka.h>

#include "driver/network.h"
#include "driver/sending.h"
#include "store_nodes.h"

#define ETH_ALEN		6
#define ETH_MIN_MTU		68
#define MODULE_ALIAS(name)	struct unused_alias { int unused; }
#define dev_warn(dev, ...)	((void)(dev), shim_log(__VA_ARGS__))
#define num_possible_cpus()	cpus

static unsigned int cpus = 3;
static char failure[160];
static unsigned int made;

static bool mac_pton(const char *text, u8 *mac)
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1,
		      mac + 2, mac + 3, mac + 4, mac + 5) == 6;
}

static bool is_valid_ether_addr(const u8 *mac)
{
	return !(mac[0] & 1);
}

#include "../../../arch/x86/pvguest/parameter.c"
#include "../../../drivers/pvnet/main.c"

void pvbus_fail(struct pvbus_device *device, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(failure, sizeof(failure), fmt, args);
	va_end(args);
}

int pvbus_register(struct pvbus_driver *driver)
{
	return 0;
}

int pvnet_create(struct pvbus_device *bus, const u8 *mac, unsigned int mtu)
{
	made++;
	return 0;
}

void pvnet_destroy(struct pvnet *net)
{
}

int pvnet_setup(struct pvbus_device *bus)
{
	return 0;
}

int pvnet_publish(struct pvbus_device *bus, u32 txn)
{
	return 0;
}

int pvnet_connected(struct pvbus_device *bus)
{
	return 0;
}

int pvnet_closing(struct pvbus_device *bus)
{
	return 0;
}

void pvnet_disconnect(struct pvbus_device *bus)
{
}

static struct pvbus_device bus = { .node = "device/vif/0" };

static void expect_refused(const struct kernel_param *param, const char *text,
			   const char *line)
{
	shim_log_lines = 0;
	assert_int_equal(param->ops->set(text, param), -EINVAL);
	assert_int_equal(shim_log_lines, 1);
	assert_non_null(strstr(shim_log_last, line));
}

static void parameters(void **state)
{
	const struct kernel_param *queues = &shim_param_max_queues;

	assert_int_equal(pvnet_queue_limit(), 3);
	cpus = 30;
	assert_int_equal(pvnet_queue_limit(), 8);
	assert_int_equal(queues->ops->set("64", queues), 0);
	assert_int_equal(pvnet_queue_limit(), 64);
	expect_refused(queues, "65", "max_queues: '65' is not within 0 to 64 (-22); ignored\n");
	assert_int_equal(pvnet_queue_limit(), 64);
	expect_refused(&shim_param_copybreak, "2049\n",
		       "copybreak: '2049' is not within 0 to 2048 (-22); ignored\n");
	assert_int_equal(pvnet_params.copybreak, 2048);
	expect_refused(&shim_param_lend, "2\n", "lend: '2' is neither 0 nor 1 (-22); ignored\n");
	assert_true(pvnet_params.lend);
}

/* An address that the tool stack has written is shown in one line. */
static void address(void **state)
{
	node_put("device/vif/0/mac", "00:16:3e:00:00:01");
	assert_int_equal(pvnet_probe(&bus), 0);
	assert_int_equal(made, 1);
	node_put("device/vif/0/mac", "00:16\npvguest: 0");
	assert_int_equal(pvnet_probe(&bus), -EINVAL);
	assert_string_equal(failure, "mac: '00:16' is not a unicast address (-22)");
	node_put("device/vif/0/mac", "01:16:3e:00:00:01");
	assert_int_equal(pvnet_probe(&bus), -EINVAL);
	assert_string_equal(failure, "mac: '01:16:3e:00:00:01' is not a unicast address (-22)");
	assert_int_equal(made, 1);
	assert_int_equal(shim_allocations, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters),
		cmocka_unit_test(address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
