/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to XenStore, for code within pvbus that cannot wait for the reply or
 * that forwards requests of user programs.
 */
#ifndef PVBUS_STORE_CLIENT_H
#define PVBUS_STORE_CLIENT_H

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>
#include <xen/interface/io/xs_wire.h>

struct pvstore_txn;
struct pvstore_watch;

/*
 * XenStore's daemon allows a domain 10 transactions at once and 128 watches:
 * shares of the kernel and of all user programs together, so that neither can
 * take what the other needs.
 */
#define PVSTORE_KERNEL_TXNS	2
#define PVSTORE_USER_TXNS	8
#define PVSTORE_USER_WATCHES	64

/**
 * struct pvstore_request - one request
 * @list: among those to be sent, or those that wait for their reply
 * @users: the client until it is done, and the caller
 * @completed: for a caller that waits
 * @done: called once, by the client's worker, with a reply or an error; may
 *	sleep for memory, must not wait for XenStore
 * @owner: whose transactions it may use: NULL for the kernel's
 * @txn: transaction that it opens or closes; NULL for any other request
 * @end: of one that opens a transaction: the request that will end it
 * @error: 0 or a negative errno, valid when done
 * @reply: the reply's payload and a zero byte behind it; valid when done
 *	without error, or if the daemon replied with an error name; may be NULL
 *	for requests that open or end a transaction
 * @reply_len: bytes of the payload
 * @handle: transaction as the caller knows it; the new one of a
 *	TRANSACTION_START that is done
 * @sent: bytes of the message that are on the ring
 * @finished: @done has been called or will be
 * @abandoned: the caller does not wait any more; close the transaction that
 *	it opens
 * @head: the message: its header, and
 * @body: payload
 */
struct pvstore_request {
	struct list_head list;
	struct kref users;
	struct completion completed;
	void (*done)(struct pvstore_request *req);
	void *owner;
	struct pvstore_txn *txn;
	struct pvstore_request *end;
	int error;
	char *reply;
	u32 reply_len;
	u32 handle;
	u32 sent;
	bool finished;
	bool abandoned;
	struct xsd_sockmsg head;
	char body[];
};

struct pvstore_request *pvstore_new(u32 type, u32 txn, size_t len);
int pvstore_submit(struct pvstore_request *req);
int pvstore_call(struct pvstore_request *req);
bool pvstore_abandon(struct pvstore_request *req);
void pvstore_put(struct pvstore_request *req);
struct pvstore_request *
pvstore_set_watch(struct pvstore_watch *watch,
		  void (*done)(struct pvstore_request *req),
		  void *owner);
struct pvstore_request *pvstore_take_end(u32 txn, void *owner, bool abort);
void pvstore_drop_txn(u32 txn, void *owner);
void pvstore_drop_owner(void *owner);

#endif /* PVBUS_STORE_CLIENT_H */
