/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A console's ring, for the boot console and those from XenStore.
 */
#ifndef PVCON_H
#define PVCON_H

#include <linux/interrupt.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <xen/interface/io/console.h>

#include "../../../drivers/tty/hvc/hvc_console.h"

/* Number of hvc's terminals.  The first is the boot console. */
#define PVCON_MAX	HVC_ALLOC_TTY_ADAPTERS
/* vtermno of the first; any number that no other hvc driver has. */
#define PVCON_COOKIE	0x7063

/**
 * struct pvcon - one console
 * @lock: protects all but @hp; raw, as kernel messages come with interrupts off;
 *	in a panic its owner may be a stopped vCPU
 * @owner: number of the vCPU that has locked it, plus 1; 0 if none has
 * @ring: page shared with the back end, NULL while there is none
 * @port: event channel to it
 * @broken: the first invalid field of the back end, NULL while there is none;
 *	with one, the ring is not used any more
 * @value: its value
 * @other: value of the ring's other index
 * @reported: it has been logged
 * @in_cons: our index of the text to us
 * @out_prod: our index of the text from us
 * @out_cons: the back end's index of it at the last look
 * @patience: nanoseconds that kernel messages may still wait for room, given
 *	back by text that is taken; without any they are dropped
 * @dying: they have been given the time for a panic
 * @orphaned: the lock's owner has not come back in a panic
 * @seen_in_prod: the back end's index when it was furthest, to an event, and
 * @seen_out_cons: its other index
 * @hp: the terminal, NULL while there is none
 * @dev: the device, NULL for the boot console
 */
struct pvcon {
	raw_spinlock_t lock;	/* see above */
	unsigned int owner;
	struct xencons_interface *ring;
	unsigned int port;
	const char *broken;
	u32 value;
	u32 other;
	bool reported;
	XENCONS_RING_IDX in_cons;
	XENCONS_RING_IDX out_prod;
	XENCONS_RING_IDX out_cons;
	s64 patience;
	bool dying;
	bool orphaned;
	XENCONS_RING_IDX seen_in_prod;
	XENCONS_RING_IDX seen_out_cons;
	struct hvc_struct *hp;
	struct pvbus_device *dev;
};

extern struct pvcon pvcon_consoles[PVCON_MAX];
extern const struct hv_ops pvcon_ring_ops;

void pvcon_attach(struct pvcon *con, void *page, unsigned int port);
void pvcon_detach(struct pvcon *con);
irqreturn_t pvcon_event(int irq, void *dev);
int pvcon_open(struct hvc_struct *hp, int irq);
void pvcon_close(struct hvc_struct *hp, int irq);

#endif /* PVCON_H */
