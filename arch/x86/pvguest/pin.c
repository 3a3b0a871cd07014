// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of an address space: pin, switch, unpin.
 *
 * fork() and exec() fill a new hierarchy with plain stores.  Before it is
 * first used every table in it becomes read-only and is pinned; the hypervisor
 * validates each once.  exit() reverses that first, so that the teardown is
 * plain stores again.
 *
 * Meanwhile others may change entries of the level-1 tables, each under the
 * table's lock: reclaim, write-back, truncation and compaction by reverse
 * mapping, the OOM reaper and process_mrelease() in a dying process.  While
 * the hypervisor validates or devalidates a table it refuses such a change
 * (EINVAL, do_mmu_update()).  So a level-1 table changes its state by itself,
 * never as part of a hierarchy, and its lock is held from before the state
 * changes until the hypervisor has made the change.  The upper levels need no
 * such care: tables are added and removed only by users of the address space,
 * which has none yet, or none any more.
 */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <asm/mmu_context.h>
#include <asm/tlbflush.h>

#include "batch.h"
#include "internal.h"
#include "recycle.h"
#include "table.h"

/**
 * pvguest_write_cr3() - switch to another address space
 * @cr3: physical address of its top table
 *
 * May wait for the rest of a context switch.
 *
 * Context: events masked, as in switch_mm_irqs_off(), or boot.
 */
void pvguest_write_cr3(unsigned long cr3)
{
	unsigned long flags = pv_batch_begin();
	pgd_t *pgd = __va(cr3 & PAGE_MASK);
	pgd_t *user;

	/* The kernel's own table is known by its image address. */
	if ((cr3 & PAGE_MASK) == __pa_symbol(init_top_pgt))
		pgd = init_top_pgt;
	user = pvguest_user_pgd(pgd);

	this_cpu_write(pvguest_cr3, cr3 & PAGE_MASK);
	pv_queue_ext(MMUEXT_NEW_BASEPTR)->arg1.mfn = pv_virt_to_mfn(pgd);
	pv_queue_ext(MMUEXT_NEW_USER_BASEPTR)->arg1.mfn =
		user ? pv_virt_to_mfn(user) : 0;
	pv_count(switch_mm);
	pv_batch_end(flags, PV_LAZY_CPU);
}

/*
 * Find the next present entry of a table from @i on, eight at a time where
 * there is none: most of a table is empty.
 */
static unsigned int pv_next_present(const u64 *table, unsigned int i,
				    unsigned int end)
{
	while (i < end) {
		const u64 *e = &table[i];

		if (!(i & 7) && i + 8 <= end &&
		    !(e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7])) {
			i += 8;
			continue;
		}
		if (*e & _PAGE_PRESENT)
			break;
		i++;
	}
	return i;
}

static struct page *pv_entry_page(u64 entry)
{
	return pfn_to_page(pv_mfn_to_pfn((entry & PTE_PFN_MASK) >> PAGE_SHIFT));
}

/*
 * Level-1 tables whose locks are held at the same time.  Each counts in the
 * preemption counter, which has room for 255.
 */
#define PV_LOCKED_TABLES	32

/* One walk over the tables of an address space, whose page_table_lock is held. */
struct pv_walk {
	struct mm_struct *mm;
	void (*upper)(struct pv_walk *walk, struct page *table);
	void (*leaf)(struct pv_walk *walk, struct page *table);
	unsigned int nr;
	struct page *table[PV_LOCKED_TABLES];
};

/* Call @walk's functions for every table of the user half below the top. */
static void pv_walk_tables(struct pv_walk *walk)
{
	const u64 *top = (const u64 *)walk->mm->pgd, *puds, *pmds;
	unsigned int i, j, k;

	for (i = pv_next_present(top, 0, PVGUEST_USER_SLOTS);
	     i < PVGUEST_USER_SLOTS;
	     i = pv_next_present(top, i + 1, PVGUEST_USER_SLOTS)) {
		puds = page_address(pv_entry_page(top[i]));
		for (j = pv_next_present(puds, 0, PTRS_PER_PUD);
		     j < PTRS_PER_PUD;
		     j = pv_next_present(puds, j + 1, PTRS_PER_PUD)) {
			pmds = page_address(pv_entry_page(puds[j]));
			for (k = pv_next_present(pmds, 0, PTRS_PER_PMD);
			     k < PTRS_PER_PMD;
			     k = pv_next_present(pmds, k + 1, PTRS_PER_PMD))
				walk->leaf(walk, pv_entry_page(pmds[k]));
			walk->upper(walk, pv_entry_page(puds[j]));
		}
		walk->upper(walk, pv_entry_page(top[i]));
	}
}

