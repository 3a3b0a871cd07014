// SPDX-License-Identifier: MIT
/* Event channel ports: allocation, binding, status and close, good and bad. */
#include "case.h"

/*
 * event_channel_op returns -ENOSYS for an unknown operation, whatever its
 * argument.
 */
CASE(evtchn_unknown_op, "EVT-001 HCN-032", 0)
{
	struct evtchn_status st;

	want_eq(evtchn(15, BAD_PTR), -ENOSYS);
	want_eq(evtchn(0x7fffffff, &st), -ENOSYS);
	want_any(evtchn_status(0, &st), 0, -EINVAL);
}

/*
 * Every operation copies its argument first: it returns -EFAULT for an
 * unreadable one, and a port can still be allocated afterwards.
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
 * Operations return -EFAULT for arguments in the hypervisor's own address
 * range, as for unmapped ones.
 */
CASE(evtchn_fault_xen_range, "EVT-002 HCL-012", 0)
{
	want_eq(evtchn(EVTCHNOP_alloc_unbound, XEN_PTR), -EFAULT);
	want_eq(evtchn(EVTCHNOP_status, XEN_PTR), -EFAULT);
	want_eq(evtchn(EVTCHNOP_send, XEN_PTR), -EFAULT);
}

/*
 * EVTCHNOP_alloc_unbound returns a port that is not in use, and
 * EVTCHNOP_status names the domain it is reserved for.
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

/* EVTCHNOP_alloc_unbound refuses a domain that does not exist. */
CASE(evtchn_alloc_no_domain, "EVT-004", 0)
{
	want_eq(evtchn_alloc(NO_DOMAIN, DOMID_SELF), -ESRCH);
}

/*
 * DOMID_SELF as the remote end stands for the caller: the caller can bind the
 * port, and status names the caller's number.
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

/*
 * EVTCHNOP_alloc_unbound for a remote domain that does not exist yet returns a
 * port or -ESRCH.
 */
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
 * Every operation that allocates a port returns -ENOSPC beyond the domain's
 * limit, and one close makes room for exactly one. No port of the two-level
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
 * Binding to an unbound port that is reserved for the caller returns a new
 * port, and each end then reports the other.
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
 * A new local port is pending from the start, because the remote end may have
 * sent before; the remote port is not.
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

/* EVTCHNOP_bind_interdomain refuses a domain that does not exist. */
CASE(evtchn_bind_no_domain, "EVT-011", 0)
{
	want_eq(evtchn_bind(NO_DOMAIN, 1), -ESRCH);
}

/*
 * EVTCHNOP_bind_interdomain refuses ports that are not unbound: closed ones,
 * those out of range, those bound already and those of another kind. The
 * refusals allocate no local port.
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

/*
 * EVTCHNOP_bind_interdomain refuses a port that is reserved for another
 * domain.
 */
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

/*
 * EVTCHNOP_status names a virtual interrupt (VIRQ) and the vCPU it is bound
 * on.
 */
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

/* VIRQ numbers end at 23; EVTCHNOP_bind_virq refuses 24. */
CASE(evtchn_virq_range, "EVT-016", 0)
{
	want_eq(evtchn_virq(24, 0), -EINVAL);
	want_eq(evtchn_virq(0xffffffff, 0), -EINVAL);
}

/* EVTCHNOP_bind_virq refuses a vCPU that does not exist. */
CASE(evtchn_virq_no_vcpu, "EVT-017", 0)
{
	want_eq(evtchn_virq(VIRQ_TIMER, vcpu_number()), -ENOENT);
	want_eq(evtchn_virq(VIRQ_DEBUG, 0xffffffff), -ENOENT);
}

/*
 * Each vCPU's VIRQ is bound once; a second call is refused and the first
 * binding stays.
 */
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

/* VIRQs of the whole domain are bound on vCPU 0 only. */
CASE(evtchn_virq_global, "EVT-019", 0)
{
	want_eq(evtchn_virq(VIRQ_CONSOLE, 1), -EINVAL);
	want_eq(evtchn_virq(VIRQ_DOM_EXC, 1), -EINVAL);
}

/*
 * Binding a VIRQ that another domain handles returns 0 and raises nothing, or
 * returns -EBUSY.
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

/* One VIRQ can be bound on every vCPU, each time with a port of its own. */
CASE(evtchn_virq_each_vcpu, "EVT-021", 0)
{
	int p = evtchn_virq(VIRQ_DEBUG, 0), q = evtchn_virq(VIRQ_DEBUG, 1);

	want(p >= 1 && q >= 1 && p != q);
	want_eq(evtchn_close(p), 0);
	want_eq(evtchn_close(q), 0);
}

