// SPDX-License-Identifier: MIT
/* The time record, the wall clock, and the one-shot timer behind set_timer_op. */
#include "case.h"

static uint64_t from(const struct vcpu_time_info *t, uint64_t tsc)
{
	uint64_t delta = tsc - t->tsc_timestamp;

	delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
	return t->system_time +
	       (uint64_t)(((__uint128_t)delta * t->tsc_to_system_mul) >> 32);
}

static uint64_t system_time(void)
{
	struct vcpu_time_info t = time_snap(self()->id);

	return from(&t, rdtsc());
}

/*
 * The version of the time record is even at rest and never 0 once the vCPU has
 * run.
 */
CASE(time_version, "TIM-001", 0)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		struct vcpu_time_info t = time_snap(0);

		want_eq(t.version & 1, 0);
		want(t.version);
	}
}

/* Whether no reading of many is before the one that it follows. */
static bool increases(void)
{
	uint64_t last = 0, t;
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		t = system_time();
		if (t < last)
			return false;
		last = t;
		if (i % 500 == 0)
			rt_yield();
	}
	return true;
}

/*
 * System time by the formula never decreases on one vCPU, through yields and
 * timer interrupts that rewrite the record.
 */
CASE(time_monotonic, "TIM-002 TIM-003 TIM-022", 0)
{
	bool stable = time_snap(0).flags & XEN_PVCLOCK_TSC_STABLE_BIT;
	struct tries t = { 0 };

	/* Without the stable bit a move to another processor may show another clock. */
	while (again(&t, increases()) && !stable)
		;
	want(t.good);
}

/*
 * The time stamp counter, read on the record's vCPU, is not below the record's
 * tsc_timestamp.
 */
CASE(time_stamp_past, "TIM-004", 0)
{
	unsigned int i;

	for (i = 0; i < 200; i++) {
		struct vcpu_time_info t = time_snap(0);

		want((int64_t)(rdtsc() - t.tsc_timestamp) >= 0);
		rt_yield();
	}
}

/*
 * Multiplier and shift of the time record give a frequency between 1 MHz and
 * 100 GHz.
 */
CASE(time_multiplier, "TIM-005", 0)
{
	struct vcpu_time_info t = time_snap(0);
	uint64_t ns;

	want(t.tsc_to_system_mul);
	want(t.tsc_shift >= -31 && t.tsc_shift <= 31);
	ns = from(&t, t.tsc_timestamp + 1000000) - t.system_time;
	want(ns >= 10000 && ns <= 1000000000);
}

/* Undefined flag bits and the padding of the time record are zero. */
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
		/* The time before the turn. */
		mb();
		relay_turn = 1 - me;
	}
}

/*
 * Two vCPUs pass the time to each other; with the stable bit set on both no
 * reading is before the one that was passed.
 */
CASE(time_stable, "TIM-006", 0)
{
	needs(time_snap(0).flags & XEN_PVCLOCK_TSC_STABLE_BIT,
	      "the time record has no stable bit here");
	relay_time = 0;
	relay_turn = 0;
	relay_bad = false;
	vcpu_run(1, relay, NULL);
	relay(NULL);
	want(vcpu_join(1));
	want(!relay_bad);
}

static volatile uint64_t answered_at;
static volatile unsigned int question, answer;
static volatile bool answer_stop;

static void answer_times(void *arg)
{
	while (!answer_stop) {
		if (question == answer) {
			cpu_relax();
			continue;
		}
		answered_at = system_time();
		/* The time before the word that it is there. */
		mb();
		answer = question;
	}
}

/*
 * Whether vCPU @id's readings are between those that a message puts them between,
 * or with @loose outside by no more than processors are calibrated apart. A busy
 * machine makes an exchange take long and a calibration as much worse.
 */
static bool ordered(unsigned int id, bool loose)
{
	uint64_t end = now() + 300 * MS, longest = 0, most = 0;
	unsigned int i;

	answer_stop = false;
	question = 0;
	answer = 0;
	vcpu_run(id, answer_times, NULL);
	for (i = 1; i <= 500 && (i <= 20 || now() < end); i++) {
		uint64_t before = system_time(), after;

		/* The reading before the message. */
		mb();
		question = i;
		want(until(answer == i, 5000));
		after = system_time();
		if (after - before > longest)
			longest = after - before;
		if (answered_at < before && before - answered_at > most)
			most = before - answered_at;
		if (answered_at > after && answered_at - after > most)
			most = answered_at - after;
	}
	answer_stop = true;
	want(vcpu_join(id));
	return most <= (loose ? CLOCK_SLACK + 2 * longest : 0);
}

/*
 * Times of two vCPUs agree within a message exchange: what one reads between a message
 * and its response is not before what the other read before, nor after what that reads
 * afterwards; without the stable bit, to 5 ms on an idle machine.
 */
