/* SPDX-License-Identifier: MIT */
/*
 * Typed hypercalls: one inline wrapper for each hypercall that the port and the
 * bare guests make from C.
 *
 * All return the value that the hypervisor left in RAX: zero or a positive value
 * on success, a negative error number (xen/errno.h) on failure.  None of them
 * allocates or retries.  SCHEDOP_block and SCHEDOP_poll block the vCPU; all
 * others may be used in any context.
 */
#ifndef PVABI_HYPERCALL_H
#define PVABI_HYPERCALL_H

#include <pvabi/call.h>

/* Memory: page tables, translations, reservations. */

/**
 * hyp_mmu_update() - apply a list of page-table and M2P updates
 * @req: requests
 * @count: how many; the bit MMU_UPDATE_PREEMPTED is for the hypervisor's own use
 * @done: where the number of completed requests is stored, or NULL
 * @dom: domain that owns the frames in the new entries (DOMID_SELF)
 *
 * Return: 0, or a negative error number; @done then says where it stopped.
 */
PVABI_INLINE long hyp_mmu_update(struct mmu_update *req, unsigned int count,
				 unsigned int *done, unsigned int dom)
{
	return hyp_call4(__HYPERVISOR_mmu_update, (unsigned long)req, count,
			 (unsigned long)done, dom);
}

/**
 * hyp_mmuext_op() - pin, unpin, switch and flush
 * @op: operations
 * @count: how many
 * @done: where the number of completed operations is stored, or NULL
 * @dom: domain that owns the frames (DOMID_SELF)
 *
 * Return: 0, or a negative error number; @done then says where it stopped.
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
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_update_va_mapping(unsigned long va, uint64_t pte,
					unsigned long flags)
{
	return hyp_call3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

/**
 * hyp_memory_op() - change the domain's memory, or ask about it
 * @cmd: XENMEM_*
 * @arg: the operation's structure, or NULL if it has none
 *
 * Return: 0 or a positive value that depends on @cmd, or a negative error
 * number.
 */
PVABI_INLINE long hyp_memory_op(unsigned int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_memory_op, cmd, (unsigned long)arg);
}

/**
 * hyp_vm_assist() - switch a behaviour of the hypervisor on or off
 * @cmd: VMASST_CMD_enable or VMASST_CMD_disable
 * @type: VMASST_TYPE_*
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_vm_assist(unsigned int cmd, unsigned int type)
{
	return hyp_call2(__HYPERVISOR_vm_assist, cmd, type);
}

/* CPU: descriptors, traps, control and debug registers. */

/**
 * hyp_set_trap_table() - register trap handlers of the calling vCPU
 * @traps: the handlers; the list ends at address 0
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_set_trap_table(struct trap_info *traps)
{
	return hyp_call1(__HYPERVISOR_set_trap_table, (unsigned long)traps);
}

/**
 * hyp_set_gdt() - replace the guest's part of the calling vCPU's GDT
 * @mfns: machine frames that hold it, 512 descriptors in each
 * @entries: number of descriptors
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_set_gdt(unsigned long *mfns, unsigned int entries)
{
	return hyp_call2(__HYPERVISOR_set_gdt, (unsigned long)mfns, entries);
}

/**
 * hyp_update_descriptor() - write an entry of a descriptor table
 * @maddr: machine address of the entry, a multiple of 8
 * @desc: the new descriptor
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_update_descriptor(uint64_t maddr, uint64_t desc)
{
	return hyp_call2(__HYPERVISOR_update_descriptor, maddr, desc);
}

/**
 * hyp_stack_switch() - set the stack that entries from user mode use
 * @ss: its selector
 * @sp: its address
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_stack_switch(unsigned long ss, unsigned long sp)
{
	return hyp_call2(__HYPERVISOR_stack_switch, ss, sp);
}

/**
 * hyp_set_segment_base() - set FS and GS bases, or load the user's GS
 * @which: SEGBASE_*
 * @value: the base, or the selector for SEGBASE_GS_USER_SEL
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_set_segment_base(unsigned int which, unsigned long value)
{
	return hyp_call2(__HYPERVISOR_set_segment_base, which, value);
}

/**
 * hyp_fpu_taskswitch() - set or clear CR0.TS of the calling vCPU
 * @set: 0 clears it, any other value sets it
 *
 * Return: 0.
 */
PVABI_INLINE long hyp_fpu_taskswitch(int set)
{
	return hyp_call1(__HYPERVISOR_fpu_taskswitch, (unsigned long)set);
}

/**
 * hyp_set_debugreg() - write a debug register of the calling vCPU
 * @reg: its number
 * @value: the new value
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_set_debugreg(int reg, unsigned long value)
{
	return hyp_call2(__HYPERVISOR_set_debugreg, (unsigned long)reg, value);
}

/**
 * hyp_get_debugreg() - read a debug register of the calling vCPU
 * @reg: its number
 *
 * Return: the value, or a negative error number for a register that does not
 * exist.
 */
