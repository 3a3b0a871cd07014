// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network device: its life, and what the stack may ask of it.
 *
 * It exists as long as the virtual device does.  Rings come and go with the back
 * end, and the carrier with them.
 */
#include <linux/etherdevice.h>
#include <linux/mm.h>
#include <linux/rtnetlink.h>

#include "pvnet.h"

/* A back end that has answered nothing for so long is worth a line. */
#define ANSWER_TIME	(30 * HZ)

#define TX_FEATURES	(NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM | \
			 NETIF_F_TSO | NETIF_F_TSO6)

/* Polls go on; at once, as there may have been events that nobody heeded. */
static void resume(struct pvnet *net)
{
	unsigned int i;

	for (i = 0; i < net->queue_count; i++) {
		napi_enable(&net->queues[i].napi);
		local_bh_disable();
		napi_schedule(&net->queues[i].napi);
		local_bh_enable();
	}
	netif_tx_wake_all_queues(net->dev);
}

static void pause(struct pvnet *net)
{
	unsigned int i;

	for (i = 0; i < net->queue_count; i++)
		napi_disable(&net->queues[i].napi);
	netif_tx_disable(net->dev);
}

static int pvnet_open(struct net_device *dev)
{
	struct pvnet *net = netdev_priv(dev);

	if (net->connected)
		resume(net);
	return 0;
}

static int pvnet_close(struct net_device *dev)
{
	struct pvnet *net = netdev_priv(dev);

	if (net->connected)
		pause(net);
	return 0;
}

/* Has somebody wished for other rings since these were set up? */
static bool is_outdated(const struct pvnet *net)
{
	bool xdp = rtnl_dereference(net->prog) && net->offer.xdp;

	return net->xdp != xdp ||
	       net->queue_count != min(net->wanted_queues,
				       net->offer.max_queues);
}

/**
 * pvnet_wish() - somebody has wished for other rings than there are now
 * @net: the device; its wishes are set
 *
 * Back ends heed wishes only when they connect, so this makes a new connection
 * if one is needed; the stack sees no carrier until then.
 *
 * Context: process, under the RTNL.
 */
void pvnet_wish(struct pvnet *net)
{
	/* One that is coming up looks itself: pvnet_start(). */
	if (!net->connected || !is_outdated(net))
		return;
	netif_carrier_off(net->dev);
	pvbus_restart(net->bus);
}

/**
 * pvnet_start() - the rings are connected: go into service
 * @net: the device
 *
 * Context: process; takes the RTNL.
 */
void pvnet_start(struct pvnet *net)
{
	struct net_device *dev = net->dev;

	rtnl_lock();
	netif_set_real_num_queues(dev, net->queue_count, net->queue_count);
	dev->max_mtu = net->offer.sg ? PVNET_MAX_TX - ETH_HLEN : ETH_DATA_LEN;
	if (dev->mtu > dev->max_mtu)
		dev_set_mtu(dev, dev->max_mtu);
	netdev_update_features(dev);
	WRITE_ONCE(net->connected, true);
	if (netif_running(dev))
		resume(net);
	if (is_outdated(net))
		pvbus_restart(net->bus);
	else
		netif_carrier_on(dev);
	/* Switches must learn that we may now be elsewhere. */
	if (net->was_connected) {
		call_netdevice_notifiers(NETDEV_NOTIFY_PEERS, dev);
		call_netdevice_notifiers(NETDEV_RESEND_IGMP, dev);
	}
	net->was_connected = true;
	rtnl_unlock();
	pvnet_multicast_restart(net);
}

/**
 * pvnet_stop() - the rings go away
 * @net: the device
 *
 * Context: process; takes the RTNL.
 */
void pvnet_stop(struct pvnet *net)
{
	struct net_device *dev = net->dev;

	rtnl_lock();
	netif_carrier_off(dev);
	if (net->connected) {
		/* First, so that no poll wakes what is stopped here. */
		WRITE_ONCE(net->connected, false);
		if (netif_running(dev))
			pause(net);
		/* Frames redirected by XDP do not ask whether we are stopped. */
		synchronize_net();
	}
	rtnl_unlock();
}

static netdev_features_t pvnet_fix_features(struct net_device *dev,
					    netdev_features_t features)
{
	struct pvnet *net = netdev_priv(dev);

	if (!net->offer.csum4)
		features &= ~NETIF_F_IP_CSUM;
	if (!net->offer.csum6)
		features &= ~NETIF_F_IPV6_CSUM;
	if (!net->offer.gso4)
		features &= ~NETIF_F_TSO;
	if (!net->offer.gso6)
		features &= ~NETIF_F_TSO6;
	return features;
}

static int pvnet_change_mtu(struct net_device *dev, int mtu)
{
	struct pvnet *net = netdev_priv(dev);

	if (rtnl_dereference(net->prog) && mtu + VLAN_ETH_HLEN > PVNET_XDP_FRAME)
		return -EBUSY;
	WRITE_ONCE(dev->mtu, mtu);
	return 0;
}

