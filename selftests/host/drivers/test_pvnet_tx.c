// SPDX-License-Identifier: MIT
/*
 * Sending (drivers/pvnet/wire_tx.c): a back end can read a packet and nothing else,
 * and the result of invalid responses.
 */
#include "pvnet_back.h"

#include "../../../drivers/pvnet/wire_tx.c"

static struct pvnet_tx tx;
static u8 data[PVNET_MAX_TX + 1];
static u8 received[PVNET_MAX_TX + 1];
static struct xen_netif_tx_request last_slots[PVNET_PACKET_SLOTS];
static struct xen_netif_extra_info last_extra;

static int start(void **state)
{
	boot(8);
	memset(&tx, 0, sizeof(tx));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + (i >> 8);
	return pvnet_tx_init(&tx, BACK, area.va, true);
}

static int stop(void **state)
{
	while (pvnet_tx_flush(&tx))
		;
	pvnet_tx_destroy(&tx);
	return !shut_down();
}

/* Names of packets. */
static void *packet(unsigned long n)
{
	return (void *)(n + 1);
}

static bool send_copied(unsigned long n, u32 len)
{
	if (!pvnet_tx_begin(&tx, len, 0, NULL))
		return false;
	pvnet_tx_copy(&tx, data, len);
	pvnet_tx_end(&tx, packet(n));
	pvring_push(&tx.ring);
	return true;
}

/* The back end takes one packet, as netback does; returns its slots. */
static unsigned int receive(u32 *len)
{
	struct xen_netif_tx_request *slots = last_slots;
	unsigned int count = 0;
	u32 got = 0, i;

	assert_true(seen != shared->req_prod);
	do {
		assert_true(count < PVNET_PACKET_SLOTS);
		slots[count] = *(struct xen_netif_tx_request *)
			slot_at(seen++, sizeof(*slots));
		if (!count && slots[0].flags & XEN_NETTXF_extra_info)
			last_extra = *(struct xen_netif_extra_info *)
				slot_at(seen++, sizeof(*slots));
	} while (slots[count++].flags & XEN_NETTXF_more_data);
	*len = slots[0].size;
	for (i = 1; i < count; i++)
		slots[0].size -= slots[i].size;
	for (i = 0; i < count; i++) {
		u8 *page = hyp_map(slots[i].gref, BACK, false);

		assert_non_null(page);
		/* The back end can never map it for writing. */
		assert_null(hyp_map(slots[i].gref, BACK, true));
		assert_true(slots[i].size <= PAGE_SIZE);
		assert_true(slots[i].offset + slots[i].size <= PAGE_SIZE);
		memcpy(received + got, page + slots[i].offset, slots[i].size);
		got += slots[i].size;
		hyp_unmap(slots[i].gref, false);
	}
	assert_int_equal(got, *len);
	assert_memory_equal(received, data, got);
	return count;
}

static void respond(u16 id, s16 status)
{
	struct xen_netif_tx_response *rsp =
		slot_at(shared->rsp_prod, sizeof(struct xen_netif_tx_request));

	*rsp = (struct xen_netif_tx_response) { .id = id, .status = status };
	shared->rsp_prod++;
}

static void assert_broken(const char *field, u64 value)
{
	void *done[4];

	assert_int_equal(pvnet_tx_reap(&tx, done, 4), 0);
	assert_non_null(tx.ring.broken);
	assert_string_equal(tx.ring.broken, field);
	assert_int_equal(tx.ring.broken_value, value);
	assert_false(send_copied(99, 60));
	assert_int_equal(pvnet_tx_reap(&tx, done, 4), 0);
}

static void small_packets_cost_no_grant(void **state)
{
	unsigned int granted = hyp_granted(), i;
	void *done[PVNET_SLOTS];
	u32 len;

	/* Several times around the ring. */
	for (i = 0; i < 3 * PVNET_SLOTS; i++) {
		assert_true(send_copied(i, 60 + i));
		assert_int_equal(receive(&len), 1);
		assert_int_equal(len, 60 + i);
		respond(last_slots[0].id, XEN_NETIF_RSP_OKAY);
		assert_int_equal(pvnet_tx_reap(&tx, done, PVNET_SLOTS), 1);
		assert_ptr_equal(done[0], packet(i));
		assert_int_equal(hyp_granted(), granted);
	}
	assert_int_equal(tx.lends, 0);
}

