// SPDX-License-Identifier: MIT
/*
 * Fuzz target "net_rx": the receive ring (drivers/pvnet/wire_rx.c) under a poll that
 * copies some packets and keeps the pages of others.
 */
#include "../../../drivers/pvnet/wire.h"

#include "fuzz.h"

static struct pvnet_rx rx;
static struct pvgrant_area area;
static struct pvring_shared *shared;
static u32 back_cons, back_prod;
/* The packets of a good back end, in order: length and content. */
static struct { u32 len; u8 fill; } sent[PVNET_SLOTS];
static u32 sent_prod, sent_cons;
/* The back end has just broken the protocol in one way. */
static bool must_break;

static union slot {
	struct xen_netif_rx_request req;
	struct xen_netif_rx_response rsp;
	struct xen_netif_extra_info extra;
} *slot(u32 index)
{
	return (union slot *)(shared + 1) + index % PVNET_SLOTS;
}

static struct page *fresh_page(void)
{
	return alloc_page(GFP_ATOMIC | __GFP_ZERO);
}

/* Slots of a packet in use must not be offered. */
static void refill(void)
{
	u32 from = rx.ring.req_prod, i;
	unsigned int n;

	pvnet_rx_refill(&rx);
	for (i = from; i != rx.ring.req_prod; i++) {
		must(rx.slots[i % PVNET_SLOTS].page);
		must(rx.slots[i % PVNET_SLOTS].ref != PVGRANT_NONE);
		for (n = 0; n < rx.packet.pieces; n++)
			must(rx.packet.piece[n].slot != i % PVNET_SLOTS);
	}
}

/* As the driver does it: another page first, then the old one. */
static bool take_page(u16 at, u16 offset, u16 len, u8 *first, u8 *last)
{
	struct page *fresh = fresh_page(), *page;
	u8 *data;
	bool ours;

	if (!fresh)
		return false;
	ours = pvnet_rx_claim(&rx, at, &page);
	must(page);
	pvnet_rx_offer(&rx, at, fresh);
	if (ours) {
		/* No back end can write to it any more. */
		must(!hyp_page_mapped(page));
		data = page_address(page);
		*first = data[offset];
		*last = data[offset + len - 1];
	}
	put_page(page);
	return ours;
}

static void packet_found(void)
{
	const struct pvnet_packet *p = &rx.packet;
	bool all = true, good = honest;
	u8 first = 0, last = 0, fill = 0;
	u32 sum = 0;
	unsigned int i;

	if (good) {
		must(sent_cons != sent_prod && !p->bad);
		must(p->len == sent[sent_cons % PVNET_SLOTS].len);
		fill = sent[sent_cons % PVNET_SLOTS].fill;
	}
	sent_cons++;
	must(p->pieces <= PVNET_PACKET_SLOTS && p->held <= PVNET_SLOTS);
	must(!p->gso_size || p->gso_type == XEN_NETIF_GSO_TYPE_TCPV4 ||
	     p->gso_type == XEN_NETIF_GSO_TYPE_TCPV6);
	must(p->bad || (p->pieces && p->len >= PVNET_MIN_RX &&
			p->len <= PVNET_MAX_RX));
	for (i = 0; !p->bad && i < p->pieces; i++) {
		const struct pvnet_piece *piece = &p->piece[i];
		u8 *data = page_address(rx.slots[piece->slot].page);

		must(piece->len && piece->offset + piece->len <= PAGE_SIZE);
		sum += piece->len;
		if (next_u8() & 1) {
			first = data[piece->offset];
			last = data[piece->offset + piece->len - 1];
		} else {
			all &= take_page(piece->slot, piece->offset, piece->len,
					 &first, &last);
		}
		if (good && all && honest)
			must(first == fill && last == fill);
	}
	must(p->bad || sum == p->len);
	pvnet_rx_done(&rx);
}

static void poll(unsigned int budget)
{
	unsigned int given = budget;
	int ret;

	while ((ret = pvnet_rx_next(&rx, &budget)) > 0)
		packet_found();
	must(budget <= given);
	must((ret < 0) == pvring_broken(&rx.ring) || ret == 0);
	must(!honest || !pvring_broken(&rx.ring));
	must(!must_break || !budget || pvring_broken(&rx.ring));
	refill();
	if (budget && !ret && pvring_rearm(&rx.ring))
		must(pvring_broken(&rx.ring) ||
		     rx.ring.rsp_seen != rx.ring.rsp_cons);
	pvring_push(&rx.ring);
}

static bool can_take(u32 slots)
{
	return shared->req_prod - back_cons >= slots &&
	       shared->req_prod - back_cons <= PVNET_SLOTS;
}

