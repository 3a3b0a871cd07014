// SPDX-License-Identifier: MIT
/* CPUID over all its ranges, and model-specific registers that a guest does not have. */
#include "case.h"

#define GARBAGE		0x1122334455667788UL

struct leaf {
	uint64_t a, b, c, d;
};

static struct leaf cpuid(uint32_t number, uint32_t sub)
{
	struct leaf l = { number, GARBAGE, sub, GARBAGE };

	asm volatile("ud2a; .ascii \"xen\"; cpuid"
		     : "+a" (l.a), "+b" (l.b), "+c" (l.c), "+d" (l.d));
	mutant_view(VIEW_CPUID, &l, sizeof(l));
	return l;
}

static bool empty(uint32_t number, uint32_t sub)
{
	struct leaf l = cpuid(number, sub);

	return !(l.a | l.b | l.c | l.d);
}

/*
 * CPUID of a leaf behind the last one of its range, and of a range that does not
 * exist, is all zero; the last one itself is not cut off.
 */
CASE(cpuid_ranges, "TRP-PRV-015", 0)
{
	static const uint32_t none[] = {
		0x3fffffff, 0x4fffffff, 0x50000000, 0x7fffffff, 0x8000ffff, 0x80010000,
		0xbfffffff, 0xc0000000, 0xffffffff,
	};
	struct leaf l = cpuid(0, 0);
	uint64_t last = l.a;
	unsigned int i;

	want(last >= 1 && last < 0x100);
	want((uint32_t)l.b && (uint32_t)l.c && (uint32_t)l.d);
	want(cpuid(1, 0).a);
	for (i = 1; i < 300; i++)
		want(empty((uint32_t)last + i, 0));
	l = cpuid(0x80000000, 0);
	want(l.a >= 0x80000001 && l.a < 0x80000100);
	last = l.a;
	for (i = 1; i < 300; i++)
		want(empty((uint32_t)last + i, 0));
	for (i = 0; i < ARRAY_SIZE(none); i++)
		want(empty(none[i], 0));
	if (last < 0x80000008)
		return;
	/* Physical and linear address widths. */
	l = cpuid(0x80000008, 0);
	want((l.a & 0xff) >= 32 && (l.a & 0xff) <= 52);
	want_any(l.a >> 8 & 0xff, 48, 57);
}

/* CPUID stores 32 bits in each register: the upper halves of all four are zero. */
CASE(cpuid_registers, "TRP-PRV-015", 0)
{
	struct leaf l = cpuid(0x80000000, 0);

	want_eq((l.a | l.b | l.c | l.d) >> 32, 0);
	l = cpuid(1, 0);
	want_eq((l.a | l.b | l.c | l.d) >> 32, 0);
}

/*
 * Leaves 7 and 13 have subleaves: those behind the last one are all zero, and the
 * state components of leaf 13 are there if, and only if, leaf 1 shows XSAVE.
 */
CASE(cpuid_subleaves, "TRP-PRV-016", 0)
{
	uint64_t last = cpuid(0, 0).a;
	bool xsave = cpuid(1, 0).c & 1U << 26;
	uint32_t i;

	if (last >= 7) {
		uint32_t subs = (uint32_t)cpuid(7, 0).a;

		want(subs < 32);
		for (i = 1; i < 40; i++)
			want(empty(7, subs + i));
		want(empty(7, 0xffffffff));
	}
	want(last >= 13 || !xsave);
	if (last < 13)
		return;
	/* x87 and SSE state always come with XSAVE. */
	want_eq(cpuid(13, 0).a & 3, xsave ? 3 : 0);
	for (i = 63; i < 100; i++)
		want(empty(13, i));
	want(empty(13, 0xffffffff));
}

/* The leaf at which the hypervisor's begin. */
static uint32_t hypervisor_base(void)
{
	uint32_t base;

	for (base = 0x40000000; base < 0x40010000; base += 0x100) {
		struct leaf l = cpuid(base, 0);

		if ((uint32_t)l.b == XEN_CPUID_SIGNATURE_EBX &&
		    (uint32_t)l.c == XEN_CPUID_SIGNATURE_ECX &&
		    (uint32_t)l.d == XEN_CPUID_SIGNATURE_EDX)
			return base;
	}
	return 0;
}

/*
 * The hypervisor's CPUID leaves end where the first says: those behind are all
 * zero, and so is each range after theirs. The leaf of a hypercall page names one
 * page, and the last leaf of a paravirtual guest a width that holds every frame.
 */
