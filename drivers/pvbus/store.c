// SPDX-License-Identifier: GPL-2.0-only
/*
 * What kernel code asks of the store: one call, one answer, checked.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <pvbus/store.h>

#include "store_client.h"

/* Seconds after which a silent daemon is reported. */
#define STORE_PATIENCE	30
/* And after which it is left alone when the system goes down. */
#define STORE_FAREWELL	5
/* Bytes that all names in one directory may have. */
#define STORE_LIST_MAX	(256 * 1024)
/* How often a directory may change while it is read piece by piece. */
#define STORE_LIST_TRIES	16

static void answered(struct pvstore_request *req)
{
	complete(&req->completed);
}

static int wait_answer(struct pvstore_request *req)
{
	bool farewell, told = false;
	unsigned int waited = 0;
	long left;

	for (;;) {
		left = wait_for_completion_killable_timeout(&req->completed, HZ);
		if (left > 0)
			return req->error;
		farewell = system_state > SYSTEM_RUNNING;
		if (left < 0 || (farewell && ++waited >= STORE_FAREWELL)) {
			if (pvstore_forsake(req))
				return left < 0 ? -EINTR : -ETIMEDOUT;
			/* Answered just now. */
			wait_for_completion(&req->completed);
			return req->error;
		}
		if (!farewell && !told && ++waited >= STORE_PATIENCE) {
			pr_warn("pvbus: store: no answer for %u s to request %u of type %u; still waiting\n",
				waited, req->head.req_id, req->head.type);
			told = true;
		}
	}
}

/**
 * pvstore_carry_out() - submit a request and wait for the answer
 * @req: the request; owner and payload have been filled in
 *
 * Context: process.
 * Return: 0, or a negative errno: req->error if it has been answered.
 */
int pvstore_carry_out(struct pvstore_request *req)
{
	int ret;

	req->done = answered;
	ret = pvstore_submit(req);
	return ret ?: wait_answer(req);
}

/*
 * Ask and wait.  The payload is @dir, "/", @node, a zero byte, and @len bytes
 * of @more.  On success the request is the caller's, to read the answer.
 */
static struct pvstore_request *ask(u32 type, u32 txn, const char *dir,
				   const char *node, const void *more,
				   size_t len)
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
	ret = pvstore_carry_out(req);
	if (!ret)
		return req;
	pvstore_put(req);
	return ERR_PTR(ret);
}

