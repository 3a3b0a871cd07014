// SPDX-License-Identifier: GPL-2.0-only
/*
 * One device and its back end: from any state of the one to the right state of
 * the other.
 *
 * Nothing depends on seeing each change of the back end's state: whenever
 * something may have changed, the present state is read and our stage brought
 * into line with it.
 */
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bus.h"

/* A device that fails more often stays closed until it is plugged in anew. */
#define PVBUS_FAILURES	5
/* Attempts to publish while others keep changing what we have read. */
#define PVBUS_TRIES	64
/* Time for a back end to let go of what we share with it. */
#define PVBUS_LEAVE	(5 * HZ)
/* Time after which the log tells which back end does not answer. */
#define PVBUS_PATIENCE	(30 * HZ)
#define PVBUS_PATH_MAX	512

/** pvbus_state_name() - name of a state for people, "?" for none of xenbus.h */
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
 * pvbus_fail() - a device cannot go on
 * @dev: the device
 * @fmt: which field made no sense, or what went wrong; without newline
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

	spin_lock_irqsave(&core->why_lock, flags);
	first = !test_bit(PVBUS_FAILED, &core->requests);
	if (first) {
		va_start(args, fmt);
		vscnprintf(core->why, sizeof(core->why), fmt, args);
		va_end(args);
		dev_err(&dev->dev, "%s\n", core->why);
		set_bit(PVBUS_FAILED, &core->requests);
	}
	spin_unlock_irqrestore(&core->why_lock, flags);
	if (first)
		queue_work(pvbus_queue, &core->step);
}
EXPORT_SYMBOL_GPL(pvbus_fail);

/** pvbus_failed() - has a device failed, with no new attempt begun? */
bool pvbus_failed(const struct pvbus_device *dev)
{
	return READ_ONCE(dev->core->broken) ||
	       test_bit(PVBUS_FAILED, &dev->core->requests);
}
EXPORT_SYMBOL_GPL(pvbus_failed);

/**
 * pvbus_restart() - connect anew
 * @dev: the device; nothing happens unless it is connected
 *
 * Context: any.
 */
void pvbus_restart(struct pvbus_device *dev)
{
	set_bit(PVBUS_RESTART, &dev->core->requests);
	queue_work(pvbus_queue, &dev->core->step);
}
EXPORT_SYMBOL_GPL(pvbus_restart);

/**
 * pvbus_may_close() - the users that kept a device from closing are gone
 * @dev: the device; its closing() is called again if that is still wanted
 *
 * Context: any.
 */
void pvbus_may_close(struct pvbus_device *dev)
{
	queue_work(pvbus_queue, &dev->core->step);
}
EXPORT_SYMBOL_GPL(pvbus_may_close);

/* What stands in our state node; -ENOENT if our directory has gone. */
static int own_state(struct pvbus_core *core, u32 txn, enum xenbus_state *state)
{
	const char *node = core->dev.node;
	unsigned long long value = XenbusStateUnknown;
	int ret = pvstore_read_uint(txn, node, "state", &value);

	if (ret == -ENOENT && !pvstore_exists(txn, node, ""))
		return -ENOENT;
	if (ret && ret != -ENOENT && ret != -EINVAL)
		return ret;
	*state = value;
	return 0;
}

/*
 * Is our directory another one than that we knew?  Whoever unplugs a device and
 * plugs in another of the same number between two looks leaves a directory
 * whose state we have not written.  But one that was found before we could read
 * its state is still the same: its users may have set it up meanwhile.
 */
static bool is_replaced(struct pvbus_core *core)
{
	enum xenbus_state state;
	int ret = own_state(core, PVSTORE_NO_TXN, &state);

	if (ret)
		return ret == -ENOENT;
	if (core->dev.state == XenbusStateUnknown)
		core->dev.state = state;
	return state != core->dev.state;
}

/*
 * Write our state, after what the driver publishes if @publish; but never into
 * a directory that has been removed, which would come back as a ghost.
 */
