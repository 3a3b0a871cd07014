// SPDX-License-Identifier: MIT
/*
 * Pages that are in swap: they come back with what they held, and entries that
 * name them can be thrown away, also where userfaultfd write-protects them.
 */
#include <linux/const.h>
#include <linux/userfaultfd.h>
#include <sys/swap.h>

#include "loop.h"

#define PAGES 64
#define LENGTH (PAGES * PAGE)
#define SWAP_PAGES 1024
/* Of an entry of /proc/PID/pagemap. */
#define PAGEMAP_UFFD_WP _BITULL(57)
#define PAGEMAP_SWAPPED _BITULL(62)

static unsigned int count_pages(const char *start, __u64 bit)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 entry[PAGES];
	unsigned int found = 0;
	ssize_t got;

	got = pread(fd, entry, sizeof(entry),
		    (unsigned long)start / PAGE * sizeof(entry[0]));
	close(fd);
	if (got != sizeof(entry))
		return 0;
	for (unsigned int i = 0; i < PAGES; i++)
		found += !!(entry[i] & bit);
	return found;
}

FIXTURE(swap)
{
	struct loop loop;
	char *start;
};

FIXTURE_SETUP(swap)
{
	self->loop.fd = -1;
	/*
	 * mm/swap.c: each CPU collects new pages before they join the LRU list, and
	 * MADV_PAGEOUT adds only those of the CPU that it runs on.  A page that was
	 * touched on another CPU, which then did nothing else, would never go.
	 */
	ASSERT_EQ(0, run_on_cpu(0));
	if (!kernel_has("SWAP") || !kernel_has("BLK_DEV_LOOP"))
		SKIP(return, "this kernel was built without swap or loop devices");
	ASSERT_EQ(0, loop_open(&self->loop, SWAP_PAGES));
	ASSERT_EQ(0, loop_make_swap(&self->loop, SWAP_PAGES));
	ASSERT_EQ(0, swapon(self->loop.path, 0));
}

FIXTURE_TEARDOWN(swap)
{
	if (self->start)
		munmap(self->start, LENGTH);
	EXPECT_EQ(0, swapoff(self->loop.path));
	EXPECT_EQ(0, loop_close(&self->loop));
}

/* Map LENGTH with @flags from @fd and write to it; the first byte of each page is its number. */
static char *written(int flags, int fd)
{
	char *start = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (start == MAP_FAILED)
		return NULL;
	for (unsigned int i = 0; i < PAGES; i++)
		stamp_page(start + i * PAGE, i);
	return start;
}

/* Whether all pages go to swap; one that another process looks at stays, so it may take a while. */
static bool swap_out(char *start)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + 60000000000ULL;

	do {
		if (madvise(start, LENGTH, MADV_PAGEOUT))
			return false;
		if (count_pages(start, PAGEMAP_SWAPPED) == PAGES)
			return true;
	} while (now_ns(CLOCK_MONOTONIC) < end);
	return false;
}

TEST_F(swap, pages_come_back)
{
	self->start = written(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	ASSERT_NE(NULL, self->start);
	for (unsigned int round = 0; round < 10; round++) {
		ASSERT_TRUE(swap_out(self->start));
		for (unsigned int i = 0; i < PAGES; i++)
			ASSERT_TRUE(page_has_stamp(self->start + i * PAGE, i));
		EXPECT_EQ(0, count_pages(self->start, PAGEMAP_SWAPPED));
	}
}

TEST_F(swap, a_child_finds_its_parents_pages)
{
	pid_t pid;

	self->start = written(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	ASSERT_NE(NULL, self->start);
	ASSERT_TRUE(swap_out(self->start));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (unsigned int i = 0; i < PAGES; i++)
			if (!page_has_stamp(self->start + i * PAGE, i))
				_exit(1);
		_exit(0);
	}
	EXPECT_EQ(0, exit_status(pid));
}

/* Linux looks at each entry that was cleared, in a mapping of a file. */
TEST_F(swap, private_pages_of_a_file_are_thrown_away)
{
	int fd = nameless_file(PAGES);

	ASSERT_LE(0, fd);
	self->start = written(MAP_PRIVATE, fd);
	ASSERT_NE(NULL, self->start);
	ASSERT_TRUE(swap_out(self->start));
	ASSERT_EQ(0, madvise(self->start, LENGTH, MADV_DONTNEED));
	EXPECT_EQ(0, count_pages(self->start, PAGEMAP_SWAPPED));
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_TRUE(page_is_zero(self->start + i * PAGE));
	close(fd);
}

/* Write protection outlives the page: a marker takes the place of its entry. */
TEST_F(swap, markers_keep_write_protection)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
	};
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect protect = { };
	int fd;

	if (!kernel_has("USERFAULTFD"))
		SKIP(return, "this kernel was built without userfaultfd");
	if (!kernel_has("PTE_MARKER_UFFD_WP"))
		SKIP(return, "this kernel was built without markers of it");
	self->start = written(MAP_SHARED | MAP_ANONYMOUS, -1);
	ASSERT_NE(NULL, self->start);
	fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, UFFDIO_API, &api));
	range.range.start = (unsigned long)self->start;
	range.range.len = LENGTH;
	protect.range = range.range;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_REGISTER, &range));
	protect.mode = UFFDIO_WRITEPROTECT_MODE_WP;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_WRITEPROTECT, &protect));
	EXPECT_EQ(PAGES, count_pages(self->start, PAGEMAP_UFFD_WP));

	ASSERT_EQ(0, madvise(self->start, LENGTH, MADV_DONTNEED));
	EXPECT_EQ(PAGES, count_pages(self->start, PAGEMAP_UFFD_WP));
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_TRUE(page_has_stamp(self->start + i * PAGE, i));
	EXPECT_EQ(PAGES, count_pages(self->start, PAGEMAP_UFFD_WP));

	protect.mode = 0;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_WRITEPROTECT, &protect));
	EXPECT_EQ(0, count_pages(self->start, PAGEMAP_UFFD_WP));
	close(fd);
}

TEST_HARNESS_MAIN
