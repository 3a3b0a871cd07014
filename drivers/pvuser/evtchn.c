// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/xen/evtchn: event channels of user programs, with Linux's public
 * interface (uapi xen/evtchn.h).
 *
 * A program binds ports, each of which belongs to the open file and is closed
 * with it.  A read returns the ports that had an event; each of these has no
 * further one before the program has written its number back.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <pvguest/platform.h>
#include <uapi/xen/evtchn.h>

/* Ports of one open file; the domain has 4096 of the older event ABI. */
#define PVUSER_PORTS	1024

/**
 * struct pvuser_port - a port that a program has bound
 * @list: among those of its file
 * @fired: among those with an event that has not been read
 * @file: where it was bound
 * @port: its number
 * @irq: its interrupt
 * @held: its event is to be read, or was read and not written back
 * @again: another one came after it was read: a port that moves to another vCPU
 *	while its handler runs is unmasked by the interrupt layer
 */
struct pvuser_port {
	struct list_head list;
	struct list_head fired;
	struct pvuser_evtchn *file;
	unsigned int port;
	unsigned int irq;
	bool held;
	bool again;
};

/**
 * struct pvuser_evtchn - an open file
 * @lock: serialises all calls of the program that use its ports
 * @ports: bound by the program
 * @count: how many they are
 * @domain: the only one to which new ports may lead; DOMID_INVALID: any
 * @fired_lock: protects @fired, @held and @again of the ports
 * @fired: ports with an event, in their order
 * @wait: readers
 * @signalled: programs that get SIGIO
 */
struct pvuser_evtchn {
	struct mutex lock;	/* see above */
	struct list_head ports;
	unsigned int count;
	domid_t domain;
	spinlock_t fired_lock;	/* see above */
	struct list_head fired;
	wait_queue_head_t wait;
	struct fasync_struct *signalled;
};

static void pvuser_notify_readers(struct pvuser_evtchn *file)
{
	wake_up_interruptible(&file->wait);
	kill_fasync(&file->signalled, SIGIO, POLL_IN);
}

/* The interrupt ends when the program writes the port back. */
static irqreturn_t pvuser_evtchn_event(int irq, void *dev)
{
	struct pvuser_port *p = dev;
	struct pvuser_evtchn *file = p->file;
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&file->fired_lock, flags);
	first = !p->held;
	if (first) {
		p->held = true;
		list_add_tail(&p->fired, &file->fired);
	} else if (list_empty(&p->fired)) {
		p->again = true;
	}
	spin_unlock_irqrestore(&file->fired_lock, flags);
	/* Not of one that is there already, or comes when the port is given back. */
	if (first)
		pvuser_notify_readers(file);
	return IRQ_HANDLED;
}

static struct pvuser_port *pvuser_find_port(struct pvuser_evtchn *file,
					    unsigned int port)
{
	struct pvuser_port *p;

	list_for_each_entry(p, &file->ports, list)
		if (p->port == port)
			return p;
	return NULL;
}

static struct pvuser_port *pvuser_new_port(struct pvuser_evtchn *file)
{
	struct pvuser_port *p;

	if (file->count >= PVUSER_PORTS)
		return ERR_PTR(-ENOSPC);
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&p->fired);
	p->file = file;
	return p;
}

/* A port is bound, as interrupt @irq, or a negative error. */
static long pvuser_add_port(struct pvuser_evtchn *file, struct pvuser_port *p,
			    int irq)
{
	if (irq < 0) {
		kfree(p);
		return irq;
	}
	p->irq = irq;
	p->port = pvguest_irq_port(irq);
	list_add(&p->list, &file->ports);
	file->count++;
	return p->port;
}

static void pvuser_drop_port(struct pvuser_evtchn *file, struct pvuser_port *p)
{
	/* Its handler does not run any more afterwards. */
	pvguest_unbind(p->irq, p);
	spin_lock_irq(&file->fired_lock);
	list_del(&p->fired);
	spin_unlock_irq(&file->fired_lock);
	list_del(&p->list);
	file->count--;
	kfree(p);
}

static long pvuser_bind_port(struct pvuser_evtchn *file, unsigned int port)
{
	struct pvuser_port *p = pvuser_new_port(file);

	if (IS_ERR(p)) {
		pvguest_close_port(port);
		return PTR_ERR(p);
	}
	return pvuser_add_port(file, p,
			       pvguest_bind_port(port, pvuser_evtchn_event,
						 PVGUEST_EVENT_LATE_EOI,
						 "evtchn", p));
}

static bool pvuser_may_reach(const struct pvuser_evtchn *file,
			     unsigned int domain)
{
	return file->domain == DOMID_INVALID || file->domain == domain;
}

