/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Translation between page-table entries as the processor sees them (machine
 * frames) and as Linux sees them (pseudo-physical frames).
 *
 * Every pte_pfn(), pte_modify() and friends goes through here, several times
 * for each entry in fork() or mprotect(), so both directions are some twenty
 * instructions in assembly.  They are callee-save paravirt calls: everything
 * but the result in %rax is preserved.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/frame.h>
#include <asm/page_types.h>
#include <asm/pgtable_types.h>
#include <asm/xen/interface.h>

#include "layout.h"

.pushsection .noinstr.text, "ax"
/*
 * u64 pvguest_entry_to_pseudo(u64 entry): what Linux should read.
 *
 * An entry that is not present holds no frame for the hypervisor (swap
 * entries, PROT_NONE) and is left alone.  The frame list is consulted besides
 * the machine-to-physical table because the latter says nothing about frames
 * of others; reading it for a frame that is no memory at all may fault.
 */
SYM_FUNC_START(pvguest_entry_to_pseudo)
	movq	%rdi, %rax
	testb	$1, %dil
	jz	2f
	pushq	%rcx
	pushq	%rdx
	movq	%rdi, %rcx
	shlq	$12, %rcx
	shrq	$24, %rcx			/* mfn */
	movq	$__MACH2PHYS_VIRT_START, %rdx
1:	movq	(%rdx, %rcx, 8), %rdx		/* pfn, if it is ours */
	cmpq	pvguest_p2m_entries(%rip), %rdx
	jae	3f
	movq	pvguest_p2m(%rip), %rax
	cmpq	%rcx, (%rax, %rdx, 8)
	jne	3f
	shlq	$PAGE_SHIFT, %rdx
	movq	$PVGUEST_FLAGS_MASK, %rax
	andq	%rdi, %rax
	orq	%rdx, %rax
	popq	%rdx
	popq	%rcx
2:	RET
3:	movq	%rdi, %rax
	btsq	$PVGUEST_MACHINE_BIT, %rax
	btrq	$PVGUEST_FOREIGN_BIT, %rax
	popq	%rdx
	popq	%rcx
	RET
	_ASM_EXTABLE(1b, 3b)
SYM_FUNC_END(pvguest_entry_to_pseudo)

/*
 * u64 pvguest_pseudo_to_entry(u64 val): what the hypervisor should get.
 *
 * Frames beyond the list, or marked as machine frames, are handed through with
 * a mark: whether this domain may map them is the hypervisor's decision.
 */
SYM_FUNC_START(pvguest_pseudo_to_entry)
	movq	%rdi, %rax
	testb	$1, %dil
	jz	1f
	pushq	%rcx
	movq	%rdi, %rcx
	shlq	$12, %rcx
	shrq	$24, %rcx			/* pfn */
	cmpq	pvguest_p2m_entries(%rip), %rcx
	jae	2f
	shlq	$3, %rcx
	addq	pvguest_p2m(%rip), %rcx
	movq	(%rcx), %rcx			/* mfn */
	shlq	$PAGE_SHIFT, %rcx
	js	3f				/* a hole: no frame behind it */
	movq	$PVGUEST_FLAGS_MASK, %rax
	andq	%rdi, %rax
	orq	%rcx, %rax
	popq	%rcx
1:	RET
2:	btrq	$PVGUEST_MACHINE_BIT, %rax
	btsq	$PVGUEST_FOREIGN_BIT, %rax
	popq	%rcx
	RET
3:	xorl	%eax, %eax
	popq	%rcx
	RET
SYM_FUNC_END(pvguest_pseudo_to_entry)
.popsection
