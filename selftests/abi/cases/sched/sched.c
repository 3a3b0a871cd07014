// SPDX-License-Identifier: MIT
/* Scheduling: yield, block, poll, shutdown requests and watchdogs. */
#include "case.h"

static long poll(evtchn_port_t *ports, unsigned int n, uint64_t timeout)
{
	struct sched_poll p = { .nr_ports = n, .timeout = timeout };

	set_xen_guest_handle(p.ports, ports);
	return hyp_sched_op(SCHEDOP_poll, &p);
}

/* SCHEDOP_yield returns 0 and ignores its argument. */
CASE(sched_yield, "SCH-001 HCN-029", 0)
{
	want_eq(hyp_sched_op(SCHEDOP_yield, NULL), 0);
	want_eq(hyp_sched_op(SCHEDOP_yield, BAD_PTR), 0);
	want_eq(hyp_sched_op(SCHEDOP_yield, XEN_PTR), 0);
}

/* SCHEDOP_block clears the event mask, with or without an event pending. */
CASE(sched_block_enables, "SCH-002 SCH-003", 0)
{
	struct chan c = chan_open();
	unsigned int before = event_count[c.b];

	want_eq(evtchn_send(c.a), 0);
	events_off();
	want_eq(hyp_sched_op(SCHEDOP_block, NULL), 0);
	want_eq(self()->info->evtchn_upcall_mask, 0);
	events_off();
	want_eq(event_count[c.b], before + 1);
	chan_close(c);
}

/* SCHEDOP_block with an event pending returns without sleeping. */
CASE(sched_block_pending, "SCH-003", 0)
{
	struct chan c = chan_open();
	struct tries t = { 0 };
	unsigned int before;
	uint64_t start;

	do {
		before = event_count[c.b];
		want_eq(evtchn_send(c.a), 0);
		start = now();
		want_eq(hyp_sched_op(SCHEDOP_block, NULL), 0);
		events_off();
		want(event_count[c.b] > before);
	} while (again(&t, now() - start < 1000 * MS));
	want(t.good);
	chan_close(c);
}

static unsigned int state_of(unsigned int vcpu)
{
	struct vcpu_runstate_info r;

	if (hyp_vcpu_op(VCPUOP_get_runstate_info, vcpu, &r))
		panic("no runstate");
	return r.state;
}

static struct chan wake;

static void wake_later(void *arg)
{
	until(state_of(0) == RUNSTATE_blocked, 1000);
	evtchn_send(wake.a);
}

/*
 * A blocked vCPU sleeps until another vCPU sends: the upcall is made first,
 * then the call returns 0.
 */
CASE(sched_block_woken, "SCH-004", 0)
{
	unsigned int before;

	wake = chan_open();
	before = event_count[wake.b];
	vcpu_run(1, wake_later, NULL);
	want_eq(hyp_sched_op(SCHEDOP_block, NULL), 0);
	events_off();
	want_eq(event_count[wake.b], before + 1);
	want(vcpu_join(1));
	chan_close(wake);
}

static volatile bool racing, slept_past;
static volatile unsigned int ask, heard;

/*
 * After each send vCPU 0 is not blocked, or no longer so within some time:
 * until it really runs any time may pass on a busy machine.
 */
static void answer(void *arg)
{
	unsigned int answered = 0;

	while (racing) {
		unsigned int asked = ask;

		if (asked == answered)
			continue;
		evtchn_send(wake.a);
		answered = asked;
		if (!until(heard == asked || state_of(0) != RUNSTATE_blocked, 1000))
			slept_past = true;
		while (heard != asked)
			rt_yield();
	}
}

/*
 * One vCPU checks for an event and blocks while another sends at any moment in
 * between: SCHEDOP_block never sleeps past the event. A timer ends such a sleep.
 */
CASE(sched_block_race, "SCH-005", 0)
{
	unsigned int timer = timer_open();
	unsigned int i;

	wake = chan_open();
	racing = true;
	slept_past = false;
	heard = 0;
	ask = 0;
	port_open(timer);
	vcpu_run(1, answer, NULL);
	for (i = 0; i < 300; i++) {
		unsigned int before = event_count[wake.b];

		events_off();
		ask = i + 1;
		while (event_count[wake.b] == before) {
			hyp_set_timer_op(now() + 3000 * MS);
			hyp_sched_op(SCHEDOP_block, NULL);
			events_off();
		}
		want(!slept_past);
		heard = i + 1;
	}
	racing = false;
	want(vcpu_join(1));
	want(!slept_past);
	hyp_set_timer_op(0);
	evtchn_close(timer);
	chan_close(wake);
}

