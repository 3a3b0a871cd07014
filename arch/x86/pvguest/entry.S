/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways into the guest kernel (traps, system calls, events, failsafe) and back
 * out of it, and the event mask that stands in for the interrupt flag.
 *
 * The hypervisor enters the guest with a hardware-like frame below which it
 * pushed %r11 and %rcx: SYSCALL, which it may have used to get here, destroys
 * them.  Popping the two leaves exactly what Linux's own entry code expects.
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/asm-offsets.h>
#include <asm/frame.h>
#include <asm/percpu.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/thread_info.h>
#include <asm/trapnr.h>
#include <asm/unwind_hints.h>
#include <asm/xen/interface.h>
#include <xen/interface/xen.h>

#include <../entry/calling.h>

#include "layout.h"

/* Counts a hypercall, as hypercall.h does for those of C code. */
#define COUNT_CALL(nr)	incq PER_CPU_VAR(pvguest_stats + 8 * (nr))

/* Trap flags: lowest privilege that may raise it by INT; bit 2 masks events. */
#define FROM_KERNEL	4
#define FROM_USER	(3 | 4)

/*
 * Mark in a frame's CS slot: the frame has to be resumed by the iret
 * hypercall.  The selector takes bits 0-15 of the slot and the saved event mask
 * bits 32-39 (xen/arch-x86/xen.h, struct cpu_user_regs); of the others, a
 * backtrace prints bits 16-31 (show_ip()).
 */
#define HELD_BACK	(1 << 31)

/*
 * pv_hold_back - mark the frame of an NMI or a machine check
 *
 * The hypervisor delivers one and holds further ones back until the handler
 * has returned, which it learns from the iret hypercall alone.  A return to a program
 * is that hypercall in any case, and a debugger may look at its frame.  The
 * mark stays with its frame, so that the exceptions which a handler takes
 * itself do not end its protection.
 */
.macro pv_hold_back
	testb	$3, 8(%rsp)
	jnz	.Luser\@
	orl	$HELD_BACK, 8(%rsp)
.Luser\@:
.endm

/*
 * pv_trap - entry stub for one vector, and its line in the trap table
 * @vector: x86 vector number
 * @target: Linux's entry point for it
 * @flags: FROM_KERNEL or FROM_USER
 * @held: 1 if the hypervisor waits for the handler's iret hypercall
 *
 * struct trap_info is built by the assembler, so the table needs no code.
 */
.macro pv_trap vector:req target:req flags=FROM_KERNEL held=0
SYM_CODE_START_LOCAL(pv_\target)
	UNWIND_HINT_ENTRY
	ENDBR
	popq	%rcx
	popq	%r11
	.if \held
	pv_hold_back
	.endif
	jmp	\target
SYM_CODE_END(pv_\target)
_ASM_NOKPROBE(pv_\target)
	.pushsection .rodata.pvguest_traps, "a"
	.byte	\vector, \flags
	.word	FLAT_KERNEL_CS
	.long	0
	.quad	pv_\target
	.popsection
.endm

	.pushsection .rodata.pvguest_traps, "a"
	.balign	8
SYM_DATA_START(pvguest_trap_table)
	.popsection

.pushsection .noinstr.text, "ax"

pv_trap X86_TRAP_DE asm_exc_divide_error
pv_trap X86_TRAP_DB asm_xenpv_exc_debug
pv_trap X86_TRAP_BP asm_exc_int3 FROM_USER
pv_trap X86_TRAP_OF asm_exc_overflow FROM_USER
pv_trap X86_TRAP_BR asm_exc_bounds
pv_trap X86_TRAP_UD asm_exc_invalid_op
pv_trap X86_TRAP_NM asm_exc_device_not_available
pv_trap X86_TRAP_DF asm_xenpv_exc_double_fault
pv_trap X86_TRAP_OLD_MF asm_exc_coproc_segment_overrun
pv_trap X86_TRAP_TS asm_exc_invalid_tss
pv_trap X86_TRAP_NP asm_exc_segment_not_present
pv_trap X86_TRAP_SS asm_exc_stack_segment
pv_trap X86_TRAP_GP asm_exc_general_protection
pv_trap X86_TRAP_PF asm_exc_page_fault
pv_trap X86_TRAP_SPURIOUS asm_exc_spurious_interrupt_bug
pv_trap X86_TRAP_MF asm_exc_coprocessor_error
pv_trap X86_TRAP_AC asm_exc_alignment_check
#ifdef CONFIG_X86_MCE
pv_trap X86_TRAP_MC asm_xenpv_exc_machine_check held=1
#endif
pv_trap X86_TRAP_XF asm_exc_simd_coprocessor_error
#ifdef CONFIG_X86_CET
pv_trap X86_TRAP_CP asm_exc_control_protection
#endif

	.pushsection .rodata.pvguest_traps, "a"
	.quad	0, 0				/* end of list: address 0 */
