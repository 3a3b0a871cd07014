// SPDX-License-Identifier: MIT
/*
 * vCPUs of a bare guest.  Each runs one function at a time and takes
 * itself down afterwards, so that a case leaves no other processor running.
 */
#include "rt.h"

struct vcpu vcpus[MAX_VCPUS];

void vcpu_init(void);
void rt_ap_start(struct vcpu *v) __attribute__((noreturn));

struct vcpu *self(void)
{
	unsigned long sp;

	asm volatile("mov %%rsp, %0" : "=r" (sp));
	return *(struct vcpu **)(sp & ~(RT_STACK - 1UL));
}

void vcpu_init(void)
{
	unsigned long sp;
	unsigned int i;

	for (i = 0; i < MAX_VCPUS; i++)
		vcpus[i].id = i;
	asm volatile("mov %%rsp, %0" : "=r" (sp));
	vcpus[0].stack = (char *)(sp & ~(RT_STACK - 1UL));
	*(struct vcpu **)vcpus[0].stack = &vcpus[0];
	vcpus[0].started = true;
}

unsigned int vcpu_number(void)
{
	unsigned int n = 0;

	while (n < MAX_VCPUS &&
	       raw_call3(__HYPERVISOR_vcpu_op, VCPUOP_is_up, n, 0) >= 0)
		n++;
	return n;
}

void rt_ap_start(struct vcpu *v)
{
	for (;;) {
		if (v->fn)
			v->fn(v->arg);
		v->fn = NULL;
		/* The function's effects are visible before its end is. */
		mb();
		v->busy = false;
		raw_call3(__HYPERVISOR_vcpu_op, VCPUOP_down, v->id, 0);
	}
}

static char *stack_alloc(void)
{
	char *p = pages_alloc(2 * RT_STACK / PAGE_SIZE - 1);

	return (char *)(((unsigned long)p + RT_STACK - 1) & ~(RT_STACK - 1UL));
}

void vcpu_context(struct vcpu_guest_context *c, unsigned int id)
{
	struct vcpu *v = &vcpus[id];

	if (!v->stack) {
		v->stack = stack_alloc();
		*(struct vcpu **)v->stack = v;
	}
	memset(c, 0, sizeof(*c));
	c->flags = VGCF_in_kernel;
	c->user_regs.rip = (unsigned long)rt_ap_entry;
	c->user_regs.cs = FLAT_KERNEL_CS;
	c->user_regs.ss = FLAT_KERNEL_SS;
	c->user_regs.rsp = (unsigned long)v->stack + RT_STACK;
	c->user_regs.rdi = (unsigned long)v;
	c->user_regs.rflags = 0x200;
	c->kernel_ss = FLAT_KERNEL_SS;
	c->kernel_sp = (unsigned long)v->stack + RT_STACK;
	c->ctrlreg[3] = xen_pfn_to_cr3(rt_boot_cr3);
	c->event_callback_eip = (unsigned long)rt_entry_event;
	c->failsafe_callback_eip = (unsigned long)rt_entry_failsafe;
	c->syscall_callback_eip = (unsigned long)rt_entry_syscall;
	trap_table_fill(c->trap_ctxt);
	/* Here the slot number is the vector, there is no sentinel. */
	memmove(&c->trap_ctxt[3], &c->trap_ctxt[2], 253 * sizeof(c->trap_ctxt[0]));
	memset(&c->trap_ctxt[2], 0, sizeof(c->trap_ctxt[2]));
}

void vcpu_run(unsigned int id, void (*fn)(void *arg), void *arg)
{
	struct vcpu *v = &vcpus[id];
	long ret;

	if (v->busy)
		panic("vcpu %u is still busy", id);
	if (!v->started) {
		struct vcpu_guest_context *c =
			pages_alloc((sizeof(*c) + PAGE_SIZE - 1) / PAGE_SIZE);

		vcpu_context(c, id);
		ret = raw_call3(__HYPERVISOR_vcpu_op, VCPUOP_initialise, id,
				(unsigned long)c);
		if (ret)
			panic("vcpu %u: initialise: %ld", id, ret);
		v->started = true;
		shared_info->vcpu_info[id].evtchn_upcall_mask = 1;
	}
	until(raw_call3(__HYPERVISOR_vcpu_op, VCPUOP_is_up, id, 0) == 0, 5000);
	v->fn = fn;
	v->arg = arg;
	v->busy = true;
	/* All of it before the vCPU starts. */
	mb();
	ret = raw_call3(__HYPERVISOR_vcpu_op, VCPUOP_up, id, 0);
	if (ret)
		panic("vcpu %u: up: %ld", id, ret);
}

bool vcpu_join(unsigned int id)
{
	return until(!vcpus[id].busy, 5000);
}

void lock(struct lock *l)
{
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

void unlock(struct lock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}
