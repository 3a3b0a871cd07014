// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which devices exist: makes Linux's devices of the directories below device/
 * in XenStore, and removes them with those.
 */
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/wait.h>

#include "bus.h"

/*
 * The name of the bus in sysfs and before the type in a device's module alias.
 * User programs know devices by it: udev's rules, the names that systemd gives
 * interfaces (systemd.net-naming-scheme(7), v250).
 */
#define PVBUS_NAME	"xen"

/* Seconds that the boot waits for disks of which one may hold the root. */
#define PVBUS_ROOT_WAIT	30

struct workqueue_struct *pvbus_queue;

/* The scan's.  Only one runs at a time, so no lock. */
static LIST_HEAD(pvbus_devices);

/* The next scan updates known devices, too. */
static atomic_t pvbus_look;

/* Devices for which the boot may have to wait; the first scan is one. */
static atomic_t pvbus_unsettled = ATOMIC_INIT(1);
static DECLARE_WAIT_QUEUE_HEAD(pvbus_settling);

static void pvbus_settle_one(void)
{
	if (atomic_dec_and_test(&pvbus_unsettled))
		wake_up_all(&pvbus_settling);
}

/**
 * pvbus_settled() - the boot need not wait for this device any more
 * @core: the device; further calls for it have no effect
 *
 * Context: any.
 */
void pvbus_settled(struct pvbus_core *core)
{
	if (atomic_cmpxchg(&core->unsettled, 1, 0) == 1)
		pvbus_settle_one();
}

static inline const struct pvbus_driver *
pvbus_to_driver(const struct device_driver *driver)
{
	return container_of_const(driver, struct pvbus_driver, driver);
}

static int pvbus_match(struct device *dev, const struct device_driver *driver)
{
	return !strcmp(pvbus_to_core(dev)->dev.type,
		       pvbus_to_driver(driver)->type);
}

static int pvbus_uevent(const struct device *dev, struct kobj_uevent_env *env)
{
	const struct pvbus_device *pvdev = container_of_const(dev,
							      struct pvbus_device,
							      dev);

	return add_uevent_var(env, "MODALIAS=" PVBUS_NAME ":%s", pvdev->type);
}

static int pvbus_probe(struct device *dev)
{
	return pvbus_core_bind(pvbus_to_core(dev),
			       pvbus_to_driver(dev->driver));
}

static void pvbus_remove(struct device *dev)
{
	pvbus_core_unbind(pvbus_to_core(dev));
}

static void pvbus_shutdown(struct device *dev)
{
	pvbus_core_shutdown(pvbus_to_core(dev));
}

static ssize_t pvbus_nodename_show(struct device *dev,
				   struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", pvbus_to_core(dev)->dev.node);
}

static struct device_attribute pvbus_attr_nodename =
	__ATTR(nodename, 0444, pvbus_nodename_show, NULL);

static ssize_t pvbus_devtype_show(struct device *dev,
				  struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", pvbus_to_core(dev)->dev.type);
}

static struct device_attribute pvbus_attr_devtype =
	__ATTR(devtype, 0444, pvbus_devtype_show, NULL);

static ssize_t pvbus_modalias_show(struct device *dev,
				   struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, PVBUS_NAME ":%s\n", pvbus_to_core(dev)->dev.type);
}

static struct device_attribute pvbus_attr_modalias =
	__ATTR(modalias, 0444, pvbus_modalias_show, NULL);

static ssize_t pvbus_state_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	enum xenbus_state state = pvbus_to_core(dev)->dev.state;

	return sysfs_emit(buf, "%s\n", pvbus_state_name(state));
}

static struct device_attribute pvbus_attr_state =
	__ATTR(state, 0444, pvbus_state_show, NULL);

static struct attribute *pvbus_attrs[] = {
	&pvbus_attr_nodename.attr,
	&pvbus_attr_devtype.attr,
	&pvbus_attr_modalias.attr,
	&pvbus_attr_state.attr,
	NULL
};
ATTRIBUTE_GROUPS(pvbus);

static const struct bus_type pvbus_bus = {
	.name		= PVBUS_NAME,
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

/**
 * pvbus_unregister() - take a front end back
 * @driver: the front end; its devices are taken from it first
 *
 * Context: process; sleeps.
 */
void pvbus_unregister(struct pvbus_driver *driver)
{
	driver_unregister(&driver->driver);
}
EXPORT_SYMBOL_GPL(pvbus_unregister);

static void pvbus_release(struct device *dev)
{
	struct pvbus_core *core = pvbus_to_core(dev);

	kfree(core->dev.type);
	kfree(core->dev.node);
	kfree(core);
}

static void pvbus_add_device(const char *type, const char *name,
			     unsigned int id)
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
	pr_err("pvbus: device/%s/%s: cannot be added (%d); ignored\n", type,
	       name, ret);
}

