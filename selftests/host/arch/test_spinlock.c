// SPDX-License-Identifier: MIT
/*
 * Waits for locks: no kick is lost, wherever in a wait it comes and whatever
 * interrupts the wait; and none is waited for where none can come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SHIM_VCPUS 2
#define CONFIG_PARAVIRT_SPINLOCKS

#include "shim/ipi.h"
#include "../../../arch/x86/pvguest/internal.h"

#undef pv_count
#define pv_count(what)		((void)what++)
#define in_nmi()		nmi
#define barrier()		((void)0)
#define virt_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define static_branch_disable(key)	(*(key) = false)
#define num_possible_cpus()	possible
#define PV_CALLEE_SAVE(f)	f

typedef void slow_path_fn(void);

static bool nmi, virt_spin_lock_key, nopvspin;
static unsigned int possible, lock_wait, lock_kick, hashes;
static struct {
	struct {
		slow_path_fn *queued_spin_lock_slowpath;
		slow_path_fn *queued_spin_unlock;
		void (*wait)(u8 *byte, u8 value);
		void (*kick)(int cpu);
	} lock;
} pv_ops;

static void __pv_queued_spin_lock_slowpath(void) { }
static void __pv_queued_spin_unlock(void) { }

static void __pv_init_lock_hash(void)
{
	hashes++;
}

long hyp_sched_op(int cmd, void *arg);

#include "../../../arch/x86/pvguest/spinlock.c"

#define LOCKED	3
#define PORT(cpu)	(7 + (cpu))

#include "vcpus.h"

unsigned long *pvguest_p2m;
unsigned long pvguest_p2m_entries;
const struct cpumask *cpu_online_mask;

/* The hypervisor: ports by number, of which those of this domain are open. */
static bool open[16], pending[16], masked[16];
static unsigned int polls;
static long poll_error;
static u8 byte;

/* An event at a place of the wait, once: all of the races. */
static void (*before_clear)(void), (*after_clear)(void);
static void (*before_poll)(void), (*in_poll)(void);

static void happen(void (**what)(void))
{
	void (*now)(void) = *what;

	*what = NULL;
	if (now)
		now();
}

static void clear(unsigned int port)
{
	happen(&before_clear);
	pending[port] = false;
	happen(&after_clear);
}

static void set_pending(unsigned int port)
{
	pending[port] = true;
}

static bool mask(unsigned int port)
{
	bool was = masked[port];

	masked[port] = true;
	return was;
}

static const struct pv_evtchn_abi abi = {
	.clear = clear,
	.set_pending = set_pending,
	.mask = mask,
};

const struct pv_evtchn_abi *pvguest_evtchn = &abi;

/* A poll that nothing would end fails the test. */
long hyp_sched_op(int cmd, void *arg)
{
	const struct sched_poll *poll = arg;
	unsigned int port;

	assert_int_equal(cmd, SCHEDOP_poll);
	assert_int_equal(poll->nr_ports, 1);
	assert_int_equal(poll->timeout, 0);
	port = *poll->ports.p;
	assert_int_equal(port, PORT(shim_cpu));
	polls++;
	if (poll_error)
		return poll_error;
	happen(&before_poll);
	if (!pending[port])
		happen(&in_poll);
	assert_true(pending[port]);
	return 0;
}

void pvguest_notify_port(unsigned int port)
{
	assert_true(open[port]);
	pending[port] = true;
}

int pvguest_new_port(unsigned int port, unsigned int cpu)
{
	assert_int_equal(port, PORT(cpu));
	return 0;
}

void pvguest_close_port(unsigned int port)
{
	open[port] = false;
}

long hyp_event_channel_op(int cmd, void *arg)
{
	struct evtchn_bind_ipi *op = arg;

	assert_int_equal(cmd, EVTCHNOP_bind_ipi);
	op->port = PORT(op->vcpu);
	assert_false(open[op->port]);
	open[op->port] = true;
	return 0;
}

bool pvguest_early_table_is_live(const void *table)
{
	return false;
}

void shim_bug(void)
{
	fail();
	__builtin_unreachable();
}

static void boot(void)
{
	memset(&pv_ops, 0, sizeof(pv_ops));
	memset(pv_lock_port, 0, sizeof(pv_lock_port));
	memset(pv_lock_waiting, 0, sizeof(pv_lock_waiting));
	memset(open, 0, sizeof(open));
	memset(pending, 0, sizeof(pending));
	memset(masked, 0, sizeof(masked));
	pv_lock_polls = false;
	virt_spin_lock_key = true;
	hashes = 0;
	lock_wait = 0;
	lock_kick = 0;
	polls = 0;
	pvguest_lock_init();
}

static int fresh(void **state)
{
	shim_cpu = 0;
	nmi = false;
	nopvspin = false;
	possible = SHIM_VCPUS;
	poll_error = 0;
	byte = LOCKED;
	before_clear = NULL;
	after_clear = NULL;
	before_poll = NULL;
	in_poll = NULL;
	boot();
	return pvguest_lock_cpu_up(0) ?: pvguest_lock_cpu_up(1);
}

/* vCPU 1 releases the lock to vCPU 0. */
static void release(void)
{
	byte = 0;
	pv_ops.lock.kick(0);
}

static void wait(void)
{
	pv_ops.lock.wait(&byte, LOCKED);
}

static void a_kick_ends_a_wait(void **state)
{
	in_poll = release;
	wait();
	assert_null(in_poll);
	assert_int_equal(lock_wait, 1);
	assert_int_equal(lock_kick, 1);
	/* Without a change of the byte as well. */
	byte = LOCKED;
	in_poll = release;
	wait();
	assert_int_equal(lock_wait, 2);
}

