// SPDX-License-Identifier: GPL-2.0-only
/*
 * One device and its back end: the stage of the one follows the state of the
 * other.
 *
 * The bus need not see each change of the back end's state: whenever something
 * may have changed, the present state is read and the stage brought into line
 * with it.
 */
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bus.h"
#include "grant.h"

/* A device that fails so often stays closed until it is plugged in again. */
#define PVBUS_FAILURES	12
/* Pause after a failure or restart; each further one doubles it, up to: */
#define PVBUS_PAUSE	(HZ / 10)
#define PVBUS_PAUSE_MAX	(30 * HZ)
/* A connection that has lasted so long makes up for those before it. */
#define PVBUS_GOOD_TIME	(60 * HZ)
/* Attempts to publish while others change the nodes that we have read. */
#define PVBUS_TRIES	64
/* Time for a back end to unmap what we share with it. */
#define PVBUS_CLOSE_TIME	(5 * HZ)
/* Time after which a back end that does not change its state is logged. */
#define PVBUS_RESPONSE_TIME	(30 * HZ)
/* Time between two calls for changes of the back end's nodes. */
#define PVBUS_CHANGE_TIME	(HZ / 4)
/* Time between two looks whether a back end has unmapped pages. */
#define PVBUS_HELD_TIME	HZ

/**
 * pvbus_state_name() - name of a state
 * @state: state of io/xenbus.h, or any other number
 *
 * Context: any.
 * Return: the name, "?" for any other.
 */
