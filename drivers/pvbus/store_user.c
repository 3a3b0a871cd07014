// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/xen/xenbus: the store for user programs, by the byte protocol that
 * libxenstore speaks (public header io/xs_wire.h).
 *
 * A program writes requests and reads answers and watch events, each a header
 * and a payload, in any pieces.  Watches and transactions belong to the open
 * file and end with it; nobody else can use them.  Tokens and transaction
 * numbers are ours on the daemon's side and the program's on its own.
 */
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

#include "store_client.h"

/*
 * Limits of one open file.  The daemon has its own, for the whole domain, of
 * which the kernel needs some.
 */
#define USER_WATCHES	64
#define USER_TXNS	8
#define USER_UNREAD	(256 * 1024)	/* bytes of answers and events */

/**
 * struct user_message - an answer or a watch event to be read
 * @list: in the order of arrival
 * @len: bytes of @head and what follows it
 * @taken: bytes that have been read
 * @head: header
 * @body: payload
 */
struct user_message {
	struct list_head list;
	u32 len;
	u32 taken;
	struct xsd_sockmsg head;
	char body[];
};

/**
 * struct user_watch - a watch that a program has set
 * @watch: as the store client knows it; its path is in @text
 * @list: in the file's list
 * @file: whose it is
 * @token: the program's, in @text
 * @text: path and token, each ended by a zero byte
 */
struct user_watch {
	struct pvstore_watch watch;
	struct list_head list;
	struct user_file *file;
	const char *token;
	char text[];
};

/**
 * struct user_file - one open file
 * @writing: serialises writers, and protects what is up to @read_wait
 * @have: bytes of @head and @body that have been written
 * @head: header of the request that is being written
 * @body: its payload
 * @watches: that it has set
 * @watch_count: how many
 * @reading: serialises readers
 * @queue_lock: protects the rest; taken in the store client's lock
 * @unread: messages
 * @unread_bytes: their length
 * @overrun: events have been dropped because nobody reads them
 * @wait: for messages, or for room
 */
struct user_file {
	struct mutex writing;	/* see above */
	u32 have;
	struct xsd_sockmsg head;
	char body[XENSTORE_PAYLOAD_MAX];
	struct list_head watches;
	unsigned int watch_count;

	struct mutex reading;	/* see above */
	struct mutex queue_lock;	/* see above */
	struct list_head unread;
	u32 unread_bytes;
	bool overrun;
	wait_queue_head_t wait;
};

static struct user_message *new_message(u32 type, u32 len)
{
	struct user_message *msg;

	msg = kmalloc(sizeof(*msg) + len, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return NULL;
	msg->len = sizeof(msg->head) + len;
	msg->taken = 0;
	msg->head = (struct xsd_sockmsg){ .type = type, .len = len };
	return msg;
}

static bool has_room(struct user_file *file)
{
	return READ_ONCE(file->unread_bytes) < USER_UNREAD;
}

/* For the reader; but an event (@may_drop) only if there is room. */
static void deliver(struct user_file *file, struct user_message *msg,
		    bool may_drop)
{
	mutex_lock(&file->queue_lock);
	if (may_drop && !has_room(file)) {
		if (!file->overrun)
			pr_warn("pvbus: store: a program does not read its watch events, some are lost\n");
		file->overrun = true;
		kfree(msg);
	} else {
		list_add_tail(&msg->list, &file->unread);
		file->unread_bytes += msg->len;
	}
	mutex_unlock(&file->queue_lock);
	wake_up_interruptible(&file->wait);
}

static void user_watch_changed(struct pvstore_watch *watch, const char *path)
{
	struct user_watch *w = container_of(watch, struct user_watch, watch);
	u32 path_len = strlen(path) + 1, token_len = strlen(w->token) + 1;
	struct user_message *msg;

	msg = new_message(XS_WATCH_EVENT, path_len + token_len);
	if (!msg)
		return;
	memcpy(msg->body, path, path_len);
	memcpy(msg->body + path_len, w->token, token_len);
	deliver(w->file, msg, true);
}

/* Answer the request that has just been written. */
static int answer(struct user_file *file, u32 type, const void *body, u32 len)
{
	struct user_message *msg = new_message(type, len);

	if (!msg)
		return -ENOMEM;
	msg->head.req_id = file->head.req_id;
	msg->head.tx_id = file->head.tx_id;
	memcpy(msg->body, body, len);
	deliver(file, msg, false);
	return 0;
}

static int answer_error(struct user_file *file, int error)
{
	const char *name = "EIO";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(xsd_errors); i++)
		if (xsd_errors[i].errnum == -error)
			name = xsd_errors[i].errstring;
	return answer(file, XS_ERROR, name, strlen(name) + 1);
}

