// SPDX-License-Identifier: MIT
/*
 * The memory map: one range from zero, bounded both ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "shim/kernel.h"

#define E820_TYPE_RAM	1
struct e820_table;
static struct e820_table *e820_table;
static unsigned long long map_start, map_size;
static unsigned int ranges;

static void e820__range_add(u64 start, u64 size, int type)
{
	assert_int_equal(type, E820_TYPE_RAM);
	map_start = start;
	map_size = size;
	ranges++;
}

static int e820__update_table(struct e820_table *table)
{
	return 0;
}

#include "../../arch/x86/pvguest/memory_map.c"

bool shim_in_task;
unsigned int shim_irq_depth;
bool pvguest_have_struct_pages;
static struct start_info si;
struct start_info *pvguest_start_info = &si;
unsigned long *pvguest_p2m;
unsigned long pvguest_p2m_entries;

static jmp_buf died;
static char said[200];
static bool told;

void shim_emerg(const char *fmt, ...)
{
}

void shim_bug(void)
{
	fail_msg("went on after the last words");
	__builtin_unreachable();
}

bool pvguest_early_table_is_live(const void *table)
{
	return false;
}

void pvguest_say(const char *fmt, ...)
{
	told = true;
}

void pvguest_last_words(const char *why, long error)
{
	snprintf(said, sizeof(said), "%s", why);
	longjmp(died, 1);
}

static void map(unsigned long mib)
{
	ranges = 0;
	told = false;
	si.nr_pages = mib << (20 - PAGE_SHIFT);
	pvguest_memory_map();
}

static void one_range(void **state)
{
	map(256);
	assert_int_equal(ranges, 1);
	assert_int_equal(map_start, 0);
	assert_int_equal(map_size, 256ULL << 20);
	assert_false(told);
	map(48);
	assert_int_equal(map_size, 48ULL << 20);
}

static void at_most_512_gib(void **state)
{
	map(512UL << 10);
	assert_int_equal(map_size, 512ULL << 30);
	assert_false(told);
	map((512UL << 10) + 1);
	assert_int_equal(map_size, 512ULL << 30);
	assert_true(told);
}

static void too_little_is_said(void **state)
{
	if (!setjmp(died)) {
		map(47);
		fail_msg("47 MiB were accepted");
	}
	assert_non_null(strstr(said, "too little memory"));
	assert_int_equal(ranges, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_range),
		cmocka_unit_test(at_most_512_gib),
		cmocka_unit_test(too_little_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
