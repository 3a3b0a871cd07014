// SPDX-License-Identifier: MIT
/* Watches and transactions of XenStore. */
#include "case.h"
#include <xen/io/xs_wire.h>

static char buf[600];

static int watch(const char *path, const char *token)
{
	char body[300];
	int n = format(body, 200, "%s", path) + 1;

	n += format(body + n, 90, "%s", token) + 1;
	return store_call(XS_WATCH, 0, body, (unsigned int)n, NULL, 0);
}

static int unwatch(const char *path, const char *token)
{
	char body[300];
	int n = format(body, 200, "%s", path) + 1;

	n += format(body + n, 90, "%s", token) + 1;
	return store_call(XS_UNWATCH, 0, body, (unsigned int)n, NULL, 0);
}

/* The next event must be for @path with @token. */
static bool event(const char *path, const char *token)
{
	int n = store_event(buf, sizeof(buf), 10000);

	return n > 0 && !strcmp(buf, path) && !strcmp(buf + strlen(buf) + 1, token);
}

static void drain(void)
{
	/* A request and its reply flush what was sent before. */
	store_read("domid", buf, sizeof(buf));
	while (store_event(buf, sizeof(buf), 0) >= 0)
		;
}

static bool quiet(void)
{
	store_read("domid", buf, sizeof(buf));
	return store_event(buf, sizeof(buf), 0) < 0;
}

static int rm(const char *path)
{
	return store_op1(XS_RM, 0, path, NULL, 0);
}

/* A new watch fires at once, then on each change at or below its path. */
CASE(watch_fires, "STO-024 STO-025 STO-026 STO-027", DOMU)
{
	want(watch("data/w", "tok") >= 0);
	want(event("data/w", "tok"));
	want(store_write("data/w", "1") >= 0);
	want(event("data/w", "tok"));
	want(store_write("data/w/x", "2") >= 0);
	want(event("data/w/x", "tok"));
	want(store_write("data/v", "3") >= 0);
	want(quiet());
	want(unwatch("data/w", "tok") >= 0);
	want(rm("data/w") >= 0);
	want(rm("data/v") >= 0);
	want(quiet());
}

/* A watch with an absolute path reports absolute paths. */
CASE(watch_absolute, "STO-025 STO-027", DOMU)
{
	char path[80], below[90];

	format(path, sizeof(path), "/local/domain/%u/data/abs", own_domid());
	format(below, sizeof(below), "%s/deep", path);
	want(watch(path, "t") >= 0);
	want(event(path, "t"));
	want(store_write("data/abs/deep", "1") >= 0);
	want(event(below, "t"));
	want(unwatch(path, "t") >= 0);
	want(rm("data/abs") >= 0);
}

/*
 * The removal of a node above a watched path is reported with the watched
 * path.
 */
CASE(watch_parent_removed, "STO-028", DOMU)
{
	want(store_write("data/up/mid/low", "1") >= 0);
	want(watch("data/up/mid/low", "t") >= 0);
	want(event("data/up/mid/low", "t"));
	want(rm("data/up") >= 0);
	want(event("data/up/mid/low", "t"));
	want(unwatch("data/up/mid/low", "t") >= 0);
}

/*
 * A watch that is set already is refused; another token makes a second watch.
 */
CASE(watch_twice, "STO-029 STO-030", DOMU)
{
	want(watch("data/tw", "a") >= 0);
	want_eq(watch("data/tw", "a"), -EEXIST);
	want(watch("data/tw", "b") >= 0);
	drain();
	want(store_write("data/tw", "1") >= 0);
	want(store_event(buf, sizeof(buf), 10000) > 0);
	want(store_event(buf, sizeof(buf), 10000) > 0);
	want(unwatch("data/tw", "a") >= 0);
	want(unwatch("data/tw", "b") >= 0);
	want_eq(unwatch("data/tw", "b"), -ENOENT);
	want(store_write("data/tw", "2") >= 0);
	want(quiet());
	want(rm("data/tw") >= 0);
}

/* A watch beyond the limit is refused, and the others stay. */
CASE(watch_limit, "STO-031", DOMU | ALONE)
{
	char token[24];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < 2000; i++) {
		format(token, sizeof(token), "t%u", i);
		ret = watch("data/lim", token);
		drain();
		if (ret < 0)
			break;
	}
	want_any(ret, -E2BIG, -ENOSPC);
	want(i > 10);
	want(store_read("domid", buf, sizeof(buf)) > 0);
	want(unwatch("data/lim", "t0") >= 0);
	want(watch("data/lim", "again") >= 0);
}

/* RESET_WATCHES drops all watches, where it exists. */
CASE(watch_reset, "STO-033", DOMU)
{
	int ret;

	want(watch("data/rs", "t") >= 0);
	drain();
	ret = store_call(XS_RESET_WATCHES, 0, "", 1, NULL, 0);
	if (ret == -ENOSYS) {
		want(unwatch("data/rs", "t") >= 0);
		return;
	}
	want(ret >= 0);
	want(store_write("data/rs", "1") >= 0);
	want(quiet());
	want_eq(unwatch("data/rs", "t"), -ENOENT);
	want(rm("data/rs") >= 0);
}

