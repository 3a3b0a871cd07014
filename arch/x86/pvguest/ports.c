// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event-channel ports: the irq domain in which each is one hardware interrupt,
 * and what drivers may do with them.
 */
#include <linux/export.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/irqdomain.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <pvguest/platform.h>

#include "backoff.h"
#include "internal.h"
#include "ports.h"

const struct pv_evtchn_abi *pvguest_evtchn __ro_after_init = &pvguest_evtchn_2l;
static struct irq_domain *pv_domain __ro_after_init;

/* One bound port; chip data of its interrupt. */
struct pv_port {
	unsigned int port;
	/* vCPU that gets its events; changes under the descriptor's lock. */
	unsigned int cpu;
	unsigned int flags;
	/* Ends of interrupt without work since the last one with work. */
	unsigned int idle_eois;
	struct delayed_work unmask;
};

/*
 * Unmask a port by hypercall.  EVTCHNOP_unmask notifies the port's present vCPU
 * if the port is pending.
 */
static void pv_unmask_at_owner(unsigned int port)
{
	struct evtchn_unmask op = { .port = port };

	hyp_event_channel_op(EVTCHNOP_unmask, &op);
}

/**
 * pvguest_port_event() - serve an event of a driver's port
 * @port: pending, not masked, and delivered to this vCPU
 *
 * Context: upcall.
 */
void pvguest_port_event(unsigned int port)
{
	if (!generic_handle_domain_irq(pv_domain, port))
		return;
	/*
	 * Not bound, any more or yet: binding unmasks it.  If another vCPU has
	 * bound it just now, it would stay masked; an event too many does no
	 * harm.
	 */
	if (!pvguest_evtchn->mask(port) && irq_find_mapping(pv_domain, port))
		pv_unmask_at_owner(port);
}

/**
 * pvguest_port_stray() - pass a driver's port on to the vCPU that it moved to
 * @port: pending, but on another vCPU
 *
 * That vCPU may know already, and then is left alone.
 *
 * Context: any.  The descriptor's lock keeps a move and the interrupt layer's
 * masking out.
 */
void pvguest_port_stray(unsigned int port)
{
	struct irq_desc *desc;
	unsigned long flags;
	struct pv_port *p;

	rcu_read_lock();
	desc = irq_resolve_mapping(pv_domain, port);
	if (!desc)
		goto out;
	raw_spin_lock_irqsave(&desc->lock, flags);
	p = irq_data_get_irq_chip_data(irq_desc_get_irq_data(desc));
	if (p && pvguest_evtchn->is_pending(port) &&
	    !pvguest_evtchn->is_notified(port, p->cpu) &&
	    !pvguest_evtchn->mask(port))
		pv_unmask_at_owner(port);
	raw_spin_unlock_irqrestore(&desc->lock, flags);
out:
	rcu_read_unlock();
}

/* Interrupt chip: one hardware interrupt for each port. */

/*
 * NULL: just being unbound, while an event that was found before comes to the
 * interrupt layer on another vCPU.
 */
static struct pv_port *pv_port_of(struct irq_data *d)
{
	return irq_data_get_irq_chip_data(d);
}

static void pv_irq_mask(struct irq_data *d)
{
	struct pv_port *p = pv_port_of(d);

	if (p)
		pvguest_evtchn->mask(p->port);
}

static void pv_irq_unmask(struct irq_data *d)
{
	struct pv_port *p = pv_port_of(d);

	if (p)
		pvguest_evtchn->unmask(p->port);
}

static void pv_irq_ack(struct irq_data *d)
{
	struct pv_port *p = pv_port_of(d);

	if (p)
		pvguest_evtchn->clear(p->port);
}

/*
 * Make the interrupt happen again, as if the other end had sent an event:
 * EVTCHNOP_send would notify the other end instead.
 *
 * The interrupt layer asks for this, with the descriptor's lock held, when it
 * enables an interrupt of which it dropped an event while it was disabled.  A
 * port that is masked stays so, and delivers when it is unmasked; pending comes
 * first, so that a vCPU that unmasks it between the two sees it.
 */
