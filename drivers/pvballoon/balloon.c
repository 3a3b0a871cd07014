// SPDX-License-Identifier: GPL-2.0-only
/*
 * The balloon: how much of the memory that the domain was started with it has
 * now, by the tool stack's target, XenStore's node memory/target (KiB).
 *
 * A page of the balloon belongs to Linux's allocator no more: no reader of all
 * memory looks at it (PageOffline), it counts as no memory of the machine, and no
 * frame is behind it.
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>
#include <pvbus/store.h>
#include <pvguest/parameter.h>
#include <pvguest/platform.h>

#include "pvballoon.h"

/* A difference of fewer pages is none: a tool stack rounds. */
#define PVBALLOON_SLACK		16
/* Batches between two looks at the target. */
#define PVBALLOON_ROUND		16
/* Seconds between two attempts at what cannot be done now. */
#define PVBALLOON_MAX_DELAY	32
/* Pages that Linux keeps free or easily freed: at least so many, and a part of all. */
#define PVBALLOON_LEAST_SPARE	(SZ_8M >> PAGE_SHIFT)
#define PVBALLOON_SPARE_PART	16

#define PVBALLOON_KIB(pages)	((pages) << (PAGE_SHIFT - 10))

/*
 * Not __GFP_MOVABLE, as nothing moves a page of the balloon.  An allocation that
 * fails is tried again later; none has a program killed, or uses the reserves.
 */
#define PVBALLOON_GFP	(GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN | \
			 __GFP_NORETRY | __GFP_NOMEMALLOC)

/*
 * Changed by the one work item.
 * @pages: the balloon, linked by their lru
 * @held: their number
 * @target: pages that the domain should have
 * @moving: a difference was more than slack, and is not gone yet
 * @problem: errno of the node's value, or 0; logged once
 * @stuck: errno of the last attempt, or 0; logged once
 * @delay: seconds until the next
 */
static struct {
	struct list_head pages;
	unsigned long held;
	unsigned long target;
	bool moving;
	int problem;
	int stuck;
	unsigned int delay;
} pvballoon = { .pages = LIST_HEAD_INIT(pvballoon.pages), .delay = 1 };

static struct workqueue_struct *pvballoon_queue;
static struct page *pvballoon_batch[PVGUEST_MEMORY_BATCH];

/**
 * pvballoon_target() - how many pages the domain should have
 *
 * Context: any.
 * Return: their number.
 */
unsigned long pvballoon_target(void)
{
	return READ_ONCE(pvballoon.target);
}

/**
 * pvballoon_pages() - how many pages are in the balloon
 *
 * Context: any.
 * Return: their number.
 */
unsigned long pvballoon_pages(void)
{
	return READ_ONCE(pvballoon.held);
}

/* Free swap takes what there is to swap out, however much of it there is. */
static long pvballoon_swappable(void)
{
	long pages = global_node_page_state(NR_ACTIVE_ANON) +
		     global_node_page_state(NR_INACTIVE_ANON);

	return min(pages, get_nr_swap_pages());
}

/* Pages that Linux can do without: of the rest a program would soon be killed. */
static long pvballoon_spare(void)
{
	long keep = max_t(long, PVBALLOON_LEAST_SPARE,
			  pvguest_memory_at_boot() / PVBALLOON_SPARE_PART);

	return si_mem_available() + pvballoon_swappable() - keep;
}

/* @more pages have gone into the list, or come out of it. */
static void pvballoon_count(long more)
{
	WRITE_ONCE(pvballoon.held, pvballoon.held + more);
}

static void pvballoon_mark_offline(unsigned int first, unsigned int end,
				   bool offline)
{
	unsigned int i;

	/* Waits for those who have looked at the mark and read the page now. */
	page_offline_begin();
	for (i = first; i < end; i++) {
		if (offline)
			__SetPageOffline(pvballoon_batch[i]);
		else
			__ClearPageOffline(pvballoon_batch[i]);
	}
	page_offline_end();
}