static long pvuser_bind_virq(struct pvuser_evtchn *file, void __user *arg)
{
	struct ioctl_evtchn_bind_virq bind;
	struct pvuser_port *p;

	if (copy_from_user(&bind, arg, sizeof(bind)))
		return -EFAULT;
	if (file->domain != DOMID_INVALID)
		return -EACCES;
	p = pvuser_new_port(file);
	if (IS_ERR(p))
		return PTR_ERR(p);
	/* The hypervisor refuses numbers beyond its own, and those that are bound. */
	return pvuser_add_port(file, p,
			       pvguest_bind_virq(bind.virq, 0,
						 pvuser_evtchn_event,
						 PVGUEST_EVENT_LATE_EOI,
						 "evtchn", p));
}

static long pvuser_bind_interdomain(struct pvuser_evtchn *file,
				    void __user *arg)
{
	struct ioctl_evtchn_bind_interdomain bind;
	unsigned int port;
	int ret;

	if (copy_from_user(&bind, arg, sizeof(bind)))
		return -EFAULT;
	if (bind.remote_domain > U16_MAX)
		return -EINVAL;
	if (!pvuser_may_reach(file, bind.remote_domain))
		return -EACCES;
	ret = pvguest_join_port(bind.remote_domain, bind.remote_port, &port);
	return ret ?: pvuser_bind_port(file, port);
}

static long pvuser_bind_unbound(struct pvuser_evtchn *file, void __user *arg)
{
	struct ioctl_evtchn_bind_unbound_port bind;
	unsigned int port;
	int ret;

	if (copy_from_user(&bind, arg, sizeof(bind)))
		return -EFAULT;
	if (bind.remote_domain > U16_MAX)
		return -EINVAL;
	if (!pvuser_may_reach(file, bind.remote_domain))
		return -EACCES;
	ret = pvguest_alloc_port(bind.remote_domain, &port);
	return ret ?: pvuser_bind_port(file, port);
}

static long pvuser_unbind(struct pvuser_evtchn *file, void __user *arg)
{
	struct ioctl_evtchn_unbind unbind;
	struct pvuser_port *p;

	if (copy_from_user(&unbind, arg, sizeof(unbind)))
		return -EFAULT;
	p = pvuser_find_port(file, unbind.port);
	if (!p)
		return -ENOTCONN;
	pvuser_drop_port(file, p);
	return 0;
}

static long pvuser_notify(struct pvuser_evtchn *file, void __user *arg)
{
	struct ioctl_evtchn_notify notify;

	if (copy_from_user(&notify, arg, sizeof(notify)))
		return -EFAULT;
	if (!pvuser_find_port(file, notify.port))
		return -ENOTCONN;
	pvguest_notify_port(notify.port);
	return 0;
}

/* The program gives back @p: it may have another event. */
static void pvuser_release_port(struct pvuser_evtchn *file,
				struct pvuser_port *p)
{
	bool held, again;

	spin_lock_irq(&file->fired_lock);
	held = p->held && list_empty(&p->fired);
	again = held && p->again;
	if (again)
		list_add_tail(&p->fired, &file->fired);
	else if (held)
		p->held = false;
	p->again = false;
	spin_unlock_irq(&file->fired_lock);
	if (again)
		pvuser_notify_readers(file);
	else if (held)
		pvguest_irq_eoi(p->irq, false);
}

/* Events that have not been read are dropped; later ones come. */
static long pvuser_reset(struct pvuser_evtchn *file)
{
	struct pvuser_port *p;
	bool unread;

	list_for_each_entry(p, &file->ports, list) {
		spin_lock_irq(&file->fired_lock);
		unread = !list_empty(&p->fired);
		list_del_init(&p->fired);
		spin_unlock_irq(&file->fired_lock);
		if (unread)
			pvuser_release_port(file, p);
	}
	return 0;
}

