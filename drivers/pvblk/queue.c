// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: from blk-mq into a ring, and the answers back.
 *
 * Data is copied, always: the back end sees pages of the ring's cache only,
 * never one of the page cache or of a process (pages.c).  The copies are
 * packed densely, so the number of segments follows from the number of bytes.
 */
#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <pvguest/platform.h>

#include "pvblk.h"

/**
 * struct pvblk_cmd - our part of a request
 * @pages: chain of pages it has; first, of an indirect one, the segment list
 * @last: end of that chain
 * @next: request that was answered after this one
 * @count: pages in the chain
 * @bytes: data in them: all of the request, or as much as the back end takes
 * @indirect: the first page is a list
 * @status: the answer
 */
struct pvblk_cmd {
	struct pvblk_page *pages;
	struct pvblk_page *last;
	struct request *next;
	unsigned int count;
	unsigned int bytes;
	bool indirect;
	blk_status_t status;
};

/** pvblk_cmd_size() - bytes that blk-mq is to set aside with each request */
unsigned int pvblk_cmd_size(void)
{
	return sizeof(struct pvblk_cmd);
}

static struct pvblk_page *first_data_page(const struct pvblk_cmd *cmd)
{
	return cmd->indirect ? cmd->pages->next : cmd->pages;
}

static void copy(void *to, const void *from, unsigned int len)
{
	if (likely(len == PAGE_SIZE))
		copy_page(to, (void *)from);
	else
		memcpy(to, from, len);
}

/* Between the request's memory and its pages; @out: to the back end. */
static void copy_data(struct request *rq, struct pvblk_cmd *cmd, bool out)
{
	struct pvblk_page *page = first_data_page(cmd);
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
				copy(page->va + at, va + done, len);
			else
				copy(va + done, page->va + at, len);
			at += len;
			done += len;
			left -= len;
		}
		kunmap_local(va);
	}
}

static void fill_segments(struct blkif_request_segment *seg,
			  const struct pvblk_cmd *cmd)
{
	struct pvblk_page *page = first_data_page(cmd);
	unsigned int left = cmd->bytes, len;

	for (; left; left -= len, page = page->next, seg++) {
		len = min_t(unsigned int, left, PAGE_SIZE);
		seg->gref = page->ref;
		seg->first_sect = 0;
		seg->last_sect = len / PVBLK_SECTOR - 1;
	}
}

static void push(struct pvblk_queue *q, unsigned long flags, bool last)
	__releases(&q->lock)
{
	bool notify = last && pvring_push(&q->wire.ring);

	q->stats.notified += notify;
	spin_unlock_irqrestore(&q->lock, flags);
	if (notify)
		pvguest_notify(q->irq);
}

/* The ring is full, which an answer will change; or offline, for good. */
static blk_status_t refuse(struct pvblk_queue *q, unsigned long flags)
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

static blk_status_t send_bare(struct pvblk_queue *q, struct request *rq,
			      bool last)
{
	struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);
	u8 flush = READ_ONCE(q->disk->feature.flush);
	unsigned long flags;
	bool sent;

	cmd->count = 0;
	cmd->bytes = blk_rq_bytes(rq);
	blk_mq_start_request(rq);
	if (req_op(rq) == REQ_OP_FLUSH && !flush) {
		/* This back end has no cache; the one before may have had. */
		blk_mq_end_request(rq, BLK_STS_OK);
		return BLK_STS_OK;
	}
	spin_lock_irqsave(&q->lock, flags);
	if (req_op(rq) == REQ_OP_FLUSH)
		sent = q->online && pvblk_wire_rw(&q->wire, rq, flush, 0, 0);
	else
		sent = q->online &&
		       pvblk_wire_discard(&q->wire, rq, blk_rq_pos(rq),
					  blk_rq_sectors(rq),
					  req_op(rq) == REQ_OP_SECURE_ERASE);
	if (!sent)
		return refuse(q, flags);
	q->stats.requests++;
	push(q, flags, last);
	return BLK_STS_OK;
}

static blk_status_t no_pages(struct pvblk_queue *q, unsigned long flags)
	__releases(&q->lock)
{
	q->stats.short_of_pages++;
	if (!q->cache.full)
		schedule_work(&q->grow);
	spin_unlock_irqrestore(&q->lock, flags);
	return BLK_STS_RESOURCE;
}