const char *pvbus_state_name(enum xenbus_state state)
{
	static const char * const names[] = {
		"Unknown", "Initialising", "InitWait", "Initialised",
		"Connected", "Closing", "Closed", "Reconfiguring",
		"Reconfigured",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "?";
}

/**
 * pvbus_fail() - log and write to XenStore that a device cannot go on
 * @dev: the device
 * @fmt: "field: problem (errno)"; without newline
 *
 * Of several failures only the first is reported, until the device has been
 * disconnected.
 *
 * Context: any.
 */
void pvbus_fail(struct pvbus_device *dev, const char *fmt, ...)
{
	struct pvbus_core *core = dev->core;
	unsigned long flags;
	va_list args;
	bool first;

	spin_lock_irqsave(&core->error_lock, flags);
	first = !test_bit(PVBUS_FAILED, &core->requests);
	if (first) {
		va_start(args, fmt);
		vscnprintf(core->error, sizeof(core->error), fmt, args);
		va_end(args);
		set_bit(PVBUS_FAILED, &core->requests);
	}
	spin_unlock_irqrestore(&core->error_lock, flags);
	if (!first)
		return;
	/* Without the lock: the device may be the console that this goes to. */
	dev_err(&dev->dev, "%s; %s\n", core->error,
		READ_ONCE(core->driver) ? "disconnecting" :
		"waiting for its nodes to change");
	queue_work(pvbus_queue, &core->update);
}
EXPORT_SYMBOL_GPL(pvbus_fail);

/**
 * pvbus_restart() - disconnect, and connect with new nodes
 * @dev: the device; nothing happens unless it is connected
 *
 * Context: any.
 */
void pvbus_restart(struct pvbus_device *dev)
{
	set_bit(PVBUS_RESTART, &dev->core->requests);
	queue_work(pvbus_queue, &dev->core->update);
}
EXPORT_SYMBOL_GPL(pvbus_restart);

/**
 * pvbus_may_close() - the users that kept a device from closing are gone
 * @dev: the device; its closing() is called again if the back end still closes
 *
 * Context: any.
 */
void pvbus_may_close(struct pvbus_device *dev)
{
	queue_work(pvbus_queue, &dev->core->update);
}
EXPORT_SYMBOL_GPL(pvbus_may_close);

/*
 * Is the directory that @txn sees still the one that we left in our state?  Before
 * nodes are published it must also be the device that the driver has probed.
 */
static int pvbus_check_own(struct pvbus_core *core, u32 txn, bool publish)
{
	enum xenbus_state state;
	int ret = pvbus_read_own_state(core, txn, &state);

	if (ret)
		return ret;
	if ((state == core->dev.state ||
	     core->dev.state == XenbusStateUnknown) &&
	    !(publish && pvbus_is_another(core, txn, core->driver)))
		return 0;
	pvbus_replace(core, state);
	return -ENOENT;
}

/*
 * Write our state, and before it the driver's nodes if @publish; but never into
 * a directory that has been removed, as a write would create it again, nor into
 * that of the device which has come in its place.
 */
static int pvbus_write_state(struct pvbus_core *core, enum xenbus_state state,
			     bool publish)
{
	struct pvbus_device *dev = &core->dev;
	unsigned int tries = PVBUS_TRIES;
	u32 txn;
	int ret;

	if (READ_ONCE(core->replaced))
		return -ENOENT;
	if (state == dev->state && !publish)
		return 0;
	do {
		ret = pvstore_begin(&txn);
		if (ret)
			break;
		ret = pvbus_check_own(core, txn, publish);
		if (!ret && publish)
			ret = core->driver->publish(dev, txn);
		if (!ret)
			ret = pvstore_printf(txn, dev->node, "state", "%u",
					     state);
		if (ret)
			pvstore_end(txn, true);
		else
			ret = pvstore_end(txn, false);
	} while (ret == -EAGAIN && --tries);
	if (!ret)
		dev->state = state;
	else if (ret == -ENOENT)
		pvbus_scan_again();
	else if (!publish)
		dev_err_ratelimited(&dev->dev, "state: cannot be written (%d); left at %s\n",
				    ret, pvbus_state_name(dev->state));
	return ret;
}

/*
 * May a back end in this state have the device's rings mapped?  One in InitWait may
 * have found our former nodes.
 */
static bool pvbus_backend_may_map(enum xenbus_state backend)
{
	return backend >= XenbusStateInitWait && backend <= XenbusStateClosing;
}

/* Check the back end again after @time, and log it if it is where it was. */
static void pvbus_set_timeout(struct pvbus_core *core, unsigned long time)
{
	mod_delayed_work(pvbus_queue, &core->timeout, time);
}

static void pvbus_call_given_up(struct pvbus_core *core)
{
	if (core->failures >= PVBUS_FAILURES && core->driver->given_up)
		core->driver->given_up(&core->dev);
}

static void pvbus_disconnect(struct pvbus_core *core)
{
	struct pvgrant_charge charge;

	if (core->stage == PVBUS_DISCONNECTED)
		return;
	pvgrant_charge_begin(&charge, core->account);
	core->driver->disconnect(&core->dev);
	pvgrant_charge_end(&charge);
	core->stage = PVBUS_DISCONNECTED;
	pvbus_call_given_up(core);
	pvbus_set_timeout(core, PVBUS_RESPONSE_TIME);
}

static void pvbus_close(struct pvbus_core *core)
{
	pvbus_write_state(core, XenbusStateClosed, false);
	if (core->stage == PVBUS_DISCONNECTED)
		return;
	core->stage = PVBUS_CLOSING;
	pvbus_set_timeout(core, PVBUS_CLOSE_TIME);
}

/*
 * The device has failed (@failed), or its back end has restarted: before the
 * next attempt there is a pause, the longer the more there have been.
 */
static void pvbus_slow_down(struct pvbus_core *core, bool failed)
{
	unsigned int times;

	if (core->stage == PVBUS_CONNECTED &&
	    time_after(jiffies, core->connected + PVBUS_GOOD_TIME)) {
		core->failures = 0;
		core->restarts = 0;
	}
	times = core->restarts++;
	core->resume = jiffies + min_t(unsigned long, PVBUS_PAUSE_MAX,
				       PVBUS_PAUSE << min(times, 10U));
	if (failed && ++core->failures == PVBUS_FAILURES)
		dev_err(&core->dev.dev, "connection: failed %u times (%d); closed until it is plugged in again\n",
			core->failures, -EIO);
}

/* Is there still a pause?  Then the device is updated when it ends. */
static bool pvbus_has_to_pause(struct pvbus_core *core)
{
	if (!core->restarts || !time_before(jiffies, core->resume))
		return false;
	mod_delayed_work(pvbus_queue, &core->pause, core->resume - jiffies);
	return true;
}

static void pvbus_publish(struct pvbus_core *core)
{
	const struct pvbus_driver *driver = core->driver;
	struct pvgrant_charge charge;
	int ret;

	/* The pools made meanwhile are charged for what is abandoned later. */
	pvgrant_charge_begin(&charge, core->account);
	ret = driver->setup(&core->dev);
	pvgrant_charge_end(&charge);
	/* disconnect() gives back whatever exists, also after a failure. */
	core->stage = PVBUS_PUBLISHED;
	core->reconnect = false;
	core->retry = false;
	if (ret) {
		pvbus_fail(&core->dev, "setup: failed (%d)", ret);
		return;
	}
	ret = pvbus_write_state(core, driver->announce, true);
	if (ret && ret != -ENOENT)
		pvbus_fail(&core->dev, "%s: nodes cannot be written (%d)",
			   core->dev.node, ret);
	pvbus_set_timeout(core, PVBUS_RESPONSE_TIME);
}

static void pvbus_connect(struct pvbus_core *core)
{
	int ret = core->driver->connected(&core->dev);

	core->stage = PVBUS_CONNECTED;
	core->connected = jiffies;
	core->noticed = jiffies;
	cancel_delayed_work(&core->timeout);
	if (ret) {
		pvbus_fail(&core->dev, "connected: failed (%d)", ret);
		return;
	}
	pvbus_write_state(core, XenbusStateConnected, false);
	pvbus_settled(core);
}

/*
 * The back end has restarted, or failed and may restart.  It must see that we
 * are Closed before it sees new nodes: blkback reads the nodes that it finds as
 * soon as it starts, and may be mapping our former rings at this moment.
 */
static void pvbus_reconnect(struct pvbus_core *core)
{
	/* Not for ever with a back end that never connects. */
	pvbus_slow_down(core, core->stage == PVBUS_PUBLISHED);
	core->reconnect = core->failures < PVBUS_FAILURES;
	core->broken |= !core->reconnect;
	pvbus_close(core);
}

static bool pvbus_is_online(struct pvbus_core *core)
{
	return (core->stage == PVBUS_PUBLISHED ||
		core->stage == PVBUS_CONNECTED) &&
	       pvbus_says_online(core, false);
}

/*
 * Do the device's back ends have so many pages mapped that we have given up
 * that it may have no further ones?  They would be missing to other devices.
 */
static bool pvbus_holds_too_much(struct pvbus_core *core)
{
	unsigned int pages = pvgrant_account_pages(core->account);
	bool held = pvgrant_account_full(core->account);

	if (held && !core->held)
		dev_warn(&core->dev.dev, "pages: %u of earlier connections are still mapped by the back end (%d); connecting when it has unmapped some\n",
			 pages, -EBUSY);
	core->held = held;
	if (held)
		mod_delayed_work(pvbus_queue, &core->pause, PVBUS_HELD_TIME);
	return held;
}

/* The back end waits for our nodes. */
static void pvbus_backend_waits(struct pvbus_core *core)
{
	if (core->stage == PVBUS_CONNECTED)
		pvbus_reconnect(core);
	else if (core->stage == PVBUS_DISCONNECTED && !core->broken &&
		 !pvbus_has_to_pause(core) && !pvbus_holds_too_much(core))
		pvbus_publish(core);
}

/*
 * A node of the back end may have changed.  Not at once after the last time: a
 * change of a disk's size is a line in the log and an event for user programs.
 */
static void pvbus_note_change(struct pvbus_core *core)
{
	if (time_before(jiffies, core->noticed)) {
		mod_delayed_work(pvbus_queue, &core->pause,
				 core->noticed - jiffies);
		return;
	}
	core->noticed = jiffies + PVBUS_CHANGE_TIME;
	core->driver->changed(&core->dev);
}

static void pvbus_backend_connected(struct pvbus_core *core)
{
	const struct pvbus_driver *driver = core->driver;

	if (core->stage == PVBUS_PUBLISHED)
		pvbus_connect(core);
	else if (core->stage == PVBUS_CONNECTED && driver->changed)
		pvbus_note_change(core);
	else if (core->stage == PVBUS_DISCONNECTED)
		pvbus_close(core); /* connected to a kernel before this one */
}

static void pvbus_backend_closing(struct pvbus_core *core)
{
	if (pvbus_is_online(core)) {
		pvbus_reconnect(core);
		return;
	}
	if (core->stage == PVBUS_CONNECTED && !core->broken &&
	    core->driver->closing(&core->dev) == -EBUSY)
		return;		/* until pvbus_may_close() */
	if (core->stage != PVBUS_CLOSING)
		pvbus_close(core);
}

/*
 * The back end does not exist, or has just been made.  It can be made anew again
 * and again, and each time go on to the next connection.
 */
static void pvbus_backend_absent(struct pvbus_core *core)
{
	if (core->stage != PVBUS_DISCONNECTED) {
		pvbus_slow_down(core, false);
		/* The next one may be seen Closed first. */
		core->reconnect = true;
	}
	pvbus_disconnect(core);
	if (core->failures < PVBUS_FAILURES)
		core->broken = false;
	if (!core->broken)
		pvbus_write_state(core, XenbusStateInitialising, false);
}

/*
 * The tool stack has taken the device offline, and both ends are closed: its
 * driver gives it back, so that no disk is left that cannot be used.  The
 * directories may stay as they are, if the tool stack has not waited.
 */
static void pvbus_detach(struct pvbus_core *core)
{
	core->detached = true;
	/* The back end, too, can write all this, again and again. */
	pvbus_slow_down(core, false);
	pvbus_settled(core);
	pvbus_scan_again();
}

static void pvbus_backend_closed(struct pvbus_core *core)
{
	bool again;
	int ret;

	if (pvbus_is_online(core))
		pvbus_reconnect(core);
	pvbus_disconnect(core);
	if (core->failures < PVBUS_FAILURES)
		core->broken = false;
	/* The tool stack may have begun to remove it during a pause. */
	again = !core->broken &&
		((core->reconnect && pvbus_says_online(core, true)) ||
		 (core->retry && pvbus_says_online(core, false)));
	if (again && pvbus_has_to_pause(core)) {
		pvbus_write_state(core, XenbusStateClosed, false);
		return;
	}
	ret = pvbus_write_state(core, again ? XenbusStateInitialising :
					      XenbusStateClosed, false);
	if (again && ret && ret != -ENOENT) {
		/* No room in the store, for instance: no watch will say so. */
		mod_delayed_work(pvbus_queue, &core->pause, PVBUS_WATCH_TIME);
		return;
	}
	/*
	 * The back end is still Closed when another of its nodes changes before
	 * it has seen our state; pvbus_publish() ends the reconnection.
	 */
	if (again)
		return;
	core->reconnect = false;
	core->retry = false;
	if (!pvbus_says_online(core, true))
		pvbus_detach(core);
}

/*
 * Of a device that its driver has given back: the tool stack may have plugged it in
 * again, in the same directories.
 */
static void pvbus_update_detached(struct pvbus_core *core)
{
	enum xenbus_state backend;

	if (!pvbus_find_backend(core) ||
	    !pvbus_read_backend_state(core, &backend) ||
	    backend < XenbusStateInitialising ||
	    backend > XenbusStateConnected || !pvbus_says_online(core, true) ||
	    pvbus_has_to_pause(core))
		return;
	pvbus_offer(core);
}

/* The error's text for the tool stack, in the node that xenbus.h names. */
static void pvbus_write_error(struct pvbus_core *core)
{
	char *dir = kasprintf(GFP_KERNEL, "error/%s", core->dev.node);

	if (dir)
		pvstore_write(PVSTORE_NO_TXN, dir, "error", core->error);
	kfree(dir);
}

static void pvbus_take_requests(struct pvbus_core *core)
{
	if (test_and_clear_bit(PVBUS_RESTART, &core->requests) &&
	    core->stage == PVBUS_CONNECTED) {
		core->reconnect = true;
		pvbus_close(core);
	}
	if (!test_bit(PVBUS_FAILED, &core->requests))
		return;
	pvbus_write_error(core);
	pvbus_slow_down(core, true);
	core->broken = true;
	core->reconnect = false;
	core->retry = true;
	pvbus_close(core);
	if (core->stage == PVBUS_DISCONNECTED)
		pvbus_call_given_up(core);
	clear_bit(PVBUS_FAILED, &core->requests);
	pvbus_settled(core);
}

static bool pvbus_lacks_state(struct pvbus_core *core)
{
	unsigned long long state;

	return core->dev.state == XenbusStateUnknown &&
	       pvstore_read_uint(PVSTORE_NO_TXN, core->dev.node, "state",
				 &state) == -ENOENT;
}

static void pvbus_update(struct pvbus_core *core)
{
	enum xenbus_state backend;

	if (pvbus_is_replaced(core)) {
		WRITE_ONCE(core->replaced, true);
		pvbus_scan_again();
		return;
	}
	if (core->detached && !core->driver)
		pvbus_update_detached(core);
	if (core->detached || !core->driver)
		return;
	/* The tool stack may still be writing our nodes, the state last. */
	if (pvbus_lacks_state(core)) {
		mod_delayed_work(pvbus_queue, &core->pause, PVBUS_WATCH_TIME);
		return;
	}
	pvbus_take_requests(core);
	if (core->stage == PVBUS_DISCONNECTED && !pvbus_find_backend(core))
		return;
	if (!pvbus_read_backend_state(core, &backend))
		return;
	if (core->stage == PVBUS_CLOSING) {
		if (pvbus_backend_may_map(backend))
			return;
		pvbus_disconnect(core);
	}
	switch (backend) {
	case XenbusStateUnknown:
	case XenbusStateInitialising:
		pvbus_backend_absent(core);
		break;
	case XenbusStateInitWait:
	case XenbusStateInitialised:
		pvbus_backend_waits(core);
		break;
	case XenbusStateConnected:
		pvbus_backend_connected(core);
		break;
	case XenbusStateClosing:
		pvbus_backend_closing(core);
		break;
	case XenbusStateClosed:
		pvbus_backend_closed(core);
		break;
	case XenbusStateReconfiguring:
	case XenbusStateReconfigured:
		break;
	}
}

/*
 * Calls of a driver.  Its disk may be what the memory that they allocate would
 * otherwise be written to.
 */
static unsigned int pvbus_begin(struct pvbus_core *core)
{
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&core->lock);
	return noio;
}

