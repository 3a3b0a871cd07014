// SPDX-License-Identifier: GPL-2.0-only
/*
 * The transmit ring: makes requests of packets and checks their responses.
 *
 * Each request id has a page of its own, granted read-only while the ring
 * exists, into which packets are copied densely: a small packet costs no grant
 * operation.  Only a page that a packet fills from its first byte to its last
 * may be granted itself, as it holds nothing else.
 */
#include <linux/build_bug.h>
#include <linux/gfp.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "wire.h"

/* Slots that @len bytes fill when copied densely. */
static u32 pvnet_tx_slots(u32 len)
{
	return (len + PAGE_SIZE - 1) / PAGE_SIZE;
}

/**
 * pvnet_tx_init() - make a transmit ring
 * @tx: the ring, all zero or destroyed
 * @domain: the back end's
 * @shared: zeroed page of the ring
 * @sg: the back end takes packets of several slots
 *
 * Context: process; sleeps.
 * Return: 0, -ENOMEM, -EINVAL for a wrong size of the ring, or -ENOSPC if the
 * hypervisor allows no more references; pvnet_tx_destroy() is due in either case.
 */
int pvnet_tx_init(struct pvnet_tx *tx, domid_t domain, void *shared, bool sg)
{
	unsigned int i;
	int err;

	BUILD_BUG_ON(sizeof(struct xen_netif_extra_info) >
		     sizeof(struct xen_netif_tx_request));
	pvring_init(&tx->ring, shared, PAGE_SIZE,
		    sizeof(struct xen_netif_tx_request));
	if (tx->ring.entries != PVNET_SLOTS)
		return -EINVAL;
	tx->domain = domain;
	tx->max_slots = sg ? PVNET_PACKET_SLOTS : 1;
	err = pvring_ids_init(&tx->ids, PVNET_SLOTS);
	if (!err)
		err = pvgrant_pool_init(&tx->pool, PVNET_SLOTS + PVNET_LENT);
	for (i = 0; i < PVNET_SLOTS && !err; i++) {
		struct pvnet_tx_slot *slot = &tx->slots[i];

		slot->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		slot->own = slot->page ? pvgrant_take(&tx->pool) : PVGRANT_NONE;
		if (slot->own == PVGRANT_NONE)
			err = -ENOMEM;
		else
			pvguest_grant_allow(slot->own, domain, slot->page, true);
	}
	return err;
}

/* Revoke @ref, or leave it and a reference count of @page to the bus. */
static bool pvnet_tx_revoke(struct pvnet_tx *tx, grant_ref_t ref,
			    struct page *page)
{
	if (likely(pvguest_grant_revoke(ref))) {
		pvgrant_put(&tx->pool, ref);
		return true;
	}
	get_page(page);
	pvgrant_abandon(&tx->pool, ref, page);
	tx->abandoned++;
	return false;
}

static void pvnet_tx_end_lending(struct pvnet_tx *tx,
				 struct pvnet_tx_slot *slot)
{
	if (slot->lent == PVGRANT_NONE)
		return;
	pvnet_tx_revoke(tx, slot->lent, slot->lent_page);
	slot->lent = PVGRANT_NONE;
	slot->lent_page = NULL;
}

/**
 * pvnet_tx_flush() - take back packets whose requests have no response
 * @tx: the ring, which the back end no longer uses
 *
 * Return: name of such a packet, which may have been sent, or NULL if none is
 * left.
 */
void *pvnet_tx_flush(struct pvnet_tx *tx)
{
	unsigned int id;

	/* All lent pages first: the packets own them. */
	for (id = 0; id < PVNET_SLOTS; id++)
		pvnet_tx_end_lending(tx, &tx->slots[id]);
	for (id = 0; id < PVNET_SLOTS; id++) {
		void *packet = tx->slots[id].packet;

		tx->slots[id].packet = NULL;
		if (packet)
			return packet;
	}
	return NULL;
}

/**
 * pvnet_tx_destroy() - undo pvnet_tx_init(), also a failed one
 * @tx: the ring, flushed; ready for init again
 *
 * Context: process; sleeps.
 */
void pvnet_tx_destroy(struct pvnet_tx *tx)
{
	unsigned int i;

	for (i = 0; i < PVNET_SLOTS; i++) {
		struct pvnet_tx_slot *slot = &tx->slots[i];

		if (slot->own != PVGRANT_NONE)
			pvnet_tx_revoke(tx, slot->own, slot->page);
		if (slot->page)
			put_page(slot->page);
	}
	pvgrant_pool_destroy(&tx->pool);
	pvring_ids_destroy(&tx->ids);
	memset(tx, 0, offsetof(struct pvnet_tx, lends));
}

static void pvnet_tx_slot_open(struct pvnet_tx *tx, u16 flags)
{
	int id = pvring_id_get(&tx->ids);

	tx->request = pvring_next_request(&tx->ring);
	tx->open = (struct xen_netif_tx_request) {
		.flags = flags,
		.id = id,
		.gref = tx->slots[id].own,
	};
	tx->slots[id].head = tx->used ? tx->head : id;
	tx->slots[id].responded = false;
	tx->own = true;
	tx->used++;
}

/* The first request has the size of the whole packet, others their own. */
static void pvnet_tx_slot_close(struct pvnet_tx *tx, u16 more)
{
	tx->open.flags |= more;
	if (tx->open.id == tx->head)
		tx->open.size = tx->len;
	*tx->request = tx->open;
	tx->request = NULL;
}

