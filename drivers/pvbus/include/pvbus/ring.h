/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The front half of a shared I/O ring (public header io/ring.h) whose other
 * half is not trusted.  Every word that the back end can write is read once
 * into private memory and checked there.  Compiles in user space too.
 *
 * The caller locks: one writer of requests (next_request, push) and one reader
 * of responses (take, rearm) at a time, which may run beside each other.
 */
#ifndef PVBUS_RING_H
#define PVBUS_RING_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>

/**
 * struct pvring_shared - the words before the slots, as io/ring.h lays them out
 * @req_prod: [front] requests published
 * @req_event: [back] asks for an event when @req_prod passes this
 * @rsp_prod: [back] responses published
 * @rsp_event: [front] asks for an event when @rsp_prod passes this
 * @pad: zero
 */
struct pvring_shared {
	u32 req_prod;
	u32 req_event;
	u32 rsp_prod;
	u32 rsp_event;
	u8 pad[48];
};

/**
 * struct pvring - private half of a ring
 * @shared: the shared pages, contiguous; fields of it are never read twice
 * @entries: slots, a power of two
 * @entry_size: bytes of a slot: the larger of request and response
 * @req_prod: requests written, also those not yet pushed
 * @req_pushed: requests published
 * @rsp_cons: responses taken
 * @rsp_seen: responses published when @rsp_prod was last read
 * @broken: the first invalid field, NULL while there is none
 * @broken_value: its value
 *
 * Indexes count on for ever and wrap at 2^32.
 */
struct pvring {
	struct pvring_shared *shared;
	u32 entries;
	u32 entry_size;
	u32 req_prod;
	u32 req_pushed;
	u32 rsp_cons;
	u32 rsp_seen;
	const char *broken;
	u64 broken_value;
};

u32 pvring_entries(size_t bytes, u32 entry_size);
void pvring_init(struct pvring *ring, void *shared, size_t bytes,
		 u32 entry_size);
/* The caller found @field of a response invalid.  The first one is kept. */
void pvring_break(struct pvring *ring, const char *field, u64 value);
u32 pvring_look(struct pvring *ring);

/**
 * pvring_broken() - has the back end broken the protocol?
 * @ring: the ring
 *
 * Context: any.
 * Return: true once pvring_break() was called.
 */
static inline bool pvring_broken(const struct pvring *ring)
{
	return unlikely(READ_ONCE(ring->broken));
}

/**
 * pvring_in_flight() - requests without response
 * @ring: the ring
 *
 * Context: any.
 * Return: requests written, pushed or not, whose response is not taken.
 */
static inline u32 pvring_in_flight(const struct pvring *ring)
{
	/* Pairs with pvring_take(): a slot is copied before it is reused. */
	return ring->req_prod - smp_load_acquire(&ring->rsp_cons);
}

/**
 * pvring_room() - requests that can be written now
 * @ring: the ring
 *
 * Context: the writer of requests.
 * Return: their number; 0 when the ring is broken.
 */
static inline u32 pvring_room(const struct pvring *ring)
{
	return pvring_broken(ring) ? 0 :
	       ring->entries - pvring_in_flight(ring);
}

static inline void *pvring_slot(const struct pvring *ring, u32 index)
{
	return (u8 *)(ring->shared + 1) +
	       (size_t)(index & (ring->entries - 1)) * ring->entry_size;
}

/**
 * pvring_next_request() - slot for one more request
 * @ring: the ring
 *
 * The slot is for writing only: the back end may change it at any time.
 *
 * Return: the slot, or NULL if there is no room or the ring is broken.
 */
static inline void *pvring_next_request(struct pvring *ring)
{
	return likely(pvring_room(ring)) ?
	       pvring_slot(ring, ring->req_prod++) : NULL;
}

/**
 * pvring_push() - publish all requests written
 * @ring: the ring
 *
 * Return: true if the back end asks for an event.
 */
