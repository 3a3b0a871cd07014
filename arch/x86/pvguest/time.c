// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real time and wall-clock time: clock source, one-shot timer, time of day, and a
 * pause for callers that cannot sleep.
 *
 * The hypervisor keeps, in each vCPU's vcpu_info, what it takes to turn the
 * time-stamp counter into nanoseconds since boot (xen/xen.h,
 * struct vcpu_time_info), the same layout as Linux's pvclock.
 */
#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <asm/hardirq.h>
#include <asm/pvclock.h>
#include <asm/tsc.h>
#include <asm/x86_init.h>
#include <asm/xen/cpuid.h>

#include "internal.h"
#include "ports.h"
#include "tsc_trust.h"

DEFINE_PER_CPU(unsigned int, pvguest_timer_port);
static DEFINE_PER_CPU(struct clock_event_device, pv_timer);

/* Of our clock source; Linux's own on the counter has 299, then 300. */
#define PV_RATING_BELOW_TSC	290
#define PV_RATING_BEST		400

/* Shortest programmable delay and the longest the ABI takes, in ns. */
#define PV_TIMER_MIN_NS		1000
#define PV_TIMER_MAX_NS		BIT_ULL(50)

/* Same layout as Linux's; pinned by hypercall-abi/layout. */
static __always_inline struct pvclock_vcpu_time_info *pv_time_info(void)
{
	/* Until the boot vCPU's own area is registered. */
	if (unlikely(!pvguest_vcpu_ready))
		return (void *)&pvguest_shared_info->vcpu_info[0].time;
	return (void *)&this_cpu_ptr(&pvguest_vcpu_info)->time;
}

/**
 * pvguest_clock_read() - nanoseconds since the hypervisor booted
 *
 * Context: any.  No hypercall: shared memory and the time-stamp counter.
 *
 * Return: the time in ns; it never goes back.
 */
u64 pvguest_clock_read(void)
{
	u64 ns;

	preempt_disable_notrace();
	ns = pvclock_clocksource_read(pv_time_info());
	preempt_enable_notrace();
	return ns;
}

/**
 * pvguest_pause() - let other domains run
 * @us: microseconds at most
 *
 * For a caller that waits for another domain and cannot sleep, as the console
 * in a panic.
 *
 * Context: any, also with interrupts off.
 */
void pvguest_pause(unsigned int us)
{
	struct sched_poll poll = {
		.timeout = pvguest_clock_read() + (u64)us * NSEC_PER_USEC,
	};

	hyp_sched_op(SCHEDOP_poll, &poll);
}
EXPORT_SYMBOL_GPL(pvguest_pause);

static noinstr u64 pv_sched_clock_read(void)
{
	u64 ns;

	preempt_disable_notrace();
	ns = pvclock_clocksource_read_nowd(pv_time_info());
	preempt_enable_notrace();
	return ns;
}

static u64 pv_boot_offset __ro_after_init;

static noinstr u64 pv_sched_clock(void)
{
	return pv_sched_clock_read() - pv_boot_offset;
}

static u64 pv_clocksource_read(struct clocksource *cs)
{
	return pvguest_clock_read();
}

static int pv_clocksource_enable(struct clocksource *cs)
{
	vclocks_set_used(VDSO_CLOCKMODE_PVCLOCK);
	return 0;
}

static struct clocksource pv_clocksource = {
	.name		= "pvguest",
	.rating		= PV_RATING_BELOW_TSC,
	.read		= pv_clocksource_read,
	.mask		= CLOCKSOURCE_MASK(64),
	.flags		= CLOCK_SOURCE_IS_CONTINUOUS,
	.id		= CSID_GENERIC,
};

/*
 * Which clock source Linux prefers:
 *
 *  - The hypervisor itself keeps time by the counter (PVCLOCK_TSC_STABLE_BIT):
 *    ours, and programs read its own time page without a system call.
 *  - The counter may be trusted for another reason (tsc_trust.h): Linux's
 *    own on the counter, which programs can read too.
 *  - Neither: ours, by system call.  The counter is taken off the list; Linux's
 *    watchdog would notice only after time had gone wrong.
 */
