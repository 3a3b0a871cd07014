// SPDX-License-Identifier: GPL-2.0-only
/*
 * The port checks itself for faults that QEMU's emulation hides, or that a test
 * would have to wait for.
 *
 * - A change of an entry in a table of a process is made under the table's
 *   lock.
 * - A permission that was taken away, or a frame that was replaced, in an
 *   entry that a processor may have cached (it has the accessed bit), is
 *   flushed on every vCPU that has the address space loaded before the task
 *   that made the change returns to user mode.  Changes by kernel threads are
 *   not looked at: they may put a flush off for as long as the page is not
 *   freed (try_to_unmap_flush()).
 * - Nothing is queued when a task is switched away, but for lazy MMU mode, or
 *   when the kernel returns to user mode (entry.S).
 *
 * Time is a counter that moves at each change and each flush.  A change that
 * waits in a queue is taken to be made when it is queued, so a flush by
 * another vCPU in between hides a missing one; nothing is reported wrongly.
 *
 * Results are in /sys/kernel/debug/pvguest/check.  After 1 was written to
 * drop_flush there, the next flush of several vCPUs is left out: that the
 * checker finds it is the proof that it looks.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/vmalloc.h>
#include <asm/tlbflush.h>

#include "check.h"
#include "internal.h"

/* Where a table is: the address space it belongs to, and its first address. */
struct pv_place {
	const struct mm_struct *mm;
	unsigned long base;
};

static struct pv_place *pv_check_places;

static const struct pv_place *pv_place_of(const void *table)
{
	unsigned long pfn = __pa(table) >> PAGE_SHIFT;

	if (!pv_check_places || pfn >= pvguest_start_info->nr_pages || !pv_check_places[pfn].mm)
		return NULL;
	return &pv_check_places[pfn];
}

/**
 * pvguest_check_table() - a page is going to be a table of an address space
 * @mm: the address space; tables of init_mm are not checked
 * @pfn: the page
 *
 * Context: pmd_populate() and its like.
 */
void pvguest_check_table(const struct mm_struct *mm, unsigned long pfn)
{
	if (pv_check_places && mm != &init_mm && pfn < pvguest_start_info->nr_pages)
		pv_check_places[pfn].mm = mm;
}

/**
 * pvguest_check_link() - an entry above level 1 is going to be @val
 * @entry: the entry
 * @val: its new value, with a machine frame
 * @shift: it maps 1 << @shift bytes: PMD_SHIFT, PUD_SHIFT or PGDIR_SHIFT
 *
 * Notes the first address that the table behind it maps.
 *
 * Context: set_pmd() and its like.
 */
void pvguest_check_link(const void *entry, u64 val, unsigned int shift)
{
	unsigned long index = offset_in_page(entry) / sizeof(val), pfn;
	const struct pv_place *parent;
	unsigned long base = 0;

	if (!pv_check_places || !(val & _PAGE_PRESENT))
		return;
	pfn = pv_mfn_to_pfn((val & PTE_PFN_MASK) >> PAGE_SHIFT);
	if (pfn >= pvguest_start_info->nr_pages)
		return;
	/* The top table has no parent. */
	if (shift != PGDIR_SHIFT) {
		parent = pv_place_of(entry);
		if (!parent)
			return;
		base = parent->base;
	}
	pv_check_places[pfn].base = base + (index << shift);
}

/* Counters, for debugfs. */
static atomic64_t pv_check_seq = ATOMIC64_INIT(1);
static atomic64_t pv_check_changes, pv_check_flushes, pv_check_returns;
static atomic64_t pv_check_bad_lock, pv_check_bad_flush, pv_check_bad_switch;
static bool pv_check_drop_flush;

/* When each vCPU last dropped all that it had cached. */
static u64 pv_check_flushed_all[NR_CPUS];

/* Flushes of one address, the newest overwriting the oldest. */
#define PV_SINGLES	512
static struct pv_single {
	u64 seq;
	unsigned long addr;
	struct cpumask cpus;
} pv_check_singles[PV_SINGLES];
static unsigned int pv_check_next_single;

/* Entries that one task has changed since it was last in user mode. */
#define PV_CHANGES	32
#define PV_TASKS	256
struct pv_changes {
	struct callback_head work;
	struct task_struct *task;
	unsigned int nr;
	struct {
		u64 seq;
		const struct mm_struct *mm;
		unsigned long cr3;
		unsigned long addr;
		void *caller;
	} change[PV_CHANGES];
};

static struct pv_changes pv_check_tasks[PV_TASKS];
/* Covers all of the above; taken with events masked. */
static DEFINE_RAW_SPINLOCK(pv_check_lock);

static bool pv_single_covers(unsigned int cpu, u64 since, unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < PV_SINGLES; i++)
		if (pv_check_singles[i].seq > since && pv_check_singles[i].addr == addr &&
		    cpumask_test_cpu(cpu, &pv_check_singles[i].cpus))
			return true;
	return false;
}

