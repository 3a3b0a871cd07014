/* SPDX-License-Identifier: MIT */
/*
 * Helpers of the page-table cases: tables that belong to no address space.
 */
#ifndef MMU_COMMON_H
#define MMU_COMMON_H

#include "case.h"

/* table() - a read-only mapped page, ready to become a page table. */
static inline uint64_t *table(void)
{
	uint64_t *t = page_alloc();

	page_ro(t);
	return t;
}

/* table_free() - make @t an ordinary page; panics if it keeps its type. */
static inline void table_free(void *t)
{
	page_rw(t);
	page_free(t);
}

static inline long pin(int level, const void *t)
{
	static const unsigned int op[] = {
		0, MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
		MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE,
	};

	return mmuext(op[level], virt_mfn(t), 0);
}

static inline long unpin(const void *t)
{
	return mmuext(MMUEXT_UNPIN_TABLE, virt_mfn(t), 0);
}

/* want_usable() - @page can be mapped writable, pinned as L1, given back and freed. */
static inline void want_usable(void *page)
{
	page_rw(page);
	memset(page, 0, PAGE_SIZE);
	page_ro(page);
	if (pin(1, page) || unpin(page))
		panic("page %p is still in use", page);
	page_rw(page);
	if (!page_renew(page))
		panic("something refers to the frame of page %p", page);
}

/* try_writable() - every way to a writable mapping of @page; how many worked */
static inline unsigned int try_writable(void *page)
{
	uint64_t *l1 = window_l1();
	unsigned int i, worked = 0, done;
	struct mmu_update u[2];
	uint64_t *fresh;

	/* update_va_mapping, at the page's own address and elsewhere. */
	worked += !hyp_update_va_mapping((unsigned long)page,
					 mk_pte(page, PTE_RW), 0);
	worked += !map(window(8), mk_pte(page, PTE_RW));
	/* mmu_update of each type, of an empty and of a read-only entry. */
	for (i = 0; i < 4; i++) {
		if (i == MMU_MACHPHYS_UPDATE)
			continue;
		u[0].ptr = virt_maddr(&l1[9]) | i;
		u[0].val = mk_pte(page, PTE_RW);
		worked += !hyp_mmu_update(u, 1, NULL, DOMID_SELF);
		u[0].val = mk_pte(page, PTE_RO);
		u[1].ptr = virt_maddr(&l1[9]) | i;
		u[1].val = mk_pte(page, PTE_RW);
		done = 0;
		if (!hyp_mmu_update(u, 2, &done, DOMID_SELF))
			worked++;
		u[0].val = 0;
		hyp_mmu_update(u, 1, NULL, DOMID_SELF);
	}
	/* A new level 1 table that holds the mapping already. */
	fresh = page_alloc();
	fresh[0] = mk_pte(page, PTE_RW);
	page_ro(fresh);
	if (!pin(1, fresh)) {
		worked++;
		unpin(fresh);
	}
	/* A table that gets the mapping through an ordinary write first. */
	page_rw(fresh);
	fresh[0] = mk_pte(page, PTE_W | PTE_P | PTE_U);
	fresh[1] = mk_pte(page, PTE_RW | PTE_NX);
	page_ro(fresh);
	if (!pte_set(pte_at(window(0), 2) + 1, mk_pte(fresh, PTE_RW))) {
		worked++;
		pte_set(pte_at(window(0), 2) + 1, 0);
	}
	table_free(fresh);
	return worked;
}

/* try_contents() - every call that could write into @page; how many worked */
static inline unsigned int try_contents(void *page)
{
	unsigned int worked = 0;
	struct mmuext_op op = { .cmd = MMUEXT_COPY_PAGE };

	worked += !mmuext(MMUEXT_CLEAR_PAGE, virt_mfn(page), 0);
	op.arg1.mfn = virt_mfn(page);
	op.arg2.src_mfn = virt_mfn(rt_image);
	worked += !hyp_mmuext_op(&op, 1, NULL, DOMID_SELF);
	return worked;
}

#endif /* MMU_COMMON_H */