static void a_kick_reaches_the_vcpu_that_it_is_for(void **state)
{
	pv_ops.lock.kick(1);
	assert_false(pending[PORT(0)]);
	assert_true(pending[PORT(1)]);
}

static void a_lock_that_is_free_is_not_waited_for(void **state)
{
	release();
	wait();
	assert_int_equal(polls, 0);
	assert_int_equal(lock_wait, 0);
}

static void no_kick_is_lost_on_the_way_into_a_wait(void **state)
{
	before_clear = release;
	wait();
	assert_int_equal(polls, 0);

	byte = LOCKED;
	after_clear = release;
	wait();
	assert_int_equal(polls, 0);

	byte = LOCKED;
	before_poll = release;
	wait();
	assert_int_equal(polls, 1);
}

/* The first kick was for a wait that was over when it came. */
static void a_late_kick_does_not_end_the_next_wait(void **state)
{
	release();
	byte = LOCKED;
	in_poll = release;
	wait();
	assert_null(in_poll);
}

static u8 inner;

static void release_inner(void)
{
	inner = 0;
	pv_ops.lock.kick(0);
}

/* An interrupt handler waits for another lock. */
static void interrupt(void)
{
	inner = LOCKED;
	in_poll = release_inner;
	pv_ops.lock.wait(&inner, LOCKED);
	assert_null(in_poll);
}

static void kick_and_interrupt(void)
{
	release();
	interrupt();
}

/* The handler finds its lock free: there is no second kick. */
static void kick_and_short_interrupt(void)
{
	release();
	inner = 0;
	pv_ops.lock.wait(&inner, LOCKED);
}

static void an_interrupt_takes_no_kick_of_the_wait_below(void **state)
{
	before_clear = kick_and_interrupt;
	wait();
	assert_int_equal(polls, 1);

	byte = LOCKED;
	before_poll = kick_and_interrupt;
	wait();
	assert_int_equal(polls, 3);

	byte = LOCKED;
	before_poll = kick_and_short_interrupt;
	wait();
	assert_int_equal(polls, 4);
	/* A wait that is not interrupted waits again. */
	byte = LOCKED;
	in_poll = release;
	wait();
	assert_null(in_poll);
}

static void two_interrupts(void)
{
	inner = LOCKED;
	before_poll = kick_and_short_interrupt;
	pv_ops.lock.wait(&inner, LOCKED);
}

static void interrupts_of_interrupts_take_none_either(void **state)
{
	before_poll = two_interrupts;
	wait();
	assert_null(before_poll);
	assert_int_equal(polls, 2);
}

static void an_nmi_never_waits(void **state)
{
	pending[PORT(0)] = true;
	nmi = true;
	wait();
	assert_int_equal(polls, 0);
	assert_true(pending[PORT(0)]);
}

static void without_a_port_no_vcpu_waits_or_is_kicked(void **state)
{
	pvguest_lock_cpu_down(0);
	wait();
	pv_ops.lock.kick(0);
	assert_int_equal(polls, 0);
	assert_int_equal(lock_kick, 0);
	assert_int_equal(pvguest_lock_cpu_up(0), 0);
	in_poll = release;
	wait();
	assert_int_equal(polls, 1);
}

static void a_refused_poll_is_a_pause(void **state)
{
	poll_error = -ENOSYS;
	wait();
	assert_int_equal(lock_wait, 0);
	assert_false(pv_lock_waiting[0]);
}

static void ports_are_masked_and_made_once(void **state)
{
	assert_true(masked[PORT(0)]);
	assert_true(masked[PORT(1)]);
	assert_int_equal(pvguest_lock_cpu_up(1), 0);
	pvguest_lock_cpu_down(1);
	assert_false(open[PORT(1)]);
	pvguest_lock_cpu_down(1);
	assert_int_equal(pvguest_lock_cpu_up(1), 0);
	assert_true(open[PORT(1)]);
}

static void native_locks_where_no_vcpu_shares(void **state)
{
	assert_int_equal(hashes, 1);
	assert_false(virt_spin_lock_key);

	nopvspin = true;
	boot();
	assert_null(pv_ops.lock.queued_spin_lock_slowpath);
	assert_null(pv_ops.lock.queued_spin_unlock);
	assert_false(virt_spin_lock_key);
	assert_int_equal(pvguest_lock_cpu_up(0), 0);
	assert_false(open[PORT(0)]);

	nopvspin = false;
	possible = 1;
	boot();
	assert_null(pv_ops.lock.queued_spin_lock_slowpath);
	assert_false(virt_spin_lock_key);
	assert_int_equal(pvguest_lock_cpu_up(0), 0);
	assert_false(open[PORT(0)]);
	assert_int_equal(hashes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_kick_ends_a_wait, fresh),
		cmocka_unit_test_setup(a_kick_reaches_the_vcpu_that_it_is_for, fresh),
		cmocka_unit_test_setup(a_lock_that_is_free_is_not_waited_for, fresh),
		cmocka_unit_test_setup(no_kick_is_lost_on_the_way_into_a_wait, fresh),
		cmocka_unit_test_setup(a_late_kick_does_not_end_the_next_wait, fresh),
		cmocka_unit_test_setup(an_interrupt_takes_no_kick_of_the_wait_below, fresh),
		cmocka_unit_test_setup(interrupts_of_interrupts_take_none_either, fresh),
		cmocka_unit_test_setup(an_nmi_never_waits, fresh),
		cmocka_unit_test_setup(without_a_port_no_vcpu_waits_or_is_kicked, fresh),
		cmocka_unit_test_setup(a_refused_poll_is_a_pause, fresh),
		cmocka_unit_test_setup(ports_are_masked_and_made_once, fresh),
		cmocka_unit_test_setup(native_locks_where_no_vcpu_shares, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
