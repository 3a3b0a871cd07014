// SPDX-License-Identifier: MIT
/* vCPUs: up and down, runstate, timers. */
#include "common.h"

static void spin(void *arg)
{
	while (!READ_ONCE(*(bool *)arg))
		cpu_relax();
}

/*
 * vcpu_op returns -ENOENT for a vCPU that does not exist, whatever the
 * operation.
 */
CASE(vcpu_none, "VCP-001", 0)
{
	unsigned int op, n = vcpu_number();

	for (op = 0; op <= VCPUOP_register_vcpu_time_memory_area; op++) {
		want_eq(hyp_vcpu_op(op, n, BAD_PTR), -ENOENT);
		want_eq(hyp_vcpu_op(op, 0xffffffff, BAD_PTR), -ENOENT);
	}
	want_eq(hyp_vcpu_op(99, n, NULL), -ENOENT);
}

/* vcpu_op returns -ENOSYS for an unknown operation on an existing vCPU. */
CASE(vcpu_unknown_op, "VCP-002", 0)
{
	want_eq(hyp_vcpu_op(99, 0, NULL), -ENOSYS);
	want_eq(hyp_vcpu_op(0x7fffffff, 0, NULL), -ENOSYS);
}

/* VCPUOP_up refuses a vCPU that was never initialised. */
CASE(vcpu_up_uninitialised, "VCP-017", 0)
{
	unsigned int last = vcpu_number() - 1;

	needs(last && !vcpus[last].started, "every vCPU is initialised");
	want_eq(hyp_vcpu_op(VCPUOP_up, last, NULL), -EINVAL);
	want_eq(hyp_vcpu_op(VCPUOP_is_up, last, NULL), 0);
}

/*
 * VCPUOP_is_up returns 1 for the caller and for a running vCPU, 0 for one that
 * was taken down.
 */
CASE(vcpu_is_up, "VCP-023 HCN-024", 0)
{
	bool stop = false;

	want_eq(hyp_vcpu_op(VCPUOP_is_up, 0, NULL), 1);
	vcpu_run(1, spin, &stop);
	want_eq(hyp_vcpu_op(VCPUOP_is_up, 1, NULL), 1);
	WRITE_ONCE(stop, true);
	want(vcpu_join(1));
	want(until(hyp_vcpu_op(VCPUOP_is_up, 1, NULL) == 0, 5000));
}

/* VCPUOP_up of a vCPU that is up returns 0 and changes nothing. */
CASE(vcpu_up_twice, "VCP-018", 0)
{
	bool stop = false;

	want_eq(hyp_vcpu_op(VCPUOP_up, 0, NULL), 0);
	vcpu_run(1, spin, &stop);
	want_eq(hyp_vcpu_op(VCPUOP_up, 1, NULL), 0);
	want_eq(hyp_vcpu_op(VCPUOP_is_up, 1, NULL), 1);
	WRITE_ONCE(stop, true);
	want(vcpu_join(1));
}

static volatile long down_result;
static volatile unsigned int down_stage;

static void go_down(void *arg)
{
	down_stage = 1;
	down_result = hyp_vcpu_op(VCPUOP_down, self()->id, NULL);
	down_stage = 2;
}

/*
 * VCPUOP_down of the caller stops it within the call; after VCPUOP_up the call
 * returns 0.
 */
CASE(vcpu_down_self, "VCP-019", 0)
{
	down_stage = 0;
	down_result = 77;
	vcpu_run(1, go_down, NULL);
	want(until(down_stage == 1 && hyp_vcpu_op(VCPUOP_is_up, 1, NULL) == 0,
		   5000));
	until(false, 5);
	want_eq(down_stage, 1);
	want_eq(hyp_vcpu_op(VCPUOP_up, 1, NULL), 0);
	want(vcpu_join(1));
	want_eq(down_stage, 2);
	want_eq(down_result, 0);
}

static struct vcpu_runstate_info runstate(unsigned int vcpu)
{
	struct vcpu_runstate_info r;

	memset(&r, 0xff, sizeof(r));
	if (hyp_vcpu_op(VCPUOP_get_runstate_info, vcpu, &r))
		panic("get_runstate_info failed");
	return r;
}

static volatile unsigned long counter;
static volatile bool counter_stop;

static void count(void *arg)
{
	while (!counter_stop)
		counter++;
}

/*
 * VCPUOP_down of another vCPU stops it; VCPUOP_up lets it continue from there.
 */
