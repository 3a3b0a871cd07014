// SPDX-License-Identifier: GPL-2.0-only
/*
 * XDP: programs that get a received packet before the stack, and may drop it,
 * send it back or to another device.
 *
 * A program runs on a page that the back end can no longer reach.  It needs
 * free bytes before the packet, whole packets in one page, and complete
 * checksums; back ends read such requests only when they connect, so loading or
 * unloading a program reconnects the device.
 */
#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <net/xdp.h>

#include "pvnet.h"

static bool pvnet_xdp_send_frame(struct pvnet_queue *queue, const void *data,
				 u32 len, u32 head,
				 const struct skb_shared_info *more)
{
	unsigned int i;

	if (!pvnet_tx_begin(&queue->tx, len, 0, NULL))
		return false;
	pvnet_tx_copy(&queue->tx, data, head);
	for (i = 0; more && i < more->nr_frags; i++)
		pvnet_tx_copy(&queue->tx, skb_frag_address(&more->frags[i]),
			      skb_frag_size(&more->frags[i]));
	pvnet_tx_end(&queue->tx, NULL);
	return true;
}

/* After frames are written: publish them, and stop the queue without room. */
static void pvnet_xdp_end_frames(struct pvnet_queue *queue, unsigned int sent,
				 unsigned int refused)
{
	struct pvnet_tx_stats *stats = &queue->tx_stats;

	bool room = pvnet_tx_has_room(&queue->tx);

	if (!room)
		netif_tx_stop_queue(queue->txq);
	/* Without room, to re-arm the event index as well. */
	if (sent || !room)
		pvnet_kick(queue);
	stats->xdp += sent;
	stats->xdp_full += refused;
}

/* XDP_TX: send a copy back to where the packet is from. */
static void pvnet_xdp_tx(struct pvnet_queue *queue, const struct xdp_buff *xdp)
{
	u32 len = xdp->data_end - xdp->data;
	bool sent;

	__netif_tx_lock(queue->txq, smp_processor_id());
	sent = pvnet_xdp_send_frame(queue, xdp->data, len, len, NULL);
	pvnet_xdp_end_frames(queue, sent, !sent);
	__netif_tx_unlock(queue->txq);
}

static void pvnet_xdp_pass(struct pvnet_queue *queue,
			   const struct xdp_buff *xdp)
{
	struct sk_buff *skb = napi_build_skb(xdp->data_hard_start, PAGE_SIZE);

	if (!skb) {
		queue->rx_stats.drop_memory++;
		page_pool_put_full_page(queue->pages,
					virt_to_page(xdp->data), true);
		return;
	}
	skb_mark_for_recycle(skb);
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	skb_put(skb, xdp->data_end - xdp->data);
	if (xdp->data > xdp->data_meta)
		skb_metadata_set(skb, xdp->data - xdp->data_meta);
	pvnet_deliver(queue, skb);
}

/* Run the program and do its verdict; true: the page is still ours. */
static bool pvnet_xdp_act(struct pvnet_queue *queue, struct bpf_prog *prog,
			  struct xdp_buff *xdp, struct page *fresh,
			  unsigned int *redirected)
{
	struct net_device *dev = queue->net->dev;
	u32 len = xdp->data_end - xdp->data;
	u32 verdict = bpf_prog_run_xdp(prog, xdp);

	/* The program is the stack's first layer; pvnet_deliver() counts others. */
	if (verdict != XDP_PASS) {
		queue->rx_stats.packets++;
		queue->rx_stats.bytes += len;
	}
	switch (verdict) {
	case XDP_PASS:
		if (!fresh)
			break;
		pvnet_xdp_pass(queue, xdp);
		return false;
	case XDP_REDIRECT:
		if (!fresh || xdp_do_redirect(dev, xdp, prog))
			break;
		queue->rx_stats.xdp_redirect++;
		(*redirected)++;
		return false;
	case XDP_TX:
		pvnet_xdp_tx(queue, xdp);
		return true;
	case XDP_DROP:
		queue->rx_stats.xdp_drop++;
		return true;
	default:
		bpf_warn_invalid_xdp_action(dev, prog, verdict);
		break;
	}
	/* Of those that the program lets pass nothing else counts this one. */
	if (verdict == XDP_PASS)
		queue->rx_stats.drop_memory++;
	queue->rx_stats.xdp_drop++;
	trace_xdp_exception(dev, prog, verdict);
	return true;
}

/**
 * pvnet_xdp_run() - run a program on the packet that was found
 * @queue: queue, in its poll
 * @prog: the program
 * @redirected: counts packets for which xdp_do_flush() is due
 */
