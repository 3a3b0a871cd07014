/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The protocol of a network back end's two rings (public header io/netif.h).
 * Independent of Linux's network stack; compiles in user space too.
 *
 * The back end is not trusted: a response is copied once, then checked; one
 * that breaks the protocol breaks its ring (pvring_break()), for good.
 */
#ifndef PVNET_WIRE_H
#define PVNET_WIRE_H

#include <linux/types.h>
#include <pvbus/grant.h>
#include <pvbus/ring.h>
#include <xen/interface/io/netif.h>

/* Slots of a ring of one page, the same for both rings. */
#define PVNET_SLOTS		256
/* Data slots of one packet that every back end takes. */
#define PVNET_PACKET_SLOTS	XEN_NETIF_NR_SLOTS_MIN
/* Pages of packets that may be lent, that is granted, at one time. */
#define PVNET_LENT		192
/* References in place of those that cannot be revoked. */
#define PVNET_SPARE		16
/* Queues of a device by default. */
#define PVNET_QUEUES		8
/* References of a queue: both rings, their pages, and those that may be lent. */
#define PVNET_QUEUE_REFS	\
	(2 + PVNET_SLOTS + PVNET_LENT + PVNET_SLOTS + PVNET_SPARE)
/* Bytes of one packet: a request's size has 16 bits. */
#define PVNET_MAX_TX		65535
/* An IPv4 packet with Ethernet header and VLAN tag. */
#define PVNET_MAX_RX		(65535 + 18)
#define PVNET_MIN_RX		14

/**
 * struct pvnet_tx_slot - a request id of the transmit ring
 * @page: page that belongs to this id, granted while the ring exists
 * @own: reference to @page
 * @lent: reference to a packet's page in its place, PVGRANT_NONE if none
 * @lent_page: that page
 * @packet: of a packet's first id: the caller's name for it
 * @head: first id of the packet
 * @left: of a packet's first id: requests without response
 * @responded: of a packet's first id: its response has come, and it waits for
 *	the others of its packet
 */
struct pvnet_tx_slot {
	struct page *page;
	grant_ref_t own;
	grant_ref_t lent;
	struct page *lent_page;
	void *packet;
	u16 head;
	u8 left;
	bool responded;
};

/**
 * struct pvnet_tx - transmit ring
 * @ring: the ring
 * @ids: ids of the requests in flight
 * @pool: references to lend pages with
 * @domain: the back end's
 * @max_slots: data slots per packet
 * @extras: extra slots in flight; their responses have no id
 * @request: slot being filled, NULL between packets
 * @open: the request that will be written there
 * @own: data goes to the slot's own page
 * @head: id of the packet's first slot
 * @used: data slots of the packet so far
 * @len: bytes of the packet
 * @left: bytes of it still to come
 * @slots: by request id
 * @lends: pages lent; this and the counters that follow outlive the ring
 * @copied: bytes copied
 * @errors: requests with an error in their response
 * @abandoned: pages that could not be revoked
 *
 * The caller serialises all calls for one transmit ring.
 */
struct pvnet_tx {
	struct pvring ring;
	struct pvring_ids ids;
	struct pvgrant_pool pool;
	domid_t domain;
	unsigned int max_slots;
	unsigned int extras;
	struct xen_netif_tx_request *request;
	struct xen_netif_tx_request open;
	bool own;
	u16 head;
	unsigned int used;
	u32 len;
	u32 left;
	struct pvnet_tx_slot slots[PVNET_SLOTS];
	u64 lends;
	u64 copied;
	u64 errors;
	u64 abandoned;
};

int pvnet_tx_init(struct pvnet_tx *tx, domid_t domain, void *shared, bool sg);
void pvnet_tx_destroy(struct pvnet_tx *tx);
bool pvnet_tx_begin(struct pvnet_tx *tx, u32 len, u16 flags,
		    const struct xen_netif_extra_info *extra);
