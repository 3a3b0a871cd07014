// SPDX-License-Identifier: MIT
/*
 * Requests of the tool stack to the whole guest (drivers/pvbus/control.c): which
 * are carried out, and which acknowledged.
 */
#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

#include "store_nodes.h"

#define __WORK_INITIALIZER(w, fn)	{ .func = (fn) }
#define flush_delayed_work(w)		shim_run_work()

static unsigned int poweroffs, reboots, keys;

static void orderly_poweroff(bool force)
{
	poweroffs++;
}

static void orderly_reboot(void)
{
	reboots++;
}

static void handle_sysrq(u8 key)
{
	keys++;
}

#include "../../../drivers/pvbus/control.c"

#define SHUTDOWN	"control/shutdown"

static void ask(const char *node, const char *request)
{
	node_set(node, request);
	while (shim_run_work())
		;
}

static void requests(void **state)
{
	node_put("control/feature-suspend", "");
	assert_int_equal(shim_init_pvbus_control_init(), 0);
	assert_string_equal(node_find("control/feature-suspend")->value, "0");
	ask(SHUTDOWN, "poweroff");
	assert_int_equal(poweroffs, 1);
	assert_string_equal(node_find(SHUTDOWN)->value, "");
	ask(SHUTDOWN, "reboot");
	assert_int_equal(reboots, 1);
	ask("control/sysrq", "h");
	assert_int_equal(keys, 1);
	assert_string_equal(node_find("control/sysrq")->value, "");
	/* One that it cannot carry out stays until the tool stack takes it back. */
	ask(SHUTDOWN, "suspend");
	assert_string_equal(node_find(SHUTDOWN)->value, "suspend");
	assert_non_null(strstr(shim_log_last, "not acknowledged"));
	/* One that is not known: one line, whatever it holds. */
	ask(SHUTDOWN, "fly\npvguest: all is well");
	assert_string_equal(shim_log_last,
			    "pvbus: control/shutdown: 'fly' is unknown (-22); ignored\n");
	ask(SHUTDOWN, "");
	ask(SHUTDOWN, "halt");
	assert_int_equal(poweroffs, 2);
	assert_int_equal(node_open_txns, 0);
	assert_int_equal(shim_allocations, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
