// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names on the kernel's command line that begin as the port's do and are none.  Linux
 * passes over an unknown word with a point in it, as it may be a module's.
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <pvguest/parameter.h>

/* The port and the drivers; none of them is a module. */
static const char * const pv_prefixes[] __initconst = {
	"pvguest.", "pvbus.", "pvcon.", "pvblk.", "pvnet.", "pvuser.",
};

static bool __init pv_has_prefix(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pv_prefixes); i++)
		if (strstarts(name, pv_prefixes[i]))
			return true;
	return false;
}

static bool __init pv_is_parameter(const char *name)
{
	const struct obs_kernel_param *early;
	const struct kernel_param *param;
	const char *last = strrchr(name, '.');
	size_t len = strlen(name);

	/* Dynamic debug obeys it for every driver. */
	if (IS_ENABLED(CONFIG_DYNAMIC_DEBUG) && last && !strcmp(last, ".dyndbg"))
		return true;
	for (param = __start___param; param < __stop___param; param++)
		if (parameq(name, param->name))
			return true;
	for (early = __setup_start; early < __setup_end; early++)
		if (parameqn(name, early->str, len) &&
		    (!early->str[len] || early->str[len] == '='))
			return true;
	return false;
}

static int __init pv_check_names(void)
{
	char *words = kstrdup(saved_command_line, GFP_KERNEL);
	char *rest = words ? skip_spaces(words) : "";
	char *name, *value;

	while (*rest) {
		rest = next_arg(rest, &name, &value);
		/* The words behind it are for init. */
		if (!value && !strcmp(name, "--"))
			break;
		if (pv_has_prefix(name) && !pv_is_parameter(name))
			pr_warn("%.*s: there is no such parameter (%d); ignored\n",
				pvguest_shown(name), name, -ENOENT);
	}
	kfree(words);
	return 0;
}
late_initcall(pv_check_names);
