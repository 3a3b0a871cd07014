// SPDX-License-Identifier: GPL-2.0-only
/*
 * The batcher: one queue of hypercalls for each vCPU.
 *
 * Adjacent page-table updates share one mmu_update call and adjacent extended
 * operations one mmuext_op call; a queue that holds a single call is issued
 * as that call, anything else as one multicall.
 */
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/sched.h>

#include "batch.h"
#include "check.h"

#define PV_MAX_CALLS	32
#define PV_MAX_MMU	256
#define PV_MAX_EXT	64
#define PV_MAX_MASKS	4

/* How many of a call's requests were accepted, inside a multicall. */
#define PV_DONE_UNKNOWN	(~0U)

struct pv_queue {
	unsigned int nr_calls;
	unsigned int nr_mmu;
	unsigned int nr_ext;
	unsigned int nr_masks;
	/* Holds a change of the page-table base. */
	bool switches;
	struct multicall_entry call[PV_MAX_CALLS];
	struct mmu_update mmu[PV_MAX_MMU];
	struct mmuext_op ext[PV_MAX_EXT];
	/* The caller that queued each request, for the report when one fails. */
	void *mmu_caller[PV_MAX_MMU];
	void *call_caller[PV_MAX_CALLS];
	unsigned long mask[PV_MAX_MASKS][BITS_TO_LONGS(NR_CPUS)];
};

DEFINE_PER_CPU(struct pv_queue, pvguest_queue);
static_assert(offsetof(struct pv_queue, nr_calls) == 0);
DEFINE_PER_CPU(enum pv_lazy, pvguest_lazy);
DEFINE_PER_CPU(struct pv_stats, pvguest_stats);

static __always_inline void pv_queue_clear(struct pv_queue *q)
{
	q->nr_calls = 0;
	q->nr_mmu = 0;
	q->nr_ext = 0;
	q->nr_masks = 0;
}

/*
 * A refused request means that Linux and the hypervisor no longer agree about
 * a page table.  Nothing can be trusted after that, so report what was refused
 * and which function asked for it, and stop.  The queue is empty by then: what
 * an oops still does on this vCPU must not fail on the same request again.
 * @done is the number of the call's requests that were accepted, or
 * PV_DONE_UNKNOWN.
 */
static __cold void __noreturn pv_batch_failed(struct pv_queue *q,
					      unsigned int call, long error,
					      unsigned int done)
{
	const struct multicall_entry *mc = &q->call[call];
	void *caller = q->call_caller[call];
	unsigned int i, nr_calls = q->nr_calls;

	pv_queue_clear(q);
	if (mc->args[1] == 1)
		done = 0;
	pr_emerg("pvguest: hypercall %lu: call %u of %u in the batch failed (%ld); stopping\n",
		 (unsigned long)mc->op, call + 1, nr_calls, error);
	if (mc->op == __HYPERVISOR_mmu_update) {
		const struct mmu_update *first = (void *)mc->args[0];

		i = first - q->mmu + (done < mc->args[1] ? done : 0);
		caller = q->mmu_caller[i];
		if (done < mc->args[1])
			pr_emerg("pvguest: page-table update %u of %lu: ptr=%#llx val=%#llx\n",
				 done + 1, (unsigned long)mc->args[1],
				 (unsigned long long)q->mmu[i].ptr,
				 (unsigned long long)q->mmu[i].val);
		else
			pr_emerg("pvguest: one of %lu page-table updates, the first: ptr=%#llx val=%#llx\n",
				 (unsigned long)mc->args[1],
				 (unsigned long long)q->mmu[i].ptr,
				 (unsigned long long)q->mmu[i].val);
	} else if (mc->op == __HYPERVISOR_mmuext_op) {
		const struct mmuext_op *op = (void *)mc->args[0];

		for (i = 0; i < mc->args[1]; i++)
			pr_emerg("pvguest: extended operation %u of %lu: cmd=%u arg=%#lx%s\n",
				 i + 1, (unsigned long)mc->args[1], op[i].cmd,
				 (unsigned long)op[i].arg1.linear_addr,
				 i == done ? " <- refused" : "");
	} else {
		pr_emerg("pvguest: arguments: %#lx %#lx %#lx\n",
			 (unsigned long)mc->args[0], (unsigned long)mc->args[1],
			 (unsigned long)mc->args[2]);
	}
	pr_emerg("pvguest: queued by: %pS\n", caller);
	BUG();
}

