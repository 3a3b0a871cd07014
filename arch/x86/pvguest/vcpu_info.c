// SPDX-License-Identifier: GPL-2.0-only
/*
 * vcpu_info: the area of each vCPU that it shares with the hypervisor, with the
 * event flag, the address of the last page fault, and time.
 */
#include <linux/build_bug.h>
#include <linux/percpu.h>
#include <linux/stddef.h>

#include "internal.h"

DEFINE_PER_CPU_ALIGNED(struct vcpu_info, pvguest_vcpu_info) = {
	/* Until the hypervisor knows this area it is just a flag: masked. */
	.evtchn_upcall_mask = 1,
};

/* The offsets in C structures that entry.S uses. */
static_assert(offsetof(struct vcpu_info, evtchn_upcall_pending) == PVGUEST_VCPU_PENDING);
static_assert(offsetof(struct vcpu_info, evtchn_upcall_mask) == PVGUEST_VCPU_MASK);
static_assert(offsetof(struct vcpu_info, arch.cr2) == PVGUEST_VCPU_CR2);
static_assert(offsetof(struct pv_stats, hypercall) == 0);

/**
 * pvguest_vcpu_setup() - register where a vCPU's vcpu_info is
 * @cpu: the vCPU, which has not been started or is the caller
 *
 * Return: 0 or a negative error.
 */
int pvguest_vcpu_setup(unsigned int cpu)
{
	struct vcpu_info *info = per_cpu_ptr(&pvguest_vcpu_info, cpu);
	struct vcpu_register_vcpu_info op = {
		.mfn = pvguest_any_virt_to_maddr(info) >> PAGE_SHIFT,
		.offset = offset_in_page(info),
	};

	return hyp_vcpu_op(VCPUOP_register_vcpu_info, cpu, &op);
}
