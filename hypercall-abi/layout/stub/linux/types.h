/* SPDX-License-Identifier: MIT */
/*
 * The few types that Linux's copy of the ABI headers takes from linux/types.h,
 * so that the layout check can compile them in a tree that is not configured.
 */
#ifndef PVABI_LAYOUT_LINUX_TYPES_H
#define PVABI_LAYOUT_LINUX_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned char __u8, u8;
typedef unsigned short __u16, u16;
typedef unsigned int __u32, u32;
typedef unsigned long long __u64, u64;
typedef signed char __s8, s8;
typedef short __s16, s16;
typedef int __s32, s32;
typedef long long __s64, s64;

#endif /* PVABI_LAYOUT_LINUX_TYPES_H */
