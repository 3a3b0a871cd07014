// SPDX-License-Identifier: GPL-2.0-only
/*
 * Client of the store: requests of several callers under way at once, matched
 * with their answers by number; transactions; watches; and what happens when
 * the daemon breaks the protocol or starts afresh.
 *
 * Callers put requests in a queue and whatever fits on the ring; one worker
 * does the rest when the daemon sends an event.  Nobody holds a lock while
 * the daemon thinks.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <pvbus/store.h>
#include <pvguest/platform.h>

#include "store_client.h"
#include "store_wire.h"

/* Messages that the worker takes before it lets others run. */
#define STORE_BUDGET	64
/* A daemon that needs more resets than this will not do better. */
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
 * @handle: its number among all we ever opened; what callers know
 * @id: the daemon's number, which it may give again after a reset
 * @lost: opened before a reset; all that is left is to end it
 * @owner: who may use it
 */
struct pvstore_txn {
	struct list_head list;
	u32 handle;
	u32 id;
	bool lost;
	void *owner;
};

/**
 * struct store - our end of the store
 * @wire: ring to the daemon; its receiving half is the worker's
 * @irq: the daemon's events
 * @worker: takes answers, sends what had no room
 * @queue: where it runs
 * @lock: protects all below, and the sending half of @wire
 * @state: what can be asked of the daemon
 * @resets: how often the ring has been started afresh
 * @last_id, @last_handle, @last_token: last number given to a request, a
 *	transaction, a watch
 * @unsent: requests that are not, or not all, on the ring
 * @unanswered: requests that the daemon has
 * @txns: open transactions
 * @watches: all that are set
 */
static struct store {
	struct pvwire wire;
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
	struct list_head unanswered;
	struct list_head txns;
	struct list_head watches;
} store = {
	.lock		= __MUTEX_INITIALIZER(store.lock),
	.unsent		= LIST_HEAD_INIT(store.unsent),
	.unanswered	= LIST_HEAD_INIT(store.unanswered),
	.txns		= LIST_HEAD_INIT(store.txns),
	.watches	= LIST_HEAD_INIT(store.watches),
};

