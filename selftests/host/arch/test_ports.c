// SPDX-License-Identifier: MIT
/*
 * Event-channel ports as interrupts: no event is lost while a port is bound, moves
 * to another vCPU, or waits for its driver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SHIM_VCPUS 2

#include "irq.h"

#include "../../../arch/x86/pvguest/ports.c"

#define PORT	70

#include "vcpus.h"

unsigned long *pvguest_p2m;
unsigned long pvguest_p2m_entries;
static const struct cpumask all = { { BIT(SHIM_VCPUS) - 1 } };
const struct cpumask *cpu_online_mask = &all;

void shim_mutex_lock(pthread_mutex_t *lock)
{
	pthread_mutex_lock(lock);
}

/* The port as the ABI has it, and the vCPU that knows of its event. */
static bool pending, masked;
static unsigned int owner;
static int notified = -1;
static bool refuse_move;

static void deliver(void)
{
	if (pending && !masked)
		notified = owner;
}

static void send(void)
{
	pending = true;
	deliver();
}

static bool abi_mask(unsigned int port)
{
	bool was = masked;

	assert_int_equal(port, PORT);
	masked = true;
	return was;
}

static void abi_unmask(unsigned int port)
{
	assert_int_equal(port, PORT);
	masked = false;
	deliver();
}

static void abi_clear(unsigned int port)
{
	pending = false;
}

static void abi_set_pending(unsigned int port)
{
	pending = true;
}

static bool abi_is_pending(unsigned int port)
{
	return pending;
}

static bool abi_is_notified(unsigned int port, unsigned int cpu)
{
	return notified == (int)cpu;
}

static int abi_setup_port(unsigned int port)
{
	return 0;
}

static void abi_bind_cpu(unsigned int port, unsigned int cpu, int old_cpu)
{
}

static void abi_release(unsigned int port)
{
	assert_true(masked);
}

static int abi_cpu_up(unsigned int cpu)
{
	return 0;
}

static void abi_cpu_dead(unsigned int cpu, pv_port_fn *stray)
{
	stray(PORT);
}

static const struct pv_evtchn_abi abi = {
	.cpu_up = abi_cpu_up,
	.cpu_dead = abi_cpu_dead,
	.setup_port = abi_setup_port,
	.bind_cpu = abi_bind_cpu,
	.release = abi_release,
	.mask = abi_mask,
	.unmask = abi_unmask,
	.clear = abi_clear,
	.set_pending = abi_set_pending,
	.is_pending = abi_is_pending,
	.is_notified = abi_is_notified,
};

const struct pv_evtchn_abi pvguest_evtchn_2l;
const struct pv_evtchn_abi pvguest_evtchn_fifo;

long hyp_event_channel_op(int cmd, void *arg)
{
	switch (cmd) {
	case EVTCHNOP_unmask:
		masked = false;
		deliver();
		return 0;
	case EVTCHNOP_bind_vcpu:
		if (refuse_move)
			return -EINVAL;
		owner = ((struct evtchn_bind_vcpu *)arg)->vcpu;
		return 0;
	case EVTCHNOP_close:
		return 0;
	}
	fail();
	return 0;
}

static unsigned int handled;

static irqreturn_t handler(int irq, void *dev)
{
	handled++;
	return IRQ_HANDLED;
}

/* The upcall on the vCPU that was notified, if one was. */
static void upcall(void)
{
	if (notified < 0)
		return;
	notified = -1;
	if (pending && !masked)
		pvguest_port_event(PORT);
}

static unsigned int bind_flags;

static void bind(void)
{
	assert_int_equal(pvguest_bind_port(PORT, handler, bind_flags, "test", NULL), SHIM_IRQ);
}

static int start(void **state)
{
	pvguest_evtchn = &abi;
	pending = false;
	masked = true;
	owner = 0;
	notified = -1;
	refuse_move = false;
	handled = 0;
	bind_flags = 0;
	pv_domain = irq_domain_create_tree(NULL, &pv_domain_ops, NULL);
	return 0;
}

static int stop(void **state)
{
	if (shim_mapped)
		pvguest_unbind(SHIM_IRQ, NULL);
	return 0;
}

static void event_before_binding(void **state)
{
	/* The FIFO ABI's ports are not masked at first. */
	masked = false;
	send();
	upcall();
	assert_true(masked);
	bind();
	upcall();
	assert_int_equal(handled, 1);
}

