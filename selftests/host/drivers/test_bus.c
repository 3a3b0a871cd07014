// SPDX-License-Identifier: MIT
/*
 * The device bus (drivers/pvbus/bus.c, device.c): which devices are there, which
 * have a driver, and what their back ends can have done to them.
 */
#include "driver/kernel.c"
#include "driver/devices.h"

#include <setjmp.h>
#include <cmocka.h>

#include "store_nodes.h"

#include "../../../drivers/pvbus/bus.c"
#include "../../../drivers/pvbus/device.c"
#include "../../../drivers/pvbus/backend.c"
#include "../../../drivers/pvbus/identity.c"

#include "grant_accounts.h"

#define FRONT	"device/vbd/51712"
#define BACK	"/local/domain/0/backend/vbd/1/51712"

/* The driver: it counts its calls. */

static struct {
	unsigned int probe, setup, connected, changed, closing, disconnect, remove;
} calls;
static int probe_error, closing_error;
/* The number that the tool stack writes just before the driver reads it. */
static const char *drv_written_meanwhile;
/*
 * The tool stack plugs it in again while it is disconnected; the state in its
 * directory when that has ended.
 */
static bool drv_plugged_meanwhile;
static char drv_state_meanwhile[4];

/* The number of the device that the tool stack puts in its place while it is set up. */
static const char *drv_set_up_meanwhile;

static void plug(const char *virtual_device);

/* A disk's call: memory may be written to the disk that an allocation waits for. */
static void drv_allocate(void)
{
	unsigned int before = shim_io_allocations;

	kfree(kmalloc(1, GFP_KERNEL));
	assert_int_equal(shim_io_allocations, before);
}

static int drv_probe(struct pvbus_device *dev)
{
	drv_allocate();
	calls.probe++;
	if (drv_written_meanwhile)
		node_set(FRONT "/virtual-device", drv_written_meanwhile);
	drv_written_meanwhile = NULL;
	return probe_error;
}

static int drv_setup(struct pvbus_device *dev)
{
	drv_allocate();
	calls.setup++;
	if (drv_set_up_meanwhile)
		plug(drv_set_up_meanwhile);
	drv_set_up_meanwhile = NULL;
	return 0;
}

static int drv_publish(struct pvbus_device *dev, u32 txn)
{
	return pvstore_printf(txn, dev->node, "ring-ref", "8");
}

static int drv_connected(struct pvbus_device *dev)
{
	drv_allocate();
	calls.connected++;
	return 0;
}

static void drv_changed(struct pvbus_device *dev)
{
	calls.changed++;
}

static int drv_closing(struct pvbus_device *dev)
{
	calls.closing++;
	return closing_error;
}

static void drv_disconnect(struct pvbus_device *dev)
{
	calls.disconnect++;
	if (drv_plugged_meanwhile)
		plug("51712");
	drv_plugged_meanwhile = false;
}

static void drv_remove(struct pvbus_device *dev)
{
	struct node *state = node_find(FRONT "/state");

	calls.remove++;
	strscpy(drv_state_meanwhile, state ? state->value : "", sizeof(drv_state_meanwhile));
}

static const char *const drv_identity[] = { "virtual-device", NULL };

static struct pvbus_driver drv = {
	.driver.name	= "drv",
	.type		= "vbd",
	.identity	= drv_identity,
	.announce	= XenbusStateInitialised,
	.probe		= drv_probe,
	.setup		= drv_setup,
	.publish	= drv_publish,
	.connected	= drv_connected,
	.changed	= drv_changed,
	.closing	= drv_closing,
	.disconnect	= drv_disconnect,
	.remove		= drv_remove,
};

/* The tool stack makes both directories; the back end comes with its first state. */
static void plug(const char *virtual_device)
{
	node_put(BACK "/online", "1");
	node_put(BACK "/state", "1");
	node_put(FRONT "/backend", BACK);
	node_put(FRONT "/backend-id", "0");
	node_put(FRONT "/virtual-device", virtual_device);
	node_put(FRONT "/state", "1");
	node_event(FRONT);
}

