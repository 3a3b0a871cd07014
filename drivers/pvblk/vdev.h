/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of virtual disks, and the names and minors that follow from them. */
#ifndef PVBLK_VDEV_H
#define PVBLK_VDEV_H

#include <linux/types.h>

/* Major number of xvd disks; registered with Linux (admin-guide/devices.txt). */
#define PVBLK_MAJOR	202

/**
 * struct pvblk_name - a disk's name and minors
 * @name: such as "xvda", or "xvda1" for a disk that is offered as a partition
 * @minor: first minor number
 * @minors: number of minors; 1 for a disk that is itself a partition
 */
struct pvblk_name {
	char name[16];
	unsigned int minor;
	unsigned int minors;
};

int pvblk_name(struct pvblk_name *name, unsigned int vdev);

#endif /* PVBLK_VDEV_H */
