// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many vCPUs: starting and stopping them.
 *
 * A vCPU is given its whole initial state by hypercall and starts in 64-bit
 * kernel mode with page tables on; there is no trampoline.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
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
#include <asm/mmu.h>
#include <asm/smp.h>
#include <asm/spec-ctrl.h>
#include <pvguest/platform.h>

#include "internal.h"
#include "ports.h"

/* I/O privilege level 1 in the flags register. */
#define PV_KERNEL_IOPL	BIT(X86_EFLAGS_IOPL_BIT)

/* vCPUs whose vcpu_info, and whose initial state, the hypervisor has: each once. */
static cpumask_t pv_registered_vcpus;
static cpumask_t pv_initialised_vcpus;
/* vCPUs that are not brought up with the others: not present until these are up. */
static cpumask_t pv_off_vcpus __initdata;

/*
 * First C code of a secondary vCPU, and of one that was off; does not return.
 * Events are masked, and the stack is the idle task's.
 */
static void pv_ap_start(void)
{
	unsigned int cpu = smp_processor_id();

	pvguest_cr4_init();
	cr4_init();
	cpu_init_exception_handling(false);
	cpuhp_ap_sync_alive();
	cpu_init();
	fpu__init_cpu();
	rcutree_report_cpu_starting(cpu);
	pvguest_register_callbacks();
	pvguest_register_ia32_callbacks();

	pvguest_vtime_cpu_starts();
	smp_store_cpu_info(cpu);
	set_cpu_sibling_map(cpu);
	speculative_store_bypass_ht_init();

	notify_cpu_starting(cpu);
	set_cpu_online(cpu, true);
	/* Online before another vCPU relies on interrupts of this one. */
	smp_mb();

	pvguest_timer_cpu_up(cpu);
	local_irq_enable();
	cpu_startup_entry(CPUHP_AP_ONLINE_IDLE);
}

/* A vCPU's first instruction: in the kernel, on the stack of its idle task. */
static void pv_first_registers(struct cpu_user_regs *regs,
			       struct task_struct *idle)
{
	*regs = (struct cpu_user_regs) {
		.cs	= __KERNEL_CS,
		.rip	= (unsigned long)pvguest_ap_entry,
		.rdi	= (unsigned long)pv_ap_start,
		.ss	= __KERNEL_DS,
		.rsp	= (unsigned long)task_pt_regs(idle),
		/*
		 * The hypervisor takes the vCPU's I/O privilege level from here,
		 * once: level 1 lets the kernel use ports, as pvguest_cpu_init()
		 * asks for on the boot vCPU.  A vCPU that goes down and comes back
		 * keeps it.
		 */
		.rflags	= X86_EFLAGS_FIXED | PV_KERNEL_IOPL,
	};
}

/* Where the hypervisor enters the kernel on a vCPU, and with which stack. */
static void pv_entry_points(struct vcpu_guest_context *ctxt,
			    struct task_struct *idle)
{
	pvguest_fill_trap_table(ctxt);
	ctxt->syscall_callback_eip = (unsigned long)pvguest_syscall64_entry;
	ctxt->failsafe_callback_eip = (unsigned long)pvguest_failsafe_entry;
	ctxt->event_callback_eip = (unsigned long)pvguest_event_entry;
	ctxt->kernel_sp = task_top_of_stack(idle);
	ctxt->kernel_ss = __KERNEL_DS;
}

/* Initialise a vCPU, which it can be only once. */
static int pv_give_context(unsigned int cpu, struct task_struct *idle)
{
	void *gdt = get_cpu_gdt_rw(cpu);
	unsigned long gdt_mfn = pvguest_any_virt_to_maddr(gdt) >> PAGE_SHIFT;
	struct vcpu_guest_context *ctxt;
	long ret;

	if (cpumask_test_cpu(cpu, &pv_initialised_vcpus))
		return 0;
	/* Too large for the stack. */
	ctxt = kzalloc(sizeof(*ctxt), GFP_KERNEL);
	if (!ctxt)
		return -ENOMEM;

	pv_first_registers(&ctxt->user_regs, idle);
	pv_entry_points(ctxt, idle);
	ctxt->gdt_ents = GDT_ENTRIES;
	ctxt->gdt_frames[0] = gdt_mfn;
	pvguest_protect_descriptors(gdt, false);
	pvguest_gdt_loaded(cpu, gdt_mfn);
	ctxt->gs_base_kernel = cpu_kernelmode_gs_base(cpu);
	ctxt->ctrlreg[3] = xen_pfn_to_cr3(pv_virt_to_mfn(init_top_pgt));
	ctxt->flags = VGCF_IN_KERNEL;

	ret = hyp_vcpu_op(VCPUOP_initialise, cpu, ctxt);
	kfree(ctxt);
	if (ret) {
		pr_err("pvguest: vCPU %u: cannot be initialised (%ld); left offline\n",
		       cpu, ret);
		return ret;
	}
	cpumask_set_cpu(cpu, &pv_initialised_vcpus);
	return 0;
}

