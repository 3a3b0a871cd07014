// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inter-processor interrupts, as the local APIC that Linux expects.
 *
 * Each vCPU has one event channel for all of them and a word of shared memory
 * that says which are wanted.  A sender that finds the word non-empty is done:
 * somebody has notified the vCPU already and it has not looked yet.
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

#include "evtchn.h"
#include "internal.h"

enum pv_ipi {
	PV_IPI_RESCHEDULE,
	PV_IPI_CALL,
	PV_IPI_CALL_SINGLE,
	PV_IPI_IRQ_WORK,
	PV_IPI_REBOOT,
};

DEFINE_PER_CPU(unsigned int, pvguest_ipi_port);
static DEFINE_PER_CPU_SHARED_ALIGNED(unsigned long, pv_ipi_wanted);

static int ipi_of_vector(int vector)
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
	unsigned long *wanted = per_cpu_ptr(&pv_ipi_wanted, cpu);
	unsigned long old, bit;
	int ipi;

	if (vector == NMI_VECTOR) {
		hyp_vcpu_op(VCPUOP_send_nmi, cpu, NULL);
		return;
	}
	ipi = ipi_of_vector(vector);
	if (WARN_ONCE(ipi < 0, "pvguest: no such interrupt: vector %#x\n", vector))
		return;

	bit = BIT(ipi);
	old = READ_ONCE(*wanted);
	while (!try_cmpxchg(wanted, &old, old | bit))
		;
	if (old) {
		pv_count(ipi_merged);
		return;
	}
	pv_count(ipi_sent);
	if (!per_cpu(pvguest_ipi_port, cpu))
		return;
	struct evtchn_send op = { .port = per_cpu(pvguest_ipi_port, cpu) };

	hyp_event_channel_op(EVTCHNOP_send, &op);
	pv_count_call(__HYPERVISOR_event_channel_op);
}

/** pvguest_ipi_event() - serve what others want of this vCPU */
void pvguest_ipi_event(void)
{
	unsigned long wanted = xchg(this_cpu_ptr(&pv_ipi_wanted), 0);

#ifdef CONFIG_SMP
	if (wanted & BIT(PV_IPI_RESCHEDULE)) {
		inc_irq_stat(irq_resched_count);
		scheduler_ipi();
	}
	if (wanted & BIT(PV_IPI_CALL)) {
		inc_irq_stat(irq_call_count);
		generic_smp_call_function_interrupt();
	}
	if (wanted & BIT(PV_IPI_CALL_SINGLE)) {
		inc_irq_stat(irq_call_count);
		generic_smp_call_function_single_interrupt();
	}
	if (wanted & BIT(PV_IPI_REBOOT))
		stop_this_cpu(NULL);
#endif
#ifdef CONFIG_IRQ_WORK
	if (wanted & BIT(PV_IPI_IRQ_WORK)) {
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
 * pvguest_ipi_cpu_up() - give a vCPU its channel
 * @cpu: the vCPU, not running yet unless it is the caller
 *
 * Return: 0 or a negative error.
 */
int pvguest_ipi_cpu_up(unsigned int cpu)
{
	struct evtchn_bind_ipi op = { .vcpu = cpu };
	long ret;

	ret = hyp_event_channel_op(EVTCHNOP_bind_ipi, &op);
	if (ret)
		return ret;
	ret = pvguest_new_port(op.port, cpu);
	if (ret)
		return ret;
	per_cpu(pvguest_ipi_port, cpu) = op.port;
	pvguest_evtchn->unmask(op.port);
	/* What was wanted before there was a channel. */
	if (READ_ONCE(per_cpu(pv_ipi_wanted, cpu)))
		pvguest_notify_port(op.port);
	return 0;
}

/** pvguest_ipi_cpu_down() - take the channel of a vCPU that has stopped back */
void pvguest_ipi_cpu_down(unsigned int cpu)
{
	unsigned int port = per_cpu(pvguest_ipi_port, cpu);

	if (!port)
		return;
	per_cpu(pvguest_ipi_port, cpu) = 0;
	per_cpu(pv_ipi_wanted, cpu) = 0;
	pvguest_evtchn->mask(port);
	pvguest_close_port(port);
}

/* APIC ID n is virtual CPU n. */
static void __init pv_parse_smp_cfg(void)
{
	unsigned int cpu, nr = pvguest_count_vcpus();

	if (nr > nr_cpu_ids) {
		pr_warn("pvguest: %u vCPUs, only %u used\n", nr, nr_cpu_ids);
		nr = nr_cpu_ids;
	}
	topology_register_boot_apic(0);
	for (cpu = 0; cpu < nr; cpu++)
		topology_register_apic(cpu, CPU_ACPIID_INVALID, true);
	smp_found_config = 1;
}

/** pvguest_count_vcpus() - how many vCPUs the domain was given */
unsigned int __init pvguest_count_vcpus(void)
{
	unsigned int cpu;

	/* Asking whether it runs fails for one that does not exist. */
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		if (hyp_vcpu_op(VCPUOP_is_up, cpu, NULL) < 0)
			break;
	return cpu;
}

/** pvguest_ipi_init() - install the APIC driver */
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