void pvnet_tx_copy(struct pvnet_tx *tx, const void *data, u32 len);
bool pvnet_tx_lend(struct pvnet_tx *tx, struct page *page);
void pvnet_tx_end(struct pvnet_tx *tx, void *packet);
unsigned int pvnet_tx_reap(struct pvnet_tx *tx, void **done, unsigned int max);
void *pvnet_tx_flush(struct pvnet_tx *tx);

/* Requests that can be written now. */
static inline unsigned int pvnet_tx_room(const struct pvnet_tx *tx)
{
	u32 room = pvring_room(&tx->ring);

	/* A packet's first id is in use until its last response. */
	return room < tx->ids.free ? room : tx->ids.free;
}

/* Room for any packet, with one extra slot? */
static inline bool pvnet_tx_has_room(const struct pvnet_tx *tx)
{
	return pvnet_tx_room(tx) > PVNET_PACKET_SLOTS;
}

/* May there be something to reap?  Needs no lock. */
static inline bool pvnet_tx_has_responses(const struct pvnet_tx *tx)
{
	return READ_ONCE(tx->ring.shared->rsp_prod) !=
	       READ_ONCE(tx->ring.rsp_cons);
}

/**
 * struct pvnet_piece - a part of a received packet
 * @slot: slot of its page
 * @offset: in that page
 * @len: bytes, more than 0 and not beyond the page
 */
struct pvnet_piece {
	u16 slot;
	u16 offset;
	u16 len;
};

/**
 * struct pvnet_packet - a packet being received
 * @piece: its parts in order
 * @pieces: number of parts
 * @held: slots taken for it, whose pages are not to be offered again yet
 * @len: bytes in all
 * @flags: XEN_NETRXF_* of its first slot
 * @gso_size: bytes per segment, 0: not to be segmented
 * @gso_type: XEN_NETIF_GSO_TYPE_TCPV4 or -6 then
 * @bad: drop it: the back end has reported an error, or its length is invalid
 * @more: further data slots follow
 * @extras: extra slots so far
 * @extra: an extra slot follows
 */
struct pvnet_packet {
	struct pvnet_piece piece[PVNET_PACKET_SLOTS];
	u8 pieces;
	u16 held;
	u32 len;
	u16 flags;
	u16 gso_size;
	u8 gso_type;
	bool bad;
	bool more;
	u8 extras;
	bool extra;
};

/**
 * struct pvnet_rx_slot - a page offered for receiving
 * @page: the page, NULL if the caller took it
 * @ref: reference to it
 */
struct pvnet_rx_slot {
	struct page *page;
	grant_ref_t ref;
};

/**
 * struct pvnet_rx - receive ring
 * @ring: the ring; request ids are slot numbers
 * @pool: references that @slots do not use
 * @domain: the back end's
 * @headroom: bytes that the back end leaves free before each packet
 * @packet: the packet that pvnet_rx_next() has found
 * @slots: by place in the ring
 * @errors: responses with an error; this and the counters that follow outlive
 *	the ring
 * @offers: pages granted
 * @abandoned: pages that could not be revoked
 *
 * The caller serialises all calls for one receive ring.
 */
struct pvnet_rx {
	struct pvring ring;
	struct pvgrant_pool pool;
	domid_t domain;
	u16 headroom;
	struct pvnet_packet packet;
	struct pvnet_rx_slot slots[PVNET_SLOTS];
	u64 errors;
	u64 offers;
	u64 abandoned;
};

int pvnet_rx_init(struct pvnet_rx *rx, domid_t domain, void *shared,
		  u16 headroom);
void pvnet_rx_destroy(struct pvnet_rx *rx);
void pvnet_rx_offer(struct pvnet_rx *rx, unsigned int slot, struct page *page);
bool pvnet_rx_claim(struct pvnet_rx *rx, unsigned int slot,
		    struct page **page);
int pvnet_rx_next(struct pvnet_rx *rx, unsigned int *responses);
void pvnet_rx_done(struct pvnet_rx *rx);
void pvnet_rx_refill(struct pvnet_rx *rx);

#endif /* PVNET_WIRE_H */