static int tell(struct pvbus_core *core, enum xenbus_state state, bool publish)
{
	struct pvbus_device *dev = &core->dev;
	unsigned int tries = PVBUS_TRIES;
	enum xenbus_state old;
	u32 txn;
	int ret;

	if (state == dev->state && !publish)
		return 0;
	do {
		ret = pvstore_begin(&txn);
		if (ret)
			break;
		ret = own_state(core, txn, &old);
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
		dev_err(&dev->dev, "cannot write node state (%d)\n", ret);
	return ret;
}

static void backend_changed(struct pvstore_watch *watch, const char *path)
{
	struct pvbus_core *core = container_of(watch, struct pvbus_core, watch);

	complete(&core->moved);
	queue_work(pvbus_queue, &core->step);
}

static void forget_backend(struct pvbus_core *core)
{
	if (!core->watch.path)
		return;
	pvstore_unwatch(&core->watch);
	kfree(core->watch.path);
	core->watch.path = NULL;
	core->dev.backend = NULL;
}

/* One line for each device about a back end that cannot be found. */
static void lost_backend(struct pvbus_core *core, const char *field, int ret)
{
	if (!core->lost)
		dev_err(&core->dev.dev,
			"node %s %s (%d); waiting for a better one\n", field,
			ret == -ENOENT ? "is missing" : "makes no sense", ret);
	core->lost = true;
	forget_backend(core);
}

/* Where the back end is, and to be told when something changes there. */
static bool find_backend(struct pvbus_core *core)
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
		lost_backend(core, "backend-id", ret);
		return false;
	}
	ret = pvstore_read(PVSTORE_NO_TXN, dev->node, "backend", &path, &len);
	if (!ret && (path[0] != '/' || strlen(path) != len ||
		     len > PVBUS_PATH_MAX)) {
		kfree(path);
		ret = -EINVAL;
	}
	if (ret) {
		lost_backend(core, "backend", ret);
		return false;
	}
	core->lost = false;
	dev->backend_id = id;
	if (core->watch.path && !strcmp(core->watch.path, path)) {
		kfree(path);
		return true;
	}
	forget_backend(core);
	core->watch.path = path;
	ret = pvstore_watch(&core->watch);
	if (ret) {
		dev_err(&dev->dev, "cannot watch %s (%d)\n", path, ret);
		core->watch.path = NULL;
		kfree(path);
		return false;
	}
	dev->backend = path;
	return true;
}

/*
 * False: it cannot be told now; then everything stays as it is.  To the daemon
 * a directory that has gone is one that we may not read, as its parent is.
 */
static bool backend_state(struct pvbus_core *core, enum xenbus_state *state)
{
	unsigned long long value = XenbusStateUnknown;
	int ret = pvstore_read_uint(PVSTORE_NO_TXN, core->dev.backend, "state",
				    &value);

	if (!ret && value > XenbusStateReconfigured)
		ret = -EINVAL;
	if (ret == -EINVAL && !core->broken)
		pvbus_fail(&core->dev, "%s/state makes no sense",
			   core->dev.backend);
	if (ret && ret != -ENOENT && ret != -EACCES)
		return false;
	*state = value;
	return true;
}

/*
 * May it have rings of ours mapped, as far as it says?  One that waits for
 * nodes may have found our old ones.
 */
static bool holds_on(enum xenbus_state backend)
{
	return backend >= XenbusStateInitWait && backend <= XenbusStateClosing;
}

/* Look at the back end again, and complain if it has not moved by then. */
static void await(struct pvbus_core *core, unsigned long time)
{
	mod_delayed_work(pvbus_queue, &core->late, time);
}

static void part(struct pvbus_core *core)
{
	if (core->stage == PVBUS_APART)
		return;
	core->driver->disconnect(&core->dev);
	core->stage = PVBUS_APART;
	await(core, PVBUS_PATIENCE);
}

static void leave(struct pvbus_core *core)
{
	tell(core, XenbusStateClosed, false);
	if (core->stage == PVBUS_APART)
		return;
	core->stage = PVBUS_LEAVING;
	await(core, PVBUS_LEAVE);
}

static void offer(struct pvbus_core *core)
{
	const struct pvbus_driver *driver = core->driver;
	int ret = driver->setup(&core->dev);

	/* Whatever of it exists is given back by disconnect. */
	core->stage = PVBUS_OFFERED;
	core->again = false;
	if (ret) {
		pvbus_fail(&core->dev, "cannot be set up (%d)", ret);
		return;
	}
	ret = tell(core, driver->announce, true);
	if (ret && ret != -ENOENT)
		pvbus_fail(&core->dev, "nodes below %s cannot be written (%d)",
			   core->dev.node, ret);
	await(core, PVBUS_PATIENCE);
}