static void back(const char *state)
{
	node_set(BACK "/state", state);
	shim_pass(0);
}

static void connect(void)
{
	back("2");
	assert_string_equal(node_find(FRONT "/state")->value, "3");
	back("4");
	assert_string_equal(node_find(FRONT "/state")->value, "4");
}

static struct pvbus_core *core(void)
{
	return list_empty(&pvbus_devices) ? NULL :
	       list_first_entry(&pvbus_devices, struct pvbus_core, list);
}

/* Error of the program's first scan, or 0. */
static int first_list_error;

static int start(void **state)
{
	memset(&calls, 0, sizeof(calls));
	memset(nodes, 0, sizeof(nodes));
	memset(shim_delayed, 0, sizeof(shim_delayed));
	INIT_LIST_HEAD(&node_watches);
	node_list_error = first_list_error;
	first_list_error = 0;
	probe_error = 0;
	closing_error = 0;
	shim_added = 0;
	shim_log_last[0] = '\0';
	saved_command_line = "root=/dev/xvda";
	assert_int_equal(shim_init_pvbus_init(), 0);
	shim_pass(0);
	assert_int_equal(pvbus_register(&drv), 0);
	return 0;
}

static int stop(void **state)
{
	bool good;

	node_drop("device");
	shim_pass(0);
	good = !core() && calls.remove <= calls.probe && !node_open_txns && !shim_allocations;
	pvbus_unregister(&drv);
	if (!good)
		print_error("%u allocations left\n", shim_allocations);
	shim_reset();
	return !good;
}

static void life(void **state)
{
	unsigned int before = shim_io_allocations;

	plug("51712");
	shim_pass(0);
	/* Nor does the scan, which has to remove disks, wait for one. */
	assert_int_equal(shim_io_allocations, before);
	assert_int_equal(shim_noio, 0);
	assert_int_equal(calls.probe, 1);
	connect();
	back("5");
	assert_int_equal(calls.closing, 0);	/* it is online: the back end restarts */
	back("6");
	assert_int_equal(calls.disconnect, 1);
	/* After the pause it is to start anew. */
	shim_pass(HZ);
	assert_string_equal(node_find(FRONT "/state")->value, "1");
	connect();
	assert_int_equal(calls.setup, 2);
	assert_int_equal(calls.probe, 1);
}

/* The text of the attribute @name of a device. */
static const char *attribute(struct device *dev, const char *name)
{
	static char text[64];
	unsigned int i = 0;

	while (strcmp(pvbus_attrs[i]->name, name))
		i++;
	container_of(pvbus_attrs[i], struct device_attribute, attr)->show(dev, NULL, text);
	return text;
}

/*
 * The names by which udev's rules and systemd know the devices of such a bus: they
 * are those that Linux's own front ends have.
 */
static void names(void **state)
{
	struct kobj_uevent_env env;
	struct device *dev;

	plug("51712");
	shim_pass(0);
	dev = &core()->dev.dev;
	assert_string_equal(dev->bus->name, "xen");
	assert_string_equal(dev->name, "vbd-51712");
	assert_int_equal(dev->bus->uevent(dev, &env), 0);
	assert_string_equal(env.text, "MODALIAS=xen:vbd");
	assert_string_equal(attribute(dev, "modalias"), "xen:vbd\n");
	assert_string_equal(attribute(dev, "nodename"), "device/vbd/51712\n");
	assert_string_equal(attribute(dev, "devtype"), "vbd\n");
	assert_string_equal(attribute(dev, "state"), "Initialising\n");
	connect();
	assert_string_equal(attribute(dev, "state"), "Connected\n");
}

