// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests from blk-mq into a ring, and the responses back.
 *
 * Data is copied, always: the back end can reach pages of the ring's cache
 * only, never one of the page cache or of a process (pages.c).  The copies are
 * packed densely, so the number of segments follows from the number of bytes.
 */
#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <pvguest/platform.h>

#include "pvblk.h"

/* Bytes copied in an interrupt; with more, the other requests are ended later. */
#define PVBLK_IRQ_BYTES	SZ_64K

/**
 * struct pvblk_cmd - our part of a request
 * @pages: chain of its pages; the first of an indirect request lists segments
 * @last: end of that chain
 * @next: request whose response followed
 * @count: pages in the chain
 * @bytes: data in them: all of the request, or as much as the back end takes
 * @indirect: the first page is a list
 * @flush: operation by which a flush was sent
 * @covers: writes that this flush makes durable may be in the cache
 * @lost: number that the next loss of a cache will have (struct pvblk_disk),
 *	if a flush was in flight when its back end went; 0: none was
 * @status: from the response
 */
struct pvblk_cmd {
	struct pvblk_page *pages;
	struct pvblk_page *last;
	struct request *next;
	unsigned int count;
	unsigned int bytes;
	bool indirect;
	u8 flush;
	bool covers;
	unsigned int lost;
	blk_status_t status;
};

/**
 * pvblk_cmd_size() - size of the driver's part of a request
 *
 * Context: any.
 * Return: bytes that blk-mq sets aside with each request.
 */
unsigned int pvblk_cmd_size(void)
{
	return sizeof(struct pvblk_cmd);
}

static struct pvblk_page *pvblk_first_data_page(const struct pvblk_cmd *cmd)
{
	return cmd->indirect ? cmd->pages->next : cmd->pages;
}

static void pvblk_copy(void *to, const void *from, unsigned int len)
{
	if (likely(len == PAGE_SIZE))
		copy_page(to, (void *)from);
	else
		memcpy(to, from, len);
}

/* Copy between the request's memory and its pages; @out: to the back end. */
static void pvblk_copy_data(struct request *rq, struct pvblk_cmd *cmd, bool out)
{
	struct pvblk_page *page = pvblk_first_data_page(cmd);
	unsigned int left = cmd->bytes, at = 0;
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_segment(bv, rq, iter) {
		unsigned int done = 0, len;
		char *va;

		if (!left)
			break;
		va = bvec_kmap_local(&bv);
		while (done < bv.bv_len && left) {
			if (at == PAGE_SIZE) {
				page = page->next;
				at = 0;
			}
			len = min3(bv.bv_len - done,
				   (unsigned int)PAGE_SIZE - at, left);
			if (out)
				pvblk_copy(page->va + at, va + done, len);
			else
				pvblk_copy(va + done, page->va + at, len);
			at += len;
			done += len;
			left -= len;
		}
		kunmap_local(va);
	}
}

static void pvblk_fill_segments(struct blkif_request_segment *seg,
				const struct pvblk_cmd *cmd)
{
	struct pvblk_page *page = pvblk_first_data_page(cmd);
	unsigned int left = cmd->bytes, len;

	for (; left; left -= len, page = page->next, seg++) {
		len = min_t(unsigned int, left, PAGE_SIZE);
		seg->gref = page->ref;
		seg->first_sect = 0;
		seg->last_sect = len / PVBLK_SECTOR - 1;
	}
}

static void pvblk_push(struct pvblk_queue *q, unsigned long flags, bool last)
	__releases(&q->lock)
{
	bool notify = last && pvring_push(&q->wire.ring);

	q->stats.notified += notify;
	spin_unlock_irqrestore(&q->lock, flags);
	if (notify)
		pvguest_notify(q->irq);
}

/* The ring is full until the next response, or offline for good. */
static blk_status_t pvblk_refuse(struct pvblk_queue *q, unsigned long flags)
	__releases(&q->lock)
{
	blk_status_t status = BLK_STS_IOERR;

	if (q->online) {
		q->stats.full++;
		status = BLK_STS_RESOURCE;
	}
	spin_unlock_irqrestore(&q->lock, flags);
	return status;
}

/*
 * Has this flush to fail, as writes that it is to make durable were lost with a
 * back end's cache?  One that was in flight then, or else the next one.
 */
