// SPDX-License-Identifier: MIT
/* Event channel ports: given out, bound, reported, closed; right and wrong. */
#include "case.h"

/*
 * An operation that does not exist is refused by name, however its argument
 * looks.
 */
CASE(evtchn_unknown_op, "EVT-001 HCN-032", 0)
{
	struct evtchn_status st;

	want_eq(evtchn(15, BAD_PTR), -ENOSYS);
	want_eq(evtchn(0x7fffffff, &st), -ENOSYS);
	want_any(evtchn_status(0, &st), 0, -EINVAL);
}

/*
 * Arguments are copied before anything is done: an unreadable one gives
 * -EFAULT for each operation.  Afterwards a port can still be had.
 */
CASE(evtchn_fault, "EVT-002 HCL-011", 0)
{
	static const int ops[] = {
		EVTCHNOP_alloc_unbound, EVTCHNOP_bind_interdomain,
		EVTCHNOP_bind_virq, EVTCHNOP_bind_ipi, EVTCHNOP_close,
		EVTCHNOP_send, EVTCHNOP_status, EVTCHNOP_bind_vcpu,
		EVTCHNOP_unmask, EVTCHNOP_reset, EVTCHNOP_init_control,
		EVTCHNOP_expand_array, EVTCHNOP_set_priority,
	};
	struct chan c = chan_open();
	struct evtchn_status st;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		want_eq(evtchn(ops[i], BAD_PTR), -EFAULT);
	want_eq(evtchn_status(c.a, &st), 0);
	want_eq(st.status, EVTCHNSTAT_interdomain);
	chan_close(c);
}

/*
 * Pointers into the hypervisor's own range are no way to read or write it:
 * they fault like unmapped ones.
 */
CASE(evtchn_fault_xen_range, "EVT-002 HCL-012", 0)
{
	want_eq(evtchn(EVTCHNOP_alloc_unbound, XEN_PTR), -EFAULT);
	want_eq(evtchn(EVTCHNOP_status, XEN_PTR), -EFAULT);
	want_eq(evtchn(EVTCHNOP_send, XEN_PTR), -EFAULT);
}

/*
 * alloc_unbound gives a port that nobody else has, and status tells for whom
 * it waits.
 */
CASE(evtchn_alloc, "EVT-003 EVT-034", 0)
{
	int a = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	int b = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	struct evtchn_status st;

	want(a >= 1);
	want(b >= 1);
	want(a != b);
	want_eq(evtchn_status(a, &st), 0);
	want_eq(st.status, EVTCHNSTAT_unbound);
	want_eq(st.u.unbound.dom, own_domid());
	want_eq(st.vcpu, 0);
	want_eq(evtchn_close(a), 0);
	want_eq(evtchn_close(b), 0);
}

/* A port cannot be allocated in a domain that does not exist. */
CASE(evtchn_alloc_no_domain, "EVT-004", 0)
{
	want_eq(evtchn_alloc(NO_DOMAIN, DOMID_SELF), -ESRCH);
}

/*
 * DOMID_SELF as the remote end means the caller: the port can be bound by it,
 * and status names its number.
 */
CASE(evtchn_alloc_remote_self, "EVT-006", 0)
{
	int a = evtchn_alloc(DOMID_SELF, DOMID_SELF), b;

	want(a >= 1);
	b = evtchn_bind(own_domid(), a);
	want(b >= 1);
	want_eq(evtchn_close(a), 0);
	want_eq(evtchn_close(b), 0);
}

/* A port may wait for a domain yet to come, or be refused with -ESRCH. */
CASE(evtchn_alloc_future_domain, "EVT-007", 0)
{
	int a = evtchn_alloc(DOMID_SELF, 0x7000);
	struct evtchn_status st;

	if (a < 0) {
		want_eq(a, -ESRCH);
		return;
	}
	want_eq(evtchn_status(a, &st), 0);
	want_eq(st.u.unbound.dom, 0x7000);
	want_eq(evtchn_close(a), 0);
}

/*
 * Ports are limited: beyond the limit every operation that needs one says
 * -ENOSPC; one close makes room for exactly one.  No port of the two-level
 * layout is 4096 or above.
 */
