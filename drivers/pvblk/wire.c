// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block protocol on one ring: builds requests in the shared slots, checks
 * each response before it is used.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "wire.h"

static_assert(sizeof(union pvblk_slot) == 112);
static_assert(sizeof(struct blkif_response) == 16);
static_assert(offsetof(union pvblk_slot, rw.seg) == 24);
static_assert(offsetof(union pvblk_slot, discard.nr_sectors) == 24);
static_assert(offsetof(union pvblk_slot, indirect.handle) == 24);
static_assert(offsetof(union pvblk_slot, indirect.ref) == 28);

/**
 * pvblk_wire_init() - begin a connection on a zeroed ring
 * @wire: to fill in
 * @shared: the ring's pages, contiguous
 * @bytes: their size
 * @handle: the virtual device's number
 *
 * Context: process.
 * Return: 0 or -ENOMEM; then there is nothing to destroy.
 */
int pvblk_wire_init(struct pvblk_wire *wire, void *shared, size_t bytes,
		    u16 handle)
{
	int ret;

	pvring_init(&wire->ring, shared, bytes, sizeof(union pvblk_slot));
	wire->handle = handle;
	ret = pvring_ids_init(&wire->ids, wire->ring.entries);
	if (ret)
		return ret;
	wire->sent = kcalloc(wire->ring.entries, sizeof(*wire->sent),
			     GFP_KERNEL);
	if (wire->sent)
		return 0;
	pvring_ids_destroy(&wire->ids);
	return -ENOMEM;
}

/**
 * pvblk_wire_destroy() - undo pvblk_wire_init()
 * @wire: the wire; nothing happens if that has failed, was not called, or is
 *	undone
 *
 * Context: any.
 */
void pvblk_wire_destroy(struct pvblk_wire *wire)
{
	if (!wire->sent)
		return;
	kfree(wire->sent);
	pvring_ids_destroy(&wire->ids);
	memset(wire, 0, sizeof(*wire));
}

/*
 * Take a slot and an id.  Ids never run out before slots do: there are as many,
 * and a response frees one of each.  @expected is the response's operation.
 */
static union pvblk_slot *pvblk_wire_next_slot(struct pvblk_wire *wire,
					      void *cookie, u8 expected,
					      u64 *id)
{
	union pvblk_slot *slot = pvring_next_request(&wire->ring);
	struct pvblk_sent *sent;
	int index;

	if (!slot)
		return NULL;
	index = pvring_id_get(&wire->ids);
	sent = &wire->sent[index];
	sent->cookie = cookie;
	sent->operation = expected;
	sent->seq++;
	*id = (u64)sent->seq << 32 | index;
	return slot;
}

/**
 * pvblk_wire_rw() - a request whose segments, if any, fit into its slot
 * @wire: the ring
 * @cookie: comes back with the response
 * @operation: BLKIF_OP_READ, _WRITE, _FLUSH_DISKCACHE or _WRITE_BARRIER
 * @sector: first one, of 512 bytes
 * @count: segments, at most BLKIF_MAX_SEGMENTS_PER_REQUEST
 *
 * Return: @count segments for the caller to write before it pushes the ring,
 * never to read; NULL if the ring is full.
 */
struct blkif_request_segment *
pvblk_wire_rw(struct pvblk_wire *wire, void *cookie, u8 operation, u64 sector,
	      unsigned int count)
{
	union pvblk_slot *slot;
	u64 id;

	slot = pvblk_wire_next_slot(wire, cookie, operation, &id);
	if (!slot)
		return NULL;
	slot->rw.operation = operation;
	slot->rw.nr_segments = count;
	slot->rw.handle = wire->handle;
	slot->rw.id = id;
	slot->rw.sector = sector;
	return slot->rw.seg;
}

/**
 * pvblk_wire_indirect() - a request whose segments are listed in a page
 * @wire: the ring
 * @cookie: comes back with the response
 * @operation: BLKIF_OP_READ or _WRITE
 * @sector: first one, of 512 bytes
 * @count: segments in that page, at most PVBLK_MAX_SEGMENTS
 * @list: grant of that page
 *
 * Return: false if the ring is full.
 */
