// SPDX-License-Identifier: MIT
/*
 * Back-off of useless events (arch/x86/pvguest/backoff.h): a back end that
 * sends as many as it can gets few through, and one with work does not wait.
 */
#include "driver/kernel.h"

#include <setjmp.h>
#include <cmocka.h>

#include "../../../arch/x86/pvguest/backoff.h"

/* An event is pending whenever the port is unmasked: events in @seconds. */
static unsigned int storm(unsigned int seconds)
{
	unsigned int idle = 0, events = 0;
	unsigned long now = 0;

	while (now < (unsigned long)seconds * HZ) {
		events++;
		assert_true(events < 1000);
		now += pv_backoff(&idle, true);
	}
	return events;
}

static void storm_is_slowed_down(void **state)
{
	/* 4 at once, then after 1, 2, 4 ... ticks, then one a second. */
	assert_in_range(storm(1), 4, 4 + 9);
	assert_in_range(storm(600), 600, 4 + 9 + 600);
}

static void a_few_cost_nothing(void **state)
{
	unsigned int idle = 0, i;

	for (i = 0; i < PV_FREE_EVENTS; i++)
		assert_int_equal(pv_backoff(&idle, true), 0);
	assert_int_equal(pv_backoff(&idle, true), 1);
	assert_int_equal(pv_backoff(&idle, true), 2);
}

static void work_is_never_delayed(void **state)
{
	unsigned int idle = 0, i;

	for (i = 0; i < 100; i++)
		pv_backoff(&idle, true);
	assert_int_equal(pv_backoff(&idle, true), HZ);
	assert_int_equal(pv_backoff(&idle, false), 0);
	/* The back-off has ended. */
	for (i = 0; i < PV_FREE_EVENTS; i++)
		assert_int_equal(pv_backoff(&idle, true), 0);
	assert_int_equal(pv_backoff(&idle, true), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(storm_is_slowed_down),
		cmocka_unit_test(a_few_cost_nothing),
		cmocka_unit_test(work_is_never_delayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