/**
 * pvnet_tx_begin() - start to send a packet
 * @tx: the ring
 * @len: bytes, all of which must follow by copy and lend; 0: the request is
 *	only there for @extra
 * @flags: XEN_NETTXF_csum_blank, XEN_NETTXF_data_validated
 * @extra: content of an extra slot, or NULL
 *
 * Return: false if there is no room now, or the packet is too long for the back
 * end.
 */
bool pvnet_tx_begin(struct pvnet_tx *tx, u32 len, u16 flags,
		    const struct xen_netif_extra_info *extra)
{
	struct xen_netif_extra_info *info;

	if (unlikely(!pvnet_tx_has_room(tx)) || len > PVNET_MAX_TX ||
	    pvnet_tx_slots(len) > tx->max_slots)
		return false;
	tx->used = 0;
	tx->len = len;
	tx->left = len;
	pvnet_tx_slot_open(tx, flags | (extra ? XEN_NETTXF_extra_info : 0));
	tx->head = tx->open.id;
	if (extra) {
		info = pvring_next_request(&tx->ring);
		*info = *extra;
		tx->extras++;
	}
	return true;
}

/**
 * pvnet_tx_copy() - add a copy of bytes to the packet
 * @tx: the ring
 * @data: the bytes
 * @len: their number
 */
void pvnet_tx_copy(struct pvnet_tx *tx, const void *data, u32 len)
{
	while (len) {
		u32 room = tx->own ? PAGE_SIZE - tx->open.size : 0;
		u32 part;

		if (!room) {
			pvnet_tx_slot_close(tx, XEN_NETTXF_more_data);
			pvnet_tx_slot_open(tx, 0);
			room = PAGE_SIZE;
		}
		part = min(len, room);
		memcpy(page_address(tx->slots[tx->open.id].page) +
		       tx->open.size, data, part);
		tx->open.size += part;
		tx->left -= part;
		tx->copied += part;
		data += part;
		len -= part;
	}
}

/**
 * pvnet_tx_lend() - add a whole page to the packet by granting it
 * @tx: the ring
 * @page: all of it is the packet's, and stays so until the packet is done
 *
 * Return: false if the page cannot be granted now: then copy it.
 */
bool pvnet_tx_lend(struct pvnet_tx *tx, struct page *page)
{
	struct pvnet_tx_slot *slot;
	grant_ref_t ref;

	/*
	 * Headers go first, in a page of the slot's own.  The bytes after this
	 * page must still fit if they are all copied.
	 */
	if (!tx->open.size || tx->left < PAGE_SIZE ||
	    tx->used + 1 + pvnet_tx_slots(tx->left - PAGE_SIZE) > tx->max_slots)
		return false;
	ref = pvgrant_take(&tx->pool);
	if (ref == PVGRANT_NONE)
		return false;
	pvnet_tx_slot_close(tx, XEN_NETTXF_more_data);
	pvnet_tx_slot_open(tx, 0);
	pvguest_grant_allow(ref, tx->domain, page, true);
	slot = &tx->slots[tx->open.id];
	slot->lent = ref;
	slot->lent_page = page;
	tx->open.gref = ref;
	tx->open.size = PAGE_SIZE;
	tx->own = false;
	tx->left -= PAGE_SIZE;
	tx->lends++;
	return true;
}

/**
 * pvnet_tx_end() - complete the packet, which pvring_push() publishes
 * @tx: the ring
 * @packet: the caller's name for it, NULL if pvnet_tx_reap() need not return it
 */
void pvnet_tx_end(struct pvnet_tx *tx, void *packet)
{
	pvnet_tx_slot_close(tx, 0);
	tx->slots[tx->head].packet = packet;
	tx->slots[tx->head].left = tx->used;
}

/* Complete one request; returns its packet if that was its last one. */
static void *pvnet_tx_complete(struct pvnet_tx *tx, u16 id)
{
	struct pvnet_tx_slot *slot = &tx->slots[id];
	struct pvnet_tx_slot *head = &tx->slots[slot->head];
	void *packet = NULL;

	pvnet_tx_end_lending(tx, slot);
	if (slot == head)
		head->responded = true;
	else
		pvring_id_put(&tx->ids, id);
	if (!--head->left) {
		packet = head->packet;
		head->packet = NULL;
		pvring_id_put(&tx->ids, head - tx->slots);
	}
	return packet;
}

/**
 * pvnet_tx_reap() - take responses
 * @tx: the ring
 * @done: filled with the names of packets that are done
 * @max: room there
 *
 * Return: number of packets; fewer than @max if there is no more response, or
 * the ring is broken.
 */
unsigned int pvnet_tx_reap(struct pvnet_tx *tx, void **done, unsigned int max)
{
	struct xen_netif_tx_response rsp;
	unsigned int count = 0;

	while (count < max &&
	       pvring_take(&tx->ring, &rsp, sizeof(rsp)) > 0) {
		if (rsp.status == XEN_NETIF_RSP_NULL) {
			/* The response to an extra slot has no id. */
			if (tx->extras) {
				tx->extras--;
				continue;
			}
			pvring_break(&tx->ring, "tx rsp.status", rsp.status);
			break;
		}
		if (!pvring_id_busy(&tx->ids, rsp.id) ||
		    tx->slots[rsp.id].responded) {
			pvring_break(&tx->ring, "tx rsp.id", rsp.id);
			break;
		}
		if (rsp.status != XEN_NETIF_RSP_OKAY) {
			if (rsp.status != XEN_NETIF_RSP_ERROR &&
			    rsp.status != XEN_NETIF_RSP_DROPPED) {
				pvring_break(&tx->ring, "tx rsp.status",
					     (u16)rsp.status);
				break;
			}
			tx->errors++;
		}
		done[count] = pvnet_tx_complete(tx, rsp.id);
		if (done[count])
			count++;
	}
	return count;
}