static void join(struct pvbus_core *core)
{
	int ret = core->driver->connected(&core->dev);

	core->stage = PVBUS_JOINED;
	cancel_delayed_work(&core->late);
	if (ret) {
		pvbus_fail(&core->dev, "cannot go into service (%d)", ret);
		return;
	}
	tell(core, XenbusStateConnected, false);
	pvbus_settled(core);
}

/*
 * The back end has started anew, or failed and may do so.  It must see that we
 * are closed before it sees new nodes: blkback looks at those it finds as soon
 * as it is there, and may be mapping our old rings at this moment.
 */
static void start_over(struct pvbus_core *core)
{
	/* Not for ever with one that takes nothing that we offer. */
	if (core->stage == PVBUS_OFFERED)
		core->failures++;
	core->again = core->failures < PVBUS_FAILURES;
	leave(core);
}

/* The tool stack takes a device offline before it removes it. */
static bool stays(struct pvbus_core *core)
{
	return (core->stage == PVBUS_OFFERED || core->stage == PVBUS_JOINED) &&
	       pvstore_read_feature(core->dev.backend, "online", 0, 1);
}

/* The back end waits for us. */
static void backend_waits(struct pvbus_core *core)
{
	if (core->stage == PVBUS_JOINED)
		start_over(core);
	else if (core->stage == PVBUS_APART && !core->broken)
		offer(core);
}

static void backend_connected(struct pvbus_core *core)
{
	const struct pvbus_driver *driver = core->driver;

	if (core->stage == PVBUS_OFFERED)
		join(core);
	else if (core->stage == PVBUS_JOINED && driver->changed)
		driver->changed(&core->dev);
	else if (core->stage == PVBUS_APART)
		leave(core);	/* connected with who was here before us */
}

static void backend_closing(struct pvbus_core *core)
{
	if (stays(core)) {
		start_over(core);
		return;
	}
	if (core->stage == PVBUS_JOINED && !core->broken &&
	    core->driver->closing(&core->dev) == -EBUSY)
		return;		/* until pvbus_may_close() */
	if (core->stage != PVBUS_LEAVING)
		leave(core);
}

/* The back end is not there, or has just come. */
static void backend_absent(struct pvbus_core *core)
{
	part(core);
	if (core->failures < PVBUS_FAILURES)
		core->broken = false;
	if (!core->broken)
		tell(core, XenbusStateInitialising, false);
}

static void backend_closed(struct pvbus_core *core)
{
	if (stays(core))
		start_over(core);
	part(core);
	if (core->failures < PVBUS_FAILURES)
		core->broken = false;
	tell(core, core->again ? XenbusStateInitialising : XenbusStateClosed,
	     false);
	core->again = false;
}

/* Tell the tool stack as well; it reads this node if it reads anything. */
static void report(struct pvbus_core *core)
{
	char *dir = kasprintf(GFP_KERNEL, "error/%s", core->dev.node);

	if (dir)
		pvstore_write(PVSTORE_NO_TXN, dir, "error", core->why);
	kfree(dir);
}

static void take_requests(struct pvbus_core *core)
{
	if (test_and_clear_bit(PVBUS_RESTART, &core->requests) &&
	    core->stage == PVBUS_JOINED) {
		core->again = true;
		leave(core);
	}
	if (!test_bit(PVBUS_FAILED, &core->requests))
		return;
	report(core);
	core->failures++;
	core->broken = true;
	core->again = false;
	leave(core);
	clear_bit(PVBUS_FAILED, &core->requests);
	pvbus_settled(core);
}

static void step(struct pvbus_core *core)
{
	enum xenbus_state backend;

	if (is_replaced(core)) {
		WRITE_ONCE(core->replaced, true);
		pvbus_scan_again();
		return;
	}
	take_requests(core);
	if (core->stage == PVBUS_APART && !find_backend(core))
		return;
	if (!backend_state(core, &backend))
		return;
	if (core->stage == PVBUS_LEAVING) {
		if (holds_on(backend))
			return;
		part(core);
	}
	switch (backend) {
	case XenbusStateUnknown:
	case XenbusStateInitialising:
		backend_absent(core);
		break;
	case XenbusStateInitWait:
	case XenbusStateInitialised:
		backend_waits(core);
		break;
	case XenbusStateConnected:
		backend_connected(core);
		break;
	case XenbusStateClosing:
		backend_closing(core);
		break;
	case XenbusStateClosed:
		backend_closed(core);
		break;
	case XenbusStateReconfiguring:
	case XenbusStateReconfigured:
		break;
	}
}