/*
 * The first vCPU that may still use what was changed, or nr_cpu_ids.  One that
 * is leaving the address space has taken itself out of mm_cpumask() before it
 * loads another table, which drops all that it had cached; one that is about to
 * enter has not loaded this one (switch_mm_irqs_off()).
 */
static unsigned int pv_stale_on(const struct pv_changes *t, unsigned int i)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (per_cpu(cpu_tlbstate.loaded_mm, cpu) == t->change[i].mm &&
		    per_cpu(pvguest_loaded_cr3, cpu) == t->change[i].cr3 &&
		    pv_check_flushed_all[cpu] <= t->change[i].seq &&
		    !pv_single_covers(cpu, t->change[i].seq, t->change[i].addr))
			return cpu;
	return nr_cpu_ids;
}

/* The task returns to user mode: all that it changed must be flushed. */
static void pv_check_return(struct callback_head *work)
{
	struct pv_changes *t = container_of(work, struct pv_changes, work);
	unsigned long flags, addr = 0;
	unsigned int i, cpu = nr_cpu_ids;
	void *caller = NULL;
	u64 when = 0, all = 0;

	raw_spin_lock_irqsave(&pv_check_lock, flags);
	for (i = 0; i < t->nr && cpu >= nr_cpu_ids; i++) {
		cpu = pv_stale_on(t, i);
		addr = t->change[i].addr;
		caller = t->change[i].caller;
		when = t->change[i].seq;
		all = cpu < nr_cpu_ids ? pv_check_flushed_all[cpu] : 0;
	}
	t->nr = 0;
	t->task = NULL;
	raw_spin_unlock_irqrestore(&pv_check_lock, flags);

	atomic64_inc(&pv_check_returns);
	if (cpu < nr_cpu_ids) {
		atomic64_inc(&pv_check_bad_flush);
		pr_err_ratelimited("pvguest: check: vCPU %u: may still use the entry for %#lx that %pS changed in %s[%d] (time %llu, last flush %llu, now %lld) (%d); going on\n",
				   cpu, addr, caller, current->comm, current->pid,
				   when, all, atomic64_read(&pv_check_seq), -ESTALE);
	}
}

/* The slot of the current task, or a free one; NULL if there is none. */
static struct pv_changes *pv_changes_of_current(void)
{
	unsigned int i, slot = hash_ptr(current, ilog2(PV_TASKS));
	struct pv_changes *free = NULL;

	for (i = 0; i < PV_TASKS; i++) {
		struct pv_changes *t = &pv_check_tasks[(slot + i) % PV_TASKS];

		if (t->task == current)
			return t;
		if (!t->task && !free)
			free = t;
		/* Slots come free in any order, so look a little further. */
		if (free && i > 8)
			break;
	}
	return free;
}

static void pv_note_change(const struct pv_place *place, unsigned long addr,
			   void *caller)
{
	struct pv_changes *t;
	unsigned long flags;
	unsigned int i, kept = 0;

	raw_spin_lock_irqsave(&pv_check_lock, flags);
	t = pv_changes_of_current();
	if (!t)
		goto out;
	if (t->task != current) {
		init_task_work(&t->work, pv_check_return);
		/* A task that exits makes no more use of its address space. */
		if (task_work_add(current, &t->work, TWA_RESUME))
			goto out;
		t->task = current;
	}
	if (t->nr == PV_CHANGES) {
		/* Drop the changes that are flushed, else the oldest. */
		for (i = 0; i < t->nr; i++)
			if (pv_stale_on(t, i) < nr_cpu_ids)
				t->change[kept++] = t->change[i];
		if (kept == PV_CHANGES)
			memmove(&t->change[0], &t->change[1],
				--kept * sizeof(t->change[0]));
		t->nr = kept;
	}
	t->change[t->nr].seq = atomic64_inc_return(&pv_check_seq);
	t->change[t->nr].mm = place->mm;
	t->change[t->nr].cr3 = __pa(place->mm->pgd);
	t->change[t->nr].addr = addr;
	t->change[t->nr].caller = caller;
	t->nr++;
	atomic64_inc(&pv_check_changes);
out:
	raw_spin_unlock_irqrestore(&pv_check_lock, flags);
}

/**
 * pvguest_check_pte() - an entry of a live level-1 table is going to be @val
 * @ptep: the entry
 * @val: its new value, with a machine frame
 *
 * Context: any; that the table's lock is held is what it checks.
 */