/* The queue has a rescuer: without memory for another worker disks still reconnect. */
static void rescuer(void **state)
{
	assert_true(shim_queue_flags & WQ_MEM_RECLAIM);
}

/* Another device takes the place of one that waits for its back end. */
static void replaced(void **state)
{
	plug("51712");
	shim_pass(0);
	/* The same once more is no other device. */
	node_remove(FRONT);
	plug("51712");
	shim_pass(0);
	assert_int_equal(calls.probe, 1);
	node_remove(FRONT);
	plug("51728");
	shim_pass(0);
	assert_int_equal(calls.remove, 1);
	assert_int_equal(calls.probe, 2);
	assert_int_equal(shim_added, 2);
	assert_non_null(strstr(shim_log_last, FRONT ": another device"));
	connect();
	/* One that is in use is recognised by its state. */
	node_remove(FRONT);
	plug("51728");
	shim_pass(0);
	assert_int_equal(calls.probe, 3);
}

/* Nothing of a device gets into the directory of the one that takes its place. */
static void replaced_while_it_is_set_up(void **state)
{
	plug("51712");
	shim_pass(0);
	drv_set_up_meanwhile = "51728";
	back("2");
	assert_int_equal(calls.remove, 1);
	assert_int_equal(calls.probe, 2);
	assert_int_equal(shim_added, 2);
	connect();
	/* The same while it connects again. */
	back("6");
	shim_pass(HZ);
	assert_string_equal(node_find(FRONT "/state")->value, "1");
	drv_set_up_meanwhile = "51712";
	back("2");
	assert_int_equal(calls.probe, 3);
	assert_int_equal(shim_added, 3);
	connect();
}

/* A tool stack that writes node by node. */
static void written_meanwhile(void **state)
{
	node_put(BACK "/online", "1");
	node_put(BACK "/state", "1");
	node_put(FRONT "/backend", BACK);
	node_put(FRONT "/backend-id", "0");
	drv_written_meanwhile = "51712";
	node_event(FRONT);
	shim_pass(0);
	/* The first probe may have found anything. */
	assert_int_equal(calls.probe, 2);
	assert_int_equal(calls.remove, 1);
	/* Our state is not there yet: the tool stack would replace what we wrote. */
	back("2");
	assert_int_equal(calls.setup, 0);
	shim_pass(60 * HZ);
	assert_int_equal(calls.setup, 0);
	assert_non_null(strstr(shim_log_last, "state: missing (-2); waiting for it"));
	node_set(FRONT "/state", "1");
	node_event(FRONT "/state");
	shim_pass(0);
	assert_string_equal(node_find(FRONT "/state")->value, "3");
	back("4");
	assert_int_equal(calls.connected, 1);
	/* It is the same device when it connects again. */
	back("6");
	shim_pass(HZ);
	connect();
	assert_int_equal(calls.connected, 2);
	assert_int_equal(calls.probe, 2);
	assert_int_equal(shim_added, 1);
}

/* The directory comes back while the former device is still taken from its driver. */
static void removed_and_plugged(void **state)
{
	plug("51712");
	shim_pass(0);
	connect();
	drv_plugged_meanwhile = true;
	node_drop(FRONT);
	shim_pass(0);
	assert_false(drv_plugged_meanwhile);
	assert_int_equal(calls.remove, 1);
	assert_int_equal(calls.probe, 2);
	assert_string_equal(drv_state_meanwhile, "1");
	connect();
}

/* Of an unreadable node nothing follows. */
static void replaced_unreadable(void **state)
{
	plug("51712");
	shim_pass(0);
	node_error = -EIO;
	queue_work(pvbus_queue, &core()->update);
	shim_pass(0);
	assert_int_equal(calls.remove, 0);
	connect();
}

