// SPDX-License-Identifier: GPL-2.0-only
/*
 * The back end's multicast filter: addresses are added and deleted by requests
 * on the transmit ring that carry no packet; a node in XenStore switches the
 * filter on and off.
 */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <pvbus/store.h>

#include "pvnet.h"

/*
 * The ABI gives no number of addresses that every back end takes; Linux's takes
 * 64, and new ones may be added before old ones are deleted.
 */
#define PVNET_MULTICAST_MAX	32
/* Time for the ring to have room again. */
#define PVNET_MULTICAST_RETRY	(HZ / 10)

static int pvnet_multicast_send(struct net_device *dev, const u8 *addr, u8 type)
{
	struct pvnet *net = netdev_priv(dev);
	struct pvnet_queue *queue = &net->queues[0];
	struct xen_netif_extra_info extra = { .type = type };
	bool sent;

	ether_addr_copy(extra.u.mcast.addr, addr);
	__netif_tx_lock(queue->txq, smp_processor_id());
	sent = pvnet_tx_begin(&queue->tx, 0, 0, &extra);
	if (sent) {
		pvnet_tx_end(&queue->tx, NULL);
		if (!pvnet_tx_has_room(&queue->tx))
			netif_tx_stop_queue(queue->txq);
		pvnet_kick(queue);
	}
	__netif_tx_unlock(queue->txq);
	return sent ? 0 : -EAGAIN;
}

static int pvnet_multicast_add(struct net_device *dev, const u8 *addr)
{
	return pvnet_multicast_send(dev, addr, XEN_NETIF_EXTRA_TYPE_MCAST_ADD);
}

static int pvnet_multicast_del(struct net_device *dev, const u8 *addr)
{
	return pvnet_multicast_send(dev, addr, XEN_NETIF_EXTRA_TYPE_MCAST_DEL);
}

/* May the back end filter?  Not if all packets or many addresses are needed. */
static bool pvnet_multicast_may_filter(struct pvnet *net)
{
	struct net_device *dev = net->dev;

	return net->offer.multicast &&
	       !(dev->flags & (IFF_PROMISC | IFF_ALLMULTI)) &&
	       netdev_mc_count(dev) <= PVNET_MULTICAST_MAX;
}

static void pvnet_multicast_update(struct work_struct *work)
{
	struct pvnet *net = container_of(to_delayed_work(work), struct pvnet,
					 multicast);
	bool filter, sent = true;

	rtnl_lock();
	/* While it is down nothing is polled: the ring would only fill up. */
	if (!net->connected || !net->offer.multicast ||
	    !netif_running(net->dev)) {
		rtnl_unlock();
		return;
	}
	filter = pvnet_multicast_may_filter(net);
	if (filter) {
		netif_addr_lock_bh(net->dev);
		sent = !__dev_mc_sync(net->dev, pvnet_multicast_add,
				      pvnet_multicast_del);
		netif_addr_unlock_bh(net->dev);
	}
	rtnl_unlock();
	if (!sent)
		schedule_delayed_work(&net->multicast, PVNET_MULTICAST_RETRY);
	/* The filter is switched on after the addresses are sent. */
	else if (filter != net->filter &&
		 !pvstore_write(PVSTORE_NO_TXN, net->bus->node,
				"request-multicast-control", filter ? "1" : "0"))
		net->filter = filter;
}

/**
 * pvnet_multicast_init() - initialise the filter's work
 * @net: the device, not registered yet
 *
 * Context: process.
 */
void pvnet_multicast_init(struct pvnet *net)
{
	INIT_DELAYED_WORK(&net->multicast, pvnet_multicast_update);
}

/**
 * pvnet_multicast_restart() - send all addresses, to a new back end
 * @net: the device
 *
 * A work item does it soon after, if the back end has a filter.
 *
 * Context: process.
 */
void pvnet_multicast_restart(struct pvnet *net)
{
	netif_addr_lock_bh(net->dev);
	__dev_mc_unsync(net->dev, NULL);
	netif_addr_unlock_bh(net->dev);
	schedule_delayed_work(&net->multicast, 0);
}

/**
 * pvnet_set_rx_mode() - the list of addresses has changed
 * @dev: the device
 *
 * Context: the stack's, with the lock of the addresses.
 */
void pvnet_set_rx_mode(struct net_device *dev)
{
	struct pvnet *net = netdev_priv(dev);

	if (net->offer.multicast)
		schedule_delayed_work(&net->multicast, 0);
}