static void pvbus_end(struct pvbus_core *core, unsigned int noio)
{
	mutex_unlock(&core->lock);
	memalloc_noio_restore(noio);
}

static void pvbus_update_worker(struct work_struct *work)
{
	struct pvbus_core *core = container_of(work, struct pvbus_core, update);
	unsigned int noio = pvbus_begin(core);

	if (!core->gone && (core->driver || core->given_back))
		pvbus_update(core);
	pvbus_end(core, noio);
}

static void pvbus_pause_worker(struct work_struct *work)
{
	struct pvbus_core *core = container_of(to_delayed_work(work),
					       struct pvbus_core, pause);

	queue_work(pvbus_queue, &core->update);
}

static void pvbus_timeout_worker(struct work_struct *work)
{
	struct pvbus_core *core = container_of(to_delayed_work(work),
					       struct pvbus_core, timeout);
	struct pvbus_device *dev = &core->dev;
	enum xenbus_state backend = XenbusStateUnknown;
	unsigned int noio = pvbus_begin(core);

	if (core->driver && pvbus_lacks_state(core))
		dev_warn(&dev->dev, "state: missing (%d); waiting for it\n",
			 -ENOENT);
	if (!core->driver || !dev->backend || core->stage == PVBUS_CONNECTED)
		goto out;
	pvbus_read_backend_state(core, &backend);
	if (core->stage == PVBUS_CLOSING) {
		if (pvbus_backend_may_map(backend))
			dev_warn(&dev->dev, "%s/state: still %s after %u s (%d); pages that it has mapped are set aside\n",
				 dev->backend, pvbus_state_name(backend),
				 PVBUS_CLOSE_TIME / HZ, -ETIMEDOUT);
		pvbus_disconnect(core);
		queue_work(pvbus_queue, &core->update);
	} else if (!core->broken && backend != XenbusStateClosed) {
		dev_warn(&dev->dev, "%s/state: still %s after %u s, ours is %s (%d); waiting\n",
			 dev->backend, pvbus_state_name(backend),
			 PVBUS_RESPONSE_TIME / HZ, pvbus_state_name(dev->state),
			 -ETIMEDOUT);
	}
out:
	pvbus_end(core, noio);
}

