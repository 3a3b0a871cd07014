// SPDX-License-Identifier: MIT
/*
 * Fuzz target "store": callers that read, list, watch and open transactions,
 * and a daemon that answers well, late, out of order, or not at all, writes
 * over the page, or starts afresh.
 */
#include "fuzz.h"

#define DAEMON_NODES	8
#include "../store_daemon.h"
#include <pvbus/store.h>
#include "../../../drivers/pvbus/store_client.h"

#define WATCHES	3
#define TXNS	3

extern int (*const shim_init_pvstore_init)(void);

static struct pvstore_watch watches[WATCHES];
static bool watching[WATCHES];
static u32 txns[TXNS];
static bool acting;

static const char *some_path(void)
{
	static const char * const paths[] = { "a", "a/b", "a/c", "device", "d/e/f" };

	return paths[next_below(ARRAY_SIZE(paths))];
}

/* A message that nobody asked for, or an answer to something. */
static void stray_message(void)
{
	static char body[64];
	u32 len = next_below(sizeof(body)), told = len, i;

	for (i = 0; i < len; i++)
		body[i] = "\0a/0157"[next_below(7)];
	if (!(next_u8() & 7))
		told = next_evil(XENSTORE_PAYLOAD_MAX);
	daemon_put(next_u8() % 26, next_below(12), next_below(4), body, len, told);
}

static void bend(struct daemon_message *msg)
{
	if (next_u8() & 1 || !msg->head.len)
		return;
	if (next_u8() & 1)
		msg->body[next_below(msg->head.len)] = next_u8();
	else
		msg->head.len = next_below(msg->head.len + 1);
}

static void scribble(void)
{
	u32 *index = &daemon.ring->req_cons;

	daemon.wild = true;
	switch (next_u8() % 4) {
	case 0:
		index[next_below(7)] = next_evil(daemon.ring->rsp_cons);
		break;
	case 1:
		daemon.ring->rsp[next_below(XENSTORE_RING_SIZE)] = next_u8();
		break;
	case 2:
		daemon.ring->server_features = next_u8() & 3;
		break;
	case 3:
		daemon.ring->connection = next_u8() & 1;
		break;
	}
	daemon.event = true;
}

static void misbehave(void)
{
	u8 what = next_u8();

	switch (what % 8) {
	case 0:
		scribble();
		break;
	case 1:
		stray_message();
		break;
	case 2:
		daemon.bend = daemon.bend ? NULL : bend;
		break;
	case 3:
		daemon.reverse = !daemon.reverse;
		break;
	case 4:
		daemon.silent = !daemon.silent;
		break;
	case 5:
		daemon.pace = 1 + next_u8() * 4;
		break;
	case 6:
		/* Unasked, its idea of the ring is not ours any more. */
		if (!daemon.ring->server_features ||
		    daemon.ring->connection == XENSTORE_CONNECTED)
			daemon.wild = true;
		daemon_forget();
		break;
	case 7:
		daemon.conflict = !daemon.conflict;
		break;
	}
}

/* What happens while a caller waits: anything, until the script is over. */
static long while_waiting(void)
{
	u8 op;

	if (script_ended())
		return -512;
	op = next_u8();
	if (op % 16 == 15)
		return -512;	/* killed */
	if (op % 16 == 14)
		return 0;	/* a second has passed */
	if (op % 4 == 3)
		misbehave();
	else
		daemon_turn();
	return 1;
}

static void changed(struct pvstore_watch *watch, const char *path)
{
	must(watch >= watches && watch < watches + WATCHES);
	/* Also while pvstore_watch() has not returned. */
	must(watching[watch - watches] || acting);
	must(strlen(path) < XENSTORE_PAYLOAD_MAX);
}

static void read_something(u32 txn)
{
	unsigned long long number;
	unsigned int len, count, i;
	char **names, *text;

	switch (next_u8() % 4) {
	case 0:
		if (!pvstore_read(txn, some_path(), "", &text, &len)) {
			must(len <= XENSTORE_PAYLOAD_MAX && !text[len]);
			kfree(text);
		}
		break;
	case 1:
		pvstore_read_uint(txn, some_path(), "n", &number);
		break;
	case 2:
		must(pvstore_read_feature("a", "b", 3, 9) <= 9);
		break;
	case 3:
		if (pvstore_list(txn, some_path(), "", &names, &count))
			break;
		for (i = 0; i < count; i++)
			must(*names[i] && !strchr(names[i], '/'));
		kvfree(names);
		break;
	}
}

static void act(u8 op)
{
	u32 *txn = &txns[(op >> 3) % TXNS];
	unsigned int i = (op >> 3) % WATCHES;

	acting = true;
	switch (op % 8) {
	case 0:
		read_something(*txn);
		break;
	case 1:
		pvstore_printf(*txn, some_path(), "", "%u", next_u16());
		break;
	case 2:
		if (!*txn && pvstore_begin(txn))
			*txn = 0;
		break;
	case 3:
		if (*txn)
			pvstore_end(*txn, next_u8() & 1);
		*txn = 0;
		break;
	case 4:
		if (watching[i]) {
			pvstore_unwatch(&watches[i]);
			watching[i] = false;
		} else {
			watches[i] = (struct pvstore_watch){ .path = "a", .changed = changed };
			watching[i] = !pvstore_watch(&watches[i]);
		}
		break;
	case 5:
		pvstore_remove(*txn, some_path(), "");
		break;
	case 6:
		daemon_turn();
		break;
	case 7:
		misbehave();
		break;
	}
	acting = false;
}

/* A ring that nobody believes any more fails whatever is under way. */
static void end_of_store(void)
{
	unsigned int i;

	daemon.ring->server_features = 0;
	daemon.ring->connection = XENSTORE_CONNECTED;
	for (i = 0; i < 3; i++) {
		daemon.ring->rsp_prod = daemon.ring->rsp_cons + 5000;
		daemon.handler(5, NULL);
		shim_run_work();
	}
	for (i = 0; i < WATCHES; i++)
		if (watching[i])
			pvstore_unwatch(&watches[i]);
	must(pvstore_write(0, "a", "b", "c") == -EPROTO);
}

void run_script(void)
{
	u8 first = next_u8();

	daemon_start();
	memset(watching, 0, sizeof(watching));
	memset(txns, 0, sizeof(txns));
	daemon.piece = 20;
	shim_wait = while_waiting;
	if (first & 1)
		daemon.ring->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
	if (first & 2)
		daemon.ring->connection = XENSTORE_RECONNECT;
	if (first & 4)
		daemon.ring->req_prod = daemon.ring->req_cons = -5;
	must(!shim_init_pvstore_init());
	while (!script_ended())
		act(next_u8());
	end_of_store();
	__free_page(daemon.page);
	must(!shim_allocations && !shim_pages);
}
