// SPDX-License-Identifier: MIT
/* XenStore's ring page: indices, pieces, and what a broken guest does to itself. */
#include "case.h"
#include <xen/io/xs_wire.h>

static struct xenstore_domain_interface *ring(void)
{
	return mfn_virt(start_info.store_mfn);
}

static char buf[4100];

/* The ring page has its documented layout. */
CASE(sring_layout, "STO-RING-001 STO-RING-009", DOMU)
{
	struct xenstore_domain_interface *r = ring();
	uint32_t before = r->req_cons;

	want_eq((char *)&r->rsp - (char *)r, 1024);
	want_eq((char *)&r->req_cons - (char *)r, 2048);
	want_eq((char *)&r->server_features - (char *)r, 2064);
	want_eq((char *)&r->connection - (char *)r, 2068);
	want(store_read("domid", buf, sizeof(buf)) > 0);
	want_eq(r->req_cons - before, sizeof(struct xsd_sockmsg) + 6);
	want_eq(r->connection, 0);
}

/* Hundreds of requests wrap the indices around the ring many times. */
CASE(sring_wraps, "STO-RING-002 STO-RING-003 STO-RING-005", DOMU)
{
	unsigned int i;
	char value[600];

	memset(value, 'w', sizeof(value));
	value[450] = 0;
	for (i = 0; i < 100; i++) {
		value[i] = 'x';
		want(store_write("data/wrap", value) >= 0);
		want_eq(store_read("data/wrap", buf, sizeof(buf)), 450);
		want_eq(memcmp(buf, value, 450), 0);
	}
	want(ring()->req_prod > 20 * XENSTORE_RING_SIZE);
	want(store_op1(XS_RM, 0, "data/wrap", NULL, 0) >= 0);
}

/* Messages longer than the ring are transferred as room becomes free. */
CASE(sring_long, "STO-RING-003", DOMU)
{
	static char body[2010];

	memset(body, 'L', sizeof(body));
	memcpy(body, "data/lng", 9);
	want(store_call(XS_WRITE, 0, body, 1909, NULL, 0) >= 0);
	want_eq(store_read("data/lng", buf, sizeof(buf)), 1900);
	want(mem_is(buf, 'L', 1900));
	want(store_op1(XS_RM, 0, "data/lng", NULL, 0) >= 0);
}

/*
 * The daemon raises the ring's event after it takes requests and after it adds
 * replies.
 */
CASE(sring_signal, "STO-RING-004", DOMU)
{
	struct xsd_sockmsg h = { .type = XS_READ, .req_id = 77, .len = 6 };
	struct xenstore_domain_interface *r = ring();
	unsigned int i, port = start_info.store_evtchn;
	const char *p = (const char *)&h;

	port_mask(port);
	port_clear(port);
	for (i = 0; i < sizeof(h) + 6; i++) {
		char c = i < sizeof(h) ? p[i] : "domid"[i - sizeof(h)];

		r->req[MASK_XENSTORE_IDX(r->req_prod + i)] = c;
	}
	barrier();
	r->req_prod += sizeof(h) + 6;
	want_eq(evtchn_send(port), 0);
	want(until(port_pending(port), 10000));
	want(until(r->rsp_prod != r->rsp_cons, 10000));
	want(until(r->rsp_prod - r->rsp_cons > sizeof(h), 10000));
	r->rsp_cons = r->rsp_prod;
	want(store_read("domid", buf, sizeof(buf)) > 0);
}

/* A payload length beyond the limit ends this guest's connection only. */
CASE(sring_too_long, "STO-RING-008", DOMU | ALONE)
{
	struct xenstore_domain_interface *r = ring();
	struct xsd_sockmsg h = { .type = XS_READ, .req_id = 1, .len = 5000 };
	unsigned int i;
	uint32_t before;

	for (i = 0; i < sizeof(h); i++)
		r->req[MASK_XENSTORE_IDX(r->req_prod + i)] = ((char *)&h)[i];
	barrier();
	r->req_prod += sizeof(h);
	want_eq(evtchn_send(start_info.store_evtchn), 0);
	/* The daemon may take the header, at a time of its own. */
	until(r->req_cons == r->req_prod, 5000);
	before = r->req_cons;
	for (i = 0; i < 64; i++)
		r->req[MASK_XENSTORE_IDX(r->req_prod + i)] = 0;
	barrier();
	r->req_prod += 64;
	want_eq(evtchn_send(start_info.store_evtchn), 0);
	until(false, 300);
	want_eq(r->req_cons, before);
	want(r->server_features & 2 ? until(r->error == 3, 5000) : true);
}

/* An index that is too far ahead ends this guest's connection only. */
CASE(sring_impossible, "STO-RING-007", DOMU | ALONE)
{
	struct xenstore_domain_interface *r = ring();
	uint32_t cons = r->req_cons;

	r->req_prod += 5000;
	barrier();
	want_eq(evtchn_send(start_info.store_evtchn), 0);
	until(false, 300);
	want_eq(r->req_cons, cons);
	want(r->server_features & 2 ? until(r->error == 2, 5000) : true);
}

/* A guest can reconnect where the daemon offers it. */
CASE(sring_reconnect, "STO-RING-006", DOMU | ALONE)
{
	struct xenstore_domain_interface *r = ring();

	needs(r->server_features & 1, "the daemon has no feature bit for reconnection");
	r->connection = 1;
	barrier();
	want_eq(evtchn_send(start_info.store_evtchn), 0);
	want(until(r->connection == 0, 10000));
	want_eq(r->req_prod - r->req_cons, 0);
	want(store_read("domid", buf, sizeof(buf)) > 0);
}