/*
 * sched_op returns -EFAULT for requests that cannot be read, and the domain
 * continues to run.
 */
CASE(sched_fault, "SCH-006 SCH-008 SCH-011 SCH-026", 0)
{
	want_eq(hyp_sched_op(SCHEDOP_shutdown, BAD_PTR), -EFAULT);
	want_eq(hyp_sched_op(SCHEDOP_shutdown, XEN_PTR), -EFAULT);
	want_eq(hyp_sched_op(SCHEDOP_shutdown_code, BAD_PTR), -EFAULT);
	want_eq(hyp_sched_op(SCHEDOP_poll, BAD_PTR), -EFAULT);
	want_eq(hyp_sched_op(SCHEDOP_watchdog, BAD_PTR), -EFAULT);
	want_eq(hyp_sched_op(SCHEDOP_remote_shutdown, BAD_PTR), -EFAULT);
	want_eq(poll(BAD_PTR, 1, 0), -EFAULT);
}

static void shutdown(const char *word, unsigned int reason)
{
	struct sched_shutdown s = { .reason = reason };

	dying(word);
	hyp_sched_op(SCHEDOP_shutdown, &s);
}

/*
 * SCHEDOP_shutdown with reason poweroff reports that reason to the domain's
 * creator.
 */
CASE(sched_shutdown_poweroff, "SCH-007", DIES)
{
	shutdown("poweroff", SHUTDOWN_poweroff);
}

/*
 * SCHEDOP_shutdown with reason reboot reports that reason to the domain's
 * creator.
 */
CASE(sched_shutdown_reboot, "SCH-007", DIES)
{
	shutdown("reboot", SHUTDOWN_reboot);
}

/*
 * SCHEDOP_shutdown with reason watchdog reports that reason to the domain's
 * creator.
 */
CASE(sched_shutdown_watchdog, "SCH-007", DIES)
{
	shutdown("watchdog", SHUTDOWN_watchdog);
}

/*
 * SCHEDOP_shutdown with reason crash reports that reason to the domain's
 * creator.
 */
CASE(sched_shutdown_crash, "SCH-007", DIES)
{
	shutdown("crash", SHUTDOWN_crash);
}

/*
 * SCHEDOP_poll takes at most 128 ports; the length is checked before the list.
 */
CASE(sched_poll_length, "SCH-010", 0)
{
	want_eq(poll(BAD_PTR, 129, 0), -EINVAL);
	want_eq(poll(BAD_PTR, 0xffffffff, 0), -EINVAL);
}

/* SCHEDOP_poll refuses a closed port and a port out of range. */
CASE(sched_poll_wrong_port, "SCH-012", 0)
{
	evtchn_port_t p = evtchn_alloc(DOMID_SELF, DOMID_SELF);

	evtchn_close(p);
	want_eq(poll(&p, 1, now() + MS), -EINVAL);
	p = 0xffffffff;
	want_eq(poll(&p, 1, now() + MS), -EINVAL);
	p = 4096;
	want_eq(poll(&p, 1, now() + MS), -EINVAL);
}

/*
 * SCHEDOP_poll returns at once for a pending port, masked or not, and leaves
 * it pending.
 */
CASE(sched_poll_pending, "SCH-013 SCH-017", 0)
{
	struct chan c = chan_open(), d = chan_open();
	evtchn_port_t list[2] = { d.b, c.b };
	struct tries t = { 0 };
	uint64_t start;

	port_mask(c.b);
	want_eq(evtchn_send(c.a), 0);
	do {
		start = now();
		want_eq(poll(list, 2, start + 3000 * MS), 0);
	} while (again(&t, now() - start < 2000 * MS));
	want(t.good);
	want(port_pending(c.b));
	want(port_masked(c.b));
	want_eq(self()->info->evtchn_upcall_mask, 1);
	port_open(c.b);
	chan_close(d);
	chan_close(c);
}

/*
 * A polling vCPU is woken by its port although events and the port are masked.
 */