static long pvuser_restrict(struct pvuser_evtchn *file, void __user *arg)
{
	struct ioctl_evtchn_restrict_domid restriction;

	if (copy_from_user(&restriction, arg, sizeof(restriction)))
		return -EFAULT;
	if (file->domain != DOMID_INVALID)
		return -EACCES;
	if (restriction.domid >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	file->domain = restriction.domid;
	return 0;
}

static long pvuser_evtchn_ioctl(struct file *filp, unsigned int cmd,
				unsigned long arg)
{
	struct pvuser_evtchn *file = filp->private_data;
	void __user *uarg = (void __user *)arg;
	long ret;

	if (mutex_lock_interruptible(&file->lock))
		return -ERESTARTSYS;
	switch (cmd) {
	case IOCTL_EVTCHN_BIND_VIRQ:
		ret = pvuser_bind_virq(file, uarg);
		break;
	case IOCTL_EVTCHN_BIND_INTERDOMAIN:
		ret = pvuser_bind_interdomain(file, uarg);
		break;
	case IOCTL_EVTCHN_BIND_UNBOUND_PORT:
		ret = pvuser_bind_unbound(file, uarg);
		break;
	case IOCTL_EVTCHN_UNBIND:
		ret = pvuser_unbind(file, uarg);
		break;
	case IOCTL_EVTCHN_NOTIFY:
		ret = pvuser_notify(file, uarg);
		break;
	case IOCTL_EVTCHN_RESET:
		ret = pvuser_reset(file);
		break;
	case IOCTL_EVTCHN_RESTRICT_DOMID:
		ret = pvuser_restrict(file, uarg);
		break;
	default:
		ret = -ENOTTY;
	}
	mutex_unlock(&file->lock);
	return ret;
}

static struct pvuser_port *pvuser_take_fired(struct pvuser_evtchn *file)
{
	struct pvuser_port *p;

	spin_lock_irq(&file->fired_lock);
	p = list_first_entry_or_null(&file->fired, struct pvuser_port, fired);
	if (p)
		list_del_init(&p->fired);
	spin_unlock_irq(&file->fired_lock);
	return p;
}

static void pvuser_untake_fired(struct pvuser_evtchn *file,
				struct pvuser_port *p)
{
	spin_lock_irq(&file->fired_lock);
	list_add(&p->fired, &file->fired);
	spin_unlock_irq(&file->fired_lock);
}

/* Bytes of the ports that have an event, 0 if there are none. */
static ssize_t pvuser_read_fired(struct pvuser_evtchn *file,
				 u32 __user *buf, size_t ports)
{
	struct pvuser_port *p;
	size_t got = 0;

	while (got < ports && (p = pvuser_take_fired(file))) {
		if (put_user(p->port, buf + got)) {
			pvuser_untake_fired(file, p);
			return got ? got * sizeof(u32) : -EFAULT;
		}
		got++;
	}
	return got * sizeof(u32);
}

static ssize_t pvuser_evtchn_read(struct file *filp, char __user *buf,
				  size_t len, loff_t *pos)
{
	struct pvuser_evtchn *file = filp->private_data;
	ssize_t ret;

	if (len < sizeof(u32))
		return 0;
	for (;;) {
		if (mutex_lock_interruptible(&file->lock))
			return -ERESTARTSYS;
		ret = pvuser_read_fired(file, (u32 __user *)buf,
					len / sizeof(u32));
		mutex_unlock(&file->lock);
		if (ret)
			return ret;
		if (filp->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_event_interruptible(file->wait,
					       !list_empty_careful(&file->fired));
		if (ret)
			return ret;
	}
}

/* Ports that are not the file's, or had no event, are passed over. */
static ssize_t pvuser_evtchn_write(struct file *filp, const char __user *buf,
				   size_t len, loff_t *pos)
{
	const u32 __user *ports = (const u32 __user *)buf;
	struct pvuser_evtchn *file = filp->private_data;
	size_t i, n = min_t(size_t, len / sizeof(u32), PVUSER_PORTS);
	struct pvuser_port *p;
	ssize_t ret = 0;
	u32 port;

	if (mutex_lock_interruptible(&file->lock))
		return -ERESTARTSYS;
	for (i = 0; i < n; i++) {
		if (get_user(port, ports + i)) {
			ret = -EFAULT;
			break;
		}
		p = pvuser_find_port(file, port);
		if (p)
			pvuser_release_port(file, p);
	}
	mutex_unlock(&file->lock);
	return i ? i * sizeof(u32) : ret;
}

static __poll_t pvuser_evtchn_poll(struct file *filp, poll_table *table)
{
	struct pvuser_evtchn *file = filp->private_data;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	poll_wait(filp, &file->wait, table);
	if (!list_empty_careful(&file->fired))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static int pvuser_evtchn_fasync(int fd, struct file *filp, int on)
{
	struct pvuser_evtchn *file = filp->private_data;

	return fasync_helper(fd, filp, on, &file->signalled);
}

static int pvuser_evtchn_open(struct inode *inode, struct file *filp)
{
	struct pvuser_evtchn *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	spin_lock_init(&file->fired_lock);
	INIT_LIST_HEAD(&file->ports);
	INIT_LIST_HEAD(&file->fired);
	init_waitqueue_head(&file->wait);
	file->domain = DOMID_INVALID;
	filp->private_data = file;
	return stream_open(inode, filp);
}

static int pvuser_evtchn_release(struct inode *inode, struct file *filp)
{
	struct pvuser_evtchn *file = filp->private_data;
	struct pvuser_port *p, *next;

	list_for_each_entry_safe(p, next, &file->ports, list)
		pvuser_drop_port(file, p);
	kfree(file);
	return 0;
}

static const struct file_operations pvuser_evtchn_fops = {
	.owner		= THIS_MODULE,
	.open		= pvuser_evtchn_open,
	.release	= pvuser_evtchn_release,
	.read		= pvuser_evtchn_read,
	.write		= pvuser_evtchn_write,
	.poll		= pvuser_evtchn_poll,
	.fasync		= pvuser_evtchn_fasync,
	.unlocked_ioctl	= pvuser_evtchn_ioctl,
};

static struct miscdevice pvuser_evtchn_device = {
	.minor		= MISC_DYNAMIC_MINOR,
	.name		= "evtchn",
	.nodename	= "xen/evtchn",
	.fops		= &pvuser_evtchn_fops,
	.mode		= 0600,
};

static int __init pvuser_evtchn_init(void)
{
	return pvguest_running() ? misc_register(&pvuser_evtchn_device) : 0;
}
device_initcall(pvuser_evtchn_init);
