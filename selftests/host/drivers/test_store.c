// SPDX-License-Identifier: MIT
/*
 * The XenStore client (drivers/pvbus/store*.c) with a good daemon, and with each
 * kind of bad one.
 */
#include "store_client.h"

static void reads(const char *dir, const char *node, const void *value, u32 len)
{
	unsigned int got;
	char *text;

	assert_int_equal(pvstore_read(0, dir, node, &text, &got), 0);
	assert_int_equal(got, len);
	assert_memory_equal(text, value, len);
	assert_int_equal(text[len], 0);
	kfree(text);
}

static void test_no_store(void **state)
{
	struct xenstore_domain_interface *ring = daemon.ring;
	unsigned long long n;

	pvstore.state = STORE_ABSENT;
	daemon.ring = NULL;
	assert_int_equal(shim_init_pvstore_init(), 0);
	daemon.ring = ring;
	assert_false(pvstore_present());
	assert_int_equal(pvstore_read_uint(0, "a", "b", &n), -ENODEV);
	assert_int_equal(pvstore_write(0, "a", "b", "c"), -ENODEV);
}

static void test_values(void **state)
{
	static char big[XENSTORE_PAYLOAD_MAX + 1];
	unsigned long long n = 7;
	char *text;

	assert_true(pvstore_present());
	assert_int_equal(daemon.asked[XS_RESET_WATCHES], 1);
	assert_int_equal(pvstore_write(0, "data", "a", "hello"), 0);
	reads("data", "a", "hello", 5);
	reads("data/a", "", "hello", 5);
	assert_int_equal(pvstore_write(0, "data", "empty", ""), 0);
	reads("data", "empty", "", 0);
	daemon_set("data/zero", "a\0b", 3);
	reads("data", "zero", "a\0b", 3);
	assert_int_equal(pvstore_printf(0, "data", "n", "%d-%s", 5, "x"), 0);
	reads("data", "n", "5-x", 3);
	assert_true(pvstore_exists(0, "data", "n"));
	assert_int_equal(pvstore_remove(0, "data", "n"), 0);
	assert_false(pvstore_exists(0, "data", "n"));
	assert_int_equal(pvstore_read(0, "data", "n", &text, NULL), -ENOENT);

	/* All that a message can carry, and one byte more. */
	memset(big, 'x', sizeof(big) - 1);
	big[XENSTORE_PAYLOAD_MAX - 4] = 0;
	assert_int_equal(pvstore_write(0, "", "big", big), -E2BIG);
	big[XENSTORE_PAYLOAD_MAX - 5] = 0;
	assert_int_equal(pvstore_write(0, "", "big", big), 0);
	reads("/big", "", big, XENSTORE_PAYLOAD_MAX - 5);

	assert_int_equal(pvstore_write(0, "data", "n", "4294967296"), 0);
	assert_int_equal(pvstore_read_uint(0, "data", "n", &n), 0);
	assert_int_equal(n, 4294967296);
	assert_int_equal(pvstore_read_feature("data", "n", 3, 9), 9);
	assert_int_equal(pvstore_read_feature("data", "absent", 3, 9), 3);
	assert_int_equal(shim_log_lines, 0);
}

static void test_no_number(void **state)
{
	static const struct { const char *value; u32 len; } bad[] = {
		{ "", 0 }, { "x", 1 }, { "1x", 2 }, { "-1", 2 }, { "0x10", 4 },
		{ "1\0", 2 }, { "1\0002", 3 }, { "18446744073709551616", 20 },
		{ " 1", 2 },
	};
	unsigned long long n = 77;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		daemon_set("data/n", bad[i].value, bad[i].len);
		assert_int_equal(pvstore_read_uint(0, "data", "n", &n), -EINVAL);
		assert_int_equal(n, 77);
		assert_int_equal(pvstore_read_feature("data", "n", 3, 9), 3);
		assert_int_equal(shim_log_lines, i + 1);
		assert_non_null(strstr(shim_log_last, "data/n"));
	}
}

