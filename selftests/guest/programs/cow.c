// SPDX-License-Identifier: MIT
/*
 * Copy-on-write and dirty tracking: visibility of writes after fork, on
 * private and shared memory and files, with threads writing while another
 * changes protections, and no write lost when a page is cleaned under a writer.
 */
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "guest.h"

#define PAGES 512UL
#define LENGTH (PAGES * PAGE)
#define READ_WRITE (PROT_READ | PROT_WRITE)

static char *memory(int flags, int fd)
{
	char *start = mmap(NULL, LENGTH, READ_WRITE, flags, fd, 0);

	return start == MAP_FAILED ? NULL : start;
}

static void stamp_all(char *start, __u64 seed)
{
	for (unsigned long i = 0; i < PAGES; i++)
		stamp_page(start + i * PAGE, seed + i);
}

static bool all_stamped(const char *start, __u64 seed)
{
	for (unsigned long i = 0; i < PAGES; i++)
		if (!page_has_stamp(start + i * PAGE, seed + i))
			return false;
	return true;
}

static int memory_file(void)
{
	int fd = memfd_create("cow", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, LENGTH)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Fork; both sides write everything, each in its own order, then check. */
static int both_sides_write(char *start, bool shared)
{
	int ready[2];
	char byte;
	pid_t pid;
	int status;

	if (pipe(ready))
		return -1;
	stamp_all(start, 1);
	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		if (!all_stamped(start, 1))
			_exit(1);
		for (unsigned long i = PAGES; i-- > 0; )
			stamp_page(start + i * PAGE, 20000 + i);
		if (write(ready[1], "", 1) != 1)
			_exit(2);
		/* Wait for the parent to have written too. */
		raise(SIGSTOP);
		_exit(all_stamped(start, shared ? 30000 : 20000) ? 0 : 3);
	}
	if (read(ready[0], &byte, 1) != 1)
		return -1;
	if (!all_stamped(start, shared ? 20000 : 1))
		status = 4;
	else
		status = 0;
	stamp_all(start, 30000);
	waitpid(pid, NULL, WUNTRACED);
	kill(pid, SIGCONT);
	close(ready[0]);
	close(ready[1]);
	return exit_status(pid) ?: status ?: !all_stamped(start, 30000);
}

TEST(anonymous_private)
{
	char *start = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	ASSERT_NE(NULL, start);
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(0, both_sides_write(start, false));
}

TEST(anonymous_shared)
{
	char *start = memory(MAP_SHARED | MAP_ANONYMOUS, -1);

	ASSERT_NE(NULL, start);
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(0, both_sides_write(start, true));
}

TEST(file_private_leaves_the_file_alone)
{
	int fd = memory_file();
	char *start, *file;

	ASSERT_LE(0, fd);
	file = memory(MAP_SHARED, fd);
	start = memory(MAP_PRIVATE, fd);
	ASSERT_NE(NULL, file);
	ASSERT_NE(NULL, start);
	stamp_all(file, 500);
	ASSERT_TRUE(all_stamped(start, 500));
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(0, both_sides_write(start, false));
	EXPECT_TRUE(all_stamped(file, 500));
}

TEST(file_shared_reaches_the_file)
{
	char page[PAGE];
	int fd = memory_file();
	char *start;

	ASSERT_LE(0, fd);
	start = memory(MAP_SHARED, fd);
	ASSERT_NE(NULL, start);
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(0, both_sides_write(start, true));
	for (unsigned long i = 0; i < PAGES; i++) {
		ASSERT_EQ(PAGE, pread(fd, page, PAGE, i * PAGE));
		ASSERT_TRUE(page_has_stamp(page, 30000 + i));
	}
}

TEST(zero_page_becomes_private)
{
	char *start = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *other = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	ASSERT_NE(NULL, start);
	ASSERT_NE(NULL, other);
	/* Reads map the one zero page; a write must not reach it. */
	for (unsigned long i = 0; i < PAGES; i++)
		ASSERT_TRUE(page_is_zero(start + i * PAGE));
	stamp_all(start, 1);
	EXPECT_TRUE(all_stamped(start, 1));
	for (unsigned long i = 0; i < PAGES; i++)
		ASSERT_TRUE(page_is_zero(other + i * PAGE));
}

TEST(grandchildren_share_until_written)
{
	char *start = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	pid_t pid;

	ASSERT_NE(NULL, start);
	stamp_all(start, 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pid_t second;

		stamp_page(start, 100);
		second = fork();
		if (!second) {
			bool good = page_has_stamp(start, 100) &&
				    page_has_stamp(start + PAGE, 2);

			stamp_all(start, 200);
			_exit(good && all_stamped(start, 200) ? 0 : 1);
		}
		_exit(exit_status(second) || !page_has_stamp(start, 100) ||
		      !page_has_stamp(start + PAGE, 2));
	}
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_TRUE(all_stamped(start, 1));
}

