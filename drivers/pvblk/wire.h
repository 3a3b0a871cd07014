/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The block protocol on one ring: requests are written into it, responses are
 * taken out and checked.  Independent of Linux's block layer; compiles in user
 * space too.
 */
#ifndef PVBLK_WIRE_H
#define PVBLK_WIRE_H

#include <linux/types.h>
#include <pvbus/ring.h>
#include <xen/interface/io/blkif.h>

/*
 * Segments that one page of an indirect request lists.  A second page is never
 * used: 2 MiB in a request are enough for any back end.
 */
#define PVBLK_MAX_SEGMENTS	(4096 / sizeof(struct blkif_request_segment))
#define PVBLK_SECTORS_PER_PAGE	8

/*
 * A slot of the ring as the 64-bit protocol lays it out (io/blkif.h, struct
 * blkif_request and its siblings).
 */
union pvblk_slot {
	struct {
		u8 operation;
		u8 nr_segments;
		u16 handle;
		u64 id;
		u64 sector;
		struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
	} rw;
	struct {
		u8 operation;
		u8 flag;
		u16 handle;
		u64 id;
		u64 sector;
		u64 nr_sectors;
	} discard;
	struct {
		u8 operation;
		u8 indirect_op;
		u16 nr_segments;
		u64 id;
		u64 sector;
		u16 handle;
		grant_ref_t ref[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
	} indirect;
};

/**
 * struct pvblk_sent - a request in flight
 * @cookie: the caller's
 * @seq: how often this id has been used: the upper half of the id that the
 *	back end sees, so that a late second response cannot hit a newer request
 * @operation: what the response must repeat
 */
struct pvblk_sent {
	void *cookie;
	u32 seq;
	u8 operation;
};

/**
 * struct pvblk_wire - one ring
 * @ring: its indexes
 * @ids: ids in use; as many as the ring has slots
 * @sent: one for each id
 * @handle: the device's number, which requests carry
 *
 * The caller serialises all calls for one ring.
 */
struct pvblk_wire {
	struct pvring ring;
	struct pvring_ids ids;
	struct pvblk_sent *sent;
	u16 handle;
};

/**
 * struct pvblk_response - a response that has passed all checks
 * @cookie: the request's
 * @status: BLKIF_RSP_OKAY, _ERROR or _EOPNOTSUPP, nothing else
 */
struct pvblk_response {
	void *cookie;
	int status;
};

int pvblk_wire_init(struct pvblk_wire *wire, void *shared, size_t bytes,
		    u16 handle);
void pvblk_wire_destroy(struct pvblk_wire *wire);
struct blkif_request_segment *
pvblk_wire_rw(struct pvblk_wire *wire, void *cookie, u8 operation, u64 sector,
	      unsigned int count);
bool pvblk_wire_indirect(struct pvblk_wire *wire, void *cookie, u8 operation,
			 u64 sector, unsigned int count, grant_ref_t list);
bool pvblk_wire_discard(struct pvblk_wire *wire, void *cookie, u64 sector,
			u64 count, bool secure);
int pvblk_wire_take(struct pvblk_wire *wire, struct pvblk_response *response);
void *pvblk_wire_reclaim(struct pvblk_wire *wire);

#endif /* PVBLK_WIRE_H */
