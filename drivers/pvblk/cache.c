// SPDX-License-Identifier: GPL-2.0-only
/*
 * A back end's volatile cache, and what is lost with it: after a back end has
 * gone, writes that it had acknowledged need not be on the disk that its
 * successor serves.  The next flush fails then, as that of a disk that has lost
 * its cache.  It fails once: of two file systems on the disk, the one that flushes
 * first learns of the loss.
 */
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "pvblk.h"

/*
 * A back end that is part of a kernel (directory .../backend/vbd/...) leaves
 * what it has acknowledged with the disk below it, and the disk with the domain;
 * a program's may be lost with the program.  NULL for a program's.
 */
static const char *pvblk_kernel_of(const struct pvbus_device *dev)
{
	if (!strstr(dev->backend, "/backend/vbd/"))
		return NULL;
	return dev->backend;
}

/**
 * pvblk_cache_connected() - a back end is connected, perhaps another one
 * @disk: the disk, not online yet
 * @had_cache: its last back end had a cache that is flushed
 *
 * A new directory, or one of a program, stands for another back end.
 *
 * Context: process.
 */
void pvblk_cache_connected(struct pvblk_disk *disk, bool had_cache)
{
	const char *kernel = pvblk_kernel_of(disk->dev);
	bool same = kernel && disk->kernel && !strcmp(kernel, disk->kernel);

	if (had_cache && disk->unflushed && !same) {
		dev_err(&disk->dev->dev, "%s: writes since the last flush may be lost with the back end's cache (%d); the next flush fails\n",
			disk->name.name, -EIO);
		disk->losses++;
		disk->lost = true;
	}
	if (same)
		return;
	kfree(disk->kernel);
	disk->kernel = kernel ? kstrdup(kernel, GFP_NOIO) : NULL;
	disk->unflushed = false;
}