static noinline void pv_batch_issue_one(struct pv_queue *q)
{
	struct multicall_entry *mc = &q->call[0];
	unsigned int done = 0;
	long ret;

	switch (mc->op) {
	case __HYPERVISOR_mmu_update:
		ret = hyp_mmu_update((void *)mc->args[0], mc->args[1], &done,
				     DOMID_SELF);
		break;
	case __HYPERVISOR_mmuext_op:
		ret = hyp_mmuext_op((void *)mc->args[0], mc->args[1], &done,
				    DOMID_SELF);
		break;
	default:
		ret = hyp_call2(mc->op, mc->args[0], mc->args[1]);
		break;
	}
	if (unlikely(ret < 0))
		pv_batch_failed(q, 0, ret, done);
}

static noinline void pv_batch_issue_many(struct pv_queue *q)
{
	unsigned int i;
	long ret;

	ret = hyp_multicall(q->call, q->nr_calls);
	if (unlikely(ret < 0))
		pv_batch_failed(q, 0, ret, PV_DONE_UNKNOWN);
	for (i = 0; i < q->nr_calls; i++)
		if (unlikely((long)q->call[i].result < 0))
			pv_batch_failed(q, i, q->call[i].result,
					PV_DONE_UNKNOWN);
}

/**
 * pv_batch_flush() - issue everything that this vCPU has queued
 *
 * Context: events masked.  Stops the domain if a request is refused.
 */
void pv_batch_flush(void)
{
	struct pv_queue *q = this_cpu_ptr(&pvguest_queue);
	unsigned int size;
	u64 began;

	if (!q->nr_calls)
		return;
	began = pvguest_check_flush_begins();
	size = q->nr_mmu + q->nr_ext;
	size = size ? ilog2(size) : 0;
	pv_count(batch[min(size, PV_BATCH_BUCKETS - 1U)]);

	if (q->nr_calls == 1)
		pv_batch_issue_one(q);
	else
		pv_batch_issue_many(q);

	pvguest_check_flushed(began, q->ext, q->nr_ext);
	if (q->switches) {
		q->switches = false;
		this_cpu_write(pvguest_loaded_cr3, this_cpu_read(pvguest_cr3));
	}
	pv_queue_clear(q);
}

/* New call at the end of the queue. */
static __always_inline struct multicall_entry *
pv_new_call(struct pv_queue *q, unsigned long op, unsigned long a1,
	    unsigned long a2, void *caller)
{
	struct multicall_entry *mc;

	if (unlikely(q->nr_calls == PV_MAX_CALLS))
		pv_batch_flush();
	q->call_caller[q->nr_calls] = caller;
	mc = &q->call[q->nr_calls++];
	mc->op = op;
	mc->args[0] = a1;
	mc->args[1] = a2;
	return mc;
}

static __always_inline bool pv_tail_is(const struct pv_queue *q,
				       unsigned long op)
{
	return q->nr_calls && q->call[q->nr_calls - 1].op == op;
}

static __always_inline void pv_queue_mmu_for(struct pv_queue *q, u64 ptr,
					     u64 val, void *caller)
{
	struct multicall_entry *mc;
	struct mmu_update *req;

	if (unlikely(q->nr_mmu == PV_MAX_MMU ||
		     (q->nr_calls == PV_MAX_CALLS &&
		      !pv_tail_is(q, __HYPERVISOR_mmu_update))))
		pv_batch_flush();

	req = &q->mmu[q->nr_mmu];
	if (pv_tail_is(q, __HYPERVISOR_mmu_update)) {
		q->call[q->nr_calls - 1].args[1]++;
	} else {
		mc = pv_new_call(q, __HYPERVISOR_mmu_update,
				 (unsigned long)req, 1, caller);
		mc->args[2] = 0;
		mc->args[3] = DOMID_SELF;
	}
	q->mmu_caller[q->nr_mmu++] = caller;
	req->ptr = ptr;
	req->val = val;
	pv_count(pt_update);
}