static void test_errors_by_name(void **state)
{
	static const struct { const char *name; int error; } errors[] = {
		{ "EINVAL", EINVAL }, { "EACCES", EACCES }, { "EEXIST", EEXIST },
		{ "EISDIR", EISDIR }, { "ENOENT", ENOENT }, { "ENOMEM", ENOMEM },
		{ "ENOSPC", ENOSPC }, { "EIO", EIO }, { "ENOTEMPTY", ENOTEMPTY },
		{ "ENOSYS", ENOSYS }, { "EROFS", EROFS }, { "EBUSY", EBUSY },
		{ "EAGAIN", EAGAIN }, { "EISCONN", EISCONN }, { "E2BIG", E2BIG },
		{ "EPERM", EPERM }, { "EUNHEARDOF", EIO }, { "", EIO },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		daemon.refuse = errors[i].name;
		assert_int_equal(pvstore_write(0, "a", "b", "c"), -errors[i].error);
	}
}

/* A few bytes at a time, over both ends of the ring, again and again. */
static void test_slow_daemon(void **state)
{
	static char big[3001];
	unsigned int i;

	daemon.pace = 7;
	patience = 1;
	for (i = 0; i < 20; i++) {
		memset(big, 'a' + i, 3000);
		assert_int_equal(pvstore_write(0, "data", "big", big), 0);
		reads("data", "big", big, 3000);
	}
	assert_int_equal(patience, 1);
}

static unsigned int finished;

static void count_finished(struct pvstore_request *req)
{
	finished++;
	if (req->error)
		finished += 1000;
	else if (req->head.type == XS_READ)
		assert_memory_equal(req->reply, req->body + 5, req->reply_len);
}

static struct pvstore_request *ask_for(const char *path)
{
	struct pvstore_request *req = pvstore_new(XS_READ, 0, strlen(path) + 1);

	assert_false(IS_ERR(req));
	strcpy(req->body, path);
	req->done = count_finished;
	assert_int_equal(pvstore_submit(req), 0);
	return req;
}

/* Many requests at once, with replies in another order. */
static void test_several_at_once(void **state)
{
	unsigned int i;
	char path[16];

	for (i = 0; i < 100; i++) {
		sprintf(path, "data/%u", i);
		daemon_set(path, path + 5, strlen(path) - 5);
	}
	daemon.reverse = true;
	finished = 0;
	for (i = 0; i < 100; i++) {
		sprintf(path, "data/%u", i);
		pvstore_put(ask_for(path));
	}
	daemon_settle();
	assert_int_equal(finished, 100);
}

static void test_transactions(void **state)
{
	u32 first, second, third;

	daemon.last_txn = 4710;
	assert_int_equal(pvstore_begin(&first), 0);
	assert_int_equal(pvstore_begin(&second), 0);
	assert_int_not_equal(first, second);
	assert_int_equal(pvstore_write(first, "data", "a", "1"), 0);
	assert_int_equal(pvstore_end(first, false), 0);
	/* A transaction that has ended stays ended, whatever its number. */
	assert_int_equal(pvstore_write(first, "data", "a", "1"), -ENOENT);
	assert_int_equal(pvstore_end(first, false), -ENOENT);
	assert_int_equal(pvstore_write(4711, "data", "a", "1"), -ENOENT);
	assert_int_equal(pvstore_end(second, true), 0);
	daemon.conflict = true;
	assert_int_equal(pvstore_begin(&third), 0);
	assert_int_equal(pvstore_end(third, false), -EAGAIN);
	assert_int_equal(pvstore_begin(&third), 0);
	assert_int_equal(pvstore_end(third, true), 0);
	assert_null(daemon_txn(4711));
}

static void lists(unsigned int count, unsigned int name_len)
{
	unsigned int n, i;
	char **names;

	assert_int_equal(pvstore_list(0, "dir", "", &names, &n), 0);
	assert_int_equal(n, count);
	for (i = 0; i < n; i++) {
		assert_int_equal(atoi(names[i] + 1), i);
		assert_int_equal(strlen(names[i]), name_len);
	}
	kvfree(names);
}

