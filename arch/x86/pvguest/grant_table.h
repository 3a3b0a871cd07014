/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Needs of the grant table that the rest of the port (platform.c) serves: frames, and
 * the hypercalls that are about them.  Compiles in user space too.
 */
#ifndef PVGUEST_GRANT_TABLE_H
#define PVGUEST_GRANT_TABLE_H

#include <linux/mm_types.h>

unsigned long pvguest_page_frame(const struct page *page);
void *pvguest_map_frame(unsigned long frame);
int pvguest_grant_op(unsigned int cmd, void *ops, unsigned int count);
long pvguest_maximum_ram_page(void);

#endif /* PVGUEST_GRANT_TABLE_H */
