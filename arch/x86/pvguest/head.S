/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ELF notes, which the domain builder reads, and the first instructions.
 *
 * Start of day (xen/xen.h, "Start-of-day memory layout"): 64-bit mode, CPL 3,
 * events masked, the image mapped at the address in XEN_ELFNOTE_VIRT_BASE,
 * %rsi = virtual address of the start_info page, everything else undefined.
 */
#include <linux/elfnote.h>
#include <linux/init.h>
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/msr.h>
#include <asm/page_types.h>
#include <asm/percpu.h>
#include <asm/unwind_hints.h>

#include <xen/interface/elfnote.h>
#include <xen/interface/features.h>

#include "layout.h"

	__INIT
SYM_CODE_START(pvguest_entry)
	UNWIND_HINT_END_OF_STACK
	ANNOTATE_NOENDBR
	cld
	/* Keep the argument out of the way of WRMSR and of the string store. */
	movq	%rsi, %rbx
	leaq	__top_init_kernel_stack(%rip), %rsp

	/* Per-CPU data of the boot processor, and with it the stack canary. */
	movl	$MSR_GS_BASE, %ecx
	movq	$INIT_PER_CPU_VAR(fixed_percpu_data), %rax
	movq	%rax, %rdx
	shrq	$32, %rdx
	wrmsr

	movq	%rbx, %rdi
	call	pvguest_start
	ud2
SYM_CODE_END(pvguest_entry)
	__FINIT

/* Notes of vendor "Xen": one string, or 64-bit numbers, or a bitmap of 32 bits. */
#define PV_NOTE_TEXT(type, text)	ELFNOTE(Xen, XEN_ELFNOTE_##type, .asciz text)
#define PV_NOTE_QUAD(type, value)	ELFNOTE(Xen, XEN_ELFNOTE_##type, .quad value)
#define PV_NOTE_LONG(type, value)	ELFNOTE(Xen, XEN_ELFNOTE_##type, .long value)

/* Where the builder puts the image, and where it enters it. */
PV_NOTE_QUAD(VIRT_BASE, __START_KERNEL_map)
PV_NOTE_QUAD(PADDR_OFFSET, 0)
PV_NOTE_QUAD(ENTRY, pvguest_entry)
/* The frame list may be outside the initial mapping, and so may the initrd. */
PV_NOTE_QUAD(INIT_P2M, PVGUEST_BOOT_P2M_VADDR)
PV_NOTE_LONG(MOD_START_PFN, 1)
/* Page tables are never written directly while in use; the kernel may be dom0. */
PV_NOTE_TEXT(FEATURES, "!writable_page_tables|pae_pgdir_above_4gb")
PV_NOTE_LONG(SUPPORTED_FEATURES,
	     (1 << XENFEAT_dom0) | (1 << XENFEAT_writable_page_tables))
/* Mask and value: a non-present L1 entry may hold anything, only PRESENT makes it a frame. */
PV_NOTE_QUAD(L1_MFN_VALID, 1; .quad 1)

PV_NOTE_TEXT(PAE_MODE, "yes")
PV_NOTE_TEXT(LOADER, "generic")
PV_NOTE_TEXT(XEN_VERSION, "xen-3.0")
PV_NOTE_TEXT(GUEST_VERSION, "pvguest")
PV_NOTE_TEXT(GUEST_OS, "linux")
