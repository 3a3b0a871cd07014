/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The batcher: the only way in which the port queues and issues hypercalls
 * that change page tables, descriptors and per-vCPU state.
 *
 * There is one queue for each vCPU and one flush rule: what a section queues
 * is issued when the section ends, unless the caller is inside Linux's lazy
 * mode of the same kind; then it is issued when the lazy mode ends, the queue
 * is full, or anything on this vCPU needs an immediate effect.  Order is
 * always kept.
 */
#ifndef PVGUEST_BATCH_H
#define PVGUEST_BATCH_H

#include "internal.h"

/* Lazy modes: which kind of update may stay in the queue. */
enum pv_lazy {
	PV_LAZY_NONE,
	PV_LAZY_MMU,
	PV_LAZY_CPU,
};

DECLARE_PER_CPU(enum pv_lazy, pvguest_lazy);

/**
 * pv_batch_begin() - open a section of the queue of this vCPU
 *
 * Masks events, so that neither an interrupt nor a migration comes between
 * the requests of one section.
 *
 * Return: event flag to hand to pv_batch_end().
 */
static __always_inline unsigned long pv_batch_begin(void)
{
	unsigned long flags;

	local_irq_save(flags);
	return flags;
}

void pv_batch_flush(void);

/**
 * pv_batch_end() - close a section, issuing what is queued unless @kind is lazy
 * @flags: what pv_batch_begin() returned
 * @kind: lazy mode in which the requests may wait, PV_LAZY_NONE for none
 */
static __always_inline void pv_batch_end(unsigned long flags,
					 enum pv_lazy kind)
{
	if (kind == PV_LAZY_NONE || __this_cpu_read(pvguest_lazy) != kind ||
	    !in_task())
		pv_batch_flush();
	local_irq_restore(flags);
}

void pv_queue_mmu(u64 ptr, u64 val);
struct mmuext_op *pv_queue_ext(unsigned int cmd);
void pv_queue_call(unsigned long nr, unsigned long a1, unsigned long a2);
unsigned long *pv_queue_mask(void);
void pv_update(u64 ptr, u64 val, enum pv_lazy kind);
void pv_flush_lazy(void);
void pv_enter_lazy_mmu(void);
void pv_leave_lazy_mmu(void);
void pv_start_context_switch(struct task_struct *prev);
void pv_end_context_switch(struct task_struct *next);

#endif /* PVGUEST_BATCH_H */
