// SPDX-License-Identifier: MIT
/*
 * Memory or a permission taken away: as soon as the system call has returned,
 * no vCPU of the process may use what it had.
 */
#include "tlb.h"

#define ROUNDS 20
#define MANY 33UL		/* more pages than are flushed one by one */
#define TABLE (512 * PAGE)	/* what one level-1 table maps */

TEST_F(tlb, mprotect_takes_all_access)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *page = own_pages(1);

		ASSERT_NE(MAP_FAILED, page);
		next_home(vcpus, round);
		use(vcpus, LOAD, page, 1, 1);
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_NONE));
		must_fault(vcpus, LOAD, page, 1, SIGSEGV);
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
		must_find(vcpus, page, 1, 1);
		ASSERT_EQ(0, munmap(page, PAGE));
	}
}

TEST_F(tlb, mprotect_takes_write_access)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *page = own_pages(1);

		ASSERT_NE(MAP_FAILED, page);
		next_home(vcpus, round);
		use(vcpus, STORE, page, 1, 7);
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
		must_fault(vcpus, STORE, page, 1, SIGSEGV);
		must_find(vcpus, page, 1, 7);
		ASSERT_EQ(0, munmap(page, PAGE));
	}
}

TEST_F(tlb, mprotect_takes_execution)
{
	static const unsigned char code[] = {
		0xb8, 42, 0, 0, 0,	/* mov $42, %eax */
		0xc3			/* ret */
	};
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *page = own_pages(1);

		ASSERT_NE(MAP_FAILED, page);
		memcpy(page, code, sizeof(code));
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ | PROT_EXEC));
		next_home(vcpus, round);
		use(vcpus, FETCH, page, 1, 42);
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
		must_fault(vcpus, FETCH, page, 1, SIGSEGV);
		ASSERT_EQ(0, munmap(page, PAGE));
	}
}

TEST_F(tlb, mprotect_of_many_pages)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *start = own_pages(MANY);

		ASSERT_NE(MAP_FAILED, start);
		next_home(vcpus, round);
		use(vcpus, STORE, start, MANY, 1);
		ASSERT_EQ(0, mprotect(start, MANY * PAGE, PROT_READ));
		must_fault(vcpus, STORE, start, MANY, SIGSEGV);
		ASSERT_EQ(0, munmap(start, MANY * PAGE));
	}
}

TEST_F(tlb, munmap_of_one_page)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *start = own_pages(2);

		ASSERT_NE(MAP_FAILED, start);
		next_home(vcpus, round);
		use(vcpus, LOAD, start, 2, 1);
		ASSERT_EQ(0, munmap(start + PAGE, PAGE));
		must_fault(vcpus, LOAD, start + PAGE, 1, SIGSEGV);
		must_find(vcpus, start, 1, 1);
		ASSERT_EQ(0, munmap(start, PAGE));
	}
}

TEST_F(tlb, munmap_of_many_pages)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *start = own_pages(MANY + 1);

		ASSERT_NE(MAP_FAILED, start);
		next_home(vcpus, round);
		use(vcpus, LOAD, start, MANY + 1, 1);
		ASSERT_EQ(0, munmap(start + PAGE, MANY * PAGE));
		must_fault(vcpus, LOAD, start + PAGE, MANY, SIGSEGV);
		must_find(vcpus, start, 1, 1);
		ASSERT_EQ(0, munmap(start, PAGE));
	}
}

/* Address space for whole tables, aligned to what one of them maps. */
static char *table_space(unsigned long tables)
{
	char *start = mmap(NULL, (tables + 1) * TABLE, PROT_NONE,
			   ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		return NULL;
	return (char *)(((unsigned long)start + TABLE - 1) & -TABLE);
}

TEST_F(tlb, munmap_of_whole_tables)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *start = table_space(2);

		ASSERT_NE(NULL, start);
		ASSERT_EQ(0, mprotect(start, 2 * TABLE, READ_WRITE));
		next_home(vcpus, round);
		/* Pages on both sides of the border: the tables go with them. */
		use(vcpus, STORE, start + TABLE - PAGE, 2, 1);
		ASSERT_EQ(0, munmap(start, 2 * TABLE));
		must_fault(vcpus, LOAD, start + TABLE - PAGE, 2, SIGSEGV);
	}
}

TEST_F(tlb, mmap_over_a_page)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *page = own_pages(1);

		ASSERT_NE(MAP_FAILED, page);
		next_home(vcpus, round);
		use(vcpus, LOAD, page, 1, 1);
		ASSERT_EQ(page, mmap(page, PAGE, READ_WRITE,
				     ANONYMOUS | MAP_FIXED, -1, 0));
		must_find(vcpus, page, 1, 0);
		ASSERT_EQ(0, munmap(page, PAGE));
	}
}

TEST_F(tlb, dontneed_drops_contents)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *start = own_pages(MANY);
		unsigned long pages = round % 2 ? 1 : MANY;

		ASSERT_NE(MAP_FAILED, start);
		next_home(vcpus, round);
		use(vcpus, STORE, start, pages, 9);
		ASSERT_EQ(0, madvise(start, pages * PAGE, MADV_DONTNEED));
		must_find(vcpus, start, pages, 0);
		ASSERT_EQ(0, munmap(start, MANY * PAGE));
	}
}

