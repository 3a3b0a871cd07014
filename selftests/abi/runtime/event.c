// SPDX-License-Identifier: MIT
/*
 * Event channels of a bare guest: the upcall and its counters, and one short
 * function for each operation on a port.
 */
#include "rt.h"

#define NR_EVTCHNS	4096
#define WORD_BITS	64

volatile unsigned int event_count[NR_EVTCHNS];
volatile unsigned int upcall_count;

void event_upcall(void);

static void deliver(unsigned int port)
{
	unsigned int times = mutant_event(port);

	__atomic_fetch_add(&event_count[port], times, __ATOMIC_SEQ_CST);
}

void event_upcall(void)
{
	struct vcpu_info *vi = self()->info;
	struct shared_info *s = shared_info;
	unsigned long sel, bits;
	unsigned int w, b;

	upcall_count++;
	do {
		vi->evtchn_upcall_pending = 0;
		sel = __atomic_exchange_n(&vi->evtchn_pending_sel, 0,
					  __ATOMIC_SEQ_CST);
		for (w = 0; sel; w++, sel >>= 1) {
			if (!(sel & 1))
				continue;
			bits = READ_ONCE(s->evtchn_pending[w]) &
			       ~READ_ONCE(s->evtchn_mask[w]);
			for (b = 0; b < WORD_BITS; b++) {
				unsigned long bit = 1UL << b;

				if (!(bits & bit))
					continue;
				__atomic_fetch_and(&s->evtchn_pending[w], ~bit,
						   __ATOMIC_SEQ_CST);
				deliver(w * WORD_BITS + b);
			}
		}
	} while (READ_ONCE(vi->evtchn_upcall_pending));
}

long evtchn(int cmd, void *arg)
{
	return hyp_event_channel_op(cmd, arg);
}

int evtchn_alloc(unsigned int dom, unsigned int remote)
{
	struct evtchn_alloc_unbound a = {
		.dom = (domid_t)dom, .remote_dom = (domid_t)remote,
	};
	long ret = evtchn(EVTCHNOP_alloc_unbound, &a);

	return ret ? (int)ret : (int)a.port;
}

int evtchn_bind(unsigned int dom, unsigned int port)
{
	struct evtchn_bind_interdomain b = {
		.remote_dom = (domid_t)dom, .remote_port = port,
	};
	long ret = evtchn(EVTCHNOP_bind_interdomain, &b);

	return ret ? (int)ret : (int)b.local_port;
}

int evtchn_virq(unsigned int virq, unsigned int vcpu)
{
	struct evtchn_bind_virq b = { .virq = virq, .vcpu = vcpu };
	long ret = evtchn(EVTCHNOP_bind_virq, &b);

	return ret ? (int)ret : (int)b.port;
}

int evtchn_ipi(unsigned int vcpu)
{
	struct evtchn_bind_ipi b = { .vcpu = vcpu };
	long ret = evtchn(EVTCHNOP_bind_ipi, &b);

	return ret ? (int)ret : (int)b.port;
}

long evtchn_send(unsigned int port)
{
	struct evtchn_send s = { .port = port };

	return evtchn(EVTCHNOP_send, &s);
}

long evtchn_close(unsigned int port)
{
	struct evtchn_close c = { .port = port };

	return evtchn(EVTCHNOP_close, &c);
}

long evtchn_unmask(unsigned int port)
{
	struct evtchn_unmask u = { .port = port };

	return evtchn(EVTCHNOP_unmask, &u);
}

long evtchn_status(unsigned int port, struct evtchn_status *st)
{
	memset(st, 0, sizeof(*st));
	st->dom = DOMID_SELF;
	st->port = port;
	return evtchn(EVTCHNOP_status, st);
}

bool port_pending(unsigned int port)
{
	return READ_ONCE(shared_info->evtchn_pending[port / 64]) >>
	       (port % 64) & 1;
}

bool port_masked(unsigned int port)
{
	return READ_ONCE(shared_info->evtchn_mask[port / 64]) >>
	       (port % 64) & 1;
}

void port_mask(unsigned int port)
{
	__atomic_fetch_or(&shared_info->evtchn_mask[port / 64],
			  1UL << (port % 64), __ATOMIC_SEQ_CST);
}

void port_open(unsigned int port)
{
	__atomic_fetch_and(&shared_info->evtchn_mask[port / 64],
			   ~(1UL << (port % 64)), __ATOMIC_SEQ_CST);
}

void port_clear(unsigned int port)
{
	__atomic_fetch_and(&shared_info->evtchn_pending[port / 64],
			   ~(1UL << (port % 64)), __ATOMIC_SEQ_CST);
}

void events_on(void)
{
	struct vcpu_info *vi = self()->info;

	WRITE_ONCE(vi->evtchn_upcall_mask, 0);
	/* Unmasked before pending is read. */
	mb();
	/* An event raised while masked is not delivered by itself. */
	if (READ_ONCE(vi->evtchn_upcall_pending))
		raw_call2(__HYPERVISOR_xen_version, XENVER_version, 0);
}

bool events_off(void)
{
	struct vcpu_info *vi = self()->info;
	bool was = !vi->evtchn_upcall_mask;

	WRITE_ONCE(vi->evtchn_upcall_mask, 1);
	barrier();
	return was;
}

struct chan chan_open(void)
{
	struct chan c;
	int a = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	int b = a < 0 ? a : evtchn_bind(DOMID_SELF, (unsigned int)a);

	if (a < 0 || b < 0)
		panic("no channel to self: %d %d", a, b);
	c.a = (unsigned int)a;
	c.b = (unsigned int)b;
	port_clear(c.a);
	port_clear(c.b);
	port_open(c.a);
	port_open(c.b);
	self()->info->evtchn_upcall_pending = 0;
	self()->info->evtchn_pending_sel = 0;
	return c;
}

void chan_close(struct chan c)
{
	evtchn_close(c.b);
	evtchn_close(c.a);
}

unsigned int timer_open(void)
{
	unsigned int id = self()->id;
	int p;

	raw_call3(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, id, 0);
	raw_call1(__HYPERVISOR_set_timer_op, 0);
	p = evtchn_virq(VIRQ_TIMER, id);
	if (p < 0)
		panic("VIRQ_TIMER on vCPU %u: %d", id, p);
	port_mask((unsigned int)p);
	port_clear((unsigned int)p);
	self()->info->evtchn_upcall_pending = 0;
	self()->info->evtchn_pending_sel = 0;
	return (unsigned int)p;
}
