// SPDX-License-Identifier: GPL-2.0-only
/*
 * Client of XenStore: requests of several callers in flight at once, matched
 * with their replies by number; transactions; watches; protocol errors of the
 * daemon and resets of its ring.
 *
 * Callers put requests in a queue and on the ring as much as fits; one worker
 * does the rest when the daemon sends an event.  No lock is held while a
 * request is with the daemon.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <pvbus/store.h>
#include <pvguest/platform.h>

#include "store_client.h"
#include "store_wire.h"

/* Messages that the worker takes before other work runs. */
#define STORE_BUDGET	64
/* Resets of the ring before the client gives up. */
#define STORE_RESETS	16

enum store_state {
	STORE_ABSENT,
	STORE_UP,
	STORE_RESETTING,
	STORE_BROKEN,
};

/**
 * struct pvstore_txn - an open transaction
 * @list: among all that are open
 * @handle: our number, never used twice; what callers have
 * @id: the daemon's number, which it may use again after a reset
 * @lost: opened before a reset; it can only be ended
 * @owner: who may use it
 * @end: request that ends it, made before it is opened: without memory it
 *	would stay open, and there are few; NULL once taken
 */
struct pvstore_txn {
	struct list_head list;
	u32 handle;
	u32 id;
	bool lost;
	void *owner;
	struct pvstore_request *end;
};

/**
 * struct pvstore - the client's state
 * @wire: ring to the daemon; its receiving half is the worker's
 * @irq: the daemon's events
 * @worker: takes replies, sends what had no room
 * @queue: where it runs
 * @lock: protects all below, and the sending half of @wire
 * @state: whether requests can be sent
 * @resets: number of resets of the ring
 * @last_id: last number given to a request
 * @last_handle: last number given to a transaction
 * @last_token: last number given to a watch
 * @unsent: requests that are not, or not all, on the ring
 * @awaiting_reply: requests that wait for their reply
 * @txns: open transactions
 * @watches: all that are set
 */
static struct pvstore {
	struct pvstore_wire wire;
	unsigned int irq;
	struct work_struct worker;
	struct workqueue_struct *queue;
	struct mutex lock;	/* see above */
	enum store_state state;
	unsigned int resets;
	u32 last_id;
	u32 last_handle;
	u32 last_token;
	struct list_head unsent;
	struct list_head awaiting_reply;
	struct list_head txns;
	struct list_head watches;
} pvstore = {
	.lock		= __MUTEX_INITIALIZER(pvstore.lock),
	.unsent		= LIST_HEAD_INIT(pvstore.unsent),
	.awaiting_reply	= LIST_HEAD_INIT(pvstore.awaiting_reply),
	.txns		= LIST_HEAD_INIT(pvstore.txns),
	.watches	= LIST_HEAD_INIT(pvstore.watches),
};

/**
 * pvstore_present() - has this domain XenStore?
 *
 * Context: any.
 * Return: true if there is a ring to the daemon, in working order or not.
 */
bool pvstore_present(void)
{
	return READ_ONCE(pvstore.state) != STORE_ABSENT;
}
EXPORT_SYMBOL_GPL(pvstore_present);

/**
 * pvstore_new() - make a request
 * @type: XS_*
 * @txn: transaction that it belongs to, or PVSTORE_NO_TXN
 * @len: bytes of the payload, which the caller fills in
 *
 * Context: process.
 * Return: the request, to be given back by pvstore_put(), or an ERR_PTR.
 */
struct pvstore_request *pvstore_new(u32 type, u32 txn, size_t len)
{
	struct pvstore_request *req;

	if (len > XENSTORE_PAYLOAD_MAX)
		return ERR_PTR(-E2BIG);
	req = kzalloc(sizeof(*req) + len, GFP_NOIO);
	if (!req)
		return ERR_PTR(-ENOMEM);
	if (type == XS_TRANSACTION_START) {
		req->txn = kzalloc(sizeof(*req->txn), GFP_NOIO);
		req->end = pvstore_new(XS_TRANSACTION_END, PVSTORE_NO_TXN, 2);
		if (!req->txn || IS_ERR(req->end)) {
			kfree(req->txn);
			if (!IS_ERR(req->end))
				pvstore_put(req->end);
			kfree(req);
			return ERR_PTR(-ENOMEM);
		}
	}
	kref_init(&req->users);
	init_completion(&req->completed);
	req->handle = txn;
	req->head.type = type;
	req->head.len = len;
	return req;
}

