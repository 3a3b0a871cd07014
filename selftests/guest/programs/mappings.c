// SPDX-License-Identifier: MIT
/*
 * Address-space changes with contents checked: mmap, mprotect, mremap and
 * munmap over dense and sparse ranges, and a long random walk of all of them
 * against a model of the contents of every page.
 */
#include <sys/resource.h>
#include <sys/uio.h>

#include "faults.h"

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define READ_WRITE (PROT_READ | PROT_WRITE)

static char *map(unsigned long length, int protection)
{
	char *start = mmap(NULL, length, protection, ANONYMOUS, -1, 0);

	return start == MAP_FAILED ? NULL : start;
}

TEST_F(faults, dense_map_and_unmap)
{
	const unsigned long pages = 4096;
	char *start = map(pages * PAGE, READ_WRITE);

	ASSERT_NE(NULL, start);
	for (unsigned long i = 0; i < pages; i++) {
		ASSERT_TRUE(page_is_zero(start + i * PAGE));
		stamp_page(start + i * PAGE, i);
	}
	/* Unmap every third page: the neighbours must stay. */
	for (unsigned long i = 0; i < pages; i += 3)
		ASSERT_EQ(0, munmap(start + i * PAGE, PAGE));
	for (unsigned long i = 0; i < pages; i++) {
		if (i % 3) {
			ASSERT_TRUE(page_has_stamp(start + i * PAGE, i));
		} else {
			ASSERT_EQ(SIGSEGV, load_fault(start + i * PAGE));
			ASSERT_EQ(SEGV_MAPERR, last_fault.code);
		}
	}
	/* Fill the holes again: new pages are zero, old ones unchanged. */
	for (unsigned long i = 0; i < pages; i += 3)
		ASSERT_EQ(start + i * PAGE,
			  mmap(start + i * PAGE, PAGE, READ_WRITE,
			       ANONYMOUS | MAP_FIXED, -1, 0));
	for (unsigned long i = 0; i < pages; i++)
		ASSERT_TRUE(i % 3 ? page_has_stamp(start + i * PAGE, i) :
				    page_is_zero(start + i * PAGE));
	ASSERT_EQ(0, munmap(start, pages * PAGE));
	EXPECT_EQ(SIGSEGV, load_fault(start + 17 * PAGE));
}

TEST_F(faults, sparse_pages_in_every_table)
{
	/* One page in each 16 GiB: tables of the two lowest levels for each. */
	const unsigned long step = 1UL << 34;
	const unsigned long count = 1024;
	char *start = map(step * count, READ_WRITE);

	ASSERT_NE(NULL, start);
	for (unsigned long i = 0; i < count; i++)
		stamp_page(start + i * step, i);
	for (unsigned long i = 0; i < count; i++)
		ASSERT_TRUE(page_has_stamp(start + i * step, i));
	for (unsigned long i = 0; i < count; i += 2)
		ASSERT_EQ(0, munmap(start + i * step, step));
	for (unsigned long i = 0; i < count; i++) {
		ASSERT_TRUE(i % 2 ? page_has_stamp(start + i * step, i) :
				    load_fault(start + i * step) == SIGSEGV);
	}
	ASSERT_EQ(0, munmap(start, step * count));
}

TEST(tables_come_and_go)
{
	/* The same addresses mapped, used and freed: no stale entry may show. */
	char *where = map(64UL << 30, PROT_NONE);

	ASSERT_NE(NULL, where);
	ASSERT_EQ(0, munmap(where, 64UL << 30));
	for (int round = 0; round < 40; round++) {
		ASSERT_EQ(where, mmap(where, 64UL << 30, READ_WRITE,
				      ANONYMOUS | MAP_FIXED, -1, 0));
		for (unsigned long g = 0; g < 64; g++) {
			char *page = where + (g << 30) + (g + round) * PAGE;

			ASSERT_TRUE(page_is_zero(page));
			stamp_page(page, round * 64 + g);
		}
		for (unsigned long g = 0; g < 64; g++)
			ASSERT_TRUE(page_has_stamp(where + (g << 30) +
						   (g + round) * PAGE,
						   round * 64 + g));
		ASSERT_EQ(0, munmap(where, 64UL << 30));
	}
}

