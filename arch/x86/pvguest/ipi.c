// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inter-processor interrupts, as the local APIC that Linux expects.
 *
 * Each vCPU has one event channel for all of them and a word of shared memory
 * that says which are requested.  A sender that finds the word non-empty and the
 * event pending is done: the vCPU has not looked yet.
 */
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/sched.h>
#include <asm/apic.h>
#include <asm/hardirq.h>
#include <asm/irq_vectors.h>
#include <asm/x86_init.h>

#include "internal.h"
#include "ports.h"

enum pv_ipi {
	PV_IPI_RESCHEDULE,
	PV_IPI_CALL,
	PV_IPI_CALL_SINGLE,
	PV_IPI_IRQ_WORK,
	PV_IPI_REBOOT,
};

DEFINE_PER_CPU(unsigned int, pvguest_ipi_port);
static DEFINE_PER_CPU_SHARED_ALIGNED(unsigned long, pv_ipi_requested);

static int pv_ipi_of_vector(int vector)
{
	switch (vector) {
	case RESCHEDULE_VECTOR:
		return PV_IPI_RESCHEDULE;
	case CALL_FUNCTION_VECTOR:
		return PV_IPI_CALL;
	case CALL_FUNCTION_SINGLE_VECTOR:
		return PV_IPI_CALL_SINGLE;
	case IRQ_WORK_VECTOR:
		return PV_IPI_IRQ_WORK;
	case REBOOT_VECTOR:
		return PV_IPI_REBOOT;
	}
	return -1;
}

static void pv_send_ipi(int cpu, int vector)
{
	unsigned long *requested = per_cpu_ptr(&pv_ipi_requested, cpu);
	unsigned int port = per_cpu(pvguest_ipi_port, cpu);
	unsigned long old, bit;
	int ipi;

	if (vector == NMI_VECTOR) {
		hyp_vcpu_op(VCPUOP_send_nmi, cpu, NULL);
		return;
	}
	ipi = pv_ipi_of_vector(vector);
	if (WARN_ONCE(ipi < 0, "pvguest: IPI vector %#x: unknown (%d); not sent\n",
		      vector, -EINVAL))
		return;

	bit = BIT(ipi);
	old = READ_ONCE(*requested);
	while (!try_cmpxchg(requested, &old, old | bit))
		;
	if (!port)
		return;
	/*
	 * The vCPU that set the other bits may have lost its processor before it sent
	 * the event, for any length of time.  If the event is pending the
	 * vCPU has yet to clear it, and looks at the word after that.
	 */
	if (old && pvguest_evtchn->is_pending(port)) {
		pv_count(ipi_merged);
		return;
	}
	pv_count(ipi_sent);
	pvguest_notify_port(port);
}

/**
 * pvguest_ipi_event() - handle pending IPIs of this vCPU
 *
 * Context: upcall.
 */
void pvguest_ipi_event(void)
{
	unsigned long requested = xchg(this_cpu_ptr(&pv_ipi_requested), 0);

#ifdef CONFIG_SMP
	if (requested & BIT(PV_IPI_RESCHEDULE)) {
		inc_irq_stat(irq_resched_count);
		scheduler_ipi();
	}
	if (requested & BIT(PV_IPI_CALL)) {
		inc_irq_stat(irq_call_count);
		generic_smp_call_function_interrupt();
	}
	if (requested & BIT(PV_IPI_CALL_SINGLE)) {
		inc_irq_stat(irq_call_count);
		generic_smp_call_function_single_interrupt();
	}
	if (requested & BIT(PV_IPI_REBOOT))
		stop_this_cpu(NULL);
#endif
#ifdef CONFIG_IRQ_WORK
	if (requested & BIT(PV_IPI_IRQ_WORK)) {
		inc_irq_stat(apic_irq_work_irqs);
		irq_work_run();
	}
#endif
}

static void pv_send_ipi_mask(const struct cpumask *mask, int vector)
{
	unsigned int cpu;

	for_each_cpu_and(cpu, mask, cpu_online_mask)
		pv_send_ipi(cpu, vector);
}

static void pv_send_ipi_mask_allbutself(const struct cpumask *mask, int vector)
{
	unsigned int cpu, self = smp_processor_id();

	for_each_cpu_and(cpu, mask, cpu_online_mask)
		if (cpu != self)
			pv_send_ipi(cpu, vector);
}

static void pv_send_ipi_allbutself(int vector)
{
	pv_send_ipi_mask_allbutself(cpu_online_mask, vector);
}

static void pv_send_ipi_all(int vector)
{
	pv_send_ipi_mask(cpu_online_mask, vector);
}

static void pv_send_ipi_self(int vector)
{
	pv_send_ipi(smp_processor_id(), vector);
}

static u32 pv_apic_read(u32 reg)
{
	switch (reg) {
	case APIC_LVR:
		return 0x14;	/* integrated, version 1.4 */
	case APIC_ID:
		return smp_processor_id() << 24;
	}
	return 0;
}

