// SPDX-License-Identifier: MIT
/*
 * A module to load and unload: its own text, data, per-CPU and vmalloc memory,
 * a static key that patches its code, a hot function for tracers, and a mapping
 * of any physical address.
 */
#include <linux/io.h>
#include <linux/jump_label.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#define PAGES 64

static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "number that every result starts from");

static DEFINE_STATIC_KEY_FALSE(doubled);
static DEFINE_PER_CPU(unsigned int, asked);
static unsigned int *table;

/* Never inlined, so that it can be probed and traced. */
noinline unsigned int pvguest_test_answer(unsigned int index);
noinline unsigned int pvguest_test_answer(unsigned int index)
{
	unsigned int value = table[index % (PAGES * PAGE_SIZE / sizeof(*table))];

	this_cpu_inc(asked);
	if (static_branch_unlikely(&doubled))
		value *= 2;
	return value;
}

static int answer_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%u\n", pvguest_test_answer(3));
}

static const struct kernel_param_ops answer_ops = { .get = answer_get };
module_param_cb(answer, &answer_ops, NULL, 0444);
MODULE_PARM_DESC(answer, "three more than the seed, or twice that");

static int asked_get(char *buffer, const struct kernel_param *param)
{
	unsigned int sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(asked, cpu);
	return sysfs_emit(buffer, "%u\n", sum);
}

static const struct kernel_param_ops asked_ops = { .get = asked_get };
module_param_cb(asked, &asked_ops, NULL, 0444);
MODULE_PARM_DESC(asked, "number of calls");

static int double_set(const char *text, const struct kernel_param *param)
{
	bool on;
	int error = kstrtobool(text, &on);

	if (error)
		return error;
	if (on)
		static_branch_enable(&doubled);
	else
		static_branch_disable(&doubled);
	return 0;
}

static const struct kernel_param_ops double_ops = { .set = double_set };
module_param_cb(double, &double_ops, NULL, 0200);
MODULE_PARM_DESC(double, "double the results, by patched code");

static int map_set(const char *text, const struct kernel_param *param)
{
	void __iomem *mapping;
	u64 address;
	u32 value;
	int ret = kstrtou64(text, 0, &address);

	if (ret)
		return ret;
	mapping = ioremap(address & PAGE_MASK, PAGE_SIZE);
	if (!mapping)
		return -ENOMEM;
	/* A fault in an empty mapping is an error here. */
	ret = copy_from_kernel_nofault(&value, (void __force *)mapping,
				       sizeof(value));
	iounmap(mapping);
	return ret;
}

static const struct kernel_param_ops map_ops = { .set = map_set };
module_param_cb(map, &map_ops, NULL, 0200);
MODULE_PARM_DESC(map, "physical address to map as a device's, read from, and unmap");

static int __init pvguest_test_init(void)
{
	unsigned int count = PAGES * PAGE_SIZE / sizeof(*table);

	table = vmalloc(PAGES * PAGE_SIZE);
	if (!table)
		return -ENOMEM;
	for (unsigned int i = 0; i < count; i++)
		table[i] = seed + i;
	return 0;
}
module_init(pvguest_test_init);

static void __exit pvguest_test_exit(void)
{
	vfree(table);
}
module_exit(pvguest_test_exit);

MODULE_DESCRIPTION("Test of module loading, static keys and tracing");
MODULE_LICENSE("Dual MIT/GPL");
