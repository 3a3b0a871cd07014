// SPDX-License-Identifier: MIT
/*
 * The context of a new vCPU, field by field: each has a value of its own that is
 * seen inside, and each wrong value is refused.
 */
#include "common.h"

#define FLAT_DATA	0x00cff3000000ffffUL

static void start(unsigned int id, struct vcpu_guest_context *c, void (*fn)(void *arg),
		  void *arg)
{
	struct vcpu *v = &vcpus[id];

	if (v->started)
		panic("vCPU %u was started before", id);
	v->started = true;
	v->fn = fn;
	v->arg = arg;
	v->busy = true;
	/* All of it before the vCPU starts. */
	mb();
	want_eq(hyp_vcpu_op(VCPUOP_initialise, id, c), 0);
	shared_info->vcpu_info[id].evtchn_upcall_mask = 1;
	want_eq(hyp_vcpu_op(VCPUOP_up, id, NULL), 0);
}

/* The context as the vCPU itself sees it. */
struct inside {
	unsigned long dr[4], dr7, flags, fs, gs, xmm3, ds, es;
	uint32_t mxcsr;
	uint16_t fcw;
	int out, gdt, ldt, fires;
	struct trap user;
};

static volatile unsigned long touched;

static void touch(void *arg)
{
	touched = 1;
}

INSN(out_80, "xor %%eax, %%eax; outb %%al, $0x80")
INSN(load_gdt_1, "mov $0x0b, %%eax; mov %%eax, %%es; xor %%eax, %%eax; mov %%eax, %%es")
INSN(load_ldt_1, "mov $0x0f, %%eax; mov %%eax, %%es; xor %%eax, %%eax; mov %%eax, %%es")
USER(user_gs_word, "mov %gs:0, %rsi\n syscall");

static void look(void *arg)
{
	struct inside *in = arg;
	int i;

	asm volatile("movq %%xmm3, %0" : "=r" (in->xmm3));
	asm volatile("stmxcsr %0; fnstcw %1" : "=m" (in->mxcsr), "=m" (in->fcw));
	asm volatile("mov %%ds, %0; mov %%es, %1" : "=r" (in->ds), "=r" (in->es));
	asm volatile("pushfq; popq %0" : "=r" (in->flags));
	asm volatile("mov %%fs:0, %0; mov %%gs:0, %1" : "=r" (in->fs), "=r" (in->gs));
	for (i = 0; i < 4; i++)
		in->dr[i] = (unsigned long)hyp_get_debugreg(i);
	in->dr7 = (unsigned long)hyp_get_debugreg(7);
	in->fires = trap_of(touch, NULL).vec;
	hyp_set_debugreg(7, 0);
	in->out = trap_of(out_80, NULL).vec;
	in->gdt = trap_of(load_gdt_1, NULL).vec;
	in->ldt = trap_of(load_ldt_1, NULL).vec;
	events_on();
	in->user = user_call(user_gs_word, 0);
	events_off();
}

/*
 * A vCPU starts with the FPU state, data selectors, debug registers, bases of
 * both GS, I/O privilege, descriptor tables and user root of its context. The
 * real interrupt flag is set although the context's is clear. A system call
 * masks events, as the context's flag says.
 */