static void step_work(struct work_struct *work)
{
	struct pvbus_core *core = container_of(work, struct pvbus_core, step);

	mutex_lock(&core->lock);
	if (core->driver)
		step(core);
	mutex_unlock(&core->lock);
}

static void late_work(struct work_struct *work)
{
	struct pvbus_core *core = container_of(to_delayed_work(work),
					       struct pvbus_core, late);
	struct pvbus_device *dev = &core->dev;
	enum xenbus_state backend = XenbusStateUnknown;

	mutex_lock(&core->lock);
	if (!core->driver || !dev->backend || core->stage == PVBUS_JOINED)
		goto out;
	backend_state(core, &backend);
	if (core->stage == PVBUS_LEAVING) {
		if (holds_on(backend))
			dev_warn(&dev->dev, "back end stays %s; what it still holds is kept apart\n",
				 pvbus_state_name(backend));
		part(core);
		queue_work(pvbus_queue, &core->step);
	} else if (!core->broken && backend != XenbusStateClosed) {
		dev_warn(&dev->dev, "back end %s does not answer: it is %s, we are %s\n",
			 dev->backend, pvbus_state_name(backend),
			 pvbus_state_name(dev->state));
	}
out:
	mutex_unlock(&core->lock);
}

/* Stop for good, and give the back end some time to notice. */
static void take_leave(struct pvbus_core *core)
{
	unsigned long end = jiffies + PVBUS_LEAVE;
	enum xenbus_state backend;

	if (core->stage == PVBUS_APART)
		return;
	if (core->stage == PVBUS_JOINED)
		core->driver->closing(&core->dev);
	if (!tell(core, XenbusStateClosed, false)) {
		reinit_completion(&core->moved);
		while (backend_state(core, &backend) && holds_on(backend) &&
		       time_before(jiffies, end))
			wait_for_completion_timeout(&core->moved, HZ);
	}
	part(core);
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
	int ret;

	mutex_lock(&core->lock);
	/* What was wrong the last time is not what may be wrong now. */
	core->requests = 0;
	ret = driver->probe(&core->dev);
	if (!ret) {
		core->driver = driver;
		core->again = true;
		core->broken = false;
		core->failures = 0;
		await(core, PVBUS_PATIENCE);
		queue_work(pvbus_queue, &core->step);
	}
	mutex_unlock(&core->lock);
	return ret;
}

/** pvbus_core_unbind() - the driver gives the device back; may sleep */
void pvbus_core_unbind(struct pvbus_core *core)
{
	mutex_lock(&core->lock);
	take_leave(core);
	if (core->driver->remove)
		core->driver->remove(&core->dev);
	core->driver = NULL;
	mutex_unlock(&core->lock);
}

/** pvbus_core_shutdown() - the system goes down or another kernel comes up */
void pvbus_core_shutdown(struct pvbus_core *core)
{
	mutex_lock(&core->lock);
	if (core->driver)
		take_leave(core);
	mutex_unlock(&core->lock);
}

/** pvbus_core_init() - a device has appeared; id, type and node are set */
void pvbus_core_init(struct pvbus_core *core)
{
	core->dev.core = core;
	mutex_init(&core->lock);
	spin_lock_init(&core->why_lock);
	init_completion(&core->moved);
	INIT_WORK(&core->step, step_work);
	INIT_DELAYED_WORK(&core->late, late_work);
	core->watch.changed = backend_changed;
	if (own_state(core, PVSTORE_NO_TXN, &core->dev.state))
		core->dev.state = XenbusStateUnknown;
}

/** pvbus_core_exit() - no driver is bound, none will be; may sleep */
void pvbus_core_exit(struct pvbus_core *core)
{
	mutex_lock(&core->lock);
	forget_backend(core);
	mutex_unlock(&core->lock);
	cancel_work_sync(&core->step);
	cancel_delayed_work_sync(&core->late);
	pvbus_settled(core);
}
