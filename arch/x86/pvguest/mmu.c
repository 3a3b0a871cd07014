// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-table operations: what Linux's accessors become under the hypervisor.
 *
 * A table is either plain memory (being filled by fork, being torn down by
 * exit) and written directly, or live: read-only to us, validated by the
 * hypervisor, written by request through the batcher.  See docs/memory.md.
 */
#include <linux/init.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <asm/fixmap.h>
#include <asm/init.h>
#include <asm/mmu_context.h>
#include <asm/pgalloc.h>
#include <asm/setup.h>
#include <asm/x86_init.h>

#include "batch.h"
#include "internal.h"
#include "recycle.h"

DEFINE_STATIC_KEY_FALSE(pvguest_have_struct_pages);

/*
 * Machine frame of the level-1 table behind each 2 MiB of the direct map, so
 * that protecting a page needs no walk.  Filled on first use; entries never
 * change, the direct map keeps its tables for good.
 */
static unsigned long *direct_l1 __ro_after_init;
static unsigned long direct_l1_entries __ro_after_init;

static u64 direct_map_entry_maddr(unsigned long pfn)
{
	unsigned long slot = pfn / PTRS_PER_PTE;
	unsigned long mfn = 0;
	pte_t *pte;

	if (slot < direct_l1_entries)
		mfn = direct_l1[slot];
	if (unlikely(!mfn)) {
		pte = pvguest_direct_map_pte(pfn);
		if (!pte)
			return 0;
		mfn = pv_virt_to_mfn(pte);
		if (slot < direct_l1_entries)
			direct_l1[slot] = mfn;
	}
	return ((u64)mfn << PAGE_SHIFT) | (pfn % PTRS_PER_PTE) * sizeof(pte_t);
}

/**
 * pvguest_queue_protect() - queue making a page of the direct map read-only
 * @pfn: the page
 * @writable: or writable again
 *
 * The caller closes the section, or follows up with what needs the change.
 */
void pvguest_queue_protect(unsigned long pfn, bool writable)
{
	u64 maddr = direct_map_entry_maddr(pfn);
	u64 val;

	if (!maddr)
		return;
	val = ((u64)pv_pfn_to_mfn(pfn) << PAGE_SHIFT) | _PAGE_PRESENT |
	      _PAGE_ACCESSED | (__supported_pte_mask & _PAGE_NX);
	if (writable) {
		val |= _PAGE_RW | _PAGE_DIRTY;
		pv_count(protect_rw);
	} else {
		pv_count(protect_ro);
	}
	pv_queue_mmu(maddr | MMU_NORMAL_PT_UPDATE, val);
}

/*
 * While the direct map is being built the frames that hold the builder's list
 * and its tables must not become writable: the hypervisor would refuse.
 */
static u64 mask_early(u64 val)
{
	static unsigned long start, end;
	static bool known;
	unsigned long pfn;

	if (!known) {
		pvguest_p2m_boot_range(&start, &end);
		known = true;
	}
	if ((val & (_PAGE_PRESENT | _PAGE_RW)) != (_PAGE_PRESENT | _PAGE_RW))
		return val;
	pfn = pte_pfn(native_make_pte(val));
	return pfn >= start && pfn < end ? val & ~_PAGE_RW : val;
}

static void pv_set_pte_early(pte_t *ptep, pte_t pte)
{
	u64 val = mask_early(pte.pte);

	if (pvguest_early_table_is_live(ptep))
		pv_update(pv_virt_to_maddr(ptep), val, PV_LAZY_MMU);
	else
		native_set_pte(ptep, native_make_pte(val));
}

static void pv_set_pte(pte_t *ptep, pte_t pte)
{
	if (pv_table_is_live(ptep)) {
		pv_update(pv_virt_to_maddr(ptep), pte.pte, PV_LAZY_MMU);
	} else {
		pv_count(direct_write);
		native_set_pte(ptep, pte);
	}
}

static void pv_set_pmd(pmd_t *pmdp, pmd_t pmd)
{
	if (pv_table_is_live(pmdp))
		pv_update(pv_virt_to_maddr(pmdp), pmd.pmd, PV_LAZY_MMU);
	else
		native_set_pmd(pmdp, pmd);
}

static void pv_set_pud(pud_t *pudp, pud_t pud)
{
	if (pv_table_is_live(pudp))
		pv_update(pv_virt_to_maddr(pudp), pud.pud, PV_LAZY_MMU);
	else
		native_set_pud(pudp, pud);
}

/**
 * pvguest_user_pgd() - top table that a process uses in user mode
 * @pgd: its kernel-mode top table
 *
 * Guest user and guest kernel both run at CPL 3, so the kernel half is kept
 * away from programs by a second top table that lacks it.
 *
 * Return: the table, or NULL (the kernel's own has none).
 */