SYM_DATA_END(pvguest_trap_table)
SYM_DATA_START(pvguest_ia32_trap_table)
	.popsection

#ifdef CONFIG_IA32_EMULATION
pv_trap 0x80 asm_int80_emulation FROM_USER
#endif

	.pushsection .rodata.pvguest_traps, "a"
	.quad	0, 0
SYM_DATA_END(pvguest_ia32_trap_table)
	.popsection

/* NMIs come by callback, with events masked by the hypervisor itself. */
SYM_CODE_START(pvguest_nmi_entry)
	UNWIND_HINT_ENTRY
	ENDBR
	popq	%rcx
	popq	%r11
	pv_hold_back
	jmp	asm_xenpv_exc_nmi
SYM_CODE_END(pvguest_nmi_entry)
_ASM_NOKPROBE(pvguest_nmi_entry)

/*
 * Event upcall.
 *
 * If it hit between unmasking and IRETQ below, all registers already belong
 * to the context that was being resumed, whose frame %rsp still points to:
 * drop the new frame and take the upcall as if it had hit that context.  So
 * a storm of events cannot stack up frames.  A program may return to the
 * same addresses, if only to fault there, with a stack pointer of its own
 * choice; the hypervisor clears the RPL of CS in the kernel's frames only
 * (create_bounce_frame()).
 */
SYM_CODE_START(pvguest_event_entry)
	UNWIND_HINT_ENTRY
	ENDBR
	popq	%rcx
	popq	%r11
	cmpq	$.Lresume_begin, (%rsp)
	jb	1f
	cmpq	$.Lresume_end, (%rsp)
	jae	1f
	testb	$3, 8(%rsp)
	jnz	1f
	movq	24(%rsp), %rsp
	andb	$~3, 8(%rsp)			/* as it was before xen_iret */
1:	jmp	asm_exc_xen_hypervisor_callback
SYM_CODE_END(pvguest_event_entry)
_ASM_NOKPROBE(pvguest_event_entry)

/*
 * Failsafe callback: the hypervisor could not resume us as asked.
 * Frame: %rcx, %r11, %ds, %es, %fs, %gs, then the usual one.
 *
 * Either a data segment register could not be loaded; then it is null by now
 * and differs from the saved value, and trying again succeeds.  Or the frame
 * given to the iret hypercall was bad; then nothing differs, and the task
 * that owns the frame gets a general protection fault.
 */
SYM_CODE_START(pvguest_failsafe_entry)
	UNWIND_HINT_UNDEFINED
	ENDBR
	pushq	%rax
	xorl	%eax, %eax
	movl	%gs, %ecx
	xorw	0x30(%rsp), %cx
	orl	%ecx, %eax
	movl	%fs, %ecx
	xorw	0x28(%rsp), %cx
	orl	%ecx, %eax
	movl	%es, %ecx
	xorw	0x20(%rsp), %cx
	orl	%ecx, %eax
	movl	%ds, %ecx
	xorw	0x18(%rsp), %cx
	orl	%ecx, %eax
	testl	%eax, %eax
	popq	%rax
	movq	0x00(%rsp), %rcx
	movq	0x08(%rsp), %r11
	leaq	0x30(%rsp), %rsp
	UNWIND_HINT_IRET_REGS
	jz	1f
	testb	$3, 8(%rsp)
	jz	xen_iret
	pushq	$0
	jmp	.Lresume_user
1:	pushq	$0				/* error code */
	UNWIND_HINT_IRET_REGS offset=8
	jmp	asm_exc_general_protection
