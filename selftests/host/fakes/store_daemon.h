/* SPDX-License-Identifier: MIT */
/*
 * A XenStore daemon for tests of its client: a flat list of nodes, one guest, and
 * options to be slow, to reply out of order, or to break the protocol.  It also
 * replaces the platform: ring page, event channel, interrupt.
 *
 * Included after driver/kernel.c.
 */
#include <pvguest/platform.h>
#include <xen/interface/io/xs_wire.h>

#ifndef DAEMON_NODES
#define DAEMON_NODES	600
#endif
#define DAEMON_WATCHES	16
/* As Xen's daemon allows a domain. */
#define DAEMON_TXNS	10
#define DAEMON_HELD	8

struct daemon_message {
	struct xsd_sockmsg head;
	char body[XENSTORE_PAYLOAD_MAX + 1];
};

static struct {
	struct xenstore_domain_interface *ring;
	struct page *page;
	/* The store. */
	struct {
		char path[64];
		char value[XENSTORE_PAYLOAD_MAX + 1];
		u32 len;
	} nodes[DAEMON_NODES];
	unsigned int node_count;
	char watches[DAEMON_WATCHES][2][64];
	unsigned int watch_count;
	u32 txns[DAEMON_TXNS];
	u32 last_txn;
	unsigned long generation;
	/* The connection. */
	struct daemon_message in;
	u32 have;
	char *out;
	u32 out_len, out_size;
	/* Behaviour. */
	u32 pace;		/* bytes moved at a time */
	bool silent;		/* take requests, reply to none */
	bool conflict;		/* every commit fails */
	unsigned int fickle;	/* directories change while listed, so often */
	u32 piece;		/* bytes of names in a DIRECTORY_PART */
	bool stuck;		/* take no more requests */
	bool wild;		/* the daemon's half of the ring may be invalid */
	bool reverse;		/* reply to pairs in reverse order */
	const char *refuse;	/* reply to all with this error name */
	void (*bend)(struct daemon_message *reply);	/* called before each reply is sent */
	struct daemon_message held;
	bool holding;
	/* Counts. */
	unsigned int asked[XS_TYPE_COUNT];
	unsigned int notified, eois, idle_eois;
	irq_handler_t handler;
	bool event;
} daemon;

struct pvguest_ring_page pvguest_store_ring(void)
{
	return (struct pvguest_ring_page){ .page = daemon.ring, .port = 3 };
}

int pvguest_bind_port(unsigned int port, irq_handler_t handler,
		      unsigned int flags, const char *name, void *dev)
{
	shim_check(port == 3 && flags & PVGUEST_EVENT_LATE_EOI, "port");
	daemon.handler = handler;
	return 5;
}

void pvguest_notify(unsigned int irq)
{
	shim_check(irq == 5, "irq");
	daemon.notified++;
}

void pvguest_irq_eoi(unsigned int irq, bool spurious)
{
	daemon.eois++;
	daemon.idle_eois += spurious;
}

/* A message whose header may have another length than its payload. */
static void daemon_put(u32 type, u32 req_id, u32 tx_id, const void *body, u32 len,
		       u32 head_len)
{
	struct xsd_sockmsg head = { type, req_id, tx_id, head_len };

	while (daemon.out_len + sizeof(head) + len > daemon.out_size) {
		daemon.out_size += 65536;
		daemon.out = realloc(daemon.out, daemon.out_size);
	}
	memcpy(daemon.out + daemon.out_len, &head, sizeof(head));
	memcpy(daemon.out + daemon.out_len + sizeof(head), body, len);
	daemon.out_len += sizeof(head) + len;
}

static void daemon_queue(u32 type, u32 req_id, u32 tx_id, const void *body, u32 len)
{
	daemon_put(type, req_id, tx_id, body, len, len);
}

static void daemon_send(struct daemon_message *msg)
{
	if (daemon.bend)
		daemon.bend(msg);
	daemon_queue(msg->head.type, msg->head.req_id, msg->head.tx_id, msg->body,
		     msg->head.len);
}

static void daemon_reply(u32 type, const void *body, u32 len)
{
	struct daemon_message msg = {
		.head = { type, daemon.in.head.req_id, daemon.in.head.tx_id, len },
	};

	if (daemon.silent)
		return;
	memcpy(msg.body, body, len);
	if (daemon.reverse && !daemon.holding) {
		daemon.held = msg;
		daemon.holding = true;
		return;
	}
	daemon_send(&msg);
	if (daemon.holding) {
		daemon.holding = false;
		daemon_send(&daemon.held);
	}
}

static void daemon_error(const char *name)
{
	daemon_reply(XS_ERROR, name, strlen(name) + 1);
}

static int daemon_find(const char *path)
{
	unsigned int i;

	for (i = 0; i < daemon.node_count; i++)
		if (!strcmp(daemon.nodes[i].path, path))
			return i;
	return -1;
}

