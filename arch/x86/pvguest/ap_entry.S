/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first instructions of a secondary vCPU.  They call the function in %rdi, a
 * register of the context that smp.c gives the vCPU (VCP-010).
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

/* On the vCPU's idle task's stack, %gs base set. */
	.text
SYM_CODE_START(pvguest_ap_entry)
	UNWIND_HINT_END_OF_STACK
	ENDBR
	cld
	CALL_NOSPEC rdi
	ud2
SYM_CODE_END(pvguest_ap_entry)

/* The same again, on the stack in %rsi. */
SYM_CODE_START(pvguest_ap_again)
	UNWIND_HINT_END_OF_STACK
	ENDBR
	movq	%rsi, %rsp
	jmp	pvguest_ap_entry
SYM_CODE_END(pvguest_ap_again)