static bool pvblk_flush_is_late(struct pvblk_disk *disk, struct pvblk_cmd *cmd)
{
	bool late = cmd->lost && cmd->lost == disk->losses;

	cmd->lost = 0;
	/* The first error is for all who waited. */
	return xchg(&disk->lost, false) || late;
}

static blk_status_t pvblk_send_bare(struct pvblk_queue *q, struct request *rq,
				    bool last)
{
	struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);
	u8 flush = READ_ONCE(q->disk->feature.flush);
	unsigned long flags;
	bool sent;

	cmd->count = 0;
	cmd->bytes = blk_rq_bytes(rq);
	cmd->flush = flush;
	blk_mq_start_request(rq);
	if (req_op(rq) == REQ_OP_FLUSH && pvblk_flush_is_late(q->disk, cmd)) {
		blk_mq_end_request(rq, BLK_STS_IOERR);
		return BLK_STS_OK;
	}
	if (req_op(rq) == REQ_OP_FLUSH && !flush) {
		/* This back end has no cache; an earlier one may have had. */
		blk_mq_end_request(rq, BLK_STS_OK);
		return BLK_STS_OK;
	}
	spin_lock_irqsave(&q->lock, flags);
	if (req_op(rq) == REQ_OP_FLUSH) {
		sent = q->online && pvblk_wire_rw(&q->wire, rq, flush, 0, 0);
		/* Writes that end from here on are for the next flush. */
		cmd->covers = sent && xchg(&q->disk->unflushed, false);
	} else {
		sent = q->online &&
		       pvblk_wire_discard(&q->wire, rq, blk_rq_pos(rq),
					  blk_rq_sectors(rq),
					  req_op(rq) == REQ_OP_SECURE_ERASE);
	}
	if (!sent)
		return pvblk_refuse(q, flags);
	q->stats.requests++;
	pvblk_push(q, flags, last);
	return BLK_STS_OK;
}

static blk_status_t pvblk_no_pages(struct pvblk_queue *q, unsigned long flags)
	__releases(&q->lock)
{
	q->stats.short_of_pages++;
	if (!q->cache.full)
		schedule_work(&q->grow);
	spin_unlock_irqrestore(&q->lock, flags);
	return BLK_STS_RESOURCE;
}

static bool pvblk_send_segments(struct pvblk_queue *q, struct request *rq,
				u8 op)
{
	struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct blkif_request_segment *seg;

	if (cmd->indirect) {
		pvblk_fill_segments(cmd->pages->va, cmd);
		return pvblk_wire_indirect(&q->wire, rq, op, blk_rq_pos(rq),
					   cmd->count - 1, cmd->pages->ref);
	}
	seg = pvblk_wire_rw(&q->wire, rq, op, blk_rq_pos(rq), cmd->count);
	if (seg)
		pvblk_fill_segments(seg, cmd);
	return seg;
}

static blk_status_t pvblk_send_data(struct pvblk_queue *q, struct request *rq,
				    bool last)
{
	struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);
	bool write = req_op(rq) == REQ_OP_WRITE;
	unsigned long flags;

	/* An earlier back end may have taken more at once: pvblk_finish(). */
	cmd->bytes = min_t(unsigned int, blk_rq_bytes(rq),
			   q->disk->segments * PAGE_SIZE);
	cmd->count = DIV_ROUND_UP(cmd->bytes, PAGE_SIZE);
	cmd->indirect = cmd->count > BLKIF_MAX_SEGMENTS_PER_REQUEST;
	cmd->count += cmd->indirect;

	spin_lock_irqsave(&q->lock, flags);
	if (unlikely(!q->online))
		return pvblk_refuse(q, flags);
	cmd->pages = pvblk_pages_take(&q->cache, cmd->count, &cmd->last);
	if (unlikely(!cmd->pages))
		return pvblk_no_pages(q, flags);
	if (write) {
		spin_unlock_irqrestore(&q->lock, flags);
		pvblk_copy_data(rq, cmd, true);
		spin_lock_irqsave(&q->lock, flags);
	}
	blk_mq_start_request(rq);
	if (unlikely(!pvblk_send_segments(q, rq, write ? BLKIF_OP_WRITE :
						 BLKIF_OP_READ))) {
		pvblk_pages_give(&q->cache, cmd->pages, cmd->last, cmd->count);
		return pvblk_refuse(q, flags);
	}
	q->stats.requests++;
	q->stats.copied += cmd->count - cmd->indirect;
	pvblk_push(q, flags, last);
	return BLK_STS_OK;
}

