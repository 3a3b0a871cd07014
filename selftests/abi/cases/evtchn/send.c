// SPDX-License-Identifier: MIT
/* Sending, masking and the two-level bitmaps. */
#include "race.h"

static struct vcpu_info *me(void)
{
	return self()->info;
}

/* EVTCHNOP_send makes the remote end pending, not the local one. */
CASE(evtchn_send, "EVT-030 EVT-2L-001 SHL-003", 0)
{
	struct chan c = chan_open();

	want_eq(evtchn_send(c.a), 0);
	want(port_pending(c.b));
	want(!port_pending(c.a));
	port_clear(c.b);
	want_eq(evtchn_send(c.b), 0);
	want(port_pending(c.a));
	want(!port_pending(c.b));
	chan_close(c);
}

/* EVTCHNOP_send on an unbound port returns 0 and raises nothing. */
CASE(evtchn_send_unbound, "EVT-031", 0)
{
	int p = evtchn_alloc(DOMID_SELF, DOMID_SELF);

	port_clear(p);
	want_eq(evtchn_send(p), 0);
	want(!port_pending(p));
	evtchn_close(p);
}

/*
 * EVTCHNOP_send refuses closed ports, port 0, ports out of range and ports of
 * VIRQs.
 */
CASE(evtchn_send_wrong, "EVT-032", 0)
{
	int p = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	int virq = evtchn_virq(VIRQ_DEBUG, 0);

	evtchn_close(p);
	want_eq(evtchn_send(p), -EINVAL);
	want_eq(evtchn_send(0), -EINVAL);
	want_eq(evtchn_send(4096), -EINVAL);
	want_eq(evtchn_send(0xffffffff), -EINVAL);
	want_eq(evtchn_send(virq), -EINVAL);
	want(!port_pending(virq));
	evtchn_close(virq);
}

/* Many sends are one event: one upcall handles them, and no other follows. */
CASE(evtchn_send_merge, "EVT-033 EVT-CB-001", 0)
{
	struct chan c = chan_open();
	unsigned int before = event_count[c.b], i;

	for (i = 0; i < 5; i++)
		want_eq(evtchn_send(c.a), 0);
	want_eq(event_count[c.b], before);
	events_on();
	want_eq(event_count[c.b], before + 1);
	want_eq(evtchn_send(c.a), 0);
	want_eq(event_count[c.b], before + 2);
	events_off();
	chan_close(c);
}

/*
 * Raising an unmasked port sets its pending bit, its word's selector bit and
 * the vCPU's pending flag, and no other bit.
 */
CASE(evtchn_2l_unmasked, "EVT-2L-001 EVT-2L-002 SHL-001 SHL-003", 0)
{
	struct chan c = chan_open();
	unsigned long before[64], w;

	memcpy(before, shared_info->evtchn_pending, sizeof(before));
	want_eq(evtchn_send(c.a), 0);
	want_eq(me()->evtchn_pending_sel, 1UL << (c.b / 64));
	want_eq(me()->evtchn_upcall_pending, 1);
	for (w = 0; w < 64; w++)
		if (w == c.b / 64)
			want_eq(shared_info->evtchn_pending[w],
				before[w] | 1UL << c.b % 64);
		else
			want_eq(shared_info->evtchn_pending[w], before[w]);
	chan_close(c);
}

/* A send on a port whose pending bit is set already raises nothing more. */
CASE(evtchn_2l_set_already, "EVT-2L-001", 0)
{
	struct chan c = chan_open();

	want_eq(evtchn_send(c.a), 0);
	me()->evtchn_pending_sel = 0;
	me()->evtchn_upcall_pending = 0;
	want_eq(evtchn_send(c.a), 0);
	want_eq(me()->evtchn_pending_sel, 0);
	want_eq(me()->evtchn_upcall_pending, 0);
	chan_close(c);
}

/* A send on a masked port sets its pending bit only. */
CASE(evtchn_2l_masked, "EVT-2L-003", 0)
{
	struct chan c = chan_open();

	port_mask(c.b);
	want_eq(evtchn_send(c.a), 0);
	want(port_pending(c.b));
	want_eq(me()->evtchn_pending_sel, 0);
	want_eq(me()->evtchn_upcall_pending, 0);
	port_open(c.b);
	chan_close(c);
}

