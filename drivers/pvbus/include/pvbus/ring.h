/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The front half of a shared I/O ring (public header io/ring.h) whose other
 * half is not trusted.  Every word that the back end can write is read once
 * into private memory and checked there.  Compiles in user space too.
 *
 * The caller serialises: one writer of requests and one reader of responses,
 * who may be different.
 */
#ifndef PVBUS_RING_H
#define PVBUS_RING_H

#include <linux/types.h>

/**
 * struct pvring - private half of a ring
 * @shared: the shared pages, contiguous; fields of it are never read twice
 * @entries: slots, a power of two
 * @entry_size: bytes of a slot: the larger of request and response
 * @req_prod: requests written, also those not yet pushed
 * @req_pushed: requests that the back end has been shown
 * @rsp_cons: responses taken
 * @broken: the field that made no sense, NULL while all is well
 * @broken_value: what was in it
 */
struct pvring {
	void *shared;
	u32 entries;
	u32 entry_size;
	u32 req_prod;
	u32 req_pushed;
	u32 rsp_cons;
	const char *broken;
	u64 broken_value;
};

u32 pvring_entries(size_t bytes, u32 entry_size);
void pvring_init(struct pvring *ring, void *shared, size_t bytes,
		 u32 entry_size);
u32 pvring_room(const struct pvring *ring);
u32 pvring_in_flight(const struct pvring *ring);
/* Write-only: what is in the slot may change under us. */
void *pvring_next_request(struct pvring *ring);
/* Publish all; true: the back end wants an event. */
bool pvring_push(struct pvring *ring);
/* 1: a response was copied to @rsp; 0: none waits; -EPROTO: ring broken. */
int pvring_take(struct pvring *ring, void *rsp, size_t size);
/* Ask for an event with the next response; true: one is already there. */
bool pvring_rearm(struct pvring *ring);
/* The caller found a bad @field in a response.  The first one is kept. */
void pvring_break(struct pvring *ring, const char *field, u64 value);

/**
 * struct pvring_ids - which requests are with the back end
 * @free_list: stack of free ids
 * @busy: bitmap of ids in flight
 * @free: ids on the stack
 * @size: all ids
 */
struct pvring_ids {
	u16 *free_list;
	unsigned long *busy;
	u32 free;
	u32 size;
};

int pvring_ids_init(struct pvring_ids *ids, u32 size);
void pvring_ids_destroy(struct pvring_ids *ids);
/* -ENOSPC when all are in flight. */
int pvring_id_get(struct pvring_ids *ids);
/* False: @id was never sent, or has been answered already. */
bool pvring_id_put(struct pvring_ids *ids, u64 id);
bool pvring_id_busy(const struct pvring_ids *ids, u64 id);

#endif /* PVBUS_RING_H */
