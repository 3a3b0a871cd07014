// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptor tables: GDT, LDT, TLS, and the stack that traps switch to.
 *
 * Pages that hold descriptors in use are read-only in every mapping; each
 * change of an entry is a request that the hypervisor checks.
 */
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <asm/desc.h>
#include <asm/processor.h>
#include <asm/set_memory.h>

#include "batch.h"
#include "internal.h"

/* Machine frame of this vCPU's GDT, once the hypervisor uses it. */
static DEFINE_PER_CPU(unsigned long, pv_gdt_mfn);
/* TLS descriptors as last requested: what the GDT shows is adjusted. */
static DEFINE_PER_CPU(struct desc_struct [GDT_ENTRY_TLS_ENTRIES], pv_tls);
/* Kernel stack as last requested. */
static DEFINE_PER_CPU(unsigned long, pv_sp0);

/* Machine address of any mapped kernel address. */
static u64 any_virt_to_maddr(const void *va)
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

/* Change a descriptor page in the direct map, and in its vmalloc mapping. */
static void protect_everywhere(void *va, bool writable)
{
	u64 maddr = any_virt_to_maddr(va);
	unsigned long pfn = pv_mfn_to_pfn(maddr >> PAGE_SHIFT);
	unsigned long flags;
	unsigned int level;
	pte_t *pte;

	if (is_vmalloc_addr(va)) {
		pte = lookup_address((unsigned long)va, &level);
		set_pte(pte, writable ? pte_mkwrite_novma(*pte) :
					pte_wrprotect(*pte));
		flush_tlb_kernel_range((unsigned long)va & PAGE_MASK,
				       ((unsigned long)va & PAGE_MASK) + PAGE_SIZE);
	}
	flags = pv_batch_begin();
	pvguest_queue_protect(pfn, writable);
	pv_batch_flush();
	local_irq_restore(flags);
}

/** pvguest_gdt_loaded() - a vCPU starts with its GDT in frame @mfn */
void pvguest_gdt_loaded(unsigned int cpu, unsigned long mfn)
{
	per_cpu(pv_gdt_mfn, cpu) = mfn;
}

static void pv_load_gdt(const struct desc_ptr *dtr)
{
	unsigned long mfn = any_virt_to_maddr((void *)dtr->address) >> PAGE_SHIFT;
	unsigned long flags;
	long ret;

	/* The same page under its other address. */
	if (mfn == this_cpu_read(pv_gdt_mfn))
		return;

	flags = pv_batch_begin();
	pvguest_queue_protect(pv_mfn_to_pfn(mfn), false);
	pv_batch_flush();
	ret = hyp_set_gdt(&mfn, (dtr->size + 1) / sizeof(struct desc_struct));
	pv_count_call(__HYPERVISOR_set_gdt);
	local_irq_restore(flags);
	if (ret)
		pvguest_die("the descriptor table was refused", ret);
	this_cpu_write(pv_gdt_mfn, mfn);
}

static void pv_update_descriptor(const void *va, u64 desc)
{
	unsigned long flags = pv_batch_begin();

	pv_queue_call(__HYPERVISOR_update_descriptor, any_virt_to_maddr(va),
		      desc);
	pv_batch_end(flags, PV_LAZY_CPU);
}

static void pv_write_gdt_entry(struct desc_struct *gdt, int entry,
			       const void *desc, int type)
{
	/* There is no task register, and the LDT has its own operation. */
	if (type == DESC_TSS || type == DESC_LDT)
		return;
	pv_update_descriptor(&gdt[entry], *(const u64 *)desc);
}

static void pv_write_ldt_entry(struct desc_struct *ldt, int entry,
			       const void *desc)
{
	pv_update_descriptor(&ldt[entry], *(const u64 *)desc);
}