static void pvbus_remove_device(struct pvbus_core *core)
{
	/* A directory comes back before the next scan: it is another device's. */
	WRITE_ONCE(core->replaced, true);
	list_del(&core->list);
	get_device(&core->dev.dev);
	device_unregister(&core->dev.dev);
	pvbus_core_exit(core);
	put_device(&core->dev.dev);
}

static int pvbus_drives_type(struct device_driver *driver, void *type)
{
	return !strcmp(pvbus_to_driver(driver)->type, type);
}

static struct pvbus_core *pvbus_find_device(const char *type, unsigned int id)
{
	struct pvbus_core *core;

	list_for_each_entry(core, &pvbus_devices, list)
		if (core->dev.id == id && !strcmp(core->dev.type, type))
			return core;
	return NULL;
}

static void pvbus_found_device(char *type, const char *name, bool look)
{
	struct pvbus_core *core;
	unsigned int id;
	int ret = kstrtouint(name, 10, &id);

	if (ret) {
		if (bus_for_each_drv(&pvbus_bus, NULL, type, pvbus_drives_type))
			pr_warn_once("pvbus: device/%s/%s: name is not a number (%d); ignored\n",
				     type, name, ret);
		return;
	}
	core = pvbus_find_device(type, id);
	if (core && !READ_ONCE(core->replaced)) {
		core->found = true;
		/* One without a state may have got it. */
		if (look ||
		    READ_ONCE(core->dev.state) == XenbusStateUnknown)
			queue_work(pvbus_queue, &core->update);
		/* One that was unbound by hand stays so. */
		if (look && READ_ONCE(core->refused))
			ret = device_attach(&core->dev.dev);
		if (ret < 0)
			pr_err_ratelimited("pvbus: device/%s/%s: cannot be attached (%d); waiting for its nodes to change\n",
					   type, name, ret);
		return;
	}
	/* The boot may have to wait for the new device in place of the former. */
	atomic_inc(&pvbus_unsettled);
	if (core)
		pvbus_remove_device(core);
	pvbus_add_device(type, name, id);
	pvbus_settle_one();
}

/*
 * Bring our devices into line with XenStore, and update those that are known
 * already if @look.  After an error nothing is known.
 */
static int pvbus_scan_devices(bool look)
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
			pvbus_found_device(type[i], device[j], look);
		kvfree(device);
	}
	kvfree(type);
	return ret;
}

/* A device that has been unplugged is taken from its driver. */
static void pvbus_give_back(struct pvbus_core *core)
{
	if (!READ_ONCE(core->detached) || !READ_ONCE(core->driver))
		return;
	device_release_driver(&core->dev.dev);
	/* It may have been plugged in again meanwhile. */
	queue_work(pvbus_queue, &core->update);
}

static void pvbus_rescan_worker(struct work_struct *work)
{
	pvbus_scan_again();
}

static DECLARE_DELAYED_WORK(pvbus_rescan_work, pvbus_rescan_worker);

/*
 * A scan has failed: what it was to find must not be lost, as no event may come
 * that reports it once more.  With some errors only a change helps, or nothing.
 * Returns whether there will be another scan.
 */
static bool pvbus_scan_failed(int error, bool look, bool logged)
{
	bool retry = error != -EPROTO && error != -E2BIG && error != -EACCES &&
		     error != -EPERM && error != -ETIMEDOUT && error != -ENODEV;

	if (!logged)
		pr_err("pvbus: device: cannot be listed (%d); no device comes or goes until it %s\n",
		       error, retry ? "can" : "changes");
	if (!retry)
		return false;
	if (look)
		atomic_set(&pvbus_look, 1);
	queue_delayed_work(system_unbound_wq, &pvbus_rescan_work, HZ);
	return true;
}

static void pvbus_scan_worker(struct work_struct *work)
{
	/* A disk that comes or goes may be what memory is written to. */
	unsigned int noio = memalloc_noio_save();
	struct pvbus_core *core, *next;
	bool look, retry = false;
	static bool scanned;
	static int failed;
	int ret;

	list_for_each_entry(core, &pvbus_devices, list) {
		core->found = false;
		pvbus_give_back(core);
	}
	look = atomic_xchg(&pvbus_look, 0);
	ret = pvbus_scan_devices(look);
	if (ret)
		retry = pvbus_scan_failed(ret, look, ret == failed);
	else
		list_for_each_entry_safe(core, next, &pvbus_devices, list)
			if (!core->found)
				pvbus_remove_device(core);
	failed = ret;
	/* The boot waits for a first scan that is to be made up for. */
	if (!scanned && !retry) {
		pvbus_settle_one();
		scanned = true;
	}
	memalloc_noio_restore(noio);
}

