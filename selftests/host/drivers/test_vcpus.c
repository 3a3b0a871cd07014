// SPDX-License-Identifier: MIT
/*
 * vCPUs that the tool stack switches (drivers/pvbus/vcpus.c): which nodes are
 * followed, when, and what is said of those that are not.
 */
#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

#include "store_nodes.h"

#define VCPUS			4

/* Linux, as far as a vCPU needs it. */
struct cpumask { unsigned long bits; };
struct device { int unused; };
#define __initdata
#define DEFINE_PER_CPU(type, name)	type name[VCPUS]
#define per_cpu_ptr(name, cpu)		(&(*(name))[cpu])
#define for_each_possible_cpu(cpu)	for ((cpu) = 0; (cpu) < VCPUS; (cpu)++)
#define cpumask_set_cpu(cpu, mask)	((void)((mask)->bits |= BIT(cpu)))
#define cpumask_empty(mask)		(!(mask)->bits)
#define cpumask_pr_args(mask)		VCPUS, (void *)&(mask)->bits

static bool online[VCPUS], left_off[VCPUS], present[VCPUS];
/* Calls of the hotplug core; what the next one returns if it is an error. */
static unsigned int calls;
static int refusal;

static struct device *get_cpu_device(unsigned int cpu)
{
	static struct device device;

	return present[cpu] ? &device : NULL;
}

static int switched(unsigned int cpu, bool on)
{
	int error = refusal;

	might_sleep();
	assert_true(present[cpu]);
	calls++;
	refusal = 0;
	if (error)
		return error;
	if (online[cpu] == on)
		return 1;
	if (!cpu)
		return -EPERM;
	online[cpu] = on;
	return 0;
}

static int add_cpu(unsigned int cpu)
{
	return switched(cpu, true);
}

static int remove_cpu(unsigned int cpu)
{
	return switched(cpu, false);
}

/* No printf() of a program knows masks: one line is as good as another. */
#undef pr_info
#define pr_info(...)	shim_log("%s", "")

#include "../../../drivers/pvbus/vcpus.c"

void pvguest_leave_vcpu_off(unsigned int cpu)
{
	assert_true(cpu > 0);
	left_off[cpu] = true;
}

static const char *path(unsigned int cpu)
{
	static char text[32];

	snprintf(text, sizeof(text), "cpu/%u/availability", cpu);
	return text;
}

static void settle(void)
{
	while (shim_run_work())
		;
}

/* The node of vCPU @cpu changes, and has been seen. */
static void say(unsigned int cpu, const char *word)
{
	node_set(path(cpu), word);
	settle();
}

/* Boot with these words in the nodes (NULL: no node), as Linux does. */
static void boot(const char * const words[VCPUS])
{
	unsigned int cpu;

	for (cpu = 0; cpu < VCPUS; cpu++)
		if (words[cpu])
			node_put(path(cpu), words[cpu]);
	assert_int_equal(shim_init_pvbus_vcpus_at_boot(), 0);
	for (cpu = 0; cpu < VCPUS; cpu++) {
		present[cpu] = true;
		online[cpu] = !left_off[cpu];
	}
	assert_int_equal(shim_init_pvbus_vcpus_init(), 0);
	settle();
}

/* A bit for each vCPU that is online. */
static unsigned int mask(void)
{
	unsigned int cpu, bits = 0;

	for (cpu = 0; cpu < VCPUS; cpu++)
		bits |= online[cpu] << cpu;
	return bits;
}

static int fresh(void **state)
{
	shim_reset();
	memset(nodes, 0, sizeof(nodes));
	INIT_LIST_HEAD(&node_watches);
	memset(pvbus_vcpus, 0, sizeof(pvbus_vcpus));
	pvbus_vcpus_work.work.pending = false;
	pvbus_vcpus_start.work.pending = false;
	pvbus_vcpus_left_off.bits = 0;
	memset(left_off, 0, sizeof(left_off));
	memset(present, 0, sizeof(present));
	calls = 0;
	refusal = 0;
	return 0;
}

