/* SPDX-License-Identifier: MIT */
/*
 * A block front end as small as the protocol permits: the handshake through
 * XenStore, one request at a time, and the close.
 */
#ifndef BLKIF_FRONT_H
#define BLKIF_FRONT_H

#include "case.h"

#define xen_mb()	mb()	/* as the macros of ring.h need it */
#define xen_rmb()	barrier()
#define xen_wmb()	barrier()
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

#define DISK_RW		51712
#define DISK_RO		51728

struct blk {
	char path[40], backend[100];
	unsigned int port, ref;
	struct blkif_sring *sring;
	struct blkif_front_ring front;
	uint64_t sectors, next_id;
	unsigned int info, sector_size;
	/* Set by a case before blk_open(), which keeps them. */
	unsigned int ring_order;
	bool persistent;
	unsigned int ref2;
};

static inline int store_put(const char *base, const char *name, unsigned long value)
{
	char path[160], buf[24];

	format(path, sizeof(path), "%s/%s", base, name);
	format(buf, sizeof(buf), "%lu", value);
	return store_write(path, buf);
}

static inline bool backend_state(const char *backend, long state)
{
	return until(store_number(backend, "state") == state, 15000);
}

/* Connect to disk @id; panics on the runtime's own failures only. */
static inline bool blk_open(struct blk *b, unsigned int id)
{
	unsigned int order = b->ring_order;
	bool persistent = b->persistent;
	char path[80];
	int n;

	memset(b, 0, sizeof(*b));
	b->ring_order = order;
	b->persistent = persistent;
	format(b->path, sizeof(b->path), "device/vbd/%u", id);
	format(path, sizeof(path), "%s/backend", b->path);
	n = store_read(path, b->backend, sizeof(b->backend) - 1);
	if (n <= 0 || !backend_state(b->backend, XenbusStateInitWait))
		return false;
	b->sring = order ? pages_alloc(1U << order) : page_alloc();
	SHARED_RING_INIT(b->sring);
	FRONT_RING_INIT(&b->front, b->sring, PAGE_SIZE << order);
	b->ref = grant_alloc(0, b->sring, GTF_permit_access);
	b->port = (unsigned int)evtchn_alloc(DOMID_SELF, 0);
	port_mask(b->port);
	if (order) {
		b->ref2 = grant_alloc(0, (char *)b->sring + PAGE_SIZE, GTF_permit_access);
		store_put(b->path, "ring-page-order", order);
		store_put(b->path, "ring-ref0", b->ref);
		store_put(b->path, "ring-ref1", b->ref2);
	} else {
		store_put(b->path, "ring-ref", b->ref);
	}
	store_put(b->path, "feature-persistent", persistent);
	store_put(b->path, "event-channel", b->port);
	format(path, sizeof(path), "%s/protocol", b->path);
	store_write(path, "x86_64-abi");
	store_put(b->path, "state", XenbusStateInitialised);
	if (!backend_state(b->backend, XenbusStateConnected))
		return false;
	b->sectors = (uint64_t)store_number(b->backend, "sectors");
	b->info = (unsigned int)store_number(b->backend, "info");
	b->sector_size = (unsigned int)store_number(b->backend, "sector-size");
	store_put(b->path, "state", XenbusStateConnected);
	return true;
}

/* Leave the device as it was found, so that it can be connected again. */
static inline void blk_close(struct blk *b)
{
	store_put(b->path, "state", XenbusStateClosing);
	want(until(store_number(b->backend, "state") >= XenbusStateClosing, 15000));
	store_put(b->path, "state", XenbusStateClosed);
	want(backend_state(b->backend, XenbusStateClosed));
	want(until(grant_end(b->ref), 5000));
	evtchn_close(b->port);
	page_free(b->sring);
	store_put(b->path, "state", XenbusStateInitialising);
}

static inline struct blkif_request *blk_request(struct blk *b, unsigned int op,
						uint64_t sector)
{
	struct blkif_request *r =
		RING_GET_REQUEST(&b->front, b->front.req_prod_pvt);

	b->front.req_prod_pvt++;
	memset(r, 0, sizeof(*r));
	r->operation = (uint8_t)op;
	r->id = ++b->next_id;
	r->sector_number = sector;
	return r;
}

static inline void blk_segment(struct blkif_request *r, unsigned int ref,
			       unsigned int first, unsigned int last)
{
	struct blkif_request_segment *s = &r->seg[r->nr_segments++];

	s->gref = ref;
	s->first_sect = (uint8_t)first;
	s->last_sect = (uint8_t)last;
}

static inline void blk_push(struct blk *b)
{
	int notify;

	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&b->front, notify);
	if (notify)
		evtchn_send(b->port);
}

/* The next response, copied; false when none comes. */
static inline bool blk_response(struct blk *b, struct blkif_response *r)
{
	int more;

	do {
		RING_FINAL_CHECK_FOR_RESPONSES(&b->front, more);
		if (!more && !until(b->sring->rsp_prod != b->front.rsp_cons, 8000))
			return false;
	} while (!more);
	*r = *RING_GET_RESPONSE(&b->front, b->front.rsp_cons);
	b->front.rsp_cons++;
	return true;
}

/* Push what was prepared and take one response; its status, 100 when none. */
static inline int blk_wait(struct blk *b)
{
	struct blkif_response r;

	blk_push(b);
	return blk_response(b, &r) ? r.status : 100;
}

/* One transfer of whole page @page at @sector; the status. */
static inline int blk_page(struct blk *b, unsigned int op, uint64_t sector,
			   void *page)
{
	unsigned int ref = grant_alloc(0, page, GTF_permit_access);
	int status;

	blk_segment(blk_request(b, op, sector), ref, 0, 7);
	status = blk_wait(b);
	/* A back end with persistent grants unmaps them when it closes. */
	grant_end(ref);
	return status;
}

#endif /* BLKIF_FRONT_H */
