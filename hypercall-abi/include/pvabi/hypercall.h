/* SPDX-License-Identifier: MIT */
/*
 * Typed hypercalls: one inline wrapper for each hypercall that an
 * unprivileged paravirtual guest may use.
 *
 * All return what the hypervisor left in RAX: zero or a positive value on
 * success, a negative error number (xen/errno.h) on failure.  None of them
 * sleeps, allocates or retries; all may be used in any context.  Kernel code
 * counts them by going through arch/x86/pvguest's own hypercall.h.
 */
#ifndef PVABI_HYPERCALL_H
#define PVABI_HYPERCALL_H

#include <pvabi/call.h>

/* Memory: page tables, translations, reservations. */

/**
 * hyp_mmu_update() - apply a list of page-table and M2P updates
 * @req: requests; @count of them, or MMU_UPDATE_PREEMPTED state
 * @done: where the number of completed requests is stored, or NULL
 * @dom: whose frames the new entries name (DOMID_SELF)
 */
PVABI_INLINE long hyp_mmu_update(struct mmu_update *req, unsigned int count,
				 unsigned int *done, unsigned int dom)
{
	return hyp_call4(__HYPERVISOR_mmu_update, (unsigned long)req, count,
			 (unsigned long)done, dom);
}

/**
 * hyp_mmuext_op() - pin, unpin, switch and flush
 * @op: operations, @count of them
 * @done: where the number of completed operations is stored, or NULL
 * @dom: whose frames are meant (DOMID_SELF)
 */
PVABI_INLINE long hyp_mmuext_op(struct mmuext_op *op, unsigned int count,
				unsigned int *done, unsigned int dom)
{
	return hyp_call4(__HYPERVISOR_mmuext_op, (unsigned long)op, count,
			 (unsigned long)done, dom);
}

/**
 * hyp_update_va_mapping() - write the L1 entry that maps @va
 * @va: virtual address in the current address space
 * @pte: new entry, holding a machine frame
 * @flags: UVMF_* flush request
 */
PVABI_INLINE long hyp_update_va_mapping(unsigned long va, uint64_t pte,
					unsigned long flags)
{
	return hyp_call3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

/** hyp_memory_op() - XENMEM_* operation @cmd on @arg */
PVABI_INLINE long hyp_memory_op(unsigned int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_memory_op, cmd, (unsigned long)arg);
}

/** hyp_vm_assist() - switch a VMASST_TYPE_* behaviour on or off */
PVABI_INLINE long hyp_vm_assist(unsigned int cmd, unsigned int type)
{
	return hyp_call2(__HYPERVISOR_vm_assist, cmd, type);
}

/* CPU: descriptors, traps, control and debug registers. */

/** hyp_set_trap_table() - register trap handlers, list ends at address 0 */
PVABI_INLINE long hyp_set_trap_table(struct trap_info *traps)
{
	return hyp_call1(__HYPERVISOR_set_trap_table, (unsigned long)traps);
}

/** hyp_set_gdt() - use @entries descriptors in the frames listed as GDT */
PVABI_INLINE long hyp_set_gdt(unsigned long *mfns, unsigned int entries)
{
	return hyp_call2(__HYPERVISOR_set_gdt, (unsigned long)mfns, entries);
}

/** hyp_update_descriptor() - write the descriptor at machine address @maddr */
PVABI_INLINE long hyp_update_descriptor(uint64_t maddr, uint64_t desc)
{
	return hyp_call2(__HYPERVISOR_update_descriptor, maddr, desc);
}

/** hyp_stack_switch() - set the stack that traps from user mode use */
PVABI_INLINE long hyp_stack_switch(unsigned long ss, unsigned long sp)
{
	return hyp_call2(__HYPERVISOR_stack_switch, ss, sp);
}

/** hyp_set_segment_base() - SEGBASE_* operation: FS/GS bases, user GS load */
PVABI_INLINE long hyp_set_segment_base(unsigned int which, unsigned long value)
{
	return hyp_call2(__HYPERVISOR_set_segment_base, which, value);
}

