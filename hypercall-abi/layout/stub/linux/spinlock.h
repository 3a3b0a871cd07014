/* SPDX-License-Identifier: MIT */
/* Stands in for linux/spinlock.h, which Linux's copy of memory.h names a lock of. */
#ifndef PVABI_LAYOUT_LINUX_SPINLOCK_H
#define PVABI_LAYOUT_LINUX_SPINLOCK_H

#define spinlock_t	struct pvabi_layout_lock

#endif /* PVABI_LAYOUT_LINUX_SPINLOCK_H */