pgd_t *pvguest_user_pgd(pgd_t *pgd)
{
	if (pgd == init_top_pgt)
		return NULL;
	return (pgd_t *)page_private(virt_to_page(pgd));
}

static void pv_set_p4d(p4d_t *p4dp, p4d_t p4d)
{
	unsigned int index = offset_in_page(p4dp) / sizeof(*p4dp);
	pgd_t *pgd = (pgd_t *)((unsigned long)p4dp & PAGE_MASK);
	p4d_t *user = NULL;
	unsigned long flags;

	if (index < PVGUEST_USER_SLOTS && static_key_enabled(&pvguest_have_struct_pages))
		user = (p4d_t *)pvguest_user_pgd(pgd);
	if (!pv_table_is_live(p4dp)) {
		*p4dp = p4d;
		if (user)
			user[index] = p4d;
		return;
	}
	flags = pv_batch_begin();
	pv_queue_mmu(pv_virt_to_maddr(p4dp), p4d.pgd.pgd);
	if (user)
		pv_queue_mmu(pv_virt_to_maddr(&user[index]), p4d.pgd.pgd);
	pv_batch_end(flags, PV_LAZY_MMU);
}

/*
 * A table joins a hierarchy.  If that is live the table has to be read-only
 * before the entry that points to it is written; the caller's set_pmd() (or
 * pud, p4d) follows under the same lock and issues both.
 */
static void pv_alloc_table(struct mm_struct *mm, unsigned long pfn)
{
	unsigned long flags;

	if (!pv_table_is_live(mm->pgd))
		return;
	/* Recycled: read-only already. */
	if (static_branch_likely(&pvguest_have_struct_pages) &&
	    PagePinned(pfn_to_page(pfn)))
		return;
	flags = pv_batch_begin();
	if (static_branch_likely(&pvguest_have_struct_pages))
		SetPagePinned(pfn_to_page(pfn));
	pvguest_queue_protect(pfn, false);
	if (!static_branch_likely(&pvguest_have_struct_pages))
		pv_batch_flush();
	local_irq_restore(flags);
}

/**
 * pvguest_release_table() - a table has left its hierarchy: plain memory again
 * @pfn: the table
 */
void pvguest_release_table(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	unsigned long flags;

	if (!PagePinned(page))
		return;
	flags = pv_batch_begin();
	pvguest_queue_protect(pfn, true);
	pv_batch_flush();
	ClearPagePinned(page);
	local_irq_restore(flags);
}

static int pv_pgd_alloc(struct mm_struct *mm)
{
	pgd_t *user = (pgd_t *)__get_free_page(GFP_PGTABLE_USER);

	if (!user)
		return -ENOMEM;
	set_page_private(virt_to_page(mm->pgd), (unsigned long)user);
	return 0;
}

static void pv_pgd_free(struct mm_struct *mm, pgd_t *pgd)
{
	pgd_t *user = pvguest_user_pgd(pgd);

	/* An mm that was never given to exit_mmap(), such as a failed exec. */
	if (PagePinned(virt_to_page(pgd)))
		pvguest_unpin_pgd(pgd);
	set_page_private(virt_to_page(pgd), 0);
	free_page((unsigned long)user);
}

static pte_t pv_modify_prot_start(struct vm_area_struct *vma,
				  unsigned long addr, pte_t *ptep)
{
	/* Not cleared: the commit keeps what the processor sets meanwhile. */
	return *ptep;
}

static void pv_modify_prot_commit(struct vm_area_struct *vma,
				  unsigned long addr, pte_t *ptep, pte_t pte)
{
	if (pv_table_is_live(ptep))
		pv_update(pv_virt_to_maddr(ptep) | MMU_PT_UPDATE_PRESERVE_AD,
			  pte.pte, PV_LAZY_MMU);
	else
		native_set_pte(ptep, pte);
}

static void pv_set_fixmap(unsigned int idx, phys_addr_t phys, pgprot_t prot)
{
	switch (idx) {
#ifdef CONFIG_X86_LOCAL_APIC
	case FIX_APIC_BASE:
#endif
#ifdef CONFIG_X86_IO_APIC
	case FIX_IO_APIC_BASE_0 ... FIX_IO_APIC_BASE_END:
#endif
		/* There is no such device; nothing will touch the address. */
		return;
	}
	native_set_fixmap(idx, phys, prot);
}

static void pv_write_cr2(unsigned long cr2)
{
	this_cpu_write(pvguest_vcpu_info.arch.cr2, cr2);
}

static unsigned long pv_read_cr3(void)
{
	return this_cpu_read(pvguest_cr3);
}