static void pvstore_txn_free(struct pvstore_txn *txn)
{
	if (txn && txn->end)
		pvstore_put(txn->end);
	kfree(txn);
}

static void pvstore_request_free(struct kref *users)
{
	struct pvstore_request *req = container_of(users,
						   struct pvstore_request,
						   users);

	pvstore_txn_free(req->txn);
	if (req->end)
		pvstore_put(req->end);
	kfree(req->reply);
	kfree(req);
}

/**
 * pvstore_put() - the caller is done with a request
 * @req: the request
 *
 * Context: any.
 */
void pvstore_put(struct pvstore_request *req)
{
	kref_put(&req->users, pvstore_request_free);
}

/* Functions from here to pvstore_submit() are called with the lock held. */

/* Put on the ring as much as fits; true: the daemon has to be notified. */
static bool pvstore_send(void)
{
	struct pvstore_request *req;
	bool sent = false;
	u32 total, n;

	while (pvstore.state == STORE_UP && !list_empty(&pvstore.unsent)) {
		req = list_first_entry(&pvstore.unsent, struct pvstore_request,
				       list);
		total = sizeof(req->head) + req->head.len;
		n = pvstore_wire_send(&pvstore.wire,
				      (char *)&req->head + req->sent,
				      total - req->sent);
		if (!n)
			break;
		sent = true;
		req->sent += n;
		if (req->sent == total)
			list_move_tail(&req->list, &pvstore.awaiting_reply);
	}
	return sent;
}

static struct pvstore_txn *pvstore_find_txn(u32 handle, void *owner)
{
	struct pvstore_txn *txn;

	list_for_each_entry(txn, &pvstore.txns, list)
		if (txn->handle == handle && txn->owner == owner)
			return txn;
	return NULL;
}

/* Give a request the daemon's number of its transaction. */
static int pvstore_enter_txn(struct pvstore_request *req)
{
	struct pvstore_txn *txn;

	if (req->handle == PVSTORE_NO_TXN)
		return 0;
	txn = pvstore_find_txn(req->handle, req->owner);
	if (!txn)
		return -ENOENT;
	req->head.tx_id = txn->id;
	if (req->head.type == XS_TRANSACTION_END) {
		list_del(&txn->list);
		req->txn = txn;		/* goes with the request */
	}
	return txn->lost ? -EAGAIN : 0;
}

static struct pvstore_request *pvstore_find_awaiting_reply(u32 id)
{
	struct pvstore_request *req;

	list_for_each_entry(req, &pvstore.awaiting_reply, list)
		if (req->head.req_id == id)
			return req;
	return NULL;
}

static void pvstore_watch_event(void)
{
	const char *path = pvstore.wire.body;
	u32 len = pvstore.wire.head.len;
	size_t path_len = strnlen(path, len);
	struct pvstore_watch *watch;
	u32 token;

	if (path_len + 1 >= len || pvstore.wire.body[len - 1]) {
		pvstore_wire_break(&pvstore.wire, "length of a watch event",
				   len);
		return;
	}
	if (kstrtou32(path + path_len + 1, 16, &token))
		return;		/* set by an earlier user of the ring */
	/* Not an error if there is none: the event may have been in flight. */
	list_for_each_entry(watch, &pvstore.watches, list) {
		if (watch->token == token) {
			watch->changed(watch, path);
			return;
		}
	}
}

/* Find the request of the reply on the wire, and take it off its list. */
static struct pvstore_request *pvstore_match_reply(void)
{
	const struct xsd_sockmsg *head = &pvstore.wire.head;
	struct pvstore_request *req = pvstore_find_awaiting_reply(head->req_id);

	if (!req)
		pvstore_wire_break(&pvstore.wire, "req_id", head->req_id);
	else if (head->type != req->head.type && head->type != XS_ERROR)
		pvstore_wire_break(&pvstore.wire, "type", head->type);
	else if (head->tx_id != req->head.tx_id)
		pvstore_wire_break(&pvstore.wire, "tx_id", head->tx_id);
	if (pvstore.wire.broken)
		return NULL;
	list_del(&req->list);
	return req;
}

