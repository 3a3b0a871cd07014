// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events instead of interrupts: the upcall, which events it leads to, and the
 * interrupt flag's operations.
 */
#include <linux/init.h>
#include <linux/moduleparam.h>
#include <asm/hardirq.h>
#include <asm/hw_irq.h>
#include <asm/idtentry.h>
#include <asm/irq_regs.h>
#include <asm/irq_stack.h>
#include <asm/x86_init.h>
#include <pvguest/parameter.h>

#include "internal.h"
#include "ports.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	"pvguest."

static bool pv_use_fifo = true;
pvguest_switch(fifo_events, pv_use_fifo, 0);
MODULE_PARM_DESC(fifo_events, "use the FIFO event-channel ABI if offered");

/* The first name of this parameter, which still works. */
static int __init pv_old_fifo_events(char *value)
{
	pvguest_read_switch("events.fifo_events", value, &pv_use_fifo);
	/* The word is ours, whatever its value. */
	return 1;
}
__setup("events.fifo_events=", pv_old_fifo_events);

/* One event: of this vCPU's own two ports, or of a driver's. */
static void pv_dispatch(unsigned int port)
{
	pv_count(event);
	if (port == __this_cpu_read(pvguest_ipi_port)) {
		pvguest_evtchn->clear(port);
		pvguest_ipi_event();
	} else if (port == __this_cpu_read(pvguest_timer_port)) {
		pvguest_evtchn->clear(port);
		pvguest_timer_event();
	} else {
		pvguest_port_event(port);
	}
}

static void pv_upcall(struct pt_regs *regs)
{
	struct pt_regs *old_regs = set_irq_regs(regs);
	struct vcpu_info *info = this_cpu_ptr(&pvguest_vcpu_info);

	inc_irq_stat(irq_hv_callback_count);
	pv_count(upcall);
	do {
		/* Before the scan, so that what comes later is seen again. */
		WRITE_ONCE(info->evtchn_upcall_pending, 0);
		/* Pairs with the hypervisor setting it after the port's bit. */
		virt_mb();
		pvguest_evtchn->handle(pv_dispatch, pvguest_port_stray);
	} while (READ_ONCE(info->evtchn_upcall_pending));
	set_irq_regs(old_regs);
}

/**
 * xen_pv_evtchn_do_upcall() - handle the events that are pending for this vCPU
 * @regs: what the upcall has interrupted
 *
 * The name is that of Linux's generic entry code, which calls it.
 *
 * Context: the event callback, events masked.
 */
__visible noinstr void xen_pv_evtchn_do_upcall(struct pt_regs *regs)
{
	irqentry_state_t state = irqentry_enter(regs);

	instrumentation_begin();
	kvm_set_cpu_l1tf_flush_l1d();
	run_sysvec_on_irqstack_cond(pv_upcall, regs);
	instrumentation_end();
	irqentry_exit(regs, state);
}

static void __init pv_init_irq(void)
{
	native_init_IRQ();
	pvguest_ports_init(pv_use_fifo);
	pvguest_ipi_cpu_up(0);
	pvguest_lock_cpu_up(0);
}

static void pv_halt(void)
{
	/* The end of early_fixup_exception(). */
	if (system_state == SYSTEM_BOOTING && irqs_disabled())
		pvguest_early_exception();
	if (irqs_disabled())
		hyp_vcpu_op(VCPUOP_down, smp_processor_id(), NULL);
	else
		hyp_sched_op(SCHEDOP_block, NULL);
}

/*
 * Unmasks and blocks at once, so no event is missed in between.  The idle loop
 * calls this while RCU does not look.
 */
static noinstr void pv_safe_halt(void)
{
	hyp_sched_op(SCHEDOP_block, NULL);
}

/**
 * pvguest_irq_ops_init() - take over the interrupt flag and interrupt set-up
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_irq_ops_init(void)
{
	pv_ops.irq.save_fl = __PV_IS_CALLEE_SAVE(pvguest_save_fl);
	pv_ops.irq.irq_disable = __PV_IS_CALLEE_SAVE(pvguest_irq_disable);
	pv_ops.irq.irq_enable = __PV_IS_CALLEE_SAVE(pvguest_irq_enable);
	pv_ops.irq.safe_halt = pv_safe_halt;
	pv_ops.irq.halt = pv_halt;
	x86_init.irqs.intr_init = pv_init_irq;
}