static const char * const all[] = { "online", "online", "online", "online" };
static const char * const one[] = { "online", "offline", "offline", "offline" };

static int done(void **state)
{
	assert_int_equal(shim_allocations, 0);
	return 0;
}

static void those_offline_at_boot_are_left_off(void **state)
{
	boot(one);
	assert_int_equal(mask(), 0x1);
	/* None went up to be taken down. */
	assert_int_equal(calls, 0);
	assert_int_equal(shim_log_lines, 1);
}

static void all_come_up_where_none_is_offline(void **state)
{
	static const char * const missing[VCPUS];

	boot(all);
	assert_int_equal(mask(), 0xf);
	fresh(state);
	boot(missing);
	assert_int_equal(mask(), 0xf);
	assert_int_equal(calls, 0);
	assert_int_equal(shim_log_lines, 0);
}

/* The watch's first event makes up for nodes that could not be read at boot. */
static void those_not_read_at_boot_are_taken_down(void **state)
{
	unsigned int cpu;

	memset(online, true, sizeof(online));
	memset(present, true, sizeof(present));
	for (cpu = 1; cpu < VCPUS; cpu++)
		node_put(path(cpu), "offline");
	shim_init_pvbus_vcpus_init();
	settle();
	assert_int_equal(mask(), 0x1);
}

static void nodes_are_followed_when_they_change(void **state)
{
	unsigned int round, cpu;

	boot(one);
	for (round = 0; round < 20; round++) {
		for (cpu = 1; cpu < VCPUS; cpu++)
			say(cpu, "online");
		assert_int_equal(mask(), 0xf);
		for (cpu = 1; cpu < VCPUS; cpu++)
			say(cpu, "offline");
		assert_int_equal(mask(), 0x1);
	}
	assert_int_equal(calls, 20 * 2 * (VCPUS - 1));
	assert_int_equal(shim_log_lines, 1);
}

/* The callback of a watch must not do anything but queue work. */
static void of_many_changes_the_last_counts(void **state)
{
	boot(all);
	shim_atomic = 1;
	node_set(path(2), "offline");
	node_set(path(2), "online");
	node_set(path(3), "online");
	node_set(path(3), "offline");
	shim_atomic = 0;
	settle();
	assert_int_equal(mask(), 0x7);
	assert_int_equal(calls, 1);
}

/* A store that was reset calls all watches, though no node has changed. */
static void the_users_choice_stays_until_the_node_changes(void **state)
{
	boot(one);
	say(1, "online");
	online[1] = false;
	online[2] = true;
	calls = 0;
	node_event("cpu");
	say(1, "online");
	say(2, "offline");
	say(3, "offline");
	assert_int_equal(calls, 0);
	assert_int_equal(mask(), 0x5);
	/* A vCPU that is already as the node says by then: no complaint. */
	say(1, "offline");
	say(2, "online");
	assert_int_equal(calls, 2);
	assert_int_equal(mask(), 0x5);
	say(1, "online");
	say(2, "offline");
	assert_int_equal(mask(), 0x3);
	assert_int_equal(shim_log_lines, 1);
}

static void other_words_are_ignored_and_named_once(void **state)
{
	boot(all);
	say(2, "off\npvguest: all is well");
	assert_string_equal(shim_log_last,
			    "pvbus: cpu/2/availability: 'off' is neither online nor offline (-22); ignored\n");
	say(2, "");
	say(2, "Offline");
	say(2, "offline ");
	node_event("cpu");
	assert_int_equal(shim_log_lines, 1);
	assert_int_equal(calls, 0);
	/* One that goes and comes back as it was has not changed. */
	node_drop(path(2));
	settle();
	say(2, "online");
	assert_int_equal(calls, 0);
	say(2, "offline");
	assert_int_equal(mask(), 0xb);
	say(2, "nonsense");
	assert_int_equal(shim_log_lines, 2);
	assert_int_equal(mask(), 0xb);
}

