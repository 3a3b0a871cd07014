// SPDX-License-Identifier: MIT
/*
 * Fuzz target "ring": a small front end on the untrusted ring, and a back end
 * that responds well, badly, or in the middle of the front end's work.
 */
#include <pvbus/ring.h>

#include "fuzz.h"

#define SLOTS	16
#define BYTES	(64 + SLOTS * sizeof(struct request))

struct request { u64 id; u64 what; };
struct response { u64 id; u32 status; };

static struct pvring ring;
static struct pvring_ids ids;
static struct pvring_shared *shared;
/* The model: requests in flight, and requests pushed to the back end. */
static u64 content[SLOTS];
static bool in_flight[SLOTS];
static u32 sent, pushed, taken;
/* The back end: its own indexes; it is awake; it has sent an event. */
static u32 back_cons, back_prod;
static bool back_awake;
static bool event_due;

static struct request *slot(u32 index)
{
	return (struct request *)(shared + 1) + index % SLOTS;
}

static void submit(unsigned int count)
{
	while (count--) {
		u32 room = pvring_room(&ring);
		struct request *req;
		int id;

		id = pvring_id_get(&ids);
		if (id < 0) {
			must(id == -ENOSPC && (!room || !honest));
			return;
		}
		req = pvring_next_request(&ring);
		must(!req == !room);
		if (!req) {
			must(pvring_id_put(&ids, id));
			return;
		}
		must(req == slot(sent));
		must(!in_flight[id]);
		in_flight[id] = true;
		content[id] = (u64)next_u8() << 32 | sent;
		*req = (struct request) { .id = id, .what = content[id] };
		sent++;
	}
}

static void push(void)
{
	bool event;

	if (!pvring_broken(&ring))
		pushed = sent;
	event = pvring_push(&ring);
	if (event)
		back_awake = true;
	must(!honest || shared->req_prod == sent);
}

/* Respond to the pushed requests as io/ring.h does: one check, responses, one index. */
static void respond(unsigned int count)
{
	u32 prod = shared->req_prod, old = back_prod;

	while (count-- && back_cons != prod) {
		struct request req = *slot(back_cons++);

		if (honest) {
			must(req.id < SLOTS && in_flight[req.id]);
			must(req.what == content[req.id]);
		}
		*(struct response *)slot(back_prod++) = (struct response) {
			.id = req.id,
			.status = 0x600d,
		};
	}
	shared->rsp_prod = back_prod;
	if (back_prod - shared->rsp_event < back_prod - old)
		event_due = true;
	/* It sleeps without requests until an event. */
	shared->req_event = back_cons + 1;
	back_awake = back_cons != shared->req_prod;
}

static void misbehave(void)
{
	u8 what = next_u8();

	if (!may_break)
		return;
	honest = false;
	switch (what % 6) {
	case 0:
		shared->rsp_prod = next_evil(ring.rsp_cons);
		break;
	case 1:
		shared->rsp_prod = next_evil(pushed);
		break;
	case 2:
		slot(next_below(SLOTS))->id = next_evil(next_below(SLOTS));
		break;
	case 3:
		shared->req_event = next_evil(sent);
		break;
	case 4:
		((u32 *)shared)[next_below(BYTES / 4)] = next_u32();
		break;
	case 5:
		back_prod = next_evil(back_prod);
		break;
	}
}

static void take_all(void)
{
	unsigned int budget = SLOTS;
	struct response rsp = {};
	int ret;

	while ((ret = pvring_take(&ring, &rsp, sizeof(rsp))) > 0) {
		/* Never more than the ring can hold. */
		must(budget--);
		must(taken++ != pushed);
		must(!honest || rsp.status == 0x600d);
		if (pvring_id_put(&ids, rsp.id)) {
			must(rsp.id < SLOTS && in_flight[rsp.id]);
			in_flight[rsp.id] = false;
		} else {
			must(rsp.id >= SLOTS || !in_flight[rsp.id]);
			must(!honest);
			pvring_break(&ring, "rsp.id", rsp.id);
		}
	}
	must(ret == (pvring_broken(&ring) ? -EPROTO : 0));
	must(!honest || !pvring_broken(&ring));
	if (!pvring_broken(&ring))
		must(pvring_room(&ring) + pvring_in_flight(&ring) == SLOTS);
	else
		must(!pvring_room(&ring));
}

/* As a driver's interrupt handler does it. */
static void event(void)
{
	unsigned int budget = 4;

	event_due = false;
	do {
		take_all();
		/* More responses come only while the script continues. */
	} while (pvring_rearm(&ring) && !pvring_broken(&ring) && budget--);
}

static void wait_for_several(void)
{
	unsigned int count = 1 + next_below(4), there;

	take_all();
	/* No event will come for requests without a response. */
	if (count > pvring_in_flight(&ring))
		return;
	if (pvring_rearm_after(&ring, count))
		event_due = true;
	there = shared->rsp_prod - ring.rsp_cons;
	must(!honest || event_due || there < count);
}

static void one_race(void)
{
	if (next_u8() & 1)
		misbehave();
	else
		respond(1 + next_below(4));
}

/* A good back end has responded to all: the front end has, or gets an event. */
static void nothing_forgotten(void)
{
	if (!honest)
		return;
	push();
	event();
	must(back_awake || back_cons == shared->req_prod);
	respond(SLOTS);
	must(event_due || !pvring_in_flight(&ring));
	event();
	must(!pvring_in_flight(&ring) && taken == sent);
	must(ids.free == SLOTS);
}

static void turn(u8 op, u8 arg)
{
	switch (op) {
	case 0:
	case 1:
		submit(1 + arg % (SLOTS + 1));
		break;
	case 2:
		push();
		break;
	case 3:
		respond(1 + arg % SLOTS);
		break;
	case 4:
		event();
		break;
	case 5:
		wait_for_several();
		break;
	case 6:
		misbehave();
		break;
	case 7:
		race_with(one_race, 1 + arg % 8);
		break;
	}
}

void run_script(void)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	u8 how = next_u8();
	/* Indexes wrap. */
	u32 start = how & 1 ? -20 : 0;

	shared = page_address(page);
	pvring_init(&ring, shared, BYTES, sizeof(struct request));
	must(ring.entries == SLOTS);
	must(!pvring_ids_init(&ids, SLOTS));
	memset(in_flight, 0, sizeof(in_flight));
	honest = true;
	may_break = how & 2;
	event_due = false;
	back_awake = false;
	ring.req_prod = start;
	ring.req_pushed = start;
	ring.rsp_cons = start;
	ring.rsp_seen = start;
	sent = start;
	pushed = start;
	taken = start;
	back_cons = start;
	back_prod = start;
	*shared = (struct pvring_shared) {
		.req_prod = start,
		.req_event = start + 1,
		.rsp_prod = start,
		.rsp_event = start + 1,
	};

	while (!script_ended()) {
		u8 op = next_u8();

		turn(op % 8, op >> 3);
	}
	race_over();
	nothing_forgotten();
	pvring_ids_destroy(&ids);
	__free_page(page);
	must(!shim_allocations && !shim_pages);
}
