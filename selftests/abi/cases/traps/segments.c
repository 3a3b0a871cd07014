// SPDX-License-Identifier: MIT
/* Descriptor tables, segment bases, FPU state and privileged instructions. */
#include "case.h"

#define FLAT_DATA	0x00cff3000000ffffUL	/* DPL 3, writable */
#define FLAT_DATA_DPL0	0x00cf93000000ffffUL
#define TSS		0x00008b0000000067UL	/* system descriptor */
#define BAD_VA		0x0000800000000000UL

INSN(load_entry_1, "mov $0x0b, %%eax; mov %%eax, %%es; xor %%eax, %%eax; mov %%eax, %%es")
INSN(load_flat, "mov $0xe02b, %%eax; mov %%eax, %%es; xor %%eax, %%eax; mov %%eax, %%es")

static uint64_t *gdt_page(void)
{
	uint64_t *gdt = page_alloc();

	gdt[1] = FLAT_DATA;
	page_ro(gdt);
	return gdt;
}

static void gdt_free(uint64_t *gdt)
{
	page_rw(gdt);
	page_free(gdt);
}

/*
 * set_gdt installs a GDT of the guest, holds its frames, and releases them
 * when it is dropped.
 */
CASE(gdt_set, "TRP-DT-001 TRP-DT-007 TRP-DT-008", 0)
{
	uint64_t *gdt = gdt_page();
	unsigned long mfn = virt_mfn(gdt);

	want_trap(load_entry_1, NULL, TRAP_GP);
	want_eq(hyp_set_gdt(&mfn, 512), 0);
	want_eq(trap_of(load_entry_1, NULL).vec, -1);
	want_eq(trap_of(load_flat, NULL).vec, -1);
	want(map(window(110), mk_pte(gdt, PTE_RW)) < 0);
	want_eq(hyp_set_gdt(NULL, 0), 0);
	want_trap(load_entry_1, NULL, TRAP_GP);
	want_eq(trap_of(load_flat, NULL).vec, -1);
	want_eq(map(window(110), mk_pte(gdt, PTE_RW)), 0);
	want_eq(map(window(110), 0), 0);
	gdt_free(gdt);
}

/* set_gdt refuses frames that cannot be a GDT and lists that cannot be read. */
CASE(gdt_wrong, "TRP-DT-003 TRP-DT-004", 0)
{
	uint64_t *gdt = gdt_page(), *page = page_alloc();
	unsigned long mfn = virt_mfn(gdt);

	want_eq(hyp_set_gdt(BAD_PTR, 512), -EFAULT);
	want_eq(hyp_set_gdt(&mfn, 512), 0);
	mfn = virt_mfn(page);
	want_eq(hyp_set_gdt(&mfn, 512), -EINVAL);
	mfn = virt_mfn((void *)start_info.pt_base);
	want_eq(hyp_set_gdt(&mfn, 512), -EINVAL);
	mfn = 0xfffffffUL;
	want_eq(hyp_set_gdt(&mfn, 512), -EINVAL);
	want_eq(trap_of(load_entry_1, NULL).vec, -1);
	want_eq(hyp_set_gdt(NULL, 0), 0);
	gdt_free(gdt);
	page_free(page);
}

/* set_gdt refuses system descriptors and lowers privilege 0. */
CASE(gdt_checked, "TRP-DT-005 TRP-DT-006", 0)
{
	uint64_t *gdt = page_alloc();
	unsigned long mfn = virt_mfn(gdt);

	gdt[4] = TSS;
	page_ro(gdt);
	want_eq(hyp_set_gdt(&mfn, 512), -EINVAL);
	page_rw(gdt);
	gdt[4] = 0;
	gdt[1] = FLAT_DATA_DPL0;
	page_ro(gdt);
	want_eq(hyp_set_gdt(&mfn, 512), 0);
	want_eq(gdt[1] >> 45 & 3, 3);
	want_eq(hyp_set_gdt(NULL, 0), 0);
	gdt_free(gdt);
}

