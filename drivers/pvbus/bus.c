// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which devices exist: the store's directory device/ made into devices of
 * Linux, as they come and go.
 */
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/wait.h>

#include "bus.h"

/* Seconds that the boot waits for disks of which one may hold the root. */
#define PVBUS_ROOT_WAIT	30

struct workqueue_struct *pvbus_queue;

/* The scan's: one at a time, so no lock. */
static LIST_HEAD(pvbus_devices);

/* Whether the next scan has devices looked at that it finds where they were. */
static atomic_t pvbus_look;

/* Devices for which the boot may have to wait; the first scan is one. */
static atomic_t pvbus_unsettled = ATOMIC_INIT(1);
static DECLARE_WAIT_QUEUE_HEAD(pvbus_settling);

static void settle_one(void)
{
	if (atomic_dec_and_test(&pvbus_unsettled))
		wake_up_all(&pvbus_settling);
}

/** pvbus_settled() - the boot need not wait for this device any more */
void pvbus_settled(struct pvbus_core *core)
{
	if (atomic_cmpxchg(&core->unsettled, 1, 0) == 1)
		settle_one();
}

static inline const struct pvbus_driver *
to_driver(const struct device_driver *driver)
{
	return container_of_const(driver, struct pvbus_driver, driver);
}

static int pvbus_match(struct device *dev, const struct device_driver *driver)
{
	return !strcmp(to_core(dev)->dev.type, to_driver(driver)->type);
}

static int pvbus_uevent(const struct device *dev, struct kobj_uevent_env *env)
{
	const struct pvbus_device *pvdev = container_of_const(dev,
							      struct pvbus_device,
							      dev);

	return add_uevent_var(env, "MODALIAS=pvbus:%s", pvdev->type);
}

static int pvbus_probe(struct device *dev)
{
	return pvbus_core_bind(to_core(dev), to_driver(dev->driver));
}

static void pvbus_remove(struct device *dev)
{
	pvbus_core_unbind(to_core(dev));
}

static void pvbus_shutdown(struct device *dev)
{
	pvbus_core_shutdown(to_core(dev));
}

static ssize_t nodename_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%s\n", to_core(dev)->dev.node);
}
static DEVICE_ATTR_RO(nodename);

static ssize_t devtype_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%s\n", to_core(dev)->dev.type);
}
static DEVICE_ATTR_RO(devtype);

static ssize_t modalias_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "pvbus:%s\n", to_core(dev)->dev.type);
}
static DEVICE_ATTR_RO(modalias);

static ssize_t state_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%s\n", pvbus_state_name(to_core(dev)->dev.state));
}
static DEVICE_ATTR_RO(state);

static struct attribute *pvbus_attrs[] = {
	&dev_attr_nodename.attr,
	&dev_attr_devtype.attr,
	&dev_attr_modalias.attr,
	&dev_attr_state.attr,
	NULL
};
ATTRIBUTE_GROUPS(pvbus);

static const struct bus_type pvbus_bus = {
	.name		= "pvbus",
	.match		= pvbus_match,
	.uevent		= pvbus_uevent,
	.probe		= pvbus_probe,
	.remove		= pvbus_remove,
	.shutdown	= pvbus_shutdown,
	.dev_groups	= pvbus_groups,
};

/**
 * pvbus_register() - a front end is ready for its devices
 * @driver: the front end
 *
 * Context: process.
 * Return: 0 or a negative errno; -ENODEV where there is no store.
 */
int pvbus_register(struct pvbus_driver *driver)
{
	if (!pvbus_queue)
		return -ENODEV;
	driver->driver.bus = &pvbus_bus;
	return driver_register(&driver->driver);
}
EXPORT_SYMBOL_GPL(pvbus_register);

/** pvbus_unregister() - take a front end back; its devices are removed first */
void pvbus_unregister(struct pvbus_driver *driver)
{
	driver_unregister(&driver->driver);
}
EXPORT_SYMBOL_GPL(pvbus_unregister);

