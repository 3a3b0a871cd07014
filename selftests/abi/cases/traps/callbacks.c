// SPDX-License-Identifier: MIT
/* callback_op, system calls, iret, and frames that iret refuses. */
#include "case.h"

#define BAD_VA	0x0000800000000000UL

static long reg(unsigned int type, unsigned long address, unsigned int flags)
{
	struct callback_register r = {
		.type = (uint16_t)type, .flags = (uint16_t)flags, .address = address,
	};

	return hyp_callback_op(CALLBACKOP_register, &r);
}

static long unreg(unsigned int type)
{
	struct callback_unregister u = { .type = (uint16_t)type };

	return hyp_callback_op(CALLBACKOP_unregister, &u);
}

/* CALLBACKOP_register accepts a canonical address for every type. */
CASE(cb_register, "TRP-CB-001 TRP-CB-011 TRP-CB-012", 0)
{
	want_eq(reg(CALLBACKTYPE_event, (unsigned long)rt_entry_event, 0), 0);
	want_eq(reg(CALLBACKTYPE_failsafe, (unsigned long)rt_entry_failsafe,
		    CALLBACKF_mask_events), 0);
	want_eq(reg(CALLBACKTYPE_syscall, (unsigned long)rt_entry_syscall,
		    CALLBACKF_mask_events), 0);
	want_eq(reg(CALLBACKTYPE_nmi, (unsigned long)rt_entry_nmi, 0), 0);
	want_any(reg(CALLBACKTYPE_syscall32, (unsigned long)rt_entry_syscall32, 0),
		 0, -EINVAL, -ENOSYS);
	want_any(reg(CALLBACKTYPE_sysenter, (unsigned long)rt_entry_sysenter, 0),
		 0, -EINVAL, -ENOSYS);
}

USER(user_syscall, "mov $0x1122, %eax\n mov $0x33, %esi\n std\n syscall\n nop");

/*
 * CALLBACKOP_register refuses addresses that are not canonical; the old
 * callback stays in use.
 */
CASE(cb_non_canonical, "TRP-CB-002", 0)
{
	struct chan c = chan_open();
	unsigned int before = event_count[c.b];

	want_eq(reg(CALLBACKTYPE_event, BAD_VA, 0), -EINVAL);
	want_eq(reg(CALLBACKTYPE_failsafe, BAD_VA, 0), -EINVAL);
	want_eq(reg(CALLBACKTYPE_syscall, BAD_VA, 0), -EINVAL);
	want_eq(reg(CALLBACKTYPE_nmi, BAD_VA, 0), -EINVAL);
	want_eq(user_call(user_syscall, 0).vec, RT_VEC_SYSCALL);
	events_on();
	want_eq(evtchn_send(c.a), 0);
	events_off();
	want_eq(event_count[c.b], before + 1);
	chan_close(c);
}

/*
 * CALLBACKOP_register returns -ENOSYS for unknown types and for the retired
 * one.
 */
CASE(cb_type, "TRP-CB-003 TRP-CB-006", 0)
{
	want_eq(reg(100, (unsigned long)rt_entry_event, 0), -ENOSYS);
	want_eq(reg(0xffff, (unsigned long)rt_entry_event, 0), -ENOSYS);
	want_eq(reg(CALLBACKTYPE_sysenter_deprecated, (unsigned long)rt_entry_event, 0),
		-ENOSYS);
	want_eq(unreg(100), -ENOSYS);
	want_eq(unreg(0xffff), -ENOSYS);
}

/* callback_op returns -EFAULT for an unreadable argument. */
CASE(cb_fault, "TRP-CB-004", 0)
{
	want_eq(hyp_callback_op(CALLBACKOP_register, BAD_PTR), -EFAULT);
	want_eq(hyp_callback_op(CALLBACKOP_unregister, BAD_PTR), -EFAULT);
	want_eq(hyp_callback_op(CALLBACKOP_register, XEN_PTR), -EFAULT);
}

/* CALLBACKOP_unregister accepts the NMI callback only. */
CASE(cb_unregister, "TRP-CB-005", 0)
{
	want_eq(unreg(CALLBACKTYPE_event), -EINVAL);
	want_eq(unreg(CALLBACKTYPE_failsafe), -EINVAL);
	want_eq(unreg(CALLBACKTYPE_syscall), -EINVAL);
	want_eq(unreg(CALLBACKTYPE_syscall32), -EINVAL);
	want_eq(unreg(CALLBACKTYPE_sysenter), -EINVAL);
	want_eq(unreg(CALLBACKTYPE_nmi), 0);
	want_eq(unreg(CALLBACKTYPE_nmi), 0);
	want_eq(reg(CALLBACKTYPE_nmi, (unsigned long)rt_entry_nmi, 0), 0);
}