void pvguest_check_pte(pte_t *ptep, u64 val)
{
	const struct pv_place *place = pv_place_of(ptep);
	struct page *table = virt_to_page(ptep);
	u64 old = READ_ONCE(ptep->pte);
	unsigned long addr;

	if (!place || !PageTable(table))
		return;
#if defined(CONFIG_SPLIT_PTE_PTLOCKS) && defined(CONFIG_SMP)
	if (!spin_is_locked(ptlock_ptr(page_ptdesc(table)))) {
		atomic64_inc(&pv_check_bad_lock);
		pr_err_ratelimited("pvguest: check: %pS: changes an entry without the table's lock (%d); going on\n",
				   __builtin_return_address(0), -ENOLCK);
	}
#endif
	if ((current->flags & PF_KTHREAD) || !in_task() || !current->mm)
		return;
	if (!(old & _PAGE_PRESENT) || !(old & _PAGE_ACCESSED))
		return;
	if ((val & _PAGE_PRESENT) && !((old ^ val) & PTE_PFN_MASK) &&
	    !(old & ~val & _PAGE_RW) && !(~old & val & _PAGE_NX))
		return;
	addr = place->base +
	       ((offset_in_page(ptep) / sizeof(*ptep)) << PAGE_SHIFT);
	pv_note_change(place, addr, __builtin_return_address(0));
}

/**
 * pvguest_check_flush_begins() - a batch is going to be issued
 *
 * Return: the time, for pvguest_check_flushed().
 */
u64 pvguest_check_flush_begins(void)
{
	return atomic64_inc_return(&pv_check_seq);
}

/**
 * pvguest_check_flushed() - a batch has been issued
 * @when: what pvguest_check_flush_begins() returned
 * @ext: its extended operations
 * @nr: how many
 *
 * Context: events masked.
 */
void pvguest_check_flushed(u64 when, const struct mmuext_op *ext,
			   unsigned int nr)
{
	unsigned int i, cpu, self = smp_processor_id();
	const struct cpumask *mask;
	struct pv_single *single;

	if (!nr)
		return;
	/* Another vCPU's later flush may have been noted before this one. */
	raw_spin_lock(&pv_check_lock);
	for (i = 0; i < nr; i++) {
		switch (ext[i].cmd) {
		case MMUEXT_NEW_BASEPTR:
		case MMUEXT_TLB_FLUSH_LOCAL:
			pv_check_flushed_all[self] = max(pv_check_flushed_all[self], when);
			break;
		case MMUEXT_TLB_FLUSH_MULTI:
			for_each_cpu(cpu, to_cpumask(ext[i].arg2.vcpumask))
				pv_check_flushed_all[cpu] = max(pv_check_flushed_all[cpu], when);
			break;
		case MMUEXT_INVLPG_LOCAL:
		case MMUEXT_INVLPG_MULTI:
			mask = ext[i].cmd == MMUEXT_INVLPG_LOCAL ?
			       cpumask_of(self) :
			       to_cpumask(ext[i].arg2.vcpumask);
			single = &pv_check_singles[pv_check_next_single];
			single->seq = when;
			single->addr = ext[i].arg1.linear_addr & PAGE_MASK;
			cpumask_copy(&single->cpus, mask);
			pv_check_next_single = (pv_check_next_single + 1) % PV_SINGLES;
			break;
		default:
			continue;
		}
		atomic64_inc(&pv_check_flushes);
	}
	raw_spin_unlock(&pv_check_lock);
}

/**
 * pvguest_check_switch() - the current task is switched away
 * @queued: hypercalls that are still queued, which is reported unless 0
 *
 * Context: pv_start_context_switch(), with lazy MMU mode left.
 */
void pvguest_check_switch(unsigned int queued)
{
	if (!queued)
		return;
	atomic64_inc(&pv_check_bad_switch);
	pr_err_ratelimited("pvguest: check: %s[%d]: %u calls still queued at a task switch (%d); going on\n",
			   current->comm, current->pid, queued, -EBUSY);
}

/**
 * pvguest_check_drops_flush() - is this the flush that a test asked to spoil?
 *
 * Context: any.
 * Return: true once after 1 was written to drop_flush in debugfs.
 */
bool pvguest_check_drops_flush(void)
{
	return unlikely(READ_ONCE(pv_check_drop_flush)) && xchg(&pv_check_drop_flush, false);
}

static int pv_check_show(struct seq_file *m, void *v)
{
	seq_printf(m, "changes %lld\nflushes %lld\nreturns %lld\n",
		   atomic64_read(&pv_check_changes), atomic64_read(&pv_check_flushes),
		   atomic64_read(&pv_check_returns));
	seq_printf(m, "unlocked %lld\nstale %lld\nqueued_at_switch %lld\n",
		   atomic64_read(&pv_check_bad_lock), atomic64_read(&pv_check_bad_flush),
		   atomic64_read(&pv_check_bad_switch));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pv_check);

static int __init pv_check_init(void)
{
	struct dentry *dir;

	if (!pvguest_running())
		return 0;
	pv_check_places = vzalloc(array_size(pvguest_start_info->nr_pages,
					     sizeof(*pv_check_places)));
	dir = debugfs_lookup("pvguest", NULL);
	if (!pv_check_places)
		pr_warn("pvguest: check: no memory (%d); flushes are not checked\n",
			-ENOMEM);
	debugfs_create_file("check", 0400, dir, NULL, &pv_check_fops);
	debugfs_create_bool("drop_flush", 0600, dir, &pv_check_drop_flush);
	dput(dir);
	return 0;
}
late_initcall(pv_check_init);