/* update_descriptor writes into a table in use and into a plain page. */
CASE(desc_update, "TRP-DT-009 TRP-DT-013", 0)
{
	uint64_t *gdt = page_alloc(), *page = page_alloc();
	unsigned long mfn = virt_mfn(gdt);

	page_ro(gdt);
	want_eq(hyp_set_gdt(&mfn, 512), 0);
	want_trap(load_entry_1, NULL, TRAP_GP);
	want_eq(hyp_update_descriptor(virt_maddr(&gdt[1]), FLAT_DATA), 0);
	/* The processor may set the accessed bit. */
	want_eq(gdt[1] & ~(1UL << 40), FLAT_DATA & ~(1UL << 40));
	want_eq(trap_of(load_entry_1, NULL).vec, -1);
	want_eq(hyp_update_descriptor(virt_maddr(&gdt[1]), 0x123400005678UL), 0);
	want_eq(gdt[1], 0x123400005678UL);
	want(trap_of(load_entry_1, NULL).vec >= 0);
	want_eq(hyp_update_descriptor(virt_maddr(&page[9]), FLAT_DATA), 0);
	want_eq(page[9], FLAT_DATA);
	want_eq(page[8] | page[10], 0);
	want_eq(hyp_set_gdt(NULL, 0), 0);
	gdt_free(gdt);
	page_free(page);
}

/*
 * update_descriptor refuses descriptors that are not permitted and frames in
 * other use.
 */
CASE(desc_wrong, "TRP-DT-010 TRP-DT-011 TRP-DT-012", 0)
{
	uint64_t *page = page_alloc();
	uint64_t before = window_l1()[300];

	want_eq(hyp_update_descriptor(virt_maddr(page) + 4, FLAT_DATA), -EINVAL);
	want_eq(hyp_update_descriptor(virt_maddr(page), TSS), -EINVAL);
	want_eq(page[0], 0);
	want_eq(hyp_update_descriptor(virt_maddr(&window_l1()[300]), FLAT_DATA), -EINVAL);
	want_eq(window_l1()[300], before);
	want_eq(hyp_update_descriptor(0xfffffffff000UL, FLAT_DATA), -EINVAL);
	want_eq(hyp_update_descriptor(0x8000, FLAT_DATA), -EINVAL);
	page_free(page);
}

INSN(load_ldt_1, "mov $0x0f, %%eax; mov %%eax, %%es; xor %%eax, %%eax; mov %%eax, %%es")

/* A selector in an LDT page that is not mapped faults at the LDT's address. */
CASE(ldt_unmapped, "TRP-DT-014", 0)
{
	struct trap t;

	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)window(111), 512), 0);
	t = trap_of(load_ldt_1, NULL);
	want_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
	want_eq(t.vec, TRAP_PF);
	want_eq(t.cr2 & ~7UL, (unsigned long)window(111) + 8);
}

static struct { uint16_t limit; uint64_t base; } __attribute__((packed)) table_reg;

INSN(do_lgdt, "lgdt (%%rdi)")
INSN(do_lidt, "lidt (%%rdi)")
INSN(do_lldt, "xor %%eax, %%eax; lldt %%ax")
INSN(do_ltr, "mov $0x40, %%eax; ltr %%ax")
INSN(do_hlt, "hlt")
INSN(do_swapgs, "swapgs")

/* Instructions that load descriptor tables, halt or swap GS raise #GP. */
CASE(priv_tables, "TRP-DT-015 TRP-PRV-013 TRP-SEG-008", 0)
{
	want_trap(do_lgdt, &table_reg, TRAP_GP);
	want_trap(do_lidt, &table_reg, TRAP_GP);
	want_trap(do_lldt, NULL, TRAP_GP);
	want_trap(do_ltr, NULL, TRAP_GP);
	want_trap(do_hlt, NULL, TRAP_GP);
	want_trap(do_swapgs, NULL, TRAP_GP);
}

/* set_segment_base sets the FS and GS bases. */
CASE(seg_bases, "TRP-SEG-001 TRP-SEG-002", 0)
{
	static unsigned long a = 0x1212, b = 0x3434;
	unsigned long v;

	want_eq(hyp_set_segment_base(SEGBASE_FS, (unsigned long)&a), 0);
	want_eq(hyp_set_segment_base(SEGBASE_GS_KERNEL, (unsigned long)&b), 0);
	asm volatile("mov %%fs:0, %0" : "=r" (v));
	want_eq(v, 0x1212);
	asm volatile("mov %%gs:0, %0" : "=r" (v));
	want_eq(v, 0x3434);
	want_eq(hyp_set_segment_base(SEGBASE_FS, 0), 0);
}

/*
 * set_segment_base refuses bases that are not canonical, and the old ones
 * stay.
 */
