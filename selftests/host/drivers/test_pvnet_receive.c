// SPDX-License-Identifier: MIT
/*
 * Packets on their way up the stack (drivers/pvnet/receive.c, accept.c): however
 * a back end cuts a packet into slots, and whatever it says about segments and
 * checksum, the network core gets what it takes for granted (driver/network.h).
 */
#include "pvnet_back.h"

#include "driver/network.h"

#include "../../../drivers/pvnet/wire_rx.c"
#include "../../../drivers/pvnet/receive.c"
#include "../../../drivers/pvnet/accept.c"

struct pvnet_params pvnet_params;
static struct net_device dev;
static struct pvnet net;
static struct pvnet_queue queue;
static struct page_pool pool;
static unsigned int xdp_runs;
/* The packet that is sent next. */
static u8 packet[65536];

void pvnet_xdp_run(struct pvnet_queue *q, struct bpf_prog *prog,
		   unsigned int *redirected)
{
	xdp_runs++;
}

void pvguest_notify(unsigned int irq)
{
}

static int start(void **state)
{
	boot(8);
	pvnet_params = (struct pvnet_params) {
		.sg = true, .gso = true, .csum = true, .copybreak = 2048,
	};
	dev.features = NETIF_F_RXCSUM;
	net = (struct pvnet) { .dev = &dev };
	memset(&queue, 0, sizeof(queue));
	queue.net = &net;
	queue.pages = &pool;
	memset(&upstack, 0, sizeof(upstack));
	for (unsigned int i = 0; i < sizeof(packet); i++)
		packet[i] = i * 7;
	assert_int_equal(pvnet_rx_init(&queue.rx, BACK, area.va, 0), 0);
	assert_int_equal(pvnet_fill(&queue), 0);
	return 0;
}

static int stop(void **state)
{
	shim_fail_after = -1;
	pvnet_drain(&queue);
	pvnet_rx_destroy(&queue.rx);
	return !shut_down();
}

/* One slot with the next @len bytes of the packet. */
static void slot(u32 at, u16 len, u16 flags)
{
	struct xen_netif_rx_request *req = slot_at(seen++, sizeof(*req));
	struct xen_netif_rx_response *rsp = slot_at(shared->rsp_prod, sizeof(*rsp));
	u8 *page;
	u16 id = req->id;

	page = hyp_map(req->gref, BACK, true);
	assert_non_null(page);
	memcpy(page, packet + at, len);
	hyp_unmap(req->gref, true);
	*rsp = (struct xen_netif_rx_response) { .id = id, .flags = flags, .status = len };
	shared->rsp_prod++;
}

static void gso_slot(u16 size, u8 type)
{
	seen++;
	*(struct xen_netif_extra_info *)slot_at(shared->rsp_prod, 8) =
		(struct xen_netif_extra_info) {
			.type = XEN_NETIF_EXTRA_TYPE_GSO,
			.u.gso = { .size = size, .type = type },
		};
	shared->rsp_prod++;
}

/* Send @len bytes, the first @first in a slot of their own, and poll. */
static void send_packet(u32 first, u32 len, u16 flags, u16 gso_size, u8 gso_type)
{
	u32 at = 0, n;

	for (n = first; at < len; at += n, n = min_t(u32, len - at, PAGE_SIZE)) {
		slot(at, n, (at ? 0 : flags | (gso_size ? XEN_NETRXF_extra_info : 0)) |
		     (at + n < len ? XEN_NETRXF_more_data : 0));
		if (!at && gso_size)
			gso_slot(gso_size, gso_type);
	}
	pvnet_receive(&queue, 64);
	assert_false(pvring_broken(&queue.rx.ring));
}

static void ethernet(u16 type)
{
	type = htons(type);
	memcpy(packet + 12, &type, 2);
}

/* Headers of TCP over IPv4 or IPv6; returns their length with Ethernet's. */
static u32 tcp(bool v4, u8 ihl, u8 doff)
{
	u32 at = ETH_HLEN + (v4 ? ihl * 4 : 40);

	ethernet(v4 ? ETH_P_IP : ETH_P_IPV6);
	packet[ETH_HLEN] = v4 ? 0x40 | ihl : 0x60;
	packet[ETH_HLEN + (v4 ? 9 : 6)] = IPPROTO_TCP;
	packet[at + 12] = doff << 4;
	return at + doff * 4;
}

static void assert_up(u32 len)
{
	assert_int_equal(upstack.count, 1);
	assert_int_equal(upstack.len, len - ETH_HLEN);
	assert_memory_equal(upstack.data, packet + ETH_HLEN, upstack.len);
	memset(&upstack, 0, sizeof(upstack));
}

