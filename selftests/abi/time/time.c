// SPDX-License-Identifier: MIT
/* The time record, the wall clock, and the one-shot timer behind set_timer_op. */
#include "case.h"

static uint64_t from(const struct vcpu_time_info *t, uint64_t tsc)
{
	uint64_t delta = tsc - t->tsc_timestamp;

	delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
	return t->system_time +
	       (uint64_t)(((unsigned __int128)delta * t->tsc_to_system_mul) >> 32);
}

static uint64_t system_time(void)
{
	struct vcpu_time_info t = time_snap(self()->id);

	return from(&t, rdtsc());
}

/* The version is even at rest and never 0 once the vCPU ran. */
CASE(time_version, "TIM-001", 0)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		struct vcpu_time_info t = time_snap(0);

		want_eq(t.version & 1, 0);
		want(t.version);
	}
}

/*
 * System time by the formula never steps back on one vCPU, through yields
 * and timer interrupts that rewrite the record.
 */
CASE(time_monotonic, "TIM-002 TIM-003 TIM-022", 0)
{
	uint64_t last = 0, t;
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		t = system_time();
		want(t >= last);
		last = t;
		if (i % 500 == 0)
			rt_yield();
	}
}

/* The counter, read on the record's vCPU, is not behind the record's stamp. */
CASE(time_stamp_past, "TIM-004", 0)
{
	unsigned int i;

	for (i = 0; i < 200; i++) {
		struct vcpu_time_info t = time_snap(0);

		want((int64_t)(rdtsc() - t.tsc_timestamp) >= 0);
		rt_yield();
	}
}

/* Multiplier and shift make a sane frequency: between 1 MHz and 100 GHz. */
CASE(time_multiplier, "TIM-005", 0)
{
	struct vcpu_time_info t = time_snap(0);
	uint64_t ns;

	want(t.tsc_to_system_mul);
	want(t.tsc_shift >= -31 && t.tsc_shift <= 31);
	ns = from(&t, t.tsc_timestamp + 1000000) - t.system_time;
	want(ns >= 10000 && ns <= 1000000000);
}

/* Flag bits without a meaning are zero, and so is the padding. */
CASE(time_flags, "TIM-007 TIM-008", 0)
{
	struct vcpu_time_info t = time_snap(0);

	want_eq(t.flags & ~(XEN_PVCLOCK_TSC_STABLE_BIT | XEN_PVCLOCK_GUEST_STOPPED), 0);
}

static volatile uint64_t relay_time;
static volatile unsigned int relay_turn;
static volatile bool relay_bad;

static void relay(void *arg)
{
	unsigned int me = self()->id, i;

	for (i = 0; i < 2000; i++) {
		uint64_t t, end = now() + 4000 * MS;

		while (relay_turn != me && now() < end)
			cpu_relax();
		t = system_time();
		if (t < relay_time)
			relay_bad = true;
		relay_time = t;
		mb();
		relay_turn = 1 - me;
	}
}

/*
 * Two vCPUs hand the time to and fro; with the stable bit set on both no
 * reading is before the one that was handed over.
 */
CASE(time_stable, "TIM-006", 0)
{
	needs(time_snap(0).flags & XEN_PVCLOCK_TSC_STABLE_BIT,
	      "the hypervisor does not promise a stable counter here");
	relay_time = 0;
	relay_turn = 0;
	relay_bad = false;
	vcpu_run(1, relay, NULL);
	relay(NULL);
	want(vcpu_join(1));
	want(!relay_bad);
}

/*
 * System time advances as the counter does: over a stretch of 200 ms the
 * start's record and the end's agree within 1 %.
 */
CASE(time_rate, "TIM-009 TIM-002", 0)
{
	struct vcpu_time_info t = time_snap(0), later;
	uint64_t s0 = system_time(), tsc0 = rdtsc(), real, system;

	until(false, 200);
	real = from(&t, rdtsc()) - from(&t, tsc0);
	system = system_time() - s0;
	want(system > real - real / 100 && system < real + real / 100);
	want(real > 190 * MS);
	/* The old record, carried forward, meets the next one. */
	want(until(time_snap(0).tsc_timestamp != t.tsc_timestamp, 5000));
	later = time_snap(0);
	real = from(&t, later.tsc_timestamp) - t.system_time;
	system = later.system_time - t.system_time;
	want(system > real - real / 50 && system < real + real / 50);
}

/* System time advances as a sleep of a given length says. */
CASE(time_sleep_rate, "TIM-009 SCH-015", 0)
{
	struct sched_poll p = { .timeout = system_time() + 100 * MS };
	uint64_t start = system_time(), slept;

	want_eq(hyp_sched_op(SCHEDOP_poll, &p), 0);
	slept = system_time() - start;
	want(slept >= 99 * MS && slept < 1000 * MS);
}

/* The wall clock is a date between 2020 and 2100, its nanoseconds below 10^9. */
CASE(time_wallclock, "TIM-010", 0)
{
	struct wallclock w = wallclock_snap();
	uint64_t sec = (uint64_t)w.sec_hi << 32 | w.sec;

	want(w.nsec < 1000000000);
	want(sec > 1577836800 && sec < 4102444800);
}

USER(user_rdtsc, "rdtsc\n shl $32, %rdx\n or %rax, %rdx\n mov %rdx, %rdi\n"
		 "rdtsc\n shl $32, %rdx\n or %rax, %rdx\n mov %rdx, %rsi\n syscall");

