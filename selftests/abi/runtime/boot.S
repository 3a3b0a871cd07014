/* SPDX-License-Identifier: MIT */
/*
 * Entry and exit of a bare guest's kernel: ELF notes, the first instruction,
 * trap and callback stubs, jumps to user mode and back.
 *
 * Every entry from the hypervisor has RCX and R11 on top of the stack
 * (the hypervisor itself used them for SYSCALL/SYSRET), then the error code
 * of those exceptions that have one, then RIP, CS, RFLAGS, RSP, SS.
 */
#include <xen/elfnote.h>
#include "layout.h"

#define NR_IRET		23

	.macro note type, kind:vararg
	.balign	4
	.long	4
	.long	8f - 7f
	.long	\type
	.asciz	"Xen"
	.balign	4
7:	\kind
8:	.balign	4
	.endm

	.section .note.Xen, "a", @note
	note	XEN_ELFNOTE_GUEST_OS, .asciz "pvguest-abi"
	note	XEN_ELFNOTE_GUEST_VERSION, .asciz "1"
	note	XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
	note	XEN_ELFNOTE_LOADER, .asciz "generic"
	note	XEN_ELFNOTE_VIRT_BASE, .quad RT_BASE
	note	XEN_ELFNOTE_PADDR_OFFSET, .quad RT_BASE
	note	XEN_ELFNOTE_ENTRY, .quad _start
	note	XEN_ELFNOTE_FEATURES, .asciz RT_FEATURES
	note	XEN_ELFNOTE_HYPERCALL_PAGE, .quad rt_hypercall_page
	note	XEN_ELFNOTE_PAE_MODE, .asciz "yes"

	/* Filled by the hypervisor; only the cases about it use it. */
	.section .bss.page, "aw", @nobits
	.globl	rt_hypercall_page
	.balign	4096
rt_hypercall_page:
	.skip	4096

	.text
	.globl	_start
_start:
	/* Kept for the cases about the state at entry. */
	pushfq
	popq	rt_boot_regs+128(%rip)
	movq	%rax, rt_boot_regs(%rip)
	movq	%rbx, rt_boot_regs+8(%rip)
	movq	%rcx, rt_boot_regs+16(%rip)
	movq	%rdx, rt_boot_regs+24(%rip)
	movq	%rsi, rt_boot_regs+32(%rip)
	movq	%rdi, rt_boot_regs+40(%rip)
	movq	%rbp, rt_boot_regs+48(%rip)
	movq	%rsp, rt_boot_regs+56(%rip)
	movq	%r8, rt_boot_regs+64(%rip)
	movq	%r9, rt_boot_regs+72(%rip)
	movq	%r10, rt_boot_regs+80(%rip)
	movq	%r11, rt_boot_regs+88(%rip)
	movq	%r12, rt_boot_regs+96(%rip)
	movq	%r13, rt_boot_regs+104(%rip)
	movq	%r14, rt_boot_regs+112(%rip)
	movq	%r15, rt_boot_regs+120(%rip)
	xorl	%eax, %eax
	movw	%cs, %ax
	movq	%rax, rt_boot_regs+136(%rip)
	movw	%ss, %ax
	movq	%rax, rt_boot_regs+144(%rip)
	cld
	movq	%rsi, %rdi
	leaq	boot_stack + RT_STACK(%rip), %rsp
	xorl	%ebp, %ebp
	call	rt_start
	ud2

	/* A vCPU brought up: RDI carries its struct vcpu. */
	.globl	rt_ap_entry
rt_ap_entry:
	cld
	xorl	%ebp, %ebp
	call	rt_ap_start
	ud2

	/* One stub for each exception vector, 16 bytes apart. */
	.globl	rt_trap_stubs
	.balign	16
rt_trap_stubs:
	vector = 0
	.rept	256
	.balign	16
	pushq	$vector
	jmp	entry_noerr
	vector = vector + 1
	.endr

	.globl	rt_trap_stubs_err
	.balign	16
rt_trap_stubs_err:
	vector = 0
	.rept	32
	.balign	16
	pushq	$vector
	jmp	entry_err
	vector = vector + 1
	.endr

	.macro	entry_point name, number
	.globl	\name
\name:	pushq	$\number
	jmp	entry_noerr
	.endm

	entry_point rt_entry_event, RT_VEC_EVENT
	entry_point rt_entry_syscall, RT_VEC_SYSCALL
	entry_point rt_entry_syscall32, RT_VEC_SYSCALL32
	entry_point rt_entry_sysenter, RT_VEC_SYSENTER
	entry_point rt_entry_nmi, RT_VEC_NMI

	/* The failsafe frame has DS, ES, FS, GS between R11 and RIP. */
	.globl	rt_entry_failsafe
rt_entry_failsafe:
	movq	(%rsp), %rcx
	movq	8(%rsp), %r11
	addq	$0x30, %rsp
	pushq	$0
	pushq	$RT_VEC_FAILSAFE
	jmp	entry_common

	/* vector, RCX, R11, RIP... becomes vector, 0, RIP... */
entry_noerr:
	movq	8(%rsp), %rcx
	movq	16(%rsp), %r11
	popq	(%rsp)
	movq	$0, 8(%rsp)
	jmp	entry_common

	/* vector, RCX, R11, error, RIP... becomes vector, error, RIP... */
entry_err:
	movq	8(%rsp), %rcx
	movq	16(%rsp), %r11
	popq	8(%rsp)
	addq	$8, %rsp

	/* Complete struct frame, hand it to C, return through it. */
entry_common:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	movq	%rsp, %rbx
	andq	$-16, %rsp
	call	rt_trap
	movq	%rbx, %rdi

	/* rt_resume() - continue at struct frame RDI, kernel or user. */
	.globl	rt_resume
rt_resume:
	movq	%rdi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	pushq	$0
	pushq	%rcx
	pushq	%r11
	pushq	%rax
	movl	$NR_IRET, %eax
	syscall
	ud2

	/* rt_iret_raw() - issue iret with RSP = RDI, for cases about iret. */
	.globl	rt_iret_raw
rt_iret_raw:
	movq	%rdi, %rsp
	movl	$NR_IRET, %eax
	syscall
	ud2

	/* rt_setjmp() - store callee-saved registers in RDI, return 0. */
	.globl	rt_setjmp
rt_setjmp:
	movq	(%rsp), %rax
	movq	%rax, (%rdi)
	leaq	8(%rsp), %rax
	movq	%rax, 8(%rdi)
	movq	%rbx, 16(%rdi)
	movq	%rbp, 24(%rdi)
	movq	%r12, 32(%rdi)
	movq	%r13, 40(%rdi)
	movq	%r14, 48(%rdi)
	movq	%r15, 56(%rdi)
	xorl	%eax, %eax
	ret

	/* rt_longjmp() - return 1 from the rt_setjmp() that filled RDI. */
	.globl	rt_longjmp
rt_longjmp:
	movq	8(%rdi), %rsp
	movq	16(%rdi), %rbx
	movq	24(%rdi), %rbp
	movq	32(%rdi), %r12
	movq	40(%rdi), %r13
	movq	48(%rdi), %r14
	movq	56(%rdi), %r15
	movl	$1, %eax
	jmp	*(%rdi)

	.section .note.GNU-stack, "", @progbits