/** pvstore_present() - is there a store? */
bool pvstore_present(void)
{
	return READ_ONCE(store.state) != STORE_ABSENT;
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
		if (!req->txn) {
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

static void request_free(struct kref *users)
{
	struct pvstore_request *req = container_of(users,
						   struct pvstore_request,
						   users);

	kfree(req->txn);
	kfree(req->reply);
	kfree(req);
}

/** pvstore_put() - the caller is done with a request */
void pvstore_put(struct pvstore_request *req)
{
	kref_put(&req->users, request_free);
}

/* All below up to the next such line is called with the lock held. */

/* Put on the ring what fits; true: the daemon has to be notified. */
static bool send_some(void)
{
	struct pvstore_request *req;
	bool sent = false;
	u32 total, n;

	while (store.state == STORE_UP && !list_empty(&store.unsent)) {
		req = list_first_entry(&store.unsent, struct pvstore_request,
				       list);
		total = sizeof(req->head) + req->head.len;
		n = pvwire_send(&store.wire, (char *)&req->head + req->sent,
				total - req->sent);
		if (!n)
			break;
		sent = true;
		req->sent += n;
		if (req->sent == total)
			list_move_tail(&req->list, &store.unanswered);
	}
	return sent;
}

static struct pvstore_txn *find_txn(u32 handle, void *owner)
{
	struct pvstore_txn *txn;

	list_for_each_entry(txn, &store.txns, list)
		if (txn->handle == handle && txn->owner == owner)
			return txn;
	return NULL;
}

/* Tell the daemon which of its transactions a request belongs to. */
static int enter_txn(struct pvstore_request *req)
{
	struct pvstore_txn *txn;

	if (req->handle == PVSTORE_NO_TXN)
		return 0;
	txn = find_txn(req->handle, req->owner);
	if (!txn)
		return -ENOENT;
	req->head.tx_id = txn->id;
	if (req->head.type == XS_TRANSACTION_END) {
		list_del(&txn->list);
		req->txn = txn;		/* goes with the request */
	}
	return txn->lost ? -EAGAIN : 0;
}

static struct pvstore_request *find_unanswered(u32 id)
{
	struct pvstore_request *req;

	list_for_each_entry(req, &store.unanswered, list)
		if (req->head.req_id == id)
			return req;
	return NULL;
}

static void watch_event(void)
{
	const char *path = store.wire.body;
	u32 len = store.wire.head.len;
	size_t path_len = strnlen(path, len);
	struct pvstore_watch *watch;
	u32 token;

	if (path_len + 1 >= len || store.wire.body[len - 1]) {
		pvwire_break(&store.wire, "length of a watch event", len);
		return;
	}
	if (kstrtou32(path + path_len + 1, 16, &token))
		return;		/* set by whoever used the ring before us */
	/* Not finding it is no error: it may have been under way. */
	list_for_each_entry(watch, &store.watches, list) {
		if (watch->token == token) {
			watch->changed(watch, path);
			return;
		}
	}
}

/* The request that the message on the wire answers, no longer in any list. */
static struct pvstore_request *match_answer(void)
{
	const struct xsd_sockmsg *head = &store.wire.head;
	struct pvstore_request *req = find_unanswered(head->req_id);

	if (!req)
		pvwire_break(&store.wire, "req_id", head->req_id);
	else if (head->type != req->head.type && head->type != XS_ERROR)
		pvwire_break(&store.wire, "type", head->type);
	else if (head->tx_id != req->head.tx_id)
		pvwire_break(&store.wire, "tx_id", head->tx_id);
	if (store.wire.broken)
		return NULL;
	list_del(&req->list);
	return req;
}

static int submit(struct pvstore_request *req)
{
	int ret;

	if (store.state == STORE_ABSENT)
		return -ENODEV;
	if (store.state == STORE_BROKEN)
		return -EPROTO;
	ret = enter_txn(req);
	if (ret)
		return ret;
	req->head.req_id = ++store.last_id;
	kref_get(&req->users);
	list_add_tail(&req->list, &store.unsent);
	if (send_some())
		pvguest_notify(store.irq);
	if (store.wire.broken)
		queue_work(store.queue, &store.worker);
	return 0;
}

static struct pvstore_request *watch_request(const struct pvstore_watch *watch,
					     u32 type)
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

static void no_matter(struct pvstore_request *req)
{
}

/* Ask something whose answer does not matter. */
static void mention(struct pvstore_request *req)
{
	if (IS_ERR(req))
		return;
	req->done = no_matter;
	submit(req);
	pvstore_put(req);
}

/* From here on without the lock. */

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

	mutex_lock(&store.lock);
	ret = submit(req);
	mutex_unlock(&store.lock);
	return ret;
}

/**
 * pvstore_forsake() - nobody waits for a request any more
 * @req: a submitted request
 *
 * The daemon answers it all the same; a transaction that it opens is closed.
 *
 * Return: false if it has been answered already.
 */
bool pvstore_forsake(struct pvstore_request *req)
{
	bool early;

	mutex_lock(&store.lock);
	early = !req->answered;
	if (early)
		req->forsaken = true;
	mutex_unlock(&store.lock);
	return early;
}

/**
 * pvstore_drop_txn() - give up a transaction without waiting
 * @txn: its handle
 * @owner: who has it
 *
 * Context: process.
 */
void pvstore_drop_txn(u32 txn, void *owner)
{
	struct pvstore_request *req = pvstore_new(XS_TRANSACTION_END, txn, 2);

	if (!IS_ERR(req)) {
		req->owner = owner;
		req->body[0] = 'F';
	}
	mutex_lock(&store.lock);
	mention(req);
	mutex_unlock(&store.lock);
}

/** pvstore_open_txns() - how many transactions @owner has open */
unsigned int pvstore_open_txns(void *owner)
{
	struct pvstore_txn *txn;
	unsigned int n = 0;

	mutex_lock(&store.lock);
	list_for_each_entry(txn, &store.txns, list)
		n += txn->owner == owner;
	mutex_unlock(&store.lock);
	return n;
}

/** pvstore_drop_owner() - give up all transactions of @owner; may sleep */
void pvstore_drop_owner(void *owner)
{
	struct pvstore_txn *txn;
	u32 handle;

	do {
		handle = PVSTORE_NO_TXN;
		mutex_lock(&store.lock);
		list_for_each_entry(txn, &store.txns, list)
			if (txn->owner == owner)
				handle = txn->handle;
		mutex_unlock(&store.lock);
		if (handle != PVSTORE_NO_TXN)
			pvstore_drop_txn(handle, owner);
	} while (handle != PVSTORE_NO_TXN);
}

static int error_by_name(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(xsd_errors); i++)
		if (!strcmp(name, xsd_errors[i].errstring))
			return -xsd_errors[i].errnum;
	return strcmp(name, "EPERM") ? -EIO : -EPERM;
}

