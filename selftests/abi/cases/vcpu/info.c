// SPDX-License-Identifier: MIT
/* VCPUOP_register_vcpu_info and NMIs between vCPUs. */
#include "case.h"

static long register_info(unsigned int vcpu, unsigned long mfn, unsigned int off)
{
	struct vcpu_register_vcpu_info r = { .mfn = mfn, .offset = off };

	return hyp_vcpu_op(VCPUOP_register_vcpu_info, vcpu, &r);
}

/*
 * VCPUOP_register_vcpu_info moves vcpu_info to the given place: contents
 * copied, every selector bit and the pending flag set, and events and fault
 * addresses stored there from then on.
 */
CASE(vinfo_moves, "VCP-044 VCP-045", ALONE)
{
	char *page = page_alloc();
	struct vcpu_info *vi = (void *)(page + 128), *old = vcpus[0].info;
	struct chan c = chan_open();

	memset(page, 0x5a, PAGE_SIZE);
	old->evtchn_pending_sel = 0;
	old->evtchn_upcall_pending = 0;
	want_eq(register_info(0, virt_mfn(page), 128), 0);
	want_eq(vi->evtchn_upcall_mask, 1);
	want_eq(vi->evtchn_upcall_pending, 1);
	want_eq(vi->evtchn_pending_sel, ~0UL);
	want(near(vi->time.tsc_to_system_mul, old->time.tsc_to_system_mul));
	want(vi->time.version);
	want(mem_is(page, 0x5a, 128));
	want(mem_is(page + 192, 0x5a, PAGE_SIZE - 192));
	vcpus[0].info = vi;
	vi->evtchn_upcall_pending = 0;
	vi->evtchn_pending_sel = 0;
	want_eq(evtchn_send(c.a), 0);
	want_eq(vi->evtchn_upcall_pending, 1);
	want_eq(vi->evtchn_pending_sel, 1UL << (c.b / 64));
	want_eq(old->evtchn_upcall_pending, 0);
	want_eq(fault_read((char *)BAD_PTR + 0x321), TRAP_PF);
	want_eq(last_trap.cr2, (unsigned long)BAD_PTR + 0x321);
	chan_close(c);
}

/*
 * A second VCPUOP_register_vcpu_info for the same vCPU is refused and moves
 * nothing.
 */
CASE(vinfo_once, "VCP-047", ALONE)
{
	char *page = page_alloc();

	want_eq(register_info(0, virt_mfn(page), 0), 0);
	vcpus[0].info = (void *)page;
	want_any(register_info(0, virt_mfn(page), 64), -EINVAL, -EBUSY);
	want(mem_is(page + 64, 0, 64));
}

/*
 * VCPUOP_register_vcpu_info refuses a structure that is misaligned or crosses
 * its page.
 */
CASE(vinfo_place, "VCP-048 VCP-049", 0)
{
	char *page = page_alloc();
	unsigned int id = vcpu_number() - 1;

	want_eq(register_info(id, virt_mfn(page), PAGE_SIZE - 56), -ENXIO);
	want_eq(register_info(id, virt_mfn(page), PAGE_SIZE - 8), -ENXIO);
	want_any(register_info(id, virt_mfn(page), PAGE_SIZE), -ENXIO, -EINVAL);
	want_any(register_info(id, virt_mfn(page), 0x10000), -ENXIO, -EINVAL);
	want_eq(register_info(id, virt_mfn(page), 4), -ENXIO);
	want_eq(register_info(id, virt_mfn(page), 1), -ENXIO);
	want(mem_is(page, 0, PAGE_SIZE));
	page_free(page);
}

/* VCPUOP_register_vcpu_info refuses a frame that is not the domain's. */
CASE(vinfo_foreign, "VCP-050", 0)
{
	unsigned int id = vcpu_number() - 1;

	want_eq(register_info(id, 0xfffffffUL, 0), -EINVAL);
	want_eq(register_info(id, ~0UL, 0), -EINVAL);
}

/* VCPUOP_register_vcpu_info refuses a page table and leaves its contents. */
CASE(vinfo_page_table, "VCP-051 MMU-TYPE-001 MMU-TYPE-004", 0)
{
	unsigned int id = vcpu_number() - 1;
	uint64_t before = READ_ONCE(window_l1()[511]);
	uint64_t *l4 = (uint64_t *)start_info.pt_base;

	want_any(register_info(id, virt_mfn(window_l1()), 511 * 8 - 64), -EINVAL,
		 -EACCES);
	want_any(register_info(id, virt_mfn(l4), 0), -EINVAL, -EACCES);
	want_eq(READ_ONCE(window_l1()[511]), before);
}

/*
 * VCPUOP_register_vcpu_info succeeds for a vCPU that is down and may succeed
 * for one that is up.
 */
CASE(vinfo_other, "VCP-052 VCP-053", ALONE)
{
	char *page = page_alloc();
	unsigned int id = vcpu_number() - 1;

	want_eq(register_info(id, virt_mfn(page), 0), 0);
	want_eq(((struct vcpu_info *)page)->evtchn_upcall_pending, 1);
	/* The frame is held by a writable reference now. */
	page_ro(page);
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, virt_mfn(page), 0), -EINVAL);
	page_rw(page);
}

static volatile unsigned int nmi_depth, nmi_deepest, nmi_count;
static volatile unsigned int nmi_mask;
static volatile bool nmi_again;

