// SPDX-License-Identifier: MIT
/* Whom an event wakes: polls of several ports, and vCPUs that run or sleep. */
#include "case.h"

static long poll(evtchn_port_t *ports, unsigned int n, uint64_t timeout)
{
	struct sched_poll p = { .nr_ports = n, .timeout = timeout };

	set_xen_guest_handle(p.ports, ports);
	return hyp_sched_op(SCHEDOP_poll, &p);
}

static void send_later(void *arg)
{
	delay(5 * MS);
	evtchn_send(*(unsigned int *)arg);
}

/*
 * A poll of three masked ports is woken by the first, the middle and the last
 * of them, and the other two stay as they were.
 */
CASE(wake_poll_each, "SCH-014", 0)
{
	struct chan c[3] = { chan_open(), chan_open(), chan_open() };
	evtchn_port_t list[3] = { c[0].b, c[1].b, c[2].b };
	unsigned int i, j;

	for (i = 0; i < 3; i++)
		port_mask(c[i].b);
	for (i = 0; i < 3; i++) {
		struct tries t = { 0 };
		uint64_t start;

		do {
			port_clear(c[i].b);
			vcpu_run(1, send_later, &c[i].a);
			start = now();
			want_eq(poll(list, 3, start + 3000 * MS), 0);
			want(now() - start >= 2500 * MS || port_pending(c[i].b));
			t.good = port_pending(c[i].b) && now() - start < 2500 * MS;
			want(vcpu_join(1));
		} while (again(&t, t.good));
		want(t.good);
		for (j = 0; j < 3; j++)
			want_eq(port_pending(c[j].b), j == i);
		port_clear(c[i].b);
	}
	for (i = 0; i < 3; i++)
		chan_close(c[i]);
}

/* A poll of 128 ports returns at once when only the last is pending. */
CASE(wake_poll_last, "SCH-010 SCH-013", 0)
{
	struct chan c = chan_open(), d = chan_open();
	static evtchn_port_t list[128];
	struct tries t = { 0 };
	unsigned int i;
	uint64_t start;

	for (i = 0; i < 128; i++)
		list[i] = d.b;
	list[127] = c.b;
	port_mask(c.b);
	want_eq(evtchn_send(c.a), 0);
	do {
		start = now();
		want_eq(poll(list, 128, start + 3000 * MS), 0);
	} while (again(&t, now() - start < 2000 * MS));
	want(t.good);
	want(port_pending(c.b));
	port_open(c.b);
	chan_close(c);
	chan_close(d);
}

/*
 * A poll of three masked ports returns at once when the first, the middle or the
 * last of them is pending, and leaves it so.
 */
CASE(wake_poll_pending, "SCH-013 SCH-017", 0)
{
	struct chan c[3] = { chan_open(), chan_open(), chan_open() };
	evtchn_port_t list[3] = { c[0].b, c[1].b, c[2].b };
	unsigned int i;

	for (i = 0; i < 3; i++)
		port_mask(c[i].b);
	for (i = 0; i < 3; i++) {
		struct tries t = { 0 };
		uint64_t start;

		want_eq(evtchn_send(c[i].a), 0);
		do {
			start = now();
			want_eq(poll(list, 3, start + 3000 * MS), 0);
		} while (again(&t, now() - start < 2000 * MS));
		want(t.good);
		want(port_pending(c[i].b));
		want_eq(self()->info->evtchn_upcall_mask, 1);
		port_clear(c[i].b);
	}
	for (i = 0; i < 3; i++)
		chan_close(c[i]);
}

static volatile uint64_t sent_at;

/* Send once vCPU 0 has fallen asleep. */
static void send_note(void *arg)
{
	struct vcpu_runstate_info r = { 0 };

	until(!hyp_vcpu_op(VCPUOP_get_runstate_info, 0, &r) && r.state == RUNSTATE_blocked, 1000);
	evtchn_send(*(unsigned int *)arg);
	sent_at = now();
}

/*
 * A poll of one port is not woken by an event on another port that is masked: it
 * returns with its timeout.
 */
CASE(wake_poll_not_mine, "SCH-034", 0)
{
	struct chan c = chan_open(), d = chan_open();
	evtchn_port_t mine = c.b;
	struct tries t = { 0 };
	uint64_t start, time = 50 * MS;

	port_mask(c.b);
	port_mask(d.b);
	/* Longer each time, until the other vCPU is run meanwhile. */
	do {
		if (time < 2000 * MS)
			time *= 2;
		port_clear(d.b);
		vcpu_run(1, send_note, &d.a);
		start = now();
		want_eq(poll(&mine, 1, start + time), 0);
		want(!port_pending(c.b));
		t.good = now() >= start + time - CLOCK_SLACK;
		want(vcpu_join(1));
		want(port_pending(d.b));
	} while (again(&t, t.good && sent_at < start + time / 5 * 4));
	want(t.good);
	chan_close(c);
	chan_close(d);
}

