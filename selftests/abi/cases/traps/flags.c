// SPDX-License-Identifier: MIT
/* Flags and event masks at iret and at each entry into the kernel. */
#include "case.h"

#define IOPL	0x3000UL
#define IF	0x200UL
#define TF	0x100UL
#define VM	0x20000UL
/* CF, PF, AF, ZF, SF, DF, OF, NT, AC and ID: a guest's own. */
#define OWN	0x244cd5UL

unsigned long landed_flags, landed_after;
extern char flags_landing[], flags_second[];

asm(".text\nflags_landing:\n mov %rsp, landed_after\nflags_second:\n pushfq\n"
	" popq landed_flags\n pushq $2\n popfq\n ud2\n nop\n nop\n nop\n nop\n nop\n");

static void resume(void *f)
{
	rt_resume(f);
}

static struct trap land(unsigned long flags)
{
	struct frame f;
	struct trap t;

	memset(&f, 0, sizeof(f));
	f.rip = (unsigned long)flags_landing;
	f.cs = FLAT_KERNEL_CS & ~3;
	f.ss = FLAT_KERNEL_SS & ~3;
	f.rflags = flags | 2;
	f.rsp = (unsigned long)self()->stack + 4096;
	landed_flags = 0;
	t = trap_of(resume, &f);
	events_off();
	return t;
}

/*
 * iret in the kernel takes the arithmetic flags and DF, NT, AC and ID from the frame,
 * each alone and all together; the real IOPL stays 0, VM clear and IF set, whatever
 * the frame has there. The event mask is the inverse of IF, and of no other flag.
 */
CASE(iret_flags_kernel, "TRP-IRET-001 TRP-IRET-003 TRP-IRET-005", 0)
{
	unsigned long forced, own;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		struct trap t;

		forced = (i & 3) << 12 | (i & 4 ? VM : 0) | (i & 8 ? IF : 0);
		t = land(forced | OWN);
		want_eq(t.vec, TRAP_UD);
		want_eq(landed_flags & (OWN | IOPL | VM | IF), OWN | IF);
		want_eq(t.masked, !(forced & IF));
		t = land(forced);
		want_eq(t.vec, TRAP_UD);
		want_eq(landed_flags & (OWN | IOPL | VM | IF), IF);
		want_eq(t.masked, !(forced & IF));
	}
	for (own = 1; own <= OWN; own <<= 1) {
		if (!(own & OWN))
			continue;
		want_eq(land(own).vec, TRAP_UD);
		want_eq(landed_flags & (OWN | IOPL | VM | IF), own | IF);
	}
}

/* iret with TF in the frame executes one instruction, then the debug handler is entered. */
CASE(iret_trace, "TRP-IRET-001 TRP-014", 0)
{
	struct trap t = land(TF);

	want_eq(hyp_set_debugreg(6, 0), 0);
	want_eq(t.vec, TRAP_DB);
	want_eq(t.f.rip, (unsigned long)flags_second);
	want_eq(t.f.rflags & TF, TF);
}

USER(user_show, "pushfq\n pop %rsi\n pushq $2\n popfq\n syscall");
USER(user_port, "in $0x80, %al\n syscall");

/*
 * iret to user mode takes the same flags from the frame; the real IOPL stays 0 there,
 * so that a port access faults, VM clear and IF set.
 */
CASE(iret_flags_user, "TRP-IRET-002 TRP-IRET-005", 0)
{
	unsigned int i;
	struct trap t;

	for (i = 0; i < 8; i++) {
		unsigned long forced = (i & 3) << 12 | (i & 4 ? VM : 0);

		user_rflags = forced | IF | OWN | 2;
		t = user_call(user_show, 0);
		asm volatile("cld");
		want_eq(t.vec, RT_VEC_SYSCALL);
		want_eq(t.f.rsi & (OWN | IOPL | VM | IF), OWN | IF);
		user_rflags = forced | IF | 2;
		t = user_call(user_show, 0);
		want_eq(t.vec, RT_VEC_SYSCALL);
		want_eq(t.f.rsi & (OWN | IOPL | VM | IF), IF);
		want_eq(user_call(user_port, 0).vec, TRAP_GP);
	}
	user_rflags = IF | 2;
}

