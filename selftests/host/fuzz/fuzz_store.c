// SPDX-License-Identifier: MIT
/*
 * Fuzz target "store": the XenStore client (drivers/pvbus/store*.c) with
 * concurrent callers, and a daemon that is slow, loses state, dies or breaks the
 * protocol.
 */
#include <pvbus/store.h>

#include "fuzz.h"

#define DAEMON_NODES	24
#include "../fakes/store_daemon.h"

#define WATCHES		4
#define DEPTH		3

extern int (*const shim_init_pvstore_init)(void);

static struct pvstore_watch watches[WATCHES];
static bool watching[WATCHES];
static unsigned int events;
static u32 txn;
static unsigned int depth;
/* No caller waits any more: the guest is going down. */
static bool killed;
/* While a caller waits only the daemon acts. */
static bool quiet;

static const char * const nodes[] = { "a", "b", "dir/a", "dir/b", "dir", "" };

static const char *any_node(void)
{
	return nodes[next_below(ARRAY_SIZE(nodes))];
}

static void changed(struct pvstore_watch *watch, const char *path)
{
	must(watch >= watches && watch < watches + WATCHES);
	must(watching[watch - watches]);
	/* A string. */
	must(strlen(path) <= XENSTORE_PAYLOAD_MAX);
	events++;
}

/* A good reply with one byte or so changed. */
static void bend(struct daemon_message *reply)
{
	switch (next_u8() % 6) {
	case 0:
		reply->head.type = next_evil(reply->head.type);
		break;
	case 1:
		reply->head.req_id = next_evil(reply->head.req_id);
		break;
	case 2:
		reply->head.tx_id = next_evil(reply->head.tx_id);
		break;
	case 3:
		reply->head.len = next_evil(reply->head.len);
		break;
	default:
		reply->body[next_u16() % sizeof(reply->body)] = next_u8();
		reply->body[next_below(8)] = next_u8();
		break;
	}
	daemon.bend = NULL;
}

/* Something that a daemon may do; false if the script has something else in mind. */
static bool change_behaviour(void)
{
	static const char * const names[] = { "EINVAL", "E2BIG", "nonsense", "" };

	switch (next_u8() % 12) {
	case 0:
		daemon.pace = 1 + next_u8();
		return true;
	case 1:
		daemon.pace = XENSTORE_RING_SIZE;
		return true;
	case 2:
		daemon.conflict = !daemon.conflict;
		return true;
	case 3:
		daemon.reverse = !daemon.reverse;
		return true;
	case 4:
		daemon.fickle = next_u8() & 3;
		daemon.piece = 3 + next_u8();
		return true;
	case 5:
		daemon.refuse = daemon.refuse ? NULL : names[next_u8() & 3];
		return true;
	default:
		return false;
	}
}

static void break_protocol(void)
{
	struct xenstore_domain_interface *ring = daemon.ring;
	char body[40];
	u32 i, len;

	if (change_behaviour() || !may_break)
		return;
	honest = false;
	switch (next_u8() % 8) {
	case 0:
		daemon.bend = bend;
		break;
	case 1:
		len = next_below(sizeof(body));
		for (i = 0; i < len; i++)
			body[i] = next_u8();
		daemon_queue(next_u8() & 1 ? XS_WATCH_EVENT : next_u8(),
			     next_u8(), 0, body, len);
		break;
	case 2:
		ring->rsp_prod = next_evil(ring->rsp_cons);
		break;
	case 3:
		ring->req_cons = next_evil(ring->req_prod);
		break;
	case 4:
		ring->server_features = next_u8();
		break;
	case 5:
		ring->error = next_evil(0);
		break;
	case 6:
		ring->connection = next_u8() & 3;
		break;
	case 7:
		((u8 *)ring)[next_u16() % sizeof(*ring)] = next_u8();
		break;
	}
	daemon.event = true;
}

/*
 * A daemon that has broken the protocol may have lost the start of a message: it
 * takes the bytes there as one, and replies.
 */