extern char note_flags[];
unsigned long note_flags_value;

asm(".text\nnote_flags:\n pushfq\n popq note_flags_value\n jmp rt_entry_syscall\n");

/*
 * A system call enters the callback on the kernel stack with the user's
 * registers and the address after the instruction in RIP.
 */
CASE(cb_syscall, "TRP-CB-007 HCL-008", 0)
{
	struct trap t = user_call(user_syscall, 0x77);

	asm volatile("cld");
	want_eq(t.vec, RT_VEC_SYSCALL);
	want(t.user);
	want_eq(t.f.rax, 0x1122);
	want_eq(t.f.rsi, 0x33);
	want_eq(t.f.rdi, 0x77);
	want_eq(t.f.rsp, USER_STACK - 16);
	want_eq(t.f.rip, USER_CODE + user_syscall_end - user_syscall - 1);
	want_eq(t.f.cs & 3, 3);
	want(t.f.rflags & 0x400);
}

/* CF, PF, AF, ZF, SF, DF and OF. */
#define USER_FLAGS	0xcd5UL
USER(user_flags, "pushfq\n orq $0xcd5, (%rsp)\n popfq\n syscall");

/*
 * A system call enters the callback with DF clear and the user's other flags,
 * whatever the kernel's stack pointer: every value of its bits 4 to 10 is used.
 */
CASE(cb_syscall_flags, "TRP-CB-010 TRP-CB-015", 0)
{
	unsigned long wrong = 0, at = 0;
	struct trap t;

	want_eq(reg(CALLBACKTYPE_syscall, (unsigned long)note_flags,
		    CALLBACKF_mask_events), 0);
	for (user_depth = 0; user_depth < 2048; user_depth += 16) {
		note_flags_value = ~0UL;
		t = user_call(user_flags, 0);
		asm volatile("cld");
		want_eq(t.vec, RT_VEC_SYSCALL);
		want_eq(t.f.rflags & USER_FLAGS, USER_FLAGS);
		if ((note_flags_value & USER_FLAGS) != (USER_FLAGS & ~0x400UL)) {
			wrong++;
			at = note_flags_value & USER_FLAGS;
		}
	}
	user_depth = 0;
	callbacks_install();
	if (wrong)
		case_fail("callbacks.c", __LINE__,
			  "wrong flags with %lu of 128 stack pointers, such as 0x%lx for 0x%lx",
			  wrong, at, USER_FLAGS & ~0x400UL);
}

/*
 * The syscall callback starts with events masked if it was registered with
 * CALLBACKF_mask_events, and only then.
 */
CASE(cb_syscall_mask, "TRP-CB-008", 0)
{
	struct trap t = user_call(user_syscall, 0);

	asm volatile("cld");
	want_eq(t.masked, 1);
	want_eq(reg(CALLBACKTYPE_syscall, (unsigned long)rt_entry_syscall, 0), 0);
	t = user_call(user_syscall, 0);
	asm volatile("cld");
	callbacks_install();
	want_eq(t.vec, RT_VEC_SYSCALL);
	want_eq(t.masked, 0);
}

/* SYSCALL in user mode raises #UD without a callback. */
CASE(cb_no_syscall, "TRP-CB-009", 0)
{
	struct trap t;

	want_eq(reg(CALLBACKTYPE_syscall, 0, 0), 0);
	t = user_call(user_syscall, 0);
	asm volatile("cld");
	callbacks_install();
	want_eq(t.vec, TRAP_UD);
	want(t.user);
}

/* A frame for rt_resume() that goes to @label in the kernel. */
static struct frame here(unsigned long rip, unsigned long rsp)
{
	struct frame f;

	memset(&f, 0, sizeof(f));
	f.rip = rip;
	f.cs = FLAT_KERNEL_CS & ~3;
	f.ss = FLAT_KERNEL_SS & ~3;
	f.rflags = 0x2;
	f.rsp = rsp;
	return f;
}

struct landing {
	unsigned long rax, rcx, r11, rsp, flags, cs, ss;
};

struct landing landed;
void landing(void);

asm(".text\nlanding:\n mov %rax, landed\n mov %rcx, landed+8\n"
	"mov %r11, landed+16\n mov %rsp, landed+24\n pushfq\n popq landed+32\n"
	"xor %eax, %eax\n mov %cs, %ax\n mov %rax, landed+40\n mov %ss, %ax\n"
	"mov %rax, landed+48\n ud2\n nop\n nop\n nop\n nop\n nop\n");

static void resume(void *f)
{
	rt_resume(f);
}

/*
 * iret to kernel mode restores the registers of its frame; the real privilege
 * stays 3.
 */
