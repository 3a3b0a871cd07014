// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events instead of interrupts: the upcall, the irq domain in which each
 * event-channel port is one hardware interrupt, and the vcpu_info area.
 */
#include <linux/export.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <asm/hardirq.h>
#include <asm/hw_irq.h>
#include <asm/idtentry.h>
#include <asm/irq_stack.h>
#include <asm/irq_regs.h>
#include <asm/x86_init.h>
#include <pvguest/platform.h>

#include "backoff.h"
#include "batch.h"
#include "evtchn.h"
#include "internal.h"

DEFINE_PER_CPU_ALIGNED(struct vcpu_info, pvguest_vcpu_info) = {
	/* Until the hypervisor knows this area it is just a flag: masked. */
	.evtchn_upcall_mask = 1,
};

const struct pv_evtchn_abi *pvguest_evtchn __ro_after_init = &pvguest_evtchn_2l;
static struct irq_domain *pv_domain __ro_after_init;

static bool use_fifo = true;
module_param_named(fifo_events, use_fifo, bool, 0);
MODULE_PARM_DESC(fifo_events, "use the FIFO event-channel ABI if offered");

/* One bound port; chip data of its interrupt. */
struct pv_port {
	unsigned int port;
	unsigned int cpu;
	unsigned int flags;
	/* Ends of interrupt without work since the last one with work. */
	unsigned int idle_eois;
	struct delayed_work unmask;
};

/**
 * pvguest_dispatch() - serve one event
 * @port: pending, not masked, and delivered to this vCPU
 */
void pvguest_dispatch(unsigned int port)
{
	pv_count(event);
	if (port == __this_cpu_read(pvguest_ipi_port)) {
		pvguest_evtchn->clear(port);
		pvguest_ipi_event();
	} else if (port == __this_cpu_read(pvguest_timer_port)) {
		pvguest_evtchn->clear(port);
		pvguest_timer_event();
	} else if (generic_handle_domain_irq(pv_domain, port)) {
		/* Bound by nobody: never again. */
		pvguest_evtchn->mask(port);
		pvguest_evtchn->clear(port);
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
		pvguest_evtchn->handle(smp_processor_id());
	} while (READ_ONCE(info->evtchn_upcall_pending));
	set_irq_regs(old_regs);
}

/* Called by the generic entry code for the event callback. */
__visible noinstr void xen_pv_evtchn_do_upcall(struct pt_regs *regs)
{
	irqentry_state_t state = irqentry_enter(regs);

	instrumentation_begin();
	kvm_set_cpu_l1tf_flush_l1d();
	run_sysvec_on_irqstack_cond(pv_upcall, regs);
	instrumentation_end();
	irqentry_exit(regs, state);
}

/* Interrupt chip: one hardware interrupt for each port. */

static struct pv_port *port_of(struct irq_data *d)
{
	return irq_data_get_irq_chip_data(d);
}

static void pv_irq_mask(struct irq_data *d)
{
	pvguest_evtchn->mask(port_of(d)->port);
}

static void pv_irq_unmask(struct irq_data *d)
{
	pvguest_evtchn->unmask(port_of(d)->port);
}

static void pv_irq_ack(struct irq_data *d)
{
	pvguest_evtchn->clear(port_of(d)->port);
}

static int pv_irq_retrigger(struct irq_data *d)
{
	pvguest_notify_port(port_of(d)->port);
	return 1;
}

static int pv_irq_set_affinity(struct irq_data *d, const struct cpumask *mask,
			       bool force)
{
	struct pv_port *p = port_of(d);
	struct evtchn_bind_vcpu op = { .port = p->port };
	unsigned int cpu;

	cpu = cpumask_any_and(mask, cpu_online_mask);
	if (cpu >= nr_cpu_ids)
		return -EINVAL;
	if (cpu != p->cpu) {
		op.vcpu = cpu;
		/* A virtual interrupt of one vCPU, or no other end: stays. */
		if (hyp_event_channel_op(EVTCHNOP_bind_vcpu, &op))
			return -EINVAL;
		pv_count_call(__HYPERVISOR_event_channel_op);
		pvguest_evtchn->bind_cpu(p->port, cpu, p->cpu);
		p->cpu = cpu;
	}
	irq_data_update_effective_affinity(d, cpumask_of(cpu));
	return IRQ_SET_MASK_OK;
}

