// SPDX-License-Identifier: MIT
/*
 * State of a vCPU that no other one may see or change: looked at after each of
 * the ways in which a vCPU leaves its processor or changes its address space.
 */
#include "case.h"

#define FLAT_DATA	0x00cff3000000ffffUL
#define FLAT_SEG(base)	(FLAT_DATA | ((base) & 0xffffffUL) << 16 | ((base) >> 24) << 56)

struct msr {
	unsigned long number, value;
};

INSN(rdmsr, "mov (%%rdi), %%ecx; rdmsr; shl $32, %%rdx; or %%rdx, %%rax; mov %%rax, 8(%%rdi)")
INSN(wrmsr, "mov (%%rdi), %%ecx; mov 8(%%rdi), %%eax; mov 12(%%rdi), %%edx; wrmsr")
INSN(load_ldt_2, "mov $0x17, %%eax; mov %%eax, %%es; xor %%eax, %%eax; mov %%eax, %%es")
INSN(load_gdt_2, "mov $0x13, %%eax; mov %%eax, %%es; xor %%eax, %%eax; mov %%eax, %%es")
INSN(in_80, "inb $0x80, %%al")
USER(user_look, "mov %gs:0, %rsi\n xor %edx, %edx\n mov %gs, %dx\n syscall");

#define MSR_FS		0xc0000100
#define MSR_GS		0xc0000101
#define MSR_GS_USER	0xc0000102

/* The state of one vCPU: values that differ between vCPUs. */
struct state {
	unsigned long fs_word, gs_word;
	uint64_t *gdt, *ldt;
	unsigned int id;
};

static struct state own, theirs[MAX_VCPUS];
static volatile bool stop;
static volatile unsigned long fired;

static unsigned long user_word(unsigned int id)
{
	return USER_DATA + 0x100 + id * 64;
}

/* Give this vCPU the state of @s. */
static void state_set(struct state *s)
{
	unsigned long mfn = virt_mfn(s->gdt);
	int i;

	s->id = self()->id;
	s->fs_word = 0xf500 + s->id;
	s->gs_word = 0x6500 + s->id;
	if (hyp_set_gdt(&mfn, 512) ||
	    mmuext(MMUEXT_SET_LDT, (unsigned long)s->ldt, 512) ||
	    hyp_set_segment_base(SEGBASE_FS, (unsigned long)&s->fs_word) ||
	    hyp_set_segment_base(SEGBASE_GS_KERNEL, (unsigned long)&s->gs_word) ||
	    hyp_set_segment_base(SEGBASE_GS_USER, user_word(s->id)))
		panic("cannot set the state of vCPU %u", s->id);
	/* Addresses without a breakpoint that is enabled. */
	for (i = 0; i < 4; i++)
		if (hyp_set_debugreg(i, (unsigned long)&fired + s->id * 64 * 8 + i * 8))
			panic("cannot set a debug register");
}

static void state_clear(void)
{
	int i;

	hyp_set_gdt(NULL, 0);
	mmuext(MMUEXT_SET_LDT, 0, 0);
	hyp_set_segment_base(SEGBASE_FS, 0);
	hyp_set_segment_base(SEGBASE_GS_KERNEL, 0);
	hyp_set_segment_base(SEGBASE_GS_USER, 0);
	for (i = 0; i < 4; i++)
		hyp_set_debugreg(i, 0);
}

/* Tables in which entry 2 of one is usable on vCPU 0 only. */
static void state_make(struct state *s, bool usable)
{
	s->gdt = page_alloc();
	s->ldt = page_alloc();
	s->gdt[2] = usable ? FLAT_DATA : 0;
	s->ldt[1] = FLAT_DATA;
	s->ldt[2] = usable ? FLAT_DATA : 0;
	page_ro(s->gdt);
	page_ro(s->ldt);
}

static void state_free(struct state *s)
{
	page_rw(s->gdt);
	page_rw(s->ldt);
	page_free(s->gdt);
	page_free(s->ldt);
}

static void other(void *arg)
{
	state_set(arg);
	while (!stop)
		cpu_relax();
	state_clear();
}