CASE(evtchn_exhaust, "EVT-008 EVT-2L-006", 0)
{
	static uint16_t port[4100];
	unsigned int n = 0;
	int p, again;

	for (;;) {
		p = evtchn_alloc(DOMID_SELF, DOMID_SELF);
		if (p < 0)
			break;
		want(p < 4096);
		want(n < ARRAY_SIZE(port));
		port[n++] = (uint16_t)p;
	}
	want_eq(p, -ENOSPC);
	want(n > 64);
	want_eq(evtchn_ipi(0), -ENOSPC);
	want_eq(evtchn_virq(VIRQ_DEBUG, 0), -ENOSPC);
	want_eq(evtchn_bind(DOMID_SELF, port[0]), -ENOSPC);
	want_eq(evtchn_close(port[n / 2]), 0);
	again = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	want_eq(again, port[n / 2]);
	want_eq(evtchn_alloc(DOMID_SELF, DOMID_SELF), -ENOSPC);
	while (n--)
		want_eq(evtchn_close(port[n]), 0);
}

/*
 * Binding to a port that waits for the caller gives a new port, and each end
 * then reports the other.
 */
CASE(evtchn_bind_interdomain, "EVT-009 EVT-014 EVT-034", 0)
{
	int a = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	int b = evtchn_bind(DOMID_SELF, a);
	struct evtchn_status st;

	want(b >= 1);
	want(a != b);
	want_eq(evtchn_status(a, &st), 0);
	want_eq(st.status, EVTCHNSTAT_interdomain);
	want_eq(st.u.interdomain.dom, own_domid());
	want_eq(st.u.interdomain.port, b);
	want_eq(evtchn_status(b, &st), 0);
	want_eq(st.status, EVTCHNSTAT_interdomain);
	want_eq(st.u.interdomain.dom, own_domid());
	want_eq(st.u.interdomain.port, a);
	want_eq(evtchn_close(b), 0);
	want_eq(evtchn_close(a), 0);
}

/*
 * The remote end may have sent before the local port was there: it is pending
 * from the start, the remote one is not.
 */
CASE(evtchn_bind_pending, "EVT-010", 0)
{
	int a = evtchn_alloc(DOMID_SELF, DOMID_SELF), b;

	port_clear(a);
	b = evtchn_bind(DOMID_SELF, a);
	want(port_pending(b));
	want(!port_pending(a));
	evtchn_close(b);
	evtchn_close(a);
}

/* There is nobody to bind to in a domain that does not exist. */
CASE(evtchn_bind_no_domain, "EVT-011", 0)
{
	want_eq(evtchn_bind(NO_DOMAIN, 1), -ESRCH);
}

/*
 * Only a waiting port can be bound to: closed ones, those out of range, those
 * bound already and those of another kind are refused, and the refusals use
 * up no local port.
 */
CASE(evtchn_bind_not_waiting, "EVT-012", 0)
{
	struct chan c = chan_open();
	int free_port = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	int ipi = evtchn_ipi(0);

	want_eq(evtchn_close(free_port), 0);
	want_eq(evtchn_bind(DOMID_SELF, free_port), -EINVAL);
	want_eq(evtchn_bind(DOMID_SELF, 0), -EINVAL);
	want_eq(evtchn_bind(DOMID_SELF, 4095), -EINVAL);
	want_eq(evtchn_bind(DOMID_SELF, 0x80000000), -EINVAL);
	want_eq(evtchn_bind(DOMID_SELF, c.a), -EINVAL);
	want_eq(evtchn_bind(DOMID_SELF, c.b), -EINVAL);
	want_eq(evtchn_bind(DOMID_SELF, ipi), -EINVAL);
	want_eq(evtchn_alloc(DOMID_SELF, DOMID_SELF), free_port);
	evtchn_close(free_port);
	evtchn_close(ipi);
	chan_close(c);
}

/* A port that waits for another domain is not for the caller to bind. */
CASE(evtchn_bind_waits_for_other, "EVT-013", 0)
{
	int a = evtchn_alloc(DOMID_SELF, 0x7000);
	struct evtchn_status st;

	needs(a >= 0, "no port for a domain that does not exist yet");
	want_eq(evtchn_bind(DOMID_SELF, a), -EINVAL);
	want_eq(evtchn_status(a, &st), 0);
	want_eq(st.status, EVTCHNSTAT_unbound);
	evtchn_close(a);
}