static void unbound_by_hand(void **state)
{
	plug("51712");
	shim_pass(0);
	connect();
	back("6");
	device_release_driver(&core()->dev.dev);
	assert_int_equal(calls.remove, 1);
	/* Another device comes, and a node of this one changes. */
	node_set("device/vkbd/0/state", "1");
	node_event(FRONT "/backend");
	node_event(FRONT "/mode");
	shim_pass(HZ);
	assert_int_equal(calls.probe, 1);
	device_attach(&core()->dev.dev);
	assert_int_equal(calls.probe, 2);
}

/* By hand: it is unbound for as long as it is the same device. */
static void unbound_and_replaced(void **state)
{
	plug("51712");
	shim_pass(0);
	connect();
	back("6");
	device_release_driver(&core()->dev.dev);
	node_remove(FRONT);
	plug("51712");
	shim_pass(0);
	assert_int_equal(calls.probe, 2);
	assert_int_equal(shim_added, 2);
	/* Also one that has not been connected. */
	device_release_driver(&core()->dev.dev);
	assert_string_equal(node_find(FRONT "/state")->value, "6");
	node_event(FRONT);
	shim_pass(0);
	assert_int_equal(calls.probe, 2);
	node_remove(FRONT);
	plug("51712");
	shim_pass(0);
	assert_int_equal(calls.probe, 3);
	connect();
}

static void refused(void **state)
{
	probe_error = -EINVAL;
	plug("51712");
	shim_pass(0);
	assert_int_equal(calls.probe, 1);
	/* The boot does not wait for it. */
	assert_int_equal(atomic_read(&pvbus_unsettled), 0);
	probe_error = 0;
	node_set(FRONT "/virtual-device", "51712");
	shim_pass(0);
	assert_int_equal(calls.probe, 2);
	connect();
}

static void boot_waits(void **state)
{
	unsigned long before = jiffies;

	plug("51712");
	shim_pass(0);
	assert_int_equal(shim_init_pvbus_wait_for_root(), 0);
	assert_in_range(jiffies - before, 30 * HZ, 32 * HZ);
	connect();
	before = jiffies;
	assert_int_equal(shim_init_pvbus_wait_for_root(), 0);
	assert_int_equal(jiffies, before);
}

/* The boot waits for a disk that takes the place of another. */
static void boot_waits_for_the_next(void **state)
{
	plug("51712");
	shim_pass(0);
	shim_wakes = 0;
	node_remove(FRONT);
	plug("51728");
	shim_pass(0);
	assert_int_equal(shim_added, 2);
	assert_int_equal(shim_wakes, 0);
	connect();
	assert_int_equal(shim_wakes, 1);
}

/* Where no driver takes disks, the boot does not wait for them. */
static void boot_without_driver(void **state)
{
	unsigned long before = jiffies;

	pvbus_unregister(&drv);
	plug("51712");
	shim_pass(0);
	assert_int_equal(shim_init_pvbus_wait_for_root(), 0);
	assert_int_equal(jiffies, before);
}

static void unplug(void)
{
	node_put(BACK "/online", "0");
	back("5");
}

/* A refused detach that becomes possible when the tool stack does not wait for it any more. */
static void detached_late(void **state)
{
	plug("51712");
	shim_pass(0);
	connect();
	closing_error = -EBUSY;
	unplug();
	assert_string_equal(node_find(FRONT "/state")->value, "4");
	shim_pass(60 * HZ);
	closing_error = 0;
	pvbus_may_close(&core()->dev);
	shim_pass(0);
	assert_string_equal(node_find(FRONT "/state")->value, "6");
	assert_int_equal(calls.remove, 0);
	back("6");
	/* No disk is left; the device stays as long as its directory. */
	assert_int_equal(calls.remove, 1);
	assert_non_null(core());
	shim_pass(60 * HZ);
	assert_int_equal(calls.probe, 1);
	node_drop(FRONT);
	node_drop(BACK);
	shim_pass(0);
	assert_null(core());
}

