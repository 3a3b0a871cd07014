// SPDX-License-Identifier: MIT
/*
 * The hostile device in XenStore.  The control domain's kernel does not watch its
 * back-end directory, so that no other back end serves it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"

void be_die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "hostile: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(1);
}

void be_open(struct backend *be, const char *type, unsigned int domain,
	     unsigned int id)
{
	be->type = type;
	be->domain = domain;
	be->id = id;
	snprintf(be->front, sizeof(be->front), "/local/domain/%u/device/%s/%u", domain, type, id);
	snprintf(be->back, sizeof(be->back), "/local/domain/0/hostile/%s/%u/%u", type, domain, id);
	be->store = xs_open(0);
	if (!be->store)
		be_die("no XenStore");
}

void be_write(struct backend *be, const char *dir, const char *node,
	      const char *format, ...)
{
	char path[160], value[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	snprintf(path, sizeof(path), "%s/%s", dir, node);
	if (!xs_write(be->store, be->txn, path, value, strlen(value)))
		be_die("cannot write %s", path);
}

char *be_read(struct backend *be, const char *dir, const char *node)
{
	unsigned int length;
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, node);
	return xs_read(be->store, XBT_NULL, path, &length);
}

/* A number that the front end has written. */
unsigned int be_read_number(struct backend *be, const char *node)
{
	char *text = be_read(be, be->front, node);
	unsigned int value;

	if (!text)
		be_die("the front end wrote no %s", node);
	value = strtoul(text, NULL, 10);
	free(text);
	return value;
}

/* The directories of front end and back end, with the permissions that a tool stack sets. */
static void be_make_device(struct backend *be)
{
	struct xs_permissions front[] = {
		{ .id = be->domain, .perms = XS_PERM_NONE },
		{ .id = 0, .perms = XS_PERM_READ },
	}, back[] = {
		{ .id = 0, .perms = XS_PERM_NONE },
		{ .id = be->domain, .perms = XS_PERM_READ },
	};

	/*
	 * The last back end of this device may have written to its directory
	 * after the directory was removed, which leaves a node that the guest
	 * may not read.
	 */
	xs_rm(be->store, be->txn, be->back);
	xs_mkdir(be->store, be->txn, be->back);
	xs_set_permissions(be->store, be->txn, be->back, back, 2);
	be_write(be, be->back, "frontend", "%s", be->front);
	be_write(be, be->back, "frontend-id", "%u", be->domain);
	be_write(be, be->back, "online", "1");
	if (!strcmp(be->type, "vif")) {
		be_write(be, be->back, "feature-rx-copy", "1");
		be_write(be, be->back, "feature-sg", "1");
		be_write(be, be->back, "feature-gso-tcpv4", "1");
	}
	be_write(be, be->back, "state", "%d", XenbusStateInitWait);

	xs_mkdir(be->store, be->txn, be->front);
	xs_set_permissions(be->store, be->txn, be->front, front, 2);
	be_write(be, be->front, "backend", "%s", be->back);
	be_write(be, be->front, "backend-id", "0");
	if (!strcmp(be->type, "vbd")) {
		be_write(be, be->front, "virtual-device", "%u", be->id);
		be_write(be, be->front, "device-type", "disk");
	} else {
		be_write(be, be->front, "handle", "%u", be->id);
		be_write(be, be->front, "mac", "00:16:3e:66:00:%02x", be->id & 255);
	}
	be_write(be, be->front, "state", "%d", XenbusStateInitialising);
}

/* At once, as a tool stack does: the front end would act on half of the nodes. */
void be_create(struct backend *be)
{
	bool done;

	do {
		be->txn = xs_transaction_start(be->store);
		if (be->txn == XBT_NULL)
			be_die("no transaction");
		be_make_device(be);
		done = xs_transaction_end(be->store, be->txn, false);
		be->txn = XBT_NULL;
		if (!done && errno != EAGAIN)
			be_die("the device cannot be made");
	} while (!done);
}

void be_state(struct backend *be, enum xenbus_state state)
{
	be_write(be, be->back, "state", "%d", state);
}

/* Unknown, too, after the whole device was removed. */
enum xenbus_state be_front_state(struct backend *be)
{
	char *text = be_read(be, be->front, "state");
	enum xenbus_state state = text ? strtoul(text, NULL, 10) : XenbusStateUnknown;

	free(text);
	return state;
}

/* Wait until the front end's state is at least LEAST. */
void be_await_front(struct backend *be, enum xenbus_state least)
{
	enum xenbus_state state;
	unsigned int count;
	char path[160];

	snprintf(path, sizeof(path), "%s/state", be->front);
	xs_watch(be->store, path, "state");
	while ((state = be_front_state(be)) < least) {
		char **event;

		/* Do not serve a later device of this name. */
		if (state == XenbusStateUnknown)
			be_die("the device was removed");
		event = xs_read_watch(be->store, &count);
		if (!event)
			be_die("the connection to XenStore ended");
		free(event);
	}
	xs_unwatch(be->store, path, "state");
}

/* Remove the back end's directory without closing. */
void be_vanish(struct backend *be)
{
	xs_rm(be->store, XBT_NULL, be->back);
}
