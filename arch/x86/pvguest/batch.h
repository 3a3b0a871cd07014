/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The batcher: the only queue of hypercalls, for those that change page tables,
 * descriptors and per-vCPU state.  Calls that cannot wait are issued without it.
 *
 * There is one queue for each vCPU; order is always kept.  Requests are queued
 * in sections, and a section ends in one of three ways:
 *
 * - pv_batch_end(): the requests may wait while Linux is in lazy mode of their
 *   kind; they are issued when it ends, when the queue is full, or when
 *   anything on this vCPU needs an immediate effect;
 * - pv_batch_issue(): they are issued now;
 * - pv_batch_keep(): they stay queued for a request that the caller makes
 *   next, on this vCPU, before anything can depend on them.
 *
 * Only Linux enters and leaves lazy mode, by pv_ops, but for
 * pvguest_exit_mmap(), which puts pv_batch_hold_switch() and
 * pv_batch_keep_switch() around a switch that Linux makes for it.  The port's
 * other callers queue what belongs together in one section, however much that
 * is.
 */
#ifndef PVGUEST_BATCH_H
#define PVGUEST_BATCH_H

#include "internal.h"

/* Lazy modes: which kind of request may stay in the queue. */
enum pv_lazy {
	PV_LAZY_NONE,	/* as a mode: not lazy; as a request's kind: never waits */
	PV_LAZY_MMU,
	PV_LAZY_CPU,
};

DECLARE_PER_CPU(enum pv_lazy, pvguest_lazy);

/* Requests that this vCPU has queued; the first word is zero without any. */
struct pv_queue;
DECLARE_PER_CPU(struct pv_queue, pvguest_queue);

/**
 * pv_batch_begin() - open a section of the queue of this vCPU
 *
 * Masks events, so that neither an interrupt nor a migration comes between
 * the requests of one section.
 *
 * Context: any but NMI.
 * Return: event flag to hand to one of the three endings.
 */
static __always_inline unsigned long pv_batch_begin(void)
{
	unsigned long flags;

	local_irq_save(flags);
	return flags;
}

void pv_batch_flush(void);

/**
 * pv_batch_end() - close a section whose requests may wait in lazy mode
 * @flags: what pv_batch_begin() returned
 * @kind: lazy mode in which the requests may wait
 *
 * Outside that mode, and in interrupts, they are issued now.
 *
 * Context: inside a section.
 */
static __always_inline void pv_batch_end(unsigned long flags,
					 enum pv_lazy kind)
{
	if (kind == PV_LAZY_NONE || __this_cpu_read(pvguest_lazy) != kind ||
	    !in_task())
		pv_batch_flush();
	local_irq_restore(flags);
}

/**
 * pv_batch_issue() - close a section and issue all that is queued
 * @flags: what pv_batch_begin() returned
 *
 * Context: inside a section.
 */
static __always_inline void pv_batch_issue(unsigned long flags)
{
	pv_batch_flush();
	local_irq_restore(flags);
}

/**
 * pv_batch_keep() - close a section whose requests go with the caller's next
 * @flags: what pv_batch_begin() returned
 *
 * The caller must not migrate before that request.  An interrupt may issue
 * what is kept earlier.
 *
 * Context: inside a section.
 */
static __always_inline void pv_batch_keep(unsigned long flags)
{
	local_irq_restore(flags);
}

/**
 * pv_switching_context() - is this vCPU between the two ends of a task switch?
 *
 * Context: any.
 * Return: true between pv_start_context_switch() and pv_end_context_switch(),
 * and between pv_batch_hold_switch() and pv_batch_keep_switch().
 */
static __always_inline bool pv_switching_context(void)
{
	return this_cpu_read(pvguest_lazy) == PV_LAZY_CPU;
}

void pv_queue_mmu(u64 ptr, u64 val);
struct mmuext_op *pv_queue_ext(unsigned int cmd);
void pv_queue_ext_multi(unsigned int cmd, unsigned long addr,
			const struct cpumask *cpus);
void pv_queue_call(unsigned long nr, unsigned long a1, unsigned long a2);
void pv_update(u64 ptr, u64 val, enum pv_lazy kind);
long pv_try_update(u64 ptr, u64 val);
void pv_flush_lazy(void);
void pv_enter_lazy_mmu(void);
void pv_leave_lazy_mmu(void);
void pv_batch_hold_switch(void);
void pv_batch_keep_switch(void);
void pv_start_context_switch(struct task_struct *prev);
void pv_end_context_switch(struct task_struct *next);

#endif /* PVGUEST_BATCH_H */