static void __init mark_live(struct page *page)
{
	SetPagePinned(page);
}

/* Every table of the kernel is live: give each page its flag. */
static void __init mark_kernel_tables(void)
{
	unsigned int i, j, k;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	mark_live(virt_to_page(init_top_pgt));
	for (i = KERNEL_PGD_BOUNDARY; i < PTRS_PER_PGD; i++) {
		p4d = (p4d_t *)&init_top_pgt[i];
		if (p4d_none(*p4d))
			continue;
		pud = pud_offset(p4d, 0);
		mark_live(virt_to_page(pud));
		for (j = 0; j < PTRS_PER_PUD; j++, pud++) {
			if (pud_none(*pud))
				continue;
			pmd = pmd_offset(pud, 0);
			mark_live(virt_to_page(pmd));
			for (k = 0; k < PTRS_PER_PMD; k++, pmd++)
				if (!pmd_none(*pmd))
					mark_live(pmd_page(*pmd));
		}
	}
}

static void __init pv_after_bootmem(void)
{
	mark_kernel_tables();
	static_branch_enable(&pvguest_have_struct_pages);
	pv_ops.mmu.set_pte = pv_set_pte;
}

/* The direct map is complete: move the frame list there. */
static void __init pv_pagetable_init(void)
{
	unsigned long nr;

	pvguest_p2m_relocate();
	nr = DIV_ROUND_UP(pvguest_p2m_entries, PTRS_PER_PTE);
	direct_l1 = memblock_alloc(nr * sizeof(*direct_l1), sizeof(*direct_l1));
	if (direct_l1)
		direct_l1_entries = nr;
	paging_init();
	pvguest_p2m_publish();
}

/** pvguest_mmu_init() - take over the page-table operations */
void __init pvguest_mmu_init(void)
{
	struct pv_mmu_ops *mmu = &pv_ops.mmu;

	mmu->read_cr2 = __PV_IS_CALLEE_SAVE(pvguest_read_cr2);
	mmu->write_cr2 = pv_write_cr2;
	mmu->read_cr3 = pv_read_cr3;
	mmu->write_cr3 = pvguest_write_cr3;

	mmu->pgd_alloc = pv_pgd_alloc;
	mmu->pgd_free = pv_pgd_free;
	mmu->enter_mmap = pvguest_enter_mmap;
	mmu->exit_mmap = pvguest_exit_mmap;

	mmu->alloc_pte = pv_alloc_table;
	mmu->alloc_pmd = pv_alloc_table;
	mmu->alloc_pud = pv_alloc_table;
	mmu->release_pte = pvguest_release_pte;
	mmu->release_pmd = pvguest_release_table;
	mmu->release_pud = pvguest_release_table;

	mmu->set_pte = pv_set_pte_early;
	mmu->set_pmd = pv_set_pmd;
	mmu->set_pud = pv_set_pud;
	mmu->set_p4d = pv_set_p4d;
	mmu->ptep_modify_prot_start = pv_modify_prot_start;
	mmu->ptep_modify_prot_commit = pv_modify_prot_commit;

	mmu->pte_val = __PV_IS_CALLEE_SAVE(pvguest_entry_to_pseudo);
	mmu->pmd_val = __PV_IS_CALLEE_SAVE(pvguest_entry_to_pseudo);
	mmu->pud_val = __PV_IS_CALLEE_SAVE(pvguest_entry_to_pseudo);
	mmu->pgd_val = __PV_IS_CALLEE_SAVE(pvguest_entry_to_pseudo);
	mmu->make_pte = __PV_IS_CALLEE_SAVE(pvguest_pseudo_to_entry);
	mmu->make_pmd = __PV_IS_CALLEE_SAVE(pvguest_pseudo_to_entry);
	mmu->make_pud = __PV_IS_CALLEE_SAVE(pvguest_pseudo_to_entry);
	mmu->make_pgd = __PV_IS_CALLEE_SAVE(pvguest_pseudo_to_entry);
#if CONFIG_PGTABLE_LEVELS >= 5
	mmu->p4d_val = __PV_IS_CALLEE_SAVE(pvguest_entry_to_pseudo);
	mmu->make_p4d = __PV_IS_CALLEE_SAVE(pvguest_pseudo_to_entry);
#endif

	mmu->lazy_mode.enter = pv_enter_lazy_mmu;
	mmu->lazy_mode.leave = pv_leave_lazy_mmu;
	mmu->lazy_mode.flush = pv_flush_lazy;
	mmu->set_fixmap = pv_set_fixmap;

	x86_init.paging.pagetable_init = pv_pagetable_init;
	x86_init.hyper.init_after_bootmem = pv_after_bootmem;
}
