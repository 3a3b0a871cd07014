// SPDX-License-Identifier: MIT
/* vm_assist: switches for behaviour of the hypervisor. */
#include "case.h"

#define ON	VMASST_CMD_enable
#define OFF	VMASST_CMD_disable

/* Each assist can be enabled and disabled twice. */
CASE(vma_switch, "VMA-001 VMA-008", 0)
{
	static const unsigned int types[] = {
		VMASST_TYPE_writable_pagetables, VMASST_TYPE_pae_extended_cr3,
		VMASST_TYPE_architectural_iopl, VMASST_TYPE_runstate_update_flag,
		VMASST_TYPE_m2p_strict,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		want_eq(hyp_vm_assist(ON, types[i]), 0);
		want_eq(hyp_vm_assist(ON, types[i]), 0);
		want_eq(hyp_vm_assist(OFF, types[i]), 0);
		want_eq(hyp_vm_assist(OFF, types[i]), 0);
	}
}

/* vm_assist refuses unknown types with any command. */
CASE(vma_type, "VMA-002", 0)
{
	want_eq(hyp_vm_assist(ON, 40), -EINVAL);
	want_eq(hyp_vm_assist(OFF, 63), -EINVAL);
	want_eq(hyp_vm_assist(ON, 0x80000000), -EINVAL);
	want_eq(hyp_vm_assist(9, 63), -EINVAL);
}

/* vm_assist returns -ENOSYS for unknown commands. */
CASE(vma_command, "VMA-003", 0)
{
	want_eq(hyp_vm_assist(2, VMASST_TYPE_writable_pagetables), -ENOSYS);
	want_eq(hyp_vm_assist(0x7fffffff, VMASST_TYPE_m2p_strict), -ENOSYS);
}

/* VMASST_TYPE_pae_extended_cr3 is visible in the features. */
CASE(vma_pae, "VMA-004", 0)
{
	struct xen_feature_info f = { .submap_idx = 0 };

	want_eq(hyp_vm_assist(ON, VMASST_TYPE_pae_extended_cr3), 0);
	want_eq(hyp_xen_version(XENVER_get_features, &f), 0);
	want(f.submap & 1U << XENFEAT_pae_pgdir_above_4gb);
	want_eq(hyp_vm_assist(OFF, VMASST_TYPE_pae_extended_cr3), 0);
	want_eq(hyp_xen_version(XENVER_get_features, &f), 0);
	want(!(f.submap & 1U << XENFEAT_pae_pgdir_above_4gb));
}

static long iopl(unsigned int level)
{
	struct physdev_set_iopl s = { .iopl = level };

	return hyp_physdev_op(PHYSDEVOP_set_iopl, &s);
}

/*
 * With architectural_iopl frames show the virtual I/O privilege level, without
 * it always 0.
 */
CASE(vma_iopl_frames, "VMA-005 VMA-006 PHY-001", 0)
{
	want_eq(hyp_vm_assist(OFF, VMASST_TYPE_architectural_iopl), 0);
	want_eq(iopl(2), 0);
	want_eq(fault_read(BAD_PTR), TRAP_PF);
	want_eq(last_trap.f.rflags & 0x3000, 0);
	want_eq(hyp_vm_assist(ON, VMASST_TYPE_architectural_iopl), 0);
	want_eq(iopl(2), 0);
	want_eq(fault_read(BAD_PTR), TRAP_PF);
	want_eq(last_trap.f.rflags & 0x3000, 0x2000);
	want_eq(iopl(0), 0);
	want_eq(hyp_vm_assist(OFF, VMASST_TYPE_architectural_iopl), 0);
}

static unsigned long set_flags;

static bool change_iopl(struct frame *f)
{
	if (f->vector != TRAP_UD)
		return false;
	f->rip += 2;
	f->rflags = (f->rflags & ~0x3000UL) | set_flags;
	return true;
}

INSN(do_ud, "ud2; nop; nop; nop; nop; nop; nop")
INSN(in_80, "inb $0x80, %%al")

/*
 * iret takes the virtual I/O privilege level from the frame with
 * architectural_iopl, and not without it.
 */
CASE(vma_iopl_iret, "VMA-005 VMA-006 TRP-IRET-005", 0)
{
	want_eq(iopl(0), 0);
	trap_hook = change_iopl;
	set_flags = 0x3000;
	want_eq(hyp_vm_assist(OFF, VMASST_TYPE_architectural_iopl), 0);
	want_eq(trap_of(do_ud, NULL).vec, -1);
	want_trap(in_80, NULL, TRAP_GP);
	want_eq(hyp_vm_assist(ON, VMASST_TYPE_architectural_iopl), 0);
	want_eq(trap_of(do_ud, NULL).vec, -1);
	want_eq(fault_read(BAD_PTR), TRAP_PF);
	want_eq(last_trap.f.rflags & 0x3000, 0x3000);
	set_flags = 0x1000;
	want_eq(trap_of(do_ud, NULL).vec, -1);
	want_eq(fault_read(BAD_PTR), TRAP_PF);
	want_eq(last_trap.f.rflags & 0x3000, 0x1000);
	want_eq(hyp_vm_assist(OFF, VMASST_TYPE_architectural_iopl), 0);
	want_eq(iopl(0), 0);
}

USER(user_read, "mov (%rdi), %rsi\n syscall");

/* With m2p_strict a user root does not map the machine-to-phys table. */
CASE(vma_m2p_strict, "VMA-007 SOD-030", ALONE)
{
	struct trap t;

	want_eq(hyp_vm_assist(ON, VMASST_TYPE_m2p_strict), 0);
	t = user_call(user_read, MACH2PHYS_VIRT_START + 0x1000);
	want_eq(t.vec, TRAP_PF);
	want(m2p(virt_mfn(rt_image)) == virt_pfn(rt_image));
}
