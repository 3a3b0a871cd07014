// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's ethtool operations: counters, and the number of queues.
 */
#include <linux/ethtool.h>
#include <linux/netdevice.h>

#include "pvnet.h"

#define COUNTER(name, at)	{ name, offsetof(struct pvnet_queue, at) }

/* Counters of each queue, all u64. */
static const struct {
	const char *name;
	size_t at;
} pvnet_counters[] = {
	COUNTER("tx_packets", tx_stats.packets),
	COUNTER("tx_bytes", tx_stats.bytes),
	COUNTER("tx_notifications", tx_stats.notifications),
	COUNTER("tx_stops", tx_stats.stops),
	COUNTER("tx_too_long", tx_stats.too_long),
	COUNTER("tx_pages_granted", tx.lends),
	COUNTER("tx_bytes_copied", tx.copied),
	COUNTER("tx_errors", tx.errors),
	COUNTER("tx_pages_kept", tx.abandoned),
	COUNTER("tx_xdp", tx_stats.xdp),
	COUNTER("tx_xdp_full", tx_stats.xdp_full),
	COUNTER("rx_packets", rx_stats.packets),
	COUNTER("rx_bytes", rx_stats.bytes),
	COUNTER("rx_notifications", rx_stats.notifications),
	COUNTER("rx_packets_copied", rx_stats.copied),
	COUNTER("rx_pages_granted", rx.offers),
	COUNTER("rx_pages_kept", rx.abandoned),
	COUNTER("rx_errors", rx.errors),
	COUNTER("rx_drop_bad", rx_stats.drop_bad),
	COUNTER("rx_drop_memory", rx_stats.drop_memory),
	COUNTER("rx_drop_checksum", rx_stats.drop_checksum),
	COUNTER("rx_drop_xdp_off", rx_stats.drop_xdp_off),
	COUNTER("rx_xdp", rx_stats.xdp_packets),
	COUNTER("rx_xdp_drop", rx_stats.xdp_drop),
	COUNTER("rx_xdp_redirect", rx_stats.xdp_redirect),
	COUNTER("events", rx_stats.events),
	COUNTER("events_idle", rx_stats.events_idle),
};

static void pvnet_get_drvinfo(struct net_device *dev,
			      struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "pvnet", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(dev->dev.parent),
		sizeof(info->bus_info));
}

static int pvnet_get_sset_count(struct net_device *dev, int set)
{
	struct pvnet *net = netdev_priv(dev);

	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return net->max_queues * ARRAY_SIZE(pvnet_counters);
}

static void pvnet_get_strings(struct net_device *dev, u32 set, u8 *data)
{
	struct pvnet *net = netdev_priv(dev);
	unsigned int q, i;

	if (set != ETH_SS_STATS)
		return;
	for (q = 0; q < net->max_queues; q++)
		for (i = 0; i < ARRAY_SIZE(pvnet_counters); i++)
			ethtool_sprintf(&data, "q%u_%s", q,
					pvnet_counters[i].name);
}

static void pvnet_get_ethtool_stats(struct net_device *dev,
				    struct ethtool_stats *stats, u64 *data)
{
	struct pvnet *net = netdev_priv(dev);
	unsigned int q, i;

	for (q = 0; q < net->max_queues; q++)
		for (i = 0; i < ARRAY_SIZE(pvnet_counters); i++)
			*data++ = READ_ONCE(*(u64 *)((void *)&net->queues[q] +
						     pvnet_counters[i].at));
}

static void pvnet_get_ringparam(struct net_device *dev,
				struct ethtool_ringparam *ring,
				struct kernel_ethtool_ringparam *kernel_ring,
				struct netlink_ext_ack *extack)
{
	ring->rx_max_pending = PVNET_SLOTS;
	ring->tx_max_pending = PVNET_SLOTS;
	ring->rx_pending = PVNET_SLOTS;
	ring->tx_pending = PVNET_SLOTS;
}

static void pvnet_get_channels(struct net_device *dev,
			       struct ethtool_channels *channels)
{
	struct pvnet *net = netdev_priv(dev);

	channels->max_combined = net->offer.max_queues ?: net->max_queues;
	channels->combined_count = min(net->requested_queues,
				       channels->max_combined);
}

/* Takes effect with the next connection, which this requests. */
static int pvnet_set_channels(struct net_device *dev,
			      struct ethtool_channels *channels)
{
	struct pvnet *net = netdev_priv(dev);

	/* The core has checked the bounds. */
	if (!channels->combined_count)
		return -EINVAL;
	WRITE_ONCE(net->requested_queues, channels->combined_count);
	pvnet_request_reconnect(net);
	return 0;
}

const struct ethtool_ops pvnet_ethtool_ops = {
	.get_drvinfo		= pvnet_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_ringparam		= pvnet_get_ringparam,
	.get_channels		= pvnet_get_channels,
	.set_channels		= pvnet_set_channels,
	.get_sset_count		= pvnet_get_sset_count,
	.get_strings		= pvnet_get_strings,
	.get_ethtool_stats	= pvnet_get_ethtool_stats,
	.get_ts_info		= ethtool_op_get_ts_info,
};
