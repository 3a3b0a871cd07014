/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two event-channel ABIs, 2-level and FIFO, behind one set of operations.
 */
#ifndef PVGUEST_EVTCHN_H
#define PVGUEST_EVTCHN_H

#include <linux/types.h>

/* An operation on a port. */
typedef void pv_port_fn(unsigned int port);

/**
 * struct pv_evtchn_abi - how pending and mask state of ports is kept
 * @name: for the log and sysfs
 * @cpu_up: prepare a vCPU, before it can receive; 0 or a negative error.
 *	Process context
 * @cpu_dead: call the function for each port whose event may have been left
 *	behind on this vCPU, which has stopped
 * @setup_port: make room for a port; 0 or a negative error.  Process context
 * @bind_cpu: a port is delivered to @cpu from now on, before to @old_cpu
 *	(-1: to none).  The hypervisor learns it after that, and what it sends
 *	meanwhile, or decided upon before, still comes to @old_cpu
 * @release: the port is about to be closed
 * @mask: stop delivery; true if it was stopped before
 * @unmask: allow delivery, and deliver what is pending
 * @clear: reset that the port is pending
 * @set_pending: make the port pending; deliverable once it is unmasked by
 *	EVTCHNOP_unmask
 * @is_pending: is it?
 * @is_notified: has @cpu been notified of the pending port, or will it be before it next looks?
 * @handle: call @event for every deliverable port of this vCPU, and @stray for
 *	those that are delivered to another one by now
 *
 * Context: any, unless said otherwise; @handle with events masked.
 */
struct pv_evtchn_abi {
	const char *name;
	int (*cpu_up)(unsigned int cpu);
	void (*cpu_dead)(unsigned int cpu, pv_port_fn *stray);
	int (*setup_port)(unsigned int port);
	void (*bind_cpu)(unsigned int port, unsigned int cpu, int old_cpu);
	void (*release)(unsigned int port);
	bool (*mask)(unsigned int port);
	void (*unmask)(unsigned int port);
	void (*clear)(unsigned int port);
	void (*set_pending)(unsigned int port);
	bool (*is_pending)(unsigned int port);
	bool (*is_notified)(unsigned int port, unsigned int cpu);
	void (*handle)(pv_port_fn *event, pv_port_fn *stray);
};

extern const struct pv_evtchn_abi pvguest_evtchn_2l;
extern const struct pv_evtchn_abi pvguest_evtchn_fifo;

#endif /* PVGUEST_EVTCHN_H */
