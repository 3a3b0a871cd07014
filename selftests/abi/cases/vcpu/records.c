// SPDX-License-Identifier: MIT
/* Run-state records to the nanosecond, and whose record a registration concerns. */
#include "case.h"

static long register_area(unsigned int vcpu, struct vcpu_runstate_info *area)
{
	struct vcpu_register_runstate_memory_area r;

	set_xen_guest_handle(r.addr.h, area);
	return hyp_vcpu_op(VCPUOP_register_runstate_memory_area, vcpu, &r);
}

static uint64_t entered(const struct vcpu_runstate_info *r)
{
	return r->state_entry_time & ~XEN_RUNSTATE_UPDATE;
}

/* The rest that the times do not account for: system time when the vCPU was made. */
static uint64_t origin(const struct vcpu_runstate_info *r)
{
	return entered(r) - r->time[0] - r->time[1] - r->time[2] - r->time[3];
}

static struct vcpu_runstate_info area;
static uint64_t expected;
static volatile bool stop;
static volatile unsigned int seen, wrong, changes;

/* A record that a reader sees whole; false if it was being changed. */
static bool look(struct vcpu_runstate_info *copy)
{
	uint64_t before = READ_ONCE(area.state_entry_time);

	if (before & XEN_RUNSTATE_UPDATE)
		return false;
	barrier();
	memcpy(copy, &area, sizeof(*copy));
	barrier();
	return READ_ONCE(area.state_entry_time) == before && copy->state_entry_time == before;
}

static void read_records(void *arg)
{
	struct vcpu_runstate_info copy;
	uint64_t last = 0;

	while (!stop) {
		if (!look(&copy))
			continue;
		mutant_view(VIEW_RUNSTATE, &copy, sizeof(copy));
		seen++;
		changes += entered(&copy) != last;
		last = entered(&copy);
		if (origin(&copy) != expected || copy.state < 0 || copy.state > RUNSTATE_offline)
			wrong++;
	}
}

static void nap(uint64_t ns)
{
	struct sched_poll p = { .timeout = now() + ns };

	if (hyp_sched_op(SCHEDOP_poll, &p))
		panic("poll failed");
}

/* Whether no record of many did not add up. */
static bool all_right(void)
{
	struct patience wait = patience(15000);

	seen = 0;
	changes = 0;
	wrong = 0;
	stop = false;
	vcpu_run(1, read_records, NULL);
	while ((seen < 1000 || changes < 200) && patient(&wait))
		nap(MS / 20);
	stop = true;
	want(vcpu_join(1));
	want(seen >= 1000 && changes >= 200);
	return !wrong;
}

/*
 * Every record of an area that a reader on another vCPU finds whole, by the update
 * flag, adds up: the four times and system time when the vCPU was made are the
 * time at which its state was entered, to the nanosecond.
 */
CASE(vcpu_runstate_adds_up, "VCP-032 VCP-066", ALONE)
{
	struct tries t = { 0 };

	want_eq(hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
	want_eq(register_area(0, &area), 0);
	nap(MS);
	expected = origin(&area);
	want(expected < now());
	/* Xen copies a record without a lock: a wake on another processor may change it then. */
	while (again(&t, all_right()))
		;
	want(t.good);
}

/* Whether the times of vCPU @id are those of the moment at which they are read. */
static bool counts_on(unsigned int id)
{
	struct vcpu_runstate_info r = { 0 };
	uint64_t made;
	unsigned int i;

	want_eq(hyp_vcpu_op(VCPUOP_get_runstate_info, id, &r), 0);
	made = now() - r.time[0] - r.time[1] - r.time[2] - r.time[3];
	for (i = 0; i < 50; i++) {
		uint64_t before = now(), at;

		want_eq(hyp_vcpu_op(VCPUOP_get_runstate_info, id, &r), 0);
		at = r.time[0] + r.time[1] + r.time[2] + r.time[3] + made;
		/* "made" may be late by the time that the first call took. */
		if (at + CLOCK_SLACK < before || entered(&r) > now() + CLOCK_SLACK)
			return false;
		/* Neither state is left meanwhile: all of it comes from this call. */
		if (i % 25 == 0)
			delay(20 * MS);
	}
	return true;
}

/*
 * VCPUOP_get_runstate_info counts up to the moment of the call: for the caller, and
 * for a vCPU that is down, the four times and system time when the vCPU was made
 * are the time of the call.
 */
CASE(vcpu_runstate_now, "VCP-027", 0)
{
	unsigned int id;

	for (id = 0; id < 2; id++) {
		struct tries t = { 0 };

		/* A clock that is behind the one by which a state was entered counts nothing. */
		while (again(&t, counts_on(id)))
			;
		want(t.good);
	}
}

static struct vcpu_runstate_info mine, others;
static volatile bool other_ran;

static bool is_offline(unsigned int id)
{
	struct vcpu_runstate_info r = { 0 };

	want_eq(hyp_vcpu_op(VCPUOP_get_runstate_info, id, &r), 0);
	return r.state == RUNSTATE_offline;
}

static void note_state(void *arg)
{
	nap(MS);
	other_ran = READ_ONCE(others.state) == RUNSTATE_running;
}

/*
 * An area that is registered for another vCPU shows that vCPU's states: offline while
 * it is down, running when it looks itself; the caller's area stays the caller's.
 */
CASE(vcpu_runstate_whose, "VCP-029 VCP-067", 0)
{
	struct tries t = { 0 };
	uint64_t offline;

	vcpu_run(1, note_state, NULL);
	want(vcpu_join(1));
	want_eq(register_area(0, &mine), 0);
	do {
		/* Its processor need not have noticed yet that the vCPU is down. */
		want(until(is_offline(1), 5000));
		memset(&others, 0xff, sizeof(others));
		want_eq(register_area(1, &others), 0);
		want_eq(others.state, RUNSTATE_offline);
		offline = others.time[RUNSTATE_offline];
		want(offline < now());
		nap(5 * MS);
		want_eq(mine.state, RUNSTATE_running);
		vcpu_run(1, note_state, NULL);
		want(vcpu_join(1));
		want(other_ran);
		want(others.time[RUNSTATE_blocked] > 0);
	} while (again(&t, others.time[RUNSTATE_offline] >= offline + 5 * MS - CLOCK_SLACK / 5));
	want(t.good);
	nap(MS);
	want_eq(mine.state, RUNSTATE_running);
	want(mine.time[RUNSTATE_offline] < others.time[RUNSTATE_offline]);
}

/*
 * VCPUOP_set_singleshot_timer with a time in the past raises VIRQ_TIMER at once while
 * a later timeout is set, and replaces that.
 */
CASE(vcpu_singleshot_past_armed, "VCP-039 VCP-040", 0)
{
	unsigned int p = timer_open();
	struct vcpu_set_singleshot_timer timer = { 0 };
	struct tries t = { 0 };
	uint64_t at;

	do {
		port_clear(p);
		at = now() + 100 * MS;
		timer.timeout_abs_ns = at;
		want_eq(hyp_vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0);
		timer.timeout_abs_ns = 1;
		want_eq(hyp_vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0);
		want(until(port_pending(p), 2000));
		port_clear(p);
	} while (again(&t, now() < at - CLOCK_SLACK));
	want(t.good);
	while (now() < at + 30 * MS)
		rt_yield();
	want(!port_pending(p));
	evtchn_close(p);
}
