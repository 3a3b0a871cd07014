// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network core's assumptions about a received packet: each packet is
 * checked here, and nowhere else, before it goes up the stack.
 *
 * The core accepts what drivers say.  It pulls the Ethernet header without a look
 * at the linear part's length (a shorter one is a BUG), copies the headers of a
 * packet without linear part behind the end of that part (GRO), and follows a
 * list that does not exist for a segment size of GSO_BY_FRAGS.  All of this is
 * up to the back end, by how it cuts a packet into slots and by its GSO slot.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/tcp.h>

#include "pvnet.h"

/* Did we announce that the back end may send segments? */
static bool pvnet_announced_gso(const struct pvnet *net)
{
	return pvnet_params.gso && pvnet_params.sg && pvnet_params.csum &&
	       !net->xdp;
}

/* Set the fields of a packet that is to be segmented; all headers are linear. */
static int pvnet_accept_gso(struct sk_buff *skb,
			    const struct pvnet_packet *packet)
{
	bool v4 = packet->gso_type == XEN_NETIF_GSO_TYPE_TCPV4;
	unsigned int headers, payload, size;

	if (skb->protocol != (v4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6)) ||
	    skb->csum_offset != offsetof(struct tcphdr, check) ||
	    packet->gso_size == GSO_BY_FRAGS)
		return -EPROTO;
	headers = skb_transport_offset(skb) + tcp_hdrlen(skb);
	if (tcp_hdrlen(skb) < sizeof(struct tcphdr) || headers >= skb->len)
		return -EPROTO;
	if (!pskb_may_pull(skb, headers))
		return -ENOMEM;
	/* Smaller segments would be more than the core can count. */
	size = max_t(unsigned int, packet->gso_size, TCP_MIN_GSO_SIZE);
	payload = skb->len - headers;
	if (payload <= size)
		return 0;	/* one segment */
	skb_shinfo(skb)->gso_size = size;
	skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(payload, size);
	/* The core looks at the headers again before it trusts them. */
	skb_shinfo(skb)->gso_type = SKB_GSO_DODGY |
		(v4 ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6);
	return 0;
}

/* Find the checksum that the packet does not have yet. */
static int pvnet_accept_partial(struct sk_buff *skb, bool recalculate)
{
	unsigned int least = skb->protocol == htons(ETH_P_IPV6) ?
			     sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	int err;

	skb->ip_summed = CHECKSUM_PARTIAL;
	err = skb_checksum_setup(skb, recalculate);
	/* An IPv4 header may say that it is shorter than it can be. */
	return err ?: skb_transport_offset(skb) < least ? -EPROTO : 0;
}

/**
 * pvnet_accept() - make of a received packet one that the core can take
 * @queue: queue, in its poll
 * @skb: all bytes of the packet, from the Ethernet header on
 * @packet: what the back end says about it
 *
 * Sets its protocol, checksum and segmentation; headers, or all of a short
 * packet, become linear.  Without NETIF_F_RXCSUM the core checks the checksum
 * of a packet that has one.  One that has none, or whose segments are to get
 * theirs, is CHECKSUM_PARTIAL all the same, the only legal form of it.
 *
 * Return: 0; -ERANGE if it is shorter than its Ethernet header or longer than
 * any packet, -EPROTO if its headers are not what the back end says, -ENOMEM.
 * The caller drops the packet after an error.
 */
int pvnet_accept(struct pvnet_queue *queue, struct sk_buff *skb,
		 const struct pvnet_packet *packet)
{
	bool blank = packet->flags & XEN_NETRXF_csum_blank;
	bool gso = packet->gso_size;
	int err = 0;

	if (skb->len < ETH_HLEN || skb->len > PVNET_MAX_RX)
		return -ERANGE;
	if (gso && !pvnet_announced_gso(queue->net))
		return -EPROTO;
	if (!pskb_may_pull(skb, min_t(unsigned int, skb->len, PVNET_HEAD)))
		return -ENOMEM;
	skb->protocol = eth_type_trans(skb, queue->net->dev);
	skb_reset_network_header(skb);
	skb_record_rx_queue(skb, queue->index);
	if (blank || gso)
		err = pvnet_accept_partial(skb, !blank);
	else if ((packet->flags & XEN_NETRXF_data_validated) &&
		 (skb->dev->features & NETIF_F_RXCSUM))
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (!err && gso)
		err = pvnet_accept_gso(skb, packet);
	return err;
}
