// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read-modify-write of single entries: what xchg, cmpxchg and bit operations
 * on a page table become when the table is live.
 *
 * The hypervisor has no such operation that returns the old value.  It has a
 * write that keeps the accessed and dirty bits (MMU_PT_UPDATE_PRESERVE_AD),
 * and most entries cannot change under us at all: only a writable, clean
 * entry that another vCPU may be using can become dirty behind our back.
 */
#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <asm/pgtable.h>

#include "batch.h"
#include "internal.h"

/* Could another vCPU set the dirty bit between our read and the write? */
static bool may_become_dirty(struct mm_struct *mm, pte_t pte)
{
	if ((pte_flags(pte) & (_PAGE_PRESENT | _PAGE_RW | _PAGE_DIRTY)) !=
	    (_PAGE_PRESENT | _PAGE_RW))
		return false;
	return !mm || cpumask_any_but(mm_cpumask(mm), raw_smp_processor_id()) <
		      nr_cpu_ids;
}

/**
 * pvguest_ptep_get_and_clear() - clear an entry and return what it was
 * @mm: the address space, NULL if unknown
 * @ptep: the entry
 *
 * In lazy mode the write may wait, like every other.
 */
pte_t pvguest_ptep_get_and_clear(struct mm_struct *mm, pte_t *ptep)
{
	pte_t old = READ_ONCE(*ptep);
	u64 maddr;

	if (!pv_table_is_live(ptep))
		return native_ptep_get_and_clear(ptep);
	if (!old.pte)
		return old;

	maddr = pv_virt_to_maddr(ptep);
	if (unlikely(may_become_dirty(mm, old))) {
		/*
		 * First make it not present, keeping the two bits: then
		 * nothing changes any more and the final value can be read.
		 */
		pv_update(maddr | MMU_PT_UPDATE_PRESERVE_AD, 0, PV_LAZY_NONE);
		old.pte |= READ_ONCE(ptep->pte) & (_PAGE_ACCESSED | _PAGE_DIRTY);
	}
	pv_update(maddr, 0, PV_LAZY_MMU);
	return old;
}
EXPORT_SYMBOL_GPL(pvguest_ptep_get_and_clear);

/**
 * pvguest_ptep_set_wrprotect() - take away write permission
 * @ptep: the entry
 */
void pvguest_ptep_set_wrprotect(pte_t *ptep)
{
	pte_t old = READ_ONCE(*ptep);

	if (!pv_table_is_live(ptep)) {
		native_set_pte(ptep, pte_wrprotect(old));
		return;
	}
	if (pte_flags(old) & _PAGE_RW)
		pv_update(pv_virt_to_maddr(ptep) | MMU_PT_UPDATE_PRESERVE_AD,
			  pte_wrprotect(old).pte, PV_LAZY_MMU);
}
EXPORT_SYMBOL_GPL(pvguest_ptep_set_wrprotect);

/**
 * pvguest_ptep_test_and_clear_young() - was the page used since last asked?
 * @mm: the address space
 * @ptep: the entry
 *
 * An entry that might become dirty meanwhile is left as it is: a page that
 * looks used a while longer does no harm, a lost dirty bit would.
 */
int pvguest_ptep_test_and_clear_young(struct mm_struct *mm, pte_t *ptep)
{
	pte_t old = READ_ONCE(*ptep);

	if (!(pte_flags(old) & _PAGE_ACCESSED))
		return 0;
	if (!pv_table_is_live(ptep))
		return test_and_clear_bit(_PAGE_BIT_ACCESSED,
					  (unsigned long *)&ptep->pte);
	if (!may_become_dirty(mm, old))
		pv_update(pv_virt_to_maddr(ptep), old.pte & ~_PAGE_ACCESSED,
			  PV_LAZY_MMU);
	return 1;
}