static blk_status_t pvblk_queue_rq(struct blk_mq_hw_ctx *hctx,
				   const struct blk_mq_queue_data *bd)
{
	struct pvblk_queue *q = hctx->driver_data;

	switch (req_op(bd->rq)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		return pvblk_send_data(q, bd->rq, bd->last);
	case REQ_OP_FLUSH:
	case REQ_OP_DISCARD:
	case REQ_OP_SECURE_ERASE:
		return pvblk_send_bare(q, bd->rq, bd->last);
	default:
		return BLK_STS_NOTSUPP;
	}
}

static void pvblk_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct pvblk_queue *q = hctx->driver_data;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	pvblk_push(q, flags, q->online);
}

/* Complete a batch of successful requests, all of the interrupt's ring. */
static void pvblk_complete_batch(struct io_comp_batch *batch)
{
	struct pvblk_page *first = NULL, *last = NULL;
	struct pvblk_queue *q = NULL;
	unsigned int count = 0;
	unsigned long flags;
	struct request *rq;

	rq_list_for_each(&batch->req_list, rq) {
		struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);

		q = rq->mq_hctx->driver_data;
		if (!cmd->count)
			continue;
		if (!last)
			last = cmd->last;
		cmd->last->next = first;
		first = cmd->pages;
		count += cmd->count;
	}
	if (count) {
		spin_lock_irqsave(&q->lock, flags);
		pvblk_pages_give(&q->cache, first, last, count);
		spin_unlock_irqrestore(&q->lock, flags);
	}
	blk_mq_end_request_batch(batch);
}

/*
 * A flush is not supported: try a barrier, once for all that are in flight, or
 * send none any more.  True: send this one again.
 */
static bool pvblk_flush_not_supported(struct pvblk_disk *disk, u8 sent)
{
	struct pvblk_features *f = &disk->feature;
	u8 next = f->barrier && sent == BLKIF_OP_FLUSH_DISKCACHE ?
		  BLKIF_OP_WRITE_BARRIER : 0;

	if (cmpxchg(&f->flush, sent, next) == sent)
		dev_warn(&disk->dev->dev,
			 "flush: not supported by the back end (%d); %s\n",
			 -EOPNOTSUPP, next ? "using barriers" :
			 "no longer sent");
	return next;
}

/*
 * The back end does not support an operation that it has offered, which it may
 * say at any time (io/blkif.h); true: try another way.  A flush that is not
 * supported has succeeded: there is no cache that it could have flushed, and an
 * error would be that of a broken disk to a file system.
 */
static bool pvblk_not_supported(struct pvblk_disk *disk, struct request *rq)
{
	struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct pvblk_features *f = &disk->feature;

	switch (req_op(rq)) {
	case REQ_OP_FLUSH:
		cmd->status = BLK_STS_OK;
		return pvblk_flush_not_supported(disk, cmd->flush);
	case REQ_OP_DISCARD:
		blk_queue_disable_discard(rq->q);
		if (xchg(&f->discard, false))
			dev_warn(&disk->dev->dev,
				 "discard: not supported by the back end (%d); no longer sent\n",
				 -EOPNOTSUPP);
		break;
	case REQ_OP_SECURE_ERASE:
		blk_queue_disable_secure_erase(rq->q);
		if (xchg(&f->secure, false))
			dev_warn(&disk->dev->dev,
				 "secure erase: not supported by the back end (%d); no longer sent\n",
				 -EOPNOTSUPP);
		break;
	default:
		/* Every back end reads and writes: this one has failed to. */
		cmd->status = BLK_STS_IOERR;
		break;
	}
	return false;
}

static void pvblk_finish_one(struct request *rq)
{
	struct pvblk_queue *q = rq->mq_hctx->driver_data;
	struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);
	unsigned long flags;

	if (cmd->count) {
		spin_lock_irqsave(&q->lock, flags);
		pvblk_pages_give(&q->cache, cmd->pages, cmd->last, cmd->count);
		spin_unlock_irqrestore(&q->lock, flags);
	}
	if (!cmd->status && cmd->bytes < blk_rq_bytes(rq)) {
		blk_update_request(rq, BLK_STS_OK, cmd->bytes);
		blk_mq_requeue_request(rq, true);
	} else if (cmd->status == BLK_STS_NOTSUPP &&
		   pvblk_not_supported(q->disk, rq)) {
		blk_mq_requeue_request(rq, true);
	} else {
		blk_mq_end_request(rq, cmd->status);
	}
}

