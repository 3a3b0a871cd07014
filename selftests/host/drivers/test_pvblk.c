// SPDX-License-Identifier: MIT
/*
 * The block protocol on one ring (drivers/pvblk/wire.c): requests to a good back
 * end, and the result of each violation by a bad one.
 */
#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

#include "../../../drivers/pvbus/ring.c"
#include "../../../drivers/pvblk/wire.c"

#define SLOTS	32
#define HANDLE	51712

static struct page *page;
static struct pvblk_wire wire;
static struct pvring_shared *shared;
/* Cookies: the numbers of requests. */
static char cookies[100];

static int start(void **state)
{
	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	shared = page_address(page);
	return pvblk_wire_init(&wire, shared, PAGE_SIZE, (u16)HANDLE);
}

static int stop(void **state)
{
	pvblk_wire_destroy(&wire);
	__free_page(page);
	return shim_pages || shim_allocations;
}

/* Request number @n as the header, not our own structure, lays it out. */
static struct blkif_request *request(unsigned int n)
{
	return (struct blkif_request *)(shared + 1) + n % SLOTS;
}

static u64 read_one(char *cookie)
{
	struct blkif_request_segment *seg;

	seg = pvblk_wire_rw(&wire, cookie, BLKIF_OP_READ, 8, 1);
	assert_non_null(seg);
	*seg = (struct blkif_request_segment) { .gref = 9, .last_sect = 7 };
	pvring_push(&wire.ring);
	return request(wire.ring.req_prod - 1)->u.rw.id;
}

static void respond(u64 id, u8 operation, s16 status)
{
	void *slot = request(shared->rsp_prod);

	*(struct blkif_response *)slot = (struct blkif_response) {
		.id = id, .operation = operation, .status = status };
	shared->rsp_prod++;
}

static void expect(char *cookie, int status)
{
	struct pvblk_response a = { .status = 77 };

	assert_int_equal(pvblk_wire_take(&wire, &a), 1);
	assert_ptr_equal(a.cookie, cookie);
	assert_int_equal(a.status, status);
}

static void expect_broken(const char *field, u64 value)
{
	struct pvblk_response a = { .cookie = &a };

	assert_int_equal(pvblk_wire_take(&wire, &a), -EPROTO);
	assert_ptr_equal(a.cookie, &a);
	assert_string_equal(wire.ring.broken, field);
	assert_int_equal(wire.ring.broken_value, value);
	/* Nothing is sent or completed any more. */
	assert_int_equal(pvblk_wire_take(&wire, &a), -EPROTO);
	assert_null(pvblk_wire_rw(&wire, cookies, BLKIF_OP_READ, 0, 1));
	assert_false(pvblk_wire_discard(&wire, cookies, 0, 1, false));
}

static void layout_of_requests(void **state)
{
	struct blkif_request_segment *seg;
	struct blkif_request *req = request(0);

	assert_int_equal(sizeof(*req), 112);
	seg = pvblk_wire_rw(&wire, &cookies[0], BLKIF_OP_WRITE, 0x123456789a, 11);
	assert_int_equal(req->operation, BLKIF_OP_WRITE);
	assert_int_equal(req->u.rw.nr_segments, 11);
	assert_int_equal(req->u.rw.handle, HANDLE & 0xffff);
	assert_int_equal(req->u.rw.sector_number, 0x123456789a);
	assert_ptr_equal(seg, req->u.rw.seg);

	req = request(1);
	assert_true(pvblk_wire_indirect(&wire, &cookies[1], BLKIF_OP_READ, 16, 300, 77));
	assert_int_equal(req->operation, BLKIF_OP_INDIRECT);
	assert_int_equal(req->u.indirect.indirect_op, BLKIF_OP_READ);
	assert_int_equal(req->u.indirect.nr_segments, 300);
	assert_int_equal(req->u.indirect.sector_number, 16);
	assert_int_equal(req->u.indirect.handle, HANDLE & 0xffff);
	assert_int_equal(req->u.indirect.indirect_grefs[0], 77);

	req = request(2);
	assert_true(pvblk_wire_discard(&wire, &cookies[2], 24, 0x200000000, true));
	assert_int_equal(req->operation, BLKIF_OP_DISCARD);
	assert_int_equal(req->u.discard.flag, BLKIF_DISCARD_SECURE);
	assert_int_equal(req->u.discard.sector_number, 24);
	assert_int_equal(req->u.discard.nr_sectors, 0x200000000);

	req = request(3);
	memset(req, 0xff, sizeof(*req));
	assert_true(pvblk_wire_discard(&wire, &cookies[3], 1, 2, false));
	assert_int_equal(req->u.discard.flag, 0);
	assert_int_not_equal(req->u.discard.id, request(2)->u.discard.id);

	/* Requests are not pushed before they are complete. */
	assert_int_equal(shared->req_prod, 0);
	assert_true(pvring_push(&wire.ring));
	assert_int_equal(shared->req_prod, 4);
}

static void responses_in_any_order(void **state)
{
	u64 id[3];

	for (int i = 0; i < 3; i++)
		id[i] = read_one(&cookies[i]);
	respond(id[2], BLKIF_OP_READ, BLKIF_RSP_OKAY);
	respond(id[0], BLKIF_OP_READ, BLKIF_RSP_ERROR);
	respond(id[1], BLKIF_OP_READ, BLKIF_RSP_EOPNOTSUPP);
	expect(&cookies[2], BLKIF_RSP_OKAY);
	expect(&cookies[0], BLKIF_RSP_ERROR);
	expect(&cookies[1], BLKIF_RSP_EOPNOTSUPP);
	assert_int_equal(pvblk_wire_take(&wire, &(struct pvblk_response) {}), 0);
	assert_null(pvblk_wire_reclaim(&wire));
}

