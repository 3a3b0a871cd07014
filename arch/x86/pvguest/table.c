// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of page-table pages: which are live, and how a page becomes
 * read-only in the direct map and writable again.  See docs/memory.md.
 */
#include <linux/init.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <asm/pgalloc.h>

#include "batch.h"
#include "check.h"
#include "internal.h"
#include "table.h"

DEFINE_STATIC_KEY_FALSE(pvguest_have_struct_pages);

/*
 * Walk the kernel's page table to the level-1 entry for @va, in raw entries:
 * this has to work before anything of Linux's own does.
 */
static pte_t *pv_kernel_pte(unsigned long va)
{
	u64 entry = native_pgd_val(*pgd_offset_pgd(init_top_pgt, va));
	static const unsigned int shift[] = { PUD_SHIFT, PMD_SHIFT, PAGE_SHIFT };
	u64 *table = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(shift); i++) {
		if (!(entry & _PAGE_PRESENT))
			return NULL;
		table = __va(pv_mfn_to_pfn((entry & PTE_PFN_MASK) >> PAGE_SHIFT)
			     << PAGE_SHIFT);
		table += (va >> shift[i]) & (PTRS_PER_PTE - 1);
		entry = *table;
	}
	return (pte_t *)table;
}

/**
 * pvguest_early_table_is_live() - is @table read-only, that is in use?
 * @table: any address inside the table
 *
 * Return: true if the direct map has it mapped, and read-only.
 */
bool pvguest_early_table_is_live(const void *table)
{
	pte_t *pte = pv_kernel_pte((unsigned long)table);

	return pte && !(pte->pte & _PAGE_RW);
}

/*
 * Machine frame of the level-1 table behind each 2 MiB of the direct map, so
 * that protecting a page needs no walk.  Filled on first use; entries never
 * change, the direct map keeps its tables for good.
 */
static unsigned long *pv_direct_l1 __ro_after_init;
static unsigned long pv_direct_l1_entries __ro_after_init;

static u64 pv_direct_map_entry_maddr(unsigned long pfn)
{
	unsigned long slot = pfn / PTRS_PER_PTE;
	unsigned long mfn = 0;
	pte_t *pte;

	if (slot < pv_direct_l1_entries)
		mfn = pv_direct_l1[slot];
	if (unlikely(!mfn)) {
		pte = pv_kernel_pte((unsigned long)__va(pfn << PAGE_SHIFT));
		if (!pte)
			return 0;
		mfn = pv_virt_to_mfn(pte);
		if (slot < pv_direct_l1_entries)
			pv_direct_l1[slot] = mfn;
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
	u64 maddr = pv_direct_map_entry_maddr(pfn);
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

/**
 * pvguest_queue_unmap() - queue taking a page out of the direct map
 * @pfn: the page
 *
 * pvguest_queue_protect() puts it back.  The caller queues the flush as well, and
 * closes the section.
 */
void pvguest_queue_unmap(unsigned long pfn)
{
	u64 maddr = pv_direct_map_entry_maddr(pfn);

	if (maddr)
		pv_queue_mmu(maddr | MMU_NORMAL_PT_UPDATE, 0);
}

/**
 * pvguest_direct_map_ready() - the direct map is complete: remember its tables
 *
 * Without memory to remember them each look-up walks the page table.
 *
 * Context: boot, before paging_init().
 */
void __init pvguest_direct_map_ready(void)
{
	unsigned long nr = DIV_ROUND_UP(pvguest_p2m_entries, PTRS_PER_PTE);

	pv_direct_l1 = memblock_alloc(nr * sizeof(*pv_direct_l1), sizeof(*pv_direct_l1));
	if (pv_direct_l1)
		pv_direct_l1_entries = nr;
}

/**
 * pvguest_mark_kernel_tables() - from here on a page flag marks live tables
 *
 * All tables of the kernel's half of the address space are marked.
 *
 * Context: boot, in mem_init(): there are struct pages.
 */
void __init pvguest_mark_kernel_tables(void)
{
	unsigned int i, j, k;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	SetPagePinned(virt_to_page(init_top_pgt));
	for (i = KERNEL_PGD_BOUNDARY; i < PTRS_PER_PGD; i++) {
		p4d = (p4d_t *)&init_top_pgt[i];
		if (p4d_none(*p4d))
			continue;
		pud = pud_offset(p4d, 0);
		SetPagePinned(virt_to_page(pud));
		for (j = 0; j < PTRS_PER_PUD; j++, pud++) {
			if (pud_none(*pud))
				continue;
			pmd = pmd_offset(pud, 0);
			SetPagePinned(virt_to_page(pmd));
			for (k = 0; k < PTRS_PER_PMD; k++, pmd++)
				if (!pmd_none(*pmd))
					SetPagePinned(pmd_page(*pmd));
		}
	}
	static_branch_enable(&pvguest_have_struct_pages);
}

/**
 * pvguest_alloc_table() - a table joins a hierarchy
 * @mm: the address space
 * @pfn: the table
 *
 * If the hierarchy is live the table has to be read-only before the entry that
 * points to it is written; the caller's set_pmd() (or pud, p4d) follows under
 * the same lock and issues both.
 *
 * Context: pmd_populate() and its like, with the lock of the level above held;
 * no other vCPU can reach the table before the entry is written.
 */
void pvguest_alloc_table(struct mm_struct *mm, unsigned long pfn)
{
	unsigned long flags;

	pvguest_check_table(mm, pfn);
	if (!pv_table_is_live(mm->pgd))
		return;
	/* Only moved (mremap(), move_normal_pud()): read-only already. */
	if (static_branch_likely(&pvguest_have_struct_pages) &&
	    PagePinned(pfn_to_page(pfn)))
		return;
	flags = pv_batch_begin();
	if (static_branch_likely(&pvguest_have_struct_pages))
		SetPagePinned(pfn_to_page(pfn));
	pvguest_queue_protect(pfn, false);
	/* Whether the page is writable then decides: see table.h. */
	if (!static_branch_likely(&pvguest_have_struct_pages))
		pv_batch_issue(flags);
	else
		pv_batch_keep(flags);
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
	pv_batch_issue(flags);
	/* Out of reach: its entry in the level above is gone. */
	ClearPagePinned(page);
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
