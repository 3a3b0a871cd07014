// SPDX-License-Identifier: MIT
/*
 * A network card without a network: it drops the frames of the guest and sends a
 * broadcast frame for each buffer, by the protocol except for one violation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include <xen/io/netif.h>

#define PATIENCE	50	/* milliseconds between reads of the front end's state */
#define FRAME		60
#define EVIL_FROM	4	/* good frames before the first bad one */

struct card {
	struct backend *be;
	netif_tx_sring_t *tx_shared;
	netif_rx_sring_t *rx_shared;
	netif_tx_back_ring_t tx;
	netif_rx_back_ring_t rx;
	unsigned int sent;	/* frames that the guest has sent */
	unsigned int given;	/* frames given to the guest */
	bool stop_tx, stop_rx;
	bool end;		/* close */
};

static void tx_respond(struct card *card, uint16_t id, int status)
{
	netif_tx_response_t *response = RING_GET_RESPONSE(&card->tx, card->tx.rsp_prod_pvt);

	response->id = id;
	response->status = status;
	card->tx.rsp_prod_pvt++;
	xen_wmb();
	card->tx_shared->rsp_prod = card->tx.rsp_prod_pvt;
	be_notify(card->be);
}

static void tx_honest(struct card *card, const netif_tx_request_t *request)
{
	tx_respond(card, request->id, NETIF_RSP_OKAY);
}

static void tx_unknown_id(struct card *card, const netif_tx_request_t *request)
{
	tx_respond(card, request->id ^ 0x81, NETIF_RSP_OKAY);
}

static void tx_huge_id(struct card *card, const netif_tx_request_t *request)
{
	(void)request;
	tx_respond(card, UINT16_MAX, NETIF_RSP_OKAY);
}

static void tx_twice(struct card *card, const netif_tx_request_t *request)
{
	static uint16_t first;

	if (!(card->sent & 1))
		first = request->id;
	tx_respond(card, first, NETIF_RSP_OKAY);
}

static void tx_status(struct card *card, const netif_tx_request_t *request)
{
	tx_respond(card, request->id, 77);
}

static void tx_backwards(struct card *card, const netif_tx_request_t *request)
{
	tx_honest(card, request);
	card->tx_shared->rsp_prod = card->tx.rsp_prod_pvt - 2;
	be_notify(card->be);
	card->stop_tx = true;
}

static void tx_beyond(struct card *card, const netif_tx_request_t *request)
{
	(void)request;
	card->tx_shared->rsp_prod = card->tx.req_cons + 9;
	be_notify(card->be);
	card->stop_tx = true;
}

static void tx_silent(struct card *card, const netif_tx_request_t *request)
{
	(void)card;
	(void)request;
}

static void tx_vanish(struct card *card, const netif_tx_request_t *request)
{
	(void)request;
	be_vanish(card->be);
	_exit(0);
}

static void tx_scribble(struct card *card, const netif_tx_request_t *request)
{
	(void)request;
	be_scribble(card->be, card->tx_shared, 1000);
	card->stop_tx = true;
}

static void tx_storm(struct card *card, const netif_tx_request_t *request)
{
	be_storm(card->be, 300);
	tx_honest(card, request);
}

static void tx_hold(struct card *card, const netif_tx_request_t *request)
{
	be_map(card->be, request->gref, false);
	tx_honest(card, request);
}

/* By its first ARP request a test begins what the back end does but once. */
static bool tx_begins(struct card *card, const netif_tx_request_t *request)
{
	static bool begun;
	uint8_t *page = be_map(card->be, request->gref, false);
	bool begin;

	if (!page)
		be_die("cannot map a frame");
	begin = !begun && request->offset <= PAGE - FRAME &&
		!memcmp(page + request->offset + 12, "\x08\x06", 2);
	be_unmap(card->be, page);
	tx_honest(card, request);
	begun |= begin;
	return begin;
}

