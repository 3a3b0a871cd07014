/* SPDX-License-Identifier: MIT */
/*
 * Raw hypercalls: the SYSCALL instruction, executed by the guest kernel.
 *
 * The number goes in RAX and up to five arguments in RDI, RSI, RDX, R10, R8;
 * the result comes back in RAX.  SYSCALL itself destroys RCX and R11, every
 * other register is preserved (xen/arch-x86/xen-x86_64.h, "Hypercall
 * interface").  No hypercall page is used: it would be an indirect call through
 * memory that the hypervisor writes, and no faster.
 */
#ifndef PVABI_CALL_H
#define PVABI_CALL_H

#include <pvabi/headers.h>

/* Linux's objtool needs a hint that SYSCALL leaves the stack unchanged. */
#ifdef __KERNEL__
#include <asm/unwind_hints.h>
#define PVABI_SYSCALL	UNWIND_HINT_SAVE "syscall\n\t" UNWIND_HINT_RESTORE
#else
#define PVABI_SYSCALL	"syscall"
#endif

#define PVABI_INLINE static inline __attribute__((always_inline, unused))

/**
 * hyp_call0() - issue a hypercall without arguments
 * @nr: its number, __HYPERVISOR_*
 *
 * Return: RAX.
 */
PVABI_INLINE long hyp_call0(unsigned long nr)
{
	long ret;

	asm volatile(PVABI_SYSCALL : "=a" (ret) : "0" (nr)
		     : "rcx", "r11", "memory");
	return ret;
}

/**
 * hyp_call1() - issue a hypercall with one argument
 * @nr: its number, __HYPERVISOR_*
 * @a1: first argument
 *
 * Return: RAX.
 */
PVABI_INLINE long hyp_call1(unsigned long nr, unsigned long a1)
{
	long ret;

	asm volatile(PVABI_SYSCALL : "=a" (ret), "+D" (a1) : "0" (nr)
		     : "rcx", "r11", "memory");
	return ret;
}

/**
 * hyp_call2() - issue a hypercall with two arguments
 * @nr: its number, __HYPERVISOR_*
 * @a1: first argument
 * @a2: second argument
 *
 * Return: RAX.
 */
PVABI_INLINE long hyp_call2(unsigned long nr, unsigned long a1,
			    unsigned long a2)
{
	long ret;

	asm volatile(PVABI_SYSCALL : "=a" (ret), "+D" (a1), "+S" (a2) : "0" (nr)
		     : "rcx", "r11", "memory");
	return ret;
}

/**
 * hyp_call3() - issue a hypercall with three arguments
 * @nr: its number, __HYPERVISOR_*
 * @a1: first argument
 * @a2: second argument
 * @a3: third argument
 *
 * Return: RAX.
 */
PVABI_INLINE long hyp_call3(unsigned long nr, unsigned long a1,
			    unsigned long a2, unsigned long a3)
{
	long ret;

	asm volatile(PVABI_SYSCALL
		     : "=a" (ret), "+D" (a1), "+S" (a2), "+d" (a3) : "0" (nr)
		     : "rcx", "r11", "memory");
	return ret;
}

/**
 * hyp_call4() - issue a hypercall with four arguments
 * @nr: its number, __HYPERVISOR_*
 * @a1: first argument
 * @a2: second argument
 * @a3: third argument
 * @a4: fourth argument
 *
 * Return: RAX.
 */
PVABI_INLINE long hyp_call4(unsigned long nr, unsigned long a1,
			    unsigned long a2, unsigned long a3,
			    unsigned long a4)
{
	register unsigned long r10 asm("r10") = a4;
	long ret;

	asm volatile(PVABI_SYSCALL
		     : "=a" (ret), "+D" (a1), "+S" (a2), "+d" (a3), "+r" (r10)
		     : "0" (nr)
		     : "rcx", "r11", "memory");
	return ret;
}

/**
 * hyp_call5() - issue a hypercall with five arguments
 * @nr: its number, __HYPERVISOR_*
 * @a1: first argument
 * @a2: second argument
 * @a3: third argument
 * @a4: fourth argument
 * @a5: fifth argument
 *
 * Return: RAX.
 */
PVABI_INLINE long hyp_call5(unsigned long nr, unsigned long a1,
			    unsigned long a2, unsigned long a3,
			    unsigned long a4, unsigned long a5)
{
	register unsigned long r10 asm("r10") = a4;
	register unsigned long r8 asm("r8") = a5;
	long ret;

	asm volatile(PVABI_SYSCALL
		     : "=a" (ret), "+D" (a1), "+S" (a2), "+d" (a3), "+r" (r10),
		       "+r" (r8)
		     : "0" (nr)
		     : "rcx", "r11", "memory");
	return ret;
}

#endif /* PVABI_CALL_H */
