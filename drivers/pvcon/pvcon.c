// SPDX-License-Identifier: GPL-2.0-only
/*
 * Console front end: hvc0 on the ring that the tool stack set up, or, for the
 * initial domain, on the hypervisor's emergency console.
 *
 * The other end of the ring is not trusted: its indexes are read once and
 * checked; if they make no sense the console is closed, and nothing else.
 */
#include <linux/console.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/spinlock.h>
#include <xen/interface/io/console.h>
#include <pvguest/platform.h>

#include "../../../drivers/tty/hvc/hvc_console.h"

#define PVCON_COOKIE	0x7063	/* any number that no other hvc has */

/**
 * struct pvcon - one console
 * @ring: page shared with the console daemon
 * @port: event channel to it
 * @broken: the other end has broken the protocol
 * @lock: protects the producer index of the output half
 */
struct pvcon {
	struct xencons_interface *ring;
	unsigned int port;
	bool broken;
	spinlock_t lock;	/* output half */
};

static struct pvcon pvcon0;

static void pvcon_break(struct pvcon *con, const char *field, u32 a, u32 b)
{
	if (con->broken)
		return;
	con->broken = true;
	pr_err("pvcon: console closed: the other end set %s to %u with %u beside it\n",
	       field, a, b);
}

static ssize_t pvcon_ring_put(u32 vtermno, const u8 *buf, size_t len)
{
	struct pvcon *con = &pvcon0;
	struct xencons_interface *ring = con->ring;
	XENCONS_RING_IDX cons, prod;
	unsigned long flags;
	size_t sent = 0;

	if (con->broken)
		return len;	/* nobody will ever read it */
	spin_lock_irqsave(&con->lock, flags);
	prod = ring->out_prod;
	cons = READ_ONCE(ring->out_cons);
	/* The slots before cons have been read before we fill them again. */
	virt_mb();
	if (prod - cons > sizeof(ring->out)) {
		pvcon_break(con, "out_cons", cons, prod);
		sent = len;
		goto out;
	}
	while (sent < len && prod - cons < sizeof(ring->out))
		ring->out[MASK_XENCONS_IDX(prod++, ring->out)] = buf[sent++];
	/* The text before the index that says it is there. */
	virt_wmb();
	WRITE_ONCE(ring->out_prod, prod);
out:
	spin_unlock_irqrestore(&con->lock, flags);
	if (sent && !con->broken)
		pvguest_notify_port(con->port);
	return sent;
}

static ssize_t pvcon_ring_get(u32 vtermno, u8 *buf, size_t len)
{
	struct pvcon *con = &pvcon0;
	struct xencons_interface *ring = con->ring;
	XENCONS_RING_IDX cons, prod;
	size_t got = 0;

	if (con->broken)
		return 0;
	cons = ring->in_cons;
	prod = READ_ONCE(ring->in_prod);
	/* The index before the bytes that it covers. */
	virt_rmb();
	if (prod - cons > sizeof(ring->in)) {
		pvcon_break(con, "in_prod", prod, cons);
		return 0;
	}
	while (got < len && cons != prod)
		buf[got++] = READ_ONCE(ring->in[MASK_XENCONS_IDX(cons++, ring->in)]);
	/* The bytes have been read before the other end may overwrite them. */
	virt_mb();
	WRITE_ONCE(ring->in_cons, cons);
	if (got)
		pvguest_notify_port(con->port);
	return got;
}

static irqreturn_t pvcon_event(int irq, void *dev)
{
	struct hvc_struct *hp = dev;

	if (hvc_poll(hp))
		hvc_kick();
	return IRQ_HANDLED;
}

/*
 * The interrupt exists as long as the domain, because the channel is the tool
 * stack's; opening and closing only tell hvc whether it has to poll.
 */
static int pvcon_open(struct hvc_struct *hp, int irq)
{
	hp->irq_requested = irq > 0;
	return 0;
}

static void pvcon_close(struct hvc_struct *hp, int irq)
{
	hp->irq_requested = 0;
}

static const struct hv_ops pvcon_ring_ops = {
	.get_chars	= pvcon_ring_get,
	.put_chars	= pvcon_ring_put,
	.notifier_add	= pvcon_open,
	.notifier_del	= pvcon_close,
	.notifier_hangup = pvcon_close,
};

static ssize_t pvcon_emergency_put(u32 vtermno, const u8 *buf, size_t len)
{
	pvguest_console_write(buf, len);
	return len;
}

static ssize_t pvcon_emergency_get(u32 vtermno, u8 *buf, size_t len)
{
	return pvguest_console_read(buf, len);
}

static const struct hv_ops pvcon_emergency_ops = {
	.get_chars	= pvcon_emergency_get,
	.put_chars	= pvcon_emergency_put,
	.notifier_add	= pvcon_open,
	.notifier_del	= pvcon_close,
	.notifier_hangup = pvcon_close,
};

static const struct hv_ops *pvcon_ops(void)
{
	struct pvguest_ring_page ring;

	if (pvguest_initial_domain())
		return &pvcon_emergency_ops;
	ring = pvguest_console_ring();
	if (!ring.page)
		return NULL;
	pvcon0.ring = ring.page;
	pvcon0.port = ring.port;
	return &pvcon_ring_ops;
}

static int __init pvcon_console_init(void)
{
	const struct hv_ops *ops;

	if (!pvguest_running())
		return 0;
	spin_lock_init(&pvcon0.lock);
	ops = pvcon_ops();
	if (!ops)
		return 0;
	hvc_instantiate(PVCON_COOKIE, 0, ops);
	add_preferred_console("hvc", 0, NULL);
	return 0;
}
console_initcall(pvcon_console_init);

static int __init pvcon_init(void)
{
	const struct hv_ops *ops;
	struct hvc_struct *hp;
	int irq;

	if (!pvguest_running())
		return 0;
	ops = pvcon_ops();
	if (!ops)
		return 0;
	hp = hvc_alloc(PVCON_COOKIE, 0, ops, 256);
	if (IS_ERR(hp))
		return PTR_ERR(hp);
	if (pvguest_initial_domain())
		irq = pvguest_bind_virq(VIRQ_CONSOLE, 0, pvcon_event, 0, "pvcon", hp);
	else
		irq = pvguest_bind_port(pvcon0.port, pvcon_event, 0, "pvcon", hp);
	if (irq < 0)
		pr_warn("pvcon: no events (%d), the console is polled\n", irq);
	else
		hp->data = irq;
	return 0;
}
device_initcall(pvcon_init);
