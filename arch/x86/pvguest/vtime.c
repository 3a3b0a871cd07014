// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual time: how long a vCPU ran, and how long it was kept waiting.
 *
 * The hypervisor accounts each vCPU's time by state (xen/vcpu.h,
 * struct vcpu_runstate_info) in an area that we register.  Time spent
 * runnable but not running is what Linux calls stolen.
 */
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <linux/static_call.h>
#include <asm/paravirt.h>
#include <asm/qspinlock.h>

#include "internal.h"

static DEFINE_PER_CPU(struct vcpu_runstate_info, pv_runstate);

static u64 pv_steal_clock_read(int cpu)
{
	const struct vcpu_runstate_info *r = per_cpu_ptr(&pv_runstate, cpu);
	u64 entry, waiting;

	/* The area is rewritten when the state changes; entry time tells. */
	do {
		entry = READ_ONCE(r->state_entry_time);
		/* The entry time before and after what it covers. */
		virt_rmb();
		waiting = READ_ONCE(r->time[RUNSTATE_runnable]) +
			  READ_ONCE(r->time[RUNSTATE_offline]);
		/* See above. */
		virt_rmb();
	} while (entry != READ_ONCE(r->state_entry_time) ||
		 (entry & XEN_RUNSTATE_UPDATE));
	return waiting;
}

__visible bool pvguest_vcpu_is_preempted(long cpu)
{
	return READ_ONCE(per_cpu(pv_runstate.state, cpu)) == RUNSTATE_runnable;
}
PV_CALLEE_SAVE_REGS_THUNK(pvguest_vcpu_is_preempted);

/** pvguest_vtime_cpu_up() - start accounting a vCPU's time */
void pvguest_vtime_cpu_up(unsigned int cpu)
{
	struct vcpu_register_runstate_memory_area area;

	area.addr.v = per_cpu_ptr(&pv_runstate, cpu);
	if (hyp_vcpu_op(VCPUOP_register_runstate_memory_area, cpu, &area))
		pr_warn_once("pvguest: no account of stolen time\n");
}

/** pvguest_vtime_init() - let the scheduler know about stolen time */
void __init pvguest_vtime_init(void)
{
	/* Ask for the flag that marks an update in progress. */
	hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag);
	static_call_update(pv_steal_clock, pv_steal_clock_read);
	static_key_slow_inc(&paravirt_steal_enabled);
#ifdef CONFIG_PARAVIRT_SPINLOCKS
	pv_ops.lock.vcpu_is_preempted = PV_CALLEE_SAVE(pvguest_vcpu_is_preempted);
#endif
}
