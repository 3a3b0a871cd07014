// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory map: pseudo-physical memory is one range that starts at zero.
 *
 * There is no hole for devices, because the guest has none behind memory
 * addresses; what the domain may still be given (ballooning) follows the
 * memory it has.
 */
#include <linux/init.h>
#include <linux/memblock.h>
#include <asm/e820/api.h>

#include "internal.h"

/* Less than this cannot hold the kernel and a program. */
#define PV_MIN_PAGES	((48UL << 20) >> PAGE_SHIFT)

/* Page-table pages that map the list end at 512 GiB. */
#define PV_MAX_PAGES	BIT(27)

/**
 * pvguest_memory_map() - fill the e820 table
 *
 * Return: where the map comes from, for the log.
 */
char *__init pvguest_memory_map(void)
{
	unsigned long nr = pvguest_start_info->nr_pages;

	if (nr < PV_MIN_PAGES)
		pvguest_die("too little memory: at least 48 MiB are needed", nr);
	if (nr > PV_MAX_PAGES) {
		pvguest_say("more than 512 GiB of memory: the rest is not used\n");
		nr = PV_MAX_PAGES;
	}
	e820__range_add(0, nr << PAGE_SHIFT, E820_TYPE_RAM);
	e820__update_table(e820_table);
	return "pvguest";
}
