// SPDX-License-Identifier: GPL-2.0-only
/*
 * A console's ring (public header io/console.h) as a terminal of hvc.
 *
 * The other end is not trusted: its indexes are read once and checked; if they
 * make no sense the console is closed, and nothing else.
 */
#include <linux/kernel.h>
#include <linux/spinlock.h>
#include <pvbus/device.h>
#include <pvguest/platform.h>

#include "pvcon.h"

struct pvcon pvcons[PVCON_MAX] = {
	[0 ... PVCON_MAX - 1] = { .lock = __SPIN_LOCK_UNLOCKED(pvcons.lock) },
};

/**
 * pvcon_attach() - a console has a ring
 * @con: the console
 * @page: shared with the back end
 * @port: event channel to it
 *
 * Context: any.
 */
void pvcon_attach(struct pvcon *con, void *page, unsigned int port)
{
	unsigned long flags;

	spin_lock_irqsave(&con->lock, flags);
	con->ring = page;
	con->port = port;
	con->broken = NULL;
	con->told = false;
	con->seen_in_prod = 0;
	con->seen_out_cons = 0;
	spin_unlock_irqrestore(&con->lock, flags);
}

/** pvcon_detach() - its page is not touched any more; any context */
void pvcon_detach(struct pvcon *con)
{
	unsigned long flags;

	spin_lock_irqsave(&con->lock, flags);
	con->ring = NULL;
	spin_unlock_irqrestore(&con->lock, flags);
}

static void pvcon_break(struct pvcon *con, const char *field, u32 value,
			u32 beside)
{
	con->broken = field;
	con->value = value;
	con->beside = beside;
}

/*
 * What makes no sense is told only without the lock: the log may end on this
 * very console.
 */
static void unlock_and_tell(struct pvcon *con, unsigned long flags)
{
	bool tell = con->broken && !con->told;

	con->told |= tell;
	spin_unlock_irqrestore(&con->lock, flags);
	if (!tell)
		return;
	if (IS_ENABLED(CONFIG_PVGUEST_BUS) && con->dev)
		pvbus_fail(con->dev, "%s is %u with %u beside it", con->broken,
			   con->value, con->beside);
	else
		pr_err("pvcon: console closed: the other end set %s to %u with %u beside it\n",
		       con->broken, con->value, con->beside);
}

/* How many of @len bytes have been taken care of. */
static size_t ring_put(struct pvcon *con, const u8 *buf, size_t len)
{
	struct xencons_interface *ring = con->ring;
	XENCONS_RING_IDX cons, prod;
	size_t sent = 0;

	if (con->broken)
		return len;	/* nobody will ever read it */
	if (!ring)
		return 0;	/* maybe later */
	prod = ring->out_prod;
	cons = READ_ONCE(ring->out_cons);
	/* The slots before cons have been read before we fill them again. */
	virt_mb();
	if (prod - cons > sizeof(ring->out)) {
		pvcon_break(con, "out_cons", cons, prod);
		return len;
	}
	while (sent < len && prod - cons < sizeof(ring->out))
		ring->out[MASK_XENCONS_IDX(prod++, ring->out)] = buf[sent++];
	/* The text before the index that says it is there. */
	virt_wmb();
	WRITE_ONCE(ring->out_prod, prod);
	if (sent)
		pvguest_notify_port(con->port);
	return sent;
}

static size_t ring_get(struct pvcon *con, u8 *buf, size_t len)
{
	struct xencons_interface *ring = con->ring;
	XENCONS_RING_IDX cons, prod;
	size_t got = 0;

	if (con->broken || !ring)
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

static ssize_t pvcon_put(u32 vtermno, const u8 *buf, size_t len)
{
	struct pvcon *con = &pvcons[vtermno - PVCON_COOKIE];
	unsigned long flags;
	size_t sent;

	spin_lock_irqsave(&con->lock, flags);
	sent = ring_put(con, buf, len);
	unlock_and_tell(con, flags);
	return sent;
}

static ssize_t pvcon_get(u32 vtermno, u8 *buf, size_t len)
{
	struct pvcon *con = &pvcons[vtermno - PVCON_COOKIE];
	unsigned long flags;
	size_t got;

	spin_lock_irqsave(&con->lock, flags);
	got = ring_get(con, buf, len);
	unlock_and_tell(con, flags);
	return got;
}

/* Has the back end written or taken anything since its last event? */
static bool pvcon_moved(struct pvcon *con)
{
	unsigned long flags;
	bool moved = false;
	XENCONS_RING_IDX in, out;

	spin_lock_irqsave(&con->lock, flags);
	if (con->ring && !con->broken) {
		in = READ_ONCE(con->ring->in_prod);
		out = READ_ONCE(con->ring->out_cons);
		moved = in != con->seen_in_prod || out != con->seen_out_cons;
		con->seen_in_prod = in;
		con->seen_out_cons = out;
	}
	spin_unlock_irqrestore(&con->lock, flags);
	return moved;
}

/**
 * pvcon_event() - interrupt handler of a console that has a ring
 * @irq: bound with PVGUEST_EVENT_LATE_EOI
 * @dev: the console
 */
irqreturn_t pvcon_event(int irq, void *dev)
{
	struct pvcon *con = dev;
	struct hvc_struct *hp = READ_ONCE(con->hp);
	bool moved = pvcon_moved(con);

	if (hp && hvc_poll(hp))
		hvc_kick();
	pvguest_irq_eoi(irq, !moved);
	return IRQ_HANDLED;
}

/**
 * pvcon_open() - a terminal is opened
 * @hp: the terminal
 * @irq: its events
 *
 * The interrupt exists as long as the ring; opening and closing only tell hvc
 * whether it has to poll.
 *
 * Return: 0.
 */
int pvcon_open(struct hvc_struct *hp, int irq)
{
	hp->irq_requested = irq > 0;
	return 0;
}

/** pvcon_close() - it is closed for the last time, or hung up */
void pvcon_close(struct hvc_struct *hp, int irq)
{
	hp->irq_requested = 0;
}

const struct hv_ops pvcon_ring_ops = {
	.get_chars	= pvcon_get,
	.put_chars	= pvcon_put,
	.notifier_add	= pvcon_open,
	.notifier_del	= pvcon_close,
	.notifier_hangup = pvcon_close,
};