static void every_size(void **state)
{
	static const u32 sizes[] = {
		1, 14, 4095, 4096, 4097, 8192, 32768, 65534, 65535,
	};
	void *done[4];
	u32 len;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned int slots = (sizes[i] + 4095) / 4096;

		assert_true(send_copied(i, sizes[i]));
		assert_int_equal(receive(&len), slots);
		assert_int_equal(len, sizes[i]);
		for (unsigned int s = 0; s < slots; s++)
			respond(last_slots[s].id, XEN_NETIF_RSP_OKAY);
		assert_int_equal(pvnet_tx_reap(&tx, done, 4), 1);
	}
	assert_false(send_copied(0, 65536));
	assert_int_equal(pvring_in_flight(&tx.ring), 0);
}

static void fresh_pages_hold_nothing(void **state)
{
	/* Beyond the packet the back end reads zeroes, no other data. */
	static const u8 zeroes[PAGE_SIZE];
	u8 *page;
	u32 len;

	assert_true(send_copied(0, 60));
	receive(&len);
	page = hyp_map(last_slots[0].gref, BACK, false);
	assert_memory_equal(page + 60, zeroes, PAGE_SIZE - 60);
	hyp_unmap(last_slots[0].gref, false);
}

static struct page *full_page(u32 offset)
{
	struct page *page = alloc_page(GFP_KERNEL);

	memcpy(page_address(page), data + offset, PAGE_SIZE);
	return page;
}

static void lent_pages(void **state)
{
	unsigned int granted = hyp_granted(), slots, i;
	struct page *pages[15];
	void *done[4];
	u32 at = 66, len;

	assert_true(pvnet_tx_begin(&tx, 65535, 0, NULL));
	/* Headers first: the first slot is never another's page. */
	pages[0] = full_page(0);
	assert_false(pvnet_tx_lend(&tx, pages[0]));
	put_page(pages[0]);
	pvnet_tx_copy(&tx, data, 66);
	for (i = 0; i < 15; i++, at += PAGE_SIZE) {
		pages[i] = full_page(at);
		assert_true(pvnet_tx_lend(&tx, pages[i]));
	}
	pvnet_tx_copy(&tx, data + at, 65535 - at);
	pvnet_tx_end(&tx, packet(0));
	pvring_push(&tx.ring);
	slots = receive(&len);
	assert_int_equal(slots, 17);
	assert_int_equal(hyp_granted(), granted + 15);
	/* The responses come in the opposite order. */
	while (slots) {
		assert_int_equal(pvnet_tx_reap(&tx, done, 4), 0);
		respond(last_slots[--slots].id, XEN_NETIF_RSP_OKAY);
	}
	assert_int_equal(pvnet_tx_reap(&tx, done, 4), 1);
	assert_int_equal(hyp_granted(), granted);
	for (i = 0; i < 15; i++) {
		assert_false(hyp_reachable(pages[i]));
		put_page(pages[i]);
	}
}

static void slots_never_run_out(void **state)
{
	/* Single bytes between pages would need two slots for each page. */
	struct page *pages[16] = {};
	unsigned int lent = 0, i;
	u32 at = 0, len;

	assert_true(pvnet_tx_begin(&tx, 65535, 0, NULL));
	for (i = 0; at + 1 + PAGE_SIZE <= 65535; i++) {
		pvnet_tx_copy(&tx, data + at, 1);
		at++;
		pages[lent] = full_page(at);
		if (pvnet_tx_lend(&tx, pages[lent])) {
			lent++;
		} else {
			pvnet_tx_copy(&tx, data + at, PAGE_SIZE);
			put_page(pages[lent]);
			pages[lent] = NULL;
		}
		at += PAGE_SIZE;
	}
	pvnet_tx_copy(&tx, data + at, 65535 - at);
	pvnet_tx_end(&tx, packet(0));
	pvring_push(&tx.ring);
	assert_true(receive(&len) <= PVNET_PACKET_SLOTS);
	assert_true(lent > 0);
	assert_ptr_equal(pvnet_tx_flush(&tx), packet(0));
	for (i = 0; i < lent; i++) {
		assert_false(hyp_reachable(pages[i]));
		put_page(pages[i]);
	}
}