static void test_directories(void **state)
{
	unsigned int i, n;
	char path[64];
	char **names;

	assert_int_equal(pvstore_list(0, "dir", "", &names, &n), 0);
	assert_int_equal(n, 0);
	kvfree(names);
	for (i = 0; i < 500; i++) {
		sprintf(path, "dir/n%031u", i);
		daemon_set(path, "", 0);
		if (i == 100)
			lists(101, 32);
	}
	/* 16500 bytes: only in pieces, of any size. */
	assert_int_equal(daemon.asked[XS_DIRECTORY_PART], 0);
	lists(500, 32);
	assert_int_equal(daemon.asked[XS_DIRECTORY_PART], 6);
	daemon.piece = 40;
	lists(500, 32);
	daemon.piece = 3000;
	daemon.fickle = 5;
	lists(500, 32);
	daemon.fickle = -1;
	assert_int_equal(pvstore_list(0, "dir", "", &names, &n), -ESTALE);
}

static void break_parts(struct daemon_message *msg)
{
	if (msg->head.type != XS_DIRECTORY_PART)
		return;
	/* Nothing but the generation; no end of it; a name without end. */
	switch (patience) {
	case 90:
		msg->head.len = strlen(msg->body) + 1;
		break;
	case 91:
		memset(msg->body, '1', msg->head.len);
		break;
	case 92:
		msg->body[msg->head.len - 1] = 'x';
		break;
	case 93:	/* never an end */
		memcpy(msg->body, "0", 2);
		memset(msg->body + 2, 'x', 3000);
		msg->head.len = 3003;
		msg->body[3002] = 0;
		break;
	case 94:
		msg->head.len = 0;
		break;
	}
}

static void test_bad_pieces(void **state)
{
	unsigned int i, n;
	char path[64];
	char **names;

	for (i = 0; i < 200; i++) {
		sprintf(path, "dir/n%031u", i);
		daemon_set(path, "", 0);
	}
	daemon.bend = break_parts;
	for (patience = 90; patience < 95; patience++)
		assert_int_equal(pvstore_list(0, "dir", "", &names, &n),
				 patience == 93 ? -E2BIG : -EPROTO);
}

static const char *bad_names;
static u32 bad_names_len;

static void give_bad_names(struct daemon_message *msg)
{
	memcpy(msg->body, bad_names, bad_names_len);
	msg->head.len = bad_names_len;
}

static void test_bad_names(void **state)
{
	static const struct { const char *text; u32 len; } bad[] = {
		{ "a", 1 }, { "a\0b", 3 }, { "\0", 1 }, { "a\0\0b\0", 5 },
		{ "a/b\0", 4 }, { "..\0/\0", 5 },
	};
	unsigned int i, n;
	char **names;

	daemon.bend = give_bad_names;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		bad_names = bad[i].text;
		bad_names_len = bad[i].len;
		assert_int_equal(pvstore_list(0, "dir", "", &names, &n), -EPROTO);
	}
}

static unsigned int events;
static char event_path[64];

static void count_event(struct pvstore_watch *watch, const char *path)
{
	events++;
	strcpy(event_path, path);
}

