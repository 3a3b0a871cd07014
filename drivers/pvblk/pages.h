/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that stay granted to the back end: all that it sees of our memory. */
#ifndef PVBLK_PAGES_H
#define PVBLK_PAGES_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <pvbus/grant.h>

/*
 * Of one ring at most.  Linux's back end keeps 1056 grants of a ring mapped
 * and begins to search for victims beyond that.
 */
#define PVBLK_MAX_PAGES		1024

/**
 * struct pvblk_page - a page that only ever holds this disk's data, granted to
 *	the back end for as long as the connection lasts
 * @next: in the cache, or in the request that has it
 * @va: its address
 * @ref: its grant
 */
struct pvblk_page {
	struct pvblk_page *next;
	void *va;
	grant_ref_t ref;
};

/**
 * struct pvblk_cache - the granted pages of one ring
 * @lock: the ring's, held by who calls take and give
 * @domain: the back end's
 * @free: those that no request has, last used first
 * @nfree: how many those are
 * @count: all pages
 * @full: there will be no more: the limit is reached, or grants are used up
 * @chunks: the pages, as they were allocated
 * @granted: grants made, since the disk exists
 * @revoked: grants ended
 */
struct pvblk_cache {
	spinlock_t *lock;	/* the ring's */
	domid_t domain;
	struct pvblk_page *free;
	unsigned int nfree;
	unsigned int count;
	bool full;
	struct list_head chunks;
	u64 granted, revoked;
};

void pvblk_pages_init(struct pvblk_cache *cache, spinlock_t *lock);
int pvblk_pages_grow(struct pvblk_cache *cache, unsigned int count, gfp_t gfp);
void pvblk_pages_destroy(struct pvblk_cache *cache);

/**
 * pvblk_pages_take() - pages for one request
 * @cache: where from
 * @count: how many, at least one
 * @last: set to the end of their chain
 *
 * Return: the first of a chain of @count, or NULL if there are too few.
 */
static inline struct pvblk_page *pvblk_pages_take(struct pvblk_cache *cache,
						  unsigned int count,
						  struct pvblk_page **last)
{
	struct pvblk_page *first = cache->free, *p = first;

	if (unlikely(cache->nfree < count))
		return NULL;
	cache->nfree -= count;
	while (--count)
		p = p->next;
	cache->free = p->next;
	*last = p;
	return first;
}

/**
 * pvblk_pages_give() - a request's pages are free again
 * @cache: where to
 * @first: first of the chain
 * @last: last of the chain
 * @count: its length
 */
static inline void pvblk_pages_give(struct pvblk_cache *cache,
				    struct pvblk_page *first,
				    struct pvblk_page *last, unsigned int count)
{
	last->next = cache->free;
	cache->free = first;
	cache->nfree += count;
}

#endif /* PVBLK_PAGES_H */
