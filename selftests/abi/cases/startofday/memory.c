// SPDX-License-Identifier: MIT
/* Memory and start_info at start of day. */
#include "case.h"

extern char boot_stack[];

/*
 * nr_pages is the number of pages of the domain: its current reservation,
 * within its limit.
 */
CASE(sod_nr_pages, "SOD-009 SOD-010 HCN-012", 0)
{
	domid_t self_id = DOMID_SELF;
	long now_pages = hyp_memory_op(XENMEM_current_reservation, &self_id);
	long max = hyp_memory_op(XENMEM_maximum_reservation, &self_id);

	want(now_pages >= (long)start_info.nr_pages);
	want(max >= now_pages);
}

/*
 * Each entry of the phys-to-machine list names a frame whose machine-to-phys
 * entry is the entry's index.
 */
CASE(sod_p2m, "SOD-009 SOD-019 SOD-020", 0)
{
	unsigned long i, valid = 0;

	for (i = 0; i < start_info.nr_pages; i++) {
		if (rt_p2m[i] == ~0UL)
			continue;
		valid++;
		want_eq(m2p(rt_p2m[i]), i);
	}
	want(valid > start_info.nr_pages / 2);
}

/*
 * start_info holds the page-aligned machine address of the shared page, which
 * can be mapped.
 */
CASE(sod_shared_info, "SOD-011 SHL-001", 0)
{
	uint64_t ma = start_info.shared_info;
	void *va = window(0);

	want_eq(ma & (PAGE_SIZE - 1), 0);
	want_eq(map(va, ma | PTE_RW), 0);
	want_eq(memcmp(va, shared_info, 64), 0);
	((struct shared_info *)va)->arch.nmi_reason = 0x77;
	want_eq(shared_info->arch.nmi_reason, 0x77);
	shared_info->arch.nmi_reason = 0;
	want_eq(map(va, 0), 0);
}

/* start_info of the initial domain has the flags of the initial domain. */
CASE(sod_flags_initial, "SOD-012", DOM0)
{
	want(start_info.flags & SIF_PRIVILEGED);
	want(start_info.flags & SIF_INITDOMAIN);
}

/* start_info of any other domain has none of the initial domain's flags. */
CASE(sod_flags_other, "SOD-013", DOMU)
{
	want_eq(start_info.flags & (SIF_PRIVILEGED | SIF_INITDOMAIN), 0);
}

/*
 * XenStore and the console each have a frame of the domain's own and a bound
 * port.
 */
CASE(sod_store_console, "SOD-014 SOD-015", DOMU)
{
	struct evtchn_status st;

	want(start_info.store_evtchn > 0);
	want_eq(evtchn_status(start_info.store_evtchn, &st), 0);
	want_eq(st.status, EVTCHNSTAT_interdomain);
	want_eq(virt_mfn(mfn_virt(start_info.store_mfn)), start_info.store_mfn);
	want(start_info.console.domU.evtchn > 0);
	want_eq(virt_mfn(mfn_virt(start_info.console.domU.mfn)),
		start_info.console.domU.mfn);
	want_eq(evtchn_status(start_info.console.domU.evtchn, &st), 0);
	want_eq(st.status, EVTCHNSTAT_interdomain);
}

/*
 * The initial domain has neither XenStore nor console page; the description of
 * its screen is in the page of start_info.
 */
CASE(sod_no_store, "SOD-016", DOM0)
{
	uint32_t off = start_info.console.dom0.info_off;
	uint32_t size = start_info.console.dom0.info_size;

	want_eq(start_info.store_mfn, 0);
	want_eq(start_info.store_evtchn, 0);
	want(off + size <= PAGE_SIZE);
	want(!size == !off);
}

/*
 * Bootstrap page tables follow pt_base in virtual and pseudo-physical order
 * and are read-only.
 */