static void test_watches(void **state)
{
	struct pvstore_watch one = { .path = "data", .changed = count_event };
	struct pvstore_watch two = { .path = "data/b", .changed = count_event };

	events = 0;
	assert_int_equal(pvstore_watch(&one), 0);
	assert_int_equal(pvstore_watch(&two), 0);
	daemon_settle();
	assert_int_equal(events, 2);
	daemon_set("data/a", "", 0);
	daemon_settle();
	assert_int_equal(events, 3);
	assert_string_equal(event_path, "data/a");
	/* An event under way when the watch ends is dropped. */
	daemon_set("data/b", "", 0);
	pvstore_unwatch(&one);
	memset(&one, 0xee, sizeof(one));
	daemon_settle();
	assert_int_equal(events, 4);
	/* An unknown token, of an earlier user of the ring. */
	daemon_queue(XS_WATCH_EVENT, 0, 0, "data\0other", 11);
	daemon_queue(XS_WATCH_EVENT, 0, 0, "data\0fffffff", 13);
	daemon_settle();
	assert_int_equal(events, 4);
	assert_int_equal(shim_log_lines, 0);
	pvstore_unwatch(&two);
	daemon_settle();
	assert_int_equal(daemon.watch_count, 0);
	daemon.refuse = "E2BIG";
	assert_int_equal(pvstore_watch(&two), -E2BIG);
	assert_true(list_empty(&pvstore.watches));
}

/* Violations that break the ring. */
static void break_id(void) { daemon_queue(XS_READ, pvstore.last_id + 1, 0, "", 0); }
static void break_type(void) { daemon_queue(XS_WRITE, pvstore.last_id, 0, "", 0); }
static void break_txn(void) { daemon_queue(XS_READ, pvstore.last_id, 9, "", 0); }
static void break_rsp_prod(void) { daemon.ring->rsp_prod += 1025; }
static void break_rsp_back(void) { daemon.ring->rsp_prod -= 1; }
static void break_event_len(void) { daemon_queue(XS_WATCH_EVENT, 0, 0, "", 0); }
static void break_event_end(void) { daemon_queue(XS_WATCH_EVENT, 0, 0, "a\0b", 3); }
static void break_event_one(void) { daemon_queue(XS_WATCH_EVENT, 0, 0, "ab", 3); }

static void break_req_cons(void)
{
	daemon.ring->req_cons += 5;
	daemon.stuck = true;	/* the daemon's own indexes are invalid too */
}

static void break_too_long(void)
{
	daemon_put(XS_READ, 0, 0, "", 0, XENSTORE_PAYLOAD_MAX + 1);
}

static void break_twice(void)
{
	daemon_queue(XS_READ, pvstore.last_id, 0, "", 0);
	daemon_queue(XS_READ, pvstore.last_id, 0, "", 0);
}

static void break_error_field(void)
{
	daemon.ring->server_features |= XENSTORE_SERVER_FEATURE_ERROR;
	daemon.ring->error = XENSTORE_ERROR_PROTO;
}

static const struct violation {
	void (*commit)(void);
	const char *field;
} violations[] = {
	{ break_too_long, "store: len: invalid value 4097" },
	{ break_id, "store: req_id: invalid value " },
	{ break_type, "store: type: invalid value " },
	{ break_txn, "store: tx_id: invalid value 9" },
	{ break_twice, "store: req_id: invalid value " },
	{ break_rsp_prod, "store: rsp_prod: invalid value " },
	{ break_rsp_back, "store: rsp_prod: invalid value " },
	{ break_req_cons, "store: req_cons: invalid value " },
	{ break_event_len, "store: length of a watch event: invalid value 0" },
	{ break_event_end, "store: length of a watch event: invalid value 3" },
	{ break_event_one, "store: length of a watch event: invalid value 3" },
	{ break_error_field, "store: error: invalid value 3" },
};

static void break_protocol(const struct violation *violation)
{
	struct pvstore_request *req;

	daemon.silent = true;
	req = ask_for("data/bad");
	daemon_settle();
	assert_int_equal(shim_log_lines, 0);
	violation->commit();
	daemon.event = true;
	/* Something to send, for the client to look at req_cons. */
	if (violation->commit == break_req_cons) {
		mutex_lock(&pvstore.lock);
		pvstore_post(pvstore_new(XS_READ, PVSTORE_NO_TXN, 1));
		mutex_unlock(&pvstore.lock);
	}
	daemon_settle();
	assert_int_equal(shim_log_lines, 1);
	assert_non_null(strstr(shim_log_last, violation->field));
	pvstore_put(req);
}

