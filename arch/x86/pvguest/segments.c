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
#include <linux/smp.h>
#include <asm/desc.h>
#include <asm/processor.h>
#include <asm/set_memory.h>

#include "batch.h"
#include "internal.h"
#include "table.h"

/* Machine frame of this vCPU's GDT, once the hypervisor uses it. */
static DEFINE_PER_CPU(unsigned long, pv_gdt_mfn);
/* TLS descriptors as last requested: what the GDT shows is adjusted. */
static DEFINE_PER_CPU(struct desc_struct [GDT_ENTRY_TLS_ENTRIES], pv_tls);
/* LDT that the hypervisor may have loaded on this vCPU, and hold as such. */
static DEFINE_PER_CPU(const void *, pv_ldt);
/* Kernel stack as last requested. */
static DEFINE_PER_CPU(unsigned long, pv_sp0);

/**
 * pvguest_protect_descriptors() - make a page of descriptors read-only, or not
 * @va: address in it
 * @writable: ordinary memory again
 *
 * In the direct map and in its vmalloc mapping, if @va is one.
 */
void pvguest_protect_descriptors(void *va, bool writable)
{
	u64 maddr = pvguest_any_virt_to_maddr(va);
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
	pv_batch_issue(flags);
}

/**
 * pvguest_gdt_loaded() - a vCPU starts with its GDT loaded
 * @cpu: the vCPU, which has never run
 * @mfn: machine frame of its GDT
 *
 * Linux loads that GDT once more, which then takes no hypercall.
 *
 * Context: process.
 */
void pvguest_gdt_loaded(unsigned int cpu, unsigned long mfn)
{
	per_cpu(pv_gdt_mfn, cpu) = mfn;
}

static void pv_load_gdt(const struct desc_ptr *dtr)
{
	void *gdt = (void *)dtr->address;
	unsigned long mfn = pvguest_any_virt_to_maddr(gdt) >> PAGE_SHIFT;
	long ret;

	/* The same page under its other address. */
	if (mfn == this_cpu_read(pv_gdt_mfn))
		return;

	pvguest_protect_descriptors(gdt, false);
	ret = hyp_set_gdt(&mfn, (dtr->size + 1) / sizeof(struct desc_struct));
	if (ret)
		pvguest_die("descriptor table: refused by the hypervisor", ret);
	this_cpu_write(pv_gdt_mfn, mfn);
}

static void pv_update_descriptor(const void *va, u64 desc)
{
	unsigned long flags = pv_batch_begin();

	pv_queue_call(__HYPERVISOR_update_descriptor, pvguest_any_virt_to_maddr(va),
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
	if (fs && pv_switching_context())
		loadsegment(fs, 0);

	flags = pv_batch_begin();
	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++) {
		if (!memcmp(&shadow[i], &t->tls_array[i], sizeof(shadow[i])))
			continue;
		shadow[i] = t->tls_array[i];
		pv_queue_call(__HYPERVISOR_update_descriptor,
			      pvguest_any_virt_to_maddr(&gdt[GDT_ENTRY_TLS_MIN + i]),
			      *(u64 *)&shadow[i]);
	}
	pv_batch_end(flags, PV_LAZY_CPU);
}

static void pv_alloc_ldt(struct desc_struct *ldt, unsigned int entries)
{
	unsigned int i;

	for (i = 0; i < entries; i += PAGE_SIZE / LDT_ENTRY_SIZE)
		pvguest_protect_descriptors(ldt + i, false);
}

static void pv_ldt_left(void *unused)
{
}

/*
 * Wait until no other vCPU has @ldt loaded.
 *
 * write_ldt() makes the vCPUs in mm_cpumask() load the new one.  One that is
 * leaving the address space is out of that mask, and has the old one loaded
 * until its batch is issued: the hypervisor keeps the type of its pages so
 * long, and would refuse to have them writable (EBUSY).  It takes the call when
 * it has ended the switch.
 */
static void pv_wait_until_left(const struct desc_struct *ldt)
{
	unsigned int cpu, self = get_cpu();

	for_each_online_cpu(cpu)
		if (cpu != self && READ_ONCE(per_cpu(pv_ldt, cpu)) == ldt)
			smp_call_function_single(cpu, pv_ldt_left, NULL, 1);
	put_cpu();
}

static void pv_free_ldt(struct desc_struct *ldt, unsigned int entries)
{
	unsigned int i;

	pv_wait_until_left(ldt);
	for (i = 0; i < entries; i += PAGE_SIZE / LDT_ENTRY_SIZE)
		pvguest_protect_descriptors(ldt + i, true);
}

static void pv_set_ldt(const void *addr, unsigned int entries)
{
	unsigned long flags = pv_batch_begin();
	struct mmuext_op *op = pv_queue_ext(MMUEXT_SET_LDT);

	op->arg1.linear_addr = (unsigned long)addr;
	op->arg2.nr_ents = entries;
	/* No note of the LDT that is left before it has been left. */
	if (unlikely(this_cpu_read(pv_ldt)))
		pv_batch_flush();
	this_cpu_write(pv_ldt, addr);
	pv_batch_end(flags, PV_LAZY_CPU);
}

static void pv_load_gs_index(unsigned int selector)
{
	long ret = hyp_set_segment_base(SEGBASE_GS_USER_SEL, selector);

	WARN_ONCE(ret, "pvguest: user %%gs selector %#x: refused by the hypervisor (%ld); not loaded\n",
		  selector, ret);
	pvguest_user_gs_loaded();
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

/**
 * pvguest_segments_init() - take over the descriptor operations
 *
 * Context: boot, in pvguest_start().
 */
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
