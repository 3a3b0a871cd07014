// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rarer half of the untrusted ring: set-up, a look at what the back end
 * has published, and the moment it is found to lie.
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
 * @shared: zeroed pages, not yet announced to the back end
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
	/* Either side's first message is worth an event. */
	*ring->shared = (struct pvring_shared) {
		.req_event = 1,
		.rsp_event = 1,
	};
}
EXPORT_SYMBOL_GPL(pvring_init);

/**
 * pvring_break() - stop a ring whose back end broke the protocol
 * @ring: the ring
 * @field: what made no sense, such as "rsp.id"; kept as a pointer
 * @value: what was in it
 *
 * From now on there is no room, no push and no response.  The first reason is
 * the one that is kept.
 *
 * Context: any.
 */
void pvring_break(struct pvring *ring, const char *field, u64 value)
{
	if (ring->broken)
		return;
	ring->broken_value = value;
	/* Who sees the field named sees its value. */
	smp_store_release(&ring->broken, field);
}
EXPORT_SYMBOL_GPL(pvring_break);

/**
 * pvring_look() - see how many responses the back end has published
 * @ring: the ring
 *
 * Its index may only go forward, and not beyond the requests it was shown.
 *
 * Return: responses to take; 0 also if the ring has just been found broken.
 */
u32 pvring_look(struct pvring *ring)
{
	u32 prod = READ_ONCE(ring->shared->rsp_prod);
	u32 seen = ring->rsp_seen;

	/* The index before the responses, and before what it may not pass. */
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
	/* Low ids first: what they index stays in few cache lines. */
	for (i = 0; i < size; i++)
		ids->free_list[i] = size - 1 - i;
	ids->free = size;
	ids->size = size;
	return 0;
}
EXPORT_SYMBOL_GPL(pvring_ids_init);

/** pvring_ids_destroy() - undo pvring_ids_init(), also a failed one */
void pvring_ids_destroy(struct pvring_ids *ids)
{
	kfree(ids->free_list);
	bitmap_free(ids->busy);
	*ids = (struct pvring_ids) {};
}
EXPORT_SYMBOL_GPL(pvring_ids_destroy);
