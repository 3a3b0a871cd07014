// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connection and disconnection: makes rings when the back end is InitWait,
 * writes their nodes, and gives them back when the back end has gone.
 */
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <pvbus/store.h>
#include <pvguest/platform.h>
#include <xen/interface/io/protocols.h>

#include "pvblk.h"

static void pvblk_read_transport(struct pvbus_device *dev,
				 struct pvblk_disk *disk)
{
	unsigned int rings = pvblk_params.max_queues ?:
			     min(num_online_cpus(), PVBLK_QUEUES);
	unsigned int n;

	n = pvstore_read_feature(dev->backend, "multi-queue-max-queues", 1,
				 PVBLK_MAX_QUEUES);
	disk->nr_rings = clamp(n, 1U, rings);

	n = pvstore_read_feature(dev->backend, "max-ring-page-order", 0,
				 PVBLK_MAX_ORDER);
	disk->ring_order = min(n, pvblk_params.ring_order);

	n = pvstore_read_feature(dev->backend, "feature-max-indirect-segments",
				 0, PVBLK_MAX_SEGMENTS);
	n = min(n, pvblk_params.indirect);
	disk->segments = max_t(unsigned int, n, BLKIF_MAX_SEGMENTS_PER_REQUEST);
}

/*
 * The first back end determines the number of queues and of requests in each.
 * A later one may offer more rings, which are not used, or fewer, which queues
 * then share.
 */
static int pvblk_make_queues(struct pvblk_disk *disk)
{
	struct blk_mq_tag_set *set = &disk->set;
	unsigned int i;
	int ret;

	disk->queues = kcalloc(disk->nr_rings, sizeof(*disk->queues),
			       GFP_KERNEL);
	if (!disk->queues)
		return -ENOMEM;
	for (i = 0; i < disk->nr_rings; i++) {
		struct pvblk_queue *q = &disk->queues[i];

		q->disk = disk;
		spin_lock_init(&q->lock);
		INIT_WORK(&q->grow, pvblk_grow);
		INIT_DELAYED_WORK(&q->idle, pvblk_idle);
		INIT_WORK(&q->rest, pvblk_finish_rest);
		pvblk_pages_init(&q->cache, &q->lock);
	}
	set->ops = &pvblk_mq_ops;
	set->nr_hw_queues = disk->nr_rings;
	set->queue_depth = pvring_entries(PAGE_SIZE << disk->ring_order,
					  sizeof(union pvblk_slot));
	set->numa_node = NUMA_NO_NODE;
	set->cmd_size = pvblk_cmd_size();
	set->driver_data = disk;
	set->timeout = pvblk_params.timeout * HZ;
	/* The back end's host schedules requests. */
	set->flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	ret = blk_mq_alloc_tag_set(set);
	if (ret) {
		kfree(disk->queues);
		disk->queues = NULL;
		return ret;
	}
	/* The queues before their number: the shrinker looks at both. */
	smp_store_release(&disk->nr_queues, disk->nr_rings);
	return 0;
}

/* Responses are handled on a vCPU that sends requests to the ring. */
static void pvblk_set_affinity(struct pvblk_disk *disk, unsigned int index)
{
	const unsigned int *map = disk->set.map[HCTX_TYPE_DEFAULT].mq_map;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		if (map[cpu] == index) {
			irq_set_affinity(disk->queues[index].irq,
					 cpumask_of(cpu));
			return;
		}
	}
}

/* Pages for the longest request and its segment list: one must always be possible. */
static unsigned int pvblk_first_pages(const struct pvblk_disk *disk)
{
	return max(disk->segments + 1, PVBLK_FIRST_PAGES);
}

