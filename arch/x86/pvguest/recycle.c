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
 * PG_private marks a table that comes from the cache and goes back there;
 * PG_pinned, that it is live, as always.
 */
#include <linux/lockdep.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <asm/pgalloc.h>
#include <asm/tlb.h>

#include "batch.h"
#include "check.h"
#include "internal.h"
#include "recycle.h"
#include "table.h"

#define PV_CACHE_SIZE	64
/* Fewer than this, and a table that is freed is worth converting. */
#define PV_CACHE_LOW	24

struct pv_table_cache {
	unsigned int nr;
	struct page *table[PV_CACHE_SIZE];
};

static DEFINE_PER_CPU(struct pv_table_cache, pv_tables);

/*
 * A table that waits has no owner: pte_alloc_one() charged it to the
 * memory cgroup of its user (GFP_PGTABLE_USER), who has no more use for it,
 * also if there is no room.  The charge's own lock may sleep with PREEMPT_RT, so
 * it is given back before preemption is disabled.
 */
static bool pv_cache_push(struct page *table)
{
	struct pv_table_cache *c;
	bool room;

	memcg_kmem_uncharge_page(table, 0);
	c = get_cpu_ptr(&pv_tables);
	room = c->nr < PV_CACHE_SIZE;
	if (room)
		c->table[c->nr++] = table;
	put_cpu_ptr(&pv_tables);
	return room;
}

static struct page *pv_cache_pop(void)
{
	struct pv_table_cache *c = get_cpu_ptr(&pv_tables);
	struct page *table = c->nr ? c->table[--c->nr] : NULL;

	put_cpu_ptr(&pv_tables);
	return table;
}

/*
 * The locks of all level-1 tables are of one class: pin.c locks many of one address
 * space, under its page_table_lock.  spin_lock_init() makes a class for each place
 * that it is called from, so those of recycled tables would have their own.
 */
static void pv_table_lock_class(struct page *table)
{
#if defined(CONFIG_LOCKDEP) && defined(CONFIG_SPLIT_PTE_PTLOCKS)
	static struct lock_class_key class;
	spinlock_t *lock = ptlock_ptr(page_ptdesc(table));

	/* Not of a table that moves (mremap), whose lock may be held. */
	if (!lockdep_match_class(lock, &class))
		lockdep_set_class(lock, &class);
#endif
}

/**
 * pvguest_alloc_pte() - a level-1 table joins a hierarchy
 * @mm: the address space
 * @pfn: the table
 *
 * In an address space that is live it is pinned by itself, so that it does not
 * depend on the hierarchy when that is unpinned (pin.c).
 *
 * Context: pmd_populate(), as pvguest_alloc_table().
 */
void pvguest_alloc_pte(struct mm_struct *mm, unsigned long pfn)
{
	struct page *table = pfn_to_page(pfn);
	unsigned long flags;

	if (mm == &init_mm) {
		pvguest_alloc_table(mm, pfn);
		return;
	}
	pv_table_lock_class(table);
	pvguest_check_table(mm, pfn);
	if (!pv_table_is_live(mm->pgd) || PagePinned(table))
		return;
	flags = pv_batch_begin();
	SetPagePinned(table);
	pvguest_queue_protect(pfn, false);
	pv_queue_pin(MMUEXT_PIN_L1_TABLE, table);
	pv_batch_keep(flags);
}

/* Make a pinned level-1 table that nothing refers to plain memory. */
static void pv_unpin_table(struct page *table)
{
	unsigned long flags = pv_batch_begin();

	pv_queue_pin(MMUEXT_UNPIN_TABLE, table);
	pvguest_queue_protect(page_to_pfn(table), true);
	pv_batch_issue(flags);
	ClearPagePrivate(table);
	ClearPagePinned(table);
}

/* Turn an empty plain table that nothing refers to into a recycled one. */
static void pv_recycle(struct page *table)
{
	unsigned long flags = pv_batch_begin();

	SetPagePinned(table);
	SetPagePrivate(table);
	pvguest_queue_protect(page_to_pfn(table), false);
	pv_queue_pin(MMUEXT_PIN_L1_TABLE, table);
	pv_batch_issue(flags);
}

/* fork() copies tables about as dense as the parent's; a fault fills one entry. */
static bool pv_expect_dense(struct mm_struct *mm)
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

	if (pv_expect_dense(mm))
		return NULL;
	table = pv_cache_pop();
	if (!table)
		return NULL;
	if (memcg_kmem_charge_page(table, GFP_PGTABLE_USER, 0)) {
		/* The cgroup's limit: a new page would meet it as well. */
		if (!pv_cache_push(table))
			goto free;
		return NULL;
	}
	/* As in a new page: what the former lock has left there (ptlock_init()). */
	set_page_private(table, 0);
	if (pagetable_pte_ctor(page_ptdesc(table)))
		return table;
free:
	pv_unpin_table(table);
	__free_page(table);
	return NULL;
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
	if (pv_cache_push(table))
		return true;
	pv_unpin_table(table);
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
		pv_unpin_table(table);
	else if (this_cpu_read(pv_tables.nr) < PV_CACHE_LOW)
		pv_recycle(table);
}

/**
 * pvguest_tlb_remove_table() - free a table when no vCPU can be walking it
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
		if (tlb->fullmm && pv_cache_push(page))
			return;
		pv_unpin_table(page);
	}
	tlb_remove_table(tlb, table);
}
