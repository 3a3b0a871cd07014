// SPDX-License-Identifier: MIT
/*
 * The hostile device in the store.  Its back-end directory is not where the
 * control domain's kernel looks for work, so that nobody but us serves it.
 */
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
		be_die("no store");
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
	if (!xs_write(be->store, XBT_NULL, path, value, strlen(value)))
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

/* Both directories, with the rights that a tool stack would give them. */
void be_create(struct backend *be)
{
	struct xs_permissions front[] = {
		{ .id = be->domain, .perms = XS_PERM_NONE },
		{ .id = 0, .perms = XS_PERM_READ },
	}, back[] = {
		{ .id = 0, .perms = XS_PERM_NONE },
		{ .id = be->domain, .perms = XS_PERM_READ },
	};

	/*
	 * Whoever served this device before may have written its last words
	 * after the directory was taken away, as a node that the guest may not
	 * read.
	 */
	xs_rm(be->store, XBT_NULL, be->back);
	xs_mkdir(be->store, XBT_NULL, be->back);
	xs_set_permissions(be->store, XBT_NULL, be->back, back, 2);
	be_write(be, be->back, "frontend", "%s", be->front);
	be_write(be, be->back, "frontend-id", "%u", be->domain);
	be_write(be, be->back, "online", "1");
	if (!strcmp(be->type, "vif")) {
		be_write(be, be->back, "feature-rx-copy", "1");
		be_write(be, be->back, "feature-sg", "1");
		be_write(be, be->back, "feature-gso-tcpv4", "1");
	}
	be_write(be, be->back, "state", "%d", XenbusStateInitWait);

	xs_mkdir(be->store, XBT_NULL, be->front);
	xs_set_permissions(be->store, XBT_NULL, be->front, front, 2);
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

void be_state(struct backend *be, enum xenbus_state state)
{
	be_write(be, be->back, "state", "%d", state);
}

/* Unknown, too, when the whole device has been taken away. */
enum xenbus_state be_front_state(struct backend *be)
{
	char *text = be_read(be, be->front, "state");
	enum xenbus_state state = text ? strtoul(text, NULL, 10) : XenbusStateUnknown;

	free(text);
	return state;
}

/* Wait until the front end has come as far as LEAST. */
void be_await_front(struct backend *be, enum xenbus_state least)
{
	enum xenbus_state state;
	unsigned int count;
	char path[160];

	snprintf(path, sizeof(path), "%s/state", be->front);
	xs_watch(be->store, path, "state");
	while ((state = be_front_state(be)) < least) {
		char **event;

		/* Serve no other device that comes under this name. */
		if (state == XenbusStateUnknown)
			be_die("the device was taken away");
		event = xs_read_watch(be->store, &count);
		if (!event)
			be_die("the store went away");
		free(event);
	}
	xs_unwatch(be->store, path, "state");
}

/* The back end's directory is gone from one moment to the next. */
void be_vanish(struct backend *be)
{
	xs_rm(be->store, XBT_NULL, be->back);
}