static bool send_segments(struct pvblk_queue *q, struct request *rq, u8 op)
{
	struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct blkif_request_segment *seg;

	if (cmd->indirect) {
		fill_segments(cmd->pages->va, cmd);
		return pvblk_wire_indirect(&q->wire, rq, op, blk_rq_pos(rq),
					   cmd->count - 1, cmd->pages->ref);
	}
	seg = pvblk_wire_rw(&q->wire, rq, op, blk_rq_pos(rq), cmd->count);
	if (seg)
		fill_segments(seg, cmd);
	return seg;
}

static blk_status_t send_data(struct pvblk_queue *q, struct request *rq,
			      bool last)
{
	struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);
	bool write = req_op(rq) == REQ_OP_WRITE;
	unsigned long flags;

	/* All of it, unless an earlier back end took more at once: finish(). */
	cmd->bytes = min_t(unsigned int, blk_rq_bytes(rq),
			   q->disk->segments * PAGE_SIZE);
	cmd->count = DIV_ROUND_UP(cmd->bytes, PAGE_SIZE);
	cmd->indirect = cmd->count > BLKIF_MAX_SEGMENTS_PER_REQUEST;
	cmd->count += cmd->indirect;

	spin_lock_irqsave(&q->lock, flags);
	if (unlikely(!q->online))
		return refuse(q, flags);
	cmd->pages = pvblk_pages_take(&q->cache, cmd->count, &cmd->last);
	if (unlikely(!cmd->pages))
		return no_pages(q, flags);
	if (write) {
		spin_unlock_irqrestore(&q->lock, flags);
		copy_data(rq, cmd, true);
		spin_lock_irqsave(&q->lock, flags);
	}
	blk_mq_start_request(rq);
	if (unlikely(!send_segments(q, rq, write ? BLKIF_OP_WRITE :
					   BLKIF_OP_READ))) {
		pvblk_pages_give(&q->cache, cmd->pages, cmd->last, cmd->count);
		return refuse(q, flags);
	}
	q->stats.requests++;
	q->stats.copied += cmd->count - cmd->indirect;
	push(q, flags, last);
	return BLK_STS_OK;
}

static blk_status_t queue_rq(struct blk_mq_hw_ctx *hctx,
			     const struct blk_mq_queue_data *bd)
{
	struct pvblk_queue *q = hctx->driver_data;

	switch (req_op(bd->rq)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		return send_data(q, bd->rq, bd->last);
	case REQ_OP_FLUSH:
	case REQ_OP_DISCARD:
	case REQ_OP_SECURE_ERASE:
		return send_bare(q, bd->rq, bd->last);
	default:
		return BLK_STS_NOTSUPP;
	}
}

static void commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct pvblk_queue *q = hctx->driver_data;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	push(q, flags, q->online);
}

/* A batch of good answers; all of one ring, the interrupt's. */
static void complete_batch(struct io_comp_batch *batch)
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

/* What the back end offered turned out not to work. */
static bool another_way(struct pvblk_disk *disk, struct request *rq)
{
	struct pvblk_features *f = &disk->feature;
	bool barrier;

	switch (req_op(rq)) {
	case REQ_OP_FLUSH:
		barrier = f->barrier && f->flush == BLKIF_OP_FLUSH_DISKCACHE;
		WRITE_ONCE(f->flush, barrier ? BLKIF_OP_WRITE_BARRIER : 0);
		dev_warn_ratelimited(&disk->dev->dev,
				     "the back end cannot flush its cache%s\n",
				     barrier ? ", trying barriers" : "");
		return barrier;
	case REQ_OP_DISCARD:
		blk_queue_disable_discard(rq->q);
		break;
	case REQ_OP_SECURE_ERASE:
		blk_queue_disable_secure_erase(rq->q);
		break;
	default:
		break;
	}
	return false;
}

static void finish_alone(struct request *rq)
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
		   another_way(q->disk, rq)) {
		blk_mq_requeue_request(rq, true);
	} else {
		blk_mq_end_request(rq, cmd->status);
	}
}

static void finish(struct request *rq, struct io_comp_batch *batch)
{
	struct pvblk_cmd *cmd = blk_mq_rq_to_pdu(rq);

	if (req_op(rq) == REQ_OP_READ && !cmd->status)
		copy_data(rq, cmd, false);
	if (cmd->status || cmd->bytes < blk_rq_bytes(rq) ||
	    !blk_mq_add_to_batch(rq, batch, false, complete_batch))
		finish_alone(rq);
}

