// SPDX-License-Identifier: MIT
/*
 * A queue of a network interface (drivers/pvnet/queue.c) with both its rings: it
 * comes and goes without a trace, its poll ends events only when nothing is left
 * to do, and an interface has as many queues as there are references and ports
 * (drivers/pvnet/connect.c).
 */
#include "pvnet_back.h"

#include "driver/network.h"
#include "driver/sending.h"
#include "store_nodes.h"

#define rcu_access_pointer(p)	(p)
#define netdev_warn(dev, ...)	((void)(dev), shim_log(__VA_ARGS__))

#include <pvguest/platform.h>
#include "driver/polling.h"

#include "../../../drivers/pvnet/wire_tx.c"
#include "../../../drivers/pvnet/wire_rx.c"
#include "../../../drivers/pvnet/receive.c"
#include "../../../drivers/pvnet/accept.c"
#include "../../../drivers/pvnet/transmit.c"
#include "../../../drivers/pvnet/queue.c"
#include "../../../drivers/pvnet/connect.c"

#define QUEUES	4

struct pvnet_params pvnet_params;
static struct pvnet net;
static struct net_device dev = { .priv = &net, .name = "eth0" };
static struct pvbus_device bus = { .node = "device/vif/0", .backend = "/back", .backend_id = BACK };
static struct pvnet_queue queues[QUEUES];
static struct pvnet_queue *const queue = queues;
static struct netdev_queue txqs[QUEUES];
static unsigned int failures, notified;
static char failure[160];
/* The back end's mapping of the two rings. */
static struct pvring_shared *rings[PVNET_RINGS];
static grant_ref_t mapped[PVNET_RINGS];

void pvbus_fail(struct pvbus_device *device, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(failure, sizeof(failure), fmt, args);
	va_end(args);
	failures++;
}

void pvguest_notify(unsigned int irq)
{
	notified++;
}

void pvnet_xdp_run(struct pvnet_queue *q, struct bpf_prog *prog, unsigned int *redirected)
{
}

void pvnet_start(struct pvnet *n)
{
}

void pvnet_stop(struct pvnet *n)
{
}

static int start(void **state)
{
	boot(16);
	memset(&polling, 0, sizeof(polling));
	memset(queues, 0, sizeof(queues));
	memset(txqs, 0, sizeof(txqs));
	memset(nodes, 0, sizeof(nodes));
	memset(&upstack, 0, sizeof(upstack));
	polling.ports = -1;
	pvnet_params = (struct pvnet_params) {
		.split = true, .sg = true, .copybreak = 2048,
	};
	net = (struct pvnet) {
		.bus = &bus, .dev = &dev, .queues = queues, .max_queues = QUEUES,
		.requested_queues = QUEUES, .connected = true,
		.offer = { .max_queues = QUEUES, .split = true, .sg = true },
	};
	bus.dev.data = &net;
	for (unsigned int i = 0; i < QUEUES; i++) {
		queues[i].net = &net;
		queues[i].index = i;
		queues[i].txq = &txqs[i];
	}
	node_put("/back/feature-rx-copy", "1");
	node_put("/back/feature-sg", "1");
	node_put("/back/feature-split-event-channels", "1");
	node_put("/back/multi-queue-max-queues", "4");
	failures = 0;
	notified = 0;
	return 0;
}

static int stop(void **state)
{
	bool good = !polling.bound && !polling.pools && !polling.rxqs && !polling.rtnl;

	shim_log_last[0] = '\0';
	return !shut_down() || !good;
}

static void open_queue(void)
{
	assert_int_equal(pvnet_queue_open(queue), 0);
	for (unsigned int i = 0; i < PVNET_RINGS; i++) {
		mapped[i] = queue->area[i].refs[0];
		rings[i] = hyp_map(mapped[i], BACK, true);
		assert_non_null(rings[i]);
	}
}

static void close_queue(void)
{
	for (unsigned int i = 0; i < PVNET_RINGS; i++)
		hyp_unmap(mapped[i], true);
	pvnet_queue_close(queue);
}