TEST(kernel_writes_break_the_share_too)
{
	/* read(2) into a shared page faults in the kernel, not in this program. */
	char *start = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int pipes[2];
	pid_t pid;

	ASSERT_NE(NULL, start);
	ASSERT_EQ(0, pipe(pipes));
	stamp_all(start, 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (unsigned long i = 0; i < PAGES; i++) {
			if (write(pipes[1], "12345678", 8) != 8 ||
			    read(pipes[0], start + i * PAGE + 64, 8) != 8)
				_exit(2);
			if (memcmp(start + i * PAGE + 64, "12345678", 8))
				_exit(3);
		}
		_exit(all_stamped(start, 1) ? 0 : 4);
	}
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_TRUE(all_stamped(start, 1));
	for (unsigned long i = 0; i < PAGES; i++)
		ASSERT_EQ(0, start[i * PAGE + 64]);
}

/*
 * Threads that write counters while the main thread changes the mapping under
 * them.  A writer that faults because its page is read-only just then retries.
 */
#define WRITERS 4

struct writer {
	pthread_t thread;
	char *start;
	unsigned long index;
	__u64 rounds;
	bool stop;
};

static void retry(int signal, siginfo_t *info, void *context)
{
	/* Returning runs the same instruction again. */
	sched_yield();
}

/* Each writer owns one word of every page and increments it without end. */
static void *write_counters(void *data)
{
	struct writer *writer = data;
	__u64 round = 0;

	while (!__atomic_load_n(&writer->stop, __ATOMIC_ACQUIRE)) {
		round++;
		for (unsigned long i = 0; i < PAGES; i++) {
			__u64 *word = (__u64 *)(writer->start + i * PAGE);

			WRITE_ONCE(word[writer->index], round);
		}
		__atomic_store_n(&writer->rounds, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

static int start_writers(struct writer *writers, char *start)
{
	struct sigaction action = {
		.sa_sigaction = retry,
		.sa_flags = SA_SIGINFO,
	};

	if (sigaction(SIGSEGV, &action, NULL))
		return -1;
	for (unsigned long w = 0; w < WRITERS; w++) {
		writers[w] = (struct writer){ .start = start, .index = w };
		if (pthread_create(&writers[w].thread, NULL, write_counters,
				   &writers[w]))
			return -1;
	}
	return 0;
}

static void stop_writers(struct writer *writers)
{
	for (int w = 0; w < WRITERS; w++)
		__atomic_store_n(&writers[w].stop, true, __ATOMIC_RELEASE);
	for (int w = 0; w < WRITERS; w++)
		pthread_join(writers[w].thread, NULL);
}

/* Every page must hold the last round that each writer finished. */
static bool counters_agree(const struct writer *writers, const char *start)
{
	for (unsigned long i = 0; i < PAGES; i++) {
		const __u64 *word = (const __u64 *)(start + i * PAGE);

		for (int w = 0; w < WRITERS; w++)
			if (READ_ONCE(word[w]) != writers[w].rounds)
				return false;
	}
	return true;
}

/* Let every writer pass over all pages @rounds times more. */
static void let_them_write(struct writer *writers, __u64 rounds)
{
	for (int w = 0; w < WRITERS; w++) {
		__u64 until = READ_ONCE(writers[w].rounds) + rounds;

		while (READ_ONCE(writers[w].rounds) < until)
			sched_yield();
	}
}

TEST(mprotect_against_writers)
{
	char *start = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct writer writers[WRITERS];

	ASSERT_NE(NULL, start);
	ASSERT_EQ(0, start_writers(writers, start));
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, mprotect(start, LENGTH, PROT_READ));
		ASSERT_EQ(0, mprotect(start, LENGTH, READ_WRITE));
		sched_yield();
	}
	let_them_write(writers, 1);
	stop_writers(writers);
	EXPECT_TRUE(counters_agree(writers, start));
}

TEST(read_only_pages_are_not_written)
{
	char *start = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct writer writers[WRITERS];
	static __u64 before[PAGES][WRITERS];

	ASSERT_NE(NULL, start);
	ASSERT_EQ(0, start_writers(writers, start));
	for (int round = 0; round < 20; round++) {
		let_them_write(writers, 1);
		ASSERT_EQ(0, mprotect(start, LENGTH, PROT_READ));
		for (unsigned long i = 0; i < PAGES; i++)
			memcpy(before[i], start + i * PAGE, sizeof(before[i]));
		for (int i = 0; i < 20; i++)
			sched_yield();
		for (unsigned long i = 0; i < PAGES; i++)
			ASSERT_EQ(0, memcmp(before[i], start + i * PAGE,
					    sizeof(before[i])));
		ASSERT_EQ(0, mprotect(start, LENGTH, READ_WRITE));
	}
	stop_writers(writers);
}

TEST(fork_takes_one_moment_of_each_page)
{
	char *start = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct writer writers[WRITERS];

	ASSERT_NE(NULL, start);
	ASSERT_EQ(0, start_writers(writers, start));
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			__u64 first[WRITERS];

			memcpy(first, start, sizeof(first));
			/* The parent's writers continue; this copy must not change. */
			for (int j = 0; j < 20; j++)
				sched_yield();
			_exit(memcmp(first, start, sizeof(first)) ? 1 : 0);
		}
		ASSERT_EQ(0, exit_status(pid));
	}
	let_them_write(writers, 1);
	stop_writers(writers);
	EXPECT_TRUE(counters_agree(writers, start));
}

