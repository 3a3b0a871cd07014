// SPDX-License-Identifier: MIT
/*
 * Virtual time: which time of a vCPU counts as stolen, and when the watchdogs
 * learn that it was paused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "shim/ipi.h"

#define per_cpu_ptr(p, cpu)	((void)(cpu), p)
#define smp_processor_id()	0
#define NSEC_PER_SEC		1000000000ULL
#define __visible
#define PV_CALLEE_SAVE_REGS_THUNK(f)	_Static_assert(1, #f)
#define pr_warn_once(...)	((void)0)
#define static_call_update(name, f)	((void)(f))
#define static_key_slow_inc(key)	((void)0)

long hyp_vm_assist(unsigned int cmd, unsigned int type);

#include "../../../arch/x86/pvguest/vtime.c"

bool shim_in_task;
unsigned int shim_irq_depth;
bool pvguest_have_struct_pages;
struct start_info *pvguest_start_info;
unsigned long *pvguest_p2m;
unsigned long pvguest_p2m_entries;
const struct cpumask *cpu_online_mask;

void shim_emerg(const char *fmt, ...)
{
}

void shim_bug(void)
{
	fail();
	__builtin_unreachable();
}

bool pvguest_early_table_is_live(const void *table)
{
	return false;
}

void shim_mutex_lock(pthread_mutex_t *lock)
{
}

long hyp_vcpu_op(int cmd, unsigned int vcpu, void *arg)
{
	return 0;
}

long hyp_vm_assist(unsigned int cmd, unsigned int type)
{
	return 0;
}

static int fresh(void **state)
{
	memset(&pv_runstate, 0, sizeof(pv_runstate));
	pv_stolen_before = 0;
	memset(&pv_off_time, 0, sizeof(pv_off_time));
	pv_off_time.off = true;
	return 0;
}

/* The hypervisor lets the vCPU spend @ns in a state. */
static void pass(unsigned int runstate, u64 ns)
{
	pv_runstate.time[runstate] += ns;
	pv_runstate.state_entry_time++;
}

static void a_pause_is_seen_once(void **state)
{
	pvguest_vtime_cpu_starts();
	pass(RUNSTATE_running, 100 * NSEC_PER_SEC);
	pass(RUNSTATE_blocked, 100 * NSEC_PER_SEC);
	assert_false(pvguest_vtime_was_paused());
	pass(RUNSTATE_offline, 30 * NSEC_PER_SEC);
	assert_true(pvguest_vtime_was_paused());
	assert_false(pvguest_vtime_was_paused());
	pass(RUNSTATE_runnable, NSEC_PER_SEC);
	assert_true(pvguest_vtime_was_paused());
	assert_false(pvguest_vtime_was_paused());
}

static void contention_is_no_pause(void **state)
{
	unsigned int i;

	pvguest_vtime_cpu_starts();
	for (i = 0; i < 100; i++) {
		pass(RUNSTATE_runnable, NSEC_PER_SEC / 2);
		assert_false(pvguest_vtime_was_paused());
	}
}

/* Switched off by its own guest for an hour, and started again. */
static void time_switched_off_is_not_stolen(void **state)
{
	pass(RUNSTATE_offline, 5 * NSEC_PER_SEC);
	pvguest_vtime_cpu_starts();
	assert_int_equal(pv_steal_clock_read(0), 0);
	pass(RUNSTATE_offline, 3 * NSEC_PER_SEC);
	pass(RUNSTATE_runnable, 2 * NSEC_PER_SEC);
	assert_int_equal(pv_steal_clock_read(0), 5 * NSEC_PER_SEC);
	assert_true(pvguest_vtime_was_paused());
	pvguest_vtime_cpu_stops();
	pass(RUNSTATE_offline, 3600 * NSEC_PER_SEC);
	assert_int_equal(pv_steal_clock_read(0), 5 * NSEC_PER_SEC);
	pvguest_vtime_cpu_starts();
	assert_int_equal(pv_steal_clock_read(0), 5 * NSEC_PER_SEC);
	assert_false(pvguest_vtime_was_paused());
}

static void one_that_is_kept_from_running_is_preempted(void **state)
{
	/* A vCPU that the hypervisor refuses to account counts as running. */
	assert_false(pvguest_vcpu_is_preempted(0));
	pv_runstate.state = RUNSTATE_runnable;
	assert_true(pvguest_vcpu_is_preempted(0));
	pv_runstate.state = RUNSTATE_offline;
	assert_true(pvguest_vcpu_is_preempted(0));
	pv_runstate.state = RUNSTATE_blocked;
	assert_false(pvguest_vcpu_is_preempted(0));
	pv_runstate.state = RUNSTATE_running;
	assert_false(pvguest_vcpu_is_preempted(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_pause_is_seen_once, fresh),
		cmocka_unit_test_setup(contention_is_no_pause, fresh),
		cmocka_unit_test_setup(time_switched_off_is_not_stolen, fresh),
		cmocka_unit_test_setup(one_that_is_kept_from_running_is_preempted, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
