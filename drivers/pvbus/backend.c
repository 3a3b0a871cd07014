// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a device's back end is, and what its nodes say.
 */
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bus.h"

#define PVBUS_PATH_MAX	512

/**
 * pvbus_backend_changed() - something has changed below the back end's directory
 * @watch: of the device
 * @path: node
 *
 * Context: the store's worker.
 */
void pvbus_backend_changed(struct pvstore_watch *watch, const char *path)
{
	struct pvbus_core *core = container_of(watch, struct pvbus_core, watch);

	complete(&core->backend_changed);
	queue_work(pvbus_queue, &core->update);
}

/**
 * pvbus_unwatch_backend() - the back end's directory is not known any more
 * @core: the device
 *
 * Context: process.
 */
void pvbus_unwatch_backend(struct pvbus_core *core)
{
	if (!core->watch.path)
		return;
	pvstore_unwatch(&core->watch);
	kfree(core->watch.path);
	core->watch.path = NULL;
	core->dev.backend = NULL;
}

/* A node that says where the back end is cannot be used; one line for each. */
static void pvbus_reject_node(struct pvbus_core *core, const char *field,
			      int ret)
{
	if (!core->node_invalid)
		dev_err(&core->dev.dev,
			"%s: %s (%d); waiting for it to change\n", field,
			ret == -ENOENT ? "missing" : "invalid", ret);
	core->node_invalid = true;
	pvbus_unwatch_backend(core);
}

/**
 * pvbus_find_backend() - find the back end's directory, and watch it
 * @core: the device, disconnected
 *
 * Context: process.
 * Return: false if it cannot be found now; the device is updated later.
 */
bool pvbus_find_backend(struct pvbus_core *core)
{
	struct pvbus_device *dev = &core->dev;
	unsigned long long id;
	unsigned int len;
	char *path;
	int ret;

	ret = pvstore_read_uint(PVSTORE_NO_TXN, dev->node, "backend-id", &id);
	if (!ret && id >= DOMID_FIRST_RESERVED)
		ret = -EINVAL;
	if (ret) {
		pvbus_reject_node(core, "backend-id", ret);
		return false;
	}
	ret = pvstore_read(PVSTORE_NO_TXN, dev->node, "backend", &path, &len);
	if (!ret && (path[0] != '/' || strlen(path) != len ||
		     len > PVBUS_PATH_MAX)) {
		kfree(path);
		ret = -EINVAL;
	}
	if (ret) {
		pvbus_reject_node(core, "backend", ret);
		return false;
	}
	core->node_invalid = false;
	dev->backend_id = id;
	if (core->watch.path && !strcmp(core->watch.path, path)) {
		kfree(path);
		return true;
	}
	pvbus_unwatch_backend(core);
	core->watch.path = path;
	ret = pvstore_watch(&core->watch);
	if (ret) {
		if (!core->unwatched)
			dev_err(&dev->dev, "%s: cannot be watched (%d); trying again\n",
				path, ret);
		core->unwatched = true;
		core->watch.path = NULL;
		kfree(path);
		mod_delayed_work(pvbus_queue, &core->pause, PVBUS_WATCH_TIME);
		return false;
	}
	core->unwatched = false;
	dev->backend = path;
	return true;
}

/**
 * pvbus_read_backend_state() - read the back end's state
 * @core: the device, whose back end has been found
 * @state: set to it
 *
 * For a directory that has gone the daemon replies EACCES, as for its parent.
 *
 * Context: process.
 * Return: false if it cannot be read now: everything stays as it is.
 */
bool pvbus_read_backend_state(struct pvbus_core *core,
			      enum xenbus_state *state)
{
	unsigned long long value = XenbusStateUnknown;
	int ret = pvstore_read_uint(PVSTORE_NO_TXN, core->dev.backend, "state",
				    &value);

	if (!ret && value > XenbusStateReconfigured)
		ret = -EINVAL;
	if (ret == -EINVAL && !core->broken)
		pvbus_fail(&core->dev, "%s/state: invalid (%d)",
			   core->dev.backend, ret);
	if (ret && ret != -ENOENT && ret != -EACCES)
		return false;
	*state = value;
	return true;
}

/**
 * pvbus_says_online() - does the tool stack keep the device?
 * @core: the device, whose back end has been found
 * @absent: the result where it does not write that node
 *
 * It sets "online" to 0 before it removes a device.
 *
 * Context: process.
 * Return: true if it does.
 */
bool pvbus_says_online(struct pvbus_core *core, bool absent)
{
	return pvstore_read_feature(core->dev.backend, "online", absent, 1);
}
