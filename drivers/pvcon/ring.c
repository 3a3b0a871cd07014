// SPDX-License-Identifier: GPL-2.0-only
/*
 * A console's ring (public header io/console.h) as a terminal of hvc.
 *
 * The back end is not trusted: its indexes are read once and checked, ours are
 * kept outside the page, which it can write as a whole; an invalid one closes
 * this console.
 */
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/panic.h>
#include <linux/printk.h>
#include <linux/sched/clock.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/time64.h>
#include <pvbus/device.h>
#include <pvguest/platform.h>

#include "pvcon.h"

/*
 * Nanoseconds that kernel messages wait for a back end that takes nothing: it
 * may be busy, as Xen's daemon is by its own limit for 200 ms, or dead.  The
 * last messages are worth more.
 */
#define PVCON_PATIENCE		(5LL * NSEC_PER_SEC)
/* Less than Linux waits before it reports a lockup (20 s). */
#define PVCON_LAST_PATIENCE	(15LL * NSEC_PER_SEC)
/* Given back by each byte taken: all of it by a ring full. */
#define PVCON_PATIENCE_BYTE \
	(PVCON_PATIENCE / (s64)sizeof_field(struct xencons_interface, out))
/* Microseconds between two looks. */
#define PVCON_LOOK		500
/*
 * Nanoseconds in which a lock's owner, which copies 2 KiB at most, must have
 * unlocked in a panic.  Not counted in looks, which any event of the domain
 * ends early (SCHEDOP_poll without ports).
 */
#define PVCON_LOCK_TIME		(NSEC_PER_SEC / 10)

struct pvcon pvcon_consoles[PVCON_MAX] = {
	[0 ... PVCON_MAX - 1] = {
		.lock = __RAW_SPIN_LOCK_UNLOCKED(pvcon_consoles.lock),
	},
};

/* Is the kernel in an oops or a panic, also when that is nearly over? */
static bool pvcon_in_panic(void)
{
	return oops_in_progress ||
	       atomic_read(&panic_cpu) != PANIC_CPU_INVALID;
}

/*
 * Will the lock's owner not come back?  It may be what this vCPU was doing
 * before an NMI or a fault.  In a panic it may be a vCPU that was stopped: it is
 * waited for a while, once.  In an oops all other vCPUs run on.
 */
static bool pvcon_owner_is_lost(struct pvcon *con, u64 since)
{
	if (READ_ONCE(con->owner) == smp_processor_id() + 1)
		return true;
	if (atomic_read(&panic_cpu) == PANIC_CPU_INVALID)
		return false;
	if (sched_clock() - since > PVCON_LOCK_TIME)
		con->orphaned = true;
	return con->orphaned;
}

/*
 * Lock a console, in the one way from which an oops of the owner itself gets its
 * text out.  False: without the lock, as its owner will not come back, for the
 * last messages.
 */
static bool pvcon_lock(struct pvcon *con, unsigned long *flags)
	__acquires(&con->lock)
{
	u64 since;

	local_irq_save(*flags);
	if (likely(!pvcon_in_panic())) {
		raw_spin_lock(&con->lock);
	} else {
		since = sched_clock();
		while (!raw_spin_trylock(&con->lock)) {
			if (pvcon_owner_is_lost(con, since)) {
				__acquire(&con->lock);	/* for sparse */
				return false;
			}
			pvguest_pause(PVCON_LOOK);
		}
	}
	WRITE_ONCE(con->owner, smp_processor_id() + 1);
	return true;
}

static void pvcon_unlock(struct pvcon *con, unsigned long flags, bool locked)
	__releases(&con->lock)
{
	if (likely(locked)) {
		WRITE_ONCE(con->owner, 0);
		raw_spin_unlock(&con->lock);
	} else {
		__release(&con->lock);	/* for sparse */
	}
	local_irq_restore(flags);
}

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
	bool locked;

	locked = pvcon_lock(con, &flags);
	con->ring = page;
	con->port = port;
	con->broken = NULL;
	con->reported = false;
	con->in_cons = READ_ONCE(con->ring->in_cons);
	con->out_prod = READ_ONCE(con->ring->out_prod);
	con->out_cons = READ_ONCE(con->ring->out_cons);
	con->seen_in_prod = READ_ONCE(con->ring->in_prod);
	con->seen_out_cons = con->out_cons;
	con->patience = PVCON_PATIENCE;
	pvcon_unlock(con, flags, locked);
}

/**
 * pvcon_detach() - stop using a console's ring
 * @con: the console
 *
 * Context: any.
 */
