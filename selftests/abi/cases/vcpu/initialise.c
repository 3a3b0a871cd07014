// SPDX-License-Identifier: MIT
/* VCPUOP_initialise: the context a vCPU starts with, and contexts refused. */
#include "common.h"

/* Cases that refuse contexts use the last vCPU and leave it uninitialised. */
static struct vcpu_guest_context *fresh(unsigned int *id)
{
	*id = vcpu_number() - 1;
	if (*id < 2 || vcpus[*id].started)
		panic("no fresh vCPU left");
	return context(*id);
}

/*
 * VCPUOP_initialise with an unreadable context leaves the vCPU uninitialised.
 */
CASE(vinit_fault, "VCP-003", 0)
{
	unsigned int id;

	fresh(&id);
	want_eq(hyp_vcpu_op(VCPUOP_initialise, id, BAD_PTR), -EFAULT);
	want_eq(hyp_vcpu_op(VCPUOP_initialise, id, XEN_PTR), -EFAULT);
	want_eq(hyp_vcpu_op(VCPUOP_up, id, NULL), -EINVAL);
}

/*
 * VCPUOP_initialise refuses a vCPU that is initialised: the caller, and one
 * that is down.
 */
CASE(vinit_once, "VCP-004", 0)
{
	unsigned int id;
	struct vcpu_guest_context *c = fresh(&id);

	want_eq(hyp_vcpu_op(VCPUOP_initialise, 0, c), -EEXIST);
	vcpu_run(1, nothing, NULL);
	want(vcpu_join(1));
	want_eq(hyp_vcpu_op(VCPUOP_initialise, 1, c), -EEXIST);
	vcpu_run(1, nothing, NULL);
	want(vcpu_join(1));
}

/* VCPUOP_initialise refuses a context with a non-canonical address. */
CASE(vinit_non_canonical, "VCP-005", 0)
{
	unsigned int id;
	struct vcpu_guest_context *c = fresh(&id);

	c->user_regs.rip = BAD_VA;
	refuse(c, id, "rip");
	c->kernel_sp = BAD_VA;
	refuse(c, id, "kernel_sp");
	c->event_callback_eip = BAD_VA;
	refuse(c, id, "event callback");
	c->failsafe_callback_eip = BAD_VA;
	refuse(c, id, "failsafe callback");
	c->syscall_callback_eip = BAD_VA;
	refuse(c, id, "syscall callback");
	c->fs_base = BAD_VA;
	refuse(c, id, "fs_base");
	c->gs_base_kernel = BAD_VA;
	refuse(c, id, "gs_base_kernel");
	c->gs_base_user = BAD_VA;
	refuse(c, id, "gs_base_user");
}

/*
 * VCPUOP_initialise takes a CR3 that names a frame of the domain which can be
 * a root, and no other.
 */
CASE(vinit_cr3, "VCP-006 MMU-TYPE-007", 0)
{
	unsigned int id;
	struct vcpu_guest_context *c = fresh(&id);
	char *page = page_alloc();

	c->ctrlreg[3] = xen_pfn_to_cr3(0xfffffffUL);
	refuse(c, id, "a frame that does not exist");
	c->ctrlreg[3] = xen_pfn_to_cr3(virt_mfn(page));
	refuse(c, id, "a frame mapped writable");
	/* Its type is unchanged: it can still be pinned as level 1. */
	page_ro(page);
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, virt_mfn(page), 0), 0);
	c->ctrlreg[3] = xen_pfn_to_cr3(virt_mfn(page));
	refuse(c, id, "a level 1 table");
	want_eq(mmuext(MMUEXT_UNPIN_TABLE, virt_mfn(page), 0), 0);
	page_rw(page);
	page_free(page);
}

/*
 * VCPUOP_initialise takes a GDT of at most 14 frames, none of them mapped
 * writable.
 */
CASE(vinit_gdt, "VCP-007", 0)
{
	unsigned int id;
	struct vcpu_guest_context *c = fresh(&id);
	char *page = page_alloc(), *gdt[FIRST_RESERVED_GDT_PAGE + 1];
	unsigned int i;

	/* Every frame is good, the number alone is not. */
	for (i = 0; i < ARRAY_SIZE(gdt); i++) {
		gdt[i] = page_alloc();
		page_ro(gdt[i]);
		c->gdt_frames[i] = virt_mfn(gdt[i]);
	}
	c->gdt_ents = FIRST_RESERVED_GDT_ENTRY + 1;
	refuse(c, id, "too many entries");
	for (i = 0; i < ARRAY_SIZE(gdt); i++) {
		c->gdt_frames[i] = 0;
		page_rw(gdt[i]);
		page_free(gdt[i]);
	}
	c->gdt_ents = 512;
	c->gdt_frames[0] = virt_mfn(page);
	refuse(c, id, "a writable GDT frame");
	c->gdt_ents = 512;
	c->gdt_frames[0] = 0xfffffffUL;
	refuse(c, id, "a GDT frame that does not exist");
	page_free(page);
}

/*
 * VCPUOP_initialise takes an LDT of at most 8192 entries with a page-aligned
 * base.
 */
CASE(vinit_ldt, "VCP-008", 0)
{
	unsigned int id;
	struct vcpu_guest_context *c = fresh(&id);

	c->ldt_base = RT_BASE;
	c->ldt_ents = 8193;
	refuse(c, id, "too many LDT entries");
	c->ldt_base = RT_BASE + 8;
	c->ldt_ents = 16;
	refuse(c, id, "a misaligned LDT");
}