static inline bool pvring_push(struct pvring *ring)
{
	u32 old = ring->req_pushed, new = ring->req_prod;

	if (old == new || pvring_broken(ring))
		return false;
	/* First, as the reader may see a response before this returns. */
	WRITE_ONCE(ring->req_pushed, new);
	/* The requests before the index. */
	virt_wmb();
	/* The index before reading the back end's event index. */
	virt_store_mb(ring->shared->req_prod, new);
	return new - READ_ONCE(ring->shared->req_event) < new - old;
}

/**
 * pvring_take() - take one response
 * @ring: the ring
 * @rsp: private copy goes here
 * @size: bytes to copy, best a constant, at most a slot
 *
 * Return: 1 if a response was copied, 0 if there is none, -EPROTO if the ring
 * is broken.
 */
static inline int pvring_take(struct pvring *ring, void *rsp, size_t size)
{
	u32 cons = ring->rsp_cons;

	if (pvring_broken(ring))
		return -EPROTO;
	if (cons == ring->rsp_seen && !pvring_look(ring))
		return pvring_broken(ring) ? -EPROTO : 0;
	memcpy(rsp, pvring_slot(ring, cons), size);
	/* The compiler may not read the slot again instead of the copy. */
	barrier();
	/* Copied before the slot may be written again: pvring_in_flight(). */
	smp_store_release(&ring->rsp_cons, cons + 1);
	return 1;
}

/**
 * pvring_rearm_after() - ask for an event with a later response
 * @ring: the ring
 * @count: which response: 1 is the next
 *
 * Return: true if it is already there, or if the ring has just been found
 * broken: then take responses, no event will come.
 */
static inline bool pvring_rearm_after(struct pvring *ring, u32 count)
{
	if (pvring_broken(ring))
		return false;
	if (ring->rsp_seen - ring->rsp_cons >= count)
		return true;
	/* The event index before the last read of rsp_prod. */
	virt_store_mb(ring->shared->rsp_event, ring->rsp_cons + count);
	return pvring_look(ring) >= count || pvring_broken(ring);
}

/**
 * pvring_rearm() - ask for an event with the next response
 * @ring: the ring
 *
 * Context: the reader of responses.
 * Return: true if there is a response already, or if the ring has just been
 * found broken: then take responses, no event will come.
 */
static inline bool pvring_rearm(struct pvring *ring)
{
	return pvring_rearm_after(ring, 1);
}

/**
 * struct pvring_ids - ids of the requests in flight
 * @free_list: stack of free ids
 * @busy: bitmap of ids in flight
 * @free: ids on the stack
 * @size: all ids
 *
 * The caller serialises.
 */
struct pvring_ids {
	u16 *free_list;
	unsigned long *busy;
	u32 free;
	u32 size;
};

int pvring_ids_init(struct pvring_ids *ids, u32 size);
void pvring_ids_destroy(struct pvring_ids *ids);

/**
 * pvring_id_get() - an id for a request
 * @ids: the ids
 *
 * Context: any.
 * Return: the id, or -ENOSPC when all are in flight.
 */
static inline int pvring_id_get(struct pvring_ids *ids)
{
	u16 id;

	if (!ids->free)
		return -ENOSPC;
	id = ids->free_list[--ids->free];
	__set_bit(id, ids->busy);
	return id;
}

/**
 * pvring_id_busy() - is an id that of a request in flight?
 * @ids: the ids
 * @id: from a back end, any number
 *
 * Context: any.
 * Return: true if it is.
 */
static inline bool pvring_id_busy(const struct pvring_ids *ids, u64 id)
{
	return id < ids->size && test_bit(id, ids->busy);
}

/**
 * pvring_id_put() - a request has its response
 * @ids: the ids
 * @id: from the response
 *
 * Return: false if @id was never sent, or has had its response already.
 */
static inline bool pvring_id_put(struct pvring_ids *ids, u64 id)
{
	if (!pvring_id_busy(ids, id))
		return false;
	__clear_bit(id, ids->busy);
	ids->free_list[ids->free++] = id;
	return true;
}

#endif /* PVBUS_RING_H */
