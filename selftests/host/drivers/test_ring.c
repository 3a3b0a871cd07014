// SPDX-License-Identifier: MIT
/*
 * The untrusted ring (drivers/pvbus/ring.c) with a good back end, and with each
 * kind of bad one.
 */
#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

#include "../../../drivers/pvbus/ring.c"

struct request { u64 id, what; };
struct response { u64 id; u32 status; };

#define SLOTS	8
#define BYTES	(64 + (SLOTS + 3) * sizeof(struct request))

static struct page *page;
static struct pvring ring;
static struct pvring_shared *shared;

static int start(void **state)
{
	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	shared = page_address(page);
	pvring_init(&ring, shared, BYTES, sizeof(struct request));
	return 0;
}

static int stop(void **state)
{
	__free_page(page);
	return shim_pages || shim_allocations;
}

static void send_some(unsigned int count)
{
	while (count--) {
		struct request *req = pvring_next_request(&ring);

		assert_non_null(req);
		req->id = ring.req_prod;
	}
}

/* The back end responds to @count requests, to the first with @id. */
static void respond(unsigned int count, u64 id)
{
	u32 prod = shared->rsp_prod;
	struct response *slot;

	while (count--) {
		slot = (void *)((u8 *)(shared + 1) +
				(prod++ % SLOTS) * sizeof(struct request));
		*slot = (struct response) { .id = id++, .status = 7 };
	}
	shared->rsp_prod = prod;
}

static void sizes(void **state)
{
	/* One page: 32 slots of blkif's 112 bytes, 256 of netif's 12 and 8. */
	assert_int_equal(pvring_entries(4096, 112), 32);
	assert_int_equal(pvring_entries(4096, 12), 256);
	assert_int_equal(pvring_entries(4096, 8), 256);
	assert_int_equal(pvring_entries(16 * 4096, 112), 512);
	assert_int_equal(pvring_entries(64 + 111, 112), 0);
	assert_int_equal(pvring_entries(64, 112), 0);
	assert_int_equal(pvring_entries(4096, 0), 0);
	assert_int_equal(ring.entries, SLOTS);
}

static void empty_ring(void **state)
{
	struct response rsp;

	assert_int_equal(shared->req_prod, 0);
	assert_int_equal(shared->rsp_prod, 0);
	assert_int_equal(shared->req_event, 1);
	assert_int_equal(shared->rsp_event, 1);
	assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), 0);
	assert_false(pvring_push(&ring));
	assert_int_equal(pvring_room(&ring), SLOTS);
}

static void there_and_back(void **state)
{
	struct response rsp;
	struct request *req;

	/* More than once around, and over the wrap of the indexes. */
	ring.req_prod = -20;
	ring.req_pushed = -20;
	ring.rsp_cons = -20;
	ring.rsp_seen = -20;
	shared->req_prod = -20;
	shared->rsp_prod = -20;
	for (u32 i = 0; i < 40; i += 5) {
		for (u32 j = 0; j < 5; j++) {
			req = pvring_next_request(&ring);
			req->id = i + j;
		}
		assert_int_equal(shared->req_prod, (u32)(i - 20));
		pvring_push(&ring);
		assert_int_equal(shared->req_prod, (u32)(i + 5 - 20));
		assert_int_equal(pvring_in_flight(&ring), 5);
		respond(5, i);
		for (u32 j = 0; j < 5; j++) {
			assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), 1);
			assert_int_equal(rsp.id, i + j);
			assert_int_equal(rsp.status, 7);
			assert_int_equal(pvring_in_flight(&ring), 4 - j);
		}
		assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), 0);
	}
}

static void full(void **state)
{
	send_some(SLOTS);
	assert_int_equal(pvring_room(&ring), 0);
	assert_null(pvring_next_request(&ring));
	assert_int_equal(ring.req_prod, SLOTS);
}

static void event_requests(void **state)
{
	struct response rsp;

	/* To the back end: an event when req_prod passes req_event. */
	send_some(1);
	assert_true(pvring_push(&ring));
	send_some(1);
	assert_false(pvring_push(&ring));
	shared->req_event = 4;
	send_some(1);
	assert_false(pvring_push(&ring));
	send_some(2);
	assert_true(pvring_push(&ring));
	assert_false(pvring_push(&ring));

	/* To the front end: an event when rsp_prod passes rsp_event. */
	assert_false(pvring_rearm(&ring));
	assert_int_equal(shared->rsp_event, 1);
	assert_false(pvring_rearm_after(&ring, 3));
	assert_int_equal(shared->rsp_event, 3);
	respond(2, 1);
	assert_false(pvring_rearm_after(&ring, 3));
	assert_true(pvring_rearm(&ring));
	while (pvring_take(&ring, &rsp, sizeof(rsp)) > 0)
		;
	assert_false(pvring_rearm(&ring));
	assert_int_equal(shared->rsp_event, 3);
}

static void respond_in_between(void)
{
	if (shared->rsp_event == 1 && !shared->rsp_prod)
		respond(1, 1);
}

/* A response published between the last check and rsp_event is not missed. */
static void no_lost_event(void **state)
{
	struct response rsp;

	send_some(2);
	pvring_push(&ring);
	shared->rsp_event = 0;
	assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), 0);
	shim_race = respond_in_between;
	assert_true(pvring_rearm(&ring));
	shim_race = NULL;
	assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), 1);
}