CASE(time_message, "TIM-006 TIM-023", 0)
{
	bool stable = time_snap(0).flags & XEN_PVCLOCK_TSC_STABLE_BIT;
	unsigned int id, n = vcpu_number();

	for (id = 1; id < n; id++) {
		struct tries t = { 0 };

		while (again(&t, ordered(id, !stable)))
			;
		want(t.good);
	}
}

/*
 * Counter and system time of one moment: the shortest of many tries, as the
 * machine may let the guest stand still between the two readings.
 */
static uint64_t moment(uint64_t *tsc)
{
	uint64_t least = ~0ULL, best = 0;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		uint64_t before = rdtsc(), t = system_time(), gap = rdtsc() - before;

		if (gap < least) {
			least = gap;
			best = t;
			*tsc = before + gap / 2;
		}
	}
	return best;
}

/* Whether system time advances over 200 ms, and to the next record, as the counter does. */
static bool in_step(void)
{
	struct vcpu_time_info t = time_snap(0), later;
	uint64_t tsc0, tsc1, s0 = moment(&tsc0), real, system;

	until(false, 200);
	system = moment(&tsc1) - s0;
	real = from(&t, tsc1) - from(&t, tsc0);
	if (system <= real - real / 100 || system >= real + real / 100 || real <= 190 * MS)
		return false;
	/* The old record, extrapolated, agrees with the next one. */
	want(until(time_snap(0).tsc_timestamp != t.tsc_timestamp, 5000));
	later = time_snap(0);
	real = from(&t, later.tsc_timestamp) - t.system_time;
	system = later.system_time - t.system_time;
	return system > real - real / 50 && system < real + real / 50;
}

/*
 * System time advances as the counter does: over 200 ms the record at the
 * start and the record at the end agree within 2 %.
 */
CASE(time_rate, "TIM-009 TIM-002", 0)
{
	struct tries t = { 0 };

	while (again(&t, in_step()))
		;
	want(t.good);
}

/*
 * System time advances by the length of a sleep, as the counter measures it.
 * How late a poll returns is the business of sched_poll_timeout.
 */
CASE(time_sleep_rate, "TIM-009 SCH-015", 0)
{
	struct tries t = { 0 };
	bool good;

	/* A correction of the clock meanwhile can make one sleep look wrong. */
	do {
		struct vcpu_time_info info = time_snap(self()->id);
		uint64_t tsc0, tsc1, start = moment(&tsc0), slept, real;
		struct sched_poll p = { .timeout = start + 100 * MS };

		want_eq(hyp_sched_op(SCHEDOP_poll, &p), 0);
		slept = moment(&tsc1) - start;
		real = from(&info, tsc1) - from(&info, tsc0);
		good = slept >= 100 * MS - CLOCK_SLACK &&
		       slept + real / 50 + CLOCK_SLACK >= real &&
		       slept <= real + real / 50 + CLOCK_SLACK;
	} while (again(&t, good));
	want(t.good);
}

/*
 * The wall clock is a date between 2020 and 2100, with nanoseconds below 10^9.
 */
CASE(time_wallclock, "TIM-010", 0)
{
	struct wallclock w = wallclock_snap();
	uint64_t sec = (uint64_t)w.sec_hi << 32 | w.sec;

	want(w.nsec < 1000000000);
	want(sec > 1577836800 && sec < 4102444800);
}

USER(user_rdtsc, "rdtsc\n shl $32, %rdx\n or %rax, %rdx\n mov %rdx, %rdi\n"
		 "rdtsc\n shl $32, %rdx\n or %rax, %rdx\n mov %rdx, %rsi\n syscall");

/* RDTSC never decreases, in kernel mode and in user mode. */
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

/* set_timer_op makes VIRQ_TIMER pending at its time, not before, and once. */
CASE(timer_fires, "TIM-012 TIM-013", 0)
{
	unsigned int p = timer_open(), i, early = 0;
	uint64_t at;

	for (i = 0; i < TIMER_ATTEMPTS; i++) {
		port_clear(p);
		at = system_time() + 20 * MS;
		want_eq(hyp_set_timer_op(at), 0);
		want(until(port_pending(p), 2000));
		early += system_time() < at - CLOCK_SLACK;
	}
	want(early < TIMER_EARLY);
	port_clear(p);
	until(false, 50);
	want(!port_pending(p));
	evtchn_close(p);
}

/* set_timer_op(0) cancels a timeout, and returns 0 without one. */
CASE(timer_cancel, "TIM-014 HCN-015", 0)
{
	unsigned int p = timer_open();
	struct tries t = { 0 };
	uint64_t at;

	do {
		port_clear(p);
		at = system_time() + 30 * MS;
		want_eq(hyp_set_timer_op(at), 0);
		want_eq(hyp_set_timer_op(0), 0);
	} while (again(&t, system_time() < at));
	want(t.good);
	want_eq(hyp_set_timer_op(0), 0);
	until(false, 80);
	want(!port_pending(p));
	evtchn_close(p);
}

