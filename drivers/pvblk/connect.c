// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings come and go: made when a back end waits for us, written to the store,
 * and given back when it has gone.
 */
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <pvbus/store.h>
#include <pvguest/platform.h>
#include <xen/interface/io/protocols.h>

#include "pvblk.h"

/* So many pages are made with a ring, or enough for one request if larger. */
#define FIRST_PAGES	64

static void read_transport(struct pvbus_device *dev, struct pvblk_disk *disk)
{
	unsigned int rings = pvblk_params.max_queues ?: num_online_cpus();
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
 * The first back end decides how many queues Linux sees, and how many requests
 * each; later ones may have more rings, or fewer, which queues then share.
 */
static int make_queues(struct pvblk_disk *disk)
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
	/* The back end's host orders requests; we need not do so too. */
	set->flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	ret = blk_mq_alloc_tag_set(set);
	if (ret) {
		kfree(disk->queues);
		disk->queues = NULL;
		return ret;
	}
	disk->nr_queues = disk->nr_rings;
	return 0;
}

/* Answers come in on a vCPU from which requests go out. */
static void place_interrupt(struct pvblk_disk *disk, unsigned int index)
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

static int make_ring(struct pvblk_disk *disk, unsigned int index)
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
	/* One for a segment list; a request must always be possible. */
	q->cache.domain = domain;
	ret = pvblk_pages_grow(&q->cache, max(disk->segments + 1, FIRST_PAGES),
			       GFP_KERNEL);
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
	place_interrupt(disk, index);
	return 0;
}

/** pvblk_setup() - the back end waits: see what it offers and make rings */
int pvblk_setup(struct pvbus_device *dev)
{
	struct pvblk_disk *disk = pvbus_priv(dev);
	unsigned int i;
	int ret = 0;

	read_transport(dev, disk);
	if (!disk->queues)
		ret = make_queues(disk);
	if (ret)
		return ret;
	disk->nr_rings = min(disk->nr_rings, disk->nr_queues);
	for (i = 0; i < disk->nr_rings; i++) {
		ret = make_ring(disk, i);
		if (ret) {
			dev_err(&dev->dev, "no memory, grants or events for ring %u (%d)\n",
				i, ret);
			return ret;
		}
	}
	return 0;
}

static int publish_ring(struct pvbus_device *dev, u32 txn, const char *dir,
			const struct pvblk_queue *q)
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

/* @node is @value; or, if that is 0, not there, whatever was before. */
static int publish_or_remove(struct pvbus_device *dev, u32 txn,
			     const char *node, unsigned int value)
{
	int ret;

	if (value)
		return pvstore_printf(txn, dev->node, node, "%u", value);
	ret = pvstore_remove(txn, dev->node, node);
	return ret == -ENOENT ? 0 : ret;
}

static int publish_rings(struct pvbus_device *dev, u32 txn,
			 struct pvblk_disk *disk)
{
	unsigned int i;
	char dir[64];
	int ret;

	ret = publish_or_remove(dev, txn, "multi-queue-num-queues",
				disk->nr_rings > 1 ? disk->nr_rings : 0);
	if (ret)
		return ret;
	if (disk->nr_rings == 1)
		return publish_ring(dev, txn, dev->node, disk->queues);

	for (i = 0; i < disk->nr_rings && !ret; i++) {
		snprintf(dir, sizeof(dir), "%s/queue-%u", dev->node, i);
		ret = publish_ring(dev, txn, dir, &disk->queues[i]);
	}
	return ret;
}

/** pvblk_publish() - write our nodes into transaction @txn */
int pvblk_publish(struct pvbus_device *dev, u32 txn)
{
	struct pvblk_disk *disk = pvbus_priv(dev);
	int ret;

	ret = publish_rings(dev, txn, disk);
	if (!ret)
		ret = publish_or_remove(dev, txn, "ring-page-order",
					disk->ring_order);
	if (!ret)
		ret = pvstore_printf(txn, dev->node, "feature-persistent", "%u",
				     pvblk_params.persistent);
	return ret ?: pvstore_write(txn, dev->node, "protocol",
				    XEN_IO_PROTO_ABI_NATIVE);
}

/**
 * pvblk_go_online() - let requests through, those of a former connection first
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
 * pvblk_fail_all() - fail what waits for a back end, and all that comes
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
 * pvblk_disconnect() - the back end has gone; give back what it could reach
 * @dev: the device
 *
 * Requests without an answer are kept for the next back end, unless this one
 * broke the protocol.
 */
void pvblk_disconnect(struct pvbus_device *dev)
{
	struct pvblk_disk *disk = pvbus_priv(dev);
	unsigned int i;

	/* From here on nobody sends. */
	if (disk->gd && !disk->quiesced) {
		blk_mq_quiesce_queue(disk->gd->queue);
		disk->quiesced = true;
	}
	/* Nor receives. */
	for (i = 0; i < disk->nr_queues; i++) {
		struct pvblk_queue *q = &disk->queues[i];

		spin_lock_irq(&q->lock);
		q->online = false;
		spin_unlock_irq(&q->lock);
		if (q->irq)
			pvguest_unbind(q->irq, q);
		q->irq = 0;
		cancel_work_sync(&q->grow);
	}
	/* Answers on their way to another vCPU still use their pages. */
	if (disk->gd)
		blk_mq_tagset_wait_completed_request(&disk->set);
	for (i = 0; i < disk->nr_queues; i++) {
		struct pvblk_queue *q = &disk->queues[i];

		pvblk_take_back(q, disk->broken);
		pvblk_pages_destroy(&q->cache);
		pvblk_wire_destroy(&q->wire);
		if (q->area.va)
			pvgrant_area_free(&q->area);
		q->area.va = NULL;
	}
	if (disk->broken)
		pvblk_fail_all(disk);
}
