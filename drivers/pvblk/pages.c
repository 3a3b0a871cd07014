// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages through which all data goes: granted to the back end once, used by many
 * requests, and given back to the system when the connection ends.
 *
 * They are zeroed when they are made and only ever hold this disk's data and
 * segment lists, so they reveal nothing else to the back end, whatever part of
 * them a request is about and however long it keeps them mapped.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "pages.h"

/* Pages freed before others may take the lock. */
#define PVBLK_SHRINK_BATCH	64

/* Pages that were made together, and the references of their grants. */
struct pvblk_chunk {
	struct list_head list;
	struct pvgrant_pool pool;
	unsigned int count;
	unsigned int left;	/* not given back yet */
	struct pvblk_page page[];
};

/**
 * pvblk_pages_init() - make an empty cache
 * @cache: to fill in
 * @lock: protects it, but for grow and destroy
 */
void pvblk_pages_init(struct pvblk_cache *cache, spinlock_t *lock)
{
	*cache = (struct pvblk_cache) { .lock = lock };
	INIT_LIST_HEAD(&cache->chunks);
}

static unsigned int pvblk_pages_fill(struct pvblk_chunk *chunk, domid_t domain,
				     gfp_t gfp)
{
	struct pvblk_page *p;
	struct page *page;
	unsigned int n;

	for (n = 0; n < chunk->count; n++) {
		page = alloc_page(gfp | __GFP_ZERO);
		if (!page)
			break;
		p = &chunk->page[n];
		p->va = page_address(page);
		p->chunk = chunk;
		p->ref = pvgrant_take(&chunk->pool);
		p->next = n ? p - 1 : NULL;
		pvguest_grant_allow(p->ref, domain, page, false);
	}
	return n;
}

/**
 * pvblk_pages_grow() - make more pages
 * @cache: the ring's pages
 * @count: number of pages
 * @gfp: flags of their allocation
 *
 * Context: process; the ring's lock is free.
 * Return: 0, or a negative errno if fewer were made than asked for.
 */
int pvblk_pages_grow(struct pvblk_cache *cache, unsigned int count, gfp_t gfp)
{
	struct pvblk_chunk *chunk;
	unsigned int made;
	int ret;

	chunk = kvzalloc(struct_size(chunk, page, count), gfp);
	if (!chunk)
		return -ENOMEM;
	ret = pvgrant_pool_init(&chunk->pool, count);
	if (ret) {
		kvfree(chunk);
		return ret;
	}
	chunk->count = count;
	made = pvblk_pages_fill(chunk, cache->domain, gfp);
	/* References without a page are of use to others. */
	while (chunk->pool.free)
		pvgrant_pool_release(&chunk->pool, pvgrant_take(&chunk->pool));
	if (!made) {
		pvgrant_pool_destroy(&chunk->pool);
		kvfree(chunk);
		return -ENOMEM;
	}
	chunk->count = made;
	chunk->left = made;

	spin_lock_irq(cache->lock);
	list_add(&chunk->list, &cache->chunks);
	pvblk_pages_give(cache, &chunk->page[made - 1], &chunk->page[0], made);
	cache->count += made;
	cache->granted += made;
	spin_unlock_irq(cache->lock);
	return made < count ? -ENOMEM : 0;
}

/**
 * pvblk_pages_first() - make the pages that stay while the connection lasts
 * @cache: the ring's pages, of which there are none
 * @count: number of pages
 *
 * Context: process; the ring's lock is free.
 * Return: 0, or a negative errno if fewer were made than asked for.
 */
int pvblk_pages_first(struct pvblk_cache *cache, unsigned int count)
{
	/* First: pvblk_pages_shrink() may come as soon as there are pages. */
	WRITE_ONCE(cache->base, count);
	return pvblk_pages_grow(cache, count, GFP_KERNEL);
}

/**
 * pvblk_pages_spare() - free pages beyond those that stay
 * @cache: the ring's pages
 *
 * Context: any, also without the lock for a rough number.
 * Return: their number.
 */
unsigned int pvblk_pages_spare(const struct pvblk_cache *cache)
{
	unsigned int count = READ_ONCE(cache->count);
	unsigned int base = READ_ONCE(cache->base);

	return count > base ? min(count - base, READ_ONCE(cache->nfree)) : 0;
}

