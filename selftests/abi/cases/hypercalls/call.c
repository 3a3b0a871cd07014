// SPDX-License-Identifier: MIT
/* The hypercall itself: registers, errors, pointers, refused ways in. */
#include "case.h"

/*
 * A hypercall takes its number and arguments from registers and returns its
 * result in RAX: the calls here take two, three and four arguments, and a
 * wrong register would show.
 */
CASE(call_registers, "HCL-001", 0)
{
	char *page = page_alloc();
	unsigned int done = 77;
	struct mmu_update u = { .ptr = 3 };
	unsigned long a1 = 0, a2 = 0;
	long ret;

	/* The hypervisor may destroy the argument registers (HCL-003). */
	asm volatile("syscall" : "=a" (ret), "+D" (a1), "+S" (a2) : "0" (17UL)
		     : "rcx", "r11", "memory");
	want_eq(ret, hyp_xen_version(XENVER_version, NULL));
	want_eq(hyp_mmu_update(&u, 0, &done, DOMID_SELF), 0);
	want_eq(done, 0);
	want_eq(hyp_update_va_mapping((unsigned long)page, mk_pte(page, PTE_RO),
				      UVMF_INVLPG | UVMF_LOCAL), 0);
	want_eq(fault_write(page, 1), TRAP_PF);
	page_rw(page);
	page_free(page);
}

/* A hypercall preserves the flags and every register that is no argument. */
CASE(call_preserves, "HCL-002 HCL-003", 0)
{
	unsigned long in[8] = { 11, 12, 13, 14, 15, 16, 17, 18 }, out[9];

	asm volatile("push %%rbp\n\t"
		     "mov 0(%%rsi), %%rbx\n\tmov 8(%%rsi), %%rbp\n\t"
		     "mov 16(%%rsi), %%r9\n\tmov 24(%%rsi), %%r12\n\t"
		     "mov 32(%%rsi), %%r13\n\tmov 40(%%rsi), %%r14\n\t"
		     "mov 48(%%rsi), %%r15\n\tpush %%rdi\n\t"
		     "mov $29, %%eax\n\txor %%edi, %%edi\n\txor %%esi, %%esi\n\t"
		     "stc\n\tsyscall\n\tpop %%rdi\n\t"
		     "mov %%rbx, 0(%%rdi)\n\tmov %%rbp, 8(%%rdi)\n\t"
		     "mov %%r9, 16(%%rdi)\n\tmov %%r12, 24(%%rdi)\n\t"
		     "mov %%r13, 32(%%rdi)\n\tmov %%r14, 40(%%rdi)\n\t"
		     "mov %%r15, 48(%%rdi)\n\tpushfq\n\tpopq 56(%%rdi)\n\t"
		     "mov %%rax, 64(%%rdi)\n\tpop %%rbp"
		     : : "S" (in), "D" (out)
		     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12",
		       "r13", "r14", "r15", "memory", "cc");
	want_eq(memcmp(in, out, 56), 0);
	want_eq(out[7] & 1, 1);
	want_eq(out[8], 0);
}

/* A failing hypercall returns a small negative number, for a range of calls. */
CASE(call_errors, "HCL-004", 0)
{
	long ret[] = {
		rt_call(200, 0, 0, 0, 0, 0), evtchn_close(0),
		hyp_vcpu_op(99, 0, NULL), hyp_set_segment_base(9, 0),
		hyp_memory_op(XENMEM_machphys_mapping, BAD_PTR),
		hyp_xen_version(XENVER_extraversion, BAD_PTR),
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ret); i++)
		want(ret[i] < 0 && ret[i] > -4096);
}

USER(user_hypercall, "mov $17, %eax\n xor %edi, %edi\n xor %esi, %esi\n syscall\n ud2");

/* SYSCALL from user mode enters the guest kernel with the user's registers. */
CASE(call_from_user, "HCL-008 TRP-CB-007", 0)
{
	struct trap t = user_call(user_hypercall, 0);

	want_eq(t.vec, RT_VEC_SYSCALL);
	want(t.user);
	want_eq(t.f.rax, 17);
	want_eq(t.f.rip, USER_CODE + user_hypercall_end - user_hypercall - 2);
}

INSN(int82, "mov $17, %%eax; xor %%edi, %%edi; int $0x82")

/*
 * INT 0x82 is an ordinary software interrupt for a 64-bit guest: it enters its
 * handler or raises #GP, and performs no hypercall.
 */
CASE(call_int82, "HCL-009", 0)
{
	struct trap t = trap_of(int82, NULL);

	want_any(t.vec, 0x82, TRAP_GP);
}

/*
 * A long list is one call with one result, although the hypervisor interrupts
 * it; an event raised before is delivered meanwhile or after.
 */
CASE(call_continued, "HCL-010 MMU-EXT-038", 0)
{
	struct mmuext_op *op = pages_alloc(24);
	unsigned int i, n = 24 * PAGE_SIZE / sizeof(*op), done = 0;

	for (i = 0; i < n; i++)
		op[i].cmd = MMUEXT_INVLPG_LOCAL;
	want_eq(hyp_mmuext_op(op, n, &done, DOMID_SELF), 0);
	want_eq(done, n);
	op[n - 1].cmd = 999;
	want(hyp_mmuext_op(op, n, &done, DOMID_SELF) < 0);
	want_eq(done, n - 1);
}

/*
 * A hypercall returns -EFAULT, without a crash, for unmapped and read-only
 * addresses.
 */
CASE(call_pointers, "HCL-011", 0)
{
	char *ro = page_alloc();

	want_eq(hyp_xen_version(XENVER_extraversion, BAD_PTR), -EFAULT);
	want_eq(hyp_memory_op(XENMEM_machphys_mapping, BAD_PTR), -EFAULT);
	want_eq(hyp_set_trap_table(BAD_PTR), -EFAULT);
	page_ro(ro);
	want_eq(hyp_xen_version(XENVER_extraversion, ro), -EFAULT);
	want_eq(hyp_xen_version(XENVER_extraversion,
				(void *)0x0000900000000000UL), -EFAULT);
	/* The last byte of a page, with nothing mapped behind it. */
	want_eq(map(window(3), mk_pte(ro, PTE_RO)), 0);
	want_eq(hyp_memory_op(XENMEM_machphys_mapping,
			      (char *)window(3) + PAGE_SIZE - 8), -EFAULT);
	want_eq(map(window(3), 0), 0);
	page_rw(ro);
	page_free(ro);
}

/* The hypervisor's memory cannot be read or written through a pointer. */
CASE(call_xen_range, "HCL-012", 0)
{
	static const unsigned long where[] = {
		0xffff804000000000, 0xffff820000000000, 0xffff82d080000000,
		0xffff82d080200000, 0xffff830000000000, 0xffff87ffffffe000,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(where); i++) {
		want_eq(hyp_xen_version(XENVER_extraversion, (void *)where[i]),
			-EFAULT);
		want_eq(hyp_set_trap_table((void *)where[i]), -EFAULT);
		want_eq(hyp_memory_op(XENMEM_machphys_mapping, (void *)where[i]),
			-EFAULT);
		want_eq(evtchn(EVTCHNOP_status, (void *)where[i]), -EFAULT);
	}
}