static struct irq_chip pv_chip = {
	.name			= "pvguest-event",
	.irq_mask		= pv_irq_mask,
	.irq_unmask		= pv_irq_unmask,
	.irq_ack		= pv_irq_ack,
	.irq_retrigger		= pv_irq_retrigger,
	.irq_set_affinity	= pv_irq_set_affinity,
	.flags			= IRQCHIP_SKIP_SET_WAKE,
};

/*
 * Late end of interrupt: the port stays masked until the driver says that it
 * has done the work, so that a back end cannot keep this vCPU busy with
 * events alone.
 */
static void pv_handle_late(struct irq_desc *desc)
{
	pv_irq_mask(irq_desc_get_irq_data(desc));
	handle_edge_irq(desc);
}

static void pv_late_unmask(struct work_struct *work)
{
	struct pv_port *p = container_of(to_delayed_work(work), struct pv_port,
					 unmask);

	pvguest_evtchn->unmask(p->port);
}

/**
 * pvguest_irq_eoi() - the driver is done with a late-EOI interrupt
 * @irq: the interrupt
 * @spurious: there was nothing to do
 *
 * Events without work are let through a few times, then slowed down
 * exponentially to one a second, until one has work again.
 *
 * Context: any.
 */
void pvguest_irq_eoi(unsigned int irq, bool spurious)
{
	struct pv_port *p = irq_get_chip_data(irq);
	unsigned long delay;

	if (!p)
		return;
	delay = pv_backoff(&p->idle_eois, spurious);
	if (delay)
		schedule_delayed_work(&p->unmask, delay);
	else
		pvguest_evtchn->unmask(p->port);
}
EXPORT_SYMBOL_GPL(pvguest_irq_eoi);

static int pv_domain_map(struct irq_domain *domain, unsigned int irq,
			 irq_hw_number_t port)
{
	struct pv_port *p = domain->host_data;

	irq_set_chip_data(irq, p);
	if (p->flags & PVGUEST_EVENT_LATE_EOI)
		irq_set_chip_and_handler_name(irq, &pv_chip, pv_handle_late,
					      "late");
	else
		irq_set_chip_and_handler_name(irq, &pv_chip, handle_edge_irq,
					      "event");
	if (p->flags & PVGUEST_EVENT_PERCPU)
		irq_set_status_flags(irq, IRQ_NO_BALANCING);
	/* The hypervisor moves a port at any time, not just at its next event. */
	irq_set_status_flags(irq, IRQ_MOVE_PCNTXT);
	return 0;
}

static const struct irq_domain_ops pv_domain_ops = {
	.map = pv_domain_map,
};

/* The domain's host data names the port that is being mapped. */
static DEFINE_MUTEX(pv_bind_lock);

/**
 * pvguest_new_port() - prepare a port that the hypervisor has just given us
 * @port: the port
 * @cpu: vCPU to which it is delivered
 *
 * Return: 0 or a negative error, the port being closed then.
 */
int pvguest_new_port(unsigned int port, unsigned int cpu)
{
	int ret = pvguest_evtchn->setup_port(port);

	if (ret) {
		pvguest_close_port(port);
		return ret;
	}
	pvguest_evtchn->bind_cpu(port, cpu, -1);
	return 0;
}

/** pvguest_close_port() - give a port back */
void pvguest_close_port(unsigned int port)
{
	struct evtchn_close op = { .port = port };

	if (hyp_event_channel_op(EVTCHNOP_close, &op))
		pr_err("pvguest: cannot close event channel %u\n", port);
	pv_count_call(__HYPERVISOR_event_channel_op);
}