TEST_F(faults, mprotect_each_kind)
{
	char *page = map(3 * PAGE, READ_WRITE);

	ASSERT_NE(NULL, page);
	page += PAGE;
	stamp_page(page, 5);

	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
	EXPECT_EQ(SIGSEGV, store_fault(page));
	EXPECT_EQ(SEGV_ACCERR, last_fault.code);
	EXPECT_EQ((unsigned long)page, last_fault.address);
	EXPECT_EQ(VECTOR_PAGE, last_fault.vector);
	EXPECT_EQ(FAULT_PRESENT | FAULT_WRITE | FAULT_USER, last_fault.error);
	EXPECT_EQ(0, load_fault(page));

	ASSERT_EQ(0, mprotect(page, PAGE, PROT_NONE));
	EXPECT_EQ(SIGSEGV, store_fault(page));
	EXPECT_EQ(SIGSEGV, load_fault(page));
	EXPECT_EQ(SEGV_ACCERR, last_fault.code);
	EXPECT_EQ(VECTOR_PAGE, last_fault.vector);

	ASSERT_EQ(0, mprotect(page, PAGE, READ_WRITE));
	EXPECT_TRUE(page_has_stamp(page, 5));
	EXPECT_EQ(0, store_fault(page));
	EXPECT_EQ(0, store_fault(page - 1));
	EXPECT_EQ(0, store_fault(page + PAGE));
}

TEST_F(faults, mprotect_a_mebibyte_there_and_back)
{
	const unsigned long pages = 256;
	char *start = map(pages * PAGE, READ_WRITE);

	ASSERT_NE(NULL, start);
	for (unsigned long i = 0; i < pages; i++)
		stamp_page(start + i * PAGE, i);
	for (int round = 0; round < 50; round++) {
		ASSERT_EQ(0, mprotect(start, pages * PAGE, PROT_READ));
		ASSERT_EQ(SIGSEGV,
			  store_fault(start + (round * 5 % pages) * PAGE));
		ASSERT_EQ(0, mprotect(start, pages * PAGE, READ_WRITE));
		stamp_page(start + (round * 5 % pages) * PAGE, round * 5 % pages);
	}
	for (unsigned long i = 0; i < pages; i++)
		EXPECT_TRUE(page_has_stamp(start + i * PAGE, i));
}

TEST_F(faults, mprotect_across_unfilled_tables)
{
	/* A range whose tables exist, exist in part, and are absent. */
	const unsigned long length = 8UL << 30;
	char *start = map(length, READ_WRITE);

	ASSERT_NE(NULL, start);
	for (unsigned long g = 0; g < 8; g += 2)
		stamp_page(start + (g << 30), g);
	ASSERT_EQ(0, mprotect(start, length, PROT_READ));
	for (unsigned long g = 0; g < 8; g++)
		EXPECT_EQ(SIGSEGV, store_fault(start + (g << 30)));
	ASSERT_EQ(0, mprotect(start, length, READ_WRITE));
	for (unsigned long g = 0; g < 8; g++)
		EXPECT_TRUE(g % 2 ? page_is_zero(start + (g << 30)) :
				    page_has_stamp(start + (g << 30), g));
}

