// SPDX-License-Identifier: MIT
/*
 * Memory of the kernel itself that goes, while other vCPUs hold translations of
 * it: vmalloc memory and modules.
 */
#include "tlb.h"
#include "tlb_module.h"

#define ROUNDS 10
#define VICTIM "pvguest_test"
#define SECTIONS "/sys/module/" VICTIM "/sections/"

FIXTURE(module)
{
	int loaded;
};

FIXTURE_SETUP(module)
{
	if (online_cpus() < 2)
		SKIP(return, "one processor only");
	ASSERT_EQ(0, run_on_cpu(0));
	self->loaded = load_module(TLB_MODULE, "");
	ASSERT_EQ(0, self->loaded);
}

FIXTURE_TEARDOWN(module)
{
	EXPECT_EQ(0, unload_module(TLB_MODULE));
}

TEST_F(module, freed_vmalloc_memory_cannot_be_read)
{
	long readable;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		ASSERT_EQ(1, tlb_numbers("vmalloc", &readable, 1));
		ASSERT_EQ(0, readable);
	}
}

TEST_F(module, unloaded_module_cannot_be_read)
{
	static const char *const sections[] = { ".text", ".data" };
	char path[64], address[32];
	long readable;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		ASSERT_EQ(0, load_module(VICTIM, "seed=1"));
		snprintf(path, sizeof(path), SECTIONS "%s", sections[round % 2]);
		ASSERT_LT(2, read_file(path, address, sizeof(address)));
		ASSERT_EQ(0, write_file(TLB_PARAMETERS "watch", address));
		ASSERT_EQ(1, tlb_numbers("watch", &readable, 1));
		ASSERT_EQ(online_cpus() - 1, readable);
		ASSERT_EQ(0, unload_module(VICTIM));
		ASSERT_EQ(1, tlb_numbers("watch", &readable, 1));
		ASSERT_EQ(0, readable);
		ASSERT_EQ(0, write_file(TLB_PARAMETERS "watch", "0"));
	}
}

TEST_HARNESS_MAIN
