// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/hypervisor: type and version of what we run on.
 */
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "internal.h"

/* A file of its own name, which pv_sysfs_NAME_show() fills. */
#define PV_SYSFS_FILE(_name)						\
	static struct kobj_attribute pv_sysfs_##_name =			\
		__ATTR(_name, 0444, pv_sysfs_##_name##_show, NULL)

static ssize_t pv_sysfs_type_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "xen\n");
}

PV_SYSFS_FILE(type);

static ssize_t pv_sysfs_guest_type_show(struct kobject *kobj,
					struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "PV\n");
}

PV_SYSFS_FILE(guest_type);

static ssize_t pv_sysfs_uuid_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	xen_domain_handle_t handle;

	if (hyp_xen_version(XENVER_guest_handle, &handle))
		return -EIO;
	return sysfs_emit(buf, "%pU\n", &handle);
}

PV_SYSFS_FILE(uuid);

static ssize_t pv_sysfs_major_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%ld\n", hyp_xen_version(XENVER_version, NULL) >> 16);
}

PV_SYSFS_FILE(major);

static ssize_t pv_sysfs_minor_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%ld\n", hyp_xen_version(XENVER_version, NULL) & 0xffff);
}

PV_SYSFS_FILE(minor);

static ssize_t pv_sysfs_extra_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	struct xen_extraversion extra = {};

	if (hyp_xen_version(XENVER_extraversion, extra.extraversion))
		return -EIO;
	return sysfs_emit(buf, "%.*s\n", (int)sizeof(extra.extraversion),
			  extra.extraversion);
}

PV_SYSFS_FILE(extra);

static ssize_t pv_sysfs_features_show(struct kobject *kobj,
				      struct kobj_attribute *attr, char *buf)
{
	struct xen_feature_info info = { .submap_idx = 0 };

	if (hyp_xen_version(XENVER_get_features, &info))
		return -EIO;
	return sysfs_emit(buf, "%08x\n", info.submap);
}

PV_SYSFS_FILE(features);

static const struct attribute_group pv_sysfs_top = {
	.attrs = (struct attribute *[]) {
		&pv_sysfs_type.attr, &pv_sysfs_guest_type.attr,
		&pv_sysfs_uuid.attr, NULL,
	},
};

static const struct attribute_group pv_sysfs_version = {
	.name = "version",
	.attrs = (struct attribute *[]) {
		&pv_sysfs_major.attr, &pv_sysfs_minor.attr,
		&pv_sysfs_extra.attr, NULL,
	},
};

static const struct attribute_group pv_sysfs_properties = {
	.name = "properties",
	.attrs = (struct attribute *[]) { &pv_sysfs_features.attr, NULL },
};

static const struct attribute_group *pv_sysfs_groups[] = {
	&pv_sysfs_top, &pv_sysfs_version, &pv_sysfs_properties, NULL
};

static int __init pv_sysfs_init(void)
{
	if (!pvguest_running())
		return 0;
	return sysfs_create_groups(hypervisor_kobj, pv_sysfs_groups);
}
late_initcall(pv_sysfs_init);
