/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grant references: numbers through which another domain may reach a page of
 * ours until we revoke them.  No call scans the table, none sleeps unless it
 * says so.
 */
#ifndef PVBUS_GRANT_H
#define PVBUS_GRANT_H

#include <linux/bug.h>
#include <linux/mm_types.h>
#include <linux/types.h>
#include <xen/interface/grant_table.h>

/* In place of a reference: none.  The tool stack's own is never given out. */
#define PVGRANT_NONE	0

/* Pages of the largest area. */
#define PVGRANT_AREA_PAGES	16

/**
 * struct pvgrant_pool - references set aside, so that a hot path takes and
 *	returns them without a lock that others share
 * @refs: the free ones, last returned first
 * @free: how many are free
 * @size: how many there are in all
 */
struct pvgrant_pool {
	grant_ref_t *refs;
	unsigned int free;
	unsigned int size;
};

/* The pool's user serialises the calls for one pool.  init and destroy sleep. */
int pvgrant_pool_init(struct pvgrant_pool *pool, unsigned int size);
void pvgrant_pool_destroy(struct pvgrant_pool *pool);

/** pvgrant_take() - a reference of @pool, or PVGRANT_NONE if none is left */
static inline grant_ref_t pvgrant_take(struct pvgrant_pool *pool)
{
	return pool->free ? pool->refs[--pool->free] : PVGRANT_NONE;
}

/** pvgrant_put() - @ref, which is revoked, goes back to its @pool */
static inline void pvgrant_put(struct pvgrant_pool *pool, grant_ref_t ref)
{
	if (!WARN_ON_ONCE(pool->free >= pool->size))
		pool->refs[pool->free++] = ref;
}

void pvgrant_allow(grant_ref_t ref, domid_t domain, struct page *page,
		   bool readonly);
bool pvgrant_revoke(grant_ref_t ref);
void pvgrant_abandon(struct pvgrant_pool *pool, grant_ref_t ref,
		     struct page *page);

/**
 * struct pvgrant_area - zeroed pages shared with one domain, such as a ring
 * @va: contiguous kernel address, NULL if there is no area
 * @count: pages
 * @refs: one for each
 * @pages: the pages
 */
struct pvgrant_area {
	void *va;
	unsigned int count;
	grant_ref_t refs[PVGRANT_AREA_PAGES];
	struct page *pages[PVGRANT_AREA_PAGES];
};

/* Both sleep.  free() defers what the back end still holds. */
int pvgrant_area_alloc(struct pvgrant_area *area, domid_t domain,
		       unsigned int count);
void pvgrant_area_free(struct pvgrant_area *area);

#endif /* PVBUS_GRANT_H */
