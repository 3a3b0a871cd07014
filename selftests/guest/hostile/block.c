// SPDX-License-Identifier: MIT
/*
 * A disk of 4 MiB of memory behind one ring of one page, served by the protocol
 * except for one violation, which the behaviour names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include <xen/io/blkif.h>

#define SECTOR		512U
#define SECTORS		8192U
#define PATIENCE	100	/* milliseconds between reads of the front end's state */

struct disk {
	struct backend *be;
	blkif_sring_t *shared;
	blkif_back_ring_t ring;
	blkif_request_t request;	/* the current one */
	unsigned int served;
	bool stop;			/* end the service */
	bool reborn;			/* and begin it anew, with an empty memory */
	bool flushes;			/* flushes are supported */
};

static uint8_t memory[SECTORS * SECTOR];

/* Perform the request by the protocol: returns the status. */
static int transfer(struct disk *disk)
{
	blkif_request_t *request = &disk->request;
	bool write = request->operation == BLKIF_OP_WRITE;
	uint64_t sector = request->sector_number;
	unsigned int i;

	if (request->operation == BLKIF_OP_FLUSH_DISKCACHE && disk->flushes)
		return BLKIF_RSP_OKAY;
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

static void respond(struct disk *disk, uint64_t id, int status)
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
	respond(disk, disk->request.id, transfer(disk));
}

static void error(struct disk *disk)
{
	respond(disk, disk->request.id, BLKIF_RSP_ERROR);
}

static void unknown_id(struct disk *disk)
{
	respond(disk, disk->request.id ^ 0x15, transfer(disk));
}

static void huge_id(struct disk *disk)
{
	respond(disk, UINT64_MAX, transfer(disk));
}

/* By a read in the middle of the disk a test begins what the back end does but once. */
static bool in_the_middle(const struct disk *disk)
{
	return disk->request.operation == BLKIF_OP_READ &&
	       disk->request.sector_number == SECTORS / 2;
}

/* A read in the middle of the disk ends it; its successor has none of the data. */
static void amnesia(struct disk *disk)
{
	disk->flushes = true;
	honest(disk);
	if (in_the_middle(disk)) {
		disk->stop = true;
		disk->reborn = true;
	}
}

/* The response to the second request has the first one's id. */
static void twice(struct disk *disk)
{
	static uint64_t first;

	if (!(disk->served & 1))
		first = disk->request.id;
	transfer(disk);
	respond(disk, first, BLKIF_RSP_OKAY);
}

