// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory map: pseudo-physical memory is one range that starts at zero.
 *
 * It ends with the memory that the domain was built with.  There is no hole for
 * devices, because the guest has none behind memory addresses.  With mem= or
 * memmap= it has to keep what the domain was started with, and to end where the
 * domain's memory ends.
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/memblock.h>
#include <asm/e820/api.h>
#include <asm/sections.h>
#include <asm/setup.h>

#include "internal.h"

/* Less than this cannot hold the kernel and a program. */
#define PV_MIN_PAGES	((48UL << 20) >> PAGE_SHIFT)

/* Less than this beside image, initrd and frame list, and Linux ends in a panic. */
#define PV_MIN_FREE	(16ULL << 20)

/* Programs may map what is below by /dev/mem, also with STRICT_DEVMEM. */
#define PV_LOW_MEMORY	BIT(20)

/* Page-table pages that map the list end at 512 GiB. */
#define PV_MAX_PAGES	BIT(27)

static u64 __init pv_memory_end(void)
{
	return (u64)min(pvguest_start_info->nr_pages, PV_MAX_PAGES) << PAGE_SHIFT;
}

/* Pages of the builder behind the image: start_info, rings, tables. */
static u64 __init pv_boot_end(void)
{
	const struct start_info *si = pvguest_start_info;
	u64 end = __pa(si->pt_base) + (si->nr_pt_frames << PAGE_SHIFT);

	return max_t(u64, end, PAGE_ALIGN(__pa_symbol(_end)));
}

/*
 * Single pages that are used where the builder put them; usually they are
 * behind the image as well.
 */
static void __init pv_for_boot_pages(void (*use)(u64 start, u64 end))
{
	const void *page[] = {
		pvguest_start_info,
		pvguest_store_ring().page,
		pvguest_console_ring().page,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(page); i++)
		if (page[i])
			use(__pa(page[i]) & PAGE_MASK,
			    (__pa(page[i]) & PAGE_MASK) + PAGE_SIZE);
}

static void __init pv_reserve(u64 start, u64 end)
{
	memblock_reserve(start, end - start);
}

/**
 * pvguest_reserve_boot_memory() - keep Linux off what the builder left
 *
 * The pages behind the image stay in use for good; the frame list until it
 * has been copied (p2m.c).  Linux itself reserves the image and the initrd.
 * The first MiB is no memory for tables: natively reserve_real_mode() keeps it
 * out of use, so devmem_is_allowed() lets programs map it, writable.
 *
 * Context: boot, before there is memory to allocate.
 */
void __init pvguest_reserve_boot_memory(void)
{
	unsigned long start, end;

	pv_reserve(0, PV_LOW_MEMORY);
	if (pv_boot_end() > __pa_symbol(_end))
		pv_reserve(__pa_symbol(_end), pv_boot_end());
	pv_for_boot_pages(pv_reserve);
	pvguest_p2m_boot_range(&start, &end);
	if (start != end)
		pv_reserve((u64)start << PAGE_SHIFT, (u64)end << PAGE_SHIFT);
}

/**
 * pvguest_memory_map() - fill the e820 table
 *
 * Return: where the map comes from, for the log.
 */
char *__init pvguest_memory_map(void)
{
	unsigned long nr = pvguest_start_info->nr_pages;
	u64 end = pv_memory_end();

	if (nr < PV_MIN_PAGES)
		pvguest_die("memory: less than 48 MiB", -ENOMEM);
	if (nr > PV_MAX_PAGES)
		pvguest_say("memory: %lu pages are more than 512 GiB (%d); using 512 GiB\n",
			    nr, -E2BIG);
	e820__range_add(0, end, E820_TYPE_RAM);
	/* A map of one entry is no valid one to mem= and memmap= (e820__update_table()). */
	e820__range_add(end, PAGE_SIZE, E820_TYPE_RESERVED);
	e820__update_table(e820_table);
	return "pvguest";
}

/* Behind the domain's last frame there is nothing, whatever memmap= says. */
static void __init pv_cut_map(void)
{
	/* Those that Linux takes for memory. */
	static const enum e820_type types[] = {
		E820_TYPE_RAM, E820_TYPE_RESERVED_KERN, E820_TYPE_PMEM,
		E820_TYPE_PRAM, E820_TYPE_SOFT_RESERVED,
	};
	u64 end = pv_memory_end();
	u64 removed = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		removed += e820__range_remove(end, ULLONG_MAX - end, types[i], true);
	if (!removed)
		return;
	e820__update_table(e820_table);
	pr_warn("pvguest: memory map: ends behind the domain's memory (%d); cut to %llu MiB\n",
		-EINVAL, end >> 20);
}

/*
 * As e820_add_kernel_range() does natively for the image.  The builder's
 * level-1 tables map the image as well as the start of the direct map, which
 * Linux builds from the map's memory only: it would take the rest of what they
 * map out of use, and complain that there is such a rest.
 */
static void __init pv_keep(u64 start, u64 end)
{
	if (e820__mapped_all(start, end, E820_TYPE_RAM))
		return;
	pr_warn("pvguest: memory map: lacks what the domain was started with (%d); %#llx-%#llx kept\n",
		-EINVAL, start, end - 1);
	e820__range_remove(start, end - start, E820_TYPE_RAM, false);
	e820__range_add(start, end - start, E820_TYPE_RAM);
	e820__update_table(e820_table);
}

static u64 __init pv_map_ram(void)
{
	u64 ram = 0;
	unsigned int i;

	for (i = 0; i < e820_table->nr_entries; i++)
		if (e820_table->entries[i].type == E820_TYPE_RAM)
			ram += e820_table->entries[i].size;
	return ram;
}

/**
 * pvguest_bound_memory_map() - make the user's memory map one of this domain
 *
 * Without mem= and memmap= there is nothing to do.
 *
 * Context: boot, when Linux has read these parameters, and before it uses the map.
 */
void __init pvguest_bound_memory_map(void)
{
	u64 image = __pa_symbol(_text), least;

	pv_cut_map();
	pv_keep(image, max_t(u64, pvguest_boot_mapped_end, pv_boot_end()));
	pv_for_boot_pages(pv_keep);
	/* All of the domain's memory: too little of that is Linux's to report. */
	if (pv_map_ram() == pv_memory_end())
		return;
	least = pv_boot_end() - image + pvguest_start_info->mod_len + PV_MIN_FREE +
		(u64)pvguest_p2m_size() * sizeof(long);
	if (pv_map_ram() < least)
		pvguest_die("memory: mem= or memmap= leaves too little to run in",
			    -ENOMEM);
}
