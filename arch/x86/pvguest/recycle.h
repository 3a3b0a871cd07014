/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Level-1 tables that stay page tables while they are not used.
 */
#ifndef PVGUEST_RECYCLE_H
#define PVGUEST_RECYCLE_H

#include <linux/mm_types.h>

struct mmu_gather;

/*
 * Present entries from which on a table is cheaper to fill and to empty as
 * plain memory: two looks at 512 entries against a request for each entry.
 */
#define PVGUEST_DENSE	48

void pvguest_alloc_pte(struct mm_struct *mm, unsigned long pfn);
void pvguest_release_pte(unsigned long pfn);
void pvguest_tlb_remove_table(struct mmu_gather *tlb, void *table);

#endif /* PVGUEST_RECYCLE_H */
