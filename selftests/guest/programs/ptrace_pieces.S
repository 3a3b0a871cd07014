/* SPDX-License-Identifier: MIT */
/* Code to single-step through; see ptrace_pieces.h. */
	.text

	.macro	piece name
	.globl	\name\()_code
\name\()_code:
	.endm

	.macro	done name
	.globl	\name\()_end
\name\()_end:
	ret
	.endm

	piece	plain
	.rept	100
	nop
	.endr
	done	plain

	piece	syscall
	.rept	20
	mov	$39, %eax
	syscall
	.endr
	done	syscall

	piece	int80
	.rept	20
	mov	$20, %eax
	int	$0x80
	.endr
	done	int80

	piece	stack
	mov	%ss, %eax
	mov	%eax, %ss
	nop
	cpuid
	done	stack

	piece	string
	lea	watched(%rip), %rdi
	mov	$16, %ecx
	rep stosq
	done	string

	.section .note.GNU-stack, "", @progbits