static DECLARE_WORK(pvbus_scan_work, pvbus_scan_worker);

/**
 * pvbus_scan_again() - queue a scan of the devices
 *
 * Context: any.
 */
void pvbus_scan_again(void)
{
	/* Not where devices are updated: it may wait for disks. */
	queue_work(system_unbound_wq, &pvbus_scan_work);
}

/**
 * pvbus_offer() - offer a device to its driver again, soon after
 * @core: the device
 *
 * Context: any.
 */
void pvbus_offer(struct pvbus_core *core)
{
	WRITE_ONCE(core->refused, true);
	atomic_set(&pvbus_look, 1);
	pvbus_scan_again();
}

/* Is @path in the directory of a device that its driver has refused? */
static bool pvbus_is_refused(const char *path)
{
	char type[32], name[sizeof(type) + 11];
	struct device *dev;
	unsigned int id;
	bool refused;

	if (sscanf(path, "device/%31[^/]/%u/", type, &id) != 2)
		return false;
	snprintf(name, sizeof(name), "%s-%u", type, id);
	dev = bus_find_device_by_name(&pvbus_bus, NULL, name);
	if (!dev)
		return false;
	refused = READ_ONCE(pvbus_to_core(dev)->refused);
	put_device(dev);
	return refused;
}

/*
 * A device comes and goes with its directory, of which the watch may report
 * only the state node.  Other nodes in it are for front end and back end, but
 * for those that say where the latter is, and for those that a driver misses:
 * not every tool stack writes all nodes of a device at once.
 */
static void pvbus_devices_changed(struct pvstore_watch *watch, const char *path)
{
	unsigned int levels = 0;
	const char *p = path, *last = path;

	while ((p = strchr(p, '/'))) {
		last = ++p;
		levels++;
	}
	if (levels <= 2 || strstarts(last, "backend") ||
	    (levels == 3 && pvbus_is_refused(path)))
		atomic_set(&pvbus_look, 1);
	else if (levels > 3 || strcmp(last, "state"))
		return;
	pvbus_scan_again();
}

static struct pvstore_watch pvbus_watch = {
	.path = "device",
	.changed = pvbus_devices_changed,
};

static void pvbus_start_worker(struct work_struct *work)
{
	static bool logged;
	int ret = pvstore_watch(&pvbus_watch);

	if (!ret)
		return;
	if (!logged)
		pr_err("pvbus: device: cannot be watched (%d); there are no devices until it can\n",
		       ret);
	logged = true;
	queue_delayed_work(system_unbound_wq, to_delayed_work(work), HZ);
}

static DECLARE_DELAYED_WORK(pvbus_start_work, pvbus_start_worker);

static int __init pvbus_init(void)
{
	int ret;

	if (!pvstore_present())
		return 0;
	ret = bus_register(&pvbus_bus);
	if (ret)
		return ret;
	/* Disks reconnect there, perhaps those that memory is written to. */
	pvbus_queue = alloc_workqueue("pvbus", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!pvbus_queue) {
		bus_unregister(&pvbus_bus);
		return -ENOMEM;
	}
	/* The watch's first event starts the first scan. */
	queue_delayed_work(system_unbound_wq, &pvbus_start_work, 0);
	return 0;
}
subsys_initcall(pvbus_init);

/*
 * Mounting the root directly after this needs the disks to be connected; a
 * silent back end may delay that, but not for ever.
 */
static int __init pvbus_wait_for_root(void)
{
	unsigned long left = PVBUS_ROOT_WAIT * HZ;

	if (!pvbus_queue || !strstr(saved_command_line, "root=") ||
	    !bus_for_each_drv(&pvbus_bus, NULL, "vbd", pvbus_drives_type))
		return 0;
	if (!wait_event_timeout(pvbus_settling, !atomic_read(&pvbus_unsettled),
				HZ)) {
		pr_info("pvbus: root=: disks are not connected (%d); waiting up to %u s more\n",
			-EAGAIN, PVBUS_ROOT_WAIT);
		left = wait_event_timeout(pvbus_settling,
					  !atomic_read(&pvbus_unsettled), left);
	}
	if (!left)
		pr_warn("pvbus: root=: disks are not connected after %u s more (%d); going on without\n",
			PVBUS_ROOT_WAIT, -ETIMEDOUT);
	return 0;
}
late_initcall(pvbus_wait_for_root);
