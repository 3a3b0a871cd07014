// SPDX-License-Identifier: MIT
/*
 * Inter-processor interrupts: each arrives, those that find the event pending
 * send none, and none relies on a sender that has yet to send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SHIM_VCPUS 2

#include "../../../arch/x86/pvguest/ipi.c"

#define PORT 7

#include "vcpus.h"

unsigned long *pvguest_p2m;
unsigned long pvguest_p2m_entries;
static const struct cpumask all = { { BIT(SHIM_VCPUS) - 1 } };
const struct cpumask *cpu_online_mask = &all;
struct apic *apic;
int smp_found_config;
struct x86_init x86_init;

/* The hypervisor. */
static unsigned int sent, nmis;
static bool pending, masked;

static bool is_pending(unsigned int port)
{
	assert_int_equal(port, PORT);
	return pending;
}

static bool mask(unsigned int port)
{
	masked = true;
	return false;
}

static void unmask(unsigned int port)
{
	masked = false;
}

static const struct pv_evtchn_abi abi = {
	.is_pending = is_pending,
	.mask = mask,
	.unmask = unmask,
};

const struct pv_evtchn_abi *pvguest_evtchn = &abi;

void pvguest_notify_port(unsigned int port)
{
	assert_int_equal(port, PORT);
	sent++;
	pending = true;
}

int pvguest_new_port(unsigned int port, unsigned int cpu)
{
	return 0;
}

void pvguest_close_port(unsigned int port)
{
	pending = false;
}

long hyp_event_channel_op(int cmd, void *arg)
{
	assert_int_equal(cmd, EVTCHNOP_bind_ipi);
	((struct evtchn_bind_ipi *)arg)->port = PORT;
	return 0;
}

long hyp_vcpu_op(int cmd, unsigned int vcpu, void *arg)
{
	assert_int_equal(cmd, VCPUOP_send_nmi);
	nmis++;
	return 0;
}

/* Linux's handlers. */
static unsigned int rescheduled, called, called_single, worked;

void scheduler_ipi(void)
{
	rescheduled++;
}

void generic_smp_call_function_interrupt(void)
{
	called++;
}

void generic_smp_call_function_single_interrupt(void)
{
	called_single++;
}

void irq_work_run(void)
{
	worked++;
}

void stop_this_cpu(void *unused)
{
	fail();
}

bool pvguest_early_table_is_live(const void *table)
{
	return false;
}

static int fresh(void **state)
{
	sent = 0;
	nmis = 0;
	pending = false;
	rescheduled = 0;
	called = 0;
	called_single = 0;
	worked = 0;
	memset(pv_ipi_requested, 0, sizeof(pv_ipi_requested));
	memset(pvguest_ipi_port, 0, sizeof(pvguest_ipi_port));
	return pvguest_ipi_cpu_up(1);
}

/* The event reaches vCPU 1, which clears it before it looks at the requests. */
static void upcall(void)
{
	shim_cpu = 1;
	pending = false;
	pvguest_ipi_event();
	shim_cpu = 0;
}

static void each_kind_reaches_its_handler(void **state)
{
	pvguest_ipi_init();
	apic->send_IPI(1, RESCHEDULE_VECTOR);
	upcall();
	apic->send_IPI(1, CALL_FUNCTION_VECTOR);
	upcall();
	apic->send_IPI(1, CALL_FUNCTION_SINGLE_VECTOR);
	upcall();
	apic->send_IPI(1, IRQ_WORK_VECTOR);
	upcall();
	assert_int_equal(sent, 4);
	assert_int_equal(rescheduled, 1);
	assert_int_equal(called, 1);
	assert_int_equal(called_single, 1);
	assert_int_equal(worked, 1);
	apic->send_IPI(1, NMI_VECTOR);
	assert_int_equal(nmis, 1);
}

static void those_that_find_the_event_pending_send_none(void **state)
{
	pv_send_ipi(1, RESCHEDULE_VECTOR);
	pv_send_ipi(1, RESCHEDULE_VECTOR);
	pv_send_ipi(1, CALL_FUNCTION_VECTOR);
	assert_int_equal(sent, 1);
	upcall();
	assert_int_equal(rescheduled, 1);
	assert_int_equal(called, 1);
	/* And the next one sends again. */
	pv_send_ipi(1, RESCHEDULE_VECTOR);
	assert_int_equal(sent, 2);
}

static void none_waits_for_a_sender_that_lost_its_processor(void **state)
{
	/* It has made its request, and got no further. */
	pv_ipi_requested[1] = BIT(PV_IPI_RESCHEDULE);
	pv_send_ipi(1, CALL_FUNCTION_VECTOR);
	assert_int_equal(sent, 1);
	upcall();
	assert_int_equal(called, 1);
	assert_int_equal(rescheduled, 1);
}

static void request_before_the_channel_is_sent_with_it(void **state)
{
	pvguest_ipi_cpu_down(1);
	pv_send_ipi(1, RESCHEDULE_VECTOR);
	assert_int_equal(sent, 0);
	assert_int_equal(pvguest_ipi_cpu_up(1), 0);
	assert_int_equal(sent, 1);
	assert_false(masked);
	upcall();
	assert_int_equal(rescheduled, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_kind_reaches_its_handler, fresh),
		cmocka_unit_test_setup(those_that_find_the_event_pending_send_none, fresh),
		cmocka_unit_test_setup(none_waits_for_a_sender_that_lost_its_processor, fresh),
		cmocka_unit_test_setup(request_before_the_channel_is_sent_with_it, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