CASE(iret_kernel, "TRP-IRET-001 TRP-IRET-005 HCN-023", 0)
{
	struct frame f = here((unsigned long)landing, (unsigned long)self()->stack + 4096);
	struct trap t;

	f.rax = 0x111;
	f.rcx = 0x222;
	f.r11 = 0x333;
	f.rflags = 0x3001;
	t = trap_of(resume, &f);
	want_eq(t.vec, TRAP_UD);
	want_eq(landed.rax, 0x111);
	want_eq(landed.rcx, 0x222);
	want_eq(landed.r11, 0x333);
	want_eq(landed.rsp, (unsigned long)self()->stack + 4096);
	want_eq(landed.flags & 1, 1);
	want_eq(landed.flags & 0x3000, 0);
	want_eq(landed.cs & 3, 3);
	want_eq(landed.ss & 3, 3);
	want(landed.flags & 0x200);
}

/* iret does not load RCX and R11 from a frame with VGCF_in_syscall. */
CASE(iret_in_syscall, "TRP-IRET-004", 0)
{
	struct iret_context c = {
		.rax = 0x444, .r11 = 0x555, .rcx = 0x666, .flags = VGCF_in_syscall,
		.rip = (unsigned long)landing, .cs = FLAT_KERNEL_CS & ~3,
		.rflags = 2, .rsp = (unsigned long)self()->stack + 4096,
		.ss = FLAT_KERNEL_SS & ~3,
	};
	struct trap t = trap_of((void (*)(void *))rt_iret_raw, &c);

	want_eq(t.vec, TRAP_UD);
	want_eq(landed.rax, 0x444);
	want(landed.rcx != 0x666);
	want(landed.r11 != 0x555);
}

USER(user_gs, "mov %gs:0, %rsi\n syscall");

/* iret to user mode switches the address space and the GS base. */
CASE(iret_user, "TRP-IRET-002 TRP-SEG-003 TRP-SEG-008", 0)
{
	static unsigned long kernel_word = 0x9999;
	unsigned long v;
	struct trap t;

	*(unsigned long *)user_page(USER_DATA + 64) = 0x8888;
	want_eq(hyp_set_segment_base(SEGBASE_GS_KERNEL, (unsigned long)&kernel_word), 0);
	want_eq(hyp_set_segment_base(SEGBASE_GS_USER, USER_DATA + 64), 0);
	t = user_call(user_gs, 0);
	want_eq(t.vec, RT_VEC_SYSCALL);
	want_eq(t.f.rsi, 0x8888);
	asm volatile("mov %%gs:0, %0" : "=r" (v));
	want_eq(v, 0x9999);
}

/*
 * iret sets the event mask from IF in the frame, and a pending event is
 * delivered at once.
 */
CASE(iret_mask, "TRP-IRET-003 EVT-CB-001", 0)
{
	struct frame f = here((unsigned long)landing, (unsigned long)self()->stack + 4096);
	struct chan c = chan_open();
	unsigned int before = event_count[c.b];
	struct trap t;

	events_off();
	want_eq(evtchn_send(c.a), 0);
	f.rflags = 0x2;
	t = trap_of(resume, &f);
	want_eq(t.vec, TRAP_UD);
	want_eq(t.masked, 1);
	want_eq(event_count[c.b], before);
	f.rflags = 0x202;
	t = trap_of(resume, &f);
	events_off();
	want_eq(t.vec, TRAP_UD);
	want_eq(t.masked, 0);
	want_eq(event_count[c.b], before + 1);
	chan_close(c);
}

/* iret to user mode without a user root ends the domain. */
CASE(iret_no_user_root, "TRP-IRET-006", DIES)
{
	struct frame f = here(USER_CODE, USER_STACK - 16);

	f.cs = FLAT_USER_CS | 3;
	f.ss = FLAT_USER_SS | 3;
	dying("crash");
	rt_resume(&f);
}

/* iret with a frame that cannot be read ends the domain. */
CASE(iret_unreadable, "TRP-IRET-007", DIES)
{
	dying("crash");
	rt_iret_raw(BAD_PTR);
}

/* iret with a stack in the hypervisor's range ends the domain. */
CASE(iret_xen_stack, "TRP-IRET-007 HCL-012", DIES)
{
	dying("crash");
	rt_iret_raw((void *)0xffff82d080200000UL);
}

/*
 * iret with a frame that cannot be returned to enters the failsafe callback or
 * a trap handler.
 */