void pvnet_xdp_run(struct pvnet_queue *queue, struct bpf_prog *prog,
		   unsigned int *redirected)
{
	const struct pvnet_packet *packet = &queue->rx.packet;
	const struct pvnet_piece *piece = packet->piece;
	struct page *page, *fresh;
	struct xdp_buff xdp;

	queue->rx_stats.xdp_packets++;
	/* Loaded, but the device has not been reconnected yet. */
	if (!queue->net->xdp || packet->pieces > 1 ||
	    piece->offset + piece->len > PVNET_WRAP_END) {
		queue->rx_stats.drop_xdp_off++;
		return;
	}
	fresh = pvnet_fresh_page(queue, PVNET_GFP_POLL);
	if (unlikely(!pvnet_rx_claim(&queue->rx, piece->slot, &page))) {
		queue->rx_stats.drop_memory++;
		page_pool_put_full_page(queue->pages, page, false);
		if (fresh)
			pvnet_rx_offer(&queue->rx, piece->slot, fresh);
		else
			pvring_break(&queue->rx.ring, "rx pages kept", 1);
		return;
	}
	xdp_init_buff(&xdp, PAGE_SIZE, &queue->xdp_rxq);
	xdp_prepare_buff(&xdp, page_address(page), piece->offset, piece->len,
			 true);
	if (pvnet_xdp_act(queue, prog, &xdp, fresh, redirected)) {
		/* The program may have written to all of the page. */
		if (fresh) {
			page_pool_put_full_page(queue->pages, page, true);
		} else {
			memset(page_address(page), 0, PAGE_SIZE);
			fresh = page;
		}
	}
	pvnet_rx_offer(&queue->rx, piece->slot, fresh);
}

/**
 * pvnet_xdp_xmit() - send frames that another device received
 * @dev: the device
 * @n: how many
 * @frames: the frames; those sent are freed
 * @flags: XDP_XMIT_FLUSH
 *
 * Return: how many were sent, or a negative error.
 */
int pvnet_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		   u32 flags)
{
	struct pvnet *net = netdev_priv(dev);
	int cpu = smp_processor_id();
	struct pvnet_queue *queue;
	int sent;

	if (flags & ~XDP_XMIT_FLAGS_MASK)
		return -EINVAL;
	if (!READ_ONCE(net->connected))
		return -ENETDOWN;
	queue = &net->queues[cpu % net->queue_count];
	__netif_tx_lock(queue->txq, cpu);
	for (sent = 0; sent < n; sent++) {
		struct xdp_frame *frame = frames[sent];
		struct skb_shared_info *more = NULL;

		if (xdp_frame_has_frags(frame))
			more = xdp_get_shared_info_from_frame(frame);
		if (!pvnet_xdp_send_frame(queue, frame->data,
					  xdp_get_frame_len(frame), frame->len,
					  more))
			break;
		xdp_return_frame_rx_napi(frame);
	}
	pvnet_xdp_end_frames(queue, sent, n - sent);
	__netif_tx_unlock(queue->txq);
	return sent;
}

static int pvnet_xdp_set_prog(struct net_device *dev, struct netdev_bpf *bpf)
{
	struct pvnet *net = netdev_priv(dev);
	struct bpf_prog *old = rtnl_dereference(net->prog);

	if (bpf->prog && net->connected && !net->offer.xdp) {
		NL_SET_ERR_MSG_MOD(bpf->extack,
				   "the back end does not offer feature-xdp-headroom");
		return -EOPNOTSUPP;
	}
	if (bpf->prog && dev->mtu + VLAN_ETH_HLEN > PVNET_XDP_FRAME) {
		NL_SET_ERR_MSG_MOD(bpf->extack, "lower the MTU first");
		return -EINVAL;
	}
	rcu_assign_pointer(net->prog, bpf->prog);
	if (old)
		bpf_prog_put(old);
	pvnet_request_reconnect(net);
	return 0;
}

/**
 * pvnet_bpf() - load or unload an XDP program
 * @dev: the device
 * @bpf: the command, of which only XDP_SETUP_PROG is known
 *
 * Context: process, under the RTNL.
 * Return: 0; -EOPNOTSUPP if the back end offers no headroom; -EINVAL for any
 * other command, or if the MTU is too large.
 */
int pvnet_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	switch (bpf->command) {
	case XDP_SETUP_PROG:
		return pvnet_xdp_set_prog(dev, bpf);
	default:
		return -EINVAL;
	}
}