/**
 * pvblk_pages_idle() - spare pages that nothing has used for a while
 * @cache: the ring's pages
 *
 * Context: process; the ring's lock is free.
 * Return: their number since the last call.
 */
unsigned int pvblk_pages_idle(struct pvblk_cache *cache)
{
	unsigned int idle;

	spin_lock_irq(cache->lock);
	idle = min(cache->low, pvblk_pages_spare(cache));
	cache->low = cache->nfree;
	spin_unlock_irq(cache->lock);
	return idle;
}

/* Give a free page back, unless the back end keeps it mapped. */
static bool pvblk_pages_release(struct pvblk_page *p)
{
	struct pvblk_chunk *chunk = p->chunk;

	if (pvguest_grant_mapped(p->ref))
		return false;
	if (pvguest_grant_revoke(p->ref)) {
		pvgrant_pool_release(&chunk->pool, p->ref);
		free_page((unsigned long)p->va);
	} else {
		/* It has just mapped it. */
		pvgrant_abandon(&chunk->pool, p->ref, virt_to_page(p->va));
	}
	p->va = NULL;
	chunk->left--;
	return true;
}

static unsigned int pvblk_pages_shrink_some(struct pvblk_cache *cache,
					    unsigned int count,
					    struct list_head *empty)
{
	struct pvblk_page **at = &cache->free, *p;
	unsigned int keep, done = 0;

	/* Those at the end were used longest ago. */
	count = min(count, pvblk_pages_spare(cache));
	for (keep = cache->nfree - count; keep; keep--)
		at = &(*at)->next;
	while ((p = *at)) {
		if (!pvblk_pages_release(p)) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		if (!p->chunk->left)
			list_move_tail(&p->chunk->list, empty);
		done++;
	}
	cache->nfree -= done;
	cache->count -= done;
	cache->revoked += done;
	cache->low = min(cache->low, cache->nfree);
	if (done)
		cache->full = false;
	return done;
}

/**
 * pvblk_pages_shrink() - give free pages back to the system
 * @cache: the ring's pages
 * @count: how many at most; some stay in any case (@base)
 *
 * Those that the back end keeps mapped stay as well.
 *
 * Context: any that may free memory; the ring's lock is free.
 * Return: how many were given back.
 */
unsigned int pvblk_pages_shrink(struct pvblk_cache *cache, unsigned int count)
{
	struct pvblk_chunk *chunk, *next;
	unsigned int done = 0, n;
	unsigned long flags;
	LIST_HEAD(empty);

	do {
		spin_lock_irqsave(cache->lock, flags);
		n = pvblk_pages_shrink_some(cache, min(count - done,
						       PVBLK_SHRINK_BATCH),
					    &empty);
		spin_unlock_irqrestore(cache->lock, flags);
		done += n;
	} while (n == PVBLK_SHRINK_BATCH && done < count);
	list_for_each_entry_safe(chunk, next, &empty, list) {
		pvgrant_pool_destroy(&chunk->pool);
		kvfree(chunk);
	}
	return done;
}

/**
 * pvblk_pages_destroy() - give all pages back to the system
 * @cache: of a ring that is offline; no request has pages of it any more
 *
 * A page that the back end still has mapped is left to pvgrant_abandon().
 */
void pvblk_pages_destroy(struct pvblk_cache *cache)
{
	struct pvblk_chunk *chunk, *next;
	struct pvblk_page *p;
	unsigned int i;
	LIST_HEAD(chunks);

	/* From here on pvblk_pages_shrink() finds nothing. */
	spin_lock_irq(cache->lock);
	list_splice_init(&cache->chunks, &chunks);
	cache->free = NULL;
	cache->nfree = 0;
	cache->count = 0;
	cache->base = 0;
	cache->low = 0;
	cache->full = false;
	spin_unlock_irq(cache->lock);

	list_for_each_entry_safe(chunk, next, &chunks, list) {
		for (i = 0; i < chunk->count; i++) {
			p = &chunk->page[i];
			if (!p->va)
				continue;
			if (pvguest_grant_revoke(p->ref)) {
				pvgrant_put(&chunk->pool, p->ref);
				free_page((unsigned long)p->va);
				cache->revoked++;
			} else {
				pvgrant_abandon(&chunk->pool, p->ref,
						virt_to_page(p->va));
			}
		}
		list_del(&chunk->list);
		pvgrant_pool_destroy(&chunk->pool);
		kvfree(chunk);
	}
}