/* Without split locks page_table_lock covers every table. */
static void pv_lock_table(struct pv_walk *walk, struct page *table)
{
#ifdef CONFIG_SPLIT_PTE_PTLOCKS
	spin_lock_nest_lock(ptlock_ptr(page_ptdesc(table)),
			    &walk->mm->page_table_lock);
	/* For sparse, which cannot count the locks that a loop takes. */
	__release(ptlock_ptr(page_ptdesc(table)));
#endif
}

static void pv_unlock_table(struct page *table)
{
#ifdef CONFIG_SPLIT_PTE_PTLOCKS
	__acquire(ptlock_ptr(page_ptdesc(table)));
	spin_unlock(ptlock_ptr(page_ptdesc(table)));
#endif
}

static void pv_pin_gathered(struct pv_walk *walk)
{
	unsigned long flags;
	unsigned int i;

	if (!walk->nr)
		return;
	/* Events stay deliverable: a vCPU that holds a lock may wait for this one. */
	for (i = 0; i < walk->nr; i++)
		pv_lock_table(walk, walk->table[i]);

	flags = pv_batch_begin();
	for (i = 0; i < walk->nr; i++) {
		SetPagePinned(walk->table[i]);
		pvguest_queue_protect(page_to_pfn(walk->table[i]), false);
	}
	for (i = 0; i < walk->nr; i++)
		pv_queue_pin(MMUEXT_PIN_L1_TABLE, walk->table[i]);
	pv_batch_issue(flags);

	while (walk->nr)
		pv_unlock_table(walk->table[--walk->nr]);
}

static void pv_unpin_gathered(struct pv_walk *walk)
{
	unsigned long flags;
	unsigned int i;

	if (!walk->nr)
		return;
	for (i = 0; i < walk->nr; i++)
		pv_lock_table(walk, walk->table[i]);

	flags = pv_batch_begin();
	for (i = 0; i < walk->nr; i++)
		pv_queue_pin(MMUEXT_UNPIN_TABLE, walk->table[i]);
	for (i = 0; i < walk->nr; i++)
		pvguest_queue_protect(page_to_pfn(walk->table[i]), true);
	pv_batch_issue(flags);

	while (walk->nr) {
		struct page *table = walk->table[--walk->nr];

		/* Only now may a store go straight to the table. */
		ClearPagePrivate(table);
		ClearPagePinned(table);
		pv_unlock_table(table);
	}
}

static void pv_gather(struct pv_walk *walk, struct page *table,
		      void (*full)(struct pv_walk *walk))
{
	walk->table[walk->nr++] = table;
	if (walk->nr == PV_LOCKED_TABLES)
		full(walk);
}

static void pv_enter_leaf(struct pv_walk *walk, struct page *table)
{
	/* Otherwise recycled: pinned since before it was filled. */
	if (!PagePinned(table))
		pv_gather(walk, table, pv_pin_gathered);
}

static void pv_enter_upper(struct pv_walk *walk, struct page *table)
{
	unsigned long flags = pv_batch_begin();

	SetPagePinned(table);
	pvguest_queue_protect(page_to_pfn(table), false);
	pv_batch_keep(flags);
}

/**
 * pvguest_enter_mmap() - an address space is complete, or about to be used
 * @mm: the address space
 *
 * Called at the end of fork()'s copy and by activate_mm(); the second call
 * finds nothing to do.
 *
 * Context: process, events deliverable.
 */
void pvguest_enter_mmap(struct mm_struct *mm)
{
	struct pv_walk walk = {
		.mm = mm,
		.upper = pv_enter_upper,
		.leaf = pv_enter_leaf,
	};
	struct page *top = virt_to_page(mm->pgd);
	struct page *user = virt_to_page(pvguest_user_pgd(mm->pgd));
	unsigned long flags;

	if (PagePinned(top))
		return;

	/* Also keeps us on this vCPU, so that all of it lands in one queue. */
	spin_lock(&mm->page_table_lock);
	pv_walk_tables(&walk);
	pv_pin_gathered(&walk);
	pv_enter_upper(&walk, top);
	pv_enter_upper(&walk, user);

	flags = pv_batch_begin();
	pv_queue_pin(MMUEXT_PIN_L4_TABLE, top);
	pv_queue_pin(MMUEXT_PIN_L4_TABLE, user);
	pv_count(pin);
	pv_batch_issue(flags);
	spin_unlock(&mm->page_table_lock);
}