static int bind_port(unsigned int port, unsigned int cpu,
		     irq_handler_t handler, unsigned int flags,
		     const char *name, void *dev)
{
	unsigned int irq;
	struct pv_port *p;
	int ret;

	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p) {
		pvguest_close_port(port);
		return -ENOMEM;
	}
	ret = pvguest_new_port(port, cpu);
	if (ret)
		goto free;
	p->port = port;
	p->cpu = cpu;
	p->flags = flags;
	INIT_DELAYED_WORK(&p->unmask, pv_late_unmask);
	pvguest_evtchn->mask(port);

	mutex_lock(&pv_bind_lock);
	pv_domain->host_data = p;
	irq = irq_create_mapping(pv_domain, port);
	pv_domain->host_data = NULL;
	mutex_unlock(&pv_bind_lock);
	if (!irq) {
		ret = -ENOMEM;
		goto close;
	}
	/* What was sent before anybody listened is not lost: look once. */
	ret = request_irq(irq, handler,
			  flags & PVGUEST_EVENT_PERCPU ? IRQF_NOBALANCING : 0,
			  name, dev);
	if (ret)
		goto unmap;
	return irq;
unmap:
	irq_dispose_mapping(irq);
close:
	pvguest_close_port(port);
free:
	kfree(p);
	return ret;
}

/**
 * pvguest_bind_port() - take events of a channel as an interrupt
 * @port: channel of this domain, set up by us or by the tool stack
 * @handler: called with @dev for each event
 * @flags: PVGUEST_EVENT_*
 * @name: shown in /proc/interrupts
 * @dev: the handler's argument
 *
 * Context: process.
 * Return: interrupt number, or a negative error; the channel is closed then.
 */
int pvguest_bind_port(unsigned int port, irq_handler_t handler,
		      unsigned int flags, const char *name, void *dev)
{
	return bind_port(port, 0, handler, flags, name, dev);
}
EXPORT_SYMBOL_GPL(pvguest_bind_port);

/**
 * pvguest_bind_virq() - take a virtual interrupt of the hypervisor
 * @virq: VIRQ_* (xen/xen.h)
 * @cpu: vCPU that receives it; 0 for those that are not per vCPU
 * @handler: called with @dev for each event
 * @flags: PVGUEST_EVENT_*
 * @name: shown in /proc/interrupts
 * @dev: the handler's argument
 *
 * Context: process.
 * Return: interrupt number, or a negative error.
 */
int pvguest_bind_virq(unsigned int virq, unsigned int cpu,
		      irq_handler_t handler, unsigned int flags,
		      const char *name, void *dev)
{
	struct evtchn_bind_virq op = { .virq = virq, .vcpu = cpu };
	long ret = hyp_event_channel_op(EVTCHNOP_bind_virq, &op);

	if (ret)
		return ret;
	return bind_port(op.port, cpu, handler, flags | PVGUEST_EVENT_PERCPU,
			 name, dev);
}
EXPORT_SYMBOL_GPL(pvguest_bind_virq);

/**
 * pvguest_alloc_port() - a channel that another domain may bind to
 * @remote: that domain
 * @port: set to the channel's port
 *
 * Return: 0 or a negative error.
 */
int pvguest_alloc_port(domid_t remote, unsigned int *port)
{
	struct evtchn_alloc_unbound op = {
		.dom = DOMID_SELF,
		.remote_dom = remote,
	};
	long ret = hyp_event_channel_op(EVTCHNOP_alloc_unbound, &op);

	if (!ret)
		*port = op.port;
	return ret;
}
EXPORT_SYMBOL_GPL(pvguest_alloc_port);

/**
 * pvguest_unbind() - undo pvguest_bind_port() or pvguest_bind_virq()
 * @irq: what that returned
 * @dev: its argument
 *
 * Context: process; waits for a running handler.
 */
