// SPDX-License-Identifier: MIT
/*
 * Traps and callbacks of a bare guest: the table, the one C entry, and
 * recovery, so that a case can provoke a fault and examine it.
 */
#include "rt.h"

struct trap last_trap;
bool (*trap_hook)(struct frame *f);

void rt_trap(struct frame *f);
void event_upcall(void);

/* Exceptions for which the processor pushes an error code. */
#define HAS_ERROR	((1U << 8) | (1U << 10) | (1U << 11) | (1U << 12) | \
			 (1U << 13) | (1U << 14) | (1U << 17) | (1U << 21))

void trap_table_fill(struct trap_info *t)
{
	unsigned int v, n = 0;

	for (v = 0; v < 256; v++) {
		bool err = v < 32 && (HAS_ERROR & (1U << v));

		/* Vector 2 has its own hypercall; 15 and 0x82 are reserved. */
		if (v == 2)
			continue;
		t[n].vector = (uint8_t)v;
		/* Breakpoint, overflow and software vectors: user may enter. */
		t[n].flags = v == 3 || v == 4 || v >= 32 ? 3 : 0;
		t[n].cs = FLAT_KERNEL_CS;
		t[n].address = (unsigned long)(err ? rt_trap_stubs_err :
						     rt_trap_stubs) + v * 16;
		n++;
	}
	memset(&t[n], 0, sizeof(t[n]));
}

void trap_table_install(void)
{
	static struct trap_info table[257];

	trap_table_fill(table);
	if (hyp_set_trap_table(table))
		panic("set_trap_table failed");
}

static void callback(uint16_t type, char *entry, uint16_t flags)
{
	struct callback_register r = {
		.type = type,
		.flags = flags,
		.address = (unsigned long)entry,
	};

	hyp_callback_op(CALLBACKOP_register, &r);
}

void callbacks_install(void)
{
	callback(CALLBACKTYPE_event, rt_entry_event, 0);
	callback(CALLBACKTYPE_failsafe, rt_entry_failsafe, CALLBACKF_mask_events);
	callback(CALLBACKTYPE_syscall, rt_entry_syscall, CALLBACKF_mask_events);
	/* Refused where the processor has no such instruction. */
	callback(CALLBACKTYPE_syscall32, rt_entry_syscall32, CALLBACKF_mask_events);
	callback(CALLBACKTYPE_sysenter, rt_entry_sysenter, CALLBACKF_mask_events);
	callback(CALLBACKTYPE_nmi, rt_entry_nmi, 0);
}

static void trap_note(struct trap *t, struct frame *f, unsigned long cr2)
{
	t->vec = (int)f->vector;
	t->user = (f->cs & 3) == 3;
	t->error = f->error;
	t->cr2 = cr2;
	t->masked = self()->info->evtchn_upcall_mask;
	t->f = *f;
	mutant_view(VIEW_TRAP, t, sizeof(*t));
}

void rt_trap(struct frame *f)
{
	struct vcpu *v = self();
	unsigned long cr2 = v->info ? v->info->arch.cr2 : 0;
	struct jump *to;

	if (trap_hook && trap_hook(f))
		return;
	if (f->vector == RT_VEC_EVENT && (!(f->cs & 3) || !v->user)) {
		event_upcall();
		return;
	}
	if ((f->cs & 3) == 3 && v->user) {
		to = v->user;
		v->user = NULL;
		if (f->vector == RT_VEC_EVENT)
			event_upcall();
		trap_note(v->trap, f, cr2);
		rt_longjmp(to);
	}
	if (v->recover) {
		to = v->recover;
		v->recover = NULL;
		trap_note(v->trap, f, cr2);
		rt_longjmp(to);
	}
	panic("vcpu %u: unexpected trap %lu error %lx rip %lx cr2 %lx rsp %lx cs %lx",
	      v->id, f->vector, f->error, f->rip, cr2, f->rsp, f->cs);
}

struct trap trap_of(void (*fn)(void *arg), void *arg)
{
	struct vcpu *v = self();
	struct jump here, *outer = v->recover;
	struct trap t, *outer_trap = v->trap;
	volatile unsigned char mask = v->info->evtchn_upcall_mask;

	memset(&t, 0, sizeof(t));
	t.vec = -1;
	v->trap = &t;
	if (!rt_setjmp(&here)) {
		v->recover = &here;
		fn(arg);
	}
	v = self();
	v->recover = outer;
	v->trap = outer_trap;
	v->info->evtchn_upcall_mask = mask;
	barrier();
	return t;
}

static void do_read(void *p)
{
	asm volatile("movb (%0), %%al" : : "r" (p) : "rax", "memory");
}

static unsigned long write_value;

static void do_write(void *p)
{
	*(volatile unsigned long *)p = write_value;
}

int fault_read(const volatile void *p)
{
	last_trap = trap_of(do_read, (void *)p);
	return last_trap.vec;
}

int fault_write(volatile void *p, unsigned long value)
{
	write_value = value;
	last_trap = trap_of(do_write, (void *)p);
	return last_trap.vec;
}

static void do_exec(void *p)
{
	((void (*)(void))p)();
}

int fault_exec(const void *p)
{
	last_trap = trap_of(do_exec, (void *)p);
	return last_trap.vec;
}