static void page_kept_by_back_end(void **state)
{
	struct page *page = full_page(60);
	void *done[4];
	u32 len;

	assert_true(pvnet_tx_begin(&tx, 60 + PAGE_SIZE, 0, NULL));
	pvnet_tx_copy(&tx, data, 60);
	assert_true(pvnet_tx_lend(&tx, page));
	pvnet_tx_end(&tx, packet(0));
	pvring_push(&tx.ring);
	assert_int_equal(receive(&len), 2);
	assert_non_null(hyp_map(last_slots[1].gref, BACK, false));
	respond(last_slots[0].id, XEN_NETIF_RSP_OKAY);
	respond(last_slots[1].id, XEN_NETIF_RSP_OKAY);
	assert_int_equal(pvnet_tx_reap(&tx, done, 4), 1);
	assert_int_equal(tx.abandoned, 1);
	/* Its owner drops it; it is not free while the back end has it mapped. */
	put_page(page);
	shim_run_work();
	assert_true(hyp_reachable(page));
	assert_int_equal(page_count(page), 1);
	hyp_unmap(last_slots[1].gref, false);
	shim_run_work();
	assert_int_equal(page_count(page), 0);
}

static void extra_slots(void **state)
{
	struct xen_netif_extra_info gso = {
		.type = XEN_NETIF_EXTRA_TYPE_GSO,
		.u.gso = { .size = 1448, .type = XEN_NETIF_GSO_TYPE_TCPV4 },
	};
	void *done[4];
	u32 len;

	assert_true(pvnet_tx_begin(&tx, 6000,
				   XEN_NETTXF_csum_blank, &gso));
	pvnet_tx_copy(&tx, data, 6000);
	pvnet_tx_end(&tx, packet(0));
	pvring_push(&tx.ring);
	assert_int_equal(receive(&len), 2);
	assert_int_equal(last_slots[0].flags, XEN_NETTXF_csum_blank |
			 XEN_NETTXF_extra_info | XEN_NETTXF_more_data);
	assert_memory_equal(&last_extra, &gso, sizeof(gso));
	respond(last_slots[0].id, XEN_NETIF_RSP_OKAY);
	/* The response to the extra slot has an undefined id. */
	respond(0xeeee, XEN_NETIF_RSP_NULL);
	respond(last_slots[1].id, XEN_NETIF_RSP_OKAY);
	assert_int_equal(pvnet_tx_reap(&tx, done, 4), 1);
	assert_false(pvring_broken(&tx.ring));
	assert_int_equal(pvnet_tx_room(&tx), PVNET_SLOTS);
	/* There was but one. */
	assert_true(send_copied(1, 60));
	respond(0, XEN_NETIF_RSP_NULL);
	assert_broken("tx rsp.status", XEN_NETIF_RSP_NULL);
}

static void errors_are_counted(void **state)
{
	void *done[4];
	u32 len;

	assert_true(send_copied(0, 60));
	assert_true(send_copied(1, 60));
	receive(&len);
	respond(last_slots[0].id, XEN_NETIF_RSP_ERROR);
	receive(&len);
	respond(last_slots[0].id, XEN_NETIF_RSP_DROPPED);
	assert_int_equal(pvnet_tx_reap(&tx, done, 4), 2);
	assert_int_equal(tx.errors, 2);
	assert_false(pvring_broken(&tx.ring));
}

static void id_never_sent(void **state)
{
	u32 len;

	assert_true(send_copied(0, 60));
	receive(&len);
	respond(last_slots[0].id + 1, XEN_NETIF_RSP_OKAY);
	assert_broken("tx rsp.id", last_slots[0].id + 1);
}

