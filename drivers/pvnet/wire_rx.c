// SPDX-License-Identifier: GPL-2.0-only
/*
 * The receive ring: offers pages to the back end, and checks the responses that
 * describe the packets in them.
 *
 * Responses come in the order of the requests, so a request's id is its place
 * in the ring, and a page whose content was copied, or that was not used, stays
 * where it is and is offered again as it is, without a grant operation.
 */
#include <linux/build_bug.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "wire.h"

/* Extra slots of one packet: one of each type. */
#define EXTRAS_MAX	(XEN_NETIF_EXTRA_TYPE_MAX - 1)

/* A slot of the ring as the back end writes it. */
union pvnet_rx_response {
	struct xen_netif_rx_response rsp;
	struct xen_netif_extra_info extra;
};

/**
 * pvnet_rx_init() - make a receive ring without pages
 * @rx: the ring, all zero or destroyed
 * @domain: the back end's
 * @shared: zeroed page of the ring
 * @headroom: bytes that the back end was asked to leave free before a packet
 *
 * Context: process; sleeps.
 * Return: 0, -ENOMEM, -EINVAL for a wrong size of the ring, or -ENOSPC if the
 * hypervisor allows no more references; pvnet_rx_destroy() is due in either case.
 */
int pvnet_rx_init(struct pvnet_rx *rx, domid_t domain, void *shared,
		  u16 headroom)
{
	unsigned int i;
	int err;

	BUILD_BUG_ON(sizeof(union pvnet_rx_response) !=
		     sizeof(struct xen_netif_rx_response));
	pvring_init(&rx->ring, shared, PAGE_SIZE,
		    sizeof(struct xen_netif_rx_response));
	if (rx->ring.entries != PVNET_SLOTS)
		return -EINVAL;
	rx->domain = domain;
	rx->headroom = headroom;
	err = pvgrant_pool_init(&rx->pool, PVNET_SLOTS + PVNET_SPARE);
	for (i = 0; i < PVNET_SLOTS && !err; i++)
		rx->slots[i].ref = pvgrant_take(&rx->pool);
	return err;
}

/**
 * pvnet_rx_destroy() - undo pvnet_rx_init(), also a failed one
 * @rx: the ring, all pages of which have been claimed; ready for init again
 *
 * Context: process; sleeps.
 */
void pvnet_rx_destroy(struct pvnet_rx *rx)
{
	unsigned int i;

	for (i = 0; i < PVNET_SLOTS; i++)
		if (rx->slots[i].ref != PVGRANT_NONE)
			pvgrant_put(&rx->pool, rx->slots[i].ref);
	pvgrant_pool_destroy(&rx->pool);
	memset(rx, 0, offsetof(struct pvnet_rx, errors));
}

/**
 * pvnet_rx_offer() - put a page into a slot without one
 * @rx: the ring
 * @slot: slot whose page was claimed
 * @page: page whose content the back end may read
 */
void pvnet_rx_offer(struct pvnet_rx *rx, unsigned int slot, struct page *page)
{
	rx->slots[slot].page = page;
	if (rx->slots[slot].ref == PVGRANT_NONE)
		return;		/* the ring is broken */
	pvguest_grant_allow(rx->slots[slot].ref, rx->domain, page, false);
	rx->offers++;
}

/**
 * pvnet_rx_claim() - end the back end's access to a page, and take it
 * @rx: the ring
 * @slot: its slot
 * @page: set to the page, NULL if there is none
 *
 * Return: false if the back end still has it mapped: the caller must put it
 * without reading it.  If there is no reference left for @slot the ring is
 * broken.
 */
bool pvnet_rx_claim(struct pvnet_rx *rx, unsigned int slot,
		    struct page **page)
{
	struct pvnet_rx_slot *s = &rx->slots[slot];

	*page = s->page;
	s->page = NULL;
	if (!*page || s->ref == PVGRANT_NONE ||
	    likely(pvguest_grant_revoke(s->ref)))
		return true;
	get_page(*page);
	pvgrant_abandon(&rx->pool, s->ref, *page);
	rx->abandoned++;
	s->ref = pvgrant_take(&rx->pool);
	if (s->ref == PVGRANT_NONE)
		pvring_break(&rx->ring, "rx pages still in use", rx->abandoned);
	return false;
}

/**
 * pvnet_rx_refill() - write requests for all free slots, to be pushed
 * @rx: the ring, with a page in each slot that is not held by a packet
 */
void pvnet_rx_refill(struct pvnet_rx *rx)
{
	u32 room = pvring_room(&rx->ring);
	struct xen_netif_rx_request *req;

	for (; room > rx->packet.held; room--) {
		u32 slot = rx->ring.req_prod % PVNET_SLOTS;

		req = pvring_next_request(&rx->ring);
		if (!req)
			return;
		*req = (struct xen_netif_rx_request) {
			.id = slot,
			.gref = rx->slots[slot].ref,
		};
	}
}