/* The state of vCPU 0 is what it set. */
static void state_check(const char *when)
{
	unsigned long fs, gs;
	struct msr m;
	int i;

	asm volatile("mov %%fs:0, %0; mov %%gs:0, %1" : "=r" (fs), "=r" (gs));
	if (fs != 0xf500 || gs != 0x6500)
		case_fail("switch.c", __LINE__, "%s: words at the bases of FS and GS: 0x%lx 0x%lx",
			  when, fs, gs);
	m.number = MSR_FS;
	if (trap_of(rdmsr, &m).vec != -1 || m.value != (unsigned long)&own.fs_word)
		case_fail("switch.c", __LINE__, "%s: FS base 0x%lx", when, m.value);
	m.number = MSR_GS;
	if (trap_of(rdmsr, &m).vec != -1 || m.value != (unsigned long)&own.gs_word)
		case_fail("switch.c", __LINE__, "%s: GS base 0x%lx", when, m.value);
	m.number = MSR_GS_USER;
	if (trap_of(rdmsr, &m).vec != -1 || m.value != user_word(0))
		case_fail("switch.c", __LINE__, "%s: user GS base 0x%lx", when, m.value);
	for (i = 0; i < 4; i++)
		if ((unsigned long)hyp_get_debugreg(i) != (unsigned long)&fired + i * 8)
			case_fail("switch.c", __LINE__, "%s: debug register %d is 0x%lx", when, i,
				  (unsigned long)hyp_get_debugreg(i));
	if (trap_of(load_gdt_2, NULL).vec != -1)
		case_fail("switch.c", __LINE__, "%s: the GDT is not its own", when);
	if (trap_of(load_ldt_2, NULL).vec != -1)
		case_fail("switch.c", __LINE__, "%s: the LDT is not its own", when);
	if (trap_of(in_80, NULL).vec != -1)
		case_fail("switch.c", __LINE__, "%s: the I/O privilege is lost", when);
}

static void user_check(const char *when)
{
	struct trap t = user_call(user_look, 0);

	if (t.vec != RT_VEC_SYSCALL || t.f.rsi != 0x5500)
		case_fail("switch.c", __LINE__, "%s: vector %d, word at the user's GS base 0x%lx",
			  when, t.vec, t.f.rsi);
}

static void sleep_ms(unsigned int ms)
{
	struct sched_poll p = { .timeout = now() + ms * MS };

	if (hyp_sched_op(SCHEDOP_poll, &p))
		panic("poll failed");
}

static long iopl(unsigned int level)
{
	struct physdev_set_iopl s = { .iopl = level };

	return hyp_physdev_op(PHYSDEVOP_set_iopl, &s);
}

/* Start every other vCPU with a state of its own, and set that of vCPU 0. */
static void begin(void)
{
	unsigned int i, n = vcpu_number();

	stop = false;
	user_init();
	for (i = 0; i < n; i++)
		*(unsigned long *)user_page(user_word(i)) = 0x5500 + i;
	state_make(&own, true);
	state_set(&own);
	want_eq(iopl(1), 0);
	for (i = 1; i < n; i++) {
		state_make(&theirs[i], false);
		vcpu_run(i, other, &theirs[i]);
	}
}

static void end(void)
{
	unsigned int i, n = vcpu_number();

	stop = true;
	for (i = 1; i < n; i++) {
		want(vcpu_join(i));
		state_free(&theirs[i]);
	}
	want_eq(iopl(0), 0);
	state_clear();
	state_free(&own);
}

/*
 * Bases, descriptor tables, debug addresses and I/O privilege of a vCPU are its
 * own after sleeps in which other vCPUs, with other ones, used its processor,
 * after an upcall, and after a change of root.
 */
CASE(switch_kernel, "TRP-SEG-001 TRP-SEG-002 TRP-SEG-003 TRP-DT-001 DBG-001 VCP-061", 0)
{
	uint64_t *l4 = root_new();
	struct chan c = chan_open();
	unsigned int i;

	begin();
	state_check("at first");
	for (i = 0; i < 5; i++) {
		sleep_ms(10);
		state_check("after a sleep");
		user_check("after a sleep");
		state_check("after user mode");
		want_eq(evtchn_send(c.a), 0);
		want_eq(hyp_sched_op(SCHEDOP_block, NULL), 0);
		events_off();
		state_check("after a block");
		want_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_mfn(l4), 0), 0);
		state_check("on another root");
		sleep_ms(5);
		state_check("after a sleep on another root");
		want_eq(mmuext(MMUEXT_NEW_BASEPTR, rt_boot_cr3, 0), 0);
		state_check("on the root again");
	}
	end();
	chan_close(c);
	page_rw(l4);
	page_free(l4);
}

/*
 * A user GS base set by hypercall or by WRMSR is in use at the next user mode,
 * also when another vCPU had the processor in between.
 */
CASE(switch_user_gs, "TRP-SEG-003 TRP-PRV-008", 0)
{
	struct msr m = { MSR_GS_USER, 0 };
	unsigned int i;

	begin();
	for (i = 0; i < 4; i++) {
		want_eq(hyp_set_segment_base(SEGBASE_GS_USER, user_word(1)), 0);
		sleep_ms(5);
		want_eq(user_call(user_look, 0).f.rsi, 0x5501);
		m.value = user_word(0);
		want_eq(trap_of(wrmsr, &m).vec, -1);
		user_check("after WRMSR");
		m.value = user_word(2);
		want_eq(trap_of(wrmsr, &m).vec, -1);
		sleep_ms(5);
		want_eq(user_call(user_look, 0).f.rsi, 0x5502);
		want_eq(hyp_set_segment_base(SEGBASE_GS_USER, user_word(0)), 0);
		user_check("after set_segment_base");
		m.number = MSR_FS;
		m.value = (unsigned long)&theirs[1].fs_word;
		want_eq(trap_of(wrmsr, &m).vec, -1);
		m.value = (unsigned long)&own.fs_word;
		want_eq(trap_of(wrmsr, &m).vec, -1);
		sleep_ms(5);
		state_check("after WRMSR of the FS base");
		m.number = MSR_GS_USER;
	}
	end();
}

