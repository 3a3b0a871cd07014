// SPDX-License-Identifier: MIT
/* Every hypercall number once: alive, refused, or not there. */
#include "case.h"

#define CALL(nr) rt_call(nr, 0, 0, 0, 0, 0)

/* A table that ends at once changes no handler. */
CASE(nr_set_trap_table, "HCN-000", 0)
{
	struct trap_info end = { .vector = 14 };

	want_eq(hyp_set_trap_table(&end), 0);
	want_eq(fault_read(BAD_PTR), TRAP_PF);
}

/* Lists of nothing succeed. */
CASE(nr_empty_lists, "HCN-001 HCN-013 HCN-026", 0)
{
	struct mmuext_op op;
	struct mmu_update u;
	struct multicall_entry m;

	want_eq(hyp_mmu_update(&u, 0, NULL, DOMID_SELF), 0);
	want_eq(hyp_mmuext_op(&op, 0, NULL, DOMID_SELF), 0);
	want_eq(hyp_multicall(&m, 0), 0);
}

/* More GDT entries than there may be: refused, so the number is alive. */
CASE(nr_set_gdt, "HCN-002 TRP-DT-002", 0)
{
	unsigned long frames[16] = { 0 };

	want_eq(hyp_set_gdt(frames, FIRST_RESERVED_GDT_ENTRY + 1), -EINVAL);
	want_eq(hyp_set_gdt(frames, 0xffffffff), -EINVAL);
}

/* The kernel stack may be set at any time. */
CASE(nr_stack_switch, "HCN-003 TRP-SEG-009", 0)
{
	unsigned long sp = (unsigned long)vcpus[0].stack + 8192;

	want_eq(hyp_stack_switch(FLAT_KERNEL_SS, sp), 0);
	/* A selector with RPL 0 is taken and given guest privilege. */
	want_eq(hyp_stack_switch(FLAT_KERNEL_SS & ~3UL, sp), 0);
	want_eq(hyp_stack_switch(FLAT_KERNEL_SS, sp), 0);
}

/* The older call that sets three entry points at once. */
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

/* Clearing TS, and both directions of a debug register, are alive. */
CASE(nr_cpu_state, "HCN-005 HCN-008 HCN-009", 0)
{
	want_eq(hyp_fpu_taskswitch(0), 0);
	want_eq(hyp_set_debugreg(0, 0), 0);
	want_eq(hyp_get_debugreg(7) & ~0x400UL, 0);
}

/* Privileged numbers answer an unprivileged caller with a refusal. */
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

/* A misaligned descriptor address is refused: alive. */
CASE(nr_update_descriptor, "HCN-010 TRP-DT-010", 0)
{
	char *page = page_alloc();
	unsigned int off;

	for (off = 1; off < 8; off++)
		want_eq(hyp_update_descriptor(virt_maddr(page) + off, 0), -EINVAL);
	want(mem_is(page, 0, PAGE_SIZE));
	page_free(page);
}

/* Numbers that nobody has used, or that were retired. */
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

/* Numbers kept for other architectures. */
CASE(nr_arch, "HCN-050 HCN-051 HCN-052 HCN-053 HCN-054 HCN-055", 0)
{
	unsigned int nr;

	for (nr = 50; nr <= 55; nr++)
		want_eq(CALL(nr), -ENOSYS);
}

/* Numbers above the table, as 64-bit numbers. */
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

/* Writing back the entry a page has is a success. */
CASE(nr_update_va_mapping, "HCN-014 MMU-UVA-001", 0)
{
	char *page = page_alloc();

	want_eq(hyp_update_va_mapping((unsigned long)page, pte_of(page), 0), 0);
	page_free(page);
}

/* The first form of event_channel_op: one structure, or nothing at all. */
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

/* The version is a positive number: release and revision. */
CASE(nr_xen_version, "HCN-017", 0)
{
	want(hyp_xen_version(XENVER_version, NULL) > 0x30000);
}

/* The hypervisor's console is no guest's, debugging builds excepted. */
CASE(nr_console_io, "HCN-018", DOMU)
{
	char text[] = "";

	want_any(hyp_console_io(CONSOLEIO_write, 0, text), -EPERM, 0);
	want_eq(hyp_console_io(CONSOLEIO_read, 1, text), -EPERM);
}

/* The first form of physdev_op, or nothing at all. */
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