static int pvblk_make_ring(struct pvblk_disk *disk, unsigned int index)
{
	struct pvblk_queue *q = &disk->queues[index];
	domid_t domain = disk->dev->backend_id;
	unsigned int port;
	int ret;

	ret = pvgrant_area_alloc(&q->area, domain, 1 << disk->ring_order);
	if (ret)
		return ret;
	ret = pvblk_wire_init(&q->wire, q->area.va,
			      PAGE_SIZE << disk->ring_order, disk->dev->id);
	if (ret)
		return ret;
	q->cache.domain = domain;
	ret = pvblk_pages_first(&q->cache, pvblk_first_pages(disk));
	if (ret)
		return ret;
	ret = pvguest_alloc_port(domain, &port);
	if (ret)
		return ret;
	ret = pvguest_bind_port(port, pvblk_event, PVGUEST_EVENT_LATE_EOI,
				disk->name.name, q);
	if (ret < 0)
		return ret;
	q->irq = ret;
	pvblk_set_affinity(disk, index);
	return 0;
}

/* Give back what a ring has, made half way or all the way. */
static void pvblk_end_ring(struct pvblk_queue *q)
{
	if (q->irq)
		pvguest_unbind(q->irq, q);
	q->irq = 0;
	pvblk_pages_destroy(&q->cache);
	pvblk_wire_destroy(&q->wire);
	if (q->area.va)
		pvgrant_area_free(&q->area);
	q->area.va = NULL;
}

/* A ring that the disk can do without: other devices may need what it takes. */
static int pvblk_make_further_ring(struct pvblk_disk *disk, unsigned int index)
{
	int ret;

	if (!pvgrant_can_spare(pvblk_first_pages(disk) + (1 << disk->ring_order)))
		return -ENOSPC;
	ret = pvblk_make_ring(disk, index);
	if (ret)
		pvblk_end_ring(&disk->queues[index]);
	return ret;
}

/**
 * pvblk_setup() - the back end is InitWait: read its features, make rings
 * @dev: the device
 *
 * pvblk_disconnect() gives back the rings, also after a failure.
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int pvblk_setup(struct pvbus_device *dev)
{
	struct pvblk_disk *disk = pvbus_priv(dev);
	unsigned int i;
	int ret = 0;

	pvblk_read_transport(dev, disk);
	if (!disk->queues)
		ret = pvblk_make_queues(disk);
	if (ret)
		return ret;
	disk->nr_rings = min(disk->nr_rings, disk->nr_queues);
	ret = pvblk_make_ring(disk, 0);
	if (ret) {
		dev_err(&dev->dev, "ring 0: no memory, grant references or event channel (%d); setup fails\n",
			ret);
		return ret;
	}
	for (i = 1; i < disk->nr_rings; i++) {
		ret = pvblk_make_further_ring(disk, i);
		if (!ret)
			continue;
		dev_warn(&dev->dev, "rings: no memory, grant references or event channels for %u (%d); using %u\n",
			 disk->nr_rings, ret, i);
		disk->nr_rings = i;
	}
	return 0;
}

static int pvblk_publish_ring(struct pvbus_device *dev, u32 txn,
			      const char *dir, const struct pvblk_queue *q)
{
	char node[16] = "ring-ref";
	unsigned int i;
	int ret = 0;

	for (i = 0; i < q->area.count && !ret; i++) {
		if (q->area.count > 1)
			snprintf(node, sizeof(node), "ring-ref%u", i);
		ret = pvstore_printf(txn, dir, node, "%u", q->area.refs[i]);
	}
	return ret ?: pvstore_printf(txn, dir, "event-channel", "%u",
				     pvguest_irq_port(q->irq));
}

/* Write @value to @node, or remove @node if @value is 0. */
static int pvblk_publish_node(struct pvbus_device *dev, u32 txn,
			      const char *node, unsigned int value)
{
	int ret;

	if (value)
		return pvstore_printf(txn, dev->node, node, "%u", value);
	ret = pvstore_remove(txn, dev->node, node);
	return ret == -ENOENT ? 0 : ret;
}

static int pvblk_publish_rings(struct pvbus_device *dev, u32 txn,
			       struct pvblk_disk *disk)
{
	unsigned int i;
	char dir[64];
	int ret;