CASE(vctx_fields, "VCP-063 VCP-011 VCP-012 VCP-015", ALONE)
{
	static unsigned long fs_word = 0x1111, gs_word = 0x2222;
	static struct inside in;
	struct vcpu_guest_context *c = context(1);
	unsigned char *fpu = (unsigned char *)&c->fpu_ctxt;
	uint64_t *gdt = page_alloc(), *ldt = page_alloc();
	int i;

	gdt[1] = FLAT_DATA;
	ldt[1] = FLAT_DATA;
	page_ro(gdt);
	page_ro(ldt);
	*(unsigned long *)user_page(USER_DATA + 64) = 0x3333;
	c->flags = VGCF_in_kernel | VGCF_I387_VALID | VGCF_syscall_disables_events;
	*(uint16_t *)fpu = 0x0c7f;
	*(uint32_t *)(fpu + 24) = 0x3f80;
	*(uint64_t *)(fpu + 160 + 3 * 16) = 0x1234567890abcdefUL;
	c->user_regs.rflags = 0x1002;
	c->user_regs.ds = 0xe02b;
	c->user_regs.es = 0xe02b;
	c->fs_base = (unsigned long)&fs_word;
	c->gs_base_kernel = (unsigned long)&gs_word;
	c->gs_base_user = USER_DATA + 64;
	c->gdt_frames[0] = virt_mfn(gdt);
	c->gdt_ents = 512;
	c->ldt_base = (unsigned long)ldt;
	c->ldt_ents = 512;
	c->ctrlreg[1] = xen_pfn_to_cr3(user_cr3());
	c->debugreg[0] = (unsigned long)&touched;
	for (i = 1; i < 4; i++)
		c->debugreg[i] = (unsigned long)rt_image + i * 64;
	/* Register 0, local, write, 8 bytes. */
	c->debugreg[7] = 0x00090001;
	start(1, c, look, &in);
	want(vcpu_join(1));
	want_eq(in.xmm3, 0x1234567890abcdefUL);
	want_eq(in.mxcsr, 0x3f80);
	want_eq(in.fcw, 0x0c7f);
	want_eq(in.ds & 0xffff, 0xe02b);
	want_eq(in.es & 0xffff, 0xe02b);
	want(in.flags & 0x200);
	want_eq(in.fs, 0x1111);
	want_eq(in.gs, 0x2222);
	want_eq(in.dr[0], (unsigned long)&touched);
	for (i = 1; i < 4; i++)
		want_eq(in.dr[i], (unsigned long)rt_image + i * 64);
	want_eq(in.dr7 & 0xffff0003, 0x00090001);
	want_eq(in.fires, TRAP_DB);
	want_eq(in.out, -1);
	want_eq(in.gdt, -1);
	want_eq(in.ldt, -1);
	want_eq(in.user.vec, RT_VEC_SYSCALL);
	want_eq(in.user.f.rsi, 0x3333);
	want_eq(in.user.masked, 1);
}

/*
 * A vCPU whose context leaves FPU state, debug registers, descriptor tables and
 * I/O privilege at zero starts with the defaults and with none of another
 * vCPU's, and system calls leave its event mask.
 */
CASE(vctx_defaults, "VCP-063 VCP-015", ALONE)
{
	static unsigned long word;
	static struct inside in;
	struct vcpu_guest_context *c = context(1);
	uint64_t *gdt = page_alloc();
	unsigned long mfn = virt_mfn(gdt);
	int i;

	gdt[1] = FLAT_DATA;
	page_ro(gdt);
	/* The caller's own. */
	want_eq(hyp_set_gdt(&mfn, 512), 0);
	for (i = 0; i < 4; i++)
		want_eq(hyp_set_debugreg(i, (unsigned long)rt_image + i * 8), 0);
	c->user_regs.rflags = 2;
	c->fs_base = (unsigned long)&word;
	c->gs_base_kernel = (unsigned long)&word;
	c->gs_base_user = USER_DATA;
	c->ctrlreg[1] = xen_pfn_to_cr3(user_cr3());
	start(1, c, look, &in);
	want(vcpu_join(1));
	want_eq(in.mxcsr, 0x1f80);
	want_eq(in.xmm3, 0);
	want_eq(in.ds & 0xffff, 0);
	want_eq(in.es & 0xffff, 0);
	for (i = 0; i < 4; i++)
		want_eq(in.dr[i], 0);
	want_eq(in.dr7 & 0xff, 0);
	want_eq(in.fires, -1);
	want_eq(in.out, TRAP_GP);
	want_eq(in.gdt, TRAP_GP);
	want_eq(in.ldt, TRAP_GP);
	want_eq(in.user.vec, RT_VEC_SYSCALL);
	want_eq(in.user.masked, 0);
	want_eq(hyp_set_gdt(NULL, 0), 0);
	page_rw(gdt);
	page_free(gdt);
}

static volatile unsigned long entry_sp, entry_rsi;
static volatile bool entered;