static unsigned int pvstore_count_opening(const struct list_head *requests,
					  bool user)
{
	struct pvstore_request *req;
	unsigned int n = 0;

	list_for_each_entry(req, requests, list)
		n += req->head.type == XS_TRANSACTION_START &&
		     !!req->owner == user;
	return n;
}

/* Transactions that are open, or will be: of user programs, or the kernel's. */
static unsigned int pvstore_count_txns(bool user)
{
	unsigned int n = pvstore_count_opening(&pvstore.unsent, user) +
			 pvstore_count_opening(&pvstore.awaiting_reply, user);
	struct pvstore_txn *txn;

	list_for_each_entry(txn, &pvstore.txns, list)
		n += !!txn->owner == user;
	return n;
}

/* 0 if @req may open a transaction, or does not; else the error. */
static int pvstore_may_open(const struct pvstore_request *req)
{
	if (req->head.type != XS_TRANSACTION_START)
		return 0;
	if (req->owner)
		return pvstore_count_txns(true) < PVSTORE_USER_TXNS ?
			0 : -ENOSPC;
	return pvstore_count_txns(false) < PVSTORE_KERNEL_TXNS ? 0 : -EBUSY;
}

static int pvstore_submit_locked(struct pvstore_request *req)
{
	int ret;

	if (pvstore.state == STORE_ABSENT)
		return -ENODEV;
	if (pvstore.state == STORE_BROKEN)
		return -EPROTO;
	ret = pvstore_may_open(req);
	if (ret)
		return ret;
	ret = pvstore_enter_txn(req);
	if (ret)
		return ret;
	req->head.req_id = ++pvstore.last_id;
	kref_get(&req->users);
	list_add_tail(&req->list, &pvstore.unsent);
	if (pvstore_send())
		pvguest_notify(pvstore.irq);
	if (pvstore.wire.broken)
		queue_work(pvstore.queue, &pvstore.worker);
	return 0;
}

static struct pvstore_request *
pvstore_watch_request(const struct pvstore_watch *watch, u32 type)
{
	size_t path = strlen(watch->path) + 1;
	struct pvstore_request *req;

	req = pvstore_new(type, PVSTORE_NO_TXN, path + 9);
	if (IS_ERR(req))
		return req;
	memcpy(req->body, watch->path, path);
	req->head.len = path + 1 + scnprintf(req->body + path, 9, "%x",
					     watch->token);
	return req;
}

static void pvstore_ignore_reply(struct pvstore_request *req)
{
}

/* Send a request whose reply is ignored. */
static void pvstore_post(struct pvstore_request *req)
{
	if (IS_ERR(req))
		return;
	req->done = pvstore_ignore_reply;
	pvstore_submit_locked(req);
	pvstore_put(req);
}

/**
 * pvstore_submit() - hand a request to the daemon
 * @req: the request; owner and done() have been filled in
 *
 * Context: process; does not wait for the daemon.
 * Return: 0, and done() will be called; or a negative errno, and it will not.
 */
int pvstore_submit(struct pvstore_request *req)
{
	int ret;

	mutex_lock(&pvstore.lock);
	ret = pvstore_submit_locked(req);
	mutex_unlock(&pvstore.lock);
	return ret;
}

/**
 * pvstore_abandon() - stop waiting for a request
 * @req: a submitted request
 *
 * The daemon replies all the same; a transaction that it opens is closed.
 *
 * Return: false if the reply has come already.
 */
bool pvstore_abandon(struct pvstore_request *req)
{
	bool early;

	mutex_lock(&pvstore.lock);
	early = !req->finished;
	if (early)
		req->abandoned = true;
	mutex_unlock(&pvstore.lock);
	return early;
}

static struct pvstore_request *pvstore_take_end_locked(struct pvstore_txn *txn,
						       bool abort)
{
	struct pvstore_request *req = txn->end;

	txn->end = NULL;
	if (!req)
		return ERR_PTR(-ENOENT);
	req->handle = txn->handle;
	req->owner = txn->owner;
	req->body[0] = abort ? 'F' : 'T';
	return req;
}