static void __init pv_setup_vdso(void)
{
	struct vcpu_register_time_memory_area area;
	struct pvclock_vsyscall_time_info *page;
	u8 flags;

	page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return;
	area.addr.v = (void *)&page->pvti;
	if (hyp_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &area))
		goto free;
	flags = READ_ONCE(page->pvti.flags);
	if (!(flags & PVCLOCK_TSC_STABLE_BIT))
		goto unregister;
	pvclock_set_flags(PVCLOCK_TSC_STABLE_BIT);
	pvclock_set_pvti_cpu0_va(page);
	pv_clocksource.vdso_clock_mode = VDSO_CLOCKMODE_PVCLOCK;
	pv_clocksource.enable = pv_clocksource_enable;
	pv_clocksource.rating = PV_RATING_BEST;
	return;
unregister:
	area.addr.v = NULL;
	if (hyp_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &area))
		return;		/* still written to: must not be reused */
free:
	free_page((unsigned long)page);
}

static bool pv_use_tsc __initdata;

/*
 * Linux decides by these features whether the counter's rate may change, whether
 * it stops, whether vCPUs agree on it, and whether a watchdog has to compare
 * it with another clock.
 */
static void __init pv_judge_tsc(void)
{
	u32 base, features, mode, khz, incarnation;

	base = hypervisor_cpuid_base("XenVMMXenVMM", 2);
	if (!base)
		return;
	cpuid_count(base + 3, 0, &features, &mode, &khz, &incarnation);
	pv_use_tsc = pv_tsc_trusted(features, incarnation);
	if (!pv_use_tsc)
		return;
	setup_force_cpu_cap(X86_FEATURE_CONSTANT_TSC);
	setup_force_cpu_cap(X86_FEATURE_NONSTOP_TSC);
	setup_force_cpu_cap(X86_FEATURE_TSC_RELIABLE);
}

/* Before Linux registers the counter as a clock source, and never later. */
static void __init pv_distrust_tsc(void)
{
	mark_tsc_unstable("hypervisor: not known to be reliable");
	pv_clocksource.rating = PV_RATING_BEST;
}

static unsigned long pv_tsc_khz(void)
{
	setup_force_cpu_cap(X86_FEATURE_TSC_KNOWN_FREQ);
	return pvclock_tsc_khz(pv_time_info());
}

static void pv_get_wallclock(struct timespec64 *now)
{
	const struct shared_info *s = pvguest_shared_info;
	struct pvclock_wall_clock wall;
	u64 ns;
	u32 version, sec_hi;

	/* Like pvclock_read_wallclock(), with the upper half of the seconds. */
	do {
		version = READ_ONCE(s->wc.version) & ~1;
		/* The version before and after what it covers. */
		virt_rmb();
		wall.sec = READ_ONCE(s->wc.sec);
		wall.nsec = READ_ONCE(s->wc.nsec);
		sec_hi = READ_ONCE(s->wc_sec_hi);
		/* See above. */
		virt_rmb();
	} while (version != READ_ONCE(s->wc.version));

	ns = pvguest_clock_read() + wall.nsec;
	now->tv_sec = ((u64)sec_hi << 32 | wall.sec) + div_u64_rem(ns, NSEC_PER_SEC, &version);
	now->tv_nsec = version;
}

static int pv_set_wallclock(const struct timespec64 *now)
{
	return -ENODEV;
}

/* One-shot timer of each vCPU. */

static int pv_timer_set(unsigned long delta, struct clock_event_device *evt)
{
	struct vcpu_set_singleshot_timer op = {
		.timeout_abs_ns = pvguest_clock_read() + delta,
	};

	/* A timeout that has passed is no error (without VCPU_SSHOTTMR_future). */
	WARN_ON_ONCE(hyp_vcpu_op(VCPUOP_set_singleshot_timer,
				 smp_processor_id(), &op));
	return 0;
}

static int pv_timer_stop(struct clock_event_device *evt)
{
	hyp_vcpu_op(VCPUOP_stop_singleshot_timer, smp_processor_id(), NULL);
	hyp_vcpu_op(VCPUOP_stop_periodic_timer, smp_processor_id(), NULL);
	return 0;
}

/**
 * pvguest_timer_event() - the timer of this vCPU has expired
 *
 * Context: upcall.
 */