static void tx_toggle(struct card *card, const netif_tx_request_t *request)
{
	if (tx_begins(card, request)) {
		RING_IDX tx = card->tx.rsp_prod_pvt, rx = card->rx.rsp_prod_pvt;
		struct toggle indexes[] = {
			{ &card->tx_shared->rsp_prod, { tx, tx - 1, card->tx.req_cons + 9 } },
			{ &card->rx_shared->rsp_prod,
			  { rx, rx - 1, card->rx_shared->req_prod + 3 } },
		};

		be_toggle(card->be, indexes, ARRAY_SIZE(indexes));
		card->end = true;
	}
}

static void tx_flood(struct card *card, const netif_tx_request_t *request)
{
	if (tx_begins(card, request))
		be_flood(card->be, false);
}

static void tx_flood_states(struct card *card, const netif_tx_request_t *request)
{
	if (tx_begins(card, request)) {
		be_flood(card->be, true);
		card->end = true;
	}
}

static void tx_restart(struct card *card, const netif_tx_request_t *request)
{
	if (tx_begins(card, request)) {
		be_restart(card->be);
		card->end = true;
	}
}

/* Fill a buffer with a broadcast frame of an unused EtherType. */
static void rx_fill(struct card *card, const netif_rx_request_t *request)
{
	uint8_t *page = be_map(card->be, request->gref, true);

	if (!page)
		be_die("cannot map a receive buffer");
	memset(page, 0, FRAME);
	memset(page, 0xff, 6);
	memcpy(page + 6, "\x02\0\0\0\0\1\x88\xb5", 8);
	be_unmap(card->be, page);
}

static void rx_put(struct card *card, uint16_t id, uint16_t offset, uint16_t flags, int status)
{
	netif_rx_response_t *response = RING_GET_RESPONSE(&card->rx, card->rx.rsp_prod_pvt);

	response->id = id;
	response->offset = offset;
	response->flags = flags;
	response->status = status;
	card->rx.rsp_prod_pvt++;
}

static void rx_show(struct card *card)
{
	xen_wmb();
	card->rx_shared->rsp_prod = card->rx.rsp_prod_pvt;
	be_notify(card->be);
}

static void rx_honest(struct card *card, const netif_rx_request_t *request)
{
	rx_fill(card, request);
	rx_put(card, request->id, 0, 0, FRAME);
	rx_show(card);
}

static void rx_id(struct card *card, const netif_rx_request_t *request)
{
	rx_put(card, request->id ^ 0x81, 0, 0, FRAME);
	rx_show(card);
}

static void rx_offset(struct card *card, const netif_rx_request_t *request)
{
	rx_put(card, request->id, 4090, 0, FRAME);
	rx_show(card);
}

static void rx_size(struct card *card, const netif_rx_request_t *request)
{
	rx_put(card, request->id, 0, 0, INT16_MAX);
	rx_show(card);
}

static void rx_empty(struct card *card, const netif_rx_request_t *request)
{
	rx_put(card, request->id, 0, 0, 0);
	rx_show(card);
}

static void rx_error(struct card *card, const netif_rx_request_t *request)
{
	rx_put(card, request->id, 0, 0, NETIF_RSP_ERROR);
	rx_show(card);
}

/* A good frame of two slots, the first of which holds no more than its first byte. */
static void rx_short(struct card *card, const netif_rx_request_t *request)
{
	rx_fill(card, request);
	if (card->given & 1)
		rx_put(card, request->id, 1, 0, FRAME - 1);
	else
		rx_put(card, request->id, 0, NETRXF_more_data, 1);
	rx_show(card);
}

/* Less than an Ethernet header, in two slots. */
static void rx_runt(struct card *card, const netif_rx_request_t *request)
{
	rx_fill(card, request);
	if (card->given & 1)
		rx_put(card, request->id, 0, 0, 12);
	else
		rx_put(card, request->id, 0, NETRXF_more_data, 1);
	rx_show(card);
}

/*
 * An Ethernet header, and in a slot of its own an IPv6 packet whose headers fill
 * the page: an option of 2048 bytes behind another.
 */