SYM_CODE_END(pvguest_failsafe_entry)
_ASM_NOKPROBE(pvguest_failsafe_entry)

/*
 * System calls.  The hypervisor does not know which selectors the program
 * runs with, so the frame is corrected to the ones Linux promises.
 */
.macro pv_syscall name:req target:req cs:req
SYM_CODE_START(\name)
	UNWIND_HINT_ENTRY
	ENDBR
	popq	%rcx
	popq	%r11
	movq	$\cs, 8(%rsp)
	movq	$__USER_DS, 32(%rsp)
	jmp	\target
SYM_CODE_END(\name)
_ASM_NOKPROBE(\name)
.endm

pv_syscall pvguest_syscall64_entry entry_SYSCALL_64_after_hwframe __USER_CS
#ifdef CONFIG_IA32_EMULATION
pv_syscall pvguest_syscall32_entry entry_SYSCALL_compat_after_hwframe __USER32_CS
pv_syscall pvguest_sysenter_entry entry_SYSENTER_compat_after_hwframe __USER32_CS
#endif

/* SYSCALL of 32-bit code where Linux takes none: an error, as natively. */
SYM_CODE_START(pvguest_syscall32_ignored)
	UNWIND_HINT_ENTRY
	ENDBR
	popq	%rcx
	popq	%r11
	movq	$__USER32_CS, 8(%rsp)
	movq	$__USER_DS, 32(%rsp)
	movq	$-ENOSYS, %rax
	pushq	$0
	jmp	.Lresume_user
SYM_CODE_END(pvguest_syscall32_ignored)
_ASM_NOKPROBE(pvguest_syscall32_ignored)

/*
 * Return to user mode from a complete struct pt_regs.
 *
 * VGCF_in_syscall lets the hypervisor leave by SYSRET, which destroys %rcx
 * and %r11 and loads fixed selectors, so it is asked for only where that
 * makes no difference: return address in %rcx, flags in %r11, 64-bit code,
 * nothing that SYSRET restores differently (RF, TF), canonical user address.
 */
SYM_CODE_START(xenpv_restore_regs_and_return_to_usermode)
	UNWIND_HINT_REGS
#ifdef CONFIG_PVGUEST_DEBUG
	/* Requests still queued would not reach the program: see check.c. */
	cmpl	$0, PER_CPU_VAR(pvguest_queue)
	je	1f
	ud2
1:
#endif
	movq	RIP(%rsp), %rcx
	cmpq	RCX(%rsp), %rcx
	jne	.Lslow
	shrq	$47, %rcx
	jnz	.Lslow
	movq	EFLAGS(%rsp), %r11
	cmpq	R11(%rsp), %r11
	jne	.Lslow
	testl	$(X86_EFLAGS_RF | X86_EFLAGS_TF), %r11d
	jnz	.Lslow
	cmpq	$__USER_CS, CS(%rsp)
	jne	.Lslow
	cmpq	$__USER_DS, SS(%rsp)
	jne	.Lslow
	POP_REGS
	STACKLEAK_ERASE_NOCLOBBER
	movq	$VGCF_IN_SYSCALL, (%rsp)	/* over orig_ax */
	UNWIND_HINT_IRET_REGS offset=8
	jmp	.Lresume_user
.Lslow:
	POP_REGS
	STACKLEAK_ERASE_NOCLOBBER
	movq	$0, (%rsp)			/* over orig_ax */
	UNWIND_HINT_IRET_REGS offset=8
	/* struct iret_context: rax, r11, rcx, flags, then the frame. */
.Lresume_user:
	pushq	%rcx
	pushq	%r11
	pushq	%rax
	COUNT_CALL(__HYPERVISOR_iret)
	movl	$__HYPERVISOR_iret, %eax
	syscall
	int3					/* does not come back */
SYM_CODE_END(xenpv_restore_regs_and_return_to_usermode)
_ASM_NOKPROBE(xenpv_restore_regs_and_return_to_usermode)

/*
 * Linux jumps here instead of IRETQ: return through the frame on the stack.
 *
 * A return to the kernel changes no privilege, so the processor's own IRETQ
 * does it; the saved interrupt flag goes to the event mask first.  Only when
 * an event is waiting does the hypervisor have to do both at once, and after
 * an NMI or a machine check it has to know that the handler is done.
 */
