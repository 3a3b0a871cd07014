/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the domain builder reads (ELF notes) and the first instructions.
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

#ifdef CONFIG_SMP
/* A secondary vCPU: on its idle task's stack, %gs base set. */
	.text
SYM_CODE_START(pvguest_ap_entry)
	UNWIND_HINT_END_OF_STACK
	ENDBR
	cld
	call	pvguest_ap_start
	ud2
SYM_CODE_END(pvguest_ap_entry)

/* The same again, on the stack in %rdi. */
SYM_CODE_START(pvguest_ap_again)
	UNWIND_HINT_END_OF_STACK
	ENDBR
	movq	%rdi, %rsp
	jmp	pvguest_ap_entry
SYM_CODE_END(pvguest_ap_again)
#endif

ELFNOTE(Xen, XEN_ELFNOTE_GUEST_OS,	.asciz "linux")
ELFNOTE(Xen, XEN_ELFNOTE_GUEST_VERSION,	.asciz "pvguest")
ELFNOTE(Xen, XEN_ELFNOTE_XEN_VERSION,	.asciz "xen-3.0")
ELFNOTE(Xen, XEN_ELFNOTE_LOADER,	.asciz "generic")
ELFNOTE(Xen, XEN_ELFNOTE_VIRT_BASE,	.quad __START_KERNEL_map)
ELFNOTE(Xen, XEN_ELFNOTE_PADDR_OFFSET,	.quad 0)
ELFNOTE(Xen, XEN_ELFNOTE_ENTRY,		.quad pvguest_entry)
ELFNOTE(Xen, XEN_ELFNOTE_PAE_MODE,	.asciz "yes")
/* A non-present L1 entry may hold anything: only PRESENT makes it a frame. */
ELFNOTE(Xen, XEN_ELFNOTE_L1_MFN_VALID,	.quad 1; .quad 1)
/* The frame list may lie outside the initial mapping, and so may the initrd. */
ELFNOTE(Xen, XEN_ELFNOTE_INIT_P2M,	.quad PVGUEST_BOOT_P2M_VADDR)
ELFNOTE(Xen, XEN_ELFNOTE_MOD_START_PFN,	.long 1)
/* Page tables are never written directly while in use; dom0 is welcome. */
ELFNOTE(Xen, XEN_ELFNOTE_FEATURES,	.asciz "!writable_page_tables|pae_pgdir_above_4gb")
ELFNOTE(Xen, XEN_ELFNOTE_SUPPORTED_FEATURES,
	.long (1 << XENFEAT_writable_page_tables) | (1 << XENFEAT_dom0))
