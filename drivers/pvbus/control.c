// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of the tool stack to the guest as a whole, by nodes in XenStore's
 * directory control/ (Xen's xenstore-paths(7)): power off, reboot, or act as if
 * a SysRq key had been pressed.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysrq.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <pvbus/store.h>
#include <pvguest/parameter.h>

/* Attempts while the tool stack writes the node that we are reading. */
#define PVBUS_CONTROL_TRIES	16

/* For XenStore's first replies, which the boot awaits. */
#define PVBUS_CONTROL_PATIENCE	(10 * HZ)

/* The request that this kernel cannot carry out. */
#define PVBUS_CONTROL_SUSPEND	"suspend"

/**
 * struct pvbus_control - a node that the tool stack writes
 * @watch: on its path
 * @node: its name in control/
 * @handle: carries a request out
 * @work: takes a request that may be there
 * @error: of the last attempt to do so, 0 if it succeeded
 */
struct pvbus_control {
	struct pvstore_watch watch;
	const char *node;
	void (*handle)(const char *request);
	struct delayed_work work;
	int error;
};

/*
 * Read a node and empty it, which acknowledges the request.  One to suspend stays
 * as it is: the tool stack would wait for what does not come.
 */
static int pvbus_control_take(const char *node, char **request)
{
	unsigned int tries = PVBUS_CONTROL_TRIES, len;
	char *value = NULL;
	u32 txn;
	int ret;

	do {
		kfree(value);
		value = NULL;
		ret = pvstore_begin(&txn);
		if (ret)
			return ret;
		ret = pvstore_read(txn, "control", node, &value, &len);
		if (!ret && *value && strcmp(value, PVBUS_CONTROL_SUSPEND))
			ret = pvstore_write(txn, "control", node, "");
		if (ret)
			pvstore_end(txn, true);
		else
			ret = pvstore_end(txn, false);
	} while (ret == -EAGAIN && --tries);
	if (ret)
		kfree(value);
	else
		*request = value;
	return ret;
}

/*
 * A request must not be lost, as the tool stack writes it once.  With some errors
 * only a change helps, or nothing.
 */
static void pvbus_control_failed(struct pvbus_control *control, int error)
{
	bool retry = error != -EACCES && error != -EPROTO &&
		     error != -ETIMEDOUT && error != -ENODEV;

	if (error != control->error)
		pr_err("pvbus: %s: cannot be read and emptied (%d); %s\n",
		       control->watch.path, error,
		       retry ? "looking again each second" :
			       "waiting for it to change");
	control->error = error;
	if (retry)
		schedule_delayed_work(&control->work, HZ);
}

static void pvbus_control_worker(struct work_struct *work)
{
	struct pvbus_control *control = container_of(to_delayed_work(work),
						     struct pvbus_control,
						     work);
	char *request;
	int ret = pvbus_control_take(control->node, &request);

	if (ret && ret != -ENOENT) {
		pvbus_control_failed(control, ret);
		return;
	}
	control->error = 0;
	if (ret)
		return;
	if (*request)
		control->handle(request);
	kfree(request);
}

static void pvbus_control_shutdown(const char *request)
{
	pr_info("pvbus: control/shutdown: '%.*s' requested\n",
		pvguest_shown(request), request);
	if (!strcmp(request, "poweroff") || !strcmp(request, "halt"))
		orderly_poweroff(false);
	else if (!strcmp(request, "reboot"))
		orderly_reboot();
	else if (!strcmp(request, PVBUS_CONTROL_SUSPEND))
		pr_err("pvbus: control/shutdown: not supported (%d); not acknowledged\n",
		       -EOPNOTSUPP);
	else
		pr_err("pvbus: control/shutdown: '%.*s' is unknown (%d); ignored\n",
		       pvguest_shown(request), request, -EINVAL);
}

static void pvbus_control_sysrq(const char *key)
{
	if (isalnum(*key))
		handle_sysrq(*key);
}

static void pvbus_control_changed(struct pvstore_watch *watch, const char *path)
{
	struct pvbus_control *control = container_of(watch,
						     struct pvbus_control,
						     watch);

	mod_delayed_work(system_wq, &control->work, 0);
}

static struct pvbus_control pvbus_controls[] = {
	{
		.watch = { "control/shutdown", pvbus_control_changed },
		.node = "shutdown",
		.handle = pvbus_control_shutdown,
		.work = __DELAYED_WORK_INITIALIZER(pvbus_controls[0].work,
						   pvbus_control_worker, 0),
	},
	{
		.watch = { "control/sysrq", pvbus_control_changed },
		.node = "sysrq",
		.handle = pvbus_control_sysrq,
		.work = __DELAYED_WORK_INITIALIZER(pvbus_controls[1].work,
						   pvbus_control_worker, 0),
	},
};

/* Without such a node from the tool stack the guest may not create one. */
static void pvbus_control_announce(const char *feature, const char *value)
{
	if (pvstore_exists(PVSTORE_NO_TXN, "control", feature))
		pvstore_write(PVSTORE_NO_TXN, "control", feature, value);
}

static DECLARE_WAIT_QUEUE_HEAD(pvbus_control_queue);
static bool pvbus_control_tried;

/* Set the watches that are not set; those that cannot be are tried again. */
static int pvbus_control_set(void)
{
	static unsigned int set;
	static bool logged;
	int ret = 0;

	for (; set < ARRAY_SIZE(pvbus_controls); set++) {
		ret = pvstore_watch(&pvbus_controls[set].watch);
		if (ret)
			break;
	}
	if (ret && !logged) {
		pr_err("pvbus: %s: cannot be watched (%d); requests there are not seen until it can\n",
		       pvbus_controls[set].watch.path, ret);
		logged = true;
	}
	return ret;
}

static void pvbus_control_watch(struct work_struct *work)
{
	if (!READ_ONCE(pvbus_control_tried)) {
		pvbus_control_announce("feature-poweroff", "1");
		pvbus_control_announce("feature-reboot", "1");
		pvbus_control_announce("feature-suspend", "0");
	}
	if (pvbus_control_set())
		schedule_delayed_work(to_delayed_work(work), HZ);
	WRITE_ONCE(pvbus_control_tried, true);
	wake_up_all(&pvbus_control_queue);
}

static DECLARE_DELAYED_WORK(pvbus_control_work, pvbus_control_watch);

static int __init pvbus_control_init(void)
{
	if (!pvstore_present())
		return 0;
	/*
	 * As work, which a request to a silent daemon holds up for good; but done
	 * when the guest's programs begin, if the daemon replies.
	 */
	schedule_delayed_work(&pvbus_control_work, 0);
	if (!wait_event_timeout(pvbus_control_queue, READ_ONCE(pvbus_control_tried),
				PVBUS_CONTROL_PATIENCE))
		pr_err("pvbus: control: XenStore does not reply (%d); going on without its requests until it does\n",
		       -ETIMEDOUT);
	return 0;
}

/* A program of the guest must be able to run by then. */
late_initcall_sync(pvbus_control_init);