CASE(sched_poll_woken, "SCH-014 SCH-017", 0)
{
	evtchn_port_t p;
	unsigned int before = upcall_count;
	struct tries t = { 0 };
	uint64_t start;

	wake = chan_open();
	p = wake.b;
	port_mask(p);
	do {
		port_clear(p);
		vcpu_run(1, wake_later, NULL);
		start = now();
		want_eq(poll(&p, 1, start + 3000 * MS), 0);
		want(now() - start >= 2500 * MS || port_pending(p));
		t.good = port_pending(p) && now() - start < 2500 * MS;
		want(vcpu_join(1));
	} while (again(&t, t.good));
	want(t.good);
	want(port_pending(p));
	want_eq(upcall_count, before);
	want_eq(self()->info->evtchn_upcall_mask, 1);
	port_open(p);
	chan_close(wake);
}

/*
 * A vCPU that polls a masked port with events enabled is woken by an event on another
 * port, which is delivered.
 */
CASE(sched_poll_delivers, "SCH-035 SCH-017", 0)
{
	struct chan c = chan_open();
	evtchn_port_t p = c.b;
	struct tries t = { 0 };
	unsigned int before;
	uint64_t start;

	wake = chan_open();
	port_mask(p);
	do {
		before = event_count[wake.b];
		vcpu_run(1, wake_later, NULL);
		events_on();
		start = now();
		want_eq(poll(&p, 1, start + 3000 * MS), 0);
		want_eq(self()->info->evtchn_upcall_mask, 0);
		events_off();
		t.good = event_count[wake.b] > before && now() - start < 2500 * MS;
		want(vcpu_join(1));
	} while (again(&t, t.good));
	want(t.good);
	want(!port_pending(p));
	port_open(p);
	chan_close(wake);
	chan_close(c);
}

/*
 * Whether a sleep of @time that began at @start ends now, and neither earlier nor much
 * later.  A correction of the clock meanwhile can make one sleep look too short.
 */
static bool slept(uint64_t start, uint64_t time)
{
	uint64_t end = now();

	return end >= start + time - CLOCK_SLACK && end < start + time + 2000 * MS;
}

/*
 * SCHEDOP_poll without an event returns once its system time has come, not
 * before.
 */
CASE(sched_poll_timeout, "SCH-015", 0)
{
	struct chan c = chan_open();
	evtchn_port_t p = c.b;
	struct tries t = { 0 };
	uint64_t start;

	do {
		start = now();
		want_eq(poll(&p, 1, start + 300 * MS), 0);
	} while (again(&t, slept(start, 300 * MS)));
	want(t.good);
	want(!port_pending(p));
	t.made = 0;
	do {
		start = now();
		want_eq(poll(&p, 1, start - 1), 0);
		want_eq(poll(&p, 1, 1), 0);
	} while (again(&t, now() - start < 500 * MS));
	want(t.good);
	chan_close(c);
}

/* SCHEDOP_poll without ports sleeps until its timeout. */
CASE(sched_poll_no_ports, "SCH-016", 0)
{
	struct tries t = { 0 };
	uint64_t start;

	do {
		start = now();
		want_eq(poll(NULL, 0, start + 300 * MS), 0);
	} while (again(&t, slept(start, 300 * MS)));
	want(t.good);
}

/*
 * SCHEDOP_remote_shutdown refuses a domain that does not exist, and
 * DOMID_SELF.
 */
CASE(sched_remote_shutdown, "SCH-018 SCH-020", 0)
{
	struct sched_remote_shutdown r = {
		.domain_id = NO_DOMAIN, .reason = SHUTDOWN_crash,
	};

	want_eq(hyp_sched_op(SCHEDOP_remote_shutdown, &r), -ESRCH);
	r.domain_id = DOMID_SELF;
	want_eq(hyp_sched_op(SCHEDOP_remote_shutdown, &r), -ESRCH);
}

static long watchdog(unsigned int id, unsigned int timeout)
{
	struct sched_watchdog w = { .id = id, .timeout = timeout };

	return hyp_sched_op(SCHEDOP_watchdog, &w);
}