/* Another vCPU binds the port while this one finds it unbound. */
static void bound_during_an_event(void **state)
{
	masked = false;
	send();
	shim_unmapped = bind;
	upcall();
	assert_null(shim_unmapped);
	assert_false(masked);
	upcall();
	assert_int_equal(handled, 1);
	send();
	upcall();
	assert_int_equal(handled, 2);
}

static void move(unsigned int cpu)
{
	pv_irq_set_affinity(&shim_desc.irq_data, cpumask_of(cpu), false);
}

static void moves_with_an_event(void **state)
{
	bind();
	send();
	assert_int_equal(notified, 0);
	notified = -1;		/* not served before the change */
	move(1);
	assert_int_equal(owner, 1);
	assert_int_equal(notified, 1);
	upcall();
	assert_int_equal(handled, 1);
	/* An event sent to the former vCPU is passed on; the new one may know already. */
	pending = true;
	pvguest_port_stray(PORT);
	assert_int_equal(notified, 1);
	upcall();
	assert_int_equal(handled, 2);
	pvguest_port_stray(PORT);
	assert_int_equal(notified, -1);
	pending = true;
	pvguest_ports_cpu_dead(0);
	upcall();
	assert_int_equal(handled, 3);
}

static void move_is_refused(void **state)
{
	bind();
	refuse_move = true;
	send();
	assert_int_equal(pv_irq_set_affinity(&shim_desc.irq_data, cpumask_of(1), false), -EINVAL);
	assert_int_equal(owner, 0);
	assert_int_equal(notified, 0);
	upcall();
	assert_int_equal(handled, 1);
}

static void late_end(void **state)
{
	unsigned int i;

	bind_flags = PVGUEST_EVENT_LATE_EOI;
	bind();
	send();
	upcall();
	assert_int_equal(handled, 1);
	assert_true(masked);
	send();
	upcall();
	assert_int_equal(handled, 1);
	/* Also a move leaves it with its driver. */
	move(1);
	assert_true(masked);
	pvguest_irq_eoi(SHIM_IRQ, false);
	assert_int_equal(notified, 1);
	upcall();
	assert_int_equal(handled, 2);
	/* Events without work come ever more rarely. */
	for (i = 0; i < PV_FREE_EVENTS; i++)
		pvguest_irq_eoi(SHIM_IRQ, true);
	assert_null(shim_delayed);
	abi_mask(PORT);
	pvguest_irq_eoi(SHIM_IRQ, true);
	assert_non_null(shim_delayed);
	assert_int_equal(shim_delayed->delay, 1);
	assert_true(masked);
	shim_delayed->work.func(&shim_delayed->work);
	assert_false(masked);
}

static void retriggered(void **state)
{
	bind();
	pv_irq_retrigger(&shim_desc.irq_data);
	assert_int_equal(notified, 0);
	upcall();
	assert_int_equal(handled, 1);
	/* While it is masked it waits. */
	abi_mask(PORT);
	pv_irq_retrigger(&shim_desc.irq_data);
	upcall();
	assert_int_equal(handled, 1);
	abi_unmask(PORT);
	upcall();
	assert_int_equal(handled, 2);
}

/* The port is another user's when its interrupt is still looked at. */
static void unbound(void **state)
{
	const struct irq_chip *chip;

	bind();
	chip = shim_chip;
	pvguest_unbind(SHIM_IRQ, NULL);
	assert_true(masked);
	pending = true;
	chip->irq_unmask(&shim_desc.irq_data);
	chip->irq_ack(&shim_desc.irq_data);
	assert_true(masked);
	assert_true(pending);
	assert_int_equal(pv_irq_retrigger(&shim_desc.irq_data), 0);
	assert_int_equal(pv_irq_set_affinity(&shim_desc.irq_data, cpumask_of(1), false), -EINVAL);
	pvguest_irq_eoi(SHIM_IRQ, false);
	pvguest_port_stray(PORT);
	assert_true(masked);
	assert_int_equal(pvguest_irq_port(SHIM_IRQ), 0);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(event_before_binding),
		TEST(bound_during_an_event),
		TEST(moves_with_an_event),
		TEST(move_is_refused),
		TEST(late_end),
		TEST(retriggered),
		TEST(unbound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
