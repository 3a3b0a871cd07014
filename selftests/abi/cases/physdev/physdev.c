// SPDX-License-Identifier: MIT
/* physdev_op: the virtual I/O privilege and its bitmap, and what is refused. */
#include "case.h"

static long iopl(unsigned int level)
{
	struct physdev_set_iopl s = { .iopl = level };

	return hyp_physdev_op(PHYSDEVOP_set_iopl, &s);
}

static long iobitmap(uint8_t *map, unsigned int ports)
{
	struct physdev_set_iobitmap s = { .nr_ports = ports };

	set_xen_guest_handle(s.bitmap, map);
	return hyp_physdev_op(PHYSDEVOP_set_iobitmap, &s);
}

INSN(in_80, "inb $0x80, %%al")
INSN(out_80, "xor %%eax, %%eax; outb %%al, $0x80")
USER(user_in, "inb $0x80, %al\n syscall");
USER(user_in_blocked, "inb $0x82, %al\n syscall");

/*
 * The virtual I/O privilege level permits port instructions to no mode at 0,
 * to the kernel at 1, and to user mode too at 3.
 */
CASE(phy_iopl, "PHY-001 TRP-PRV-012", 0)
{
	struct trap t;

	want_eq(iopl(0), 0);
	want_trap(in_80, NULL, TRAP_GP);
	want_trap(out_80, NULL, TRAP_GP);
	want_eq(iopl(1), 0);
	want_eq(trap_of(in_80, NULL).vec, -1);
	want_eq(trap_of(out_80, NULL).vec, -1);
	t = user_call(user_in, 0);
	want_eq(t.vec, TRAP_GP);
	want_eq(iopl(3), 0);
	t = user_call(user_in, 0);
	want_eq(t.vec, RT_VEC_SYSCALL);
	want_eq(iopl(0), 0);
	want_trap(in_80, NULL, TRAP_GP);
}

/* PHYSDEVOP_set_iopl refuses levels above 3, and the current level stays. */
CASE(phy_iopl_range, "PHY-002", 0)
{
	want_eq(iopl(1), 0);
	want_eq(iopl(4), -EINVAL);
	want_eq(iopl(0xffffffff), -EINVAL);
	want_eq(trap_of(in_80, NULL).vec, -1);
	want_eq(iopl(0), 0);
}

/* Clear bits of the I/O bitmap permit user mode to access single ports. */
CASE(phy_iobitmap, "PHY-003", 0)
{
	uint8_t *map = pages_alloc(2);
	struct trap t;

	memset(map, 0xff, 8192);
	map[0x80 / 8] &= (uint8_t)~1;
	want_eq(iopl(0), 0);
	want_eq(iobitmap(map, 65536), 0);
	t = user_call(user_in, 0);
	want_eq(t.vec, RT_VEC_SYSCALL);
	t = user_call(user_in_blocked, 0);
	want_eq(t.vec, TRAP_GP);
	want_eq(iobitmap(NULL, 0), 0);
	t = user_call(user_in, 0);
	want_eq(t.vec, TRAP_GP);
}

/*
 * PHYSDEVOP_set_iobitmap refuses more than 65536 ports and a bitmap in the
 * hypervisor's range.
 */
CASE(phy_iobitmap_range, "PHY-004", 0)
{
	want_eq(iobitmap(NULL, 65537), -EINVAL);
	want_eq(iobitmap(NULL, 0xffffffff), -EINVAL);
	want_eq(iobitmap(XEN_PTR, 1024), -EINVAL);
}

/* physdev_op returns -EFAULT for arguments that cannot be read. */
CASE(phy_fault, "PHY-005", 0)
{
	want_eq(hyp_physdev_op(PHYSDEVOP_set_iopl, BAD_PTR), -EFAULT);
	want_eq(hyp_physdev_op(PHYSDEVOP_set_iobitmap, BAD_PTR), -EFAULT);
	want_eq(hyp_physdev_op(PHYSDEVOP_eoi, BAD_PTR), -EFAULT);
	want_eq(hyp_physdev_op(PHYSDEVOP_irq_status_query, BAD_PTR), -EFAULT);
	want_eq(hyp_physdev_op(PHYSDEVOP_set_iopl, XEN_PTR), -EFAULT);
}

/* physdev_op returns -ENOSYS for unknown operations. */
CASE(phy_unknown, "PHY-006", 0)
{
	want_eq(hyp_physdev_op(200, BAD_PTR), -ENOSYS);
	want_eq(hyp_physdev_op(0x7fffffff, NULL), -ENOSYS);
}

/*
 * PHYSDEVOP_irq_status_query and PHYSDEVOP_eoi refuse interrupts out of range
 * or not bound.
 */
