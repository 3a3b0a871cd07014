// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network device: creation, opening and closing, and its operations.
 *
 * It exists as long as the vif.  Rings come and go with the back end, and the
 * carrier with them.
 */
#include <linux/etherdevice.h>
#include <linux/mm.h>
#include <linux/rtnetlink.h>

#include "pvnet.h"

/* Time without a response to a sent packet after which that is logged. */
#define PVNET_RESPONSE_TIME	(30 * HZ)

#define PVNET_TX_FEATURES	(NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM | \
			 NETIF_F_TSO | NETIF_F_TSO6)

/*
 * Start to poll, at once, as events may have come while nothing did.  A queue
 * without room stays stopped: the poll re-arms its event.
 */
static void pvnet_resume(struct pvnet *net)
{
	struct pvnet_queue *queue;
	unsigned int i;

	for (i = 0; i < net->queue_count; i++) {
		queue = &net->queues[i];
		__netif_tx_lock_bh(queue->txq);
		if (pvnet_tx_has_room(&queue->tx))
			netif_tx_wake_queue(queue->txq);
		__netif_tx_unlock_bh(queue->txq);
		napi_enable(&queue->napi);
		local_bh_disable();
		napi_schedule(&queue->napi);
		local_bh_enable();
	}
}

static void pvnet_pause(struct pvnet *net)
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
		pvnet_resume(net);
	return 0;
}

static int pvnet_close(struct net_device *dev)
{
	struct pvnet *net = netdev_priv(dev);

	if (net->connected)
		pvnet_pause(net);
	return 0;
}

/* Do the rings differ from the requested ones? */
static bool pvnet_is_outdated(const struct pvnet *net)
{
	bool xdp = rtnl_dereference(net->prog) && net->offer.xdp;

	return net->xdp != xdp ||
	       net->queue_count != min(net->requested_queues,
				       net->offer.max_queues);
}

/**
 * pvnet_request_reconnect() - reconnect if the rings differ from the requested
 * @net: the device, its requested number of queues and XDP program set
 *
 * Back ends read the number of queues and the XDP headroom only when they
 * connect.  The carrier is off until the device is connected again.
 *
 * Context: process, under the RTNL.
 */
void pvnet_request_reconnect(struct pvnet *net)
{
	/* While the device connects, pvnet_start() checks this itself. */
	if (!net->connected || !pvnet_is_outdated(net))
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
		pvnet_resume(net);
	if (pvnet_is_outdated(net))
		pvbus_restart(net->bus);
	else
		netif_carrier_on(dev);
	/* Switches must learn that the vif may now be on another port. */
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
		/* First, so that no poll wakes the queues stopped here. */
		WRITE_ONCE(net->connected, false);
		if (netif_running(dev))
			pvnet_pause(net);
		/* Frames redirected by XDP may come while queues are stopped. */
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

static void pvnet_tx_timeout(struct net_device *dev, unsigned int index)
{
	struct pvnet *net = netdev_priv(dev);

	netdev_warn(dev, "queue %u: no response to %u tx requests for %u s (%d); polling\n",
		    index, pvring_in_flight(&net->queues[index].tx.ring),
		    PVNET_RESPONSE_TIME / HZ, -ETIMEDOUT);
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

static void pvnet_init_queue(struct pvnet *net, unsigned int index)
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
 * @mtu: the tool stack's value, 0 if there is none
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
	net->requested_queues = count;
	net->max_queues = count;
	net->queues = kvcalloc(count, sizeof(*net->queues), GFP_KERNEL);
	if (!net->queues)
		goto free;
	for (i = 0; i < count; i++)
		pvnet_init_queue(net, i);
	pvnet_multicast_init(net);

	SET_NETDEV_DEV(dev, &bus->dev);
	dev->netdev_ops = &pvnet_ops;
	dev->ethtool_ops = &pvnet_ethtool_ops;
	dev->stat_ops = &pvnet_stat_ops;
	dev->watchdog_timeo = PVNET_RESPONSE_TIME;
	dev->hw_features = PVNET_TX_FEATURES | NETIF_F_SG | NETIF_F_RXCSUM;
	dev->features = dev->hw_features;
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