static void test_violations(void **state)
{
	unsigned long long n;
	unsigned int i;
	u32 txn;

	for (i = 0; i < ARRAY_SIZE(violations); i++) {
		struct pvstore_watch watch = { .path = "w", .changed = count_event };
		unsigned int eois;

		assert_int_equal(pvstore_watch(&watch), 0);
		assert_int_equal(pvstore_begin(&txn), 0);
		daemon_settle();
		finished = 0;
		break_protocol(&violations[i]);
		/* Requests under way have failed, and all later ones fail. */
		assert_in_range(finished, 1, 1001);
		assert_int_equal(pvstore_read_uint(0, "a", "b", &n), -EPROTO);
		assert_int_equal(pvstore_watch(&watch), -EPROTO);
		assert_int_equal(pvstore_end(txn, false), -EPROTO);
		eois = daemon.eois;
		daemon.event = true;
		daemon_settle();
		assert_int_equal(shim_log_lines, 1);
		/* The daemon's events are not delivered any more. */
		assert_int_equal(daemon.eois, eois);
		assert_int_equal(stop(NULL), 0);
		start(NULL);
	}
}

/* Each violation by a daemon that can reconnect. */
static void test_reset(void **state)
{
	unsigned int i;
	u32 txn;

	for (i = 0; i < ARRAY_SIZE(violations); i++) {
		struct pvstore_watch watch = { .path = "data", .changed = count_event };
		struct pvstore_request *open;

		assert_int_equal(pvstore_watch(&watch), 0);
		assert_int_equal(pvstore_begin(&txn), 0);
		daemon_set("data/a", "a", 1);
		daemon_settle();
		daemon.ring->server_features |= XENSTORE_SERVER_FEATURE_RECONNECTION;
		finished = 0;
		daemon.silent = true;
		open = pvstore_new(XS_TRANSACTION_END, txn, 2);
		open->body[0] = 'T';
		open->done = count_finished;
		assert_int_equal(pvstore_submit(open), 0);
		daemon_settle();
		break_protocol(&violations[i]);
		assert_int_equal(daemon.ring->connection, XENSTORE_RECONNECT);
		/* Until it has reconnected, nothing is read or sent. */
		pvstore_put(ask_for("data/a"));
		daemon.event = true;
		daemon_settle();
		events = 0;
		daemon.silent = false;
		daemon.bend = NULL;
		daemon_set("data/bad", "bad", 3);
		daemon_forget();
		daemon_settle();
		/* Lost transactions fail; all other requests are repeated. */
		assert_int_equal(open->error, -EAGAIN);
		pvstore_put(open);
		assert_int_equal(events, 1);
		assert_int_equal(daemon.watch_count, 1);
		assert_int_equal(shim_log_lines, 1);
		daemon_set("data/a", "b", 1);
		daemon_settle();
		assert_int_equal(events, 2);
		reads("data", "a", "b", 1);
		pvstore_unwatch(&watch);
		assert_int_equal(stop(NULL), 0);
		start(NULL);
	}
}

static void test_transaction_over_reset(void **state)
{
	u32 lost, fresh;

	daemon.ring->server_features |= XENSTORE_SERVER_FEATURE_RECONNECTION;
	assert_int_equal(pvstore_begin(&lost), 0);
	break_rsp_prod();
	daemon.event = true;
	daemon_settle();
	daemon_forget();
	daemon.last_txn = 0;
	daemon_settle();
	/* The daemon returns the same number; for the client it is another one. */
	assert_int_equal(pvstore_begin(&fresh), 0);
	assert_int_not_equal(lost, fresh);
	assert_int_equal(pvstore_write(lost, "a", "b", "c"), -EAGAIN);
	assert_int_equal(pvstore_end(lost, false), -EAGAIN);
	assert_int_equal(pvstore_end(lost, false), -ENOENT);
	assert_int_equal(pvstore_write(fresh, "a", "b", "c"), 0);
	assert_int_equal(pvstore_end(fresh, false), 0);
	/* Callers without a time limit fail when the connection cannot come back. */
	while (pvstore.state != STORE_BROKEN) {
		break_rsp_prod();
		daemon.event = true;
		daemon_settle();
		if (daemon.ring->connection == XENSTORE_RECONNECT)
			daemon_forget();
		daemon_settle();
		assert_in_range(shim_log_lines, 1, STORE_RESETS + 1);
	}
	assert_int_equal(shim_log_lines, STORE_RESETS + 1);
}

