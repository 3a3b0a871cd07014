/* SPDX-License-Identifier: MIT */
/*
 * Helpers of the vCPU cases: contexts to initialise a vCPU with.
 */
#ifndef VCPU_COMMON_H
#define VCPU_COMMON_H

#include "case.h"

/* An address that is not canonical. */
#define BAD_VA		0x0000800000000000UL

/* context() - a context with which vCPU @id would start in the runtime */
static inline struct vcpu_guest_context *context(unsigned int id)
{
	static struct vcpu_guest_context *c;

	if (!c)
		c = pages_alloc((sizeof(*c) + PAGE_SIZE - 1) / PAGE_SIZE);
	vcpu_context(c, id);
	return c;
}

static inline void refuse_at(const char *file, int line, struct vcpu_guest_context *c,
			     unsigned int id, const char *what)
{
	long ret = hyp_vcpu_op(VCPUOP_initialise, id, c);

	if (ret != -EINVAL)
		case_fail(file, line, "%s: %ld", what, ret);
	/* Still uninitialised: up is refused as before. */
	want_eq(hyp_vcpu_op(VCPUOP_up, id, NULL), -EINVAL);
	vcpu_context(c, id);
}

/* refuse() - vCPU @id cannot be initialised with @c, which is then as context() makes it */
#define refuse(c, id, what)	refuse_at(__FILE_NAME__, __LINE__, c, id, what)

/* nothing() - for a vCPU that is to start and go down again */
static inline void nothing(void *arg)
{
}

#endif /* VCPU_COMMON_H */