TEST_F(tlb, lazily_freed_page_keeps_later_write)
{
	struct vcpus *vcpus = self->vcpus;
	unsigned long dropped = 0;

	/*
	 * MADV_FREE cleans the entry.  A vCPU that still holds it as dirty
	 * writes without setting the bit again, and the page is thrown away
	 * with what was written.
	 */
	for (int round = 0; round < rounds(ROUNDS); round++) {
		for (int writer = 0; writer < vcpus->count; writer++) {
			char *start = own_pages(2);

			ASSERT_NE(MAP_FAILED, start);
			next_home(vcpus, round);
			use(vcpus, STORE, start, 2, 9);
			ASSERT_EQ(0, madvise(start, 2 * PAGE, MADV_FREE));
			look_from(vcpus, writer, (struct look){
				  STORE, start, 1, 1000 + round });
			go_to(vcpus, vcpus->home);
			ASSERT_EQ(0, madvise(start, 2 * PAGE, MADV_PAGEOUT));
			must_find(vcpus, start, 1, 1000 + round);
			dropped += !READ_ONCE(start[PAGE]);
			ASSERT_EQ(0, munmap(start, 2 * PAGE));
		}
	}
	/* Pages not written again have to go, or nothing was put to the test. */
	EXPECT_LT(0, dropped);
}

TEST_F(tlb, mremap_onto_a_page)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *start = own_pages(2);

		ASSERT_NE(MAP_FAILED, start);
		next_home(vcpus, round);
		use(vcpus, LOAD, start, 2, 1);
		ASSERT_EQ(start, mremap(start + PAGE, PAGE, PAGE,
					MREMAP_MAYMOVE | MREMAP_FIXED, start));
		must_find(vcpus, start, 1, 2);
		must_fault(vcpus, LOAD, start + PAGE, 1, SIGSEGV);
		ASSERT_EQ(0, munmap(start, PAGE));
	}
}

TEST_F(tlb, mremap_leaves_an_empty_page)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *start = own_pages(1), *moved;

		ASSERT_NE(MAP_FAILED, start);
		next_home(vcpus, round);
		use(vcpus, STORE, start, 1, 5);
		moved = mremap(start, PAGE, PAGE,
			       MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
		ASSERT_NE(MAP_FAILED, moved);
		must_find(vcpus, start, 1, 0);
		must_find(vcpus, moved, 1, 5);
		ASSERT_EQ(0, munmap(start, PAGE));
		ASSERT_EQ(0, munmap(moved, PAGE));
	}
}

TEST_F(tlb, mremap_of_a_whole_table)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *from = table_space(1), *to = table_space(1);

		ASSERT_NE(NULL, from);
		ASSERT_NE(NULL, to);
		ASSERT_EQ(0, mprotect(from, TABLE, READ_WRITE));
		next_home(vcpus, round);
		use(vcpus, STORE, from, MANY, 1);
		/* The level-1 table changes its place as it is. */
		ASSERT_EQ(to, mremap(from, TABLE, TABLE,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
		must_fault(vcpus, LOAD, from, MANY, SIGSEGV);
		must_find(vcpus, to, MANY, 1);
		ASSERT_EQ(0, munmap(to, TABLE));
	}
}

static int memory_file(unsigned long pages)
{
	int fd = memfd_create("tlb", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, pages * PAGE)) {
		close(fd);
		return -1;
	}
	return fd;
}

TEST_F(tlb, file_is_truncated)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		int fd = memory_file(2);
		char *start = mmap(NULL, 2 * PAGE, READ_WRITE, MAP_SHARED, fd, 0);

		ASSERT_NE(MAP_FAILED, start);
		next_home(vcpus, round);
		use(vcpus, STORE, start, 2, 3);
		ASSERT_EQ(0, ftruncate(fd, PAGE));
		must_fault(vcpus, LOAD, start + PAGE, 1, SIGBUS);
		must_find(vcpus, start, 1, 3);
		ASSERT_EQ(0, munmap(start, 2 * PAGE));
		close(fd);
	}
}

TEST_F(tlb, file_gets_a_hole)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		int fd = memory_file(MANY);
		char *start = mmap(NULL, MANY * PAGE, READ_WRITE, MAP_SHARED,
				   fd, 0);
		unsigned long pages = round % 2 ? 1 : MANY;

		ASSERT_NE(MAP_FAILED, start);
		next_home(vcpus, round);
		use(vcpus, STORE, start, pages, 3);
		ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				       FALLOC_FL_KEEP_SIZE, 0, pages * PAGE));
		must_find(vcpus, start, pages, 0);
		ASSERT_EQ(0, munmap(start, MANY * PAGE));
		close(fd);
	}
}

TEST_F(tlb, another_process_makes_the_hole)
{
	struct vcpus *vcpus = self->vcpus;

	/* The change comes from an address space that is not the one to flush. */
	for (int round = 0; round < rounds(ROUNDS / 2); round++) {
		int fd = memory_file(1);
		char *page = mmap(NULL, PAGE, READ_WRITE, MAP_SHARED, fd, 0);
		pid_t pid;

		ASSERT_NE(MAP_FAILED, page);
		next_home(vcpus, round);
		use(vcpus, STORE, page, 1, 3);
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
					FALLOC_FL_KEEP_SIZE, 0, PAGE) != 0);
		ASSERT_EQ(0, exit_status(pid));
		must_find(vcpus, page, 1, 0);
		ASSERT_EQ(0, munmap(page, PAGE));
		close(fd);
	}
}

TEST_HARNESS_MAIN
