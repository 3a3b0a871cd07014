// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read-modify-write of single entries: what xchg, cmpxchg and bit operations
 * on a page table become when the table is live.
 *
 * The hypervisor has no such operation that returns the old value.  It has a
 * write that keeps the accessed and dirty bits (MMU_PT_UPDATE_PRESERVE_AD),
 * and most entries cannot change under us at all: the caller holds the table's
 * lock, and the processor sets the dirty bit only in a writable entry.
 *
 * Where it may, the entry is first made not present, keeping the two bits:
 * from then on no processor writes to it, and the final value can be read.
 * Such an entry is pte_none(), which ignores them (_PAGE_KNL_ERRATUM_MASK);
 * a task that faults on it waits for the lock and looks again (vmf_pte_changed()).
 * Natively ptep_modify_prot_start() leaves the same gap.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <asm/pgtable.h>

#include "batch.h"
#include "check.h"
#include "internal.h"
#include "table.h"

/*
 * Could a processor set the dirty bit between our read and the write?  Which
 * vCPUs use the address space is no help: another may start to at any time.
 * But nothing runs in one that has no users left.
 */
static bool pv_may_become_dirty(struct mm_struct *mm, pte_t pte)
{
	if ((pte_flags(pte) & (_PAGE_PRESENT | _PAGE_RW | _PAGE_DIRTY)) !=
	    (_PAGE_PRESENT | _PAGE_RW))
		return false;
	return !mm || atomic_read(&mm->mm_users);
}

/* Make a live entry not present; returns its accessed and dirty bits. */
static u64 pv_freeze_pte(pte_t *ptep, u64 maddr)
{
	pv_update(maddr | MMU_PT_UPDATE_PRESERVE_AD, 0, PV_LAZY_NONE);
	return READ_ONCE(ptep->pte) & (_PAGE_ACCESSED | _PAGE_DIRTY);
}

/**
 * pvguest_ptep_get_and_clear() - clear an entry and return what it was
 * @mm: the address space, NULL if unknown
 * @ptep: the entry
 *
 * In lazy mode the write may wait, like every other.
 *
 * Context: the table's lock is held, but for the kernel's tables.
 * Return: the entry as it was.
 */
pte_t pvguest_ptep_get_and_clear(struct mm_struct *mm, pte_t *ptep)
{
	pte_t old = READ_ONCE(*ptep);
	u64 maddr;

	if (!pv_table_is_live(ptep))
		return native_ptep_get_and_clear(ptep);
	if (!old.pte)
		return old;

	pvguest_check_pte(ptep, 0);
	maddr = pv_virt_to_maddr(ptep);
	if (unlikely(pv_may_become_dirty(mm, old)))
		old.pte |= pv_freeze_pte(ptep, maddr);
	/*
	 * The checker reads the entry again when the next value is set, and
	 * pte_install_uffd_wp_if_needed() before it sets a marker.
	 */
	pv_update(maddr, 0, IS_ENABLED(CONFIG_PAGE_TABLE_CHECK) || pte_uffd_wp(old) ?
			    PV_LAZY_NONE : PV_LAZY_MMU);
	return old;
}
EXPORT_SYMBOL_GPL(pvguest_ptep_get_and_clear);

/**
 * pvguest_ptep_set_wrprotect() - take away write permission
 * @ptep: the entry
 *
 * Context: the table's lock is held.
 */
void pvguest_ptep_set_wrprotect(pte_t *ptep)
{
	pte_t old = READ_ONCE(*ptep);

	if (!pv_table_is_live(ptep)) {
		native_set_pte(ptep, pte_wrprotect(old));
		return;
	}
	if (!(pte_flags(old) & _PAGE_RW))
		return;
	pvguest_check_pte(ptep, pte_wrprotect(old).pte);
	pv_update(pv_virt_to_maddr(ptep) | MMU_PT_UPDATE_PRESERVE_AD,
		  pte_wrprotect(old).pte, PV_LAZY_MMU);
}
EXPORT_SYMBOL_GPL(pvguest_ptep_set_wrprotect);

/**
 * pvguest_ptep_test_and_clear_young() - was the page used since last asked?
 * @mm: the address space
 * @ptep: the entry
 *
 * Context: the table's lock is held.
 *
 * Return: 1 if it was, 0 if not.
 */
int pvguest_ptep_test_and_clear_young(struct mm_struct *mm, pte_t *ptep)
{
	pte_t old = READ_ONCE(*ptep);
	u64 maddr;

	if (!(pte_flags(old) & _PAGE_ACCESSED))
		return 0;
	if (!pv_table_is_live(ptep))
		return test_and_clear_bit(_PAGE_BIT_ACCESSED,
					  (unsigned long *)&ptep->pte);
	pvguest_check_pte(ptep, old.pte & ~_PAGE_ACCESSED);
	maddr = pv_virt_to_maddr(ptep);
	if (!pv_may_become_dirty(mm, old)) {
		pv_update(maddr, old.pte & ~_PAGE_ACCESSED, PV_LAZY_MMU);
		return 1;
	}
	old.pte |= pv_freeze_pte(ptep, maddr);
	/* Not lazily: the gap should be short. */
	pv_update(maddr, old.pte & ~_PAGE_ACCESSED, PV_LAZY_NONE);
	return 1;
}