/*
 * A poll with an event for the vCPU waiting, events not masked, returns at once
 * although the port is not one of its list, and the upcall is made.
 */
CASE(wake_poll_other, "SCH-013 EVT-CB-006", 0)
{
	struct chan c = chan_open(), d = chan_open();
	evtchn_port_t list = d.b;
	struct tries t = { 0 };
	unsigned int before;
	uint64_t start;

	do {
		before = event_count[c.b];
		want_eq(evtchn_send(c.a), 0);
		start = now();
		WRITE_ONCE(self()->info->evtchn_upcall_mask, 0);
		want_eq(poll(&list, 1, start + 3000 * MS), 0);
		events_off();
		want_eq(event_count[c.b], before + 1);
	} while (again(&t, now() - start < 2000 * MS));
	want(t.good);
	chan_close(c);
	chan_close(d);
}

static volatile bool ready, stop;

static void spin(void *arg)
{
	events_on();
	ready = true;
	while (!stop)
		cpu_relax();
	events_off();
}

static void sleep(void *arg)
{
	ready = true;
	hyp_sched_op(SCHEDOP_block, NULL);
	events_off();
}

/*
 * An event for another vCPU makes an upcall there, and none here: while it runs
 * without a hypercall, and while it is blocked.
 */
CASE(wake_vcpu, "EVT-CB-001 EVT-038 SCH-004", 0)
{
	struct chan c = chan_open();
	struct evtchn_bind_vcpu b = { .port = c.b, .vcpu = 1 };
	unsigned int i, before = event_count[c.b];

	want_eq(evtchn(EVTCHNOP_bind_vcpu, &b), 0);
	vcpus[1].info->evtchn_upcall_pending = 0;
	vcpus[1].info->evtchn_pending_sel = 0;
	ready = false;
	stop = false;
	vcpu_run(1, spin, NULL);
	want(until(ready, 5000));
	for (i = 1; i <= 20; i++) {
		want_eq(evtchn_send(c.a), 0);
		want(until(event_count[c.b] == before + i, 5000));
		want_eq(self()->info->evtchn_upcall_pending, 0);
		want_eq(self()->info->evtchn_pending_sel, 0);
	}
	stop = true;
	want(vcpu_join(1));
	for (i = 1; i <= 5; i++) {
		ready = false;
		vcpu_run(1, sleep, NULL);
		want(until(ready, 5000));
		want_eq(evtchn_send(c.a), 0);
		want(vcpu_join(1));
		want_eq(event_count[c.b], before + 20 + i);
		want_eq(self()->info->evtchn_upcall_pending, 0);
	}
	chan_close(c);
}

static volatile unsigned int timer_ports[MAX_VCPUS];

static void own_timer(void *arg)
{
	unsigned int id = self()->id, p = timer_open();

	port_open(p);
	timer_ports[id] = p;
	hyp_set_timer_op(now() + 3 * MS);
	until(port_pending(p), 2000);
}

/*
 * VIRQ_TIMER of every vCPU is raised there: its pending flag and its selector
 * bit are set, and those of no other vCPU.
 */
CASE(wake_virq_each, "EVT-021 TIM-018 EVT-2L-002", 0)
{
	unsigned int id, i, n = vcpu_number();

	for (id = 1; id < n; id++) {
		for (i = 0; i < n; i++) {
			vcpus[i].info->evtchn_upcall_pending = 0;
			vcpus[i].info->evtchn_pending_sel = 0;
		}
		vcpu_run(id, own_timer, NULL);
		want(vcpu_join(id));
		want(port_pending(timer_ports[id]));
		want_eq(vcpus[id].info->evtchn_upcall_pending, 1);
		want_eq(vcpus[id].info->evtchn_pending_sel, 1UL << timer_ports[id] / 64);
		want_eq(vcpus[0].info->evtchn_upcall_pending, 0);
		for (i = 1; i < n; i++)
			if (i != id)
				want_eq(vcpus[i].info->evtchn_pending_sel, 0);
		port_mask(timer_ports[id]);
		evtchn_close(timer_ports[id]);
	}
}
