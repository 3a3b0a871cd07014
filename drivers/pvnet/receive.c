// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets from the receive ring to the network stack.
 *
 * A small packet is copied out of its page, which stays granted.  The page of a
 * larger one is revoked and goes up the stack, and another from the page pool
 * takes its place; without another the packet is dropped, so that the ring
 * never runs out of pages.
 */
#include <linux/skbuff.h>
#include <pvguest/platform.h>

#include "pvnet.h"

/* Free slots that are published before the poll is done. */
#define PVNET_REFILL_BATCH	64

/**
 * pvnet_fresh_page() - get a page to offer
 * @queue: the queue
 * @gfp: how to allocate
 *
 * The stack may have left data in a page that returns to the pool, such as a
 * decrypted packet or an skb's end, so it is cleared like a new one.
 *
 * Return: the page, or NULL if there is no memory.
 */
struct page *pvnet_fresh_page(struct pvnet_queue *queue, gfp_t gfp)
{
	struct page *page = page_pool_alloc_pages(queue->pages, gfp);

	if (likely(page))
		memset(page_address(page), 0, PAGE_SIZE);
	return page;
}

/**
 * pvnet_fill() - offer a page in each slot of a new ring
 * @queue: queue whose rings are not published yet
 *
 * Context: process; sleeps.
 * Return: 0 or -ENOMEM.
 */
int pvnet_fill(struct pvnet_queue *queue)
{
	unsigned int slot;

	for (slot = 0; slot < PVNET_SLOTS; slot++) {
		struct page *page = pvnet_fresh_page(queue, GFP_KERNEL);

		if (!page)
			return -ENOMEM;
		pvnet_rx_offer(&queue->rx, slot, page);
	}
	pvnet_rx_refill(&queue->rx);
	pvring_push(&queue->rx.ring);
	return 0;
}

/**
 * pvnet_drain() - take all pages from the receive ring
 * @queue: queue, stopped
 */
void pvnet_drain(struct pvnet_queue *queue)
{
	unsigned int slot;
	struct page *page;

	for (slot = 0; slot < PVNET_SLOTS; slot++) {
		/* One that cannot be revoked leaves the pool this way. */
		pvnet_rx_claim(&queue->rx, slot, &page);
		if (page)
			page_pool_put_full_page(queue->pages, page, false);
	}
}

/**
 * pvnet_take_page() - take the page of a slot, and put another in its place
 * @queue: queue, in its poll
 * @slot: the slot
 *
 * Return: the page, or NULL if there is no memory or it cannot be revoked.
 */
struct page *pvnet_take_page(struct pvnet_queue *queue, unsigned int slot)
{
	struct page *fresh = pvnet_fresh_page(queue, PVNET_GFP_POLL);
	struct page *page;
	bool ours;

	if (unlikely(!fresh))
		return NULL;
	ours = pvnet_rx_claim(&queue->rx, slot, &page);
	pvnet_rx_offer(&queue->rx, slot, fresh);
	if (likely(ours))
		return page;
	page_pool_put_full_page(queue->pages, page, false);
	return NULL;
}

static struct sk_buff *pvnet_copy_small(struct pvnet_queue *queue,
					const struct pvnet_piece *piece)
{
	struct sk_buff *skb = napi_alloc_skb(&queue->napi, piece->len);

	if (skb) {
		skb_put_data(skb, page_address(queue->rx.slots[piece->slot].page) +
			     piece->offset, piece->len);
		queue->rx_stats.copied++;
	}
	return skb;
}

/* Make an skb with copied headers and the pages as fragments. */
static struct sk_buff *pvnet_gather(struct pvnet_queue *queue,
				    const struct pvnet_packet *packet)
{
	const struct pvnet_piece *piece = packet->piece;
	u32 head = packet->pieces > MAX_SKB_FRAGS ? piece->len :
		   min_t(u32, piece->len, PVNET_HEAD);
	/* pvnet_accept() pulls headers from further pieces. */
	struct sk_buff *skb = napi_alloc_skb(&queue->napi,
					     max_t(u32, head, PVNET_HEAD));
	unsigned int i;

	if (unlikely(!skb))
		return NULL;
	skb_mark_for_recycle(skb);
	skb_put_data(skb, page_address(queue->rx.slots[piece->slot].page) +
		     piece->offset, head);
	for (i = 0; i < packet->pieces; i++, piece++, head = 0) {
		struct page *page;

		if (piece->len == head)
			continue;
		page = pvnet_take_page(queue, piece->slot);
		if (unlikely(!page)) {
			kfree_skb(skb);
			return NULL;
		}
		skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page,
				piece->offset + head, piece->len - head,
				PAGE_SIZE);
	}
	return skb;
}

/**
 * pvnet_deliver() - send a received packet up the stack
 * @queue: queue, in its poll
 * @skb: all bytes of the packet, from the Ethernet header on
 */
void pvnet_deliver(struct pvnet_queue *queue, struct sk_buff *skb)
{
	struct pvnet_rx_stats *stats = &queue->rx_stats;
	int err;

	stats->packets++;
	stats->bytes += skb->len;
	err = pvnet_accept(queue, skb, &queue->rx.packet);
	if (likely(!err)) {
		napi_gro_receive(&queue->napi, skb);
		return;
	}
	if (err == -ERANGE)
		stats->drop_bad++;
	else if (err == -EPROTO)
		stats->drop_checksum++;
	else
		stats->drop_memory++;
	kfree_skb(skb);
}

static void pvnet_receive_packet(struct pvnet_queue *queue)
{
	const struct pvnet_packet *packet = &queue->rx.packet;
	const struct pvnet_piece *piece = packet->piece;
	struct sk_buff *skb;

	if (packet->len <= READ_ONCE(pvnet_params.copybreak) && packet->pieces == 1)
		skb = pvnet_copy_small(queue, piece);
	else
		skb = pvnet_gather(queue, packet);
	if (likely(skb))
		pvnet_deliver(queue, skb);
	else
		queue->rx_stats.drop_memory++;
}

static void pvnet_refill(struct pvnet_queue *queue)
{
	pvnet_rx_refill(&queue->rx);
	if (pvring_push(&queue->rx.ring)) {
		pvguest_notify(queue->irq[PVNET_RX]);
		queue->rx_stats.notifications++;
	}
}

/**
 * pvnet_receive() - take packets from the ring
 * @queue: queue, in its poll
 * @budget: how many at most
 *
 * Return: number of packets, or @budget if the limit of responses was reached.
 */
int pvnet_receive(struct pvnet_queue *queue, int budget)
{
	struct bpf_prog *prog = rcu_dereference_bh(queue->net->prog);
	struct pvnet_rx *rx = &queue->rx;
	unsigned int responses = PVNET_SLOTS, redirected = 0;
	int packets = 0;

	while (packets < budget && pvnet_rx_next(rx, &responses) > 0) {
		packets++;
		if (unlikely(rx->packet.bad))
			queue->rx_stats.drop_bad++;
		else if (unlikely(prog))
			pvnet_xdp_run(queue, prog, &redirected);
		else
			pvnet_receive_packet(queue);
		pvnet_rx_done(rx);
		if (pvring_room(&rx->ring) >= PVNET_REFILL_BATCH)
			pvnet_refill(queue);
	}
	if (redirected)
		xdp_do_flush();
	pvnet_refill(queue);
	return responses ? packets : budget;
}
