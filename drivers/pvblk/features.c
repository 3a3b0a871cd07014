// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connected back end's nodes about its disk: each is read once, checked, and
 * turned into limits of Linux's block layer.
 *
 * A bad value without which there is no disk ends the connection; any other is
 * replaced by the default that the header (io/blkif.h) gives.
 */
#include <linux/bits.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <pvbus/store.h>

#include "pvblk.h"

/* Largest physical block that is passed to the block layer. */
#define MAX_PHYSICAL	BIT(20)

static int pvblk_read_required(struct pvbus_device *dev, const char *node,
			       unsigned long long *value)
{
	int ret = pvstore_read_uint(PVSTORE_NO_TXN, dev->backend, node, value);

	if (ret)
		pvbus_fail(dev, "%s/%s: cannot be read as a number (%d)",
			   dev->backend, node, ret);
	return ret;
}

/**
 * pvblk_read_sectors() - the disk's size
 * @dev: the device
 * @sector_size: bytes of a logical block
 * @sectors: set to the size in sectors of 512 bytes
 *
 * Older headers count logical blocks in this node; back ends have always
 * counted 512 bytes, as newer headers do.
 *
 * Context: process.
 * Return: 0, or a negative errno, which has been logged.
 */
int pvblk_read_sectors(struct pvbus_device *dev, unsigned int sector_size,
		       u64 *sectors)
{
	unsigned long long value;
	int ret = pvblk_read_required(dev, "sectors", &value);

	if (ret)
		return ret;
	if (value > S64_MAX / PVBLK_SECTOR) {
		pvbus_fail(dev, "sectors: %llu is out of range (%d)", value,
			   -EPROTO);
		return -EPROTO;
	}
	*sectors = round_down(value, sector_size / PVBLK_SECTOR);
	return 0;
}

static int pvblk_read_block_sizes(struct pvbus_device *dev,
				  struct pvblk_features *f)
{
	unsigned long long value;
	int ret = pvblk_read_required(dev, "sector-size", &value);

	if (ret)
		return ret;
	if (value < PVBLK_SECTOR || value > PAGE_SIZE || !is_power_of_2(value)) {
		pvbus_fail(dev, "sector-size: %llu is not 512, 1024, 2048 or 4096 (%d)",
			   value, -EPROTO);
		return -EPROTO;
	}
	f->sector_size = value;
	f->physical = pvstore_read_feature(dev->backend, "physical-sector-size",
					   f->sector_size, UINT_MAX);
	if (!is_power_of_2(f->physical) || f->physical < f->sector_size ||
	    f->physical > MAX_PHYSICAL) {
		dev_warn(&dev->dev, "physical-sector-size: %u is invalid (%d); using %u\n",
			 f->physical, -EINVAL, f->sector_size);
		f->physical = f->sector_size;
	}
	return 0;
}

static void pvblk_read_flush(struct pvbus_device *dev, struct pvblk_features *f)
{
	f->barrier = pvblk_params.flush &&
		     pvstore_read_feature(dev->backend, "feature-barrier", 0, 1);
	if (pvblk_params.flush > 1 &&
	    pvstore_read_feature(dev->backend, "feature-flush-cache", 0, 1))
		f->flush = BLKIF_OP_FLUSH_DISKCACHE;
	else if (f->barrier)
		/* A barrier without data flushes, and waits for writes. */
		f->flush = BLKIF_OP_WRITE_BARRIER;
}

static void pvblk_read_discard(struct pvbus_device *dev,
			       struct pvblk_features *f)
{
	f->discard = pvblk_params.discard &&
		     pvstore_read_feature(dev->backend, "feature-discard", 0, 1);
	if (!f->discard)
		return;
	f->secure = pvstore_read_feature(dev->backend, "discard-secure", 0, 1);
	f->granularity = pvstore_read_feature(dev->backend,
					      "discard-granularity",
					      f->sector_size, UINT_MAX);
	f->alignment = pvstore_read_feature(dev->backend, "discard-alignment",
					    0, UINT_MAX);
	/* Zero stands for unknown. */
	if (!f->granularity)
		f->granularity = f->sector_size;
	if (f->granularity % f->sector_size || f->granularity > S32_MAX) {
		dev_warn(&dev->dev, "discard-granularity: %u is invalid (%d); using %u\n",
			 f->granularity, -EINVAL, f->sector_size);
		f->granularity = f->sector_size;
		f->alignment = 0;
	}
	if (f->alignment % f->sector_size || f->alignment >= f->granularity) {
		if (f->alignment)
			dev_warn(&dev->dev, "discard-alignment: %u is invalid (%d); using 0\n",
				 f->alignment, -EINVAL);
		f->alignment = 0;
	}
}

/**
 * pvblk_read_features() - read all nodes about the disk
 * @dev: the device, whose back end is connected
 * @f: filled in
 *
 * Context: process.
 * Return: 0, or a negative errno, which has been logged.
 */
int pvblk_read_features(struct pvbus_device *dev, struct pvblk_features *f)
{
	int ret;

	*f = (struct pvblk_features) {};
	ret = pvblk_read_block_sizes(dev, f);
	if (!ret)
		ret = pvblk_read_sectors(dev, f->sector_size, &f->sectors);
	if (ret)
		return ret;
	f->info = pvstore_read_feature(dev->backend, "info", 0, UINT_MAX);
	f->persistent = pvstore_read_feature(dev->backend, "feature-persistent",
					     0, 1);
	pvblk_read_flush(dev, f);
	pvblk_read_discard(dev, f);
	return 0;
}

/**
 * pvblk_set_limits() - derive the block layer's limits from the features
 * @disk: the disk, its features read
 * @lim: changed accordingly
 *
 * All segments of a request are copied into the driver's pages, so that only its
 * size is limited.  Write-zeroes is left to the block layer, which writes
 * zeroes: discarding does not promise them (io/blkif.h, BLKIF_OP_DISCARD).
 * So is FUA, which becomes a write and a flush.
 */
void pvblk_set_limits(struct pvblk_disk *disk, struct queue_limits *lim)
{
	const struct pvblk_features *f = &disk->feature;

	lim->logical_block_size = f->sector_size;
	lim->physical_block_size = f->physical;
	lim->io_min = f->physical;
	lim->max_hw_sectors = disk->segments * PVBLK_SECTORS_PER_PAGE;
	lim->max_segments = USHRT_MAX;
	lim->max_segment_size = UINT_MAX;
	lim->max_hw_discard_sectors = f->discard ? UINT_MAX : 0;
	lim->max_secure_erase_sectors = f->secure ? UINT_MAX : 0;
	lim->discard_granularity = f->granularity;
	lim->discard_alignment = f->alignment;
	lim->features &= ~BLK_FEAT_WRITE_CACHE;
	/* The flush that is to fail must come, also to a disk without a cache. */
	if (f->flush || disk->lost)
		lim->features |= BLK_FEAT_WRITE_CACHE;
}
