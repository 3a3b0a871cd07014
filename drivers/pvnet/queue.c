// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue: its two rings, their events, and the poll of both.
 *
 * Events stay masked from their arrival until the poll has found nothing more
 * to do (late EOI), so that a back end cannot keep the guest busy with events.
 */
#include <linux/interrupt.h>
#include <linux/rtnetlink.h>
#include <net/netdev_queues.h>
#include <pvguest/platform.h>

#include "pvnet.h"

/* Pages in the pool that wait for their next use. */
#define PVNET_POOL_SIZE	(2 * PVNET_SLOTS)

/**
 * pvnet_queue_fail() - a ring is broken: fail the device
 * @queue: the queue
 * @ring: one of its rings
 *
 * Context: any.
 */
void pvnet_queue_fail(struct pvnet_queue *queue, const struct pvring *ring)
{
	struct pvnet *net = queue->net;

	if (test_and_set_bit(0, &net->failed))
		return;
	netif_carrier_off(net->dev);
	pvbus_fail(net->bus, "queue %u: %s: invalid value %#llx (%d)",
		   queue->index, ring->broken, ring->broken_value, -EPROTO);
}

static irqreturn_t pvnet_event(struct pvnet_queue *queue, unsigned int ring)
{
	set_bit(ring, &queue->events);
	napi_schedule(&queue->napi);
	return IRQ_HANDLED;
}

static irqreturn_t pvnet_tx_event(int irq, void *data)
{
	return pvnet_event(data, PVNET_TX);
}

/* The event of the receive ring, or of both rings if they share one. */
static irqreturn_t pvnet_rx_event(int irq, void *data)
{
	return pvnet_event(data, PVNET_RX);
}

/* EOI of the events whose work is done. */
static void pvnet_end_events(struct pvnet_queue *queue)
{
	bool idle = !queue->worked;
	unsigned int ring;

	if (!READ_ONCE(queue->events))
		return;
	queue->worked = false;
	for (ring = 0; ring < PVNET_RINGS; ring++) {
		if (!test_and_clear_bit(ring, &queue->events))
			continue;
		queue->rx_stats.events++;
		if (idle)
			queue->rx_stats.events_idle++;
		pvguest_irq_eoi(queue->irq[ring], idle);
	}
}

/* Poll the transmit ring; true if there is more to do. */
static bool pvnet_poll_tx(struct pvnet_queue *queue, int budget)
{
	bool more;

	if (!pvnet_tx_has_responses(&queue->tx))
		return false;
	/* Netpoll may have interrupted the owner of the lock. */
	if (!budget) {
		if (!__netif_tx_trylock(queue->txq))
			return true;
	} else {
		__netif_tx_lock(queue->txq, smp_processor_id());
	}
	more = pvnet_reap(queue, budget);
	__netif_tx_unlock(queue->txq);
	queue->worked = true;
	return more;
}

static int pvnet_poll(struct napi_struct *napi, int budget)
{
	struct pvnet_queue *queue = container_of(napi, struct pvnet_queue, napi);
	bool more = pvnet_poll_tx(queue, budget);
	int work;

	if (unlikely(!budget))
		return 0;
	work = pvnet_receive(queue, budget);
	if (work)
		queue->worked = true;
	if (unlikely(pvring_broken(&queue->tx.ring) ||
		     pvring_broken(&queue->rx.ring))) {
		pvnet_queue_fail(queue, pvring_broken(&queue->tx.ring) ?
				 &queue->tx.ring : &queue->rx.ring);
		/* Without EOI no further event comes. */
		napi_complete_done(napi, min(work, budget - 1));
		return min(work, budget - 1);
	}
	if (more || work >= budget || pvring_rearm(&queue->rx.ring))
		return budget;
	if (napi_complete_done(napi, work))
		pvnet_end_events(queue);
	return work;
}

static int pvnet_bind(struct pvnet_queue *queue, unsigned int ring,
		      irq_handler_t handler, const char *what)
{
	struct pvnet *net = queue->net;
	unsigned int port;
	int irq;

	irq = pvguest_alloc_port(net->bus->backend_id, &port);
	if (irq)
		return irq;
	snprintf(queue->irq_name[ring], sizeof(queue->irq_name[ring]),
		 "%s-q%u%s", net->dev->name, queue->index, what);
	irq = pvguest_bind_port(port, handler, PVGUEST_EVENT_LATE_EOI,
				queue->irq_name[ring], queue);
	if (irq < 0)
		return irq;
	queue->irq[ring] = irq;
	irq_set_affinity_and_hint(irq,
				  cpumask_of(cpumask_local_spread(queue->index,
								  NUMA_NO_NODE)));
	return 0;
}

