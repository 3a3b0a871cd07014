// SPDX-License-Identifier: MIT
/* Exceptions: frames, error codes, software interrupts, fatal ones. */
#include "case.h"

static struct frame seen;
static unsigned long seen_sp, seen_mask;
static int seen_count;

static bool look(struct frame *f)
{
	if (f->vector >= RT_VEC_EVENT)
		return false;
	seen = *f;
	seen_count++;
	seen_sp = (unsigned long)(f + 1);
	seen_mask = self()->info->evtchn_upcall_mask;
	return false;
}

/*
 * The frame of a fault is below the top of the interrupted stack, aligned,
 * with ring 0 in CS for kernel mode and every register unchanged.
 */
CASE(trap_frame, "TRP-001 TRP-002 TRP-003", 0)
{
	trap_hook = look;
	seen_count = 0;
	want_eq(fault_read(BAD_PTR), TRAP_PF);
	want_eq(seen_count, 1);
	want_eq(seen.cs & 3, 0);
	want_eq(seen.cs & 0xfffc, FLAT_KERNEL_CS & 0xfffc);
	want_eq(seen_sp & 15, 0);
	want(seen_sp <= seen.rsp && seen.rsp - seen_sp < 16);
	want(seen.rip >= (unsigned long)rt_image);
	want(seen.rip < (unsigned long)rt_etext);
	want_eq(seen.cs >> 32 & 0xff, 1);
}

void flags_at_entry(void);
unsigned long entry_flags;

asm(".text\nflags_at_entry:\n pushfq\n popq entry_flags\n"
	"jmp rt_trap_stubs + 16 * 6\n");

static void set_handler(unsigned int vector, void *address, unsigned int flags)
{
	struct trap_info t[2] = {
		{ .vector = (uint8_t)vector, .flags = (uint8_t)flags,
		  .cs = FLAT_KERNEL_CS, .address = (unsigned long)address },
	};

	if (hyp_set_trap_table(t))
		panic("set_trap_table failed");
}

INSN(ud_with_flags, "pushfq; orl $0x44400, (%%rsp); popfq; ud2; nop; nop; nop; nop")

/* Handlers start with the trace, nested-task and alignment flags clear. */
CASE(trap_flags, "TRP-003", 0)
{
	set_handler(TRAP_UD, flags_at_entry, 0);
	want_eq(trap_of(ud_with_flags, NULL).vec, TRAP_UD);
	asm volatile("cld; pushfq; andl $~0x44000, (%%rsp); popfq" : : : "cc", "memory");
	trap_table_install();
	want_eq(entry_flags & ((1UL << 8) | (1UL << 14) | (1UL << 16) | (1UL << 18)), 0);
}

INSN(do_ud, "ud2; nop; nop; nop; nop; nop; nop")
INSN(do_div, "xor %%ecx, %%ecx; xor %%edx, %%edx; mov $1, %%eax; div %%ecx")
INSN(do_gp, "movabs $0x0000900000000000, %%rax; mov (%%rax), %%al")
INSN(do_int3, "int3")
INSN(do_np, "mov $0x1b, %%eax; mov %%eax, %%es")

/*
 * Exceptions with and without error code enter the handlers of their vectors.
 */
CASE(trap_vectors, "TRP-004 TRP-011 TRP-012 TRP-013", 0)
{
	struct trap t;

	t = want_trap(do_ud, NULL, TRAP_UD);
	want_eq(t.error, 0);
	t = want_trap(do_div, NULL, TRAP_DE);
	want_eq(t.error, 0);
	t = want_trap(do_gp, NULL, TRAP_GP);
	want_eq(t.error, 0);
	t = want_trap(do_np, NULL, TRAP_GP);
	want_eq(t.error, 0x18);
}

USER(user_touch, "mov (%rdi), %al\n syscall");
USER(user_store, "movq $7, (%rdi)\n syscall");

