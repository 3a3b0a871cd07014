/* SPDX-License-Identifier: GPL-2.0-only */
/* Heads, sectors and cylinders, for programs that ask for them. */
#ifndef PVBLK_GEOMETRY_H
#define PVBLK_GEOMETRY_H

struct block_device;
struct hd_geometry;

int pvblk_getgeo(struct block_device *bdev, struct hd_geometry *geo);

#endif /* PVBLK_GEOMETRY_H */
