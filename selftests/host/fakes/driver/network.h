/* SPDX-License-Identifier: MIT */
/*
 * The network core for a driver's receiving half: socket buffers of a linear
 * part and fragments, and the end of the way up, which checks what the core
 * takes for granted.  A packet that would be a BUG or an overrun in the kernel
 * ends the program here.
 */
#ifndef DRIVER_NETWORK_H
#define DRIVER_NETWORK_H

#include <arpa/inet.h>

#define ETH_HLEN		14
#define ETH_P_IP		0x0800
#define ETH_P_IPV6		0x86dd
#define VLAN_ETH_HLEN		18
#define IFNAMSIZ		16
#define MAX_SKB_FRAGS		17
#define GSO_BY_FRAGS		0xffff
#define TCP_MIN_GSO_SIZE	8
#define XDP_PACKET_HEADROOM	256
#define SKB_DATA_ALIGN(n)	ALIGN(n, 64)
#define __rcu
#define rcu_dereference_bh(p)	(p)
#define xdp_do_flush()		((void)0)

#define NETIF_F_RXCSUM		BIT_ULL(40)
enum { CHECKSUM_NONE, CHECKSUM_UNNECESSARY, CHECKSUM_COMPLETE, CHECKSUM_PARTIAL };
enum { SKB_GSO_TCPV4 = 1, SKB_GSO_DODGY = 4, SKB_GSO_TCPV6 = 16 };

/* Of headers only what the driver and this file look at. */
struct iphdr {
	u8 version_ihl, tos;
	u16 length, id, fragment;
	u8 ttl, protocol;
	u16 check;
	u32 from, to;
};

struct ipv6hdr { u32 flow; u16 length; u8 next, hops; u32 from[4], to[4]; };

struct tcphdr {
	u16 from, to;
	u32 seq, ack;
	u8 doff_zero, flags;
	u16 window, check, urgent;
} __packed;

struct device { void *data; };
struct device_driver { const char *name; };
#define dev_get_drvdata(d)	((d)->data)

struct net_device {
	const char *name;
	void *priv;
	unsigned int mtu;
	u64 features;
	unsigned int num_rx_queues, num_tx_queues, real_num_rx_queues, real_num_tx_queues;
};

struct netdev_queue { bool stopped; int locked; };
struct napi_struct { unsigned int napi_id; };
struct xdp_rxq_info { int unused; };
struct page_pool { int unused; };
struct netdev_bpf;
struct rtnl_link_stats64;
struct ethtool_ops { int unused; };
struct bpf_prog;
struct xdp_frame;
typedef int netdev_tx_t;

typedef struct { struct page *page; u32 offset, len; } skb_frag_t;

struct skb_shared_info {
	u8 nr_frags;
	u16 gso_size, gso_segs;
	unsigned int gso_type;
	skb_frag_t frags[MAX_SKB_FRAGS];
};

/**
 * struct sk_buff - a packet
 * @head: memory of the linear part, which is @data to @tail of it, up to @end
 * @len: bytes in all, of which @data_len are in fragments
 */
struct sk_buff {
	u8 *head, *data, *tail, *end;
	u32 len, data_len;
	struct net_device *dev;
	u16 protocol;
	u8 ip_summed;
	void *destructor;
	bool recycle, queue_recorded;
	/* From head on, as in the kernel. */
	u32 mac_header, network_header, transport_header;
	u32 csum_start, csum_offset;
	struct skb_shared_info info;
};

#define skb_shinfo(skb)			(&(skb)->info)
#define skb_headlen(skb)		((skb)->len - (skb)->data_len)
#define skb_mark_for_recycle(skb)	((skb)->recycle = true)
#define skb_record_rx_queue(skb, q)	((void)(q), (skb)->queue_recorded = true)

