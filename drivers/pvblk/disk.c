// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gendisk: its size and limits, opening and closing, its appearance and its
 * removal.
 */
#include <linux/cdrom.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "geometry.h"
#include "pvblk.h"

/* Time that the bus waits for the partition table to be read. */
#define PVBLK_ADD_TIME	(10 * HZ)

static bool pvblk_is_cdrom(const struct pvblk_disk *disk)
{
	return disk->feature.info & VDISK_CDROM;
}

/* The block layer holds the disk's open_mutex around open and release. */
static int pvblk_disk_open(struct gendisk *gd, blk_mode_t mode)
{
	struct pvblk_disk *disk = gd->private_data;

	if (READ_ONCE(disk->closed))
		return -ENXIO;
	if ((mode & BLK_OPEN_WRITE) && get_disk_ro(gd))
		return -EROFS;
	return 0;
}

static void pvblk_disk_release(struct gendisk *gd)
{
	struct pvblk_disk *disk = gd->private_data;

	if (READ_ONCE(disk->may_close) && disk->dev && !disk_openers(gd)) {
		WRITE_ONCE(disk->may_close, false);
		WRITE_ONCE(disk->closed, true);
		pvbus_may_close(disk->dev);
	}
}

/* By these calls programs recognise a CD; others are not supported. */
static int pvblk_disk_ioctl(struct block_device *bdev, blk_mode_t mode,
			    unsigned int cmd, unsigned long arg)
{
	struct pvblk_disk *disk = bdev->bd_disk->private_data;
	struct cdrom_multisession none = {};

	if (!pvblk_is_cdrom(disk))
		return -ENOTTY;
	switch (cmd) {
	case CDROM_GET_CAPABILITY:
		return 0;
	case CDROMMULTISESSION:
		return copy_to_user((void __user *)arg, &none, sizeof(none)) ?
			-EFAULT : 0;
	default:
		return -ENOTTY;
	}
}

static void pvblk_disk_free(struct gendisk *gd)
{
	struct pvblk_disk *disk = gd->private_data;

	kfree(disk->queues);
	kfree(disk->kernel);
	kfree(disk);
}

static const struct block_device_operations pvblk_disk_fops = {
	.owner		= THIS_MODULE,
	.open		= pvblk_disk_open,
	.release	= pvblk_disk_release,
	.ioctl		= pvblk_disk_ioctl,
	.compat_ioctl	= blkdev_compat_ptr_ioctl,
	.getgeo		= pvblk_getgeo,
	.free_disk	= pvblk_disk_free,
};

/*
 * Reads the partition table, and so waits for the back end: not in a call from
 * the bus, which could then not handle that the back end goes away.
 */
static void pvblk_add_disk_worker(struct work_struct *work)
{
	struct pvblk_disk *disk = container_of(work, struct pvblk_disk, add);
	int ret = device_add_disk(&disk->dev->dev, disk->gd, NULL);

	disk->added = !ret;
	if (ret)
		dev_err(&disk->dev->dev, "%s: cannot be added (%d); there will be no disk\n",
			disk->name.name, ret);
	complete(&disk->add_done);
}

static int pvblk_commit_limits(struct pvblk_disk *disk)
{
	struct request_queue *q = disk->gd->queue;
	struct queue_limits lim = q->limits;

	lockdep_assert_held(&q->limits_lock);
	pvblk_set_limits(disk, &lim);
	/* Gives the lock back. */
	return queue_limits_commit_update(q, &lim);
}

static void pvblk_limits_worker(struct work_struct *work)
{
	struct pvblk_disk *disk = container_of(work, struct pvblk_disk, limits);
	int ret;

	mutex_lock(&disk->gd->queue->limits_lock);
	ret = pvblk_commit_limits(disk);
	if (ret)
		pr_err("pvblk: %s: limits: refused by the block layer (%d); left as they were\n",
		       disk->name.name, ret);
}

/*
 * The lock's holder, such as a program that writes to the queue's attributes,
 * may be waiting for the requests that wait for us to be connected.  Then the
 * limits are set later: a request within the former ones is sent in parts if it
 * is too large, and a flush must not be left out meanwhile.
 */
static int pvblk_update_limits(struct pvblk_disk *disk)
{
	struct request_queue *q = disk->gd->queue;

	if (mutex_trylock(&q->limits_lock))
		return pvblk_commit_limits(disk);
	if (disk->feature.flush)
		WRITE_ONCE(q->limits.features,
			   q->limits.features | BLK_FEAT_WRITE_CACHE);
	queue_work(system_unbound_wq, &disk->limits);
	return 0;
}

static int pvblk_make_gendisk(struct pvblk_disk *disk)
{
	struct queue_limits lim = {};
	struct gendisk *gd;

	pvblk_set_limits(disk, &lim);
	gd = blk_mq_alloc_disk(&disk->set, &lim, disk);
	if (IS_ERR(gd))
		return PTR_ERR(gd);
	strscpy(gd->disk_name, disk->name.name, sizeof(gd->disk_name));
	gd->major = PVBLK_MAJOR;
	gd->first_minor = disk->name.minor;
	gd->minors = disk->name.minors;
	gd->fops = &pvblk_disk_fops;
	gd->private_data = disk;
	if (disk->feature.info & (VDISK_REMOVABLE | VDISK_CDROM))
		gd->flags |= GENHD_FL_REMOVABLE;
	if (pvblk_is_cdrom(disk) || disk->name.minors == 1)
		gd->flags |= GENHD_FL_NO_PART;
	init_completion(&disk->add_done);
	INIT_WORK(&disk->add, pvblk_add_disk_worker);
	INIT_WORK(&disk->limits, pvblk_limits_worker);
	disk->gd = gd;
	return 0;
}

