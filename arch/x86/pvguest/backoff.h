/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long a driver's event channel stays masked after an event: an event with
 * work is free, ones without come ever more rarely.
 */
#ifndef PVGUEST_BACKOFF_H
#define PVGUEST_BACKOFF_H

#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/types.h>

/* Useless events in a row that are let through: races make a few. */
#define PV_FREE_EVENTS	4

/**
 * pv_backoff() - an event has been served
 * @idle: ends of interrupt without work since the last one with work
 * @spurious: this one had none
 *
 * Return: jiffies for which the port is to stay masked, 0: unmask it now.  One
 * tick, doubled each time up to a second.
 */
static inline unsigned long pv_backoff(unsigned int *idle, bool spurious)
{
	unsigned int shift;

	if (!spurious) {
		*idle = 0;
		return 0;
	}
	if (*idle < PV_FREE_EVENTS) {
		++*idle;
		return 0;
	}
	shift = *idle - PV_FREE_EVENTS;
	/* Far enough to be a second, whatever HZ is. */
	if (shift < 16)
		++*idle;
	return min(1UL << shift, (unsigned long)HZ);
}

#endif /* PVGUEST_BACKOFF_H */
