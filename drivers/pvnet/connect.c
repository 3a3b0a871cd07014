// SPDX-License-Identifier: GPL-2.0-only
/*
 * What front end and back end tell each other through the store (public header
 * io/netif.h), and the device's way from state to state.
 */
#include <linux/cpumask.h>
#include <linux/etherdevice.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <pvbus/store.h>
#include <pvguest/platform.h>

#include "pvnet.h"

static unsigned int max_queues;
module_param(max_queues, uint, 0444);
MODULE_PARM_DESC(max_queues, "queues per device at most; 0: one per vCPU, up to 8");

static bool split = true;
module_param(split, bool, 0444);
MODULE_PARM_DESC(split, "an event channel for each ring, not one for two");

static bool sg = true;
module_param(sg, bool, 0444);
MODULE_PARM_DESC(sg, "packets of several slots");

static bool gso = true;
module_param(gso, bool, 0444);
MODULE_PARM_DESC(gso, "TCP packets longer than the MTU; needs sg and csum");

static bool csum = true;
module_param(csum, bool, 0444);
MODULE_PARM_DESC(csum, "packets between domains without checksum");

static bool multicast = true;
module_param(multicast, bool, 0444);
MODULE_PARM_DESC(multicast, "have the back end filter multicast packets");

bool pvnet_lend = true;
module_param_named(lend, pvnet_lend, bool, 0644);
MODULE_PARM_DESC(lend, "grant pages that a sent packet fills, instead of copying them");

#define COPYBREAK_MAX	2048

unsigned int pvnet_copybreak = COPYBREAK_MAX;

static int set_copybreak(const char *text, const struct kernel_param *param)
{
	return param_set_uint_minmax(text, param, 0, COPYBREAK_MAX);
}

static const struct kernel_param_ops copybreak_ops = {
	.set = set_copybreak,
	.get = param_get_uint,
};

module_param_cb(copybreak, &copybreak_ops, &pvnet_copybreak, 0644);
MODULE_PARM_DESC(copybreak, "received packets up to so many bytes are copied, at most 2048");

/** pvnet_queue_limit() - queues that a device may have on our side */
unsigned int pvnet_queue_limit(void)
{
	unsigned int limit = max_queues ?: min(num_possible_cpus(), 8U);

	return clamp(limit, 1U, PVNET_MAX_QUEUES);
}

static bool offered(struct pvnet *net, const char *node)
{
	return pvstore_read_feature(net->bus->backend, node, 0, 1);
}

static int read_offer(struct pvnet *net)
{
	struct pvnet_offer *offer = &net->offer;
	unsigned int queues;

	if (!offered(net, "feature-rx-copy")) {
		pvbus_fail(net->bus, "feature-rx-copy is not 1, and nothing replaces it");
		return -EOPNOTSUPP;
	}
	queues = pvstore_read_feature(net->bus->backend,
				      "multi-queue-max-queues", 1,
				      PVNET_MAX_QUEUES);
	*offer = (struct pvnet_offer) {
		.max_queues = clamp(queues, 1U, net->max_queues),
		.split = split && offered(net, "feature-split-event-channels"),
		.sg = sg && offered(net, "feature-sg"),
		.csum4 = csum && !offered(net, "feature-no-csum-offload"),
		.csum6 = csum && offered(net, "feature-ipv6-csum-offload"),
		/* Without the dynamic kind there is no way to hear all again. */
		.multicast = multicast &&
			     offered(net, "feature-multicast-control") &&
			     offered(net, "feature-dynamic-multicast-control"),
		.xdp = offered(net, "feature-xdp-headroom"),
	};
	offer->gso4 = gso && offer->sg && offered(net, "feature-gso-tcpv4");
	offer->gso6 = gso && offer->sg && offered(net, "feature-gso-tcpv6");
	return 0;
}

static int pvnet_setup(struct pvbus_device *bus)
{
	struct pvnet *net = pvbus_priv(bus);
	unsigned int i, count;
	int err = read_offer(net);

	if (err)
		return err;
	net->failed = 0;
	net->xdp = rcu_access_pointer(net->prog) && net->offer.xdp;
	if (rcu_access_pointer(net->prog) && !net->xdp)
		netdev_warn(net->dev, "the back end lacks feature-xdp-headroom: all packets are dropped until the XDP program is unloaded\n");
	count = min(READ_ONCE(net->wanted_queues), net->offer.max_queues);
	for (i = 0; i < count; i++) {
		err = pvnet_queue_open(&net->queues[i]);
		if (err)
			return err;
		net->queue_count = i + 1;
	}
	return 0;
}

