// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/xen/xenbus: XenStore for user programs, by the byte protocol that
 * libxenstore speaks (public header io/xs_wire.h).
 *
 * A program writes requests and reads replies and watch events, each a header
 * and a payload, in any pieces.  Watches and transactions belong to the open
 * file and end with it; no other file can use them.  Tokens and transaction
 * numbers are the client's towards the daemon and the program's towards it.
 */
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <pvbus/store.h>
#include <pvbus/store_user.h>

#include "store_client.h"

/* Limit of one open file: bytes of replies and events. */
#define USER_UNREAD	(256 * 1024)

/* Watches of all files. */
static atomic_t pvstore_user_watches = ATOMIC_INIT(0);

/**
 * struct pvstore_user_message - a reply or a watch event to be read
 * @list: in the order of arrival
 * @len: bytes of @head and what follows it
 * @taken: bytes that have been read
 * @head: header
 * @body: payload
 */
struct pvstore_user_message {
	struct list_head list;
	u32 len;
	u32 taken;
	struct xsd_sockmsg head;
	char body[];
};

/**
 * struct pvstore_user_watch - a watch that a program has set
 * @watch: as the client knows it; its path is in @text
 * @list: in the file's list
 * @file: its owner
 * @token: the program's, in @text
 * @text: path and token, each ended by a zero byte
 */
struct pvstore_user_watch {
	struct pvstore_watch watch;
	struct list_head list;
	struct pvstore_user_file *file;
	const char *token;
	char text[];
};

/**
 * struct pvstore_user_file - one open file
 * @writing: serialises writers, and protects what is up to @read_wait
 * @have: bytes of @head and @body that have been written
 * @head: header of the request that is being written
 * @body: its payload
 * @watches: that it has set
 * @reading: serialises readers
 * @queue_lock: protects the rest; taken inside the client's lock
 * @unread: messages
 * @unread_bytes: their length
 * @overrun: events have been dropped because the program does not read them
 * @wait: for messages, or for room
 */
struct pvstore_user_file {
	struct mutex writing;	/* see above */
	u32 have;
	struct xsd_sockmsg head;
	char body[XENSTORE_PAYLOAD_MAX];
	struct list_head watches;

	struct mutex reading;	/* see above */
	struct mutex queue_lock;	/* see above */
	struct list_head unread;
	u32 unread_bytes;
	bool overrun;
	wait_queue_head_t wait;
};

static struct pvstore_user_message *pvstore_user_new_message(u32 type, u32 len)
{
	struct pvstore_user_message *msg;

	msg = kmalloc(sizeof(*msg) + len, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return NULL;
	msg->len = sizeof(msg->head) + len;
	msg->taken = 0;
	msg->head = (struct xsd_sockmsg){ .type = type, .len = len };
	return msg;
}

static bool pvstore_user_has_room(struct pvstore_user_file *file)
{
	return READ_ONCE(file->unread_bytes) < USER_UNREAD;
}

/* Queue a message to be read; an event (@may_drop) only if there is room. */
static void pvstore_user_deliver(struct pvstore_user_file *file,
				 struct pvstore_user_message *msg,
				 bool may_drop)
{
	mutex_lock(&file->queue_lock);
	if (may_drop && !pvstore_user_has_room(file)) {
		if (!file->overrun)
			pr_warn("pvbus: /dev/xen/xenbus: too many unread watch events of a program (%d); dropping further ones\n",
				-ENOBUFS);
		file->overrun = true;
		kfree(msg);
	} else {
		list_add_tail(&msg->list, &file->unread);
		file->unread_bytes += msg->len;
	}
	mutex_unlock(&file->queue_lock);
	wake_up_interruptible(&file->wait);
}

static void pvstore_user_watch_changed(struct pvstore_watch *watch,
				       const char *path)
{
	struct pvstore_user_watch *w =
		container_of(watch, struct pvstore_user_watch, watch);
	u32 path_len = strlen(path) + 1, token_len = strlen(w->token) + 1;
	struct pvstore_user_message *msg;

	msg = pvstore_user_new_message(XS_WATCH_EVENT, path_len + token_len);
	if (!msg)
		return;
	memcpy(msg->body, path, path_len);
	memcpy(msg->body + path_len, w->token, token_len);
	pvstore_user_deliver(w->file, msg, true);
}

/* Reply to the request that has just been written. */
static int pvstore_user_reply(struct pvstore_user_file *file, u32 type,
			      const void *body, u32 len)
{
	struct pvstore_user_message *msg = pvstore_user_new_message(type, len);

	if (!msg)
		return -ENOMEM;
	msg->head.req_id = file->head.req_id;
	msg->head.tx_id = file->head.tx_id;
	memcpy(msg->body, body, len);
	pvstore_user_deliver(file, msg, false);
	return 0;
}

static int pvstore_user_reply_error(struct pvstore_user_file *file, int error)
{
	const char *name = "EIO";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(xsd_errors); i++)
		if (xsd_errors[i].errnum == -error)
			name = xsd_errors[i].errstring;
	return pvstore_user_reply(file, XS_ERROR, name, strlen(name) + 1);
}

