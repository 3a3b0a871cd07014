// SPDX-License-Identifier: GPL-2.0-only
/*
 * XenStore for kernel code: one call, one checked reply.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <pvbus/store.h>

#include "store_client.h"

/* Seconds after which a silent daemon is logged. */
#define STORE_REPORT_TIME	30
/* Seconds to wait for a silent daemon while the system shuts down. */
#define STORE_SHUTDOWN_TIME	5
/* Bytes that all names in one directory may have. */
#define STORE_LIST_MAX	(256 * 1024)
/* Seconds to wait for a daemon that has no room for another transaction. */
#define STORE_BEGIN_TIME	30
/* Milliseconds between two attempts to open one, doubled up to a second. */
#define STORE_BEGIN_PAUSE	10U
#define STORE_BEGIN_PAUSE_MAX	1000U
/* Attempts to read a directory that changes between its pieces. */
#define STORE_LIST_TRIES	16

static void pvstore_complete(struct pvstore_request *req)
{
	complete(&req->completed);
}

/* Wait for the reply, for @limit seconds at most unless that is 0. */
static int pvstore_wait(struct pvstore_request *req, unsigned int limit)
{
	unsigned int waited = 0;
	bool shutdown;
	long left;

	for (;;) {
		left = wait_for_completion_killable_timeout(&req->completed, HZ);
		if (left > 0)
			return req->error;
		waited++;
		shutdown = system_state > SYSTEM_RUNNING;
		if (left < 0 || (shutdown && waited >= STORE_SHUTDOWN_TIME) ||
		    (limit && waited >= limit)) {
			if (pvstore_abandon(req))
				return left < 0 ? -EINTR : -ETIMEDOUT;
			/* The reply has just come. */
			wait_for_completion(&req->completed);
			return req->error;
		}
		if (!shutdown && waited == STORE_REPORT_TIME)
			pr_warn("pvbus: store: request %u of type %u: no reply for %u s (%d); waiting\n",
				req->head.req_id, req->head.type, waited,
				-ETIMEDOUT);
	}
}

static int pvstore_call_within(struct pvstore_request *req, unsigned int limit)
{
	int ret;

	req->done = pvstore_complete;
	ret = pvstore_submit(req);
	return ret ?: pvstore_wait(req, limit);
}

/**
 * pvstore_call() - submit a request and wait for the reply
 * @req: the request; owner and payload have been filled in
 *
 * Context: process.
 * Return: 0, or a negative errno: req->error if there was a reply.
 */
int pvstore_call(struct pvstore_request *req)
{
	return pvstore_call_within(req, 0);
}

/*
 * Send a request and wait, for @limit seconds at most unless that is 0.  The
 * payload is @dir, "/", @node, a zero byte, and @len bytes of @more.  On success
 * the caller reads the reply and puts the request.
 */
static struct pvstore_request *
pvstore_ask_within(unsigned int limit, u32 type, u32 txn, const char *dir,
		   const char *node, const void *more, size_t len)
{
	size_t dir_len = strlen(dir), node_len = strlen(node);
	struct pvstore_request *req;
	char *p;
	int ret;

	req = pvstore_new(type, txn, dir_len + !!node_len + node_len + 1 + len);
	if (IS_ERR(req))
		return req;
	p = req->body;
	memcpy(p, dir, dir_len);
	p += dir_len;
	if (node_len)
		*p++ = '/';
	memcpy(p, node, node_len + 1);
	memcpy(p + node_len + 1, more, len);
	ret = pvstore_call_within(req, limit);
	if (!ret)
		return req;
	pvstore_put(req);
	return ERR_PTR(ret);
}

static struct pvstore_request *pvstore_ask(u32 type, u32 txn, const char *dir,
					   const char *node, const void *more,
					   size_t len)
{
	return pvstore_ask_within(0, type, txn, dir, node, more, len);
}

/* A request whose reply has nothing but the result. */
static int pvstore_command(u32 type, u32 txn, const char *dir, const char *node,
			   const void *more, size_t len)
{
	struct pvstore_request *req =
		pvstore_ask(type, txn, dir, node, more, len);

	if (IS_ERR(req))
		return PTR_ERR(req);
	pvstore_put(req);
	return 0;
}

