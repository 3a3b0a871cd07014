// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters as the network core asks for them: of the device (ip -s link), and of
 * each queue (netlink family "netdev", qstats-get).
 *
 * They outlive rings, so none of this needs a lock.
 */
#include <linux/netdevice.h>
#include <net/netdev_queues.h>

#include "pvnet.h"

/**
 * pvnet_get_stats64() - add up all queues, also those that have no rings
 * @dev: the device
 * @total: zeroed by the core
 *
 * Context: any.
 */
void pvnet_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *total)
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

static void pvnet_get_queue_stats_rx(struct net_device *dev, int index,
				     struct netdev_queue_stats_rx *stats)
{
	const struct pvnet *net = netdev_priv(dev);
	const struct pvnet_rx_stats *rx = &net->queues[index].rx_stats;

	stats->packets = READ_ONCE(rx->packets);
	stats->bytes = READ_ONCE(rx->bytes);
	stats->alloc_fail = READ_ONCE(rx->drop_memory);
}

static void pvnet_get_queue_stats_tx(struct net_device *dev, int index,
				     struct netdev_queue_stats_tx *stats)
{
	const struct pvnet *net = netdev_priv(dev);
	const struct pvnet_tx_stats *tx = &net->queues[index].tx_stats;

	stats->packets = READ_ONCE(tx->packets);
	stats->bytes = READ_ONCE(tx->bytes);
	stats->stop = READ_ONCE(tx->stops);
}

/*
 * The base holds the counts of queues that are not in use now; the core adds the
 * others.  For the device it reports the fields that are set here.
 */
static void pvnet_get_base_stats(struct net_device *dev,
				 struct netdev_queue_stats_rx *rx,
				 struct netdev_queue_stats_tx *tx)
{
	rx->packets = 0;
	rx->bytes = 0;
	rx->alloc_fail = 0;
	tx->packets = 0;
	tx->bytes = 0;
	tx->stop = 0;
	netdev_stat_queue_sum(dev, dev->real_num_rx_queues, dev->num_rx_queues,
			      rx, dev->real_num_tx_queues, dev->num_tx_queues,
			      tx);
}

const struct netdev_stat_ops pvnet_stat_ops = {
	.get_queue_stats_rx	= pvnet_get_queue_stats_rx,
	.get_queue_stats_tx	= pvnet_get_queue_stats_tx,
	.get_base_stats		= pvnet_get_base_stats,
};
