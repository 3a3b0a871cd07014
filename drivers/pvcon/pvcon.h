/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the boot console and those from the store share: a console's ring.
 */
#ifndef PVCON_H
#define PVCON_H

#include <linux/interrupt.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <xen/interface/io/console.h>

#include "../../../drivers/tty/hvc/hvc_console.h"

/* As many as hvc has terminals.  The first is the boot console. */
#define PVCON_MAX	HVC_ALLOC_TTY_ADAPTERS
/* vtermno of the first; any number that no other hvc has. */
#define PVCON_COOKIE	0x7063

/**
 * struct pvcon - one console
 * @lock: protects all but @hp
 * @ring: page shared with the back end, NULL while there is none
 * @port: event channel to it
 * @broken: the field with which the back end broke the protocol, NULL while
 *	all is well; then nobody will read or write any more
 * @value, @beside: what was in it, and in the field of which it goes on
 * @told: the log says so
 * @seen_in_prod, @seen_out_cons: the back end's indexes at the last event
 * @hp: the terminal, NULL while there is none
 * @dev: the device, NULL for the boot console
 */
struct pvcon {
	spinlock_t lock;	/* see above */
	struct xencons_interface *ring;
	unsigned int port;
	const char *broken;
	u32 value;
	u32 beside;
	bool told;
	XENCONS_RING_IDX seen_in_prod;
	XENCONS_RING_IDX seen_out_cons;
	struct hvc_struct *hp;
	struct pvbus_device *dev;
};

extern struct pvcon pvcons[PVCON_MAX];
extern const struct hv_ops pvcon_ring_ops;

void pvcon_attach(struct pvcon *con, void *page, unsigned int port);
void pvcon_detach(struct pvcon *con);
irqreturn_t pvcon_event(int irq, void *dev);
int pvcon_open(struct hvc_struct *hp, int irq);
void pvcon_close(struct hvc_struct *hp, int irq);

#endif /* PVCON_H */
