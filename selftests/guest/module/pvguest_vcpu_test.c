// SPDX-License-Identifier: MIT
/*
 * Kernel code on a given vCPU: reads an I/O port there; and code that any vCPU may
 * carry out: asks for the processor's features.
 */
#include <linux/cpu.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/processor.h>

/* POST codes go here; every PC decodes it and reading does nothing. */
#define HARMLESS_PORT	0x80

static int read_port(void *unused)
{
	inb(HARMLESS_PORT);
	return 0;
}

static int read_port_set(const char *text, const struct kernel_param *param)
{
	unsigned int cpu;
	int ret = kstrtouint(text, 0, &cpu);

	if (ret)
		return ret;
	return smp_call_on_cpu(cpu, read_port, NULL, false);
}

static const struct kernel_param_ops read_port_ops = { .set = read_port_set };
module_param_cb(read_port, &read_port_ops, NULL, 0200);
MODULE_PARM_DESC(read_port, "processor that is to read an I/O port now");

/* The leaf that names the processor, where this task may be moved to another. */
static int read_cpuid_set(const char *text, const struct kernel_param *param)
{
	return cpuid_eax(1) ? 0 : -EIO;
}

static const struct kernel_param_ops read_cpuid_ops = { .set = read_cpuid_set };
module_param_cb(read_cpuid, &read_cpuid_ops, NULL, 0200);
MODULE_PARM_DESC(read_cpuid, "any number: read CPUID leaf 1 now");

MODULE_DESCRIPTION("Test of what kernel code may do on each vCPU");
MODULE_LICENSE("Dual MIT/GPL");
