/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two event-channel ABIs, 2-level and FIFO, behind one set of operations.
 */
#ifndef PVGUEST_EVTCHN_H
#define PVGUEST_EVTCHN_H

#include <linux/types.h>

/**
 * struct pv_evtchn_abi - how pending and mask state of ports is kept
 * @name: for the log and sysfs
 * @nr_ports: ports that the ABI can number
 * @cpu_up: prepare a vCPU, before it can receive; 0 or a negative error
 * @setup_port: make room for a port; 0 or a negative error
 * @bind_cpu: a port is now delivered to @cpu
 * @mask: stop delivery
 * @unmask: allow delivery, and deliver what is pending
 * @clear: forget that the port is pending
 * @is_pending: is it?
 * @handle: call pvguest_dispatch() for every deliverable port of this vCPU
 */
struct pv_evtchn_abi {
	const char *name;
	unsigned int nr_ports;
	int (*cpu_up)(unsigned int cpu);
	int (*setup_port)(unsigned int port);
	void (*bind_cpu)(unsigned int port, unsigned int cpu, int old_cpu);
	void (*mask)(unsigned int port);
	void (*unmask)(unsigned int port);
	void (*clear)(unsigned int port);
	bool (*is_pending)(unsigned int port);
	void (*handle)(unsigned int cpu);
};

extern const struct pv_evtchn_abi pvguest_evtchn_2l;
extern const struct pv_evtchn_abi pvguest_evtchn_fifo;
extern const struct pv_evtchn_abi *pvguest_evtchn;

void pvguest_dispatch(unsigned int port);

/* Ports with a purpose of their own, handled without the interrupt layer. */
DECLARE_PER_CPU(unsigned int, pvguest_ipi_port);
DECLARE_PER_CPU(unsigned int, pvguest_timer_port);
void pvguest_ipi_event(void);
void pvguest_timer_event(void);

int pvguest_new_port(unsigned int port, unsigned int cpu);
void pvguest_close_port(unsigned int port);

#endif /* PVGUEST_EVTCHN_H */
