/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of a page that is, or may become, a page table.
 *
 * "Live" tables are read-only to us and known to the hypervisor: every write
 * is a request.  All others are plain memory.  Once struct page exists the
 * state is a page flag; before, what counts is whether the page is mapped
 * writable.
 *
 * PG_pinned: the table is live.  It changes only under the lock that covers
 *	the table's entries, held until the hypervisor has made the change.  A
 *	level-1 table of a process is then pinned by itself, so that it stays a
 *	page table whether or not a hierarchy refers to it.
 * PG_private: it comes from the cache of tables that wait (recycle.c).
 */
#ifndef PVGUEST_TABLE_H
#define PVGUEST_TABLE_H

#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/page-flags.h>

#include "batch.h"

DECLARE_STATIC_KEY_FALSE(pvguest_have_struct_pages);

bool pvguest_early_table_is_live(const void *table);
void pvguest_mark_kernel_tables(void);
void pvguest_direct_map_ready(void);
void pvguest_queue_protect(unsigned long pfn, bool writable);
void pvguest_queue_unmap(unsigned long pfn);
void pvguest_alloc_table(struct mm_struct *mm, unsigned long pfn);
void pvguest_release_table(unsigned long pfn);
pgd_t *pvguest_user_pgd(pgd_t *pgd);

/**
 * pv_table_is_live() - does a write to this table have to be a request?
 * @table: any address inside the table
 *
 * Context: the lock that covers the entry is held, or no other vCPU can reach it.
 *
 * Return: true if the table is pinned, or read-only before there are struct pages.
 */
static __always_inline bool pv_table_is_live(const void *table)
{
	if (static_branch_likely(&pvguest_have_struct_pages))
		return PagePinned(virt_to_page(table));
	return pvguest_early_table_is_live(table);
}

/**
 * pv_queue_pin() - queue pinning a table, or unpinning it
 * @cmd: MMUEXT_PIN_L1_TABLE to MMUEXT_PIN_L4_TABLE, or MMUEXT_UNPIN_TABLE
 * @table: the table
 *
 * Inline, so that the report of a failed batch names the caller.
 *
 * Context: inside pv_batch_begin() and one of the endings.
 */
static __always_inline void pv_queue_pin(unsigned int cmd,
					 const struct page *table)
{
	pv_queue_ext(cmd)->arg1.mfn = pv_pfn_to_mfn(page_to_pfn(table));
}

#endif /* PVGUEST_TABLE_H */