void pvguest_timer_event(void)
{
	struct clock_event_device *evt = this_cpu_ptr(&pv_timer);

	inc_irq_stat(apic_timer_irqs);
	/* Time went on while the domain was paused; nothing was stuck. */
	if (unlikely(pvguest_vtime_was_paused()))
		pvclock_touch_watchdogs();
	if (evt->event_handler)
		evt->event_handler(evt);
}

/**
 * pvguest_timer_prepare() - give a vCPU the channel of its timer, unless it has it
 * @cpu: the vCPU
 *
 * Return: 0 or a negative error.
 */
int pvguest_timer_prepare(unsigned int cpu)
{
	struct evtchn_bind_virq op = { .virq = VIRQ_TIMER, .vcpu = cpu };
	long ret;

	if (per_cpu(pvguest_timer_port, cpu))
		return 0;
	/* The hypervisor starts a vCPU with a 100 Hz tick that Linux does not use. */
	hyp_vcpu_op(VCPUOP_stop_periodic_timer, cpu, NULL);
	ret = hyp_event_channel_op(EVTCHNOP_bind_virq, &op);
	if (ret)
		return ret;
	ret = pvguest_new_port(op.port, cpu);
	if (ret)
		return ret;
	per_cpu(pvguest_timer_port, cpu) = op.port;
	pvguest_evtchn->unmask(op.port);
	return 0;
}

/**
 * pvguest_timer_cpu_up() - register the timer of the calling vCPU
 * @cpu: the calling vCPU
 *
 * Context: the vCPU itself, after pvguest_timer_prepare().
 */
void pvguest_timer_cpu_up(unsigned int cpu)
{
	struct clock_event_device *evt = per_cpu_ptr(&pv_timer, cpu);

	evt->name = "pvguest";
	evt->features = CLOCK_EVT_FEAT_ONESHOT;
	evt->rating = 500;
	evt->set_next_event = pv_timer_set;
	evt->set_state_shutdown = pv_timer_stop;
	evt->set_state_oneshot_stopped = pv_timer_stop;
	evt->cpumask = cpumask_of(cpu);
	clockevents_config_and_register(evt, NSEC_PER_SEC, PV_TIMER_MIN_NS,
					PV_TIMER_MAX_NS);
}

/**
 * pvguest_timer_cpu_down() - take the timer of a stopped vCPU back
 * @cpu: the vCPU, which has stopped; nothing happens if it has no timer
 *
 * Context: process.
 */
void pvguest_timer_cpu_down(unsigned int cpu)
{
	unsigned int port = per_cpu(pvguest_timer_port, cpu);

	if (!port)
		return;
	per_cpu(pvguest_timer_port, cpu) = 0;
	pvguest_evtchn->mask(port);
	pvguest_close_port(port);
}

static void __init pv_timer_init(void)
{
	int ret = pvguest_timer_prepare(0);

	if (ret)
		panic("pvguest: timer: no event channel (%d); cannot go on", ret);
	pvguest_timer_cpu_up(0);
	pvguest_vtime_cpu_up(0);
	if (!pv_use_tsc)
		pv_distrust_tsc();
	pv_setup_vdso();
	clocksource_register_hz(&pv_clocksource, NSEC_PER_SEC);
	pvguest_vtime_init();
}

/**
 * pvguest_sched_clock_init() - let the scheduler use our clock
 *
 * It counts nanoseconds from this call on.
 *
 * Context: boot, in init_hypervisor_platform().
 */
void __init pvguest_sched_clock_init(void)
{
	pv_boot_offset = pv_sched_clock_read();
	paravirt_set_sched_clock(pv_sched_clock);
}

/**
 * pvguest_time_init() - take over the time operations
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_time_init(void)
{
	pv_judge_tsc();
	pvclock_resume();
	x86_platform.calibrate_tsc = pv_tsc_khz;
	x86_platform.calibrate_cpu = pv_tsc_khz;
	x86_platform.get_wallclock = pv_get_wallclock;
	x86_platform.set_wallclock = pv_set_wallclock;
	x86_init.timers.timer_init = pv_timer_init;
	x86_init.timers.setup_percpu_clockev = x86_init_noop;
	x86_init.timers.wallclock_init = x86_init_noop;
	x86_cpuinit.setup_percpu_clockev = x86_init_noop;
}