/* Keep track of whether the back end's cache may hold what it has acknowledged. */
static void pvblk_note_cache(struct pvblk_disk *disk, struct request *rq)
{
	struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);
	bool written = req_op(rq) == REQ_OP_WRITE && !cmd->status;
	bool failed = req_op(rq) == REQ_OP_FLUSH && cmd->status &&
		      cmd->covers;

	/* Before the write's end is known above; looked at first, as it is shared. */
	if ((written || failed) && !READ_ONCE(disk->unflushed))
		WRITE_ONCE(disk->unflushed, true);
}

static void pvblk_finish(struct request *rq, struct io_comp_batch *batch)
{
	struct pvblk_queue *q = rq->mq_hctx->driver_data;
	struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);

	pvblk_note_cache(q->disk, rq);
	if (req_op(rq) == REQ_OP_READ && !cmd->status)
		pvblk_copy_data(rq, cmd, false);
	if (cmd->status || cmd->bytes < blk_rq_bytes(rq) ||
	    !blk_mq_add_to_batch(rq, batch, false, pvblk_complete_batch))
		pvblk_finish_one(rq);
}

static void pvblk_complete_rq(struct request *rq)
{
	pvblk_finish(rq, NULL);
}

static blk_status_t pvblk_to_status(int status)
{
	switch (status) {
	case BLKIF_RSP_OKAY:
		return BLK_STS_OK;
	case BLKIF_RSP_EOPNOTSUPP:
		return BLK_STS_NOTSUPP;
	default:
		return BLK_STS_IOERR;
	}
}

/* Take all responses; returns the first of a chain of requests. */
static struct request *pvblk_take_responses(struct pvblk_queue *q)
{
	struct request *first = NULL, **end = &first;
	struct pvblk_response rsp;
	struct pvblk_cmd *cmd;
	int ret;

	spin_lock(&q->lock);
	q->stats.events++;
	do {
		while ((ret = pvblk_wire_take(&q->wire, &rsp)) > 0) {
			cmd = blk_mq_rq_to_pdu(rsp.cookie);
			cmd->status = pvblk_to_status(rsp.status);
			cmd->next = NULL;
			*end = rsp.cookie;
			end = &cmd->next;
			q->stats.responses++;
		}
	} while (!ret && pvring_rearm(&q->wire.ring));
	if (!first)
		q->stats.idle_events++;
	q->stalled = false;
	spin_unlock(&q->lock);
	return first;
}

/*
 * End the requests of a chain, until @bytes have been copied for them here; those
 * that are copied on other vCPUs do not count.  Returns the rest of the chain.
 */
static struct request *pvblk_end_requests(struct request *rq,
					  unsigned int bytes)
{
	DEFINE_IO_COMP_BATCH(batch);
	unsigned int copied = 0;
	struct pvblk_cmd *cmd;
	struct request *next;

	for (; rq && copied < bytes; rq = next) {
		cmd = blk_mq_rq_to_pdu(rq);
		next = cmd->next;
		if (blk_mq_complete_request_remote(rq))
			continue;
		if (req_op(rq) == REQ_OP_READ)
			copied += cmd->bytes;
		pvblk_finish(rq, &batch);
	}
	if (batch.complete)
		batch.complete(&batch);
	return rq;
}

/* The responses have been taken: leave the copying to when interrupts are on. */
static void pvblk_end_later(struct pvblk_queue *q, struct request *first)
{
	struct request *last = first;
	struct pvblk_cmd *cmd;
	unsigned int count = 1;

	for (;;) {
		cmd = blk_mq_rq_to_pdu(last);
		if (!cmd->next)
			break;
		last = cmd->next;
		count++;
	}
	spin_lock(&q->lock);
	cmd->next = q->answered;
	q->answered = first;
	q->stats.put_off += count;
	spin_unlock(&q->lock);
	queue_work(system_bh_wq, &q->rest);
}

/**
 * pvblk_finish_rest() - end requests that were too many for an interrupt
 * @work: member rest of the ring
 *
 * Context: BH, or process if the work is not queued.
 */
void pvblk_finish_rest(struct work_struct *work)
{
	struct pvblk_queue *q = container_of(work, struct pvblk_queue, rest);
	struct request *rq;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	rq = q->answered;
	q->answered = NULL;
	spin_unlock_irqrestore(&q->lock, flags);
	pvblk_end_requests(rq, UINT_MAX);
}

