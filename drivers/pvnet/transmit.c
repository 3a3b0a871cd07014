// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the network stack to the transmit ring.
 */
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <net/netdev_queues.h>
#include <net/tcp.h>
#include <pvguest/platform.h>

#include "pvnet.h"

/* Packets freed between two looks at the clock of others who want the lock. */
#define REAP_BATCH	64
/* Requests of two of the longest packets. */
#define FEW		(2 * PVNET_PACKET_SLOTS)
/* Requests that must be free before a stopped queue goes on. */
#define WAKE_ROOM	(PVNET_SLOTS / 4)

/*
 * After how many answers an event is due.  All requests are answered sooner or
 * later, each poll for received packets reaps, too, and of packets that nobody
 * waits for only the room in the ring is of interest.
 */
static u32 answers_to_wait(const struct pvnet_queue *queue)
{
	s32 held = queue->held - queue->tx.ring.rsp_cons;

	if (held <= 0)
		return PVNET_SLOTS / 2;
	/* Of many, have some still on the way when those are freed. */
	return held > FEW ? held - held / 4 : held;
}

/**
 * pvnet_kick() - show the back end what has been written
 * @queue: queue, locked
 */
void pvnet_kick(struct pvnet_queue *queue)
{
	if (pvring_push(&queue->tx.ring)) {
		pvguest_notify(queue->irq[PVNET_TX]);
		queue->tx_stats.notifications++;
	}
	if (pvring_rearm_after(&queue->tx.ring, answers_to_wait(queue)))
		napi_schedule(&queue->napi);
}

/*
 * Only what this packet alone uses can be granted; pages of a file or of a
 * program's memory may be written to while the back end looks.
 */
static bool may_lend(const struct sk_buff *skb)
{
	return READ_ONCE(pvnet_lend) && !skb_has_shared_frag(skb);
}

static void send_frag(struct pvnet_tx *tx, const skb_frag_t *frag, bool lend)
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

static bool send(struct pvnet_tx *tx, struct sk_buff *skb, bool *held)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	struct xen_netif_extra_info gso = {};
	bool lend = may_lend(skb);
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
		send_frag(tx, &info->frags[i], lend);
	/*
	 * Does anybody wait for this packet's end?  Who forwards does not, nor
	 * for a mere acknowledgment; with its content copied it can go now.
	 */
	*held = tx->lends != lends ||
		(skb->destructor && !skb_is_tcp_pure_ack(skb));
	pvnet_tx_end(tx, *held ? skb : NULL);
	return true;
}

/**
 * pvnet_xmit() - the stack wants a packet sent
 * @skb: the packet
 * @dev: the device
 *
 * The queue is stopped as long as there may not be room for any packet, so what
 * cannot be sent here never can be.
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

	if (unlikely(!send(&queue->tx, skb, &held))) {
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
 * pvnet_reap() - free packets that the back end has sent
 * @queue: queue, locked
 * @budget: of NAPI's poll
 *
 * Return: true if more answers wait.  Otherwise an event is due if one is
 * needed.
 */
bool pvnet_reap(struct pvnet_queue *queue, int budget)
{
	void *done[REAP_BATCH];
	unsigned int count, i;
	u32 bytes = 0;

	count = pvnet_tx_reap(&queue->tx, done, REAP_BATCH);
	for (i = 0; i < count; i++) {
		struct sk_buff *skb = done[i];

		bytes += skb->len;
		napi_consume_skb(skb, budget);
	}
	netdev_tx_completed_queue(queue->txq, count, bytes);
	if (netif_tx_queue_stopped(queue->txq) &&
	    pvnet_tx_room(&queue->tx) >= WAKE_ROOM && queue->net->connected)
		netif_tx_wake_queue(queue->txq);
	if (count == REAP_BATCH)
		return true;
	return pvring_rearm_after(&queue->tx.ring, answers_to_wait(queue));
}

/**
 * pvnet_flush() - drop what the back end has not answered
 * @queue: queue that nobody uses any more
 */
void pvnet_flush(struct pvnet_queue *queue)
{
	struct sk_buff *skb;

	while ((skb = pvnet_tx_flush(&queue->tx)))
		dev_kfree_skb_any(skb);
	netdev_tx_reset_queue(queue->txq);
}
