/* SPDX-License-Identifier: MIT */
/*
 * The choice of the copy of the ABI's public headers, made in this file only.
 *
 * In a Linux build they are the tree's generic include/xen/interface/ headers,
 * anywhere else (bare guests, host tests) Debian's libxen-dev.  The wrappers
 * beside this file name structures by tag only, because the two copies agree
 * on tags and layouts but not on typedefs.
 */
#ifndef PVABI_HEADERS_H
#define PVABI_HEADERS_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <xen/interface/xen.h>
#include <xen/interface/callback.h>
#include <xen/interface/event_channel.h>
#include <xen/interface/features.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/memory.h>
#include <xen/interface/nmi.h>
#include <xen/interface/physdev.h>
#include <xen/interface/sched.h>
#include <xen/interface/vcpu.h>
#include <xen/interface/version.h>
#else
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#endif

#endif /* PVABI_HEADERS_H */
