/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of the block front end. */
#ifndef PVBLK_H
#define PVBLK_H

#include <linux/blk-mq.h>
#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <pvbus/device.h>
#include <pvbus/grant.h>

#include "limits.h"
#include "pages.h"
#include "vdev.h"
#include "wire.h"

/* Unit of a disk's size in XenStore, of requests and of segments. */
#define PVBLK_SECTOR	512

/* Time after which pages that nothing has used are given back. */
#define PVBLK_IDLE_TIME		(10 * HZ)

/**
 * struct pvblk_params - parameters (main.c)
 * @max_queues: rings of a disk; 0: one for each vCPU, up to PVBLK_QUEUES
 * @ring_order: log2 of a ring's pages
 * @indirect: segments of a request; up to 11 make no indirect ones
 * @persistent: announce that back ends may keep our grants mapped
 * @flush: 0: never, 1: with barriers, 2: with the best that is offered
 * @discard: pass discards on
 * @timeout: seconds until a missing response is logged
 */
struct pvblk_params {
	unsigned int max_queues;
	unsigned int ring_order;
	unsigned int indirect;
	bool persistent;
	unsigned int flush;
	bool discard;
	unsigned int timeout;
};

extern struct pvblk_params pvblk_params;

/* Counted under the ring's lock; shown in debugfs (stats.c). */
struct pvblk_stats {
	u64 requests, responses;
	u64 notified;		/* events sent */
	u64 events, idle_events;	/* events received; those without work */
	u64 copied;		/* pages and parts of pages */
	u64 put_off;		/* requests ended after the interrupt */
	u64 short_of_pages, full;	/* requests put off */
	u64 reissued, timeouts;
};

/**
 * struct pvblk_queue - a ring, its event channel and its pages
 * @lock: all below but @irq, interrupts off
 * @online: requests may be sent; changes only while blk-mq is quiesced
 * @stalled: a missing response has been logged
 * @wire: the ring
 * @cache: pages for data
 * @irq: event channel; 0: none
 * @stats: counters
 * @disk: whose
 * @area: the ring's memory
 * @grow: makes more pages
 * @idle: gives back pages that are not used
 * @rest: ends the requests of @answered
 * @answered: chain of requests whose responses were taken; NULL for none
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
	struct delayed_work idle;
	struct work_struct rest;
	struct request *answered;
} ____cacheline_aligned_in_smp;

/**
 * struct pvblk_features - the disk according to the connected back end
 * @sectors: size in sectors of 512 bytes
 * @sector_size: bytes of a logical block
 * @physical: bytes of a physical block
 * @info: VDISK_*
 * @flush: operation that flushes its cache: BLKIF_OP_FLUSH_DISKCACHE,
 *	_WRITE_BARRIER, or 0: there is no cache
 * @barrier: _WRITE_BARRIER is offered, for when @flush is not supported
 * @discard: sectors may be discarded
 * @secure: also with all copies erased
 * @granularity: bytes that are discarded together
 * @alignment: bytes to the first such unit
 * @persistent: the back end keeps our grants mapped
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
 * @queues: of blk-mq, made at the first connection
 * @nr_queues: number of @queues
 * @nr_rings: queues that have a ring in this connection
 * @ring_order: log2 of a ring's pages
 * @segments: pages of a request's data at most
 * @feature: the back end's
 * @unflushed: writes have been acknowledged since the last successful flush
 * @lost: such writes were lost with a back end's cache: the next flush fails
 * @losses: how often that was so
 * @kernel: directory of a back end that is part of its domain's kernel, and so
 *	lives as long as that; NULL for any other, or before the first
 * @broken: the back end broke the protocol: fail requests, do not keep them
 * @quiesced: blk-mq is quiesced
 * @may_close: the bus waits for the last user to close the disk
 * @closed: the disk cannot be opened
 * @added: device_add_disk() has succeeded
 * @add: work that calls it
 * @add_done: the work is done
 * @limits: work that sets the block layer's limits
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
	bool unflushed;
	bool lost;
	unsigned int losses;
	const char *kernel;
	bool broken;
	bool quiesced;
	bool may_close;
	bool closed;
	bool added;
	struct work_struct add;
	struct completion add_done;
	struct work_struct limits;
	struct list_head list;
};

/* queue.c: requests. */
extern const struct blk_mq_ops pvblk_mq_ops;
unsigned int pvblk_cmd_size(void);
irqreturn_t pvblk_event(int irq, void *arg);
void pvblk_grow(struct work_struct *work);
void pvblk_finish_rest(struct work_struct *work);
void pvblk_reclaim(struct pvblk_queue *q, bool fail);

/* connect.c: rings come and go. */
int pvblk_setup(struct pvbus_device *dev);
int pvblk_publish(struct pvbus_device *dev, u32 txn);
void pvblk_disconnect(struct pvbus_device *dev);
void pvblk_go_online(struct pvblk_disk *disk);
void pvblk_fail_all(struct pvblk_disk *disk);

/* idle.c: pages that are not used. */
extern struct list_head pvblk_disks;
extern struct mutex pvblk_disks_lock;
void pvblk_idle(struct work_struct *work);
int pvblk_shrinker_init(void);

/* cache.c: writes lost with a back end's cache. */
void pvblk_cache_connected(struct pvblk_disk *disk, bool had_cache);

/* disk.c: the gendisk. */
int pvblk_connected(struct pvbus_device *dev);
void pvblk_changed(struct pvbus_device *dev);
int pvblk_closing(struct pvbus_device *dev);
void pvblk_delete(struct pvblk_disk *disk);
void pvblk_put(struct pvblk_disk *disk);

/* features.c: the back end's nodes, range-checked. */
int pvblk_read_features(struct pvbus_device *dev, struct pvblk_features *f);
int pvblk_read_sectors(struct pvbus_device *dev, unsigned int sector_size,
		       u64 *sectors);
void pvblk_set_limits(struct pvblk_disk *disk, struct queue_limits *lim);

/* stats.c: counters in debugfs. */
void pvblk_stats_init(void);
void pvblk_stats_add(struct pvblk_disk *disk);
void pvblk_stats_remove(struct pvblk_disk *disk);

#endif /* PVBLK_H */
