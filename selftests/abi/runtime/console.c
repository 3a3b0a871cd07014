// SPDX-License-Identifier: MIT
/*
 * Console of a bare guest: the hypervisor's own for the initial domain, the
 * shared ring (io/console.h) for every other.  Output bypasses the mutation
 * layer, so that injected faults do not alter results.
 */
#include "rt.h"
#include <xen/io/console.h>

static struct lock console_lock;

static struct xencons_interface *ring(void)
{
	static struct xencons_interface *r;

	if (!r)
		r = mfn_virt(start_info.console.domU.mfn);
	return r;
}

static void ring_notify(void)
{
	struct evtchn_send send = { .port = start_info.console.domU.evtchn };

	raw_call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send,
		  (unsigned long)&send);
}

static void ring_write(const char *s, unsigned int n)
{
	struct xencons_interface *r = ring();

	while (n) {
		XENCONS_RING_IDX prod = r->out_prod;

		if (prod - READ_ONCE(r->out_cons) >= sizeof(r->out)) {
			ring_notify();
			raw_call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
			continue;
		}
		r->out[MASK_XENCONS_IDX(prod, r->out)] = *s++;
		barrier();
		r->out_prod = prod + 1;
		n--;
	}
	ring_notify();
}

void print(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	lock(&console_lock);
	if (is_dom0())
		raw_call3(__HYPERVISOR_console_io, CONSOLEIO_write,
			  (unsigned long)n, (unsigned long)line);
	else
		ring_write(line, (unsigned int)n);
	unlock(&console_lock);
}

unsigned int console_input(char *buf, unsigned int size)
{
	struct xencons_interface *r = ring();
	unsigned int n = 0;

	while (n < size && r->in_cons != READ_ONCE(r->in_prod)) {
		buf[n++] = r->in[MASK_XENCONS_IDX(r->in_cons, r->in)];
		barrier();
		r->in_cons++;
	}
	if (n)
		ring_notify();
	return n;
}

void panic(const char *fmt, ...)
{
	char line[400];
	va_list ap;

	va_start(ap, fmt);
	vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	print("@panic %s\n", line);
	rt_exit(SHUTDOWN_crash);
}

bool console_drained(void)
{
	return READ_ONCE(ring()->out_cons) == ring()->out_prod;
}