static int pv_irq_retrigger(struct irq_data *d)
{
	struct pv_port *p = pv_port_of(d);

	if (!p)
		return 0;
	pvguest_evtchn->set_pending(p->port);
	if (!pvguest_evtchn->mask(p->port))
		pv_unmask_at_owner(p->port);
	return 1;
}

/*
 * Move a port.  The interrupt layer calls this at any time, with its
 * descriptor's lock held and the interrupt not masked (IRQ_MOVE_PCNTXT): from
 * process context, or from a vCPU on its way out; and expects every event to be
 * handled on one of the two vCPUs.
 *
 * An event that the old vCPU was sent and did not serve before the change is
 * sent to the new one by unmasking; one that the hypervisor was about to send
 * to the old vCPU is passed on from there by pvguest_port_stray().
 */
static int pv_move_port(struct pv_port *p, unsigned int cpu)
{
	struct evtchn_bind_vcpu op = { .port = p->port, .vcpu = cpu };
	bool masked = pvguest_evtchn->mask(p->port);
	unsigned int old = p->cpu;
	long ret;

	p->cpu = cpu;
	pvguest_evtchn->bind_cpu(p->port, cpu, old);
	ret = hyp_event_channel_op(EVTCHNOP_bind_vcpu, &op);
	if (ret) {
		p->cpu = old;
		pvguest_evtchn->bind_cpu(p->port, old, cpu);
	}
	if (!masked)
		pv_unmask_at_owner(p->port);
	return ret;
}

