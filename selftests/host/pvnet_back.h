/* SPDX-License-Identifier: MIT */
/*
 * For tests of the network front end's protocol: a guest with a grant table,
 * and a scripted back end that sees the rings only as grants let it.
 */
#ifndef PVNET_BACK_H
#define PVNET_BACK_H

#include "driver/kernel.c"
#include "driver/hypervisor.c"

#include <setjmp.h>
#include <cmocka.h>

#include "../../drivers/pvbus/grant.c"
#include "../../drivers/pvbus/grant_deferred.c"
#include "../../drivers/pvbus/grant_table.c"
#include "../../drivers/pvbus/ring.c"
#include "../../drivers/pvnet/core.h"

#define BACK	3
/* The grant table's own: its lists of entry and of status frames. */
#define TABLE_ALLOCATIONS	2

static struct pvgrant_area area;
/* What the back end sees, and where it is in the requests. */
static struct pvring_shared *shared;
static u32 seen;

/* A guest whose grant table has so many frames at most. */
static void boot(unsigned int limit)
{
	shim_reset();
	hyp_reset(limit, 1);
	entry_frame = NULL;
	status_frame = NULL;
	frames = 0;
	max_frames = 0;
	free_head = PVGRANT_NONE;
	free_count = 0;
	total_count = 0;
	lost_count = 0;
	INIT_LIST_HEAD(&deferred_list);
	deferred_count = 0;
	released_count = 0;
	forgotten_count = 0;
	retry_work = (struct delayed_work) { .work.func = retry };
	seen = 0;
	assert_int_equal(pvgrant_table_init(), 0);
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
	       free_count == total_count && !lost_count && !deferred_count &&
	       !hyp_granted();
}

/* The slot at @index, for a ring with slots of @size bytes. */
static void *slot_at(u32 index, size_t size)
{
	return (u8 *)(shared + 1) + index % PVNET_SLOTS * size;
}

#endif /* PVNET_BACK_H */