PVABI_INLINE unsigned long hyp_get_debugreg(int reg)
{
	return (unsigned long)hyp_call1(__HYPERVISOR_get_debugreg,
					(unsigned long)reg);
}

/**
 * hyp_callback_op() - register entry points: event, failsafe, syscall, NMI
 * @cmd: CALLBACKOP_*
 * @arg: the operation's structure
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_callback_op(int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_callback_op, (unsigned long)cmd,
			 (unsigned long)arg);
}

/**
 * hyp_nmi_op() - register or drop the NMI handler
 * @op: XENNMI_*
 * @arg: address of struct xennmi_callback, or 0 to drop the handler
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_nmi_op(unsigned long op, unsigned long arg)
{
	return hyp_call2(__HYPERVISOR_nmi_op, op, arg);
}

/**
 * hyp_vcpu_op() - operation on a virtual CPU of this domain
 * @cmd: VCPUOP_*
 * @vcpu: its number
 * @arg: the operation's structure, or NULL if it has none
 *
 * Return: 0 or a positive value that depends on @cmd, or a negative error
 * number.
 */
PVABI_INLINE long hyp_vcpu_op(int cmd, unsigned int vcpu, void *arg)
{
	return hyp_call3(__HYPERVISOR_vcpu_op, (unsigned long)cmd, vcpu,
			 (unsigned long)arg);
}

/**
 * hyp_physdev_op() - I/O privilege level and bitmap
 * @cmd: PHYSDEVOP_*
 * @arg: the operation's structure, or NULL if it has none
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_physdev_op(int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_physdev_op, (unsigned long)cmd,
			 (unsigned long)arg);
}

/* Events, scheduling, time. */

/**
 * hyp_event_channel_op() - allocate, bind, notify and close ports
 * @cmd: EVTCHNOP_*
 * @arg: the operation's structure, or NULL if it has none
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_event_channel_op(int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_event_channel_op, (unsigned long)cmd,
			 (unsigned long)arg);
}

/**
 * hyp_sched_op() - yield, block, poll, shutdown, watchdog
 * @cmd: SCHEDOP_*
 * @arg: the operation's structure, or NULL if it has none
 *
 * Return: 0 or a positive value that depends on @cmd, or a negative error
 * number.
 */
PVABI_INLINE long hyp_sched_op(int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_sched_op, (unsigned long)cmd,
			 (unsigned long)arg);
}

/**
 * hyp_set_timer_op() - request one VIRQ_TIMER on the calling vCPU
 * @timeout: system time in ns at which it is raised; 0 cancels it
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_set_timer_op(uint64_t timeout)
{
	return hyp_call1(__HYPERVISOR_set_timer_op, timeout);
}

/* Sharing, identity, output, batching. */

/**
 * hyp_grant_table_op() - operations on grant tables
 * @cmd: GNTTABOP_*
 * @uop: array of the operation's structures, each with its own status
 * @count: how many
 *
 * Return: 0, or a negative error number.
 */
PVABI_INLINE long hyp_grant_table_op(unsigned int cmd, void *uop,
				     unsigned int count)
{
	return hyp_call3(__HYPERVISOR_grant_table_op, cmd, (unsigned long)uop,
			 count);
}

/**
 * hyp_xen_version() - query the hypervisor's version and features
 * @cmd: XENVER_*
 * @arg: where the reply is stored, or NULL if it is the result
 *
 * Return: 0 or a positive value that depends on @cmd, or a negative error
 * number.
 */
PVABI_INLINE long hyp_xen_version(int cmd, void *arg)
{
	return hyp_call2(__HYPERVISOR_xen_version, (unsigned long)cmd,
			 (unsigned long)arg);
}

/**
 * hyp_console_io() - read or write the hypervisor's console
 * @cmd: CONSOLEIO_write or CONSOLEIO_read
 * @count: bytes of @buf
 * @buf: text to write, or where the text that is read is stored
 *
 * Return: 0 or, for CONSOLEIO_read, the number of bytes read; or a negative
 * error number.
 */
PVABI_INLINE long hyp_console_io(int cmd, int count, char *buf)
{
	return hyp_call3(__HYPERVISOR_console_io, (unsigned long)cmd,
			 (unsigned long)count, (unsigned long)buf);
}

/**
 * hyp_multicall() - run hypercalls in order
 * @calls: the hypercalls; each entry is given its own result
 * @count: how many
 *
 * Return: 0 if all were issued, whatever their results, or a negative error
 * number.
 */
PVABI_INLINE long hyp_multicall(struct multicall_entry *calls,
				unsigned int count)
{
	return hyp_call2(__HYPERVISOR_multicall, (unsigned long)calls, count);
}

#endif /* PVABI_HYPERCALL_H */