static bool on_nmi(struct frame *f)
{
	if (f->vector != RT_VEC_NMI)
		return false;
	nmi_count++;
	nmi_depth++;
	if (nmi_depth > nmi_deepest)
		nmi_deepest = nmi_depth;
	nmi_mask = self()->info->evtchn_upcall_mask;
	if (nmi_again) {
		nmi_again = false;
		hyp_vcpu_op(VCPUOP_send_nmi, self()->id, NULL);
		rt_yield();
	}
	nmi_depth--;
	return true;
}

static void nmi_start(void)
{
	nmi_depth = 0;
	nmi_deepest = 0;
	nmi_count = 0;
	nmi_again = false;
	trap_hook = on_nmi;
}

/* VCPUOP_send_nmi refuses a non-null argument and sends nothing. */
CASE(nmi_argument, "VCP-054", 0)
{
	nmi_start();
	want_eq(hyp_vcpu_op(VCPUOP_send_nmi, 0, BAD_PTR), -EINVAL);
	rt_yield();
	want_eq(nmi_count, 0);
}

/*
 * An NMI is delivered although events are masked, and its handler starts with
 * events masked.
 */
CASE(nmi_self, "VCP-055 TRP-NMI-004 TRP-NMI-001", 0)
{
	nmi_start();
	want_eq(hyp_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
	want_eq(nmi_count, 1);
	events_on();
	want_eq(hyp_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
	events_off();
	want_eq(nmi_count, 2);
	want_eq(nmi_mask, 1);
}

static volatile bool nmi_ready;

static void wait_nmi(void *arg)
{
	struct xennmi_callback cb = {
		.handler_address = (unsigned long)rt_entry_nmi,
	};

	hyp_nmi_op(XENNMI_register_callback, (unsigned long)&cb);
	nmi_ready = true;
	until(nmi_count, 20000);
}

/* An NMI enters the handler that another vCPU registered. */
CASE(nmi_other, "VCP-055", 0)
{
	nmi_start();
	nmi_ready = false;
	vcpu_run(1, wait_nmi, NULL);
	want(until(nmi_ready, 5000));
	want_eq(hyp_vcpu_op(VCPUOP_send_nmi, 1, NULL), 0);
	want(vcpu_join(1));
	want_eq(nmi_count, 1);
}

static void sleep_nmi(void *arg)
{
	struct xennmi_callback cb = {
		.handler_address = (unsigned long)rt_entry_nmi,
	};

	hyp_nmi_op(XENNMI_register_callback, (unsigned long)&cb);
	nmi_ready = true;
	hyp_sched_op(SCHEDOP_block, NULL);
	events_off();
}

static void spin_nmi(void *arg)
{
	nmi_ready = true;
	while (!nmi_count)
		cpu_relax();
}

static bool is_blocked(unsigned int id)
{
	struct vcpu_runstate_info r = { 0 };

	want_eq(hyp_vcpu_op(VCPUOP_get_runstate_info, id, &r), 0);
	return r.state == RUNSTATE_blocked;
}

/*
 * An NMI reaches a vCPU that is blocked without an event, and one that runs
 * without a hypercall.  One that came before SCHEDOP_block would not end it.
 */
CASE(nmi_idle_busy, "VCP-055", 0)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		vcpus[1].info->evtchn_upcall_pending = 0;
		vcpus[1].info->evtchn_pending_sel = 0;
		nmi_start();
		nmi_ready = false;
		vcpu_run(1, i & 1 ? spin_nmi : sleep_nmi, NULL);
		want(until(nmi_ready && (i & 1 || is_blocked(1)), 5000));
		want_eq(hyp_vcpu_op(VCPUOP_send_nmi, 1, NULL), 0);
		want(vcpu_join(1));
		want_eq(nmi_count, 1);
	}
}

/* A second NMI is held until the first handler has returned by iret. */
CASE(nmi_not_nested, "VCP-056 TRP-IRET-009", 0)
{
	nmi_start();
	nmi_again = true;
	want_eq(hyp_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
	rt_yield();
	want_eq(nmi_count, 2);
	want_eq(nmi_deepest, 1);
}

/*
 * XENNMI_register_callback refuses an unreadable argument and a non-canonical
 * address; the handler can be unregistered.
 */
CASE(nmi_register, "TRP-NMI-001 TRP-NMI-002 TRP-NMI-003 HCN-028", 0)
{
	struct xennmi_callback cb = {
		.handler_address = (unsigned long)rt_entry_nmi,
	};
	struct xennmi_callback bad = { .handler_address = 0x0000800000000000UL };

	want_eq(hyp_nmi_op(XENNMI_register_callback, (unsigned long)BAD_PTR), -EFAULT);
	want_eq(hyp_nmi_op(XENNMI_register_callback, (unsigned long)&bad), -EINVAL);
	want_eq(hyp_nmi_op(9, 0), -ENOSYS);
	nmi_start();
	want_eq(hyp_nmi_op(XENNMI_unregister_callback, 0), 0);
	want_eq(hyp_nmi_op(XENNMI_register_callback, (unsigned long)&cb), 0);
	want_eq(hyp_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
	want_eq(nmi_count, 1);
}

/* An NMI without a handler is dropped. */
CASE(nmi_unregistered, "TRP-NMI-003", ALONE)
{
	nmi_start();
	want_eq(hyp_nmi_op(XENNMI_unregister_callback, 0), 0);
	hyp_vcpu_op(VCPUOP_send_nmi, 0, NULL);
	rt_yield();
	want_eq(nmi_count, 0);
}