/*
 * A later set_timer_op replaces an earlier one, with an earlier and with a
 * later time.
 */
CASE(timer_replace, "TIM-015", 0)
{
	unsigned int p = timer_open();
	struct tries t = { 0 };
	uint64_t start;

	do {
		/* The timeout of an attempt before would come in the midst of this one. */
		hyp_set_timer_op(0);
		port_clear(p);
		start = system_time();
		want_eq(hyp_set_timer_op(start + 20 * MS), 0);
		want_eq(hyp_set_timer_op(start + 120 * MS), 0);
	} while (again(&t, system_time() < start + 20 * MS));
	want(t.good);
	while (system_time() < start + 100 * MS)
		want(!port_pending(p) || system_time() >= start + 120 * MS - CLOCK_SLACK);
	want(until(port_pending(p), 2000));
	port_clear(p);
	start = system_time();
	want_eq(hyp_set_timer_op(start + 100000 * MS), 0);
	want_eq(hyp_set_timer_op(start + 10 * MS), 0);
	want(until(port_pending(p), 1000));
	hyp_set_timer_op(0);
	evtchn_close(p);
}

/* set_timer_op with a time in the past raises VIRQ_TIMER at once. */
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

/*
 * set_timer_op accepts times far in the future; the hypervisor may bring the
 * event forward.
 */
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

/* A timer set on one vCPU raises VIRQ_TIMER on that vCPU only. */
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

/*
 * set_timer_op and the vCPU's one-shot timer are one timer: each cancels the
 * other.
 */
CASE(timer_is_singleshot, "TIM-019", 0)
{
	unsigned int p = timer_open();
	struct vcpu_set_singleshot_timer timer = { .flags = 0 };
	struct tries t = { 0 };
	uint64_t at;

	do {
		port_clear(p);
		at = system_time() + 30 * MS;
		timer.timeout_abs_ns = at;
		want_eq(hyp_vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0);
		want_eq(hyp_set_timer_op(0), 0);
	} while (again(&t, system_time() < at));
	want(t.good);
	until(false, 60);
	want(!port_pending(p));
	t.made = 0;
	do {
		port_clear(p);
		at = system_time() + 30 * MS;
		want_eq(hyp_set_timer_op(at), 0);
		want_eq(hyp_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
	} while (again(&t, system_time() < at));
	want(t.good);
	until(false, 60);
	want(!port_pending(p));
	evtchn_close(p);
}

/* A timeout of set_timer_op wakes a blocked vCPU. */
CASE(timer_wakes, "TIM-020 SCH-004", 0)
{
	unsigned int p = timer_open();
	struct tries t = { 0 };
	unsigned int before;
	uint64_t start;

	port_open(p);
	/* A correction of the clock meanwhile can make one look too early. */
	do {
		before = event_count[p];
		start = system_time();
		want_eq(hyp_set_timer_op(start + 20 * MS), 0);
		want_eq(hyp_sched_op(SCHEDOP_block, NULL), 0);
		events_off();
		want_eq(event_count[p], before + 1);
	} while (again(&t, system_time() >= start + 20 * MS - CLOCK_SLACK));
	want(t.good);
	evtchn_close(p);
}

/*
 * A timeout that expires while VIRQ_TIMER is not bound is not kept for a later
 * binding.
 */
CASE(timer_unbound, "TIM-021", 0)
{
	int p;

	evtchn_close(timer_open());
	/* In the past: the interrupt of a later one may wait for longer than the case. */
	want_eq(hyp_set_timer_op(1), 0);
	until(false, 40);
	p = evtchn_virq(VIRQ_TIMER, 0);
	want(p > 0);
	until(false, 20);
	want(!port_pending(p));
	evtchn_close(p);
}

/*
 * set_timer_op with a time in the past raises VIRQ_TIMER at once while a later
 * timeout is set, and replaces that.
 */
CASE(timer_past_armed, "TIM-015 TIM-016", 0)
{
	unsigned int p = timer_open();
	struct tries t = { 0 };
	uint64_t at;

	do {
		port_clear(p);
		at = system_time() + 100 * MS;
		want_eq(hyp_set_timer_op(at), 0);
		want_eq(hyp_set_timer_op(1), 0);
		want(until(port_pending(p), 2000));
		port_clear(p);
	} while (again(&t, system_time() < at - CLOCK_SLACK));
	want(t.good);
	while (system_time() < at + 30 * MS)
		rt_yield();
	want(!port_pending(p));
	evtchn_close(p);
}
