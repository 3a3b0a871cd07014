// SPDX-License-Identifier: GPL-2.0-only
/*
 * The domain's reservation: frames that go back to the hypervisor, and frames
 * that come from it, for pages that Linux has taken out of use.
 *
 * A frame that the domain has mapped anywhere would stay the domain's until the
 * last mapping is gone.  The direct map, of which the kernel's image is a part,
 * is the one mapping of a page that is in no use.
 */
#include <linux/mm.h>
#include <pvguest/platform.h>

#include "batch.h"
#include "internal.h"
#include "table.h"

/* Do @cmd for @count frames, in place.  Returns for how many it was done, or an error. */
static long pv_change_reservation(unsigned int cmd, xen_pfn_t *frames,
				  unsigned int count)
{
	struct xen_memory_reservation op = {
		.nr_extents = count,
		.domid = DOMID_SELF,
	};

	set_xen_guest_handle(op.extent_start, frames);
	return hyp_memory_op(cmd, &op);
}

/* The entry of a page whose list entry is set: in the direct map again. */
static void pv_map_pages(struct page **pages, unsigned int count)
{
	unsigned long flags = pv_batch_begin();
	unsigned int i;

	for (i = 0; i < count; i++)
		pvguest_queue_protect(page_to_pfn(pages[i]), true);
	pv_batch_issue(flags);
}

/*
 * The flush is for the next frame of each page, which no vCPU may miss; the
 * hypervisor itself flushes before it gives a frame to another domain.
 */
static void pv_unmap_pages(struct page **pages, unsigned int count)
{
	unsigned long flags = pv_batch_begin();
	unsigned int i;

	for (i = 0; i < count; i++)
		pvguest_queue_unmap(page_to_pfn(pages[i]));
	pv_queue_ext(MMUEXT_TLB_FLUSH_ALL);
	pv_count(flush_multi);
	pv_batch_issue(flags);
}

/**
 * pvguest_memory_give() - give the frames of pages back to the hypervisor
 * @pages: pages that the caller alone uses and has cleared
 * @count: how many, at most PVGUEST_MEMORY_BATCH
 * @given: set to how many of them, from the first on, have no frame any more
 *	and are not mapped
 *
 * The other pages are as they were.
 *
 * Context: process.  The caller serialises the calls.
 * Return: 0 if all are given, or a negative errno.
 */
int pvguest_memory_give(struct page **pages, unsigned int count,
			unsigned int *given)
{
	xen_pfn_t frames[PVGUEST_MEMORY_BATCH];
	unsigned int i;
	long done;

	*given = 0;
	if (WARN_ON_ONCE(count > PVGUEST_MEMORY_BATCH))
		return -EINVAL;
	pv_unmap_pages(pages, count);
	/* Before another domain can have the frame, or it would pass for ours. */
	for (i = 0; i < count; i++) {
		unsigned long *entry = &pvguest_p2m[page_to_pfn(pages[i])];

		frames[i] = *entry;
		WRITE_ONCE(*entry, PVGUEST_NO_MFN);
	}
	done = pv_change_reservation(XENMEM_decrease_reservation, frames, count);
	*given = clamp(done, 0L, (long)count);
	for (i = *given; i < count; i++)
		WRITE_ONCE(pvguest_p2m[page_to_pfn(pages[i])], frames[i]);
	pv_map_pages(pages + *given, count - *given);
	if (*given == count)
		return 0;
	return done < 0 ? done : -EBUSY;
}

/**
 * pvguest_memory_take() - take frames from the hypervisor
 * @pages: pages that pvguest_memory_give() has left without frames
 * @count: how many, at most PVGUEST_MEMORY_BATCH
 * @taken: set to how many of them, from the first on, have a frame and are mapped
 *
 * Context: process.  The caller serialises the calls.
 * Return: 0 if all have a frame, or a negative errno.
 */
int pvguest_memory_take(struct page **pages, unsigned int count,
			unsigned int *taken)
{
	xen_pfn_t frames[PVGUEST_MEMORY_BATCH];
	unsigned int i;
	long done;

	*taken = 0;
	if (WARN_ON_ONCE(count > PVGUEST_MEMORY_BATCH))
		return -EINVAL;
	for (i = 0; i < count; i++)
		frames[i] = page_to_pfn(pages[i]);
	/* The hypervisor changes the machine-to-physical table itself. */
	done = pv_change_reservation(XENMEM_populate_physmap, frames, count);
	*taken = clamp(done, 0L, (long)count);
	for (i = 0; i < *taken; i++)
		WRITE_ONCE(pvguest_p2m[page_to_pfn(pages[i])], frames[i]);
	pv_map_pages(pages, *taken);
	if (*taken == count)
		return 0;
	return done < 0 ? done : -ENOMEM;
}

/**
 * pvguest_memory_at_boot() - pages that the domain was started with
 *
 * Context: any.
 * Return: their number; 0 natively.
 */
unsigned long pvguest_memory_at_boot(void)
{
	return pvguest_running() ? pvguest_start_info->nr_pages : 0;
}
