// SPDX-License-Identifier: MIT
/*
 * Requests of the tool stack to the whole guest (drivers/pvbus/control.c): which
 * are carried out, and which acknowledged.
 */
#include "driver/kernel.c"
#include "driver/devices.h"

#include <setjmp.h>
#include <cmocka.h>

#include "store_nodes.h"

#define __DELAYED_WORK_INITIALIZER(w, fn, flags)	{ .work.func = (fn) }

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

/* Whether work gets no further than its first request to XenStore. */
static bool silent;

static void schedule_unless_silent(struct delayed_work *work, unsigned long delay)
{
	if (!silent)
		shim_delay(work, delay);
}

#undef schedule_delayed_work
#define schedule_delayed_work	schedule_unless_silent
#include "../../../drivers/pvbus/control.c"

#define SHUTDOWN	"control/shutdown"

static void ask(const char *node, const char *request)
{
	node_set(node, request);
	shim_pass(0);
}

static int start(void **state)
{
	memset(nodes, 0, sizeof(nodes));
	memset(shim_delayed, 0, sizeof(shim_delayed));
	node_begin_error = 0;
	node_end_error = 0;
	poweroffs = 0;
	reboots = 0;
	keys = 0;
	return 0;
}

/* The first test: nothing has been tried before. */
static void silent_daemon_holds_no_boot_up(void **state)
{
	unsigned long begin = jiffies;

	silent = true;
	assert_int_equal(shim_init_pvbus_control_init(), 0);
	silent = false;
	assert_int_equal(jiffies - begin, PVBUS_CONTROL_PATIENCE);
	assert_non_null(strstr(shim_log_last, "XenStore does not reply (-110)"));
}

/* The second one: there the watches are set. */
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

/* A request that cannot be read yet is carried out when it can, once. */
static void read_late(void **state)
{
	unsigned int lines = shim_log_lines;

	node_begin_error = -ENOMEM;
	ask(SHUTDOWN, "poweroff");
	assert_string_equal(shim_log_last,
			    "pvbus: control/shutdown: cannot be read and emptied (-12); looking again each second\n");
	shim_pass(5 * HZ);
	assert_int_equal(shim_log_lines, lines + 1);
	assert_int_equal(poweroffs, 0);
	node_begin_error = 0;
	shim_pass(HZ);
	assert_int_equal(poweroffs, 1);
	assert_string_equal(node_find(SHUTDOWN)->value, "");
	shim_pass(5 * HZ);
	assert_int_equal(poweroffs, 1);
	/* The next event does not wait for the next look. */
	node_begin_error = -ENOMEM;
	ask("control/sysrq", "h");
	node_begin_error = 0;
	ask("control/sysrq", "h");
	assert_int_equal(keys, 1);
	assert_int_equal(node_open_txns, 0);
	assert_int_equal(shim_allocations, 0);
}

/* The tool stack writes the node again and again, and then not any more. */
static void written_too_often(void **state)
{
	node_end_error = -EAGAIN;
	ask(SHUTDOWN, "reboot");
	assert_non_null(strstr(shim_log_last, "cannot be read and emptied (-11); looking again"));
	node_put(SHUTDOWN, "reboot");
	node_end_error = 0;
	shim_pass(HZ);
	assert_int_equal(reboots, 1);
	assert_string_equal(node_find(SHUTDOWN)->value, "");
	assert_int_equal(node_open_txns, 0);
	assert_int_equal(shim_allocations, 0);
}

/* An invalid reply is not asked for again; a missing node is no fault. */
static void not_asked_again(void **state)
{
	unsigned int lines = shim_log_lines;

	node_event(SHUTDOWN);
	shim_pass(0);
	assert_int_equal(shim_log_lines, lines);
	node_put(SHUTDOWN, "poweroff");
	node_error = -EPROTO;
	node_event(SHUTDOWN);
	shim_pass(60 * HZ);
	assert_string_equal(shim_log_last,
			    "pvbus: control/shutdown: cannot be read and emptied (-71); waiting for it to change\n");
	assert_int_equal(poweroffs, 0);
	ask(SHUTDOWN, "poweroff");
	assert_int_equal(poweroffs, 1);
	assert_int_equal(node_open_txns, 0);
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup(f, start)
	const struct CMUnitTest tests[] = {
		TEST(silent_daemon_holds_no_boot_up),
		TEST(requests),
		TEST(read_late),
		TEST(written_too_often),
		TEST(not_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