/* A packet of @len bytes for the guest. */
static void deliver(u16 len)
{
	u8 *slots = (u8 *)(rings[PVNET_RX] + 1);
	u32 at = rings[PVNET_RX]->rsp_prod % PVNET_SLOTS * sizeof(struct xen_netif_rx_request);
	struct xen_netif_rx_request *req = (void *)(slots + at);
	struct xen_netif_rx_response *rsp = (void *)(slots + at);
	u16 id = req->id;
	u8 *page = hyp_map(req->gref, BACK, true);

	memset(page, 1, len);
	hyp_unmap(req->gref, true);
	*rsp = (struct xen_netif_rx_response) { .id = id, .status = len };
	rings[PVNET_RX]->rsp_prod++;
}

static void event(unsigned int ring)
{
	polling_event(queue->irq[ring]);
}

static void comes_and_goes(void **state)
{
	for (unsigned int split = 0; split < 2; split++) {
		net.offer.split = split;
		open_queue();
		assert_int_equal(polling.bound, 1 + split);
		close_queue();
	}
}

/* Whatever is missing, half a queue leaves nothing behind. */
static void half_a_queue(void **state)
{
	int err = -ENOMEM;
	unsigned int fail;

	for (fail = 0; err; fail++) {
		shim_fail_after = fail;
		err = pvnet_queue_open(queue);
		shim_fail_after = -1;
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(polling.bound + polling.pools + polling.rxqs, 0);
			assert_int_equal(hyp_granted(), 1);	/* the test's own */
		}
	}
	/* At least a page for each slot of both rings. */
	assert_true(fail > 2 * PVNET_SLOTS);
	pvnet_queue_close(queue);
	for (polling.ports = 0; polling.ports < 2; polling.ports++) {
		int ports = polling.ports;

		assert_int_equal(pvnet_queue_open(queue), -ENOSPC);
		assert_int_equal(polling.bound, 0);
		polling.ports = ports;
	}
}

static void events(void **state)
{
	open_queue();
	/* Nothing is there: the event was idle, and the next one may wait. */
	event(PVNET_RX);
	assert_int_equal(polling.eois, 0);
	polling_run(&queue->napi, 64);
	assert_int_equal(polling.eois, 1);
	assert_int_equal(polling.idle_eois, 1);
	/* A packet: taken before the event ends. */
	deliver(60);
	event(PVNET_RX);
	polling_run(&queue->napi, 64);
	assert_int_equal(upstack.count, 1);
	assert_int_equal(polling.eois, 2);
	assert_int_equal(polling.idle_eois, 1);
	/* Events of both rings end together. */
	event(PVNET_TX);
	event(PVNET_RX);
	polling_run(&queue->napi, 64);
	assert_int_equal(polling.eois, 4);
	assert_int_equal(polling.idle_eois, 3);
	assert_int_equal(queue->rx_stats.events, 4);
	close_queue();
}

static void budget(void **state)
{
	open_queue();
	for (unsigned int i = 0; i < 100; i++)
		deliver(60);
	event(PVNET_RX);
	/* Netpoll takes no packet. */
	assert_int_equal(polling.fn(&queue->napi, 0), 0);
	assert_int_equal(upstack.count, 0);
	assert_int_equal(polling.fn(&queue->napi, 64), 64);
	assert_int_equal(upstack.count, 64);
	assert_int_equal(polling.eois, 0);
	assert_int_equal(polling.fn(&queue->napi, 64), 36);
	assert_int_equal(polling.eois, 1);
	close_queue();
}

/* A poll that the core will repeat itself: no event comes until it has. */
static void deferred(void **state)
{
	open_queue();
	polling.deferrals = 1;
	deliver(60);
	event(PVNET_RX);
	polling_run(&queue->napi, 64);
	assert_int_equal(upstack.count, 1);
	assert_int_equal(polling.eois, 0);
	/* The timer's poll ends the event, which had work in the poll before. */
	napi_schedule(&queue->napi);
	polling_run(&queue->napi, 64);
	assert_int_equal(polling.eois, 1);
	assert_int_equal(polling.idle_eois, 0);
	assert_int_equal(queue->rx_stats.events, 1);
	close_queue();
}

