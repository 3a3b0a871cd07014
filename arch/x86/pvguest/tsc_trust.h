/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether the time-stamp counter may keep time, by what the hypervisor's
 * CPUID leaf about time says of it (xen/arch-x86/cpuid.h, leaf 3).
 */
#ifndef PVGUEST_TSC_TRUST_H
#define PVGUEST_TSC_TRUST_H

#include <linux/types.h>

/* EAX of sub-leaf 0. */
#define PV_TSC_EMULATED		0x1U
#define PV_TSC_HOST_RELIABLE	0x2U

/**
 * pv_tsc_trusted() - may the counter be read as time, on every vCPU?
 * @features: EAX of the leaf's sub-leaf 0
 * @incarnation: EDX: 0 or 1 for a domain that was never moved to another host
 *
 * An emulated counter is the hypervisor's own time in other units: the same on
 * every vCPU, never stopping, and it keeps its pace wherever the domain is.
 * One that is read directly is the machine's.  The hypervisor compares
 * the processors' counters with each other, and if it does not call
 * them reliable they may differ, or stop.  After a move it is another machine's,
 * whose count has nothing to do with the old one's.
 *
 * Return: true if it may.
 */
static inline bool pv_tsc_trusted(u32 features, u32 incarnation)
{
	if (features & PV_TSC_EMULATED)
		return true;
	return (features & PV_TSC_HOST_RELIABLE) && incarnation <= 1;
}

#endif /* PVGUEST_TSC_TRUST_H */
