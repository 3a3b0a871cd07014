// SPDX-License-Identifier: GPL-2.0-only
/*
 * A front end without a device: it records the callbacks that the bus calls and
 * returns the test's values from them.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/spinlock.h>
#include <pvbus/device.h>
#include <pvbus/store.h>

static int setup_error;
module_param(setup_error, int, 0600);
MODULE_PARM_DESC(setup_error, "return value of setup");
static int connected_error;
module_param(connected_error, int, 0600);
MODULE_PARM_DESC(connected_error, "return value of connected");
static bool busy;
module_param(busy, bool, 0600);
MODULE_PARM_DESC(busy, "refuse to close");

static char calls[2048];
static DEFINE_SPINLOCK(calls_lock);
static struct pvbus_device *last;

static void note(struct pvbus_device *dev, const char *call)
{
	size_t n;

	spin_lock(&calls_lock);
	n = strlen(calls);
	scnprintf(calls + n, sizeof(calls) - n, "%s%s", n ? " " : "", call);
	spin_unlock(&calls_lock);
}

static int test_probe(struct pvbus_device *dev)
{
	note(dev, "probe");
	last = dev;
	return 0;
}

static int test_setup(struct pvbus_device *dev)
{
	note(dev, "setup");
	return setup_error;
}

static int test_publish(struct pvbus_device *dev, u32 txn)
{
	note(dev, "publish");
	return pvstore_write(txn, dev->node, "word", "published");
}

static int test_connected(struct pvbus_device *dev)
{
	note(dev, "connected");
	return connected_error;
}

static void test_changed(struct pvbus_device *dev)
{
	char *value;

	if (pvstore_read(PVSTORE_NO_TXN, dev->backend, "note", &value, NULL))
		return;
	note(dev, value);
	kfree(value);
}

static int test_closing(struct pvbus_device *dev)
{
	note(dev, "closing");
	return busy ? -EBUSY : 0;
}

static void test_disconnect(struct pvbus_device *dev)
{
	note(dev, "disconnect");
}

static void test_given_up(struct pvbus_device *dev)
{
	note(dev, "given_up");
}

static void test_remove(struct pvbus_device *dev)
{
	note(dev, "remove");
	if (last == dev)
		last = NULL;
}

static struct pvbus_driver test_driver = {
	.driver.name	= "pvtest",
	.driver.owner	= THIS_MODULE,
	.type		= "pvtest",
	.announce	= XenbusStateInitialised,
	.probe		= test_probe,
	.setup		= test_setup,
	.publish	= test_publish,
	.connected	= test_connected,
	.changed	= test_changed,
	.closing	= test_closing,
	.disconnect	= test_disconnect,
	.given_up	= test_given_up,
	.remove		= test_remove,
};

/* Read: the calls since the last read.  Write: an action of the front end. */
static int calls_get(char *buffer, const struct kernel_param *kp)
{
	int n;

	spin_lock(&calls_lock);
	n = scnprintf(buffer, PAGE_SIZE, "%s\n", calls);
	calls[0] = 0;
	spin_unlock(&calls_lock);
	return n;
}

static int calls_set(const char *text, const struct kernel_param *kp)
{
	if (!last)
		return -ENODEV;
	if (sysfs_streq(text, "fail"))
		pvbus_fail(last, "field %s is %d", "test", 42);
	else if (sysfs_streq(text, "restart"))
		pvbus_restart(last);
	else if (sysfs_streq(text, "release"))
		pvbus_may_close(last);
	else
		return -EINVAL;
	return 0;
}

static const struct kernel_param_ops calls_ops = {
	.get = calls_get,
	.set = calls_set,
};
module_param_cb(calls, &calls_ops, NULL, 0600);
MODULE_PARM_DESC(calls, "read: callbacks since last read; write: fail, restart or release");

static int __init test_init(void)
{
	return pvbus_register(&test_driver);
}
module_init(test_init);

static void __exit test_exit(void)
{
	pvbus_unregister(&test_driver);
}
module_exit(test_exit);

MODULE_DESCRIPTION("Front end that records the callbacks of the bus");
MODULE_LICENSE("GPL");
