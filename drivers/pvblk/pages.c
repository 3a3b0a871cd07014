// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages through which all data goes: granted to the back end once, used by
 * request after request, and given back to the system when the connection
 * ends.
 *
 * They are zeroed when they are made and never hold anything but this disk's
 * data and segment lists, so the back end learns nothing from them, whatever
 * part of them a request is about and however long it keeps them mapped.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "pages.h"

/* Pages that were made together, and the references of their grants. */
struct pvblk_chunk {
	struct list_head list;
	struct pvgrant_pool pool;
	unsigned int count;
	struct pvblk_page page[];
};

/**
 * pvblk_pages_init() - begin with no page
 * @cache: to fill in
 * @lock: protects it, but for grow and destroy
 */
void pvblk_pages_init(struct pvblk_cache *cache, spinlock_t *lock)
{
	*cache = (struct pvblk_cache) { .lock = lock };
	INIT_LIST_HEAD(&cache->chunks);
}

static unsigned int fill_chunk(struct pvblk_chunk *chunk, domid_t domain,
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
		p->ref = pvgrant_take(&chunk->pool);
		p->next = n ? p - 1 : NULL;
		pvgrant_allow(p->ref, domain, page, false);
	}
	return n;
}

/**
 * pvblk_pages_grow() - make more pages
 * @cache: for which ring
 * @count: how many
 * @gfp: how hard to try
 *
 * Context: process; the ring's lock is free.
 * Return: 0, or a negative error if there are fewer than asked for.
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
	made = fill_chunk(chunk, cache->domain, gfp);
	chunk->count = made;

	spin_lock_irq(cache->lock);
	list_add(&chunk->list, &cache->chunks);
	if (made)
		pvblk_pages_give(cache, &chunk->page[made - 1],
				 &chunk->page[0], made);
	cache->count += made;
	cache->granted += made;
	spin_unlock_irq(cache->lock);
	return made < count ? -ENOMEM : 0;
}

/**
 * pvblk_pages_destroy() - give all pages back to the system
 * @cache: of a ring that is offline; no request has pages of it any more
 *
 * A page that the back end does not let go of stays with the grant layer.
 */
void pvblk_pages_destroy(struct pvblk_cache *cache)
{
	struct pvblk_chunk *chunk, *next;
	struct pvblk_page *p;
	unsigned int i;

	list_for_each_entry_safe(chunk, next, &cache->chunks, list) {
		for (i = 0; i < chunk->count; i++) {
			p = &chunk->page[i];
			if (pvgrant_revoke(p->ref)) {
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
	cache->free = NULL;
	cache->nfree = 0;
	cache->count = 0;
	cache->full = false;
}
