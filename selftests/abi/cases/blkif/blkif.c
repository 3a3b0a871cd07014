// SPDX-License-Identifier: MIT
/* The block protocol, against the control domain's own back end. */
#include "front.h"

static struct blk blk;

#define OPEN(disk) want(blk_open(&blk, disk))

/*
 * The tool stack's nodes, the back end's states and its numbers follow the
 * handshake.
 */
CASE(blk_connect, "BLK-001 BLK-002 BLK-003 BLK-004 RNG-001 RNG-002 RNG-003", DOMU | BACKEND)
{
	long physical;

	want_eq(store_number("device/vbd/51712", "state"), XenbusStateInitialising);
	want_eq(store_number("device/vbd/51712", "backend-id"), 0);
	want_eq(store_number("device/vbd/51712", "virtual-device"), DISK_RW);
	OPEN(DISK_RW);
	want_eq(blk.sector_size, 512);
	want_eq(blk.sectors, 2048);
	want_eq(blk.info & VDISK_READONLY, 0);
	physical = store_number(blk.backend, "physical-sector-size");
	if (physical > 0)
		want_eq(physical % 512, 0);
	want_eq(RING_SIZE(&blk.front), 32);
	want_eq((char *)&blk.sring->rsp_prod - (char *)blk.sring, 8);
	want_eq((char *)blk.sring->ring - (char *)blk.sring, 64);
	blk_close(&blk);
}

/*
 * Sectors are read back as they were written; each response names its request.
 */
CASE(blk_write_read, "BLK-006 BLK-007 BLK-008 BLK-029 RNG-005 RNG-006", DOMU | BACKEND)
{
	unsigned long *out = page_alloc(), *in = page_alloc();
	struct blkif_response r;
	unsigned int i, ref;

	OPEN(DISK_RW);
	for (i = 0; i < 512; i++)
		out[i] = 0x1234567890UL * (i + 1);
	want_eq(blk_page(&blk, BLKIF_OP_WRITE, 16, out), BLKIF_RSP_OKAY);
	want_eq(blk_page(&blk, BLKIF_OP_READ, 16, in), BLKIF_RSP_OKAY);
	want_eq(memcmp(in, out, PAGE_SIZE), 0);
	memset(in, 0x77, PAGE_SIZE);
	want_eq(blk_page(&blk, BLKIF_OP_READ, 24, in), BLKIF_RSP_OKAY);
	want(mem_is(in, 0, PAGE_SIZE));
	port_clear(blk.port);
	blk.sring->rsp_event = blk.front.rsp_cons + 1;
	ref = grant_alloc(0, in, GTF_permit_access);
	blk_segment(blk_request(&blk, BLKIF_OP_READ, 0), ref, 0, 7);
	blk_push(&blk);
	want(until(port_pending(blk.port), 5000));
	want(blk_response(&blk, &r));
	want_eq(r.id, blk.next_id);
	want_eq(r.operation, BLKIF_OP_READ);
	want_eq(blk.sring->rsp_prod, blk.front.req_prod_pvt);
	want_eq(sizeof(struct blkif_request), 112);
	want_eq(sizeof(struct blkif_response), 16);
	blk_close(&blk);
}

/* Many requests at once get one response each, in any order. */
CASE(blk_many, "BLK-009 RNG-004 RNG-006", DOMU | BACKEND)
{
	unsigned int ref[20], seen[20] = { 0 }, i;
	char *page[20];
	struct blkif_response r;

	OPEN(DISK_RW);
	for (i = 0; i < 20; i++) {
		page[i] = page_alloc();
		memset(page[i], (int)i + 1, PAGE_SIZE);
		ref[i] = grant_alloc(0, page[i], GTF_permit_access | GTF_readonly);
		blk_segment(blk_request(&blk, BLKIF_OP_WRITE, 100 + 8 * i), ref[i], 0, 7);
	}
	blk_push(&blk);
	for (i = 0; i < 20; i++) {
		want(blk_response(&blk, &r));
		want_eq(r.status, BLKIF_RSP_OKAY);
		want(r.id >= 1 && r.id <= 20);
		want_eq(seen[r.id - 1]++, 0);
	}
	want_eq(blk.sring->rsp_prod, 20);
	for (i = 0; i < 20; i++) {
		want_eq(blk_page(&blk, BLKIF_OP_READ, 100 + 8 * i, page[0]), BLKIF_RSP_OKAY);
		want(mem_is(page[0], (int)i + 1, PAGE_SIZE));
	}
	blk_close(&blk);
}

/*
 * A request transfers the selected sectors of a page and leaves the others
 * unchanged.
 */