/* The watch that a payload names by its path and token. */
static struct pvstore_user_watch *
pvstore_user_find_watch(struct pvstore_user_file *file)
{
	struct pvstore_user_watch *w;

	list_for_each_entry(w, &file->watches, list)
		if (!strcmp(w->watch.path, file->body) &&
		    !strcmp(w->token, file->body + strlen(file->body) + 1))
			return w;
	return NULL;
}

/* Does the payload begin with a path and a token? */
static bool pvstore_user_names_watch(struct pvstore_user_file *file)
{
	const char *end = file->body + file->head.len;
	const char *path_end = memchr(file->body, 0, file->head.len);

	return path_end && memchr(path_end + 1, 0, end - (path_end + 1));
}

static int pvstore_user_watch_set(struct pvstore_user_file *file)
{
	struct pvstore_user_watch *w;
	int ret;

	if (!pvstore_user_names_watch(file))
		return pvstore_user_reply_error(file, -EINVAL);
	if (pvstore_user_find_watch(file))
		return pvstore_user_reply_error(file, -EEXIST);
	if (!atomic_add_unless(&pvstore_user_watches, 1, PVSTORE_USER_WATCHES))
		return pvstore_user_reply_error(file, -E2BIG);
	w = kzalloc(sizeof(*w) + file->head.len, GFP_KERNEL_ACCOUNT);
	if (!w) {
		atomic_dec(&pvstore_user_watches);
		return -ENOMEM;
	}
	memcpy(w->text, file->body, file->head.len);
	w->file = file;
	w->token = w->text + strlen(w->text) + 1;
	w->watch.path = w->text;
	w->watch.changed = pvstore_user_watch_changed;
	ret = pvstore_watch(&w->watch);
	if (ret) {
		atomic_dec(&pvstore_user_watches);
		kfree(w);
		return ret == -EINTR ? ret
				     : pvstore_user_reply_error(file, ret);
	}
	list_add(&w->list, &file->watches);
	return pvstore_user_reply(file, XS_WATCH, "OK", 3);
}

static void pvstore_user_drop_watch(struct pvstore_user_file *file,
				    struct pvstore_user_watch *w)
{
	pvstore_unwatch(&w->watch);
	list_del(&w->list);
	atomic_dec(&pvstore_user_watches);
	kfree(w);
}

static int pvstore_user_unwatch(struct pvstore_user_file *file)
{
	struct pvstore_user_watch *w;

	if (!pvstore_user_names_watch(file))
		return pvstore_user_reply_error(file, -EINVAL);
	w = pvstore_user_find_watch(file);
	if (!w)
		return pvstore_user_reply_error(file, -ENOENT);
	pvstore_user_drop_watch(file, w);
	return pvstore_user_reply(file, XS_UNWATCH, "OK", 3);
}

