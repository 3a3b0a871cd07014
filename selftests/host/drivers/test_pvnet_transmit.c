// SPDX-License-Identifier: MIT
/*
 * Packets from the network stack to the transmit ring (drivers/pvnet/transmit.c),
 * and the events that are asked for: a queue without room is woken again however
 * the back end orders its responses.
 */
#include "pvnet_back.h"

#include "driver/network.h"
#include "driver/sending.h"

#include "../../../drivers/pvnet/wire_tx.c"
#include "../../../drivers/pvnet/transmit.c"

struct pvnet_params pvnet_params;
static struct pvnet net;
static struct net_device dev = { .priv = &net };
static struct pvnet_queue queue;
static struct netdev_queue txq;
static unsigned int notified;

void pvguest_notify(unsigned int irq)
{
	notified++;
}

static int start(void **state)
{
	boot(8);
	net = (struct pvnet) { .dev = &dev, .queues = &queue, .connected = true };
	memset(&queue, 0, sizeof(queue));
	txq = (struct netdev_queue) {};
	queue.net = &net;
	queue.txq = &txq;
	assert_int_equal(pvnet_tx_init(&queue.tx, BACK, area.va, true), 0);
	return 0;
}

static int stop(void **state)
{
	pvnet_flush(&queue);
	pvnet_tx_destroy(&queue.tx);
	return !shut_down();
}

/* A forwarded packet, which has no sender that waits. */
static void forward(u32 len)
{
	struct sk_buff *skb = napi_alloc_skb(NULL, len);

	assert_non_null(skb);
	memset(skb->tail, 7, len);
	skb->tail += len;
	skb->len = len;
	assert_int_equal(pvnet_xmit(skb, &dev), NETDEV_TX_OK);
}

/* A response; true if the front end has asked for an event with it. */
static bool respond(u16 id)
{
	struct xen_netif_tx_response *rsp = slot_at(shared->rsp_prod,
						    sizeof(struct xen_netif_tx_request));

	*rsp = (struct xen_netif_tx_response) { .id = id, .status = XEN_NETIF_RSP_OKAY };
	shared->rsp_prod++;
	return shared->rsp_event == shared->rsp_prod;
}

/*
 * The back end responds to the first request of each packet, and to the others
 * only when that is over: few are in flight then, but all ids are in use.
 */
static void fill_and_respond_to_first_requests_first(bool down_and_up)
{
	u16 first[PVNET_SLOTS], other[PVNET_SLOTS];
	unsigned int n = 0, i;
	bool event = false;

	while (!txq.stopped) {
		struct xen_netif_tx_request *req;

		forward(PAGE_SIZE + 100);
		req = slot_at(2 * n, sizeof(*req));
		first[n] = req->id;
		req = slot_at(2 * n + 1, sizeof(*req));
		other[n++] = req->id;
		assert_in_range(n, 1, PVNET_SLOTS / 2);
	}
	for (i = 0; i < n; i++)
		event |= respond(first[i]);
	/* The poll of received packets has been there meanwhile. */
	assert_false(pvnet_reap(&queue, 64));
	assert_true(txq.stopped);
	assert_int_equal(pvring_in_flight(&queue.tx.ring), n);
	if (down_and_up) {
		/* The stack sends again, which has no room. */
		txq.stopped = false;
		forward(60);
	}
	for (i = 0, event = false; i < n && !event; i++)
		event = respond(other[i]);
	assert_true(event);
	while (i <= n && !pvnet_tx_has_room(&queue.tx)) {
		pvnet_reap(&queue, 64);
		if (i < n)
			respond(other[i]);
		i++;
	}
	assert_true(pvnet_tx_has_room(&queue.tx));
	assert_false(txq.stopped);
}

static void test_first_requests_get_responses_first(void **state)
{
	fill_and_respond_to_first_requests_first(false);
}

/* An event is due also if the queue was woken without room. */
static void test_queue_is_woken_without_room(void **state)
{
	fill_and_respond_to_first_requests_first(true);
}

/* The last packet that was held is 2^31 responses and more ago. */
static void test_no_packet_was_held_for_long(void **state)
{
	queue.held = queue.tx.ring.rsp_cons + 0x60000000;
	fill_and_respond_to_first_requests_first(false);
}

/* In order, the queue is woken by the event for half of the ring. */
static void test_responses_in_order(void **state)
{
	unsigned int n = 0, i, events = 0;

	while (!txq.stopped) {
		forward(60);
		n++;
	}
	assert_int_equal(n, PVNET_SLOTS - PVNET_PACKET_SLOTS);
	for (i = 0; i < n && txq.stopped; i++) {
		struct xen_netif_tx_request *req = slot_at(i, sizeof(*req));

		if (respond(req->id)) {
			events++;
			while (pvnet_reap(&queue, 64))
				;
		}
	}
	assert_false(txq.stopped);
	assert_int_equal(events, 1);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_first_requests_get_responses_first),
		T(test_queue_is_woken_without_room),
		T(test_no_packet_was_held_for_long),
		T(test_responses_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