static inline struct sk_buff *napi_alloc_skb(struct napi_struct *napi, u32 len)
{
	struct sk_buff *skb = kzalloc(sizeof(*skb), GFP_ATOMIC);
	u8 *head = kmalloc(64 + len, GFP_ATOMIC);

	if (!skb || !head) {
		kfree(skb);
		kfree(head);
		return NULL;
	}
	skb->head = head;
	skb->data = head + 64;
	skb->tail = skb->data;
	skb->end = skb->data + len;
	return skb;
}

static inline void page_pool_put_full_page(struct page_pool *pool,
					   struct page *page, bool direct)
{
	put_page(page);
}

static inline struct page *page_pool_alloc_pages(struct page_pool *pool,
						 gfp_t gfp)
{
	return alloc_page(gfp);
}

static inline void kfree_skb(struct sk_buff *skb)
{
	for (unsigned int i = 0; i < skb->info.nr_frags; i++)
		put_page(skb->info.frags[i].page);
	kfree(skb->head);
	kfree(skb);
}

static inline void skb_put_data(struct sk_buff *skb, const void *data, u32 len)
{
	shim_check(!skb->data_len && skb->tail + len <= skb->end, "skb_put");
	memcpy(skb->tail, data, len);
	skb->tail += len;
	skb->len += len;
}

static inline void skb_add_rx_frag(struct sk_buff *skb, int i, struct page *page,
				   u32 offset, u32 len, u32 truesize)
{
	shim_check(i < MAX_SKB_FRAGS && i == skb->info.nr_frags, "fragments");
	shim_check(len && offset + len <= PAGE_SIZE, "fragment in its page");
	skb->info.frags[skb->info.nr_frags++] = (skb_frag_t){ page, offset, len };
	skb->len += len;
	skb->data_len += len;
}

/* Move bytes from the fragments to the linear part, which may move. */
static inline bool pskb_may_pull(struct sk_buff *skb, u32 len)
{
	u32 have = skb_headlen(skb), offset = skb->data - skb->head;
	skb_frag_t *frag = skb->info.frags;
	u8 *head;

	if (len <= have)
		return true;
	if (len > skb->len)
		return false;
	head = kmalloc(offset + len, GFP_ATOMIC);
	if (!head)
		return false;
	memcpy(head, skb->head, offset + have);
	kfree(skb->head);
	skb->head = head;
	skb->data = head + offset;
	skb->tail = skb->data + have;
	skb->end = skb->data + len;
	while (skb->tail < skb->end) {
		u32 n = min_t(u32, skb->end - skb->tail, frag->len);

		memcpy(skb->tail, (u8 *)page_address(frag->page) + frag->offset, n);
		skb->tail += n;
		skb->data_len -= n;
		frag->offset += n;
		frag->len -= n;
		if (frag->len)
			break;
		put_page(frag->page);
		memmove(frag, frag + 1, --skb->info.nr_frags * sizeof(*frag));
	}
	return true;
}

/* Takes the header from the linear part, where a shorter one is a BUG. */
static inline u16 eth_type_trans(struct sk_buff *skb, struct net_device *dev)
{
	u16 type;

	BUG_ON(skb_headlen(skb) < ETH_HLEN);
	memcpy(&type, skb->data + 12, 2);
	skb->dev = dev;
	skb->mac_header = skb->data - skb->head;
	skb->data += ETH_HLEN;
	skb->len -= ETH_HLEN;
	return type;
}

#define skb_reset_network_header(skb) \
	((skb)->network_header = (skb)->data - (skb)->head)

static inline int skb_transport_offset(const struct sk_buff *skb)
{
	return skb->head + skb->transport_header - skb->data;
}

static inline u32 tcp_hdrlen(const struct sk_buff *skb)
{
	const struct tcphdr *tcp = (void *)(skb->head + skb->transport_header);

	return (tcp->doff_zero >> 4) * 4;
}

/*
 * Finds the checksum of a TCP packet as the core's function does: it accepts
 * an IPv4 header's length, and only what it needs of the TCP header is linear
 * then.
 */
