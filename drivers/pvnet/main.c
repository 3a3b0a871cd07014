// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network front end: its parameters, and registration with the bus.
 */
#include <linux/cpumask.h>
#include <linux/etherdevice.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <pvbus/store.h>
#include <pvguest/parameter.h>
#include <pvguest/platform.h>

#include "pvnet.h"

#define PVNET_COPYBREAK_MAX	2048

struct pvnet_params pvnet_params = {
	.split		= true,
	.sg		= true,
	.gso		= true,
	.csum		= true,
	.multicast	= true,
	.lend		= true,
	.copybreak	= PVNET_COPYBREAK_MAX,
};

pvguest_number(max_queues, pvnet_params.max_queues, 0, PVNET_MAX_QUEUES, 0444);
MODULE_PARM_DESC(max_queues, "queues per device at most; 0: one per vCPU, up to 8");

pvguest_switch(split, pvnet_params.split, 0444);
MODULE_PARM_DESC(split, "an event channel for each ring instead of one for two");

pvguest_switch(sg, pvnet_params.sg, 0444);
MODULE_PARM_DESC(sg, "packets of several slots");

pvguest_switch(gso, pvnet_params.gso, 0444);
MODULE_PARM_DESC(gso, "TCP packets longer than the MTU; needs sg and csum");

pvguest_switch(csum, pvnet_params.csum, 0444);
MODULE_PARM_DESC(csum, "packets between domains without checksum");

pvguest_switch(multicast, pvnet_params.multicast, 0444);
MODULE_PARM_DESC(multicast, "have the back end filter multicast packets");

pvguest_switch(lend, pvnet_params.lend, 0644);
MODULE_PARM_DESC(lend, "grant pages that a sent packet fills, instead of copying them");

pvguest_number(copybreak, pvnet_params.copybreak, 0, PVNET_COPYBREAK_MAX, 0644);
MODULE_PARM_DESC(copybreak, "received packets of up to so many bytes are copied, at most 2048");

/**
 * pvnet_queue_limit() - queues that a device may have on our side
 *
 * Context: any.
 * Return: the parameter max_queues, or one for each vCPU up to 8.
 */
unsigned int pvnet_queue_limit(void)
{
	return pvnet_params.max_queues ?:
	       min(num_possible_cpus(), PVNET_QUEUES);
}

static int pvnet_read_mac(struct pvbus_device *bus, u8 *mac)
{
	unsigned int len;
	char *text;
	int err = pvstore_read(PVSTORE_NO_TXN, bus->node, "mac", &text, &len);

	if (err) {
		pvbus_fail(bus, "mac: cannot be read (%d)", err);
		return err;
	}
	if (strlen(text) != len || len != 3 * ETH_ALEN - 1 ||
	    !mac_pton(text, mac) || !is_valid_ether_addr(mac)) {
		err = -EINVAL;
		pvbus_fail(bus, "mac: '%.*s' is not a unicast address (%d)",
			   pvguest_shown(text), text, err);
	}
	kfree(text);
	return err;
}

/* The tool stack's MTU; 0 if there is none, or an invalid one. */
static unsigned int pvnet_read_mtu(struct pvbus_device *bus)
{
	unsigned long long mtu;

	if (pvstore_read_uint(PVSTORE_NO_TXN, bus->node, "mtu", &mtu))
		return 0;
	if (mtu >= ETH_MIN_MTU && mtu <= PVNET_MAX_TX - ETH_HLEN)
		return mtu;
	dev_warn(&bus->dev, "mtu: %llu is out of range (%d); ignored\n", mtu,
		 -ERANGE);
	return 0;
}

static int pvnet_probe(struct pvbus_device *bus)
{
	u8 mac[ETH_ALEN];
	int err = pvnet_read_mac(bus, mac);

	return err ?: pvnet_create(bus, mac, pvnet_read_mtu(bus));
}

static void pvnet_remove(struct pvbus_device *bus)
{
	pvnet_destroy(pvbus_priv(bus));
}

/* Not "mtu", which the back end's hot-plug script writes after probe(). */
static const char *const pvnet_identity[] = { "mac", NULL };

static struct pvbus_driver pvnet_driver = {
	.driver.name	= "pvnet",
	.type		= "vif",
	.identity	= pvnet_identity,
	.announce	= XenbusStateConnected,
	.probe		= pvnet_probe,
	.setup		= pvnet_setup,
	.publish	= pvnet_publish,
	.connected	= pvnet_connected,
	.closing	= pvnet_closing,
	.disconnect	= pvnet_disconnect,
	.remove		= pvnet_remove,
};

static int __init pvnet_init(void)
{
	return pvguest_running() ? pvbus_register(&pvnet_driver) : 0;
}
device_initcall(pvnet_init);
MODULE_ALIAS("xen:vif");
