/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event-channel ports for the rest of the port; drivers see platform.h.
 */
#ifndef PVGUEST_PORTS_H
#define PVGUEST_PORTS_H

#include "evtchn.h"

/* The ABI in use. */
extern const struct pv_evtchn_abi *pvguest_evtchn;

void pvguest_ports_init(bool use_fifo);
int pvguest_ports_cpu_up(unsigned int cpu);
void pvguest_ports_cpu_dead(unsigned int cpu);
int pvguest_new_port(unsigned int port, unsigned int cpu);
void pvguest_port_event(unsigned int port);
void pvguest_port_stray(unsigned int port);

#endif /* PVGUEST_PORTS_H */