static int pvnet_bind_events(struct pvnet_queue *queue)
{
	int err;

	if (queue->net->offer.split) {
		err = pvnet_bind(queue, PVNET_TX, pvnet_tx_event, "-tx");
		if (err)
			return err;
		return pvnet_bind(queue, PVNET_RX, pvnet_rx_event, "-rx");
	}
	err = pvnet_bind(queue, PVNET_RX, pvnet_rx_event, "");
	queue->irq[PVNET_TX] = queue->irq[PVNET_RX];
	return err;
}

static void pvnet_unbind(struct pvnet_queue *queue, unsigned int ring)
{
	if (!queue->irq[ring])
		return;
	irq_update_affinity_hint(queue->irq[ring], NULL);
	pvguest_unbind(queue->irq[ring], queue);
}

static int pvnet_make_page_pool(struct pvnet_queue *queue)
{
	struct page_pool_params params = {
		.pool_size = PVNET_POOL_SIZE,
		.nid = NUMA_NO_NODE,
		.napi = &queue->napi,
		.netdev = queue->net->dev,
		.queue_idx = queue->index,
	};
	struct page_pool *pages = page_pool_create(&params);
	int err;

	if (IS_ERR(pages))
		return PTR_ERR(pages);
	queue->pages = pages;
	err = xdp_rxq_info_reg(&queue->xdp_rxq, queue->net->dev, queue->index,
			       queue->napi.napi_id);
	if (err)
		return err;
	return xdp_rxq_info_reg_mem_model(&queue->xdp_rxq, MEM_TYPE_PAGE_POOL,
					  pages);
}

static int pvnet_queue_make(struct pvnet_queue *queue)
{
	struct pvnet *net = queue->net;
	domid_t domain = net->bus->backend_id;
	unsigned int ring;
	int err;

	for (ring = 0; ring < PVNET_RINGS; ring++) {
		err = pvgrant_area_alloc(&queue->area[ring], domain, 1);
		if (err)
			return err;
	}
	err = pvnet_tx_init(&queue->tx, domain, queue->area[PVNET_TX].va,
			    net->offer.sg);
	err = err ?: pvnet_rx_init(&queue->rx, domain, queue->area[PVNET_RX].va,
				   net->xdp ? XDP_PACKET_HEADROOM : 0);
	err = err ?: pvnet_make_page_pool(queue);
	err = err ?: pvnet_fill(queue);
	return err ?: pvnet_bind_events(queue);
}

/**
 * pvnet_queue_open() - make a queue's rings, for a back end in InitWait
 * @queue: the queue, closed
 *
 * Context: process; takes the RTNL.
 * Return: 0, or a negative errno, with the queue closed again.
 */
int pvnet_queue_open(struct pvnet_queue *queue)
{
	int err;

	/* The device's list of polls is the RTNL's. */
	rtnl_lock();
	netif_napi_add(queue->net->dev, &queue->napi, pvnet_poll);
	rtnl_unlock();
	err = pvnet_queue_make(queue);
	if (err)
		pvnet_queue_close(queue);
	return err;
}

/**
 * pvnet_queue_close() - give back all that a queue has
 * @queue: the queue, stopped, perhaps opened half way
 *
 * Context: process; takes the RTNL.
 */
void pvnet_queue_close(struct pvnet_queue *queue)
{
	pvnet_unbind(queue, PVNET_RX);
	if (queue->irq[PVNET_TX] != queue->irq[PVNET_RX])
		pvnet_unbind(queue, PVNET_TX);
	memset(queue->irq, 0, sizeof(queue->irq));
	queue->events = 0;
	queue->held = 0;
	pvnet_flush(queue);
	pvnet_tx_destroy(&queue->tx);
	if (queue->pages) {
		pvnet_drain(queue);
		if (xdp_rxq_info_is_reg(&queue->xdp_rxq))
			xdp_rxq_info_unreg(&queue->xdp_rxq);
		page_pool_destroy(queue->pages);
		queue->pages = NULL;
	}
	pvnet_rx_destroy(&queue->rx);
	pvgrant_area_free(&queue->area[PVNET_RX]);
	pvgrant_area_free(&queue->area[PVNET_TX]);
	rtnl_lock();
	netif_napi_del(&queue->napi);
	rtnl_unlock();
}
