// SPDX-License-Identifier: MIT
/*
 * Time: clocks that never decrease across threads and processors, the vDSO
 * against the system call, clock reads without any system call, and timers
 * that neither fire early nor get lost.
 */
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/user.h>

#include "guest.h"

#define THREADS 4
#define READS 20000
#define MILLISECOND 1000000ULL
#define CLOCK_SOURCE \
	"/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define ALL_SOURCES \
	"/sys/devices/system/clocksource/clocksource0/available_clocksource"

static __u64 call_ns(clockid_t clock)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* The latest time that any thread has read so far. */
static __u64 latest;
static __u64 worst_step_back;

static void *read_against_the_others(void *data)
{
	clockid_t clock = (long)data;

	for (int i = 0; i < READS; i++) {
		__u64 seen = __atomic_load_n(&latest, __ATOMIC_SEQ_CST);
		__u64 now = now_ns(clock);

		if (now < seen)
			__atomic_store_n(&worst_step_back, seen - now,
					 __ATOMIC_SEQ_CST);
		while (seen < now &&
		       !__atomic_compare_exchange_n(&latest, &seen, now, false,
						    __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST))
			;
		if (i % 256 == 0)
			sched_yield();
	}
	return NULL;
}

FIXTURE(clock)
{
	int unused;
};

FIXTURE_VARIANT(clock)
{
	clockid_t id;
};

FIXTURE_VARIANT_ADD(clock, monotonic) { .id = CLOCK_MONOTONIC };
FIXTURE_VARIANT_ADD(clock, raw) { .id = CLOCK_MONOTONIC_RAW };
FIXTURE_VARIANT_ADD(clock, boottime) { .id = CLOCK_BOOTTIME };
FIXTURE_VARIANT_ADD(clock, coarse) { .id = CLOCK_MONOTONIC_COARSE };

FIXTURE_SETUP(clock)
{
}

FIXTURE_TEARDOWN(clock)
{
}

TEST_F(clock, never_steps_back_across_threads)
{
	pthread_t threads[THREADS];

	latest = 0;
	worst_step_back = 0;
	for (int t = 0; t < THREADS; t++)
		ASSERT_EQ(0, pthread_create(&threads[t], NULL,
					    read_against_the_others,
					    (void *)(long)variant->id));
	for (int t = 0; t < THREADS; t++)
		ASSERT_EQ(0, pthread_join(threads[t], NULL));
	EXPECT_EQ(0, worst_step_back);
}

TEST_F(clock, never_steps_back_over_processors)
{
	int cpus = online_cpus();
	__u64 before = 0;

	if (cpus < 2)
		SKIP(return, "one processor only");
	for (int i = 0; i < 200; i++) {
		__u64 now;

		ASSERT_EQ(0, run_on_cpu(i % cpus));
		now = now_ns(variant->id);
		ASSERT_LE(before, now);
		before = now;
	}
}

TEST_F(clock, agrees_with_the_system_call)
{
	for (int i = 0; i < 3000; i++) {
		__u64 before = now_ns(variant->id);
		__u64 call = call_ns(variant->id);
		__u64 after = now_ns(variant->id);

		ASSERT_LE(before, call);
		ASSERT_LE(call, after);
	}
}

struct moment {
	__u64 monotonic, raw, real;
};

/*
 * The three clocks, read one after the other, and again when the machine let
 * the guest stand still in between.
 */
static struct moment moment(void)
{
	struct moment it;

	do {
		it.monotonic = now_ns(CLOCK_MONOTONIC);
		it.raw = now_ns(CLOCK_MONOTONIC_RAW);
		it.real = now_ns(CLOCK_REALTIME);
	} while (now_ns(CLOCK_MONOTONIC) - it.monotonic > 10 * MILLISECOND);
	return it;
}

