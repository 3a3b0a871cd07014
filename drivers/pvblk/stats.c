// SPDX-License-Identifier: GPL-2.0-only
/* Counters of each ring: /sys/kernel/debug/pvblk/DISK, a line for each. */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "pvblk.h"

static struct dentry *pvblk_debugfs_root;

static int pvblk_stats_show(struct seq_file *m, void *unused)
{
	struct pvblk_disk *disk = m->private;
	unsigned int i;

	for (i = 0; i < disk->nr_queues; i++) {
		struct pvblk_queue *q = &disk->queues[i];
		struct pvblk_stats s;
		struct pvblk_cache c;

		spin_lock_irq(&q->lock);
		s = q->stats;
		c = q->cache;
		spin_unlock_irq(&q->lock);
		seq_printf(m, "ring%u requests %llu responses %llu notified %llu events %llu idle_events %llu granted %llu revoked %llu copied %llu put_off %llu short_of_pages %llu full %llu reissued %llu timeouts %llu pages %u\n",
			   i, s.requests, s.responses, s.notified, s.events,
			   s.idle_events, c.granted, c.revoked, s.copied, s.put_off,
			   s.short_of_pages, s.full, s.reissued, s.timeouts,
			   c.count);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pvblk_stats);

/**
 * pvblk_stats_init() - make the directory
 *
 * Context: boot, before any disk.
 */
void pvblk_stats_init(void)
{
	pvblk_debugfs_root = debugfs_create_dir("pvblk", NULL);
}

/**
 * pvblk_stats_add() - show a disk's counters
 * @disk: the disk, which has its name
 *
 * Context: process.
 */
void pvblk_stats_add(struct pvblk_disk *disk)
{
	debugfs_create_file(disk->name.name, 0400, pvblk_debugfs_root, disk,
			    &pvblk_stats_fops);
}

/**
 * pvblk_stats_remove() - undo pvblk_stats_add()
 * @disk: the disk
 *
 * Context: process; waits for readers.
 */
void pvblk_stats_remove(struct pvblk_disk *disk)
{
	debugfs_lookup_and_remove(disk->name.name, pvblk_debugfs_root);
}
