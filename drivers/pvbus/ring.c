// SPDX-License-Identifier: GPL-2.0-only
/*
 * The less frequent half of the untrusted ring: initialisation, reading the
 * back end's index, and breaking a ring on a protocol error.
 */
#include <linux/bitmap.h>
#include <linux/build_bug.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <pvbus/ring.h>

/**
 * pvring_entries() - slots of a ring
 * @bytes: size of the shared pages
 * @entry_size: bytes of a slot
 *
 * Return: a power of two, as both halves compute it; 0 if not even one fits.
 */
u32 pvring_entries(size_t bytes, u32 entry_size)
{
	size_t fit;

	if (bytes <= sizeof(struct pvring_shared) || !entry_size)
		return 0;
	fit = (bytes - sizeof(struct pvring_shared)) / entry_size;
	return fit ? rounddown_pow_of_two(fit) : 0;
}
EXPORT_SYMBOL_GPL(pvring_entries);

/**
 * pvring_init() - start an empty ring
 * @ring: private half
 * @shared: zeroed pages, not yet known to the back end
 * @bytes: their size, room for one slot at least
 * @entry_size: bytes of a slot: the larger of request and response
 */
void pvring_init(struct pvring *ring, void *shared, size_t bytes,
		 u32 entry_size)
{
	BUILD_BUG_ON(sizeof(struct pvring_shared) != 64);
	*ring = (struct pvring) {
		.shared = shared,
		.entries = pvring_entries(bytes, entry_size),
		.entry_size = entry_size,
	};
	/* Both sides ask for an event with the first message. */
	*ring->shared = (struct pvring_shared) {
		.req_event = 1,
		.rsp_event = 1,
	};
}
EXPORT_SYMBOL_GPL(pvring_init);

/**
 * pvring_break() - stop a ring whose back end broke the protocol
 * @ring: the ring
 * @field: the invalid field, such as "rsp.id"; kept as a pointer
 * @value: its value
 *
 * From now on there is no room, no push and no response.  The first field is
 * the one that is kept.
 *
 * Context: any.
 */
void pvring_break(struct pvring *ring, const char *field, u64 value)
{
	if (ring->broken)
		return;
	ring->broken_value = value;
	/* The value before the field: a reader that sees this sees that. */
	smp_store_release(&ring->broken, field);
}
EXPORT_SYMBOL_GPL(pvring_break);

/**
 * pvring_look() - read how many responses the back end has published
 * @ring: the ring
 *
 * rsp_prod may only go forward, and not beyond the requests published.
 *
 * Return: responses to take; 0 also if the ring has just been found broken.
 */
u32 pvring_look(struct pvring *ring)
{
	u32 prod = READ_ONCE(ring->shared->rsp_prod);
	u32 seen = ring->rsp_seen;

	/* The index before the responses, and before the limit it is held to. */
	virt_rmb();
	if (prod - seen > READ_ONCE(ring->req_pushed) - seen) {
		pvring_break(ring, "rsp_prod", prod);
		return 0;
	}
	ring->rsp_seen = prod;
	return prod - ring->rsp_cons;
}
EXPORT_SYMBOL_GPL(pvring_look);

/**
 * pvring_ids_init() - make a set of ids
 * @ids: the set
 * @size: how many, at most 65536
 *
 * Context: process; sleeps.
 * Return: 0, -EINVAL or -ENOMEM.
 */
int pvring_ids_init(struct pvring_ids *ids, u32 size)
{
	u32 i;

	*ids = (struct pvring_ids) {};
	if (!size || size > U16_MAX + 1)
		return -EINVAL;
	ids->free_list = kmalloc_array(size, sizeof(*ids->free_list),
				       GFP_KERNEL);
	ids->busy = bitmap_zalloc(size, GFP_KERNEL);
	if (!ids->free_list || !ids->busy) {
		pvring_ids_destroy(ids);
		return -ENOMEM;
	}
	/* Low ids first, so that arrays indexed by them touch few lines. */
	for (i = 0; i < size; i++)
		ids->free_list[i] = size - 1 - i;
	ids->free = size;
	ids->size = size;
	return 0;
}
EXPORT_SYMBOL_GPL(pvring_ids_init);

/**
 * pvring_ids_destroy() - undo pvring_ids_init()
 * @ids: the set, also after a failure of that; empty afterwards
 *
 * Context: any.
 */
void pvring_ids_destroy(struct pvring_ids *ids)
{
	kfree(ids->free_list);
	bitmap_free(ids->busy);
	*ids = (struct pvring_ids) {};
}
EXPORT_SYMBOL_GPL(pvring_ids_destroy);