CASE(phy_irq, "PHY-007 PHY-008", 0)
{
	struct physdev_irq_status_query q = { .irq = 0x7fffffff };
	struct physdev_eoi e = { .irq = 0x7fffffff };

	want_eq(hyp_physdev_op(PHYSDEVOP_irq_status_query, &q), -EINVAL);
	want_eq(hyp_physdev_op(PHYSDEVOP_eoi, &e), -EINVAL);
	e.irq = 250;
	want_eq(hyp_physdev_op(PHYSDEVOP_eoi, &e), -EINVAL);
}

/* Access to interrupt controllers and vectors is refused to a guest. */
CASE(phy_apic_refused, "PHY-009 PHY-010 PHY-013", DOMU)
{
	static unsigned char arg[256];

	want_eq(hyp_physdev_op(PHYSDEVOP_apic_read, arg), -EPERM);
	want_eq(hyp_physdev_op(PHYSDEVOP_apic_write, arg), -EPERM);
	want_eq(hyp_physdev_op(PHYSDEVOP_alloc_irq_vector, arg), -EPERM);
	want_any(hyp_physdev_op(PHYSDEVOP_setup_gsi, arg), -EPERM, -EINVAL);
}

/* Physical interrupts and PCI devices are refused to a guest. */
CASE(phy_devices_refused, "PHY-011 PHY-012 PHY-014 PHY-015", DOMU)
{
	static const unsigned int ops[] = {
		PHYSDEVOP_map_pirq, PHYSDEVOP_unmap_pirq,
		PHYSDEVOP_manage_pci_add, PHYSDEVOP_manage_pci_remove,
		PHYSDEVOP_manage_pci_add_ext, PHYSDEVOP_pci_device_add,
		PHYSDEVOP_pci_device_remove, PHYSDEVOP_prepare_msix,
		PHYSDEVOP_release_msix, PHYSDEVOP_pci_mmcfg_reserved,
		PHYSDEVOP_dbgp_op,
	};
	static unsigned char arg[256];
	unsigned int i;

	*(domid_t *)arg = DOMID_SELF;
	for (i = 0; i < ARRAY_SIZE(ops); i++)
		want(hyp_physdev_op(ops[i], arg) < 0);
}

/* The EOI bitmap must be in a writable frame of the domain. */
CASE(phy_eoi_frame, "PHY-016", 0)
{
	struct physdev_pirq_eoi_gmfn g = { .gmfn = 0xfffffff };

	want_eq(hyp_physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v2, &g), -EINVAL);
	want_eq(hyp_physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v1, &g), -EINVAL);
	g.gmfn = virt_mfn((void *)start_info.pt_base);
	want_eq(hyp_physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v2, &g), -EINVAL);
}

/*
 * PHYSDEVOP_get_free_pirq returns a number without hardware behind it, or an
 * error.
 */
CASE(phy_free_pirq, "PHY-017", 0)
{
	struct physdev_get_free_pirq f = { .type = 0 };
	long ret = hyp_physdev_op(PHYSDEVOP_get_free_pirq, &f);

	want(ret <= 0 && ret > -4096);
}

/* An I/O bitmap that cannot be read at the access permits nothing. */
CASE(phy_iobitmap_gone, "PHY-018", 0)
{
	struct trap t;

	want_eq(iopl(0), 0);
	want_eq(iobitmap(BAD_PTR, 65536), 0);
	t = user_call(user_in, 0);
	want_eq(iobitmap(NULL, 0), 0);
	want_any(t.vec, TRAP_GP, TRAP_PF);
}

USER(user_in_wide, "inl $0x80, %eax\n syscall");
USER(user_in_last, "mov $0xffff, %edx\n inb %dx, %al\n syscall");

/*
 * The I/O bitmap ends at its number of ports exactly: the last port of all is
 * permitted by the last bit, and a wide access needs the bits of all its ports.
 */
CASE(phy_iobitmap_end, "PHY-003", 0)
{
	uint8_t *map = pages_alloc(3);

	memset(map, 0xff, 3 * PAGE_SIZE);
	map[0x80 / 8] = 0xf0;
	map[0xffff / 8] = 0x7f;
	want_eq(iopl(0), 0);
	want_eq(iobitmap(map, 0x84), 0);
	want_eq(user_call(user_in_wide, 0).vec, RT_VEC_SYSCALL);
	want_eq(iobitmap(map, 0x83), 0);
	want_eq(user_call(user_in_wide, 0).vec, TRAP_GP);
	want_eq(iobitmap(map, 65536), 0);
	want_eq(user_call(user_in_wide, 0).vec, RT_VEC_SYSCALL);
	map[0x80 / 8] = 0xf8;
	want_eq(user_call(user_in_wide, 0).vec, TRAP_GP);
	want_eq(user_call(user_in_last, 0).vec, RT_VEC_SYSCALL);
	want_eq(iobitmap(map, 65535), 0);
	want_eq(user_call(user_in_last, 0).vec, TRAP_GP);
	want_eq(iobitmap(NULL, 0), 0);
}
