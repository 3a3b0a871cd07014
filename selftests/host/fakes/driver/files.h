/* SPDX-License-Identifier: MIT */
/*
 * Files of user programs for a driver of a character device.  A program's memory is
 * the test's own; only the first page is not mapped.
 *
 * Included after driver/kernel.c.
 */
#ifndef DRIVER_FILES_H
#define DRIVER_FILES_H

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

typedef unsigned int __poll_t;
#define SIGIO		29
#define POLL_IN		1
#define ERESTARTSYS	512
#define MISC_DYNAMIC_MINOR 255
#define THIS_MODULE	NULL

struct inode { int unused; };
struct file { unsigned int f_flags; void *private_data; };
typedef struct poll_table { int unused; } poll_table;
typedef struct { int unused; } wait_queue_head_t;
struct fasync_struct { int unused; };

struct file_operations {
	void *owner;
	int (*open)(struct inode *inode, struct file *filp);
	int (*release)(struct inode *inode, struct file *filp);
	ssize_t (*read)(struct file *filp, char __user *buf, size_t len, loff_t *pos);
	ssize_t (*write)(struct file *filp, const char __user *buf, size_t len, loff_t *pos);
	__poll_t (*poll)(struct file *filp, poll_table *table);
	int (*fasync)(int fd, struct file *filp, int on);
	long (*unlocked_ioctl)(struct file *filp, unsigned int cmd, unsigned long arg);
};

struct miscdevice {
	int minor;
	const char *name, *nodename;
	const struct file_operations *fops;
	unsigned int mode;
};

#define misc_register(device)	((void)(device), 0)
#define stream_open(inode, filp) ((void)(inode), (void)(filp), 0)

/* Wake-ups of readers; signals to the program that has asked for them. */
static unsigned int shim_readers_woken, shim_signals;
#define init_waitqueue_head(q)		((void)(q))
#define wake_up_interruptible(q)	((void)(q), shim_readers_woken++)
#define poll_wait(filp, q, table)	((void)(filp), (void)(q), (void)(table))
/* A wait is a turn of others. */
#define wait_event_interruptible(q, condition) ({			\
	long turn_ = 1;							\
	while (!(condition) && turn_ > 0)				\
		turn_ = shim_wait();					\
	turn_ > 0 ? 0 : -ERESTARTSYS; })
#define list_empty_careful		list_empty
#define list_first_entry_or_null(h, type, member) \
	(list_empty(h) ? NULL : list_first_entry(h, type, member))
#define mutex_lock_interruptible(lock)	(mutex_lock(lock), 0)
#define GFP_KERNEL_ACCOUNT		GFP_KERNEL

static inline int fasync_helper(int fd, struct file *filp, int on, struct fasync_struct **who)
{
	static struct fasync_struct program;

	*who = on ? &program : NULL;
	return 0;
}

#define kill_fasync(who, signal, band)	((void)(signal), (void)(band), *(who) ? shim_signals++ : 0)

static inline bool shim_unmapped(const void __user *from)
{
	return (unsigned long)from < PAGE_SIZE;
}

#define put_user(value, to) \
	(shim_unmapped(to) ? -EFAULT : (*(to) = (value), 0))
#define get_user(value, from) \
	(shim_unmapped(from) ? -EFAULT : ((value) = *(from), 0))
#define copy_from_user(to, from, size) \
	(shim_unmapped(from) ? (size) : (memcpy(to, from, size), 0UL))

#endif /* DRIVER_FILES_H */