static void is_broken(u32 value)
{
	struct response rsp = { .id = 99 };

	assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), -EPROTO);
	assert_int_equal(rsp.id, 99);
	assert_string_equal(ring.broken, "rsp_prod");
	assert_int_equal(ring.broken_value, value);
	assert_int_equal(pvring_room(&ring), 0);
	assert_null(pvring_next_request(&ring));
	assert_false(pvring_push(&ring));
	assert_false(pvring_rearm(&ring));
	/* The ring stays broken, and the first reason is the one reported. */
	shared->rsp_prod = 0;
	pvring_break(&ring, "rsp.id", 5);
	assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), -EPROTO);
	assert_string_equal(ring.broken, "rsp_prod");
}

static void too_many_responses(void **state)
{
	send_some(3);
	pvring_push(&ring);
	/* Written, but not pushed. */
	send_some(1);
	shared->rsp_prod = 4;
	is_broken(4);
}

static void backwards(void **state)
{
	struct response rsp;

	send_some(3);
	pvring_push(&ring);
	respond(3, 1);
	assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), 1);
	assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), 1);
	assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), 1);
	shared->rsp_prod = 2;
	is_broken(2);
}

static void far_ahead(void **state)
{
	send_some(1);
	pvring_push(&ring);
	shared->rsp_prod = 0x80000000;
	is_broken(0x80000000);
}

/* Found by the last check: the caller takes it, once. */
static void broken_at_rearm(void **state)
{
	shared->rsp_prod = 1;
	assert_true(pvring_rearm(&ring));
	assert_false(pvring_rearm(&ring));
	is_broken(1);
}

static void back_off(void)
{
	shared->rsp_prod = 0x7777;
}

/* An index that was read once is not read again. */
static void index_read_once(void **state)
{
	struct response rsp;

	send_some(4);
	pvring_push(&ring);
	respond(4, 1);
	assert_int_equal(pvring_look(&ring), 4);
	shim_race = back_off;
	for (u32 i = 1; i <= 4; i++) {
		assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), 1);
		assert_int_equal(rsp.id, i);
	}
	shim_race = NULL;
	assert_int_equal(pvring_take(&ring, &rsp, sizeof(rsp)), -EPROTO);
}

/* Data that the back end writes over requests are never read. */
static void requests_not_read_back(void **state)
{
	send_some(2);
	memset(shared + 1, 0xff, SLOTS * sizeof(struct request));
	shared->req_prod = 0xdead;
	pvring_push(&ring);
	assert_int_equal(shared->req_prod, 2);
	assert_int_equal(pvring_in_flight(&ring), 2);
}

static void ids(void **state)
{
	struct pvring_ids ids;
	int i;

	assert_int_equal(pvring_ids_init(&ids, 0), -EINVAL);
	assert_int_equal(pvring_ids_init(&ids, 65537), -EINVAL);
	assert_int_equal(pvring_ids_init(&ids, 65536), 0);
	pvring_ids_destroy(&ids);
	assert_int_equal(pvring_ids_init(&ids, 70), 0);
	assert_false(pvring_id_put(&ids, 0));
	for (i = 0; i < 70; i++)
		assert_int_equal(pvring_id_get(&ids), i);
	assert_int_equal(pvring_id_get(&ids), -ENOSPC);
	/* Never sent; beyond all; with bits that a narrower type would drop. */
	assert_false(pvring_id_put(&ids, 70));
	assert_false(pvring_id_put(&ids, -1ULL));
	assert_false(pvring_id_put(&ids, 0x100000005));
	assert_true(pvring_id_busy(&ids, 5));
	assert_true(pvring_id_put(&ids, 5));
	/* Two responses to one request. */
	assert_false(pvring_id_put(&ids, 5));
	assert_false(pvring_id_busy(&ids, 5));
	assert_int_equal(pvring_id_get(&ids), 5);
	assert_int_equal(pvring_id_get(&ids), -ENOSPC);
	pvring_ids_destroy(&ids);
	pvring_ids_destroy(&ids);
}

static void ids_without_memory(void **state)
{
	struct pvring_ids ids;

	for (int i = 0; i < 2; i++) {
		shim_fail_after = i;
		assert_int_equal(pvring_ids_init(&ids, 9), -ENOMEM);
		assert_int_equal(pvring_id_get(&ids), -ENOSPC);
		assert_int_equal(shim_allocations, 0);
	}
	shim_fail_after = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sizes, start, stop),
		cmocka_unit_test_setup_teardown(empty_ring, start, stop),
		cmocka_unit_test_setup_teardown(there_and_back, start, stop),
		cmocka_unit_test_setup_teardown(full, start, stop),
		cmocka_unit_test_setup_teardown(event_requests, start, stop),
		cmocka_unit_test_setup_teardown(no_lost_event, start, stop),
		cmocka_unit_test_setup_teardown(too_many_responses, start, stop),
		cmocka_unit_test_setup_teardown(backwards, start, stop),
		cmocka_unit_test_setup_teardown(far_ahead, start, stop),
		cmocka_unit_test_setup_teardown(broken_at_rearm, start, stop),
		cmocka_unit_test_setup_teardown(index_read_once, start, stop),
		cmocka_unit_test_setup_teardown(requests_not_read_back, start,
						stop),
		cmocka_unit_test_setup_teardown(ids, start, stop),
		cmocka_unit_test_setup_teardown(ids_without_memory, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