CASE(sod_page_tables, "SOD-017 SOD-018", 0)
{
	char *pt = (char *)start_info.pt_base;
	unsigned long i;

	want(start_info.nr_pt_frames >= 4);
	for (i = 0; i < start_info.nr_pt_frames; i++) {
		char *p = pt + i * PAGE_SIZE;

		want(pte_of(p) & PTE_P);
		want_eq(pte_of(p) & PTE_W, 0);
		want_eq((pte_of(p) & PTE_ADDR) >> PAGE_SHIFT,
			rt_p2m[virt_pfn(pt) + i]);
	}
	want(pte_of(pt + i * PAGE_SIZE) & PTE_W);
	want(pte_of(pt - PAGE_SIZE) & PTE_W);
	want(pte_of(rt_image) & PTE_W);
	want(pte_of(boot_info) & PTE_W);
	want(pte_of((void *)start_info.mfn_list) & PTE_W);
}

/* The boot region maps page n at its base plus n pages, without a gap. */
CASE(sod_straight, "SOD-021", 0)
{
	unsigned long va, end = start_info.pt_base +
				start_info.nr_pt_frames * PAGE_SIZE;

	for (va = RT_BASE; va < end; va += PAGE_SIZE)
		want_eq((pte_of((void *)va) & PTE_ADDR) >> PAGE_SHIFT,
			rt_p2m[virt_pfn((void *)va)]);
}

/*
 * At least 512 KiB after the boot stack are mapped, to a 4 MiB boundary. The
 * runtime found that room when it placed its first page tables there.
 */
CASE(sod_room, "SOD-022", 0)
{
	unsigned long stack = rt_boot_regs.rsp, va;
	unsigned long end = (stack + (512 << 10) + (4UL << 20) - 1) &
			    ~((4UL << 20) - 1);

	for (va = stack; va < end; va += PAGE_SIZE)
		want(pte_of((void *)va) & PTE_P);
	want(virt_pfn((void *)end) <= start_info.nr_pages ||
	     start_info.nr_pages < 1024);
}

/* The boot elements are in their documented order, each on a page boundary. */
CASE(sod_order, "SOD-023", 0)
{
	want(start_info.mfn_list >= (unsigned long)rt_end);
	want_eq(start_info.mfn_list & (PAGE_SIZE - 1), 0);
	want((unsigned long)boot_info >= start_info.mfn_list +
					 start_info.nr_pages * 8);
	want(start_info.pt_base > (unsigned long)boot_info);
	want(rt_boot_regs.rsp > start_info.pt_base +
				start_info.nr_pt_frames * PAGE_SIZE);
}

/* mod_len is 0 without an initial module. */
CASE(sod_no_module, "SOD-024", 0)
{
	want_eq(start_info.mod_len, 0);
	want_eq(start_info.flags & SIF_MOD_START_PFN, 0);
}

/* The command line ends within its field and holds the words of the runner. */
CASE(sod_cmdline, "SOD-026", ALONE)
{
	char buf[32];

	want(strlen((char *)start_info.cmd_line) < MAX_GUEST_CMDLINE);
	want(cmdline_get("case", buf, sizeof(buf)));
	want_eq(strcmp(buf, "sod_cmdline"), 0);
}

INSN(load_flat, "mov $0xe02b, %%eax; mov %%eax, %%ds; xor %%eax, %%eax; mov %%eax, %%ds")
INSN(load_guest_entry, "mov $0x1b, %%eax; mov %%eax, %%es")

/*
 * Before set_gdt the hypervisor's flat selectors can be loaded and the guest's
 * own entries are empty: loading one faults.
 */
CASE(sod_gdt, "SOD-028", 0)
{
	struct trap t;

	want_eq(trap_of(load_flat, NULL).vec, -1);
	t = want_trap(load_guest_entry, NULL, TRAP_GP);
	want_eq(t.error, 0x18);
}

/*
 * The guest can read the hypervisor's slots of the root table; a request to
 * change one is refused.
 */
CASE(sod_xen_slots, "SOD-029", 0)
{
	uint64_t *l4 = (uint64_t *)start_info.pt_base, before;
	unsigned int slot;

	for (slot = 256; slot < 272; slot++) {
		before = READ_ONCE(l4[slot]);
		want(pte_set(&l4[slot], 0) < 0);
		want_eq(READ_ONCE(l4[slot]), before);
	}
}

