// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block front end: its parameters, and registration with the bus.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <pvbus/store.h>
#include <pvguest/parameter.h>

#include "pvblk.h"

struct pvblk_params pvblk_params = {
	.ring_order	= PVBLK_ORDER,
	.indirect	= PVBLK_INDIRECT,
	.persistent	= true,
	.flush		= 2,
	.discard	= true,
	.timeout	= 30,
};

/* In force for later connections. */
pvguest_number(max_queues, pvblk_params.max_queues, 0, PVBLK_MAX_QUEUES, 0644);
MODULE_PARM_DESC(max_queues, "rings of a disk; 0: one per vCPU, up to 8");

pvguest_number(ring_order, pvblk_params.ring_order, 0, PVBLK_MAX_ORDER, 0644);
MODULE_PARM_DESC(ring_order, "log2 of a ring's pages at most");

pvguest_number(indirect, pvblk_params.indirect, 0, PVBLK_MAX_SEGMENTS, 0644);
MODULE_PARM_DESC(indirect, "pages of a request at most; up to 11: not indirect");

pvguest_switch(persistent, pvblk_params.persistent, 0644);
MODULE_PARM_DESC(persistent, "let back ends keep our grants mapped");

pvguest_number(flush, pvblk_params.flush, 0, 2, 0644);
MODULE_PARM_DESC(flush, "0: no flushes, 1: by barriers only, 2: by the best that is offered");

pvguest_switch(discard, pvblk_params.discard, 0644);
MODULE_PARM_DESC(discard, "pass discards on");

pvguest_number(timeout, pvblk_params.timeout, 1, 3600, 0644);
MODULE_PARM_DESC(timeout, "seconds until a missing response is logged");

/* Another disk with the same minors as one that has a name is refused. */
static bool pvblk_claim_name(struct pvblk_disk *disk)
{
	const struct pvblk_name *a = &disk->name;
	struct pvblk_disk *other;
	bool clash = false;

	mutex_lock(&pvblk_disks_lock);
	list_for_each_entry(other, &pvblk_disks, list) {
		const struct pvblk_name *b = &other->name;

		clash |= a->minor < b->minor + b->minors &&
			 b->minor < a->minor + a->minors;
	}
	if (!clash)
		list_add(&disk->list, &pvblk_disks);
	mutex_unlock(&pvblk_disks_lock);
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
		dev_err(&dev->dev, "virtual-device: %u is not a disk's number (%d); waiting for its nodes to change\n",
			vdev, -EINVAL);
		kfree(disk);
		return -EINVAL;
	}
	if (!pvblk_claim_name(disk)) {
		dev_err(&dev->dev, "virtual-device: %u means %s, whose minors are in use (%d); waiting for its nodes to change\n",
			vdev, disk->name.name, -EEXIST);
		kfree(disk);
		return -EEXIST;
	}
	dev_set_drvdata(&dev->dev, disk);
	pvblk_stats_add(disk);
	return 0;
}

/* Requests have waited for a back end that does not come. */
static void pvblk_given_up(struct pvbus_device *dev)
{
	pvblk_fail_all(pvbus_priv(dev));
}

static void pvblk_remove(struct pvbus_device *dev)
{
	struct pvblk_disk *disk = pvbus_priv(dev);

	pvblk_stats_remove(disk);
	pvblk_delete(disk);
	dev_set_drvdata(&dev->dev, NULL);
	/* The name is free only now. */
	mutex_lock(&pvblk_disks_lock);
	list_del(&disk->list);
	mutex_unlock(&pvblk_disks_lock);
	pvblk_put(disk);
}

static const char *const pvblk_identity[] = { "virtual-device", NULL };

static struct pvbus_driver pvblk_driver = {
	.driver.name	= "pvblk",
	.type		= "vbd",
	.identity	= pvblk_identity,
	.announce	= XenbusStateInitialised,
	.probe		= pvblk_probe,
	.setup		= pvblk_setup,
	.publish	= pvblk_publish,
	.connected	= pvblk_connected,
	.changed	= pvblk_changed,
	.closing	= pvblk_closing,
	.disconnect	= pvblk_disconnect,
	.given_up	= pvblk_given_up,
	.remove		= pvblk_remove,
};

static int __init pvblk_init(void)
{
	int ret;

	if (!pvstore_present())
		return 0;
	ret = register_blkdev(PVBLK_MAJOR, "xvd");
	if (ret) {
		pr_err("pvblk: major number %u: cannot be registered (%d); there will be no disks\n",
		       PVBLK_MAJOR, ret);
		return ret;
	}
	pvblk_stats_init();
	ret = pvblk_shrinker_init();
	if (ret)
		pr_warn("pvblk: shrinker: no memory (%d); pages are given back with time only\n",
			ret);
	return pvbus_register(&pvblk_driver);
}
device_initcall(pvblk_init);
MODULE_ALIAS("xen:vbd");
