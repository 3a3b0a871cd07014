// SPDX-License-Identifier: MIT
/*
 * Grant table operations and the use of grants, after the clauses in
 * hypercall-abi/clauses/grant.yaml.
 */
#include <pvguest/platform.h>

#include "../../../../arch/x86/pvguest/grant_table.h"
#include "kernel.h"
#include "hypervisor.h"

#define TABLE_MFN	0x100000UL
#define STATUS_MFN	0x200000UL
#define PAGE_MFN	0x1000UL
#define MAX_REFS	(HYP_MAX_FRAMES * 512)
#define STATUS_FRAMES	(HYP_MAX_FRAMES / 8)

/* Active entries: the mappings, whatever the table holds by now. */
static struct pin {
	u16 reads, writes;
	domid_t domain;
	struct page *page;
} hyp_pins[MAX_REFS];

static union {
	u8 bytes[HYP_MAX_FRAMES][PAGE_SIZE];
	struct grant_entry_v1 v1[MAX_REFS];
	union grant_entry_v2 v2[MAX_REFS / 2];
} hyp_table __aligned(4096);
static u16 hyp_status[STATUS_FRAMES][PAGE_SIZE / 2] __aligned(4096);
static unsigned int hyp_frames, hyp_limit, hyp_version, best_version;
static grant_ref_t top_pin;
/* References through which a page is mapped. */
static u16 page_pins[SHIM_PAGES];
u64 hyp_max_mfn;
unsigned int hyp_calls;

void hyp_reset(unsigned int max_frames, unsigned int max_version)
{
	memset(hyp_table.bytes, 0, hyp_frames * PAGE_SIZE);
	memset(hyp_status, 0, DIV_ROUND_UP(hyp_frames, 8) * PAGE_SIZE);
	memset(hyp_pins, 0, top_pin * sizeof(hyp_pins[0]));
	memset(page_pins, 0, sizeof(page_pins));
	top_pin = 0;
	/* Xen makes the first frame with the domain. */
	hyp_frames = 1;
	hyp_limit = max_frames;
	hyp_version = 1;
	best_version = max_version;
	hyp_max_mfn = 1 << 20;
	hyp_calls = 0;
}

static unsigned int refs(void)
{
	return hyp_frames * (hyp_version == 2 ? 256 : 512);
}

static u16 flags_of(grant_ref_t ref)
{
	return hyp_version == 2 ? hyp_table.v2[ref].hdr.flags : hyp_table.v1[ref].flags;
}

static u64 mfn_of(grant_ref_t ref)
{
	return hyp_version == 2 ? hyp_table.v2[ref].full_page.frame : hyp_table.v1[ref].frame;
}

/* The hypervisor changes its own bits only, and only those in use. */
static void set_status(grant_ref_t ref)
{
	u16 in_use = (hyp_pins[ref].reads || hyp_pins[ref].writes ? GTF_reading : 0) |
		     (hyp_pins[ref].writes ? GTF_writing : 0);
	u16 *word = hyp_version == 2 ? &hyp_status[ref / 2048][ref % 2048] :
				   &hyp_table.v1[ref].flags;

	*word = (*word & ~(GTF_reading | GTF_writing)) | in_use;
}

void *hyp_map(grant_ref_t ref, domid_t domain, bool write)
{
	struct page *page = NULL;
	domid_t allowed;
	struct pin *pin;
	u16 flags;

	if (ref >= refs())
		return NULL;
	pin = &hyp_pins[ref];
	flags = flags_of(ref);
	allowed = hyp_version == 2 ? hyp_table.v2[ref].hdr.domid : hyp_table.v1[ref].domid;
	if (!pin->page) {
		if ((flags & GTF_type_mask) != GTF_permit_access ||
		    allowed != domain)
			return NULL;
		page = pfn_to_page(mfn_of(ref) - PAGE_MFN);
		if (!page || !page->count)
			return NULL;
	} else if (pin->domain != domain) {
		return NULL;
	}
	if (write && (flags & GTF_readonly))
		return NULL;
	if (!pin->page) {
		pin->page = page;
		page_pins[page_to_pfn(page)]++;
		pin->domain = domain;
		top_pin = max(top_pin, ref + 1);
	}
	if (write)
		pin->writes++;
	else
		pin->reads++;
	set_status(ref);
	return page_address(pin->page);
}

void hyp_unmap(grant_ref_t ref, bool write)
{
	struct pin *pin = &hyp_pins[ref];

	if (write)
		pin->writes--;
	else
		pin->reads--;
	if (!pin->reads && !pin->writes) {
		page_pins[page_to_pfn(pin->page)]--;
		pin->page = NULL;
	}
	set_status(ref);
}

