// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual time: how long a vCPU ran, and how long it was kept waiting.
 *
 * The hypervisor accounts each vCPU's time by state (xen/vcpu.h,
 * struct vcpu_runstate_info) in an area that we register.  Time spent
 * runnable but not running is what Linux calls stolen, and so is time that the
 * tool stack had the vCPU stopped; time for which this guest itself had
 * switched it off is not, though it has the same state.
 */
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <linux/static_call.h>
#include <linux/time64.h>
#include <asm/paravirt.h>
#include <asm/qspinlock.h>

#include "internal.h"

static DEFINE_PER_CPU(struct vcpu_runstate_info, pv_runstate);

/**
 * struct pv_off_time - which part of a vCPU's offline time is not stolen
 * @off: switched off by this guest, as all but the boot vCPU are at first
 * @stolen: ns of offline time that were stolen when it was switched off
 * @own: ns of offline time that were not, while it is on
 *
 * Changes on the vCPU itself, while the scheduler does not use it.
 */
struct pv_off_time {
	bool off;
	u64 stolen;
	u64 own;
};

static DEFINE_PER_CPU(struct pv_off_time, pv_off_time) = { .off = true };

/* Time in states, of one moment. */
static void pv_read_runstate(unsigned int cpu, u64 *runnable, u64 *offline)
{
	const struct vcpu_runstate_info *r = per_cpu_ptr(&pv_runstate, cpu);
	u64 entry;

	/* The area is rewritten when the state changes; entry time shows it. */
	do {
		entry = READ_ONCE(r->state_entry_time);
		/* The entry time before and after what it covers. */
		virt_rmb();
		*runnable = READ_ONCE(r->time[RUNSTATE_runnable]);
		*offline = READ_ONCE(r->time[RUNSTATE_offline]);
		/* See above. */
		virt_rmb();
	} while (entry != READ_ONCE(r->state_entry_time) ||
		 (entry & XEN_RUNSTATE_UPDATE));
}

static u64 pv_stolen_offline(unsigned int cpu, u64 offline)
{
	const struct pv_off_time *t = per_cpu_ptr(&pv_off_time, cpu);

	return READ_ONCE(t->off) ? t->stolen : offline - t->own;
}

/*
 * Linux asks this of the vCPU it runs on at each tick, and of any vCPU whenever
 * it updates that one's run-queue clock.  Both subtract what they read
 * last, so it must never go back: a step of one nanosecond would look like
 * centuries.
 */
static u64 pv_steal_clock_read(int cpu)
{
	u64 runnable, offline;

	pv_read_runstate(cpu, &runnable, &offline);
	return runnable + pv_stolen_offline(cpu, offline);
}

/* Stolen between two timer events, that is a pause, and not contention. */
#define PV_PAUSE_NS	NSEC_PER_SEC

static DEFINE_PER_CPU(u64, pv_stolen_before);

/**
 * pvguest_vtime_was_paused() - was this vCPU kept from running for long?
 *
 * Since the last call on this vCPU, as the tool stack does to a whole domain
 * when it pauses it.
 *
 * Context: the vCPU itself, events masked.
 * Return: true if it was.
 */
bool pvguest_vtime_was_paused(void)
{
	u64 stolen = pv_steal_clock_read(smp_processor_id());
	u64 before = this_cpu_read(pv_stolen_before);

	this_cpu_write(pv_stolen_before, stolen);
	return stolen - before >= PV_PAUSE_NS;
}

/**
 * pvguest_vtime_cpu_stops() - this vCPU is about to switch itself off
 *
 * Its offline time is not stolen from here to pvguest_vtime_cpu_starts().
 *
 * Context: the vCPU itself, events masked.
 */
void pvguest_vtime_cpu_stops(void)
{
	struct pv_off_time *t = this_cpu_ptr(&pv_off_time);
	u64 runnable, offline;

	pv_read_runstate(smp_processor_id(), &runnable, &offline);
	t->stolen = offline - t->own;
	WRITE_ONCE(t->off, true);
}

/**
 * pvguest_vtime_cpu_starts() - this vCPU has been switched on
 *
 * Its offline time is stolen from here on.
 *
 * Context: the vCPU itself, before the scheduler uses its stolen time.
 */
void pvguest_vtime_cpu_starts(void)
{
	struct pv_off_time *t = this_cpu_ptr(&pv_off_time);
	u64 runnable, offline;

	pv_read_runstate(smp_processor_id(), &runnable, &offline);
	t->own = offline - t->stolen;
	WRITE_ONCE(t->off, false);
}

/**
 * pvguest_vcpu_is_preempted() - is a vCPU kept from running?
 * @cpu: the vCPU
 *
 * By others that run, or because the tool stack or this guest has stopped it.  One
 * that is blocked is not: it is idle, or has given its processor away.  A hint for
 * spinning locks: it may change at once.
 *
 * Context: any.
 * Return: true if it is.
 */
__visible bool pvguest_vcpu_is_preempted(long cpu)
{
	int state = READ_ONCE(per_cpu_ptr(&pv_runstate, cpu)->state);

	return state == RUNSTATE_runnable || state == RUNSTATE_offline;
}

PV_CALLEE_SAVE_REGS_THUNK(pvguest_vcpu_is_preempted);

/**
 * pvguest_vtime_cpu_up() - start accounting a vCPU's time
 * @cpu: the vCPU, which has not been started or is the caller
 *
 * If the hypervisor refuses, that is logged once, and no time counts as stolen.
 *
 * Context: process, or boot.
 */
void pvguest_vtime_cpu_up(unsigned int cpu)
{
	struct vcpu_register_runstate_memory_area area;
	long ret;

	area.addr.v = per_cpu_ptr(&pv_runstate, cpu);
	ret = hyp_vcpu_op(VCPUOP_register_runstate_memory_area, cpu, &area);
	if (ret)
		pr_warn_once("pvguest: runstate area: refused by the hypervisor (%ld); stolen time is not counted\n",
			     ret);
}

/**
 * pvguest_vtime_init() - let the scheduler know about stolen time
 *
 * Context: boot, after pvguest_vtime_cpu_up() of the boot vCPU.
 */
void __init pvguest_vtime_init(void)
{
	pvguest_vtime_cpu_starts();
	static_call_update(pv_steal_clock, pv_steal_clock_read);
	static_key_slow_inc(&paravirt_steal_enabled);
	/*
	 * A run queue's clock is updated by other vCPUs as well, and they can
	 * read the area only if an update in progress is marked in it.
	 */
	if (!hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag))
		static_key_slow_inc(&paravirt_steal_rq_enabled);
#ifdef CONFIG_PARAVIRT_SPINLOCKS
	pv_ops.lock.vcpu_is_preempted = PV_CALLEE_SAVE(pvguest_vcpu_is_preempted);
#endif
}