/* The reply to XS_TRANSACTION_START: a number as text. */
static int pvstore_user_reply_handle(struct pvstore_user_file *file, u32 type,
				     u32 handle)
{
	char text[11];
	u32 len = scnprintf(text, sizeof(text), "%u", handle) + 1;

	return pvstore_user_reply(file, type, text, len);
}

/* Forward a request to the daemon, and its reply to the program. */
static int pvstore_user_forward(struct pvstore_user_file *file)
{
	u32 type = file->head.type;
	struct pvstore_request *req;
	int ret;

	req = pvstore_new(type, file->head.tx_id, file->head.len);
	if (IS_ERR(req))
		return PTR_ERR(req);
	memcpy(req->body, file->body, file->head.len);
	req->owner = file;
	ret = pvstore_call(req);
	if (ret == -EINTR) {
		;	/* killed: no reader is left */
	} else if (!ret && type == XS_TRANSACTION_START) {
		ret = pvstore_user_reply_handle(file, type, req->handle);
		/* The program cannot end one whose number it never gets. */
		if (ret)
			pvstore_drop_txn(req->handle, file);
	} else if (!ret) {
		ret = pvstore_user_reply(file, type, req->reply,
					 req->reply_len);
	} else if (ret != -ETIMEDOUT && req->reply) {
		ret = pvstore_user_reply(file, XS_ERROR, req->reply,
					 req->reply_len);
	} else {
		ret = pvstore_user_reply_error(file, ret);
	}
	pvstore_put(req);
	return ret;
}

static int pvstore_user_handle(struct pvstore_user_file *file)
{
	switch (file->head.type) {
	case XS_WATCH:
		return pvstore_user_watch_set(file);
	case XS_UNWATCH:
		return pvstore_user_unwatch(file);
	case XS_RESET_WATCHES:
		/* Would reset the kernel's as well. */
		return pvstore_user_reply_error(file, -EACCES);
	case XS_WATCH_EVENT:
	case XS_ERROR:
		return pvstore_user_reply_error(file, -ENOSYS);
	default:
		if (file->head.type >= XS_TYPE_COUNT)
			return pvstore_user_reply_error(file, -ENOSYS);
		return pvstore_user_forward(file);
	}
}

/* Copy the rest of a part of the request that is @size bytes long. */
static ssize_t pvstore_user_copy_part(struct pvstore_user_file *file,
				      void *part, u32 at, u32 size,
				      const char __user *from, size_t len)
{
	u32 n = min_t(size_t, len, size - at);

	if (copy_from_user((char *)part + at, from, n))
		return -EFAULT;
	file->have += n;
	return n;
}

/* Takes no more than one request, as a write may be a partial one anyway. */
static ssize_t pvstore_user_write(struct file *filp, const char __user *buf,
				  size_t len, loff_t *pos)
{
	struct pvstore_user_file *file = filp->private_data;
	const u32 head = sizeof(file->head);
	ssize_t n, taken = 0;
	int ret;

	if (mutex_lock_interruptible(&file->writing))
		return -ERESTARTSYS;
	if (!pvstore_user_has_room(file)) {
		ret = filp->f_flags & O_NONBLOCK ? -EAGAIN :
		      wait_event_interruptible(file->wait,
					       pvstore_user_has_room(file));
		if (ret)
			goto out;
	}
	ret = 0;
	if (file->have < head) {
		taken = pvstore_user_copy_part(file, &file->head, file->have,
					       head, buf, len);
		if (taken < 0 || file->have < head)
			goto out;
		if (file->head.len > XENSTORE_PAYLOAD_MAX) {
			ret = -EINVAL;
			goto drop;
		}
	}
	n = pvstore_user_copy_part(file, file->body, file->have - head,
				   file->head.len, buf + taken, len - taken);
	if (n < 0) {
		taken = taken ?: n;
		goto out;
	}
	taken += n;
	if (file->have < head + file->head.len)
		goto out;
	ret = pvstore_user_handle(file);
drop:
	file->have = 0;
out:
	mutex_unlock(&file->writing);
	return ret ?: taken;
}