/* RDTSC runs forward in the kernel and at user level. */
CASE(time_rdtsc, "TIM-011", 0)
{
	uint64_t a = rdtsc(), b = rdtsc();
	struct trap t;

	want(b >= a);
	t = user_call(user_rdtsc, 0);
	want_eq(t.vec, RT_VEC_SYSCALL);
	want(t.f.rdi >= b);
	want(t.f.rsi >= t.f.rdi);
}

/* The timer is pending at its time and not before, once. */
CASE(timer_fires, "TIM-012 TIM-013", 0)
{
	unsigned int p = timer_open();
	uint64_t at = system_time() + 20 * MS;

	want_eq(hyp_set_timer_op(at), 0);
	while (system_time() < at - MS)
		want(!port_pending(p) || system_time() >= at);
	want(until(port_pending(p), 2000));
	want(system_time() >= at);
	port_clear(p);
	until(false, 50);
	want(!port_pending(p));
	evtchn_close(p);
}

/* 0 cancels, with and without a timeout pending. */
CASE(timer_cancel, "TIM-014 HCN-015", 0)
{
	unsigned int p = timer_open();

	want_eq(hyp_set_timer_op(system_time() + 30 * MS), 0);
	want_eq(hyp_set_timer_op(0), 0);
	want_eq(hyp_set_timer_op(0), 0);
	until(false, 80);
	want(!port_pending(p));
	evtchn_close(p);
}

/* A later call replaces an earlier one, in both directions. */
CASE(timer_replace, "TIM-015", 0)
{
	unsigned int p = timer_open();
	uint64_t start = system_time();

	want_eq(hyp_set_timer_op(start + 20 * MS), 0);
	want_eq(hyp_set_timer_op(start + 120 * MS), 0);
	while (system_time() < start + 100 * MS)
		want(!port_pending(p) || system_time() >= start + 120 * MS);
	want(until(port_pending(p), 2000));
	port_clear(p);
	start = system_time();
	want_eq(hyp_set_timer_op(start + 1500 * MS), 0);
	want_eq(hyp_set_timer_op(start + 10 * MS), 0);
	want(until(port_pending(p), 1000));
	hyp_set_timer_op(0);
	evtchn_close(p);
}

/* A time in the past is a timeout that has come. */
CASE(timer_past, "TIM-016", 0)
{
	unsigned int p = timer_open();

	want_eq(hyp_set_timer_op(1), 0);
	want(until(port_pending(p), 500));
	port_clear(p);
	want_eq(hyp_set_timer_op(system_time() - 1), 0);
	want(until(port_pending(p), 500));
	evtchn_close(p);
}

/* Times out of all proportion are taken; the event may come early, or not. */
CASE(timer_far, "TIM-017", 0)
{
	unsigned int p = timer_open();

	want_eq(hyp_set_timer_op(1ULL << 60), 0);
	want_eq(hyp_set_timer_op(1ULL << 63), 0);
	want_eq(hyp_set_timer_op(~0ULL), 0);
	want_eq(hyp_set_timer_op(0), 0);
	evtchn_close(p);
}

static volatile unsigned int other_port;
static volatile bool other_set;

static void other_timer(void *arg)
{
	other_port = timer_open();
	other_set = hyp_set_timer_op(now() + 10 * MS) == 0;
	until(port_pending(other_port), 1000);
}

/* A timer set on one vCPU fires there and nowhere else. */
CASE(timer_each_vcpu, "TIM-018", 0)
{
	unsigned int p = timer_open();

	vcpu_run(1, other_timer, NULL);
	want(vcpu_join(1));
	want(other_set);
	want(port_pending(other_port));
	want(!port_pending(p));
	evtchn_close(other_port);
	evtchn_close(p);
}

/* set_timer_op and the vCPU's one-shot timer are one: each cancels the other. */
CASE(timer_is_singleshot, "TIM-019", 0)
{
	unsigned int p = timer_open();
	struct vcpu_set_singleshot_timer t = { .flags = 0 };

	t.timeout_abs_ns = system_time() + 30 * MS;
	want_eq(hyp_vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
	want_eq(hyp_set_timer_op(0), 0);
	until(false, 60);
	want(!port_pending(p));
	want_eq(hyp_set_timer_op(system_time() + 30 * MS), 0);
	want_eq(hyp_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
	until(false, 60);
	want(!port_pending(p));
	evtchn_close(p);
}

/* The timer wakes a blocked vCPU. */
CASE(timer_wakes, "TIM-020 SCH-004", 0)
{
	unsigned int p = timer_open();
	unsigned int before = event_count[p];
	uint64_t start = system_time();

	port_open(p);
	want_eq(hyp_set_timer_op(start + 20 * MS), 0);
	want_eq(hyp_sched_op(SCHEDOP_block, NULL), 0);
	events_off();
	want_eq(event_count[p], before + 1);
	want(system_time() >= start + 20 * MS);
	evtchn_close(p);
}

/* A timeout that nobody is bound to is not kept for a later binding. */
CASE(timer_unbound, "TIM-021", 0)
{
	int p;

	evtchn_close(timer_open());
	want_eq(hyp_set_timer_op(system_time() + 5 * MS), 0);
	until(false, 40);
	p = evtchn_virq(VIRQ_TIMER, 0);
	want(p > 0);
	until(false, 20);
	want(!port_pending(p));
	evtchn_close(p);
}