/* The same where the answer says nothing more than "OK". */
static int tell(u32 type, u32 txn, const char *dir, const char *node,
		const void *more, size_t len)
{
	struct pvstore_request *req = ask(type, txn, dir, node, more, len);

	if (IS_ERR(req))
		return PTR_ERR(req);
	pvstore_put(req);
	return 0;
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
	struct pvstore_request *req = ask(XS_READ, txn, dir, node, "", 0);

	if (IS_ERR(req))
		return PTR_ERR(req);
	*value = req->reply;
	if (len)
		*len = req->reply_len;
	req->reply = NULL;
	pvstore_put(req);
	return 0;
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
 * pvstore_read_feature() - read a number that a back end offers
 * @dir: its directory
 * @node: name of the feature
 * @absent: what holds if it is not there, or is no number
 * @max: what is made of any larger number
 *
 * Context: process.
 */
unsigned int pvstore_read_feature(const char *dir, const char *node,
				  unsigned int absent, unsigned int max)
{
	unsigned long long value;
	int ret = pvstore_read_uint(PVSTORE_NO_TXN, dir, node, &value);

	if (ret && ret != -ENOENT)
		pr_warn("pvbus: %s/%s cannot be read as a number (%d), taken for %u\n",
			dir, node, ret, absent);
	if (ret)
		return absent;
	return min_t(unsigned long long, value, max);
}
EXPORT_SYMBOL_GPL(pvstore_read_feature);

/*
 * A directory that is too long for one message, in pieces.  Each begins with
 * the directory's generation; an empty name ends the last one.
 */
static int list_pieces(u32 txn, const char *dir, const char *node, char *names,
		       size_t *len)
{
	char generation[24] = "", offset[12];
	struct pvstore_request *req;
	size_t got = 0, head, more;
	bool last = false, same;

	while (!last) {
		req = ask(XS_DIRECTORY_PART, txn, dir, node, offset,
			  scnprintf(offset, sizeof(offset), "%zu", got) + 1);
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

static int list_long(u32 txn, const char *dir, const char *node, char **names,
		     size_t *len)
{
	unsigned int tries = STORE_LIST_TRIES;
	char *buf = kvmalloc(STORE_LIST_MAX, GFP_KERNEL);
	int ret;

	if (!buf)
		return -ENOMEM;
	do {
		ret = list_pieces(txn, dir, node, buf, len);
	} while (ret == -ESTALE && --tries);
	if (ret)
		kvfree(buf);
	else
		*names = buf;
	return ret;
}

/* Zero-terminated names, one after the other, as an array and a copy. */
static int split_names(const char *text, size_t len, char ***names,
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
 * @count: set to how many there are; with none, @names is to be freed as well
 *
 * Context: process.
 * Return: 0 or a negative errno; -ESTALE if it changes faster than it can be
 * read, -E2BIG if it is too long for us.
 */
int pvstore_list(u32 txn, const char *dir, const char *node, char ***names,
		 unsigned int *count)
{
	struct pvstore_request *req;
	char *text;
	size_t len;
	int ret;

	req = ask(XS_DIRECTORY, txn, dir, node, "", 0);
	if (!IS_ERR(req)) {
		ret = split_names(req->reply, req->reply_len, names, count);
		pvstore_put(req);
		return ret;
	}
	if (PTR_ERR(req) != -E2BIG)
		return PTR_ERR(req);
	ret = list_long(txn, dir, node, &text, &len);
	if (ret)
		return ret;
	ret = split_names(text, len, names, count);
	kvfree(text);
	return ret;
}
EXPORT_SYMBOL_GPL(pvstore_list);

/** pvstore_exists() - is there such a node, as far as we may know? */
bool pvstore_exists(u32 txn, const char *dir, const char *node)
{
	return !tell(XS_READ, txn, dir, node, "", 0);
}
EXPORT_SYMBOL_GPL(pvstore_exists);

/**
 * pvstore_write() - write a node, and make what is missing above it
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
	return tell(XS_WRITE, txn, dir, node, value, strlen(value));
}
EXPORT_SYMBOL_GPL(pvstore_write);

/** pvstore_printf() - the same with a value made by a format */
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

/** pvstore_remove() - remove a node and all below it */
int pvstore_remove(u32 txn, const char *dir, const char *node)
{
	return tell(XS_RM, txn, dir, node, "", 0);
}
EXPORT_SYMBOL_GPL(pvstore_remove);

/**
 * pvstore_begin() - open a transaction
 * @txn: set to its handle, to be given to other calls and to pvstore_end()
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int pvstore_begin(u32 *txn)
{
	struct pvstore_request *req = ask(XS_TRANSACTION_START, PVSTORE_NO_TXN,
					  "", "", "", 0);

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
 * @abort: forget what was written
 *
 * Context: process.
 * Return: 0 or a negative errno; -EAGAIN if nothing was written because others
 * changed what the transaction has seen: begin anew.
 */
int pvstore_end(u32 txn, bool abort)
{
	int ret = tell(XS_TRANSACTION_END, txn, abort ? "F" : "T", "", "", 0);

	/* What a reset of the daemon has lost need not be given up. */
	return abort && ret == -EAGAIN ? 0 : ret;
}
EXPORT_SYMBOL_GPL(pvstore_end);

/**
 * pvstore_watch() - be told of changes
 * @watch: with path and changed() filled in
 *
 * changed() is called once soon after, whatever has changed.
 *
 * Context: process.
 * Return: 0 or a negative errno; changed() is not called any more then.
 */
int pvstore_watch(struct pvstore_watch *watch)
{
	struct pvstore_request *req = pvstore_set_watch(watch, answered, NULL);
	int ret;

	if (IS_ERR(req))
		return PTR_ERR(req);
	ret = wait_answer(req);
	if (ret)
		pvstore_unwatch(watch);
	pvstore_put(req);
	return ret;
}
EXPORT_SYMBOL_GPL(pvstore_watch);
