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
#include <linux/workqueue.h>
#include <pvbus/store.h>
#include <pvguest/parameter.h>

/* Attempts while the tool stack writes the node that we are reading. */
#define PVBUS_CONTROL_TRIES	16

/* The request that this kernel cannot carry out. */
#define PVBUS_CONTROL_SUSPEND	"suspend"

/*
 * Read a node and empty it, which acknowledges the request.  One to suspend stays
 * as it is: the tool stack would wait for what does not come.
 */
static char *pvbus_control_take(const char *node)
{
	unsigned int tries = PVBUS_CONTROL_TRIES, len;
	char *value = NULL;
	u32 txn;
	int ret;

	do {
		kfree(value);
		value = NULL;
		if (pvstore_begin(&txn))
			return NULL;
		ret = pvstore_read(txn, "control", node, &value, &len);
		if (!ret && *value && strcmp(value, PVBUS_CONTROL_SUSPEND))
			ret = pvstore_write(txn, "control", node, "");
		if (ret)
			pvstore_end(txn, true);
		else
			ret = pvstore_end(txn, false);
	} while (ret == -EAGAIN && --tries);
	if (!ret && *value)
		return value;
	kfree(value);
	return NULL;
}

static void pvbus_control_shutdown(struct work_struct *work)
{
	char *request = pvbus_control_take("shutdown");

	if (!request)
		return;
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
	kfree(request);
}

static void pvbus_control_sysrq(struct work_struct *work)
{
	char *key = pvbus_control_take("sysrq");

	if (key && isalnum(*key))
		handle_sysrq(*key);
	kfree(key);
}

/* A node that the tool stack writes, and its handler. */
struct pvbus_control {
	struct pvstore_watch watch;
	struct work_struct work;
};

static void pvbus_control_changed(struct pvstore_watch *watch, const char *path)
{
	schedule_work(&container_of(watch, struct pvbus_control, watch)->work);
}

static struct pvbus_control pvbus_controls[] = {
	{
		.watch = { "control/shutdown", pvbus_control_changed },
		.work = __WORK_INITIALIZER(pvbus_controls[0].work,
					   pvbus_control_shutdown),
	},
	{
		.watch = { "control/sysrq", pvbus_control_changed },
		.work = __WORK_INITIALIZER(pvbus_controls[1].work,
					   pvbus_control_sysrq),
	},
};

/* Without such a node from the tool stack the guest may not create one. */
static void pvbus_control_announce(const char *feature, const char *value)
{
	if (pvstore_exists(PVSTORE_NO_TXN, "control", feature))
		pvstore_write(PVSTORE_NO_TXN, "control", feature, value);
}

/* Set the watches that are not set; those that cannot be are tried again. */
static void pvbus_control_watch(struct work_struct *work)
{
	static unsigned int set;
	static bool logged;
	int ret = 0;

	for (; set < ARRAY_SIZE(pvbus_controls); set++) {
		ret = pvstore_watch(&pvbus_controls[set].watch);
		if (ret)
			break;
	}
	if (!ret)
		return;
	if (!logged)
		pr_err("pvbus: %s: cannot be watched (%d); requests there are not seen until it can\n",
		       pvbus_controls[set].watch.path, ret);
	logged = true;
	schedule_delayed_work(to_delayed_work(work), HZ);
}

static DECLARE_DELAYED_WORK(pvbus_control_work, pvbus_control_watch);

static int __init pvbus_control_init(void)
{
	if (!pvstore_present())
		return 0;
	/* As work, but done when the guest's programs begin. */
	schedule_delayed_work(&pvbus_control_work, 0);
	flush_delayed_work(&pvbus_control_work);
	pvbus_control_announce("feature-poweroff", "1");
	pvbus_control_announce("feature-reboot", "1");
	pvbus_control_announce("feature-suspend", "0");
	return 0;
}

/* A program of the guest must be able to run by then. */
late_initcall_sync(pvbus_control_init);
