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
#include "check.h"
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
 * The callers, flush_tlb_mm_range() and arch_tlbbatch_flush(), leave
 * the calling vCPU in @cpus if it has to be flushed too and do nothing for it
 * themselves.  They call with preemption disabled and events deliverable, and
 * count on the flush when the call returns, or when their lazy mode ends.
 *
 * A vCPU that is not running needs no flush of its own, but the processor it
 * last ran on may still hold its translations: the hypervisor goes by that
 * (vcpumask_to_pcpumask()), so @cpus is handed over as it is.
 */
static void pv_flush_tlb_multi(const struct cpumask *cpus,
			       const struct flush_tlb_info *info)
{
	unsigned long flags;

	if (pvguest_check_drops_flush())
		return;
	flags = pv_batch_begin();
	if (info->end != TLB_FLUSH_ALL && info->end - info->start <= PAGE_SIZE)
		pv_queue_ext_multi(MMUEXT_INVLPG_MULTI, info->start, cpus);
	else
		pv_queue_ext_multi(MMUEXT_TLB_FLUSH_MULTI, 0, cpus);
	pv_count(flush_multi);
	pv_batch_end(flags, PV_LAZY_MMU);
}

/**
 * pvguest_tlb_init() - take over the flush operations
 *
 * Context: boot, in pvguest_start().
 */
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