static void complete_rq(struct request *rq)
{
	finish(rq, NULL);
}

static blk_status_t to_linux(int status)
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

/* Take all answers there are; returns the first of a chain of requests. */
static struct request *take_answers(struct pvblk_queue *q)
{
	struct request *first = NULL, **end = &first;
	struct pvblk_answer answer;
	struct pvblk_cmd *cmd;
	int ret;

	spin_lock(&q->lock);
	q->stats.events++;
	do {
		while ((ret = pvblk_wire_take(&q->wire, &answer)) > 0) {
			cmd = blk_mq_rq_to_pdu(answer.cookie);
			cmd->status = to_linux(answer.status);
			cmd->next = NULL;
			*end = answer.cookie;
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

/**
 * pvblk_event() - handler of a ring's event channel
 * @irq: the interrupt
 * @arg: the ring
 */
irqreturn_t pvblk_event(int irq, void *arg)
{
	struct pvblk_queue *q = arg;
	struct pvring *ring = &q->wire.ring;
	struct request *rq, *next;
	DEFINE_IO_COMP_BATCH(batch);
	bool idle;

	next = take_answers(q);
	idle = !next;
	while ((rq = next)) {
		next = ((struct pvblk_cmd *)blk_mq_rq_to_pdu(rq))->next;
		if (!blk_mq_complete_request_remote(rq))
			finish(rq, &batch);
	}
	if (batch.complete)
		batch.complete(&batch);

	if (unlikely(pvring_broken(ring))) {
		/* No end of interrupt: nothing it says matters any more. */
		if (!xchg(&q->disk->broken, true))
			pvbus_fail(q->disk->dev, "ring %td: %s is %#llx",
				   q - q->disk->queues, ring->broken,
				   ring->broken_value);
		return IRQ_HANDLED;
	}
	pvguest_irq_eoi(irq, idle);
	return IRQ_HANDLED;
}

/** pvblk_grow() - work: more pages for a ring that ran short of them */
void pvblk_grow(struct work_struct *work)
{
	struct pvblk_queue *q = container_of(work, struct pvblk_queue, grow);
	unsigned int more = min(q->cache.count,
				PVBLK_MAX_PAGES - q->cache.count);

	/* The pages there are suffice for one request, so this may fail. */
	if (!more ||
	    pvblk_pages_grow(&q->cache, more,
			     GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN))
		q->cache.full = true;
	blk_mq_run_hw_queues(q->disk->gd->queue, true);
}

/**
 * pvblk_take_back() - take back what a gone back end has not answered
 * @q: a ring that is offline and whose interrupt is unbound
 * @fail: end the requests with an error; else keep them for the next back end
 */
void pvblk_take_back(struct pvblk_queue *q, bool fail)
{
	struct request *rq;

	while ((rq = pvblk_wire_reclaim(&q->wire))) {
		if (fail) {
			blk_mq_end_request(rq, BLK_STS_IOERR);
		} else {
			q->stats.reissued++;
			blk_mq_requeue_request(rq, false);
		}
	}
}

/*
 * A request is never given up while its back end is there: only the back end
 * knows whether it has been done.  An event may have been lost; it costs
 * nothing to send another.
 */
static enum blk_eh_timer_return timeout(struct request *rq)
{
	struct pvblk_queue *q = rq->mq_hctx->driver_data;
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&q->lock, flags);
	first = q->online && !q->stalled;
	q->stalled = true;
	q->stats.timeouts++;
	spin_unlock_irqrestore(&q->lock, flags);
	if (first) {
		dev_warn(&q->disk->dev->dev,
			 "no answer for %u s from the back end, sector %llu; waiting\n",
			 rq->q->rq_timeout / HZ, (u64)blk_rq_pos(rq));
		pvguest_notify(q->irq);
	}
	return BLK_EH_RESET_TIMER;
}

static int init_hctx(struct blk_mq_hw_ctx *hctx, void *data, unsigned int index)
{
	struct pvblk_disk *disk = data;

	hctx->driver_data = &disk->queues[index % disk->nr_rings];
	return 0;
}

const struct blk_mq_ops pvblk_mq_ops = {
	.queue_rq	= queue_rq,
	.commit_rqs	= commit_rqs,
	.complete	= complete_rq,
	.timeout	= timeout,
	.init_hctx	= init_hctx,
};
