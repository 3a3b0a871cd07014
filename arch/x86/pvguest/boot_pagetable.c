// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adoption of the page tables that the domain builder made.
 *
 * The builder maps the first megabytes of pseudo-physical memory, image
 * included, from __START_KERNEL_map on, through tables in the frames from
 * start_info.pt_base on.  Its level-1 tables stay in use for good, reached
 * from Linux's own upper levels twice: as kernel image and as the start of the
 * direct map.  Sharing them means that a page has one protection, whichever
 * way it is looked at.
 */
#include <linux/init.h>
#include <linux/memblock.h>
#include <asm/sections.h>
#include <asm/setup.h>

#include "batch.h"
#include "internal.h"

/* Upper levels of the direct map, for what the builder mapped. */
static u64 direct_l3[PTRS_PER_PUD] __page_aligned_bss;
static u64 direct_l2[PTRS_PER_PMD] __page_aligned_bss;

/* Flags of an entry that points to a lower table of the kernel. */
#define PV_TABLE_FLAGS	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | _PAGE_DIRTY)

static u64 *__init boot_table(u64 entry)
{
	unsigned long mfn = (entry & PTE_PFN_MASK) >> PAGE_SHIFT;

	return (u64 *)(__START_KERNEL_map + (pv_mfn_to_pfn(mfn) << PAGE_SHIFT));
}

static u64 __init table_entry(const void *table)
{
	return ((u64)pv_virt_to_mfn(table) << PAGE_SHIFT) | PV_TABLE_FLAGS;
}

/* The image holds physical addresses, the processor wants machine ones. */
static void __init make_machine(void *table)
{
	u64 *entry = table;
	unsigned int i;

	for (i = 0; i < PTRS_PER_PTE; i++)
		if (entry[i] & _PAGE_PRESENT)
			entry[i] = ((u64)pvguest_p2m[(entry[i] & PTE_PFN_MASK) >>
						     PAGE_SHIFT] << PAGE_SHIFT) |
				   (entry[i] & ~PTE_PFN_MASK);
}

static void __init protect_table(const void *table)
{
	long ret;

	ret = hyp_update_va_mapping((unsigned long)table,
				    ((u64)pv_virt_to_mfn(table) << PAGE_SHIFT) |
				    _PAGE_PRESENT | _PAGE_ACCESSED |
				    (__supported_pte_mask & _PAGE_NX),
				    UVMF_INVLPG);
	if (ret)
		pvguest_die("cannot make a boot page table read-only", ret);
}

/*
 * The builder maps everything executable.  Outside the image nothing is code,
 * so take the permission away; the image is Linux's own business.
 */
static void __init forbid_execution(const u64 *l2)
{
	unsigned long va = __START_KERNEL_map;
	unsigned int i, j;

	if (!(__supported_pte_mask & _PAGE_NX))
		return;
	pv_enter_lazy_mmu();
	for (i = 0; i < PTRS_PER_PMD; i++) {
		const u64 *l1;

		if (!(l2[i] & _PAGE_PRESENT)) {
			va += PMD_SIZE;
			continue;
		}
		l1 = boot_table(l2[i]);
		for (j = 0; j < PTRS_PER_PTE; j++, va += PAGE_SIZE) {
			if (!(l1[j] & _PAGE_PRESENT) ||
			    (va >= (unsigned long)_text &&
			     va < (unsigned long)_end))
				continue;
			pv_update(pv_virt_to_maddr(&l1[j]), l1[j] | _PAGE_NX,
				  PV_LAZY_MMU);
		}
	}
	pv_leave_lazy_mmu();
}