void pvcon_detach(struct pvcon *con)
{
	unsigned long flags;
	bool locked;

	locked = pvcon_lock(con, &flags);
	con->ring = NULL;
	pvcon_unlock(con, flags, locked);
}

static void pvcon_break(struct pvcon *con, const char *field, u32 value,
			u32 other)
{
	con->broken = field;
	con->value = value;
	con->other = other;
}

/*
 * An invalid field is logged without the lock: the log may be printed on this
 * very console.  The bus, which has locks as well, is not called in a panic.
 */
static void pvcon_unlock_and_report(struct pvcon *con, unsigned long flags,
				    bool locked)
	__releases(&con->lock)
{
	bool bus = IS_ENABLED(CONFIG_PVGUEST_BUS) && con->dev;
	bool report = con->broken && !con->reported &&
		      !(bus && pvcon_in_panic());

	con->reported |= report;
	pvcon_unlock(con, flags, locked);
	if (!report)
		return;
	if (bus)
		pvbus_fail(con->dev, "%s: invalid value %u, other index %u (%d)",
			   con->broken, con->value, con->other, -EPROTO);
	else
		pr_err("pvcon: hvc0: %s: invalid value %u, other index %u (%d); console closed\n",
		       con->broken, con->value, con->other, -EPROTO);
}

/*
 * Look how far the back end has read.  That never goes back, and not beyond what
 * was written.  Each byte read gives patience back, so a ring full of text gives
 * back all of it, once.
 */
static void pvcon_look(struct pvcon *con)
{
	XENCONS_RING_IDX cons = READ_ONCE(con->ring->out_cons);
	XENCONS_RING_IDX taken = cons - con->out_cons;

	if (taken > con->out_prod - con->out_cons ||
	    con->out_prod - cons > sizeof(con->ring->out)) {
		pvcon_break(con, "out_cons", cons, con->out_prod);
		return;
	}
	con->out_cons = cons;
	con->patience = min(con->patience + PVCON_PATIENCE_BYTE * taken,
			    max(con->patience, PVCON_PATIENCE));
	if (!con->dying && pvcon_in_panic()) {
		con->dying = true;
		con->patience = PVCON_LAST_PATIENCE;
	}
}

/* Returns how many of @len bytes are written, or discarded for good. */
static size_t pvcon_ring_put(struct pvcon *con, const u8 *buf, size_t len)
{
	struct xencons_interface *ring = con->ring;
	XENCONS_RING_IDX prod = con->out_prod;
	size_t sent = 0;

	if (con->broken)
		return len;	/* discarded */
	if (!ring)
		return 0;	/* written when there is a ring again */
	pvcon_look(con);
	if (con->broken)
		return len;
	/* The slots before out_cons have been read before they are filled again. */
	virt_mb();
	while (sent < len && prod - con->out_cons < sizeof(ring->out))
		ring->out[MASK_XENCONS_IDX(prod++, ring->out)] = buf[sent++];
	/* The text before the index that covers it. */
	virt_wmb();
	/* Never back: one that wrote without the lock may have gone further. */
	if ((s32)(prod - READ_ONCE(con->out_prod)) > 0) {
		con->out_prod = prod;
		WRITE_ONCE(ring->out_prod, prod);
	}
	if (sent)
		pvguest_notify_port(con->port);
	return sent;
}

static size_t pvcon_ring_get(struct pvcon *con, u8 *buf, size_t len)
{
	struct xencons_interface *ring = con->ring;
	XENCONS_RING_IDX cons, prod;
	size_t got = 0;

	if (con->broken || !ring)
		return 0;
	cons = con->in_cons;
	prod = READ_ONCE(ring->in_prod);
	/* The index before the bytes that it covers. */
	virt_rmb();
	if (prod - cons > sizeof(ring->in)) {
		pvcon_break(con, "in_prod", prod, cons);
		return 0;
	}
	while (got < len && cons != prod)
		buf[got++] = READ_ONCE(ring->in[MASK_XENCONS_IDX(cons++, ring->in)]);
	/* The bytes have been read before the back end may overwrite them. */
	virt_mb();
	con->in_cons = cons;
	WRITE_ONCE(ring->in_cons, cons);
	if (got)
		pvguest_notify_port(con->port);
	return got;
}

/*
 * May kernel messages wait?  For room, where the last look found none; in a
 * panic until all is read, as the hypervisor may destroy the domain, and its
 * ring with it, at the next step.
 */
static bool pvcon_may_wait(const struct pvcon *con)
{
	u32 unread = con->out_prod - con->out_cons;

	if (!con->ring || con->broken || con->patience <= 0)
		return false;
	if (atomic_read(&panic_cpu) != PANIC_CPU_INVALID)
		return unread;
	return unread >= sizeof(con->ring->out);
}

