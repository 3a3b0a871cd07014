// SPDX-License-Identifier: MIT
/*
 * The devices of a large guest fit the default limits of a domain: 32 vCPUs, 8 disks
 * and 4 interfaces, whose back ends offer all they can.
 */
#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

#include "../../../drivers/pvblk/limits.h"
#include "../../../drivers/pvnet/wire.h"

#define VCPUS		32
#define DISKS		8
#define INTERFACES	4
#define RINGS		min(VCPUS, PVBLK_QUEUES)
#define QUEUES		min(VCPUS, PVNET_QUEUES)

/* Xen's default of 64 grant table frames, layout 1, of which 8 entries are reserved. */
#define REFERENCES	(64 * 512 - 8)
/* xl's default of max_event_channels. */
#define CHANNELS	1023
/* xenstored's default for a domain. */
#define NODES		1000

static void references(void **state)
{
	unsigned int ring = (1 << PVBLK_ORDER) + max(PVBLK_INDIRECT + 1, PVBLK_FIRST_PAGES);
	unsigned int taken = DISKS * RINGS * ring + INTERFACES * QUEUES * PVNET_QUEUE_REFS;

	/* Also the last queue is allowed though a reserve is kept. */
	assert_in_range(taken, 1, REFERENCES - PVGRANT_RESERVE);
}

static void event_channels(void **state)
{
	/* IPIs, timer and the like of a vCPU; XenStore, console. */
	unsigned int own = VCPUS * 4 + 2;

	assert_in_range(own + DISKS * RINGS + INTERFACES * QUEUES * 2, 1, CHANNELS);
}

static void nodes(void **state)
{
	/* A directory, a node for each page of the ring, the event channel. */
	unsigned int ring = 1 + (1 << PVBLK_ORDER) + 1;
	/* Two rings, two event channels. */
	unsigned int queue = 1 + 2 + 2;
	/* With what the tool stack writes: 20 for each device, 100 for the domain. */
	unsigned int all = DISKS * (20 + RINGS * ring) + INTERFACES * (20 + QUEUES * queue) + 100;

	assert_in_range(all, 1, NODES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references),
		cmocka_unit_test(event_channels),
		cmocka_unit_test(nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
