// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets from the network stack to the transmit ring.
 */
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <net/netdev_queues.h>
#include <net/tcp.h>
#include <pvguest/platform.h>

#include "pvnet.h"

/* Packets freed before others may take the lock. */
#define PVNET_REAP_BATCH	64
/* Requests of two of the longest packets. */
#define PVNET_FEW	(2 * PVNET_PACKET_SLOTS)
/* Requests that must be free before a stopped queue is woken. */
#define PVNET_WAKE_ROOM	(PVNET_SLOTS / 4)

/*
 * Number of responses after which an event is due.  Each poll for received
 * packets reaps, too, and a packet that was freed when it was sent only takes
 * room in the ring until its response.  A queue without room must not wait for more
 * responses than are to come: it may have few requests in flight, as a packet's
 * first id is in use until its last response.
 */
static u32 pvnet_responses_to_wait(const struct pvnet_queue *queue)
{
	u32 held = queue->held - queue->tx.ring.rsp_cons;

	/* Responses have gone past it, perhaps by more than half of all numbers. */
	if (held > PVNET_SLOTS)
		held = 0;
	if (!held && (netif_tx_queue_stopped(queue->txq) ||
		      !pvnet_tx_has_room(&queue->tx)))
		return clamp(pvring_in_flight(&queue->tx.ring) / 2, 1U,
			     PVNET_SLOTS / 2U);
	if (!held)
		return PVNET_SLOTS / 2;
	/* Of many, a quarter is still in flight when the others are freed. */
	return held > PVNET_FEW ? held - held / 4 : held;
}

/**
 * pvnet_kick() - publish requests, and re-arm the event index
 * @queue: queue, locked
 */
void pvnet_kick(struct pvnet_queue *queue)
{
	if (pvring_push(&queue->tx.ring)) {
		pvguest_notify(queue->irq[PVNET_TX]);
		queue->tx_stats.notifications++;
	}
	if (pvring_rearm_after(&queue->tx.ring, pvnet_responses_to_wait(queue)))
		napi_schedule(&queue->napi);
}

/*
 * Only pages of this packet alone can be granted; pages of a file or of a
 * program's memory may be written to while the back end reads them.
 */
static bool pvnet_may_lend(const struct sk_buff *skb)
{
	return READ_ONCE(pvnet_params.lend) && !skb_has_shared_frag(skb);
}

static void pvnet_send_frag(struct pvnet_tx *tx, const skb_frag_t *frag,
			    bool lend)
{
	void *data = skb_frag_address(frag);
	u32 left = skb_frag_size(frag);

	while (lend && left >= PAGE_SIZE) {
		u32 part = PAGE_SIZE - offset_in_page(data);

		if (part < PAGE_SIZE || !pvnet_tx_lend(tx, virt_to_page(data)))
			pvnet_tx_copy(tx, data, part);
		data += part;
		left -= part;
	}
	pvnet_tx_copy(tx, data, left);
}

static bool pvnet_send(struct pvnet_tx *tx, struct sk_buff *skb, bool *held)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	struct xen_netif_extra_info gso = {};
	bool lend = pvnet_may_lend(skb);
	u64 lends = tx->lends;
	unsigned int i;
	u16 flags = 0;

	if (skb->ip_summed == CHECKSUM_PARTIAL)
		flags = XEN_NETTXF_csum_blank | XEN_NETTXF_data_validated;
	else if (skb->ip_summed == CHECKSUM_UNNECESSARY)
		flags = XEN_NETTXF_data_validated;
	if (info->gso_size) {
		gso.type = XEN_NETIF_EXTRA_TYPE_GSO;
		gso.u.gso.size = info->gso_size;
		gso.u.gso.type = info->gso_type & SKB_GSO_TCPV6 ?
				 XEN_NETIF_GSO_TYPE_TCPV6 :
				 XEN_NETIF_GSO_TYPE_TCPV4;
	}
	if (!pvnet_tx_begin(tx, skb->len, flags, gso.type ? &gso : NULL))
		return false;
	pvnet_tx_copy(tx, skb->data, skb_headlen(skb));
	for (i = 0; i < info->nr_frags; i++)
		pvnet_send_frag(tx, &info->frags[i], lend);
	/*
	 * A packet with pages lent is freed by its response, and so is one that
	 * a socket accounts for.  A forwarded packet and a pure acknowledgment
	 * can be freed now, as they are copied.
	 */
	*held = tx->lends != lends ||
		(skb->destructor && !skb_is_tcp_pure_ack(skb));
	pvnet_tx_end(tx, *held ? skb : NULL);
	return true;
}

/**
 * pvnet_xmit() - send a packet of the stack
 * @skb: the packet
 * @dev: the device
 *
 * The queue is stopped while there is no room for the longest packet, so one
 * that cannot be sent now is too long, and dropped.
 *
 * Context: the stack's, with the lock of the transmit queue.
 * Return: NETDEV_TX_OK.
 */
netdev_tx_t pvnet_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct pvnet *net = netdev_priv(dev);
	struct pvnet_queue *queue = &net->queues[skb_get_queue_mapping(skb)];
	struct pvnet_tx_stats *stats = &queue->tx_stats;
	struct netdev_queue *txq = queue->txq;
	unsigned int len = skb->len;
	bool more = netdev_xmit_more();
	bool held = false, flush = !more;

	if (unlikely(!pvnet_send(&queue->tx, skb, &held))) {
		stats->too_long++;
		dev_kfree_skb_any(skb);
		if (!more)
			pvnet_kick(queue);
		return NETDEV_TX_OK;
	}
	skb_tx_timestamp(skb);
	stats->packets++;
	stats->bytes += len;
	if (held) {
		queue->held = queue->tx.ring.req_prod;
		flush = __netdev_tx_sent_queue(txq, len, more);
	} else {
		dev_consume_skb_any(skb);
	}
	if (unlikely(!pvnet_tx_has_room(&queue->tx))) {
		netif_tx_stop_queue(txq);
		stats->stops++;
		flush = true;
	}
	if (flush)
		pvnet_kick(queue);
	return NETDEV_TX_OK;
}

/**
 * pvnet_reap() - free packets that have their responses
 * @queue: queue, locked
 * @budget: of NAPI's poll
 *
 * Return: true if there are more responses.  Otherwise the event index has been
 * re-armed.
 */
bool pvnet_reap(struct pvnet_queue *queue, int budget)
{
	void *done[PVNET_REAP_BATCH];
	unsigned int count, i;
	u32 bytes = 0;

	count = pvnet_tx_reap(&queue->tx, done, PVNET_REAP_BATCH);
	for (i = 0; i < count; i++) {
		struct sk_buff *skb = done[i];

		bytes += skb->len;
		napi_consume_skb(skb, budget);
	}
	netdev_tx_completed_queue(queue->txq, count, bytes);
	if (netif_tx_queue_stopped(queue->txq) &&
	    pvnet_tx_room(&queue->tx) >= PVNET_WAKE_ROOM &&
	    queue->net->connected)
		netif_tx_wake_queue(queue->txq);
	if (count == PVNET_REAP_BATCH)
		return true;
	return pvring_rearm_after(&queue->tx.ring,
				  pvnet_responses_to_wait(queue));
}

/**
 * pvnet_flush() - drop packets without response
 * @queue: queue, stopped
 */
void pvnet_flush(struct pvnet_queue *queue)
{
	struct sk_buff *skb;

	while ((skb = pvnet_tx_flush(&queue->tx)))
		dev_kfree_skb_any(skb);
	netdev_tx_reset_queue(queue->txq);
}