/* Close for good, and give the back end time to unmap. */
static void pvbus_close_and_wait(struct pvbus_core *core)
{
	unsigned long end = jiffies + PVBUS_CLOSE_TIME;
	enum xenbus_state backend;

	if (core->stage == PVBUS_DISCONNECTED)
		return;
	if (core->stage == PVBUS_CONNECTED)
		core->driver->closing(&core->dev);
	if (!pvbus_write_state(core, XenbusStateClosed, false)) {
		reinit_completion(&core->backend_changed);
		while (pvbus_read_backend_state(core, &backend) &&
		       pvbus_backend_may_map(backend) &&
		       time_before(jiffies, end))
			wait_for_completion_timeout(&core->backend_changed, HZ);
	}
	pvbus_disconnect(core);
}

/**
 * pvbus_core_bind() - a driver takes the device
 * @core: the device
 * @driver: the driver
 *
 * Context: process.
 * Return: 0 or the driver's negative errno.
 */
int pvbus_core_bind(struct pvbus_core *core, const struct pvbus_driver *driver)
{
	unsigned int noio = pvbus_begin(core);
	bool again;
	int ret;

	/* An earlier failure need not be this attempt's. */
	core->requests = 0;
	pvbus_learn_identity(core, driver);
	ret = driver->probe(&core->dev);
	again = !ret && pvbus_is_another(core, PVSTORE_NO_TXN, driver);
	if (again) {
		/* The driver may have read half of what is being written. */
		if (driver->remove)
			driver->remove(&core->dev);
		ret = -ENODEV;
	}
	WRITE_ONCE(core->refused, ret);
	if (ret) {
		pvbus_forget_identity(core);
		/* As any that was refused: offered when its own nodes change. */
		core->detached = false;
		if (again)
			pvbus_offer(core);
		else
			/* The root is on another one, or there will be no root. */
			pvbus_settled(core);
	} else {
		core->driver = driver;
		core->reconnect = true;
		core->broken = false;
		core->failures = 0;
		if (!core->detached)
			core->restarts = 0;
		core->detached = false;
		core->given_back = false;
		pvbus_set_timeout(core, PVBUS_RESPONSE_TIME);
		queue_work(pvbus_queue, &core->update);
	}
	pvbus_end(core, noio);
	return ret;
}