/*
 * A user GS selector and the base of its descriptor are kept while another vCPU
 * has the processor and over user mode.
 */
CASE(switch_user_selector, "TRP-SEG-005", 0)
{
	struct trap t;
	unsigned int i;

	begin();
	want_eq(hyp_update_descriptor(virt_maddr(&own.gdt[3]), FLAT_SEG(user_word(1))), 0);
	want_eq(hyp_set_segment_base(SEGBASE_GS_USER_SEL, 0x1b), 0);
	for (i = 0; i < 4; i++) {
		sleep_ms(5);
		t = user_call(user_look, 0);
		want_eq(t.vec, RT_VEC_SYSCALL);
		want_eq(t.f.rdx, 0x1b);
		want_eq(t.f.rsi, 0x5501);
		t = user_call(user_look, 0);
		want_eq(t.f.rdx, 0x1b);
		want_eq(t.f.rsi, 0x5501);
	}
	want_eq(hyp_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
	want_eq(hyp_set_segment_base(SEGBASE_GS_USER, user_word(0)), 0);
	sleep_ms(5);
	user_check("with a base again");
	end();
}

static void fire(void *arg)
{
	*(volatile unsigned long *)arg = 1;
}

/*
 * A breakpoint whose address was set before it is enabled fires at that address,
 * and one that is enabled fires still, after other vCPUs had the processor.
 */
CASE(switch_breakpoint, "DBG-001 DBG-009", 0)
{
	unsigned int i;

	begin();
	for (i = 0; i < 4; i++) {
		sleep_ms(5);
		/* Register 0, local, write, 8 bytes. */
		want_eq(hyp_set_debugreg(7, 0x00090001), 0);
		want_trap(fire, &fired, TRAP_DB);
		sleep_ms(5);
		want_eq(hyp_get_debugreg(7) & 0xffff0003, 0x00090001);
		want_trap(fire, &fired, TRAP_DB);
		want_eq(hyp_set_debugreg(7, 0), 0);
		want_eq(trap_of(fire, (void *)&fired).vec, -1);
		want_eq(hyp_set_debugreg(6, 0), 0);
	}
	end();
}

static volatile unsigned long touched;
static volatile unsigned int armed, missed;

/* Have a write to @touched fire here, until the end. */
static void watch_touched(void *arg)
{
	if (hyp_set_debugreg(0, (unsigned long)&touched) || hyp_set_debugreg(7, 0x00090001))
		panic("cannot enable a breakpoint");
	__atomic_fetch_add(&armed, 1, __ATOMIC_SEQ_CST);
	while (!stop)
		cpu_relax();
	if (trap_of(fire, (void *)&touched).vec != TRAP_DB)
		__atomic_fetch_add(&missed, 1, __ATOMIC_SEQ_CST);
	hyp_set_debugreg(7, 0);
	hyp_set_debugreg(6, 0);
	hyp_set_debugreg(0, 0);
}

/*
 * An enabled breakpoint of a vCPU does not fire on another one that has its processor
 * next, and still fires on its own.
 */
CASE(switch_others_breakpoints, "DBG-009", 0)
{
	unsigned int i, n = vcpu_number();

	stop = false;
	armed = 0;
	missed = 0;
	for (i = 1; i < n; i++)
		vcpu_run(i, watch_touched, NULL);
	want(until(armed == n - 1, 20000));
	for (i = 0; i < 20; i++) {
		/* One of them has the processor until this ends. */
		sleep_ms(5);
		want_eq(trap_of(fire, (void *)&touched).vec, -1);
	}
	stop = true;
	for (i = 1; i < n; i++)
		want(vcpu_join(i));
	want_eq(missed, 0);
	want_eq(hyp_get_debugreg(6) & 0xf, 0);
}

/*
 * A system call in user mode enters on the kernel stack that stack_switch set,
 * after other vCPUs had the processor.
 */
CASE(switch_kernel_stack, "TRP-SEG-009 TRP-CB-007", 0)
{
	unsigned int i;

	begin();
	for (i = 0; i < 4; i++) {
		sleep_ms(5);
		user_depth = i * 128;
		user_check("on a kernel stack of its own");
	}
	user_depth = 0;
	end();
}
