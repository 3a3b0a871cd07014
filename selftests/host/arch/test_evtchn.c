// SPDX-License-Identifier: MIT
/*
 * The two event-channel ABIs on two vCPUs: no event is lost when a port moves,
 * when its vCPU stops, or when two callers grow the event array at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SHIM_VCPUS 2

#include "../../../arch/x86/pvguest/evtchn_2l.c"
#include "../../../arch/x86/pvguest/evtchn_fifo.c"

#define PORT	70		/* in the second word of the bitmaps */
#define OTHER	75
#define PAGES	4		/* of the event array, at most */

#include "vcpus.h"

static struct shared_info shared;
struct shared_info *pvguest_shared_info = &shared;
static unsigned long p2m[SHIM_PAGES];
unsigned long *pvguest_p2m = p2m;
unsigned long pvguest_p2m_entries = SHIM_PAGES;

bool pvguest_early_table_is_live(const void *table)
{
	return false;
}

/* Calls of the ABI under test, in order: positive events, negative strays. */
static int called[8];
static unsigned int calls;

static void call(int port)
{
	assert_in_range(calls, 0, ARRAY_SIZE(called) - 1);
	called[calls++] = port;
}

static const struct pv_evtchn_abi *under_test;

static void event(unsigned int port)
{
	under_test->clear(port);
	call(port);
}

static void stray(unsigned int port)
{
	call(-port);
}

static void assert_called(int first, int second)
{
	assert_int_equal(calls, !!first + !!second);
	assert_int_equal(called[0], first);
	assert_int_equal(called[1], second);
	calls = 0;
	memset(called, 0, sizeof(called));
}

static void handle_on(const struct pv_evtchn_abi *abi, unsigned int cpu)
{
	shim_cpu = cpu;
	under_test = abi;
	abi->handle(event, stray);
}

/* The hypervisor. */

static struct evtchn_fifo_control_block *control_of[SHIM_VCPUS];
static unsigned long array_page[PAGES * 2];
static unsigned int array_pages, callers_inside, callers_locking, callers_done;
static pthread_mutex_t hypervisor = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool two_callers;
static unsigned int unmasked;

/*
 * The first of two callers stays in the hypercall until the second waits for the
 * lock, or until the second is done, if that has got into the hypercall too.
 */
static void expand_array(unsigned long mfn)
{
	pthread_mutex_lock(&hypervisor);
	assert_in_range(array_pages, 0, PAGES * 2 - 1);
	array_page[array_pages++] = mfn;
	callers_inside++;
	pthread_cond_broadcast(&changed);
	if (two_callers && callers_inside == 1) {
		while (callers_inside == 1 && callers_locking < 2)
			pthread_cond_wait(&changed, &hypervisor);
		while (callers_inside > 1 && !callers_done)
			pthread_cond_wait(&changed, &hypervisor);
	}
	pthread_mutex_unlock(&hypervisor);
}

void shim_mutex_lock(pthread_mutex_t *lock)
{
	pthread_mutex_lock(&hypervisor);
	callers_locking++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&hypervisor);
	pthread_mutex_lock(lock);
}

long hyp_event_channel_op(int cmd, void *arg)
{
	struct evtchn_init_control *init = arg;

	switch (cmd) {
	case EVTCHNOP_init_control:
		control_of[init->vcpu] = (void *)shim_pages[init->control_gfn];
		return 0;
	case EVTCHNOP_expand_array:
		expand_array(((struct evtchn_expand_array *)arg)->array_gfn);
		return 0;
	case EVTCHNOP_unmask:
		unmasked = ((struct evtchn_unmask *)arg)->port;
		return 0;
	}
	fail();
	return 0;
}

/* An event of @port, of which the hypervisor notifies @cpu. */
static void send_2l(unsigned int port, unsigned int cpu)
{
	if (sync_test_and_set_bit(port, shared.evtchn_pending) ||
	    sync_test_bit(port, shared.evtchn_mask))
		return;
	sync_set_bit(port / 64, &pvguest_vcpu_info[cpu].evtchn_pending_sel);
	pvguest_vcpu_info[cpu].evtchn_upcall_pending = 1;
}

static void send_fifo(unsigned int port, unsigned int cpu)
{
	const unsigned int queue = EVTCHN_FIFO_PRIORITY_DEFAULT;
	struct evtchn_fifo_control_block *control = control_of[cpu];
	static unsigned int tail[SHIM_VCPUS];
	event_word_t *word = pv_fifo_word(port);

	*word |= BIT(EVTCHN_FIFO_PENDING);
	if (*word & (BIT(EVTCHN_FIFO_MASKED) | BIT(EVTCHN_FIFO_LINKED)))
		return;
	*word |= BIT(EVTCHN_FIFO_LINKED);
	if (tail[cpu] && tail[cpu] != port &&
	    *pv_fifo_word(tail[cpu]) & BIT(EVTCHN_FIFO_LINKED)) {
		*pv_fifo_word(tail[cpu]) |= port;
	} else {
		control->head[queue] = port;
		control->ready |= BIT(queue);
	}
	tail[cpu] = port;
}

