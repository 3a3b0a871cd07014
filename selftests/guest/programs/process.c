// SPDX-License-Identifier: MIT
/*
 * Process life: fork, exec and exit in storms, alone, nested, from several
 * parents at once and out of threads, so that every page table is built,
 * switched to and torn down thousands of times with its contents checked.
 */
#include <pthread.h>
#include <spawn.h>
#include <sys/prctl.h>

#include "guest.h"

#define SELF "/proc/self/exe"

/* A region that spans several page tables, one stamped page in each 256 KiB. */
#define SPAN (32UL << 20)
#define STRIDE (256UL << 10)

static char *stamped_region(__u64 seed)
{
	char *region = mmap(NULL, SPAN, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (region == MAP_FAILED)
		return NULL;
	for (unsigned long at = 0; at < SPAN; at += STRIDE)
		stamp_page(region + at, seed + at);
	return region;
}

static bool region_has_stamps(const char *region, __u64 seed)
{
	for (unsigned long at = 0; at < SPAN; at += STRIDE)
		if (!page_has_stamp(region + at, seed + at))
			return false;
	return true;
}

TEST(fork_storm_sees_parents_memory)
{
	char *region = stamped_region(1);

	ASSERT_NE(NULL, region);
	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			bool good = region_has_stamps(region, 1);

			stamp_page(region + (i % (SPAN / STRIDE)) * STRIDE, 77);
			_exit(good ? i % 100 : 200);
		}
		ASSERT_EQ(i % 100, exit_status(pid));
	}
	EXPECT_TRUE(region_has_stamps(region, 1));
}

TEST(many_children_alive_at_once)
{
	pid_t children[64];
	char *region = stamped_region(2);
	int go[2];
	char byte;

	ASSERT_NE(NULL, region);
	ASSERT_EQ(0, pipe(go));
	for (int i = 0; i < 64; i++) {
		children[i] = fork();
		ASSERT_LE(0, children[i]);
		if (!children[i]) {
			close(go[1]);
			for (unsigned long at = 0; at < SPAN; at += STRIDE)
				stamp_page(region + at, 1000 * i + at);
			/* Every child holds a private copy until all exist. */
			if (read(go[0], &byte, 1) != 0)
				_exit(2);
			_exit(region_has_stamps(region, 1000 * i) ? 0 : 1);
		}
	}
	close(go[1]);
	for (int i = 0; i < 64; i++)
		EXPECT_EQ(0, exit_status(children[i]));
	EXPECT_TRUE(region_has_stamps(region, 2));
}

static int fork_chain(const char *region, __u64 seed, int depth)
{
	pid_t pid;

	if (!region_has_stamps(region, seed))
		return 1;
	if (!depth)
		return 0;
	pid = fork();
	if (pid < 0)
		return 2;
	if (!pid)
		_exit(fork_chain(region, seed, depth - 1));
	return exit_status(pid);
}

TEST(fork_chain_forty_deep)
{
	char *region = stamped_region(3);

	ASSERT_NE(NULL, region);
	EXPECT_EQ(0, fork_chain(region, 3, 40));
}

TEST(parents_fork_at_once)
{
	pid_t parents[8];

	for (int p = 0; p < 8; p++) {
		parents[p] = fork();
		ASSERT_LE(0, parents[p]);
		if (parents[p])
			continue;
		char *region = stamped_region(p);

		for (int i = 0; i < 40; i++) {
			pid_t pid = fork();

			if (pid < 0)
				_exit(2);
			if (!pid)
				_exit(!region_has_stamps(region, p));
			if (exit_status(pid))
				_exit(1);
		}
		_exit(0);
	}
	for (int p = 0; p < 8; p++)
		EXPECT_EQ(0, exit_status(parents[p]));
}

TEST(exec_storm)
{
	char number[16];

	for (int i = 0; i < 150; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			snprintf(number, sizeof(number), "%d", i % 100);
			execl(SELF, "process", "--exit-with", number, NULL);
			_exit(200);
		}
		ASSERT_EQ(i % 100, exit_status(pid));
	}
}

TEST(exec_replaces_a_large_image)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		/* Thousands of tables to free while the new image comes in. */
		char *region = mmap(NULL, 1UL << 40, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				    -1, 0);

		if (region == MAP_FAILED)
			_exit(201);
		for (unsigned long i = 0; i < 512; i++)
			region[i << 31] = 1;
		execl(SELF, "process", "--exit-with", "7", NULL);
		_exit(200);
	}
	EXPECT_EQ(7, exit_status(pid));
}