static void vcpus_that_there_are_not_are_ignored(void **state)
{
	boot(all);
	node_set("cpu/4/availability", "offline");
	node_set("cpu/99999999999/availability", "offline");
	node_set("cpu/-1/availability", "offline");
	node_set("cpu/x", "offline");
	node_set("cpu", "offline");
	settle();
	assert_int_equal(calls, 0);
	assert_int_equal(shim_log_lines, 0);
}

static void a_refusal_is_said_once_and_tried_again(void **state)
{
	boot(one);
	refusal = -ENOMEM;
	say(1, "online");
	assert_string_equal(shim_log_last,
			    "pvbus: cpu/1/availability: cannot be made online (-12); trying again each second\n");
	assert_int_equal(shim_log_lines, 2);
	assert_int_equal(calls, 2);
	assert_int_equal(mask(), 0x3);
	/* One that has no device: the tool stack repeats its request by the same word. */
	present[2] = false;
	say(2, "online");
	assert_string_equal(shim_log_last,
			    "pvbus: cpu/2/availability: cannot be made online (-19); left as it is until a node changes\n");
	node_event("cpu");
	settle();
	assert_int_equal(shim_log_lines, 3);
	present[2] = true;
	say(2, "online");
	assert_int_equal(mask(), 0x7);
	assert_int_equal(shim_log_lines, 3);
}

static void the_boot_vcpu_stays(void **state)
{
	static const char * const none[] = { "offline", "offline", NULL, NULL };

	boot(none);
	node_event("cpu");
	settle();
	assert_int_equal(mask(), 0xd);
	assert_int_equal(calls, 2);
	/* The other line names the vCPU that was left off. */
	assert_int_equal(shim_log_lines, 2);
	assert_string_equal(shim_log_last,
			    "pvbus: cpu/0/availability: cannot be made offline (-1); left as it is until a node changes\n");
}

/* The boot must not wait for each vCPU, nor leave one off whose node was not read. */
static void a_silent_daemon_delays_the_boot_once(void **state)
{
	node_error = -ETIMEDOUT;
	boot(one);
	assert_false(left_off[1] || left_off[2] || left_off[3]);
	/* All came up, and the watch's first event took down the surplus. */
	assert_int_equal(calls, 3);
	assert_int_equal(mask(), 0x1);
	assert_int_equal(shim_log_lines, 1);
}

static void a_node_that_cannot_be_read_is_read_again(void **state)
{
	unsigned int lines;

	boot(all);
	node_put(path(0), "offline");
	lines = shim_log_lines;
	/* The read of the first vCPU's node is the one that fails. */
	node_error = -EACCES;
	say(3, "offline");
	assert_int_equal(shim_log_lines, lines + 1);
	assert_string_equal(shim_log_last,
			    "pvbus: cpu/0/availability: cannot be read (-13); ignored until it changes\n");
	assert_int_equal(mask(), 0x7);
	node_error = -EPROTO;
	node_event("cpu");
	settle();
	assert_int_equal(shim_log_lines, lines + 1);
	assert_int_equal(calls, 1);
}

#define a_test(name)	cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		a_test(those_offline_at_boot_are_left_off),
		a_test(all_come_up_where_none_is_offline),
		a_test(those_not_read_at_boot_are_taken_down),
		a_test(nodes_are_followed_when_they_change),
		a_test(of_many_changes_the_last_counts),
		a_test(the_users_choice_stays_until_the_node_changes),
		a_test(other_words_are_ignored_and_named_once),
		a_test(vcpus_that_there_are_not_are_ignored),
		a_test(a_refusal_is_said_once_and_tried_again),
		a_test(the_boot_vcpu_stays),
		a_test(a_silent_daemon_delays_the_boot_once),
		a_test(a_node_that_cannot_be_read_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
