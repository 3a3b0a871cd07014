// SPDX-License-Identifier: MIT
/* vCPUs beyond those that the shared page has room for. */
#include "case.h"

/*
 * vCPU 32 has no vcpu_info: it cannot be initialised until one is registered,
 * which starts zeroed except for the mask and the pending marks.
 */
CASE(vcpu_beyond_32, "VCP-016 VCP-046 SHL-002", MANY)
{
	struct vcpu_guest_context *c =
		pages_alloc((sizeof(*c) + PAGE_SIZE - 1) / PAGE_SIZE);
	struct vcpu_register_vcpu_info r = { .offset = 64 };
	char *page = page_alloc();
	struct vcpu_info *vi = (void *)(page + 64);

	needs(hyp_vcpu_op(VCPUOP_is_up, 32, NULL) >= 0, "fewer than 33 vCPUs");
	vcpu_context(c, 3);
	vcpus[3].id = 32;
	want_eq(hyp_vcpu_op(VCPUOP_initialise, 32, c), -EINVAL);
	want_eq(hyp_vcpu_op(VCPUOP_up, 32, NULL), -EINVAL);
	memset(page, 0x5a, PAGE_SIZE);
	r.mfn = virt_mfn(page);
	want_eq(hyp_vcpu_op(VCPUOP_register_vcpu_info, 32, &r), 0);
	want_eq(vi->evtchn_upcall_mask, 1);
	want_eq(vi->evtchn_upcall_pending, 1);
	want_eq(vi->evtchn_pending_sel, ~0UL);
	want_eq(vi->arch.cr2, 0);
	want_eq(hyp_vcpu_op(VCPUOP_initialise, 32, c), 0);
	want_eq(hyp_vcpu_op(VCPUOP_is_up, 32, NULL), 0);
}
