// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block front end: what the command line may say, and what the bus calls.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <pvbus/store.h>

#include "pvblk.h"

struct pvblk_params pvblk_params = {
	.ring_order	= 1,
	.indirect	= 64,
	.persistent	= 1,
	.flush		= 2,
	.discard	= 1,
	.timeout	= 30,
};

/* A parameter and what it may be. */
struct param_range {
	unsigned int *value;
	unsigned int min, max;
};

static int range_set(const char *text, const struct kernel_param *kp)
{
	const struct param_range *r = kp->arg;
	unsigned int value;

	if (kstrtouint(text, 0, &value) || value < r->min || value > r->max) {
		pr_err("%s=%s ignored: it takes %u to %u\n", kp->name, text,
		       r->min, r->max);
		return -EINVAL;
	}
	*r->value = value;
	return 0;
}

static int range_get(char *buf, const struct kernel_param *kp)
{
	const struct param_range *r = kp->arg;

	return sysfs_emit(buf, "%u\n", *r->value);
}

static const struct kernel_param_ops range_ops = {
	.set = range_set,
	.get = range_get,
};

/* In force for connections made from now on. */
#define RANGE_PARAM(name, low, high, text)				\
	static struct param_range name##_range = {				\
		.value = &pvblk_params.name, .min = low, .max = high };	\
	module_param_cb(name, &range_ops, &name##_range, 0644);		\
	MODULE_PARM_DESC(name, text)

RANGE_PARAM(max_queues, 0, PVBLK_MAX_QUEUES, "rings of a disk; 0: one per vCPU");
RANGE_PARAM(ring_order, 0, PVBLK_MAX_ORDER, "log2 of a ring's pages at most");
RANGE_PARAM(indirect, 0, PVBLK_MAX_SEGMENTS, "pages of a request at most; up to 11: not indirect");
RANGE_PARAM(persistent, 0, 1, "let back ends keep our grants mapped");
RANGE_PARAM(flush, 0, 2, "0: no flushes, 1: by barriers only, 2: the best that is offered");
RANGE_PARAM(discard, 0, 1, "pass discards on");
RANGE_PARAM(timeout, 1, 3600, "seconds until a missing answer is reported");

/* Disks that have a name; a second one of the same name is refused. */
static LIST_HEAD(disks);
static DEFINE_MUTEX(disks_lock);

static bool claim_name(struct pvblk_disk *disk)
{
	const struct pvblk_name *a = &disk->name;
	struct pvblk_disk *other;
	bool clash = false;

	mutex_lock(&disks_lock);
	list_for_each_entry(other, &disks, list) {
		const struct pvblk_name *b = &other->name;

		clash |= a->minor < b->minor + b->minors &&
			 b->minor < a->minor + a->minors;
	}
	if (!clash)
		list_add(&disk->list, &disks);
	mutex_unlock(&disks_lock);
	return !clash;
}

static int pvblk_probe(struct pvbus_device *dev)
{
	unsigned int vdev = pvstore_read_feature(dev->node, "virtual-device",
						 dev->id, UINT_MAX);
	struct pvblk_disk *disk;

	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	if (!disk)
		return -ENOMEM;
	disk->dev = dev;
	if (pvblk_name(&disk->name, vdev)) {
		dev_err(&dev->dev, "virtual-device: %u is no disk\n", vdev);
		kfree(disk);
		return -EINVAL;
	}
	if (!claim_name(disk)) {
		dev_err(&dev->dev, "virtual-device: %u would be %s, which there is already\n",
			vdev, disk->name.name);
		kfree(disk);
		return -EEXIST;
	}
	dev_set_drvdata(&dev->dev, disk);
	pvblk_stats_add(disk);
	return 0;
}

static void pvblk_remove(struct pvbus_device *dev)
{
	struct pvblk_disk *disk = pvbus_priv(dev);

	pvblk_stats_remove(disk);
	pvblk_delete(disk);
	dev_set_drvdata(&dev->dev, NULL);
	/* Only now is the name free. */
	mutex_lock(&disks_lock);
	list_del(&disk->list);
	mutex_unlock(&disks_lock);
	pvblk_put(disk);
}

static struct pvbus_driver pvblk_driver = {
	.driver.name	= "pvblk",
	.type		= "vbd",
	.announce	= XenbusStateInitialised,
	.probe		= pvblk_probe,
	.setup		= pvblk_setup,
	.publish	= pvblk_publish,
	.connected	= pvblk_connected,
	.changed	= pvblk_changed,
	.closing	= pvblk_closing,
	.disconnect	= pvblk_disconnect,
	.remove		= pvblk_remove,
};

static int __init pvblk_init(void)
{
	int ret;

	if (!pvstore_present())
		return 0;
	ret = register_blkdev(PVBLK_MAJOR, "xvd");
	if (ret) {
		pr_err("pvblk: major number %u is taken (%d)\n", PVBLK_MAJOR,
		       ret);
		return ret;
	}
	pvblk_stats_init();
	return pvbus_register(&pvblk_driver);
}
device_initcall(pvblk_init);