/** hyp_fpu_taskswitch() - set (1) or clear (0) CR0.TS */
PVABI_INLINE long hyp_fpu_taskswitch(int set)
{
	return hyp_call1(__HYPERVISOR_fpu_taskswitch, (unsigned long)set);
}

/** hyp_set_debugreg() - write debug register @reg */
PVABI_INLINE long hyp_set_debugreg(int reg, unsigned long value)
{
	return hyp_call2(__HYPERVISOR_set_debugreg, (unsigned long)reg, value);
}

/** hyp_get_debugreg() - read debug register @reg (the value is the result) */
PVABI_INLINE unsigned long hyp_get_debugreg(int reg)
{
	return (unsigned long)hyp_call1(__HYPERVISOR_get_debugreg,
					(unsigned long)reg);
}

/** hyp_callback_op() - register entry points: event, failsafe, syscall, NMI */
PVABI_INLINE long hyp_callback_op(int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_callback_op, (unsigned long)cmd,
			 (unsigned long)arg);
}

/** hyp_nmi_op() - register or drop the NMI handler */
PVABI_INLINE long hyp_nmi_op(unsigned long op, unsigned long arg)
{
	return hyp_call2(__HYPERVISOR_nmi_op, op, arg);
}

/** hyp_vcpu_op() - VCPUOP_* on virtual CPU @vcpu of this domain */
PVABI_INLINE long hyp_vcpu_op(int cmd, unsigned int vcpu, void *arg)
{
	return hyp_call3(__HYPERVISOR_vcpu_op, (unsigned long)cmd, vcpu,
			 (unsigned long)arg);
}

/** hyp_physdev_op() - PHYSDEVOP_*: I/O privilege level and bitmap */
PVABI_INLINE long hyp_physdev_op(int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_physdev_op, (unsigned long)cmd,
			 (unsigned long)arg);
}

/* Events, scheduling, time. */

/** hyp_event_channel_op() - EVTCHNOP_* */
PVABI_INLINE long hyp_event_channel_op(int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_event_channel_op, (unsigned long)cmd,
			 (unsigned long)arg);
}

/** hyp_sched_op() - SCHEDOP_*: yield, block, poll, shutdown, watchdog */
PVABI_INLINE long hyp_sched_op(int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_sched_op, (unsigned long)cmd,
			 (unsigned long)arg);
}

/** hyp_set_timer_op() - event at system time @timeout (ns), 0 cancels */
PVABI_INLINE long hyp_set_timer_op(uint64_t timeout)
{
	return hyp_call1(__HYPERVISOR_set_timer_op, timeout);
}

/* Sharing, identity, output, batching. */

/** hyp_grant_table_op() - GNTTABOP_* on an array of @count structures */
PVABI_INLINE long hyp_grant_table_op(unsigned int cmd, void *uop,
				     unsigned int count)
{
	return hyp_call3(__HYPERVISOR_grant_table_op, cmd, (unsigned long)uop,
			 count);
}

/** hyp_xen_version() - XENVER_* query */
PVABI_INLINE long hyp_xen_version(int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_xen_version, (unsigned long)cmd,
			 (unsigned long)arg);
}

/** hyp_console_io() - CONSOLEIO_write or CONSOLEIO_read on the emergency console */
PVABI_INLINE long hyp_console_io(int cmd, int count, char *buf)
{
	return hyp_call3(__HYPERVISOR_console_io, (unsigned long)cmd,
			 (unsigned long)count, (unsigned long)buf);
}

/** hyp_multicall() - run @count hypercalls in order, results in each entry */
PVABI_INLINE long hyp_multicall(struct multicall_entry *calls,
				unsigned int count)
{
	return hyp_call2(__HYPERVISOR_multicall, (unsigned long)calls, count);
}

#endif /* PVABI_HYPERCALL_H */