bool hyp_mapped(grant_ref_t ref)
{
	return ref < MAX_REFS && hyp_pins[ref].page;
}

bool hyp_page_mapped(const struct page *page)
{
	return page_pins[page_to_pfn(page)];
}

bool hyp_reachable(const struct page *page)
{
	u64 mfn = page_to_pfn(page) + PAGE_MFN;
	bool found = hyp_page_mapped(page);
	grant_ref_t ref, end = refs();

	/* Without an early exit, for speed. */
	if (hyp_version == 2) {
		for (ref = 0; ref < end; ref++)
			found |= ((hyp_table.v2[ref].hdr.flags & GTF_type_mask) ==
				  GTF_permit_access) &
				 (hyp_table.v2[ref].full_page.frame == mfn);
	} else {
		for (ref = 0; ref < end; ref++)
			found |= ((hyp_table.v1[ref].flags & GTF_type_mask) ==
				  GTF_permit_access) &
				 (hyp_table.v1[ref].frame == mfn);
	}
	return found;
}

unsigned int hyp_granted(void)
{
	unsigned int granted = 0;
	grant_ref_t ref;

	for (ref = 0; ref < refs(); ref++)
		granted += (flags_of(ref) & GTF_type_mask) != GTF_invalid;
	return granted;
}

void hyp_unmap_all(void)
{
	grant_ref_t ref;

	for (ref = 0; ref < top_pin; ref++) {
		while (hyp_pins[ref].reads)
			hyp_unmap(ref, false);
		while (hyp_pins[ref].writes)
			hyp_unmap(ref, true);
	}
}

static int hyp_setup_table(struct gnttab_setup_table *op)
{
	unsigned long *list;
	unsigned int i;

	list = op->frame_list;
	op->status = GNTST_general_error;
	if (op->nr_frames > hyp_limit)
		return 0;
	hyp_frames = max(hyp_frames, op->nr_frames);
	for (i = 0; i < op->nr_frames; i++)
		list[i] = TABLE_MFN + i;
	op->status = GNTST_okay;
	return 0;
}

static int hyp_status_frames(struct gnttab_get_status_frames *op)
{
	unsigned int i;
	u64 *list;

	list = op->frame_list;
	op->status = GNTST_general_error;
	if (hyp_version != 2 || op->nr_frames > DIV_ROUND_UP(hyp_frames, 8))
		return 0;
	for (i = 0; i < op->nr_frames; i++)
		list[i] = STATUS_MFN + i;
	op->status = GNTST_okay;
	return 0;
}

static int hyp_set_version(struct gnttab_set_version *op)
{
	int ret = 0;

	if (op->version != 1 && op->version != 2)
		ret = -EINVAL;
	else if (op->version > best_version)
		ret = -ENOSYS;
	else
		hyp_version = op->version;
	op->version = hyp_version;
	return ret;
}

int pvguest_grant_op(unsigned int cmd, void *ops, unsigned int count)
{
	struct gnttab_query_size *size = ops;

	hyp_calls++;
	if (count != 1)
		return -EINVAL;
	switch (cmd) {
	case GNTTABOP_query_size:
		size->nr_frames = hyp_frames;
		size->max_nr_frames = hyp_limit;
		size->status = GNTST_okay;
		return 0;
	case GNTTABOP_setup_table:
		return hyp_setup_table(ops);
	case GNTTABOP_set_version:
		return hyp_set_version(ops);
	case GNTTABOP_get_status_frames:
		return hyp_status_frames(ops);
	default:
		return -ENOSYS;
	}
}

long pvguest_maximum_ram_page(void)
{
	return (long)hyp_max_mfn - 1;
}

void *pvguest_map_frame(unsigned long frame)
{
	void *probe = kmalloc(1, GFP_KERNEL);

	/* Fails when memory does. */
	if (!probe)
		return NULL;
	kfree(probe);
	if (frame >= STATUS_MFN && frame < STATUS_MFN + STATUS_FRAMES)
		return hyp_status[frame - STATUS_MFN];
	if (frame >= TABLE_MFN && frame < TABLE_MFN + HYP_MAX_FRAMES)
		return hyp_table.bytes[frame - TABLE_MFN];
	return NULL;
}

unsigned long pvguest_page_frame(const struct page *page)
{
	return page_to_pfn(page) + PAGE_MFN;
}

bool pvguest_running(void)
{
	return true;
}
