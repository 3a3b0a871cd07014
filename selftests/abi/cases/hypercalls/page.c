// SPDX-License-Identifier: MIT
/* The hypercall page, which the runtime requests and only these cases use. */
#include "case.h"

extern char rt_hypercall_page[];

static long stub(unsigned int nr, unsigned long a1, unsigned long a2)
{
	char *entry = rt_hypercall_page + 32 * nr;
	long ret;

	asm volatile("call *%[entry]"
		     : "=a" (ret), "+D" (a1), "+S" (a2) : [entry] "r" (entry)
		     : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
	return ret;
}

/*
 * The hypercall page is filled before the first instruction, and each stub
 * performs its hypercall.
 */
CASE(page_stubs, "HCL-005 SOD-032", 0)
{
	struct evtchn_status st = { .dom = DOMID_SELF, .port = 1 };

	want(!mem_is(rt_hypercall_page, 0, PAGE_SIZE));
	want_eq(stub(17, XENVER_version, 0), hyp_xen_version(XENVER_version, NULL));
	want_eq(stub(29, SCHEDOP_yield, 0), 0);
	want_eq(stub(32, EVTCHNOP_status, (unsigned long)&st), 0);
	want_eq(stub(11, 0, 0), -ENOSYS);
	want_eq(stub(45, 0, 0), -ENOSYS);
}

/*
 * Stubs of the hypercall page preserve RCX and R11, which SYSCALL itself
 * overwrites.
 */
CASE(page_keeps, "HCL-006", 0)
{
	unsigned long rcx = 0x1c1c, r11;

	asm volatile("mov $0x1111, %%r11\n\tmov $29, %%eax\n\txor %%edi, %%edi\n\t"
		     "xor %%esi, %%esi\n\tcall rt_hypercall_page + 29 * 32\n\t"
		     "mov %%r11, %1"
		     : "+c" (rcx), "=r" (r11)
		     : : "rax", "rdi", "rsi", "rdx", "r8", "r10", "r11", "memory");
	want_eq(rcx, 0x1c1c);
	want_eq(r11, 0x1111);
}

/*
 * The stub of iret continues at a frame whose rest is on the stack when it is
 * jumped to.
 */
CASE(page_iret, "HCL-007", 0)
{
	unsigned long rax = 0x77, rcx = 0x88, r11;

	asm volatile("mov %%rsp, %%rbx\n\t"
		     "xor %%edx, %%edx\n\tmov %%ss, %%dx\n\tpushq %%rdx\n\tpushq %%rbx\n\t"
		     "pushq $2\n\t"
		     "mov %%cs, %%dx\n\tand $0xfffc, %%edx\n\tpushq %%rdx\n\t"
		     "lea 1f(%%rip), %%rdx\n\tpushq %%rdx\n\tpushq $0\n\t"
		     "mov $0x99, %%r11d\n\tjmp rt_hypercall_page + 23 * 32\n\t"
		     "1: mov %%r11, %2"
		     : "+a" (rax), "+c" (rcx), "=r" (r11)
		     : : "rbx", "rdx", "r11", "memory", "cc");
	want_eq(rax, 0x77);
	want_eq(rcx, 0x88);
	want_eq(r11, 0x99);
}