static void reg(unsigned int type, char *entry, unsigned int flags)
{
	struct callback_register r = {
		.type = (uint16_t)type, .flags = (uint16_t)flags,
		.address = (unsigned long)entry,
	};

	want_eq(hyp_callback_op(CALLBACKOP_register, &r), 0);
}

/* One entry from user mode by @code, which must come to @vector with the mask @masked. */
#define ENTRY(code, vector, mask) do { \
	struct trap t_ = user_call(code, 0); \
	want_eq(t_.vec, vector); \
	want_eq(t_.masked, mask); \
	want_eq(t_.f.cs >> 32 & 0xff, 0); \
	want(t_.f.rflags & IF); \
} while (0)

USER(user_sys, "mov $0x1122, %eax\n syscall");

/*
 * A system call from 64-bit and from compatibility mode starts with events masked if
 * both callbacks were registered so, and only then; the frame holds the old mask.
 */
CASE(cb_syscall32_mask, "TRP-CB-008 TRP-CB-016", 0)
{
	unsigned int mask;
	struct trap t;

	user_cs = FLAT_USER_CS32 | 3;
	t = user_call(user_sys, 0);
	user_cs = FLAT_USER_CS | 3;
	needs(t.vec == RT_VEC_SYSCALL32,
	      "the processor has no SYSCALL in compatibility mode");
	for (mask = 0; mask < 2; mask++) {
		reg(CALLBACKTYPE_syscall, rt_entry_syscall, mask);
		reg(CALLBACKTYPE_syscall32, rt_entry_syscall32, mask);
		ENTRY(user_sys, RT_VEC_SYSCALL, mask);
		user_cs = FLAT_USER_CS32 | 3;
		ENTRY(user_sys, RT_VEC_SYSCALL32, mask);
		user_cs = FLAT_USER_CS | 3;
	}
	callbacks_install();
}

USER(user_sysenter, "sysenter");

/*
 * SYSENTER starts with events masked if its callback was registered so, and only
 * then; the frame holds the old mask and a null address.
 */
CASE(cb_sysenter_mask, "TRP-CB-012 TRP-CB-016", 0)
{
	unsigned int mask;

	needs(user_call(user_sysenter, 0).vec == RT_VEC_SYSENTER,
	      "the processor has no SYSENTER in this mode");
	for (mask = 0; mask < 2; mask++) {
		reg(CALLBACKTYPE_sysenter, rt_entry_sysenter, mask);
		ENTRY(user_sysenter, RT_VEC_SYSENTER, mask);
		want_eq(user_call(user_sysenter, 0).f.rip, 0);
	}
	callbacks_install();
}

static void set_handler(unsigned int vector, void *address, unsigned int flags)
{
	struct trap_info t[2] = {
		{ .vector = (uint8_t)vector, .flags = (uint8_t)flags,
		  .cs = FLAT_KERNEL_CS, .address = (unsigned long)address },
	};

	if (hyp_set_trap_table(t))
		panic("set_trap_table failed");
}

USER(user_int80, "int $0x80\n syscall");
USER(user_ud, "ud2\n nop\n nop\n nop\n nop\n nop");
USER(user_pf, "mov (%rdi), %al\n syscall");
USER(user_int3, "int3\n syscall");

/*
 * Exceptions and INT 0x80 from user mode start with events masked if their entries of
 * the trap table say so, and only then; the frame holds the old mask.
 */
CASE(cb_exception_mask, "TRP-019 TRP-002", 0)
{
	bool gate = user_call(user_int80, 0).vec == 0x80;
	unsigned int mask;

	for (mask = 0; mask < 2; mask++) {
		unsigned int flags = mask ? 4 : 0;

		set_handler(TRAP_UD, rt_trap_stubs + 16 * TRAP_UD, flags);
		set_handler(TRAP_PF, rt_trap_stubs_err + 16 * TRAP_PF, flags);
		set_handler(TRAP_BP, rt_trap_stubs + 16 * TRAP_BP, flags | 3);
		set_handler(0x80, rt_trap_stubs + 16 * 0x80, flags | 3);
		ENTRY(user_ud, TRAP_UD, mask);
		ENTRY(user_pf, TRAP_PF, mask);
		ENTRY(user_int3, TRAP_BP, mask);
		/* Without a gate of its own it is an INT n like others, trap_int_permitted. */
		if (gate)
			ENTRY(user_int80, 0x80, mask);
	}
	trap_table_install();
}
