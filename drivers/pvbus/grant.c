// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocation of grant references: the free list, pools taken from it, and areas
 * of pages shared as a whole.
 */
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <pvguest/platform.h>

#include "grant.h"

/* Free references form a list through the free entries themselves. */
static DEFINE_SPINLOCK(pvgrant_lock);
static grant_ref_t pvgrant_free_head = PVGRANT_NONE;
static unsigned int pvgrant_free_count;
static unsigned int pvgrant_total_count;
/* Never given back by their users, or given back while they still granted. */
static unsigned int pvgrant_lost_count;
/* Serialises pvguest_grant_grow() and what follows from it. */
static DEFINE_MUTEX(pvgrant_grow_lock);

static grant_ref_t pvgrant_pop(void)
{
	grant_ref_t ref = pvgrant_free_head;

	pvgrant_free_head = pvguest_grant_link(ref);
	pvgrant_free_count--;
	return ref;
}

static void pvgrant_push(grant_ref_t ref)
{
	pvguest_grant_set_link(ref, pvgrant_free_head);
	pvgrant_free_head = ref;
	pvgrant_free_count++;
}

/* Make at least @refs more references; sleeps. */
static int pvgrant_grow(unsigned int refs)
{
	unsigned int count;
	grant_ref_t first, ref;
	unsigned int noio;
	int ret;

	/* The lock's holder must not wait for a disk that waits for the lock. */
	noio = memalloc_noio_save();
	mutex_lock(&pvgrant_grow_lock);
	ret = pvguest_grant_grow(refs, &first, &count);
	if (!ret) {
		spin_lock_irq(&pvgrant_lock);
		/* Lower numbers are given out first. */
		for (ref = first + count; ref-- > first;)
			pvgrant_push(ref);
		pvgrant_total_count += count;
		spin_unlock_irq(&pvgrant_lock);
	}
	mutex_unlock(&pvgrant_grow_lock);
	memalloc_noio_restore(noio);
	return ret;
}

/**
 * pvgrant_spare() - one free reference, without making more
 *
 * Context: any.
 * Return: the reference, or PVGRANT_NONE if none is free.
 */
grant_ref_t pvgrant_spare(void)
{
	grant_ref_t ref = PVGRANT_NONE;
	unsigned long flags;

	spin_lock_irqsave(&pvgrant_lock, flags);
	if (pvgrant_free_count)
		ref = pvgrant_pop();
	spin_unlock_irqrestore(&pvgrant_lock, flags);
	return ref;
}

static int pvgrant_take_refs(grant_ref_t *refs, unsigned int count)
{
	unsigned int missing, i;
	unsigned long flags;
	int ret;

	for (;;) {
		spin_lock_irqsave(&pvgrant_lock, flags);
		if (pvgrant_free_count >= count)
			break;
		missing = count - pvgrant_free_count;
		spin_unlock_irqrestore(&pvgrant_lock, flags);
		ret = pvgrant_grow(missing);
		if (ret)
			return ret;
	}
	/* A pool gives out its last element first. */
	for (i = count; i--;)
		refs[i] = pvgrant_pop();
	spin_unlock_irqrestore(&pvgrant_lock, flags);
	return 0;
}

/**
 * pvgrant_give_back() - free references that grant nothing any more
 * @refs: the references
 * @count: how many
 *
 * One that still grants is counted as lost, and not used again.
 *
 * Context: any.
 */
void pvgrant_give_back(const grant_ref_t *refs, unsigned int count)
{
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&pvgrant_lock, flags);
	for (i = 0; i < count; i++) {
		if (WARN_ON_ONCE(!pvguest_grant_idle(refs[i])))
			pvgrant_lost_count++;
		else
			pvgrant_push(refs[i]);
	}
	spin_unlock_irqrestore(&pvgrant_lock, flags);
}

/**
 * pvgrant_can_spare() - may a device take references that it could do without?
 * @refs: how many
 *
 * For further rings and for caches.  The result is a hint: several devices may get
 * it for the same references.
 *
 * Context: any.
 * Return: true if a reserve is left for what others cannot do without.
 */
bool pvgrant_can_spare(unsigned int refs)
{
	unsigned int left = pvguest_grant_left();
	unsigned int all = READ_ONCE(pvgrant_total_count) + left;

	return READ_ONCE(pvgrant_free_count) + left >=
	       refs + min(PVGRANT_RESERVE, all / 4);
}
EXPORT_SYMBOL_GPL(pvgrant_can_spare);

/**
 * pvgrant_pool_init() - set references aside
 * @pool: the pool
 * @size: number of references
 *
 * Context: process; sleeps.
 * Return: 0, -ENOSPC if the hypervisor allows this domain no more references,
 * -ENOMEM; the pool is empty then and may be destroyed.
 */
