// SPDX-License-Identifier: MIT
/*
 * Pages that the kernel had mapped a second time, for io_uring and BPF, and that
 * become page tables next: the hypervisor refuses one with a writable mapping.
 */
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <pthread.h>

#include "guest.h"

#include <sys/mman.h>

/* Newer than the headers of some C libraries. */
#define MAP_TYPE_ARENA 33

/* Memory behind one level-1 table. */
#define TABLE (512 * PAGE)
/* Entries of a ring whose submissions take a page of their own. */
#define SMALL 1

static int ring(struct io_uring_params *params, unsigned int entries)
{
	return syscall(SYS_io_uring_setup, entries, params);
}

/* The submissions' memory of ring @fd, which no allocation of the program's own is beside. */
static void *submissions(int fd, unsigned long length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
}

/* Have @tables new pages become level-1 tables, and free them; false without address space. */
static bool make_tables(unsigned int tables)
{
	char *start = mmap(NULL, tables * TABLE, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		return false;
	for (unsigned int i = 0; i < tables; i++)
		(void)READ_ONCE(start[i * TABLE]);
	return !munmap(start, tables * TABLE);
}

TEST(rings_of_buffers_in_own_memory)
{
	struct io_uring_params params = { };
	int user = ring(&params, SMALL);

	if (user < 0 && errno == ENOSYS)
		SKIP(return, "this kernel was built without io_uring");
	ASSERT_LE(0, user);
	for (int i = 0; i < 64; i++) {
		struct io_uring_buf_reg reg = {
			.ring_entries = PAGE / sizeof(struct io_uring_buf),
		};
		int owner;
		void *memory;

		memset(&params, 0, sizeof(params));
		owner = ring(&params, SMALL);
		ASSERT_LE(0, owner);
		memory = submissions(owner, PAGE);
		ASSERT_NE(MAP_FAILED, memory);
		reg.ring_addr = (unsigned long)memory;
		ASSERT_EQ(0, syscall(SYS_io_uring_register, user,
				     IORING_REGISTER_PBUF_RING, &reg, 1));
		/* The last ones go with the ring that they belong to. */
		if (i < 56) {
			ASSERT_EQ(0, syscall(SYS_io_uring_register, user,
					     IORING_UNREGISTER_PBUF_RING, &reg, 1));
		} else {
			close(user);
			memset(&params, 0, sizeof(params));
			user = ring(&params, SMALL);
			ASSERT_LE(0, user);
		}
		ASSERT_EQ(0, munmap(memory, PAGE));
		close(owner);
	}
	close(user);
	/* More tables than there can be pages that were free before. */
	ASSERT_TRUE(make_tables(8192));
}

/* One thread frees pages with a second mapping, and another makes them tables at once. */
struct freer {
	bool stop;
	int error;
	unsigned long turns;
	int (*turn)(void);
};

static void *free_again_and_again(void *data)
{
	struct freer *freer = data;

	if (run_on_cpu(0))
		freer->error = -errno;
	while (!READ_ONCE(freer->stop) && !freer->error) {
		freer->error = freer->turn();
		WRITE_ONCE(freer->turns, freer->turns + 1);
	}
	return NULL;
}

static void tables_while(struct __test_metadata *_metadata, int (*turn)(void))
{
	struct freer freer = { .turn = turn };
	pthread_t thread;

	ASSERT_EQ(0, run_on_cpu(1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, free_again_and_again, &freer));
	while (READ_ONCE(freer.turns) < 10 && !READ_ONCE(freer.error))
		ASSERT_TRUE(make_tables(2048));
	WRITE_ONCE(freer.stop, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, freer.error);
}

#define ARENA_PAGES 2048

static int new_arena(void)
{
	union bpf_attr attr = {
		.map_type = MAP_TYPE_ARENA,
		.max_entries = ARENA_PAGES,
		.map_flags = BPF_F_MMAPABLE,
	};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int arena(void)
{
	int fd = new_arena();
	char *start;

	if (fd < 0)
		return -errno;
	start = mmap(NULL, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (start == MAP_FAILED)
		return -errno;
	for (unsigned int i = 0; i < ARENA_PAGES; i++)
		WRITE_ONCE(start[i * PAGE], 1);
	munmap(start, ARENA_PAGES * PAGE);
	close(fd);
	return 0;
}

TEST(bpf_arenas)
{
	int fd = new_arena();

	if (online_cpus() < 2)
		SKIP(return, "one vCPU makes no tables while it frees an arena");
	if (fd < 0 && (errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP))
		SKIP(return, "this kernel has no BPF arenas: %s", strerror(errno));
	ASSERT_LE(0, fd);
	close(fd);
	tables_while(_metadata, arena);
}

TEST_HARNESS_MAIN
