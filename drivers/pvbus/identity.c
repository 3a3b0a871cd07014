// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a device is still the one that its driver has probed: its directory
 * can be removed and made again between two looks at it.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bus.h"

/**
 * pvbus_read_own_state() - read our state node
 * @core: the device
 * @txn: transaction or PVSTORE_NO_TXN
 * @state: set to it, XenbusStateUnknown if there is none
 *
 * Context: process.
 * Return: 0 or a negative errno; -ENOENT if our directory has gone.
 */
int pvbus_read_own_state(struct pvbus_core *core, u32 txn,
			 enum xenbus_state *state)
{
	const char *node = core->dev.node;
	unsigned long long value = XenbusStateUnknown;
	int ret = pvstore_read_uint(txn, node, "state", &value);
	char *text;

	if (ret == -ENOENT) {
		ret = pvstore_read(txn, node, "", &text, NULL);
		if (!ret)
			kfree(text);
	}
	if (ret && ret != -EINVAL)
		return ret;
	*state = value;
	return 0;
}

/*
 * The values of the nodes that the driver reads in probe(), a line for each;
 * NULL if they cannot be read now.
 */
static char *pvbus_read_identity(struct pvbus_core *core, u32 txn,
				 const struct pvbus_driver *driver)
{
	const char *const *node = driver->identity;
	char *all = kstrdup("", GFP_KERNEL), *value, *more;
	int ret;

	for (; all && *node; node++) {
		ret = pvstore_read(txn, core->dev.node, *node, &value, NULL);
		if (ret && ret != -ENOENT) {
			kfree(all);
			return NULL;
		}
		more = kasprintf(GFP_KERNEL, "%s%s\n", all, ret ? "" : value);
		if (!ret)
			kfree(value);
		kfree(all);
		all = more;
	}
	return all;
}

/**
 * pvbus_is_another() - have the nodes changed that the driver reads in probe()?
 * @core: the device
 * @txn: transaction or PVSTORE_NO_TXN
 * @driver: its driver, or the one that has just probed it
 *
 * Context: process.
 * Return: true if they have; false also if nothing is known of them.
 */
bool pvbus_is_another(struct pvbus_core *core, u32 txn,
		      const struct pvbus_driver *driver)
{
	bool another;
	char *now;

	if (!driver || !core->identity)
		return false;
	now = pvbus_read_identity(core, txn, driver);
	another = now && strcmp(now, core->identity);
	kfree(now);
	return another;
}

/**
 * pvbus_learn_identity() - a driver is about to probe the device
 * @core: the device
 * @driver: the driver
 *
 * Context: process.
 */
void pvbus_learn_identity(struct pvbus_core *core,
			  const struct pvbus_driver *driver)
{
	if (driver->identity)
		core->identity = pvbus_read_identity(core, PVSTORE_NO_TXN,
						     driver);
}

/**
 * pvbus_forget_identity() - the driver does not have the device any more
 * @core: the device
 *
 * Context: process.
 */
void pvbus_forget_identity(struct pvbus_core *core)
{
	kfree(core->identity);
	core->identity = NULL;
}

/**
 * pvbus_replace() - our directory is another device's
 * @core: the device, which the next scan removes
 * @state: state that is there
 *
 * Context: process.
 */
void pvbus_replace(struct pvbus_core *core, enum xenbus_state state)
{
	if (!READ_ONCE(core->replaced))
		pr_info_ratelimited("pvbus: %s: another device, %s, in the place of one that was %s (%d); removing that\n",
				    core->dev.node, pvbus_state_name(state),
				    pvbus_state_name(core->dev.state), -ESTALE);
	WRITE_ONCE(core->replaced, true);
}

/**
 * pvbus_is_replaced() - is our directory another one than before?
 * @core: the device
 *
 * A tool stack that unplugs a device and plugs in another of the same number
 * between two updates leaves one whose state we have not written.  While ours is
 * that of a new one as well, the nodes that the driver has read decide: with the
 * same ones it can take the place of the former.  A directory whose state could
 * not be read when it was found is still the same: its users may have set it up
 * meanwhile.
 *
 * Context: process.
 * Return: true if it is another one, or has gone.
 */
bool pvbus_is_replaced(struct pvbus_core *core)
{
	enum xenbus_state state;
	int ret = pvbus_read_own_state(core, PVSTORE_NO_TXN, &state);

	if (ret)
		return ret == -ENOENT;
	if (core->dev.state == XenbusStateUnknown)
		core->dev.state = state;
	if (state == core->dev.state &&
	    (state != XenbusStateInitialising ||
	     !pvbus_is_another(core, PVSTORE_NO_TXN, core->driver)))
		return false;
	pvbus_replace(core, state);
	return true;
}