TEST(lazily_freed_pages_keep_later_writes)
{
	/*
	 * MADV_FREE clears the dirty bit; a write after it must set it again
	 * or MADV_PAGEOUT throws the page away.  This is the dirty bit made
	 * visible without a swap device.
	 */
	char *start = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	unsigned long dropped = 0;

	ASSERT_NE(NULL, start);
	for (int round = 0; round < 5; round++) {
		stamp_all(start, 1000 * round);
		ASSERT_EQ(0, madvise(start, LENGTH, MADV_FREE));
		for (unsigned long i = 0; i < PAGES; i += 2)
			stamp_page(start + i * PAGE, 7000 * round + i);
		/* There and back must not lose the bit either. */
		ASSERT_EQ(0, mprotect(start, LENGTH, PROT_READ));
		ASSERT_EQ(0, mprotect(start, LENGTH, READ_WRITE));
		ASSERT_EQ(0, madvise(start, LENGTH, MADV_PAGEOUT));
		for (unsigned long i = 0; i < PAGES; i++) {
			char *page = start + i * PAGE;

			if (i % 2 == 0) {
				ASSERT_TRUE(page_has_stamp(page,
							   7000 * round + i));
			} else if (page_is_zero(page)) {
				dropped++;
			} else {
				ASSERT_TRUE(page_has_stamp(page,
							   1000 * round + i));
			}
		}
	}
	/* If no page was dropped, nothing was tested. */
	if (!dropped)
		SKIP(return, "this kernel reclaimed none of the clean pages");
}

/*
 * A block device whose page cache can be cleaned: /dev/ram0, else a loop
 * device over a file in memory.
 */
static int block_device(void)
{
	int number, control, loop, file;
	char path[32];

	mknod("/tmp/cow-ram0", S_IFBLK | 0600, makedev(RAMDISK_MAJOR, 0));
	loop = open("/tmp/cow-ram0", O_RDWR | O_CLOEXEC);
	if (loop >= 0)
		return loop;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -1;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (number < 0)
		return -1;
	snprintf(path, sizeof(path), "/dev/loop%d", number);
	mknod(path, S_IFBLK | 0600, makedev(LOOP_MAJOR, number));
	loop = open(path, O_RDWR | O_CLOEXEC);
	file = memory_file();
	if (loop < 0 || file < 0 || ioctl(loop, LOOP_SET_FD, file))
		return -1;
	return loop;
}

TEST(writeback_loses_no_write)
{
	/*
	 * msync() writes pages out, write-protects and cleans them while the
	 * threads go on writing; then the cache is dropped, so what is read
	 * back is only what some write-back carried out.
	 */
	struct writer writers[WRITERS];
	char *start;
	int fd;

	mkdir("/tmp", 0755);
	fd = block_device();
	if (fd < 0)
		SKIP(return, "no RAM disk and no loop device");
	start = memory(MAP_SHARED, fd);
	ASSERT_NE(NULL, start);
	ASSERT_EQ(0, start_writers(writers, start));
	for (int i = 0; i < 15; i++) {
		let_them_write(writers, 1);
		ASSERT_EQ(0, msync(start, LENGTH, MS_SYNC));
		ASSERT_EQ(0, mprotect(start, LENGTH, PROT_READ));
		ASSERT_EQ(0, mprotect(start, LENGTH, READ_WRITE));
	}
	stop_writers(writers);
	EXPECT_TRUE(counters_agree(writers, start));
	ASSERT_EQ(0, msync(start, LENGTH, MS_SYNC));
	ASSERT_EQ(0, munmap(start, LENGTH));
	ASSERT_EQ(0, posix_fadvise(fd, 0, LENGTH, POSIX_FADV_DONTNEED));
	start = memory(MAP_SHARED, fd);
	ASSERT_NE(NULL, start);
	EXPECT_TRUE(counters_agree(writers, start));
	ASSERT_EQ(0, munmap(start, LENGTH));
	ioctl(fd, LOOP_CLR_FD, 0);
}

TEST_HARNESS_MAIN
