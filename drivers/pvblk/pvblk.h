/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the block front end share. */
#ifndef PVBLK_H
#define PVBLK_H

#include <linux/blk-mq.h>
#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <pvbus/device.h>
#include <pvbus/grant.h>

#include "pages.h"
#include "vdev.h"
#include "wire.h"

/* Blocks of a disk's size in the store, of requests and of segments. */
#define PVBLK_SECTOR	512

/* What we take part in at most, whatever a back end offers. */
#define PVBLK_MAX_QUEUES	64
#define PVBLK_MAX_ORDER		4

/**
 * struct pvblk_params - what the command line permits (main.c)
 * @max_queues: rings of a disk; 0: as many as there are vCPUs
 * @ring_order: log2 of a ring's pages
 * @indirect: segments of a request; up to 11 make no indirect ones
 * @persistent: tell back ends that they may keep our grants mapped
 * @flush: 0: never, 1: with barriers, 2: with the best that is offered
 * @discard: 0: never
 * @timeout: seconds without an answer until that is reported
 */
struct pvblk_params {
	unsigned int max_queues;
	unsigned int ring_order;
	unsigned int indirect;
	unsigned int persistent;
	unsigned int flush;
	unsigned int discard;
	unsigned int timeout;
};

extern struct pvblk_params pvblk_params;

/* Counted under the ring's lock; shown in debugfs (stats.c). */
struct pvblk_stats {
	u64 requests, responses;
	u64 notified;		/* events sent */
	u64 events, idle_events;	/* events received; those without work */
	u64 copied;		/* pages and parts of pages */
	u64 short_of_pages, full;	/* requests put off */
	u64 reissued, timeouts;
};

/**
 * struct pvblk_queue - a ring, its event channel and its pages
 * @lock: all below but @irq, interrupts off
 * @online: requests may be sent; changes only while blk-mq is quiesced
 * @stalled: a missing answer has been reported
 * @wire: the ring
 * @cache: pages for data
 * @irq: event channel; 0: none
 * @stats: counters
 * @disk: whose
 * @area: the ring's memory
 * @grow: makes more pages
 */
struct pvblk_queue {
	spinlock_t lock;	/* ring, cache and counters */
	bool online;
	bool stalled;
	struct pvblk_wire wire;
	struct pvblk_cache cache;
	unsigned int irq;
	struct pvblk_stats stats;
	struct pvblk_disk *disk;
	struct pvgrant_area area;
	struct work_struct grow;
} ____cacheline_aligned_in_smp;

/**
 * struct pvblk_features - what the connected back end says of the disk
 * @sectors: size in sectors of 512 bytes
 * @sector_size: bytes of a logical block
 * @physical: bytes of a physical block
 * @info: VDISK_*
 * @flush: operation that flushes its cache: BLKIF_OP_FLUSH_DISKCACHE,
 *	_WRITE_BARRIER, or 0: there is no cache
 * @barrier: _WRITE_BARRIER would do, should @flush turn out not to
 * @discard: sectors may be discarded
 * @secure: also with all copies erased
 * @granularity: bytes that are discarded together
 * @alignment: bytes to the first such unit
 * @persistent: it keeps our grants mapped
 */
struct pvblk_features {
	u64 sectors;
	unsigned int sector_size;
	unsigned int physical;
	unsigned int info;
	u8 flush;
	bool barrier;
	bool discard;
	bool secure;
	unsigned int granularity;
	unsigned int alignment;
	bool persistent;
};

/**
 * struct pvblk_disk - one disk
 * @dev: on the bus; NULL once it has been removed
 * @name: of the gendisk
 * @gd: the gendisk; NULL before the first connection
 * @set: blk-mq's requests
 * @queues: of blk-mq, made when a back end is first met
 * @nr_queues: how many
 * @nr_rings: how many of them have a ring in this connection
 * @ring_order: log2 of a ring's pages
 * @segments: pages of a request's data at most
 * @feature: the back end's
 * @broken: it broke the protocol: fail requests rather than keep them
 * @quiesced: we have stopped blk-mq
 * @may_close: the bus waits for the last user to leave
 * @closed: nobody may open the disk
 * @added: Linux knows of the disk
 * @add: makes Linux know it
 * @add_done: that has been tried
 * @list: of all disks
 */
struct pvblk_disk {
	struct pvbus_device *dev;
	struct pvblk_name name;
	struct gendisk *gd;
	struct blk_mq_tag_set set;
	struct pvblk_queue *queues;
	unsigned int nr_queues;
	unsigned int nr_rings;
	unsigned int ring_order;
	unsigned int segments;
	struct pvblk_features feature;
	bool broken;
	bool quiesced;
	bool may_close;
	bool closed;
	bool added;
	struct work_struct add;
	struct completion add_done;
	struct list_head list;
};

/* queue.c: requests. */
extern const struct blk_mq_ops pvblk_mq_ops;
unsigned int pvblk_cmd_size(void);
irqreturn_t pvblk_event(int irq, void *arg);
void pvblk_grow(struct work_struct *work);
void pvblk_take_back(struct pvblk_queue *q, bool fail);

/* connect.c: rings come and go. */
int pvblk_setup(struct pvbus_device *dev);
int pvblk_publish(struct pvbus_device *dev, u32 txn);
void pvblk_disconnect(struct pvbus_device *dev);
void pvblk_go_online(struct pvblk_disk *disk);
void pvblk_fail_all(struct pvblk_disk *disk);

/* disk.c: what Linux sees. */
int pvblk_connected(struct pvbus_device *dev);
void pvblk_changed(struct pvbus_device *dev);
int pvblk_closing(struct pvbus_device *dev);
void pvblk_delete(struct pvblk_disk *disk);
void pvblk_put(struct pvblk_disk *disk);

/* features.c: what the back end's nodes say, range-checked. */
int pvblk_read_features(struct pvbus_device *dev, struct pvblk_features *f);
int pvblk_read_sectors(struct pvbus_device *dev, unsigned int sector_size,
		       u64 *sectors);
void pvblk_set_limits(struct pvblk_disk *disk, struct queue_limits *lim);

/* stats.c: counters in debugfs. */
void pvblk_stats_init(void);
void pvblk_stats_add(struct pvblk_disk *disk);
void pvblk_stats_remove(struct pvblk_disk *disk);

#endif /* PVBLK_H */