/*
 * Clearing a mask bit in memory raises no event for a port that became pending
 * meanwhile.
 */
CASE(evtchn_2l_edge_lost, "EVT-2L-004", 0)
{
	struct chan c = chan_open();

	port_mask(c.b);
	want_eq(evtchn_send(c.a), 0);
	port_open(c.b);
	want_eq(hyp_sched_op(SCHEDOP_yield, NULL), 0);
	want_eq(me()->evtchn_upcall_pending, 0);
	want_eq(me()->evtchn_pending_sel, 0);
	want(port_pending(c.b));
	chan_close(c);
}

/* The hypervisor leaves pending, selector and mask bits to the guest. */
CASE(evtchn_2l_bits_stay, "EVT-2L-005 EVT-CB-007", 0)
{
	struct chan c = chan_open(), d = chan_open();
	unsigned int i;

	port_mask(d.b);
	want_eq(evtchn_send(c.a), 0);
	for (i = 0; i < 3; i++) {
		want_eq(hyp_sched_op(SCHEDOP_yield, NULL), 0);
		want(evtchn_send(d.a) == 0);
		want(port_pending(c.b));
		want(port_masked(d.b));
		want_eq(me()->evtchn_upcall_pending, 1);
		want(me()->evtchn_pending_sel & 1UL << (c.b / 64));
	}
	port_open(d.b);
	chan_close(d);
	chan_close(c);
}

/* EVTCHNOP_unmask clears the mask and raises a pending port. */
CASE(evtchn_unmask, "EVT-042", 0)
{
	struct chan c = chan_open();

	port_mask(c.b);
	want_eq(evtchn_send(c.a), 0);
	want_eq(evtchn_unmask(c.b), 0);
	want(!port_masked(c.b));
	want(port_pending(c.b));
	want_eq(me()->evtchn_upcall_pending, 1);
	want_eq(me()->evtchn_pending_sel, 1UL << (c.b / 64));
	chan_close(c);
}

/*
 * EVTCHNOP_unmask raises the port on the vCPU it notifies, not on the caller.
 */
CASE(evtchn_unmask_other_vcpu, "EVT-042 VCP-061", 0)
{
	struct chan c = chan_open();
	struct evtchn_bind_vcpu b = { .port = c.b, .vcpu = 1 };

	want_eq(evtchn(EVTCHNOP_bind_vcpu, &b), 0);
	port_mask(c.b);
	vcpus[1].info->evtchn_upcall_pending = 0;
	vcpus[1].info->evtchn_pending_sel = 0;
	want_eq(evtchn_send(c.a), 0);
	want_eq(vcpus[1].info->evtchn_upcall_pending, 0);
	want_eq(evtchn_unmask(c.b), 0);
	want_eq(vcpus[1].info->evtchn_upcall_pending, 1);
	want_eq(me()->evtchn_upcall_pending, 0);
	chan_close(c);
}

/* EVTCHNOP_unmask of a port that is not pending clears the mask only. */
CASE(evtchn_unmask_idle, "EVT-042", 0)
{
	struct chan c = chan_open();

	port_mask(c.b);
	want_eq(evtchn_unmask(c.b), 0);
	want(!port_masked(c.b));
	want_eq(me()->evtchn_upcall_pending, 0);
	chan_close(c);
}

/* EVTCHNOP_unmask of a port that is not masked raises nothing new. */
CASE(evtchn_unmask_unmasked, "EVT-2L-007", 0)
{
	struct chan c = chan_open();

	want_eq(evtchn_send(c.a), 0);
	me()->evtchn_upcall_pending = 0;
	me()->evtchn_pending_sel = 0;
	want_eq(evtchn_unmask(c.b), 0);
	want_eq(me()->evtchn_upcall_pending, 0);
	chan_close(c);
}

/* EVTCHNOP_unmask refuses a port out of range. */
CASE(evtchn_unmask_range, "EVT-043", 0)
{
	want_eq(evtchn_unmask(0x7fffffff), -EINVAL);
	want_eq(evtchn_unmask(200000), -EINVAL);
}