/**
 * pvstore_take_end() - the request that ends a transaction; needs no memory
 * @txn: its handle
 * @owner: its owner
 * @abort: discard what was written
 *
 * Context: process.
 * Return: the request, to be submitted and given back by pvstore_put(), or an
 * ERR_PTR.
 */
struct pvstore_request *pvstore_take_end(u32 txn, void *owner, bool abort)
{
	struct pvstore_request *req = ERR_PTR(-ENOENT);
	struct pvstore_txn *open;

	mutex_lock(&pvstore.lock);
	open = pvstore_find_txn(txn, owner);
	if (open)
		req = pvstore_take_end_locked(open, abort);
	else if (pvstore.state == STORE_BROKEN)
		req = ERR_PTR(-EPROTO);
	mutex_unlock(&pvstore.lock);
	return req;
}

/**
 * pvstore_drop_txn() - abort a transaction without waiting
 * @txn: its handle
 * @owner: its owner
 *
 * Context: process.
 */
void pvstore_drop_txn(u32 txn, void *owner)
{
	struct pvstore_request *req = pvstore_take_end(txn, owner, true);

	mutex_lock(&pvstore.lock);
	pvstore_post(req);
	mutex_unlock(&pvstore.lock);
}

/**
 * pvstore_drop_owner() - abort all transactions of an owner
 * @owner: the owner
 *
 * Context: process; does not wait for the daemon.
 */
void pvstore_drop_owner(void *owner)
{
	struct pvstore_txn *txn, *next;

	mutex_lock(&pvstore.lock);
	list_for_each_entry_safe(txn, next, &pvstore.txns, list)
		if (txn->owner == owner)
			pvstore_post(pvstore_take_end_locked(txn, true));
	mutex_unlock(&pvstore.lock);
}

static int pvstore_error_by_name(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(xsd_errors); i++)
		if (!strcmp(name, xsd_errors[i].errstring))
			return -xsd_errors[i].errnum;
	return strcmp(name, "EPERM") ? -EIO : -EPERM;
}

/* A transaction has been opened, if its number is valid. */
static int pvstore_txn_opened(struct pvstore_request *req)
{
	struct pvstore_txn *txn = req->txn, *other;
	int ret = 0;

	if (kstrtou32(pvstore.wire.body, 10, &txn->id) ||
	    txn->id == PVSTORE_NO_TXN)
		return -EPROTO;
	mutex_lock(&pvstore.lock);
	list_for_each_entry(other, &pvstore.txns, list)
		if (other->id == txn->id && !other->lost)
			ret = -EPROTO;
	if (!ret) {
		if (++pvstore.last_handle == PVSTORE_NO_TXN)
			++pvstore.last_handle;
		txn->handle = pvstore.last_handle;
		txn->owner = req->owner;
		txn->end = req->end;
		req->end = NULL;
		req->handle = txn->handle;
		req->txn = NULL;
		list_add(&txn->list, &pvstore.txns);
	}
	mutex_unlock(&pvstore.lock);
	return ret;
}

/*
 * Take the message on the wire as the reply.  Whether a transaction was opened
 * or ended is known also without memory for a copy.
 */
static int pvstore_take_reply(struct pvstore_request *req)
{
	u32 len = pvstore.wire.head.len;
	int error = 0;

	if (pvstore.wire.head.type == XS_ERROR)
		error = pvstore_error_by_name(pvstore.wire.body);
	else if (req->head.type == XS_TRANSACTION_START)
		error = pvstore_txn_opened(req);
	req->reply = kmemdup(pvstore.wire.body, len + 1, GFP_NOIO);
	if (req->reply)
		req->reply_len = len;
	else if (!error && req->head.type != XS_TRANSACTION_START &&
		 req->head.type != XS_TRANSACTION_END)
		error = -ENOMEM;
	return error;
}

/* Complete a request with @error, or with the message on the wire if 0. */
static void pvstore_finish(struct pvstore_request *req, int error)
{
	bool abandoned;

	if (!error)
		error = pvstore_take_reply(req);
	if (error == -EPROTO) {
		kfree(req->reply);
		req->reply = NULL;
	}
	req->error = error;
	mutex_lock(&pvstore.lock);
	req->finished = true;
	abandoned = req->abandoned;
	mutex_unlock(&pvstore.lock);
	if (!abandoned)
		req->done(req);
	else if (!error && req->head.type == XS_TRANSACTION_START)
		pvstore_drop_txn(req->handle, req->owner);
	pvstore_put(req);
}