static void bend_txn(struct daemon_message *msg)
{
	if (msg->head.type != XS_TRANSACTION_START)
		return;
	strcpy(msg->body, patience == 50 ? "0" : patience == 51 ? "x" : "1");
	msg->head.len = strlen(msg->body) + 1;
}

static void test_bad_transaction(void **state)
{
	u32 txn, good;

	assert_int_equal(pvstore_begin(&good), 0);
	daemon.bend = bend_txn;
	/* None, no number, and one that is open already. */
	for (patience = 50; patience < 53; patience++)
		assert_int_equal(pvstore_begin(&txn), -EPROTO);
	daemon.bend = NULL;
	assert_int_equal(pvstore_end(good, true), 0);
}

static void test_killed(void **state)
{
	struct pvstore_watch watch = { .path = "data", .changed = count_event };
	unsigned long long n;
	u32 txn;

	daemon_set("data/a", "1", 1);
	killed = true;
	assert_int_equal(pvstore_read_uint(0, "data", "a", &n), -EINTR);
	assert_int_equal(pvstore_begin(&txn), -EINTR);
	assert_int_equal(pvstore_watch(&watch), -EINTR);
	memset(&watch, 0xee, sizeof(watch));
	killed = false;
	daemon_settle();
	/* The caller is gone: its transaction and its watch have been ended. */
	assert_int_equal(daemon.asked[XS_TRANSACTION_END], 1);
	assert_null(daemon_txn(1));
	assert_int_equal(daemon.watch_count, 0);
	assert_int_equal(pvstore_read_uint(0, "data", "a", &n), 0);
}

static void test_silent_daemon_that_is_given_up(void **state)
{
	char *value = NULL;

	daemon.silent = true;
	patience = 100;
	assert_int_equal(pvstore_read_within(10, "data", "a", &value), -ETIMEDOUT);
	assert_null(value);
	/* It has waited for as long as that, and said nothing about it. */
	assert_int_equal(patience, 90);
	assert_int_equal(shim_log_lines, 0);
	daemon.silent = false;
	pvstore_finish_all(&pvstore.awaiting_reply, -EPROTO);
}

static void test_silent_daemon(void **state)
{
	unsigned long long n;

	daemon.silent = true;
	patience = 100;
	assert_int_equal(pvstore_read_uint(0, "a", "b", &n), -EINTR);
	/* It waited up to its limit, and logged that once. */
	assert_int_equal(patience, 0);
	assert_int_equal(shim_log_lines, 1);
	assert_non_null(strstr(shim_log_last, "no reply"));
	/* No such line while the system goes down. */
	system_state = SYSTEM_POWER_OFF;
	patience = 100;
	assert_int_equal(pvstore_read_uint(0, "a", "b", &n), -ETIMEDOUT);
	assert_in_range(patience, 90, 99);
	daemon.silent = false;
	pvstore_finish_all(&pvstore.awaiting_reply, -EPROTO);
}

static void test_ring_in_use_before(void **state)
{
	struct xenstore_domain_interface *ring = daemon.ring;

	/* A boot loader has left its indexes and an unread reply. */
	ring->req_cons = 0xfffffff0;
	ring->req_prod = 0xfffffff0;
	ring->rsp_cons = 77;
	ring->rsp_prod = 100;
	memset(&pvstore.wire, 0, sizeof(pvstore.wire));
	assert_true(pvstore_wire_attach(&pvstore.wire, ring));
	assert_int_equal(pvstore_write(0, "data", "a", "hello"), 0);
	reads("data", "a", "hello", 5);
	assert_int_equal(ring->rsp_cons, ring->rsp_prod);
	assert_int_equal(shim_log_lines, 0);
}

