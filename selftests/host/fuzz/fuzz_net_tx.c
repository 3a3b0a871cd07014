// SPDX-License-Identifier: MIT
/*
 * Fuzz target "net_tx": the transmit ring (drivers/pvnet/wire_tx.c) under a sender
 * of packets of every shape, some in pages that are lent.
 */
#include "../../../drivers/pvnet/wire.h"

#include "fuzz.h"

#define PACKETS		24
#define LENT_PAGES	4

static struct pvnet_tx tx;
static struct pvgrant_area area;
static struct pvring_shared *shared;

/* The model: each packet is sent or dropped, once. */
static struct packet {
	bool in_flight;
	u32 len;
	u8 fill;
	unsigned int pages;
	struct page *page[LENT_PAGES];
} packets[PACKETS];
static unsigned int in_flight;

static u32 back_cons, back_prod;
/* The back end has just broken the protocol in one way. */
static bool must_break;

static union slot {
	struct xen_netif_tx_request req;
	struct xen_netif_extra_info extra;
	struct xen_netif_tx_response rsp;
} *slot(u32 index)
{
	return (union slot *)((u8 *)(shared + 1) +
		index % PVNET_SLOTS * sizeof(struct xen_netif_tx_request));
}

static void over(struct packet *p)
{
	must(p >= packets && p < packets + PACKETS && p->in_flight);
	p->in_flight = false;
	in_flight--;
	while (p->pages)
		put_page(p->page[--p->pages]);
}

static void send_packet(u8 shape)
{
	static const u32 sizes[] = { 14, 60, 1514, 4096, 4097, 9000, 65535, 65536 };
	u32 len = sizes[shape & 7] + (shape & 8 ? next_u8() : 0), left = len;
	struct xen_netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };
	struct packet *p = packets;
	u8 data[128];

	while (p < packets + PACKETS && p->in_flight)
		p++;
	if (p == packets + PACKETS)
		return;
	*p = (struct packet) { .len = len, .fill = next_u8() & 0x3f };
	if (!pvnet_tx_begin(&tx, len, 0, shape & 16 ? &extra : NULL)) {
		must(len > PVNET_MAX_TX || !pvnet_tx_has_room(&tx) ||
		     DIV_ROUND_UP(len, PAGE_SIZE) > tx.max_slots);
		return;
	}
	p->in_flight = true;
	in_flight++;
	memset(data, p->fill, sizeof(data));
	while (left) {
		u32 part = min(left, 1 + next_below(sizeof(data)));

		if (left >= PAGE_SIZE && p->pages < LENT_PAGES &&
		    next_u8() & 1) {
			struct page *page = alloc_page(GFP_ATOMIC);

			if (!page)
				goto copy;
			memset(page_address(page), p->fill, PAGE_SIZE);
			if (pvnet_tx_lend(&tx, page)) {
				p->page[p->pages++] = page;
				left -= PAGE_SIZE;
				continue;
			}
			put_page(page);
		}
copy:
		/* Long ones in few steps. */
		for (; left && part; part--) {
			u32 now = min_t(u32, left, sizeof(data));

			pvnet_tx_copy(&tx, data, now);
			left -= now;
		}
	}
	pvnet_tx_end(&tx, p);
}

static void event(void)
{
	unsigned int count, i, budget = 4 * PACKETS;
	void *done[8];

	do {
		count = pvnet_tx_reap(&tx, done, ARRAY_SIZE(done));
		must(count <= ARRAY_SIZE(done));
		for (i = 0; i < count; i++)
			over(done[i]);
		must(budget--);
	} while (count == ARRAY_SIZE(done) ||
		 (pvring_rearm(&tx.ring) && !pvring_broken(&tx.ring)));
	must(!honest || !pvring_broken(&tx.ring));
	must(!must_break || pvring_broken(&tx.ring));
	must(pvnet_tx_room(&tx) <= PVNET_SLOTS);
}

/* Read one packet as netback would, and compare it with the packet sent. */
static void read_packet(u32 prod)
{
	struct { grant_ref_t ref; u32 len; } part[PVNET_PACKET_SLOTS];
	unsigned int parts = 0, i;
	u32 rest = 0, total = 0;
	bool more, extra;
	u8 *data, fill = 0;

	do {
		struct xen_netif_tx_request req = slot(back_cons)->req;

		must(back_cons++ != prod && parts < PVNET_PACKET_SLOTS);
		must(req.offset == 0);
		part[parts].ref = req.gref;
		part[parts].len = req.size;
		/* The first slot has the size of the whole packet. */
		if (parts++)
			rest += req.size;
		else
			total = req.size;
		extra = req.flags & XEN_NETTXF_extra_info;
		more = req.flags & XEN_NETTXF_more_data;
		if (extra)
			must(slot(back_cons)->extra.type ==
			     XEN_NETIF_EXTRA_TYPE_GSO && back_cons++ != prod);
	} while (more);
	must(rest < total);
	part[0].len = total - rest;
	for (i = 0; i < parts; i++) {
		must(!hyp_map(part[i].ref, BACK, true));
		data = hyp_map(part[i].ref, BACK, false);
		must(data && part[i].len && part[i].len <= PAGE_SIZE);
		if (!i)
			fill = data[0];
		must(data[0] == fill && data[part[i].len - 1] == fill);
		hyp_unmap(part[i].ref, false);
	}
}