/*
 * The user bit of a page fault's error code is that of the guest's mode, not
 * the processor's.
 */
CASE(trap_pf_mode, "TRP-005 TRP-002", 0)
{
	struct trap t = user_call(user_touch, 0x500000);

	want_eq(t.vec, TRAP_PF);
	want_eq(t.error, 4);
	want_eq(t.f.cs & 3, 3);
	t = user_call(user_store, 0x500008);
	want_eq(t.error, 6);
	want_eq(t.cr2, 0x500008);
	want_eq(fault_read(BAD_PTR), TRAP_PF);
	want_eq(last_trap.error, 0);
	want_eq(fault_write(BAD_PTR, 1), TRAP_PF);
	want_eq(last_trap.error, 2);
}

INSN(read_cr2, "mov %%cr2, %%rax; mov %%rax, (%%rdi)")

/* The address of a page fault is in vcpu_info and in CR2. */
CASE(trap_cr2, "TRP-006 TRP-PRV-002 SHL-007", 0)
{
	unsigned long v = 0;

	want_eq(fault_read((char *)BAD_PTR + 0x456), TRAP_PF);
	want_eq(last_trap.cr2, (unsigned long)BAD_PTR + 0x456);
	want_eq(trap_of(read_cr2, &v).vec, -1);
	want_eq(v, (unsigned long)BAD_PTR + 0x456);
}

extern char ud_at[], int3_at[];
INSN(ud_here, "ud_at: ud2; nop; nop; nop; nop; nop")
INSN(int3_here, "int3_at: int3; nop")

/*
 * RIP in a fault's frame is the faulting instruction, in a trap's frame the
 * one after it.
 */
CASE(trap_rip, "TRP-007 TRP-010", 0)
{
	struct trap t = want_trap(ud_here, NULL, TRAP_UD);

	want_eq(t.f.rip, (unsigned long)ud_at);
	t = want_trap(int3_here, NULL, TRAP_BP);
	want_eq(t.f.rip, (unsigned long)int3_at + 1);
}

INSN(int_64, "int $0x40")
USER(user_int_64, "int $0x40\n syscall");

/* INT n enters its handler from a mode that its entry's level permits. */
CASE(trap_int_permitted, "TRP-008 TRP-007", 0)
{
	struct trap t;

	want_trap(int_64, NULL, 0x40);
	t = user_call(user_int_64, 0);
	want_eq(t.vec, 0x40);
	want_eq(t.f.rip, USER_CODE + 2);
}

/*
 * INT n that its entry does not permit raises #GP with the vector in the error
 * code.
 */
CASE(trap_int_refused, "TRP-009", 0)
{
	struct trap t;

	set_handler(0x41, rt_trap_stubs + 16 * 0x41, 1);
	set_handler(0x40, rt_trap_stubs + 16 * 0x40, 1);
	want_trap(int_64, NULL, 0x40);
	t = user_call(user_int_64, 0);
	trap_table_install();
	want_eq(t.vec, TRAP_GP);
	want_eq(t.error, 0x40 * 8 + 2);
	want_eq(t.f.rip, USER_CODE);
}

USER(user_int3, "int3\n syscall");

/*
 * INT3 enters its handler from kernel and user mode, whatever the entry's
 * level.
 */
CASE(trap_int3, "TRP-010", 0)
{
	struct trap t;

	set_handler(TRAP_BP, rt_trap_stubs + 16 * TRAP_BP, 0);
	want_trap(do_int3, NULL, TRAP_BP);
	t = user_call(user_int3, 0);
	trap_table_install();
	want_eq(t.vec, TRAP_BP);
	want_eq(t.f.rip, USER_CODE + 1);
}

INSN(step, "pushfq; orl $0x100, (%%rsp); popfq; nop; nop")