static void reply_something(void)
{
	static const char * const replies[] = { "OK", "7", "1\0a", "", "ENOENT" };
	struct xenstore_domain_interface *ring = daemon.ring;
	const u32 head = sizeof(daemon.in.head);
	const char *reply = replies[next_below(ARRAY_SIZE(replies))];
	u32 n, type, len = strlen(reply) + !!*reply;

	for (n = 0; n < daemon.pace && ring->req_cons != ring->req_prod; n++) {
		((char *)&daemon.in)[daemon.have++] =
			ring->req[MASK_XENSTORE_IDX(ring->req_cons)];
		ring->req_cons++;
		if (daemon.have < head ||
		    daemon.have < head + min(daemon.in.head.len,
					     (u32)XENSTORE_PAYLOAD_MAX))
			continue;
		daemon.have = 0;
		type = reply[0] == 'E' ? XS_ERROR : daemon.in.head.type;
		if (daemon.out_len < 4 * XENSTORE_RING_SIZE)
			daemon_queue(type, daemon.in.head.req_id,
				     daemon.in.head.tx_id, reply,
				     reply[0] == '1' ? 4 : len);
	}
	for (n = 0; n < daemon.pace && n < daemon.out_len &&
	     ring->rsp_prod - ring->rsp_cons != XENSTORE_RING_SIZE; n++) {
		ring->rsp[MASK_XENSTORE_IDX(ring->rsp_prod)] = daemon.out[n];
		ring->rsp_prod++;
	}
	daemon.out_len -= n;
	if (daemon.out_len)
		memmove(daemon.out, daemon.out + n, daemon.out_len);
}

static void turn(void)
{
	struct xenstore_domain_interface *ring = daemon.ring;

	if (honest) {
		daemon_turn();
		return;
	}
	if (ring->connection == XENSTORE_RECONNECT && next_u8() & 1)
		daemon_forget();
	reply_something();
	if (daemon.handler) {
		daemon.event = false;
		daemon.handler(5, NULL);
	}
	shim_run_work();
}

static void one_race(void)
{
	break_protocol();
}

static void unfinished(struct daemon_message *reply)
{
	memcpy(reply->body, "a\0b", 3);
	reply->head.len = 3;
	daemon.bend = NULL;
}

/* A good daemon breaks the protocol once, so that it has to be detected. */
static void break_one_rule(u8 how)
{
	struct xenstore_domain_interface *ring = daemon.ring;
	unsigned int count, steps;
	const char *said = "";
	char **names;

	if (!may_break || !honest || killed)
		return;
	race_over();
	daemon.pace = XENSTORE_RING_SIZE;
	for (steps = 0; daemon_turn() || daemon.out_len; steps++)
		must(steps < 5000);
	honest = false;
	switch (how & 3) {
	case 0:
		ring->rsp_prod += XENSTORE_RING_SIZE + 1 + next_u8();
		said = "rsp_prod";
		break;
	case 1:
		ring->req_cons += 1 + next_u8();
		killed = true;
		pvstore_exists(PVSTORE_NO_TXN, "d", "a");
		killed = false;
		said = "req_cons";
		break;
	case 2:
		daemon_queue(XS_WATCH_EVENT, 0, 0, "a", 1 + (how >> 4));
		daemon_run();
		said = "watch event";
		break;
	case 3:
		if (daemon.refuse || daemon.reverse)
			return;
		honest = true;
		daemon.bend = unfinished;
		quiet = true;
		must(pvstore_list(PVSTORE_NO_TXN, "d", "", &names, &count) ==
		     -EPROTO);
		quiet = false;
		honest = false;
		return;
	}
	daemon.handler(5, NULL);
	shim_run_work();
	must(strstr(shim_log_last, said));
}

/* Calls about node @node; the transaction @in may be none. */
static void call_about_node(u8 kind, u32 in, const char *node)
{
	unsigned int i, count, len;
	unsigned long long number;
	char **names;
	char *text;

	switch (kind) {
	case 0:
		if (!pvstore_read(in, "d", node, &text, &len)) {
			must(text[len] == '\0');
			kfree(text);
		}
		break;
	case 1:
		must(pvstore_read_uint(in, "d", node, &number) <= 0);
		break;
	case 2:
		must(pvstore_read_feature("d", node, 5, 9) <= 9);
		break;
	case 3:
		if (!pvstore_list(in, "d", node, &names, &count)) {
			for (i = 0; i < count; i++)
				must(strlen(names[i]) <= 256 * 1024);
			kfree(names);
		}
		break;
	case 4:
		pvstore_exists(in, "d", node);
		break;
	case 5:
	case 6:
		must(pvstore_printf(in, "d", node, "%u", next_u8()) <= 0);
		break;
	case 7:
		must(pvstore_remove(in, "d", node) <= 0);
		break;
	}
}

static void open_transaction(void)
{
	u32 in;

	if (txn || pvstore_begin(&in))
		return;
	/* Another caller may have opened one meanwhile. */
	if (txn)
		pvstore_end(in, true);
	else
		txn = in;
}