/* Status names a virtual interrupt and the vCPU it was bound on. */
CASE(evtchn_bind_virq, "EVT-015 EVT-053 EVT-034", 0)
{
	int p = evtchn_virq(VIRQ_DEBUG, 1);
	struct evtchn_status st;

	want(p >= 1);
	want_eq(evtchn_status(p, &st), 0);
	want_eq(st.status, EVTCHNSTAT_virq);
	want_eq(st.u.virq, VIRQ_DEBUG);
	want_eq(st.vcpu, 1);
	want_eq(evtchn_close(p), 0);
}

/* There are 24 virtual interrupts; a 25th is refused. */
CASE(evtchn_virq_range, "EVT-016", 0)
{
	want_eq(evtchn_virq(24, 0), -EINVAL);
	want_eq(evtchn_virq(0xffffffff, 0), -EINVAL);
}

/* A virtual interrupt needs a vCPU that exists. */
CASE(evtchn_virq_no_vcpu, "EVT-017", 0)
{
	want_eq(evtchn_virq(VIRQ_TIMER, vcpu_number()), -ENOENT);
	want_eq(evtchn_virq(VIRQ_DEBUG, 0xffffffff), -ENOENT);
}

/* Each vCPU's virtual interrupt is bound once; the first binding stays. */
CASE(evtchn_virq_once, "EVT-018", 0)
{
	int p = evtchn_virq(VIRQ_DEBUG, 0);
	struct evtchn_status st;

	want(p >= 1);
	want_eq(evtchn_virq(VIRQ_DEBUG, 0), -EEXIST);
	want_eq(evtchn_status(p, &st), 0);
	want_eq(st.status, EVTCHNSTAT_virq);
	evtchn_close(p);
}

/* Sources that belong to the whole domain are bound on vCPU 0 only. */
CASE(evtchn_virq_global, "EVT-019", 0)
{
	want_eq(evtchn_virq(VIRQ_CONSOLE, 1), -EINVAL);
	want_eq(evtchn_virq(VIRQ_DOM_EXC, 1), -EINVAL);
}

/*
 * A source that another domain handles may be bound without ever firing, or
 * be refused as busy.
 */
CASE(evtchn_virq_foreign_global, "EVT-020", DOMU)
{
	int p = evtchn_virq(VIRQ_DOM_EXC, 0);

	if (p < 0) {
		want_any(p, -EBUSY, -EPERM);
		return;
	}
	want(!port_pending(p));
	evtchn_close(p);
}

/* One source can be bound on every vCPU, each time with its own port. */
CASE(evtchn_virq_each_vcpu, "EVT-021", 0)
{
	int p = evtchn_virq(VIRQ_DEBUG, 0), q = evtchn_virq(VIRQ_DEBUG, 1);

	want(p >= 1 && q >= 1 && p != q);
	want_eq(evtchn_close(p), 0);
	want_eq(evtchn_close(q), 0);
}

/* A domain that was given no device has no physical interrupt to bind. */
CASE(evtchn_pirq_refused, "EVT-022", DOMU)
{
	struct evtchn_bind_pirq b = { .pirq = 5 };

	want_any(evtchn(EVTCHNOP_bind_pirq, &b), -EPERM, -EINVAL);
	b.pirq = 0xffffffff;
	want_any(evtchn(EVTCHNOP_bind_pirq, &b), -EPERM, -EINVAL);
}

/* Sending to an IPI port raises it on the vCPU it was bound on. */
CASE(evtchn_ipi, "EVT-023 EVT-034", 0)
{
	int p = evtchn_ipi(1);
	struct evtchn_status st;

	want(p >= 1);
	want_eq(evtchn_status(p, &st), 0);
	want_eq(st.status, EVTCHNSTAT_ipi);
	want_eq(st.vcpu, 1);
	port_clear(p);
	port_open(p);
	vcpus[1].info->evtchn_upcall_pending = 0;
	vcpus[1].info->evtchn_pending_sel = 0;
	vcpus[0].info->evtchn_upcall_pending = 0;
	want_eq(evtchn_send(p), 0);
	want(port_pending(p));
	want_eq(vcpus[1].info->evtchn_upcall_pending, 1);
	want_eq(vcpus[1].info->evtchn_pending_sel, 1UL << (p / 64));
	want_eq(vcpus[0].info->evtchn_upcall_pending, 0);
	port_clear(p);
	evtchn_close(p);
}