/* The debug handler is entered one instruction after TF is set. */
CASE(trap_single_step, "TRP-014", 0)
{
	struct trap t = trap_of(step, NULL);

	asm volatile("pushfq; andl $~0x100, (%%rsp); popfq" : : : "cc", "memory");
	want_eq(t.vec, TRAP_DB);
	want_eq(hyp_set_debugreg(6, 0), 0);
}

INSN(use_fpu, "fninit")
INSN(read_cr0, "mov %%cr0, %%rax; mov %%rax, (%%rdi)")

/* With TS set the next FPU instruction faults once, and TS is clear then. */
CASE(trap_nm, "TRP-015 TRP-FPU-001", 0)
{
	unsigned long cr0 = 0;

	want_eq(hyp_fpu_taskswitch(1), 0);
	want_eq(trap_of(read_cr0, &cr0).vec, -1);
	want(cr0 & 8);
	want_trap(use_fpu, NULL, TRAP_NM);
	want_eq(trap_of(use_fpu, NULL).vec, -1);
	want_eq(trap_of(read_cr0, &cr0).vec, -1);
	want_eq(cr0 & 8, 0);
	want_eq(hyp_fpu_taskswitch(1), 0);
	want_eq(hyp_fpu_taskswitch(0), 0);
	want_eq(trap_of(use_fpu, NULL).vec, -1);
}

INSN(x87_error, "fninit; pushq $0x37b; fldcw (%%rsp); pop %%rax; fld1; fldz; "
		"fdivrp; fwait")
INSN(sse_error, "sub $16, %%rsp; movl $0x1d80, (%%rsp); ldmxcsr (%%rsp); "
		"mov $1, %%eax; cvtsi2ss %%eax, %%xmm0; xorps %%xmm1, %%xmm1; "
		"divss %%xmm1, %%xmm0; add $16, %%rsp")

/* An unmasked x87 error enters handler 16. */
CASE(trap_x87, "TRP-016", 0)
{
	struct trap t = trap_of(x87_error, NULL);

	asm volatile("fninit");
	want_eq(t.vec, TRAP_MF);
}

/* An unmasked SSE error enters handler 19. */
CASE(trap_sse, "TRP-016", 0)
{
	struct trap t = trap_of(sse_error, NULL);
	unsigned int csr = 0x1f80;

	asm volatile("ldmxcsr %0" : : "m" (csr));
	want_eq(t.vec, TRAP_XM);
}

/* An exception without a handler ends the domain. */
CASE(trap_no_handler, "TRP-017 TRP-TT-002", DIES)
{
	want_eq(hyp_set_trap_table(NULL), 0);
	dying("crash");
	asm volatile("ud2; nop; nop; nop; nop; nop");
}

/* A kernel stack that is not mapped ends the domain, and no other. */
CASE(trap_bad_stack, "TRP-018", DIES)
{
	dying("crash");
	asm volatile("mov %0, %%rsp; ud2; nop; nop; nop; nop; nop"
		     : : "r" ((unsigned long)BAD_PTR + 4096));
}

/* A kernel stack in the hypervisor's range ends the domain. */
CASE(trap_xen_stack, "TRP-018", DIES)
{
	dying("crash");
	asm volatile("mov %0, %%rsp; ud2; nop; nop; nop; nop; nop"
		     : : "r" (0xffff82d080200000UL));
}

/* A handler starts with events masked only if its entry has the flag for it. */
CASE(trap_masks_events, "TRP-019", 0)
{
	trap_hook = look;
	events_on();
	seen_count = 0;
	want_eq(trap_of(do_ud, NULL).vec, TRAP_UD);
	events_off();
	want_eq(seen_count, 1);
	want_eq(seen_mask, 0);
	set_handler(TRAP_UD, rt_trap_stubs + 16 * TRAP_UD, 4);
	events_on();
	want_eq(trap_of(do_ud, NULL).vec, TRAP_UD);
	events_off();
	want_eq(seen_mask, 1);
	want_eq(seen.cs >> 32 & 0xff, 0);
	trap_table_install();
}

