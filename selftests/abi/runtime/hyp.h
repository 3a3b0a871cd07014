/* SPDX-License-Identifier: MIT */
/*
 * The bare guest's hypercall layer: pvabi's typed wrappers, routed through
 * one function so that the mutation check can inject faults between guest and
 * hypervisor.  Cases use rt_call() for calls by number as well.
 */
#ifndef RT_HYP_H
#define RT_HYP_H

#define hyp_call0 raw_call0
#define hyp_call1 raw_call1
#define hyp_call2 raw_call2
#define hyp_call3 raw_call3
#define hyp_call4 raw_call4
#define hyp_call5 raw_call5
#include <pvabi/call.h>
#undef hyp_call0
#undef hyp_call1
#undef hyp_call2
#undef hyp_call3
#undef hyp_call4
#undef hyp_call5

/* Error numbers under their short names: EPERM, EINVAL... */
#define XEN_ERRNO(name, value) name = value,
enum hyp_errno {
#include <xen/errno.h>
};

#include <xen/elfnote.h>
#include <xen/hvm/params.h>
#include <xen/arch-x86/cpuid.h>

/**
 * rt_call() - issue hypercall @nr with five arguments
 *
 * Passes through the mutation layer while a mutant is active.  Any context.
 */
long rt_call(unsigned long nr, unsigned long a1, unsigned long a2,
	     unsigned long a3, unsigned long a4, unsigned long a5);

PVABI_INLINE long hyp_call0(unsigned long nr)
{
	return rt_call(nr, 0, 0, 0, 0, 0);
}

PVABI_INLINE long hyp_call1(unsigned long nr, unsigned long a1)
{
	return rt_call(nr, a1, 0, 0, 0, 0);
}

PVABI_INLINE long hyp_call2(unsigned long nr, unsigned long a1,
			    unsigned long a2)
{
	return rt_call(nr, a1, a2, 0, 0, 0);
}

PVABI_INLINE long hyp_call3(unsigned long nr, unsigned long a1,
			    unsigned long a2, unsigned long a3)
{
	return rt_call(nr, a1, a2, a3, 0, 0);
}

PVABI_INLINE long hyp_call4(unsigned long nr, unsigned long a1,
			    unsigned long a2, unsigned long a3,
			    unsigned long a4)
{
	return rt_call(nr, a1, a2, a3, a4, 0);
}

PVABI_INLINE long hyp_call5(unsigned long nr, unsigned long a1,
			    unsigned long a2, unsigned long a3,
			    unsigned long a4, unsigned long a5)
{
	return rt_call(nr, a1, a2, a3, a4, a5);
}

#include <pvabi/hypercall.h>

#endif /* RT_HYP_H */