/* The machine-to-phys table can be read and not written. */
CASE(sod_m2p_readonly, "SOD-030", 0)
{
	unsigned long mfn = virt_mfn(rt_image);
	unsigned long *e = machine_to_phys_mapping + mfn;

	want_eq(fault_read(e), -1);
	want_eq(fault_write(e, 0), TRAP_PF);
	want_eq(m2p(mfn), virt_pfn(rt_image));
}

/*
 * The wall clock and the first time record are set before the first
 * instruction.
 */
CASE(sod_clocks, "SOD-033 SOD-034", 0)
{
	struct wallclock w = wallclock_snap();
	struct vcpu_time_info t = time_snap(0);

	want(w.sec || w.sec_hi);
	want_eq(w.version & 1, 0);
	want(t.version);
	want_eq(t.version & 1, 0);
	want(t.tsc_to_system_mul);
	want(t.system_time <= now());
}

/*
 * vcpu_info structures are 64 bytes apart: an event for vCPU 1 changes that of
 * vCPU 1 and no other.
 */
CASE(shl_vcpu_info, "SHL-002", 0)
{
	int p = evtchn_ipi(1);
	unsigned char *vi = (unsigned char *)shared_info + 64;
	unsigned char before[64];

	port_clear(p);
	port_open(p);
	memcpy(before, vi - 64, 3);
	vi[0] = 0;
	memset(vi + 8, 0, 8);
	want_eq(evtchn_send(p), 0);
	want_eq(vi[0], 1);
	want_eq(memcmp(before, vi - 64, 3), 0);
	port_clear(p);
	evtchn_close(p);
	vi[0] = 0;
}

/*
 * The shared page belongs to the hypervisor: no list entry names it, it cannot
 * become a page table, and decrease_reservation does not free it.
 */
CASE(shl_not_ours, "SHL-004 SHL-008", ALONE)
{
	unsigned long mfn = start_info.shared_info >> PAGE_SHIFT, i;
	xen_pfn_t frame = mfn;
	struct xen_memory_reservation r = {
		.nr_extents = 1, .domid = DOMID_SELF,
	};
	struct chan c;

	for (i = 0; i < start_info.nr_pages; i++)
		want(rt_p2m[i] != mfn);
	want(mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0) < 0);
	set_xen_guest_handle(r.extent_start, &frame);
	want_any(hyp_memory_op(XENMEM_decrease_reservation, &r), 0, 1);
	c = chan_open();
	want_eq(evtchn_send(c.a), 0);
	want(port_pending(c.b));
	chan_close(c);
	shared_info->arch.nmi_reason = 5;
	want_eq(shared_info->arch.nmi_reason, 5);
	shared_info->arch.nmi_reason = 0;
}

/* The version of the wall clock is even at rest. */
CASE(shl_wc_version, "SHL-005", 0)
{
	want(until(!(shared_info->wc_version & 1), 100));
	want_eq(wallclock_snap().version & 1, 0);
}

/*
 * The hypervisor does not change arch.max_pfn and the anchor of the list of
 * list frames.
 */
CASE(shl_p2m_fields, "SHL-006", 0)
{
	unsigned int i;

	shared_info->arch.max_pfn = 0x1234;
	shared_info->arch.pfn_to_mfn_frame_list_list = 0x5678;
	for (i = 0; i < 20; i++)
		want_eq(hyp_sched_op(SCHEDOP_yield, NULL), 0);
	want_eq(shared_info->arch.max_pfn, 0x1234);
	want_eq(shared_info->arch.pfn_to_mfn_frame_list_list, 0x5678);
	shared_info->arch.max_pfn = 0;
	shared_info->arch.pfn_to_mfn_frame_list_list = 0;
}

/* The address of a page fault is in vcpu_info before the handler runs. */
CASE(shl_cr2, "SHL-007", 0)
{
	char *p = (char *)window(1) + 0x123;

	want_eq(fault_read(p), TRAP_PF);
	want_eq(last_trap.cr2, (unsigned long)p);
	want_eq(fault_write(p + 8, 0), TRAP_PF);
	want_eq(last_trap.cr2, (unsigned long)(p + 8));
}