extern char alternative_ud[];
static volatile unsigned int alternative;

void alternative_seen(void);
void alternative_seen(void)
{
	alternative++;
}

asm(".text\nalternative_ud:\n"
	"push %rax; push %rcx; push %rdx; push %rsi; push %rdi; push %r8; push %r9;"
	"push %r10; push %r11; call alternative_seen;"
	"pop %r11; pop %r10; pop %r9; pop %r8; pop %rdi; pop %rsi; pop %rdx; pop %rcx;"
	"pop %rax; jmp rt_trap_stubs + 16 * 6\n");

/*
 * set_trap_table registers entries up to the sentinel; other vectors keep
 * their handlers.
 */
CASE(tt_register, "TRP-TT-001", 0)
{
	struct trap_info t[3] = {
		{ .vector = TRAP_UD, .cs = FLAT_KERNEL_CS,
		  .address = (unsigned long)alternative_ud },
		{ .vector = 0 },
		{ .vector = TRAP_DE, .cs = FLAT_KERNEL_CS, .address = 0x1000 },
	};

	alternative = 0;
	want_eq(hyp_set_trap_table(t), 0);
	want_trap(do_ud, NULL, TRAP_UD);
	want_eq(alternative, 1);
	want_trap(do_div, NULL, TRAP_DE);
	trap_table_install();
	want_trap(do_ud, NULL, TRAP_UD);
	want_eq(alternative, 1);
}

/*
 * set_trap_table registers the entries before a bad or unreadable one and
 * returns an error.
 */
CASE(tt_wrong, "TRP-TT-003 TRP-TT-004", 0)
{
	char *page = page_alloc();
	struct trap_info *t, list[3] = {
		{ .vector = TRAP_UD, .cs = FLAT_KERNEL_CS,
		  .address = (unsigned long)alternative_ud },
		{ .vector = TRAP_DE, .cs = FLAT_KERNEL_CS,
		  .address = 0x0000800000000000UL },
	};

	want_eq(hyp_set_trap_table(BAD_PTR), -EFAULT);
	alternative = 0;
	want_eq(hyp_set_trap_table(list), -EINVAL);
	want_trap(do_ud, NULL, TRAP_UD);
	want_eq(alternative, 1);
	want_trap(do_div, NULL, TRAP_DE);
	trap_table_install();
	want_eq(map(window(100), mk_pte(page, PTE_RW)), 0);
	t = (struct trap_info *)((char *)window(101) - sizeof(*t));
	*t = list[0];
	want_eq(hyp_set_trap_table(t), -EFAULT);
	want_trap(do_ud, NULL, TRAP_UD);
	want_eq(alternative, 2);
	trap_table_install();
	want_eq(map(window(100), 0), 0);
	page_free(page);
}

/*
 * set_trap_table accepts a selector with RPL 0 and uses it with the guest's
 * privilege.
 */
CASE(tt_selector, "TRP-TT-005", 0)
{
	struct trap_info t[2] = {
		{ .vector = TRAP_UD, .cs = FLAT_KERNEL_CS & ~3,
		  .address = (unsigned long)rt_trap_stubs + 16 * TRAP_UD },
	};

	want_eq(hyp_set_trap_table(t), 0);
	trap_hook = look;
	want_trap(do_ud, NULL, TRAP_UD);
	trap_table_install();
}

static volatile int other_vec;

static void other_ud(void *arg)
{
	other_vec = trap_of(do_ud, NULL).vec;
}

/* set_trap_table changes the caller's table only. */
CASE(tt_each_vcpu, "TRP-TT-006 VCP-061", 0)
{
	set_handler(TRAP_UD, alternative_ud, 0);
	alternative = 0;
	other_vec = -1;
	vcpu_run(1, other_ud, NULL);
	want(vcpu_join(1));
	trap_table_install();
	want_eq(other_vec, TRAP_UD);
	want_eq(alternative, 0);
}
