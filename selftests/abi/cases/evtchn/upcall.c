// SPDX-License-Identifier: MIT
/* The event callback: when it is made, its registers and its frame. */
#include "case.h"

static struct frame seen;
static unsigned int seen_mask, seen_count;
static unsigned long seen_sp;

static bool watch(struct frame *f)
{
	if (f->vector != RT_VEC_EVENT)
		return false;
	seen = *f;
	seen_sp = (unsigned long)(f + 1);
	seen_mask = self()->info->evtchn_upcall_mask;
	seen_count++;
	return false;
}

static void watch_start(void)
{
	seen_count = 0;
	memset(&seen, 0, sizeof(seen));
	trap_hook = watch;
}

/*
 * With events enabled a send to the sender's own vCPU makes an upcall before
 * the next instruction.
 */
CASE(upcall_when, "EVT-CB-001", 0)
{
	struct chan c = chan_open();
	unsigned int before = event_count[c.b];

	events_on();
	want_eq(evtchn_send(c.a), 0);
	want_eq(event_count[c.b], before + 1);
	events_off();
	want_eq(evtchn_send(c.a), 0);
	want_eq(event_count[c.b], before + 1);
	chan_close(c);
}

/*
 * The callback starts with events masked; the frame holds the old mask, and IF
 * in its flags is the inverse.
 */
CASE(upcall_masks, "EVT-CB-002 EVT-CB-008", 0)
{
	struct chan c = chan_open();

	watch_start();
	events_on();
	want_eq(evtchn_send(c.a), 0);
	want_eq(self()->info->evtchn_upcall_mask, 0);
	events_off();
	want_eq(seen_count, 1);
	want_eq(seen_mask, 1);
	want_eq(seen.cs >> 32 & 0xff, 0);
	want(seen.rflags & (1UL << 9));
	chan_close(c);
}

/*
 * The frame of an upcall holds the interrupted address in kernel code, the
 * kernel selectors and the flags.
 */
CASE(upcall_frame, "EVT-CB-003", 0)
{
	struct chan c = chan_open();

	watch_start();
	events_on();
	want_eq(evtchn_send(c.a), 0);
	events_off();
	want_eq(seen_count, 1);
	want(seen.rip >= (unsigned long)rt_image && seen.rip < (unsigned long)rt_etext);
	want_eq(seen.cs & 0xfffc, FLAT_KERNEL_CS & 0xfffc);
	want_eq(seen.cs & 3, 0);
	want_eq(seen.ss & 0xfffc, FLAT_KERNEL_SS & 0xfffc);
	chan_close(c);
}

/*
 * The frame of an upcall in kernel mode is below the interrupted stack
 * pointer, aligned down to 16 bytes.
 */
CASE(upcall_stack, "EVT-CB-004", 0)
{
	struct chan c = chan_open();

	watch_start();
	events_on();
	want_eq(evtchn_send(c.a), 0);
	events_off();
	want_eq(seen_count, 1);
	want_eq(seen_sp & 15, 0);
	want(seen_sp <= seen.rsp);
	want(seen.rsp - seen_sp < 16);
	chan_close(c);
}

USER(user_spin, "mov $0x80000000, %ecx\n1: pause\n loop 1b\n syscall");

/*
 * An upcall in user mode enters on the kernel stack with the kernel's address
 * space: the runtime reads its own memory in the handler.
 */
CASE(upcall_user, "EVT-CB-005 EVT-CB-001", 0)
{
	struct chan c = chan_open();
	struct trap t;
	unsigned int before = event_count[c.b];

	want_eq(evtchn_send(c.a), 0);
	t = user_call(user_spin, 0);
	events_off();
	want_eq(t.vec, RT_VEC_EVENT);
	want(t.user);
	want_eq(t.f.cs & 3, 3);
	want_eq(t.masked, 1);
	want_eq(event_count[c.b], before + 1);
	chan_close(c);
}

/*
 * Clearing the event mask in memory makes no upcall; the next entry into the
 * hypervisor does.
 */
CASE(upcall_unmask_memory, "EVT-CB-006", 0)
{
	struct chan c = chan_open();
	unsigned int before, during;

	want_eq(evtchn_send(c.a), 0);
	before = upcall_count;
	WRITE_ONCE(self()->info->evtchn_upcall_mask, 0);
	WRITE_ONCE(self()->info->evtchn_upcall_mask, 1);
	during = upcall_count;
	events_on();
	events_off();
	/* A preemption in between may deliver the event early, hence no equality. */
	want(during - before <= 1);
	want_eq(upcall_count, before + 1);
	chan_close(c);
}

/*
 * The hypervisor never clears the pending flag: it stays set until the guest
 * clears it.
 */
CASE(upcall_flag_stays, "EVT-CB-007", 0)
{
	struct chan c = chan_open();

	want_eq(evtchn_send(c.a), 0);
	want_eq(hyp_sched_op(SCHEDOP_yield, NULL), 0);
	want_eq(self()->info->evtchn_upcall_pending, 1);
	self()->info->evtchn_upcall_pending = 0;
	want_eq(hyp_sched_op(SCHEDOP_yield, NULL), 0);
	want_eq(self()->info->evtchn_upcall_pending, 0);
	chan_close(c);
}

/* PUSHF shows IF set, whether events are masked or not. */
CASE(upcall_if_reads_set, "EVT-CB-008", 0)
{
	unsigned long flags;

	events_off();
	asm volatile("pushfq; popq %0" : "=r" (flags));
	want(flags & (1UL << 9));
	events_on();
	asm volatile("pushfq; popq %0" : "=r" (flags));
	want(flags & (1UL << 9));
	events_off();
}

/* The frame of a fault taken while events are masked shows IF clear. */
CASE(upcall_if_in_frame, "EVT-CB-008", 0)
{
	events_off();
	want_eq(fault_read(BAD_PTR), TRAP_PF);
	want_eq(last_trap.f.rflags & (1UL << 9), 0);
	want_eq(last_trap.f.cs >> 32 & 0xff, 1);
	events_on();
	want_eq(fault_read(BAD_PTR), TRAP_PF);
	events_off();
	want(last_trap.f.rflags & (1UL << 9));
	want_eq(last_trap.f.cs >> 32 & 0xff, 0);
}
