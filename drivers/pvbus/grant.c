// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who has which grant reference: the free list, pools taken from it, and
 * areas of pages shared as a whole.
 */
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <pvguest/platform.h>

#include "grant.h"

/* Free references: a list through the free entries themselves. */
static DEFINE_SPINLOCK(free_lock);
static grant_ref_t free_head = PVGRANT_NONE;
static unsigned int free_count;
static unsigned int total_count;
/* Ones whose users never gave them back, or gave them back still granting. */
static unsigned int lost_count;

static grant_ref_t pop_locked(void)
{
	grant_ref_t ref = free_head;

	free_head = pvgrant_link(ref);
	free_count--;
	return ref;
}

static void push_locked(grant_ref_t ref)
{
	pvgrant_set_link(ref, free_head);
	free_head = ref;
	free_count++;
}

/** pvgrant_add_free() - the table has grown by these references */
void pvgrant_add_free(grant_ref_t first, unsigned int count)
{
	grant_ref_t ref = first + count;
	unsigned long flags;

	spin_lock_irqsave(&free_lock, flags);
	/* Lower ones are given out first. */
	while (ref-- > first)
		push_locked(ref);
	total_count += count;
	spin_unlock_irqrestore(&free_lock, flags);
}

/** pvgrant_spare() - one reference, in any context, or PVGRANT_NONE */
grant_ref_t pvgrant_spare(void)
{
	grant_ref_t ref = PVGRANT_NONE;
	unsigned long flags;

	spin_lock_irqsave(&free_lock, flags);
	if (free_count)
		ref = pop_locked();
	spin_unlock_irqrestore(&free_lock, flags);
	return ref;
}

static int take_refs(grant_ref_t *refs, unsigned int count)
{
	unsigned int missing, i;
	unsigned long flags;
	int ret;

	for (;;) {
		spin_lock_irqsave(&free_lock, flags);
		if (free_count >= count)
			break;
		missing = count - free_count;
		spin_unlock_irqrestore(&free_lock, flags);
		ret = pvgrant_table_grow(missing);
		if (ret)
			return ret;
	}
	/* The pool gives out its last one first. */
	for (i = count; i--;)
		refs[i] = pop_locked();
	spin_unlock_irqrestore(&free_lock, flags);
	return 0;
}

/** pvgrant_give_back() - references that grant nothing any more are free */
void pvgrant_give_back(const grant_ref_t *refs, unsigned int count)
{
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&free_lock, flags);
	for (i = 0; i < count; i++) {
		if (WARN_ON_ONCE(!pvgrant_idle(refs[i])))
			lost_count++;
		else
			push_locked(refs[i]);
	}
	spin_unlock_irqrestore(&free_lock, flags);
}

/**
 * pvgrant_pool_init() - set references aside
 * @pool: the pool
 * @size: how many
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
	ret = take_refs(pool->refs, size);
	if (ret) {
		kvfree(pool->refs);
		pool->refs = NULL;
		return ret;
	}
	pool->free = size;
	pool->size = size;
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
		lost_count += pool->size - pool->free;
	pvgrant_give_back(pool->refs, pool->free);
	kvfree(pool->refs);
	*pool = (struct pvgrant_pool) {};
}
EXPORT_SYMBOL_GPL(pvgrant_pool_destroy);

static void free_pages_of(struct pvgrant_area *area)
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
	/* One by one, so that what a back end keeps is one page of memory. */
	area->va = count == 1 ? page_address(area->pages[0]) :
		   vmap(area->pages, count, VM_MAP, PAGE_KERNEL);
	if (!area->va)
		goto no_memory;
	ret = take_refs(area->refs, count);
	if (ret) {
		free_pages_of(area);
		return ret;
	}
	for (i = 0; i < count; i++)
		pvgrant_allow(area->refs[i], domain, area->pages[i], false);
	return 0;

no_memory:
	free_pages_of(area);
	return -ENOMEM;
}
EXPORT_SYMBOL_GPL(pvgrant_area_alloc);

/**
 * pvgrant_area_free() - take pages back from a domain
 * @area: made by pvgrant_area_alloc(), or all zero
 *
 * What the back end has mapped still is released when it lets go.
 *
 * Context: process; sleeps.
 */
void pvgrant_area_free(struct pvgrant_area *area)
{
	unsigned int i;

	if (area->count > 1)
		vunmap(area->va);
	for (i = 0; i < area->count; i++) {
		if (pvgrant_revoke(area->refs[i])) {
			pvgrant_give_back(&area->refs[i], 1);
			__free_page(area->pages[i]);
		} else {
			pvgrant_abandon(NULL, area->refs[i], area->pages[i]);
		}
	}
	*area = (struct pvgrant_area) {};
}
EXPORT_SYMBOL_GPL(pvgrant_area_free);

static int grants_show(struct seq_file *m, void *v)
{
	pvgrant_table_show(m);
	/* References that front ends have, used or in their pools. */
	seq_printf(m, "in_use %u\n", total_count - free_count);
	seq_printf(m, "free %u\n", free_count);
	seq_printf(m, "lost %u\n", lost_count);
	pvgrant_deferred_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(grants);

static int __init pvgrant_init(void)
{
	return pvguest_running() ? pvgrant_table_init() : 0;
}

/* Before any front end. */
subsys_initcall(pvgrant_init);

static int __init pvgrant_debugfs(void)
{
	struct dentry *dir;

	if (!pvguest_running())
		return 0;
	dir = debugfs_lookup("pvguest", NULL);
	debugfs_create_file("grants", 0400, dir, NULL, &grants_fops);
	dput(dir);
	return 0;
}

/* After the port has made the directory. */
late_initcall_sync(pvgrant_debugfs);