static void close_transaction(bool abort)
{
	u32 in = txn;

	txn = PVSTORE_NO_TXN;
	/* Without memory for the request it is open still. */
	if (in && pvstore_end(in, abort) == -ENOMEM && !txn)
		txn = in;
}

static void watch(unsigned int i, const char *node)
{
	if (watching[i])
		return;
	watches[i] = (struct pvstore_watch) {
		.path = node, .changed = changed,
	};
	watching[i] = true;
	if (pvstore_watch(&watches[i]))
		watching[i] = false;
}

static void unwatch(unsigned int i)
{
	if (watching[i] && depth == 1) {
		pvstore_unwatch(&watches[i]);
		watching[i] = false;
	}
}

static void call(u8 op)
{
	unsigned int i = (op >> 4) % WATCHES;
	const char *node;
	u32 in;

	if (depth == DEPTH || killed)
		return;
	depth++;
	in = op & 0x80 ? txn : PVSTORE_NO_TXN;
	node = any_node();
	if (next_u8() > 240)
		shim_fail_after = next_u8() & 3;
	switch (op & 15) {
	case 8:
		open_transaction();
		break;
	case 9:
		close_transaction(op & 0x80);
		break;
	case 10:
	case 11:
		watch(i, node);
		break;
	case 12:
		unwatch(i);
		break;
	default:
		call_about_node(op & 15, in, node);
		break;
	}
	shim_fail_after = -1;
	depth--;
}

static long others_act(void)
{
	u8 op;

	if (quiet)
		return daemon_turn();
	op = next_u8();
	/* Work for a caller that has gone is completed. */
	shim_fail_after = -1;
	if (script_ended() || killed) {
		killed = true;
		return -512;	/* ERESTARTSYS: killed */
	}
	switch (op & 7) {
	case 0:
		break_protocol();
		break;
	case 1:
		call(next_u8());
		break;
	case 2:
		race_with(one_race, 1 + (op >> 3) % 4);
		break;
	case 3:
		/* Time passes, or this one is killed. */
		return op & 8 ? 0 : op & 16 ? -512 : 1;
	default:
		turn();
		break;
	}
	return 1;
}

/* All requests end, whatever their state, and leave nothing behind. */
static void take_down(void)
{
	struct xenstore_domain_interface *ring = daemon.ring;
	unsigned int i, steps;

	race_over();
	shim_fail_after = -1;
	killed = true;
	for (i = 0; i < WATCHES; i++) {
		if (watching[i])
			pvstore_unwatch(&watches[i]);
	}
	if (txn)
		pvstore_end(txn, true);
	daemon.bend = NULL;
	daemon.pace = XENSTORE_RING_SIZE;
	if (honest) {
		daemon.reverse = false;
		daemon.refuse = NULL;
		for (steps = 0; daemon_turn() || daemon.out_len ||
		     daemon.holding; steps++) {
			must(steps < 1000);
			if (daemon.holding && !daemon.out_len)
				daemon_reply(XS_READ, "", 0);
		}
	}
	/* The daemon dies without the reconnection feature. */
	for (steps = 0; steps < 8 && shim_allocations; steps++) {
		ring->server_features = 0;
		ring->req_cons = ring->req_prod + 2 * XENSTORE_RING_SIZE;
		ring->rsp_prod = ring->rsp_cons + 2 * XENSTORE_RING_SIZE;
		daemon.handler(5, NULL);
		shim_run_work();
	}
	must(!shim_allocations);
}

void run_script(void)
{
	u8 how = next_u8();

	depth = 0;
	events = 0;
	killed = false;
	quiet = false;
	txn = PVSTORE_NO_TXN;
	memset(watching, 0, sizeof(watching));
	honest = true;
	may_break = how & 1;
	daemon_start();
	if (how & 2)
		daemon.ring->server_features =
			XENSTORE_SERVER_FEATURE_RECONNECTION |
			XENSTORE_SERVER_FEATURE_ERROR;
	shim_wait = others_act;
	must(!shim_init_pvstore_init());

	while (!script_ended()) {
		u8 op = next_u8();

		switch (op & 7) {
		case 0:
			break_protocol();
			break;
		case 1:
			turn();
			break;
		case 2:
			race_with(one_race, 1 + (op >> 3) % 4);
			break;
		case 3:
			break_one_rule(op >> 3);
			break;
		default:
			call(next_u8());
			break;
		}
	}
	take_down();
	__free_page(daemon.page);
	must(!shim_pages);
}
