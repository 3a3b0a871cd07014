// SPDX-License-Identifier: GPL-2.0-only
/*
 * The nodes by which front end and back end agree on a connection (public
 * header io/netif.h), and the queues that are made and closed with it.
 */
#include <linux/kernel.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <pvbus/store.h>
#include <pvguest/platform.h>

#include "pvnet.h"

static bool pvnet_offered(struct pvnet *net, const char *node)
{
	return pvstore_read_feature(net->bus->backend, node, 0, 1);
}

static int pvnet_read_offer(struct pvnet *net)
{
	const struct pvnet_params *allow = &pvnet_params;
	struct pvnet_offer *offer = &net->offer;
	unsigned int queues;

	if (!pvnet_offered(net, "feature-rx-copy")) {
		pvbus_fail(net->bus, "feature-rx-copy: not offered (%d)",
			   -EOPNOTSUPP);
		return -EOPNOTSUPP;
	}
	queues = pvstore_read_feature(net->bus->backend,
				      "multi-queue-max-queues", 1,
				      PVNET_MAX_QUEUES);
	*offer = (struct pvnet_offer) {
		.max_queues = clamp(queues, 1U, net->max_queues),
		.split = allow->split &&
			 pvnet_offered(net, "feature-split-event-channels"),
		.sg = allow->sg && pvnet_offered(net, "feature-sg"),
		.csum4 = allow->csum &&
			 !pvnet_offered(net, "feature-no-csum-offload"),
		.csum6 = allow->csum &&
			 pvnet_offered(net, "feature-ipv6-csum-offload"),
		/* The filter must be one that can be switched off later. */
		.multicast = allow->multicast &&
			     pvnet_offered(net, "feature-multicast-control") &&
			     pvnet_offered(net,
					   "feature-dynamic-multicast-control"),
		.xdp = pvnet_offered(net, "feature-xdp-headroom"),
	};
	offer->gso4 = allow->gso && offer->sg &&
		      pvnet_offered(net, "feature-gso-tcpv4");
	offer->gso6 = allow->gso && offer->sg &&
		      pvnet_offered(net, "feature-gso-tcpv6");
	return 0;
}

/**
 * pvnet_setup() - the back end is InitWait: read its features, make queues
 * @bus: the device
 *
 * pvnet_disconnect() closes the queues, also after a failure.
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int pvnet_setup(struct pvbus_device *bus)
{
	struct pvnet *net = pvbus_priv(bus);
	unsigned int i, count;
	int err = pvnet_read_offer(net);

	if (err)
		return err;
	net->failed = 0;
	net->xdp = rcu_access_pointer(net->prog) && net->offer.xdp;
	if (rcu_access_pointer(net->prog) && !net->xdp)
		netdev_warn(net->dev, "feature-xdp-headroom: not offered (%d); all packets are dropped until the XDP program is unloaded\n",
			    -EOPNOTSUPP);
	count = min(READ_ONCE(net->requested_queues), net->offer.max_queues);
	for (i = 0; i < count; i++) {
		/* The device can do without further queues, others cannot. */
		err = i && !pvgrant_can_spare(PVNET_QUEUE_REFS) ? -ENOSPC :
		      pvnet_queue_open(&net->queues[i]);
		if (err)
			break;
		net->queue_count = i + 1;
	}
	if (!err || !i)
		return err;
	netdev_warn(net->dev, "queues: no memory, grant references or event channels for %u (%d); using %u\n",
		    count, err, i);
	/* As if the back end had no more: pvnet_is_outdated(). */
	net->offer.max_queues = i;
	return 0;
}

/* Remove nodes of an earlier connection that would contradict the new ones. */
static void pvnet_unpublish(struct pvnet *net, u32 txn)
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

static int pvnet_publish_queue(struct pvnet *net, u32 txn, unsigned int index)
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
	/* A single queue has its nodes in the device's directory itself. */
	if (net->queue_count > 1)
		snprintf(prefix, sizeof(prefix), "queue-%u/", index);
	for (i = 0; i < count && !err; i++) {
		snprintf(node, sizeof(node), "%s%s", prefix, nodes[i].name);
		err = pvstore_printf(txn, dir, node, "%u", nodes[i].value);
	}
	return err;
}

/*
 * No node says the same as 0, and a domain may have few (1000 by default).  One
 * that is there was written for an earlier connection.
 */
static int pvnet_publish_feature(struct pvbus_device *bus, u32 txn,
				 const char *node, unsigned int value)
{
	int err;

	if (value)
		return pvstore_printf(txn, bus->node, node, "%u", value);
	err = pvstore_remove(txn, bus->node, node);
	return err == -ENOENT ? 0 : err;
}

/**
 * pvnet_publish() - write our nodes
 * @bus: the device
 * @txn: transaction for that
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int pvnet_publish(struct pvbus_device *bus, u32 txn)
{
	struct pvnet *net = pvbus_priv(bus);
	const struct pvnet_params *allow = &pvnet_params;
	/* An XDP program gets whole packets, each in one page, with checksum. */
	bool plain = net->xdp;
	bool gso = allow->gso && allow->sg && allow->csum && !plain;
	const struct {
		const char *name;
		unsigned int value;
	} nodes[] = {
		{ "request-rx-copy", 1 },
		{ "feature-rx-notify", 1 },
		{ "feature-sg", allow->sg && !plain },
		{ "feature-gso-tcpv4", gso },
		{ "feature-gso-tcpv6", gso },
		{ "feature-no-csum-offload", !allow->csum || plain },
		{ "feature-ipv6-csum-offload", allow->csum && !plain },
		{ "multi-queue-num-queues",
		  net->queue_count > 1 ? net->queue_count : 0 },
		{ "xdp-headroom", net->xdp ? XDP_PACKET_HEADROOM : 0 },
		{ "request-multicast-control", net->filter },
	};
	unsigned int i;
	int err = 0;

	if (net->was_connected)
		pvnet_unpublish(net, txn);
	for (i = 0; i < ARRAY_SIZE(nodes) && !err; i++)
		err = pvnet_publish_feature(bus, txn, nodes[i].name,
					    nodes[i].value);
	for (i = 0; i < net->queue_count && !err; i++)
		err = pvnet_publish_queue(net, txn, i);
	return err;
}

/**
 * pvnet_connected() - the back end is Connected: go into service
 * @bus: the device
 *
 * Context: process; takes the RTNL.
 * Return: 0.
 */
int pvnet_connected(struct pvbus_device *bus)
{
	pvnet_start(pvbus_priv(bus));
	return 0;
}

/**
 * pvnet_closing() - the back end is Closing: take the carrier away
 * @bus: the device
 *
 * Context: process.
 * Return: 0: users do not keep it from closing.
 */
int pvnet_closing(struct pvbus_device *bus)
{
	struct pvnet *net = pvbus_priv(bus);

	netif_carrier_off(net->dev);
	return 0;
}

/**
 * pvnet_disconnect() - close all queues
 * @bus: the device
 *
 * Context: process; takes the RTNL.
 */
void pvnet_disconnect(struct pvbus_device *bus)
{
	struct pvnet *net = pvbus_priv(bus);

	pvnet_stop(net);
	while (net->queue_count)
		pvnet_queue_close(&net->queues[--net->queue_count]);
}