/* Watchdogs can be created, up to two, restarted, stopped and created again. */
CASE(sched_watchdog, "SCH-021 SCH-022 SCH-024", 0)
{
	long a = watchdog(0, 1000), b = watchdog(0, 1000);

	want(a >= 1 && b >= 1 && a != b);
	/* Release 4.17 returns a 32-bit number here, not sign-extended. */
	want_eq((int)watchdog(0, 1000), -ENOSPC);
	want_eq(watchdog(a, 500), 0);
	want_eq(watchdog(a, 0), 0);
	want_eq(watchdog(0, 1000), a);
	want_eq(watchdog(a, 0), 0);
	want_eq(watchdog(b, 0), 0);
}

/* SCHEDOP_watchdog refuses ids that were not returned or are far too large. */
CASE(sched_watchdog_wrong, "SCH-023", 0)
{
	long a;

	want_eq(watchdog(1, 10), -EINVAL);
	want_eq(watchdog(2, 0), -EINVAL);
	want_eq(watchdog(3, 10), -EINVAL);
	want_eq(watchdog(0xffffffff, 10), -EINVAL);
	a = watchdog(0, 1000);
	want_eq(watchdog(a, 0), 0);
	want_eq(watchdog(a, 0), -EINVAL);
}

/*
 * A watchdog that is not restarted ends the domain with reason watchdog;
 * sched_watchdog_poked is the reverse.
 */
CASE(sched_watchdog_fires, "SCH-025", DIES)
{
	/* Before the call: the machine may stand still until the watchdog fires. */
	dying("watchdog");
	want_eq(watchdog(0, 1), 1);
	until(false, 5000);
}

/*
 * A watchdog that is restarted in time does not fire, nor does one that was
 * stopped. It is restarted at once, with a time beyond the case's end: a busy machine
 * may come back to a vCPU after seconds, but seldom leaves it between two calls.
 */
CASE(sched_watchdog_poked, "SCH-024 SCH-025", ALONE)
{
	uint64_t start = now();

	want_eq(watchdog(0, 3), 1);
	want_eq(watchdog(1, 1000), 0);
	while (now() - start < 3800 * MS) {
		until(false, 300);
		want_eq(watchdog(1, 1000), 0);
	}
	want_eq(watchdog(1, 2), 0);
	want_eq(watchdog(1, 0), 0);
	until(false, 2200);
}

/* SCHEDOP_pin_override is refused to a guest. */
CASE(sched_pin_refused, "SCH-027", DOMU)
{
	struct sched_pin_override p = { .pcpu = 0 };

	want_eq(hyp_sched_op(SCHEDOP_pin_override, &p), -EPERM);
}

/*
 * SCHEDOP_pin_override in the hardware domain refuses processors that do not
 * exist and the release of an override that is not set.
 */
CASE(sched_pin_range, "SCH-028", DOM0)
{
	struct sched_pin_override p = { .pcpu = 4095 };

	want_eq(hyp_sched_op(SCHEDOP_pin_override, &p), -EINVAL);
	p.pcpu = -1;
	want_eq(hyp_sched_op(SCHEDOP_pin_override, &p), -EINVAL);
}

/* sched_op returns -ENOSYS for unknown operations. */
CASE(sched_unknown_op, "SCH-029", 0)
{
	want_eq(hyp_sched_op(8, NULL), -ENOSYS);
	want_eq(hyp_sched_op(0x7fffffff, NULL), -ENOSYS);
}

/*
 * The first form of sched_op performs yield or returns -ENOSYS; it returns
 * -ENOSYS for an unknown operation.
 */
CASE(sched_first_form, "SCH-030 HCN-006", 0)
{
	long ret = rt_call(__HYPERVISOR_sched_op_compat, SCHEDOP_yield, 0, 0, 0, 0);

	want_any(ret, 0, -ENOSYS);
	want_eq(rt_call(__HYPERVISOR_sched_op_compat, 99, 0, 0, 0, 0), -ENOSYS);
}

/*
 * The reason set by SCHEDOP_shutdown_code is the one that a later shutdown
 * reports.
 */
CASE(sched_shutdown_code, "SCH-009", DIES)
{
	struct sched_shutdown s = { .reason = SHUTDOWN_watchdog };

	want_eq(hyp_sched_op(SCHEDOP_shutdown_code, &s), 0);
	s.reason = SHUTDOWN_crash;
	want_eq(hyp_sched_op(SCHEDOP_shutdown_code, &s), 0);
	shutdown("watchdog", SHUTDOWN_poweroff);
}
