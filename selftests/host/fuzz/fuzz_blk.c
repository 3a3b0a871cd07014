// SPDX-License-Identifier: MIT
/*
 * Fuzz target "blk": the block protocol and its granted pages (drivers/pvblk,
 * wire.c and pages.c) under a small disk, through connections that begin, break
 * and end.
 */
#include "../../../drivers/pvblk/pages.h"
#include "../../../drivers/pvblk/wire.h"

#include "fuzz.h"

#define REQUESTS	40
#define MAX_FRAMES	2

static struct pvblk_wire wire;
static struct pvblk_cache cache;
static spinlock_t lock;
static struct pvgrant_area area;
static bool connected;

/* The model: each request is completed or taken back, once. */
static struct request {
	bool in_flight;
	bool pushed;
	u8 operation;
	unsigned int count;
	struct pvblk_page *first, *last;
} requests[REQUESTS];
static unsigned int in_flight;

/* The back end. */
static u32 back_cons, back_prod;
/* The id of its last response; it has just broken the protocol in one way. */
static u64 last_id;
static bool must_break;

static union pvblk_slot *slot(u32 index)
{
	return (union pvblk_slot *)(area.va + 64) + index % wire.ring.entries;
}

static void connect(void)
{
	unsigned int pages = 1 << (next_u8() & 1);

	if (connected)
		return;
	if (pvgrant_area_alloc(&area, BACK, pages))
		return;
	if (pvblk_wire_init(&wire, area.va, pages * PAGE_SIZE, 51712)) {
		pvgrant_area_free(&area);
		return;
	}
	must(wire.ring.entries == pages * 32);
	pvblk_pages_init(&cache, &lock);
	cache.domain = BACK;
	connected = true;
	honest = true;
	back_cons = 0;
	back_prod = 0;
	last_id = -1;
	must_break = false;
}

static void over(struct request *req)
{
	must(req >= requests && req < requests + REQUESTS && req->in_flight);
	req->in_flight = false;
	in_flight--;
	if (req->count)
		pvblk_pages_give(&cache, req->first, req->last, req->count);
}

static void disconnect(void)
{
	struct request *req;

	if (!connected)
		return;
	while ((req = pvblk_wire_reclaim(&wire)))
		over(req);
	must(!in_flight);
	must(cache.nfree == cache.count);
	connected = false;
	must_break = false;
	pvblk_wire_destroy(&wire);
	pvblk_wire_destroy(&wire);
	pvblk_pages_destroy(&cache);
	pvgrant_area_free(&area);
}

static void grow(unsigned int count)
{
	unsigned int had = cache.count;
	int ret;

	if (!connected || had > 64)
		return;
	ret = pvblk_pages_grow(&cache, count, GFP_KERNEL);
	must(!ret == (cache.count == had + count));
}

static void segments(struct blkif_request_segment *seg, struct pvblk_page *page,
		     unsigned int count)
{
	for (; count--; page = page->next, seg++) {
		must(page->ref >= GNTTAB_NR_RESERVED_ENTRIES);
		memset(page->va, 0x11, 512);
		*seg = (struct blkif_request_segment) {
			.gref = page->ref, .first_sect = 0, .last_sect = 7,
		};
	}
}

static void submit(u8 kind, unsigned int count)
{
	u32 room = pvring_room(&wire.ring);
	struct blkif_request_segment *seg;
	struct request *req = requests;
	bool sent;

	while (req < requests + REQUESTS && req->in_flight)
		req++;
	if (!connected || req == requests + REQUESTS)
		return;
	*req = (struct request) { .count = kind == 3 ? 0 : count };
	if (req->count) {
		req->first = pvblk_pages_take(&cache, count, &req->last);
		must(!req->first == (cache.nfree < count) || req->first);
		if (!req->first)
			return;
	}
	switch (kind) {
	case 0:
	case 1:
		req->operation = kind;
		seg = pvblk_wire_rw(&wire, req, kind, next_u8(), count);
		sent = seg;
		if (sent)
			segments(seg, req->first, count);
		break;
	case 2:
		/* The first page lists the others. */
		req->operation = BLKIF_OP_READ;
		sent = pvblk_wire_indirect(&wire, req, BLKIF_OP_READ, next_u8(),
					   count - 1, req->first->ref);
		if (sent)
			segments(req->first->va, req->first->next, count - 1);
		break;
	default:
		req->operation = BLKIF_OP_DISCARD;
		sent = pvblk_wire_discard(&wire, req, next_u8(), count, false);
		break;
	}
	must(sent == !!room);
	if (sent) {
		req->in_flight = true;
		in_flight++;
	} else if (req->count) {
		pvblk_pages_give(&cache, req->first, req->last, count);
	}
}

