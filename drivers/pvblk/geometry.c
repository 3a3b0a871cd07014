// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heads, sectors and cylinders of a disk that has none.
 *
 * Partition tables have places in that form, and boot loaders and old installers
 * ask for it (HDIO_GETGEO).  A PC's firmware says 255 heads of 63 sectors for any
 * disk of more than 8 GB, and partitioning programs assume it.
 */
#include <linux/blkdev.h>
#include <linux/hdreg.h>
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "geometry.h"

#define PVBLK_HEADS		255
#define PVBLK_TRACK_SECTORS	63

/**
 * pvblk_getgeo() - make up the geometry of a disk
 * @bdev: the disk, or a partition of it
 * @geo: filled in, but for the start of the partition, which the core knows
 *
 * Context: process.
 * Return: 0.
 */
int pvblk_getgeo(struct block_device *bdev, struct hd_geometry *geo)
{
	sector_t cylinders = get_capacity(bdev->bd_disk) /
			     (PVBLK_HEADS * PVBLK_TRACK_SECTORS);

	geo->heads = PVBLK_HEADS;
	geo->sectors = PVBLK_TRACK_SECTORS;
	/* At least 1: programs divide by it. */
	geo->cylinders = clamp(cylinders, (sector_t)1, (sector_t)U16_MAX);
	return 0;
}