/* The watch that a payload names by its path and token. */
static struct user_watch *find_watch(struct user_file *file)
{
	struct user_watch *w;

	list_for_each_entry(w, &file->watches, list)
		if (!strcmp(w->watch.path, file->body) &&
		    !strcmp(w->token, file->body + strlen(file->body) + 1))
			return w;
	return NULL;
}

/* Does the payload begin with a path and a token? */
static bool names_watch(struct user_file *file)
{
	const char *end = file->body + file->head.len;
	const char *path_end = memchr(file->body, 0, file->head.len);

	return path_end && memchr(path_end + 1, 0, end - (path_end + 1));
}

static int set_watch(struct user_file *file)
{
	struct user_watch *w;
	int ret;

	if (!names_watch(file))
		return answer_error(file, -EINVAL);
	if (find_watch(file))
		return answer_error(file, -EEXIST);
	if (file->watch_count >= USER_WATCHES)
		return answer_error(file, -E2BIG);
	w = kzalloc(sizeof(*w) + file->head.len, GFP_KERNEL_ACCOUNT);
	if (!w)
		return -ENOMEM;
	memcpy(w->text, file->body, file->head.len);
	w->file = file;
	w->token = w->text + strlen(w->text) + 1;
	w->watch.path = w->text;
	w->watch.changed = user_watch_changed;
	ret = pvstore_watch(&w->watch);
	if (ret) {
		kfree(w);
		return ret == -EINTR ? ret : answer_error(file, ret);
	}
	list_add(&w->list, &file->watches);
	file->watch_count++;
	return answer(file, XS_WATCH, "OK", 3);
}

static void drop_watch(struct user_file *file, struct user_watch *w)
{
	pvstore_unwatch(&w->watch);
	list_del(&w->list);
	file->watch_count--;
	kfree(w);
}

static int end_watch(struct user_file *file)
{
	struct user_watch *w;

	if (!names_watch(file))
		return answer_error(file, -EINVAL);
	w = find_watch(file);
	if (!w)
		return answer_error(file, -ENOENT);
	drop_watch(file, w);
	return answer(file, XS_UNWATCH, "OK", 3);
}

/* Pass a request on to the daemon, and its answer back. */
static int pass_on(struct user_file *file)
{
	u32 type = file->head.type;
	struct pvstore_request *req;
	char handle[11];
	int ret;

	req = pvstore_new(type, file->head.tx_id, file->head.len);
	if (IS_ERR(req))
		return PTR_ERR(req);
	memcpy(req->body, file->body, file->head.len);
	req->owner = file;
	ret = pvstore_carry_out(req);
	if (ret == -EINTR)
		;	/* killed: nobody will read the answer */
	else if (!ret && type == XS_TRANSACTION_START)
		ret = answer(file, type, handle,
			     scnprintf(handle, sizeof(handle), "%u",
				       req->handle) + 1);
	else if (!ret)
		ret = answer(file, type, req->reply, req->reply_len);
	else if (ret != -ETIMEDOUT && req->reply)
		ret = answer(file, XS_ERROR, req->reply, req->reply_len);
	else
		ret = answer_error(file, ret);
	pvstore_put(req);
	return ret;
}

