// SPDX-License-Identifier: MIT
/*
 * The front end's pages and its event channel, and the violations that need no
 * knowledge of the ring's layout.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "backend.h"

void *be_map(struct backend *be, unsigned int ref, bool writable)
{
	if (!be->grants)
		be->grants = xengnttab_open(NULL, 0);
	if (!be->grants)
		be_die("no grant mapping device");
	return xengnttab_map_grant_ref(be->grants, be->domain, ref,
				       PROT_READ | (writable ? PROT_WRITE : 0));
}

void be_unmap(struct backend *be, void *page)
{
	xengnttab_unmap(be->grants, page, 1);
}

void be_bind(struct backend *be, const char *node)
{
	xenevtchn_port_or_error_t port;

	be->events = xenevtchn_open(NULL, 0);
	if (!be->events)
		be_die("no event channel device");
	port = xenevtchn_bind_interdomain(be->events, be->domain, be_read_number(be, node));
	if (port < 0)
		be_die("cannot bind the front end's %s", node);
	be->port = port;
}

void be_unbind(struct backend *be)
{
	xenevtchn_close(be->events);
	be->events = NULL;
}

void be_notify(struct backend *be)
{
	xenevtchn_notify(be->events, be->port);
}

/* Wait for an event up to a limit; false: none came. */
bool be_wait(struct backend *be, int milliseconds)
{
	struct pollfd wait = { .fd = xenevtchn_fd(be->events), .events = POLLIN };
	xenevtchn_port_or_error_t port;

	if (poll(&wait, 1, milliseconds) <= 0)
		return false;
	port = xenevtchn_pending(be->events);
	if (port < 0)
		return false;
	xenevtchn_unmask(be->events, port);
	return true;
}

bool be_closing(struct backend *be)
{
	enum xenbus_state state = be_front_state(be);

	return state == XenbusStateUnknown || state >= XenbusStateClosing;
}

/* A sequence that is the same each time, so that a failure can be reproduced. */
uint32_t be_random(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 32;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* Rewrite words of a page at random, and send an event now and then. */
void be_scribble(struct backend *be, void *page, int milliseconds)
{
	volatile uint32_t *words = page;
	int64_t end = now() + milliseconds;
	unsigned int i;

	while (now() < end) {
		for (i = 0; i < 64; i++)
			words[be_random() % (PAGE / sizeof(*words))] =
				be_random() >> (be_random() % 32);
		/* Valid indexes let the front end read the rest. */
		words[2] = words[0];
		be_notify(be);
	}
}

/* Send nothing but events. */
void be_storm(struct backend *be, int milliseconds)
{
	int64_t end = now() + milliseconds;

	while (now() < end)
		be_notify(be);
}
