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
#include <linux/mm.h>
#include <asm/sections.h>
#include <asm/setup.h>

#include "batch.h"
#include "internal.h"
#include "table.h"

/* Upper levels of the direct map, for what the builder mapped. */
static u64 pv_direct_l3[PTRS_PER_PUD] __page_aligned_bss;
static u64 pv_direct_l2[PTRS_PER_PMD] __page_aligned_bss;

u64 pvguest_boot_mapped_end __initdata;

/* Flags of an entry that points to a lower table of the kernel. */
#define PV_TABLE_FLAGS	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | _PAGE_DIRTY)

static u64 *__init pv_boot_table(u64 entry)
{
	unsigned long mfn = (entry & PTE_PFN_MASK) >> PAGE_SHIFT;

	return (u64 *)(__START_KERNEL_map + (pv_mfn_to_pfn(mfn) << PAGE_SHIFT));
}

static u64 __init pv_table_entry(const void *table)
{
	return ((u64)pv_virt_to_mfn(table) << PAGE_SHIFT) | PV_TABLE_FLAGS;
}

/* The image holds physical addresses, the processor needs machine ones. */
static void __init pv_make_machine(void *table)
{
	u64 *entry = table;
	unsigned int i;

	for (i = 0; i < PTRS_PER_PTE; i++)
		if (entry[i] & _PAGE_PRESENT)
			entry[i] = ((u64)pvguest_p2m[(entry[i] & PTE_PFN_MASK) >>
						     PAGE_SHIFT] << PAGE_SHIFT) |
				   (entry[i] & ~PTE_PFN_MASK);
}

static void __init pv_protect_table(const void *table)
{
	long ret;

	ret = hyp_update_va_mapping((unsigned long)table,
				    ((u64)pv_virt_to_mfn(table) << PAGE_SHIFT) |
				    _PAGE_PRESENT | _PAGE_ACCESSED |
				    (__supported_pte_mask & _PAGE_NX),
				    UVMF_INVLPG);
	if (ret)
		pvguest_die("boot page table: cannot be made read-only", ret);
}

/*
 * The builder maps everything executable.  Outside the image nothing is code,
 * so take the permission away; the image is Linux's own business.
 */
static void __init pv_forbid_execution(const u64 *l2)
{
	unsigned long va = __START_KERNEL_map, flags;
	unsigned int i, j;

	if (!(__supported_pte_mask & _PAGE_NX))
		return;
	flags = pv_batch_begin();
	for (i = 0; i < PTRS_PER_PMD; i++) {
		const u64 *l1;

		if (!(l2[i] & _PAGE_PRESENT)) {
			va += PMD_SIZE;
			continue;
		}
		l1 = pv_boot_table(l2[i]);
		for (j = 0; j < PTRS_PER_PTE; j++, va += PAGE_SIZE) {
			if (!(l1[j] & _PAGE_PRESENT) ||
			    (va >= (unsigned long)_text &&
			     va < (unsigned long)_end))
				continue;
			pv_queue_mmu(pv_virt_to_maddr(&l1[j]), l1[j] | _PAGE_NX);
		}
	}
	pv_batch_issue(flags);
}

/* End of what the builder mapped; it rounds up to 4 MiB, and more. */
static u64 __init pv_mapped_end(const u64 *l2)
{
	unsigned int i, j;
	u64 end = 0;

	for (i = 0; i < PTRS_PER_PMD; i++) {
		const u64 *l1;

		if (!(l2[i] & _PAGE_PRESENT))
			continue;
		l1 = pv_boot_table(l2[i]);
		for (j = 0; j < PTRS_PER_PTE; j++)
			if (l1[j] & _PAGE_PRESENT)
				end = (i * PMD_SIZE) + (j + 1) * PAGE_SIZE;
	}
	return end;
}

static void __init pv_switch_to_init_pgd(const u64 *boot_l4)
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
		pvguest_die(done == 0 ? "kernel's page table: refused by the hypervisor" :
			    "builder's page table: cannot be left", ret);
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
	u64 *boot_l3 = pv_boot_table(boot_l4[pgd_index(__START_KERNEL_map)]);
	u64 *boot_l2 = pv_boot_table(boot_l3[pud_index(__START_KERNEL_map)]);
	u64 *top = (u64 *)init_top_pgt;
	unsigned int i;

	pvguest_boot_mapped_end = pv_mapped_end(boot_l2);
	pv_forbid_execution(boot_l2);

	pv_make_machine(level3_kernel_pgt);
	pv_make_machine(level2_fixmap_pgt);
	memcpy(level2_kernel_pgt, boot_l2, PAGE_SIZE);
	memcpy(pv_direct_l2, boot_l2, PAGE_SIZE);
	pv_direct_l3[pud_index(PAGE_OFFSET)] = pv_table_entry(pv_direct_l2);

	memset(top, 0, PAGE_SIZE);
	top[pgd_index(PAGE_OFFSET)] = pv_table_entry(pv_direct_l3);
	top[pgd_index(__START_KERNEL_map)] = pv_table_entry(level3_kernel_pgt);
	/* The frame list, until p2m.c has moved it. */
	top[pgd_index(PVGUEST_BOOT_P2M_VADDR)] =
		boot_l4[pgd_index(PVGUEST_BOOT_P2M_VADDR)];

	pv_protect_table(init_top_pgt);
	pv_protect_table(level3_kernel_pgt);
	pv_protect_table(level2_kernel_pgt);
	pv_protect_table(level2_fixmap_pgt);
	for (i = 0; i < FIXMAP_PMD_NUM; i++)
		pv_protect_table(&level1_fixmap_pgt[i * PTRS_PER_PTE]);
	pv_protect_table(pv_direct_l3);
	pv_protect_table(pv_direct_l2);

	pv_switch_to_init_pgd(boot_l4);

	pvguest_start_info = __va(__pa(si));
}