static void pvstore_finish_all(struct list_head *requests, int error)
{
	struct pvstore_request *req, *next;

	list_for_each_entry_safe(req, next, requests, list)
		pvstore_finish(req, error);
}

/**
 * pvstore_set_watch() - set a watch, without waiting for the daemon
 * @watch: the watch; the client's unless this returns an ERR_PTR, in force when
 *	the request ends without an error
 * @done: called with the request when the daemon has replied
 * @owner: of the request, for done()
 *
 * Context: process.
 * Return: the request, to be given back by pvstore_put(), or an ERR_PTR.
 */
struct pvstore_request *pvstore_set_watch(struct pvstore_watch *watch,
					  void (*done)(struct pvstore_request *req),
					  void *owner)
{
	struct pvstore_request *req;
	int ret;

	mutex_lock(&pvstore.lock);
	watch->token = ++pvstore.last_token;
	req = pvstore_watch_request(watch, XS_WATCH);
	if (!IS_ERR(req)) {
		req->done = done;
		req->owner = owner;
		ret = pvstore_submit_locked(req);
		if (!ret) {
			list_add_tail(&watch->list, &pvstore.watches);
		} else {
			pvstore_put(req);
			req = ERR_PTR(ret);
		}
	}
	mutex_unlock(&pvstore.lock);
	return req;
}

/**
 * pvstore_unwatch() - end a watch
 * @watch: the watch; its changed() is not called again
 *
 * Context: process; does not wait for the daemon.
 */
void pvstore_unwatch(struct pvstore_watch *watch)
{
	mutex_lock(&pvstore.lock);
	list_del(&watch->list);
	pvstore_post(pvstore_watch_request(watch, XS_UNWATCH));
	mutex_unlock(&pvstore.lock);
}
EXPORT_SYMBOL_GPL(pvstore_unwatch);

/* After a protocol error: reset the ring if the daemon offers that, or stop. */
static void pvstore_reset_or_stop(void)
{
	struct pvstore_txn *txn, *next;
	LIST_HEAD(lost);
	bool again;

	mutex_lock(&pvstore.lock);
	again = pvstore_wire_can_reset(&pvstore.wire) &&
		pvstore.resets++ < STORE_RESETS;
	pr_err("pvbus: store: %s: invalid value %u (%d); %s\n",
	       pvstore.wire.broken, pvstore.wire.value, -EPROTO,
	       again ? "resetting the ring" :
	       "all requests fail from now on, restart the guest");
	if (again) {
		pvstore.state = STORE_RESETTING;
		pvstore_wire_ask_reset(&pvstore.wire);
	} else {
		pvstore.state = STORE_BROKEN;
		list_splice_tail_init(&pvstore.awaiting_reply, &lost);
		list_splice_tail_init(&pvstore.unsent, &lost);
		list_for_each_entry_safe(txn, next, &pvstore.txns, list) {
			list_del(&txn->list);
			pvstore_txn_free(txn);
		}
	}
	mutex_unlock(&pvstore.lock);
	if (again)
		pvguest_notify(pvstore.irq);
	pvstore_finish_all(&lost, -EPROTO);
}

/*
 * A request that was in flight at a reset is sent again, unless its transaction
 * is lost or it is about a watch, which is set again in any case.
 */
static void pvstore_sort_after_reset(struct list_head *lost,
				     struct list_head *watching)
{
	struct pvstore_request *req, *next;

	list_splice_init(&pvstore.awaiting_reply, &pvstore.unsent);
	list_for_each_entry_safe(req, next, &pvstore.unsent, list) {
		req->sent = 0;
		if (req->head.tx_id)
			list_move_tail(&req->list, lost);
		else if (req->head.type == XS_WATCH ||
			 req->head.type == XS_UNWATCH)
			list_move_tail(&req->list, watching);
	}
}

