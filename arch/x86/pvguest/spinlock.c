// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks that give the processor away: a vCPU that has spun for a while polls
 * a port of its own, and the one that releases the lock to it kicks it by that port.
 *
 * The port is masked for good: a kick makes it pending and makes no upcall, and
 * SCHEDOP_poll returns for a pending port, masked or not (SCH-013, SCH-014).  A
 * vCPU that waits with interrupts on is woken by its other events too (SCH-035), so
 * the one that holds the lock may wait for an answer to an IPI.
 * Linux's queue of waiters (kernel/locking/qspinlock_paravirt.h) takes any end
 * of a wait as a hint, and looks at the lock again.
 */
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <asm/barrier.h>
#include <asm/paravirt.h>
#include <asm/qspinlock.h>

#include "internal.h"
#include "ports.h"

static bool pv_lock_polls __ro_after_init;

/* By which each vCPU is kicked; 0 if it cannot wait. */
static DEFINE_PER_CPU(unsigned int, pv_lock_port);
/* Between the two ends of pv_lock_wait(). */
static DEFINE_PER_CPU(bool, pv_lock_waiting);

/* Until the port is pending, or until something else makes the vCPU run. */
static void pv_lock_poll(evtchn_port_t port)
{
	struct sched_poll poll = { .nr_ports = 1 };

	set_xen_guest_handle(poll.ports, &port);
	if (hyp_sched_op(SCHEDOP_poll, &poll))
		cpu_relax();
	else
		pv_count(lock_wait);
}

/*
 * Wait for a kick, unless *@byte is not @value any more.  The caller has
 * preemption off, and interrupts as they were when it came for the lock.
 *
 * A kick comes after the change of the byte that it is for.  So the port is
 * cleared before the byte is looked at: a kick that is cleared here has its
 * change seen, and a later one ends the poll, also one that has yet to begin.
 *
 * An interrupt handler may come for a lock between the two, and its wait
 * then takes the kick that was for us.  It waits as any other, and leaves the port
 * pending, so that the poll that it has interrupted ends at once.
 */
static void pv_lock_wait(u8 *byte, u8 value)
{
	unsigned int port = this_cpu_read(pv_lock_port);
	bool nested;

	/* An NMI comes anywhere, also between the lines below. */
	if (!port || in_nmi()) {
		cpu_relax();
		return;
	}
	nested = this_cpu_read(pv_lock_waiting);
	this_cpu_write(pv_lock_waiting, true);
	barrier();
	pvguest_evtchn->clear(port);
	/* Pairs with the hypervisor making the port pending after the change. */
	virt_mb();
	if (READ_ONCE(*byte) == value)
		pv_lock_poll(port);
	barrier();
	this_cpu_write(pv_lock_waiting, nested);
	if (nested)
		pvguest_evtchn->set_pending(port);
}

/*
 * End the wait of a vCPU.  The wait may have ended by itself, and the vCPU may
 * even have gone off since: the port is then closed or another's, and an event
 * too many does no harm.
 */
static void pv_lock_kick(int cpu)
{
	unsigned int port = READ_ONCE(per_cpu(pv_lock_port, cpu));

	if (!port)
		return;
	pv_count(lock_kick);
	pvguest_notify_port(port);
}

/**
 * pvguest_lock_cpu_up() - give a vCPU the port of its waits, unless it has it
 * @cpu: the vCPU, not running yet unless it is the caller
 *
 * Context: process, or boot.
 * Return: 0 or a negative error.
 */
int pvguest_lock_cpu_up(unsigned int cpu)
{
	struct evtchn_bind_ipi op = { .vcpu = cpu };
	long ret;

	if (!pv_lock_polls || per_cpu(pv_lock_port, cpu))
		return 0;
	ret = hyp_event_channel_op(EVTCHNOP_bind_ipi, &op);
	if (ret)
		return ret;
	ret = pvguest_new_port(op.port, cpu);
	if (ret)
		return ret;
	pvguest_evtchn->mask(op.port);
	WRITE_ONCE(per_cpu(pv_lock_port, cpu), op.port);
	return 0;
}

/**
 * pvguest_lock_cpu_down() - take the port of a stopped vCPU's waits back
 * @cpu: the vCPU, which has stopped; nothing happens if it has no port
 *
 * Context: process.
 */
void pvguest_lock_cpu_down(unsigned int cpu)
{
	unsigned int port = per_cpu(pv_lock_port, cpu);

	if (!port)
		return;
	WRITE_ONCE(per_cpu(pv_lock_port, cpu), 0);
	pvguest_close_port(port);
}

/**
 * pvguest_lock_init() - choose how vCPUs wait for locks
 *
 * One vCPU waits for none, and with 'nopvspin' each has a processor of its own:
 * both take Linux's native locks.
 *
 * Context: boot, after native_pv_lock_init(), and before the calls of
 * pv_ops.lock are patched and a second vCPU runs.
 */
void __init pvguest_lock_init(void)
{
	/* Test-and-set locks, which Linux takes for any guest without these. */
	static_branch_disable(&virt_spin_lock_key);
	if (nopvspin || num_possible_cpus() == 1)
		return;
	__pv_init_lock_hash();
	pv_ops.lock.queued_spin_lock_slowpath = __pv_queued_spin_lock_slowpath;
	pv_ops.lock.queued_spin_unlock = PV_CALLEE_SAVE(__pv_queued_spin_unlock);
	pv_ops.lock.wait = pv_lock_wait;
	pv_ops.lock.kick = pv_lock_kick;
	pv_lock_polls = true;
}
