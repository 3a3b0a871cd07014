// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tool stack asks of the guest as a whole, by notes in the store's
 * directory control/ (Xen's xenstore-paths(7)): to power off, to reboot, or to
 * act as if a SysRq key had been pressed.
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

/* Attempts while the tool stack writes the note that we are reading. */
#define TRIES	16

/* Read a note and empty it, which tells the tool stack that we have it. */
static char *take_note(const char *node)
{
	unsigned int tries = TRIES, len;
	char *note = NULL;
	u32 txn;
	int ret;

	do {
		kfree(note);
		note = NULL;
		if (pvstore_begin(&txn))
			return NULL;
		ret = pvstore_read(txn, "control", node, &note, &len);
		if (!ret && *note)
			ret = pvstore_write(txn, "control", node, "");
		if (ret)
			pvstore_end(txn, true);
		else
			ret = pvstore_end(txn, false);
	} while (ret == -EAGAIN && --tries);
	if (!ret && *note)
		return note;
	kfree(note);
	return NULL;
}

static void take_shutdown(struct work_struct *work)
{
	char *order = take_note("shutdown");

	if (!order)
		return;
	pr_info("pvbus: control/shutdown: the tool stack asks for '%.16s'\n",
		order);
	if (!strcmp(order, "poweroff") || !strcmp(order, "halt"))
		orderly_poweroff(false);
	else if (!strcmp(order, "reboot"))
		orderly_reboot();
	else
		pr_err("pvbus: control/shutdown: '%.16s' is nothing that this guest can do\n",
		       order);
	kfree(order);
}

static void take_sysrq(struct work_struct *work)
{
	char *key = take_note("sysrq");

	if (key && isalnum(*key))
		handle_sysrq(*key);
	kfree(key);
}

/* A note of the tool stack's, and what is done about it. */
struct control {
	struct pvstore_watch watch;
	struct work_struct work;
};

static void control_changed(struct pvstore_watch *watch, const char *path)
{
	schedule_work(&container_of(watch, struct control, watch)->work);
}

static struct control controls[] = {
	{
		.watch = { "control/shutdown", control_changed },
		.work = __WORK_INITIALIZER(controls[0].work, take_shutdown),
	}, {
		.watch = { "control/sysrq", control_changed },
		.work = __WORK_INITIALIZER(controls[1].work, take_sysrq),
	},
};

/* The tool stack may have made no such nodes; then we may not make them. */
static void tell(const char *feature, const char *value)
{
	if (pvstore_exists(PVSTORE_NO_TXN, "control", feature))
		pvstore_write(PVSTORE_NO_TXN, "control", feature, value);
}

static int __init pvbus_control_init(void)
{
	unsigned int i;
	int ret;

	if (!pvstore_present())
		return 0;
	for (i = 0; i < ARRAY_SIZE(controls); i++) {
		ret = pvstore_watch(&controls[i].watch);
		if (ret)
			pr_err("pvbus: cannot watch %s (%d)\n",
			       controls[i].watch.path, ret);
	}
	tell("feature-poweroff", "1");
	tell("feature-reboot", "1");
	tell("feature-suspend", "0");
	return 0;
}

/* A process of the guest's has to be able to run by then. */
late_initcall_sync(pvbus_control_init);
