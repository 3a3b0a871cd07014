/* SPDX-License-Identifier: MIT */
/*
 * Numbers that the assembly, the linker script and the C of a bare guest share.
 */
#ifndef RT_LAYOUT_H
#define RT_LAYOUT_H

/* Virtual address of pseudo-physical page 0; the image is linked from here. */
#define RT_BASE		0xffffffff80000000
/* Page-table windows for cases start here: nothing else maps this range. */
#define RT_WINDOW	0xffffffffa0000000
/* Stacks are this big and this aligned; struct vcpu is found below RSP. */
#define RT_STACK	16384
/* Features that this guest supports (ELF note "features"). */
#ifndef RT_FEATURES
#define RT_FEATURES	"pae_pgdir_above_4gb"
#endif

/* struct frame's vector for entries that are no exception. */
#define RT_VEC_EVENT		0x100
#define RT_VEC_FAILSAFE		0x101
#define RT_VEC_SYSCALL		0x102
#define RT_VEC_SYSCALL32	0x103
#define RT_VEC_SYSENTER		0x104
#define RT_VEC_NMI		0x105

#endif /* RT_LAYOUT_H */
