// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of the balloon, by the names that images expect
 * (Documentation/ABI/stable/sysfs-devices-system-xen_memory).  All of it is
 * read-only: the tool stack sets the target.
 */
#include <linux/device.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/sysfs.h>
#include <pvbus/store.h>
#include <pvguest/platform.h>

#include "pvballoon.h"

/* The file @_name: a number of KiB, of as many pages as @_pages. */
#define PVBALLOON_FILE(_name, _pages)					\
static ssize_t pvballoon_##_name##_show(struct device *dev,		\
					struct device_attribute *attr,	\
					char *buf)			\
{									\
	return sysfs_emit(buf, "%lu\n", (_pages) << (PAGE_SHIFT - 10));	\
}									\
static struct device_attribute pvballoon_##_name =			\
	__ATTR(_name, 0444, pvballoon_##_name##_show, NULL)

PVBALLOON_FILE(target_kb, pvballoon_target());
PVBALLOON_FILE(current_kb, pvguest_memory_at_boot() - pvballoon_pages());
PVBALLOON_FILE(low_kb, pvballoon_pages());
/* There is no high memory. */
PVBALLOON_FILE(high_kb, 0UL);

static const struct attribute_group pvballoon_top = {
	.attrs = (struct attribute *[]) { &pvballoon_target_kb.attr, NULL },
};

static const struct attribute_group pvballoon_info = {
	.name = "info",
	.attrs = (struct attribute *[]) {
		&pvballoon_current_kb.attr, &pvballoon_low_kb.attr,
		&pvballoon_high_kb.attr, NULL
	},
};

static const struct attribute_group *pvballoon_groups[] = {
	&pvballoon_top, &pvballoon_info, NULL
};

static const struct bus_type pvballoon_subsystem = {
	.name = "xen_memory",
	.dev_name = "xen_memory",
};

static void pvballoon_release(struct device *dev)
{
}

static struct device pvballoon_device = {
	.bus = &pvballoon_subsystem,
	.groups = pvballoon_groups,
	.release = pvballoon_release,
};

static int __init pvballoon_sysfs_init(void)
{
	int ret;

	if (!pvstore_present())
		return 0;
	ret = subsys_system_register(&pvballoon_subsystem, NULL);
	if (ret)
		return ret;
	/* Its number is 0: the only one. */
	ret = device_register(&pvballoon_device);
	if (ret)
		put_device(&pvballoon_device);
	return ret;
}
late_initcall(pvballoon_sysfs_init);
