// SPDX-License-Identifier: MIT
/*
 * Accessed and dirty bits while a second vCPU uses the address
 * space: a page without accesses is found old, whatever its entry permits, and
 * no write is lost when its page is cleaned, moved or aged meanwhile.
 */
#include <pthread.h>

#include "guest.h"

#define PAGES 64UL
#define LENGTH (PAGES * PAGE)
#define READ_WRITE (PROT_READ | PROT_WRITE)

/* A thread on the other processor, in user mode, in this address space. */
struct sibling {
	pthread_t thread;
	bool started;
	bool stop;
	/* When set: page after page of it is written, @rounds times over. */
	char *written;
	__u64 rounds;
	__u64 idle;
};

static void *spin(void *data)
{
	struct sibling *sibling = data;

	run_on_cpu(1);
	WRITE_ONCE(sibling->started, true);
	while (!READ_ONCE(sibling->stop)) {
		char *start = READ_ONCE(sibling->written);

		if (!start) {
			WRITE_ONCE(sibling->idle, sibling->idle + 1);
			continue;
		}
		for (unsigned long i = 0; i < PAGES; i++)
			WRITE_ONCE(*(__u64 *)(start + i * PAGE),
				   sibling->rounds + 1);
		WRITE_ONCE(sibling->rounds, sibling->rounds + 1);
	}
	return NULL;
}

FIXTURE(accessed)
{
	struct sibling sibling;
};

FIXTURE_SETUP(accessed)
{
	if (online_cpus() < 2)
		SKIP(return, "one processor only");
	ASSERT_EQ(0, run_on_cpu(0));
}

FIXTURE_TEARDOWN(accessed)
{
}

static bool start(struct sibling *sibling)
{
	if (pthread_create(&sibling->thread, NULL, spin, sibling))
		return false;
	while (!READ_ONCE(sibling->started))
		sched_yield();
	return true;
}

static void write_from_now_on(struct sibling *sibling, char *start)
{
	WRITE_ONCE(sibling->written, start);
}

/* No write of the sibling's is under way when this returns. */
static void stop_writing(struct sibling *sibling)
{
	__u64 before;

	WRITE_ONCE(sibling->written, NULL);
	before = READ_ONCE(sibling->idle);
	while (READ_ONCE(sibling->idle) == before)
		sched_yield();
}

static void finish(struct sibling *sibling)
{
	WRITE_ONCE(sibling->stop, true);
	pthread_join(sibling->thread, NULL);
}

/* Memory whose entries are writable and clean: shared, and only read so far. */
static char *writable_and_clean(void)
{
	int fd = memfd_create("accessed", MFD_CLOEXEC);
	char *start;

	if (fd < 0 || ftruncate(fd, LENGTH))
		return NULL;
	start = mmap(NULL, LENGTH, READ_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (start == MAP_FAILED)
		return NULL;
	for (unsigned long i = 0; i < PAGES; i++)
		if (READ_ONCE(start[i * PAGE]))
			return NULL;
	return start;
}

/* KiB that the kernel finds used of the mapping at @start, or -1. */
static long referenced(const char *start)
{
	char line[256], prefix[32];
	FILE *maps = fopen("/proc/self/smaps", "re");
	bool inside = false;
	long kib = -1;

	if (!maps)
		return -1;
	snprintf(prefix, sizeof(prefix), "%lx-", (unsigned long)start);
	while (kib < 0 && fgets(line, sizeof(line), maps)) {
		if (!strncmp(line, prefix, strlen(prefix)))
			inside = true;
		else if (inside)
			sscanf(line, "Referenced: %ld kB", &kib);
	}
	fclose(maps);
	return kib;
}

TEST_F(accessed, untouched_pages_are_found_old)
{
	char *start_page = writable_and_clean();

	ASSERT_NE(NULL, start_page);
	ASSERT_TRUE(start(&self->sibling));
	EXPECT_EQ(LENGTH / 1024, referenced(start_page));
	/* Clears the accessed bit of every page (Documentation/mm/pagemap). */
	ASSERT_EQ(0, write_file("/proc/self/clear_refs", "1"));
	EXPECT_EQ(0, referenced(start_page));
	finish(&self->sibling);
}

/*
 * MADV_FREE makes each page clean and lets the kernel take it as long as it
 * stays so.  The sibling writes to all of them while @disturb changes their
 * entries; afterwards each is dirty, so none may be taken.
 */
static void write_while(struct __test_metadata *_metadata,
			struct sibling *sibling, int (*disturb)(char *start))
{
	char *start_page = mmap(NULL, LENGTH, READ_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	ASSERT_NE(MAP_FAILED, start_page);
	ASSERT_TRUE(start(sibling));
	for (int round = 0; round < 200; round++) {
		__u64 before = READ_ONCE(sibling->rounds);

		ASSERT_EQ(0, madvise(start_page, LENGTH, MADV_FREE));
		write_from_now_on(sibling, start_page);
		do {
			ASSERT_EQ(0, disturb(start_page));
		} while (READ_ONCE(sibling->rounds) < before + 2);
		stop_writing(sibling);
		ASSERT_EQ(0, madvise(start_page, LENGTH, MADV_PAGEOUT));
		for (unsigned long i = 0; i < PAGES; i++)
			ASSERT_NE(0, READ_ONCE(*(__u64 *)(start_page + i * PAGE)));
	}
	finish(sibling);
}

static int age(char *start)
{
	return write_file("/proc/self/clear_refs", "1");
}

TEST_F(accessed, no_write_is_lost_while_pages_age)
{
	write_while(_metadata, &self->sibling, age);
}

/* Every entry is read, changed and written back twice. */
static int protect(char *start)
{
	return mprotect(start, LENGTH, READ_WRITE | PROT_EXEC) ||
	       mprotect(start, LENGTH, READ_WRITE);
}

TEST_F(accessed, no_write_is_lost_while_permissions_change)
{
	write_while(_metadata, &self->sibling, protect);
}

TEST_HARNESS_MAIN