static void rx_headers(struct card *card, const netif_rx_request_t *request)
{
	uint8_t *page = be_map(card->be, request->gref, true);

	if (!page)
		be_die("cannot map a receive buffer");
	memset(page, 0, PAGE);
	if (card->given & 1) {
		memcpy(page, "\x60\0\0\0\x0f\xd0\0\xff", 8);
		memset(page + 8, 0xfd, 32);
		memcpy(page + 40, "\x3c\xff", 2);
		memcpy(page + 40 + 2048, "\x06\xf5", 2);
		be_unmap(card->be, page);
		rx_put(card, request->id, 0, 0, 4088);
	} else {
		memset(page, 0xff, 6);
		memcpy(page + 6, "\x02\0\0\0\0\1\x86\xdd", 8);
		be_unmap(card->be, page);
		rx_put(card, request->id, 0, NETRXF_more_data, 14);
	}
	rx_show(card);
}

/* A frame without an end. */
static void rx_chain(struct card *card, const netif_rx_request_t *request)
{
	rx_put(card, request->id, 0, NETRXF_more_data, 4096);
	rx_show(card);
}

/* Announce that the next slot is an extra slot, and fill it with invalid data. */
static void rx_extra(struct card *card, const netif_rx_request_t *request)
{
	if (card->given & 1) {
		netif_extra_info_t *extra = (void *)
			RING_GET_RESPONSE(&card->rx, card->rx.rsp_prod_pvt);

		memset(extra, 0xee, sizeof(*extra));
		card->rx.rsp_prod_pvt++;
	} else {
		rx_put(card, request->id, 0, NETRXF_extra_info, FRAME);
	}
	rx_show(card);
}

static void rx_gso(struct card *card, const netif_rx_request_t *request)
{
	if (card->given & 1) {
		netif_extra_info_t *extra = (void *)
			RING_GET_RESPONSE(&card->rx, card->rx.rsp_prod_pvt);

		memset(extra, 0, sizeof(*extra));
		extra->type = XEN_NETIF_EXTRA_TYPE_GSO;
		extra->u.gso.type = 99;
		card->rx.rsp_prod_pvt++;
	} else {
		rx_fill(card, request);
		rx_put(card, request->id, 0, NETRXF_extra_info | NETRXF_csum_blank, FRAME);
	}
	rx_show(card);
}

static void rx_beyond(struct card *card, const netif_rx_request_t *request)
{
	(void)request;
	card->rx_shared->rsp_prod = card->rx_shared->req_prod + 3;
	be_notify(card->be);
	card->stop_rx = true;
}

static void rx_scribble(struct card *card, const netif_rx_request_t *request)
{
	(void)request;
	be_scribble(card->be, card->rx_shared, 1000);
	card->stop_rx = true;
}

