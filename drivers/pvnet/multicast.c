// SPDX-License-Identifier: GPL-2.0-only
/*
 * The back end's multicast filter: addresses are added and deleted by requests
 * on the transmit ring that carry no packet; whether it filters at all is said
 * in the store.
 */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <pvbus/store.h>

#include "pvnet.h"

/*
 * How many addresses every back end takes is not said; Linux's takes 64, and
 * new ones may come before old ones go.
 */
#define ADDRESSES_MAX	32
/* Until the ring has room again. */
#define RETRY_DELAY	(HZ / 10)

static int amend(struct net_device *dev, const u8 *addr, u8 type)
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

static int add(struct net_device *dev, const u8 *addr)
{
	return amend(dev, addr, XEN_NETIF_EXTRA_TYPE_MCAST_ADD);
}

static int del(struct net_device *dev, const u8 *addr)
{
	return amend(dev, addr, XEN_NETIF_EXTRA_TYPE_MCAST_DEL);
}

/* Should the back end filter?  Not when all is wanted, or too much to tell. */
static bool want_filter(struct pvnet *net)
{
	struct net_device *dev = net->dev;

	return net->offer.multicast &&
	       !(dev->flags & (IFF_PROMISC | IFF_ALLMULTI)) &&
	       netdev_mc_count(dev) <= ADDRESSES_MAX;
}

static void update(struct work_struct *work)
{
	struct pvnet *net = container_of(to_delayed_work(work), struct pvnet,
					 multicast);
	bool filter, told = true;

	rtnl_lock();
	if (!net->connected || !net->offer.multicast) {
		rtnl_unlock();
		return;
	}
	filter = want_filter(net);
	if (filter) {
		netif_addr_lock_bh(net->dev);
		told = !__dev_mc_sync(net->dev, add, del);
		netif_addr_unlock_bh(net->dev);
	}
	rtnl_unlock();
	if (!told)
		schedule_delayed_work(&net->multicast, RETRY_DELAY);
	/* To close comes after addresses are told. */
	else if (filter != net->filter &&
		 !pvstore_write(PVSTORE_NO_TXN, net->bus->node,
				"request-multicast-control", filter ? "1" : "0"))
		net->filter = filter;
}

/** pvnet_multicast_init() - before the device is registered */
void pvnet_multicast_init(struct pvnet *net)
{
	INIT_DELAYED_WORK(&net->multicast, update);
}

/** pvnet_multicast_restart() - the back end, just connected, knows no address */
void pvnet_multicast_restart(struct pvnet *net)
{
	netif_addr_lock_bh(net->dev);
	__dev_mc_unsync(net->dev, NULL);
	netif_addr_unlock_bh(net->dev);
	schedule_delayed_work(&net->multicast, 0);
}

/** pvnet_set_rx_mode() - the stack wants to hear other addresses; atomic */
void pvnet_set_rx_mode(struct net_device *dev)
{
	struct pvnet *net = netdev_priv(dev);

	if (net->offer.multicast)
		schedule_delayed_work(&net->multicast, 0);
}
