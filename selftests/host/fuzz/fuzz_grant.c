// SPDX-License-Identifier: MIT
/*
 * Fuzz target "grant": front ends that share and unshare pages while memory
 * and references run out, and back ends that map them whenever they can.
 */
#include <pvbus/grant.h>

#include "fuzz.h"

#define MAX_FRAMES	9
#define POOLS		3
#define HELD		24
#define AREAS		4

static struct pvgrant_pool pools[POOLS];
/* Grants that a front end has, and the pages behind them. */
static struct held {
	struct pvgrant_pool *pool;
	grant_ref_t ref;
	struct page *page;
	bool readonly;
} held[HELD];
static unsigned int held_count;
static struct pvgrant_area areas[AREAS];
/* Each reference is with one user at most. */
static u8 owned[HYP_MAX_FRAMES * 512];

static void pool_init(struct pvgrant_pool *pool)
{
	unsigned int size = 1 + next_u8() * (next_u8() & 3);
	int ret;

	if (pool->refs)
		return;
	ret = pvgrant_pool_init(pool, size);
	must(ret == 0 || ret == -ENOSPC || ret == -ENOMEM);
	must(ret || pool->free == size);
	if (ret)
		pvgrant_pool_destroy(pool);
}

static void allow(struct pvgrant_pool *pool)
{
	struct held *h = &held[held_count];

	if (held_count == HELD)
		return;
	h->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!h->page)
		return;
	h->pool = pool;
	h->ref = pvgrant_take(pool);
	if (h->ref == PVGRANT_NONE) {
		must(!pool->free);
		put_page(h->page);
		return;
	}
	must(h->ref >= GNTTAB_NR_RESERVED_ENTRIES && !owned[h->ref]++);
	h->readonly = next_u8() & 1;
	pvguest_grant_allow(h->ref, BACK, h->page, h->readonly);
	held_count++;
}

/* End a grant; a page that is still mapped is left to the bus if @insist. */
static void end_grant(unsigned int i, bool insist)
{
	struct held h = held[i];
	bool revoked = pvguest_grant_revoke(h.ref);

	if (!revoked && !insist)
		return;
	must(owned[h.ref]-- == 1);
	if (revoked) {
		must(!hyp_mapped(h.ref) && !hyp_map(h.ref, BACK, false));
		pvgrant_put(h.pool, h.ref);
		put_page(h.page);
	} else {
		pvgrant_abandon(h.pool, h.ref, h.page);
	}
	held[i] = held[--held_count];
}

static void pool_destroy(struct pvgrant_pool *pool)
{
	unsigned int i;

	for (i = held_count; i--;) {
		if (held[i].pool == pool)
			end_grant(i, true);
	}
	pvgrant_pool_destroy(pool);
}

static void area_change(struct pvgrant_area *area)
{
	unsigned int i, count = 1 + next_below(17);
	int ret;

	if (area->va) {
		for (i = 0; i < area->count; i++)
			must(owned[area->refs[i]]-- == 1);
		pvgrant_area_free(area);
		return;
	}
	ret = pvgrant_area_alloc(area, BACK, count);
	must(!ret == !!area->va);
	must(!ret || ret == -ENOMEM || ret == -ENOSPC ||
	     (ret == -EINVAL && count > PVGRANT_AREA_PAGES));
	for (i = 0; i < area->count; i++)
		must(!owned[area->refs[i]]++);
}

static void take_down(void)
{
	unsigned int i;

	shim_fail_after = -1;
	for (i = 0; i < POOLS; i++)
		pool_destroy(&pools[i]);
	must(!held_count);
	for (i = 0; i < AREAS; i++) {
		if (areas[i].va)
			area_change(&areas[i]);
	}
	grants_end();
}

void run_script(void)
{
	u8 how = next_u8();

	unsigned int limit = (how >> 1) % 8;

	/* 9: more than one frame of status words. */
	hyp_reset(limit == 7 ? MAX_FRAMES : 1 + limit, 1 + (how & 1));
	/* A machine whose memory needs the other layout. */
	hyp_max_mfn = how & 1 ? 0x200000000 : 0x100000;
	memset(pools, 0, sizeof(pools));
	memset(areas, 0, sizeof(areas));
	memset(owned, 0, MAX_FRAMES * 512);
	held_count = 0;
	may_break = true;
	grants_boot();

	while (!script_ended()) {
		u8 op = next_u8(), arg = op >> 4;

		switch (op & 15) {
		case 0:
			pool_init(&pools[arg % POOLS]);
			break;
		case 1:
			pool_destroy(&pools[arg % POOLS]);
			break;
		case 2:
		case 3:
		case 4:
			allow(&pools[arg % POOLS]);
			break;
		case 5:
		case 6:
		case 7:
			if (held_count)
				end_grant(next_below(held_count), arg & 1);
			break;
		case 8:
			area_change(&areas[arg % AREAS]);
			break;
		case 9:
		case 10:
			back_map();
			break;
		case 11:
			back_unmap();
			break;
		case 12:
			shim_run_work();
			break;
		case 13:
			shim_fail_after = arg;
			break;
		default:
			race_with(back_map_or_unmap, 1 + arg % 4);
			break;
		}
	}
	race_over();
	take_down();
}
