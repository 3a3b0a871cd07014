// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pfn-to-mfn list: which machine frame stands behind each frame of memory
 * that Linux sees.
 *
 * The list is one array, indexed by pfn, in ordinary contiguous memory, so a
 * look-up is one load.  The opposite direction is the hypervisor's
 * machine-to-physical table, mapped read-only into every guest.
 */
#include <linux/init.h>
#include <linux/memblock.h>
#include <linux/string.h>
#include <asm/page.h>

#include "batch.h"
#include "internal.h"
#include "p2m_tree.h"
#include "table.h"

/**
 * pvguest_p2m_early() - use the list where the domain builder left it
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_p2m_early(void)
{
	pvguest_p2m = (unsigned long *)pvguest_start_info->mfn_list;
	pvguest_p2m_entries = pvguest_start_info->nr_pages;
}

/**
 * pvguest_p2m_boot_range() - frames that hold the builder's list
 * @start: set to the first frame
 * @end: set to the frame after the last; equal to @start if the list is
 *	 inside the initial mapping (a builder that ignores INIT_P2M)
 *
 * The frames include the tables that map the list, so they must stay
 * read-only until the list has moved.
 */
void pvguest_p2m_boot_range(unsigned long *start, unsigned long *end)
{
	const struct start_info *si = pvguest_start_info;

	*start = 0;
	*end = 0;
	if (si->mfn_list >= __START_KERNEL_map)
		return;
	*start = si->first_p2m_pfn;
	*end = si->first_p2m_pfn + si->nr_p2m_frames;
}

/**
 * pvguest_any_virt_to_maddr() - machine address of any mapped kernel address
 * @va: in the kernel image, the direct map, or mapped otherwise, as per-CPU
 *	data is with percpu_alloc=page
 *
 * Return: the address, or 0 if nothing is mapped there.
 */
u64 pvguest_any_virt_to_maddr(const void *va)
{
	unsigned int level;
	pte_t *pte;

	if (virt_addr_valid(va) || (unsigned long)va >= __START_KERNEL_map)
		return pv_virt_to_maddr(va);
	pte = lookup_address((unsigned long)va, &level);
	if (WARN_ON_ONCE(!pte))
		return 0;
	return (pte->pte & PTE_PFN_MASK) | offset_in_page(va);
}

/**
 * pvguest_p2m_size() - how many frames the domain may ever have
 *
 * Context: boot.
 * Return: its maximum reservation, the entries of the list that Linux gets.
 */
unsigned long __init pvguest_p2m_size(void)
{
	domid_t self = DOMID_SELF;
	long max;

	/* The initial domain has no upper limit worth a table. */
	if (pvguest_is_initial_domain())
		return pvguest_p2m_entries;
	max = hyp_memory_op(XENMEM_maximum_reservation, &self);
	if (max < 0)
		return pvguest_p2m_entries;
	return clamp(max, pvguest_p2m_entries, pvguest_p2m_entries * 64);
}

/**
 * pvguest_p2m_relocate() - copy the list into the direct map
 *
 * The builder's mapping is in the user half of the address space, which has
 * to be empty before the first program runs.  The frames are given back.
 */
void __init pvguest_p2m_relocate(void)
{
	unsigned long nr = round_up(pvguest_p2m_size(), PAGE_SIZE / sizeof(long));
	unsigned long start, end, pfn, flags;
	unsigned long *list;

	list = memblock_alloc(nr * sizeof(long), PAGE_SIZE);
	if (!list)
		panic("pvguest: frame list: no memory for %lu entries (%d); cannot go on",
		      nr, -ENOMEM);
	memcpy(list, pvguest_p2m, pvguest_p2m_entries * sizeof(long));
	memset(list + pvguest_p2m_entries, 0xff,
	       (nr - pvguest_p2m_entries) * sizeof(long));
	pvguest_p2m = list;
	pvguest_p2m_entries = nr;

	pvguest_p2m_boot_range(&start, &end);
	if (start == end)
		return;
	pv_update(pv_virt_to_maddr(&init_top_pgt[pgd_index(PVGUEST_BOOT_P2M_VADDR)]),
		  0, PV_LAZY_NONE);
	__flush_tlb_all();
	flags = pv_batch_begin();
	for (pfn = start; pfn < end; pfn++)
		/* With mem= the builder's list can be beyond what is mapped. */
		if (pfn_range_is_mapped(pfn, pfn + 1))
			pvguest_queue_protect(pfn, true);
	pv_batch_issue(flags);
	memblock_phys_free(start << PAGE_SHIFT, (end - start) << PAGE_SHIFT);
}

static u64 __init pv_p2m_frame_of(const void *page)
{
	return pv_virt_to_mfn(page);
}

/**
 * pvguest_p2m_publish() - publish where the list is, for the tool stack
 *
 * Saving and migrating need it.  Old tools follow a tree of frame numbers
 * (xen/arch-x86/xen.h, pfn_to_mfn_frame_list_list), newer ones the virtual
 * address; both are valid for the life of the domain, as the list never moves
 * again.
 */
void __init pvguest_p2m_publish(void)
{
	unsigned long nr_leaves, nr_mids;
	unsigned long *top, *mids;

	pv_p2m_tree_size(pvguest_p2m_entries, &nr_mids, &nr_leaves);
	top = memblock_alloc(PAGE_SIZE, PAGE_SIZE);
	mids = memblock_alloc(nr_mids * PAGE_SIZE, PAGE_SIZE);
	if (!top || !mids) {
		pr_warn("pvguest: frame list: no memory to publish it (%d); this domain cannot be saved\n",
			-ENOMEM);
		return;
	}
	pv_p2m_tree_fill(mids, pvguest_p2m, nr_leaves, pv_p2m_frame_of);
	pv_p2m_tree_fill(top, mids, nr_mids, pv_p2m_frame_of);

	pvguest_shared_info->arch.max_pfn = pvguest_p2m_entries;
	pvguest_shared_info->arch.pfn_to_mfn_frame_list_list = pv_virt_to_mfn(top);
	if (pvguest_start_info->flags & SIF_VIRT_P2M_4TOOLS) {
		pvguest_shared_info->arch.p2m_generation = 0;
		pvguest_shared_info->arch.p2m_vaddr = (unsigned long)pvguest_p2m;
		pvguest_shared_info->arch.p2m_cr3 =
			xen_pfn_to_cr3(pv_virt_to_mfn(init_top_pgt));
	}
}
