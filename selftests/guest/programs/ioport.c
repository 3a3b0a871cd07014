// SPDX-License-Identifier: MIT
/*
 * I/O ports in user programs: the permission bitmap and the privilege level,
 * kept apart between processes and threads, and carried over fork and exec.
 *
 * Only the POST code port is touched, which takes any byte and does nothing.
 */
#include <pthread.h>
#include <sys/io.h>

#include "guest.h"

#define POST_PORT 0x80
#define OTHER_PORT 0xed
#define HIGH_PORT 0xfffe

FIXTURE(ports)
{
	int caught;
};

FIXTURE_SETUP(ports)
{
	self->caught = catch_faults();
	ASSERT_EQ(0, self->caught);
	if (ioperm(POST_PORT, 1, 1))
		SKIP(return, "no port access here: %s", strerror(errno));
	ASSERT_EQ(0, ioperm(POST_PORT, 1, 0));
}

FIXTURE_TEARDOWN(ports)
{
}

/* The signal that a write to @port raises, or 0. */
static int out_fault(unsigned short port)
{
	return CATCH_FAULT(outb(0, port));
}

TEST_F(ports, closed_by_default)
{
	EXPECT_EQ(SIGSEGV, out_fault(POST_PORT));
	EXPECT_EQ(VECTOR_PROTECTION, last_fault.vector);
	EXPECT_EQ(SIGSEGV, out_fault(HIGH_PORT));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT((void)inb(POST_PORT)));
}

TEST_F(ports, bitmap_opens_what_it_names)
{
	ASSERT_EQ(0, ioperm(POST_PORT, 1, 1));
	EXPECT_EQ(0, out_fault(POST_PORT));
	EXPECT_EQ(SIGSEGV, out_fault(POST_PORT + 1));
	EXPECT_EQ(SIGSEGV, out_fault(OTHER_PORT));
	/* A word covers the next port too. */
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(outw(0, POST_PORT)));
	ASSERT_EQ(0, ioperm(OTHER_PORT, 1, 1));
	EXPECT_EQ(0, out_fault(OTHER_PORT));
	ASSERT_EQ(0, ioperm(POST_PORT, 1, 0));
	EXPECT_EQ(SIGSEGV, out_fault(POST_PORT));
	EXPECT_EQ(0, out_fault(OTHER_PORT));
}

TEST_F(ports, bitmap_is_copied_by_fork_and_kept_by_exec)
{
	pid_t pid;

	ASSERT_EQ(0, ioperm(POST_PORT, 1, 1));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (out_fault(POST_PORT))
			_exit(1);
		/* The child's own copy: closing it here leaves the parent's open. */
		if (ioperm(POST_PORT, 1, 0) || !out_fault(POST_PORT))
			_exit(2);
		_exit(0);
	}
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_EQ(0, out_fault(POST_PORT));
	for (int open = 1; open >= 0; open--) {
		ASSERT_EQ(0, ioperm(POST_PORT, 1, open));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			execl("/proc/self/exe", "ioport", "--try", NULL);
			_exit(100);
		}
		EXPECT_EQ(open ? 0 : SIGSEGV, exit_status(pid));
	}
}

TEST_F(ports, bitmaps_over_switches)
{
	pid_t children[4];

	/* Even children have permission, odd ones have not; all run at once. */
	for (int c = 0; c < 4; c++) {
		children[c] = fork();
		ASSERT_LE(0, children[c]);
		if (children[c])
			continue;
		if (c % 2 == 0 && ioperm(POST_PORT, 1, 1))
			_exit(2);
		for (int i = 0; i < 300; i++) {
			sched_yield();
			if (out_fault(POST_PORT) != (c % 2 ? SIGSEGV : 0))
				_exit(1);
		}
		_exit(0);
	}
	for (int c = 0; c < 4; c++)
		EXPECT_EQ(0, exit_status(children[c]));
}

static void *change_in_thread(void *status)
{
	/* Permissions belong to the thread, copied when it is created. */
	*(int *)status = out_fault(POST_PORT) || ioperm(POST_PORT, 1, 0) ||
			 out_fault(POST_PORT) != SIGSEGV;
	return NULL;
}

TEST_F(ports, bitmap_belongs_to_a_thread)
{
	pthread_t thread;
	int status;

	ASSERT_EQ(0, ioperm(POST_PORT, 1, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, change_in_thread, &status));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, out_fault(POST_PORT));
}

TEST_F(ports, level_three_opens_all)
{
	ASSERT_EQ(0, iopl(3));
	EXPECT_EQ(0, out_fault(POST_PORT));
	EXPECT_EQ(0, out_fault(OTHER_PORT));
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid)
			_exit(out_fault(POST_PORT) || iopl(0) ||
			      out_fault(POST_PORT) != SIGSEGV);
		ASSERT_EQ(0, exit_status(pid));
		ASSERT_EQ(0, out_fault(POST_PORT));
	}
	ASSERT_EQ(0, iopl(0));
	EXPECT_EQ(SIGSEGV, out_fault(POST_PORT));
}

TEST_F(ports, level_and_bitmap_together)
{
	ASSERT_EQ(0, ioperm(POST_PORT, 1, 1));
	ASSERT_EQ(0, iopl(3));
	EXPECT_EQ(0, out_fault(OTHER_PORT));
	ASSERT_EQ(0, iopl(0));
	EXPECT_EQ(0, out_fault(POST_PORT));
	EXPECT_EQ(SIGSEGV, out_fault(OTHER_PORT));
}

TEST(ordinary_users_get_neither)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		if (setuid(1000))
			_exit(1);
		if (!ioperm(POST_PORT, 1, 1) || !iopl(3))
			_exit(2);
		_exit(0);
	}
	EXPECT_EQ(0, exit_status(pid));
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--try"))
		return catch_faults() ? 100 : out_fault(POST_PORT);
	return test_harness_run(argc, argv);
}
