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

#define PV_MAX_CALLS	32
#define PV_MAX_MMU	256
#define PV_MAX_EXT	16
#define PV_MAX_MASKS	4

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
	/* Who queued each request, for the report when one fails. */
	void *mmu_caller[PV_MAX_MMU];
	void *call_caller[PV_MAX_CALLS];
	unsigned long mask[PV_MAX_MASKS][BITS_TO_LONGS(NR_CPUS)];
};

static DEFINE_PER_CPU(struct pv_queue, pvguest_queue);
/* Top table in use (physical address), and the one the hypervisor has loaded. */
DEFINE_PER_CPU(unsigned long, pvguest_cr3);
DEFINE_PER_CPU(unsigned long, pvguest_loaded_cr3);
DEFINE_PER_CPU(enum pv_lazy, pvguest_lazy);
DEFINE_PER_CPU(struct pv_stats, pvguest_stats);

/*
 * A refused request means that Linux and the hypervisor no longer agree about
 * a page table.  Nothing can be trusted after that, so say what was refused
 * and who asked for it, and stop.
 */
static __cold void __noreturn pv_batch_failed(const struct pv_queue *q,
					      unsigned int call, long error,
					      unsigned int done)
{
	const struct multicall_entry *mc = &q->call[call];
	void *caller = q->call_caller[call];
	unsigned int i;

	pr_emerg("pvguest: hypercall %lu failed with %ld, call %u of %u in the batch\n",
		 (unsigned long)mc->op, error, call + 1, q->nr_calls);
	if (mc->op == __HYPERVISOR_mmu_update) {
		const struct mmu_update *first = (void *)mc->args[0];

		/* Unknown inside a multicall: name the first. */
		i = first - q->mmu + (done < mc->args[1] ? done : 0);
		caller = q->mmu_caller[i];
		pr_emerg("pvguest: page-table update %u of %lu: ptr=%#llx val=%#llx\n",
			 done + 1, (unsigned long)mc->args[1],
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
		pr_emerg("pvguest: arguments %#lx %#lx %#lx\n",
			 (unsigned long)mc->args[0], (unsigned long)mc->args[1],
			 (unsigned long)mc->args[2]);
	}
	pr_emerg("pvguest: queued by %pS\n", caller);
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
	pv_count_call(mc->op);
	if (unlikely(ret < 0))
		pv_batch_failed(q, 0, ret, done);
}

static noinline void pv_batch_issue_many(struct pv_queue *q)
{
	unsigned int i;
	long ret;

	ret = hyp_multicall(q->call, q->nr_calls);
	pv_count_call(__HYPERVISOR_multicall);
	if (unlikely(ret < 0))
		pv_batch_failed(q, 0, ret, 0);
	for (i = 0; i < q->nr_calls; i++)
		if (unlikely((long)q->call[i].result < 0))
			pv_batch_failed(q, i, q->call[i].result, 0);
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

	if (!q->nr_calls)
		return;
	size = q->nr_mmu + q->nr_ext;
	size = size ? ilog2(size) : 0;
	pv_count(batch[min(size, PV_BATCH_BUCKETS - 1U)]);

	if (q->nr_calls == 1)
		pv_batch_issue_one(q);
	else
		pv_batch_issue_many(q);

	if (q->switches) {
		q->switches = false;
		this_cpu_write(pvguest_loaded_cr3, this_cpu_read(pvguest_cr3));
	}
	q->nr_calls = 0;
	q->nr_mmu = 0;
	q->nr_ext = 0;
	q->nr_masks = 0;
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

static __always_inline void __pv_queue_mmu(struct pv_queue *q, u64 ptr,
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
 * Context: inside pv_batch_begin() and pv_batch_end().
 */
void pv_queue_mmu(u64 ptr, u64 val)
{
	__pv_queue_mmu(this_cpu_ptr(&pvguest_queue), ptr, val,
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

	__pv_queue_mmu(this_cpu_ptr(&pvguest_queue), ptr, val,
		       __builtin_return_address(0));
	pv_batch_end(flags, kind);
}

/**
 * pv_queue_ext() - queue one extended operation
 * @cmd: MMUEXT_* command
 *
 * Context: inside pv_batch_begin() and pv_batch_end().
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
 * Context: inside pv_batch_begin() and pv_batch_end().
 */
void pv_queue_call(unsigned long nr, unsigned long a1, unsigned long a2)
{
	pv_new_call(this_cpu_ptr(&pvguest_queue), nr, a1, a2,
		    __builtin_return_address(0));
}

/**
 * pv_queue_mask() - room for a vCPU mask that lives until the next flush
 *
 * Flushes if there is none, so take it before the operation that uses it.
 *
 * Context: inside pv_batch_begin() and pv_batch_end().
 */
unsigned long *pv_queue_mask(void)
{
	struct pv_queue *q = this_cpu_ptr(&pvguest_queue);

	if (q->nr_masks == PV_MAX_MASKS || q->nr_ext == PV_MAX_EXT ||
	    q->nr_calls == PV_MAX_CALLS)
		pv_batch_flush();
	return q->mask[q->nr_masks++];
}

/** pv_enter_lazy_mmu() - from here on page-table updates may wait */
void pv_enter_lazy_mmu(void)
{
	/* Interrupts never wait, and must not end the mode they interrupted. */
	if (!in_task())
		return;
	this_cpu_write(pvguest_lazy, PV_LAZY_MMU);
}

/** pv_leave_lazy_mmu() - issue what waited, and wait no more */
void pv_leave_lazy_mmu(void)
{
	unsigned long flags;

	if (!in_task())
		return;
	flags = pv_batch_begin();
	this_cpu_write(pvguest_lazy, PV_LAZY_NONE);
	pv_batch_flush();
	local_irq_restore(flags);
}

/** pv_flush_lazy() - issue what waited, and stay in lazy mode */
void pv_flush_lazy(void)
{
	unsigned long flags = pv_batch_begin();

	pv_batch_flush();
	local_irq_restore(flags);
}

/**
 * pv_start_context_switch() - the scheduler begins to switch away from @prev
 * @prev: the task that may have been preempted inside a lazy MMU section
 *
 * From here to pv_end_context_switch() the new page-table base, the kernel
 * stack, descriptors and segment bases are collected into one batch.
 */
void pv_start_context_switch(struct task_struct *prev)
{
	if (this_cpu_read(pvguest_lazy) == PV_LAZY_MMU) {
		pv_leave_lazy_mmu();
		set_ti_thread_flag(task_thread_info(prev),
				   TIF_LAZY_MMU_UPDATES);
	}
	this_cpu_write(pvguest_lazy, PV_LAZY_CPU);
}

/** pv_end_context_switch() - issue the switch; back in lazy mode if @next was */
void pv_end_context_switch(struct task_struct *next)
{
	unsigned long flags = pv_batch_begin();

	pv_batch_flush();
	this_cpu_write(pvguest_lazy, PV_LAZY_NONE);
	local_irq_restore(flags);
	if (unlikely(test_and_clear_ti_thread_flag(task_thread_info(next),
						   TIF_LAZY_MMU_UPDATES)))
		pv_enter_lazy_mmu();
}