static void full_and_round(void **state)
{
	u64 id[SLOTS];

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < SLOTS; i++)
			id[i] = read_one(&cookies[i]);
		assert_null(pvblk_wire_rw(&wire, cookies, BLKIF_OP_READ, 0, 1));
		assert_false(pvblk_wire_indirect(&wire, cookies, BLKIF_OP_READ, 0, 20, 1));
		assert_false(pvblk_wire_discard(&wire, cookies, 0, 1, false));
		for (int i = 0; i < SLOTS; i++)
			respond(id[i], BLKIF_OP_READ, BLKIF_RSP_OKAY);
		for (int i = 0; i < SLOTS; i++)
			expect(&cookies[i], BLKIF_RSP_OKAY);
	}
}

/* Linux's back end responds with the operation within. */
static void indirect_has_two_names(void **state)
{
	for (int i = 0; i < 2; i++) {
		assert_true(pvblk_wire_indirect(&wire, &cookies[i], BLKIF_OP_WRITE, 0, 20, 1));
		pvring_push(&wire.ring);
		respond(request(i)->u.indirect.id, i ? BLKIF_OP_INDIRECT : BLKIF_OP_WRITE,
			BLKIF_RSP_OKAY);
		expect(&cookies[i], BLKIF_RSP_OKAY);
	}
}

static void id_never_sent(void **state)
{
	read_one(&cookies[0]);
	respond(1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	expect_broken("id", 1);
	assert_ptr_equal(pvblk_wire_reclaim(&wire), &cookies[0]);
}

static void id_beyond_all(void **state)
{
	u64 id = read_one(&cookies[0]);

	respond(id + 0x80000000, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	expect_broken("id", id + 0x80000000);
}

static void response_comes_twice(void **state)
{
	u64 id = read_one(&cookies[0]);

	read_one(&cookies[1]);
	respond(id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	respond(id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	expect(&cookies[0], BLKIF_RSP_OKAY);
	expect_broken("id", id);
}

/* The second response comes when the number is another request's. */
static void response_comes_again_later(void **state)
{
	u64 old = read_one(&cookies[0]), new;

	respond(old, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	expect(&cookies[0], BLKIF_RSP_OKAY);
	new = read_one(&cookies[1]);
	assert_int_equal((u32)new, (u32)old);
	respond(old, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	expect_broken("id", old);
	assert_ptr_equal(pvblk_wire_reclaim(&wire), &cookies[1]);
}

static void other_operation(void **state)
{
	respond(read_one(&cookies[0]), BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	expect_broken("operation", BLKIF_OP_WRITE);
	assert_ptr_equal(pvblk_wire_reclaim(&wire), &cookies[0]);
}

static void no_status(void **state)
{
	respond(read_one(&cookies[0]), BLKIF_OP_READ, -3);
	expect_broken("status", 0xfffd);
	assert_ptr_equal(pvblk_wire_reclaim(&wire), &cookies[0]);
}

static void positive_status(void **state)
{
	respond(read_one(&cookies[0]), BLKIF_OP_READ, 1);
	expect_broken("status", 1);
}

static void index_backwards(void **state)
{
	u64 id = read_one(&cookies[0]);

	read_one(&cookies[1]);
	respond(id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	expect(&cookies[0], BLKIF_RSP_OKAY);
	shared->rsp_prod = 0;
	expect_broken("rsp_prod", 0);
	assert_ptr_equal(pvblk_wire_reclaim(&wire), &cookies[1]);
}

static void index_too_far(void **state)
{
	read_one(&cookies[0]);
	shared->rsp_prod = 2;
	expect_broken("rsp_prod", 2);
}

/* Requests for the next back end: all without a response, each once. */
static void reclaim_each_once(void **state)
{
	bool seen[SLOTS] = {};
	u64 id[SLOTS];
	char *cookie;
	int n = 0;

	for (int i = 0; i < SLOTS; i++)
		id[i] = read_one(&cookies[i]);
	for (int i = 0; i < SLOTS; i += 4) {
		respond(id[i], BLKIF_OP_READ, BLKIF_RSP_OKAY);
		expect(&cookies[i], BLKIF_RSP_OKAY);
	}
	while ((cookie = pvblk_wire_reclaim(&wire))) {
		assert_false(seen[cookie - cookies]);
		assert_int_not_equal((cookie - cookies) % 4, 0);
		seen[cookie - cookies] = true;
		n++;
	}
	assert_int_equal(n, SLOTS - SLOTS / 4);
}

static void without_memory(void **state)
{
	struct pvblk_wire other = {};
	int before = shim_allocations;

	for (int i = 0; i < 3; i++) {
		shim_fail_after = i;
		assert_int_equal(pvblk_wire_init(&other, shared, PAGE_SIZE, 1), -ENOMEM);
		shim_fail_after = -1;
		pvblk_wire_destroy(&other);
		assert_int_equal(shim_allocations, before);
	}
	/* A ring that was never made, or was freed already, can be freed. */
	pvblk_wire_destroy(&wire);
	assert_null(pvblk_wire_reclaim(&wire));
	pvblk_wire_destroy(&wire);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(layout_of_requests), TEST(responses_in_any_order),
		TEST(full_and_round), TEST(indirect_has_two_names),
		TEST(id_never_sent), TEST(id_beyond_all),
		TEST(response_comes_twice), TEST(response_comes_again_later),
		TEST(other_operation), TEST(no_status), TEST(positive_status),
		TEST(index_backwards), TEST(index_too_far),
		TEST(reclaim_each_once), TEST(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
