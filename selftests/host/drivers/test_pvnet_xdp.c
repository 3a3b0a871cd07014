// SPDX-License-Identifier: MIT
/*
 * Pages that an XDP program has had (drivers/pvnet/xdp.c): whatever it wrote to
 * them, the back end gets cleared ones.
 */
#include "pvnet_back.h"

#include "driver/network.h"
#include "driver/sending.h"
#include "driver/programs.h"

#include "../../../drivers/pvnet/wire_rx.c"
#include "../../../drivers/pvnet/wire_tx.c"
#include "../../../drivers/pvnet/receive.c"
#include "../../../drivers/pvnet/accept.c"
#include "../../../drivers/pvnet/xdp.c"

struct pvnet_params pvnet_params = { .copybreak = 2048 };
static struct bpf_prog program;
static struct pvnet net;
static struct net_device dev = { .priv = &net };
static struct pvnet_queue queue;
static struct netdev_queue txq;
static struct page_pool pool;
static struct pvgrant_area tx_area;

void pvguest_notify(unsigned int irq)
{
}

void pvnet_kick(struct pvnet_queue *q)
{
}

void pvnet_request_reconnect(struct pvnet *n)
{
}

static int start(void **state)
{
	boot(8);
	net = (struct pvnet) { .dev = &dev, .xdp = true, .prog = &program };
	memset(&queue, 0, sizeof(queue));
	txq = (struct netdev_queue) {};
	queue.net = &net;
	queue.txq = &txq;
	queue.pages = &pool;
	assert_int_equal(pvgrant_area_alloc(&tx_area, BACK, 1), 0);
	assert_int_equal(pvnet_tx_init(&queue.tx, BACK, tx_area.va, true), 0);
	assert_int_equal(pvnet_rx_init(&queue.rx, BACK, area.va, XDP_PACKET_HEADROOM), 0);
	assert_int_equal(pvnet_fill(&queue), 0);
	return 0;
}

static int stop(void **state)
{
	pvnet_tx_destroy(&queue.tx);
	pvgrant_area_free(&tx_area);
	pvnet_drain(&queue);
	pvnet_rx_destroy(&queue.rx);
	return !shut_down();
}

/* A packet of @len bytes is received; returns the slot that it came in. */
static unsigned int receive(u16 len)
{
	unsigned int at = seen++ % PVNET_SLOTS;
	struct xen_netif_rx_request *req = slot_at(at, sizeof(*req));
	struct xen_netif_rx_response *rsp = slot_at(at, sizeof(*rsp));
	u16 id = req->id;
	u8 *page;

	page = hyp_map(req->gref, BACK, true);
	assert_non_null(page);
	memset(page + XDP_PACKET_HEADROOM, 0x77, len);
	hyp_unmap(req->gref, true);
	*rsp = (struct xen_netif_rx_response) { .id = id, .status = len + XDP_PACKET_HEADROOM };
	shared->rsp_prod++;
	assert_int_equal(pvnet_receive(&queue, 64), 1);
	return id;
}

static void assert_cleared(unsigned int slot)
{
	const u8 *page = page_address(queue.rx.slots[slot].page);

	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(page[i], 0);
}

static void test_page_is_cleared(void **state)
{
	for (program.verdict = XDP_ABORTED; program.verdict <= XDP_TX; program.verdict++) {
		if (program.verdict == XDP_PASS)
			continue;
		assert_cleared(receive(200));
	}
}

/* A packet that the program consumes has been received. */
static void test_packets_are_counted(void **state)
{
	unsigned int packets = 0;

	for (program.verdict = XDP_ABORTED; program.verdict <= XDP_TX; program.verdict++) {
		if (program.verdict == XDP_PASS)
			continue;
		receive(200);
		packets++;
		assert_int_equal(queue.rx_stats.packets, packets);
		assert_int_equal(queue.rx_stats.bytes, 200 * packets);
	}
	/* One that it does not see is dropped, and counted there. */
	net.xdp = false;
	receive(200);
	assert_int_equal(queue.rx_stats.packets, packets);
	assert_int_equal(queue.rx_stats.drop_xdp_off, 1);
}

/* Without memory for another page the same one is offered again. */
static void test_page_is_cleared_without_memory(void **state)
{
	struct page *page;

	program.verdict = XDP_DROP;
	page = queue.rx.slots[seen % PVNET_SLOTS].page;
	shim_fail_after = 0;
	assert_cleared(receive(200));
	shim_fail_after = -1;
	assert_ptr_equal(queue.rx.slots[(seen - 1) % PVNET_SLOTS].page, page);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_page_is_cleared),
		T(test_packets_are_counted),
		T(test_page_is_cleared_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