CASE(seg_non_canonical, "TRP-SEG-004 TRP-SEG-007", 0)
{
	static unsigned long a = 0x5656;
	unsigned long v;

	want_eq(hyp_set_segment_base(SEGBASE_FS, (unsigned long)&a), 0);
	want_eq(hyp_set_segment_base(SEGBASE_FS, BAD_VA), -EINVAL);
	want_eq(hyp_set_segment_base(SEGBASE_GS_KERNEL, BAD_VA), -EINVAL);
	want_eq(hyp_set_segment_base(SEGBASE_GS_USER, BAD_VA), -EINVAL);
	want_eq(hyp_set_segment_base(17, 0), -EINVAL);
	asm volatile("mov %%fs:0, %0" : "=r" (v));
	want_eq(v, 0x5656);
	want_eq(hyp_set_segment_base(SEGBASE_FS, 0), 0);
}

USER(user_gs_sel, "xor %esi, %esi\n mov %gs, %si\n mov %gs:0x40, %rdx\n syscall");

/* A user GS selector sets the base of its descriptor. */
CASE(seg_user_selector, "TRP-SEG-005 TRP-SEG-006", 0)
{
	uint64_t *gdt = page_alloc();
	unsigned long mfn = virt_mfn(gdt);
	struct trap t;

	/* Entry 3: data, based at USER_DATA. */
	gdt[3] = 0x00cff3000000ffffUL | (USER_DATA & 0xffffff) << 16 |
		 (USER_DATA >> 24) << 56;
	page_ro(gdt);
	*(unsigned long *)user_page(USER_DATA + 0x40) = 0x7979;
	want_eq(hyp_set_gdt(&mfn, 512), 0);
	want_eq(hyp_set_segment_base(SEGBASE_GS_USER_SEL, 0x1b), 0);
	t = user_call(user_gs_sel, 0);
	want_eq(t.vec, RT_VEC_SYSCALL);
	want_eq(t.f.rsi, 0x1b);
	want_eq(t.f.rdx, 0x7979);
	want_eq(hyp_set_segment_base(SEGBASE_GS_USER_SEL, 0x103b), 0);
	want_eq(hyp_set_segment_base(SEGBASE_GS_USER, USER_DATA), 0);
	t = user_call(user_gs_sel, 0);
	want_eq(t.vec, RT_VEC_SYSCALL);
	want_eq(t.f.rsi & ~3UL, 0);
	want_eq(hyp_set_gdt(NULL, 0), 0);
	gdt_free(gdt);
}

static volatile bool fpu_stop;

static void fpu_user(void *arg)
{
	while (!fpu_stop)
		asm volatile("pcmpeqd %%xmm3, %%xmm3; fninit; fldpi" : : : "memory");
}

/* FPU and SSE state survives hypercalls, sleeps and another vCPU's use. */
CASE(fpu_kept, "TRP-FPU-002", 0)
{
	uint64_t in = 0x0123456789abcdefUL, out;
	unsigned int i;

	fpu_stop = false;
	vcpu_run(1, fpu_user, NULL);
	for (i = 0; i < 50; i++) {
		struct sched_poll p = { .timeout = now() + MS };

		in = in * 3 + i;
		asm volatile("movq %0, %%xmm3" : : "r" (in));
		if (hyp_sched_op(SCHEDOP_poll, &p))
			break;
		asm volatile("movq %%xmm3, %0" : "=r" (out));
		want_eq(out, in);
	}
	fpu_stop = true;
	want(vcpu_join(1));
	want_eq(i, 50);
}

INSN(read_cr0, "mov %%cr0, %%rax; mov %%rax, (%%rdi)")
INSN(write_cr0, "mov %%rdi, %%cr0")
INSN(do_clts, "clts")

/* A write to CR0 may change TS; another change raises #GP. */
CASE(priv_cr0, "TRP-PRV-001 TRP-PRV-005", 0)
{
	unsigned long cr0 = 0, v;

	want_eq(trap_of(read_cr0, &cr0).vec, -1);
	want_eq(trap_of(write_cr0, (void *)(cr0 | 8)).vec, -1);
	want_eq(trap_of(read_cr0, &v).vec, -1);
	want(v & 8);
	want_eq(trap_of(do_clts, NULL).vec, -1);
	want_eq(trap_of(read_cr0, &v).vec, -1);
	want_eq(v & 8, 0);
	want_trap(write_cr0, cr0 ^ 0x10000, TRAP_GP);
	want_trap(write_cr0, cr0 & ~0x80000000UL, TRAP_GP);
}

INSN(read_cr2, "mov %%cr2, %%rax; mov %%rax, (%%rdi)")
INSN(write_cr2, "mov %%rdi, %%cr2")