int pvgrant_pool_init(struct pvgrant_pool *pool, unsigned int size)
{
	int ret;

	*pool = (struct pvgrant_pool) {};
	pool->refs = kvmalloc_array(size, sizeof(*pool->refs), GFP_KERNEL);
	if (!pool->refs)
		return -ENOMEM;
	ret = pvgrant_take_refs(pool->refs, size);
	if (ret) {
		kvfree(pool->refs);
		pool->refs = NULL;
		return ret;
	}
	pool->free = size;
	pool->size = size;
	pool->account = pvgrant_account_opened();
	return 0;
}
EXPORT_SYMBOL_GPL(pvgrant_pool_init);

/**
 * pvgrant_pool_destroy() - give all references of a pool back
 * @pool: the pool, all of it put back or abandoned
 */
void pvgrant_pool_destroy(struct pvgrant_pool *pool)
{
	if (WARN_ON_ONCE(pool->free != pool->size))
		pvgrant_lost_count += pool->size - pool->free;
	pvgrant_give_back(pool->refs, pool->free);
	kvfree(pool->refs);
	*pool = (struct pvgrant_pool) {};
}
EXPORT_SYMBOL_GPL(pvgrant_pool_destroy);

/**
 * pvgrant_pool_release() - give one reference of a pool back for good
 * @pool: the pool, smaller by one afterwards
 * @ref: taken from it; grants nothing any more
 *
 * Context: any.
 */
void pvgrant_pool_release(struct pvgrant_pool *pool, grant_ref_t ref)
{
	pool->size--;
	pvgrant_give_back(&ref, 1);
}
EXPORT_SYMBOL_GPL(pvgrant_pool_release);

static void pvgrant_area_free_pages(struct pvgrant_area *area)
{
	unsigned int i;

	if (area->va && area->count > 1)
		vunmap(area->va);
	for (i = 0; i < area->count && area->pages[i]; i++)
		__free_page(area->pages[i]);
	*area = (struct pvgrant_area) {};
}

/**
 * pvgrant_area_alloc() - make zeroed pages that a domain may read and write
 * @area: filled in
 * @domain: the domain
 * @count: pages, at most PVGRANT_AREA_PAGES
 *
 * Context: process; sleeps.
 * Return: 0, -EINVAL, -ENOMEM or -ENOSPC (no references); there is no area
 * then, and it may be freed.
 */
int pvgrant_area_alloc(struct pvgrant_area *area, domid_t domain,
		       unsigned int count)
{
	unsigned int i;
	int ret;

	*area = (struct pvgrant_area) {};
	if (!count || count > PVGRANT_AREA_PAGES)
		return -EINVAL;
	area->count = count;
	for (i = 0; i < count; i++) {
		area->pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!area->pages[i])
			goto no_memory;
	}
	/* Single pages, so that a back end keeps no more than it has mapped. */
	area->va = count == 1 ? page_address(area->pages[0]) :
		   vmap(area->pages, count, VM_MAP, PAGE_KERNEL);
	if (!area->va)
		goto no_memory;
	ret = pvgrant_take_refs(area->refs, count);
	if (ret) {
		pvgrant_area_free_pages(area);
		return ret;
	}
	for (i = 0; i < count; i++)
		pvguest_grant_allow(area->refs[i], domain, area->pages[i], false);
	return 0;

no_memory:
	pvgrant_area_free_pages(area);
	return -ENOMEM;
}
EXPORT_SYMBOL_GPL(pvgrant_area_alloc);

/**
 * pvgrant_area_free() - take pages back from a domain
 * @area: made by pvgrant_area_alloc(), or all zero
 *
 * A page that the back end still has mapped is freed when it is unmapped.
 *
 * Context: process; sleeps.
 */
void pvgrant_area_free(struct pvgrant_area *area)
{
	unsigned int i;

	if (area->count > 1)
		vunmap(area->va);
	for (i = 0; i < area->count; i++) {
		if (pvguest_grant_revoke(area->refs[i])) {
			pvgrant_give_back(&area->refs[i], 1);
			__free_page(area->pages[i]);
		} else {
			pvgrant_abandon(NULL, area->refs[i], area->pages[i]);
		}
	}
	*area = (struct pvgrant_area) {};
}
EXPORT_SYMBOL_GPL(pvgrant_area_free);

static int pvgrant_show(struct seq_file *m, void *v)
{
	pvguest_grant_show(m);
	/* in_use: references of front ends, granting or in their pools. */
	seq_printf(m, "in_use %u\n", pvgrant_total_count - pvgrant_free_count);
	seq_printf(m, "free %u\n", pvgrant_free_count);
	seq_printf(m, "lost %u\n", pvgrant_lost_count);
	pvgrant_deferred_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pvgrant);

static int __init pvgrant_init(void)
{
	int ret;

	if (!pvguest_running())
		return 0;
	ret = pvguest_grant_init();
	return ret ?: pvgrant_grow(1);
}

/* Before any front end. */
subsys_initcall(pvgrant_init);

static int __init pvgrant_debugfs(void)
{
	struct dentry *dir;

	if (!pvguest_running())
		return 0;
	dir = debugfs_lookup("pvguest", NULL);
	debugfs_create_file("grants", 0400, dir, NULL, &pvgrant_fops);
	dput(dir);
	return 0;
}

/* After the port has made the directory in debugfs. */
late_initcall_sync(pvgrant_debugfs);