/**
 * pv_queue_mmu() - queue one page-table update
 * @ptr: machine address of the entry, MMU_* command in the low bits
 * @val: new entry, with a machine frame
 *
 * Context: inside pv_batch_begin() and one of the endings.
 */
void pv_queue_mmu(u64 ptr, u64 val)
{
	pv_queue_mmu_for(this_cpu_ptr(&pvguest_queue), ptr, val,
			 __builtin_return_address(0));
}

/**
 * pv_update() - a section of one page-table update
 * @ptr: machine address of the entry, MMU_* command in the low bits
 * @val: new entry, with a machine frame
 * @kind: lazy mode in which it may wait
 */
void pv_update(u64 ptr, u64 val, enum pv_lazy kind)
{
	unsigned long flags = pv_batch_begin();

	pv_queue_mmu_for(this_cpu_ptr(&pvguest_queue), ptr, val,
			 __builtin_return_address(0));
	pv_batch_end(flags, kind);
}

/**
 * pv_queue_ext() - queue one extended operation
 * @cmd: MMUEXT_* command
 *
 * Context: inside pv_batch_begin() and one of the endings.
 * Return: the operation, whose arguments the caller fills in.
 */
struct mmuext_op *pv_queue_ext(unsigned int cmd)
{
	struct pv_queue *q = this_cpu_ptr(&pvguest_queue);
	struct multicall_entry *mc;
	struct mmuext_op *op;

	if (unlikely(q->nr_ext == PV_MAX_EXT ||
		     (q->nr_calls == PV_MAX_CALLS &&
		      !pv_tail_is(q, __HYPERVISOR_mmuext_op))))
		pv_batch_flush();

	op = &q->ext[q->nr_ext++];
	if (pv_tail_is(q, __HYPERVISOR_mmuext_op)) {
		q->call[q->nr_calls - 1].args[1]++;
	} else {
		mc = pv_new_call(q, __HYPERVISOR_mmuext_op, (unsigned long)op,
				 1, __builtin_return_address(0));
		mc->args[2] = 0;
		mc->args[3] = DOMID_SELF;
	}
	op->cmd = cmd;
	q->switches |= cmd == MMUEXT_NEW_BASEPTR;
	return op;
}

/**
 * pv_queue_call() - queue a hypercall of up to two arguments
 * @nr: hypercall number
 * @a1: first argument
 * @a2: second argument
 *
 * Context: inside pv_batch_begin() and one of the endings.
 */
void pv_queue_call(unsigned long nr, unsigned long a1, unsigned long a2)
{
	pv_new_call(this_cpu_ptr(&pvguest_queue), nr, a1, a2,
		    __builtin_return_address(0));
}

/**
 * pv_queue_ext_multi() - queue a flush that other vCPUs take part in
 * @cmd: MMUEXT_TLB_FLUSH_MULTI or MMUEXT_INVLPG_MULTI
 * @addr: address to flush, for MMUEXT_INVLPG_MULTI
 * @cpus: the vCPUs; those that are offline are left out
 *
 * Context: inside pv_batch_begin() and one of the endings.
 */
void pv_queue_ext_multi(unsigned int cmd, unsigned long addr,
			const struct cpumask *cpus)
{
	struct pv_queue *q = this_cpu_ptr(&pvguest_queue);
	struct mmuext_op *op;
	unsigned long *mask;

	if (unlikely(q->nr_masks == PV_MAX_MASKS))
		pv_batch_flush();
	op = pv_queue_ext(cmd);
	mask = q->mask[q->nr_masks++];
	cpumask_and(to_cpumask(mask), cpus, cpu_online_mask);
	op->arg1.linear_addr = addr;
	set_xen_guest_handle(op->arg2.vcpumask, mask);
}

