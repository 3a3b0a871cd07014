// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of an address space: pin, switch, unpin.
 *
 * fork() and exec() fill a new hierarchy with plain stores.  Before it is
 * first used every table in it becomes read-only and both top tables are
 * pinned, in one batch; the hypervisor validates the whole once.  exit()
 * reverses that first, so that the teardown is plain stores again.
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

/**
 * pvguest_write_cr3() - switch to another address space
 * @cr3: physical address of its top table
 *
 * May wait for the rest of a context switch.
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
static unsigned int next_present(const u64 *table, unsigned int i,
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

static struct page *entry_page(u64 entry)
{
	return pfn_to_page(pv_mfn_to_pfn((entry & PTE_PFN_MASK) >> PAGE_SHIFT));
}

typedef void (*table_fn)(struct page *page, bool leaf);

/* Call @fn for every table of the user half below the top. */
static void for_each_user_table(pgd_t *pgd, table_fn fn)
{
	const u64 *top = (const u64 *)pgd, *puds, *pmds;
	unsigned int i, j, k;

	for (i = next_present(top, 0, PVGUEST_USER_SLOTS);
	     i < PVGUEST_USER_SLOTS;
	     i = next_present(top, i + 1, PVGUEST_USER_SLOTS)) {
		puds = page_address(entry_page(top[i]));
		for (j = next_present(puds, 0, PTRS_PER_PUD);
		     j < PTRS_PER_PUD;
		     j = next_present(puds, j + 1, PTRS_PER_PUD)) {
			pmds = page_address(entry_page(puds[j]));
			for (k = next_present(pmds, 0, PTRS_PER_PMD);
			     k < PTRS_PER_PMD;
			     k = next_present(pmds, k + 1, PTRS_PER_PMD))
				fn(entry_page(pmds[k]), true);
			fn(entry_page(puds[j]), false);
		}
		fn(entry_page(top[i]), false);
	}
}

static spinlock_t *table_lock(struct page *page)
{
#ifdef CONFIG_SPLIT_PTE_PTLOCKS
	return ptlock_ptr(page_ptdesc(page));
#else
	return NULL;	/* page_table_lock, which is held */
#endif
}

/*
 * Reverse mapping may change entries of a level-1 table at any time, under
 * the table's lock: after the lock was ours once, everybody sees the flag and
 * asks the hypervisor.
 */
static void make_live(struct page *page, bool leaf)
{
	unsigned long flags;

	if (PagePinned(page))
		return;		/* recycled */
	if (IS_ENABLED(CONFIG_SPLIT_PTE_PTLOCKS) && leaf) {
		spin_lock_nested(table_lock(page), SINGLE_DEPTH_NESTING);
		SetPagePinned(page);
		spin_unlock(table_lock(page));
	} else {
		SetPagePinned(page);
	}
	flags = pv_batch_begin();
	pvguest_queue_protect(page_to_pfn(page), false);
	local_irq_restore(flags);
}

/* A recycled table that is full of entries is cheaper to empty as plain memory. */
static bool is_dense(struct page *page)
{
	const u64 *table = page_address(page);
	unsigned int i, n = 0;

	for (i = next_present(table, 0, PTRS_PER_PTE);
	     i < PTRS_PER_PTE && n <= PVGUEST_DENSE;
	     i = next_present(table, i + 1, PTRS_PER_PTE))
		n++;
	return n > PVGUEST_DENSE;
}

static void make_plain(struct page *page, bool leaf)
{
	unsigned long flags = pv_batch_begin();

	if (!PagePrivate(page))
		pvguest_queue_protect(page_to_pfn(page), true);
	else if (leaf && is_dense(page))
		pvguest_queue_unrecycle(page);
	local_irq_restore(flags);
}

static void clear_live(struct page *page, bool leaf)
{
	if (leaf && PagePrivate(page))
		return;		/* still recycled */
	ClearPagePinned(page);
}

