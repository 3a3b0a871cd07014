// SPDX-License-Identifier: MIT
/*
 * Receiving (drivers/pvnet/wire_rx.c): packets of a good back end, and the result of
 * a bad one's violations: a broken ring, or dropped packets.
 */
#include "pvnet_back.h"

#include "../../../drivers/pvnet/wire_rx.c"

#define HEADROOM	256

static struct pvnet_rx rx;

static void make(u16 headroom)
{
	memset(&rx, 0, sizeof(rx));
	assert_int_equal(pvnet_rx_init(&rx, BACK, area.va, headroom), 0);
	for (unsigned int slot = 0; slot < PVNET_SLOTS; slot++)
		pvnet_rx_offer(&rx, slot, alloc_page(GFP_KERNEL | __GFP_ZERO));
	pvnet_rx_refill(&rx);
	pvring_push(&rx.ring);
}

static int start(void **state)
{
	boot(8);
	make(0);
	return 0;
}

static int start_xdp(void **state)
{
	boot(8);
	make(HEADROOM);
	return 0;
}

static int start_small(void **state)
{
	boot(1);
	make(0);
	return 0;
}

static int stop(void **state)
{
	struct page *page;

	for (unsigned int slot = 0; slot < PVNET_SLOTS; slot++) {
		pvnet_rx_claim(&rx, slot, &page);
		if (page)
			put_page(page);
	}
	pvnet_rx_destroy(&rx);
	return !shut_down();
}

/* The back end takes the next request and writes @len bytes of @value. */
static u16 fill(u16 offset, u16 len, u8 value)
{
	struct xen_netif_rx_request *req =
		slot_at(seen++, sizeof(struct xen_netif_rx_request));
	u8 *page = hyp_map(req->gref, BACK, true);

	assert_non_null(page);
	assert_true(offset + len <= PAGE_SIZE);
	memset(page + offset, value, len);
	hyp_unmap(req->gref, true);
	return req->id;
}

static void respond(u16 id, u16 offset, u16 flags, s16 status)
{
	struct xen_netif_rx_response *rsp =
		slot_at(shared->rsp_prod, sizeof(*rsp));

	*rsp = (struct xen_netif_rx_response) {
		.id = id, .offset = offset, .flags = flags, .status = status,
	};
	shared->rsp_prod++;
}

static void respond_extra(struct xen_netif_extra_info extra)
{
	seen++;
	*(struct xen_netif_extra_info *)
		slot_at(shared->rsp_prod, sizeof(extra)) = extra;
	shared->rsp_prod++;
}

/* A piece of a packet as netback sends it. */
static void deliver(u16 flags, u16 len, u8 value)
{
	respond(fill(0, len, value), 0, flags, len);
}

static int next(void)
{
	unsigned int responses = PVNET_SLOTS;

	return pvnet_rx_next(&rx, &responses);
}

static void assert_bad(void)
{
	assert_int_equal(next(), 1);
	assert_true(rx.packet.bad);
	assert_int_equal(rx.packet.pieces, 0);
	pvnet_rx_done(&rx);
	/* The next packet is unaffected. */
	deliver(0, 60, 1);
	assert_int_equal(next(), 1);
	assert_false(rx.packet.bad);
	assert_int_equal(rx.packet.len, 60);
	pvnet_rx_done(&rx);
}

static void assert_broken(const char *field)
{
	assert_int_equal(next(), -EPROTO);
	assert_string_equal(rx.ring.broken, field);
	assert_int_equal(next(), -EPROTO);
	pvnet_rx_refill(&rx);
	assert_false(pvring_push(&rx.ring));
}

static const u8 *piece_data(unsigned int i)
{
	const struct pvnet_piece *piece = &rx.packet.piece[i];

	return (u8 *)page_address(rx.slots[piece->slot].page) + piece->offset;
}

static void copied_packets_cost_no_grant(void **state)
{
	u64 offers = rx.offers;

	for (unsigned int i = 0; i < 3 * PVNET_SLOTS; i++) {
		deliver(XEN_NETRXF_data_validated, 60 + i, i);
		assert_int_equal(next(), 1);
		assert_int_equal(rx.packet.pieces, 1);
		assert_int_equal(rx.packet.len, 60 + i);
		assert_int_equal(rx.packet.flags, XEN_NETRXF_data_validated);
		assert_int_equal(piece_data(0)[59 + i], (u8)i);
		pvnet_rx_done(&rx);
		pvnet_rx_refill(&rx);
		pvring_push(&rx.ring);
		assert_int_equal(pvring_in_flight(&rx.ring), PVNET_SLOTS);
	}
	assert_int_equal(rx.offers, offers);
	assert_int_equal(next(), 0);
}

