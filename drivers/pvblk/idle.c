// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that rings have made for more requests than they have now: they are
 * given back after a while, and at once where memory is short.
 */
#include <linux/shrinker.h>
#include <linux/workqueue.h>

#include "pvblk.h"

/* Disks that have a name. */
LIST_HEAD(pvblk_disks);
/* Protects the list. */
DEFINE_MUTEX(pvblk_disks_lock);

/**
 * pvblk_idle() - give back pages that a ring has not used for a while
 * @work: member idle of the ring
 *
 * Half of them each time: they may be needed again.
 *
 * Context: process.
 */
void pvblk_idle(struct work_struct *work)
{
	struct pvblk_queue *q = container_of(to_delayed_work(work),
					     struct pvblk_queue, idle);
	unsigned int idle = pvblk_pages_idle(&q->cache);

	pvblk_pages_shrink(&q->cache, DIV_ROUND_UP(idle, 2));
	if (READ_ONCE(q->cache.count) > READ_ONCE(q->cache.base))
		schedule_delayed_work(&q->idle, PVBLK_IDLE_TIME);
	else
		/* There may be grant references again, or memory. */
		WRITE_ONCE(q->cache.full, false);
}

/* The disk's rings, made before their number is known. */
static unsigned int pvblk_queues_of(const struct pvblk_disk *disk)
{
	/* Pairs with pvblk_make_queues(). */
	return smp_load_acquire(&disk->nr_queues);
}

static unsigned long pvblk_count_objects(struct shrinker *shrinker,
					 struct shrink_control *sc)
{
	struct pvblk_disk *disk;
	unsigned long pages = 0;
	unsigned int i;

	/* Its holder may be waiting for memory. */
	if (!mutex_trylock(&pvblk_disks_lock))
		return 0;
	list_for_each_entry(disk, &pvblk_disks, list)
		for (i = 0; i < pvblk_queues_of(disk); i++)
			pages += pvblk_pages_spare(&disk->queues[i].cache);
	mutex_unlock(&pvblk_disks_lock);
	return pages;
}

static unsigned long pvblk_scan_objects(struct shrinker *shrinker,
					struct shrink_control *sc)
{
	struct pvblk_disk *disk;
	unsigned long done = 0;
	unsigned int i;

	if (!mutex_trylock(&pvblk_disks_lock))
		return SHRINK_STOP;
	list_for_each_entry(disk, &pvblk_disks, list)
		for (i = 0; i < pvblk_queues_of(disk) &&
		     done < sc->nr_to_scan; i++)
			done += pvblk_pages_shrink(&disk->queues[i].cache,
						   sc->nr_to_scan - done);
	mutex_unlock(&pvblk_disks_lock);
	return done ?: SHRINK_STOP;
}

/**
 * pvblk_shrinker_init() - register the shrinker
 *
 * Context: boot.
 * Return: 0 or -ENOMEM.
 */
int pvblk_shrinker_init(void)
{
	struct shrinker *shrinker = shrinker_alloc(0, "pvblk");

	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = pvblk_count_objects;
	shrinker->scan_objects = pvblk_scan_objects;
	shrinker_register(shrinker);
	return 0;
}
