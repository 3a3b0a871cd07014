/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of the network front end.
 */
#ifndef PVNET_H
#define PVNET_H

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/workqueue.h>
#include <net/page_pool/helpers.h>
#include <net/xdp.h>
#include <pvbus/device.h>
#include <pvbus/grant.h>

#include "wire.h"

#define PVNET_MAX_QUEUES	64
/* For pages allocated in a poll; without one the packet is dropped. */
#define PVNET_GFP_POLL		(GFP_ATOMIC | __GFP_NOWARN)
/* Bytes in the linear part of a packet of fragments: headers fit. */
#define PVNET_HEAD		128
/* Where a packet must end for its page to become the linear part of an skb. */
#define PVNET_WRAP_END	\
	(PAGE_SIZE - SKB_DATA_ALIGN(sizeof(struct skb_shared_info)))
/* Longest frame for XDP. */
#define PVNET_XDP_FRAME	(PVNET_WRAP_END - XDP_PACKET_HEADROOM)

/**
 * struct pvnet_params - parameters (main.c)
 * @max_queues: queues of a device; 0: one for each vCPU, up to 8
 * @split: an event channel for each ring instead of one for two
 * @sg: packets of several slots
 * @gso: TCP packets longer than the MTU
 * @csum: packets between domains without checksum
 * @multicast: the back end filters multicast packets
 * @lend: grant pages that a sent packet fills, instead of copying them
 * @copybreak: received packets of up to so many bytes are copied
 */
struct pvnet_params {
	unsigned int max_queues;
	bool split;
	bool sg;
	bool gso;
	bool csum;
	bool multicast;
	bool lend;
	unsigned int copybreak;
};

extern struct pvnet_params pvnet_params;

/* Indexes of a queue's two rings and their events. */
enum { PVNET_TX, PVNET_RX, PVNET_RINGS };

/*
 * Counters, each written in one direction's context only and read without lock:
 * a u64 is read at once.
 */
struct pvnet_tx_stats {
	u64 packets;
	u64 bytes;
	u64 notifications;
	u64 stops;
	u64 too_long;
	u64 xdp;
	u64 xdp_full;
};

struct pvnet_rx_stats {
	u64 packets;
	u64 bytes;
	u64 notifications;
	u64 copied;
	u64 drop_bad;
	u64 drop_memory;
	u64 drop_checksum;
	u64 drop_xdp_off;
	u64 xdp_packets;
	u64 xdp_drop;
	u64 xdp_redirect;
	u64 events;
	u64 events_idle;
};

/**
 * struct pvnet_queue - a pair of rings
 * @net: the device
 * @index: number of this queue
 * @napi: polls both rings
 * @txq: its lock serialises all use of @tx
 * @area: the shared pages
 * @irq: events of both rings; the same twice if they share one
 * @events: bit per ring: an event has come whose EOI is due
 * @worked: there was work since the last EOI
 * @held: index in @tx behind the last packet that is freed by its response
 * @tx: transmit ring
 * @rx: receive ring, used by @napi only
 * @pages: pool of pages for receiving
 * @xdp_rxq: this queue for XDP programs
 * @tx_stats: kept over reconnections
 * @rx_stats: kept over reconnections
 * @irq_name: names in /proc/interrupts
 */
struct pvnet_queue {
	struct pvnet *net;
	unsigned int index;
	struct napi_struct napi;
	struct netdev_queue *txq;
	struct pvgrant_area area[PVNET_RINGS];
	int irq[PVNET_RINGS];
	unsigned long events;
	bool worked;
	u32 held;
	struct pvnet_tx tx;
	struct pvnet_rx rx;
	struct page_pool *pages;
	struct xdp_rxq_info xdp_rxq;
	struct pvnet_tx_stats tx_stats;
	struct pvnet_rx_stats rx_stats;
	char irq_name[PVNET_RINGS][IFNAMSIZ + 12];
};

/**
 * struct pvnet_offer - features of the back end that parameters permit
 * @max_queues: queues at most
 * @split: each ring has an event channel of its own
 * @sg: packets of several slots
 * @gso4: TCP packets over IPv4 to be segmented later
 * @gso6: TCP packets over IPv6 to be segmented later
 * @csum4: IPv4 packets without their checksum
 * @csum6: IPv6 packets without their checksum
 * @multicast: a multicast filter that can be switched at any time
 * @xdp: free bytes before a packet on request
 */