static void claimed_page_is_out_of_reach(void **state)
{
	struct page *page, *fresh = alloc_page(GFP_KERNEL | __GFP_ZERO);

	deliver(0, 1500, 7);
	assert_int_equal(next(), 1);
	assert_true(pvnet_rx_claim(&rx, rx.packet.piece[0].slot, &page));
	assert_false(hyp_reachable(page));
	pvnet_rx_offer(&rx, rx.packet.piece[0].slot, fresh);
	assert_true(hyp_reachable(fresh));
	put_page(page);
	pvnet_rx_done(&rx);
}

static void page_kept_by_back_end(void **state)
{
	struct page *page, *fresh = alloc_page(GFP_KERNEL | __GFP_ZERO);
	grant_ref_t old = rx.slots[0].ref;

	assert_non_null(hyp_map(old, BACK, true));
	deliver(0, 1500, 7);
	assert_int_equal(next(), 1);
	assert_false(pvnet_rx_claim(&rx, 0, &page));
	put_page(page);
	assert_int_equal(page_count(page), 1);
	assert_int_not_equal(rx.slots[0].ref, old);
	pvnet_rx_offer(&rx, 0, fresh);
	assert_false(pvring_broken(&rx.ring));
	hyp_unmap(old, true);
	shim_run_work();
	assert_int_equal(page_count(page), 0);
	pvnet_rx_done(&rx);
}

static void all_pages_kept_by_back_end(void **state)
{
	grant_ref_t kept[2 * PVNET_SLOTS];
	unsigned int count = 0, slot;
	struct page *page;

	/* Reference 0 belongs to the tool stack; the driver uses it for none. */
	pvguest_grant_allow(PVGRANT_NONE, BACK, area.pages[0], false);
	/* Until no reference is left in the whole table, which is small. */
	do {
		assert_true(count < ARRAY_SIZE(kept));
		slot = count % PVNET_SLOTS;
		kept[count] = rx.slots[slot].ref;
		assert_non_null(hyp_map(kept[count++], BACK, true));
		assert_false(pvnet_rx_claim(&rx, slot, &page));
		put_page(page);
		pvnet_rx_offer(&rx, slot, alloc_page(GFP_KERNEL | __GFP_ZERO));
	} while (!pvring_broken(&rx.ring));
	assert_true(count > PVNET_SPARE);
	assert_broken("rx pages still in use");
	assert_int_equal(rx.slots[slot].ref, PVGRANT_NONE);
	assert_true(pvnet_rx_claim(&rx, slot, &page));
	put_page(page);
	assert_ptr_equal(hyp_map(PVGRANT_NONE, BACK, true), shared);
	hyp_unmap(PVGRANT_NONE, true);
	assert_true(pvguest_grant_revoke(PVGRANT_NONE));
	while (count)
		hyp_unmap(kept[--count], true);
	shim_run_work();
}

static void long_packets(void **state)
{
	unsigned int i;

	for (i = 0; i < 15; i++)
		deliver(XEN_NETRXF_more_data | XEN_NETRXF_csum_blank, 4096, i);
	/* Not all of it is there yet. */
	assert_int_equal(next(), 0);
	pvnet_rx_refill(&rx);
	assert_int_equal(pvring_in_flight(&rx.ring), PVNET_SLOTS - 15);
	deliver(0, 4095, i);
	assert_int_equal(next(), 1);
	assert_false(rx.packet.bad);
	assert_int_equal(rx.packet.pieces, 16);
	assert_int_equal(rx.packet.len, 65535);
	assert_true(rx.packet.flags & XEN_NETRXF_csum_blank);
	for (i = 0; i < 16; i++)
		assert_int_equal(*piece_data(i), i);
	pvnet_rx_done(&rx);
	pvnet_rx_refill(&rx);
	assert_int_equal(pvring_in_flight(&rx.ring), PVNET_SLOTS);
}