TEST(exec_in_place_twenty_times)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		execl(SELF, "process", "--exec-again", "20", NULL);
		_exit(200);
	}
	EXPECT_EQ(0, exit_status(pid));
}

TEST(posix_spawn_storm)
{
	char *const arguments[] = { "process", "--exit-with", "3", NULL };
	char *const environment[] = { NULL };
	pid_t pid;

	for (int i = 0; i < 60; i++) {
		ASSERT_EQ(0, posix_spawn(&pid, SELF, NULL, NULL, arguments,
					 environment));
		ASSERT_EQ(3, exit_status(pid));
	}
}

TEST(vfork_storm_shares_memory)
{
	static int shared;

	for (int i = 1; i <= 200; i++) {
		pid_t pid = vfork();

		if (!pid) {
			WRITE_ONCE(shared, i);
			_exit(0);
		}
		ASSERT_LT(0, pid);
		ASSERT_EQ(i, READ_ONCE(shared));
		ASSERT_EQ(0, exit_status(pid));
	}
}

static void *sleep_for_ever(void *unused)
{
	for (;;)
		pause();
	return NULL;
}

TEST(exit_group_from_many_threads)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			pthread_t thread;

			for (int t = 0; t < 16; t++)
				if (pthread_create(&thread, NULL,
						   sleep_for_ever, NULL))
					_exit(200);
			_exit(i);
		}
		ASSERT_EQ(i, exit_status(pid));
	}
}

static void *exec_now(void *unused)
{
	execl(SELF, "process", "--exit-with", "9", NULL);
	_exit(200);
}

TEST(exec_from_a_thread_kills_the_others)
{
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			pthread_t thread;

			for (int t = 0; t < 8; t++)
				pthread_create(&thread, NULL, sleep_for_ever,
					       NULL);
			pthread_create(&thread, NULL, exec_now, NULL);
			sleep_for_ever(NULL);
		}
		ASSERT_EQ(9, exit_status(pid));
	}
}

static void *count_up(void *counter)
{
	__atomic_add_fetch((int *)counter, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

TEST(thread_storm)
{
	int counter = 0;

	for (int round = 0; round < 40; round++) {
		pthread_t threads[8];

		for (int t = 0; t < 8; t++)
			ASSERT_EQ(0, pthread_create(&threads[t], NULL,
						    count_up, &counter));
		for (int t = 0; t < 8; t++)
			ASSERT_EQ(0, pthread_join(threads[t], NULL));
	}
	EXPECT_EQ(320, counter);
}

TEST(killed_children_give_everything_back)
{
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			char *region = stamped_region(i);

			/* The child is killed in the middle of building tables. */
			for (unsigned long at = 0; region; at += PAGE)
				region[at % SPAN] = at;
			_exit(200);
		}
		sched_yield();
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(1000 + SIGKILL, exit_status(pid));
	}
}

static long page_table_kib(void)
{
	static char text[8192];
	char *line;

	if (read_file("/proc/meminfo", text, sizeof(text)) < 0)
		return -1;
	line = strstr(text, "PageTables:");
	return line ? atol(line + strlen("PageTables:")) : -1;
}

TEST(page_tables_are_freed)
{
	long before = page_table_kib();
	long after;

	ASSERT_LT(0, before);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			char *region = mmap(NULL, 1UL << 38,
					    PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS |
					    MAP_NORESERVE, -1, 0);

			if (region == MAP_FAILED)
				_exit(1);
			/* 256 page tables each of two levels: 2 MiB. */
			for (unsigned long g = 0; g < 256; g++)
				region[g << 30] = 1;
			_exit(page_table_kib() < before + 1024);
		}
		ASSERT_EQ(0, exit_status(pid));
	}
	/*
	 * Twenty leaks would be 40 MiB.  The counter is kept per CPU and tables
	 * are freed after a grace period, so allow drift and some patience.
	 */
	for (int tries = 0; tries < 500; tries++) {
		after = page_table_kib();
		if (after < before + 8192)
			break;
		usleep(10000);
	}
	EXPECT_GT(before + 8192, after) {
		TH_LOG("page tables grew from %ld to %ld KiB", before, after);
	}
}

int main(int argc, char **argv)
{
	char number[16];

	if (argc == 3 && !strcmp(argv[1], "--exit-with"))
		return atoi(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "--exec-again")) {
		int left = atoi(argv[2]);

		if (!left)
			return 0;
		snprintf(number, sizeof(number), "%d", left - 1);
		execl(SELF, "process", "--exec-again", number, NULL);
		return 200;
	}
	return test_harness_run(argc, argv);
}