static void id_out_of_range(void **state)
{
	assert_true(send_copied(0, 60));
	respond(PVNET_SLOTS, XEN_NETIF_RSP_OKAY);
	assert_broken("tx rsp.id", PVNET_SLOTS);
}

static void first_id_with_two_responses(void **state)
{
	/* Its packet still waits for the other response. */
	u32 len;

	assert_true(send_copied(0, 6000));
	assert_int_equal(receive(&len), 2);
	respond(last_slots[0].id, XEN_NETIF_RSP_OKAY);
	respond(last_slots[0].id, XEN_NETIF_RSP_OKAY);
	assert_broken("tx rsp.id", last_slots[0].id);
	assert_ptr_equal(pvnet_tx_flush(&tx), packet(0));
	assert_null(pvnet_tx_flush(&tx));
}

static void last_id_with_two_responses(void **state)
{
	u32 len;

	assert_true(send_copied(0, 6000));
	assert_int_equal(receive(&len), 2);
	respond(last_slots[1].id, XEN_NETIF_RSP_OKAY);
	respond(last_slots[1].id, XEN_NETIF_RSP_OKAY);
	assert_broken("tx rsp.id", last_slots[1].id);
}

static void first_id_is_not_reused_early(void **state)
{
	/* Its packet's name would be lost. */
	unsigned int i;
	void *done[4];
	u16 first, second;
	u32 len;

	assert_true(send_copied(0, 6000));
	receive(&len);
	first = last_slots[0].id;
	second = last_slots[1].id;
	respond(first, XEN_NETIF_RSP_OKAY);
	assert_int_equal(pvnet_tx_reap(&tx, done, 4), 0);
	assert_int_equal(pvnet_tx_room(&tx), PVNET_SLOTS - 2);
	for (i = 1; send_copied(i, 60); i++) {
		receive(&len);
		assert_int_not_equal(last_slots[0].id, first);
	}
	respond(second, XEN_NETIF_RSP_OKAY);
	assert_int_equal(pvnet_tx_reap(&tx, done, 4), 1);
	assert_ptr_equal(done[0], packet(0));
}

static void unknown_status(void **state)
{
	u32 len;

	assert_true(send_copied(0, 60));
	receive(&len);
	respond(last_slots[0].id, 2);
	assert_broken("tx rsp.status", 2);
}

static void index_beyond_requests(void **state)
{
	assert_true(send_copied(0, 60));
	shared->rsp_prod = 2;
	assert_broken("rsp_prod", 2);
}

static void ring_full(void **state)
{
	unsigned int count = 0;

	while (send_copied(count, 60))
		count++;
	/* Room for a longest packet and its extra slot is never used up. */
	assert_int_equal(count, PVNET_SLOTS - PVNET_PACKET_SLOTS);
	assert_false(pvnet_tx_has_room(&tx));
}

static void without_sg(void **state)
{
	u32 len;

	tx.max_slots = 1;
	assert_false(send_copied(0, 4097));
	assert_true(send_copied(1, 4096));
	assert_int_equal(receive(&len), 1);
}

static void no_memory(void **state)
{
	int err = -ENOMEM, allowed;

	pvnet_tx_destroy(&tx);
	for (allowed = 0; err == -ENOMEM; allowed += 50) {
		shim_fail_after = allowed;
		err = pvnet_tx_init(&tx, BACK, area.va, true);
		shim_fail_after = -1;
		if (err)
			pvnet_tx_destroy(&tx);
	}
	assert_int_equal(err, 0);
	assert_true(allowed > PVNET_SLOTS);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(small_packets_cost_no_grant), TEST(every_size),
		TEST(fresh_pages_hold_nothing), TEST(lent_pages),
		TEST(slots_never_run_out), TEST(page_kept_by_back_end),
		TEST(extra_slots), TEST(errors_are_counted),
		TEST(id_never_sent), TEST(id_out_of_range),
		TEST(first_id_with_two_responses), TEST(last_id_with_two_responses),
		TEST(first_id_is_not_reused_early), TEST(unknown_status),
		TEST(index_beyond_requests), TEST(ring_full),
		TEST(without_sg), TEST(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