/* A device is plugged in again, with the former directories or new ones. */
static void plugged_in_again(void **state)
{
	plug("51712");
	shim_pass(0);
	connect();
	unplug();
	back("6");
	assert_int_equal(calls.remove, 1);
	node_put(BACK "/online", "1");
	back("1");
	shim_pass(HZ);
	assert_int_equal(calls.probe, 2);
	connect();
	unplug();
	back("6");
	assert_int_equal(calls.remove, 2);
	node_remove(FRONT);
	plug("51712");
	shim_pass(HZ);
	assert_int_equal(calls.probe, 3);
	assert_int_equal(shim_added, 2);
	connect();
}

/* A device that is plugged in again and refused waits for its nodes to change, as any other. */
static void refused_again(void **state)
{
	plug("51712");
	shim_pass(0);
	connect();
	unplug();
	back("6");
	assert_int_equal(calls.remove, 1);
	probe_error = -EEXIST;
	node_put(BACK "/online", "1");
	back("2");
	shim_pass(60 * HZ);
	assert_int_equal(calls.probe, 2);
	probe_error = 0;
	node_set(FRONT "/virtual-device", "51712");
	shim_pass(HZ);
	assert_int_equal(calls.probe, 3);
	connect();
}

/* An update of a device that is removed meanwhile sets no watch any more. */
static void updated_too_late(void **state)
{
	struct pvbus_core *gone;

	plug("51712");
	shim_pass(0);
	connect();
	unplug();
	back("6");
	assert_int_equal(calls.remove, 1);
	gone = core();
	get_device(&gone->dev.dev);
	node_drop(FRONT);
	shim_pass(0);
	assert_null(core());
	plug("51712");
	node_error = -EIO;
	gone->update.func(&gone->update);
	node_error = 0;
	assert_null(gone->watch.path);
	put_device(&gone->dev.dev);
}

/* A back end that plugs its device out and in has to wait ever longer. */
static void plugged_by_the_back_end(void **state)
{
	unsigned int round;

	plug("51712");
	shim_pass(0);
	for (round = 0; round < 2000; round++) {
		node_put(BACK "/online", "0");
		back("6");
		node_put(BACK "/online", "1");
		back("2");
		shim_pass(HZ / 100);
	}
	assert_in_range(calls.probe, 4, 12);
}

/*
 * One that is made anew without closing has to wait likewise, before and after it
 * was connected.
 */
static void made_anew_by_the_back_end(void **state)
{
	unsigned int round, before = 0;

	plug("51712");
	shim_pass(0);
	for (round = 0; round < 2000; round++) {
		back("1");
		back("2");
		if (round >= 1000)
			back("4");
		shim_pass(HZ / 100);
		if (round == 999)
			before = calls.setup;
	}
	assert_in_range(before, 4, 12);
	assert_in_range(calls.setup - before, 0, 2);
	back("1");
	back("2");
	/* It is set up all the same, when the pause is over. */
	before = calls.setup;
	shim_pass(60 * HZ);
	assert_int_equal(calls.setup, before + 1);
	back("4");
	assert_string_equal(node_find(FRONT "/state")->value, "4");
}

/* One that is made anew and closes before it was seen waiting is asked to start anew as well. */
static void made_anew_and_closed(void **state)
{
	plug("51712");
	shim_pass(0);
	connect();
	back("1");
	back("4");
	assert_string_equal(node_find(FRONT "/state")->value, "6");
	back("5");
	back("6");
	shim_pass(HZ);
	assert_string_equal(node_find(FRONT "/state")->value, "1");
	connect();
}

