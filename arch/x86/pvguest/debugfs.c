// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/pvguest/: what the port asked of the hypervisor.
 *
 * Every file is lines of "name value", summed over all vCPUs.  A multicall is one
 * hypercall; traps that the hypervisor emulates, as RDMSR, are none.
 */
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>

#include "internal.h"
#include "ports.h"

static const char * const pv_hypercall_name[PV_HYPERCALLS] = {
	[__HYPERVISOR_set_trap_table]		= "set_trap_table",
	[__HYPERVISOR_mmu_update]		= "mmu_update",
	[__HYPERVISOR_set_gdt]			= "set_gdt",
	[__HYPERVISOR_stack_switch]		= "stack_switch",
	[__HYPERVISOR_fpu_taskswitch]		= "fpu_taskswitch",
	[__HYPERVISOR_set_debugreg]		= "set_debugreg",
	[__HYPERVISOR_get_debugreg]		= "get_debugreg",
	[__HYPERVISOR_update_descriptor]	= "update_descriptor",
	[__HYPERVISOR_memory_op]		= "memory_op",
	[__HYPERVISOR_multicall]		= "multicall",
	[__HYPERVISOR_update_va_mapping]	= "update_va_mapping",
	[__HYPERVISOR_xen_version]		= "xen_version",
	[__HYPERVISOR_console_io]		= "console_io",
	[__HYPERVISOR_grant_table_op]		= "grant_table_op",
	[__HYPERVISOR_vm_assist]		= "vm_assist",
	[__HYPERVISOR_iret]			= "iret",
	[__HYPERVISOR_vcpu_op]			= "vcpu_op",
	[__HYPERVISOR_set_segment_base]		= "set_segment_base",
	[__HYPERVISOR_mmuext_op]		= "mmuext_op",
	[__HYPERVISOR_sched_op]			= "sched_op",
	[__HYPERVISOR_callback_op]		= "callback_op",
	[__HYPERVISOR_event_channel_op]		= "event_channel_op",
	[__HYPERVISOR_physdev_op]		= "physdev_op",
};

/* Sum of one counter of struct pv_stats over all vCPUs. */
static unsigned long pv_stats_total(size_t offset)
{
	unsigned long sum = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		sum += *(unsigned long *)((char *)per_cpu_ptr(&pvguest_stats, cpu) +
					  offset);
	return sum;
}

#define TOTAL(field)	pv_stats_total(offsetof(struct pv_stats, field))

static int pv_hypercalls_show(struct seq_file *m, void *v)
{
	unsigned long n, sum = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pv_hypercall_name); i++) {
		n = pv_stats_total(offsetof(struct pv_stats, hypercall) +
			  i * sizeof(unsigned long));
		sum += n;
		/* Those with a name always, so that lines keep their places. */
		if (pv_hypercall_name[i])
			seq_printf(m, "%s %lu\n", pv_hypercall_name[i], n);
		else if (n)
			seq_printf(m, "hypercall%u %lu\n", i, n);
	}
	seq_printf(m, "total %lu\n", sum);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pv_hypercalls);

static int pv_batches_show(struct seq_file *m, void *v)
{
	unsigned int i;

	for (i = 0; i < PV_BATCH_BUCKETS; i++)
		seq_printf(m, "size_%lu %lu\n", 1UL << i,
			   pv_stats_total(offsetof(struct pv_stats, batch) +
				 i * sizeof(unsigned long)));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pv_batches);

static int pv_mmu_show(struct seq_file *m, void *v)
{
	seq_printf(m, "pt_update %lu\n", TOTAL(pt_update));
	seq_printf(m, "direct_write %lu\n", TOTAL(direct_write));
	seq_printf(m, "protect_ro %lu\n", TOTAL(protect_ro));
	seq_printf(m, "protect_rw %lu\n", TOTAL(protect_rw));
	seq_printf(m, "pin %lu\n", TOTAL(pin));
	seq_printf(m, "unpin %lu\n", TOTAL(unpin));
	seq_printf(m, "switch_mm %lu\n", TOTAL(switch_mm));
	seq_printf(m, "flush_all %lu\n", TOTAL(flush_all));
	seq_printf(m, "flush_one %lu\n", TOTAL(flush_one));
	seq_printf(m, "flush_multi %lu\n", TOTAL(flush_multi));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pv_mmu);

static int pv_events_show(struct seq_file *m, void *v)
{
	seq_printf(m, "abi %s\n", pvguest_evtchn->name);
	seq_printf(m, "upcall %lu\n", TOTAL(upcall));
	seq_printf(m, "event %lu\n", TOTAL(event));
	seq_printf(m, "ipi_sent %lu\n", TOTAL(ipi_sent));
	seq_printf(m, "ipi_merged %lu\n", TOTAL(ipi_merged));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pv_events);

static int pv_locks_show(struct seq_file *m, void *v)
{
	seq_printf(m, "wait %lu\n", TOTAL(lock_wait));
	seq_printf(m, "kick %lu\n", TOTAL(lock_kick));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pv_locks);

static int __init pv_debugfs_init(void)
{
	struct dentry *dir;

	if (!pvguest_running())
		return 0;
	dir = debugfs_create_dir("pvguest", NULL);
	debugfs_create_file("hypercalls", 0400, dir, NULL, &pv_hypercalls_fops);
	debugfs_create_file("batches", 0400, dir, NULL, &pv_batches_fops);
	debugfs_create_file("mmu", 0400, dir, NULL, &pv_mmu_fops);
	debugfs_create_file("events", 0400, dir, NULL, &pv_events_fops);
	debugfs_create_file("locks", 0400, dir, NULL, &pv_locks_fops);
	return 0;
}
late_initcall(pv_debugfs_init);