SYM_CODE_START(xen_iret)
	UNWIND_HINT_IRET_REGS
	ANNOTATE_NOENDBR
	testl	$(HELD_BACK | 3), 8(%rsp)
	jnz	.Lby_hypercall
	testl	$X86_EFLAGS_IF, 16(%rsp)
	jz	1f
	cmpb	$0, PER_CPU_VAR(pvguest_vcpu_info + PVGUEST_VCPU_PENDING)
	jne	.Lby_hypercall
	orb	$3, 8(%rsp)
	orb	$3, 32(%rsp)
	movb	$0, PER_CPU_VAR(pvguest_vcpu_info + PVGUEST_VCPU_MASK)
.Lresume_begin:
	cmpb	$0, PER_CPU_VAR(pvguest_vcpu_info + PVGUEST_VCPU_PENDING)
	jne	2f
	iretq
.Lresume_end:
1:	orb	$3, 8(%rsp)
	orb	$3, 32(%rsp)
	iretq
2:	movb	$1, PER_CPU_VAR(pvguest_vcpu_info + PVGUEST_VCPU_MASK)
	andb	$~3, 8(%rsp)
.Lby_hypercall:
	movw	$0, 10(%rsp)			/* HELD_BACK */
	pushq	$0
	jmp	.Lresume_user
SYM_CODE_END(xen_iret)
_ASM_NOKPROBE(xen_iret)

/*
 * The interrupt flag.  Callee-save paravirt calls: only %rax may change.
 */
SYM_FUNC_START(pvguest_irq_disable)
	movb	$1, PER_CPU_VAR(pvguest_vcpu_info + PVGUEST_VCPU_MASK)
	RET
SYM_FUNC_END(pvguest_irq_disable)

/* X86_EFLAGS_IF (bit 9) if events are deliverable; other bits undefined. */
SYM_FUNC_START(pvguest_save_fl)
	xorl	%eax, %eax
	cmpb	$0, PER_CPU_VAR(pvguest_vcpu_info + PVGUEST_VCPU_MASK)
	sete	%ah
	addl	%eax, %eax
	RET
SYM_FUNC_END(pvguest_save_fl)

/*
 * Unmask, then look for what arrived meanwhile: pending events are delivered
 * only on the way out of the hypervisor.  A migration in between is harmless,
 * the scheduler unmasks on its own.
 */
SYM_FUNC_START(pvguest_irq_enable)
	movb	$0, PER_CPU_VAR(pvguest_vcpu_info + PVGUEST_VCPU_MASK)
	cmpb	$0, PER_CPU_VAR(pvguest_vcpu_info + PVGUEST_VCPU_PENDING)
	jne	1f
	RET
1:	pushq	%rcx
	pushq	%r11
	pushq	%rdi
	pushq	%rsi
	/* Any hypercall delivers; this one does nothing else. */
	COUNT_CALL(__HYPERVISOR_xen_version)
	movl	$__HYPERVISOR_xen_version, %eax
	xorl	%edi, %edi
	xorl	%esi, %esi
	UNWIND_HINT_SAVE
	syscall
	UNWIND_HINT_RESTORE
	popq	%rsi
	popq	%rdi
	popq	%r11
	popq	%rcx
	RET
SYM_FUNC_END(pvguest_irq_enable)

SYM_FUNC_START(pvguest_read_cr2)
	movq	PER_CPU_VAR(pvguest_vcpu_info + PVGUEST_VCPU_CR2), %rax
	RET
SYM_FUNC_END(pvguest_read_cr2)

.popsection

/*
 * Early traps: until the real table is in place they go where Linux's own
 * early exceptions go.
 */
	__INIT
SYM_CODE_START(pvguest_early_stubs)
	.set	vec, 0
	.rept	NUM_EXCEPTION_VECTORS
	.balign	PVGUEST_EARLY_STUB_SIZE, 0xcc
	UNWIND_HINT_UNDEFINED
	ENDBR
	popq	%rcx
	popq	%r11
	jmp	early_idt_handler_array + vec * EARLY_IDT_HANDLER_SIZE
	.set	vec, vec + 1
	.endr
SYM_CODE_END(pvguest_early_stubs)
	__FINIT