CASE(vcpu_down_other, "VCP-020", 0)
{
	unsigned long at;

	counter = 0;
	counter_stop = false;
	vcpu_run(1, count, NULL);
	want(until(counter > 1000, 5000));
	want_eq(hyp_vcpu_op(VCPUOP_down, 1, NULL), 0);
	want_eq(hyp_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
	/* Its processor need not have noticed yet. */
	want(until(runstate(1).state == RUNSTATE_offline, 5000));
	at = counter;
	until(false, 20);
	want_eq(counter, at);
	want_eq(hyp_vcpu_op(VCPUOP_up, 1, NULL), 0);
	want(until(counter > at, 5000));
	counter_stop = true;
	want(vcpu_join(1));
}

/* VCPUOP_down of a vCPU that is down returns 0. */
CASE(vcpu_down_twice, "VCP-021", 0)
{
	vcpu_run(1, nothing, NULL);
	want(vcpu_join(1));
	want(until(hyp_vcpu_op(VCPUOP_is_up, 1, NULL) == 0, 5000));
	want_eq(hyp_vcpu_op(VCPUOP_down, 1, NULL), 0);
	want_eq(hyp_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
}

/* VCPUOP_down of the last running vCPU is a poweroff. */
CASE(vcpu_down_last, "VCP-022", DIES)
{
	dying("poweroff");
	hyp_vcpu_op(VCPUOP_down, 0, NULL);
}

static uint64_t total(const struct vcpu_runstate_info *r)
{
	return r->time[0] + r->time[1] + r->time[2] + r->time[3];
}

/*
 * VCPUOP_get_runstate_info returns -EFAULT for a buffer that cannot be
 * written.
 */
CASE(vcpu_runstate_fault, "VCP-024", 0)
{
	want_eq(hyp_vcpu_op(VCPUOP_get_runstate_info, 0, BAD_PTR), -EFAULT);
	want_eq(hyp_vcpu_op(VCPUOP_get_runstate_info, 0, XEN_PTR), -EFAULT);
}

/*
 * The runstate of the caller is running, entered at a time that is not in the
 * future.
 */
CASE(vcpu_runstate_self, "VCP-025", 0)
{
	struct vcpu_runstate_info r;
	struct tries t = { 0 };

	/* A vCPU that has moved may have been entered by a clock that is ahead. */
	do {
		r = runstate(0);
		want_eq(r.state, RUNSTATE_running);
	} while (again(&t, r.state_entry_time <= now()));
	want(t.good);
}

static volatile bool blocker_ready;

static void blocker(void *arg)
{
	blocker_ready = true;
	hyp_sched_op(SCHEDOP_block, NULL);
	events_off();
}

/*
 * The runstate of a vCPU that waits is blocked, of one that was taken down
 * offline.
 */
CASE(vcpu_runstate_other, "VCP-026 VCP-023", 0)
{
	int p = evtchn_ipi(1);

	port_clear(p);
	port_open(p);
	vcpus[1].info->evtchn_upcall_pending = 0;
	vcpus[1].info->evtchn_pending_sel = 0;
	blocker_ready = false;
	vcpu_run(1, blocker, NULL);
	want(until(blocker_ready && runstate(1).state == RUNSTATE_blocked, 5000));
	want_eq(hyp_vcpu_op(VCPUOP_is_up, 1, NULL), 1);
	want_eq(evtchn_send(p), 0);
	want(vcpu_join(1));
	want(until(runstate(1).state == RUNSTATE_offline, 5000));
	evtchn_close(p);
}

/*
 * The four runstate times never decrease, and their sum grows as system time
 * does.
 */
CASE(vcpu_runstate_sum, "VCP-027", 0)
{
	struct tries t = { 0 };

	do {
		struct vcpu_runstate_info a = runstate(0), b;
		uint64_t start = now(), passed, grown;
		unsigned int i;

		until(false, 100);
		b = runstate(0);
		passed = now() - start;
		for (i = 0; i < 4; i++)
			want(b.time[i] >= a.time[i]);
		grown = total(&b) - total(&a);
		/* No state may have lasted longer than system time. */
		for (i = 0; i < 4; i++)
			want(b.time[i] <= now());
		t.good = grown <= passed + passed / 5 && grown + passed / 5 >= passed;
	} while (again(&t, t.good));
	want(t.good);
}

static long register_runstate(struct vcpu_runstate_info *area)
{
	struct vcpu_register_runstate_memory_area r;

	set_xen_guest_handle(r.addr.h, area);
	return hyp_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &r);
}

/*
 * VCPUOP_register_runstate_memory_area refuses an unreadable argument and an
 * area in the hypervisor's range.
 */
CASE(vcpu_runstate_area_fault, "VCP-028", 0)
{
	want_eq(hyp_vcpu_op(VCPUOP_register_runstate_memory_area, 0, BAD_PTR),
		-EFAULT);
	want_eq(register_runstate(XEN_PTR), -EFAULT);
}

/* A registered runstate area is filled before the call returns. */
CASE(vcpu_runstate_area, "VCP-029", 0)
{
	static struct vcpu_runstate_info area;
	struct tries t = { 0 };
	uint64_t before;

	do {
		before = now();
		memset(&area, 0xff, sizeof(area));
		want_eq(register_runstate(&area), 0);
		want_eq(area.state, RUNSTATE_running);
		want(total(&area) <= before * 4 + 1000000 * MS);
	} while (again(&t, (area.state_entry_time & ~XEN_RUNSTATE_UPDATE) <= now()));
	want(t.good);
}

static void sleep_ms(unsigned int ms)
{
	struct sched_poll p = { .timeout = now() + ms * MS };

	if (hyp_sched_op(SCHEDOP_poll, &p))
		panic("poll failed");
}

/*
 * The runstate area is rewritten when the vCPU is scheduled: a sleep counts as
 * blocked time.
 */
CASE(vcpu_runstate_area_kept, "VCP-030", 0)
{
	static struct vcpu_runstate_info area;
	struct tries t = { 0 };
	uint64_t before, blocked;

	want_eq(register_runstate(&area), 0);
	do {
		before = area.time[RUNSTATE_blocked];
		sleep_ms(50);
		want_eq(area.state, RUNSTATE_running);
		blocked = area.time[RUNSTATE_blocked] - before;
	} while (again(&t, blocked >= 40 * MS && blocked < 1000 * MS));
	want(t.good);
}

/* The hypervisor drops updates of a runstate area that is no longer mapped. */
CASE(vcpu_runstate_area_gone, "VCP-031", 0)
{
	static struct vcpu_runstate_info harmless;
	char *page = page_alloc();
	struct vcpu_runstate_info *area = window(2);

	want_eq(map(area, mk_pte(page, PTE_RW)), 0);
	want_eq(register_runstate(area), 0);
	want_eq(area->state, RUNSTATE_running);
	want_eq(map(area, 0), 0);
	sleep_ms(5);
	want_eq(register_runstate(&harmless), 0);
	sleep_ms(5);
	want(harmless.time[RUNSTATE_blocked] > 0);
	page_free(page);
}

static volatile bool watch_stop;
static volatile unsigned int odd_seen, torn_seen, looks;
static struct vcpu_runstate_info watched;

static void watch(void *arg)
{
	while (!watch_stop) {
		uint64_t a = READ_ONCE(watched.state_entry_time), sum;
		struct vcpu_runstate_info copy;

		looks++;
		barrier();
		memcpy(&copy, &watched, sizeof(copy));
		barrier();
		if (a & XEN_RUNSTATE_UPDATE) {
			odd_seen++;
			continue;
		}
		if (READ_ONCE(watched.state_entry_time) != a)
			continue;
		sum = total(&copy);
		if (copy.state > RUNSTATE_offline || sum > now() * 8 + 1000000 * MS)
			torn_seen++;
	}
}

/*
 * With the update flag enabled a reader on another vCPU that checks it never
 * reads a torn record, and the flag is clear at rest.
 */
CASE(vcpu_runstate_update_flag, "VCP-032", ALONE)
{
	unsigned int i;

	want_eq(hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
	want_eq(register_runstate(&watched), 0);
	watch_stop = false;
	vcpu_run(1, watch, NULL);
	for (i = 0; i < 50; i++)
		sleep_ms(1);
	watch_stop = true;
	want(vcpu_join(1));
	want_eq(torn_seen, 0);
	want_eq(watched.state_entry_time & XEN_RUNSTATE_UPDATE, 0);
}

/* Whether the other vCPU looks at the record within some microseconds of this one's. */
static bool looks_now(void)
{
	uint64_t end = rdtsc() + 20000;
	unsigned int before = looks;

	while (looks == before && rdtsc() < end)
		;
	return looks != before;
}

/*
 * With the update flag enabled the flag is set while the area changes: a reader
 * on another vCPU sees it, sooner or later, where the two run at one time.
 */
CASE(vcpu_runstate_update_seen, "VCP-032", ALONE)
{
	unsigned int together = 0;
	struct patience wait;

	want_eq(hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
	want_eq(register_runstate(&watched), 0);
	odd_seen = 0;
	watch_stop = false;
	vcpu_run(1, watch, NULL);
	wait = patience(20000);
	while (!odd_seen && patient(&wait)) {
		together += looks_now();
		sleep_ms(1);
	}
	watch_stop = true;
	want(vcpu_join(1));
	needs(odd_seen || together > 200, "the two vCPUs do not run at one time here");
	want(odd_seen);
}

static bool feature(unsigned int number)
{
	struct xen_feature_info f = { .submap_idx = number / 32 };

	return hyp_xen_version(XENVER_get_features, &f) == 0 &&
	       f.submap >> (number % 32) & 1;
}

/*
 * Registration by frame number works where the hypervisor reports it, else it
 * returns -ENOSYS.
 */
CASE(vcpu_phys_areas, "VCP-033 VCP-060", 0)
{
	/* Operations 14 and 15, features 18 and 19 are newer than our headers. */
	struct { uint64_t addr; } area = { .addr = 0 };
	char *page = page_alloc();

	area.addr = virt_maddr(page) + 64;
	if (!feature(18)) {
		want_eq(hyp_vcpu_op(14, 0, &area), -ENOSYS);
	} else {
		struct vcpu_runstate_info *r = (void *)(page + 64);

		area.addr = ((uint64_t)virt_pfn(page) << PAGE_SHIFT) + 64;
		if (hyp_vcpu_op(14, 0, &area)) {
			area.addr = virt_maddr(page) + 64;
			want_eq(hyp_vcpu_op(14, 0, &area), 0);
		}
		want_eq(r->state, RUNSTATE_running);
		area.addr = ~0ULL;
		want_eq(hyp_vcpu_op(14, 0, &area), 0);
	}
	if (!feature(19))
		want_eq(hyp_vcpu_op(15, 0, &area), -ENOSYS);
	page_free(page);
}

static long periodic(uint64_t ns)
{
	struct vcpu_set_periodic_timer t = { .period_ns = ns };

	return hyp_vcpu_op(VCPUOP_set_periodic_timer, 0, &t);
}

/*
 * VCPUOP_set_periodic_timer refuses periods below a millisecond and unlimited
 * ones.
 */
CASE(vcpu_periodic_range, "VCP-034 VCP-035", 0)
{
	want_eq(periodic(MS - 1), -EINVAL);
	want_eq(periodic(0), -EINVAL);
	want_eq(periodic(~0ULL), -EINVAL);
	want_eq(periodic((1ULL << 63) + 5), -EINVAL);
	want_eq(hyp_vcpu_op(VCPUOP_set_periodic_timer, 0, BAD_PTR), -EFAULT);
}

/*
 * A periodic timer raises VIRQ_TIMER once a period: no more often, and not
 * much less often.
 */
CASE(vcpu_periodic, "VCP-036 VCP-037", 0)
{
	unsigned int p = timer_open(), ticks;
	struct tries t = { 0 };
	uint64_t start;

	/* A clock that is behind, after a move, makes one attempt longer. */
	do {
		port_clear(p);
		ticks = 0;
		start = now();
		want_eq(periodic(10 * MS), 0);
		while (now() < start + 200 * MS) {
			if (port_pending(p)) {
				port_clear(p);
				ticks++;
			}
			rt_yield();
		}
	} while (again(&t, ticks >= 5 && ticks <= 22));
	want(t.good);
	want_eq(hyp_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
	want_eq(hyp_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
	until(false, 20);
	port_clear(p);
	until(false, 50);
	want(!port_pending(p));
	evtchn_close(p);
}

static long singleshot(unsigned int vcpu, uint64_t at, uint32_t flags)
{
	struct vcpu_set_singleshot_timer t = {
		.timeout_abs_ns = at, .flags = flags,
	};

	return hyp_vcpu_op(VCPUOP_set_singleshot_timer, vcpu, &t);
}

/* VCPUOP_set_singleshot_timer refuses another vCPU than the caller. */
CASE(vcpu_singleshot_other, "VCP-038", 0)
{
	want_eq(singleshot(1, now() + MS, 0), -EINVAL);
	want_eq(hyp_vcpu_op(VCPUOP_stop_singleshot_timer, 1, NULL), -EINVAL);
}

/* The one-shot timer fires once, not before its time. */
CASE(vcpu_singleshot, "VCP-039", 0)
{
	unsigned int p = timer_open(), i, early = 0;
	uint64_t at;

	for (i = 0; i < TIMER_ATTEMPTS; i++) {
		at = now() + 20 * MS;
		want_eq(singleshot(0, at, 0), 0);
		want(until(port_pending(p), 2000));
		early += now() < at - CLOCK_SLACK;
		port_clear(p);
	}
	want(early < TIMER_EARLY);
	until(false, 40);
	want(!port_pending(p));
	evtchn_close(p);
}

/*
 * A timeout in the past fires at once; with VCPU_SSHOTTMR_future it may return
 * -ETIME.
 */
CASE(vcpu_singleshot_past, "VCP-040 VCP-041", 0)
{
	unsigned int p = timer_open();
	long ret;

	want_eq(singleshot(0, 1, 0), 0);
	want(until(port_pending(p), 500));
	port_clear(p);
	ret = singleshot(0, 1, VCPU_SSHOTTMR_future);
	want_any(ret, 0, -ETIME);
	if (!ret)
		want(until(port_pending(p), 500));
	else
		want(!port_pending(p));
	evtchn_close(p);
}

/*
 * VCPUOP_set_singleshot_timer with an unreadable argument leaves the timer as
 * it was.
 */
CASE(vcpu_singleshot_fault, "VCP-042", 0)
{
	unsigned int p = timer_open();

	want_eq(singleshot(0, now() + 20 * MS, 0), 0);
	want_eq(hyp_vcpu_op(VCPUOP_set_singleshot_timer, 0, BAD_PTR), -EFAULT);
	want(until(port_pending(p), 2000));
	evtchn_close(p);
}

/* VCPUOP_stop_singleshot_timer cancels a timeout, and returns 0 without one. */
CASE(vcpu_singleshot_stop, "VCP-043", 0)
{
	unsigned int p = timer_open();
	struct tries t = { 0 };
	uint64_t at;

	do {
		port_clear(p);
		at = now() + 20 * MS;
		want_eq(singleshot(0, at, 0), 0);
		want_eq(hyp_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
	} while (again(&t, now() < at));
	want(t.good);
	want_eq(hyp_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
	until(false, 50);
	want(!port_pending(p));
	evtchn_close(p);
}

/* VCPUOP_get_physid of a guest's vCPU, which is not pinned, is refused. */
CASE(vcpu_physid, "VCP-057", DOMU)
{
	struct vcpu_get_physid id;

	want_eq(hyp_vcpu_op(VCPUOP_get_physid, 0, &id), -EINVAL);
}

static bool same_rate(const struct vcpu_time_info *area)
{
	struct vcpu_time_info t = time_snap(0);

	return near(area->tsc_to_system_mul, t.tsc_to_system_mul) && area->tsc_shift == t.tsc_shift;
}

/*
 * A second copy of the time record: bad arguments are refused, a good area is
 * filled and updated.
 */
CASE(vcpu_time_area, "VCP-058 VCP-059", 0)
{
	static struct vcpu_time_info area;
	struct vcpu_register_time_memory_area r;
	uint64_t old;

	want_eq(hyp_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, BAD_PTR),
		-EFAULT);
	set_xen_guest_handle(r.addr.h, (struct vcpu_time_info *)XEN_PTR);
	want_eq(hyp_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &r), -EFAULT);
	set_xen_guest_handle(r.addr.h, &area);
	want_eq(hyp_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &r), 0);
	want_eq(area.version & 1, 0);
	/* It is filled before the call returns, not with the next update. */
	want(area.system_time && area.tsc_to_system_mul);
	/* A calibration between the two looks may change the rate. */
	want(until(same_rate(&area), 1000));
	old = area.system_time;
	want(until(area.system_time > old, 3000));
	set_xen_guest_handle(r.addr.h, (struct vcpu_time_info *)BAD_PTR);
	want_any(hyp_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &r), 0, -EFAULT);
}

static void updown(void *arg)
{
	unsigned int i;

	for (i = 0; i < 300; i++)
		if (hyp_vcpu_op(i & 1 ? VCPUOP_up : VCPUOP_down, 2, NULL))
			*(volatile bool *)arg = true;
}

/*
 * Two vCPUs take a third up and down in any order: every call returns 0, and
 * the third can be brought up in the end.
 */
CASE(vcpu_up_down_race, "VCP-062", 0)
{
	volatile bool bad = false;
	unsigned long at;

	needs(vcpu_number() >= 3, "fewer than three vCPUs");
	counter_stop = false;
	counter = 0;
	vcpu_run(2, count, NULL);
	vcpu_run(1, updown, (void *)&bad);
	updown((void *)&bad);
	want(vcpu_join(1));
	want(!bad);
	want_eq(hyp_vcpu_op(VCPUOP_up, 2, NULL), 0);
	at = counter;
	want(until(counter > at, 5000));
	counter_stop = true;
	want(vcpu_join(2));
}
