// SPDX-License-Identifier: MIT
/*
 * Pages replaced by the kernel of its own accord, or by order of a program for
 * a whole range: merged by KSM, moved by compaction, write-protected or moved
 * by userfaultfd.
 */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "tlb.h"

#define ROUNDS 6
#define OLD 100
#define NEW 200
#define KSM "/sys/kernel/mm/ksm/"

/* Newer than the headers of some C libraries. */
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE 0x10000

struct uffdio_move {
	__u64 dst;
	__u64 src;
	__u64 len;
	__u64 mode;
	__s64 move;
};

#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif

/* The frame behind @place, 0 if there is none. */
static __u64 frame_of(const void *place)
{
	static int fd = -1;
	__u64 entry;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pread(fd, &entry, sizeof(entry),
		  (unsigned long)place / PAGE * sizeof(entry)) != sizeof(entry))
		return 0;
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

TEST_F(tlb, merged_pages_are_apart_again_when_written)
{
	struct vcpus *vcpus = self->vcpus;

	if (access(KSM "run", F_OK))
		SKIP(return, "this kernel has no CONFIG_KSM");
	ASSERT_EQ(0, write_file(KSM "sleep_millisecs", "1"));
	ASSERT_EQ(0, write_file(KSM "pages_to_scan", "1000"));
	for (int round = 0; round < rounds(ROUNDS) / 2 + 1; round++) {
		char *start = own_pages(2);

		ASSERT_NE(MAP_FAILED, start);
		next_home(vcpus, round);
		/* Alike to each other and to no other page. */
		for (int i = 0; i < 2; i++) {
			stamp_page(start + i * PAGE, 500 + round);
			use(vcpus, STORE, start + i * PAGE, 1, OLD);
		}
		ASSERT_EQ(0, madvise(start, 2 * PAGE, MADV_MERGEABLE));
		ASSERT_EQ(0, write_file(KSM "run", "1"));
		ASSERT_NE(0, frame_of(start));
		while (frame_of(start) != frame_of(start + PAGE))
			sched_yield();
		ASSERT_EQ(0, write_file(KSM "run", "0"));
		/* A vCPU that may still write where it could writes to both. */
		for (int cpu = 0; cpu < vcpus->count; cpu++) {
			must_find(vcpus, start + PAGE, 1, OLD);
			look_from(vcpus, nth_cpu(vcpus, cpu), (struct look){
				  STORE, start, 1, NEW + cpu });
			must_find(vcpus, start, 1, NEW + cpu);
		}
		must_find(vcpus, start + PAGE, 1, OLD);
		ASSERT_EQ(0, munmap(start, 2 * PAGE));
	}
}

/* Write @value and the numbers after it to @pages, not by way of a TLB. */
static bool write_behind(char *start, unsigned long pages, __u64 value)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	for (unsigned long i = 0; i < pages; i++, value++)
		if (pwrite(fd, &value, sizeof(value),
			   (off_t)(start + i * PAGE)) != sizeof(value))
			return false;
	return true;
}

#define SOME 64UL
#define SPARE (16384 * PAGE)

TEST_F(tlb, compaction_moves_pages)
{
	struct vcpus *vcpus = self->vcpus;
	static __u64 frames[SOME];
	unsigned long moved = 0;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		/* Free memory on both sides, so that there is somewhere to go. */
		char *below = mmap(NULL, SPARE, READ_WRITE,
				   ANONYMOUS | MAP_POPULATE, -1, 0);
		char *start = own_pages(SOME);

		ASSERT_NE(MAP_FAILED, below);
		ASSERT_NE(MAP_FAILED, start);
		ASSERT_EQ(0, munmap(below, SPARE));
		for (unsigned long i = 0; i < SOME; i++)
			frames[i] = frame_of(start + i * PAGE);
		next_home(vcpus, round);
		use(vcpus, STORE, start, SOME, OLD);
		ASSERT_EQ(0, write_file("/proc/sys/vm/compact_memory", "1"));
		for (unsigned long i = 0; i < SOME; i++)
			moved += frames[i] != frame_of(start + i * PAGE);
		/* The frames that were left still hold what they held. */
		ASSERT_TRUE(write_behind(start, SOME, NEW));
		must_find(vcpus, start, SOME, NEW);
		ASSERT_EQ(0, munmap(start, SOME * PAGE));
	}
	EXPECT_LT(0, moved);
}

/* A userfaultfd with @features that has @length from @start in @mode. */
static int watch(__u64 features, void *start, size_t length, __u64 mode)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = features,
	};
	struct uffdio_register range = {
		.range = { (unsigned long)start, length },
		.mode = mode,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &range)) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

TEST_F(tlb, userfaultfd_takes_write_access)
{
	struct vcpus *vcpus = self->vcpus;

	if (!kernel_has("USERFAULTFD"))
		SKIP(return, "this kernel has no CONFIG_USERFAULTFD");
	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *start = own_pages(2);
		struct uffdio_writeprotect protect = {
			.range = { (unsigned long)start, 2 * PAGE },
			.mode = UFFDIO_WRITEPROTECT_MODE_WP,
		};
		int fd;

		ASSERT_NE(MAP_FAILED, start);
		next_home(vcpus, round);
		use(vcpus, STORE, start, 2, OLD);
		fd = watch(UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP,
			   start, 2 * PAGE, UFFDIO_REGISTER_MODE_WP);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, ioctl(fd, UFFDIO_WRITEPROTECT, &protect));
		must_fault(vcpus, STORE, start, 2, SIGBUS);
		must_find(vcpus, start, 2, OLD);
		close(fd);
		ASSERT_EQ(0, munmap(start, 2 * PAGE));
	}
}

TEST_F(tlb, userfaultfd_moves_pages)
{
	struct vcpus *vcpus = self->vcpus;

	if (!kernel_has("USERFAULTFD"))
		SKIP(return, "this kernel has no CONFIG_USERFAULTFD");
	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *from = own_pages(2);
		char *to = mmap(NULL, 2 * PAGE, READ_WRITE, ANONYMOUS, -1, 0);
		struct uffdio_move move = {
			.dst = (unsigned long)to,
			.src = (unsigned long)from,
			.len = 2 * PAGE,
		};
		int fd;

		ASSERT_NE(MAP_FAILED, from);
		ASSERT_NE(MAP_FAILED, to);
		next_home(vcpus, round);
		use(vcpus, STORE, from, 2, OLD);
		fd = watch(UFFD_FEATURE_MOVE, to, 2 * PAGE,
			   UFFDIO_REGISTER_MODE_MISSING);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, ioctl(fd, UFFDIO_MOVE, &move));
		must_find(vcpus, from, 2, 0);
		must_find(vcpus, to, 2, OLD);
		close(fd);
		ASSERT_EQ(0, munmap(from, 2 * PAGE));
		ASSERT_EQ(0, munmap(to, 2 * PAGE));
	}
}

TEST_HARNESS_MAIN
