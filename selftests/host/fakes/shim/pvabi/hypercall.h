/* SPDX-License-Identifier: MIT */
/* The hypercalls that the tested files make, as functions of the test. */
#include "../kernel.h"
#include <xen/callback.h>
#include <xen/physdev.h>
#include <xen/sched.h>

long hyp_mmu_update(struct mmu_update *req, unsigned int count,
		    unsigned int *done, unsigned int dom);
long hyp_mmuext_op(struct mmuext_op *op, unsigned int count,
		   unsigned int *done, unsigned int dom);
long hyp_memory_op(unsigned int cmd, void *arg);
long hyp_multicall(struct multicall_entry *calls, unsigned int count);