CASE(iret_bad_frame, "TRP-IRET-008 TRP-CB-013", 0)
{
	unsigned long sp = (unsigned long)self()->stack + 4096;
	struct frame f = here((unsigned long)landing, sp);
	struct trap t;

	f.cs = 0x18;
	t = trap_of(resume, &f);
	want_any(t.vec, RT_VEC_FAILSAFE, TRAP_GP);
	f = here((unsigned long)landing, sp);
	f.ss = 0x18;
	t = trap_of(resume, &f);
	want_any(t.vec, RT_VEC_FAILSAFE, TRAP_GP, TRAP_SS);
	f = here(BAD_VA, sp);
	t = trap_of(resume, &f);
	want_any(t.vec, RT_VEC_FAILSAFE, TRAP_GP, TRAP_PF);
}

static unsigned long failsafe_frame[11], failsafe_mask;
static volatile unsigned int failsafe_count;
static volatile bool busy_stop;
void failsafe_probe(void);
void failsafe_copy(unsigned long *sp);

asm(".text\nfailsafe_probe:\n"
	"push %rax; push %rdi; push %rsi; push %rdx; push %r8; push %r9; push %r10\n"
	"lea 56(%rsp), %rdi; mov %rsp, %rax; and $-16, %rsp; push %rax; push %rax\n"
	"call failsafe_copy; pop %rax; mov %rax, %rsp\n"
	"pop %r10; pop %r9; pop %r8; pop %rdx; pop %rsi; pop %rdi\n"
	"pop %rax\n"
	"mov (%rsp), %rcx; mov 8(%rsp), %r11; add $0x30, %rsp\n"
	"pushq $0; pushq %rcx; pushq %r11; pushq %rax; mov $23, %eax; syscall\n");

void failsafe_copy(unsigned long *sp)
{
	memcpy(failsafe_frame, sp, sizeof(failsafe_frame));
	failsafe_mask = self()->info->evtchn_upcall_mask;
	failsafe_count++;
}

static void keep_busy(void *arg)
{
	while (!busy_stop)
		cpu_relax();
}

/*
 * Have a descriptor removed whose selector is in ES, and the vCPU switched out and in,
 * events enabled; the failsafe callback is registered with @flags.
 *
 * The other vCPUs keep every processor busy so that this one is really switched out.
 */
static void fail_load(unsigned int flags)
{
	uint64_t *gdt = page_alloc();
	unsigned long mfn = virt_mfn(gdt);
	struct patience wait;
	unsigned int i, n = vcpu_number(), sel;

	gdt[1] = 0x00cff3000000ffffUL;
	page_ro(gdt);
	want_eq(hyp_set_gdt(&mfn, 512), 0);
	want_eq(reg(CALLBACKTYPE_failsafe, (unsigned long)failsafe_probe, flags), 0);
	failsafe_count = 0;
	busy_stop = false;
	for (i = 1; i < n; i++)
		vcpu_run(i, keep_busy, NULL);
	events_on();
	asm volatile("mov %0, %%es" : : "r" (0x0b));
	want_eq(hyp_update_descriptor(virt_maddr(&gdt[1]), 0), 0);
	wait = patience(4000);
	while (!failsafe_count && patient(&wait)) {
		struct sched_poll p = { .timeout = now() + 20 * MS };

		hyp_sched_op(SCHEDOP_poll, &p);
	}
	events_off();
	busy_stop = true;
	for (i = 1; i < n; i++)
		want(vcpu_join(i));
	asm volatile("mov %%es, %0; mov %1, %%es" : "=&r" (sel) : "r" (0));
	callbacks_install();
	want_eq(hyp_set_gdt(NULL, 0), 0);
	page_rw(gdt);
	page_free(gdt);
	want(failsafe_count >= 1);
	want_eq(sel & 0xffff, 0);
}

/*
 * The hypervisor cannot load a selector whose descriptor was removed when the
 * vCPU is next scheduled: it enters the failsafe callback with the selectors
 * on top of its frame, and the kernel continues with a null one.
 */
CASE(cb_failsafe, "TRP-CB-013 TRP-DT-013", 0)
{
	fail_load(CALLBACKF_mask_events);
	/* rcx r11 ds es fs gs rip cs rflags rsp ss */
	want_eq(failsafe_frame[2] & 0xffff, 0);
	want_eq(failsafe_frame[3] & 0xffff, 0x0b);
	want_eq(failsafe_frame[7] & 3, 0);
}

/*
 * The failsafe callback starts with events masked if it was registered with
 * CALLBACKF_mask_events, and only then; its frame holds the old mask.
 */
CASE(cb_failsafe_mask, "TRP-CB-017", 0)
{
	unsigned int mask;

	for (mask = 0; mask < 2; mask++) {
		fail_load(mask ? CALLBACKF_mask_events : 0);
		want_eq(failsafe_mask, mask);
		want_eq(failsafe_frame[7] >> 32 & 0xff, 0);
		want_eq(failsafe_frame[8] & 0x3200, 0x200);
	}
}