TEST(clocks_advance_together)
{
	struct timespec nap = { 0, 300 * MILLISECOND };
	struct moment before = moment(), after;
	__u64 monotonic, raw, real;

	ASSERT_EQ(0, nanosleep(&nap, NULL));
	after = moment();
	monotonic = after.monotonic - before.monotonic;
	raw = after.raw - before.raw;
	real = after.real - before.real;
	EXPECT_LE(300 * MILLISECOND, monotonic);
	/* The three are read one after the other, which takes its time too. */
	EXPECT_GT(monotonic + 50 * MILLISECOND, raw);
	EXPECT_LT(monotonic, raw + 50 * MILLISECOND);
	EXPECT_GT(monotonic + 50 * MILLISECOND, real);
	EXPECT_LT(monotonic, real + 50 * MILLISECOND);
}

TEST(wall_clock_is_this_century)
{
	/* Set at boot from the hypervisor's wall clock or the machine's. */
	EXPECT_LT(1577836800ULL, now_ns(CLOCK_REALTIME) / 1000000000);
	EXPECT_GT(4102444800ULL, now_ns(CLOCK_REALTIME) / 1000000000);
}

TEST(clock_reads_make_no_system_call)
{
	char source[64], sources[128];
	int calls = 0;
	pid_t pid;

	ASSERT_LT(0, read_file(CLOCK_SOURCE, source, sizeof(source)));
	source[strcspn(source, "\n")] = '\0';
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		now_ns(CLOCK_MONOTONIC);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		for (int i = 0; i < 1000; i++) {
			now_ns(CLOCK_MONOTONIC);
			now_ns(CLOCK_REALTIME);
		}
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	for (;;) {
		struct user_regs_struct regs;
		int status;

		ASSERT_EQ(0, ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		if (WIFEXITED(status))
			break;
		ASSERT_EQ(0, ptrace(PTRACE_GETREGS, pid, NULL, &regs));
		calls += regs.orig_rax == SYS_clock_gettime;
		/* One is too many already: spare the time of tracing the rest. */
		if (calls == 10) {
			kill(pid, SIGKILL);
			exit_status(pid);
			break;
		}
	}
	/* Our port must read without a call; so must every kernel on the TSC. */
	if (calls && !on_pvguest() && strcmp(source, "tsc"))
		SKIP(return, "clock source %s has no vDSO mode here", source);
	/* Linux takes an unstable TSC off the list. */
	ASSERT_LT(0, read_file(ALL_SOURCES, sources, sizeof(sources)));
	if (calls && !strstr(sources, "tsc"))
		SKIP(return, "the counters of this machine are not trusted");
	EXPECT_EQ(0, calls) {
		TH_LOG("clock source %s", source);
	}
}

/* Leaf @leaf, offset by Xen's base, as the hypervisor shows it to the domain. */
static void domain_cpuid(__u32 leaf, __u32 *eax, __u32 *edx)
{
	__u32 ebx, ecx = 0;

	*eax = 0x40000000 + leaf;
	asm volatile("ud2a; .ascii \"xen\"; cpuid"
		     : "+a" (*eax), "=b" (ebx), "+c" (ecx), "=d" (*edx));
}

TEST(counter_is_used_only_if_the_hypervisor_calls_it_reliable)
{
	char sources[128];
	__u32 features, incarnation;

	if (!on_pvguest())
		SKIP(return, "not our own kernel as a guest");
	domain_cpuid(3, &features, &incarnation);
	ASSERT_LT(0, read_file(ALL_SOURCES, sources, sizeof(sources)));
	TH_LOG("features %#x, incarnation %u: %s", features, incarnation,
	       sources);
	/* Emulated, or known to be reliable and not another machine's. */
	EXPECT_EQ(features & 1 || (features & 2 && incarnation <= 1),
		  !!strstr(sources, "tsc"));
}

TEST(sleeps_are_never_short)
{
	for (int i = 0; i < 100; i++) {
		struct timespec nap = { 0, (i % 10) * 300000 + 1 };
		__u64 before = now_ns(CLOCK_MONOTONIC);

		ASSERT_EQ(0, clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL));
		ASSERT_LE(nap.tv_nsec, now_ns(CLOCK_MONOTONIC) - before);
	}
}