static void assert_dropped(u64 *counter, u64 count)
{
	assert_int_equal(upstack.count, 0);
	assert_int_equal(*counter, count);
}

static void first_slot_of_any_length(void **state)
{
	for (u32 first = 1; first < 200; first++) {
		send_packet(first, 1514, 0, 0, 0);
		assert_up(1514);
		send_packet(first, first + 14, 0, 0, 0);
		assert_up(first + 14);
		if (first >= ETH_HLEN) {
			send_packet(first, first, 0, 0, 0);
			assert_up(first);
		}
	}
	/* A slot for each byte of the Ethernet header. */
	for (u32 at = 0; at < 17; at++)
		slot(at, 1, XEN_NETRXF_more_data);
	slot(17, 43, 0);
	pvnet_receive(&queue, 64);
	assert_up(60);
}

static void runts_are_dropped(void **state)
{
	send_packet(1, 13, 0, 0, 0);
	assert_dropped(&queue.rx_stats.drop_bad, 1);
	send_packet(13, 13, 0, 0, 0);
	assert_dropped(&queue.rx_stats.drop_bad, 2);
	send_packet(1, 14, 0, 0, 0);
	assert_up(14);
}

static void longest_packet(void **state)
{
	send_packet(1, 65535, 0, 0, 0);
	assert_up(65535);
	/* A first slot more than there are fragments is copied. */
	slot(0, 4096, XEN_NETRXF_more_data);
	for (u32 i = 0; i < 17; i++)
		slot(4096 + i, 1, i < 16 ? XEN_NETRXF_more_data : 0);
	pvnet_receive(&queue, 64);
	assert_up(4096 + 17);
}

static void segments(void **state)
{
	for (int v4 = 0; v4 < 2; v4++) {
		u8 type = v4 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6;
		u32 headers = tcp(v4, 5, 15);

		for (u32 first = 1; first < 200; first += 3) {
			send_packet(first, headers + 10000, XEN_NETRXF_csum_blank, 1448, type);
			assert_int_equal(upstack.gso_size, 1448);
			assert_int_equal(upstack.gso_segs, 7);
			assert_int_equal(upstack.ip_summed, CHECKSUM_PARTIAL);
			memset(&upstack, 0, sizeof(upstack));
		}
		/* No more than one segment. */
		send_packet(40, headers + 1448, XEN_NETRXF_csum_blank, 1448, type);
		assert_int_equal(upstack.gso_size, 0);
		assert_up(headers + 1448);
		/* Headers, and nothing to be segmented. */
		send_packet(40, headers, XEN_NETRXF_csum_blank, 1448, type);
		assert_dropped(&queue.rx_stats.drop_checksum, v4 ? 6 : 1);
		/* By the list of a packet that has none. */
		send_packet(40, headers + 10000, XEN_NETRXF_csum_blank, GSO_BY_FRAGS, type);
		/* Segments of a byte: more than can be counted. */
		send_packet(40, headers + 10000, XEN_NETRXF_csum_blank, 1, type);
		assert_int_equal(upstack.gso_size, TCP_MIN_GSO_SIZE);
		memset(&upstack, 0, sizeof(upstack));
		/* Another protocol than the packet's. */
		send_packet(40, headers + 10000, XEN_NETRXF_csum_blank, 1448, type ^ 3);
		/* A TCP header that is too short, and one behind the packet. */
		tcp(v4, 5, 4);
		send_packet(40, headers + 10000, XEN_NETRXF_csum_blank, 1448, type);
		tcp(v4, 5, 15);
		send_packet(40, headers - 8, XEN_NETRXF_csum_blank, 1448, type);
		assert_dropped(&queue.rx_stats.drop_checksum, v4 ? 10 : 5);
	}
}

static void assert_checksum(u16 flags, u16 gso_size, u8 checksum)
{
	u32 headers = tcp(true, 5, 5);

	send_packet(60, headers + 3000, flags, gso_size, XEN_NETIF_GSO_TYPE_TCPV4);
	assert_int_equal(upstack.ip_summed, checksum);
	assert_int_equal(upstack.gso_size, gso_size);
	assert_up(headers + 3000);
}