/**
 * pvnet_rx_done() - finish with the packet that was found
 * @rx: the ring
 */
void pvnet_rx_done(struct pvnet_rx *rx)
{
	struct pvnet_packet *packet = &rx->packet;

	packet->pieces = 0;
	packet->held = 0;
	packet->len = 0;
	packet->flags = 0;
	packet->gso_size = 0;
	packet->bad = false;
	packet->extras = 0;
}

/* Drop the packet, whose end must still be found. */
static void pvnet_rx_discard(struct pvnet_packet *packet)
{
	packet->bad = true;
	packet->pieces = 0;
	packet->held = 0;
}

static bool pvnet_rx_take_extra(struct pvnet_rx *rx,
				const struct xen_netif_extra_info *extra)
{
	struct pvnet_packet *packet = &rx->packet;

	if (extra->flags & ~XEN_NETIF_EXTRA_FLAG_MORE ||
	    ++packet->extras > EXTRAS_MAX) {
		pvring_break(&rx->ring, "rx extra.flags", extra->flags);
		return false;
	}
	packet->extra = extra->flags & XEN_NETIF_EXTRA_FLAG_MORE;
	switch (extra->type) {
	case XEN_NETIF_EXTRA_TYPE_GSO:
		if (extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
		    extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6) {
			pvring_break(&rx->ring, "rx gso.type",
				     extra->u.gso.type);
			return false;
		}
		if (!extra->u.gso.size) {
			pvring_break(&rx->ring, "rx gso.size", 0);
			return false;
		}
		packet->gso_type = extra->u.gso.type;
		packet->gso_size = extra->u.gso.size;
		return true;
	case XEN_NETIF_EXTRA_TYPE_XDP:
		if (extra->u.xdp.headroom != rx->headroom) {
			pvring_break(&rx->ring, "rx xdp.headroom",
				     extra->u.xdp.headroom);
			return false;
		}
		return true;
	case XEN_NETIF_EXTRA_TYPE_HASH:
		return true;	/* a hint, not used */
	default:
		pvring_break(&rx->ring, "rx extra.type", extra->type);
		return false;
	}
}

static bool pvnet_rx_take_data(struct pvnet_rx *rx, u16 slot,
			       const struct xen_netif_rx_response *rsp)
{
	struct pvnet_packet *packet = &rx->packet;
	struct pvnet_piece *piece;
	bool first = !packet->more;

	if (rsp->id != slot) {
		pvring_break(&rx->ring, "rx rsp.id", rsp->id);
		return false;
	}
	packet->more = rsp->flags & XEN_NETRXF_more_data;
	if (first) {
		packet->flags = rsp->flags;
		packet->extra = rsp->flags & XEN_NETRXF_extra_info;
	}
	if (rsp->status <= 0) {
		rx->errors += rsp->status < 0;
		pvnet_rx_discard(packet);
		return true;
	}
	/* The status counts the headroom as well. */
	if (rsp->offset + rsp->status > PAGE_SIZE ||
	    rsp->status <= rx->headroom) {
		pvring_break(&rx->ring, "rx rsp.status",
			     (u32)rsp->offset << 16 | rsp->status);
		return false;
	}
	if (packet->bad)
		return true;
	if (packet->pieces == PVNET_PACKET_SLOTS) {
		pvring_break(&rx->ring, "rx slots of a packet",
			     packet->pieces + 1);
		return false;
	}
	piece = &packet->piece[packet->pieces++];
	piece->slot = slot;
	piece->offset = rsp->offset + rx->headroom;
	piece->len = rsp->status - rx->headroom;
	packet->len += piece->len;
	return true;
}

/**
 * pvnet_rx_next() - find the next packet
 * @rx: the ring
 * @responses: how many may be taken at most; lowered by those taken
 *
 * A packet that is not complete yet is kept for the next call.
 *
 * Return: 1 if @rx->packet is complete (perhaps @bad); pvnet_rx_done() is due.
 * 0 if there is none now, -EPROTO if the ring is broken.
 */
int pvnet_rx_next(struct pvnet_rx *rx, unsigned int *responses)
{
	struct pvnet_packet *packet = &rx->packet;
	union pvnet_rx_response response;

	while (*responses) {
		u32 slot = rx->ring.rsp_cons % PVNET_SLOTS;
		int got = pvring_take(&rx->ring, &response, sizeof(response));

		if (got <= 0)
			return got;
		(*responses)--;
		if (!packet->bad)
			packet->held++;
		if (packet->extra) {
			if (!pvnet_rx_take_extra(rx, &response.extra))
				return -EPROTO;
		} else if (!pvnet_rx_take_data(rx, slot, &response.rsp)) {
			return -EPROTO;
		}
		if (packet->more || packet->extra)
			continue;
		if (packet->len < PVNET_MIN_RX || packet->len > PVNET_MAX_RX)
			pvnet_rx_discard(packet);
		return 1;
	}
	return 0;
}
