/* SPDX-License-Identifier: MIT */
/*
 * 32-bit system calls by each entering instruction; see compat_entry.h.
 *
 * The kernel resumes a SYSENTER or SYSCALL of 32-bit code behind the vDSO's own
 * copy of the instruction, where EBP, EDX and ECX are popped before RET.  So a
 * function that pushes the same three first can replace the vDSO's.
 */
	.text

	.globl	call_through
	.type	call_through, @function
call_through:
	push	%ebp
	push	%ebx
	push	%esi
	push	%edi
	mov	20(%esp), %eax
	mov	%eax, entry
	mov	24(%esp), %ebp
	mov	0(%ebp), %eax
	mov	4(%ebp), %ebx
	mov	8(%ebp), %ecx
	mov	12(%ebp), %edx
	mov	16(%ebp), %esi
	mov	20(%ebp), %edi
	mov	24(%ebp), %ebp
	call	*entry
	pop	%edi
	pop	%esi
	pop	%ebx
	pop	%ebp
	ret
	.size	call_through, . - call_through

	.globl	enter_by_int80
	.type	enter_by_int80, @function
enter_by_int80:
	int	$0x80
	ret
	.size	enter_by_int80, . - enter_by_int80

	.globl	enter_by_sysenter
	.type	enter_by_sysenter, @function
enter_by_sysenter:
	push	%ecx
	push	%edx
	push	%ebp
	mov	%esp, %ebp
	sysenter
	hlt
	.size	enter_by_sysenter, . - enter_by_sysenter

	.globl	enter_by_syscall
	.type	enter_by_syscall, @function
enter_by_syscall:
	push	%ecx
	push	%edx
	push	%ebp
	mov	%ecx, %ebp
	syscall
	hlt
	.size	enter_by_syscall, . - enter_by_syscall

	.local	entry
	.comm	entry, 4, 4

	.section .note.GNU-stack, "", @progbits
