/* SPDX-License-Identifier: MIT */
/*
 * For tests of the XenStore client: the client, just started, and a daemon that
 * gets its turns while a caller waits.
 */
#ifndef STORE_CLIENT_H
#define STORE_CLIENT_H

#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

#include "store_daemon.h"
#include "../../../drivers/pvbus/store_wire.c"
#include "../../../drivers/pvbus/store_client.c"
#include "../../../drivers/pvbus/store.c"

/* The number of turns that others get while a caller waits. */
static int patience;
static bool killed;

static long others_act(void)
{
	if (killed)
		return -512;	/* ERESTARTSYS */
	if (daemon_turn())
		return 1;
	/* Nothing moves.  Time passes, then the test would hang. */
	return --patience > 0 ? 0 : -512;
}

static int start(void **state)
{
	struct list_head *lists[] = { &pvstore.unsent, &pvstore.awaiting_reply,
				      &pvstore.txns, &pvstore.watches };
	unsigned int i;

	daemon_start();
	memset(&pvstore, 0, sizeof(pvstore));
	for (i = 0; i < ARRAY_SIZE(lists); i++)
		INIT_LIST_HEAD(lists[i]);
	shim_wait = others_act;
	shim_log_lines = 0;
	patience = 100;
	killed = false;
	system_state = SYSTEM_RUNNING;
	assert_int_equal(shim_init_pvstore_init(), 0);
	daemon_settle();
	return 0;
}

static int stop(void **state)
{
	daemon.silent = false;
	daemon_settle();
	__free_page(daemon.page);
	if (shim_allocations || shim_pages)
		print_error("%u allocations, %u pages left\n", shim_allocations, shim_pages);
	return shim_pages || shim_allocations;
}

#endif /* STORE_CLIENT_H */