/**
 * pvblk_connected() - the back end is connected, for the first time or again
 * @dev: the device
 *
 * Context: process.
 * Return: 0 or a negative errno, which has been logged.
 */
int pvblk_connected(struct pvbus_device *dev)
{
	struct pvblk_disk *disk = pvbus_priv(dev);
	struct pvblk_features f;
	bool first = !disk->gd;
	int ret;

	ret = pvblk_read_features(dev, &f);
	if (ret)
		return ret;
	if (!first && f.sector_size != disk->feature.sector_size) {
		pvbus_fail(dev, "sector-size: %u instead of %u (%d)",
			   f.sector_size, disk->feature.sector_size, -EPROTO);
		return -EPROTO;
	}
	pvblk_cache_connected(disk, !first && disk->feature.flush);
	disk->feature = f;
	ret = first ? pvblk_make_gendisk(disk) : pvblk_update_limits(disk);
	if (ret) {
		dev_err(&dev->dev, "%s: cannot be set up (%d); not connected\n",
			disk->name.name, ret);
		return ret;
	}
	set_disk_ro(disk->gd, f.info & (VDISK_READONLY | VDISK_CDROM));
	set_capacity_and_notify(disk->gd, f.sectors);
	dev_info(&dev->dev, "%s: %llu sectors, %u ring%s of %u requests, %u segments%s%s\n",
		 disk->name.name, f.sectors, disk->nr_rings,
		 disk->nr_rings > 1 ? "s" : "", disk->queues->wire.ring.entries,
		 disk->segments,
		 f.persistent && pvblk_params.persistent ? ", persistent" : "",
		 get_disk_ro(disk->gd) ? ", read-only" : "");
	disk->may_close = false;
	disk->closed = false;
	pvblk_go_online(disk);
	if (!first)
		return 0;

	queue_work(system_unbound_wq, &disk->add);
	if (!wait_for_completion_timeout(&disk->add_done, PVBLK_ADD_TIME))
		dev_warn(&dev->dev, "%s: partition table not read after %u s (%d); going on without\n",
			 disk->name.name, PVBLK_ADD_TIME / HZ, -ETIMEDOUT);
	return 0;
}

/**
 * pvblk_changed() - a node of the back end may have changed: read the size
 * @dev: the device
 *
 * Context: process.
 */
void pvblk_changed(struct pvbus_device *dev)
{
	struct pvblk_disk *disk = pvbus_priv(dev);
	u64 sectors;

	if (!disk->gd ||
	    pvblk_read_sectors(dev, disk->feature.sector_size, &sectors) ||
	    sectors == disk->feature.sectors)
		return;
	disk->feature.sectors = sectors;
	set_capacity_and_notify(disk->gd, sectors);
	dev_info(&dev->dev, "%s: now %llu sectors\n", disk->name.name, sectors);
}

/**
 * pvblk_closing() - the back end is Closing
 * @dev: the device
 *
 * Without open_mutex, whose holder may be reading a partition table from a
 * silent back end.  pvblk_disk_release() runs after the count of openers has
 * been lowered, so either function sees what the other has written.
 *
 * Context: process.
 * Return: 0, or -EBUSY if the disk is in use; pvbus_may_close() follows.
 */
int pvblk_closing(struct pvbus_device *dev)
{
	struct pvblk_disk *disk = pvbus_priv(dev);

	if (!disk->gd)
		return 0;
	WRITE_ONCE(disk->may_close, true);
	/* may_close before the count; pairs with pvblk_disk_release(). */
	smp_mb();
	if (disk_openers(disk->gd))
		return -EBUSY;
	WRITE_ONCE(disk->may_close, false);
	WRITE_ONCE(disk->closed, true);
	return 0;
}

/**
 * pvblk_delete() - the device goes away for good, and the disk with it
 * @disk: disconnected
 */
void pvblk_delete(struct pvblk_disk *disk)
{
	struct gendisk *gd = disk->gd;

	if (!gd)
		return;
	/* First, since all that follows may wait for requests. */
	pvblk_fail_all(disk);
	flush_work(&disk->add);
	flush_work(&disk->limits);
	mutex_lock(&gd->open_mutex);
	disk->closed = true;
	disk->dev = NULL;
	mutex_unlock(&gd->open_mutex);
	if (disk->added) {
		blk_mark_disk_dead(gd);
		del_gendisk(gd);
	}
}

/**
 * pvblk_put() - free a disk, at once or when its last user closes it
 * @disk: deleted
 */
void pvblk_put(struct pvblk_disk *disk)
{
	if (disk->added) {
		/* pvblk_disk_free() follows. */
		blk_mq_free_tag_set(&disk->set);
		put_disk(disk->gd);
		return;
	}
	if (disk->gd)
		put_disk(disk->gd);
	if (disk->queues)
		blk_mq_free_tag_set(&disk->set);
	kfree(disk->queues);
	kfree(disk->kernel);
	kfree(disk);
}