/**
 * pvblk_event() - handler of a ring's event channel
 * @irq: the interrupt
 * @arg: the ring
 *
 * Return: IRQ_HANDLED.
 */
irqreturn_t pvblk_event(int irq, void *arg)
{
	struct pvblk_queue *q = arg;
	struct pvring *ring = &q->wire.ring;
	struct request *next;
	bool idle;

	next = pvblk_take_responses(q);
	idle = !next;
	next = pvblk_end_requests(next, PVBLK_IRQ_BYTES);
	if (next)
		pvblk_end_later(q, next);

	if (unlikely(pvring_broken(ring))) {
		/* No EOI: further events of this back end are not needed. */
		if (!xchg(&q->disk->broken, true))
			pvbus_fail(q->disk->dev, "ring %td: %s: invalid value %#llx (%d)",
				   q - q->disk->queues, ring->broken,
				   ring->broken_value, -EPROTO);
		return IRQ_HANDLED;
	}
	pvguest_irq_eoi(irq, idle);
	return IRQ_HANDLED;
}

/**
 * pvblk_grow() - make more pages for a ring that ran out of them
 * @work: member grow of the ring
 *
 * Context: process; sleeps.
 */
void pvblk_grow(struct work_struct *work)
{
	struct pvblk_queue *q = container_of(work, struct pvblk_queue, grow);
	unsigned int more = min(q->cache.count,
				PVBLK_MAX_PAGES - q->cache.count);
	/* A disconnection of the disk waits for this. */
	unsigned int noio = memalloc_noio_save();

	/* May fail: the cache always has pages for one request. */
	if (!more || !pvgrant_can_spare(more) ||
	    pvblk_pages_grow(&q->cache, more,
			     GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN))
		WRITE_ONCE(q->cache.full, true);
	memalloc_noio_restore(noio);
	schedule_delayed_work(&q->idle, PVBLK_IDLE_TIME);
	blk_mq_run_hw_queues(q->disk->gd->queue, true);
}

/**
 * pvblk_reclaim() - take back requests without response
 * @q: a ring that is offline and whose interrupt is unbound
 * @fail: end the requests with an error; else keep them for the next back end
 */
void pvblk_reclaim(struct pvblk_queue *q, bool fail)
{
	struct request *rq;

	while ((rq = pvblk_wire_reclaim(&q->wire))) {
		struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);

		if (req_op(rq) == REQ_OP_FLUSH) {
			cmd->lost = q->disk->losses + 1;
			if (cmd->covers)
				WRITE_ONCE(q->disk->unflushed, true);
		}
		if (fail) {
			cmd->lost = 0;
			blk_mq_end_request(rq, BLK_STS_IOERR);
		} else {
			q->stats.reissued++;
			blk_mq_requeue_request(rq, false);
		}
	}
}

/*
 * A request is not ended while its back end exists: only the back end knows
 * whether it has been carried out.  An event may have been lost, so another is
 * sent.
 */
static enum blk_eh_timer_return pvblk_timeout(struct request *rq)
{
	struct pvblk_queue *q = rq->mq_hctx->driver_data;
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&q->lock, flags);
	first = q->online && !q->stalled;
	q->stalled = true;
	q->stats.timeouts++;
	/* Under the lock: a disconnection takes the channel away. */
	if (first)
		pvguest_notify(q->irq);
	spin_unlock_irqrestore(&q->lock, flags);
	if (first)
		dev_warn(&q->disk->dev->dev,
			 "sector %llu: no response for %u s (%d); waiting\n",
			 (u64)blk_rq_pos(rq), rq->q->rq_timeout / HZ,
			 -ETIMEDOUT);
	return BLK_EH_RESET_TIMER;
}

static int pvblk_init_hctx(struct blk_mq_hw_ctx *hctx, void *data,
			   unsigned int index)
{
	struct pvblk_disk *disk = data;

	hctx->driver_data = &disk->queues[index % disk->nr_rings];
	return 0;
}

const struct blk_mq_ops pvblk_mq_ops = {
	.queue_rq	= pvblk_queue_rq,
	.commit_rqs	= pvblk_commit_rqs,
	.complete	= pvblk_complete_rq,
	.timeout	= pvblk_timeout,
	.init_hctx	= pvblk_init_hctx,
};
