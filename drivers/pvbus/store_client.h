/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to the store as those within pvbus see them who cannot wait for the
 * answer, or who pass on what user programs ask.
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

/**
 * struct pvstore_request - one request
 * @list: among those to be sent, or those that wait for their answer
 * @users: the store client until it is answered, and who made it
 * @completed: for who waits
 * @done: called once when it has been answered or has failed, by the store
 *	client's worker; may sleep for memory, must not wait for the store
 * @owner: whose transactions it may use: NULL for the kernel's
 * @txn: transaction that it opens or closes; NULL for any other request
 * @error: 0 or a negative errno, valid when done
 * @reply: the answer's payload and a zero byte behind it; valid when done
 *	without error, or if the daemon answered with an error name
 * @reply_len: bytes of the payload
 * @handle: transaction as the caller knows it; the new one of a
 *	TRANSACTION_START that is done
 * @sent: bytes of the message that are on the ring
 * @answered: @done has been called or will be
 * @forsaken: the caller has gone; undo what it asked for
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
	int error;
	char *reply;
	u32 reply_len;
	u32 handle;
	u32 sent;
	bool answered;
	bool forsaken;
	struct xsd_sockmsg head;
	char body[];
};

struct pvstore_request *pvstore_new(u32 type, u32 txn, size_t len);
int pvstore_submit(struct pvstore_request *req);
int pvstore_carry_out(struct pvstore_request *req);
bool pvstore_forsake(struct pvstore_request *req);
void pvstore_put(struct pvstore_request *req);
struct pvstore_request *
pvstore_set_watch(struct pvstore_watch *watch,
		  void (*done)(struct pvstore_request *req),
		  void *owner);
unsigned int pvstore_open_txns(void *owner);
void pvstore_drop_txn(u32 txn, void *owner);
void pvstore_drop_owner(void *owner);

#endif /* PVBUS_STORE_CLIENT_H */