static int pv_irq_set_affinity(struct irq_data *d, const struct cpumask *mask,
			       bool force)
{
	struct pv_port *p = pv_port_of(d);
	unsigned int cpu;

	cpu = cpumask_any_and(mask, cpu_online_mask);
	/* Just being unbound, while a program writes to /proc/irq. */
	if (!p || cpu >= nr_cpu_ids)
		return -EINVAL;
	/* A virtual interrupt of one vCPU, or no other end: stays. */
	if (cpu != p->cpu && pv_move_port(p, cpu))
		return -EINVAL;
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
static void pv_irq_mask_ack(struct irq_data *d)
{
	pv_irq_mask(d);
	pv_irq_ack(d);
}

static struct irq_chip pv_late_chip = {
	.name			= "pvguest-event",
	.irq_mask		= pv_irq_mask,
	.irq_unmask		= pv_irq_unmask,
	.irq_ack		= pv_irq_mask_ack,
	.irq_retrigger		= pv_irq_retrigger,
	.irq_set_affinity	= pv_irq_set_affinity,
	.flags			= IRQCHIP_SKIP_SET_WAKE,
};

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
		irq_set_chip_and_handler_name(irq, &pv_late_chip,
					      handle_edge_irq, "late");
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

/**
 * pvguest_close_port() - give a port back
 * @port: event channel of this domain
 *
 * A refusal by the hypervisor is logged, and leaves the port open.
 *
 * Context: process.
 */
void pvguest_close_port(unsigned int port)
{
	struct evtchn_close op = { .port = port };
	long ret;

	/* Before it can be given to another user. */
	pvguest_evtchn->release(port);
	ret = hyp_event_channel_op(EVTCHNOP_close, &op);
	if (ret)
		pr_err("pvguest: event channel %u: cannot be closed (%ld); left open\n",
		       port, ret);
}

/* From here on the port cannot be reached by its interrupt. */
static void pv_unmap_port(unsigned int irq)
{
	irq_set_chip_data(irq, NULL);
	irq_dispose_mapping(irq);
}

static int pv_bind_port(unsigned int port, unsigned int cpu,
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
	/* Events from before there was a handler are not lost: look once. */
	ret = request_irq(irq, handler,
			  flags & PVGUEST_EVENT_PERCPU ? IRQF_NOBALANCING : 0,
			  name, dev);
	if (ret)
		goto unmap;
	return irq;
unmap:
	pv_unmap_port(irq);
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
	return pv_bind_port(port, 0, handler, flags, name, dev);
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
	return pv_bind_port(op.port, cpu, handler, flags | PVGUEST_EVENT_PERCPU,
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
 * pvguest_join_port() - a channel to one that another domain has allocated
 * @remote: that domain
 * @remote_port: its port, which it has allocated for this domain
 * @port: set to the channel's port
 *
 * Return: 0 or a negative error.
 */
int pvguest_join_port(domid_t remote, unsigned int remote_port,
		      unsigned int *port)
{
	struct evtchn_bind_interdomain op = {
		.remote_dom = remote,
		.remote_port = remote_port,
	};
	long ret = hyp_event_channel_op(EVTCHNOP_bind_interdomain, &op);

	if (!ret)
		*port = op.local_port;
	return ret;
}
EXPORT_SYMBOL_GPL(pvguest_join_port);

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
	pv_unmap_port(irq);
	pvguest_close_port(p->port);
	kfree(p);
}
EXPORT_SYMBOL_GPL(pvguest_unbind);

/**
 * pvguest_irq_port() - event channel behind an interrupt
 * @irq: interrupt that pvguest_bind_port() or pvguest_bind_virq() returned
 *
 * Context: any.
 * Return: the port, or 0 if the interrupt has none.
 */
unsigned int pvguest_irq_port(unsigned int irq)
{
	struct pv_port *p = irq_get_chip_data(irq);

	return p ? p->port : 0;
}
EXPORT_SYMBOL_GPL(pvguest_irq_port);

/**
 * pvguest_notify_port() - send an event to the other end of @port
 * @port: event channel of this domain
 *
 * Context: any.
 */
void pvguest_notify_port(unsigned int port)
{
	struct evtchn_send op = { .port = port };

	hyp_event_channel_op(EVTCHNOP_send, &op);
}
EXPORT_SYMBOL_GPL(pvguest_notify_port);

/**
 * pvguest_notify() - send an event to the other end of the channel of @irq
 * @irq: interrupt that pvguest_bind_port() or pvguest_bind_virq() returned;
 *	nothing happens if it has no channel any more
 *
 * Context: any.
 */
void pvguest_notify(unsigned int irq)
{
	struct pv_port *p = irq_get_chip_data(irq);

	if (p)
		pvguest_notify_port(p->port);
}
EXPORT_SYMBOL_GPL(pvguest_notify);

/**
 * pvguest_ports_cpu_up() - let a vCPU that is being started receive events
 * @cpu: the vCPU, not running yet
 *
 * Context: process; sleeps.
 * Return: 0 or a negative error.
 */
int pvguest_ports_cpu_up(unsigned int cpu)
{
	return pvguest_evtchn->cpu_up(cpu);
}

/**
 * pvguest_ports_cpu_dead() - pass on what a stopped vCPU left unserved
 * @cpu: the vCPU, which has stopped
 *
 * Context: process.
 */
void pvguest_ports_cpu_dead(unsigned int cpu)
{
	pvguest_evtchn->cpu_dead(cpu, pvguest_port_stray);
}

/**
 * pvguest_ports_init() - choose the ABI and make the interrupt domain
 * @use_fifo: take FIFO if it is offered
 */
void __init pvguest_ports_init(bool use_fifo)
{
	unsigned int port;

	pv_domain = irq_domain_create_tree(NULL, &pv_domain_ops, NULL);
	if (!pv_domain)
		panic("pvguest: interrupt domain: no memory (%d); cannot go on",
		      -ENOMEM);

	if (use_fifo && !pvguest_evtchn_fifo.cpu_up(0))
		pvguest_evtchn = &pvguest_evtchn_fifo;
	else
		for (port = 0; port < EVTCHN_2L_NR_CHANNELS; port++)
			pvguest_evtchn->mask(port);
	pr_info("pvguest: event channels: %s\n", pvguest_evtchn->name);
}
