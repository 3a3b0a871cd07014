// SPDX-License-Identifier: MIT
/* Scheduling: yield, block, poll, shutdown requests and watchdogs. */
#include "case.h"

static long poll(evtchn_port_t *ports, unsigned int n, uint64_t timeout)
{
	struct sched_poll p = { .nr_ports = n, .timeout = timeout };

	set_xen_guest_handle(p.ports, ports);
	return hyp_sched_op(SCHEDOP_poll, &p);
}

/* yield returns 0 and does not care about its argument. */
CASE(sched_yield, "SCH-001 HCN-029", 0)
{
	want_eq(hyp_sched_op(SCHEDOP_yield, NULL), 0);
	want_eq(hyp_sched_op(SCHEDOP_yield, BAD_PTR), 0);
	want_eq(hyp_sched_op(SCHEDOP_yield, XEN_PTR), 0);
}

/* block opens the event mask, whether or not there was something to wait for. */
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

/* A pending event keeps block from sleeping: it returns within a moment. */
CASE(sched_block_pending, "SCH-003", 0)
{
	struct chan c = chan_open();
	uint64_t start;

	want_eq(evtchn_send(c.a), 0);
	start = now();
	want_eq(hyp_sched_op(SCHEDOP_block, NULL), 0);
	events_off();
	want(now() - start < 1000 * MS);
	want_eq(event_count[c.b] > 0, 1);
	chan_close(c);
}

static struct chan wake;

static void wake_later(void *arg)
{
	delay(20 * MS);
	evtchn_send(wake.a);
}

/* A blocked vCPU sleeps until another vCPU sends; upcall first, then 0. */
CASE(sched_block_woken, "SCH-004", 0)
{
	uint64_t start;
	unsigned int before;

	wake = chan_open();
	before = event_count[wake.b];
	vcpu_run(1, wake_later, NULL);
	start = now();
	want_eq(hyp_sched_op(SCHEDOP_block, NULL), 0);
	events_off();
	want_eq(event_count[wake.b], before + 1);
	want(now() - start >= 5 * MS);
	want(vcpu_join(1));
	chan_close(wake);
}

static volatile bool racing;
static volatile unsigned int answered;

static void answer(void *arg)
{
	while (racing) {
		unsigned int asked = READ_ONCE(*(unsigned int *)arg);

		if (asked != answered) {
			evtchn_send(wake.a);
			answered = asked;
		}
	}
}

/*
 * Check, then block, while another vCPU answers at any moment in between:
 * block never sleeps past the event.  A timer far away would show a loss.
 */
CASE(sched_block_race, "SCH-005", 0)
{
	static unsigned int ask;
	unsigned int timer = timer_open();
	unsigned int i;

	wake = chan_open();
	racing = true;
	answered = ask = 0;
	port_open(timer);
	vcpu_run(1, answer, &ask);
	for (i = 0; i < 300; i++) {
		unsigned int before = event_count[wake.b];
		uint64_t start = now();

		hyp_set_timer_op(start + 3000 * MS);
		events_off();
		WRITE_ONCE(ask, i + 1);
		while (event_count[wake.b] == before) {
			hyp_sched_op(SCHEDOP_block, NULL);
			events_off();
			want(now() - start < 2500 * MS);
		}
	}
	racing = false;
	want(vcpu_join(1));
	hyp_set_timer_op(0);
	evtchn_close(timer);
	chan_close(wake);
}

/* Requests that cannot be read are refused and the domain runs on. */
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

/* Shutdown with reason poweroff is what the domain's creator sees. */
CASE(sched_shutdown_poweroff, "SCH-007", DIES)
{
	shutdown("poweroff", SHUTDOWN_poweroff);
}

/* Shutdown with reason reboot is what the domain's creator sees. */
CASE(sched_shutdown_reboot, "SCH-007", DIES)
{
	shutdown("reboot", SHUTDOWN_reboot);
}

/* Shutdown with reason watchdog is what the domain's creator sees. */
CASE(sched_shutdown_watchdog, "SCH-007", DIES)
{
	shutdown("watchdog", SHUTDOWN_watchdog);
}

/* Shutdown with reason crash is what the domain's creator sees. */
CASE(sched_shutdown_crash, "SCH-007", DIES)
{
	shutdown("crash", SHUTDOWN_crash);
}

/* A poll list has at most 128 ports; the length is checked before the list. */
CASE(sched_poll_length, "SCH-010", 0)
{
	want_eq(poll(BAD_PTR, 129, 0), -EINVAL);
	want_eq(poll(BAD_PTR, 0xffffffff, 0), -EINVAL);
}

/* A closed or impossible port cannot be polled. */
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

/* A pending port, masked or not, ends a poll at once and stays pending. */
CASE(sched_poll_pending, "SCH-013 SCH-017", 0)
{
	struct chan c = chan_open(), d = chan_open();
	evtchn_port_t list[2] = { d.b, c.b };
	uint64_t start = now();

	port_mask(c.b);
	want_eq(evtchn_send(c.a), 0);
	want_eq(poll(list, 2, start + 3000 * MS), 0);
	want(now() - start < 2000 * MS);
	want(port_pending(c.b));
	want(port_masked(c.b));
	want_eq(self()->info->evtchn_upcall_mask, 1);
	port_open(c.b);
	chan_close(d);
	chan_close(c);
}

