// SPDX-License-Identifier: MIT
/*
 * A disk of 4 MiB of memory behind one ring of one page, served well but for
 * one thing, which the behaviour names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include <xen/io/blkif.h>

#define SECTOR		512U
#define SECTORS		8192U
#define PATIENCE	100	/* milliseconds between looks at the front end's state */

struct disk {
	struct backend *be;
	blkif_sring_t *shared;
	blkif_back_ring_t ring;
	blkif_request_t request;	/* the one at hand */
	unsigned int served;
	bool stop;			/* do no more */
};

static uint8_t memory[SECTORS * SECTOR];

/* Honest work: returns the status. */
static int transfer(struct disk *disk)
{
	blkif_request_t *request = &disk->request;
	bool write = request->operation == BLKIF_OP_WRITE;
	uint64_t sector = request->sector_number;
	unsigned int i;

	if (request->operation > BLKIF_OP_WRITE ||
	    request->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return BLKIF_RSP_EOPNOTSUPP;
	for (i = 0; i < request->nr_segments; i++) {
		struct blkif_request_segment *segment = &request->seg[i];
		unsigned int count = segment->last_sect - segment->first_sect + 1;
		uint8_t *page = be_map(disk->be, segment->gref, !write);

		if (!page || count > PAGE / SECTOR || sector + count > SECTORS)
			return BLKIF_RSP_ERROR;
		if (write)
			memcpy(memory + sector * SECTOR, page + segment->first_sect * SECTOR,
			       count * SECTOR);
		else
			memcpy(page + segment->first_sect * SECTOR, memory + sector * SECTOR,
			       count * SECTOR);
		sector += count;
		be_unmap(disk->be, page);
	}
	return BLKIF_RSP_OKAY;
}

static void answer(struct disk *disk, uint64_t id, int status)
{
	blkif_response_t *response = RING_GET_RESPONSE(&disk->ring, disk->ring.rsp_prod_pvt);

	response->id = id;
	response->operation = disk->request.operation;
	response->status = status;
	disk->ring.rsp_prod_pvt++;
	xen_wmb();
	disk->shared->rsp_prod = disk->ring.rsp_prod_pvt;
	be_notify(disk->be);
}

static void honest(struct disk *disk)
{
	answer(disk, disk->request.id, transfer(disk));
}

static void error(struct disk *disk)
{
	answer(disk, disk->request.id, BLKIF_RSP_ERROR);
}

static void unknown_id(struct disk *disk)
{
	answer(disk, disk->request.id ^ 0x15, transfer(disk));
}

static void huge_id(struct disk *disk)
{
	answer(disk, UINT64_MAX, transfer(disk));
}

/* The second request is answered with the first one's id. */
static void twice(struct disk *disk)
{
	static uint64_t first;

	if (!(disk->served & 1))
		first = disk->request.id;
	transfer(disk);
	answer(disk, first, BLKIF_RSP_OKAY);
}

static void bad_status(struct disk *disk)
{
	answer(disk, disk->request.id, 77);
}

static void backwards(struct disk *disk)
{
	honest(disk);
	disk->shared->rsp_prod = disk->ring.rsp_prod_pvt - 2;
	be_notify(disk->be);
	disk->stop = true;
}

static void beyond(struct disk *disk)
{
	disk->shared->rsp_prod = disk->ring.req_cons + 5;
	be_notify(disk->be);
	disk->stop = true;
}

static void silent(struct disk *disk)
{
	disk->stop = true;
}

static void vanish(struct disk *disk)
{
	be_vanish(disk->be);
	_exit(0);
}

static void scribble(struct disk *disk)
{
	be_scribble(disk->be, disk->shared, 2000);
	disk->stop = true;
}

static void storm(struct disk *disk)
{
	be_storm(disk->be, 300);
	honest(disk);
}

/* Holds on to a page of data long after the device is closed. */
static void hold(struct disk *disk)
{
	if (disk->request.nr_segments)
		be_map(disk->be, disk->request.seg[0].gref,
		       disk->request.operation == BLKIF_OP_READ);
	honest(disk);
}

static const struct behaviour {
	const char *name;
	void (*serve)(struct disk *disk);
	const char *what;
} behaviours[] = {
	{ "honest", honest, "serves well: shows that the rest is the behaviour's doing" },
	{ "error", error, "answers each request with an error" },
	{ "unknown-id", unknown_id, "answers ids that are not in flight" },
	{ "huge-id", huge_id, "answers the largest id there is" },
	{ "twice", twice, "answers each second request with the id of the one before" },
	{ "bad-status", bad_status, "answers a status that does not exist" },
	{ "backwards", backwards, "moves its producer index backwards" },
	{ "beyond", beyond, "moves its producer index beyond the requests" },
	{ "silent", silent, "never answers" },
	{ "vanish", vanish, "is gone from the store at the first request" },
	{ "scribble", scribble, "rewrites the shared page at random" },
	{ "storm", storm, "sends events without end, and serves well" },
	{ "hold", hold, "keeps pages mapped when the device is closed" },
};

#define COUNT	(sizeof(behaviours) / sizeof(behaviours[0]))

void block_list(void)
{
	unsigned int i;

	for (i = 0; i < COUNT; i++)
		printf("  %-12s %s\n", behaviours[i].name, behaviours[i].what);
}

static void serve(struct disk *disk, const struct behaviour *how)
{
	while (!disk->stop && !be_closing(disk->be)) {
		int more;

		while (!disk->stop && RING_HAS_UNCONSUMED_REQUESTS(&disk->ring)) {
			disk->request = *RING_GET_REQUEST(&disk->ring, disk->ring.req_cons);
			disk->ring.req_cons++;
			how->serve(disk);
			disk->served++;
		}
		RING_FINAL_CHECK_FOR_REQUESTS(&disk->ring, more);
		if (!more)
			be_wait(disk->be, PATIENCE);
	}
}

int block_main(struct backend *be, const char *behaviour)
{
	struct disk disk = { .be = be };
	unsigned int i;

	for (i = 0; i < COUNT && strcmp(behaviours[i].name, behaviour); i++)
		;
	if (i == COUNT)
		be_die("vbd knows no behaviour '%s'; try --help", behaviour);
	be_await_front(be, XenbusStateInitialised);
	disk.shared = be_map(be, be_read_number(be, "ring-ref"), true);
	if (!disk.shared)
		be_die("cannot map the ring");
	BACK_RING_INIT(&disk.ring, disk.shared, PAGE);
	be_bind(be, "event-channel");
	be_write(be, be->back, "sectors", "%u", SECTORS);
	be_write(be, be->back, "sector-size", "%u", SECTOR);
	be_write(be, be->back, "info", "0");
	be_state(be, XenbusStateConnected);
	serve(&disk, &behaviours[i]);
	while (!be_closing(be))
		be_wait(be, PATIENCE);
	be_state(be, XenbusStateClosing);
	if (!strcmp(behaviour, "hold")) {
		/* Until the test takes the whole directory away. */
		for (char *online; (online = be_read(be, be->back, "online")); free(online))
			be_wait(be, PATIENCE);
		return 0;
	}
	be_state(be, XenbusStateClosed);
	return 0;
}
