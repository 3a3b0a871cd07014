/* SPDX-License-Identifier: MIT */
/* A substitute for linux/spinlock.h: Linux's copy of memory.h names its lock type. */
#ifndef PVABI_LAYOUT_LINUX_SPINLOCK_H
#define PVABI_LAYOUT_LINUX_SPINLOCK_H

#define spinlock_t	struct pvabi_layout_lock

#endif /* PVABI_LAYOUT_LINUX_SPINLOCK_H */
