/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The port's hypercalls: pvabi's typed wrappers, each issued and counted in
 * one place.  entry.S counts the two that it makes itself.
 */
#ifndef PVGUEST_HYPERCALL_H
#define PVGUEST_HYPERCALL_H

#define hyp_call0 pv_raw_call0
#define hyp_call1 pv_raw_call1
#define hyp_call2 pv_raw_call2
#define hyp_call3 pv_raw_call3
#define hyp_call4 pv_raw_call4
#define hyp_call5 pv_raw_call5
#include <pvabi/call.h>
#undef hyp_call0
#undef hyp_call1
#undef hyp_call2
#undef hyp_call3
#undef hyp_call4
#undef hyp_call5

#include "stats.h"

/* Hypercall @nr with the arguments that follow, counted. */
#define pv_counted_call(n, nr, ...)					\
({									\
	this_cpu_inc(pvguest_stats.hypercall[(nr) % PV_HYPERCALLS]);	\
	pv_raw_call##n(nr, ##__VA_ARGS__);				\
})

#define hyp_call0(nr)		pv_counted_call(0, nr)
#define hyp_call1(nr, ...)	pv_counted_call(1, nr, __VA_ARGS__)
#define hyp_call2(nr, ...)	pv_counted_call(2, nr, __VA_ARGS__)
#define hyp_call3(nr, ...)	pv_counted_call(3, nr, __VA_ARGS__)
#define hyp_call4(nr, ...)	pv_counted_call(4, nr, __VA_ARGS__)
#define hyp_call5(nr, ...)	pv_counted_call(5, nr, __VA_ARGS__)

#include <pvabi/hypercall.h>

#endif /* PVGUEST_HYPERCALL_H */