/* The reply to a request to read, which is put. */
static int pvstore_take_value(struct pvstore_request *req, char **value,
			      unsigned int *len)
{
	if (IS_ERR(req))
		return PTR_ERR(req);
	*value = req->reply;
	if (len)
		*len = req->reply_len;
	req->reply = NULL;
	pvstore_put(req);
	return 0;
}

/**
 * pvstore_read_within() - read a node, but give a silent daemon up
 * @seconds: after so many; 0: never, as pvstore_read()
 * @dir: directory
 * @node: below it
 * @value: as for pvstore_read()
 *
 * Context: process.
 * Return: 0 or a negative errno, as said in store.h; -ETIMEDOUT without a reply.
 */
int pvstore_read_within(unsigned int seconds, const char *dir, const char *node,
			char **value)
{
	struct pvstore_request *req =
		pvstore_ask_within(seconds, XS_READ, PVSTORE_NO_TXN, dir, node,
				   "", 0);

	return pvstore_take_value(req, value, NULL);
}

/**
 * pvstore_read() - read a node
 * @txn: transaction or PVSTORE_NO_TXN
 * @dir: directory
 * @node: below it
 * @value: set to the value with a zero byte behind it; the caller's to kfree()
 * @len: set to its length, in which there may be more zero bytes; may be NULL
 *
 * Context: process.
 * Return: 0 or a negative errno, as said in store.h.
 */
int pvstore_read(u32 txn, const char *dir, const char *node, char **value,
		 unsigned int *len)
{
	return pvstore_take_value(pvstore_ask(XS_READ, txn, dir, node, "", 0),
				  value, len);
}
EXPORT_SYMBOL_GPL(pvstore_read);

/**
 * pvstore_read_uint() - read a node that holds a decimal number
 * @txn: transaction or PVSTORE_NO_TXN
 * @dir: directory
 * @node: below it
 * @value: set to the number; untouched on error
 *
 * Context: process.
 * Return: 0 or a negative errno; -EINVAL if it is no number.
 */
int pvstore_read_uint(u32 txn, const char *dir, const char *node,
		      unsigned long long *value)
{
	unsigned int len;
	char *text;
	int ret = pvstore_read(txn, dir, node, &text, &len);

	if (ret)
		return ret;
	if (strlen(text) != len || kstrtoull(text, 10, value))
		ret = -EINVAL;
	kfree(text);
	return ret;
}
EXPORT_SYMBOL_GPL(pvstore_read_uint);

/**
 * pvstore_read_feature() - read a number with a default and a limit
 * @dir: its directory
 * @node: name of the feature
 * @absent: returned if it does not exist, or is not a number
 * @max: returned for any larger number
 *
 * Context: process.
 * Return: the number, @absent or @max.
 */
unsigned int pvstore_read_feature(const char *dir, const char *node,
				  unsigned int absent, unsigned int max)
{
	unsigned long long value;
	int ret = pvstore_read_uint(PVSTORE_NO_TXN, dir, node, &value);

	if (ret && ret != -ENOENT)
		pr_warn_ratelimited("pvbus: %s/%s: cannot be read as a number (%d); using %u\n",
				    dir, node, ret, absent);
	if (ret)
		return absent;
	return min_t(unsigned long long, value, max);
}
EXPORT_SYMBOL_GPL(pvstore_read_feature);

/*
 * Read a directory that is too long for one message in pieces.  Each begins
 * with the directory's generation; an empty name ends the last one.
 */
static int pvstore_list_pieces(u32 txn, const char *dir, const char *node,
			       char *names, size_t *len)
{
	char generation[24] = "", offset[12];
	struct pvstore_request *req;
	size_t got = 0, head, more;
	bool last = false, same;

	while (!last) {
		more = scnprintf(offset, sizeof(offset), "%zu", got) + 1;
		req = pvstore_ask(XS_DIRECTORY_PART, txn, dir, node, offset,
				  more);
		if (IS_ERR(req))
			return PTR_ERR(req);
		head = strnlen(req->reply, req->reply_len) + 1;
		if (head > sizeof(generation) || head >= req->reply_len ||
		    req->reply[req->reply_len - 1]) {
			pvstore_put(req);
			return -EPROTO;
		}
		more = req->reply_len - head;
		last = more == 1 || !req->reply[req->reply_len - 2];
		more -= last;
		same = !got || !strcmp(generation, req->reply);
		if (same && got + more <= STORE_LIST_MAX) {
			strscpy(generation, req->reply, sizeof(generation));
			memcpy(names + got, req->reply + head, more);
		}
		got += more;
		pvstore_put(req);
		if (!same)
			return -ESTALE;
		if (got > STORE_LIST_MAX)
			return -E2BIG;
	}
	*len = got;
	return 0;
}

