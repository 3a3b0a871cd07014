/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XenStore: a small tree of strings kept by a daemon in the control domain, in
 * which tool stack, back ends and front ends write nodes for each other.
 *
 * Paths are either absolute or relative to this domain's own directory.  A
 * path is given as a directory and a node below it ("" for the directory
 * itself).  All calls but those that say otherwise sleep until the daemon has
 * replied or the caller is killed; they return 0 or a negative errno, of which
 * -ENOENT, -EACCES and -EAGAIN (transaction lost) are the daemon's.  -EPROTO
 * stands for an invalid reply, -EINTR for a killed caller, -ENODEV for a domain
 * without XenStore, -ETIMEDOUT for a daemon that is silent while the system
 * shuts down, -ENOSPC for more transactions than the daemon's limit, and -E2BIG
 * and -ENOMEM for a request that could not be made.
 */
#ifndef PVBUS_STORE_H
#define PVBUS_STORE_H

#include <linux/list.h>
#include <linux/types.h>
#include <xen/interface/io/xs_wire.h>

/* Transaction number of a request outside any transaction. */
#define PVSTORE_NO_TXN	0

bool pvstore_present(void);

int pvstore_read(u32 txn, const char *dir, const char *node, char **value,
		 unsigned int *len);
int pvstore_read_within(unsigned int seconds, const char *dir, const char *node,
			char **value);
int pvstore_read_uint(u32 txn, const char *dir, const char *node,
		      unsigned long long *value);
unsigned int pvstore_read_feature(const char *dir, const char *node,
				  unsigned int absent, unsigned int max);
int pvstore_list(u32 txn, const char *dir, const char *node, char ***names,
		 unsigned int *count);
bool pvstore_exists(u32 txn, const char *dir, const char *node);
int pvstore_write(u32 txn, const char *dir, const char *node,
		  const char *value);
int __printf(4, 5) pvstore_printf(u32 txn, const char *dir, const char *node,
				  const char *fmt, ...);
int pvstore_remove(u32 txn, const char *dir, const char *node);

int pvstore_begin(u32 *txn);
int pvstore_end(u32 txn, bool abort);

/**
 * struct pvstore_watch - calls back when a part of the tree changes
 * @path: root of that part; absolute or relative, must outlive the watch
 * @changed: called with the path that changed as the daemon spells it; must
 *	not use XenStore itself, but queue work that does.  Never called
 *	again once pvstore_unwatch() has returned
 * @list: the client's own
 * @token: the client's own
 */
struct pvstore_watch {
	const char *path;
	void (*changed)(struct pvstore_watch *watch, const char *path);
	struct list_head list;
	u32 token;
};

int pvstore_watch(struct pvstore_watch *watch);
void pvstore_unwatch(struct pvstore_watch *watch);

#endif /* PVBUS_STORE_H */
