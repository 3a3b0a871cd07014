/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XenStore for user programs under further names than /dev/xen/xenbus.  Only
 * where pvstore_present() is true may one of them be opened.
 */
#ifndef PVBUS_STORE_USER_H
#define PVBUS_STORE_USER_H

#include <linux/fs.h>

extern const struct file_operations pvstore_user_fops;

#endif /* PVBUS_STORE_USER_H */