/**
 * pvbus_core_unbind() - the driver gives the device back
 * @core: the device
 *
 * Context: process; waits a while for the back end to unmap.
 */
void pvbus_core_unbind(struct pvbus_core *core)
{
	unsigned int noio = pvbus_begin(core);

	pvbus_close_and_wait(core);
	/* Another device in our directory will be recognised by its state. */
	pvbus_write_state(core, XenbusStateClosed, false);
	if (core->driver->remove)
		core->driver->remove(&core->dev);
	core->driver = NULL;
	core->given_back = true;
	pvbus_forget_identity(core);
	pvbus_end(core, noio);
}

/**
 * pvbus_core_shutdown() - the system shuts down or starts another kernel
 * @core: the device, with or without driver
 *
 * Context: process; waits a while for the back end to unmap.
 */
void pvbus_core_shutdown(struct pvbus_core *core)
{
	unsigned int noio = pvbus_begin(core);

	if (core->driver)
		pvbus_close_and_wait(core);
	pvbus_end(core, noio);
}

/**
 * pvbus_core_init() - a device has appeared
 * @core: zeroed, then given the id, type and node of its device
 *
 * Context: process; reads XenStore.
 */
void pvbus_core_init(struct pvbus_core *core)
{
	core->dev.core = core;
	core->account = pvgrant_account_new();
	mutex_init(&core->lock);
	spin_lock_init(&core->error_lock);
	init_completion(&core->backend_changed);
	INIT_WORK(&core->update, pvbus_update_worker);
	INIT_DELAYED_WORK(&core->timeout, pvbus_timeout_worker);
	INIT_DELAYED_WORK(&core->pause, pvbus_pause_worker);
	core->watch.changed = pvbus_backend_changed;
	if (pvbus_read_own_state(core, PVSTORE_NO_TXN, &core->dev.state))
		core->dev.state = XenbusStateUnknown;
}

/**
 * pvbus_core_exit() - a device has gone
 * @core: the device; no driver is bound, and none will be
 *
 * Context: process; sleeps.
 */
void pvbus_core_exit(struct pvbus_core *core)
{
	mutex_lock(&core->lock);
	/* Of what an update would set, nothing would be taken back. */
	core->gone = true;
	pvbus_unwatch_backend(core);
	mutex_unlock(&core->lock);
	/* An update may set either, and either may queue an update. */
	cancel_work_sync(&core->update);
	cancel_delayed_work_sync(&core->timeout);
	cancel_delayed_work_sync(&core->pause);
	cancel_work_sync(&core->update);
	pvgrant_account_put(core->account);
	core->account = NULL;
	pvbus_settled(core);
}
