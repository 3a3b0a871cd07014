// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/hypervisor: type and version of what we run on.
 */
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "internal.h"

static ssize_t type_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "xen\n");
}

static struct kobj_attribute type_attr = __ATTR_RO(type);

static ssize_t guest_type_show(struct kobject *kobj, struct kobj_attribute *attr,
			       char *buf)
{
	return sysfs_emit(buf, "PV\n");
}

static struct kobj_attribute guest_type_attr = __ATTR_RO(guest_type);

static ssize_t uuid_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	xen_domain_handle_t handle;

	if (hyp_xen_version(XENVER_guest_handle, &handle))
		return -EIO;
	return sysfs_emit(buf, "%pU\n", &handle);
}

static struct kobj_attribute uuid_attr = __ATTR_RO(uuid);

static ssize_t major_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%ld\n", hyp_xen_version(XENVER_version, NULL) >> 16);
}

static struct kobj_attribute major_attr = __ATTR_RO(major);

static ssize_t minor_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%ld\n", hyp_xen_version(XENVER_version, NULL) & 0xffff);
}

static struct kobj_attribute minor_attr = __ATTR_RO(minor);

static ssize_t extra_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	struct xen_extraversion extra = {};

	if (hyp_xen_version(XENVER_extraversion, extra.extraversion))
		return -EIO;
	return sysfs_emit(buf, "%.*s\n", (int)sizeof(extra.extraversion),
			  extra.extraversion);
}

static struct kobj_attribute extra_attr = __ATTR_RO(extra);

static ssize_t features_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	struct xen_feature_info info = { .submap_idx = 0 };

	if (hyp_xen_version(XENVER_get_features, &info))
		return -EIO;
	return sysfs_emit(buf, "%08x\n", info.submap);
}

static struct kobj_attribute features_attr = __ATTR_RO(features);

static struct attribute *top_attrs[] = {
	&type_attr.attr, &guest_type_attr.attr, &uuid_attr.attr, NULL
};

static struct attribute *version_attrs[] = {
	&major_attr.attr, &minor_attr.attr, &extra_attr.attr, NULL
};

static struct attribute *property_attrs[] = { &features_attr.attr, NULL };

static const struct attribute_group top_group = { .attrs = top_attrs };
static const struct attribute_group version_group = {
	.name = "version", .attrs = version_attrs,
};
static const struct attribute_group property_group = {
	.name = "properties", .attrs = property_attrs,
};

static const struct attribute_group *groups[] = {
	&top_group, &version_group, &property_group, NULL
};

static int __init pvguest_sysfs(void)
{
	if (!pvguest_running())
		return 0;
	return sysfs_create_groups(hypervisor_kobj, groups);
}
late_initcall(pvguest_sysfs);
