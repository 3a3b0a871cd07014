/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that stay granted to the back end: all that it can reach of memory. */
#ifndef PVBLK_PAGES_H
#define PVBLK_PAGES_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <pvbus/grant.h>

/*
 * Pages of one ring at most.  Linux's back end keeps 1056 grants of a ring
 * mapped and evicts some beyond that.
 */
#define PVBLK_MAX_PAGES		1024

struct pvblk_chunk;

/**
 * struct pvblk_page - a page that only ever holds this disk's data, granted to
 *	the back end for as long as the connection lasts
 * @next: in the cache, or in the request that has it
 * @va: its address; NULL once it has been given back
 * @chunk: the pages that it was made with
 * @ref: its grant
 */
struct pvblk_page {
	struct pvblk_page *next;
	void *va;
	struct pvblk_chunk *chunk;
	grant_ref_t ref;
};

/**
 * struct pvblk_cache - the granted pages of one ring
 * @lock: the ring's, held by callers of take and give; protects all of it
 * @domain: the back end's
 * @free: pages that no request has, last used first
 * @nfree: number of free pages
 * @count: number of all pages
 * @base: pages that stay while the connection lasts
 * @low: fewest free pages since pvblk_pages_idle() looked
 * @full: there will be no more: the limit is reached, or grants are used up
 * @chunks: the pages, as they were allocated
 * @granted: grants made since the disk was probed
 * @revoked: grants ended
 */
struct pvblk_cache {
	spinlock_t *lock;	/* the ring's */
	domid_t domain;
	struct pvblk_page *free;
	unsigned int nfree;
	unsigned int count;
	unsigned int base;
	unsigned int low;
	bool full;
	struct list_head chunks;
	u64 granted, revoked;
};

void pvblk_pages_init(struct pvblk_cache *cache, spinlock_t *lock);
int pvblk_pages_grow(struct pvblk_cache *cache, unsigned int count, gfp_t gfp);
int pvblk_pages_first(struct pvblk_cache *cache, unsigned int count);
unsigned int pvblk_pages_spare(const struct pvblk_cache *cache);
unsigned int pvblk_pages_idle(struct pvblk_cache *cache);
unsigned int pvblk_pages_shrink(struct pvblk_cache *cache, unsigned int count);
void pvblk_pages_destroy(struct pvblk_cache *cache);

/**
 * pvblk_pages_take() - pages for one request
 * @cache: the ring's pages
 * @count: number of pages, at least one
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
	if (cache->nfree < cache->low)
		cache->low = cache->nfree;
	while (--count)
		p = p->next;
	cache->free = p->next;
	*last = p;
	return first;
}

/**
 * pvblk_pages_give() - return a request's pages
 * @cache: the ring's pages
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