/**
 * pv_try_update() - make one page-table update that may be refused
 * @ptr: machine address of the entry, MMU_* command in the low bits
 * @val: new entry, with a machine frame
 *
 * For frames that are not this domain's, where it is the hypervisor's decision
 * whether they may be mapped.  Issued at once, after all that is queued.
 *
 * Return: 0 or a negative error; the entry is as it was then.
 */
long pv_try_update(u64 ptr, u64 val)
{
	struct mmu_update req = { .ptr = ptr, .val = val };
	unsigned long flags = pv_batch_begin();
	unsigned int done;
	long ret;

	pv_batch_flush();
	ret = hyp_mmu_update(&req, 1, &done, DOMID_SELF);
	pv_count(pt_update);
	pv_batch_issue(flags);
	return ret;
}

/**
 * pv_enter_lazy_mmu() - from here on page-table updates may wait
 *
 * Context: any; nothing happens in interrupts.
 */
void pv_enter_lazy_mmu(void)
{
	/* Interrupts never wait, and must not end the mode they interrupted. */
	if (!in_task())
		return;
	this_cpu_write(pvguest_lazy, PV_LAZY_MMU);
}

/**
 * pv_leave_lazy_mmu() - issue what waited, and wait no more
 *
 * Context: any; nothing happens in interrupts.
 */
void pv_leave_lazy_mmu(void)
{
	unsigned long flags;

	if (!in_task())
		return;
	flags = pv_batch_begin();
	this_cpu_write(pvguest_lazy, PV_LAZY_NONE);
	pv_batch_issue(flags);
}

/**
 * pv_flush_lazy() - issue what waited, and stay in lazy mode
 *
 * Context: any.
 */
void pv_flush_lazy(void)
{
	pv_batch_issue(pv_batch_begin());
}

/**
 * pv_batch_hold_switch() - from here on a switch of address space stays queued
 *
 * For a caller that has Linux make the switch, by leave_mm() for example, so that
 * the sections are not the caller's own.
 *
 * Context: preemption disabled, not in lazy mode.
 */
void pv_batch_hold_switch(void)
{
	this_cpu_write(pvguest_lazy, PV_LAZY_CPU);
}

/**
 * pv_batch_keep_switch() - the end of pv_batch_hold_switch()
 *
 * As with pv_batch_keep(), what is queued goes with the caller's next request.
 *
 * Context: preemption disabled.
 */
void pv_batch_keep_switch(void)
{
	this_cpu_write(pvguest_lazy, PV_LAZY_NONE);
}

/**
 * pv_start_context_switch() - the scheduler begins to switch away from @prev
 * @prev: the task that may have been preempted inside a lazy MMU section
 *
 * From here to pv_end_context_switch() the new page-table base, the kernel
 * stack, the LDT, TLS descriptors and CR0.TS are collected into one batch.  FS
 * and GS bases are not: Linux loads them after it.
 */
void pv_start_context_switch(struct task_struct *prev)
{
	if (this_cpu_read(pvguest_lazy) == PV_LAZY_MMU) {
		pv_leave_lazy_mmu();
		set_ti_thread_flag(task_thread_info(prev),
				   TIF_LAZY_MMU_UPDATES);
	}
	pvguest_check_switch(this_cpu_ptr(&pvguest_queue)->nr_calls);
	pv_batch_hold_switch();
}

/**
 * pv_end_context_switch() - issue the switch; back in lazy mode if @next was
 * @next: the task that is switched to; it may have been preempted inside a lazy
 *	MMU section
 *
 * Context: __switch_to(), events masked.
 */
void pv_end_context_switch(struct task_struct *next)
{
	unsigned long flags = pv_batch_begin();

	this_cpu_write(pvguest_lazy, PV_LAZY_NONE);
	pv_batch_issue(flags);
	if (unlikely(test_and_clear_ti_thread_flag(task_thread_info(next),
						   TIF_LAZY_MMU_UPDATES)))
		pv_enter_lazy_mmu();
}
