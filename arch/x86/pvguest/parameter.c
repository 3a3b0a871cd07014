// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parameters of the port and the drivers, read from the kernel's command line and
 * from files below /sys/module: which values they take, and which are refused.
 */
#include <linux/array_size.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kstrtox.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <pvguest/parameter.h>

/* Values of a switch: those that turn it off, then those that turn it on. */
static const char * const pv_switch_words[] = {
	"0", "N", "n", "off", "1", "Y", "y", "on",
};

static int pv_number_set(const char *text, const struct kernel_param *param)
{
	const struct pvguest_range *range = param->arg;
	unsigned int value;

	if (!text) {
		pr_err("%s: no value, where one within %u to %u belongs (%d); ignored\n",
		       param->name, range->min, range->max, -EINVAL);
		return -EINVAL;
	}
	if (kstrtouint(text, 0, &value) || value < range->min ||
	    value > range->max) {
		pr_err("%s: '%.*s' is not within %u to %u (%d); ignored\n",
		       param->name, pvguest_shown(text), text, range->min,
		       range->max, -EINVAL);
		return -EINVAL;
	}
	WRITE_ONCE(*range->value, value);
	return 0;
}

static int pv_number_get(char *buffer, const struct kernel_param *param)
{
	const struct pvguest_range *range = param->arg;

	return sysfs_emit(buffer, "%u\n", *range->value);
}

const struct kernel_param_ops pvguest_number_ops = {
	/* Linux would refuse the name alone without our line. */
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = pv_number_set,
	.get = pv_number_get,
};
EXPORT_SYMBOL_GPL(pvguest_number_ops);

/**
 * pvguest_read_switch() - the value of a switch
 * @name: of the parameter, for the log
 * @text: what was given
 * @value: the switch, left as it is if @text is none of its values
 *
 * Linux's own kind of switch looks at the first character or two only, so it
 * takes 10 for 1.
 *
 * Context: process, or boot with one vCPU.
 * Return: 0 or -EINVAL.
 */
int pvguest_read_switch(const char *name, const char *text, bool *value)
{
	int word = sysfs_match_string(pv_switch_words, text);

	if (word < 0) {
		pr_err("%s: '%.*s' is neither 0 nor 1 (%d); ignored\n", name,
		       pvguest_shown(text), text, -EINVAL);
		return -EINVAL;
	}
	WRITE_ONCE(*value, word >= ARRAY_SIZE(pv_switch_words) / 2);
	return 0;
}

static int pv_switch_set(const char *text, const struct kernel_param *param)
{
	/* The name alone on the command line turns it on. */
	return pvguest_read_switch(param->name, text ?: "1", param->arg);
}

const struct kernel_param_ops pvguest_switch_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = pv_switch_set,
	.get = param_get_bool,
};
EXPORT_SYMBOL_GPL(pvguest_switch_ops);
