/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bus on which virtual devices appear, as Linux's device model sees it.
 *
 * The bus, not the driver, walks the states that the ABI prescribes (xenbus.h):
 * it watches the back end and calls the driver at each step.  Calls for one
 * device never overlap; all are in process context and may sleep.
 *
 *  probe -> setup -> connected -> (changed)* -> closing -> disconnect -> remove
 *             ^                                                |
 *             +------------- the back end returns -------------+
 */
#ifndef PVBUS_DEVICE_H
#define PVBUS_DEVICE_H

#include <linux/device.h>
#include <xen/interface/xen.h>
#include <xen/interface/io/xenbus.h>

/**
 * struct pvbus_device - one device
 * @dev: as Linux's device model sees it
 * @type: "vbd", "vif", "console"
 * @id: its number in XenStore, such as 51712 or 0
 * @node: our directory, relative: "device/vbd/51712"
 * @backend: the back end's directory, absolute; changes only between
 *	disconnect and setup
 * @backend_id: the back end's domain
 * @state: what our state node says
 * @core: the bus's own
 */
struct pvbus_device {
	struct device dev;
	const char *type;
	unsigned int id;
	const char *node;
	const char *backend;
	domid_t backend_id;
	enum xenbus_state state;
	struct pvbus_core *core;
};

/**
 * struct pvbus_driver - a front end
 * @driver: name, owner; the bus fills in the rest
 * @type: the device type that it drives
 * @identity: nodes of the device's directory that probe() reads, ended by NULL:
 *	a device with other values is another one.  May be NULL: a device that
 *	is replaced while it waits for its back end is then taken for the former
 * @announce: our state once our nodes are written: XenbusStateInitialised, or
 *	XenbusStateConnected where the back end waits for that (netback)
 * @probe: a device has appeared; get memory for it.  The back end may be in
 *	any state, so its nodes are not to be read
 * @setup: the back end is InitWait.  Read its features, make rings, grants and
 *	event channels
 * @publish: write our nodes into @txn; called again if the transaction is lost
 * @connected: the back end is Connected: go into service.  Also after a
 *	reconnection
 * @changed: a node below the back end's directory may have changed while it is
 *	Connected: a resize, a new feature.  May be NULL
 * @closing: the back end is Closing: stop new work, and return 0 when done or
 *	-EBUSY if users are left; then call pvbus_may_close() when they are
 *	gone
 * @disconnect: the back end is gone, has unmapped the rings or will not, or
 *	setup failed half way: give back rings, grants and event channels,
 *	whatever of them exists.  Work in flight is kept for a reconnection
 *	until remove
 * @given_up: follows disconnect: it has failed too often, and will not be
 *	connected again before it is removed: fail what is left.  May be NULL
 * @remove: the device goes away for good: fail what is left.  disconnect has
 *	been called before, if setup was.  May be NULL
 */
struct pvbus_driver {
	struct device_driver driver;
	const char *type;
	const char *const *identity;
	enum xenbus_state announce;
	int (*probe)(struct pvbus_device *dev);
	int (*setup)(struct pvbus_device *dev);
	int (*publish)(struct pvbus_device *dev, u32 txn);
	int (*connected)(struct pvbus_device *dev);
	void (*changed)(struct pvbus_device *dev);
	int (*closing)(struct pvbus_device *dev);
	void (*disconnect)(struct pvbus_device *dev);
	void (*given_up)(struct pvbus_device *dev);
	void (*remove)(struct pvbus_device *dev);
};

int pvbus_register(struct pvbus_driver *driver);
void pvbus_unregister(struct pvbus_driver *driver);

/*
 * Any context: the back end broke the protocol, or the driver cannot go on.
 * @fmt, "field: problem (errno)", goes to the log and to the error node in
 * XenStore; the device is disconnected soon after, from process context.
 */
void __printf(2, 3) pvbus_fail(struct pvbus_device *dev, const char *fmt, ...);
/*
 * Any context: disconnect and connect again, with new nodes, soon after, from
 * process context.  The driver sees disconnect, setup, publish and connected,
 * but not closing.  Without effect unless connected.
 */
void pvbus_restart(struct pvbus_device *dev);
/* Any context: the users that made closing return -EBUSY are gone. */
void pvbus_may_close(struct pvbus_device *dev);

static inline void *pvbus_priv(struct pvbus_device *dev)
{
	return dev_get_drvdata(&dev->dev);
}

#endif /* PVBUS_DEVICE_H */