static void event(void)
{
	unsigned int budget = 2 * REQUESTS;
	struct pvblk_response response;
	int ret;

	if (!connected)
		return;
	do {
		while ((ret = pvblk_wire_take(&wire, &response)) > 0) {
			must(budget--);
			must(response.status == BLKIF_RSP_OKAY ||
			     response.status == BLKIF_RSP_ERROR ||
			     response.status == BLKIF_RSP_EOPNOTSUPP);
			must(!honest || response.status == BLKIF_RSP_OKAY);
			over(response.cookie);
		}
		must((ret < 0) == pvring_broken(&wire.ring));
		must(ret == 0 || !honest);
	} while (ret == 0 && pvring_rearm(&wire.ring) && budget--);
	must(!must_break || pvring_broken(&wire.ring));
}

static void respond(unsigned int count)
{
	struct pvring_shared *shared = area.va;
	u32 prod;

	if (!connected)
		return;
	prod = shared->req_prod;
	while (count-- && back_cons != prod) {
		union pvblk_slot *s = slot(back_cons++);
		u64 id = s->rw.operation == BLKIF_OP_INDIRECT ?
			 s->indirect.id : s->rw.id;
		u8 operation = s->rw.operation;

		if (operation == BLKIF_OP_INDIRECT && next_u8() & 1)
			operation = s->indirect.indirect_op;
		if (!honest && next_u8() & 1)
			id ^= 1ull << (next_u8() & 63);
		last_id = id;
		*(struct blkif_response *)slot(back_prod++) =
			(struct blkif_response) {
				.id = id,
				.operation = operation,
				.status = honest ? 0 : (s8)next_u8() % 4,
			};
	}
	shared->rsp_prod = back_prod;
	shared->req_event = back_cons + 1;
}

/* A good back end sends one response with one error. */
static void respond_wrongly(u8 how)
{
	struct pvring_shared *shared = area.va;
	struct blkif_response rsp = {};

	if (!connected || !may_break || !honest || back_cons == shared->req_prod)
		return;
	honest = false;
	must_break = true;
	rsp.id = slot(back_cons)->rw.id;
	rsp.operation = slot(back_cons)->rw.operation;
	if (rsp.operation == BLKIF_OP_INDIRECT)
		rsp.id = slot(back_cons)->indirect.id;
	back_cons++;
	switch (how % 4) {
	case 0:
		rsp.id = last_id;
		break;
	case 1:
		rsp.id ^= 1ull << (next_u8() & 63);
		break;
	case 2:
		rsp.operation = 7 + (next_u8() & 63);
		break;
	case 3:
		rsp.status = 1 + (next_u8() & 63);
		break;
	}
	/* Ids in flight are those of the good response, or of others. */
	if (how % 4 == 1 && pvring_id_busy(&wire.ids, (u32)rsp.id) &&
	    wire.sent[(u32)rsp.id].seq == rsp.id >> 32)
		must_break = false;
	*(struct blkif_response *)slot(back_prod++) = rsp;
	shared->rsp_prod = back_prod;
	/* Before another request is given that id. */
	event();
}

static void misbehave(void)
{
	if (!connected)
		return;
	/* It may undo its change. */
	must_break = false;
	back_scribble(area.va, area.count * PAGE_SIZE, wire.ring.req_pushed,
		      wire.ring.rsp_cons);
	if (next_u8() & 1)
		back_prod = ((struct pvring_shared *)area.va)->rsp_prod;
}

static void one_race(void)
{
	switch (next_u8() & 3) {
	case 0:
		/* Not while the ring is being made. */
		misbehave();
		break;
	case 1:
		respond(1 + next_below(4));
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
		connect();
		break;
	case 1:
		if (arg < 4)
			disconnect();
		break;
	case 2:
		grow(1 + arg);
		break;
	case 3:
	case 4:
	case 5:
		submit(arg & 3, 1 + (arg >> 2) * 3);
		break;
	case 6:
		if (connected)
			pvring_push(&wire.ring);
		break;
	case 7:
	case 8:
		event();
		break;
	case 9:
	case 10:
		respond(1 + arg);
		break;
	case 11:
		if (arg & 1)
			misbehave();
		else
			respond_wrongly(arg >> 1);
		break;
	case 12:
		back_map_or_unmap();
		break;
	case 13:
		shim_fail_after = arg;
		break;
	case 14:
		race_with(one_race, 1 + arg % 8);
		break;
	case 15:
		shim_run_work();
		break;
	}
}

void run_script(void)
{
	u8 how = next_u8();

	hyp_reset(1 + (how >> 1) % MAX_FRAMES, 1 + (how & 1));
	hyp_max_mfn = how & 1 ? 0x200000000 : 0x100000;
	memset(&wire, 0, sizeof(wire));
	memset(requests, 0, sizeof(requests));
	in_flight = 0;
	connected = false;
	lock.held = false;
	may_break = how & 4;
	grants_boot();
	connect();
	grow(8);

	while (!script_ended()) {
		u8 op = next_u8();

		turn(op & 15, op >> 4);
	}
	race_over();
	shim_fail_after = -1;
	if (connected && honest) {
		/* Every request has a response, and every response is taken. */
		pvring_push(&wire.ring);
		event();
		respond(2 * REQUESTS);
		event();
		must(!in_flight && !pvring_broken(&wire.ring));
	}
	disconnect();
	grants_end();
}
