// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-table operations: what Linux's accessors become under the hypervisor.
 *
 * A table is either plain memory (being filled by fork, being torn down by
 * exit) and written directly, or live: read-only to us, validated by the
 * hypervisor, written by request through the batcher.  See docs/memory.md.
 */
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/page_table_check.h>
#include <linux/sched/mm.h>
#include <asm/fixmap.h>
#include <asm/init.h>
#include <asm/mmu_context.h>
#include <asm/pgalloc.h>
#include <asm/setup.h>
#include <asm/x86_init.h>

#include "batch.h"
#include "check.h"
#include "internal.h"
#include "recycle.h"
#include "table.h"
#include "vsyscall.h"

/*
 * While the direct map is being built the frames that hold the builder's list
 * and its tables must not become writable: the hypervisor would refuse.
 */
static u64 pv_mask_early(u64 val)
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

/*
 * ioremap() and /dev/mem may name frames that the hypervisor does not let this
 * domain map, or not with this permission.  The entry is then as it was,
 * usually empty, and an access faults.
 */
static noinline void pv_try_pte(u64 ptr, u64 val)
{
	long ret;

	/* The bit means something else in a swap entry, which names no frame. */
	if (!(val & _PAGE_PRESENT)) {
		pv_update(ptr, val, PV_LAZY_MMU);
		return;
	}
	ret = pv_try_update(ptr, val);
	if (ret)
		pr_warn_ratelimited("pvguest: frame %#llx: refused by the hypervisor (%ld); left unmapped\n",
				    (val & PTE_PFN_MASK) >> PAGE_SHIFT, ret);
}

/*
 * When Linux throws away a page that is in swap or being migrated, it reads the
 * entry that it has cleared, still in lazy mode (pte_install_uffd_wp_if_needed()).
 */
static __always_inline enum pv_lazy pv_kind_of(const pte_t *ptep, u64 val)
{
	if (!IS_ENABLED(CONFIG_PTE_MARKER_UFFD_WP) || val || pte_none(*ptep) ||
	    (pte_flags(*ptep) & _PAGE_PRESENT))
		return PV_LAZY_MMU;
	return PV_LAZY_NONE;
}

/* Write an entry of a live table. */
static __always_inline void pv_request_pte(pte_t *ptep, u64 val,
					   unsigned int command)
{
	u64 ptr = pv_virt_to_maddr(ptep) | command;

	pvguest_check_pte(ptep, val);
	if (unlikely(val & BIT_ULL(PVGUEST_FOREIGN_BIT)))
		pv_try_pte(ptr, val);
	else
		pv_update(ptr, val, pv_kind_of(ptep, val));
}

static void pv_set_pte_early(pte_t *ptep, pte_t pte)
{
	u64 val = pv_mask_early(pte.pte);

	if (pvguest_early_table_is_live(ptep))
		pv_request_pte(ptep, val, MMU_NORMAL_PT_UPDATE);
	else
		native_set_pte(ptep, native_make_pte(val));
}

static void pv_set_pte(pte_t *ptep, pte_t pte)
{
	if (pv_table_is_live(ptep)) {
		pv_request_pte(ptep, pte.pte, MMU_NORMAL_PT_UPDATE);
	} else {
		pv_count(direct_write);
		native_set_pte(ptep, pte);
	}
}

static void pv_set_pmd(pmd_t *pmdp, pmd_t pmd)
{
	pvguest_check_link(pmdp, pmd.pmd, PMD_SHIFT);
	if (pv_table_is_live(pmdp))
		pv_update(pv_virt_to_maddr(pmdp), pmd.pmd, PV_LAZY_MMU);
	else
		native_set_pmd(pmdp, pmd);
}

static void pv_set_pud(pud_t *pudp, pud_t pud)
{
	pvguest_check_link(pudp, pud.pud, PUD_SHIFT);
	if (pv_table_is_live(pudp))
		pv_update(pv_virt_to_maddr(pudp), pud.pud, PV_LAZY_MMU);
	else
		native_set_pud(pudp, pud);
}

static void pv_set_p4d(p4d_t *p4dp, p4d_t p4d)
{
	unsigned int index = offset_in_page(p4dp) / sizeof(*p4dp);
	pgd_t *pgd = (pgd_t *)((unsigned long)p4dp & PAGE_MASK);
	p4d_t *user = NULL;
	unsigned long flags;

	if (index < PVGUEST_USER_SLOTS && static_key_enabled(&pvguest_have_struct_pages))
		user = (p4d_t *)pvguest_user_pgd(pgd);
	pvguest_check_link(p4dp, p4d.pgd.pgd, PGDIR_SHIFT);
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

static int pv_pgd_alloc(struct mm_struct *mm)
{
	pgd_t *user = (pgd_t *)__get_free_page(GFP_PGTABLE_USER);

	if (!user)
		return -ENOMEM;
	pvguest_vsyscall_link(user);
	set_page_private(virt_to_page(mm->pgd), (unsigned long)user);
	return 0;
}

static void pv_pgd_free(struct mm_struct *mm, pgd_t *pgd)
{
	pgd_t *user = pvguest_user_pgd(pgd);

	/* An mm that was never given to exit_mmap(), such as a failed exec. */
	if (PagePinned(virt_to_page(pgd)))
		pvguest_unpin_mm(mm);
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
	/* The native pair counts where it clears and sets; here, both at once. */
	page_table_check_ptes_set(vma->vm_mm, ptep, pte, 1);
	if (pv_table_is_live(ptep))
		pv_request_pte(ptep, pte.pte, MMU_PT_UPDATE_PRESERVE_AD);
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
#ifdef CONFIG_X86_VSYSCALL_EMULATION
	case VSYSCALL_PAGE:
		pvguest_vsyscall_map(phys, prot);
		break;
#endif
	}
	native_set_fixmap(idx, phys, prot);
}

/* At the end of an NMI, when tracing is over. */
static noinstr void pv_write_cr2(unsigned long cr2)
{
	this_cpu_write(pvguest_vcpu_info.arch.cr2, cr2);
}

static unsigned long pv_read_cr3(void)
{
	return this_cpu_read(pvguest_cr3);
}

static void __init pv_after_bootmem(void)
{
	pvguest_mark_kernel_tables();
	pv_ops.mmu.set_pte = pv_set_pte;
}

/* The direct map is complete: move the frame list there. */
static void __init pv_pagetable_init(void)
{
	pvguest_p2m_relocate();
	pvguest_direct_map_ready();
	paging_init();
	pvguest_p2m_publish();
}

/**
 * pvguest_mmu_init() - take over the page-table operations
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_mmu_init(void)
{
	struct pv_mmu_ops *mmu = &pv_ops.mmu;

	mmu->write_cr2 = pv_write_cr2;
	mmu->read_cr3 = pv_read_cr3;
	mmu->write_cr3 = pvguest_write_cr3;

	mmu->pgd_alloc = pv_pgd_alloc;
	mmu->pgd_free = pv_pgd_free;
	mmu->enter_mmap = pvguest_enter_mmap;
	mmu->exit_mmap = pvguest_exit_mmap;

	mmu->alloc_pte = pvguest_alloc_pte;
	mmu->alloc_pmd = pvguest_alloc_table;
	mmu->alloc_pud = pvguest_alloc_table;
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