/* CR2 holds the value written or the address that faulted last. */
CASE(priv_cr2, "TRP-PRV-002", 0)
{
	unsigned long v = 0;

	want_eq(trap_of(write_cr2, (void *)0x123456).vec, -1);
	want_eq(trap_of(read_cr2, &v).vec, -1);
	want_eq(v, 0x123456);
}

INSN(write_cr3, "mov %%rdi, %%cr3")

/* A write to CR3 switches to a valid root and raises #GP for another frame. */
CASE(priv_cr3, "TRP-PRV-003 MMU-EXT-015", 0)
{
	uint64_t *l4 = root_new();
	char *page = page_alloc();

	want_eq(trap_of(write_cr3, (void *)((uint64_t)virt_mfn(l4) << PAGE_SHIFT)).vec, -1);
	want_eq(own_cr3(), virt_mfn(l4));
	want_eq(trap_of(write_cr3, (void *)(rt_boot_cr3 << PAGE_SHIFT)).vec, -1);
	want_eq(own_cr3(), rt_boot_cr3);
	want_trap(write_cr3, (uint64_t)virt_mfn(page) << PAGE_SHIFT, TRAP_GP);
	want_eq(own_cr3(), rt_boot_cr3);
	page_rw(l4);
	page_free(l4);
	page_free(page);
}

INSN(read_cr4, "mov %%cr4, %%rax; mov %%rax, (%%rdi)")
INSN(write_cr4, "mov %%rdi, %%cr4")

/* CR4 can be read; VMX cannot be enabled. */
CASE(priv_cr4, "TRP-PRV-004", 0)
{
	unsigned long cr4 = 0, v = 0;

	want_eq(trap_of(read_cr4, &cr4).vec, -1);
	want_any(trap_of(write_cr4, (void *)(cr4 | 1UL << 13)).vec, -1, TRAP_GP);
	want_eq(trap_of(read_cr4, &v).vec, -1);
	want_eq(v & 1UL << 13, 0);
	want_eq(trap_of(write_cr4, (void *)cr4).vec, -1);
}

INSN(do_invlpg, "invlpg (%%rdi)")

/* INVLPG raises #GP: MMUEXT_INVLPG_LOCAL replaces it. */
CASE(priv_invlpg, "TRP-PRV-006", 0)
{
	want_trap(do_invlpg, rt_image, TRAP_GP);
}

USER(user_cr0, "mov %cr0, %rax\n syscall");
USER(user_clts, "clts\n syscall");
USER(user_invlpg, "invlpg (%rdi)\n syscall");
USER(user_rdmsr, "mov $0xc0000100, %ecx\n rdmsr\n syscall");
USER(user_wrmsr, "mov $0xc0000100, %ecx\n xor %eax, %eax\n xor %edx, %edx\n wrmsr\n syscall");

/* Privileged instructions in user mode raise #GP. */
CASE(priv_user, "TRP-PRV-007", 0)
{
	want_eq(user_call(user_cr0, 0).vec, TRAP_GP);
	want_eq(user_call(user_clts, 0).vec, TRAP_GP);
	want_eq(user_call(user_invlpg, USER_DATA).vec, TRAP_GP);
	want_eq(user_call(user_rdmsr, 0).vec, TRAP_GP);
	want_eq(user_call(user_wrmsr, 0).vec, TRAP_GP);
}

struct msr {
	unsigned long number, value;
};

INSN(rdmsr, "mov (%%rdi), %%ecx; rdmsr; shl $32, %%rdx; or %%rdx, %%rax; mov %%rax, 8(%%rdi)")
INSN(wrmsr, "mov (%%rdi), %%ecx; mov 8(%%rdi), %%eax; mov 12(%%rdi), %%edx; wrmsr")

/* RDMSR and WRMSR of the base registers act as set_segment_base. */
CASE(priv_base_msr, "TRP-PRV-008", 0)
{
	static unsigned long word = 0x2323;
	struct msr m = { 0xc0000100, (unsigned long)&word };
	unsigned long v;

	want_eq(trap_of(wrmsr, &m).vec, -1);
	asm volatile("mov %%fs:0, %0" : "=r" (v));
	want_eq(v, 0x2323);
	want_eq(hyp_set_segment_base(SEGBASE_FS, 0x1000), 0);
	want_eq(trap_of(rdmsr, &m).vec, -1);
	want_eq(m.value, 0x1000);
	m.value = BAD_VA;
	want_trap(wrmsr, &m, TRAP_GP);
	m.number = 0xc0000101;
	want_trap(wrmsr, &m, TRAP_GP);
	m.number = 0xc0000102;
	want_trap(wrmsr, &m, TRAP_GP);
	m.value = USER_DATA;
	want_eq(trap_of(wrmsr, &m).vec, -1);
	m.value = 0;
	want_eq(trap_of(rdmsr, &m).vec, -1);
	want_eq(m.value, USER_DATA);
	want_eq(hyp_set_segment_base(SEGBASE_FS, 0), 0);
}

