// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boot vCPU: what is due when it gets its final per-CPU area.
 */
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/percpu.h>
#include <linux/string.h>

#include "internal.h"

/**
 * pvguest_boot_cpu_ready() - the boot vCPU has its final per-CPU area
 *
 * Until here the event mask was just a flag of the kernel; events were masked by
 * the hypervisor all along, so nothing can have been missed.
 */
void __init pvguest_boot_cpu_ready(void)
{
	long ret = pvguest_vcpu_setup(0);
	unsigned int cpu;

	if (ret)
		pvguest_die("vcpu_info: area refused by the hypervisor", ret);
	pvguest_vcpu_ready = true;
	/* Before, the hypervisor emulates the register. */
	pv_ops.mmu.read_cr2 = __PV_IS_CALLEE_SAVE(pvguest_read_cr2);
	/* Each area began as a copy of the boot vCPU's, with what that had counted. */
	for_each_possible_cpu(cpu)
		if (cpu)
			memset(per_cpu_ptr(&pvguest_stats, cpu), 0,
			       sizeof(pvguest_stats));
	pvguest_traps_enable();
	pvguest_register_ia32_callbacks();
}
