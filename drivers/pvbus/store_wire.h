/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XenStore's wire protocol: messages over the page shared with the daemon,
 * which is not trusted.  Compiles in user space too.
 */
#ifndef PVBUS_STORE_WIRE_H
#define PVBUS_STORE_WIRE_H

#include <linux/types.h>
#include <xen/interface/io/xs_wire.h>

/**
 * struct pvstore_wire - private half of the ring to the daemon
 * @ring: the shared page
 * @req_prod: request bytes written; never read back from the page
 * @rsp_cons: reply bytes taken; never read back from the page
 * @seen_req_cons: the daemon's index when it was furthest, to
 *	pvstore_wire_moved(), and
 * @seen_rsp_prod: its other index
 * @broken: the first invalid field, NULL while there is none
 * @value: its value
 * @have: bytes of @head and @body that have arrived
 * @head: header of the message that is arriving
 * @body: its payload, ended by a zero byte that is not the daemon's
 */
struct pvstore_wire {
	struct xenstore_domain_interface *ring;
	u32 req_prod;
	u32 rsp_cons;
	u32 seen_req_cons;
	u32 seen_rsp_prod;
	const char *broken;
	u32 value;
	u32 have;
	struct xsd_sockmsg head;
	char body[XENSTORE_PAYLOAD_MAX + 1];
};

bool pvstore_wire_attach(struct pvstore_wire *wire,
			 struct xenstore_domain_interface *ring);
u32 pvstore_wire_send(struct pvstore_wire *wire, const void *data, u32 len);
bool pvstore_wire_receive(struct pvstore_wire *wire);
void pvstore_wire_break(struct pvstore_wire *wire, const char *field,
			u32 value);
bool pvstore_wire_can_reset(const struct pvstore_wire *wire);
void pvstore_wire_ask_reset(struct pvstore_wire *wire);
bool pvstore_wire_moved(struct pvstore_wire *wire);
bool pvstore_wire_resetting(const struct pvstore_wire *wire);

#endif /* PVBUS_STORE_WIRE_H */