/* Counters outlive rings, so this needs no lock. */
static void pvnet_get_stats64(struct net_device *dev,
			      struct rtnl_link_stats64 *total)
{
	struct pvnet *net = netdev_priv(dev);
	unsigned int i;

	for (i = 0; i < net->max_queues; i++) {
		const struct pvnet_queue *queue = &net->queues[i];
		const struct pvnet_tx_stats *tx = &queue->tx_stats;
		const struct pvnet_rx_stats *rx = &queue->rx_stats;

		total->tx_packets += READ_ONCE(tx->packets);
		total->tx_bytes += READ_ONCE(tx->bytes);
		total->tx_dropped += READ_ONCE(tx->too_long);
		total->tx_errors += READ_ONCE(queue->tx.errors);
		total->rx_packets += READ_ONCE(rx->packets);
		total->rx_bytes += READ_ONCE(rx->bytes);
		total->rx_errors += READ_ONCE(rx->drop_bad) +
				    READ_ONCE(rx->drop_checksum);
		total->rx_dropped += READ_ONCE(rx->drop_memory) +
				     READ_ONCE(rx->drop_xdp_off);
	}
}

static void pvnet_tx_timeout(struct net_device *dev, unsigned int index)
{
	struct pvnet *net = netdev_priv(dev);

	netdev_warn(dev, "queue %u: the back end has not answered %u tx requests for %u s\n",
		    index, pvring_in_flight(&net->queues[index].tx.ring),
		    ANSWER_TIME / HZ);
	napi_schedule(&net->queues[index].napi);
}

static const struct net_device_ops pvnet_ops = {
	.ndo_open		= pvnet_open,
	.ndo_stop		= pvnet_close,
	.ndo_start_xmit		= pvnet_xmit,
	.ndo_fix_features	= pvnet_fix_features,
	.ndo_change_mtu		= pvnet_change_mtu,
	.ndo_get_stats64	= pvnet_get_stats64,
	.ndo_set_rx_mode	= pvnet_set_rx_mode,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_tx_timeout		= pvnet_tx_timeout,
	.ndo_bpf		= pvnet_bpf,
	.ndo_xdp_xmit		= pvnet_xdp_xmit,
};

static void init_queue(struct pvnet *net, unsigned int index)
{
	struct pvnet_queue *queue = &net->queues[index];

	queue->net = net;
	queue->index = index;
	queue->txq = netdev_get_tx_queue(net->dev, index);
}

/**
 * pvnet_create() - make the network device, without carrier
 * @bus: as the bus sees it
 * @mac: its address
 * @mtu: what the tool stack wishes, 0 if nothing
 *
 * Context: process; takes the RTNL.
 * Return: 0 or a negative error.
 */
int pvnet_create(struct pvbus_device *bus, const u8 *mac, unsigned int mtu)
{
	unsigned int count = pvnet_queue_limit(), i;
	struct net_device *dev;
	struct pvnet *net;
	int err = -ENOMEM;

	dev = alloc_etherdev_mqs(sizeof(*net), count, count);
	if (!dev)
		return -ENOMEM;
	net = netdev_priv(dev);
	net->bus = bus;
	net->dev = dev;
	net->wanted_queues = count;
	net->max_queues = count;
	net->queues = kvcalloc(count, sizeof(*net->queues), GFP_KERNEL);
	if (!net->queues)
		goto free;
	for (i = 0; i < count; i++)
		init_queue(net, i);
	pvnet_multicast_init(net);

	SET_NETDEV_DEV(dev, &bus->dev);
	dev->netdev_ops = &pvnet_ops;
	dev->ethtool_ops = &pvnet_ethtool_ops;
	dev->watchdog_timeo = ANSWER_TIME;
	dev->hw_features = TX_FEATURES | NETIF_F_SG;
	dev->features = dev->hw_features | NETIF_F_RXCSUM;
	dev->vlan_features = NETIF_F_SG;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = PVNET_MAX_TX - ETH_HLEN;
	if (mtu)
		dev->mtu = mtu;
	netif_set_tso_max_size(dev, PVNET_MAX_TX);
	xdp_set_features_flag(dev, NETDEV_XDP_ACT_BASIC |
				   NETDEV_XDP_ACT_REDIRECT |
				   NETDEV_XDP_ACT_NDO_XMIT |
				   NETDEV_XDP_ACT_NDO_XMIT_SG);
	eth_hw_addr_set(dev, mac);
	netif_carrier_off(dev);
	dev_set_drvdata(&bus->dev, net);
	err = register_netdev(dev);
	if (!err)
		return 0;
	dev_set_drvdata(&bus->dev, NULL);
free:
	kvfree(net->queues);
	free_netdev(dev);
	return err;
}

/**
 * pvnet_destroy() - undo pvnet_create()
 * @net: the device, without rings
 *
 * Context: process; takes the RTNL.
 */
void pvnet_destroy(struct pvnet *net)
{
	struct pvnet_queue *queues = net->queues;

	unregister_netdev(net->dev);
	cancel_delayed_work_sync(&net->multicast);
	free_netdev(net->dev);
	kvfree(queues);
}