static bool first_entry(struct frame *f)
{
	if (f->vector != RT_VEC_SYSCALL || (f->cs & 3) != 3)
		return false;
	entry_sp = (unsigned long)(f + 1);
	entry_rsi = f->rsi;
	entered = true;
	hyp_vcpu_op(VCPUOP_down, self()->id, NULL);
	return false;
}

USER(user_first, "add $1, %rsi\n syscall");

/*
 * A vCPU can start in user mode, on its user root; its first system call enters
 * the callback on the kernel stack of the context.
 */
CASE(vctx_user, "VCP-064", ALONE)
{
	struct vcpu_guest_context *c = context(1);

	memcpy(user_page(USER_CODE), user_first, (size_t)(user_first_end - user_first));
	c->flags = 0;
	c->user_regs.rip = USER_CODE;
	c->user_regs.cs = FLAT_USER_CS | 3;
	c->user_regs.ss = FLAT_USER_SS | 3;
	c->user_regs.rsp = USER_STACK - 16;
	c->user_regs.rsi = 0x776;
	c->kernel_sp -= 512;
	c->ctrlreg[1] = xen_pfn_to_cr3(user_cr3());
	entered = false;
	trap_hook = first_entry;
	start(1, c, NULL, NULL);
	want(until(entered, 5000));
	want_eq(entry_rsi, 0x777);
	want_eq(entry_sp, c->kernel_sp);
}

/*
 * VCPUOP_initialise refuses a context in which one field is wrong and every
 * other is right: stack pointer, a handler's address, the LDT's base, the user
 * root and a late GDT frame.
 */
CASE(vctx_refused, "VCP-005 VCP-006 VCP-007 VCP-008", 0)
{
	unsigned int id = vcpu_number() - 1, i;
	struct vcpu_guest_context *c;
	uint64_t *l4 = root_new();
	char *page = page_alloc(), *gdt = page_alloc();

	needs(!vcpus[id].started, "every vCPU is initialised");
	c = context(id);
	page_ro(gdt);
	for (i = 0; i < 2; i++) {
		c->user_regs.rsp = BAD_VA;
		refuse(c, id, "user_regs.rsp");
		c->trap_ctxt[0].address = BAD_VA;
		refuse(c, id, "the first handler");
		c->trap_ctxt[255].address = BAD_VA;
		refuse(c, id, "the last handler");
		c->ldt_base = 0xffff820000000000UL;
		c->ldt_ents = 8;
		refuse(c, id, "an LDT in the hypervisor's range");
		/* The refused root is not fresh here: see vctx_root_held. */
		c->ctrlreg[1] = xen_pfn_to_cr3(virt_mfn(page));
		refuse(c, id, "a user root that is mapped writable");
		c->ctrlreg[1] = xen_pfn_to_cr3(0xfffffffUL);
		refuse(c, id, "a user root that does not exist");
		c->ctrlreg[3] = xen_pfn_to_cr3(virt_mfn(l4));
		c->gdt_ents = 1024;
		c->gdt_frames[0] = virt_mfn(gdt);
		c->gdt_frames[1] = virt_mfn(page);
		refuse(c, id, "a second GDT frame that is mapped writable");
	}
	/* No refusal keeps a frame. */
	page_rw(l4);
	page_free(l4);
	page_rw(gdt);
	page_free(gdt);
	page_free(page);
}

/*
 * VCPUOP_initialise that is refused for its user root keeps no reference to its
 * kernel root: once the vCPU is initialised with another, the frame is free.
 */
CASE(vctx_root_held, "VCP-065 MMU-TYPE-015", ALONE)
{
	struct vcpu_guest_context *c = context(1);
	uint64_t *l4 = root_new();
	char *page = page_alloc();

	c->ctrlreg[3] = xen_pfn_to_cr3(virt_mfn(l4));
	c->ctrlreg[1] = xen_pfn_to_cr3(virt_mfn(page));
	refuse(c, 1, "a user root that is mapped writable");
	start(1, c, nothing, NULL);
	want(vcpu_join(1));
	want_eq(hyp_update_va_mapping((unsigned long)l4, mk_pte(l4, PTE_RW),
				      UVMF_INVLPG | UVMF_ALL), 0);
	page_free(l4);
	page_free(page);
}
