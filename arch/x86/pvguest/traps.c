// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traps: which entry point the hypervisor calls for what.
 *
 * The table itself is built by the assembler beside the entry stubs; Linux's
 * own interrupt descriptor table is filled as always and never used.
 */
#include <linux/init.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/ia32.h>
#include <asm/idtentry.h>
#include <asm/traps.h>

#include "internal.h"

static bool pv_traps_ready __ro_after_init;

DEFINE_IDTENTRY_RAW(xenpv_exc_nmi)
{
	exc_nmi(regs);
}

DEFINE_IDTENTRY_RAW_ERRORCODE(xenpv_exc_double_fault)
{
	exc_double_fault(regs, error_code);
}

DEFINE_IDTENTRY_RAW(xenpv_exc_debug)
{
	if (user_mode(regs))
		noist_exc_debug(regs);
	else
		exc_debug(regs);
}

#ifdef CONFIG_X86_MCE
DEFINE_IDTENTRY_RAW(xenpv_exc_machine_check)
{
	if (user_mode(regs))
		noist_exc_machine_check(regs);
	else
		exc_machine_check(regs);
}
#endif

/* Declared by the generic headers; no vector leads here. */
DEFINE_IDTENTRY_RAW(exc_xen_unknown_trap)
{
	instrumentation_begin();
	panic("pvguest: %pS: trap without a vector (%d); cannot go on",
	      (void *)regs->ip, -ENOENT);
	instrumentation_end();
}

static void pv_set_traps(struct trap_info *table)
{
	long ret = hyp_set_trap_table(table);

	if (ret)
		pvguest_die("trap table: refused by the hypervisor", ret);
}

/**
 * pvguest_traps_early() - exceptions go to Linux's early handlers
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_traps_early(void)
{
	static struct trap_info early[NUM_EXCEPTION_VECTORS + 1] __initdata;
	unsigned int i;

	for (i = 0; i < NUM_EXCEPTION_VECTORS; i++) {
		early[i].vector = i;
		early[i].flags = 4;	/* events masked on entry */
		early[i].cs = FLAT_KERNEL_CS;
		early[i].address = (unsigned long)pvguest_early_stubs[i];
	}
	pv_set_traps(early);
}

/**
 * pvguest_traps_enable() - the next load of the IDT sets the real handlers
 *
 * Context: boot, once the boot vCPU has its final per-CPU area.
 */
void __init pvguest_traps_enable(void)
{
	pv_traps_ready = true;
}

static void pv_load_idt(const struct desc_ptr *dtr)
{
	if (!pv_traps_ready)
		return;
	pv_set_traps(pvguest_trap_table);
	if (ia32_enabled())
		pv_set_traps(pvguest_ia32_trap_table);
}

static void pv_write_idt_entry(gate_desc *idt, int entry, const gate_desc *gate)
{
	idt[entry] = *gate;
}

static long pv_register_callback(unsigned int type, void (*entry)(void),
				 unsigned int flags)
{
	struct callback_register cb = {
		.type = type,
		.flags = flags,
		.address = (unsigned long)entry,
	};

	return hyp_callback_op(CALLBACKOP_register, &cb);
}

/**
 * pvguest_fill_trap_table() - the traps of a vCPU that is to be started
 * @ctxt: its initial state
 */
void pvguest_fill_trap_table(struct vcpu_guest_context *ctxt)
{
	const struct trap_info *t;

	for (t = pvguest_trap_table; t->address; t++)
		ctxt->trap_ctxt[t->vector] = *t;
	if (!ia32_enabled())
		return;
	for (t = pvguest_ia32_trap_table; t->address; t++)
		ctxt->trap_ctxt[t->vector] = *t;
}

/**
 * pvguest_register_callbacks() - entry points of this vCPU that are no traps
 *
 * Without the 64-bit system call no program can run.
 */
void pvguest_register_callbacks(void)
{
	long ret;

	ret = pv_register_callback(CALLBACKTYPE_event, pvguest_event_entry, 0) ?:
	      pv_register_callback(CALLBACKTYPE_failsafe, pvguest_failsafe_entry,
				   CALLBACKF_mask_events) ?:
	      pv_register_callback(CALLBACKTYPE_syscall, pvguest_syscall64_entry,
				   CALLBACKF_mask_events);
	if (ret)
		pvguest_die("callbacks: an entry point was refused by the hypervisor", ret);

	ret = pv_register_callback(CALLBACKTYPE_nmi, pvguest_nmi_entry, 0);
	if (ret)
		pr_warn("pvguest: NMI: refused by the hypervisor (%ld); no backtraces of stuck vCPUs\n",
			ret);
}

/**
 * pvguest_register_ia32_callbacks() - the 32-bit system calls of this vCPU
 *
 * Once Linux has read its parameters: ia32_emulation=0 takes them away, as
 * syscall_init() does natively.  Without an address the hypervisor makes
 * SYSENTER a general protection fault.  A processor or a hypervisor that has
 * one of the two not loses a feature.
 */
void pvguest_register_ia32_callbacks(void)
{
	void (*syscall32)(void) = pvguest_syscall32_ignored;
	void (*sysenter)(void) = NULL;

#ifdef CONFIG_IA32_EMULATION
	if (ia32_enabled()) {
		syscall32 = pvguest_syscall32_entry;
		sysenter = pvguest_sysenter_entry;
	}
#endif
	if (pv_register_callback(CALLBACKTYPE_syscall32, syscall32,
				 CALLBACKF_mask_events))
		setup_clear_cpu_cap(X86_FEATURE_SYSCALL32);
	if (pv_register_callback(CALLBACKTYPE_sysenter, sysenter,
				 CALLBACKF_mask_events))
		setup_clear_cpu_cap(X86_FEATURE_SYSENTER32);
}

/**
 * pvguest_traps_ops() - take over the IDT operations
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_traps_ops(void)
{
	pv_ops.cpu.load_idt = pv_load_idt;
	pv_ops.cpu.write_idt_entry = pv_write_idt_entry;
}
