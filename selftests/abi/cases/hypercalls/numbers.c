// SPDX-License-Identifier: MIT
/* Every hypercall number once: implemented, refused, or unused. */
#include "case.h"

#define CALL(nr) rt_call(nr, 0, 0, 0, 0, 0)

/* set_trap_table with a table that ends at once changes no handler. */
CASE(nr_set_trap_table, "HCN-000", 0)
{
	struct trap_info end = { .vector = 14 };

	want_eq(hyp_set_trap_table(&end), 0);
	want_eq(fault_read(BAD_PTR), TRAP_PF);
}

/* Hypercalls that take a list succeed with an empty one. */
CASE(nr_empty_lists, "HCN-001 HCN-013 HCN-026", 0)
{
	struct mmuext_op op;
	struct mmu_update u;
	struct multicall_entry m;

	want_eq(hyp_mmu_update(&u, 0, NULL, DOMID_SELF), 0);
	want_eq(hyp_mmuext_op(&op, 0, NULL, DOMID_SELF), 0);
	want_eq(hyp_multicall(&m, 0), 0);
}

/*
 * set_gdt refuses more GDT entries than there may be, though their frames are all
 * good; it accepts as many as there may be, so the number is implemented.
 */
CASE(nr_set_gdt, "HCN-002 TRP-DT-002", 0)
{
	unsigned long frames[FIRST_RESERVED_GDT_PAGE + 2] = { 0 };
	unsigned int i, most = FIRST_RESERVED_GDT_PAGE + 1;
	char *page[FIRST_RESERVED_GDT_PAGE + 1];

	for (i = 0; i < most; i++) {
		page[i] = page_alloc();
		frames[i] = virt_mfn(page[i]);
		page_ro(page[i]);
	}
	want_eq(hyp_set_gdt(frames, FIRST_RESERVED_GDT_ENTRY + 1), -EINVAL);
	want_eq(hyp_set_gdt(frames, 0xffffffff), -EINVAL);
	want_eq(hyp_set_gdt(frames, FIRST_RESERVED_GDT_ENTRY), 0);
	want_eq(hyp_set_gdt(NULL, 0), 0);
	for (i = 0; i < most; i++) {
		page_rw(page[i]);
		page_free(page[i]);
	}
}

/* stack_switch sets the kernel stack at any time. */
CASE(nr_stack_switch, "HCN-003 TRP-SEG-009", 0)
{
	unsigned long sp = (unsigned long)vcpus[0].stack + 8192;

	want_eq(hyp_stack_switch(FLAT_KERNEL_SS, sp), 0);
	/* A selector with RPL 0 is accepted and gets the guest's privilege. */
	want_eq(hyp_stack_switch(FLAT_KERNEL_SS & ~3UL, sp), 0);
	want_eq(hyp_stack_switch(FLAT_KERNEL_SS, sp), 0);
}

/* set_callbacks, the older call, registers three entry points at once. */
CASE(nr_set_callbacks, "HCN-004 TRP-CB-014", 0)
{
	struct chan c = chan_open();
	unsigned int before = event_count[c.b];

	want_eq(rt_call(__HYPERVISOR_set_callbacks, (unsigned long)rt_entry_event,
			(unsigned long)rt_entry_failsafe,
			(unsigned long)rt_entry_syscall, 0, 0), 0);
	events_on();
	want_eq(evtchn_send(c.a), 0);
	events_off();
	want_eq(event_count[c.b], before + 1);
	chan_close(c);
}

/* fpu_taskswitch clears TS; a debug register can be written and read. */
CASE(nr_cpu_state, "HCN-005 HCN-008 HCN-009", 0)
{
	want_eq(hyp_fpu_taskswitch(0), 0);
	want_eq(hyp_set_debugreg(0, 0), 0);
	want_eq(hyp_get_debugreg(7) & ~0x400UL, 0);
}

/* Privileged hypercall numbers are refused to an unprivileged caller. */
CASE(nr_refused, "HCN-007 HCN-035 HCN-036 HCN-037 HCN-042 HCN-048", DOMU)
{
	static unsigned char zero[1024];
	unsigned long z = (unsigned long)zero;

	want_any(rt_call(__HYPERVISOR_platform_op, z, 0, 0, 0, 0), -EPERM, -EACCES,
		 -ENOSYS);
	want_any(rt_call(__HYPERVISOR_sysctl, z, 0, 0, 0, 0), -EPERM, -EACCES,
		 -ENOSYS);
	want_any(rt_call(__HYPERVISOR_domctl, z, 0, 0, 0, 0), -EPERM, -EACCES,
		 -ESRCH, -ENOSYS);
	want_any(rt_call(__HYPERVISOR_kexec_op, 0, z, 0, 0, 0), -EPERM, -ENOSYS);
	want_any(rt_call(__HYPERVISOR_hypfs_op, 0, z, 16, z, 16), -EPERM, -ENOSYS);
	want_any(rt_call(48, z, 0, 0, 0, 0), -EPERM, -ENOSYS);
}