TEST(no_timer_is_lost)
{
	struct itimerspec every = {
		.it_value = { 0, 2 * MILLISECOND },
		.it_interval = { 0, 2 * MILLISECOND },
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	__u64 late = 0;

	ASSERT_LE(0, fd);
	/* A busy machine makes one run late, a loss each. */
	for (int tries = 0; tries < 5; tries++) {
		__u64 start = now_ns(CLOCK_MONOTONIC);
		__u64 ticks = 0;
		__u64 elapsed;

		ASSERT_EQ(0, timerfd_settime(fd, 0, &every, NULL));
		while (ticks < 400) {
			__u64 more;

			/* A lost interrupt would hang here until the harness's limit. */
			ASSERT_EQ(sizeof(more), read(fd, &more, sizeof(more)));
			ticks += more;
		}
		elapsed = now_ns(CLOCK_MONOTONIC) - start;
		ASSERT_LE(ticks * 2 * MILLISECOND, elapsed);
		late = elapsed - ticks * 2 * MILLISECOND;
		if (late < 2000 * MILLISECOND)
			break;
	}
	EXPECT_GT(2000 * MILLISECOND, late);
}

TEST(timers_on_every_processor)
{
	int cpus = online_cpus();
	pid_t children[64];

	if (cpus > 64)
		cpus = 64;
	for (int c = 0; c < cpus; c++) {
		children[c] = fork();
		ASSERT_LE(0, children[c]);
		if (children[c])
			continue;
		if (run_on_cpu(c))
			_exit(1);
		for (int i = 0; i < 100; i++) {
			struct timespec nap = { 0, MILLISECOND + i * 7919 };

			if (nanosleep(&nap, NULL))
				_exit(2);
		}
		_exit(0);
	}
	for (int c = 0; c < cpus; c++)
		EXPECT_EQ(0, exit_status(children[c]));
}

TEST(timers_expire_in_order)
{
	int fds[20];
	__u64 last = 0;

	for (int i = 0; i < 20; i++) {
		struct itimerspec once = {
			.it_value = { 0, (20 - i) * 3 * MILLISECOND },
		};

		fds[i] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, timerfd_settime(fds[i], 0, &once, NULL));
	}
	/* The last armed is the first due. */
	for (int i = 19; i >= 0; i--) {
		__u64 count, now;

		ASSERT_EQ(sizeof(count), read(fds[i], &count, sizeof(count)));
		ASSERT_EQ(1, count);
		now = now_ns(CLOCK_MONOTONIC);
		ASSERT_LE(last, now);
		last = now;
	}
}

TEST(processor_time_is_accounted)
{
	struct timespec nap = { 0, 200 * MILLISECOND };
	__u64 asleep = 0, busy, cpu, wall;

	/*
	 * A sleeping process uses next to no time, a busy one about all.  Where
	 * the machine let the guest stand still just as it went to sleep, the
	 * process is charged for that: once, not each time.
	 */
	for (int tries = 0; tries < 10; tries++) {
		cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
		ASSERT_EQ(0, nanosleep(&nap, NULL));
		asleep = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		if (asleep < 100 * MILLISECOND)
			break;
	}
	EXPECT_GT(100 * MILLISECOND, asleep);
	wall = now_ns(CLOCK_MONOTONIC);
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	do
		busy = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	while (busy < 200 * MILLISECOND);
	wall = now_ns(CLOCK_MONOTONIC) - wall;
	EXPECT_LE(busy, wall + 20 * MILLISECOND);
}

TEST(profiling_timer_fires)
{
	struct itimerval soon = { { 0, 0 }, { 0, 50000 } };

	ASSERT_NE(SIG_ERR, signal(SIGPROF, SIG_DFL));
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		setitimer(ITIMER_PROF, &soon, NULL);
		for (;;)
			getppid();
	}
	EXPECT_EQ(1000 + SIGPROF, exit_status(pid));
}

TEST_HARNESS_MAIN