/* Without the feature the core checks each checksum; one that is missing stays so. */
static void checksum_of_the_back_end(void **state)
{
	for (int on = 1; on >= 0; on--) {
		dev.features = on ? NETIF_F_RXCSUM : 0;
		assert_checksum(0, 0, CHECKSUM_NONE);
		assert_checksum(XEN_NETRXF_data_validated, 0,
				on ? CHECKSUM_UNNECESSARY : CHECKSUM_NONE);
		assert_checksum(XEN_NETRXF_csum_blank, 0, CHECKSUM_PARTIAL);
		assert_checksum(XEN_NETRXF_csum_blank | XEN_NETRXF_data_validated, 0,
				CHECKSUM_PARTIAL);
		assert_checksum(XEN_NETRXF_csum_blank | XEN_NETRXF_data_validated, 1448,
				CHECKSUM_PARTIAL);
		assert_checksum(XEN_NETRXF_data_validated, 1448, CHECKSUM_PARTIAL);
	}
}

static void segments_that_were_not_announced(void **state)
{
	u32 headers = tcp(true, 5, 5);

	pvnet_params.gso = false;
	send_packet(100, headers + 10000, XEN_NETRXF_csum_blank, 1448, XEN_NETIF_GSO_TYPE_TCPV4);
	assert_dropped(&queue.rx_stats.drop_checksum, 1);
	pvnet_params.gso = true;
	net.xdp = true;
	send_packet(100, headers + 10000, XEN_NETRXF_csum_blank, 1448, XEN_NETIF_GSO_TYPE_TCPV4);
	assert_dropped(&queue.rx_stats.drop_checksum, 2);
}

static void header_shorter_than_can_be(void **state)
{
	tcp(true, 4, 5);
	send_packet(60, 100, XEN_NETRXF_csum_blank, 0, 0);
	assert_dropped(&queue.rx_stats.drop_checksum, 1);
	tcp(true, 0, 5);
	send_packet(1, 100, XEN_NETRXF_csum_blank, 0, 0);
	assert_dropped(&queue.rx_stats.drop_checksum, 2);
}

static void without_memory(void **state)
{
	for (int after = 0; after < 6; after++) {
		shim_fail_after = after;
		send_packet(1, 1514, 0, 0, 0);
	}
	shim_fail_after = -1;
	assert_true(queue.rx_stats.drop_memory > 0);
	memset(&upstack, 0, sizeof(upstack));
	send_packet(1, 1514, 0, 0, 0);
	assert_up(1514);
}

static void page_that_stays_mapped_does_not_go_up(void **state)
{
	const struct xen_netif_rx_request *req = slot_at(seen, sizeof(*req));
	grant_ref_t ref = req->gref;

	/* Once more than the packet needs. */
	assert_non_null(hyp_map(ref, BACK, true));
	send_packet(4000, 4000, 0, 0, 0);
	assert_dropped(&queue.rx_stats.drop_memory, 1);
	hyp_unmap(ref, true);
	send_packet(4000, 4000, 0, 0, 0);
	assert_up(4000);
}

static u32 random_below(u32 limit)
{
	static u32 seed = 1;

	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

/* Headers and cuts at random: nothing that the core minds, no page lost. */
static void any_packet(void **state)
{
	for (unsigned int i = 0; i < 20000; i++) {
		u32 len = 1 + random_below(random_below(4) ? 300 : 9000);
		u32 first = 1 + random_below(140);
		u32 sizes[] = { 0, 0, 1, 8, 536, 1448, 9000, GSO_BY_FRAGS };

		for (unsigned int n = 0; n < 80; n++)
			packet[n] = random_below(256);
		if (random_below(8))
			tcp(random_below(2), random_below(4) ? 5 : random_below(16),
			    random_below(16));
		send_packet(min(first, len), len, random_below(2) ? XEN_NETRXF_csum_blank : 0,
			    sizes[random_below(ARRAY_SIZE(sizes))], 1 + random_below(2));
	}
	assert_true(upstack.count > 1000);
	assert_true(queue.rx_stats.drop_checksum > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_slot_of_any_length, start, stop),
		cmocka_unit_test_setup_teardown(runts_are_dropped, start, stop),
		cmocka_unit_test_setup_teardown(longest_packet, start, stop),
		cmocka_unit_test_setup_teardown(segments, start, stop),
		cmocka_unit_test_setup_teardown(checksum_of_the_back_end, start, stop),
		cmocka_unit_test_setup_teardown(segments_that_were_not_announced, start, stop),
		cmocka_unit_test_setup_teardown(header_shorter_than_can_be, start, stop),
		cmocka_unit_test_setup_teardown(without_memory, start, stop),
		cmocka_unit_test_setup_teardown(page_that_stays_mapped_does_not_go_up, start, stop),
		cmocka_unit_test_setup_teardown(any_packet, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