static void segments(void **state)
{
	deliver(XEN_NETRXF_extra_info | XEN_NETRXF_more_data, 4096, 1);
	respond_extra((struct xen_netif_extra_info) {
		.type = XEN_NETIF_EXTRA_TYPE_GSO,
		.flags = XEN_NETIF_EXTRA_FLAG_MORE,
		.u.gso = { .type = XEN_NETIF_GSO_TYPE_TCPV6, .size = 1428 },
	});
	respond_extra((struct xen_netif_extra_info) {
		.type = XEN_NETIF_EXTRA_TYPE_HASH,
	});
	deliver(0, 1000, 2);
	assert_int_equal(next(), 1);
	assert_int_equal(rx.packet.pieces, 2);
	assert_int_equal(rx.packet.len, 5096);
	assert_int_equal(rx.packet.gso_size, 1428);
	assert_int_equal(rx.packet.gso_type, XEN_NETIF_GSO_TYPE_TCPV6);
	/* Pages of extra slots are offered again as they are. */
	assert_int_equal(rx.packet.piece[1].slot, 3);
	pvnet_rx_done(&rx);
	deliver(0, 60, 3);
	assert_int_equal(next(), 1);
	assert_int_equal(rx.packet.gso_size, 0);
	pvnet_rx_done(&rx);
}

static void headroom(void **state)
{
	struct xen_netif_extra_info extra = {
		.type = XEN_NETIF_EXTRA_TYPE_XDP, .u.xdp.headroom = HEADROOM,
	};

	respond(fill(HEADROOM, 100, 9), 0, XEN_NETRXF_extra_info,
		HEADROOM + 100);
	respond_extra(extra);
	assert_int_equal(next(), 1);
	assert_int_equal(rx.packet.len, 100);
	assert_int_equal(rx.packet.piece[0].offset, HEADROOM);
	assert_int_equal(*piece_data(0), 9);
	pvnet_rx_done(&rx);
	extra.u.xdp.headroom = HEADROOM + 1;
	respond(fill(HEADROOM, 100, 9), 0, XEN_NETRXF_extra_info,
		HEADROOM + 100);
	respond_extra(extra);
	assert_broken("rx xdp.headroom");
}

static void nothing_but_headroom(void **state)
{
	respond(fill(0, 0, 0), 0, 0, HEADROOM);
	assert_broken("rx rsp.status");
}

static void errors(void **state)
{
	respond(fill(0, 0, 0), 0, 0, XEN_NETIF_RSP_ERROR);
	assert_bad();
	/* In the middle of a packet: its end is found nevertheless. */
	deliver(XEN_NETRXF_more_data, 4096, 1);
	respond(fill(0, 0, 0), 0, XEN_NETRXF_more_data, -3);
	deliver(0, 100, 1);
	assert_bad();
	assert_int_equal(rx.errors, 2);
	/* Empty, and shorter than an Ethernet header. */
	respond(fill(0, 0, 0), 0, 0, 0);
	assert_bad();
	deliver(0, 13, 1);
	assert_bad();
	assert_int_equal(rx.errors, 2);
}

static void too_long(void **state)
{
	for (unsigned int i = 0; i < 16; i++)
		deliver(XEN_NETRXF_more_data, 4096, i);
	deliver(0, 18, 1);
	assert_bad();
}

static void wrong_id(void **state)
{
	respond(fill(0, 60, 1) + 1, 0, 0, 60);
	assert_broken("rx rsp.id");
}

static void same_id_twice(void **state)
{
	u16 id = fill(0, 60, 1);

	respond(id, 0, 0, 60);
	respond(id, 0, 0, 60);
	assert_int_equal(next(), 1);
	pvnet_rx_done(&rx);
	assert_broken("rx rsp.id");
}

static void beyond_page(void **state)
{
	respond(fill(0, 0, 0), 4090, 0, 60);
	assert_broken("rx rsp.status");
	assert_int_equal(rx.ring.broken_value, 4090 << 16 | 60);
}

static void longer_than_page(void **state)
{
	respond(fill(0, 0, 0), 0, 0, 4097);
	assert_broken("rx rsp.status");
}

static void offset_wraps(void **state)
{
	respond(fill(0, 0, 0), 0xffff, 0, 60);
	assert_broken("rx rsp.status");
}

static void packet_that_never_ends(void **state)
{
	for (unsigned int i = 0; i < PVNET_PACKET_SLOTS + 1; i++)
		deliver(XEN_NETRXF_more_data, 60, i);
	assert_broken("rx slots of a packet");
}

