/* SPDX-License-Identifier: MIT */
/* Vector registers through one system call; see fpu_registers.h. */
	.text
	.altmacro

	.macro	load_one insn, register, number
	\insn	64*\number(%rdi), %\register\number
	.endm

	.macro	store_one insn, register, number
	\insn	%\register\number, 64*\number(%r9)
	.endm

	.macro	each what, insn, register, count
	.set	i, 0
	.rept	\count
	\what	\insn, \register, %i
	.set	i, i + 1
	.endr
	.endm

	.macro	function name
	.globl	\name
	.type	\name, @function
\name:
	.endm

	.macro	through_call name, insn, register, count
	function \name
	each	load_one, \insn, \register, \count
	mov	%rsi, %r9
	mov	%rdx, %rax
	mov	%rcx, %rdi
	mov	%r8, %rsi
	xor	%edx, %edx
	syscall
	each	store_one, \insn, \register, \count
	ret
	.size	\name, . - \name
	.endm

	function sse_store
	mov	%rdi, %r9
	each	store_one, movdqu, xmm, 16
	ret
	.size	sse_store, . - sse_store

	through_call sse_through_call, movdqu, xmm, 16
	through_call avx_through_call, vmovdqu, ymm, 16
	through_call avx512_through_call, vmovdqu64, zmm, 32

	.section .note.GNU-stack, "", @progbits
