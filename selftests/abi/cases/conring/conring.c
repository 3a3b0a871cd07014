// SPDX-License-Identifier: MIT
/* The console ring of a domU, as the console daemon serves it. */
#include "case.h"
#include <xen/io/console.h>

static struct xencons_interface *ring(void)
{
	return mfn_virt(start_info.console.domU.mfn);
}

static void notify(void)
{
	want_eq(evtchn_send(start_info.console.domU.evtchn), 0);
}

static void put(const char *s, unsigned int n)
{
	struct xencons_interface *r = ring();
	unsigned int i;

	for (i = 0; i < n; i++)
		r->out[MASK_XENCONS_IDX(r->out_prod + i, r->out)] = s[i];
	barrier();
	r->out_prod += n;
}

/*
 * The console page has its documented layout, and output that is in the ring
 * at start of day is shown.
 */
CASE(con_layout, "CON-001 CON-008", DOMU)
{
	struct xencons_interface *r = ring();

	want_eq((char *)r->out - (char *)r, 1024);
	want_eq((char *)&r->in_cons - (char *)r, 3072);
	want_eq((char *)&r->out_prod - (char *)r, 3084);
	want(r->out_prod - r->out_cons <= sizeof(r->out));
	/* The first line of this boot was written before the port was bound. */
	want(until(r->out_cons == r->out_prod, 5000));
	want(r->out_prod > 0);
}

/*
 * The console daemon takes output from the ring, advances out_cons and sends
 * the event.
 */
CASE(con_output, "CON-002 CON-007", DOMU)
{
	unsigned int port = start_info.console.domU.evtchn;
	struct xencons_interface *r = ring();

	want(until(r->out_cons == r->out_prod, 5000));
	port_mask(port);
	port_clear(port);
	put("(any bytes: \001\002\377\033[0m)\n", 23);
	notify();
	want(until(r->out_cons == r->out_prod, 5000));
	want(until(port_pending(port), 3000));
}

/*
 * More output than the ring holds is transferred as room becomes free, and the
 * indices run freely.
 */
CASE(con_full, "CON-004 CON-005", DOMU)
{
	struct xencons_interface *r = ring();
	uint32_t start = r->out_prod;
	char line[100];
	unsigned int i;

	memset(line, '.', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (i = 0; i < 60; i++) {
		if (!until(r->out_prod - r->out_cons <= 1900, 5000))
			want(false);
		put(line, sizeof(line));
		notify();
	}
	want(until(r->out_cons == r->out_prod, 8000));
	want_eq(r->out_prod - start, 6000);
}

/*
 * Without input the input ring stays empty, and the guest's index stays its
 * own.
 */
CASE(con_input, "CON-003", DOMU)
{
	struct xencons_interface *r = ring();
	char buf[16];

	want_eq(r->in_prod - r->in_cons, 0);
	want_eq(console_input(buf, sizeof(buf)), 0);
}

/* An impossible out_prod affects this guest's output only. */
CASE(con_impossible, "CON-006", DOMU)
{
	struct xencons_interface *r = ring();
	uint32_t good;

	want(until(r->out_cons == r->out_prod, 5000));
	good = r->out_prod;
	r->out_prod += 100000;
	notify();
	until(false, 100);
	r->out_cons = good;
	r->out_prod = good;
	barrier();
	notify();
	want(until(r->out_cons == r->out_prod, 5000));
}