/* The daemon has reset the ring, and dropped our watches and transactions. */
static void pvstore_restart(void)
{
	struct pvstore_watch *watch;
	struct pvstore_txn *txn;
	LIST_HEAD(watching);
	LIST_HEAD(lost);

	mutex_lock(&pvstore.lock);
	list_for_each_entry(txn, &pvstore.txns, list)
		txn->lost = true;
	pvstore_sort_after_reset(&lost, &watching);
	pvstore_wire_attach(&pvstore.wire, pvstore.wire.ring);
	pvstore.state = STORE_UP;
	list_for_each_entry(watch, &pvstore.watches, list)
		pvstore_post(pvstore_watch_request(watch, XS_WATCH));
	mutex_unlock(&pvstore.lock);

	pvstore_finish_all(&lost, -EAGAIN);
	/* The message that pvstore_finish() takes for the reply. */
	pvstore.wire.head.type = XS_WATCH;
	pvstore.wire.head.len = 3;
	memcpy(pvstore.wire.body, "OK", 3);
	pvstore_finish_all(&watching, 0);
}

/* Take one message; false: there is none. */
static bool pvstore_receive_one(void)
{
	struct pvstore_request *req = NULL;
	bool got;

	mutex_lock(&pvstore.lock);
	got = pvstore.state == STORE_UP && pvstore_wire_receive(&pvstore.wire);
	if (got && pvstore.wire.head.type == XS_WATCH_EVENT)
		pvstore_watch_event();
	else if (got)
		req = pvstore_match_reply();
	mutex_unlock(&pvstore.lock);
	if (req)
		pvstore_finish(req, 0);
	return got;
}

static void pvstore_serve(struct work_struct *work)
{
	unsigned int budget = STORE_BUDGET;
	u32 taken = pvstore.wire.rsp_cons;
	/* Disks wait for replies, and memory may wait for disks. */
	unsigned int noio = memalloc_noio_save();
	bool moved, sent;

	moved = pvstore_wire_moved(&pvstore.wire);
	if (pvstore.state == STORE_RESETTING &&
	    !pvstore_wire_resetting(&pvstore.wire))
		pvstore_restart();
	while (budget && pvstore_receive_one())
		budget--;
	mutex_lock(&pvstore.lock);
	sent = pvstore_send();
	mutex_unlock(&pvstore.lock);
	if (sent || pvstore.wire.rsp_cons != taken)
		pvguest_notify(pvstore.irq);
	if (pvstore.wire.broken && pvstore.state == STORE_UP)
		pvstore_reset_or_stop();
	if (!budget)
		queue_work(pvstore.queue, &pvstore.worker);
	else if (pvstore.state != STORE_BROKEN)
		pvguest_irq_eoi(pvstore.irq, !moved);
	memalloc_noio_restore(noio);
}

static irqreturn_t pvstore_event(int irq, void *dev)
{
	queue_work(pvstore.queue, &pvstore.worker);
	return IRQ_HANDLED;
}

static int __init pvstore_init(void)
{
	struct pvguest_ring_page ring = pvguest_store_ring();
	int irq;

	if (!ring.page)
		return 0;
	pvstore.queue = alloc_workqueue("pvstore",
					WQ_MEM_RECLAIM | WQ_UNBOUND, 1);
	if (!pvstore.queue)
		return -ENOMEM;
	INIT_WORK(&pvstore.worker, pvstore_serve);
	pvstore.wire.ring = ring.page;
	irq = pvguest_bind_port(ring.port, pvstore_event,
				PVGUEST_EVENT_LATE_EOI, "pvstore", NULL);
	if (irq < 0) {
		pr_err("pvbus: store: event channel cannot be bound (%d); there will be no devices\n",
		       irq);
		destroy_workqueue(pvstore.queue);
		return irq;
	}
	pvstore.irq = irq;
	mutex_lock(&pvstore.lock);
	if (pvstore_wire_resetting(&pvstore.wire)) {
		pvstore.state = STORE_RESETTING;
	} else {
		pvstore_wire_attach(&pvstore.wire, ring.page);
		pvstore.state = STORE_UP;
		/* A boot loader may have left watches. */
		pvstore_post(pvstore_new(XS_RESET_WATCHES, PVSTORE_NO_TXN, 1));
	}
	mutex_unlock(&pvstore.lock);
	queue_work(pvstore.queue, &pvstore.worker);
	return 0;
}

/* The nodes of vCPUs are read before these are brought up. */
early_initcall(pvstore_init);