/*
 * Special watches without the right to them report nothing about other
 * domains.
 */
CASE(watch_special, "STO-045", DOMU)
{
	int ret = watch("@releaseDomain", "t");

	drain();
	want(ret >= 0 || ret == -EACCES || ret == -EINVAL);
	want(quiet());
	if (ret >= 0)
		want(unwatch("@releaseDomain", "t") >= 0);
}

static unsigned int begin(void)
{
	unsigned int id = 0;
	char *p = buf;

	if (store_call(XS_TRANSACTION_START, 0, "", 1, buf, sizeof(buf)) < 0)
		return 0;
	while (*p >= '0' && *p <= '9')
		id = id * 10 + (unsigned int)(*p++ - '0');
	return id;
}

static int end(unsigned int tx, const char *how)
{
	return store_call(XS_TRANSACTION_END, tx, how, 2, NULL, 0);
}

static int tx_write(unsigned int tx, const char *path, const char *value)
{
	char body[200];
	int n = format(body, 100, "%s", path) + 1;

	n += format(body + n, 90, "%s", value);
	return store_call(XS_WRITE, tx, body, (unsigned int)n, NULL, 0);
}

/*
 * Writes of a transaction are visible within it at once, and to others after
 * its end.
 */
CASE(tx_commit, "STO-034 STO-041", DOMU)
{
	unsigned int tx;

	want(store_write("data/tx", "old") >= 0);
	want(watch("data/tx", "t") >= 0);
	drain();
	tx = begin();
	want(tx);
	want(tx_write(tx, "data/tx", "new") >= 0);
	want_eq(store_op1(XS_READ, tx, "data/tx", buf, sizeof(buf)), 3);
	want_eq(memcmp(buf, "new", 3), 0);
	want_eq(store_read("data/tx", buf, sizeof(buf)), 3);
	want_eq(memcmp(buf, "old", 3), 0);
	want(quiet());
	want(end(tx, "T") >= 0);
	want(event("data/tx", "t"));
	want_eq(store_read("data/tx", buf, sizeof(buf)), 3);
	want_eq(memcmp(buf, "new", 3), 0);
	want(unwatch("data/tx", "t") >= 0);
	want(rm("data/tx") >= 0);
}

/* An aborted transaction has no effect. */
CASE(tx_abort, "STO-035", DOMU)
{
	unsigned int tx;

	want(store_write("data/ab", "old") >= 0);
	tx = begin();
	want(tx_write(tx, "data/ab", "new") >= 0);
	want(tx_write(tx, "data/ab2", "new") >= 0);
	want(end(tx, "F") >= 0);
	want_eq(store_read("data/ab", buf, sizeof(buf)), 3);
	want_eq(memcmp(buf, "old", 3), 0);
	want_eq(store_read("data/ab2", buf, sizeof(buf)), -ENOENT);
	want(rm("data/ab") >= 0);
}

/* A transaction fails as a whole when another client changed a node it used. */
CASE(tx_conflict, "STO-036", DOMU)
{
	unsigned int tx;

	want(store_write("data/cf", "old") >= 0);
	tx = begin();
	want_eq(store_op1(XS_READ, tx, "data/cf", buf, sizeof(buf)), 3);
	want(tx_write(tx, "data/cf2", "mine") >= 0);
	want(store_write("data/cf", "other") >= 0);
	want_eq(end(tx, "T"), -EAGAIN);
	want_eq(store_read("data/cf2", buf, sizeof(buf)), -ENOENT);
	want(rm("data/cf") >= 0);
}

/*
 * Unknown transaction numbers, nested transactions and bad end arguments are
 * refused.
 */
CASE(tx_wrong, "STO-037 STO-038 STO-039", DOMU)
{
	unsigned int tx;

	want_eq(store_op1(XS_READ, 0x7fffffff, "domid", buf, sizeof(buf)), -ENOENT);
	want_eq(end(0x7fffffff, "T"), -ENOENT);
	tx = begin();
	want(tx);
	want_any(store_call(XS_TRANSACTION_START, tx, "", 1, buf, sizeof(buf)), -EBUSY,
		 -EINVAL);
	want_eq(store_call(XS_TRANSACTION_END, tx, "X", 2, NULL, 0), -EINVAL);
	end(tx, "F");
	want_eq(end(tx, "F"), -ENOENT);
}

/* A transaction beyond the limit is refused. */
CASE(tx_limit, "STO-040", DOMU | ALONE)
{
	unsigned int i, tx[200];
	int ret = 0;

	for (i = 0; i < 200; i++) {
		ret = store_call(XS_TRANSACTION_START, 0, "", 1, buf, sizeof(buf));
		if (ret < 0)
			break;
		tx[i] = 0;
	}
	want_eq(ret, -ENOSPC);
	want(i >= 1 && !tx[0]);
	want(store_read("domid", buf, sizeof(buf)) > 0);
}