static int pvstore_list_long(u32 txn, const char *dir, const char *node,
			     char **names, size_t *len)
{
	unsigned int tries = STORE_LIST_TRIES;
	char *buf = kvmalloc(STORE_LIST_MAX, GFP_KERNEL);
	int ret;

	if (!buf)
		return -ENOMEM;
	do {
		ret = pvstore_list_pieces(txn, dir, node, buf, len);
	} while (ret == -ESTALE && --tries);
	if (ret)
		kvfree(buf);
	else
		*names = buf;
	return ret;
}

/* Make an array of zero-terminated names that follow each other. */
static int pvstore_split_names(const char *text, size_t len, char ***names,
			       unsigned int *count)
{
	const char *end = text + len, *p;
	unsigned int n = 0;
	char **array, *copy;

	if (len && end[-1])
		return -EPROTO;
	for (p = text; p < end; p += strlen(p) + 1, n++)
		if (!*p || strchr(p, '/'))
			return -EPROTO;
	array = kvmalloc(n * sizeof(*array) + len, GFP_KERNEL);
	if (!array)
		return -ENOMEM;
	copy = (char *)(array + n);
	memcpy(copy, text, len);
	*names = array;
	*count = n;
	for (; n; n--, copy += strlen(copy) + 1)
		*array++ = copy;
	return 0;
}

/**
 * pvstore_list() - names of the nodes directly below one
 * @txn: transaction or PVSTORE_NO_TXN
 * @dir: directory
 * @node: below it
 * @names: set to an array of the names; the caller's to kvfree(), in one
 * @count: set to their number; also with none, @names is to be freed
 *
 * Context: process.
 * Return: 0 or a negative errno; -ESTALE if it changes faster than it can be
 * read, -E2BIG if it is longer than STORE_LIST_MAX.
 */
int pvstore_list(u32 txn, const char *dir, const char *node, char ***names,
		 unsigned int *count)
{
	struct pvstore_request *req;
	char *text;
	size_t len;
	int ret;

	req = pvstore_ask(XS_DIRECTORY, txn, dir, node, "", 0);
	if (!IS_ERR(req)) {
		ret = pvstore_split_names(req->reply, req->reply_len, names,
					  count);
		pvstore_put(req);
		return ret;
	}
	if (PTR_ERR(req) != -E2BIG)
		return PTR_ERR(req);
	ret = pvstore_list_long(txn, dir, node, &text, &len);
	if (ret)
		return ret;
	ret = pvstore_split_names(text, len, names, count);
	kvfree(text);
	return ret;
}
EXPORT_SYMBOL_GPL(pvstore_list);

/**
 * pvstore_exists() - is there such a node, and may we read it?
 * @txn: transaction or PVSTORE_NO_TXN
 * @dir: directory
 * @node: below it
 *
 * Context: process.
 * Return: true if it was read; false also if the request failed.
 */
bool pvstore_exists(u32 txn, const char *dir, const char *node)
{
	return !pvstore_command(XS_READ, txn, dir, node, "", 0);
}
EXPORT_SYMBOL_GPL(pvstore_exists);

/**
 * pvstore_write() - write a node, and create missing ones above it
 * @txn: transaction or PVSTORE_NO_TXN
 * @dir: directory
 * @node: below it
 * @value: what to write
 *
 * Context: process.
 * Return: 0 or a negative errno, as said in store.h.
 */
int pvstore_write(u32 txn, const char *dir, const char *node, const char *value)
{
	return pvstore_command(XS_WRITE, txn, dir, node, value, strlen(value));
}
EXPORT_SYMBOL_GPL(pvstore_write);

/**
 * pvstore_printf() - pvstore_write() with a value made by a format
 * @txn: transaction or PVSTORE_NO_TXN
 * @dir: directory
 * @node: below it
 * @fmt: format of the value
 *
 * Context: process.
 * Return: 0 or a negative errno, as said in store.h; -ENOMEM.
 */
