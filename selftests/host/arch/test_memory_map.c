// SPDX-License-Identifier: MIT
/*
 * The memory map: one range of memory from zero, bounded both ways, and behind
 * it a reserved page, without which Linux would not take the map as one; and
 * what becomes of a map that the user has changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <cmocka.h>
#include "shim/kernel.h"

#define MIB			0x100000ULL
#define ULLONG_MAX		(~0ULL)
#define PAGE_ALIGN(a)		(((a) + PAGE_SIZE - 1) & PAGE_MASK)
#define max_t(type, a, b)	((type)(a) > (type)(b) ? (type)(a) : (type)(b))
/* Lines in the log. */
static unsigned int reports;
#define pr_warn(...)		(reports++)

enum e820_type {
	E820_TYPE_RAM = 1,
	E820_TYPE_RESERVED = 2,
	E820_TYPE_PMEM = 7,
	E820_TYPE_PRAM = 12,
	E820_TYPE_RESERVED_KERN = 128,
	E820_TYPE_SOFT_RESERVED = 0xefffffff,
};

/* As Linux keeps them, but that a range added later replaces what was there. */
struct e820_table {
	unsigned int nr_entries;
	struct {
		u64 addr, size;
		enum e820_type type;
	} entries[32];
};

static struct e820_table map, *e820_table = &map;

/* The image is at 16 MiB, what the builder put behind it ends at 40 MiB, its mapping at 41. */
#define IMAGE			(16 * MIB)
#define IMAGE_END		(38 * MIB)
#define BOOT_END		(40 * MIB)
#define MAPPED_END		(41 * MIB)
#define _text			((char *)IMAGE)
#define _end			((char *)IMAGE_END)
#define __pa_symbol(s)		((unsigned long)(s))

/* Remove a range of @type (0: of any); returns how much that was. */
static u64 take(u64 start, u64 end, enum e820_type type)
{
	u64 removed = 0;
	unsigned int i, nr = map.nr_entries;

	for (i = 0; i < nr; i++) {
		u64 from = map.entries[i].addr, to = from + map.entries[i].size;

		if ((type && map.entries[i].type != type) || to <= start || from >= end)
			continue;
		map.entries[i].size = from < start ? start - from : 0;
		if (to > end) {
			map.entries[map.nr_entries] = map.entries[i];
			map.entries[map.nr_entries].addr = end;
			map.entries[map.nr_entries++].size = to - end;
		}
		removed += min(to, end) - (from > start ? from : start);
	}
	return removed;
}

static void e820__range_add(u64 start, u64 size, enum e820_type type)
{
	take(start, start + size, 0);
	map.entries[map.nr_entries].addr = start;
	map.entries[map.nr_entries].size = size;
	map.entries[map.nr_entries++].type = type;
}

static u64 e820__range_remove(u64 start, u64 size, enum e820_type type, bool check)
{
	return take(start, start + size, check ? type : 0);
}

static u64 covered(u64 start, u64 end, enum e820_type type)
{
	u64 found = 0;
	unsigned int i;

	for (i = 0; i < map.nr_entries; i++) {
		u64 from = map.entries[i].addr, to = from + map.entries[i].size;

		if (map.entries[i].type == type && to > start && from < end)
			found += min(to, end) - (from > start ? from : start);
	}
	return found;
}

static bool e820__mapped_all(u64 start, u64 end, enum e820_type type)
{
	return covered(start, end, type) == end - start;
}

static int e820__update_table(struct e820_table *table)
{
	return 0;
}

struct pvguest_ring_page { void *page; unsigned int port; };
struct pvguest_ring_page pvguest_store_ring(void);
struct pvguest_ring_page pvguest_console_ring(void);

/* Frames that Linux may not allocate, as bits of MiB: below 64 MiB. */
static u64 reserved;

static void memblock_reserve(u64 start, u64 size)
{
	u64 mib;

	for (mib = start / MIB; mib <= (start + size - 1) / MIB; mib++)
		reserved |= BIT(mib);
}

#include "../../../arch/x86/pvguest/memory_map.c"

bool shim_in_task;
unsigned int shim_irq_depth;
bool pvguest_have_struct_pages;
struct start_info *pvguest_start_info;
u64 pvguest_boot_mapped_end = MAPPED_END;
unsigned long *pvguest_p2m;
unsigned long pvguest_p2m_entries;

static jmp_buf died;
static char said[200];

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
	reports++;
}

void pvguest_last_words(const char *why, long error)
{
	snprintf(said, sizeof(said), "%s (%ld)", why, error);
	longjmp(died, 1);
}

/* The frame list is at 60 MiB, the store's ring at 50 MiB. */
void pvguest_p2m_boot_range(unsigned long *start, unsigned long *end)
{
	*start = 60 * MIB >> PAGE_SHIFT;
	*end = 61 * MIB >> PAGE_SHIFT;
}

static unsigned long frames;

unsigned long pvguest_p2m_size(void)
{
	return frames;
}

struct pvguest_ring_page pvguest_store_ring(void)
{
	return (struct pvguest_ring_page){ .page = (void *)(50 * MIB) };
}

struct pvguest_ring_page pvguest_console_ring(void)
{
	return (struct pvguest_ring_page){ .page = NULL };
}

