/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers by which a disk takes grant references and event channels of its domain. */
#ifndef PVBLK_LIMITS_H
#define PVBLK_LIMITS_H

/* Limits, whatever a back end offers. */
#define PVBLK_MAX_QUEUES	64
#define PVBLK_MAX_ORDER		4
/* Rings of a disk, log2 of their pages and segments of a request by default. */
#define PVBLK_QUEUES		8
#define PVBLK_ORDER		1
#define PVBLK_INDIRECT		64
/* Pages made with a ring, or enough for one request if that is more. */
#define PVBLK_FIRST_PAGES	64

#endif /* PVBLK_LIMITS_H */