void pvguest_unbind(unsigned int irq, void *dev)
{
	struct pv_port *p = irq_get_chip_data(irq);

	if (WARN_ON(!p))
		return;
	free_irq(irq, dev);
	cancel_delayed_work_sync(&p->unmask);
	pvguest_evtchn->mask(p->port);
	irq_dispose_mapping(irq);
	pvguest_close_port(p->port);
	kfree(p);
}
EXPORT_SYMBOL_GPL(pvguest_unbind);

/** pvguest_irq_port() - event channel behind an interrupt, 0 if it has none */
unsigned int pvguest_irq_port(unsigned int irq)
{
	struct pv_port *p = irq_get_chip_data(irq);

	return p ? p->port : 0;
}
EXPORT_SYMBOL_GPL(pvguest_irq_port);

/** pvguest_notify_port() - send an event to the other end of @port */
void pvguest_notify_port(unsigned int port)
{
	struct evtchn_send op = { .port = port };

	hyp_event_channel_op(EVTCHNOP_send, &op);
	pv_count_call(__HYPERVISOR_event_channel_op);
}
EXPORT_SYMBOL_GPL(pvguest_notify_port);

/** pvguest_notify() - send an event to the other end of the channel of @irq */
void pvguest_notify(unsigned int irq)
{
	struct pv_port *p = irq_get_chip_data(irq);

	if (p)
		pvguest_notify_port(p->port);
}
EXPORT_SYMBOL_GPL(pvguest_notify);

/**
 * pvguest_vcpu_setup() - tell the hypervisor where a vCPU's vcpu_info is
 * @cpu: the vCPU, which has not been started or is the caller
 *
 * Return: 0 or a negative error.
 */
int pvguest_vcpu_setup(unsigned int cpu)
{
	struct vcpu_info *info = per_cpu_ptr(&pvguest_vcpu_info, cpu);
	struct vcpu_register_vcpu_info op = {
		.mfn = pv_virt_to_mfn(info),
		.offset = offset_in_page(info),
	};

	return hyp_vcpu_op(VCPUOP_register_vcpu_info, cpu, &op);
}

static void __init pv_init_irq(void)
{
	unsigned int port;

	native_init_IRQ();
	pv_domain = irq_domain_create_tree(NULL, &pv_domain_ops, NULL);
	if (!pv_domain)
		panic("pvguest: no memory for the interrupt domain");

	if (use_fifo && !pvguest_evtchn_fifo.cpu_up(0))
		pvguest_evtchn = &pvguest_evtchn_fifo;
	else
		for (port = 0; port < EVTCHN_2L_NR_CHANNELS; port++)
			pvguest_evtchn->mask(port);
	pr_info("pvguest: %s event channels\n", pvguest_evtchn->name);

	pvguest_ipi_cpu_up(0);
}

/** pvguest_events_cpu_up() - let a vCPU that is being started receive events */
int pvguest_events_cpu_up(unsigned int cpu)
{
	return pvguest_evtchn->cpu_up(cpu);
}

static void pv_halt(void)
{
	if (irqs_disabled())
		hyp_vcpu_op(VCPUOP_down, smp_processor_id(), NULL);
	else
		hyp_sched_op(SCHEDOP_block, NULL);
}

/* Unmasks and blocks at once, so no event is missed in between. */
static void pv_safe_halt(void)
{
	hyp_sched_op(SCHEDOP_block, NULL);
	pv_count_call(__HYPERVISOR_sched_op);
}

/** pvguest_irq_ops_init() - take over the interrupt flag and interrupt set-up */
void __init pvguest_irq_ops_init(void)
{
	pv_ops.irq.save_fl = __PV_IS_CALLEE_SAVE(pvguest_save_fl);
	pv_ops.irq.irq_disable = __PV_IS_CALLEE_SAVE(pvguest_irq_disable);
	pv_ops.irq.irq_enable = __PV_IS_CALLEE_SAVE(pvguest_irq_enable);
	pv_ops.irq.safe_halt = pv_safe_halt;
	pv_ops.irq.halt = pv_halt;
	x86_init.irqs.intr_init = pv_init_irq;
}
