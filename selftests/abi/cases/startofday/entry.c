// SPDX-License-Identifier: MIT
/* The state of the machine at a kernel's first instruction. */
#include "case.h"

extern char _start[];

static uint64_t bss_probe[1024];

/*
 * The entry point in the ELF note runs in 64-bit mode with the flat kernel
 * selectors: CS and SS have guest privilege. (No case could report a result
 * without it.)
 */
CASE(sod_entry, "SOD-001 SOD-005", 0)
{
	unsigned short ds, es, fs, gs;

	want_eq(rt_boot_regs.cs, FLAT_KERNEL_CS);
	want_eq(rt_boot_regs.ss, FLAT_KERNEL_SS);
	asm volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
		     : "=r" (ds), "=r" (es), "=r" (fs), "=r" (gs));
	want_eq(ds | es | fs | gs, 0);
	want((unsigned long)_start >= RT_BASE);
}

/*
 * At entry RSI is the address of start_info, page-aligned and within the boot
 * region.
 */
CASE(sod_rsi, "SOD-002", 0)
{
	want_eq(rt_boot_regs.rsi, (unsigned long)boot_info);
	want_eq(rt_boot_regs.rsi & (PAGE_SIZE - 1), 0);
	want(rt_boot_regs.rsi >= (unsigned long)rt_end);
	want(rt_boot_regs.rsi < start_info.pt_base);
}

/*
 * At entry RSP is the end of a writable page, directly after the page tables.
 */
CASE(sod_rsp, "SOD-003", 0)
{
	unsigned long sp = rt_boot_regs.rsp;

	want_eq(sp & (PAGE_SIZE - 1), 0);
	want(sp > start_info.pt_base);
	want_eq(fault_write((void *)(sp - 8), 1), -1);
	want_eq(fault_write((void *)(sp - PAGE_SIZE), 1), -1);
}

/* At entry every general register but RSI and RSP is zero. */
CASE(sod_registers, "SOD-004", 0)
{
	struct boot_regs *r = &rt_boot_regs;

	want_eq(r->rax, 0);
	want_eq(r->rbx, 0);
	want_eq(r->rcx, 0);
	want_eq(r->rdx, 0);
	want_eq(r->rdi, 0);
	want_eq(r->rbp, 0);
	want_eq(r->r8 | r->r9 | r->r10 | r->r11, 0);
	want_eq(r->r12 | r->r13 | r->r14 | r->r15, 0);
}

/*
 * At entry IF reads as set; the direction, trace, alignment and nested-task
 * flags are clear.
 */
CASE(sod_flags, "SOD-006 EVT-CB-008", 0)
{
	want(rt_boot_regs.rflags & (1UL << 9));
	want_eq(rt_boot_regs.rflags & ((1UL << 10) | (1UL << 8) | (1UL << 18) |
				       (1UL << 14)), 0);
}

/*
 * At entry the upcall mask is 1, so that no event is delivered before the
 * kernel clears it.
 */
CASE(sod_masked, "SOD-007", ALONE)
{
	want_eq(shared_info->vcpu_info[0].evtchn_upcall_mask, 1);
	want_eq(upcall_count, 0);
}

/* The magic of start_info is that of a 64-bit guest. */
CASE(sod_magic, "SOD-008", 0)
{
	want_eq(strncmp(start_info.magic, "xen-3.0-x86_64", 14), 0);
}

/* The BSS is zero at entry: the domain builder cleared it. */
CASE(sod_bss, "SOD-037", ALONE)
{
	want(mem_is(bss_probe, 0, sizeof(bss_probe)));
}

/* At entry no vCPU but the first is up or initialised. */
CASE(sod_one_vcpu, "SOD-031 VCP-017", ALONE)
{
	unsigned int i, n = vcpu_number();

	want_eq(hyp_vcpu_op(VCPUOP_is_up, 0, NULL), 1);
	for (i = 1; i < n; i++) {
		want_eq(hyp_vcpu_op(VCPUOP_is_up, i, NULL), 0);
		want_eq(hyp_vcpu_op(VCPUOP_up, i, NULL), -EINVAL);
	}
}

INSN(read_cr0, "mov %%cr0, %%rax; mov %%rax, (%%rdi)")
INSN(read_cr3, "mov %%cr3, %%rax; mov %%rax, (%%rdi)")
INSN(read_cr4, "mov %%cr4, %%rax; mov %%rax, (%%rdi)")

/*
 * At entry the control registers read as those of a kernel with paging
 * enabled.
 */
CASE(sod_control_registers, "SOD-035", 0)
{
	unsigned long v = 0;

	want_eq(trap_of(read_cr0, &v).vec, -1);
	want_eq(v & 0x80010021, 0x80010021);
	want_eq(trap_of(read_cr4, &v).vec, -1);
	want(v & (1UL << 5));
}

/* CR3 reads as the machine address of the root table at pt_base. */
CASE(sod_cr3, "SOD-036 SOD-017", 0)
{
	unsigned long v = 0;

	want_eq(trap_of(read_cr3, &v).vec, -1);
	want_eq(v >> PAGE_SHIFT, virt_mfn((void *)start_info.pt_base));
	want_eq(start_info.pt_base & (PAGE_SIZE - 1), 0);
}

static void cpuid(uint32_t leaf, uint32_t *r)
{
	r[0] = leaf;
	r[2] = 0;
	asm volatile("ud2a; .ascii \"xen\"; cpuid"
		     : "+a" (r[0]), "=b" (r[1]), "+c" (r[2]), "=d" (r[3]));
}

static uint32_t cpuid_base(uint32_t *r)
{
	uint32_t base;

	for (base = 0x40000000; base < 0x40010000; base += 0x100) {
		cpuid(base, r);
		if (r[1] == XEN_CPUID_SIGNATURE_EBX &&
		    r[2] == XEN_CPUID_SIGNATURE_ECX &&
		    r[3] == XEN_CPUID_SIGNATURE_EDX)
			return base;
	}
	return 0;
}

/*
 * CPUID has the hypervisor's signature leaf, its range, and the version leaf
 * after it.
 */
CASE(sod_cpuid, "SOD-038 SOD-039 SOD-040", 0)
{
	uint32_t r[4], base = cpuid_base(r);

	want(base);
	want(r[0] >= base + 2);
	cpuid(base + 1, r);
	want_eq(r[0], hyp_xen_version(XENVER_version, NULL));
}

USER(user_cpuid, "mov $0x40000000, %eax\n xor %ecx, %ecx\n"
		 "ud2a\n .ascii \"xen\"\n cpuid\n syscall");

/* CPUID with the forced-emulation prefix works in user mode as well. */
CASE(sod_cpuid_user, "SOD-040", 0)
{
	uint32_t r[4];
	struct trap t;

	needs(cpuid_base(r) == 0x40000000, "hypervisor leaves are not at 0x40000000");
	t = user_call(user_cpuid, 0);
	want_eq(t.vec, RT_VEC_SYSCALL);
	want_eq((uint32_t)t.f.rbx, XEN_CPUID_SIGNATURE_EBX);
	want_eq((uint32_t)t.f.rdx, XEN_CPUID_SIGNATURE_EDX);
}