static inline int skb_checksum_setup(struct sk_buff *skb, bool recalculate)
{
	bool v4 = skb->protocol == htons(ETH_P_IP);
	u32 at = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	u8 protocol;

	if ((!v4 && skb->protocol != htons(ETH_P_IPV6)) || !pskb_may_pull(skb, at))
		return -EPROTO;
	protocol = skb->data[v4 ? 9 : 6];
	if (v4)
		at = (skb->data[0] & 15) * 4;
	if (protocol != IPPROTO_TCP || !pskb_may_pull(skb, at + sizeof(struct tcphdr)))
		return -EPROTO;
	skb->transport_header = skb->data + at - skb->head;
	skb->csum_start = skb->transport_header;
	skb->csum_offset = offsetof(struct tcphdr, check);
	return 0;
}

/* The packets that came up the stack, and the last of them. */
static struct {
	unsigned int count;
	u32 len;
	u16 protocol, gso_size, gso_segs;
	u8 ip_summed;
	u8 data[65536];
} upstack;

static inline void upstack_check_gso(const struct sk_buff *skb)
{
	u32 headers = skb_transport_offset(skb) + tcp_hdrlen(skb);
	u32 payload = skb->len - headers;

	shim_check(skb->info.gso_size != GSO_BY_FRAGS, "segments by a list");
	shim_check(skb->info.gso_size >= TCP_MIN_GSO_SIZE, "too small segments");
	shim_check(skb->ip_summed == CHECKSUM_PARTIAL, "segments with a checksum");
	shim_check(tcp_hdrlen(skb) >= sizeof(struct tcphdr) && headers < skb->len &&
		   headers <= skb_headlen(skb), "TCP header of segments");
	shim_check(payload > skb->info.gso_size, "a single segment");
	shim_check(skb->info.gso_segs == DIV_ROUND_UP(payload, skb->info.gso_size),
		   "number of segments");
	shim_check(skb->info.gso_type == (SKB_GSO_DODGY |
		   (skb->protocol == htons(ETH_P_IP) ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6)),
		   "type of segments");
}

/* Up the stack.  The caller's pages must be out of the back end's reach. */
static inline void napi_gro_receive(struct napi_struct *napi, struct sk_buff *skb)
{
	u32 sum = skb_headlen(skb), start = skb->head + skb->csum_start - skb->data;
	u8 *to = upstack.data;

	shim_check(skb->dev && skb->queue_recorded, "device and queue");
	shim_check(skb->data == skb->head + skb->mac_header + ETH_HLEN &&
		   skb->data == skb->head + skb->network_header, "offsets of headers");
	/* GRO copies headers behind a linear part that has no room for them. */
	shim_check(skb_headlen(skb) || !skb->info.nr_frags, "no linear part");
	shim_check(skb->len <= 65535 + 4, "longer than any packet");
	shim_check(!skb->info.nr_frags || skb->recycle, "pages of the pool");
	memcpy(to, skb->data, sum);
	for (unsigned int i = 0; i < skb->info.nr_frags; i++) {
		const skb_frag_t *frag = &skb->info.frags[i];

		shim_check(frag->len && frag->offset + frag->len <= PAGE_SIZE,
			   "fragment in its page");
		shim_check(!hyp_reachable(frag->page), "page that a back end can reach");
		memcpy(to + sum, (u8 *)page_address(frag->page) + frag->offset, frag->len);
		sum += frag->len;
	}
	shim_check(sum == skb->len, "length");
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		shim_check(start + skb->csum_offset + 2 <= skb_headlen(skb),
			   "checksum in the linear part");
		shim_check(start >= (skb->protocol == htons(ETH_P_IP) ?
				     sizeof(struct iphdr) : sizeof(struct ipv6hdr)),
			   "checksum behind the network header");
	}
	if (skb->info.gso_size)
		upstack_check_gso(skb);
	upstack.count++;
	upstack.len = skb->len;
	upstack.protocol = skb->protocol;
	upstack.ip_summed = skb->ip_summed;
	upstack.gso_size = skb->info.gso_size;
	upstack.gso_segs = skb->info.gso_segs;
	kfree_skb(skb);
}

#endif /* DRIVER_NETWORK_H */