struct pvnet_offer {
	unsigned int max_queues;
	bool split;
	bool sg;
	bool gso4;
	bool gso6;
	bool csum4;
	bool csum6;
	bool multicast;
	bool xdp;
};

/**
 * struct pvnet - one network device
 * @bus: as the bus sees it
 * @dev: as the network stack sees it
 * @offer: features in use; set by setup
 * @requested_queues: number of queues, if the back end has as many
 * @connected: rings are in use; changes under the RTNL
 * @xdp: rings leave headroom for XDP; set by setup
 * @failed: pvbus_fail() has been called in this connection
 * @was_connected: this is not the first connection
 * @prog: XDP program or NULL
 * @multicast: work that updates the back end's filter
 * @filter: value of the node request-multicast-control
 * @queue_count: queues made by setup
 * @max_queues: elements of @queues
 * @queues: all queues, those that have no rings too
 */
struct pvnet {
	struct pvbus_device *bus;
	struct net_device *dev;
	struct pvnet_offer offer;
	unsigned int requested_queues;
	bool connected;
	bool xdp;
	unsigned long failed;
	bool was_connected;
	struct bpf_prog __rcu *prog;
	struct delayed_work multicast;
	bool filter;
	unsigned int queue_count;
	unsigned int max_queues;
	struct pvnet_queue *queues;
};

/* netdev.c */
int pvnet_create(struct pvbus_device *bus, const u8 *mac, unsigned int mtu);
void pvnet_destroy(struct pvnet *net);
void pvnet_request_reconnect(struct pvnet *net);
void pvnet_start(struct pvnet *net);
void pvnet_stop(struct pvnet *net);

/* queue.c */
int pvnet_queue_open(struct pvnet_queue *queue);
void pvnet_queue_close(struct pvnet_queue *queue);
void pvnet_queue_fail(struct pvnet_queue *queue, const struct pvring *ring);

/* transmit.c; callers hold the lock of queue->txq, xmit's caller as well */
netdev_tx_t pvnet_xmit(struct sk_buff *skb, struct net_device *dev);
void pvnet_kick(struct pvnet_queue *queue);
bool pvnet_reap(struct pvnet_queue *queue, int budget);
void pvnet_flush(struct pvnet_queue *queue);

/* receive.c */
int pvnet_receive(struct pvnet_queue *queue, int budget);
int pvnet_fill(struct pvnet_queue *queue);
void pvnet_drain(struct pvnet_queue *queue);
struct page *pvnet_fresh_page(struct pvnet_queue *queue, gfp_t gfp);
struct page *pvnet_take_page(struct pvnet_queue *queue, unsigned int slot);
void pvnet_deliver(struct pvnet_queue *queue, struct sk_buff *skb);

/* accept.c */
int pvnet_accept(struct pvnet_queue *queue, struct sk_buff *skb,
		 const struct pvnet_packet *packet);

/* xdp.c */
void pvnet_xdp_run(struct pvnet_queue *queue, struct bpf_prog *prog,
		   unsigned int *redirected);
int pvnet_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		   u32 flags);
int pvnet_bpf(struct net_device *dev, struct netdev_bpf *bpf);

/* multicast.c */
void pvnet_set_rx_mode(struct net_device *dev);
void pvnet_multicast_init(struct pvnet *net);
void pvnet_multicast_restart(struct pvnet *net);

/* ethtool.c */
extern const struct ethtool_ops pvnet_ethtool_ops;

/* stats.c */
extern const struct netdev_stat_ops pvnet_stat_ops;
void pvnet_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *total);

/* connect.c: what is agreed on through XenStore */
int pvnet_setup(struct pvbus_device *bus);
int pvnet_publish(struct pvbus_device *bus, u32 txn);
int pvnet_connected(struct pvbus_device *bus);
int pvnet_closing(struct pvbus_device *bus);
void pvnet_disconnect(struct pvbus_device *bus);

/* main.c */
unsigned int pvnet_queue_limit(void);

#endif /* PVNET_H */