/* A polling vCPU is woken by its port although everything is masked. */
CASE(sched_poll_woken, "SCH-014 SCH-017", 0)
{
	evtchn_port_t p;
	unsigned int before = upcall_count;
	uint64_t start;

	wake = chan_open();
	p = wake.b;
	port_mask(p);
	vcpu_run(1, wake_later, NULL);
	start = now();
	want_eq(poll(&p, 1, start + 3000 * MS), 0);
	want(now() - start < 2500 * MS);
	want(port_pending(p));
	want_eq(upcall_count, before);
	want_eq(self()->info->evtchn_upcall_mask, 1);
	want(vcpu_join(1));
	port_open(p);
	chan_close(wake);
}

/* Without an event a poll ends once its system time has come, not before. */
CASE(sched_poll_timeout, "SCH-015", 0)
{
	struct chan c = chan_open();
	evtchn_port_t p = c.b;
	uint64_t start = now();

	want_eq(poll(&p, 1, start + 30 * MS), 0);
	want(now() >= start + 30 * MS - CLOCK_SLACK);
	want(now() - start < 2000 * MS);
	want(!port_pending(p));
	start = now();
	want_eq(poll(&p, 1, start - 1), 0);
	want_eq(poll(&p, 1, 1), 0);
	want(now() - start < 500 * MS);
	chan_close(c);
}

/* A poll without ports is a sleep until its timeout. */
CASE(sched_poll_no_ports, "SCH-016", 0)
{
	uint64_t start = now();

	want_eq(poll(NULL, 0, start + 20 * MS), 0);
	want(now() >= start + 20 * MS - CLOCK_SLACK);
	want(now() - start < 2000 * MS);
}

/* Nobody can be shut down in a domain that does not exist, nor by DOMID_SELF. */
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

/* Watchdogs: created, limited to two, poked, stopped, created again. */
CASE(sched_watchdog, "SCH-021 SCH-022 SCH-024", 0)
{
	long a = watchdog(0, 1000), b = watchdog(0, 1000);

	want(a >= 1 && b >= 1 && a != b);
	/* To 4.19 the error comes as a 32-bit number, not sign-extended. */
	want_eq((int)watchdog(0, 1000), -ENOSPC);
	want_eq(watchdog(a, 500), 0);
	want_eq(watchdog(a, 0), 0);
	want_eq(watchdog(0, 1000), a);
	want_eq(watchdog(a, 0), 0);
	want_eq(watchdog(b, 0), 0);
}

/* Ids that were not given out, or are far too large, are refused. */
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
 * A watchdog nobody pokes ends the domain with that reason; see
 * sched_watchdog_poked for the reverse.
 */
CASE(sched_watchdog_fires, "SCH-025", DIES)
{
	want_eq(watchdog(0, 1), 1);
	dying("watchdog");
	until(false, 5000);
}

/* A watchdog that is poked in time does not fire. */
CASE(sched_watchdog_poked, "SCH-024 SCH-025", ALONE)
{
	unsigned int i;

	want_eq(watchdog(0, 1), 1);
	for (i = 0; i < 6; i++) {
		until(false, 300);
		want_eq(watchdog(1, 1), 0);
	}
	want_eq(watchdog(1, 0), 0);
	until(false, 1200);
}

/* A guest may not pin itself to a processor. */
CASE(sched_pin_refused, "SCH-027", DOMU)
{
	struct sched_pin_override p = { .pcpu = 0 };

	want_eq(hyp_sched_op(SCHEDOP_pin_override, &p), -EPERM);
}

/* The hardware domain may, on processors that exist and once it did pin. */
CASE(sched_pin_range, "SCH-028", DOM0)
{
	struct sched_pin_override p = { .pcpu = 4095 };

	want_eq(hyp_sched_op(SCHEDOP_pin_override, &p), -EINVAL);
	p.pcpu = -1;
	want_eq(hyp_sched_op(SCHEDOP_pin_override, &p), -EINVAL);
}

/* Operations that do not exist are refused by name. */
CASE(sched_unknown_op, "SCH-029", 0)
{
	want_eq(hyp_sched_op(8, NULL), -ENOSYS);
	want_eq(hyp_sched_op(0x7fffffff, NULL), -ENOSYS);
}

/* The first form of the call, where there is one, knows yield and no more than it knew. */
CASE(sched_first_form, "SCH-030 HCN-006", 0)
{
	long ret = rt_call(__HYPERVISOR_sched_op_compat, SCHEDOP_yield, 0, 0, 0, 0);

	want_any(ret, 0, -ENOSYS);
	want_eq(rt_call(__HYPERVISOR_sched_op_compat, 99, 0, 0, 0, 0), -ENOSYS);
}

/* The reason fixed by shutdown_code is the one that a later shutdown reports. */
CASE(sched_shutdown_code, "SCH-009", DIES)
{
	struct sched_shutdown s = { .reason = SHUTDOWN_watchdog };

	want_eq(hyp_sched_op(SCHEDOP_shutdown_code, &s), 0);
	s.reason = SHUTDOWN_crash;
	want_eq(hyp_sched_op(SCHEDOP_shutdown_code, &s), 0);
	shutdown("watchdog", SHUTDOWN_poweroff);
}