static ssize_t pvstore_user_read(struct file *filp, char __user *buf,
				 size_t len, loff_t *pos)
{
	struct pvstore_user_file *file = filp->private_data;
	struct pvstore_user_message *msg;
	size_t got = 0, n;
	int ret;

	if (mutex_lock_interruptible(&file->reading))
		return -ERESTARTSYS;
	ret = 0;
	if (!READ_ONCE(file->unread_bytes))
		ret = filp->f_flags & O_NONBLOCK ? -EAGAIN :
		      wait_event_interruptible(file->wait,
					       READ_ONCE(file->unread_bytes));
	while (!ret && got < len && READ_ONCE(file->unread_bytes)) {
		/* Only the reader removes it. */
		mutex_lock(&file->queue_lock);
		msg = list_first_entry(&file->unread,
				       struct pvstore_user_message, list);
		mutex_unlock(&file->queue_lock);
		n = min_t(size_t, len - got, msg->len - msg->taken);
		if (copy_to_user(buf + got, (char *)&msg->head + msg->taken, n)) {
			ret = -EFAULT;
			break;
		}
		got += n;
		msg->taken += n;
		if (msg->taken < msg->len)
			break;
		mutex_lock(&file->queue_lock);
		list_del(&msg->list);
		file->unread_bytes -= msg->len;
		mutex_unlock(&file->queue_lock);
		kfree(msg);
		wake_up_interruptible(&file->wait);
	}
	mutex_unlock(&file->reading);
	return got ?: ret;
}

static __poll_t pvstore_user_poll(struct file *filp, poll_table *table)
{
	struct pvstore_user_file *file = filp->private_data;
	__poll_t mask = 0;

	poll_wait(filp, &file->wait, table);
	if (READ_ONCE(file->unread_bytes))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (pvstore_user_has_room(file))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

static int pvstore_user_open(struct inode *inode, struct file *filp)
{
	struct pvstore_user_file *file =
		kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

	if (!file)
		return -ENOMEM;
	mutex_init(&file->writing);
	mutex_init(&file->reading);
	mutex_init(&file->queue_lock);
	INIT_LIST_HEAD(&file->watches);
	INIT_LIST_HEAD(&file->unread);
	init_waitqueue_head(&file->wait);
	filp->private_data = file;
	return stream_open(inode, filp);
}

static int pvstore_user_release(struct inode *inode, struct file *filp)
{
	struct pvstore_user_file *file = filp->private_data;
	struct pvstore_user_watch *w, *next_watch;
	struct pvstore_user_message *msg, *next;

	list_for_each_entry_safe(w, next_watch, &file->watches, list)
		pvstore_user_drop_watch(file, w);
	pvstore_drop_owner(file);
	list_for_each_entry_safe(msg, next, &file->unread, list)
		kfree(msg);
	kfree(file);
	return 0;
}

const struct file_operations pvstore_user_fops = {
	.owner		= THIS_MODULE,
	.open		= pvstore_user_open,
	.release	= pvstore_user_release,
	.read		= pvstore_user_read,
	.write		= pvstore_user_write,
	.poll		= pvstore_user_poll,
};

static struct miscdevice pvstore_user_device = {
	.minor		= MISC_DYNAMIC_MINOR,
	.name		= "xenbus",
	.nodename	= "xen/xenbus",
	.fops		= &pvstore_user_fops,
	.mode		= 0600,
};

static int __init pvstore_user_init(void)
{
	return pvstore_present() ? misc_register(&pvstore_user_device) : 0;
}
device_initcall(pvstore_user_init);