static void error_that_never_ends(void **state)
{
	/* It keeps no slots, and no more than its share of one poll. */
	for (unsigned int i = 0; i < 4 * PVNET_SLOTS; i++) {
		unsigned int responses = 1;

		respond(fill(0, 0, 0), 0, XEN_NETRXF_more_data, -1);
		assert_int_equal(pvnet_rx_next(&rx, &responses), 0);
		assert_int_equal(responses, 0);
		pvnet_rx_refill(&rx);
		pvring_push(&rx.ring);
	}
	assert_int_equal(pvring_in_flight(&rx.ring), PVNET_SLOTS);
	assert_false(pvring_broken(&rx.ring));
}

static void extras_that_never_end(void **state)
{
	deliver(XEN_NETRXF_extra_info, 60, 1);
	for (unsigned int i = 0; i < 6; i++)
		respond_extra((struct xen_netif_extra_info) {
			.type = XEN_NETIF_EXTRA_TYPE_HASH,
			.flags = XEN_NETIF_EXTRA_FLAG_MORE,
		});
	assert_broken("rx extra.flags");
}

static void unknown_extra(void **state)
{
	deliver(XEN_NETRXF_extra_info, 60, 1);
	respond_extra((struct xen_netif_extra_info) {
		.type = XEN_NETIF_EXTRA_TYPE_MAX,
	});
	assert_broken("rx extra.type");
}

static void extra_for_senders_only(void **state)
{
	deliver(XEN_NETRXF_extra_info, 60, 1);
	respond_extra((struct xen_netif_extra_info) {
		.type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD,
	});
	assert_broken("rx extra.type");
}

static void unknown_segments(void **state)
{
	deliver(XEN_NETRXF_extra_info, 60, 1);
	respond_extra((struct xen_netif_extra_info) {
		.type = XEN_NETIF_EXTRA_TYPE_GSO,
		.u.gso = { .type = 3, .size = 1448 },
	});
	assert_broken("rx gso.type");
}

static void empty_segments(void **state)
{
	deliver(XEN_NETRXF_extra_info, 60, 1);
	respond_extra((struct xen_netif_extra_info) {
		.type = XEN_NETIF_EXTRA_TYPE_GSO,
		.u.gso = { .type = XEN_NETIF_GSO_TYPE_TCPV4, .size = 0 },
	});
	assert_broken("rx gso.size");
}

static void index_beyond_requests(void **state)
{
	shared->rsp_prod = PVNET_SLOTS + 1;
	assert_broken("rsp_prod");
}

static void index_goes_back(void **state)
{
	deliver(0, 60, 1);
	assert_int_equal(next(), 1);
	pvnet_rx_done(&rx);
	shared->rsp_prod--;
	assert_broken("rsp_prod");
}

static struct xen_netif_rx_response *target;
static unsigned int races;

/* The back end changes a response at each point where it can be read. */
static void change(void)
{
	races++;
	target->offset ^= 0xf000;
	target->status ^= 0x7000;
	target->id ^= 0xff;
}

static void response_changes_under_us(void **state)
{
	unsigned int i;
	int ret;

	for (i = 0; i < 16 && !pvring_broken(&rx.ring); i++) {
		target = slot_at(shared->rsp_prod, sizeof(*target));
		deliver(0, 60, 1);
		shim_race = change;
		ret = next();
		shim_race = NULL;
		if (ret == 1 && !rx.packet.bad) {
			const struct pvnet_piece *piece = rx.packet.piece;

			assert_true(piece->len <= PAGE_SIZE);
			assert_true(piece->offset + piece->len <= PAGE_SIZE);
		}
		pvnet_rx_done(&rx);
	}
	assert_true(races > 0);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, start, stop)
#define SMALL_TEST(name) \
	cmocka_unit_test_setup_teardown(name, start_small, stop)
#define XDP_TEST(name)	cmocka_unit_test_setup_teardown(name, start_xdp, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(copied_packets_cost_no_grant),
		TEST(claimed_page_is_out_of_reach),
		TEST(page_kept_by_back_end),
		SMALL_TEST(all_pages_kept_by_back_end),
		TEST(long_packets), TEST(segments), XDP_TEST(headroom),
		XDP_TEST(nothing_but_headroom), TEST(errors), TEST(too_long),
		TEST(wrong_id), TEST(same_id_twice), TEST(beyond_page),
		TEST(longer_than_page), TEST(offset_wraps),
		TEST(packet_that_never_ends), TEST(error_that_never_ends),
		TEST(extras_that_never_end), TEST(unknown_extra),
		TEST(extra_for_senders_only), TEST(unknown_segments),
		TEST(empty_segments), TEST(index_beyond_requests),
		TEST(index_goes_back), TEST(response_changes_under_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