static void bad_status(struct disk *disk)
{
	respond(disk, disk->request.id, 77);
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

/* Keep a page of data mapped long after the device is closed. */
static void hold(struct disk *disk)
{
	if (disk->request.nr_segments)
		be_map(disk->be, disk->request.seg[0].gref,
		       disk->request.operation == BLKIF_OP_READ);
	honest(disk);
}

/* Keep a page mapped likewise, and come back after a read in the middle of the disk. */
static void hold_again(struct disk *disk)
{
	blkif_request_t *request = &disk->request;
	unsigned int i;

	for (i = 0; request->operation == BLKIF_OP_READ && i < request->nr_segments; i++)
		be_map(disk->be, request->seg[i].gref, true);
	honest(disk);
	if (in_the_middle(disk)) {
		disk->stop = true;
		disk->reborn = true;
	}
}

static void toggle(struct disk *disk)
{
	bool begin = in_the_middle(disk);

	honest(disk);
	if (begin) {
		RING_IDX now = disk->ring.rsp_prod_pvt;
		struct toggle index = {
			.index = &disk->shared->rsp_prod,
			.values = { now, now - 1, disk->ring.req_cons + 5 },
		};

		be_toggle(disk->be, &index, 1);
		disk->stop = true;
	}
}

static void flood(struct disk *disk)
{
	honest(disk);
	if (in_the_middle(disk))
		be_flood(disk->be, false);
}

static void flood_states(struct disk *disk)
{
	honest(disk);
	if (in_the_middle(disk)) {
		be_flood(disk->be, true);
		disk->stop = true;
		disk->reborn = true;
	}
}

static void restart(struct disk *disk)
{
	honest(disk);
	if (in_the_middle(disk)) {
		be_restart(disk->be);
		disk->stop = true;
		disk->reborn = true;
	}
}

static const struct behaviour {
	const char *name;
	void (*serve)(struct disk *disk);
	const char *what;
	const char *offer;	/* a feature */
} behaviours[] = {
	{ "honest", honest, "follows the protocol (control)", NULL },
	{ "error", error, "responds to each request with an error", NULL },
	{ "no-flush", honest, "offers flushes and does not support them", "feature-flush-cache" },
	{ "no-barrier", honest, "the same for barriers", "feature-barrier" },
	{ "amnesia", amnesia, "loses all data when the middle of the disk is read, and comes back",
	  "feature-flush-cache" },
	{ "unknown-id", unknown_id, "responds with ids that are not in flight", NULL },
	{ "huge-id", huge_id, "responds with the largest id", NULL },
	{ "twice", twice, "responds to each second request with the id of the one before", NULL },
	{ "bad-status", bad_status, "responds with an unknown status", NULL },
	{ "backwards", backwards, "moves its producer index backwards", NULL },
	{ "beyond", beyond, "moves its producer index beyond the requests", NULL },
	{ "silent", silent, "never responds", NULL },
	{ "vanish", vanish, "removes its nodes at the first request", NULL },
	{ "scribble", scribble, "rewrites the shared page at random", NULL },
	{ "storm", storm, "sends events without end, and follows the protocol", NULL },
	{ "hold", hold, "keeps pages mapped when the device is closed", NULL },
	{ "hold-again", hold_again, "keeps pages mapped, restarts at a read of the disk's middle",
	  NULL },
	{ "toggle", toggle, "moves its producer index to and fro from a read of the middle on",
	  NULL },
	{ "flood", flood, "rewrites its nodes from a read of the middle on", NULL },
	{ "flood-states", flood_states, "the same with its state, then restarts", NULL },
	{ "restart", restart, "restarts again and again from a read of the middle on", NULL },
};

void block_list(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(behaviours); i++)
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

/* Connect to a front end that has published its ring. */
static void connect_disk(struct disk *disk, const char *feature)
{
	struct backend *be = disk->be;
	unsigned int tries = 1000;

	/* A front end that sees late that we have closed takes its ring back meanwhile. */
	do {
		be_await_front(be, XenbusStateInitialised);
		disk->shared = be_map(be, be_read_number(be, "ring-ref"), true);
	} while (!disk->shared && --tries && !usleep(10000));
	if (!disk->shared)
		be_die("cannot map the ring");
	BACK_RING_INIT(&disk->ring, disk->shared, PAGE);
	be_bind(be, "event-channel");
	be_write(be, be->back, "sectors", "%u", SECTORS);
	be_write(be, be->back, "sector-size", "%u", SECTOR);
	be_write(be, be->back, "info", "0");
	if (feature)
		be_write(be, be->back, feature, "1");
	be_state(be, XenbusStateConnected);
}

/* End as a back end whose program was killed does, and begin again. */
static void be_reborn(struct disk *disk)
{
	enum xenbus_state state;

	be_unmap(disk->be, disk->shared);
	be_unbind(disk->be);
	memset(memory, 0, sizeof(memory));
	be_state(disk->be, XenbusStateClosed);
	while ((state = be_front_state(disk->be)) > XenbusStateInitialising)
		usleep(10000);
	if (state == XenbusStateUnknown)
		be_die("the device was removed");
	be_state(disk->be, XenbusStateInitWait);
	disk->stop = false;
	disk->reborn = false;
}

int block_main(struct backend *be, const char *behaviour)
{
	struct disk disk = { .be = be };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(behaviours) && strcmp(behaviours[i].name, behaviour); i++)
		;
	if (i == ARRAY_SIZE(behaviours))
		be_die("unknown behaviour '%s' of vbd; try --help", behaviour);
	connect_disk(&disk, behaviours[i].offer);
	serve(&disk, &behaviours[i]);
	while (disk.reborn) {
		be_reborn(&disk);
		connect_disk(&disk, behaviours[i].offer);
		serve(&disk, &behaviours[i]);
	}
	while (!be_closing(be))
		be_wait(be, PATIENCE);
	be_state(be, XenbusStateClosing);
	if (!strcmp(behaviour, "hold")) {
		/* Until the test removes the whole directory. */
		for (char *online; (online = be_read(be, be->back, "online")); free(online))
			be_wait(be, PATIENCE);
		return 0;
	}
	be_state(be, XenbusStateClosed);
	return 0;
}