static void pvbus_release(struct device *dev)
{
	struct pvbus_core *core = to_core(dev);

	kfree(core->dev.type);
	kfree(core->dev.node);
	kfree(core);
}

static void add_device(const char *type, const char *name, unsigned int id)
{
	struct pvbus_core *core = kzalloc(sizeof(*core), GFP_KERNEL);
	struct pvbus_device *dev = &core->dev;
	int ret = -ENOMEM;

	if (!core)
		goto fail;
	device_initialize(&dev->dev);
	dev->dev.bus = &pvbus_bus;
	dev->dev.release = pvbus_release;
	dev->id = id;
	dev->type = kstrdup(type, GFP_KERNEL);
	dev->node = kasprintf(GFP_KERNEL, "device/%s/%s", type, name);
	if (!dev->type || !dev->node)
		goto put;
	ret = dev_set_name(&dev->dev, "%s-%u", type, id);
	if (ret)
		goto put;
	pvbus_core_init(core);
	core->found = true;
	if (!strcmp(type, "vbd")) {
		atomic_inc(&pvbus_unsettled);
		atomic_set(&core->unsettled, 1);
	}
	list_add_tail(&core->list, &pvbus_devices);
	ret = device_add(&dev->dev);
	if (!ret)
		return;
	list_del(&core->list);
	pvbus_core_exit(core);
put:
	put_device(&dev->dev);
fail:
	pr_err("pvbus: device/%s/%s cannot be added (%d)\n", type, name, ret);
}

static void remove_device(struct pvbus_core *core)
{
	list_del(&core->list);
	get_device(&core->dev.dev);
	device_unregister(&core->dev.dev);
	pvbus_core_exit(core);
	put_device(&core->dev.dev);
}

static int drives_type(struct device_driver *driver, void *type)
{
	return !strcmp(to_driver(driver)->type, type);
}

static struct pvbus_core *find_device(const char *type, unsigned int id)
{
	struct pvbus_core *core;

	list_for_each_entry(core, &pvbus_devices, list)
		if (core->dev.id == id && !strcmp(core->dev.type, type))
			return core;
	return NULL;
}

static void found_device(char *type, const char *name, bool look)
{
	struct pvbus_core *core;
	unsigned int id;

	if (kstrtouint(name, 10, &id)) {
		if (bus_for_each_drv(&pvbus_bus, NULL, type, drives_type))
			pr_warn_once("pvbus: device/%s/%s is no device: its name is no number\n",
				     type, name);
		return;
	}
	core = find_device(type, id);
	if (core && !READ_ONCE(core->replaced)) {
		core->found = true;
		if (look)
			queue_work(pvbus_queue, &core->step);
		/* A driver may have refused it for nodes that are there now. */
		if (look && !READ_ONCE(core->driver) &&
		    device_attach(&core->dev.dev) < 0)
			pr_err("pvbus: device/%s/%s cannot be tried again\n",
			       type, name);
		return;
	}
	if (core)
		remove_device(core);
	add_device(type, name, id);
}

/*
 * Bring our devices into line with the store, and have those that we knew
 * looked at if @look; 0, or nothing is known.
 */
static int scan(bool look)
{
	unsigned int types, devices, i, j;
	char **type, **device;
	int ret;

	ret = pvstore_list(PVSTORE_NO_TXN, "device", "", &type, &types);
	if (ret == -ENOENT)
		return 0;
	if (ret)
		return ret;
	for (i = 0; i < types && !ret; i++) {
		ret = pvstore_list(PVSTORE_NO_TXN, "device", type[i], &device,
				   &devices);
		if (ret == -ENOENT) {
			ret = 0;
			continue;
		}
		if (ret)
			break;
		for (j = 0; j < devices; j++)
			found_device(type[i], device[j], look);
		kvfree(device);
	}
	kvfree(type);
	return ret;
}