/* Events without work are reported as such, for the platform to slow down. */
static void test_event_storm(void **state)
{
	unsigned int i;

	assert_int_equal(pvstore_write(0, "data", "a", "hello"), 0);
	daemon_settle();
	daemon.eois = 0;
	daemon.idle_eois = 0;
	for (i = 0; i < 10; i++) {
		daemon.event = true;
		daemon_settle();
	}
	assert_int_equal(daemon.eois, 10);
	assert_int_equal(daemon.idle_eois, 10);
	assert_int_equal(pvstore_write(0, "data", "a", "hello"), 0);
	daemon_settle();
	assert_true(daemon.idle_eois < daemon.eois);
	/* An index that goes to and fro is no work either. */
	daemon.eois = 0;
	daemon.idle_eois = 0;
	for (i = 0; i < 10; i++) {
		daemon.ring->req_cons += i & 1 ? 1 : -1;
		pvstore_event(5, NULL);
		shim_run_work();
	}
	assert_int_equal(daemon.eois, 10);
	assert_int_equal(daemon.idle_eois, 10);
}

static void test_no_memory(void **state)
{
	struct pvstore_watch watch = { .path = "data", .changed = count_event };
	unsigned int i, n;
	char path[64];
	char **names;
	char *text;
	u32 txn;
	int after;

	for (i = 0; i < 200; i++) {
		sprintf(path, "dir/n%031u", i);
		daemon_set(path, "", 0);
	}
	for (after = 0; after < 40; after++) {
		shim_fail_after = after;
		if (!pvstore_begin(&txn)) {
			pvstore_printf(txn, "data", "a", "%d", after);
			pvstore_end(txn, false);
		}
		if (!pvstore_read(0, "data", "a", &text, NULL))
			kfree(text);
		if (!pvstore_list(0, "dir", "", &names, &n))
			kvfree(names);
		if (!pvstore_watch(&watch))
			pvstore_unwatch(&watch);
		daemon_settle();
		shim_fail_after = -1;
		assert_int_equal(pvstore.state, STORE_UP);
		assert_true(list_empty(&pvstore.awaiting_reply));
		/* No transaction stays open, here or at the daemon. */
		assert_true(list_empty(&pvstore.txns));
		for (i = 0; i < DAEMON_TXNS; i++)
			assert_int_equal(daemon.txns[i], 0);
	}
	/* A watch that could not be ended at the daemon has no effect. */
	daemon.watch_count = 0;
	assert_int_equal(pvstore_write(0, "data", "a", "hello"), 0);
}

/* A program's watch allocates, and a disk that memory goes to may wait for a reply. */
static void allocate(struct pvstore_watch *watch, const char *path)
{
	kfree(kmalloc(1, GFP_KERNEL));
}

static void events_wait_for_no_disk(void **state)
{
	struct pvstore_watch watch = { .path = "data", .changed = allocate };
	unsigned int before = shim_io_allocations;

	assert_int_equal(pvstore_watch(&watch), 0);
	daemon_settle();
	pvstore_unwatch(&watch);
	daemon_settle();
	assert_int_equal(shim_io_allocations, before);
	assert_int_equal(shim_noio, 0);
}

int main(void)
{
#define T(name)	cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(events_wait_for_no_disk),
		T(test_no_store), T(test_values), T(test_no_number),
		T(test_errors_by_name), T(test_slow_daemon),
		T(test_several_at_once), T(test_transactions),
		T(test_directories), T(test_bad_pieces), T(test_bad_names),
		T(test_watches), T(test_violations), T(test_reset),
		T(test_transaction_over_reset), T(test_bad_transaction),
		T(test_killed), T(test_silent_daemon),
		T(test_silent_daemon_that_is_given_up),
		T(test_ring_in_use_before), T(test_event_storm),
		T(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
