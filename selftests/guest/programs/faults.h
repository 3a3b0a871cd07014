/* SPDX-License-Identifier: MIT */
/*
 * The fixture of tests that catch faults.
 */
#ifndef PVGUEST_SELFTESTS_FAULTS_H
#define PVGUEST_SELFTESTS_FAULTS_H

#include "guest.h"

FIXTURE(faults)
{
	int caught;
};

FIXTURE_SETUP(faults)
{
	self->caught = catch_faults();
	ASSERT_EQ(0, self->caught);
}

FIXTURE_TEARDOWN(faults)
{
}

#endif
