// SPDX-License-Identifier: MIT
/*
 * The hypervisor's CPUID leaf about time, and whether the time-stamp counter may
 * keep time by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>

typedef uint32_t u32;

#include "../../../arch/x86/pvguest/tsc_trust.h"

static void emulated_counter_is_trusted(void **state)
{
	assert_true(pv_tsc_trusted(PV_TSC_EMULATED, 1));
	/* Wherever the domain came from. */
	assert_true(pv_tsc_trusted(PV_TSC_EMULATED, 2));
	assert_true(pv_tsc_trusted(PV_TSC_EMULATED | PV_TSC_HOST_RELIABLE, 5));
}

static void reliable_counter_is_trusted_where_the_domain_began(void **state)
{
	/* 0: the initial domain, which is never moved. */
	assert_true(pv_tsc_trusted(PV_TSC_HOST_RELIABLE, 0));
	assert_true(pv_tsc_trusted(PV_TSC_HOST_RELIABLE, 1));
	assert_false(pv_tsc_trusted(PV_TSC_HOST_RELIABLE, 2));
}

static void any_other_counter_is_not(void **state)
{
	assert_false(pv_tsc_trusted(0, 0));
	assert_false(pv_tsc_trusted(0, 1));
	/* Other bits say nothing of it: RDTSCP, and what may come. */
	assert_false(pv_tsc_trusted(~3U, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(emulated_counter_is_trusted),
		cmocka_unit_test(reliable_counter_is_trusted_where_the_domain_began),
		cmocka_unit_test(any_other_counter_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