/* An IPI port needs a vCPU that exists. */
CASE(evtchn_ipi_no_vcpu, "EVT-024", 0)
{
	want_eq(evtchn_ipi(vcpu_number()), -ENOENT);
	want_eq(evtchn_ipi(0xffffffff), -ENOENT);
}

/* Closing frees the port: status says so and it is given out again. */
CASE(evtchn_close, "EVT-025 EVT-034", 0)
{
	int p = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	struct evtchn_status st;

	want_eq(evtchn_close(p), 0);
	want_eq(evtchn_status(p, &st), 0);
	want_eq(st.status, EVTCHNSTAT_closed);
	want_eq(evtchn_alloc(DOMID_SELF, DOMID_SELF), p);
	evtchn_close(p);
}

/* Port 0, closed ports and ports out of range cannot be closed. */
CASE(evtchn_close_nothing, "EVT-026", 0)
{
	int p = evtchn_alloc(DOMID_SELF, DOMID_SELF);

	want_eq(evtchn_close(0), -EINVAL);
	want_eq(evtchn_close(p), 0);
	want_eq(evtchn_close(p), -EINVAL);
	want_eq(evtchn_close(4096), -EINVAL);
	want_eq(evtchn_close(0xffffffff), -EINVAL);
}

/* When one end goes the other waits again and can be bound once more. */
CASE(evtchn_close_other_end, "EVT-027", 0)
{
	struct chan c = chan_open();
	struct evtchn_status st;
	int b;

	want_eq(evtchn_close(c.b), 0);
	want_eq(evtchn_status(c.a, &st), 0);
	want_eq(st.status, EVTCHNSTAT_unbound);
	want_eq(st.u.unbound.dom, own_domid());
	b = evtchn_bind(DOMID_SELF, c.a);
	want(b >= 1);
	c.b = b;
	chan_close(c);
}

/* What was pending on a port dies with it. */
CASE(evtchn_close_clears, "EVT-028", 0)
{
	struct chan c = chan_open();
	int p;

	port_mask(c.b);
	want_eq(evtchn_send(c.a), 0);
	want(port_pending(c.b));
	want_eq(evtchn_close(c.b), 0);
	p = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	want_eq(p, c.b);
	want(!port_pending(p));
	evtchn_close(p);
	evtchn_close(c.a);
}

/* A virtual interrupt is free again once its port is closed. */
CASE(evtchn_close_virq, "EVT-029", 0)
{
	int p = evtchn_virq(VIRQ_DEBUG, 0), q;

	want_eq(evtchn_close(p), 0);
	q = evtchn_virq(VIRQ_DEBUG, 0);
	want(q >= 1);
	want_eq(evtchn_close(q), 0);
}

/* Status of a domain that does not exist, and of ports far out of range. */
CASE(evtchn_status_wrong, "EVT-035 EVT-036", 0)
{
	struct evtchn_status st = { .dom = NO_DOMAIN, .port = 1 };

	want_eq(evtchn(EVTCHNOP_status, &st), -ESRCH);
	want_eq(evtchn_status(0x7fffffff, &st), -EINVAL);
	want_eq(evtchn_status(200000, &st), -EINVAL);
}

static long bind_vcpu(unsigned int port, unsigned int vcpu)
{
	struct evtchn_bind_vcpu b = { .port = port, .vcpu = vcpu };

	return evtchn(EVTCHNOP_bind_vcpu, &b);
}

/* bind_vcpu moves later events of a port to another vCPU. */
CASE(evtchn_bind_vcpu, "EVT-038 VCP-061", 0)
{
	struct chan c = chan_open();
	struct evtchn_status st;
	struct vcpu_info *to = vcpus[1].info;

	want_eq(bind_vcpu(c.b, 1), 0);
	want_eq(evtchn_status(c.b, &st), 0);
	want_eq(st.vcpu, 1);
	to->evtchn_upcall_pending = 0;
	to->evtchn_pending_sel = 0;
	want_eq(evtchn_send(c.a), 0);
	want(port_pending(c.b));
	want_eq(to->evtchn_upcall_pending, 1);
	want_eq(vcpus[0].info->evtchn_upcall_pending, 0);
	want_eq(bind_vcpu(c.b, 0), 0);
	port_clear(c.b);
	want_eq(evtchn_send(c.a), 0);
	want_eq(vcpus[0].info->evtchn_upcall_pending, 1);
	chan_close(c);
}

