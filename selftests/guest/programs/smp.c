// SPDX-License-Identifier: MIT
/*
 * Several vCPUs at once: address-space changes that reach each of
 * them, page tables built by one while another forks or tears down, wake-ups
 * and migrations across, and the interrupts that carry all this.
 */
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>

#include "guest.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

FIXTURE(several)
{
	int cpus;
};

FIXTURE_SETUP(several)
{
	self->cpus = online_cpus();
	if (self->cpus < 2)
		SKIP(return, "one processor only");
}

FIXTURE_TEARDOWN(several)
{
}

struct worker {
	pthread_t thread;
	int cpu;
	char *page;
	bool stop;
	__u64 rounds;
	__u64 wrong;
};

static int start(struct worker *worker, int cpu, void *(*body)(void *))
{
	worker->cpu = cpu;
	return pthread_create(&worker->thread, NULL, body, worker);
}

static void finish(struct worker *worker)
{
	__atomic_store_n(&worker->stop, true, __ATOMIC_RELEASE);
	pthread_join(worker->thread, NULL);
}

static void wait_rounds(struct worker *worker, __u64 more)
{
	__u64 until = READ_ONCE(worker->rounds) + more;

	while (READ_ONCE(worker->rounds) < until)
		sched_yield();
}

/* Write a rising number to the page without end; retry on a fault. */
static void *write_page(void *data)
{
	struct worker *worker = data;

	run_on_cpu(worker->cpu);
	while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE)) {
		WRITE_ONCE(*(__u64 *)worker->page, worker->rounds + 1);
		WRITE_ONCE(worker->rounds, worker->rounds + 1);
	}
	return NULL;
}

static void try_again(int signal)
{
	sched_yield();
}

TEST_F(several, write_protection_reaches_every_processor)
{
	char *page = mmap(NULL, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct worker worker = { .page = page };

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_NE(SIG_ERR, signal(SIGSEGV, try_again));
	ASSERT_EQ(0, run_on_cpu(0));
	ASSERT_EQ(0, start(&worker, 1, write_page));
	for (int i = 0; i < 300; i++) {
		__u64 seen;

		wait_rounds(&worker, 100);
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
		/* From here on no processor can write, whatever its TLB held. */
		seen = READ_ONCE(*(__u64 *)page);
		for (int j = 0; j < 2000; j++)
			ASSERT_EQ(seen, READ_ONCE(*(__u64 *)page));
		ASSERT_EQ(0, mprotect(page, PAGE, READ_WRITE));
	}
	finish(&worker);
}

/* Read two words of the page without end; they must belong together. */
static void *read_page(void *data)
{
	struct worker *worker = data;

	run_on_cpu(worker->cpu);
	while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE)) {
		__u64 before = __atomic_load_n((__u64 *)worker->page,
					       __ATOMIC_ACQUIRE);
		__u64 after = __atomic_load_n((__u64 *)worker->page,
					      __ATOMIC_ACQUIRE);

		if (after < before)
			worker->wrong++;
		WRITE_ONCE(worker->rounds, worker->rounds + 1);
	}
	return NULL;
}

TEST_F(several, a_replaced_page_is_seen_by_every_processor)
{
	char *page = mmap(NULL, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct worker worker = { .page = page };

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, run_on_cpu(0));
	ASSERT_EQ(0, start(&worker, 1, read_page));
	for (__u64 i = 1; i < 1000; i++) {
		char *fresh = mmap(NULL, PAGE, READ_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		ASSERT_NE(MAP_FAILED, fresh);
		*(__u64 *)fresh = i;
		/* A stale translation would show an older, smaller number. */
		ASSERT_EQ(page, mremap(fresh, PAGE, PAGE,
				       MREMAP_MAYMOVE | MREMAP_FIXED, page));
		if (i % 16 == 0)
			wait_rounds(&worker, 10);
	}
	finish(&worker);
	EXPECT_EQ(0, worker.wrong);
}

#define SHARE (256 * PAGE)

/* Map, fill, check and unmap the thread's own range beside the others'. */
static void *churn(void *data)
{
	struct worker *worker = data;

	run_on_cpu(worker->cpu);
	for (int round = 0; round < 40; round++) {
		char *range = mmap(NULL, SHARE, READ_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (range == MAP_FAILED) {
			worker->wrong++;
			break;
		}
		for (unsigned long at = 0; at < SHARE; at += PAGE)
			stamp_page(range + at, worker->cpu * SHARE + at + round);
		if (mprotect(range, SHARE / 2, PROT_READ))
			worker->wrong++;
		for (unsigned long at = 0; at < SHARE; at += PAGE)
			worker->wrong += !page_has_stamp(range + at,
							 worker->cpu * SHARE +
							 at + round);
		if (munmap(range, SHARE))
			worker->wrong++;
	}
	return NULL;
}

TEST_F(several, one_address_space_churned_by_all)
{
	struct worker workers[16] = { };
	int count = self->cpus * 2 < 16 ? self->cpus * 2 : 16;

	for (int w = 0; w < count; w++)
		ASSERT_EQ(0, start(&workers[w], w % self->cpus, churn));
	for (int w = 0; w < count; w++) {
		ASSERT_EQ(0, pthread_join(workers[w].thread, NULL));
		EXPECT_EQ(0, workers[w].wrong);
	}
}

TEST_F(several, fork_while_others_fault)
{
	struct worker workers[8] = { };
	int count = self->cpus < 8 ? self->cpus : 8;

	/* fork write-protects tables while the others fill them. */
	for (int w = 0; w < count; w++)
		ASSERT_EQ(0, start(&workers[w], w % self->cpus, churn));
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid)
			_exit(i);
		ASSERT_EQ(i, exit_status(pid));
	}
	for (int w = 0; w < count; w++) {
		ASSERT_EQ(0, pthread_join(workers[w].thread, NULL));
		EXPECT_EQ(0, workers[w].wrong);
	}
}

