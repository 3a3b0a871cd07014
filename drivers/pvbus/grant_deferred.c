// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants that could not be revoked because the back end has the page mapped:
 * page and reference are set aside until it unmaps.
 */
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <pvguest/parameter.h>

#include "grant.h"

/* Time between two attempts to revoke. */
#define PVGRANT_RETRY_DELAY	HZ

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "pvbus."

static unsigned int pvgrant_kept_pages = 2048;
pvguest_number(kept_pages, pvgrant_kept_pages, 0, UINT_MAX, 0644);
MODULE_PARM_DESC(kept_pages, "pages that back ends may keep mapped before their device has to wait");

/**
 * struct pvgrant_account - pages set aside for one device
 * @users: the device, and each of those pages
 * @pages: their number
 */
struct pvgrant_account {
	unsigned int users;
	unsigned int pages;
};

/**
 * struct pvgrant_deferred - a grant that could not be revoked
 * @list: among all of them
 * @ref: its reference
 * @page: the page behind it, or NULL
 * @account: that it is charged to, or NULL
 */
struct pvgrant_deferred {
	struct list_head list;
	grant_ref_t ref;
	struct page *page;
	struct pvgrant_account *account;
};

static DEFINE_SPINLOCK(pvgrant_deferred_lock);
static LIST_HEAD(pvgrant_deferred_list);
/* Tasks that have an account open. */
static LIST_HEAD(pvgrant_charges);
static unsigned int pvgrant_deferred_count;
/* Since the boot. */
static unsigned int pvgrant_released_count;
/* Leaked: there was no memory to keep track of them. */
static unsigned int pvgrant_forgotten_count;

static void pvgrant_retry(struct work_struct *work);
static DECLARE_DELAYED_WORK(pvgrant_retry_work, pvgrant_retry);

/* Functions from here to pvgrant_charge_page() are called with the lock. */

static void pvgrant_account_drop(struct pvgrant_account *account)
{
	if (account && !--account->users)
		kfree(account);
}

/* The account that this task has open, NULL if none. */
static struct pvgrant_account *pvgrant_account_of_task(void)
{
	struct pvgrant_account *account = NULL;
	struct pvgrant_charge *charge;

	if (!in_task())
		return NULL;
	list_for_each_entry(charge, &pvgrant_charges, list)
		if (charge->task == current)
			account = charge->account;
	return account;
}

/* Charge a page to @account; @d is NULL if it is charged for ever. */
static void pvgrant_charge_page(struct pvgrant_account *account,
				struct pvgrant_deferred *d)
{
	if (!account)
		return;
	account->pages++;
	if (!d)
		return;
	account->users++;
	d->account = account;
}

/**
 * pvgrant_account_new() - an account without pages
 *
 * Context: process; sleeps.
 * Return: the account, to be given back by pvgrant_account_put(), or NULL
 * without memory.
 */
struct pvgrant_account *pvgrant_account_new(void)
{
	struct pvgrant_account *account = kzalloc(sizeof(*account), GFP_KERNEL);

	if (account)
		account->users = 1;
	return account;
}

/**
 * pvgrant_account_put() - the device of an account goes
 * @account: the account, freed with the last page set aside on it; or NULL
 *
 * Context: any.
 */
void pvgrant_account_put(struct pvgrant_account *account)
{
	unsigned long flags;

	spin_lock_irqsave(&pvgrant_deferred_lock, flags);
	pvgrant_account_drop(account);
	spin_unlock_irqrestore(&pvgrant_deferred_lock, flags);
}

/**
 * pvgrant_account_pages() - pages set aside for a device
 * @account: its account, or NULL
 *
 * Context: any.
 * Return: their number; 0 without an account.
 */
unsigned int pvgrant_account_pages(const struct pvgrant_account *account)
{
	return account ? READ_ONCE(account->pages) : 0;
}

/**
 * pvgrant_account_full() - has a device as many pages set aside as it may have?
 * @account: its account, or NULL
 *
 * Context: any.
 * Return: true if it has as many as the parameter kept_pages allows, or more;
 * false while it has none.
 */
bool pvgrant_account_full(const struct pvgrant_account *account)
{
	unsigned int pages = pvgrant_account_pages(account);

	return pages && pages >= READ_ONCE(pvgrant_kept_pages);
}

/**
 * pvgrant_account_opened() - the account that this task has open
 *
 * Context: any.
 * Return: the account, or NULL if it has none open, as in an interrupt.
 */
struct pvgrant_account *pvgrant_account_opened(void)
{
	struct pvgrant_account *account;
	unsigned long flags;

	spin_lock_irqsave(&pvgrant_deferred_lock, flags);
	account = pvgrant_account_of_task();
	spin_unlock_irqrestore(&pvgrant_deferred_lock, flags);
	return account;
}

/**
 * pvgrant_charge_begin() - charge what this task abandons to an account
 * @charge: filled in; the caller's until pvgrant_charge_end()
 * @account: the account, or NULL
 */
void pvgrant_charge_begin(struct pvgrant_charge *charge,
			  struct pvgrant_account *account)
{
	unsigned long flags;

