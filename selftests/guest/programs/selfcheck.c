// SPDX-License-Identifier: MIT
/*
 * The port's checks of itself, in a kernel with CONFIG_PVGUEST_DEBUG: they find
 * a flush that was left out on purpose, and nothing else.  The guest's check
 * runs this last, after programs that keep two vCPUs busy in one address space.
 */
#include <pthread.h>
#include <sys/mount.h>

#include "guest.h"

#define DEBUGFS "/sys/kernel/debug"
#define CHECK DEBUGFS "/pvguest/check"
#define READ_WRITE (PROT_READ | PROT_WRITE)

/* The counter called @name, or -1. */
static long counter(const char *name)
{
	char text[1024], *line;

	if (read_file(CHECK, text, sizeof(text)) < 0)
		return -1;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, name, strlen(name)) &&
		    line[strlen(name)] == ' ')
			return atol(line + strlen(name));
	return -1;
}

static bool started, stop;

static void *spin(void *data)
{
	run_on_cpu(1);
	WRITE_ONCE(started, true);
	while (!READ_ONCE(stop))
		;
	return NULL;
}

FIXTURE(selfcheck)
{
};

FIXTURE_SETUP(selfcheck)
{
	if (!kernel_has("PVGUEST_DEBUG"))
		SKIP(return, "this kernel was built without CONFIG_PVGUEST_DEBUG");
	if (access(CHECK, F_OK))
		ASSERT_EQ(0, mount("none", DEBUGFS, "debugfs", 0, NULL));
}

FIXTURE_TEARDOWN(selfcheck)
{
}

TEST_F(selfcheck, nothing_was_found_so_far)
{
	EXPECT_LT(0, counter("changes"));
	EXPECT_LT(0, counter("flushes"));
	EXPECT_LT(0, counter("returns"));
	EXPECT_EQ(0, counter("unlocked"));
	EXPECT_EQ(0, counter("stale"));
	EXPECT_EQ(0, counter("queued_at_switch"));
}

TEST_F(selfcheck, a_missing_flush_is_found)
{
	pthread_t sibling;
	long before;
	char *page;

	if (online_cpus() < 2)
		SKIP(return, "one processor only");
	ASSERT_EQ(0, run_on_cpu(0));
	page = mmap(NULL, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, pthread_create(&sibling, NULL, spin, NULL));
	while (!READ_ONCE(started))
		sched_yield();
	before = counter("stale");
	/*
	 * Any flush for two vCPUs may be the one that is left out, and the other vCPU may
	 * run something else for a moment, which flushes.
	 */
	for (int tries = 0; tries < 20 && counter("stale") == before; tries++) {
		ASSERT_EQ(0, mprotect(page, PAGE, READ_WRITE));
		WRITE_ONCE(*page, 1);
		ASSERT_EQ(0, write_file(DEBUGFS "/pvguest/drop_flush", "Y"));
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
	}
	WRITE_ONCE(stop, true);
	pthread_join(sibling, NULL);
	EXPECT_LT(before, counter("stale"));
}

TEST_HARNESS_MAIN
