// SPDX-License-Identifier: MIT
/*
 * Code of the kernel that is changed while another vCPU runs it, as Linux does to
 * switch tracepoints and branches: by an int3 in its place that every vCPU has to
 * confirm (text_poke_bp()).  A confirmation that comes too early, or a flush of the
 * alias through which the code is written that is left out, ends in an oops.
 *
 * Only on an emulator that never runs code that is not in memory any more.
 */
#include <sched.h>
#include <sys/mount.h>

#include "tlb.h"

#define ROUNDS 10
#define TRACEFS "/sys/kernel/tracing"
#define EVENTS TRACEFS "/events/sched/enable"

/* Looks of the thread that runs the code. */
static unsigned long passes;
static bool stop;

static void *pass_tracepoints(void *data)
{
	run_on_cpu(1);
	while (!READ_ONCE(stop)) {
		/* Past sched_switch, sched_waking and others, each time. */
		usleep(0);
		sched_yield();
		WRITE_ONCE(passes, passes + 1);
	}
	return NULL;
}

static void wait_for_pass(void)
{
	unsigned long before = READ_ONCE(passes);

	while (READ_ONCE(passes) < before + 2)
		sched_yield();
}

FIXTURE(code)
{
	pthread_t thread;
};

FIXTURE_SETUP(code)
{
	if (online_cpus() < 2)
		SKIP(return, "one processor only");
	if (access(EVENTS, F_OK) &&
	    (mount("none", TRACEFS, "tracefs", 0, NULL) || access(EVENTS, F_OK)))
		SKIP(return, "this kernel was built without CONFIG_TRACING");
	ASSERT_EQ(0, run_on_cpu(0));
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, pass_tracepoints, NULL));
}

FIXTURE_TEARDOWN(code)
{
	WRITE_ONCE(stop, true);
	EXPECT_EQ(0, pthread_join(self->thread, NULL));
}

TEST_F(code, tracepoints_change_while_another_vcpu_passes_them)
{
	for (int round = 0; round < rounds(ROUNDS); round++) {
		ASSERT_EQ(0, write_file(EVENTS, "1"));
		wait_for_pass();
		ASSERT_EQ(0, write_file(EVENTS, "0"));
		wait_for_pass();
	}
}

TEST_HARNESS_MAIN