/* A domain without devices has no physical interrupt to bind. */
CASE(evtchn_pirq_refused, "EVT-022", DOMU)
{
	struct evtchn_bind_pirq b = { .pirq = 5 };

	want_any(evtchn(EVTCHNOP_bind_pirq, &b), -EPERM, -EINVAL);
	b.pirq = 0xffffffff;
	want_any(evtchn(EVTCHNOP_bind_pirq, &b), -EPERM, -EINVAL);
}

/* EVTCHNOP_send on an IPI port raises it on the vCPU it was bound on. */
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

/* EVTCHNOP_bind_ipi refuses a vCPU that does not exist. */
CASE(evtchn_ipi_no_vcpu, "EVT-024", 0)
{
	want_eq(evtchn_ipi(vcpu_number()), -ENOENT);
	want_eq(evtchn_ipi(0xffffffff), -ENOENT);
}

/*
 * EVTCHNOP_close frees the port: its status is closed, and it is allocated
 * again.
 */
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

/* EVTCHNOP_close refuses port 0, closed ports and ports out of range. */
CASE(evtchn_close_nothing, "EVT-026", 0)
{
	int p = evtchn_alloc(DOMID_SELF, DOMID_SELF);

	want_eq(evtchn_close(0), -EINVAL);
	want_eq(evtchn_close(p), 0);
	want_eq(evtchn_close(p), -EINVAL);
	want_eq(evtchn_close(4096), -EINVAL);
	want_eq(evtchn_close(0xffffffff), -EINVAL);
}

/*
 * A close of one end leaves the other end unbound, and it can be bound again.
 */
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

/* EVTCHNOP_close clears the port's pending event. */
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

/* A VIRQ can be bound again after its port was closed. */
CASE(evtchn_close_virq, "EVT-029", 0)
{
	int p = evtchn_virq(VIRQ_DEBUG, 0), q;

	want_eq(evtchn_close(p), 0);
	q = evtchn_virq(VIRQ_DEBUG, 0);
	want(q >= 1);
	want_eq(evtchn_close(q), 0);
}

/*
 * EVTCHNOP_status refuses a domain that does not exist and ports far out of
 * range.
 */
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

/* EVTCHNOP_bind_vcpu moves later events of a port to another vCPU. */
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

/* EVTCHNOP_bind_vcpu refuses a vCPU that does not exist. */
CASE(evtchn_bind_vcpu_none, "EVT-039", 0)
{
	struct chan c = chan_open();

	want_eq(bind_vcpu(c.b, vcpu_number()), -ENOENT);
	want_eq(bind_vcpu(c.b, 0xffffffff), -ENOENT);
	chan_close(c);
}

/* EVTCHNOP_bind_vcpu refuses ports of IPIs, per-vCPU VIRQs and closed ports. */
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

/*
 * A port number that notified another vCPU before notifies vCPU 0 when it is
 * allocated again.
 */
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

/*
 * EVTCHNOP_reset closes every port. In a domU it would also close the
 * console's port.
 */
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

/* EVTCHNOP_reset refuses a domain that does not exist. */
CASE(evtchn_reset_no_domain, "EVT-046", 0)
{
	want_eq(reset(NO_DOMAIN), -ESRCH);
}

/*
 * The hypervisor's continuation of a reset, called by a guest, returns an
 * error or performs a reset.
 */
CASE(evtchn_reset_cont, "EVT-048", DOM0)
{
	struct evtchn_reset r = { .dom = DOMID_SELF };
	struct chan c = chan_open();
	struct evtchn_status st;
	/* The public header defines its number for the hypervisor only (16 in 4.17). */
	long ret = evtchn(16, &r);

	want_eq(evtchn_status(c.a, &st), 0);
	if (!ret)
		want_eq(st.status, EVTCHNSTAT_closed);
	else
		want_eq(st.status, EVTCHNSTAT_interdomain);
	want_eq(reset(DOMID_SELF), 0);
}

/* Operations of the queue layout are refused under the two-level layout. */
CASE(evtchn_fifo_ops_2level, "EVT-049 EVT-050", 0)
{
	struct chan c = chan_open();
	struct evtchn_set_priority pr = { .port = c.a, .priority = 3 };
	struct evtchn_expand_array ex = { .array_gfn = virt_mfn(page_alloc()) };

	want_eq(evtchn(EVTCHNOP_set_priority, &pr), -ENOSYS);
	want_eq(evtchn(EVTCHNOP_expand_array, &ex), -EOPNOTSUPP);
	chan_close(c);
}
