// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many vCPUs: starting and stopping them.
 *
 * A vCPU is given its whole initial state by hypercall and starts in 64-bit
 * kernel mode with page tables on; there is no trampoline.
 */
#include <linux/cpu.h>
#include <linux/init.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/hotplug.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/cpu.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/idtentry.h>
#include <asm/smp.h>
#include <asm/spec-ctrl.h>

#include "batch.h"
#include "internal.h"

/* vCPUs whose initial state the hypervisor has: that can be given only once. */
static cpumask_t initialised;

/* First C code of a secondary vCPU; also where a stopped one comes back. */
__visible void pvguest_ap_start(void)
{
	unsigned int cpu = smp_processor_id();

	cr4_init();
	cpu_init_exception_handling(false);
	cpuhp_ap_sync_alive();
	cpu_init();
	fpu__init_cpu();
	rcutree_report_cpu_starting(cpu);
	pvguest_register_callbacks();

	smp_store_cpu_info(cpu);
	set_cpu_sibling_map(cpu);
	speculative_store_bypass_ht_init();

	notify_cpu_starting(cpu);
	set_cpu_online(cpu, true);
	/* Online before anybody counts on our interrupts. */
	smp_mb();

	pvguest_timer_cpu_up(cpu);
	local_irq_enable();
	cpu_startup_entry(CPUHP_AP_ONLINE_IDLE);
}

static int give_context(unsigned int cpu, struct task_struct *idle)
{
	struct vcpu_guest_context *ctxt;
	struct desc_struct *gdt = get_cpu_gdt_rw(cpu);
	const struct trap_info *t;
	unsigned long flags;
	long ret;

	if (cpumask_test_cpu(cpu, &initialised))
		return 0;

	ctxt = kzalloc(sizeof(*ctxt), GFP_KERNEL);
	if (!ctxt)
		return -ENOMEM;

	ctxt->flags = VGCF_IN_KERNEL;
	ctxt->user_regs.rip = (unsigned long)pvguest_ap_entry;
	ctxt->user_regs.rsp = (unsigned long)task_pt_regs(idle);
	ctxt->user_regs.rflags = X86_EFLAGS_FIXED;
	ctxt->user_regs.cs = __KERNEL_CS;
	ctxt->user_regs.ss = __KERNEL_DS;
	ctxt->kernel_ss = __KERNEL_DS;
	ctxt->kernel_sp = task_top_of_stack(idle);
	ctxt->gs_base_kernel = cpu_kernelmode_gs_base(cpu);
	for (t = pvguest_trap_table; t->address; t++)
		ctxt->trap_ctxt[t->vector] = *t;
	ctxt->event_callback_eip = (unsigned long)pvguest_event_entry;
	ctxt->failsafe_callback_eip = (unsigned long)pvguest_failsafe_entry;
	ctxt->syscall_callback_eip = (unsigned long)pvguest_syscall64_entry;
	ctxt->ctrlreg[3] = xen_pfn_to_cr3(pv_virt_to_mfn(init_top_pgt));
	ctxt->gdt_frames[0] = pv_virt_to_mfn(gdt);
	ctxt->gdt_ents = GDT_ENTRIES;

	flags = pv_batch_begin();
	pvguest_queue_protect(__pa(gdt) >> PAGE_SHIFT, false);
	pv_batch_flush();
	local_irq_restore(flags);
	pvguest_gdt_loaded(cpu, ctxt->gdt_frames[0]);

	ret = hyp_vcpu_op(VCPUOP_initialise, cpu, ctxt);
	kfree(ctxt);
	if (ret) {
		pr_err("pvguest: vCPU %u cannot be initialised: %ld\n", cpu, ret);
		return ret;
	}
	cpumask_set_cpu(cpu, &initialised);
	return 0;
}

static int pv_kick_ap_alive(unsigned int cpu, struct task_struct *idle)
{
	int ret;

	ret = common_cpu_up(cpu, idle);
	if (ret)
		return ret;
	if (!cpumask_test_cpu(cpu, &initialised)) {
		ret = pvguest_vcpu_setup(cpu);
		if (ret)
			return ret;
		pvguest_vtime_cpu_up(cpu);
	}
	per_cpu(pvguest_vcpu_info, cpu).evtchn_upcall_mask = 1;
	ret = pvguest_events_cpu_up(cpu) ?: give_context(cpu, idle) ?:
	      pvguest_ipi_cpu_up(cpu) ?: pvguest_timer_prepare(cpu);
	if (ret)
		return ret;
	return hyp_vcpu_op(VCPUOP_up, cpu, NULL);
}

static void __init pv_prepare_boot_cpu(void)
{
	native_smp_prepare_boot_cpu();
	pvguest_boot_cpu_ready();
}

static void __init pv_prepare_cpus(unsigned int max_cpus)
{
	smp_prepare_cpus_common();
	speculative_store_bypass_ht_init();
	cpumask_set_cpu(0, &initialised);
}

static void __init pv_cpus_done(unsigned int max_cpus)
{
}

static void pv_poll_sync_state(void)
{
	hyp_sched_op(SCHEDOP_yield, NULL);
}

#ifdef CONFIG_HOTPLUG_CPU
static int pv_cpu_disable(void)
{
	if (!smp_processor_id())
		return -EBUSY;
	cpu_disable_common();
	load_cr3(swapper_pg_dir);
	return 0;
}

static void pv_cleanup_dead_cpu(unsigned int cpu)
{
	pvguest_ipi_cpu_down(cpu);
	pvguest_timer_cpu_down(cpu);
}

/* Wait until the hypervisor agrees that the vCPU has stopped. */
static void pv_cpu_die(unsigned int cpu)
{
	while (hyp_vcpu_op(VCPUOP_is_up, cpu, NULL) > 0)
		hyp_sched_op(SCHEDOP_yield, NULL);
}

static void __noreturn pv_play_dead(void)
{
	play_dead_common();
	hyp_vcpu_op(VCPUOP_down, smp_processor_id(), NULL);
	/* Started again: forget the old stack and begin anew. */
	pvguest_ap_again(task_pt_regs(current));
	BUG();
}
#endif

static void stop_self(void *unused)
{
	set_cpu_online(smp_processor_id(), false);
	local_irq_disable();
	for (;;)
		hyp_vcpu_op(VCPUOP_down, smp_processor_id(), NULL);
}

static void pv_stop_other_cpus(int wait)
{
	smp_call_function(stop_self, NULL, wait);
}

/** pvguest_smp_init() - take over vCPU start and stop */
void __init pvguest_smp_init(void)
{
	smp_ops.smp_prepare_boot_cpu = pv_prepare_boot_cpu;
	smp_ops.smp_prepare_cpus = pv_prepare_cpus;
	smp_ops.smp_cpus_done = pv_cpus_done;
	smp_ops.kick_ap_alive = pv_kick_ap_alive;
	smp_ops.poll_sync_state = pv_poll_sync_state;
	smp_ops.stop_other_cpus = pv_stop_other_cpus;
#ifdef CONFIG_HOTPLUG_CPU
	smp_ops.cpu_disable = pv_cpu_disable;
	smp_ops.cpu_die = pv_cpu_die;
	smp_ops.cleanup_dead_cpu = pv_cleanup_dead_cpu;
	smp_ops.play_dead = pv_play_dead;
#endif
}
