// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants that a back end still uses when we have no use for them: kept aside,
 * page and reference, until it lets go.
 */
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "grant.h"

/* How long a back end is left alone before we look again. */
#define RETRY_DELAY	HZ

struct deferred {
	struct list_head list;
	grant_ref_t ref;
	struct page *page;
};

static DEFINE_SPINLOCK(deferred_lock);
static LIST_HEAD(deferred_list);
static unsigned int deferred_count;
/* Since we were booted. */
static unsigned int released_count;
/* For which there was no memory to remember them: gone for good. */
static unsigned int forgotten_count;

static void retry(struct work_struct *work);
static DECLARE_DELAYED_WORK(retry_work, retry);

/* Revoke what can be; the rest stays on the list.  One pass, never a wait. */
static void retry(struct work_struct *work)
{
	struct deferred *d, *next;
	unsigned int released = 0;
	unsigned long flags;
	LIST_HEAD(todo);

	spin_lock_irqsave(&deferred_lock, flags);
	list_splice_init(&deferred_list, &todo);
	spin_unlock_irqrestore(&deferred_lock, flags);

	list_for_each_entry_safe(d, next, &todo, list) {
		if (!pvgrant_revoke(d->ref))
			continue;
		list_del(&d->list);
		pvgrant_give_back(&d->ref, 1);
		if (d->page)
			put_page(d->page);
		kfree(d);
		released++;
	}

	spin_lock_irqsave(&deferred_lock, flags);
	list_splice(&todo, &deferred_list);
	deferred_count -= released;
	released_count += released;
	if (deferred_count)
		schedule_delayed_work(&retry_work, RETRY_DELAY);
	spin_unlock_irqrestore(&deferred_lock, flags);
}

static void replace(struct pvgrant_pool *pool)
{
	grant_ref_t ref = pvgrant_spare();

	if (ref == PVGRANT_NONE)
		pool->size--;
	else
		pvgrant_put(pool, ref);
}

/**
 * pvgrant_abandon() - leave to the bus what the back end will not let go of
 * @pool: pool that @ref was taken from, or NULL; it is given another
 *	reference, or is smaller by one if there is none
 * @ref: reference that pvgrant_revoke() could not revoke
 * @page: the page behind it, of which one reference count goes along, or NULL
 *	if it is looked after elsewhere
 *
 * Page and reference are released when the back end lets go of them; until
 * then they are counted in debugfs pvguest/grants.  A page of a page_pool: get
 * a reference count for us first, then put it to its pool, which lets go of a
 * page that others still use.
 *
 * Context: any.
 */
void pvgrant_abandon(struct pvgrant_pool *pool, grant_ref_t ref,
		     struct page *page)
{
	struct deferred *d = kmalloc(sizeof(*d), GFP_ATOMIC | __GFP_NOWARN);
	unsigned long flags;

	if (pool)
		replace(pool);
	spin_lock_irqsave(&deferred_lock, flags);
	if (d) {
		*d = (struct deferred) { .ref = ref, .page = page };
		list_add_tail(&d->list, &deferred_list);
		if (!deferred_count++)
			schedule_delayed_work(&retry_work, RETRY_DELAY);
	} else {
		forgotten_count++;
	}
	spin_unlock_irqrestore(&deferred_lock, flags);
	pr_info_ratelimited("pvbus: gref %u is still in use by the back end; %s\n",
			    ref, d ? "released when it lets go" :
			    "no memory to remember it: leaked");
}
EXPORT_SYMBOL_GPL(pvgrant_abandon);

/** pvgrant_deferred_show() - this part's lines of debugfs pvguest/grants */
void pvgrant_deferred_show(struct seq_file *m)
{
	seq_printf(m, "deferred %u\n", deferred_count);
	seq_printf(m, "released_late %u\n", released_count);
	seq_printf(m, "forgotten %u\n", forgotten_count);
}
