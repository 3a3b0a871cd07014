// SPDX-License-Identifier: MIT
/*
 * A dying process whose memory another takes away at the same time, as the OOM
 * reaper does: exit undoes its page tables just then.
 */
#include "guest.h"

#include <sys/mman.h>

#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

#define ROUNDS 300
#define MEMORY (16UL << 20)

/* A child with plenty of memory, on vCPU @cpu; negative on failure. */
static pid_t start_victim(int cpu)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe(ready))
		return -errno;
	pid = fork();
	if (!pid) {
		char *memory;

		run_on_cpu(cpu);
		memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			      MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (memory == MAP_FAILED || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (pid > 0 && read(ready[0], &byte, 1) != 1)
		pid = -EIO;
	close(ready[0]);
	return pid;
}

TEST(process_mrelease_while_exiting)
{
	unsigned long released = 0;

	if (online_cpus() < 2)
		SKIP(return, "one processor only");
	ASSERT_EQ(0, run_on_cpu(0));
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = start_victim(1);
		int fd;

		ASSERT_LT(0, pid);
		fd = syscall(SYS_pidfd_open, pid, 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		/* At other moments of the exit in each round. */
		for (int wait = 0; wait < i % 16 * 4; wait++)
			sched_yield();
		if (!syscall(SYS_process_mrelease, fd, 0))
			released++;
		else
			ASSERT_TRUE(errno == ESRCH || errno == EAGAIN);
		ASSERT_EQ(1000 + SIGKILL, exit_status(pid));
		close(fd);
	}
	/* Else every child was gone before, and nothing was tried. */
	EXPECT_LT(0, released);
}

TEST_HARNESS_MAIN