static void scan_work(struct work_struct *work)
{
	struct pvbus_core *core, *next;
	static bool scanned;
	int ret;

	list_for_each_entry(core, &pvbus_devices, list)
		core->found = false;
	ret = scan(atomic_xchg(&pvbus_look, 0));
	if (ret)
		pr_err("pvbus: devices cannot be listed (%d)\n", ret);
	else
		list_for_each_entry_safe(core, next, &pvbus_devices, list)
			if (!core->found)
				remove_device(core);
	if (!scanned)
		settle_one();
	scanned = true;
}
static DECLARE_WORK(pvbus_scan, scan_work);

/** pvbus_scan_again() - look soon which devices there are; any context */
void pvbus_scan_again(void)
{
	queue_work(pvbus_queue, &pvbus_scan);
}

/* Is it below the directory of a device that no driver has taken yet? */
static bool is_untaken(const char *path)
{
	char type[32], name[sizeof(type) + 11];
	struct device *dev;
	unsigned int id;
	bool untaken;

	if (sscanf(path, "device/%31[^/]/%u/", type, &id) != 2)
		return false;
	snprintf(name, sizeof(name), "%s-%u", type, id);
	dev = bus_find_device_by_name(&pvbus_bus, NULL, name);
	if (!dev)
		return false;
	untaken = !READ_ONCE(to_core(dev)->driver);
	put_device(dev);
	return untaken;
}

/*
 * A device comes or goes where its directory does, which may be seen only by
 * its state.  What else happens below is between front and back end, but for
 * the nodes that say where the latter is, and for those that a driver misses:
 * not every tool stack writes all of a device at once.
 */
static void devices_changed(struct pvstore_watch *watch, const char *path)
{
	unsigned int levels = 0;
	const char *p = path, *last = path;

	while ((p = strchr(p, '/'))) {
		last = ++p;
		levels++;
	}
	if (levels <= 2 || strstarts(last, "backend") ||
	    (levels == 3 && is_untaken(path)))
		atomic_set(&pvbus_look, 1);
	else if (levels > 3 || strcmp(last, "state"))
		return;
	pvbus_scan_again();
}

static struct pvstore_watch pvbus_watch = {
	.path = "device",
	.changed = devices_changed,
};

static void watch_work(struct work_struct *work)
{
	int ret = pvstore_watch(&pvbus_watch);

	if (!ret)
		return;
	pr_err("pvbus: cannot watch for devices (%d)\n", ret);
	settle_one();
}
static DECLARE_WORK(pvbus_start, watch_work);

static int __init pvbus_init(void)
{
	int ret;

	if (!pvstore_present())
		return 0;
	ret = bus_register(&pvbus_bus);
	if (ret)
		return ret;
	pvbus_queue = alloc_workqueue("pvbus", WQ_UNBOUND, 0);
	if (!pvbus_queue) {
		bus_unregister(&pvbus_bus);
		return -ENOMEM;
	}
	/* The first event of the watch starts the first scan. */
	queue_work(pvbus_queue, &pvbus_start);
	return 0;
}
subsys_initcall(pvbus_init);

/*
 * Whoever mounts the root directly after the boot needs the disks by then; a
 * back end that does not answer may delay that, but not for ever.
 */
static int __init pvbus_wait_for_root(void)
{
	unsigned long left = PVBUS_ROOT_WAIT * HZ;

	if (!pvbus_queue || !strstr(saved_command_line, "root="))
		return 0;
	if (!wait_event_timeout(pvbus_settling, !atomic_read(&pvbus_unsettled),
				HZ)) {
		pr_info("pvbus: waiting up to %u s for disks\n",
			PVBUS_ROOT_WAIT);
		left = wait_event_timeout(pvbus_settling,
					  !atomic_read(&pvbus_unsettled), left);
	}
	if (!left)
		pr_warn("pvbus: %d disks are not there, going on without\n",
			atomic_read(&pvbus_unsettled));
	return 0;
}
late_initcall(pvbus_wait_for_root);