/*
 * Without room: -EAGAIN while it is worth waiting; a kernel message then goes on
 * after pvcon_flush(), and a terminal's output with the next event.  After 0 a
 * message is dropped, and a terminal's output waits all the same.
 */
static ssize_t pvcon_put(u32 vtermno, const u8 *buf, size_t len)
{
	struct pvcon *con = &pvcon_consoles[vtermno - PVCON_COOKIE];
	unsigned long flags;
	ssize_t sent;
	bool locked;

	locked = pvcon_lock(con, &flags);
	sent = pvcon_ring_put(con, buf, len);
	if (!sent && pvcon_may_wait(con))
		sent = -EAGAIN;
	pvcon_unlock_and_report(con, flags, locked);
	return sent;
}

/*
 * After each kernel message, and when one has no room: wait until there is some,
 * in a panic until all is read.  The kernel may be in one, so this neither
 * sleeps nor needs an interrupt.  A dead back end costs PVCON_PATIENCE once, not
 * for each message.  @wait is set for terminals, which can wait for the next
 * event.
 */
static int pvcon_flush(u32 vtermno, bool wait)
{
	struct pvcon *con = &pvcon_consoles[vtermno - PVCON_COOKIE];
	u64 since = sched_clock(), now;
	unsigned long flags;
	bool full = !wait, locked;

	while (full) {
		locked = pvcon_lock(con, &flags);
		if (con->ring && !con->broken)
			pvcon_look(con);
		full = pvcon_may_wait(con);
		if (full) {
			now = sched_clock();
			con->patience -= now - since;
			since = now;
		}
		pvcon_unlock_and_report(con, flags, locked);
		if (full)
			pvguest_pause(PVCON_LOOK);
	}
	return 0;
}

static ssize_t pvcon_get(u32 vtermno, u8 *buf, size_t len)
{
	struct pvcon *con = &pvcon_consoles[vtermno - PVCON_COOKIE];
	unsigned long flags;
	bool locked;
	size_t got;

	locked = pvcon_lock(con, &flags);
	/* Without the lock its owner may be reading the same bytes. */
	got = locked ? pvcon_ring_get(con, buf, len) : 0;
	pvcon_unlock_and_report(con, flags, locked);
	return got;
}

/* Has an index gone on from *@seen, by @most at most?  Going back is nothing. */
static bool pvcon_went_on(XENCONS_RING_IDX *seen, XENCONS_RING_IDX now,
			  XENCONS_RING_IDX most)
{
	if (now == *seen || now - *seen > most)
		return false;
	*seen = now;
	return true;
}

/*
 * Has the back end written or taken anything since its last event?  An index
 * that goes to and fro is no progress.  Without the lock that is not known, and
 * the back end not slowed down for it.
 */
static bool pvcon_moved(struct pvcon *con)
{
	struct xencons_interface *ring;
	unsigned long flags;
	bool locked, moved;

	locked = pvcon_lock(con, &flags);
	moved = !locked;
	ring = con->ring;
	if (locked && ring && !con->broken) {
		moved = pvcon_went_on(&con->seen_in_prod,
				      READ_ONCE(ring->in_prod),
				      con->in_cons + sizeof(ring->in) -
				      con->seen_in_prod);
		moved |= pvcon_went_on(&con->seen_out_cons,
				       READ_ONCE(ring->out_cons),
				       con->out_prod - con->seen_out_cons);
	}
	pvcon_unlock(con, flags, locked);
	return moved;
}

/**
 * pvcon_event() - interrupt handler of a console that has a ring
 * @irq: bound with PVGUEST_EVENT_LATE_EOI
 * @dev: the console
 *
 * Return: IRQ_HANDLED.
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
 * The interrupt exists as long as the ring; opening and closing only change
 * whether hvc polls.
 *
 * Return: 0.
 */
int pvcon_open(struct hvc_struct *hp, int irq)
{
	hp->irq_requested = irq > 0;
	return 0;
}

/**
 * pvcon_close() - a terminal is closed for the last time, or hung up
 * @hp: the terminal
 * @irq: its events, which stay bound
 *
 * Context: process.
 */
void pvcon_close(struct hvc_struct *hp, int irq)
{
	hp->irq_requested = 0;
}

const struct hv_ops pvcon_ring_ops = {
	.get_chars	= pvcon_get,
	.put_chars	= pvcon_put,
	.flush		= pvcon_flush,
	.notifier_add	= pvcon_open,
	.notifier_del	= pvcon_close,
	.notifier_hangup = pvcon_close,
};