CASE(cpuid_hypervisor, "SOD-038 TRP-PRV-017", 0)
{
	uint32_t base = hypervisor_base(), i, last;
	long top = hyp_memory_op(XENMEM_maximum_ram_page, NULL);
	struct leaf l;

	want(base);
	last = (uint32_t)cpuid(base, 0).a;
	want(last >= base + 2 && last <= base + 0xff);
	for (i = last + 1; i < base + 0x300; i++)
		want(empty(i, 0));
	l = cpuid(base + 2, 0);
	want_eq(l.a, 1);
	want_any(l.b, 0x40000000, 0x40000200);
	want(l.c & XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD);
	if (last >= base + 3) {
		/* The time leaf has subleaves 0 to 2; the last is the processor's frequency. */
		want(cpuid(base + 3, 2).a);
		want(empty(base + 3, 3));
		want(empty(base + 3, 0xffffffff));
	}
	if (last < base + 5)
		return;
	l = cpuid(base + 5, 0);
	want((l.b & 0xff) > PAGE_SHIFT && (l.b & 0xff) <= 52);
	want(top <= 1L << ((l.b & 0xff) - PAGE_SHIFT));
	want(empty(base + 5, 1));
}

/* RAX and RDX before the access. */
#define LOW	0x11223344UL
#define HIGH	0x55667788UL

extern char rdmsr_at[], wrmsr_at[];
INSN(do_rdmsr, "mov %%edi, %%ecx; mov $0x11223344, %%eax; mov $0x55667788, %%edx\n"
	"rdmsr_at: rdmsr; mov %%eax, msr_low(%%rip); mov %%edx, msr_high(%%rip)")
INSN(do_wrmsr, "mov %%edi, %%ecx; mov msr_low(%%rip), %%eax; mov msr_high(%%rip), %%edx\n"
	"wrmsr_at: wrmsr")

uint32_t msr_low, msr_high;

/* RDMSR of @number raises #GP at the instruction and leaves RAX and RDX. */
static bool read_faults(uint32_t number)
{
	struct trap t = trap_of(do_rdmsr, (void *)(unsigned long)number);

	return t.vec == TRAP_GP && !t.error && t.f.rip == (unsigned long)rdmsr_at &&
	       t.f.rax == LOW && t.f.rdx == HIGH && t.f.rcx == number;
}

/* WRMSR of 0 to @number raises #GP at the instruction. */
static bool write_faults(uint32_t number)
{
	struct trap t;

	msr_low = 0;
	msr_high = 0;
	t = trap_of(do_wrmsr, (void *)(unsigned long)number);
	return t.vec == TRAP_GP && !t.error && t.f.rip == (unsigned long)wrmsr_at;
}

/* Whether this is an initial domain that was started with relaxed MSR accesses. */
static bool relaxed(void)
{
	static char line[1024];
	char *p;

	if (!is_dom0() || hyp_xen_version(XENVER_commandline, line))
		return false;
	for (p = line; *p; p++)
		if (!strncmp(p, "msr-relaxed", 11))
			return true;
	return false;
}

/*
 * RDMSR and WRMSR of registers that no processor defines raise #GP with error code
 * 0, in a domain that was not created with relaxed accesses; RDMSR leaves RAX and
 * RDX as they were.
 */
CASE(msr_unknown, "TRP-PRV-010 TRP-PRV-018", 0)
{
	static const uint32_t none[] = {
		0x12345678, 0x3fffffff, 0x40000300, 0x7fffffff, 0x80000000, 0xbfffffff,
		0xc0003fff, 0xfffffffe,
	};
	unsigned int i;

	needs(!relaxed(), "the domain has relaxed MSR accesses");
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		want(read_faults(none[i]));
		want(write_faults(none[i]));
	}
}

/*
 * Registers that a paravirtual guest never has raise #GP, however its accesses are
 * configured: commands when they are read, capabilities when they are written, the
 * local APIC's and the hypervisor's unused ones in both directions.
 */
CASE(msr_never, "TRP-PRV-019", 0)
{
	static const uint32_t read[] = {
		0x33, 0x49, 0x79, 0xcf, 0x10b, 0x800, 0x8ff, 0x40000001, 0x400002ff,
		0xc0010020,
	};
	static const uint32_t written[] = {
		0x33, 0x79, 0xce, 0xcf, 0x10a, 0x800, 0x8ff, 0x40000001, 0x400002ff,
		0xc0010020,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(read); i++)
		want(read_faults(read[i]));
	for (i = 0; i < ARRAY_SIZE(written); i++)
		want(write_faults(written[i]));
}

static uint64_t msr(uint32_t number)
{
	uint64_t v;

	if (trap_of(do_rdmsr, (void *)(unsigned long)number).vec != -1)
		return ~0ULL;
	v = (uint64_t)msr_high << 32 | msr_low;
	mutant_view(VIEW_MSR, &v, sizeof(v));
	return v;
}

static volatile uint64_t other_apic;

static void read_apic(void *arg)
{
	other_apic = msr(0x1b);
}

/*
 * RDMSR of the APIC base returns the default address with the enable flag, and the
 * flag of the boot processor on vCPU 0 only; that of the page attribute table
 * returns the hypervisor's.
 */
CASE(msr_fixed, "TRP-PRV-020", 0)
{
	want_eq(msr(0x1b), 0xfee00900);
	vcpu_run(1, read_apic, NULL);
	want(vcpu_join(1));
	want_eq(other_apic, 0xfee00800);
	want_eq(msr(0x277), 0x050100070406);
}