/* The table is not written to before the request is issued: see above. */
static void pv_exit_upper(struct pv_walk *walk, struct page *table)
{
	unsigned long flags = pv_batch_begin();

	pvguest_queue_protect(page_to_pfn(table), true);
	ClearPagePinned(table);
	pv_batch_keep(flags);
}

/* A table that is full of entries is cheaper to empty as plain memory. */
static bool pv_is_dense(const struct page *page)
{
	const u64 *table = page_address(page);
	unsigned int i, n = 0;

	for (i = pv_next_present(table, 0, PTRS_PER_PTE);
	     i < PTRS_PER_PTE && n <= PVGUEST_DENSE;
	     i = pv_next_present(table, i + 1, PTRS_PER_PTE))
		n++;
	return n > PVGUEST_DENSE;
}

static void pv_exit_leaf(struct pv_walk *walk, struct page *table)
{
	/* Recycled ones stay as they are if they are cheap to empty that way. */
	if (!PagePrivate(table) || pv_is_dense(table))
		pv_gather(walk, table, pv_unpin_gathered);
}

/* Unpin the hierarchy of @mm, whose page_table_lock is held, and issue it. */
static void pv_unpin_hierarchy(struct mm_struct *mm)
{
	struct pv_walk walk = {
		.mm = mm,
		.upper = pv_exit_upper,
		.leaf = pv_exit_leaf,
	};
	struct page *top = virt_to_page(mm->pgd);
	struct page *user = virt_to_page(pvguest_user_pgd(mm->pgd));
	unsigned long flags;

	flags = pv_batch_begin();
	pv_queue_pin(MMUEXT_UNPIN_TABLE, top);
	pv_queue_pin(MMUEXT_UNPIN_TABLE, user);
	pv_count(unpin);
	pv_batch_keep(flags);

	pv_walk_tables(&walk);
	pv_unpin_gathered(&walk);
	pv_exit_upper(&walk, user);
	pv_exit_upper(&walk, top);
	pv_batch_issue(pv_batch_begin());
}

/**
 * pvguest_unpin_mm() - turn a hierarchy back into plain memory
 * @mm: an address space that no vCPU uses any more once what is queued has
 *	been issued
 *
 * The level-1 tables are pinned by themselves, so they outlive the hierarchy;
 * sparse ones from the cache stay so, to be recycled when they are freed.
 *
 * Context: process, events deliverable.
 */
void pvguest_unpin_mm(struct mm_struct *mm)
{
	spin_lock(&mm->page_table_lock);
	pv_unpin_hierarchy(mm);
	spin_unlock(&mm->page_table_lock);
}

static void pv_leave_address_space(void *arg)
{
	struct mm_struct *mm = arg;

	if (this_cpu_read(cpu_tlbstate.loaded_mm) == mm)
		leave_mm();
	pv_batch_issue(pv_batch_begin());
}

/* Other vCPUs may still have the table loaded although they do not use it. */
static void pv_leave_everywhere(struct mm_struct *mm)
{
	unsigned long cr3 = __pa(mm->pgd);
	unsigned int cpu, self = smp_processor_id();

	for_each_online_cpu(cpu) {
		if (cpu == self)
			continue;
		if (per_cpu(pvguest_cr3, cpu) == cr3 ||
		    per_cpu(pvguest_loaded_cr3, cpu) == cr3)
			smp_call_function_single(cpu, pv_leave_address_space, mm, 1);
	}
}

/**
 * pvguest_exit_mmap() - an address space is about to be torn down
 * @mm: the address space, without users
 *
 * Called by exit_mmap() with mmap_lock held for reading: the OOM reaper and
 * process_mrelease() may be in the same address space.
 *
 * Context: process, events deliverable.
 */
void pvguest_exit_mmap(struct mm_struct *mm)
{
	if (!PagePinned(virt_to_page(mm->pgd)))
		return;

	/*
	 * Leaving and unpinning make one batch.  The lock also keeps us on this
	 * vCPU and its task running: a task switch would find calls queued.
	 */
	spin_lock(&mm->page_table_lock);
	pv_leave_everywhere(mm);
	pv_batch_hold_switch();
	if (this_cpu_read(cpu_tlbstate.loaded_mm) == mm)
		leave_mm();
	pv_batch_keep_switch();
	pv_unpin_hierarchy(mm);
	spin_unlock(&mm->page_table_lock);
}