TEST_F(faults, mremap_moves_whole_tables)
{
	/* 2 MiB aligned both ends, so that tables move rather than entries. */
	const unsigned long length = 16UL << 20;
	char *from = map(3 * length, READ_WRITE);
	char *to = map(3 * length, PROT_NONE);

	ASSERT_NE(NULL, from);
	ASSERT_NE(NULL, to);
	from = (char *)(((unsigned long)from + length) & -length);
	to = (char *)(((unsigned long)to + length) & -length);
	for (unsigned long at = 0; at < length; at += PAGE)
		stamp_page(from + at, at);
	for (int round = 0; round < 10; round++) {
		char *swap;

		ASSERT_EQ(to, mremap(from, length, length,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
		ASSERT_EQ(SIGSEGV, load_fault(from + round * PAGE));
		for (unsigned long at = 0; at < length; at += 7 * PAGE)
			ASSERT_TRUE(page_has_stamp(to + at, at));
		swap = from;
		from = to;
		to = swap;
	}
	for (unsigned long at = 0; at < length; at += PAGE)
		EXPECT_TRUE(page_has_stamp(from + at, at));
}

TEST_F(faults, mremap_moves_single_entries)
{
	/* Off by one page against each other, so entries are copied singly. */
	const unsigned long length = 5UL << 20;
	char *from = map(length + (4UL << 20), READ_WRITE);
	char *to = map(length + (4UL << 20), PROT_NONE);

	ASSERT_NE(NULL, from);
	ASSERT_NE(NULL, to);
	to += 3 * PAGE;
	for (unsigned long at = 0; at < length; at += 2 * PAGE)
		stamp_page(from + at, at);
	ASSERT_EQ(to, mremap(from, length, length,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	for (unsigned long at = 0; at < length; at += PAGE)
		EXPECT_TRUE(at % (2 * PAGE) ? page_is_zero(to + at) :
					      page_has_stamp(to + at, at));
	EXPECT_EQ(SIGSEGV, load_fault(from));
}

TEST_F(faults, mremap_grows_and_shrinks)
{
	char *start = map(PAGE, READ_WRITE);
	unsigned long pages = 1;

	ASSERT_NE(NULL, start);
	stamp_page(start, 0);
	while (pages < 4096) {
		start = mremap(start, pages * PAGE, 2 * pages * PAGE,
			       MREMAP_MAYMOVE);
		ASSERT_NE(MAP_FAILED, start);
		for (unsigned long i = pages; i < 2 * pages; i++)
			stamp_page(start + i * PAGE, i);
		pages *= 2;
		for (unsigned long i = 0; i < pages; i++)
			ASSERT_TRUE(page_has_stamp(start + i * PAGE, i));
	}
	while (pages > 1) {
		ASSERT_EQ(start, mremap(start, pages * PAGE, pages / 2 * PAGE,
					0));
		pages /= 2;
		ASSERT_EQ(SIGSEGV, load_fault(start + pages * PAGE));
		ASSERT_TRUE(page_has_stamp(start + (pages - 1) * PAGE,
					   pages - 1));
	}
}

TEST(mremap_leaves_the_old_range_empty)
{
	char *from = map(64 * PAGE, READ_WRITE);
	char *to;

	ASSERT_NE(NULL, from);
	for (int i = 0; i < 64; i++)
		stamp_page(from + i * PAGE, i);
	to = mremap(from, 64 * PAGE, 64 * PAGE,
		    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	ASSERT_NE(MAP_FAILED, to);
	for (int i = 0; i < 64; i++) {
		EXPECT_TRUE(page_has_stamp(to + i * PAGE, i));
		EXPECT_TRUE(page_is_zero(from + i * PAGE));
	}
}

TEST(madvise_dontneed_zeroes)
{
	const unsigned long pages = 2048;
	char *start = map(pages * PAGE, READ_WRITE);

	ASSERT_NE(NULL, start);
	for (int round = 0; round < 5; round++) {
		for (unsigned long i = 0; i < pages; i++)
			stamp_page(start + i * PAGE, round + i);
		ASSERT_EQ(0, madvise(start + pages / 4 * PAGE,
				     pages / 2 * PAGE, MADV_DONTNEED));
		for (unsigned long i = 0; i < pages; i++) {
			bool dropped = i >= pages / 4 && i < pages / 4 * 3;

			ASSERT_TRUE(dropped ? page_is_zero(start + i * PAGE) :
				    page_has_stamp(start + i * PAGE, round + i));
		}
	}
}

TEST(populate_and_lock)
{
	const unsigned long length = 8UL << 20;
	unsigned char resident[2048];
	char *start = mmap(NULL, length, READ_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	ASSERT_NE(MAP_FAILED, start);
	ASSERT_EQ(0, mincore(start, length, resident));
	for (unsigned long i = 0; i < length / PAGE; i++)
		ASSERT_EQ(1, resident[i] & 1);
	ASSERT_EQ(0, mlock(start, length));
	stamp_page(start + length / 2, 9);
	ASSERT_EQ(0, munlock(start, length));
	EXPECT_TRUE(page_has_stamp(start + length / 2, 9));
}

TEST(brk_grows_and_shrinks)
{
	char *start = sbrk(0);

	ASSERT_NE((void *)-1, start);
	start = (char *)(((unsigned long)start + PAGE - 1) & -PAGE);
	for (int round = 0; round < 10; round++) {
		ASSERT_EQ(0, brk(start + 512 * PAGE));
		for (int i = 0; i < 512; i++) {
			ASSERT_TRUE(page_is_zero(start + i * PAGE));
			stamp_page(start + i * PAGE, i);
		}
		ASSERT_EQ(0, brk(start));
	}
}

TEST_F(faults, stack_grows_down)
{
	struct rlimit limit;
	char *top = __builtin_frame_address(0);
	char *page;

	ASSERT_EQ(0, getrlimit(RLIMIT_STACK, &limit));
	if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < (6UL << 20))
		SKIP(return, "stack limit is below 6 MiB");
	page = (char *)((unsigned long)(top - (4UL << 20)) & -PAGE);
	for (unsigned long at = 0; at < (4UL << 20); at += 16 * PAGE)
		ASSERT_EQ(0, store_fault(top - at));
	EXPECT_EQ(0, load_fault(page));
}

TEST(other_process_sees_the_same_bytes)
{
	char *start = map(64 * PAGE, READ_WRITE);
	char copy[PAGE];
	pid_t pid;

	ASSERT_NE(NULL, start);
	for (int i = 0; i < 64; i++)
		stamp_page(start + i * PAGE, i);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		raise(SIGSTOP);
		_exit(page_has_stamp(start + 63 * PAGE, 1063) ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, NULL, WUNTRACED));
	for (int i = 0; i < 64; i++) {
		struct iovec local = { copy, PAGE };
		struct iovec remote = { start + i * PAGE, PAGE };

		if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != PAGE) {
			kill(pid, SIGKILL);
			SKIP(return, "process_vm_readv: %s", strerror(errno));
		}
		ASSERT_TRUE(page_has_stamp(copy, i));
		stamp_page(copy, 1000 + i);
		ASSERT_EQ(PAGE, process_vm_writev(pid, &local, 1, &remote, 1, 0));
		/* The child was written to; this process's page must not change. */
		ASSERT_TRUE(page_has_stamp(start + i * PAGE, i));
	}
	ASSERT_EQ(0, kill(pid, SIGCONT));
	EXPECT_EQ(0, exit_status(pid));
}

/* The random walk: the expected content of page @i of the arena. */
enum state { GONE, ZERO, STAMPED };

struct model {
	enum state state;
	int protection;
	__u64 seed;
};

#define WALK_PAGES 1536UL
#define WALK_STEPS 3000

static bool agrees(const struct model *model, char *page)
{
	if (model->state == GONE || model->protection == PROT_NONE)
		return load_fault(page) == SIGSEGV;
	if (model->protection == PROT_READ && store_fault(page) != SIGSEGV)
		return false;
	return model->state == ZERO ? page_is_zero(page) :
				      page_has_stamp(page, model->seed);
}

/* Write to those of @count pages from @start that can be written, each a stamp from @seed on. */
static void stamp_pages(struct model *model, char *start, unsigned long count, __u64 seed)
{
	for (unsigned long i = 0; i < count; i++) {
		if (model[i].state == GONE || model[i].protection != READ_WRITE)
			continue;
		model[i].state = STAMPED;
		model[i].seed = seed + i;
		stamp_page(start + i * PAGE, model[i].seed);
	}
}

/*
 * One step of the walk: a change of @count pages from @start, and of their
 * @model. Returns false if the kernel did not carry it out.
 */
static bool walk(struct model *model, char *start, unsigned long count, unsigned long kind,
		 int protection, __u64 seed)
{
	bool whole = true;

	for (unsigned long i = 0; i < count; i++)
		whole &= model[i].state != GONE;
	switch (kind) {
	case 0:
	case 1:
		if (mmap(start, count * PAGE, protection, ANONYMOUS | MAP_FIXED, -1, 0) != start)
			return false;
		for (unsigned long i = 0; i < count; i++)
			model[i] = (struct model){ ZERO, protection, 0 };
		return true;
	case 2:
		if (munmap(start, count * PAGE))
			return false;
		for (unsigned long i = 0; i < count; i++)
			model[i].state = GONE;
		return true;
	case 3:
		if (whole && mprotect(start, count * PAGE, protection))
			return false;
		for (unsigned long i = 0; whole && i < count; i++)
			model[i].protection = protection;
		return true;
	case 4:
		if (whole && madvise(start, count * PAGE, MADV_DONTNEED))
			return false;
		for (unsigned long i = 0; whole && i < count; i++)
			model[i].state = ZERO;
		return true;
	default:
		stamp_pages(model, start, count, seed);
		return true;
	}
}

TEST_F(faults, random_walk_against_a_model)
{
	static const int protections[] = {
		PROT_NONE, PROT_READ, READ_WRITE, READ_WRITE
	};
	static struct model model[WALK_PAGES];
	__u64 random = 20241122;
	char *arena = map(WALK_PAGES * PAGE, PROT_NONE);

	ASSERT_NE(NULL, arena);
	ASSERT_EQ(0, munmap(arena, WALK_PAGES * PAGE));
	for (int step = 0; step < WALK_STEPS; step++) {
		unsigned long first = next_random(&random) % WALK_PAGES;
		unsigned long count = 1 + next_random(&random) % 128;
		unsigned long kind = next_random(&random) % 8;
		int protection = protections[next_random(&random) % 4];

		if (first + count > WALK_PAGES)
			count = WALK_PAGES - first;
		ASSERT_TRUE(walk(model + first, arena + first * PAGE, count, kind, protection,
				 step * WALK_PAGES + first)) {
			TH_LOG("step %d, kind %lu: errno %d", step, kind, errno);
		}
		for (unsigned long i = first; i < first + count; i += 9) {
			ASSERT_TRUE(agrees(&model[i], arena + i * PAGE)) {
				TH_LOG("page %lu after step %d, kind %lu", i,
				       step, kind);
			}
		}
	}
	for (unsigned long i = 0; i < WALK_PAGES; i++) {
		ASSERT_TRUE(agrees(&model[i], arena + i * PAGE)) {
			TH_LOG("page %lu at the end", i);
		}
	}
}

TEST_HARNESS_MAIN
