// SPDX-License-Identifier: MIT
/*
 * Fuzz target "store": the store's client (drivers/pvbus/store*.c) with callers
 * in each other's way, and a daemon that is slow, forgets, dies or lies.
 */
#include <pvbus/store.h>

#include "fuzz.h"

#define DAEMON_NODES	24
#include "../store_daemon.h"

#define WATCHES		4
#define DEPTH		3

extern int (*const shim_init_pvstore_init)(void);

static struct pvstore_watch watches[WATCHES];
static bool watching[WATCHES];
static unsigned int events;
static u32 txn;
static unsigned int depth;
/* Nobody waits any more: the guest is going down. */
static bool killed;
/* While somebody waits only the daemon acts. */
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

/* An answer as it should be, but for one byte or so. */
static void bend(struct daemon_message *answer)
{
	switch (next_u8() % 6) {
	case 0:
		answer->head.type = next_evil(answer->head.type);
		break;
	case 1:
		answer->head.req_id = next_evil(answer->head.req_id);
		break;
	case 2:
		answer->head.tx_id = next_evil(answer->head.tx_id);
		break;
	case 3:
		answer->head.len = next_evil(answer->head.len);
		break;
	default:
		answer->body[next_u16() % sizeof(answer->body)] = next_u8();
		answer->body[next_below(8)] = next_u8();
		break;
	}
	daemon.bend = NULL;
}

static void ill_will(void)
{
	struct xenstore_domain_interface *ring = daemon.ring;
	static const char * const names[] = { "EINVAL", "E2BIG", "nonsense", "" };
	char body[40];
	u32 i, len;

	switch (next_u8() % 12) {
	case 0:
		daemon.pace = 1 + next_u8();
		return;
	case 1:
		daemon.pace = XENSTORE_RING_SIZE;
		return;
	case 2:
		daemon.conflict = !daemon.conflict;
		return;
	case 3:
		daemon.reverse = !daemon.reverse;
		return;
	case 4:
		daemon.fickle = next_u8() & 3;
		daemon.piece = 3 + next_u8();
		return;
	case 5:
		daemon.refuse = daemon.refuse ? NULL : names[next_u8() & 3];
		return;
	default:
		break;
	}
	if (!may_lie)
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
 * A daemon that has lied may no longer know where a message begins: it takes
 * what is there for one, and answers something.
 */
static void answer_something(void)
{
	static const char * const answers[] = { "OK", "7", "1\0a", "", "ENOENT" };
	struct xenstore_domain_interface *ring = daemon.ring;
	const u32 head = sizeof(daemon.in.head);
	const char *answer = answers[next_below(ARRAY_SIZE(answers))];
	u32 n, type, len = strlen(answer) + !!*answer;

	for (n = 0; n < daemon.pace && ring->req_cons != ring->req_prod; n++) {
		((char *)&daemon.in)[daemon.have++] =
			ring->req[MASK_XENSTORE_IDX(ring->req_cons)];
		ring->req_cons++;
		if (daemon.have < head ||
		    daemon.have < head + min(daemon.in.head.len,
					     (u32)XENSTORE_PAYLOAD_MAX))
			continue;
		daemon.have = 0;
		type = answer[0] == 'E' ? XS_ERROR : daemon.in.head.type;
		if (daemon.out_len < 4 * XENSTORE_RING_SIZE)
			daemon_queue(type, daemon.in.head.req_id,
				     daemon.in.head.tx_id, answer,
				     answer[0] == '1' ? 4 : len);
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
	answer_something();
	if (daemon.handler) {
		daemon.event = false;
		daemon.handler(5, NULL);
	}
	shim_run_work();
}

static void one_race(void)
{
	ill_will();
}

static void unfinished(struct daemon_message *answer)
{
	memcpy(answer->body, "a\0b", 3);
	answer->head.len = 3;
	daemon.bend = NULL;
}

/* An honest daemon breaks the rules once, so that it has to be noticed. */
static void break_one_rule(u8 how)
{
	struct xenstore_domain_interface *ring = daemon.ring;
	unsigned int count, steps;
	const char *said = "";
	char **names;

	if (!may_lie || !honest || killed)
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

static void call(u8 op)
{
	unsigned int i = (op >> 4) % WATCHES, count, len;
	unsigned long long number;
	const char *node;
	char **names;
	char *text;
	u32 in;
	int ret;

	if (depth == DEPTH || killed)
		return;
	depth++;
	in = op & 0x80 ? txn : PVSTORE_NO_TXN;
	node = any_node();
	if (next_u8() > 240)
		shim_fail_after = next_u8() & 3;
	switch (op & 15) {
	case 0:
		ret = pvstore_read(in, "d", node, &text, &len);
		if (!ret) {
			must(text[len] == '\0');
			kfree(text);
		}
		break;
	case 1:
		ret = pvstore_read_uint(in, "d", node, &number);
		must(ret <= 0);
		break;
	case 2:
		must(pvstore_read_feature("d", node, 5, 9) <= 9);
		break;
	case 3:
		ret = pvstore_list(in, "d", node, &names, &count);
		if (!ret) {
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
		ret = pvstore_printf(in, "d", node, "%u", next_u8());
		must(ret <= 0);
		break;
	case 7:
		ret = pvstore_remove(in, "d", node);
		must(ret <= 0);
		break;
	case 8:
		if (txn || pvstore_begin(&in))
			break;
		/* Somebody else may have opened one meanwhile. */
		if (txn)
			pvstore_end(in, true);
		else
			txn = in;
		break;
	case 9:
		in = txn;
		txn = PVSTORE_NO_TXN;
		/* Without memory for the request it is open still. */
		if (in && pvstore_end(in, op & 0x80) == -ENOMEM && !txn)
			txn = in;
		break;
	case 10:
	case 11:
		if (watching[i])
			break;
		watches[i] = (struct pvstore_watch) {
			.path = node, .changed = changed,
		};
		watching[i] = true;
		if (pvstore_watch(&watches[i]))
			watching[i] = false;
		break;
	case 12:
		if (watching[i] && depth == 1) {
			pvstore_unwatch(&watches[i]);
			watching[i] = false;
		}
		break;
	default:
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
	/* What is done for a caller who has gone is done for sure. */
	shim_fail_after = -1;
	if (script_ended() || killed) {
		killed = true;
		return -512;	/* ERESTARTSYS: killed */
	}
	switch (op & 7) {
	case 0:
		ill_will();
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

/* Whatever state it is in, all requests end, and nothing is left of them. */
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
				daemon_answer(XS_READ, "", 0);
		}
	}
	/* The daemon dies without an offer to start afresh. */
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
	may_lie = how & 1;
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
			ill_will();
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