/*
 * update_descriptor refuses a misaligned address, so the number is
 * implemented.
 */
CASE(nr_update_descriptor, "HCN-010 TRP-DT-010", 0)
{
	char *page = page_alloc();
	unsigned int off;

	for (off = 1; off < 8; off++)
		want_eq(hyp_update_descriptor(virt_maddr(page) + off, 0), -EINVAL);
	want(mem_is(page, 0, PAGE_SIZE));
	page_free(page);
}

/* Hypercall numbers that were never used or were removed return -ENOSYS. */
CASE(nr_unused, "HCN-011 HCN-038 HCN-043 HCN-044 HCN-045 HCN-046 HCN-047", 0)
{
	want_eq(CALL(11), -ENOSYS);
	want_eq(CALL(38), -ENOSYS);
	want_eq(CALL(43), -ENOSYS);
	want_eq(CALL(44), -ENOSYS);
	want_eq(CALL(45), -ENOSYS);
	want_eq(CALL(46), -ENOSYS);
	want_eq(CALL(47), -ENOSYS);
}

/* Hypercall numbers for other architectures return -ENOSYS. */
CASE(nr_arch, "HCN-050 HCN-051 HCN-052 HCN-053 HCN-054 HCN-055", 0)
{
	unsigned int nr;

	for (nr = 50; nr <= 55; nr++)
		want_eq(CALL(nr), -ENOSYS);
}

/*
 * Hypercall numbers above the table return -ENOSYS, compared as 64-bit
 * numbers.
 */
CASE(nr_above, "HCN-056", 0)
{
	unsigned long nr;

	for (nr = 56; nr < 300; nr++)
		want_eq(CALL(nr), -ENOSYS);
	want_eq(CALL(0x7fffffff), -ENOSYS);
	want_eq(CALL(0x80000000UL), -ENOSYS);
	want_eq(CALL(0x100000011UL), -ENOSYS);
	want_eq(CALL(~0UL), -ENOSYS);
	want_eq(CALL(1UL << 63), -ENOSYS);
}

/* update_va_mapping with the entry that a page already has returns 0. */
CASE(nr_update_va_mapping, "HCN-014 MMU-UVA-001", 0)
{
	char *page = page_alloc();

	want_eq(hyp_update_va_mapping((unsigned long)page, pte_of(page), 0), 0);
	page_free(page);
}

/*
 * The first form of event_channel_op takes one structure, or returns -ENOSYS.
 */
CASE(nr_evtchn_first_form, "HCN-016", 0)
{
	struct evtchn_op op = { .cmd = EVTCHNOP_status };
	long ret;

	op.u.status.dom = DOMID_SELF;
	op.u.status.port = 0;
	ret = rt_call(__HYPERVISOR_event_channel_op_compat, (unsigned long)&op,
		      0, 0, 0, 0);
	want_any(ret, 0, -ENOSYS, -EINVAL);
	op.cmd = EVTCHNOP_reset;
	want_eq(rt_call(__HYPERVISOR_event_channel_op_compat,
			(unsigned long)&op, 0, 0, 0, 0), -ENOSYS);
}

/* xen_version returns the version as a positive number: major and minor. */
CASE(nr_xen_version, "HCN-017", 0)
{
	want(hyp_xen_version(XENVER_version, NULL) > 0x30000);
}

/* console_io is refused to a guest, except by debug builds. */
CASE(nr_console_io, "HCN-018", DOMU)
{
	char text[] = "";

	want_any(hyp_console_io(CONSOLEIO_write, 0, text), -EPERM, 0);
	want_eq(hyp_console_io(CONSOLEIO_read, 1, text), -EPERM);
}

/* The first form of physdev_op takes one structure, or returns -ENOSYS. */
CASE(nr_physdev_first_form, "HCN-019", 0)
{
	struct physdev_op op = { .cmd = PHYSDEVOP_set_iopl };

	op.u.set_iopl.iopl = 1;
	want_any(rt_call(__HYPERVISOR_physdev_op_compat, (unsigned long)&op,
			 0, 0, 0, 0), 0, -ENOSYS);
	op.cmd = 999;
	want_eq(rt_call(__HYPERVISOR_physdev_op_compat, (unsigned long)&op,
			0, 0, 0, 0), -ENOSYS);
}

/* grant_table_op reports the size of the grant table. */
CASE(nr_grant_table_op, "HCN-020", 0)
{
	struct gnttab_query_size q = { .dom = DOMID_SELF };

	want_eq(hyp_grant_table_op(GNTTABOP_query_size, &q, 1), 0);
	want_eq(q.status, GNTST_okay);
}

/* vm_assist refuses assists that do not exist. */
CASE(nr_vm_assist, "HCN-021", 0)
{
	want_any(hyp_vm_assist(VMASST_CMD_enable, 60), -EINVAL, -ENOSYS);
	want_any(hyp_vm_assist(VMASST_CMD_enable, 0xffffffff), -EINVAL, -ENOSYS);
	want_eq(hyp_vm_assist(9, VMASST_TYPE_writable_pagetables), -ENOSYS);
	want_eq(hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3), 0);
}