/*
 * VCPUOP_initialise refuses a context that starts in user mode without a user
 * root.
 */
CASE(vinit_user, "VCP-009", 0)
{
	unsigned int id;
	struct vcpu_guest_context *c = fresh(&id);

	c->flags &= ~VGCF_in_kernel;
	c->ctrlreg[1] = 0;
	refuse(c, id, "user mode without a root");
}

struct probe {
	unsigned long rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r15, flags,
		      cs, ss, cr3, fs, gs;
};

/* Written by the assembly below. */
struct probe got;

void vinit_probe(void);
void vinit_probe_c(void);

asm(".text\nvinit_probe:\n"
	"mov %rax, got\nmov %rbx, got+8\nmov %rcx, got+16\nmov %rdx, got+24\n"
	"mov %rsi, got+32\nmov %rdi, got+40\nmov %rbp, got+48\nmov %rsp, got+56\n"
	"mov %r8, got+64\nmov %r15, got+72\npushfq\npopq got+80\n"
	"xor %eax, %eax\nmov %cs, %ax\nmov %rax, got+88\nmov %ss, %ax\n"
	"mov %rax, got+96\nmov %cr3, %rax\nmov %rax, got+104\n"
	"mov %fs:0, %rax\nmov %rax, got+112\nmov %gs:0, %rax\nmov %rax, got+120\n"
	"call vinit_probe_c\nud2\n");

static struct trap trap_seen;

static void touch(void *p)
{
	*(volatile char *)p;
}

void vinit_probe_c(void)
{
	struct vcpu *v = self();

	trap_seen = trap_of(touch, BAD_PTR);
	v->busy = false;
	hyp_vcpu_op(VCPUOP_down, v->id, NULL);
}

/*
 * A vCPU starts as its context says: registers, stack, root, bases and trap
 * table. Selectors with RPL 0 and IOPL 3 get the guest's privilege.
 */
CASE(vinit_registers, "VCP-010 VCP-011 VCP-012 VCP-013 VCP-014 VCP-015", ALONE)
{
	static unsigned long fs_word = 0x1111, gs_word = 0x2222;
	struct probe r;
	unsigned int id;
	struct vcpu_guest_context *c = fresh(&id);
	unsigned long sp;

	c->user_regs.rip = (unsigned long)vinit_probe;
	c->user_regs.rax = 0xa1;
	c->user_regs.rbx = 0xb2;
	c->user_regs.rcx = 0xc3;
	c->user_regs.rdx = 0xd4;
	c->user_regs.rsi = 0xe5;
	c->user_regs.rdi = 0xf6;
	c->user_regs.rbp = 0x17;
	c->user_regs.r8 = 0x28;
	c->user_regs.r15 = 0x39;
	c->user_regs.cs = FLAT_KERNEL_CS & ~3;
	c->user_regs.ss = FLAT_KERNEL_SS & ~3;
	c->user_regs.rflags = 0x3202 | 1;
	c->fs_base = (unsigned long)&fs_word;
	c->gs_base_kernel = (unsigned long)&gs_word;
	sp = c->user_regs.rsp;
	vcpus[id].started = true;
	vcpus[id].busy = true;
	want_eq(hyp_vcpu_op(VCPUOP_initialise, id, c), 0);
	want_eq(hyp_vcpu_op(VCPUOP_is_up, id, NULL), 0);
	want_eq(hyp_vcpu_op(VCPUOP_up, id, NULL), 0);
	want(vcpu_join(id));
	barrier();
	r = got;
	want_eq(r.rax, 0xa1);
	want_eq(r.rbx, 0xb2);
	want_eq(r.rcx, 0xc3);
	want_eq(r.rdx, 0xd4);
	want_eq(r.rsi, 0xe5);
	want_eq(r.rdi, 0xf6);
	want_eq(r.rbp, 0x17);
	want_eq(r.rsp, sp);
	want_eq(r.r8, 0x28);
	want_eq(r.r15, 0x39);
	want_eq(r.flags & 0x3001, 1);
	want_eq(r.cs, FLAT_KERNEL_CS);
	want_eq(r.ss, FLAT_KERNEL_SS);
	want_eq(r.cr3 >> PAGE_SHIFT, rt_boot_cr3);
	want_eq(r.fs, 0x1111);
	want_eq(r.gs, 0x2222);
	want_eq(trap_seen.vec, TRAP_PF);
}

/*
 * A root that a vCPU was initialised with is held: it cannot be mapped
 * writable.
 */
CASE(vinit_root_held, "VCP-011 MMU-TYPE-004", ALONE)
{
	unsigned int id, slot = (RT_BASE >> 39) & 511;
	struct vcpu_guest_context *c = fresh(&id);
	uint64_t *l4 = page_alloc();

	l4[slot] = READ_ONCE(((uint64_t *)start_info.pt_base)[slot]);
	page_ro(l4);
	c->ctrlreg[3] = xen_pfn_to_cr3(virt_mfn(l4));
	want_eq(hyp_vcpu_op(VCPUOP_initialise, id, c), 0);
	want(map(window(5), mk_pte(l4, PTE_RW)) < 0);
	want(hyp_update_va_mapping((unsigned long)l4, mk_pte(l4, PTE_RW), 0) < 0);
}