/* Give up to @most pages to the hypervisor.  Returns 0 if it was any, or an error. */
static int pvballoon_inflate(unsigned long most)
{
	long spare = pvballoon_spare();
	unsigned int n, i, given;
	int ret;

	most = min3(most, (unsigned long)max(spare, 0L),
		    (unsigned long)PVGUEST_MEMORY_BATCH);
	for (n = 0; n < most; n++) {
		pvballoon_batch[n] = alloc_page(PVBALLOON_GFP);
		if (!pvballoon_batch[n])
			break;
	}
	if (!n)
		return -ENOMEM;
	pvballoon_mark_offline(0, n, true);
	ret = pvguest_memory_give(pvballoon_batch, n, &given);
	pvballoon_mark_offline(given, n, false);
	for (i = 0; i < given; i++) {
		list_add(&pvballoon_batch[i]->lru, &pvballoon.pages);
		adjust_managed_page_count(pvballoon_batch[i], -1);
	}
	pvballoon_count(given);
	for (; i < n; i++)
		__free_page(pvballoon_batch[i]);
	return given ? 0 : ret;
}

/* Take up to @most pages from the hypervisor.  Returns as pvballoon_inflate(). */
static int pvballoon_deflate(unsigned long most)
{
	unsigned int n = 0, i, taken;
	struct page *page;
	int ret;

	most = min_t(unsigned long, most, PVGUEST_MEMORY_BATCH);
	list_for_each_entry(page, &pvballoon.pages, lru) {
		if (n == most)
			break;
		pvballoon_batch[n++] = page;
	}
	ret = pvguest_memory_take(pvballoon_batch, n, &taken);
	pvballoon_mark_offline(0, taken, false);
	for (i = 0; i < taken; i++) {
		list_del(&pvballoon_batch[i]->lru);
		adjust_managed_page_count(pvballoon_batch[i], 1);
		__free_page(pvballoon_batch[i]);
	}
	pvballoon_count(-(long)taken);
	return taken ? 0 : ret;
}

/* The difference in pages: more than 0 if the balloon should grow. */
static long pvballoon_difference(void)
{
	unsigned long boot = pvguest_memory_at_boot();

	return (long)(boot - min(boot, pvballoon.target)) - (long)pvballoon.held;
}

/* Once it moves, it goes all the way. */
static bool pvballoon_is_due(void)
{
	long difference = pvballoon_difference();

	if (!difference)
		pvballoon.moving = false;
	else if (abs(difference) >= PVBALLOON_SLACK)
		pvballoon.moving = true;
	return pvballoon.moving;
}

static int pvballoon_step(void)
{
	long difference = pvballoon_difference();
	int ret = difference > 0 ? pvballoon_inflate(difference) :
				   pvballoon_deflate(-difference);

	if (!ret) {
		pvballoon.delay = 1;
		return 0;
	}
	if (ret != pvballoon.stuck)
		pr_warn("pvballoon: memory/target: %ld KiB are missing, as %s (%d); trying again and again\n",
			PVBALLOON_KIB(abs(difference)),
			difference > 0 && ret == -ENOMEM ?
			"Linux has no more to spare" : "the hypervisor refuses",
			ret);
	pvballoon.stuck = ret;
	return ret;
}

/* The greatest target, KiB: the domain's maximum, or no limit if that cannot be read. */
static unsigned long long pvballoon_max_kib(void)
{
	unsigned long long max;

	if (pvstore_read_uint(PVSTORE_NO_TXN, "memory", "static-max", &max))
		return ULLONG_MAX;
	return max;
}

/* The number of KiB in @value, or what is wrong with it. */
static int pvballoon_parse(const char *value, unsigned long long *kib)
{
	if (kstrtoull(value, 10, kib))
		return -EINVAL;
	return *kib && *kib <= pvballoon_max_kib() ? 0 : -ERANGE;
}

static void pvballoon_complain(int problem, const char *value)
{
	if (problem == -EINVAL)
		pr_err("pvballoon: memory/target: '%.*s' is no number of KiB (%d); ignored\n",
		       pvguest_shown(value), value, problem);
	else if (problem == -ERANGE)
		pr_err("pvballoon: memory/target: %.*s KiB is zero or above the domain's maximum (%d); ignored\n",
		       pvguest_shown(value), value, problem);
	/* A node that is missing is not worth a line; of -EPROTO there is one. */
	else if (problem != -ENOENT && problem != -EPROTO)
		pr_err("pvballoon: memory/target: cannot be read (%d); ignored until it changes\n",
		       problem);
}