/* The grant table's size can be asked for. */
CASE(nr_grant_table_op, "HCN-020", 0)
{
	struct gnttab_query_size q = { .dom = DOMID_SELF };

	want_eq(hyp_grant_table_op(GNTTABOP_query_size, &q, 1), 0);
	want_eq(q.status, GNTST_okay);
}

/* Assists that do not exist are refused. */
CASE(nr_vm_assist, "HCN-021", 0)
{
	want_any(hyp_vm_assist(VMASST_CMD_enable, 60), -EINVAL, -ENOSYS);
	want_any(hyp_vm_assist(VMASST_CMD_enable, 0xffffffff), -EINVAL, -ENOSYS);
	want_eq(hyp_vm_assist(9, VMASST_TYPE_writable_pagetables), -ENOSYS);
	want_eq(hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3), 0);
}

/* Another domain that does not exist, or one's own number, is no domain here. */
CASE(nr_update_va_otherdomain, "HCN-022 MMU-UVA-007", 0)
{
	char *page = page_alloc();

	want_eq(rt_call(__HYPERVISOR_update_va_mapping_otherdomain,
			(unsigned long)page, pte_of(page), 0, NO_DOMAIN, 0), -ESRCH);
	want_eq(rt_call(__HYPERVISOR_update_va_mapping_otherdomain,
			(unsigned long)page, pte_of(page), 0, own_domid(), 0), -ESRCH);
	page_free(page);
}

/* iret goes where its frame says: the runtime does so on every trap. */
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

/* A segment that does not exist is refused: alive. */
CASE(nr_set_segment_base, "HCN-025 TRP-SEG-007", 0)
{
	want_eq(hyp_set_segment_base(4, 0), -EINVAL);
	want_eq(hyp_set_segment_base(0xffffffff, 0), -EINVAL);
}

/* Security modules and argo: an error, never a success, for nonsense. */
CASE(nr_optional, "HCN-027 HCN-039", 0)
{
	static unsigned char zero[1024];

	want(rt_call(__HYPERVISOR_xsm_op, (unsigned long)zero, 0, 0, 0, 0) < 0);
	want(rt_call(__HYPERVISOR_argo_op, 99, 0, 0, 0, 0) < 0);
}

/* Callback operations: present ones work, others are refused by name. */
CASE(nr_callback_op, "HCN-030", 0)
{
	struct callback_register r = {
		.type = CALLBACKTYPE_event,
		.address = (unsigned long)rt_entry_event,
	};

	want_eq(hyp_callback_op(2, &r), -ENOSYS);
	want_eq(hyp_callback_op(CALLBACKOP_register, &r), 0);
}

/* Profiling: out of range, not permitted, or gone. */
CASE(nr_xenoprof, "HCN-031", DOMU)
{
	static unsigned char zero[256];

	want_any(rt_call(__HYPERVISOR_xenoprof_op, 999, (unsigned long)zero, 0, 0,
			 0), -EINVAL, -ENOSYS, -EPERM);
	/* XENOPROF_start */
	want_any(rt_call(__HYPERVISOR_xenoprof_op, 6, (unsigned long)zero, 0, 0,
			 0), -EPERM, -ENOSYS, -EINVAL);
}

/* The virtual I/O privilege level may be set. */
CASE(nr_physdev_op, "HCN-033", 0)
{
	struct physdev_set_iopl s = { .iopl = 1 };

	want_eq(hyp_physdev_op(PHYSDEVOP_set_iopl, &s), 0);
	s.iopl = 0;
	want_eq(hyp_physdev_op(PHYSDEVOP_set_iopl, &s), 0);
}

/* Operations of hardware-assisted domains do not act on this one. */
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

/* Performance counters are off or not a guest's to switch. */
CASE(nr_xenpmu, "HCN-040", DOMU)
{
	static unsigned char zero[64];

	want(rt_call(__HYPERVISOR_xenpmu_op, 0, (unsigned long)zero, 0, 0, 0) < 0);
}

/* Device model operations want buffers. */
CASE(nr_dm_op, "HCN-041", 0)
{
	want_any(rt_call(__HYPERVISOR_dm_op, own_domid(), 0, 0, 0, 0), -ENODATA,
		 -ENOSYS);
}

/* The hypervisor's own continuation is no way in. */
CASE(nr_continuation, "HCN-049", 0)
{
	want(rt_call(49, 0, 0, 0, 0, 0) < 0);
	want(rt_call(49, (unsigned long)BAD_PTR, 0, 0, 0, 0) < 0);
}
