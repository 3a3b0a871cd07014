// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/xen, and the file system "xenfs" that programs of a domain expect there.
 *
 * The folder alone shows systemd-detect-virt that this is a domain; the
 * processor shows it only where no other hypervisor is below ours.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/init.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/string.h>
#include <pvbus/store.h>
#include <pvbus/store_user.h>
#include <pvguest/platform.h>

/* The initial domain controls the others; no other domain has a capability. */
static ssize_t pvuser_capabilities_read(struct file *file, char __user *buf,
					size_t len, loff_t *pos)
{
	const char *text = pvguest_initial_domain() ? "control_d\n" : "";

	return simple_read_from_buffer(buf, len, pos, text, strlen(text));
}

static const struct file_operations pvuser_capabilities_fops = {
	.owner	= THIS_MODULE,
	.read	= pvuser_capabilities_read,
	.llseek	= default_llseek,
};

/* Places 0 and 1 of such a table are not for files; an empty name ends it. */
#define PVUSER_FIRST	2

static const struct tree_descr pvuser_files[] = {
	[PVUSER_FIRST] = { "capabilities", &pvuser_capabilities_fops, 0444 },
	{ "xenbus", &pvstore_user_fops, 0600 },
	{ "" },
};

static const struct tree_descr pvuser_files_without_store[] = {
	[PVUSER_FIRST] = { "capabilities", &pvuser_capabilities_fops, 0444 },
	{ "" },
};

static int pvuser_fill_super(struct super_block *sb, struct fs_context *fc)
{
	sb->s_iflags |= SB_I_NOEXEC | SB_I_NODEV;
	return simple_fill_super(sb, XENFS_SUPER_MAGIC,
				 pvstore_present() ? pvuser_files :
						     pvuser_files_without_store);
}

static int pvuser_get_tree(struct fs_context *fc)
{
	return get_tree_single(fc, pvuser_fill_super);
}

static const struct fs_context_operations pvuser_context_ops = {
	.get_tree = pvuser_get_tree,
};

static int pvuser_init_fs_context(struct fs_context *fc)
{
	fc->ops = &pvuser_context_ops;
	return 0;
}

static struct file_system_type pvuser_type = {
	.owner			= THIS_MODULE,
	.name			= "xenfs",
	.init_fs_context	= pvuser_init_fs_context,
	.kill_sb		= kill_litter_super,
};

static int __init pvuser_xenfs_init(void)
{
	if (!pvguest_running())
		return 0;
	if (!proc_create_mount_point("xen"))
		return -ENOMEM;
	return register_filesystem(&pvuser_type);
}
device_initcall(pvuser_xenfs_init);
