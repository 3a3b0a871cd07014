// SPDX-License-Identifier: MIT
/*
 * Counters of an interface for the network core (drivers/pvnet/stats.c): those of
 * its queues add up to the device's, however many queues are in use.
 */
#include "driver/kernel.c"
#include "driver/hypervisor.c"

#include <setjmp.h>
#include <cmocka.h>

#include "driver/network.h"
#include "driver/sending.h"

/* Of the core's structures, the fields that the driver sets or might set. */
struct rtnl_link_stats64 {
	u64 tx_packets, tx_bytes, tx_dropped, tx_errors;
	u64 rx_packets, rx_bytes, rx_dropped, rx_errors;
};

struct netdev_queue_stats_rx { u64 bytes, packets, alloc_fail, hw_drops; };
struct netdev_queue_stats_tx { u64 bytes, packets, hw_drops, stop, wake; };

struct netdev_stat_ops {
	void (*get_queue_stats_rx)(struct net_device *dev, int index,
				   struct netdev_queue_stats_rx *stats);
	void (*get_queue_stats_tx)(struct net_device *dev, int index,
				   struct netdev_queue_stats_tx *stats);
	void (*get_base_stats)(struct net_device *dev, struct netdev_queue_stats_rx *rx,
			       struct netdev_queue_stats_tx *tx);
};

static void netdev_stat_queue_sum(struct net_device *dev, int rx_start, int rx_end,
				  struct netdev_queue_stats_rx *rx_sum, int tx_start, int tx_end,
				  struct netdev_queue_stats_tx *tx_sum);

#include "../../../drivers/pvnet/stats.c"

#define QUEUES	5
#define UNSET	(~0ULL)

static struct pvnet_queue queues[QUEUES];
static struct pvnet net = { .max_queues = QUEUES, .queues = queues };
static struct net_device dev = {
	.priv = &net, .num_rx_queues = QUEUES, .num_tx_queues = QUEUES,
};

/* Adds what is set in both, as the core does. */
static void add(void *sum, const void *more, size_t size)
{
	const u64 *from = more;
	u64 *to = sum;

	for (size_t i = 0; i < size / sizeof(*to); i++)
		if (to[i] != UNSET && from[i] != UNSET)
			to[i] += from[i];
}

static void netdev_stat_queue_sum(struct net_device *d, int rx_start, int rx_end,
				  struct netdev_queue_stats_rx *rx_sum, int tx_start, int tx_end,
				  struct netdev_queue_stats_tx *tx_sum)
{
	struct netdev_queue_stats_rx rx;
	struct netdev_queue_stats_tx tx;

	for (int i = rx_start; i < rx_end; i++) {
		memset(&rx, 0xff, sizeof(rx));
		pvnet_stat_ops.get_queue_stats_rx(d, i, &rx);
		add(rx_sum, &rx, sizeof(rx));
	}
	for (int i = tx_start; i < tx_end; i++) {
		memset(&tx, 0xff, sizeof(tx));
		pvnet_stat_ops.get_queue_stats_tx(d, i, &tx);
		add(tx_sum, &tx, sizeof(tx));
	}
}

static void queues_add_up(void **state)
{
	for (unsigned int i = 0; i < QUEUES; i++) {
		queues[i].rx_stats = (struct pvnet_rx_stats) {
			.packets = 10 << 4 * i, .bytes = 7000 << i, .drop_memory = 1 << i,
		};
		queues[i].tx_stats = (struct pvnet_tx_stats) {
			.packets = 3 << 4 * i, .bytes = 500 << i, .stops = 2 << i,
		};
	}
	for (unsigned int used = 0; used <= QUEUES; used++) {
		struct rtnl_link_stats64 total = { };
		struct netdev_queue_stats_rx rx;
		struct netdev_queue_stats_tx tx;

		dev.real_num_rx_queues = used;
		dev.real_num_tx_queues = used;
		memset(&rx, 0xff, sizeof(rx));
		memset(&tx, 0xff, sizeof(tx));
		pvnet_stat_ops.get_base_stats(&dev, &rx, &tx);
		/* Nothing in the base but the queues that are not in use. */
		assert_int_equal(rx.packets, used == QUEUES ? 0 : 0xaaaaa >> 4 * used << 4 * used);
		assert_int_equal(tx.packets, used == QUEUES ? 0 : 0x33333 >> 4 * used << 4 * used);
		netdev_stat_queue_sum(&dev, 0, used, &rx, 0, used, &tx);
		pvnet_get_stats64(&dev, &total);
		assert_int_equal(rx.packets, total.rx_packets);
		assert_int_equal(rx.bytes, total.rx_bytes);
		assert_int_equal(rx.alloc_fail, total.rx_dropped);
		assert_int_equal(tx.packets, total.tx_packets);
		assert_int_equal(tx.bytes, total.tx_bytes);
		assert_int_equal(tx.stop, 2 * 31);
		/* A field that is not counted is not set. */
		assert_int_equal(rx.hw_drops, UNSET);
		assert_int_equal(tx.hw_drops, UNSET);
		assert_int_equal(tx.wake, UNSET);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