static void pv_load_tls(struct thread_struct *t, unsigned int cpu)
{
	struct desc_struct *shadow = this_cpu_ptr(pv_tls);
	struct desc_struct *gdt = get_cpu_gdt_rw(cpu);
	unsigned long flags;
	unsigned int i;
	u16 fs;

	if (likely(!memcmp(shadow, t->tls_array, sizeof(t->tls_array))))
		return;

	/* An old selector must not meet a new descriptor before __switch_to(). */
	savesegment(fs, fs);
	if (fs && this_cpu_read(pvguest_lazy) == PV_LAZY_CPU)
		loadsegment(fs, 0);

	flags = pv_batch_begin();
	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++) {
		if (!memcmp(&shadow[i], &t->tls_array[i], sizeof(shadow[i])))
			continue;
		shadow[i] = t->tls_array[i];
		pv_queue_call(__HYPERVISOR_update_descriptor,
			      any_virt_to_maddr(&gdt[GDT_ENTRY_TLS_MIN + i]),
			      *(u64 *)&shadow[i]);
	}
	pv_batch_end(flags, PV_LAZY_CPU);
}

static void pv_alloc_ldt(struct desc_struct *ldt, unsigned int entries)
{
	unsigned int i;

	for (i = 0; i < entries; i += PAGE_SIZE / LDT_ENTRY_SIZE)
		protect_everywhere(ldt + i, false);
}

static void pv_free_ldt(struct desc_struct *ldt, unsigned int entries)
{
	unsigned int i;

	for (i = 0; i < entries; i += PAGE_SIZE / LDT_ENTRY_SIZE)
		protect_everywhere(ldt + i, true);
}

static void pv_set_ldt(const void *addr, unsigned int entries)
{
	unsigned long flags = pv_batch_begin();
	struct mmuext_op *op = pv_queue_ext(MMUEXT_SET_LDT);

	op->arg1.linear_addr = (unsigned long)addr;
	op->arg2.nr_ents = entries;
	pv_batch_end(flags, PV_LAZY_CPU);
}

static void pv_load_gs_index(unsigned int selector)
{
	if (hyp_set_segment_base(SEGBASE_GS_USER_SEL, selector))
		WARN_ONCE(1, "pvguest: user %%gs selector %#x refused\n", selector);
	pvguest_user_gs_loaded();
	pv_count_call(__HYPERVISOR_set_segment_base);
}

static void pv_load_sp0(unsigned long sp0)
{
	unsigned long flags;

	this_cpu_write(cpu_tss_rw.x86_tss.sp0, sp0);
	if (this_cpu_read(pv_sp0) == sp0)
		return;
	this_cpu_write(pv_sp0, sp0);
	flags = pv_batch_begin();
	pv_queue_call(__HYPERVISOR_stack_switch, __KERNEL_DS, sp0);
	pv_batch_end(flags, PV_LAZY_CPU);
}

/*
 * Linux loads the next task's stack after it has ended the context switch,
 * which would cost a hypercall of its own.  The stack matters only on the way
 * in from user mode, so it can as well change with the rest of the batch.
 */
static void pv_end_switch_with_stack(struct task_struct *next)
{
	pv_load_sp0(task_top_of_stack(next));
	pv_end_context_switch(next);
}

static unsigned long pv_store_tr(void)
{
	return 0;
}

/** pvguest_segments_init() - take over the descriptor operations */
void __init pvguest_segments_init(void)
{
	struct pv_cpu_ops *cpu = &pv_ops.cpu;

	cpu->load_gdt = pv_load_gdt;
	cpu->write_gdt_entry = pv_write_gdt_entry;
	cpu->load_tr_desc = paravirt_nop;
	cpu->store_tr = pv_store_tr;
	cpu->load_tls = pv_load_tls;
	cpu->load_gs_index = pv_load_gs_index;
	cpu->set_ldt = pv_set_ldt;
	cpu->write_ldt_entry = pv_write_ldt_entry;
	cpu->alloc_ldt = pv_alloc_ldt;
	cpu->free_ldt = pv_free_ldt;
	cpu->load_sp0 = pv_load_sp0;
	cpu->end_context_switch = pv_end_switch_with_stack;
}