static const struct behaviour {
	const char *name;
	void (*tx)(struct card *card, const netif_tx_request_t *request);
	void (*rx)(struct card *card, const netif_rx_request_t *request);
	const char *what;
} behaviours[] = {
	{ "honest", tx_honest, rx_honest, "follows the protocol (control)" },
	{ "tx-unknown-id", tx_unknown_id, rx_honest, "responds with ids that are not in flight" },
	{ "tx-huge-id", tx_huge_id, rx_honest, "responds with the largest id" },
	{ "tx-twice", tx_twice, rx_honest, "responds to each second frame with the id before" },
	{ "tx-status", tx_status, rx_honest, "responds with an unknown status" },
	{ "tx-backwards", tx_backwards, rx_honest, "moves its producer index backwards" },
	{ "tx-beyond", tx_beyond, rx_honest, "moves its producer index too far" },
	{ "tx-silent", tx_silent, rx_honest, "never responds to a frame" },
	{ "tx-scribble", tx_scribble, rx_honest, "rewrites the shared page at random" },
	{ "rx-id", tx_honest, rx_id, "fills buffers that it does not have" },
	{ "rx-offset", tx_honest, rx_offset, "a frame that ends behind its page" },
	{ "rx-size", tx_honest, rx_size, "a frame larger than its page" },
	{ "rx-empty", tx_honest, rx_empty, "frames without a byte" },
	{ "rx-error", tx_honest, rx_error, "an error in place of each frame" },
	{ "rx-short", tx_honest, rx_short, "frames whose first slot holds one byte" },
	{ "rx-runt", tx_honest, rx_runt, "frames shorter than an Ethernet header" },
	{ "rx-headers", tx_honest, rx_headers, "frames with 4 KiB of headers in the second slot" },
	{ "rx-chain", tx_honest, rx_chain, "a frame that never ends" },
	{ "rx-extra", tx_honest, rx_extra, "an extra slot of an unknown type" },
	{ "rx-gso", tx_honest, rx_gso, "a GSO slot of an unknown type" },
	{ "rx-beyond", tx_honest, rx_beyond, "moves its producer index too far" },
	{ "rx-scribble", tx_honest, rx_scribble, "rewrites the shared page at random" },
	{ "vanish", tx_vanish, rx_honest, "removes its nodes at the first frame" },
	{ "storm", tx_storm, rx_honest, "sends events without end, and follows the protocol" },
	{ "hold", tx_hold, rx_honest, "keeps pages mapped when the device is closed" },
	{ "toggle", tx_toggle, rx_honest, "moves its indexes to and fro from the first ARP on" },
	{ "flood", tx_flood, rx_honest, "rewrites its nodes from the first ARP on" },
	{ "flood-states", tx_flood_states, rx_honest, "the same with its state, then closes" },
	{ "restart", tx_restart, rx_honest, "is made anew all the time from the first ARP on" },
};

void network_list(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(behaviours); i++)
		printf("  %-14s %s\n", behaviours[i].name, behaviours[i].what);
}

static void serve_tx(struct card *card, const struct behaviour *how)
{
	int more = 1;

	while (more && !card->stop_tx && !card->end) {
		while (!card->stop_tx && !card->end && RING_HAS_UNCONSUMED_REQUESTS(&card->tx)) {
			netif_tx_request_t request =
				*RING_GET_REQUEST(&card->tx, card->tx.req_cons);

			card->tx.req_cons++;
			how->tx(card, &request);
			card->sent++;
		}
		RING_FINAL_CHECK_FOR_REQUESTS(&card->tx, more);
	}
}

/* One frame a turn, so that the guest has time to process it. */
static void serve_rx(struct card *card, const struct behaviour *how)
{
	netif_rx_request_t request;

	if (card->stop_rx || card->end || !RING_HAS_UNCONSUMED_REQUESTS(&card->rx))
		return;
	request = *RING_GET_REQUEST(&card->rx, card->rx.req_cons);
	card->rx.req_cons++;
	(card->given < EVIL_FROM ? rx_honest : how->rx)(card, &request);
	card->given++;
}

int network_main(struct backend *be, const char *behaviour)
{
	struct card card = { .be = be };
	const struct behaviour *how;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(behaviours) && strcmp(behaviours[i].name, behaviour); i++)
		;
	if (i == ARRAY_SIZE(behaviours))
		be_die("unknown behaviour '%s' of vif; try --help", behaviour);
	how = &behaviours[i];
	/* A network front end is the first to be connected. */
	be_await_front(be, XenbusStateConnected);
	card.tx_shared = be_map(be, be_read_number(be, "tx-ring-ref"), true);
	card.rx_shared = be_map(be, be_read_number(be, "rx-ring-ref"), true);
	if (!card.tx_shared || !card.rx_shared)
		be_die("cannot map the rings");
	BACK_RING_INIT(&card.tx, card.tx_shared, PAGE);
	BACK_RING_INIT(&card.rx, card.rx_shared, PAGE);
	be_bind(be, "event-channel");
	be_state(be, XenbusStateConnected);
	while (!card.end && !be_closing(be)) {
		serve_tx(&card, how);
		serve_rx(&card, how);
		be_wait(be, card.given < EVIL_FROM ? 1 : PATIENCE);
	}
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