static int fresh(void **state)
{
	unsigned int i;

	memset(&shared, 0, sizeof(shared));
	memset(shared.evtchn_mask, 0xff, sizeof(shared.evtchn_mask));
	memset(pvguest_vcpu_info, 0, sizeof(pvguest_vcpu_info));
	memset(pv_2l_mine, 0, sizeof(pv_2l_mine));
	memset(pv_2l_former, 0, sizeof(pv_2l_former));
	memset(pv_2l_next, 0, sizeof(pv_2l_next));
	memset(called, 0, sizeof(called));
	for (i = 0; i < SHIM_PAGES; i++)
		p2m[i] = i;
	calls = 0;
	unmasked = 0;
	shim_cpu = 0;
	return 0;
}

static void bind_unmasked(const struct pv_evtchn_abi *abi, unsigned int port,
			  unsigned int cpu)
{
	assert_int_equal(abi->setup_port(port), 0);
	abi->bind_cpu(port, cpu, -1);
	shim_cpu = cpu;
	abi->unmask(port);
}

static void two_level_event_comes_to_its_vcpu_only(void **state)
{
	bind_unmasked(&pvguest_evtchn_2l, PORT, 1);
	send_2l(PORT, 1);
	/* Another event of the same word brings vCPU 0 to it. */
	bind_unmasked(&pvguest_evtchn_2l, OTHER, 0);
	send_2l(OTHER, 0);
	handle_on(&pvguest_evtchn_2l, 0);
	assert_called(OTHER, 0);
	handle_on(&pvguest_evtchn_2l, 1);
	assert_called(PORT, 0);
}

static void two_level_event_at_the_old_vcpu_is_passed_on(void **state)
{
	bind_unmasked(&pvguest_evtchn_2l, PORT, 0);
	pvguest_evtchn_2l.bind_cpu(PORT, 1, 0);
	/* The hypervisor had looked up vCPU 0 before the move. */
	send_2l(PORT, 0);
	assert_false(pvguest_evtchn_2l.is_notified(PORT, 1));
	assert_true(pvguest_evtchn_2l.is_notified(PORT, 0));
	handle_on(&pvguest_evtchn_2l, 0);
	assert_called(-PORT, 0);
}

static void two_level_port_that_came_back_is_served(void **state)
{
	bind_unmasked(&pvguest_evtchn_2l, PORT, 0);
	pvguest_evtchn_2l.bind_cpu(PORT, 1, 0);
	pvguest_evtchn_2l.bind_cpu(PORT, 0, 1);
	send_2l(PORT, 0);
	handle_on(&pvguest_evtchn_2l, 0);
	assert_called(PORT, 0);
	send_2l(PORT, 1);
	handle_on(&pvguest_evtchn_2l, 1);
	assert_called(-PORT, 0);
}

static void two_level_masked_port_is_not_passed_on(void **state)
{
	bind_unmasked(&pvguest_evtchn_2l, PORT, 0);
	pvguest_evtchn_2l.bind_cpu(PORT, 1, 0);
	send_2l(PORT, 0);
	assert_false(pvguest_evtchn_2l.mask(PORT));
	assert_true(pvguest_evtchn_2l.mask(PORT));
	handle_on(&pvguest_evtchn_2l, 0);
	assert_called(0, 0);
	/* Unmasking notifies the owner: here if that is us, else by hypercall. */
	shim_cpu = 0;
	pvguest_evtchn_2l.unmask(PORT);
	assert_int_equal(unmasked, PORT);
	shim_cpu = 1;
	pvguest_evtchn_2l.unmask(PORT);
	assert_int_equal(pvguest_vcpu_info[1].evtchn_upcall_pending, 1);
	handle_on(&pvguest_evtchn_2l, 1);
	assert_called(PORT, 0);
}

static void two_level_stopped_vcpu_leaves_nothing(void **state)
{
	bind_unmasked(&pvguest_evtchn_2l, PORT, 1);
	pvguest_evtchn_2l.bind_cpu(PORT, 0, 1);
	send_2l(PORT, 1);
	shim_cpu = 0;
	pvguest_evtchn_2l.cpu_dead(1, stray);
	assert_called(-PORT, 0);
}

/* The number of a stopped vCPU's IPI port, for example, becomes another's. */
static void two_level_closed_port_has_no_vcpu(void **state)
{
	bind_unmasked(&pvguest_evtchn_2l, PORT, 1);
	pvguest_evtchn_2l.bind_cpu(PORT, 0, 1);
	pvguest_evtchn_2l.bind_cpu(PORT, 1, 0);
	pvguest_evtchn_2l.mask(PORT);
	pvguest_evtchn_2l.release(PORT);
	bind_unmasked(&pvguest_evtchn_2l, PORT, 0);
	bind_unmasked(&pvguest_evtchn_2l, OTHER, 1);
	send_2l(PORT, 0);
	send_2l(OTHER, 1);
	handle_on(&pvguest_evtchn_2l, 1);
	assert_called(OTHER, 0);
	handle_on(&pvguest_evtchn_2l, 0);
	assert_called(PORT, 0);
}