static void pvballoon_aim(unsigned long target)
{
	unsigned long boot = pvguest_memory_at_boot();

	if (target == pvballoon.target)
		return;
	if (target > boot)
		pr_info("pvballoon: memory/target: more than the %lu KiB of the start (%d); using these\n",
			PVBALLOON_KIB(boot), -ENOSPC);
	WRITE_ONCE(pvballoon.target, target);
	pvballoon.stuck = 0;
	pvballoon.delay = 1;
}

/* A value that cannot be read, or is refused, leaves the target as it is. */
static void pvballoon_look(void)
{
	unsigned long long kib;
	char *value = NULL;
	int ret;

	ret = pvstore_read(PVSTORE_NO_TXN, "memory", "target", &value, NULL);
	if (!ret)
		ret = pvballoon_parse(value, &kib);
	if (ret && ret != pvballoon.problem)
		pvballoon_complain(ret, value ?: "");
	pvballoon.problem = ret;
	kfree(value);
	if (!ret)
		pvballoon_aim(kib >> (PAGE_SHIFT - 10));
}

static void pvballoon_worker(struct work_struct *work);
static DECLARE_DELAYED_WORK(pvballoon_work, pvballoon_worker);

static void pvballoon_worker(struct work_struct *work)
{
	unsigned int i;
	int ret = 0;

	pvballoon_look();
	for (i = 0; i < PVBALLOON_ROUND && !ret && pvballoon_is_due(); i++) {
		ret = pvballoon_step();
		cond_resched();
	}
	if (!pvballoon_is_due()) {
		pvballoon.stuck = 0;
		return;
	}
	queue_delayed_work(pvballoon_queue, &pvballoon_work,
			   ret ? pvballoon.delay * HZ : 0);
	if (ret)
		pvballoon.delay = min(pvballoon.delay * 2, PVBALLOON_MAX_DELAY);
}

static void pvballoon_changed(struct pvstore_watch *watch, const char *path)
{
	mod_delayed_work(pvballoon_queue, &pvballoon_work, 0);
}

static struct pvstore_watch pvballoon_node = { "memory/target", pvballoon_changed };

static void pvballoon_start_worker(struct work_struct *work)
{
	static bool logged;
	int ret;

	/*
	 * At the end of the boot mark_rodata_ro() takes execution from the image page
	 * by page, also where free_initmem() has made its pages Linux's memory.  It
	 * would stop at one that is not mapped, and leave those behind it executable;
	 * or map one whose frame goes just then.
	 */
	if (system_state < SYSTEM_RUNNING) {
		schedule_delayed_work(to_delayed_work(work), HZ);
		return;
	}
	ret = pvstore_watch(&pvballoon_node);
	if (!ret) {
		/* A tool stack that has made the node asks for it. */
		if (pvstore_exists(PVSTORE_NO_TXN, "control", "feature-balloon"))
			pvstore_write(PVSTORE_NO_TXN, "control", "feature-balloon", "1");
		return;
	}
	if (!logged)
		pr_err("pvballoon: memory/target: cannot be watched (%d); memory stays as it is until it can\n",
		       ret);
	logged = true;
	if (ret != -EPROTO && ret != -ENODEV)
		schedule_delayed_work(to_delayed_work(work), HZ);
}

static DECLARE_DELAYED_WORK(pvballoon_start, pvballoon_start_worker);

static int __init pvballoon_init(void)
{
	if (!pvstore_present())
		return 0;
	pvballoon.target = pvguest_memory_at_boot();
	pvballoon_queue = alloc_workqueue("pvballoon", WQ_UNBOUND | WQ_FREEZABLE, 1);
	if (!pvballoon_queue)
		return -ENOMEM;
	schedule_delayed_work(&pvballoon_start, 0);
	return 0;
}
late_initcall(pvballoon_init);
