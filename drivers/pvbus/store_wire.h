/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The store's wire: messages over the page shared with the daemon, which is
 * not trusted.  Compiles in user space too.
 */
#ifndef PVBUS_STORE_WIRE_H
#define PVBUS_STORE_WIRE_H

#include <linux/types.h>
#include <xen/interface/io/xs_wire.h>

/**
 * struct pvwire - private half of the ring to the daemon
 * @ring: the shared page
 * @req_prod: request bytes written; never read back from the page
 * @rsp_cons: reply bytes taken; never read back from the page
 * @seen_req_cons, @seen_rsp_prod: the daemon's indexes when last asked whether
 *	they have moved
 * @broken: the field that made no sense, NULL while all is well
 * @value: what was in it
 * @have: bytes of @head and @body that have arrived
 * @head: header of the message that is arriving
 * @body: its payload, ended by a zero byte that is not the daemon's
 */
struct pvwire {
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

bool pvwire_attach(struct pvwire *wire, struct xenstore_domain_interface *ring);
u32 pvwire_send(struct pvwire *wire, const void *data, u32 len);
bool pvwire_receive(struct pvwire *wire);
void pvwire_break(struct pvwire *wire, const char *field, u32 value);
bool pvwire_can_reset(const struct pvwire *wire);
void pvwire_ask_reset(struct pvwire *wire);
bool pvwire_moved(struct pvwire *wire);
bool pvwire_resetting(const struct pvwire *wire);

#endif /* PVBUS_STORE_WIRE_H */