/* A transaction has been opened, if its number makes sense. */
static int open_txn(struct pvstore_request *req)
{
	struct pvstore_txn *txn = req->txn, *other;
	int ret = 0;

	if (kstrtou32(req->reply, 10, &txn->id) || txn->id == PVSTORE_NO_TXN)
		return -EPROTO;
	mutex_lock(&store.lock);
	list_for_each_entry(other, &store.txns, list)
		if (other->id == txn->id && !other->lost)
			ret = -EPROTO;
	if (!ret) {
		if (++store.last_handle == PVSTORE_NO_TXN)
			++store.last_handle;
		txn->handle = store.last_handle;
		txn->owner = req->owner;
		req->handle = txn->handle;
		req->txn = NULL;
		list_add(&txn->list, &store.txns);
	}
	mutex_unlock(&store.lock);
	return ret;
}

/* A request is over: @error, or the message on the wire if that is 0. */
static void finish(struct pvstore_request *req, int error)
{
	u32 len = store.wire.head.len;
	bool forsaken;

	if (!error) {
		req->reply = kmemdup(store.wire.body, len + 1, GFP_NOIO);
		req->reply_len = len;
		if (!req->reply)
			error = -ENOMEM;
		else if (store.wire.head.type == XS_ERROR)
			error = error_by_name(req->reply);
		else if (req->head.type == XS_TRANSACTION_START)
			error = open_txn(req);
	}
	if (error == -EPROTO) {
		kfree(req->reply);
		req->reply = NULL;
	}
	req->error = error;
	mutex_lock(&store.lock);
	req->answered = true;
	forsaken = req->forsaken;
	mutex_unlock(&store.lock);
	if (!forsaken)
		req->done(req);
	else if (!error && req->head.type == XS_TRANSACTION_START)
		pvstore_drop_txn(req->handle, req->owner);
	pvstore_put(req);
}

static void finish_all(struct list_head *requests, int error)
{
	struct pvstore_request *req, *next;

	list_for_each_entry_safe(req, next, requests, list)
		finish(req, error);
}

/**
 * pvstore_set_watch() - set a watch, without waiting for the daemon
 * @watch: the watch; in force when this returns 0
 * @done: called with the request when the daemon has answered
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

	mutex_lock(&store.lock);
	watch->token = ++store.last_token;
	req = watch_request(watch, XS_WATCH);
	if (!IS_ERR(req)) {
		req->done = done;
		req->owner = owner;
		ret = submit(req);
		if (!ret) {
			list_add_tail(&watch->list, &store.watches);
		} else {
			pvstore_put(req);
			req = ERR_PTR(ret);
		}
	}
	mutex_unlock(&store.lock);
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
	mutex_lock(&store.lock);
	list_del(&watch->list);
	mention(watch_request(watch, XS_UNWATCH));
	mutex_unlock(&store.lock);
}
EXPORT_SYMBOL_GPL(pvstore_unwatch);

/* The daemon broke the protocol: start afresh if it offers that, else stop. */
static void give_up(void)
{
	struct pvstore_txn *txn, *next;
	LIST_HEAD(lost);
	bool again;

	mutex_lock(&store.lock);
	again = pvwire_can_reset(&store.wire) &&
		store.resets++ < STORE_RESETS;
	pr_err("pvbus: store: the daemon set %s to %u; %s\n",
	       store.wire.broken, store.wire.value,
	       again ? "connecting again" :
	       "all requests fail from now on, restart the guest");
	if (again) {
		store.state = STORE_RESETTING;
		pvwire_ask_reset(&store.wire);
	} else {
		store.state = STORE_BROKEN;
		list_splice_tail_init(&store.unanswered, &lost);
		list_splice_tail_init(&store.unsent, &lost);
		list_for_each_entry_safe(txn, next, &store.txns, list) {
			list_del(&txn->list);
			kfree(txn);
		}
	}
	mutex_unlock(&store.lock);
	if (again)
		pvguest_notify(store.irq);
	finish_all(&lost, -EPROTO);
}