/* Nodes of an earlier connection would say something else. */
static void unpublish(struct pvnet *net, u32 txn)
{
	static const char *const nodes[] = {
		"tx-ring-ref", "rx-ring-ref", "event-channel",
		"event-channel-tx", "event-channel-rx",
	};
	char name[sizeof("queue-") + 10];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nodes); i++)
		pvstore_remove(txn, net->bus->node, nodes[i]);
	for (i = 0; i < net->max_queues; i++) {
		snprintf(name, sizeof(name), "queue-%u", i);
		pvstore_remove(txn, net->bus->node, name);
	}
}

static int publish_queue(struct pvnet *net, u32 txn, unsigned int index)
{
	struct pvnet_queue *queue = &net->queues[index];
	const char *dir = net->bus->node;
	char prefix[sizeof("queue-/") + 10] = "";
	char node[sizeof(prefix) + sizeof("event-channel-tx")];
	struct {
		const char *name;
		unsigned int value;
	} nodes[] = {
		{ "tx-ring-ref", queue->area[PVNET_TX].refs[0] },
		{ "rx-ring-ref", queue->area[PVNET_RX].refs[0] },
		{ "event-channel-tx", pvguest_irq_port(queue->irq[PVNET_TX]) },
		{ "event-channel-rx", pvguest_irq_port(queue->irq[PVNET_RX]) },
	};
	unsigned int i, count = ARRAY_SIZE(nodes);
	int err = 0;

	if (!net->offer.split) {
		nodes[2].name = "event-channel";
		count--;
	}
	/* A single queue's nodes stand where they did before there were more. */
	if (net->queue_count > 1)
		snprintf(prefix, sizeof(prefix), "queue-%u/", index);
	for (i = 0; i < count && !err; i++) {
		snprintf(node, sizeof(node), "%s%s", prefix, nodes[i].name);
		err = pvstore_printf(txn, dir, node, "%u", nodes[i].value);
	}
	return err;
}

static int pvnet_publish(struct pvbus_device *bus, u32 txn)
{
	struct pvnet *net = pvbus_priv(bus);
	/* A program sees whole packets, each in one page, with checksum. */
	bool plain = net->xdp;
	const struct {
		const char *name;
		unsigned int value;
	} nodes[] = {
		{ "request-rx-copy", 1 },
		{ "feature-rx-notify", 1 },
		{ "feature-sg", sg && !plain },
		{ "feature-gso-tcpv4", gso && sg && csum && !plain },
		{ "feature-gso-tcpv6", gso && sg && csum && !plain },
		{ "feature-no-csum-offload", !csum || plain },
		{ "feature-ipv6-csum-offload", csum && !plain },
		{ "multi-queue-num-queues", net->queue_count },
		{ "xdp-headroom", net->xdp ? XDP_PACKET_HEADROOM : 0 },
		{ "request-multicast-control", net->filter },
	};
	unsigned int i;
	int err = 0;

	if (net->was_connected)
		unpublish(net, txn);
	for (i = 0; i < ARRAY_SIZE(nodes) && !err; i++)
		err = pvstore_printf(txn, bus->node, nodes[i].name, "%u",
				     nodes[i].value);
	for (i = 0; i < net->queue_count && !err; i++)
		err = publish_queue(net, txn, i);
	return err;
}

static int pvnet_connected(struct pvbus_device *bus)
{
	pvnet_start(pvbus_priv(bus));
	return 0;
}

static int pvnet_closing(struct pvbus_device *bus)
{
	struct pvnet *net = pvbus_priv(bus);

	netif_carrier_off(net->dev);
	return 0;
}

static void pvnet_disconnect(struct pvbus_device *bus)
{
	struct pvnet *net = pvbus_priv(bus);

	pvnet_stop(net);
	while (net->queue_count)
		pvnet_queue_close(&net->queues[--net->queue_count]);
}

static int read_mac(struct pvbus_device *bus, u8 *mac)
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
		pvbus_fail(bus, "mac: \"%.32s\" is no address of a station", text);
		err = -EINVAL;
	}
	kfree(text);
	return err;
}

/* The tool stack's wish, if it has one that makes sense. */
static unsigned int read_mtu(struct pvbus_device *bus)
{
	unsigned long long mtu;

	if (pvstore_read_uint(PVSTORE_NO_TXN, bus->node, "mtu", &mtu))
		return 0;
	if (mtu >= ETH_MIN_MTU && mtu <= PVNET_MAX_TX - ETH_HLEN)
		return mtu;
	dev_warn(&bus->dev, "mtu: %llu is out of range, ignored\n", mtu);
	return 0;
}

static int pvnet_probe(struct pvbus_device *bus)
{
	u8 mac[ETH_ALEN];
	int err = read_mac(bus, mac);

	return err ?: pvnet_create(bus, mac, read_mtu(bus));
}

static void pvnet_remove(struct pvbus_device *bus)
{
	pvnet_destroy(pvbus_priv(bus));
}

static struct pvbus_driver pvnet_driver = {
	.driver.name	= "pvnet",
	.type		= "vif",
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
