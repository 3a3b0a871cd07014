// SPDX-License-Identifier: MIT
/*
 * Back ends that keep the front end busy: by the index of a ring, or by their
 * nodes.  Each goes on until the test makes the node "enough", so that the test
 * can look at other devices meanwhile, and then writes to the node "over" how
 * often it has done it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"

#define LEAST_EVENTS	9000	/* at any rate, however early the test has enough */
#define LEAST_WRITES	500
#define NODES		400	/* further ones that be_flood() makes */
#define LONG_VALUE	3900	/* bytes; with the path, less than a message may have */

/* The test has seen enough, or the device is not there any more. */
static bool be_enough(struct backend *be)
{
	char *text = be_read(be, be->back, "enough");

	free(text);
	return text || be_front_state(be) == XenbusStateUnknown;
}

/* The last word of a back end that was busy. */
static void be_over(struct backend *be, unsigned int times)
{
	be_write(be, be->back, "over", "%u", times);
}

/* Give each index one of its values after the other, with an event each time. */
void be_toggle(struct backend *be, const struct toggle *toggles, unsigned int count)
{
	unsigned int events = 0;
	unsigned int i, value;

	while (events < LEAST_EVENTS || !be_enough(be)) {
		for (value = 0; value < ARRAY_SIZE(toggles->values); value++) {
			for (i = 0; i < count; i++)
				*toggles[i].index = toggles[i].values[value];
			xen_mb();
			be_notify(be);
			events++;
		}
	}
	be_over(be, events);
}

static void be_write_bytes(struct backend *be, const char *node, const char *value, size_t size)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", be->back, node);
	if (!xs_write(be->store, XBT_NULL, path, value, size))
		be_die("cannot write %s", path);
}

static const struct {
	const char *node;
	const char *values[2];
} nodes[] = {
	/* The second value, which is the last one, is that of a connected back end. */
	{ "feature-flush-cache", { "1", "0" } },
	{ "feature-persistent", { "1", "0" } },
	{ "feature-sg", { "0", "1" } },
	{ "feature-rx-copy", { "0", "1" } },
	{ "hotplug-status", { "error", "connected" } },
	{ "multi-queue-max-queues", { "4294967295", "1" } },
	{ "sector-size", { "4096", "512" } },
	{ "info", { "4", "0" } },
};

/* Rewrite nodes for ever, and make many more.  With @states, that of the state, too. */
void be_flood(struct backend *be, bool states)
{
	unsigned int writes = 0, rounds, i;
	char value[LONG_VALUE], node[32];

	memset(value, 'x', sizeof(value));
	for (rounds = 0; (rounds & 1) || writes < LEAST_WRITES || !be_enough(be); rounds++) {
		for (i = 0; i < ARRAY_SIZE(nodes); i++) {
			const char *text = nodes[i].values[rounds & 1];

			be_write_bytes(be, nodes[i].node, text, strlen(text));
			/* The one that an event for user programs follows, in each pause. */
			be_write_bytes(be, "sectors", i & 1 ? "8192" : "4096", 4);
			if (states)
				be_state(be, i & 1 ? XenbusStateConnected : XenbusStateInitWait);
		}
		snprintf(node, sizeof(node), "unknown/%u", rounds % NODES);
		be_write_bytes(be, node, value, sizeof(value));
		writes += ARRAY_SIZE(nodes) * (states ? 3 : 2) + 1;
	}
	be_over(be, writes);
}

/* Wait for the front end's state, unless the test has had enough. */
static bool be_await_state(struct backend *be, enum xenbus_state least)
{
	while (be_front_state(be) < least || be_closing(be)) {
		if (be_enough(be))
			return false;
		usleep(1000);
	}
	return true;
}

/*
 * Be made anew again and again: each time it does not exist for a moment, and then connects at
 * once to the front end's new rings, which it does not map.
 */
void be_restart(struct backend *be)
{
	unsigned int restarts = 0;

	do {
		be_state(be, XenbusStateInitialising);
		be_write(be, be->back, "restarts", "%u", ++restarts);
		while (be_front_state(be) > XenbusStateInitialising && !be_enough(be))
			usleep(1000);
		be_state(be, XenbusStateInitWait);
		if (!be_await_state(be, XenbusStateInitialised))
			break;
		be_state(be, XenbusStateConnected);
	} while (be_await_state(be, XenbusStateConnected));
	be_over(be, restarts);
}
