/* SPDX-License-Identifier: MIT */
/*
 * Helpers of the memory_op cases: queries, reservations, exchanges.
 */
#ifndef MEMORY_COMMON_H
#define MEMORY_COMMON_H

#include "case.h"

/* query() - XENMEM_* @op about the domain itself */
static inline long query(unsigned int op)
{
	domid_t dom = DOMID_SELF;

	return hyp_memory_op(op, &dom);
}

/* current() - how many frames the domain has */
static inline long current(void)
{
	return query(XENMEM_current_reservation);
}

/* reserve() - a reservation @op on @n extents of @order; how many it was done for */
static inline long reserve(unsigned int op, xen_pfn_t *list, unsigned long n,
			   unsigned int order)
{
	struct xen_memory_reservation r = {
		.nr_extents = n, .extent_order = order, .domid = DOMID_SELF,
	};

	set_xen_guest_handle(r.extent_start, list);
	return hyp_memory_op(op, &r);
}

/* exchange() - the argument to exchange frames @in for others at the pfns @out */
static inline struct xen_memory_exchange exchange(xen_pfn_t *in, unsigned long nin,
						  xen_pfn_t *out, unsigned long nout)
{
	struct xen_memory_exchange x;

	memset(&x, 0, sizeof(x));
	x.in.nr_extents = nin;
	x.out.nr_extents = nout;
	x.in.domid = DOMID_SELF;
	x.out.domid = DOMID_SELF;
	set_xen_guest_handle(x.in.extent_start, in);
	set_xen_guest_handle(x.out.extent_start, out);
	return x;
}

#endif /* MEMORY_COMMON_H */