/* One packet as netback sends it: pieces, perhaps an extra slot. */
static void deliver(u8 shape)
{
	u32 pieces = 1 + (shape >> 2) % 6, i, len = 0;
	bool extra = shape & 1;
	u8 fill = next_u8() & 0x3f;

	if (!can_take(pieces + extra) || sent_prod - sent_cons >= PVNET_SLOTS)
		return;
	for (i = 0; i < pieces; i++) {
		struct xen_netif_rx_request req = slot(back_cons++)->req;
		u16 size = 20 + next_u8() * 15, offset = next_u8();
		u8 *data;

		size = min(size, (u16)(PAGE_SIZE - offset));
		data = hyp_map(req.gref, BACK, true);
		must(data || !honest);
		if (data) {
			memset(data + offset, fill, size);
			hyp_unmap(req.gref, true);
		}
		slot(back_prod++)->rsp = (struct xen_netif_rx_response) {
			.id = req.id,
			.offset = offset,
			.flags = (i + 1 < pieces ? XEN_NETRXF_more_data : 0) |
				 (!i && extra ? XEN_NETRXF_extra_info : 0),
			.status = size + rx.headroom,
		};
		if (rx.headroom) {
			/* The size of the headroom counts, not its contents. */
			slot(back_prod - 1)->rsp.offset = 0;
			slot(back_prod - 1)->rsp.status =
				min(size + rx.headroom, (int)PAGE_SIZE);
			size = slot(back_prod - 1)->rsp.status - rx.headroom;
			data = hyp_map(req.gref, BACK, true);
			if (data) {
				memset(data + rx.headroom, fill, size);
				hyp_unmap(req.gref, true);
			}
		}
		len += size;
		if (!i && extra) {
			back_cons++;
			slot(back_prod++)->extra = (struct xen_netif_extra_info) {
				.type = XEN_NETIF_EXTRA_TYPE_GSO,
				.u.gso = { .size = 1400, .type = 1 },
			};
		}
	}
	sent[sent_prod % PVNET_SLOTS].len = len;
	sent[sent_prod++ % PVNET_SLOTS].fill = fill;
	shared->rsp_prod = back_prod;
	shared->req_event = shared->req_prod + 1;
}

/* A response with one error. */
static void break_response(void)
{
	struct xen_netif_rx_response rsp;

	if (!may_break || !can_take(1))
		return;
	must_break = false;
	rsp = (struct xen_netif_rx_response) {
		.id = slot(back_cons++)->req.id,
		.status = 1000,
	};
	switch (next_u8() % 5) {
	case 0:
		rsp.status = (s16)next_evil(0);
		must_break = honest && rsp.status > (s16)PAGE_SIZE;
		break;
	case 1:
		rsp.offset = next_u16();
		must_break = honest && rsp.offset + rsp.status > PAGE_SIZE;
		break;
	case 2:
		rsp.flags = next_u8();
		break;
	case 3:
		rsp.id ^= 1 << (next_u8() & 15);
		must_break = honest;
		break;
	case 4:
		rsp.flags = XEN_NETRXF_more_data;
		break;
	}
	honest = false;
	slot(back_prod++)->rsp = rsp;
	shared->rsp_prod = back_prod;
}

static void break_indexes(void)
{
	/* It may undo its change. */
	must_break = false;
	back_scribble(shared, PAGE_SIZE, rx.ring.req_pushed, rx.ring.rsp_cons);
	if (may_break && next_u8() & 1)
		back_prod = shared->rsp_prod;
}

static void one_race(void)
{
	switch (next_u8() & 3) {
	case 0:
		break_indexes();
		break;
	case 1:
		deliver(next_u8());
		break;
	default:
		back_map_or_unmap();
		break;
	}
}

static bool start(void)
{
	unsigned int i;

	for (i = 0; i < PVNET_SLOTS; i++) {
		struct page *page = fresh_page();

		if (!page)
			return false;
		pvnet_rx_offer(&rx, i, page);
	}
	refill();
	pvring_push(&rx.ring);
	return true;
}

static void turn(u8 op, u8 arg)
{
	switch (op) {
	case 0:
	case 1:
		deliver(arg);
		break;
	case 2:
	case 3:
		poll(1 + arg * 4);
		break;
	case 4:
		break_response();
		break;
	case 5:
		if (arg < 8)
			break_indexes();
		else
			back_map_or_unmap();
		break;
	case 6:
		race_with(one_race, 1 + arg % 8);
		break;
	case 7:
		if (arg & 1)
			shim_run_work();
		else
			shim_fail_after = arg;
		break;
	}
}

void run_script(void)
{
	struct page *page;
	u8 how = next_u8();
	bool up;
	int i;

	hyp_reset(how & 4 ? 3 : 1 + (how & 1), 1 + (how >> 3 & 1));
	hyp_max_mfn = how & 8 ? 0x200000000 : 0x100000;
	memset(&rx, 0, sizeof(rx));
	honest = true;
	may_break = how & 16;
	must_break = false;
	back_cons = 0;
	back_prod = 0;
	sent_prod = 0;
	sent_cons = 0;
	grants_boot();
	must(!pvgrant_area_alloc(&area, BACK, 1));
	shared = area.va;
	up = !pvnet_rx_init(&rx, BACK, shared, how & 32 ? 256 : 0) && start();

	while (up && !script_ended()) {
		u8 op = next_u8();

		turn(op & 7, op >> 3);
	}
	race_over();
	shim_fail_after = -1;
	if (up && honest) {
		poll(PVNET_SLOTS);
		must(sent_cons == sent_prod);
		must(pvring_in_flight(&rx.ring) == PVNET_SLOTS);
	}
	for (i = 0; i < PVNET_SLOTS; i++) {
		pvnet_rx_claim(&rx, i, &page);
		if (page)
			put_page(page);
	}
	pvnet_rx_destroy(&rx);
	pvgrant_area_free(&area);
	grants_end();
}