/*
 * The hypervisor uses the mask bits that the guest writes in the shared page.
 */
CASE(evtchn_mask_shared, "SHL-001", 0)
{
	struct chan c = chan_open();
	unsigned int before = event_count[c.b];

	port_mask(c.b);
	events_on();
	want_eq(evtchn_send(c.a), 0);
	want_eq(event_count[c.b], before);
	want_eq(evtchn_unmask(c.b), 0);
	want_eq(event_count[c.b], before + 1);
	events_off();
	chan_close(c);
}

static volatile unsigned int race_sent;

static void sender(void *arg)
{
	while (!race_stop) {
		evtchn_send(race.a);
		race_sent++;
	}
}

/*
 * One vCPU sends without pause while another masks and unmasks: after the last
 * unmask a pending port has been raised, whatever the interleaving.
 */
CASE(evtchn_mask_send_race, "EVT-2L-008", 0)
{
	unsigned int i;

	race = chan_open();
	race_stop = false;
	race_sent = 0;
	vcpu_run(1, sender, NULL);
	want(until(race_sent > 10, 2000));
	for (i = 0; i < 2000; i++) {
		port_mask(race.b);
		port_clear(race.b);
		me()->evtchn_upcall_pending = 0;
		me()->evtchn_pending_sel = 0;
		if (i & 1)
			rt_yield();
		want_eq(evtchn_unmask(race.b), 0);
		if (port_pending(race.b))
			want(until(me()->evtchn_upcall_pending, 5000));
	}
	race_stop = true;
	want(vcpu_join(1));
	chan_close(race);
}

/*
 * In up to 4000 rounds one event is sent from another vCPU at some moment while its
 * port is masked and unmasked: it is found pending under the mask or makes the pending
 * flag and the selector bit, and never neither.
 */
CASE(evtchn_mask_wake_race, "EVT-2L-008 EVT-042", 0)
{
	unsigned int round;

	race_begin(chan_open());
	for (round = 1; race_has_round(round); round++) {
		enum race_when when = race_when(round);
		bool seen = false;

		me()->evtchn_upcall_pending = 0;
		me()->evtchn_pending_sel = 0;
		if (when == RACE_ANY_TIME)
			ball = round;
		race_spin(round % 53 * 8);
		port_mask(race.b);
		if (when == RACE_UNDER_MASK) {
			ball = round;
			want(until(port_pending(race.b), 5000));
		}
		race_spin(round % 17 * 8);
		if (port_pending(race.b)) {
			port_clear(race.b);
			seen = true;
		}
		want_eq(evtchn_unmask(race.b), 0);
		if (when == RACE_AFTER_UNMASK)
			ball = round;
		if (!seen) {
			/* Nothing but the flag and the selector leads to the port. */
			want(until(me()->evtchn_upcall_pending, 5000));
			want_eq(me()->evtchn_pending_sel, 1UL << race.b / 64);
			want(port_pending(race.b));
			port_clear(race.b);
		}
		want(until(returned == round, 5000));
		want(!port_pending(race.b));
		want(!port_masked(race.b));
	}
	race_stop = true;
	want(vcpu_join(1));
	chan_close(race);
}

static void closer(void *arg)
{
	while (!race_stop) {
		evtchn_send(race.a);
		evtchn_send(race.b);
	}
}

/*
 * EVTCHNOP_send on a channel that is closed and opened again meanwhile returns
 * 0 or -EINVAL and raises no port that is bound to another source.
 */
CASE(evtchn_close_send_race, "EVT-052", 0)
{
	struct chan other = chan_open();
	unsigned int i;

	race = chan_open();
	race_stop = false;
	vcpu_run(1, closer, NULL);
	for (i = 0; i < 500; i++) {
		int b;

		want_eq(evtchn_close(race.b), 0);
		b = evtchn_bind(DOMID_SELF, race.a);
		want_eq(b, race.b);
	}
	race_stop = true;
	want(vcpu_join(1));
	want(!port_pending(other.a));
	want(!port_pending(other.b));
	chan_close(race);
	chan_close(other);
}
