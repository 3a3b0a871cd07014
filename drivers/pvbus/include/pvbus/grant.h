/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grant references: numbers through which another domain may reach a page of
 * ours from pvguest_grant_allow() to pvguest_grant_revoke().  No call scans the
 * table, none sleeps unless it says so.
 */
#ifndef PVBUS_GRANT_H
#define PVBUS_GRANT_H

#include <linux/bug.h>
#include <linux/mm_types.h>
#include <linux/types.h>
#include <pvguest/platform.h>

/* No reference; 0 is reserved for the tool stack and never given out. */
#define PVGRANT_NONE	0

/* References that no device may take for more speed: another may need them. */
#define PVGRANT_RESERVE	1024

/* Pages of the largest area. */
#define PVGRANT_AREA_PAGES	16

struct pvgrant_account;

/**
 * struct pvgrant_pool - references set aside, so that a hot path takes and
 *	returns them without a shared lock
 * @refs: the free ones, last returned first
 * @free: number of free ones
 * @size: number of all
 * @account: of the device that it was made for, NULL if for none
 */
struct pvgrant_pool {
	grant_ref_t *refs;
	unsigned int free;
	unsigned int size;
	struct pvgrant_account *account;
};

bool pvgrant_can_spare(unsigned int refs);

/* The pool's user serialises the calls for one pool.  init and destroy sleep. */
int pvgrant_pool_init(struct pvgrant_pool *pool, unsigned int size);
void pvgrant_pool_destroy(struct pvgrant_pool *pool);

/**
 * pvgrant_take() - take a reference from a pool
 * @pool: the pool
 *
 * Context: any.
 * Return: the reference, or PVGRANT_NONE if none is left.
 */
static inline grant_ref_t pvgrant_take(struct pvgrant_pool *pool)
{
	return pool->free ? pool->refs[--pool->free] : PVGRANT_NONE;
}

/**
 * pvgrant_put() - return a reference to its pool
 * @pool: the pool
 * @ref: reference that grants nothing any more
 *
 * Context: any.
 */
static inline void pvgrant_put(struct pvgrant_pool *pool, grant_ref_t ref)
{
	if (!WARN_ON_ONCE(pool->free >= pool->size))
		pool->refs[pool->free++] = ref;
}

void pvgrant_pool_release(struct pvgrant_pool *pool, grant_ref_t ref);
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

/*
 * An area is made and freed in a context that can sleep.  pvgrant_area_free()
 * sets pages aside that the back end still has mapped.
 */
int pvgrant_area_alloc(struct pvgrant_area *area, domid_t domain,
		       unsigned int count);
void pvgrant_area_free(struct pvgrant_area *area);

#endif /* PVBUS_GRANT_H */
