// SPDX-License-Identifier: MIT
/* XenStore client of a bare guest: one request at a time over the shared ring. */
#include "rt.h"

/* The wire header lists its error strings only after errno.h. */
#define EINVAL EINVAL
#include <xen/io/xs_wire.h>

#define EVENTS		8
#define EVENT_SIZE	320

struct xsd_sockmsg store_last;
static char events[EVENTS][EVENT_SIZE];
static unsigned int events_len[EVENTS], event_in, event_out;
static uint32_t next_id;

static struct xenstore_domain_interface *ring(void)
{
	static struct xenstore_domain_interface *r;

	if (!r)
		r = mfn_virt(start_info.store_mfn);
	return r;
}

static void notify(void)
{
	evtchn_send(start_info.store_evtchn);
}

static bool ring_put(const void *data, unsigned int len)
{
	struct xenstore_domain_interface *r = ring();
	const char *p = data;

	while (len) {
		XENSTORE_RING_IDX prod = r->req_prod;

		if (prod - READ_ONCE(r->req_cons) >= XENSTORE_RING_SIZE) {
			notify();
			if (!until(prod - READ_ONCE(r->req_cons) <
				   XENSTORE_RING_SIZE, 5000))
				return false;
		}
		r->req[MASK_XENSTORE_IDX(prod)] = *p++;
		barrier();
		r->req_prod = prod + 1;
		len--;
	}
	return true;
}

static bool ring_get(void *data, unsigned int len, unsigned int ms)
{
	struct xenstore_domain_interface *r = ring();
	char *p = data;

	while (len) {
		XENSTORE_RING_IDX cons = r->rsp_cons;

		if (cons == READ_ONCE(r->rsp_prod)) {
			notify();
			if (!until(cons != READ_ONCE(r->rsp_prod), ms))
				return false;
		}
		barrier();
		if (p)
			*p++ = r->rsp[MASK_XENSTORE_IDX(cons)];
		barrier();
		r->rsp_cons = cons + 1;
		len--;
	}
	return true;
}

/* Take one message off the ring: 1 reply, 0 watch event (queued), -1 none. */
static int receive(char *reply, unsigned int size, unsigned int ms)
{
	struct xsd_sockmsg h;
	unsigned int n;

	if (!ring_get(&h, sizeof(h), ms))
		return -1;
	if (h.len > XENSTORE_PAYLOAD_MAX)
		return -1;
	if (h.type == XS_WATCH_EVENT) {
		n = h.len < EVENT_SIZE ? h.len : EVENT_SIZE;
		events_len[event_in % EVENTS] = n;
		ring_get(events[event_in % EVENTS], n, 5000);
		ring_get(NULL, h.len - n, 5000);
		event_in++;
		return 0;
	}
	n = h.len < size ? h.len : size;
	ring_get(reply, n, 5000);
	ring_get(NULL, h.len - n, 5000);
	if (n < size && reply)
		reply[n] = 0;
	store_last = h;
	return 1;
}

int store_call(unsigned int type, unsigned int tx, const void *body,
	       unsigned int len, char *reply, unsigned int size)
{
	struct xsd_sockmsg h = {
		.type = type, .req_id = ++next_id, .tx_id = tx, .len = len,
	};
	char scratch[64];
	int got;

	if (!reply) {
		reply = scratch;
		size = sizeof(scratch);
	}
	if (!ring_put(&h, sizeof(h)) || !ring_put(body, len))
		return -110;
	notify();
	do {
		got = receive(reply, size, 20000);
	} while (!got);
	if (got < 0)
		return -110;
	if (store_last.type == XS_ERROR) {
		unsigned int i;

		for (i = 0; i < ARRAY_SIZE(xsd_errors); i++)
			if (!strcmp(reply, xsd_errors[i].errstring))
				return -xsd_errors[i].errnum;
		return -1000;
	}
	return (int)store_last.len;
}

int store_op1(unsigned int type, unsigned int tx, const char *path, char *buf,
	      unsigned int size)
{
	return store_call(type, tx, path, (unsigned int)strlen(path) + 1, buf,
			  size);
}

int store_read(const char *path, char *buf, unsigned int size)
{
	return store_op1(XS_READ, 0, path, buf, size);
}

int store_write(const char *path, const char *value)
{
	char body[512];
	unsigned int n = (unsigned int)strlen(path) + 1;

	strcpy(body, path);
	memcpy(body + n, value, strlen(value));
	return store_call(XS_WRITE, 0, body, n + (unsigned int)strlen(value),
			  NULL, 0);
}

int store_event(char *buf, unsigned int size, unsigned int ms)
{
	struct patience wait = patience(ms);
	unsigned int n;

	while (event_in == event_out) {
		if (!patient(&wait) || receive(NULL, 0, ms) < 0)
			return -1;
	}
	n = events_len[event_out % EVENTS];
	if (n > size)
		n = size;
	memcpy(buf, events[event_out % EVENTS], n);
	event_out++;
	return (int)n;
}

long store_number(const char *base, const char *name)
{
	char path[160], buf[24], *p = buf;
	long v = 0;
	int n;

	format(path, sizeof(path), "%s/%s", base, name);
	n = store_read(path, buf, sizeof(buf) - 1);
	if (n <= 0)
		return -1;
	buf[n] = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + *p - '0';
	return v;
}
