// SPDX-License-Identifier: GPL-2.0-only
/*
 * The disk as Linux sees it: its size and nature, who has it open, how it
 * appears and how it goes.
 */
#include <linux/cdrom.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "pvblk.h"

/* Reading the partition table takes that long at most before we go on. */
#define ADD_PATIENCE	(10 * HZ)

static bool is_cdrom(const struct pvblk_disk *disk)
{
	return disk->feature.info & VDISK_CDROM;
}

/* The block layer holds the disk's open_mutex around open and release. */
static int disk_open(struct gendisk *gd, blk_mode_t mode)
{
	struct pvblk_disk *disk = gd->private_data;

	if (READ_ONCE(disk->closed))
		return -ENXIO;
	if ((mode & BLK_OPEN_WRITE) && get_disk_ro(gd))
		return -EROFS;
	return 0;
}

static void disk_release(struct gendisk *gd)
{
	struct pvblk_disk *disk = gd->private_data;

	if (READ_ONCE(disk->may_close) && disk->dev && !disk_openers(gd)) {
		WRITE_ONCE(disk->may_close, false);
		WRITE_ONCE(disk->closed, true);
		pvbus_may_close(disk->dev);
	}
}

/* What tells programs that this is a CD, and all that it can do. */
static int disk_ioctl(struct block_device *bdev, blk_mode_t mode,
		      unsigned int cmd, unsigned long arg)
{
	struct pvblk_disk *disk = bdev->bd_disk->private_data;
	struct cdrom_multisession none = {};

	if (!is_cdrom(disk))
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

static void disk_free(struct gendisk *gd)
{
	struct pvblk_disk *disk = gd->private_data;

	kfree(disk->queues);
	kfree(disk);
}

static const struct block_device_operations disk_fops = {
	.owner		= THIS_MODULE,
	.open		= disk_open,
	.release	= disk_release,
	.ioctl		= disk_ioctl,
	.compat_ioctl	= blkdev_compat_ptr_ioctl,
	.free_disk	= disk_free,
};

/*
 * Reads the partition table, that is, waits for the back end: not in a call
 * from the bus, which could then not tell us that the back end has gone.
 */
static void add_disk_work(struct work_struct *work)
{
	struct pvblk_disk *disk = container_of(work, struct pvblk_disk, add);
	int ret = device_add_disk(&disk->dev->dev, disk->gd, NULL);

	disk->added = !ret;
	if (ret)
		dev_err(&disk->dev->dev, "Linux does not take the disk as %s (%d)\n",
			disk->name.name, ret);
	complete(&disk->add_done);
}

static int make_gendisk(struct pvblk_disk *disk)
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
	gd->fops = &disk_fops;
	gd->private_data = disk;
	if (disk->feature.info & (VDISK_REMOVABLE | VDISK_CDROM))
		gd->flags |= GENHD_FL_REMOVABLE;
	if (is_cdrom(disk) || disk->name.minors == 1)
		gd->flags |= GENHD_FL_NO_PART;
	init_completion(&disk->add_done);
	INIT_WORK(&disk->add, add_disk_work);
	disk->gd = gd;
	return 0;
}

static int renew_limits(struct pvblk_disk *disk)
{
	struct request_queue *q = disk->gd->queue;
	struct queue_limits lim = queue_limits_start_update(q);

	pvblk_set_limits(disk, &lim);
	return queue_limits_commit_update(q, &lim);
}

/**
 * pvblk_connected() - the back end is connected, for the first time or again
 * @dev: the device
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
		pvbus_fail(dev, "sector-size: %u is not %u any more",
			   f.sector_size, disk->feature.sector_size);
		return -EPROTO;
	}
	disk->feature = f;
	ret = first ? make_gendisk(disk) : renew_limits(disk);
	if (ret) {
		dev_err(&dev->dev, "no memory for the disk (%d)\n", ret);
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
	if (!wait_for_completion_timeout(&disk->add_done, ADD_PATIENCE))
		dev_warn(&dev->dev, "%s: the back end does not answer; waiting\n",
			 disk->name.name);
	return 0;
}

/** pvblk_changed() - the back end's nodes have changed: perhaps a new size */
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
	dev_info(&dev->dev, "%s: %llu sectors now\n", disk->name.name, sectors);
}

/**
 * pvblk_closing() - the back end wants to go: -EBUSY if the disk is in use
 * @dev: the device
 *
 * Without open_mutex, whose holder may be reading a partition table from a back
 * end that never answers.  disk_release() runs after the count of openers has
 * been lowered, so one of us sees the other.
 */
int pvblk_closing(struct pvbus_device *dev)
{
	struct pvblk_disk *disk = pvbus_priv(dev);

	if (!disk->gd)
		return 0;
	WRITE_ONCE(disk->may_close, true);
	/* The wish before the count; pairs with disk_release(). */
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
 * pvblk_put() - free a disk, or have its last user do it
 * @disk: deleted
 */
void pvblk_put(struct pvblk_disk *disk)
{
	if (disk->added) {
		/* disk_free() follows. */
		blk_mq_free_tag_set(&disk->set);
		put_disk(disk->gd);
		return;
	}
	if (disk->gd)
		put_disk(disk->gd);
	if (disk->queues)
		blk_mq_free_tag_set(&disk->set);
	kfree(disk->queues);
	kfree(disk);
}