/* Changes of its nodes do not call the driver each time; the last one counts. */
static void changes(void **state)
{
	unsigned int i, before;

	plug("51712");
	shim_pass(0);
	connect();
	shim_pass(HZ);
	before = calls.changed;
	for (i = 0; i < 1000; i++) {
		node_set(BACK "/sectors", "1");
		shim_pass(1);
	}
	assert_in_range(calls.changed - before, 2, 2 + 1000 / (HZ / 4));
	shim_pass(HZ);
	before = calls.changed;
	node_set(BACK "/sectors", "2");
	shim_pass(0);
	assert_int_equal(calls.changed, before + 1);
	node_set(BACK "/sectors", "3");
	shim_pass(0);
	assert_int_equal(calls.changed, before + 1);
	shim_pass(HZ);
	assert_int_equal(calls.changed, before + 2);
}

static int start_unlisted(void **state)
{
	first_list_error = -ENOMEM;
	return start(state);
}

/* The boot waits for disks that the first scan has not found, as it failed. */
static void boot_waits_for_the_first_scan(void **state)
{
	assert_int_equal(atomic_read(&pvbus_unsettled), 1);
	node_list_error = 0;
	plug("51712");
	shim_pass(HZ);
	assert_int_equal(calls.probe, 1);
	assert_int_equal(atomic_read(&pvbus_unsettled), 1);
	connect();
	assert_int_equal(atomic_read(&pvbus_unsettled), 0);
}

/* A scan that fails for lack of memory is made up for without another event. */
static void listed_late(void **state)
{
	unsigned int lines;

	node_list_error = -ENOMEM;
	plug("51712");
	lines = shim_log_lines;
	shim_pass(0);
	assert_string_equal(shim_log_last,
			    "pvbus: device: cannot be listed (-12); no device comes or goes until it can\n");
	/* One line for all scans that fail. */
	shim_pass(3 * HZ);
	assert_int_equal(shim_log_lines, lines + 1);
	assert_int_equal(calls.probe, 0);
	node_list_error = 0;
	shim_pass(HZ);
	assert_int_equal(calls.probe, 1);
	connect();
	/* The scan that succeeds was the last. */
	assert_false(shim_forget(&pvbus_rescan_work));
}

/* A refused device is offered to its driver, though the scan fails that was to do so. */
static void offered_late(void **state)
{
	probe_error = -EINVAL;
	plug("51712");
	shim_pass(0);
	probe_error = 0;
	node_list_error = -ESTALE;
	node_set(FRONT "/virtual-device", "51712");
	shim_pass(0);
	assert_int_equal(calls.probe, 1);
	node_list_error = 0;
	shim_pass(HZ);
	assert_int_equal(calls.probe, 2);
	connect();
}

/* An error that stays until the directory changes is not tried again before. */
static void listed_after_a_change(void **state)
{
	node_list_error = -EPROTO;
	plug("51712");
	shim_pass(0);
	assert_string_equal(shim_log_last,
			    "pvbus: device: cannot be listed (-71); no device comes or goes until it changes\n");
	node_list_error = 0;
	shim_pass(60 * HZ);
	assert_int_equal(calls.probe, 0);
	node_event(FRONT);
	shim_pass(0);
	assert_int_equal(calls.probe, 1);
	connect();
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		/* First, as the first scan counts. */
		cmocka_unit_test_setup_teardown(boot_waits_for_the_first_scan, start_unlisted,
						stop),
		TEST(life),
		TEST(names),
		TEST(rescuer),
		TEST(replaced),
		TEST(replaced_while_it_is_set_up),
		TEST(written_meanwhile),
		TEST(removed_and_plugged),
		TEST(replaced_unreadable),
		TEST(unbound_by_hand),
		TEST(unbound_and_replaced),
		TEST(refused),
		TEST(boot_waits),
		TEST(boot_waits_for_the_next),
		TEST(boot_without_driver),
		TEST(detached_late),
		TEST(refused_again),
		TEST(plugged_in_again),
		TEST(updated_too_late),
		TEST(plugged_by_the_back_end),
		TEST(made_anew_by_the_back_end),
		TEST(made_anew_and_closed),
		TEST(changes),
		TEST(listed_late),
		TEST(offered_late),
		TEST(listed_after_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
