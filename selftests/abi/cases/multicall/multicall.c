// SPDX-License-Identifier: MIT
/* Lists of hypercalls in one. */
#include "case.h"

static void entry(struct multicall_entry *m, unsigned long op, unsigned long a,
		  unsigned long b)
{
	memset(m, 0, sizeof(*m));
	m->op = op;
	m->args[0] = a;
	m->args[1] = b;
	m->result = 0x5555;
}

/* multicall performs each entry in order and stores its result. */
CASE(multi_results, "MUL-001 MUL-007", 0)
{
	struct multicall_entry m[3];

	entry(&m[0], __HYPERVISOR_xen_version, XENVER_version, 0);
	entry(&m[1], __HYPERVISOR_sched_op, SCHEDOP_yield, 0);
	entry(&m[2], __HYPERVISOR_vcpu_op, VCPUOP_is_up, 0);
	want_eq(hyp_multicall(m, 3), 0);
	want_eq(m[0].result, hyp_xen_version(XENVER_version, NULL));
	want_eq(m[1].result, 0);
	want_eq(m[2].result, 1);
}

/*
 * multicall performs the entries after a failure, an unknown number and a
 * nested multicall.
 */
CASE(multi_failures, "MUL-002 MUL-004 MUL-005", 0)
{
	struct multicall_entry m[5], inner;

	entry(&inner, __HYPERVISOR_xen_version, XENVER_version, 0);
	entry(&m[0], __HYPERVISOR_event_channel_op, EVTCHNOP_send,
	      (unsigned long)BAD_PTR);
	entry(&m[1], 200, 0, 0);
	entry(&m[2], __HYPERVISOR_multicall, (unsigned long)&inner, 1);
	entry(&m[3], __HYPERVISOR_xen_version, XENVER_version, 0);
	entry(&m[4], 11, 0, 0);
	want_eq(hyp_multicall(m, 5), 0);
	want_eq(m[0].result, -EFAULT);
	want_eq(m[1].result, -ENOSYS);
	want_eq(m[2].result, -EINVAL);
	want_eq(inner.result, 0x5555);
	want(m[3].result > 0x30000);
	want_eq(m[4].result, -ENOSYS);
}

/*
 * multicall performs the entries before an unmapped page and returns -EFAULT.
 */
CASE(multi_fault, "MUL-003", 0)
{
	char *page = page_alloc();
	struct multicall_entry *m;

	want_eq(hyp_multicall(BAD_PTR, 1), -EFAULT);
	want_eq(map(window(95), mk_pte(page, PTE_RW)), 0);
	m = (struct multicall_entry *)((char *)window(96) - sizeof(*m));
	entry(m, __HYPERVISOR_xen_version, XENVER_version, 0);
	want_eq(hyp_multicall(m, 2), -EFAULT);
	want(m->result > 0x30000);
	want_eq(map(window(95), 0), 0);
	page_free(page);
}

/* multicall returns -EFAULT for a list that cannot be written. */
CASE(multi_readonly, "MUL-003", 0)
{
	struct multicall_entry *m = page_alloc();

	entry(m, __HYPERVISOR_xen_version, XENVER_version, 0);
	page_ro(m);
	want_eq(hyp_multicall(m, 1), -EFAULT);
	page_rw(m);
	page_free(m);
}

/* multicall refuses lists in the hypervisor's range and performs nothing. */
CASE(multi_xen_range, "MUL-010", 0)
{
	want_eq(hyp_multicall(XEN_PTR, 1), -EFAULT);
	want_eq(hyp_multicall((void *)0xffff830000000000UL, 1), -EFAULT);
}

/* iret ends a multicall: the entries after it are not performed. */
CASE(multi_iret, "MUL-006", 0)
{
	struct multicall_entry m[2], *list = m;
	struct { unsigned long pad[2]; } volatile back = { { 1, 2 } };

	entry(&m[0], __HYPERVISOR_iret, 0, 0);
	entry(&m[1], __HYPERVISOR_xen_version, XENVER_version, 0);
	asm volatile("mov %%rsp, %%rbx\n\t"
		     "mov %%ss, %%eax\n\tpushq %%rax\n\t"	/* ss */
		     "pushq %%rbx\n\t"				/* rsp */
		     "pushq $0x3002\n\t"			/* rflags, events off */
		     "mov %%cs, %%eax\n\tand $0xfffc, %%eax\n\tpushq %%rax\n\t"
		     "lea 1f(%%rip), %%rax\n\tpushq %%rax\n\t"	/* rip */
		     "pushq $0\n\tpushq $0\n\tpushq $0\n\tpushq $0\n\t"
		     "mov $13, %%eax\n\tmov $2, %%esi\n\tsyscall\n\t"
		     "1: mov %%rbx, %%rsp"
		     : "+D" (list)
		     : : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10",
		       "r11", "memory", "cc");
	want_eq(back.pad[0], 1);
	want_eq(m[1].result, 0x5555);
}

/* multicall performs each of hundreds of entries once. */
CASE(multi_long, "MUL-008 HCL-010", 0)
{
	unsigned int n = 8 * PAGE_SIZE / sizeof(struct multicall_entry), i;
	struct multicall_entry *m = pages_alloc(8);
	uint64_t *page = page_alloc();
	struct mmu_update *u = pages_alloc(4);

	for (i = 0; i < n; i++) {
		u[i].ptr = virt_maddr(&page[i % 512]);
		u[i].val = page[i % 512] + i + 1;
		entry(&m[i], __HYPERVISOR_mmu_update, (unsigned long)&u[i], 1);
		m[i].args[3] = DOMID_SELF;
	}
	want_eq(hyp_multicall(m, n), 0);
	for (i = 0; i < n; i++)
		want_eq(m[i].result, 0);
	for (i = 0; i < 512; i++)
		if (i < n)
			want_eq(page[i], (n - 1 - i) / 512 * 512 + i + 1);
	page_free(page);
}

/* An entry of a multicall can use the mapping that an earlier one made. */
CASE(multi_order, "MUL-009", 0)
{
	struct multicall_entry m[3];
	char *page = page_alloc();
	struct evtchn_status *st = window(97);

	entry(&m[0], __HYPERVISOR_update_va_mapping, (unsigned long)st,
	      mk_pte(page, PTE_RW));
	m[0].args[2] = UVMF_INVLPG | UVMF_LOCAL;
	entry(&m[1], __HYPERVISOR_event_channel_op, EVTCHNOP_status,
	      (unsigned long)st);
	((struct evtchn_status *)page)->dom = DOMID_SELF;
	((struct evtchn_status *)page)->port = evtchn_ipi(0);
	entry(&m[2], __HYPERVISOR_update_va_mapping, (unsigned long)st, 0);
	m[2].args[2] = UVMF_INVLPG | UVMF_LOCAL;
	want_eq(hyp_multicall(m, 3), 0);
	want_eq(m[0].result, 0);
	want_eq(m[1].result, 0);
	want_eq(m[2].result, 0);
	want_eq(((struct evtchn_status *)page)->status, EVTCHNSTAT_ipi);
	want_eq(fault_read(st), TRAP_PF);
	evtchn_close(((struct evtchn_status *)page)->port);
	page_free(page);
}
