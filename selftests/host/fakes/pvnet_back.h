/* SPDX-License-Identifier: MIT */
/*
 * For tests of the network front end's protocol: a guest with a grant table,
 * and a scripted back end that accesses the rings through grants only.
 */
#ifndef PVNET_BACK_H
#define PVNET_BACK_H

#include "driver/kernel.c"
#include "driver/hypervisor.c"
#include "grant.h"

#include <setjmp.h>
#include <cmocka.h>

#include "../../../drivers/pvbus/ring.c"
#include "../../../drivers/pvnet/wire.h"

#define BACK	3
/* The grant table's own: its lists of entry and of status frames. */
#define TABLE_ALLOCATIONS	2

static struct pvgrant_area area;
/* The back end's mappings, and its position in the requests. */
static struct pvring_shared *shared;
static u32 seen;

/* A guest whose grant table has so many frames at most. */
static void boot(unsigned int limit)
{
	grant_reset(limit, 1);
	seen = 0;
	assert_int_equal(pvgrant_init(), 0);
	assert_int_equal(pvgrant_area_alloc(&area, BACK, 1), 0);
	shared = hyp_map(area.refs[0], BACK, true);
	assert_non_null(shared);
}

/* True if nothing is left: no page, grant, memory or warning. */
static bool shut_down(void)
{
	if (area.count) {
		hyp_unmap(area.refs[0], true);
		pvgrant_area_free(&area);
	}
	shim_run_work();
	return !shim_pages && shim_allocations == TABLE_ALLOCATIONS &&
	       pvgrant_free_count == pvgrant_total_count && !pvgrant_lost_count &&
	       !pvgrant_deferred_count && !hyp_granted();
}

/* The slot at @index, for a ring with slots of @size bytes. */
static inline void *slot_at(u32 index, size_t size)
{
	return (u8 *)(shared + 1) + index % PVNET_SLOTS * size;
}

#endif /* PVNET_BACK_H */