	ret = pvblk_publish_node(dev, txn, "multi-queue-num-queues",
				 disk->nr_rings > 1 ? disk->nr_rings : 0);
	if (ret)
		return ret;
	if (disk->nr_rings == 1)
		return pvblk_publish_ring(dev, txn, dev->node, disk->queues);

	for (i = 0; i < disk->nr_rings && !ret; i++) {
		snprintf(dir, sizeof(dir), "%s/queue-%u", dev->node, i);
		ret = pvblk_publish_ring(dev, txn, dir, &disk->queues[i]);
	}
	return ret;
}

/**
 * pvblk_publish() - write our nodes
 * @dev: the device
 * @txn: transaction for that
 *
 * Context: process.
 * Return: 0 or a negative errno.
 */
int pvblk_publish(struct pvbus_device *dev, u32 txn)
{
	struct pvblk_disk *disk = pvbus_priv(dev);
	int ret;

	ret = pvblk_publish_rings(dev, txn, disk);
	if (!ret)
		ret = pvblk_publish_node(dev, txn, "ring-page-order",
					 disk->ring_order);
	if (!ret)
		ret = pvstore_printf(txn, dev->node, "feature-persistent", "%u",
				     pvblk_params.persistent);
	return ret ?: pvstore_write(txn, dev->node, "protocol",
				    XEN_IO_PROTO_ABI_NATIVE);
}

/**
 * pvblk_go_online() - start requests, those of a former connection first
 * @disk: connected
 */
void pvblk_go_online(struct pvblk_disk *disk)
{
	struct request_queue *rq = disk->gd->queue;
	struct blk_mq_hw_ctx *hctx;
	unsigned long i;

	if (!disk->quiesced)
		blk_mq_quiesce_queue(rq);
	queue_for_each_hw_ctx(rq, hctx, i)
		hctx->driver_data = &disk->queues[i % disk->nr_rings];
	disk->broken = false;
	for (i = 0; i < disk->nr_rings; i++)
		disk->queues[i].online = true;
	disk->quiesced = false;
	blk_mq_unquiesce_queue(rq);
	blk_mq_kick_requeue_list(rq);
}

/**
 * pvblk_fail_all() - fail requests that wait for a back end, and later ones
 * @disk: disconnected
 */
void pvblk_fail_all(struct pvblk_disk *disk)
{
	if (!disk->gd || !disk->quiesced)
		return;
	disk->quiesced = false;
	blk_mq_unquiesce_queue(disk->gd->queue);
	blk_mq_kick_requeue_list(disk->gd->queue);
}

/**
 * pvblk_disconnect() - the back end has gone: give back rings and pages
 * @dev: the device
 *
 * Requests without response are kept for the next back end, unless this one
 * broke the protocol.
 */
void pvblk_disconnect(struct pvbus_device *dev)
{
	struct pvblk_disk *disk = pvbus_priv(dev);
	unsigned int i;

	/* No request is sent from here on. */
	if (disk->gd && !disk->quiesced) {
		blk_mq_quiesce_queue(disk->gd->queue);
		disk->quiesced = true;
	}
	/* No response is taken from here on. */
	for (i = 0; i < disk->nr_queues; i++) {
		struct pvblk_queue *q = &disk->queues[i];

		spin_lock_irq(&q->lock);
		q->online = false;
		spin_unlock_irq(&q->lock);
		if (q->irq)
			pvguest_unbind(q->irq, q);
		q->irq = 0;
		cancel_work_sync(&q->grow);
		cancel_delayed_work_sync(&q->idle);
		/* Requests that it has not ended are ended here. */
		cancel_work_sync(&q->rest);
		pvblk_finish_rest(&q->rest);
	}
	/* Requests being completed on another vCPU still use their pages. */
	if (disk->gd)
		blk_mq_tagset_wait_completed_request(&disk->set);
	for (i = 0; i < disk->nr_queues; i++) {
		struct pvblk_queue *q = &disk->queues[i];

		pvblk_reclaim(q, disk->broken);
		pvblk_end_ring(q);
	}
	if (disk->broken)
		pvblk_fail_all(disk);
}
