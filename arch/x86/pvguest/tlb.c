// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLB flushes, by hypercall: on this vCPU, or on a set of them without any
 * inter-processor interrupt of our own.
 */
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <asm/tlbflush.h>
#include <asm/tlb.h>

#include <mm_internal.h>

#include "batch.h"
#include "internal.h"
#include "recycle.h"

static void pv_flush_tlb(void)
{
	unsigned long flags = pv_batch_begin();

	pv_queue_ext(MMUEXT_TLB_FLUSH_LOCAL);
	pv_count(flush_all);
	pv_batch_end(flags, PV_LAZY_MMU);
}

static void pv_flush_tlb_one_user(unsigned long addr)
{
	unsigned long flags = pv_batch_begin();

	pv_queue_ext(MMUEXT_INVLPG_LOCAL)->arg1.linear_addr = addr & PAGE_MASK;
	pv_count(flush_one);
	pv_batch_end(flags, PV_LAZY_MMU);
}

/*
 * Linux calls this for the vCPUs in @cpus other than this one.  A vCPU that
 * is not running needs no flush of its own: it gets one when it runs again.
 */
static void pv_flush_tlb_multi(const struct cpumask *cpus,
			       const struct flush_tlb_info *info)
{
	unsigned long flags = pv_batch_begin();
	unsigned long *mask = pv_queue_mask();
	struct mmuext_op *op;
	bool one;

	cpumask_and(to_cpumask(mask), cpus, cpu_online_mask);
	__cpumask_clear_cpu(smp_processor_id(), to_cpumask(mask));
	if (cpumask_empty(to_cpumask(mask)))
		goto out;

	one = info->end != TLB_FLUSH_ALL &&
	      info->end - info->start <= PAGE_SIZE;
	op = pv_queue_ext(one ? MMUEXT_INVLPG_MULTI : MMUEXT_TLB_FLUSH_MULTI);
	op->arg1.linear_addr = one ? info->start : 0;
	op->arg2.vcpumask = mask;
	pv_count(flush_multi);
out:
	pv_batch_end(flags, PV_LAZY_MMU);
}

/** pvguest_tlb_init() - take over the flush operations */
void __init pvguest_tlb_init(void)
{
	pv_ops.mmu.flush_tlb_user = pv_flush_tlb;
	pv_ops.mmu.flush_tlb_kernel = pv_flush_tlb;
	pv_ops.mmu.flush_tlb_one_user = pv_flush_tlb_one_user;
	pv_ops.mmu.flush_tlb_multi = pv_flush_tlb_multi;
	/* Remote flushes do not interrupt, so tables must outlive their walkers. */
	pv_ops.mmu.tlb_remove_table = pvguest_tlb_remove_table;

	/*
	 * Each single-page flush is a hypercall; from the third page on, one
	 * full flush costs less than the calls.
	 */
	tlb_single_page_flush_ceiling = 2;
}
