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
#include <asm/idtentry.h>
#include <asm/traps.h>

#include "internal.h"

static bool traps_ready __ro_after_init;

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
	panic("pvguest: trap without a vector at %pS", (void *)regs->ip);
	instrumentation_end();
}

static void set_traps(struct trap_info *table)
{
	long ret = hyp_set_trap_table(table);

	if (ret)
		pvguest_die("the trap table was refused", ret);
}

/** pvguest_traps_early() - exceptions go to Linux's early handlers */
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
	set_traps(early);
}

/** pvguest_traps_enable() - from the next load of the IDT on, use the real ones */
void __init pvguest_traps_enable(void)
{
	traps_ready = true;
}

static void pv_load_idt(const struct desc_ptr *dtr)
{
	if (traps_ready)
		set_traps(pvguest_trap_table);
}

static void pv_write_idt_entry(gate_desc *idt, int entry, const gate_desc *gate)
{
	idt[entry] = *gate;
}

static long register_callback(unsigned int type, void (*entry)(void),
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
 * pvguest_register_callbacks() - entry points of this vCPU that are no traps
 *
 * Without the 64-bit system call no program can run; a processor or a
 * hypervisor without the 32-bit ones loses a feature.
 */
void pvguest_register_callbacks(void)
{
	long ret;

	ret = register_callback(CALLBACKTYPE_event, pvguest_event_entry, 0) ?:
	      register_callback(CALLBACKTYPE_failsafe, pvguest_failsafe_entry,
				CALLBACKF_mask_events) ?:
	      register_callback(CALLBACKTYPE_syscall, pvguest_syscall64_entry,
				CALLBACKF_mask_events);
	if (ret)
		pvguest_die("an entry point was refused", ret);

	if (register_callback(CALLBACKTYPE_nmi, pvguest_nmi_entry, 0))
		pr_warn("pvguest: no NMI: backtraces of stuck vCPUs are not available\n");
	if (register_callback(CALLBACKTYPE_syscall32, pvguest_syscall32_entry,
			      CALLBACKF_mask_events))
		setup_clear_cpu_cap(X86_FEATURE_SYSCALL32);
	if (register_callback(CALLBACKTYPE_sysenter, pvguest_sysenter_entry,
			      CALLBACKF_mask_events))
		setup_clear_cpu_cap(X86_FEATURE_SYSENTER32);
}

/** pvguest_traps_ops() - take over the IDT operations */
void __init pvguest_traps_ops(void)
{
	pv_ops.cpu.load_idt = pv_load_idt;
	pv_ops.cpu.write_idt_entry = pv_write_idt_entry;
}