bool pvblk_wire_indirect(struct pvblk_wire *wire, void *cookie, u8 operation,
			 u64 sector, unsigned int count, grant_ref_t list)
{
	union pvblk_slot *slot;
	u64 id;

	slot = pvblk_wire_next_slot(wire, cookie, operation, &id);
	if (!slot)
		return false;
	slot->indirect.operation = BLKIF_OP_INDIRECT;
	slot->indirect.indirect_op = operation;
	slot->indirect.nr_segments = count;
	slot->indirect.id = id;
	slot->indirect.sector = sector;
	slot->indirect.handle = wire->handle;
	slot->indirect.ref[0] = list;
	return true;
}

/**
 * pvblk_wire_discard() - a request to discard sectors
 * @wire: the ring
 * @cookie: comes back with the response
 * @sector: first one, of 512 bytes
 * @count: number of sectors
 * @secure: all copies are to be erased
 *
 * Return: false if the ring is full.
 */
bool pvblk_wire_discard(struct pvblk_wire *wire, void *cookie, u64 sector,
			u64 count, bool secure)
{
	union pvblk_slot *slot;
	u64 id;

	slot = pvblk_wire_next_slot(wire, cookie, BLKIF_OP_DISCARD, &id);
	if (!slot)
		return false;
	slot->discard.operation = BLKIF_OP_DISCARD;
	slot->discard.flag = secure ? BLKIF_DISCARD_SECURE : 0;
	slot->discard.handle = wire->handle;
	slot->discard.id = id;
	slot->discard.sector = sector;
	slot->discard.nr_sectors = count;
	return true;
}

/*
 * The response to an indirect request may name BLKIF_OP_INDIRECT, as the header
 * has it, or the operation within, as Linux's back end has it.
 */
static bool pvblk_wire_same_operation(const struct pvblk_sent *sent,
				      u8 operation)
{
	return operation == sent->operation || operation == BLKIF_OP_INDIRECT;
}

/**
 * pvblk_wire_take() - take one response
 * @wire: the ring
 * @response: filled in when there is one
 *
 * Return: 1 with a response, 0 without, -EPROTO when the back end broke the
 * protocol: then wire->ring.broken names the field, and the ring is dead.
 */
int pvblk_wire_take(struct pvblk_wire *wire, struct pvblk_response *response)
{
	struct blkif_response rsp;
	struct pvblk_sent *sent;
	u32 index;
	int ret;

	ret = pvring_take(&wire->ring, &rsp, sizeof(rsp));
	if (ret <= 0)
		return ret;

	index = rsp.id;
	if (!pvring_id_busy(&wire->ids, index) ||
	    wire->sent[index].seq != rsp.id >> 32) {
		pvring_break(&wire->ring, "id", rsp.id);
		return -EPROTO;
	}
	sent = &wire->sent[index];
	if (!pvblk_wire_same_operation(sent, rsp.operation)) {
		pvring_break(&wire->ring, "operation", rsp.operation);
		return -EPROTO;
	}
	if (rsp.status != BLKIF_RSP_OKAY && rsp.status != BLKIF_RSP_ERROR &&
	    rsp.status != BLKIF_RSP_EOPNOTSUPP) {
		pvring_break(&wire->ring, "status", (u16)rsp.status);
		return -EPROTO;
	}
	response->cookie = sent->cookie;
	response->status = rsp.status;
	pvring_id_put(&wire->ids, index);
	return 1;
}

/**
 * pvblk_wire_reclaim() - take back a request without response
 * @wire: a ring that the back end does not use any more
 *
 * Return: the cookie of one request in flight, NULL if there is none left.
 */
void *pvblk_wire_reclaim(struct pvblk_wire *wire)
{
	u32 i;

	for (i = 0; wire->sent && i < wire->ids.size; i++)
		if (pvring_id_put(&wire->ids, i))
			return wire->sent[i].cookie;
	return NULL;
}