int pvstore_printf(u32 txn, const char *dir, const char *node,
		   const char *fmt, ...)
{
	va_list args;
	char *value;
	int ret;

	va_start(args, fmt);
	value = kvasprintf(GFP_NOIO, fmt, args);
	va_end(args);
	if (!value)
		return -ENOMEM;
	ret = pvstore_write(txn, dir, node, value);
	kfree(value);
	return ret;
}
EXPORT_SYMBOL_GPL(pvstore_printf);

/**
 * pvstore_remove() - remove a node and all below it
 * @txn: transaction or PVSTORE_NO_TXN
 * @dir: directory
 * @node: below it
 *
 * Context: process.
 * Return: 0 or a negative errno, as said in store.h.
 */
int pvstore_remove(u32 txn, const char *dir, const char *node)
{
	return pvstore_command(XS_RM, txn, dir, node, "", 0);
}
EXPORT_SYMBOL_GPL(pvstore_remove);

/*
 * Open a transaction, and wait while the kernel has as many as it may have open
 * (-EBUSY), which other callers end soon, or the daemon has no room.
 */
static struct pvstore_request *pvstore_ask_begin(void)
{
	unsigned int waited = 0, next = STORE_BEGIN_PAUSE, pause;
	struct pvstore_request *req;
	bool busy, shutdown;

	for (;;) {
		req = pvstore_ask(XS_TRANSACTION_START, PVSTORE_NO_TXN, "", "",
				  "", 0);
		busy = req == ERR_PTR(-EBUSY);
		if (!busy && req != ERR_PTR(-ENOSPC) && req != ERR_PTR(-EAGAIN))
			return req;
		shutdown = system_state > SYSTEM_RUNNING;
		if (waited >= (shutdown ? STORE_SHUTDOWN_TIME :
					  STORE_BEGIN_TIME) * 1000)
			return req;
		pause = busy ? STORE_BEGIN_PAUSE : next;
		schedule_timeout_killable(msecs_to_jiffies(pause));
		if (fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
		if (!busy)
			next = min(2 * next, STORE_BEGIN_PAUSE_MAX);
		if (!busy || shutdown)
			waited += pause;
	}
}

/**
 * pvstore_begin() - open a transaction
 * @txn: set to its handle, to be given to other calls and to pvstore_end()
 *
 * Waits while the kernel has all transactions open that it may have
 * (PVSTORE_KERNEL_TXNS), and for half a minute while the daemon has no room.  A
 * caller with one open must not open another.
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int pvstore_begin(u32 *txn)
{
	struct pvstore_request *req;

	req = pvstore_ask_begin();
	if (IS_ERR(req))
		return PTR_ERR(req);
	*txn = req->handle;
	pvstore_put(req);
	return 0;
}
EXPORT_SYMBOL_GPL(pvstore_begin);

/**
 * pvstore_end() - close a transaction
 * @txn: its handle, of no use afterwards whatever this returns
 * @abort: discard what was written
 *
 * Needs no memory: it cannot be that a transaction stays open for lack of it.
 *
 * Context: process.
 * Return: 0 or a negative errno; -EAGAIN if nothing was written because others
 * changed what the transaction has read: begin again.
 */
int pvstore_end(u32 txn, bool abort)
{
	struct pvstore_request *req = pvstore_take_end(txn, NULL, abort);
	int ret;

	if (IS_ERR(req))
		return PTR_ERR(req);
	ret = pvstore_call(req);
	pvstore_put(req);
	/* A transaction that a reset has lost need not be aborted. */
	return abort && ret == -EAGAIN ? 0 : ret;
}
EXPORT_SYMBOL_GPL(pvstore_end);

/**
 * pvstore_watch() - set a watch
 * @watch: with path and changed() filled in
 *
 * changed() is called once soon after, also without a change.
 *
 * Context: process.
 * Return: 0 or a negative errno; changed() is not called any more then.
 */
int pvstore_watch(struct pvstore_watch *watch)
{
	struct pvstore_request *req =
		pvstore_set_watch(watch, pvstore_complete, NULL);
	int ret;

	if (IS_ERR(req))
		return PTR_ERR(req);
	ret = pvstore_wait(req, 0);
	if (ret)
		pvstore_unwatch(watch);
	pvstore_put(req);
	return ret;
}
EXPORT_SYMBOL_GPL(pvstore_watch);