/* The domain's own map of so many MiB; start_info is behind the image. */
static void domain(unsigned long mib)
{
	struct start_info *si = mmap((void *)(39 * MIB), PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	assert_ptr_not_equal(si, MAP_FAILED);
	memset(&map, 0, sizeof(map));
	reports = 0;
	said[0] = '\0';
	pvguest_start_info = si;
	frames = 0;
	si->nr_pages = mib << (20 - PAGE_SHIFT);
	si->pt_base = BOOT_END - MIB;
	si->nr_pt_frames = MIB >> PAGE_SHIFT;
	si->mod_len = 4 * MIB;
	pvguest_memory_map();
}

static bool refused(void)
{
	if (setjmp(died))
		return true;
	pvguest_bound_memory_map();
	return false;
}

static void one_range(void **state)
{
	domain(256);
	assert_int_equal(map.nr_entries, 2);
	assert_int_equal(map.entries[0].addr, 0);
	assert_int_equal(map.entries[0].size, 256 * MIB);
	assert_true(e820__mapped_all(256 * MIB, 256 * MIB + PAGE_SIZE, E820_TYPE_RESERVED));
	assert_int_equal(reports, 0);
	domain(48);
	assert_int_equal(map.entries[0].size, 48 * MIB);
}

static void at_most_512_gib(void **state)
{
	domain(512UL << 10);
	assert_int_equal(map.entries[0].size, 512ULL << 30);
	assert_int_equal(reports, 0);
	domain((512UL << 10) + 1);
	assert_int_equal(map.entries[0].size, 512ULL << 30);
	assert_int_equal(reports, 1);
}

static void too_little_is_said(void **state)
{
	if (!setjmp(died)) {
		domain(47);
		fail_msg("47 MiB were accepted");
	}
	assert_non_null(strstr(said, "memory: less than 48 MiB (-12)"));
	assert_int_equal(map.nr_entries, 0);
}

static void the_builders_pages_are_reserved(void **state)
{
	domain(256);
	reserved = 0;
	pvguest_reserve_boot_memory();
	/* The first MiB; behind the image, the store's ring, the frame list; not the image. */
	assert_int_equal(reserved, BIT(0) | BIT(38) | BIT(39) | BIT(50) | BIT(60));
}

static void an_unchanged_map_stays(void **state)
{
	domain(256);
	assert_false(refused());
	assert_int_equal(covered(0, 256 * MIB, E820_TYPE_RAM), 256 * MIB);
	assert_int_equal(map.nr_entries, 2);
	assert_int_equal(reports, 0);
}

/* memmap=1G@128M */
static void a_map_ends_with_the_memory(void **state)
{
	static const enum e820_type types[] = {
		E820_TYPE_RAM, E820_TYPE_RESERVED_KERN, E820_TYPE_PMEM,
		E820_TYPE_PRAM, E820_TYPE_SOFT_RESERVED,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		domain(256);
		e820__range_add(128 * MIB, 1024 * MIB, types[i]);
		assert_false(refused());
		assert_int_equal(covered(128 * MIB, 256 * MIB, types[i]), 128 * MIB);
		assert_int_equal(covered(256 * MIB, ULLONG_MAX, types[i]), 0);
		assert_int_equal(reports, 1);
	}
	/* Reserved addresses are no memory: memmap=16M$1G. */
	domain(256);
	e820__range_add(1024 * MIB, 16 * MIB, E820_TYPE_RESERVED);
	assert_false(refused());
	assert_int_equal(covered(1024 * MIB, 1040 * MIB, E820_TYPE_RESERVED), 16 * MIB);
	assert_int_equal(reports, 0);
}

/* memmap=64M$32M: the end of the image, and the store's ring */
static void a_map_keeps_what_the_builder_left(void **state)
{
	domain(256);
	e820__range_add(32 * MIB, 64 * MIB, E820_TYPE_RESERVED);
	assert_false(refused());
	assert_true(e820__mapped_all(IMAGE, MAPPED_END, E820_TYPE_RAM));
	assert_true(e820__mapped_all(50 * MIB, 50 * MIB + PAGE_SIZE, E820_TYPE_RAM));
	assert_true(e820__mapped_all(MAPPED_END, 50 * MIB, E820_TYPE_RESERVED));
	assert_int_equal(covered(50 * MIB, 96 * MIB, E820_TYPE_RAM), PAGE_SIZE);
	assert_int_equal(reports, 2);
}

/* mem=: the image, the initrd, and 16 MiB to run in are the least */
static void a_map_without_room_is_refused(void **state)
{
	domain(256);
	e820__range_remove(44 * MIB, ULLONG_MAX - 44 * MIB, E820_TYPE_RAM, true);
	assert_false(refused());
	domain(256);
	e820__range_remove(43 * MIB, ULLONG_MAX - 43 * MIB, E820_TYPE_RAM, true);
	assert_true(refused());
	assert_non_null(strstr(said, "mem= or memmap= leaves too little to run in (-12)"));
	/* The frame list of a large domain needs room as well: here 1 MiB. */
	domain(256);
	frames = MIB / sizeof(long);
	e820__range_remove(44 * MIB, ULLONG_MAX - 44 * MIB, E820_TYPE_RAM, true);
	assert_true(refused());
	/* memmap=exactmap alone */
	domain(256);
	memset(&map, 0, sizeof(map));
	assert_true(refused());
}

/* Without these parameters it is Linux that reports what is too little. */
static void a_whole_map_is_not_refused(void **state)
{
	domain(64);
	pvguest_start_info->mod_len = 60 * MIB;
	assert_false(refused());
	assert_int_equal(reports, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_map_is_not_refused),
		cmocka_unit_test(one_range),
		cmocka_unit_test(at_most_512_gib),
		cmocka_unit_test(too_little_is_said),
		cmocka_unit_test(the_builders_pages_are_reserved),
		cmocka_unit_test(an_unchanged_map_stays),
		cmocka_unit_test(a_map_ends_with_the_memory),
		cmocka_unit_test(a_map_keeps_what_the_builder_left),
		cmocka_unit_test(a_map_without_room_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