CASE(blk_parts, "BLK-010", DOMU | BACKEND)
{
	char *page = page_alloc();
	unsigned int ref;

	OPEN(DISK_RW);
	memset(page, 0x31, PAGE_SIZE);
	want_eq(blk_page(&blk, BLKIF_OP_WRITE, 40, page), BLKIF_RSP_OKAY);
	memset(page, 0x7e, PAGE_SIZE);
	ref = grant_alloc(0, page, GTF_permit_access);
	blk_segment(blk_request(&blk, BLKIF_OP_READ, 40), ref, 2, 4);
	want_eq(blk_wait(&blk), BLKIF_RSP_OKAY);
	want(mem_is(page, 0x7e, 1024));
	want(mem_is(page + 1024, 0x31, 1536));
	want(mem_is(page + 2560, 0x7e, 1536));
	blk_close(&blk);
}

/*
 * Requests with bad segments get an error, and the device serves later
 * requests.
 */
CASE(blk_bad_segments, "BLK-011 BLK-012 BLK-013 BLK-014", DOMU | BACKEND)
{
	char *page = page_alloc();
	unsigned int ref, ro;
	struct blkif_request *r;

	OPEN(DISK_RW);
	ref = grant_alloc(0, page, GTF_permit_access);
	ro = grant_alloc(0, page, GTF_permit_access | GTF_readonly);
	r = blk_request(&blk, BLKIF_OP_READ, 0);
	blk_segment(r, ref, 0, 7);
	r->nr_segments = 12;
	want_eq(blk_wait(&blk), BLKIF_RSP_ERROR);
	blk_request(&blk, BLKIF_OP_READ, 0);
	want_eq(blk_wait(&blk), BLKIF_RSP_ERROR);
	blk_segment(blk_request(&blk, BLKIF_OP_READ, 0), ref, 5, 3);
	want_eq(blk_wait(&blk), BLKIF_RSP_ERROR);
	blk_segment(blk_request(&blk, BLKIF_OP_READ, 0), ref, 0, 8);
	want_eq(blk_wait(&blk), BLKIF_RSP_ERROR);
	blk_segment(blk_request(&blk, BLKIF_OP_READ, 0), 4000000, 0, 7);
	want_eq(blk_wait(&blk), BLKIF_RSP_ERROR);
	memset(page, 0x44, PAGE_SIZE);
	blk_segment(blk_request(&blk, BLKIF_OP_READ, 0), ro, 0, 7);
	want_eq(blk_wait(&blk), BLKIF_RSP_ERROR);
	want(mem_is(page, 0x44, PAGE_SIZE));
	blk_segment(blk_request(&blk, BLKIF_OP_READ, 0), ref, 0, 7);
	want_eq(blk_wait(&blk), BLKIF_RSP_OKAY);
	blk_close(&blk);
}

/*
 * Requests beyond the end of the device get an error, also when the sum
 * overflows.
 */
CASE(blk_beyond, "BLK-015 BLK-016", DOMU | BACKEND)
{
	char *page = page_alloc();

	OPEN(DISK_RW);
	memset(page, 0x45, PAGE_SIZE);
	want_eq(blk_page(&blk, BLKIF_OP_READ, blk.sectors, page), BLKIF_RSP_ERROR);
	want_eq(blk_page(&blk, BLKIF_OP_READ, blk.sectors - 4, page), BLKIF_RSP_ERROR);
	want_eq(blk_page(&blk, BLKIF_OP_READ, ~0ULL, page), BLKIF_RSP_ERROR);
	want_eq(blk_page(&blk, BLKIF_OP_READ, ~0ULL - 6, page), BLKIF_RSP_ERROR);
	want(mem_is(page, 0x45, PAGE_SIZE));
	want_eq(blk_page(&blk, BLKIF_OP_READ, blk.sectors - 8, page), BLKIF_RSP_OKAY);
	blk_close(&blk);
}

/* A read-only disk has VDISK_READONLY and refuses writes. */
CASE(blk_readonly, "BLK-005 BLK-017", DOMU | BACKEND)
{
	char *page = page_alloc();

	OPEN(DISK_RO);
	want(blk.info & VDISK_READONLY);
	memset(page, 0x46, PAGE_SIZE);
	want_any(blk_page(&blk, BLKIF_OP_WRITE, 0, page), BLKIF_RSP_ERROR,
		 BLKIF_RSP_EOPNOTSUPP);
	want_eq(blk_page(&blk, BLKIF_OP_READ, 0, page), BLKIF_RSP_OKAY);
	want(mem_is(page, 0, PAGE_SIZE));
	blk_close(&blk);
}

