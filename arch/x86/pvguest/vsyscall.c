// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vsyscall page in user mode (vsyscall=emulate): a page of the kernel's half
 * of the address space that programs may read.
 *
 * Programs run on top tables without the kernel's half (pvguest_user_pgd()), so
 * the page has one table of each lower level for itself, with nothing else in
 * them, to which the top tables of all processes refer.
 */
#include <linux/init.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <asm/fixmap.h>
#include <asm/vsyscall.h>

#include "batch.h"
#include "internal.h"
#include "table.h"
#include "vsyscall.h"

/* Entry of the top tables; empty while there is no such page. */
static pgd_t pv_vsyscall_pgd __ro_after_init;

static void * __init pv_vsyscall_table(void)
{
	void *table = memblock_alloc(PAGE_SIZE, PAGE_SIZE);

	if (!table)
		panic("pvguest: vsyscall page: no memory for its tables (%d); cannot go on",
		      -ENOMEM);
	return table;
}

/**
 * pvguest_vsyscall_map() - give programs the page
 * @phys: its physical address
 * @prot: its permissions
 *
 * Context: boot, after paging_init() and before the first process.  Not __init
 * by itself, as set_fixmap() is not.
 */
void __ref pvguest_vsyscall_map(phys_addr_t phys, pgprot_t prot)
{
	pte_t *pte = pv_vsyscall_table();
	pmd_t *pmd = pv_vsyscall_table();
	pud_t *pud = pv_vsyscall_table();
	unsigned long flags;

	pgprot_val(prot) &= __default_kernel_pte_mask;
	pte[pte_index(VSYSCALL_ADDR)] = pfn_pte(PHYS_PFN(phys), prot);
	pmd[pmd_index(VSYSCALL_ADDR)] = __pmd(__pa(pte) | _PAGE_TABLE);
	pud[pud_index(VSYSCALL_ADDR)] = __pud(__pa(pmd) | _PAGE_TABLE);

	/* Pinned, they stay tables whether or not a process refers to them. */
	flags = pv_batch_begin();
	pvguest_queue_protect(PHYS_PFN(__pa(pte)), false);
	pvguest_queue_protect(PHYS_PFN(__pa(pmd)), false);
	pvguest_queue_protect(PHYS_PFN(__pa(pud)), false);
	pv_queue_pin(MMUEXT_PIN_L3_TABLE, virt_to_page(pud));
	pv_batch_issue(flags);
	pv_vsyscall_pgd = __pgd(__pa(pud) | _PAGE_TABLE);
}

/**
 * pvguest_vsyscall_link() - let a process have the page, if there is one
 * @user: top table that the process will use in user mode, not yet live
 */
void pvguest_vsyscall_link(pgd_t *user)
{
	user[pgd_index(VSYSCALL_ADDR)] = pv_vsyscall_pgd;
}
