// SPDX-License-Identifier: MIT
/*
 * The daemon's limits for a domain (drivers/pvbus/store*.c): the kernel and user
 * programs each keep to a share of them, and wait where there is no room.
 */
#include "store_client.h"

/* The transaction that another caller ends while one waits; after so many turns. */
static u32 others_txn;
static unsigned int turns;

static long others_end(void)
{
	u32 txn = others_txn;

	if (turns && !--turns) {
		others_txn = 0;
		shim_wait = others_act;
		if (txn)
			assert_int_equal(pvstore_end(txn, true), 0);
		else
			daemon.txns[0] = 0;
	}
	return others_act() < 0 ? -512 : 1;
}

/* Begin, while others end after @count turns. */
static int begin_after(unsigned int count, u32 *txn)
{
	turns = count;
	patience = 1000;
	shim_wait = others_end;
	return pvstore_begin(txn);
}

static void test_transactions_of_the_kernel(void **state)
{
	u32 first, second, third;

	assert_int_equal(pvstore_begin(&first), 0);
	assert_int_equal(pvstore_begin(&second), 0);
	others_txn = first;
	assert_int_equal(begin_after(5, &third), 0);
	/* The daemon was not asked in vain. */
	assert_int_equal(daemon.asked[XS_TRANSACTION_START], 3);
	assert_int_equal(pvstore_end(second, true), 0);
	assert_int_equal(pvstore_end(third, true), 0);
	/* A caller that is killed meanwhile. */
	assert_int_equal(pvstore_begin(&first), 0);
	assert_int_equal(pvstore_begin(&second), 0);
	shim_wait = others_act;
	killed = true;
	assert_int_equal(pvstore_begin(&third), -EINTR);
	killed = false;
	assert_int_equal(pvstore_end(first, true), 0);
	assert_int_equal(pvstore_end(second, true), 0);
}

static void test_daemon_without_room(void **state)
{
	unsigned int i;
	u32 txn;

	for (i = 0; i < DAEMON_TXNS; i++)
		daemon.txns[i] = 1000 + i;
	others_txn = 0;
	assert_int_equal(begin_after(20, &txn), 0);
	assert_int_equal(pvstore_end(txn, true), 0);
	daemon.txns[0] = 1000;
	assert_int_equal(begin_after(0, &txn), -ENOSPC);
}

static void test_transactions_of_programs(void **state)
{
	struct pvstore_request *req;
	unsigned int opened = 0, file;
	int owner[3], ret;
	u32 txn;

	/* The limit is for all files, not for each. */
	for (file = 0; file < ARRAY_SIZE(owner); file++) {
		do {
			req = pvstore_new(XS_TRANSACTION_START, PVSTORE_NO_TXN, 1);
			req->owner = &owner[file];
			ret = pvstore_call(req);
			opened += !ret;
			pvstore_put(req);
		} while (!ret && opened % 5);
	}
	assert_int_equal(ret, -ENOSPC);
	assert_int_equal(opened, PVSTORE_USER_TXNS);
	assert_int_equal(daemon.asked[XS_TRANSACTION_START], PVSTORE_USER_TXNS);
	/* The kernel has its own. */
	assert_int_equal(pvstore_begin(&txn), 0);
	assert_int_equal(pvstore_end(txn, true), 0);
	for (file = 0; file < ARRAY_SIZE(owner); file++)
		pvstore_drop_owner(&owner[file]);
	daemon_settle();
}

#define T(name)	cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_transactions_of_the_kernel),
		T(test_daemon_without_room),
		T(test_transactions_of_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
