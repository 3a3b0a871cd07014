/* SPDX-License-Identifier: MIT */
/*
 * For inter-processor interrupts, beyond events.h: the interface of an
 * APIC driver, and Linux's handlers as functions of the test.
 */
#ifndef SHIM_IPI_H
#define SHIM_IPI_H

#include <limits.h>

#include "events.h"

#define CONFIG_SMP
#define CONFIG_IRQ_WORK
#define __ro_after_init

/* Any numbers do that differ. */
#define NMI_VECTOR			0x02
#define IRQ_WORK_VECTOR			0xf6
#define REBOOT_VECTOR			0xf8
#define CALL_FUNCTION_SINGLE_VECTOR	0xfb
#define CALL_FUNCTION_VECTOR		0xfc
#define RESCHEDULE_VECTOR		0xfd

#define DEFINE_PER_CPU_SHARED_ALIGNED(type, name) DEFINE_PER_CPU(type, name)
#define WARN_ONCE(condition, ...)	(!!(condition))
#define pr_warn(...)			((void)0)
#define inc_irq_stat(counter)		((void)0)

static inline bool shim_try_cmpxchg(unsigned long *p, unsigned long *old,
				    unsigned long new)
{
	return __atomic_compare_exchange_n(p, old, new, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

#define try_cmpxchg			shim_try_cmpxchg

#define nr_cpu_ids			SHIM_VCPUS
#define cpu_present(cpu)		((cpu) < SHIM_VCPUS)
#define for_each_cpu_and(cpu, a, b)					\
	for ((cpu) = 0; (cpu) < SHIM_VCPUS; (cpu)++)			\
		if ((a)->bits[0] & (b)->bits[0] & BIT(cpu))

#define APIC_LVR			0x30
#define APIC_ID				0x20
#define BAD_APICID			0xffff
#define CPU_ACPIID_INVALID		0xffff
#define apic_flat_calc_apicid		NULL

struct apic {
	const char *name;
	u32 max_apic_id;
	u32 (*get_apic_id)(u32 x);
	u32 (*cpu_present_to_apicid)(int cpu);
	u32 (*calc_dest_apicid)(unsigned int cpu);
	void (*send_IPI)(int cpu, int vector);
	void (*send_IPI_mask)(const struct cpumask *mask, int vector);
	void (*send_IPI_mask_allbutself)(const struct cpumask *mask, int vector);
	void (*send_IPI_allbutself)(int vector);
	void (*send_IPI_all)(int vector);
	void (*send_IPI_self)(int vector);
	u32 (*read)(u32 reg);
	void (*write)(u32 reg, u32 val);
	void (*eoi)(void);
	u64 (*icr_read)(void);
	void (*icr_write)(u32 low, u32 id);
};

extern struct apic *apic;
extern int smp_found_config;
#define topology_register_boot_apic(id)			((void)(id))
#define topology_register_apic(id, acpi, present)	((void)(id))

static inline void x86_init_noop(void)
{
}

struct x86_init {
	struct {
		void (*find_mptable)(void);
		void (*early_parse_smp_cfg)(void);
		void (*parse_smp_cfg)(void);
		void (*setup_ioapic_ids)(void);
	} mpparse;
	struct {
		void (*intr_mode_select)(void);
		void (*intr_mode_init)(void);
		void (*pre_vector_init)(void);
	} irqs;
};

extern struct x86_init x86_init;

void scheduler_ipi(void);
void generic_smp_call_function_interrupt(void);
void generic_smp_call_function_single_interrupt(void);
void irq_work_run(void);
void stop_this_cpu(void *unused);
long hyp_vcpu_op(int cmd, unsigned int vcpu, void *arg);
void pvguest_notify_port(unsigned int port);

#endif /* SHIM_IPI_H */