static void pv_apic_write(u32 reg, u32 val)
{
}

static void pv_apic_eoi(void)
{
}

static u64 pv_apic_icr_read(void)
{
	return 0;
}

static void pv_apic_icr_write(u32 low, u32 id)
{
}

static u32 pv_get_apic_id(u32 x)
{
	return x >> 24;
}

static u32 pv_present_to_apicid(int cpu)
{
	return cpu_present(cpu) ? cpu : BAD_APICID;
}

static struct apic pv_apic __ro_after_init = {
	.name				= "pvguest events",
	.max_apic_id			= UINT_MAX,
	.get_apic_id			= pv_get_apic_id,
	.cpu_present_to_apicid		= pv_present_to_apicid,
	.calc_dest_apicid		= apic_flat_calc_apicid,
	.send_IPI			= pv_send_ipi,
	.send_IPI_mask			= pv_send_ipi_mask,
	.send_IPI_mask_allbutself	= pv_send_ipi_mask_allbutself,
	.send_IPI_allbutself		= pv_send_ipi_allbutself,
	.send_IPI_all			= pv_send_ipi_all,
	.send_IPI_self			= pv_send_ipi_self,
	.read				= pv_apic_read,
	.write				= pv_apic_write,
	.eoi				= pv_apic_eoi,
	.icr_read			= pv_apic_icr_read,
	.icr_write			= pv_apic_icr_write,
};

/**
 * pvguest_ipi_cpu_up() - give a vCPU its channel, unless it has one
 * @cpu: the vCPU, not running yet unless it is the caller
 *
 * Return: 0 or a negative error.
 */
int pvguest_ipi_cpu_up(unsigned int cpu)
{
	struct evtchn_bind_ipi op = { .vcpu = cpu };
	long ret;

	if (per_cpu(pvguest_ipi_port, cpu))
		return 0;
	ret = hyp_event_channel_op(EVTCHNOP_bind_ipi, &op);
	if (ret)
		return ret;
	ret = pvguest_new_port(op.port, cpu);
	if (ret)
		return ret;
	per_cpu(pvguest_ipi_port, cpu) = op.port;
	pvguest_evtchn->unmask(op.port);
	/* Requests from before there was a channel. */
	if (READ_ONCE(per_cpu(pv_ipi_requested, cpu)))
		pvguest_notify_port(op.port);
	return 0;
}

/**
 * pvguest_ipi_cpu_down() - take the channel of a vCPU that has stopped back
 * @cpu: the vCPU, which has stopped; nothing happens if it has no channel
 *
 * IPIs that it has not handled are dropped.
 *
 * Context: process.
 */
void pvguest_ipi_cpu_down(unsigned int cpu)
{
	unsigned int port = per_cpu(pvguest_ipi_port, cpu);

	if (!port)
		return;
	per_cpu(pvguest_ipi_port, cpu) = 0;
	per_cpu(pv_ipi_requested, cpu) = 0;
	pvguest_evtchn->mask(port);
	pvguest_close_port(port);
}

/* APIC ID n is vCPU n. */
static void __init pv_parse_smp_cfg(void)
{
	unsigned int cpu, nr = pvguest_count_vcpus();

	if (nr > nr_cpu_ids) {
		pr_warn("pvguest: vCPUs: %u exceed the kernel's limit of %u (%d); using %u\n",
			nr, nr_cpu_ids, -ENOSPC, nr_cpu_ids);
		nr = nr_cpu_ids;
	}
	topology_register_boot_apic(0);
	for (cpu = 0; cpu < nr; cpu++)
		topology_register_apic(cpu, CPU_ACPIID_INVALID, true);
	smp_found_config = 1;
}

/**
 * pvguest_count_vcpus() - how many vCPUs the domain was given
 *
 * Context: boot.
 * Return: their number, at most NR_CPUS.
 */
unsigned int __init pvguest_count_vcpus(void)
{
	unsigned int cpu;

	/* Asking whether it runs fails for one that does not exist. */
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		if (hyp_vcpu_op(VCPUOP_is_up, cpu, NULL) < 0)
			break;
	return cpu;
}

/**
 * pvguest_ipi_init() - install the APIC driver
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_ipi_init(void)
{
	/* Before setup_arch() makes the calls to the driver static. */
	apic = &pv_apic;
	x86_init.mpparse.find_mptable = x86_init_noop;
	x86_init.mpparse.early_parse_smp_cfg = x86_init_noop;
	x86_init.mpparse.parse_smp_cfg = pv_parse_smp_cfg;
	x86_init.mpparse.setup_ioapic_ids = x86_init_noop;
	x86_init.irqs.intr_mode_select = x86_init_noop;
	x86_init.irqs.intr_mode_init = x86_init_noop;
	x86_init.irqs.pre_vector_init = x86_init_noop;
}