/* Unknown operations get an error; optional ones succeed or get an error. */
CASE(blk_operations, "BLK-018 BLK-019 BLK-020 BLK-021", DOMU | BACKEND)
{
	char *page = page_alloc();
	struct blkif_request_discard *d;

	OPEN(DISK_RW);
	want_any(blk_page(&blk, 77, 0, page), BLKIF_RSP_EOPNOTSUPP, BLKIF_RSP_ERROR);
	if (store_number(blk.backend, "feature-flush-cache") == 1) {
		blk_request(&blk, BLKIF_OP_FLUSH_DISKCACHE, 0);
		want_any(blk_wait(&blk), BLKIF_RSP_OKAY, BLKIF_RSP_EOPNOTSUPP);
	}
	if (store_number(blk.backend, "feature-barrier") == 1)
		want_any(blk_page(&blk, BLKIF_OP_WRITE_BARRIER, 8, page), BLKIF_RSP_OKAY,
			 BLKIF_RSP_EOPNOTSUPP);
	if (store_number(blk.backend, "feature-discard") == 1) {
		d = (void *)blk_request(&blk, BLKIF_OP_DISCARD, 8);
		d->nr_sectors = 8;
		want_any(blk_wait(&blk), BLKIF_RSP_OKAY, BLKIF_RSP_EOPNOTSUPP);
		d = (void *)blk_request(&blk, BLKIF_OP_DISCARD, blk.sectors);
		d->nr_sectors = 8;
		want_any(blk_wait(&blk), BLKIF_RSP_ERROR, BLKIF_RSP_EOPNOTSUPP);
	}
	want_eq(blk_page(&blk, BLKIF_OP_READ, 0, page), BLKIF_RSP_OKAY);
	blk_close(&blk);
}

/*
 * Indirect requests transfer more segments than a request has; too many
 * segments get an error.
 */
CASE(blk_indirect, "BLK-022 BLK-023", DOMU | BACKEND)
{
	struct blkif_request_indirect *r;
	struct blkif_request_segment *list = page_alloc();
	long most;
	char *page[16];
	unsigned int i, ref;

	OPEN(DISK_RW);
	most = store_number(blk.backend, "feature-max-indirect-segments");
	if (most < 16) {
		case_skip("the back end has no indirect segments");
		return;
	}
	for (i = 0; i < 16; i++) {
		page[i] = page_alloc();
		memset(page[i], 0x60 + (int)i, PAGE_SIZE);
		list[i].gref = grant_alloc(0, page[i], GTF_permit_access);
		list[i].first_sect = 0;
		list[i].last_sect = 7;
	}
	ref = grant_alloc(0, list, GTF_permit_access | GTF_readonly);
	r = (void *)blk_request(&blk, BLKIF_OP_INDIRECT, 0);
	r->operation = BLKIF_OP_INDIRECT;
	r->indirect_op = BLKIF_OP_WRITE;
	r->nr_segments = 16;
	r->id = blk.next_id;
	r->sector_number = 512;
	r->indirect_grefs[0] = ref;
	want_eq(blk_wait(&blk), BLKIF_RSP_OKAY);
	want_eq(blk_page(&blk, BLKIF_OP_READ, 512 + 8 * 15, page[0]), BLKIF_RSP_OKAY);
	want(mem_is(page[0], 0x6f, PAGE_SIZE));
	r = (void *)blk_request(&blk, BLKIF_OP_INDIRECT, 0);
	r->operation = BLKIF_OP_INDIRECT;
	r->indirect_op = BLKIF_OP_DISCARD;
	r->nr_segments = 16;
	r->id = blk.next_id;
	r->indirect_grefs[0] = ref;
	want_eq(blk_wait(&blk), BLKIF_RSP_ERROR);
	r = (void *)blk_request(&blk, BLKIF_OP_INDIRECT, 0);
	r->operation = BLKIF_OP_INDIRECT;
	r->indirect_op = BLKIF_OP_READ;
	r->nr_segments = (uint16_t)(most + 1);
	r->id = blk.next_id;
	r->indirect_grefs[0] = ref;
	want_eq(blk_wait(&blk), BLKIF_RSP_ERROR);
	blk_close(&blk);
}

/*
 * The back end unmaps the ring when the front end closes, and the device can
 * be connected again.
 */
CASE(blk_reconnect, "BLK-027", DOMU | BACKEND)
{
	char *page = page_alloc();

	OPEN(DISK_RW);
	blk_close(&blk);
	OPEN(DISK_RW);
	want_eq(blk_page(&blk, BLKIF_OP_READ, 0, page), BLKIF_RSP_OKAY);
	blk_close(&blk);
}

/*
 * A bad ring reference is reported in XenStore, and other devices are not
 * affected.
 */
