// SPDX-License-Identifier: GPL-2.0-only
/*
 * XenStore's wire protocol (public header io/xs_wire.h): bytes into and out of
 * the page shared with the daemon, and messages out of bytes.
 *
 * The daemon may write anything at any time.  Its indexes are read once and
 * checked; bytes are copied before they are used.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/barrier.h>

#include "store_wire.h"

#define HEAD	((u32)sizeof(struct xsd_sockmsg))

/**
 * pvstore_wire_break() - the daemon broke the protocol
 * @wire: its wire
 * @field: the invalid field; only the first one is kept
 * @value: its value
 */
void pvstore_wire_break(struct pvstore_wire *wire, const char *field, u32 value)
{
	if (wire->broken)
		return;
	wire->broken = field;
	wire->value = value;
}

/**
 * pvstore_wire_attach() - start on a ring, or again after a reset
 * @wire: to be filled in
 * @ring: the shared page
 *
 * The indexes go on from where they are, which need not be zero.  Replies in
 * the ring are for an earlier user of it, such as a boot loader, and skipped.
 *
 * Return: false if the indexes are invalid.
 */
bool pvstore_wire_attach(struct pvstore_wire *wire,
			 struct xenstore_domain_interface *ring)
{
	u32 cons;

	wire->ring = ring;
	wire->broken = NULL;
	wire->have = 0;
	wire->req_prod = READ_ONCE(ring->req_prod);
	wire->rsp_cons = READ_ONCE(ring->rsp_prod);
	cons = READ_ONCE(ring->req_cons);
	wire->seen_req_cons = cons;
	wire->seen_rsp_prod = wire->rsp_cons;
	if (wire->req_prod - cons > XENSTORE_RING_SIZE)
		pvstore_wire_break(wire, "req_cons", cons);
	else
		WRITE_ONCE(ring->rsp_cons, wire->rsp_cons);
	return !wire->broken;
}

/**
 * pvstore_wire_send() - write as many bytes as there is room for
 * @wire: the wire
 * @data: bytes of a message
 * @len: bytes of it that are left
 *
 * The caller notifies the daemon.
 *
 * Return: bytes written; 0 if the ring is full or broken.
 */
u32 pvstore_wire_send(struct pvstore_wire *wire, const void *data, u32 len)
{
	u32 cons = READ_ONCE(wire->ring->req_cons);
	u32 room = XENSTORE_RING_SIZE - (wire->req_prod - cons);
	u32 at = MASK_XENSTORE_IDX(wire->req_prod);
	u32 first;

	if (wire->broken)
		return 0;
	if (room > XENSTORE_RING_SIZE) {
		pvstore_wire_break(wire, "req_cons", cons);
		return 0;
	}
	len = min(len, room);
	if (!len)
		return 0;
	/* The daemon has read these bytes before they are written over. */
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
static u32 pvstore_wire_take(struct pvstore_wire *wire, void *to, u32 len)
{
	u32 at = MASK_XENSTORE_IDX(wire->rsp_cons);
	u32 prod = READ_ONCE(wire->ring->rsp_prod);
	u32 first;

	if (prod - wire->rsp_cons > XENSTORE_RING_SIZE) {
		pvstore_wire_break(wire, "rsp_prod", prod);
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
 * pvstore_wire_receive() - take bytes, up to the end of a message
 * @wire: the wire
 *
 * The caller notifies the daemon.
 *
 * Return: true if @head and @body hold a message; they do until the next call.
 */
bool pvstore_wire_receive(struct pvstore_wire *wire)
{
	u32 error, got;

	if (wire->have >= HEAD && wire->have == HEAD + wire->head.len)
		wire->have = 0;
	if (READ_ONCE(wire->ring->server_features) &
	    XENSTORE_SERVER_FEATURE_ERROR) {
		error = READ_ONCE(wire->ring->error);
		if (error != XENSTORE_ERROR_NONE)
			pvstore_wire_break(wire, "error", error);
	}
	while (!wire->broken) {
		if (wire->have < HEAD) {
			got = pvstore_wire_take(wire, (char *)&wire->head +
						wire->have, HEAD - wire->have);
			wire->have += got;
			if (wire->have < HEAD)
				return false;
			if (wire->head.len > XENSTORE_PAYLOAD_MAX) {
				pvstore_wire_break(wire, "len", wire->head.len);
				return false;
			}
		}
		if (wire->have == HEAD + wire->head.len) {
			wire->body[wire->head.len] = 0;
			return true;
		}
		got = pvstore_wire_take(wire, wire->body + (wire->have - HEAD),
					wire->head.len - (wire->have - HEAD));
		if (!got)
			return false;
		wire->have += got;
	}
	return false;
}

/**
 * pvstore_wire_can_reset() - does the daemon offer to reset the ring?
 * @wire: the wire
 *
 * Context: any.
 * Return: true if it does.
 */
bool pvstore_wire_can_reset(const struct pvstore_wire *wire)
{
	return READ_ONCE(wire->ring->server_features) &
	       XENSTORE_SERVER_FEATURE_RECONNECTION;
}

/**
 * pvstore_wire_ask_reset() - ask the daemon to reset the ring
 * @wire: the wire; pvstore_wire_resetting() is false when it is usable again, by
 *	pvstore_wire_attach()
 *
 * The caller notifies the daemon.
 */
void pvstore_wire_ask_reset(struct pvstore_wire *wire)
{
	WRITE_ONCE(wire->ring->connection, XENSTORE_RECONNECT);
}

/**
 * pvstore_wire_resetting() - is a reset that was asked for not done yet?
 * @wire: the wire
 *
 * Context: any.
 * Return: true until the daemon has done it; false if it does not offer to.
 */
bool pvstore_wire_resetting(const struct pvstore_wire *wire)
{
	return pvstore_wire_can_reset(wire) &&
	       READ_ONCE(wire->ring->connection) != XENSTORE_CONNECTED;
}

/* Has an index gone on from *@seen, by @most at most?  Going back is nothing. */
static bool pvstore_wire_went_on(u32 *seen, u32 now, u32 most)
{
	if (now == *seen || now - *seen > most)
		return false;
	*seen = now;
	return true;
}

/**
 * pvstore_wire_moved() - has the daemon taken or written anything?
 * @wire: the wire
 *
 * An index that goes to and fro is no progress, or the daemon could keep us
 * busy with it.
 *
 * Return: true if an index has gone on since it was furthest.
 */
bool pvstore_wire_moved(struct pvstore_wire *wire)
{
	bool taken = pvstore_wire_went_on(&wire->seen_req_cons,
					  READ_ONCE(wire->ring->req_cons),
					  wire->req_prod - wire->seen_req_cons);
	bool written = pvstore_wire_went_on(&wire->seen_rsp_prod,
					    READ_ONCE(wire->ring->rsp_prod),
					    wire->rsp_cons + XENSTORE_RING_SIZE -
					    wire->seen_rsp_prod);

	return taken || written;
}