/**
 * pvguest_enter_mmap() - an address space is complete, or about to be used
 * @mm: the address space
 *
 * Called at the end of fork()'s copy and by activate_mm(); the second call
 * finds nothing to do.
 */
void pvguest_enter_mmap(struct mm_struct *mm)
{
	struct page *page = virt_to_page(mm->pgd);
	pgd_t *user = pvguest_user_pgd(mm->pgd);
	unsigned long flags;

	if (PagePinned(page))
		return;

	/* Preemption is off so that all of it lands in one queue. */
	preempt_disable();
	spin_lock(&mm->page_table_lock);
	for_each_user_table(mm->pgd, make_live);
	make_live(page, false);
	make_live(virt_to_page(user), false);

	flags = pv_batch_begin();
	pv_queue_ext(MMUEXT_PIN_L4_TABLE)->arg1.mfn = pv_virt_to_mfn(mm->pgd);
	pv_queue_ext(MMUEXT_PIN_L4_TABLE)->arg1.mfn = pv_virt_to_mfn(user);
	pv_count(pin);
	pv_batch_flush();
	local_irq_restore(flags);
	spin_unlock(&mm->page_table_lock);
	preempt_enable();
}

/**
 * pvguest_unpin_pgd() - turn a hierarchy back into plain memory
 * @pgd: its top table, in use by no vCPU once what is queued has been issued
 */
void pvguest_unpin_pgd(pgd_t *pgd)
{
	pgd_t *user = pvguest_user_pgd(pgd);
	unsigned long flags;

	preempt_disable();
	flags = pv_batch_begin();
	pv_queue_ext(MMUEXT_UNPIN_TABLE)->arg1.mfn = pv_virt_to_mfn(pgd);
	pv_queue_ext(MMUEXT_UNPIN_TABLE)->arg1.mfn = pv_virt_to_mfn(user);
	pv_count(unpin);
	local_irq_restore(flags);

	make_plain(virt_to_page(pgd), false);
	make_plain(virt_to_page(user), false);
	for_each_user_table(pgd, make_plain);

	flags = pv_batch_begin();
	pv_batch_flush();
	local_irq_restore(flags);

	/* Only now may a store go straight to the tables. */
	for_each_user_table(pgd, clear_live);
	ClearPagePinned(virt_to_page(user));
	ClearPagePinned(virt_to_page(pgd));
	preempt_enable();
}

static void leave_address_space(void *arg)
{
	struct mm_struct *mm = arg;
	unsigned long flags;

	if (this_cpu_read(cpu_tlbstate.loaded_mm) == mm)
		leave_mm();
	flags = pv_batch_begin();
	pv_batch_flush();
	local_irq_restore(flags);
}

/* Other vCPUs may still have the table loaded although they do not use it. */
static void leave_everywhere(struct mm_struct *mm)
{
	unsigned long cr3 = __pa(mm->pgd);
	unsigned int cpu, self = smp_processor_id();

	for_each_online_cpu(cpu) {
		if (cpu == self)
			continue;
		if (per_cpu(pvguest_cr3, cpu) == cr3 ||
		    per_cpu(pvguest_loaded_cr3, cpu) == cr3)
			smp_call_function_single(cpu, leave_address_space, mm, 1);
	}
}

/**
 * pvguest_exit_mmap() - an address space is about to be torn down
 * @mm: the address space, without users
 */
void pvguest_exit_mmap(struct mm_struct *mm)
{
	if (!PagePinned(virt_to_page(mm->pgd)))
		return;

	preempt_disable();
	leave_everywhere(mm);
	/* Stays queued: leaving and unpinning make one batch. */
	this_cpu_write(pvguest_lazy, PV_LAZY_CPU);
	if (this_cpu_read(cpu_tlbstate.loaded_mm) == mm)
		leave_mm();
	this_cpu_write(pvguest_lazy, PV_LAZY_NONE);
	pvguest_unpin_pgd(mm->pgd);
	preempt_enable();
}