	charge->task = current;
	charge->account = account;
	spin_lock_irqsave(&pvgrant_deferred_lock, flags);
	list_add(&charge->list, &pvgrant_charges);
	spin_unlock_irqrestore(&pvgrant_deferred_lock, flags);
}

/**
 * pvgrant_charge_end() - undo pvgrant_charge_begin()
 * @charge: filled in by that
 *
 * Context: process.
 */
void pvgrant_charge_end(struct pvgrant_charge *charge)
{
	unsigned long flags;

	spin_lock_irqsave(&pvgrant_deferred_lock, flags);
	list_del(&charge->list);
	spin_unlock_irqrestore(&pvgrant_deferred_lock, flags);
}

/* Revoke what can be revoked; the rest stays on the list.  Does not wait. */
static void pvgrant_retry(struct work_struct *work)
{
	struct pvgrant_deferred *d, *next;
	unsigned int released = 0;
	unsigned long flags;
	LIST_HEAD(todo);
	LIST_HEAD(done);

	spin_lock_irqsave(&pvgrant_deferred_lock, flags);
	list_splice_init(&pvgrant_deferred_list, &todo);
	spin_unlock_irqrestore(&pvgrant_deferred_lock, flags);

	list_for_each_entry_safe(d, next, &todo, list) {
		if (!pvguest_grant_revoke(d->ref))
			continue;
		list_move_tail(&d->list, &done);
		pvgrant_give_back(&d->ref, 1);
		if (d->page)
			put_page(d->page);
		released++;
	}

	spin_lock_irqsave(&pvgrant_deferred_lock, flags);
	list_splice(&todo, &pvgrant_deferred_list);
	pvgrant_deferred_count -= released;
	pvgrant_released_count += released;
	list_for_each_entry_safe(d, next, &done, list) {
		if (d->account)
			d->account->pages--;
		pvgrant_account_drop(d->account);
		kfree(d);
	}
	if (pvgrant_deferred_count)
		schedule_delayed_work(&pvgrant_retry_work,
				      PVGRANT_RETRY_DELAY);
	spin_unlock_irqrestore(&pvgrant_deferred_lock, flags);
}

/*
 * The references of a pool whose device has too many pages set aside become
 * fewer: they would be missing to other devices.
 */
static void pvgrant_replace(struct pvgrant_pool *pool)
{
	grant_ref_t ref = pvgrant_account_full(pool->account) ? PVGRANT_NONE :
			  pvgrant_spare();

	if (ref == PVGRANT_NONE)
		pool->size--;
	else
		pvgrant_put(pool, ref);
}

/**
 * pvgrant_abandon() - leave a grant that cannot be revoked to the bus
 * @pool: pool that @ref was taken from, or NULL; it is given another
 *	reference, or is smaller by one if there is none, or if its device has
 *	too many such pages already
 * @ref: reference that pvguest_grant_revoke() could not revoke
 * @page: the page behind it, of which one reference count is to be put, or
 *	NULL if none is
 *
 * Page and reference are released when the back end has unmapped the page;
 * until then they are counted in debugfs pvguest/grants.  For a page of a
 * page_pool: get a reference count first, then put the page to its pool, which
 * releases a page that others still use.
 *
 * Context: any.
 */
void pvgrant_abandon(struct pvgrant_pool *pool, grant_ref_t ref,
		     struct page *page)
{
	struct pvgrant_deferred *d =
		kmalloc(sizeof(*d), GFP_ATOMIC | __GFP_NOWARN);
	struct pvgrant_account *account;
	unsigned long flags;

	if (pool)
		pvgrant_replace(pool);
	spin_lock_irqsave(&pvgrant_deferred_lock, flags);
	account = pool && pool->account ? pool->account :
		  pvgrant_account_of_task();
	if (d)
		*d = (struct pvgrant_deferred) { .ref = ref, .page = page };
	pvgrant_charge_page(account, d);
	if (d) {
		list_add_tail(&d->list, &pvgrant_deferred_list);
		if (!pvgrant_deferred_count++)
			schedule_delayed_work(&pvgrant_retry_work,
					      PVGRANT_RETRY_DELAY);
	} else {
		pvgrant_forgotten_count++;
	}
	spin_unlock_irqrestore(&pvgrant_deferred_lock, flags);
	pr_info_ratelimited("pvbus: gref %u: still in use by the back end (%d); %s\n",
			    ref, d ? -EBUSY : -ENOMEM,
			    d ? "set aside until it is unmapped" : "leaked");
}
EXPORT_SYMBOL_GPL(pvgrant_abandon);

/**
 * pvgrant_deferred_show() - this part's lines of debugfs pvguest/grants
 * @m: the file
 *
 * Context: process.
 */
void pvgrant_deferred_show(struct seq_file *m)
{
	seq_printf(m, "deferred %u\n", pvgrant_deferred_count);
	seq_printf(m, "released_late %u\n", pvgrant_released_count);
	seq_printf(m, "forgotten %u\n", pvgrant_forgotten_count);
}