/*
 * What becomes of a request that was under way at a reset: it is asked again,
 * unless its transaction is lost or the watch that it set is set again anyway.
 */
static void sort_after_reset(struct list_head *lost, struct list_head *watching)
{
	struct pvstore_request *req, *next;

	list_splice_init(&store.unanswered, &store.unsent);
	list_for_each_entry_safe(req, next, &store.unsent, list) {
		req->sent = 0;
		if (req->head.tx_id)
			list_move_tail(&req->list, lost);
		else if (req->head.type == XS_WATCH ||
			 req->head.type == XS_UNWATCH)
			list_move_tail(&req->list, watching);
	}
}

/* The daemon has emptied the ring and forgotten us. */
static void start_afresh(void)
{
	struct pvstore_watch *watch;
	struct pvstore_txn *txn;
	LIST_HEAD(watching);
	LIST_HEAD(lost);

	mutex_lock(&store.lock);
	list_for_each_entry(txn, &store.txns, list)
		txn->lost = true;
	sort_after_reset(&lost, &watching);
	pvwire_attach(&store.wire, store.wire.ring);
	store.state = STORE_UP;
	list_for_each_entry(watch, &store.watches, list)
		mention(watch_request(watch, XS_WATCH));
	mutex_unlock(&store.lock);

	finish_all(&lost, -EAGAIN);
	/* What finish() takes for the answer. */
	store.wire.head.type = XS_WATCH;
	store.wire.head.len = 3;
	memcpy(store.wire.body, "OK", 3);
	finish_all(&watching, 0);
}

/* Take one message; false: none is there. */
static bool serve_one(void)
{
	struct pvstore_request *req = NULL;
	bool got;

	mutex_lock(&store.lock);
	got = store.state == STORE_UP && pvwire_receive(&store.wire);
	if (got && store.wire.head.type == XS_WATCH_EVENT)
		watch_event();
	else if (got)
		req = match_answer();
	mutex_unlock(&store.lock);
	if (req)
		finish(req, 0);
	return got;
}

static void pvstore_serve(struct work_struct *work)
{
	unsigned int budget = STORE_BUDGET;
	u32 taken = store.wire.rsp_cons;
	bool moved, sent;

	moved = pvwire_moved(&store.wire);
	if (store.state == STORE_RESETTING && !pvwire_resetting(&store.wire))
		start_afresh();
	while (budget && serve_one())
		budget--;
	mutex_lock(&store.lock);
	sent = send_some();
	mutex_unlock(&store.lock);
	if (sent || store.wire.rsp_cons != taken)
		pvguest_notify(store.irq);
	if (store.wire.broken && store.state == STORE_UP)
		give_up();
	if (!budget)
		queue_work(store.queue, &store.worker);
	else if (store.state != STORE_BROKEN)
		pvguest_irq_eoi(store.irq, !moved);
}

static irqreturn_t pvstore_event(int irq, void *dev)
{
	queue_work(store.queue, &store.worker);
	return IRQ_HANDLED;
}

static int __init pvstore_init(void)
{
	struct pvguest_ring_page ring = pvguest_store_ring();
	int irq;

	if (!ring.page)
		return 0;
	store.queue = alloc_workqueue("pvstore", WQ_MEM_RECLAIM | WQ_UNBOUND, 1);
	if (!store.queue)
		return -ENOMEM;
	INIT_WORK(&store.worker, pvstore_serve);
	store.wire.ring = ring.page;
	irq = pvguest_bind_port(ring.port, pvstore_event,
				PVGUEST_EVENT_LATE_EOI, "pvstore", NULL);
	if (irq < 0) {
		pr_err("pvbus: store: no events (%d), there will be no devices\n",
		       irq);
		destroy_workqueue(store.queue);
		return irq;
	}
	store.irq = irq;
	mutex_lock(&store.lock);
	if (pvwire_resetting(&store.wire)) {
		store.state = STORE_RESETTING;
	} else {
		pvwire_attach(&store.wire, ring.page);
		store.state = STORE_UP;
		/* A boot loader may have left some. */
		mention(pvstore_new(XS_RESET_WATCHES, PVSTORE_NO_TXN, 1));
	}
	mutex_unlock(&store.lock);
	queue_work(store.queue, &store.worker);
	return 0;
}
subsys_initcall(pvstore_init);