static int serve(struct user_file *file)
{
	switch (file->head.type) {
	case XS_WATCH:
		return set_watch(file);
	case XS_UNWATCH:
		return end_watch(file);
	case XS_RESET_WATCHES:
		/* Would reset the kernel's as well. */
		return answer_error(file, -EACCES);
	case XS_WATCH_EVENT:
	case XS_ERROR:
		return answer_error(file, -ENOSYS);
	case XS_TRANSACTION_START:
		if (pvstore_open_txns(file) >= USER_TXNS)
			return answer_error(file, -ENOSPC);
		return pass_on(file);
	default:
		if (file->head.type >= XS_TYPE_COUNT)
			return answer_error(file, -ENOSYS);
		return pass_on(file);
	}
}

/* Copy what is missing of a part of the request that is @size bytes long. */
static ssize_t copy_part(struct user_file *file, void *part, u32 at, u32 size,
			 const char __user *from, size_t len)
{
	u32 n = min_t(size_t, len, size - at);

	if (copy_from_user((char *)part + at, from, n))
		return -EFAULT;
	file->have += n;
	return n;
}

/* Takes no more than one request, as a write may be a partial one anyway. */
static ssize_t user_write(struct file *filp, const char __user *buf, size_t len,
			  loff_t *pos)
{
	struct user_file *file = filp->private_data;
	const u32 head = sizeof(file->head);
	ssize_t n, taken = 0;
	int ret;

	if (mutex_lock_interruptible(&file->writing))
		return -ERESTARTSYS;
	if (!has_room(file)) {
		ret = filp->f_flags & O_NONBLOCK ? -EAGAIN :
		      wait_event_interruptible(file->wait, has_room(file));
		if (ret)
			goto out;
	}
	ret = 0;
	if (file->have < head) {
		taken = copy_part(file, &file->head, file->have, head, buf, len);
		if (taken < 0 || file->have < head)
			goto out;
		if (file->head.len > XENSTORE_PAYLOAD_MAX) {
			ret = -EINVAL;
			goto drop;
		}
	}
	n = copy_part(file, file->body, file->have - head, file->head.len,
		      buf + taken, len - taken);
	if (n < 0) {
		taken = taken ?: n;
		goto out;
	}
	taken += n;
	if (file->have < head + file->head.len)
		goto out;
	ret = serve(file);
drop:
	file->have = 0;
out:
	mutex_unlock(&file->writing);
	return ret ?: taken;
}

static ssize_t user_read(struct file *filp, char __user *buf, size_t len,
			 loff_t *pos)
{
	struct user_file *file = filp->private_data;
	struct user_message *msg;
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
		/* Only we take it away. */
		mutex_lock(&file->queue_lock);
		msg = list_first_entry(&file->unread, struct user_message, list);
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

static __poll_t user_poll(struct file *filp, poll_table *table)
{
	struct user_file *file = filp->private_data;
	__poll_t mask = 0;

	poll_wait(filp, &file->wait, table);
	if (READ_ONCE(file->unread_bytes))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (has_room(file))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

static int user_open(struct inode *inode, struct file *filp)
{
	struct user_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

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

static int user_release(struct inode *inode, struct file *filp)
{
	struct user_file *file = filp->private_data;
	struct user_watch *w, *next_watch;
	struct user_message *msg, *next;

	list_for_each_entry_safe(w, next_watch, &file->watches, list)
		drop_watch(file, w);
	pvstore_drop_owner(file);
	list_for_each_entry_safe(msg, next, &file->unread, list)
		kfree(msg);
	kfree(file);
	return 0;
}

static const struct file_operations user_fops = {
	.owner		= THIS_MODULE,
	.open		= user_open,
	.release	= user_release,
	.read		= user_read,
	.write		= user_write,
	.poll		= user_poll,
};

static struct miscdevice user_device = {
	.minor		= MISC_DYNAMIC_MINOR,
	.name		= "xenbus",
	.nodename	= "xen/xenbus",
	.fops		= &user_fops,
	.mode		= 0600,
};

static int __init user_init(void)
{
	return pvstore_present() ? misc_register(&user_device) : 0;
}
device_initcall(user_init);
