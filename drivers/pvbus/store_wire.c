// SPDX-License-Identifier: GPL-2.0-only
/*
 * The store's wire (public header io/xs_wire.h): bytes into and out of the
 * page shared with the daemon, and messages out of bytes.
 *
 * The daemon may write anything at any time.  Its indexes are read once and
 * checked; bytes are copied before they are looked at.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/barrier.h>

#include "store_wire.h"

#define HEAD	((u32)sizeof(struct xsd_sockmsg))

/**
 * pvwire_break() - the daemon broke the protocol
 * @wire: its wire
 * @field: what made no sense; only the first one is kept
 * @value: what was in it
 */
void pvwire_break(struct pvwire *wire, const char *field, u32 value)
{
	if (wire->broken)
		return;
	wire->broken = field;
	wire->value = value;
}

/**
 * pvwire_attach() - start on a ring, or again after a reset
 * @wire: to be filled in
 * @ring: the shared page
 *
 * The indexes go on from where they are, which need not be zero.  Replies that
 * wait there were meant for somebody before us, and are skipped.
 *
 * Return: false if the indexes make no sense.
 */
bool pvwire_attach(struct pvwire *wire, struct xenstore_domain_interface *ring)
{
	u32 cons;

	wire->ring = ring;
	wire->broken = NULL;
	wire->have = 0;
	wire->req_prod = READ_ONCE(ring->req_prod);
	wire->rsp_cons = READ_ONCE(ring->rsp_prod);
	cons = READ_ONCE(ring->req_cons);
	if (wire->req_prod - cons > XENSTORE_RING_SIZE)
		pvwire_break(wire, "req_cons", cons);
	else
		WRITE_ONCE(ring->rsp_cons, wire->rsp_cons);
	return !wire->broken;
}

/**
 * pvwire_send() - write as many bytes as there is room for
 * @wire: the wire
 * @data: bytes of a message
 * @len: how many are left of it
 *
 * The caller notifies the daemon.
 *
 * Return: bytes written; 0 if the ring is full or broken.
 */
u32 pvwire_send(struct pvwire *wire, const void *data, u32 len)
{
	u32 cons = READ_ONCE(wire->ring->req_cons);
	u32 room = XENSTORE_RING_SIZE - (wire->req_prod - cons);
	u32 at = MASK_XENSTORE_IDX(wire->req_prod);
	u32 first;

	if (wire->broken)
		return 0;
	if (room > XENSTORE_RING_SIZE) {
		pvwire_break(wire, "req_cons", cons);
		return 0;
	}
	len = min(len, room);
	if (!len)
		return 0;
	/* The daemon has read these bytes before we write over them. */
	virt_mb();
	first = min(len, XENSTORE_RING_SIZE - at);
	memcpy(wire->ring->req + at, data, first);
	memcpy(wire->ring->req, (const char *)data + first, len - first);
	/* The bytes before the index that covers them. */
	virt_wmb();
	wire->req_prod += len;
	WRITE_ONCE(wire->ring->req_prod, wire->req_prod);
	return len;
}

/* Take up to @len bytes. */
static u32 take(struct pvwire *wire, void *to, u32 len)
{
	u32 at = MASK_XENSTORE_IDX(wire->rsp_cons);
	u32 prod = READ_ONCE(wire->ring->rsp_prod);
	u32 first;

	if (prod - wire->rsp_cons > XENSTORE_RING_SIZE) {
		pvwire_break(wire, "rsp_prod", prod);
		return 0;
	}
	len = min(len, prod - wire->rsp_cons);
	if (!len)
		return 0;
	/* The index before the bytes that it covers. */
	virt_rmb();
	first = min(len, XENSTORE_RING_SIZE - at);
	memcpy(to, wire->ring->rsp + at, first);
	memcpy((char *)to + first, wire->ring->rsp, len - first);
	/* The bytes have been read before the daemon may write over them. */
	virt_mb();
	wire->rsp_cons += len;
	WRITE_ONCE(wire->ring->rsp_cons, wire->rsp_cons);
	return len;
}

/**
 * pvwire_receive() - take what has arrived, up to the end of a message
 * @wire: the wire
 *
 * The caller notifies the daemon.
 *
 * Return: true if @head and @body hold a message; they do until the next call.
 */
bool pvwire_receive(struct pvwire *wire)
{
	u32 error, got;

	if (wire->have >= HEAD && wire->have == HEAD + wire->head.len)
		wire->have = 0;
	if (READ_ONCE(wire->ring->server_features) &
	    XENSTORE_SERVER_FEATURE_ERROR) {
		error = READ_ONCE(wire->ring->error);
		if (error != XENSTORE_ERROR_NONE)
			pvwire_break(wire, "error", error);
	}
	while (!wire->broken) {
		if (wire->have < HEAD) {
			got = take(wire, (char *)&wire->head + wire->have,
				   HEAD - wire->have);
			wire->have += got;
			if (wire->have < HEAD)
				return false;
			if (wire->head.len > XENSTORE_PAYLOAD_MAX) {
				pvwire_break(wire, "len", wire->head.len);
				return false;
			}
		}
		if (wire->have == HEAD + wire->head.len) {
			wire->body[wire->head.len] = 0;
			return true;
		}
		got = take(wire, wire->body + (wire->have - HEAD),
			   wire->head.len - (wire->have - HEAD));
		if (!got)
			return false;
		wire->have += got;
	}
	return false;
}

/** pvwire_can_reset() - does the daemon offer to start the ring afresh? */
bool pvwire_can_reset(const struct pvwire *wire)
{
	return READ_ONCE(wire->ring->server_features) &
	       XENSTORE_SERVER_FEATURE_RECONNECTION;
}

/**
 * pvwire_ask_reset() - ask the daemon to forget all that was between us
 * @wire: the wire; pvwire_resetting() tells when it is usable again, by
 *	pvwire_attach()
 *
 * The caller notifies the daemon.
 */
void pvwire_ask_reset(struct pvwire *wire)
{
	WRITE_ONCE(wire->ring->connection, XENSTORE_RECONNECT);
}

/** pvwire_resetting() - has a reset been asked for and not been done yet? */
bool pvwire_resetting(const struct pvwire *wire)
{
	return pvwire_can_reset(wire) &&
	       READ_ONCE(wire->ring->connection) != XENSTORE_CONNECTED;
}

/**
 * pvwire_moved() - has the daemon taken or written anything since last asked?
 * @wire: the wire
 */
bool pvwire_moved(struct pvwire *wire)
{
	u32 cons = READ_ONCE(wire->ring->req_cons);
	u32 prod = READ_ONCE(wire->ring->rsp_prod);
	bool moved = cons != wire->seen_req_cons || prod != wire->seen_rsp_prod;

	wire->seen_req_cons = cons;
	wire->seen_rsp_prod = prod;
	return moved;
}
