// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recycling of level-1 tables: empty ones stay page tables.
 *
 * When a page becomes a page table the hypervisor looks at all its entries,
 * and again when it becomes ordinary memory.  For the sparse tables of a small
 * process that is most of the cost of fork() and exit().  A recycled table is
 * pinned by itself, read-only, and empty while it waits here; using it costs
 * one reference.  The price is that its entries can be written by request
 * only, so tables that will be dense are better filled as plain memory.
 *
 * PG_private marks a recycled table; PG_pinned, that it is live, as always.
 */
#include <linux/mm.h>
#include <linux/percpu.h>
#include <asm/pgalloc.h>
#include <asm/tlb.h>

#include "batch.h"
#include "internal.h"
#include "recycle.h"

#define PV_CACHE_SIZE	64
/* Fewer than this, and a table that is freed is worth converting. */
#define PV_CACHE_LOW	24

struct pv_table_cache {
	unsigned int nr;
	struct page *table[PV_CACHE_SIZE];
};

static DEFINE_PER_CPU(struct pv_table_cache, pv_tables);

static bool cache_push(struct page *table)
{
	struct pv_table_cache *c = get_cpu_ptr(&pv_tables);
	bool room = c->nr < PV_CACHE_SIZE;

	if (room)
		c->table[c->nr++] = table;
	put_cpu_ptr(&pv_tables);
	return room;
}

static struct page *cache_pop(void)
{
	struct pv_table_cache *c = get_cpu_ptr(&pv_tables);
	struct page *table = c->nr ? c->table[--c->nr] : NULL;

	put_cpu_ptr(&pv_tables);
	return table;
}

/**
 * pvguest_queue_unrecycle() - queue making a recycled table plain memory
 * @table: the table, in use by nothing once what is queued has been issued
 *
 * The caller closes the section and clears PG_pinned after it.
 */
void pvguest_queue_unrecycle(struct page *table)
{
	ClearPagePrivate(table);
	pv_queue_ext(MMUEXT_UNPIN_TABLE)->arg1.mfn =
		pv_pfn_to_mfn(page_to_pfn(table));
	pvguest_queue_protect(page_to_pfn(table), true);
}

static void unrecycle(struct page *table)
{
	unsigned long flags = pv_batch_begin();

	pvguest_queue_unrecycle(table);
	pv_batch_flush();
	ClearPagePinned(table);
	local_irq_restore(flags);
}

/* Turn an empty plain table into a recycled one. */
static void recycle(struct page *table)
{
	unsigned long flags = pv_batch_begin();

	SetPagePinned(table);
	SetPagePrivate(table);
	pvguest_queue_protect(page_to_pfn(table), false);
	pv_queue_ext(MMUEXT_PIN_L1_TABLE)->arg1.mfn =
		pv_pfn_to_mfn(page_to_pfn(table));
	pv_batch_flush();
	local_irq_restore(flags);
}

/* fork() copies tables about as dense as the parent's; a fault fills one entry. */
static bool expect_dense(struct mm_struct *mm)
{
	struct mm_struct *parent = current->mm;

	if (!parent || parent == mm)
		return false;
	return get_mm_counter(parent, MM_ANONPAGES) >
	       (mm_pgtables_bytes(parent) >> PAGE_SHIFT) * PVGUEST_DENSE;
}

/**
 * pvguest_table_alloc() - an empty level-1 table that is one already
 * @mm: the address space that it is for
 *
 * Context: process.
 * Return: the table, or NULL: take a new page.
 */
struct page *pvguest_table_alloc(struct mm_struct *mm)
{
	struct page *table;

	if (expect_dense(mm))
		return NULL;
	table = cache_pop();
	if (table && !pagetable_pte_ctor(page_ptdesc(table))) {
		unrecycle(table);
		__free_page(table);
		return NULL;
	}
	return table;
}

/**
 * pvguest_table_keep() - take a table back that was never used
 * @table: level-1 table, empty
 *
 * Return: true if it was a recycled one and is ours again.
 */
bool pvguest_table_keep(struct page *table)
{
	if (!PagePrivate(table))
		return false;
	if (cache_push(table))
		return true;
	unrecycle(table);
	return false;
}
EXPORT_SYMBOL_GPL(pvguest_table_keep);

/**
 * pvguest_release_pte() - a level-1 table has left its hierarchy
 * @pfn: the table, empty
 *
 * Plain memory by now means that the whole address space is going away.
 */
void pvguest_release_pte(unsigned long pfn)
{
	struct page *table = pfn_to_page(pfn);

	if (PagePrivate(table))
		return;
	if (PagePinned(table))
		pvguest_release_table(pfn);
	else if (this_cpu_read(pv_tables.nr) < PV_CACHE_LOW)
		recycle(table);
}

/**
 * pvguest_tlb_remove_table() - free a table when nobody can be walking it
 * @tlb: the teardown in progress
 * @table: page of the table
 *
 * A dead address space has no walkers, so its recycled tables can be used
 * again at once.
 */
void pvguest_tlb_remove_table(struct mmu_gather *tlb, void *table)
{
	struct page *page = table;

	if (PagePrivate(page)) {
		if (tlb->fullmm && cache_push(page))
			return;
		unrecycle(page);
	}
	tlb_remove_table(tlb, table);
}