/* Ports cannot be moved to a vCPU that does not exist. */
CASE(evtchn_bind_vcpu_none, "EVT-039", 0)
{
	struct chan c = chan_open();

	want_eq(bind_vcpu(c.b, vcpu_number()), -ENOENT);
	want_eq(bind_vcpu(c.b, 0xffffffff), -ENOENT);
	chan_close(c);
}

/* IPIs, per-vCPU interrupts and closed ports stay where they are. */
CASE(evtchn_bind_vcpu_fixed, "EVT-040", 0)
{
	int ipi = evtchn_ipi(0), virq = evtchn_virq(VIRQ_DEBUG, 0);
	struct evtchn_status st;

	want_eq(bind_vcpu(ipi, 1), -EINVAL);
	want_eq(bind_vcpu(virq, 1), -EINVAL);
	want_eq(bind_vcpu(0, 0), -EINVAL);
	want_eq(bind_vcpu(200000, 0), -EINVAL);
	want_eq(evtchn_status(ipi, &st), 0);
	want_eq(st.vcpu, 0);
	want_eq(evtchn_close(ipi), 0);
	want_eq(bind_vcpu(ipi, 0), -EINVAL);
	evtchn_close(virq);
}

/* A port number that once notified another vCPU starts over on vCPU 0. */
CASE(evtchn_bind_vcpu_reset, "EVT-041", 0)
{
	struct chan c = chan_open();
	struct evtchn_status st;
	int p;

	want_eq(bind_vcpu(c.b, 1), 0);
	want_eq(evtchn_close(c.b), 0);
	p = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	want_eq(p, c.b);
	want_eq(evtchn_status(p, &st), 0);
	want_eq(st.vcpu, 0);
	evtchn_close(p);
	evtchn_close(c.a);
}

static long reset(unsigned int dom)
{
	struct evtchn_reset r = { .dom = (domid_t)dom };

	return evtchn(EVTCHNOP_reset, &r);
}

/* reset closes every port; the console of other domains would go with them. */
CASE(evtchn_reset, "EVT-044", DOM0)
{
	struct chan c = chan_open();
	int virq = evtchn_virq(VIRQ_DEBUG, 0), ipi = evtchn_ipi(1);
	struct evtchn_status st;

	want_eq(reset(DOMID_SELF), 0);
	want_eq(evtchn_status(c.a, &st), 0);
	want_eq(st.status, EVTCHNSTAT_closed);
	want_eq(evtchn_close(c.b), -EINVAL);
	want_eq(evtchn_close(virq), -EINVAL);
	want_eq(evtchn_close(ipi), -EINVAL);
	virq = evtchn_virq(VIRQ_DEBUG, 0);
	want(virq >= 1);
	want_eq(evtchn_close(virq), 0);
}

/* There is nothing to reset in a domain that does not exist. */
CASE(evtchn_reset_no_domain, "EVT-046", 0)
{
	want_eq(reset(NO_DOMAIN), -ESRCH);
}

/*
 * The hypervisor's continuation of a reset is harmless in a guest's hands: an
 * error, or a reset.
 */
CASE(evtchn_reset_cont, "EVT-048", DOM0)
{
	struct evtchn_reset r = { .dom = DOMID_SELF };
	struct chan c = chan_open();
	struct evtchn_status st;
	/* Its number is known to the hypervisor only (16 in 4.17). */
	long ret = evtchn(16, &r);

	want_eq(evtchn_status(c.a, &st), 0);
	if (!ret)
		want_eq(st.status, EVTCHNSTAT_closed);
	else
		want_eq(st.status, EVTCHNSTAT_interdomain);
	want_eq(reset(DOMID_SELF), 0);
}

/* Queue operations have no meaning before the queue layout is chosen. */
CASE(evtchn_fifo_ops_2level, "EVT-049 EVT-050", 0)
{
	struct chan c = chan_open();
	struct evtchn_set_priority pr = { .port = c.a, .priority = 3 };
	struct evtchn_expand_array ex = { .array_gfn = virt_mfn(page_alloc()) };

	want_eq(evtchn(EVTCHNOP_set_priority, &pr), -ENOSYS);
	want_eq(evtchn(EVTCHNOP_expand_array, &ex), -EOPNOTSUPP);
	chan_close(c);
}