CASE(blk_bad_ring, "BLK-028", DOMU | BACKEND | ALONE)
{
	char backend[100] = "";

	want(store_read("device/vbd/51712/backend", backend, sizeof(backend) - 1) > 0);
	want(backend_state(backend, XenbusStateInitWait));
	want(store_put("device/vbd/51712", "ring-ref", 3999999) >= 0);
	want(store_put("device/vbd/51712", "event-channel", 1) >= 0);
	want(store_put("device/vbd/51712", "state", XenbusStateInitialised) >= 0);
	want(until(store_number(backend, "state") >= XenbusStateClosing ||
		   store_number(backend, "state") == XenbusStateInitWait, 5000));
	/* The other disk works. */
	OPEN(DISK_RO);
	want(blk.sectors > 0);
	blk_close(&blk);
}

/* A req_prod far out of range stops this device and no other. */
CASE(blk_impossible_index, "RNG-007", DOMU | BACKEND | ALONE)
{
	char *page = page_alloc();
	uint32_t done;

	OPEN(DISK_RW);
	want_eq(blk_page(&blk, BLKIF_OP_READ, 0, page), BLKIF_RSP_OKAY);
	done = blk.sring->rsp_prod;
	blk.sring->req_prod += 1000;
	/* The index before the event. */
	mb();
	want_eq(evtchn_send(blk.port), 0);
	until(false, 300);
	want_eq(blk.sring->rsp_prod, done);
	OPEN(DISK_RO);
	want_eq(blk_page(&blk, BLKIF_OP_READ, 0, page), BLKIF_RSP_OKAY);
	blk_close(&blk);
}

/* Hundreds of requests wrap the indices around the ring's slots many times. */
CASE(blk_wrap, "RNG-008 RNG-004 RNG-005", DOMU | BACKEND)
{
	char *page = page_alloc();
	unsigned int ref, i;

	OPEN(DISK_RW);
	ref = grant_alloc(0, page, GTF_permit_access);
	for (i = 0; i < 300; i++) {
		blk_segment(blk_request(&blk, BLKIF_OP_READ, i), ref, 0, 7);
		want_eq(blk_wait(&blk), BLKIF_RSP_OKAY);
	}
	want_eq(blk.sring->rsp_prod, 300);
	blk_close(&blk);
}

/* A back end with persistent grants uses the same grants again. */
CASE(blk_persistent, "BLK-024", DOMU | BACKEND | ALONE)
{
	char *page = page_alloc();
	unsigned int ref, i;

	blk.persistent = true;
	OPEN(DISK_RW);
	ref = grant_alloc(0, page, GTF_permit_access);
	for (i = 0; i < 20; i++) {
		memset(page, (int)i, PAGE_SIZE);
		blk_segment(blk_request(&blk, BLKIF_OP_WRITE, 8 * i), ref, 0, 7);
		want_eq(blk_wait(&blk), BLKIF_RSP_OKAY);
		memset(page, 0xff, PAGE_SIZE);
		blk_segment(blk_request(&blk, BLKIF_OP_READ, 8 * i), ref, 0, 7);
		want_eq(blk_wait(&blk), BLKIF_RSP_OKAY);
		want(mem_is(page, (int)i, PAGE_SIZE));
	}
	blk_close(&blk);
	want(until(grant_end(ref), 5000));
}

/* A ring of two pages has twice the slots. */
CASE(blk_two_pages, "BLK-025", DOMU | BACKEND | ALONE)
{
	char *page = page_alloc();
	unsigned int ref, i;

	want(store_read("device/vbd/51712/backend", blk.backend,
			sizeof(blk.backend) - 1) > 0);
	want(backend_state(blk.backend, XenbusStateInitWait));
	needs(store_number(blk.backend, "max-ring-page-order") >= 1,
	      "the back end takes one ring page only");
	blk.ring_order = 1;
	OPEN(DISK_RW);
	want_eq(RING_SIZE(&blk.front), 64);
	ref = grant_alloc(0, page, GTF_permit_access);
	for (i = 0; i < 150; i++) {
		blk_segment(blk_request(&blk, BLKIF_OP_READ, i), ref, 0, 7);
		want_eq(blk_wait(&blk), BLKIF_RSP_OKAY);
	}
}

/* A back end may offer several queues. */
CASE(blk_queues, "BLK-026", DOMU | BACKEND)
{
	char *page = page_alloc();

	OPEN(DISK_RW);
	want(store_number(blk.backend, "multi-queue-max-queues") >= 1 ||
	     store_number(blk.backend, "multi-queue-max-queues") == -1);
	/* A front end without multi-queue-num-queues has one queue. */
	want_eq(blk_page(&blk, BLKIF_OP_READ, 0, page), BLKIF_RSP_OKAY);
	blk_close(&blk);
}