static void daemon_event(unsigned int watch, const char *path)
{
	char body[256];
	int len = sprintf(body, "%s%c%s", path, 0, daemon.watches[watch][1]);

	daemon_queue(XS_WATCH_EVENT, 0, 0, body, len + 1);
}

static void daemon_changed(const char *path)
{
	unsigned int i;

	for (i = 0; i < daemon.watch_count; i++)
		if (!strncmp(daemon.watches[i][0], path, strlen(daemon.watches[i][0])))
			daemon_event(i, path);
}

static void daemon_set(const char *path, const void *value, u32 len)
{
	int i = daemon_find(path);

	if (i < 0) {
		if (daemon.wild && daemon.node_count == DAEMON_NODES)
			return;
		i = daemon.node_count++;
		shim_check(i < DAEMON_NODES, "too many nodes");
		strcpy(daemon.nodes[i].path, path);
	}
	memcpy(daemon.nodes[i].value, value, len);
	daemon.nodes[i].len = len;
	daemon_changed(path);
}

/* Names below @dir, each ended by a zero byte. */
static u32 daemon_names(const char *dir, char *names)
{
	size_t dir_len = strlen(dir);
	unsigned int i;
	u32 len = 0;

	for (i = 0; i < daemon.node_count; i++) {
		const char *path = daemon.nodes[i].path;

		if (!strncmp(path, dir, dir_len) && path[dir_len] == '/' &&
		    !strchr(path + dir_len + 1, '/'))
			len += sprintf(names + len, "%s", path + dir_len + 1) + 1;
	}
	return len;
}

static void daemon_directory(bool part)
{
	static char names[DAEMON_NODES * 64];
	const char *path = daemon.in.body;
	u32 len = daemon_names(path, names), at, n;
	char body[XENSTORE_PAYLOAD_MAX];
	int head;

	if (!part && len > XENSTORE_PAYLOAD_MAX) {
		daemon_error("E2BIG");
		return;
	}
	if (!part) {
		daemon_reply(XS_DIRECTORY, names, len);
		return;
	}
	at = min_t(u32, atoi(path + strlen(path) + 1), len);
	if (daemon.fickle && at) {
		daemon.fickle--;
		daemon.generation++;
	}
	head = sprintf(body, "%lu", daemon.generation) + 1;
	n = min(daemon.piece, len - at);
	while (n && names[at + n - 1])
		n--;
	memcpy(body + head, names + at, n);
	if (at + n == len)
		body[head + n++] = 0;
	daemon_reply(XS_DIRECTORY_PART, body, head + n);
}

static u32 *daemon_txn(u32 id)
{
	unsigned int i;

	for (i = 0; i < DAEMON_TXNS; i++)
		if (daemon.txns[i] == id)
			return &daemon.txns[i];
	return NULL;
}

/* The name of the error that requests of any type get, or NULL. */
static const char *daemon_refusal(const char *path, const char *second)
{
	const struct daemon_message *in = &daemon.in;

	if (strlen(path) >= 64 || (in->head.type != XS_WRITE && strlen(second) >= 64))
		return "EINVAL";
	if (daemon.refuse)
		return daemon.refuse;
	return in->head.tx_id && !daemon_txn(in->head.tx_id) ? "ENOENT" : NULL;
}

static void daemon_read(const char *path)
{
	int i = daemon_find(path);

	if (i < 0)
		daemon_error("ENOENT");
	else
		daemon_reply(XS_READ, daemon.nodes[i].value, daemon.nodes[i].len);
}

static void daemon_remove(const char *path)
{
	int i = daemon_find(path);

	if (i >= 0)
		daemon.nodes[i] = daemon.nodes[--daemon.node_count];
	daemon_reply(XS_RM, "OK", 3);
}

static void daemon_begin(void)
{
	u32 *txn = daemon_txn(0);
	char text[16];

	if (!txn) {
		daemon_error("ENOSPC");
		return;
	}
	*txn = ++daemon.last_txn;
	daemon_reply(XS_TRANSACTION_START, text, sprintf(text, "%u", *txn) + 1);
}

static void daemon_end(bool commit)
{
	u32 *txn = daemon_txn(daemon.in.head.tx_id);

	if (txn)
		*txn = 0;
	if (daemon.conflict && commit)
		daemon_error("EAGAIN");
	else
		daemon_reply(XS_TRANSACTION_END, "OK", 3);
}

/* The number of the watch with @token, or how many there are. */
static int daemon_find_watch(const char *token)
{
	int i;

	for (i = 0; i < daemon.watch_count; i++)
		if (!strcmp(daemon.watches[i][1], token))
			break;
	return i;
}

static void daemon_watch(const char *path, const char *token)
{
	int i = daemon_find_watch(token);

	if (i < daemon.watch_count) {
		daemon_error("EEXIST");
		return;
	}
	if (i == DAEMON_WATCHES) {
		daemon_error("E2BIG");
		return;
	}
	strcpy(daemon.watches[i][0], path);
	strcpy(daemon.watches[i][1], token);
	daemon.watch_count++;
	daemon_reply(XS_WATCH, "OK", 3);
	daemon_event(i, path);
}