/*
 * update_va_mapping_otherdomain refuses a domain that does not exist and the
 * caller's own number.
 */
CASE(nr_update_va_otherdomain, "HCN-022 MMU-UVA-007", 0)
{
	char *page = page_alloc();

	want_eq(rt_call(__HYPERVISOR_update_va_mapping_otherdomain,
			(unsigned long)page, pte_of(page), 0, NO_DOMAIN, 0), -ESRCH);
	want_eq(rt_call(__HYPERVISOR_update_va_mapping_otherdomain,
			(unsigned long)page, pte_of(page), 0, own_domid(), 0), -ESRCH);
	page_free(page);
}

/* iret continues at its frame: the runtime uses it after every trap. */
CASE(nr_iret, "HCN-023 TRP-IRET-001", 0)
{
	struct chan c = chan_open();
	unsigned int before = upcall_count;

	events_on();
	want_eq(evtchn_send(c.a), 0);
	events_off();
	want_eq(upcall_count, before + 1);
	chan_close(c);
}

/*
 * set_segment_base refuses a segment that does not exist, so the number is
 * implemented.
 */
CASE(nr_set_segment_base, "HCN-025 TRP-SEG-007", 0)
{
	want_eq(hyp_set_segment_base(4, 0), -EINVAL);
	want_eq(hyp_set_segment_base(0xffffffff, 0), -EINVAL);
}

/* xsm_op and argo_op return an error for a meaningless argument, never 0. */
CASE(nr_optional, "HCN-027 HCN-039", 0)
{
	static unsigned char zero[1024];

	want(rt_call(__HYPERVISOR_xsm_op, (unsigned long)zero, 0, 0, 0, 0) < 0);
	want(rt_call(__HYPERVISOR_argo_op, 99, 0, 0, 0, 0) < 0);
}

/*
 * callback_op performs its defined operations and returns -ENOSYS for others.
 */
CASE(nr_callback_op, "HCN-030", 0)
{
	struct callback_register r = {
		.type = CALLBACKTYPE_event,
		.address = (unsigned long)rt_entry_event,
	};

	want_eq(hyp_callback_op(2, &r), -ENOSYS);
	want_eq(hyp_callback_op(CALLBACKOP_register, &r), 0);
}

/* xenoprof_op is refused, or removed. */
CASE(nr_xenoprof, "HCN-031", DOMU)
{
	static unsigned char zero[256];

	want_any(rt_call(__HYPERVISOR_xenoprof_op, 999, (unsigned long)zero, 0, 0,
			 0), -EINVAL, -ENOSYS, -EPERM);
	/* XENOPROF_start */
	want_any(rt_call(__HYPERVISOR_xenoprof_op, 6, (unsigned long)zero, 0, 0,
			 0), -EPERM, -ENOSYS, -EINVAL);
}

/* physdev_op sets the virtual I/O privilege level. */
CASE(nr_physdev_op, "HCN-033", 0)
{
	struct physdev_set_iopl s = { .iopl = 1 };

	want_eq(hyp_physdev_op(PHYSDEVOP_set_iopl, &s), 0);
	s.iopl = 0;
	want_eq(hyp_physdev_op(PHYSDEVOP_set_iopl, &s), 0);
}

/* hvm_op does not act on a paravirtual domain. */
CASE(nr_hvm_op, "HCN-034", 0)
{
	/* struct xen_hvm_param: domain, padding, index, value. */
	struct {
		domid_t domid;
		uint16_t pad;
		uint32_t index;
		uint64_t value;
	} p = { .domid = DOMID_SELF, .index = HVM_PARAM_STORE_EVTCHN };

	/* 1 is HVMOP_get_param. */
	want_any(rt_call(__HYPERVISOR_hvm_op, 1, (unsigned long)&p, 0, 0, 0),
		 -EINVAL, -ENOSYS);
	want_eq(p.value, 0);
}

/* xenpmu_op is off, or refused to a guest. */
CASE(nr_xenpmu, "HCN-040", DOMU)
{
	static unsigned char zero[64];

	want(rt_call(__HYPERVISOR_xenpmu_op, 0, (unsigned long)zero, 0, 0, 0) < 0);
}

/* dm_op refuses a call without buffers. */
CASE(nr_dm_op, "HCN-041", 0)
{
	want_any(rt_call(__HYPERVISOR_dm_op, own_domid(), 0, 0, 0, 0), -ENODATA,
		 -ENOSYS);
}

/* The number of the hypervisor's continuation is refused to a guest. */
CASE(nr_continuation, "HCN-049", 0)
{
	want(rt_call(49, 0, 0, 0, 0, 0) < 0);
	want(rt_call(49, (unsigned long)BAD_PTR, 0, 0, 0, 0) < 0);
}