static void two_level_pending_can_be_set(void **state)
{
	bind_unmasked(&pvguest_evtchn_2l, PORT, 0);
	assert_false(pvguest_evtchn_2l.is_pending(PORT));
	pvguest_evtchn_2l.set_pending(PORT);
	assert_true(pvguest_evtchn_2l.is_pending(PORT));
	pvguest_evtchn_2l.clear(PORT);
	assert_false(pvguest_evtchn_2l.is_pending(PORT));
}

static void *set_up_port(void *port)
{
	long ret = pvguest_evtchn_fifo.setup_port((unsigned long)port);

	pthread_mutex_lock(&hypervisor);
	callers_done++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&hypervisor);
	return (void *)ret;
}

/* Runs before the other FIFO tests: the array is as small as it ever is. */
static void fifo_array_grows_by_one_caller_at_a_time(void **state)
{
	pthread_t caller[2];
	unsigned int i;
	void *ret;

	assert_int_equal(pvguest_evtchn_fifo.cpu_up(0), 0);
	assert_int_equal(pvguest_evtchn_fifo.cpu_up(1), 0);
	two_callers = true;
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&caller[i], NULL, set_up_port,
						(void *)(PORT + i * 2048UL)), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(caller[i], &ret), 0);
		assert_null(ret);
	}
	two_callers = false;
	assert_in_range(array_pages, 3, PAGES);
	for (i = 0; i < array_pages; i++)
		assert_ptr_equal(pv_fifo_word(i * 1024),
				 shim_pages[array_page[i]]);
}

/* A port that is not bound yet must not be linked by the hypervisor. */
static void fifo_new_port_is_masked(void **state)
{
	assert_int_equal(pvguest_evtchn_fifo.setup_port(PORT), 0);
	assert_true(pvguest_evtchn_fifo.mask(PORT));
}

static void fifo_event_is_served_where_it_is_linked(void **state)
{
	bind_unmasked(&pvguest_evtchn_fifo, PORT, 0);
	bind_unmasked(&pvguest_evtchn_fifo, OTHER, 0);
	send_fifo(PORT, 0);
	send_fifo(OTHER, 0);
	assert_true(pvguest_evtchn_fifo.is_notified(PORT, 1));
	pvguest_evtchn_fifo.bind_cpu(PORT, 1, 0);
	handle_on(&pvguest_evtchn_fifo, 0);
	assert_called(PORT, OTHER);
	assert_false(pvguest_evtchn_fifo.is_notified(PORT, 1));
}

static void fifo_stopped_vcpu_leaves_nothing(void **state)
{
	bind_unmasked(&pvguest_evtchn_fifo, PORT, 1);
	bind_unmasked(&pvguest_evtchn_fifo, OTHER, 1);
	send_fifo(PORT, 1);
	send_fifo(OTHER, 1);
	pvguest_evtchn_fifo.bind_cpu(PORT, 0, 1);
	assert_false(pvguest_evtchn_fifo.mask(OTHER));
	assert_true(pvguest_evtchn_fifo.mask(OTHER));
	shim_cpu = 0;
	pvguest_evtchn_fifo.cpu_dead(1, stray);
	/* The masked one waits until it is unmasked, but in no queue. */
	assert_called(-PORT, 0);
	assert_false(pvguest_evtchn_fifo.is_notified(PORT, 0));
	assert_false(pvguest_evtchn_fifo.is_notified(OTHER, 0));
	pvguest_evtchn_fifo.unmask(OTHER);
	assert_int_equal(unmasked, OTHER);
}

static void fifo_pending_can_be_set(void **state)
{
	assert_int_equal(pvguest_evtchn_fifo.setup_port(PORT + 1), 0);
	assert_false(pvguest_evtchn_fifo.is_pending(PORT + 1));
	pvguest_evtchn_fifo.set_pending(PORT + 1);
	assert_true(pvguest_evtchn_fifo.is_pending(PORT + 1));
	pvguest_evtchn_fifo.unmask(PORT + 1);
	assert_int_equal(unmasked, PORT + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(two_level_event_comes_to_its_vcpu_only, fresh),
		cmocka_unit_test_setup(two_level_event_at_the_old_vcpu_is_passed_on, fresh),
		cmocka_unit_test_setup(two_level_port_that_came_back_is_served, fresh),
		cmocka_unit_test_setup(two_level_masked_port_is_not_passed_on, fresh),
		cmocka_unit_test_setup(two_level_stopped_vcpu_leaves_nothing, fresh),
		cmocka_unit_test_setup(two_level_closed_port_has_no_vcpu, fresh),
		cmocka_unit_test_setup(two_level_pending_can_be_set, fresh),
		cmocka_unit_test_setup(fifo_array_grows_by_one_caller_at_a_time, fresh),
		cmocka_unit_test_setup(fifo_new_port_is_masked, fresh),
		cmocka_unit_test_setup(fifo_event_is_served_where_it_is_linked, fresh),
		cmocka_unit_test_setup(fifo_stopped_vcpu_leaves_nothing, fresh),
		cmocka_unit_test_setup(fifo_pending_can_be_set, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