static void daemon_unwatch(const char *token)
{
	int i = daemon_find_watch(token);

	if (i < daemon.watch_count) {
		daemon.watch_count--;
		memmove(daemon.watches[i], daemon.watches[i + 1],
			(daemon.watch_count - i) * sizeof(daemon.watches[0]));
	}
	daemon_reply(XS_UNWATCH, "OK", 3);
}

static void daemon_serve(void)
{
	struct daemon_message *in = &daemon.in;
	const char *path = in->body, *second = path + strlen(path) + 1, *refusal;

	if (second > in->body + in->head.len)
		second = in->body + in->head.len;
	daemon.asked[in->head.type]++;
	refusal = daemon_refusal(path, second);
	if (refusal) {
		daemon_error(refusal);
		return;
	}
	switch (in->head.type) {
	case XS_READ:
		daemon_read(path);
		break;
	case XS_WRITE:
		daemon_reply(XS_WRITE, "OK", 3);
		daemon_set(path, second, in->body + in->head.len - second);
		break;
	case XS_RM:
		daemon_remove(path);
		break;
	case XS_DIRECTORY:
	case XS_DIRECTORY_PART:
		daemon_directory(in->head.type == XS_DIRECTORY_PART);
		break;
	case XS_TRANSACTION_START:
		daemon_begin();
		break;
	case XS_TRANSACTION_END:
		daemon_end(*path == 'T');
		break;
	case XS_WATCH:
		daemon_watch(path, second);
		break;
	case XS_UNWATCH:
		daemon_unwatch(second);
		break;
	default:
		daemon_reply(in->head.type, "OK", 3);
		break;
	}
}

/* Take request bytes, write reply bytes, @pace at most of each. */
static void daemon_run(void)
{
	struct xenstore_domain_interface *ring = daemon.ring;
	u32 n;

	for (n = daemon.stuck ? 0 : daemon.pace; n && ring->req_cons != ring->req_prod; n--) {
		char c = ring->req[MASK_XENSTORE_IDX(ring->req_cons)];

		shim_check(daemon.wild ||
			   ring->req_prod - ring->req_cons <= XENSTORE_RING_SIZE,
			   "the client overran the ring");
		((char *)&daemon.in)[daemon.have++] = c;
		ring->req_cons++;
		daemon.event = true;
		if (daemon.have == sizeof(daemon.in.head) &&
		    (daemon.in.head.len > XENSTORE_PAYLOAD_MAX ||
		     daemon.in.head.type >= XS_TYPE_COUNT)) {
			shim_check(daemon.wild, "no request of the protocol");
			daemon.stuck = true;
			break;
		}
		if (daemon.have < sizeof(daemon.in.head) ||
		    daemon.have < sizeof(daemon.in.head) + daemon.in.head.len)
			continue;
		daemon.in.body[daemon.in.head.len] = 0;
		daemon.have = 0;
		daemon_serve();
	}
	for (n = 0; n < daemon.pace && n < daemon.out_len; n++) {
		if (ring->rsp_prod - ring->rsp_cons == XENSTORE_RING_SIZE)
			break;
		ring->rsp[MASK_XENSTORE_IDX(ring->rsp_prod)] = daemon.out[n];
		ring->rsp_prod++;
		daemon.event = true;
	}
	daemon.out_len -= n;
	if (n)
		memmove(daemon.out, daemon.out + n, daemon.out_len);
}

/* One turn of the daemon, the interrupt and the client's worker. */
static bool daemon_turn(void)
{
	daemon_run();
	if (daemon.event && daemon.handler) {
		daemon.event = false;
		daemon.handler(5, NULL);
	}
	return shim_run_work();
}

/* Until nothing moves any more. */
static inline void daemon_settle(void)
{
	while (daemon_turn())
		;
}

/* The daemon drops all state, as a reset requests. */
static inline void daemon_forget(void)
{
	struct xenstore_domain_interface *ring = daemon.ring;

	daemon.have = 0;
	daemon.out_len = 0;
	daemon.stuck = false;
	daemon.holding = false;
	daemon.watch_count = 0;
	memset(daemon.txns, 0, sizeof(daemon.txns));
	ring->req_cons = 0;
	ring->req_prod = 0;
	ring->rsp_cons = 0;
	ring->rsp_prod = 0;
	ring->error = 0;
	ring->connection = XENSTORE_CONNECTED;
	daemon.event = true;
}

static void daemon_start(void)
{
	char *out = daemon.out;
	u32 size = daemon.out_size;

	memset(&daemon, 0, sizeof(daemon));
	daemon.out = out;
	daemon.out_size = size;
	daemon.page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	daemon.ring = page_address(daemon.page);
	daemon.pace = XENSTORE_RING_SIZE;
	daemon.piece = 3000;
}