/* EFER can be read and written back unchanged; another value raises #GP. */
CASE(priv_efer, "TRP-PRV-009", 0)
{
	struct msr m = { 0xc0000080, 0 };

	want_eq(trap_of(rdmsr, &m).vec, -1);
	want(m.value & 1UL << 10);
	want_eq(trap_of(wrmsr, &m).vec, -1);
	m.value ^= 1;
	want_trap(wrmsr, &m, TRAP_GP);
}

static void cpuid(uint32_t leaf, uint32_t *r)
{
	r[0] = leaf;
	r[2] = 0;
	asm volatile("ud2a; .ascii \"xen\"; cpuid"
		     : "+a" (r[0]), "=b" (r[1]), "+c" (r[2]), "=d" (r[3]));
}

/* CPUID does not report features that a guest may not use. */
CASE(priv_cpuid, "TRP-PRV-011", 0)
{
	uint32_t r[4];

	cpuid(1, r);
	want_eq(r[2] & 1U << 5, 0);		/* VMX */
	want(is_dom0() || !(r[2] & 1U << 3));	/* MONITOR */
	want(r[2] & 1U << 31);			/* running on a hypervisor */
	cpuid(0x80000001, r);
	want_eq(r[2] & 1U << 2, 0);		/* SVM */
}

INSN(do_cli, "cli")
INSN(do_sti, "sti")

/* CLI and STI are ignored or raise #GP; the real interrupt flag stays. */
CASE(priv_cli, "TRP-PRV-014", 0)
{
	unsigned long flags;

	want_any(trap_of(do_cli, NULL).vec, -1, TRAP_GP);
	asm volatile("pushfq; popq %0" : "=r" (flags));
	want(flags & 0x200);
	want_any(trap_of(do_sti, NULL).vec, -1, TRAP_GP);
}

INSN(load_es, "mov %%edi, %%es; xor %%eax, %%eax; mov %%eax, %%es")

/*
 * A GDT ends with the page of its last entry: a selector behind it faults, and
 * the same selector loads when the GDT is longer.
 */
CASE(gdt_end, "TRP-DT-001", 0)
{
	uint64_t *gdt = pages_alloc(2);
	unsigned long frames[2] = { virt_mfn(gdt), virt_mfn(gdt + 512) };

	gdt[511] = FLAT_DATA;
	gdt[512] = FLAT_DATA;
	page_ro(gdt);
	page_ro(gdt + 512);
	want_eq(hyp_set_gdt(frames, 1024), 0);
	want_eq(trap_of(load_es, (void *)(511UL << 3 | 3)).vec, -1);
	want_eq(trap_of(load_es, (void *)(512UL << 3 | 3)).vec, -1);
	want_eq(hyp_set_gdt(frames, 512), 0);
	want_eq(trap_of(load_es, (void *)(511UL << 3 | 3)).vec, -1);
	want_trap(load_es, 512UL << 3 | 3, TRAP_GP);
	/* The second frame is free. */
	gdt_free(gdt + 512);
	want_eq(hyp_set_gdt(NULL, 0), 0);
	gdt_free(gdt);
}

/*
 * An LDT has up to 8192 entries, the last of which can be loaded; one entry
 * less and its selector faults.
 */
CASE(ldt_end, "TRP-DT-014 MMU-EXT-030", 0)
{
	uint64_t *ldt = pages_alloc(16);
	unsigned int i;

	ldt[8191] = FLAT_DATA;
	for (i = 0; i < 16; i++)
		page_ro(ldt + i * 512);
	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)ldt, 8192), 0);
	want_eq(trap_of(load_es, (void *)(8191UL << 3 | 7)).vec, -1);
	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)ldt, 8191), 0);
	want_trap(load_es, 8191UL << 3 | 7, TRAP_GP);
	want_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
	for (i = 0; i < 16; i++)
		gdt_free(ldt + i * 512);
}
