// SPDX-License-Identifier: MIT
/*
 * Whether this machine can show a missing flush at all: entries are changed
 * without one, and every vCPU must go on using what it had.  Where this fails,
 * what the other tlb_ programs say of the machine is worth nothing.
 */
#include "tlb.h"
#include "tlb_module.h"

/*
 * The hypervisor may take the processor from a vCPU, for its own timers, and
 * loads CR3 when it gives it back.  One chance has to show it for each vCPU; on
 * a busy machine hundreds in a row did not.
 */
#define LIMIT_NS (300 * 1000000000ULL)

FIXTURE(control)
{
	struct vcpus *vcpus;
	char *pages;
};

FIXTURE_VARIANT(control)
{
	bool siblings;
};

FIXTURE_VARIANT_ADD(control, sibling_spins) { .siblings = true };
FIXTURE_VARIANT_ADD(control, process_moved) { .siblings = false };

FIXTURE_SETUP(control)
{
	ASSERT_LE(2, online_cpus());
	ASSERT_EQ(0, load_module(TLB_MODULE, ""));
	self->vcpus = vcpus_new(variant->siblings);
	ASSERT_NE(NULL, self->vcpus);
	/* The two that the module exchanges begin at an even page. */
	self->pages = own_pages(3);
	ASSERT_NE(MAP_FAILED, self->pages);
	self->pages += (unsigned long)self->pages & PAGE;
}

FIXTURE_TEARDOWN(control)
{
	vcpus_stop(self->vcpus);
	EXPECT_EQ(0, unload_module(TLB_MODULE));
}

/* The value in @page by the page table, whatever a TLB holds. */
static __u64 read_behind(char *page)
{
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	__u64 value = 0;

	if (pread(fd, &value, sizeof(value), (off_t)page) != sizeof(value))
		value = 0;
	close(fd);
	return value;
}

static int exchange(char *pages)
{
	char address[32];

	snprintf(address, sizeof(address), "%#lx", (unsigned long)pages);
	return write_file(TLB_PARAMETERS "user_control", address);
}

TEST_F(control, programs_keep_translations_until_flushed)
{
	struct vcpus *vcpus = self->vcpus;
	int others = vcpus->siblings ? vcpus->count : 1;
	unsigned int all = (1U << vcpus->count) - 1, kept = 0;
	char *pages = self->pages;
	__u64 end = now_ns(CLOCK_MONOTONIC) + LIMIT_NS;

	for (int chance = 0; kept != all && now_ns(CLOCK_MONOTONIC) < end; chance++) {
		struct look old = { LOAD, pages, 2, 10 };

		next_home(vcpus, chance);
		use(vcpus, STORE, pages, 2, 10);
		ASSERT_EQ(0, exchange(pages));
		/* A vCPU to which the process has to move is flushed by that. */
		for (int turn = 0; turn < others; turn++) {
			int cpu = nth_cpu(vcpus, turn);

			if (!look_from(vcpus, cpu, old))
				kept |= 1U << cpu;
		}
		/* And the change is a real one. */
		ASSERT_EQ(11, read_behind(pages));
		ASSERT_EQ(10, read_behind(pages + PAGE));
		go_to(vcpus, vcpus->home);
		ASSERT_EQ(0, exchange(pages));
		/* A vCPU that has dropped them may hold the exchanged ones now. */
		ASSERT_EQ(0, mprotect(pages, 2 * PAGE, PROT_READ));
		ASSERT_EQ(0, mprotect(pages, 2 * PAGE, READ_WRITE));
	}
	EXPECT_EQ(all, kept) {
		TH_LOG("of the vCPUs %#x only %#x kept a translation that was not flushed",
		       all, kept);
	}
	EXPECT_EQ(0, vcpus->unseen);
}

TEST(kernel_keeps_translations_until_flushed)
{
	int cpus = online_cpus();
	__u64 end = now_ns(CLOCK_MONOTONIC) + LIMIT_NS;
	long seen[3] = { 0 };

	ASSERT_LE(2, cpus);
	ASSERT_EQ(0, load_module(TLB_MODULE, ""));
	ASSERT_EQ(0, run_on_cpu(0));
	while (seen[1] != cpus && now_ns(CLOCK_MONOTONIC) < end) {
		ASSERT_EQ(3, tlb_numbers("kernel_control", seen, 3));
		EXPECT_EQ(cpus, seen[0]);
		EXPECT_EQ(0, seen[2]);
	}
	EXPECT_EQ(cpus, seen[1]) {
		TH_LOG("%ld vCPUs of %d kept a translation that was not flushed",
		       seen[1], cpus);
	}
	EXPECT_EQ(0, unload_module(TLB_MODULE));
}

TEST_HARNESS_MAIN