/* An index that was never possible: no event ends, and the device fails once. */
static void broken(void **state)
{
	open_queue();
	rings[PVNET_RX]->rsp_prod += PVNET_SLOTS + 1;
	for (unsigned int i = 0; i < 3; i++) {
		event(PVNET_RX);
		polling_run(&queue->napi, 64);
	}
	assert_int_equal(polling.eois, 0);
	assert_int_equal(failures, 1);
	assert_int_equal(polling.carrier_lost, 1);
	assert_non_null(strstr(failure, "queue 0: rsp_prod"));
	close_queue();
}

/* A response while netpoll has interrupted the sender. */
static void netpoll(void **state)
{
	open_queue();
	rings[PVNET_TX]->rsp_prod++;
	rings[PVNET_TX]->req_prod++;
	queue->tx.ring.req_pushed++;
	txqs[0].locked = 1;
	assert_int_equal(polling.fn(&queue->napi, 0), 0);
	assert_int_equal(txqs[0].locked, 1);
	txqs[0].locked = 0;
	queue->tx.ring.req_pushed--;
	close_queue();
}

static void all_queues(void **state)
{
	assert_int_equal(pvnet_setup(&bus), 0);
	assert_int_equal(net.queue_count, 4);
	assert_int_equal(net.offer.max_queues, 4);
	pvnet_disconnect(&bus);
	assert_int_equal(net.queue_count, 0);
}

/* With few references there are fewer queues, and others are left some. */
static void few_references(void **state)
{
	struct pvgrant_pool others;

	assert_int_equal(pvgrant_pool_init(&others, 16 * 512 - 8 - 1 - 2 * PVNET_QUEUE_REFS -
					   PVGRANT_RESERVE - 100), 0);
	shim_log_lines = 0;
	assert_int_equal(pvnet_setup(&bus), 0);
	assert_int_equal(net.queue_count, 2);
	/* So that the interface is not connected anew for lack of queues. */
	assert_int_equal(net.offer.max_queues, 2);
	assert_int_equal(shim_log_lines, 1);
	assert_non_null(strstr(shim_log_last, "for 4 (-28); using 2"));
	pvnet_disconnect(&bus);
	pvgrant_pool_destroy(&others);
}

/* The first queue may have the reserve. */
static void last_references(void **state)
{
	struct pvgrant_pool others;

	assert_int_equal(pvgrant_pool_init(&others, 16 * 512 - 8 - 1 - PVNET_QUEUE_REFS), 0);
	assert_int_equal(pvnet_setup(&bus), 0);
	assert_int_equal(net.queue_count, 1);
	pvnet_disconnect(&bus);
	pvgrant_pool_destroy(&others);
}

static void few_ports(void **state)
{
	polling.ports = 5;
	assert_int_equal(pvnet_setup(&bus), 0);
	assert_int_equal(net.queue_count, 2);
	pvnet_disconnect(&bus);
	polling.ports = 1;
	assert_int_equal(pvnet_setup(&bus), -ENOSPC);
	assert_int_equal(net.queue_count, 0);
	pvnet_disconnect(&bus);
}

/* No node where none says the same, and none left of an earlier connection. */
static void nodes_of_features(void **state)
{
	node_put("/back/multi-queue-max-queues", "1");
	node_put("device/vif/0/xdp-headroom", "256");
	node_put("device/vif/0/multi-queue-num-queues", "4");
	assert_int_equal(pvnet_setup(&bus), 0);
	assert_int_equal(pvnet_publish(&bus, 1), 0);
	assert_null(node_find("device/vif/0/xdp-headroom"));
	assert_null(node_find("device/vif/0/multi-queue-num-queues"));
	assert_null(node_find("device/vif/0/feature-gso-tcpv4"));
	assert_string_equal(node_find("device/vif/0/feature-sg")->value, "1");
	assert_string_equal(node_find("device/vif/0/request-rx-copy")->value, "1");
	assert_string_equal(node_find("device/vif/0/feature-no-csum-offload")->value, "1");
	pvnet_disconnect(&bus);
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(comes_and_goes),
		TEST(half_a_queue),
		TEST(events),
		TEST(budget),
		TEST(deferred),
		TEST(broken),
		TEST(netpoll),
		TEST(all_queues),
		TEST(few_references),
		TEST(last_references),
		TEST(few_ports),
		TEST(nodes_of_features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