static void __init switch_to_init_pgd(const u64 *boot_l4)
{
	struct mmuext_op op[3] = {
		{ .cmd = MMUEXT_PIN_L4_TABLE },
		{ .cmd = MMUEXT_NEW_BASEPTR },
		{ .cmd = MMUEXT_UNPIN_TABLE },
	};
	unsigned int done = 0;
	long ret;

	op[0].arg1.mfn = pv_virt_to_mfn(init_top_pgt);
	op[1].arg1.mfn = op[0].arg1.mfn;
	op[2].arg1.mfn = pv_virt_to_mfn(boot_l4);
	ret = hyp_mmuext_op(op, ARRAY_SIZE(op), &done, DOMID_SELF);
	if (ret)
		pvguest_die(done == 0 ? "the kernel's page table was refused" :
			    "cannot leave the builder's page table", ret);
	this_cpu_write(pvguest_cr3, __pa_symbol(init_top_pgt));
	this_cpu_write(pvguest_loaded_cr3, __pa_symbol(init_top_pgt));
}

/**
 * pvguest_adopt_boot_pagetable() - run on init_top_pgt from here on
 *
 * Builds Linux's upper levels around the builder's level-1 tables, hands them
 * to the hypervisor and switches.  Afterwards the direct map exists for what
 * the builder mapped, and early fixmaps work.
 */
void __init pvguest_adopt_boot_pagetable(void)
{
	const struct start_info *si = pvguest_start_info;
	u64 *boot_l4 = (u64 *)si->pt_base;
	u64 *boot_l3 = boot_table(boot_l4[pgd_index(__START_KERNEL_map)]);
	u64 *boot_l2 = boot_table(boot_l3[pud_index(__START_KERNEL_map)]);
	u64 *top = (u64 *)init_top_pgt;
	unsigned long start, end;
	unsigned int i;

	forbid_execution(boot_l2);

	make_machine(level3_kernel_pgt);
	make_machine(level2_fixmap_pgt);
	memcpy(level2_kernel_pgt, boot_l2, PAGE_SIZE);
	memcpy(direct_l2, boot_l2, PAGE_SIZE);
	direct_l3[pud_index(PAGE_OFFSET)] = table_entry(direct_l2);

	memset(top, 0, PAGE_SIZE);
	top[pgd_index(PAGE_OFFSET)] = table_entry(direct_l3);
	top[pgd_index(__START_KERNEL_map)] = table_entry(level3_kernel_pgt);
	/* The frame list, until p2m.c has moved it. */
	top[pgd_index(PVGUEST_BOOT_P2M_VADDR)] =
		boot_l4[pgd_index(PVGUEST_BOOT_P2M_VADDR)];

	protect_table(init_top_pgt);
	protect_table(level3_kernel_pgt);
	protect_table(level2_kernel_pgt);
	protect_table(level2_fixmap_pgt);
	for (i = 0; i < FIXMAP_PMD_NUM; i++)
		protect_table(&level1_fixmap_pgt[i * PTRS_PER_PTE]);
	protect_table(direct_l3);
	protect_table(direct_l2);

	switch_to_init_pgd(boot_l4);

	/* What the builder put behind the image: start_info, rings, tables. */
	end = __pa(si->pt_base) + (si->nr_pt_frames << PAGE_SHIFT);
	if (end > __pa_symbol(_end))
		memblock_reserve(__pa_symbol(_end), end - __pa_symbol(_end));
	memblock_reserve(__pa(si) & PAGE_MASK, PAGE_SIZE);
	pvguest_p2m_boot_range(&start, &end);
	if (start != end)
		memblock_reserve(start << PAGE_SHIFT, (end - start) << PAGE_SHIFT);

	pvguest_start_info = __va(__pa(si));
}

/*
 * Walk the kernel's page table to the level-1 entry for @va, in raw entries:
 * this has to work before anything of Linux's own does.
 */
static pte_t *kernel_pte(unsigned long va)
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
 * pvguest_direct_map_pte() - entry that maps @pfn in the direct map
 * @pfn: frame of this domain
 *
 * Return: the level-1 entry, or NULL if the direct map has no table there.
 */
pte_t *pvguest_direct_map_pte(unsigned long pfn)
{
	return kernel_pte((unsigned long)__va(pfn << PAGE_SHIFT));
}

/**
 * pvguest_early_table_is_live() - is @table read-only, that is in use?
 * @table: any address inside the table
 */
bool pvguest_early_table_is_live(const void *table)
{
	pte_t *pte = kernel_pte((unsigned long)table);

	return pte && !(pte->pte & _PAGE_RW);
}
