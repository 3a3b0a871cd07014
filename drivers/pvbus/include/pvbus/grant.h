/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grant references: numbers through which another domain may reach a page of
 * ours until we revoke them.  No call scans the table, none sleeps unless it
 * says so.
 */
#ifndef PVBUS_GRANT_H
#define PVBUS_GRANT_H

#include <linux/mm_types.h>
#include <linux/types.h>
#include <xen/interface/grant_table.h>

/* In place of a reference: none. */
#define PVGRANT_NONE	0

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
grant_ref_t pvgrant_take(struct pvgrant_pool *pool);
void pvgrant_put(struct pvgrant_pool *pool, grant_ref_t ref);

/* A reference of the pool now lets @domain reach @page. */
void pvgrant_allow(grant_ref_t ref, domid_t domain, struct page *page,
		   bool readonly);
/*
 * Revoke.  False: the back end still has the page mapped; then neither page
 * nor reference may be used for anything else.
 */
bool pvgrant_revoke(grant_ref_t ref);
/*
 * For the false case: page (may be NULL) and reference are released when the
 * back end lets go of them, and counted as leaked in debugfs until then.  The
 * reference leaves @pool, which is given another if there is one.
 */
void pvgrant_abandon(struct pvgrant_pool *pool, grant_ref_t ref,
		     struct page *page);

/**
 * struct pvgrant_area - zeroed pages shared with one domain, such as a ring
 * @va: contiguous kernel address
 * @count: pages
 * @refs: one for each
 */
struct pvgrant_area {
	void *va;
	unsigned int count;
	grant_ref_t refs[16];
	struct page *pages[16];
};

/* Both sleep.  free() defers what the back end still holds. */
int pvgrant_area_alloc(struct pvgrant_area *area, domid_t domain,
		       unsigned int count);
void pvgrant_area_free(struct pvgrant_area *area);

#endif /* PVBUS_GRANT_H */