TEST_F(several, fork_storm_on_every_processor)
{
	pid_t children[16];
	int count = self->cpus * 2 < 16 ? self->cpus * 2 : 16;

	for (int c = 0; c < count; c++) {
		children[c] = fork();
		ASSERT_LE(0, children[c]);
		if (children[c])
			continue;
		if (run_on_cpu(c % self->cpus))
			_exit(1);
		for (int i = 0; i < 50; i++) {
			pid_t pid = fork();

			if (pid < 0)
				_exit(2);
			if (!pid)
				_exit(i);
			if (exit_status(pid) != i)
				_exit(3);
		}
		_exit(0);
	}
	for (int c = 0; c < count; c++)
		EXPECT_EQ(0, exit_status(children[c]));
}

TEST_F(several, migrations_keep_memory_and_bases)
{
	char *range = mmap(NULL, SHARE, READ_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static __thread int own = 5;

	ASSERT_NE(MAP_FAILED, range);
	for (int i = 0; i < 500; i++) {
		unsigned long at = i * PAGE % SHARE;
		int cpu = i % self->cpus;

		ASSERT_EQ(0, run_on_cpu(cpu));
		ASSERT_EQ(cpu, sched_getcpu());
		stamp_page(range + at, i);
		ASSERT_EQ(0, run_on_cpu((cpu + 1) % self->cpus));
		ASSERT_TRUE(page_has_stamp(range + at, i));
		ASSERT_EQ(5, READ_ONCE(own));
	}
}

TEST_F(several, dying_on_another_processor)
{
	/* Address spaces freed where they last ran lazily elsewhere. */
	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			for (int cpu = 0; cpu < self->cpus; cpu++)
				run_on_cpu(cpu);
			_exit(i);
		}
		ASSERT_EQ(i, exit_status(pid));
	}
}

static int turn;

static int wait_turn(int mine)
{
	int now;

	while ((now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != mine)
		syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, now, NULL, NULL,
			0);
	return mine;
}

static void pass_turn(int next)
{
	__atomic_store_n(&turn, next, __ATOMIC_RELEASE);
	syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *answer_turns(void *data)
{
	struct worker *worker = data;

	run_on_cpu(worker->cpu);
	for (int i = 0; i < 2000; i++) {
		wait_turn(1);
		pass_turn(0);
	}
	return NULL;
}

TEST_F(several, wake_ups_across_processors)
{
	struct worker worker = { };

	turn = 0;
	ASSERT_EQ(0, run_on_cpu(0));
	ASSERT_EQ(0, start(&worker, 1, answer_turns));
	/* One lost wake-up and this hangs until the harness's limit. */
	for (int i = 0; i < 2000; i++) {
		pass_turn(1);
		wait_turn(0);
	}
	ASSERT_EQ(0, pthread_join(worker.thread, NULL));
}

/* The sum over processors of a line of /proc/interrupts, -1 when absent. */
static long interrupt_count(const char *name)
{
	static char text[65536];
	char *line, *rest;
	long sum = 0;

	if (read_file("/proc/interrupts", text, sizeof(text)) < 0)
		return -1;
	line = strstr(text, name);
	if (!line)
		return -1;
	line += strlen(name);
	for (;;) {
		long count = strtol(line, &rest, 10);

		if (rest == line)
			return sum;
		sum += count;
		line = rest;
	}
}

TEST_F(several, barriers_interrupt_the_others)
{
	struct worker worker = { };
	long before = interrupt_count("CAL:");
	int witnessed = 0;
	char page[PAGE];

	worker.page = page;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
		    0, 0))
		SKIP(return, "membarrier: %s", strerror(errno));
	ASSERT_LE(0, before);
	ASSERT_EQ(0, run_on_cpu(0));
	ASSERT_EQ(0, start(&worker, 1, write_page));
	/*
	 * A barrier interrupts a processor that runs the worker just then: only
	 * those count that are surrounded by the worker's progress.
	 */
	while (witnessed < 200) {
		__u64 rounds;

		wait_rounds(&worker, 1);
		rounds = READ_ONCE(worker.rounds);
		ASSERT_EQ(0, syscall(SYS_membarrier,
				     MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
		witnessed += READ_ONCE(worker.rounds) != rounds;
	}
	finish(&worker);
	/* One each, less those that found the other processor elsewhere. */
	EXPECT_LE(before + 100, interrupt_count("CAL:"));
}

TEST_HARNESS_MAIN
