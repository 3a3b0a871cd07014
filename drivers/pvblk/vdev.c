// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers of virtual disks (Xen's xen-vbd-interface(7)), and the names and
 * minors that follow from them.
 *
 * The number is a major and minor of Linux's old IDE, SCSI or xvd disks, or
 * 1 << 28 | disk << 8 | partition.  Whatever the scheme, disk n is the nth xvd
 * here.  The first 16 disks have 16 minors each, as in Linux's list of devices;
 * later ones 256, as their numbers have 8 bits for the partition.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "vdev.h"

#define CLASSIC_DISKS	16
#define CLASSIC_MINORS	16
#define EXTENDED_MINORS	256
#define EXTENDED	28
#define MAX_DISKS	(0x100000 / EXTENDED_MINORS)

/* Old majors: first disk of each, number of disks, bits of a partition. */
static const struct pvblk_old_major {
	unsigned char first, last;
	unsigned char disk, disks;
	unsigned char part_bits;
} pvblk_old_majors[] = {
	{ PVBLK_MAJOR, PVBLK_MAJOR,	0, 16, 4 },	/* xvda..xvdp */
	{ 8, 8,				0, 16, 4 },	/* sda..sdp */
	{ 65, 71,			16, 16, 4 },	/* sdq..sddx */
	{ 128, 135,			128, 16, 4 },	/* sddy..sdiv */
	{ 3, 3,				0, 2, 6 },	/* hda, hdb */
	{ 22, 22,			2, 2, 6 },	/* hdc, hdd */
};

static bool pvblk_split_old(unsigned int vdev, unsigned int *disk,
			    unsigned int *part)
{
	unsigned int major = vdev >> 8, minor = vdev & 0xff, i, nth;

	for (i = 0; i < ARRAY_SIZE(pvblk_old_majors); i++) {
		const struct pvblk_old_major *m = &pvblk_old_majors[i];

		if (major < m->first || major > m->last)
			continue;
		nth = minor >> m->part_bits;
		if (nth >= m->disks)
			return false;
		*disk = m->disk + (major - m->first) * m->disks + nth;
		*part = minor & ((1U << m->part_bits) - 1);
		return true;
	}
	return false;
}

/* a, b, ... z, aa, ab...; returns the end. */
static char *pvblk_put_letters(char *to, unsigned int n)
{
	if (n >= 26)
		to = pvblk_put_letters(to, n / 26 - 1);
	*to++ = 'a' + n % 26;
	return to;
}

/**
 * pvblk_name() - find the name of the disk with a given number
 * @name: filled in
 * @vdev: the number, from XenStore
 *
 * Return: 0, or -EINVAL if no disk has such a number.
 */
int pvblk_name(struct pvblk_name *name, unsigned int vdev)
{
	unsigned int disk, part, minors;
	char *end;

	if (vdev >> EXTENDED == 1) {
		disk = vdev >> 8 & 0xfffff;
		part = vdev & 0xff;
	} else if (!pvblk_split_old(vdev, &disk, &part)) {
		return -EINVAL;
	}
	minors = disk < CLASSIC_DISKS ? CLASSIC_MINORS : EXTENDED_MINORS;
	if (disk >= MAX_DISKS || part >= minors)
		return -EINVAL;

	name->minor = disk * minors + part;
	name->minors = part ? 1 : minors;
	memcpy(name->name, "xvd", 3);
	end = pvblk_put_letters(name->name + 3, disk);
	if (part)
		end += sprintf(end, "%u", part);
	*end = 0;
	return 0;
}
