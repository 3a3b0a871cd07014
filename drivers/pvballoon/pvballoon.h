/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files of the balloon.
 */
#ifndef PVBALLOON_H
#define PVBALLOON_H

/* Numbers of pages, for readers who accept that they change at any time. */
unsigned long pvballoon_target(void);
unsigned long pvballoon_pages(void);

#endif /* PVBALLOON_H */
