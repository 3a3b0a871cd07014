// SPDX-License-Identifier: MIT
/*
 * Memory control groups: what a group was charged for page tables is given back
 * when its processes have ended, also where the kernel keeps the tables.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include "guest.h"

#define ROOT "/sys/fs/cgroup"
#define GROUP ROOT "/pvguest-test"

/* The processes touch one page of each table, as many tables as this. */
#define TABLES 512
#define TABLE_SPAN (2UL << 20)

FIXTURE(group)
{
	int made;
};

FIXTURE_SETUP(group)
{
	self->made = 0;
	if (access(ROOT "/cgroup.procs", F_OK) &&
	    mount("cgroup2", ROOT, "cgroup2", 0, NULL))
		SKIP(return, "this kernel has no control groups");
	if (write_file(ROOT "/cgroup.subtree_control", "+memory"))
		SKIP(return, "this kernel has no memory control groups");
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	self->made = 1;
}

FIXTURE_TEARDOWN(group)
{
	if (self->made)
		EXPECT_EQ(0, rmdir(GROUP));
}

/* Bytes of kernel memory that the group is charged. */
static long kernel_memory(void)
{
	char text[8192];
	char *field;

	if (read_file(GROUP "/memory.stat", text, sizeof(text)) < 0)
		return -1;
	field = strstr(text, "\nkernel ");
	return field ? atol(field + strlen("\nkernel ")) : -1;
}

/* In the group: have many page tables, and what they cost in @peak. */
static void use_tables(long *peak)
{
	char pid[16];
	char *memory;

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (write_file(GROUP "/cgroup.procs", pid))
		_exit(1);
	memory = mmap(NULL, TABLES * TABLE_SPAN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED ||
	    madvise(memory, TABLES * TABLE_SPAN, MADV_NOHUGEPAGE))
		_exit(2);
	for (unsigned long i = 0; i < TABLES; i++)
		memory[i * TABLE_SPAN] = 1;
	/* Up to 128 pages are added later, within two seconds (memcg_vmstats_needs_flush()). */
	while ((*peak = kernel_memory()) < (long)(TABLES * PAGE))
		usleep(10000);
	_exit(0);
}

TEST_F(group, tables_of_ended_processes_are_uncharged)
{
	long *peak = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, peak);
	for (int i = 0; i < 4; i++) {
		pid_t child = fork();

		ASSERT_LE(0, child);
		if (!child)
			use_tables(peak);
		ASSERT_EQ(0, exit_status(child));
	}
	ASSERT_LE(TABLES * PAGE, *peak);
	/*
	 * Kernel stacks and files' structures are freed a moment later; an
	 * eighth of the cache that the port keeps for one vCPU is below this.
	 */
	while (kernel_memory() > 32 * 1024)
		usleep(10000);
}

TEST_HARNESS_MAIN