static void respond(u16 id, bool extra)
{
	slot(back_prod++)->rsp = (struct xen_netif_tx_response) {
		.id = id,
		.status = extra ? XEN_NETIF_RSP_NULL : XEN_NETIF_RSP_OKAY,
	};
}

static void respond_to(unsigned int count)
{
	u32 prod = shared->req_prod, cons;

	while (count-- && back_cons != prod && prod - back_cons <= PVNET_SLOTS) {
		cons = back_cons;
		if (honest)
			read_packet(prod);
		else
			back_cons++;
		while (cons != back_cons) {
			struct xen_netif_tx_request req = slot(cons++)->req;

			respond(req.id, false);
			if (honest && req.flags & XEN_NETTXF_extra_info) {
				cons++;
				respond(0, true);
			}
		}
		if (!honest && next_u8() & 1)
			slot(back_prod - 1)->rsp.status = (s8)next_u8() % 4;
	}
	shared->rsp_prod = back_prod;
	shared->req_event = back_cons + 1;
}

/* A good back end sends one response with one error. */
static void respond_wrongly(u8 how)
{
	struct xen_netif_tx_response rsp = {};

	if (!may_break || !honest || back_cons == shared->req_prod)
		return;
	honest = false;
	rsp.id = slot(back_cons++)->req.id;
	switch (how % 4) {
	case 3:
		/* Its response came, but its packet is still in flight. */
		if (!(slot(back_cons - 1)->req.flags & XEN_NETTXF_more_data))
			return;
		slot(back_prod++)->rsp = rsp;
		break;
	case 0:
		/* Never sent, if it is not in flight. */
		rsp.id = next_evil(rsp.id);
		if (pvring_id_busy(&tx.ids, rsp.id) &&
		    !tx.slots[rsp.id].responded)
			return;
		break;
	case 1:
		rsp.status = 2 + (next_u8() & 63);
		break;
	case 2:
		rsp.status = XEN_NETIF_RSP_NULL;
		if (tx.extras)
			return;
		break;
	}
	must_break = true;
	slot(back_prod++)->rsp = rsp;
	shared->rsp_prod = back_prod;
	/* Before another request is given that id. */
	event();
}

static void misbehave(void)
{
	/* It may undo its change. */
	must_break = false;
	back_scribble(shared, PAGE_SIZE, tx.ring.req_pushed, tx.ring.rsp_cons);
	if (next_u8() & 1)
		back_prod = shared->rsp_prod;
}

static void one_race(void)
{
	switch (next_u8() & 3) {
	case 0:
		misbehave();
		break;
	default:
		back_map_or_unmap();
		break;
	}
}

static void turn(u8 op, u8 arg)
{
	switch (op) {
	case 0:
	case 1:
		send_packet(arg);
		break;
	case 2:
		pvring_push(&tx.ring);
		break;
	case 3:
		event();
		break;
	case 4:
		respond_to(1 + arg);
		break;
	case 5:
		if (arg < 8)
			misbehave();
		else if (arg < 16)
			respond_wrongly(arg);
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
	struct packet *p;
	u8 how = next_u8();
	int ret;

	/* One frame of layout 2 is too few for a ring. */
	hyp_reset(how & 4 ? 4 : 1 + (how & 3), 1 + (how >> 3 & 1));
	hyp_max_mfn = how & 8 ? 0x200000000 : 0x100000;
	memset(packets, 0, sizeof(packets));
	memset(&tx, 0, sizeof(tx));
	in_flight = 0;
	honest = true;
	may_break = how & 32;
	must_break = false;
	back_cons = 0;
	back_prod = 0;
	grants_boot();
	must(!pvgrant_area_alloc(&area, BACK, 1));
	shared = area.va;
	ret = pvnet_tx_init(&tx, BACK, shared, how & 16);

	while (!ret && !script_ended()) {
		u8 op = next_u8();

		turn(op & 7, op >> 3);
	}
	race_over();
	shim_fail_after = -1;
	if (!ret && honest) {
		pvring_push(&tx.ring);
		respond_to(PVNET_SLOTS);
		event();
		must(!in_flight && tx.ids.free == PVNET_SLOTS && !tx.extras);
	}
	while ((p = pvnet_tx_flush(&tx)))
		over(p);
	must(!in_flight);
	pvnet_tx_destroy(&tx);
	pvgrant_area_free(&area);
	grants_end();
}