static int pv_register_areas(unsigned int cpu)
{
	int ret;

	if (cpumask_test_cpu(cpu, &pv_registered_vcpus))
		return 0;
	ret = pvguest_vcpu_setup(cpu);
	if (ret)
		return ret;
	pvguest_vtime_cpu_up(cpu);
	cpumask_set_cpu(cpu, &pv_registered_vcpus);
	return 0;
}

/*
 * Start a vCPU.  The hotplug core may come back after any failure, also when we
 * had none and the vCPU did not report in time, so each step keeps what it
 * has, and is passed over when there is nothing left to do.
 */
static int pv_kick_ap_alive(unsigned int cpu, struct task_struct *idle)
{
	int ret;

	ret = common_cpu_up(cpu, idle) ?: pv_register_areas(cpu);
	if (ret)
		return ret;
	per_cpu(pvguest_vcpu_info, cpu).evtchn_upcall_mask = 1;
	ret = pvguest_ports_cpu_up(cpu) ?: pv_give_context(cpu, idle) ?:
	      pvguest_ipi_cpu_up(cpu) ?: pvguest_lock_cpu_up(cpu) ?:
	      pvguest_timer_prepare(cpu);
	if (ret)
		return ret;
	return hyp_vcpu_op(VCPUOP_up, cpu, NULL);
}

static void __init pv_prepare_boot_cpu(void)
{
	native_smp_prepare_boot_cpu();
	pvguest_lock_init();
	pvguest_boot_cpu_ready();
}

static void __init pv_prepare_cpus(unsigned int max_cpus)
{
	smp_prepare_cpus_common();
	speculative_store_bypass_ht_init();
	cpumask_set_cpu(0, &pv_initialised_vcpus);
}

/* CPU devices are made of what is present: of vCPUs that were left off as well. */
static void __init pv_cpus_done(unsigned int max_cpus)
{
	unsigned int cpu;

	for_each_cpu(cpu, &pv_off_vcpus)
		set_cpu_present(cpu, true);
}

/**
 * pvguest_leave_vcpu_off() - have the boot pass over a vCPU
 * @cpu: the vCPU, which is not the boot vCPU
 *
 * It can be brought up as any that was off once the CPU devices are there.
 *
 * Context: early_initcall(), before the other vCPUs are brought up.
 */
void __init pvguest_leave_vcpu_off(unsigned int cpu)
{
	cpumask_set_cpu(cpu, &pv_off_vcpus);
	set_cpu_present(cpu, false);
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
	/*
	 * Everything else stands still.  From here on pv_leave_everywhere()
	 * passes over this vCPU, so it must not keep an address space until
	 * idle_task_exit().
	 */
	leave_mm();
	return 0;
}

static void pv_cleanup_dead_cpu(unsigned int cpu)
{
	pvguest_ipi_cpu_down(cpu);
	pvguest_lock_cpu_down(cpu);
	pvguest_timer_cpu_down(cpu);
	pvguest_ports_cpu_dead(cpu);
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
	pvguest_vtime_cpu_stops();
	hyp_vcpu_op(VCPUOP_down, smp_processor_id(), NULL);
	/* Started again: drop the old stack and begin anew. */
	pvguest_ap_again(pv_ap_start, task_pt_regs(current));
	BUG();
}
#endif

/*
 * The end of native_stop_other_cpus() for this vCPU: it has come here by an event
 * or, stuck with events masked, by an NMI.
 */
static void pv_stop_this_cpu(void)
{
	for (;;)
		hyp_vcpu_op(VCPUOP_down, smp_processor_id(), NULL);
}

/**
 * pvguest_smp_init() - take over vCPU start and stop
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_smp_init(void)
{
	smp_ops.smp_prepare_boot_cpu = pv_prepare_boot_cpu;
	smp_ops.smp_prepare_cpus = pv_prepare_cpus;
	smp_ops.smp_cpus_done = pv_cpus_done;
	smp_ops.kick_ap_alive = pv_kick_ap_alive;
	smp_ops.poll_sync_state = pv_poll_sync_state;
	smp_ops.stop_this_cpu = pv_stop_this_cpu;
#ifdef CONFIG_HOTPLUG_CPU
	smp_ops.cpu_disable = pv_cpu_disable;
	smp_ops.cpu_die = pv_cpu_die;
	smp_ops.cleanup_dead_cpu = pv_cleanup_dead_cpu;
	smp_ops.play_dead = pv_play_dead;
#endif
}
