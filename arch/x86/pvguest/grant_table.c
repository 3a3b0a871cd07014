// SPDX-License-Identifier: GPL-2.0-only
/*
 * The grant table that the hypervisor reads: its frames, its two layouts, and
 * how an entry starts and stops granting.  The users of entries are not known
 * here.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/jump_label.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <asm/barrier.h>
#include <asm/cmpxchg.h>
#include <pvguest/parameter.h>
#include <pvguest/platform.h>
#include <xen/interface/grant_table.h>

#include "grant_table.h"

#define V1_PER_FRAME		(PAGE_SIZE / sizeof(struct grant_entry_v1))
#define V2_PER_FRAME		(PAGE_SIZE / sizeof(union grant_entry_v2))
#define STATUS_PER_FRAME	(PAGE_SIZE / sizeof(grant_status_t))
#define GTF_IN_USE		(GTF_reading | GTF_writing)

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	"pvguest."

static unsigned int pv_grant_version;
pvguest_number(grant_version, pv_grant_version, 0, 2, 0);
MODULE_PARM_DESC(grant_version,
		 "grant table layout, 1 or 2; 0: 2 only if this machine's memory needs it");

/* Layout 2 has wider frame numbers and keeps what is in use elsewhere. */
static DEFINE_STATIC_KEY_FALSE(pv_grant_layout_v2);

/* Table and status frames, mapped one by one so that none moves on growth. */
static void **pv_grant_frame;
static void **pv_grant_status_frame;
static unsigned int pv_grant_frames;
static unsigned int pv_grant_max_frames;

static bool pv_grant_is_v2(void)
{
	return static_branch_unlikely(&pv_grant_layout_v2);
}

static unsigned int pv_grant_per_frame(void)
{
	return pv_grant_is_v2() ? V2_PER_FRAME : V1_PER_FRAME;
}

static struct grant_entry_v1 *pv_grant_v1(grant_ref_t ref)
{
	return (struct grant_entry_v1 *)pv_grant_frame[ref / V1_PER_FRAME] +
	       ref % V1_PER_FRAME;
}

static union grant_entry_v2 *pv_grant_v2(grant_ref_t ref)
{
	return (union grant_entry_v2 *)pv_grant_frame[ref / V2_PER_FRAME] +
	       ref % V2_PER_FRAME;
}

static grant_status_t *pv_grant_status(grant_ref_t ref)
{
	return (grant_status_t *)pv_grant_status_frame[ref / STATUS_PER_FRAME] +
	       ref % STATUS_PER_FRAME;
}

/**
 * pvguest_grant_allow() - let a domain reach a page
 * @ref: reference that grants nothing yet
 * @domain: the domain
 * @page: the page
 * @readonly: it may only read
 *
 * Context: any.
 */
void pvguest_grant_allow(grant_ref_t ref, domid_t domain, struct page *page,
			 bool readonly)
{
	u16 flags = GTF_permit_access | (readonly ? GTF_readonly : 0);
	unsigned long mfn = pvguest_page_frame(page);

	if (pv_grant_is_v2()) {
		union grant_entry_v2 *entry = pv_grant_v2(ref);

		entry->full_page.frame = mfn;
		entry->hdr.domid = domain;
		/* grant_table.h: the flags last, which make the rest valid. */
		virt_wmb();
		WRITE_ONCE(entry->hdr.flags, flags);
	} else {
		struct grant_entry_v1 *entry = pv_grant_v1(ref);

		entry->frame = mfn;
		entry->domid = domain;
		/* grant_table.h: the flags last, which make the rest valid. */
		virt_wmb();
		WRITE_ONCE(entry->flags, flags);
	}
}
EXPORT_SYMBOL_GPL(pvguest_grant_allow);

static bool pv_grant_revoke_v1(grant_ref_t ref)
{
	struct grant_entry_v1 *entry = pv_grant_v1(ref);
	u16 flags = READ_ONCE(entry->flags);

	/*
	 * Only the in-use flags can change under us, so what makes the
	 * exchange fail also ends the loop.
	 */
	do {
		if (flags & GTF_IN_USE)
			return false;
	} while (!try_cmpxchg(&entry->flags, &flags, GTF_invalid));
	return true;
}

static bool pv_grant_revoke_v2(grant_ref_t ref)
{
	WRITE_ONCE(pv_grant_v2(ref)->hdr.flags, GTF_invalid);
	/*
	 * The hypervisor marks the status first and then looks at the flags
	 * again, so one of us sees the other.
	 */
	virt_mb();
	if (READ_ONCE(*pv_grant_status(ref)) & GTF_IN_USE)
		return false;
	/* The end of its use before anything that we do with the page. */
	virt_rmb();
	return true;
}

/**
 * pvguest_grant_revoke() - end a domain's access
 * @ref: reference that pvguest_grant_allow() made good, or that was revoked
 *	before
 *
 * Decided at one instant: once this returns true, no access is possible any
 * more; as long as it returns false, the back end has the page mapped, or is
 * copying, and neither page nor reference may be used for anything else.  In
 * that case call again later.  With layout 2 a call that returns false has cleared
 * the flags, so no new mapping is possible: not for a page that stays granted.
 *
 * Context: any.
 * Return: true if no domain can reach the page through @ref any more.
 */
bool pvguest_grant_revoke(grant_ref_t ref)
{
	return pv_grant_is_v2() ? pv_grant_revoke_v2(ref) : pv_grant_revoke_v1(ref);
}
EXPORT_SYMBOL_GPL(pvguest_grant_revoke);

/**
 * pvguest_grant_idle() - does @ref grant nothing, with no domain using it?
 * @ref: reference that is part of the table
 *
 * Context: any.
 * Return: true if it may be given out.
 */
bool pvguest_grant_idle(grant_ref_t ref)
{
	if (pv_grant_is_v2())
		return !(READ_ONCE(pv_grant_v2(ref)->hdr.flags) &
			 GTF_type_mask) &&
		       !(READ_ONCE(*pv_grant_status(ref)) & GTF_IN_USE);
	return !READ_ONCE(pv_grant_v1(ref)->flags);
}

/**
 * pvguest_grant_mapped() - has a domain the page of a reference mapped?
 * @ref: reference that is part of the table
 *
 * Context: any.
 * Return: true if it has at this moment, which it may change at any time.
 */
bool pvguest_grant_mapped(grant_ref_t ref)
{
	u16 flags = pv_grant_is_v2() ? READ_ONCE(*pv_grant_status(ref)) :
				       READ_ONCE(pv_grant_v1(ref)->flags);

	return flags & GTF_IN_USE;
}
EXPORT_SYMBOL_GPL(pvguest_grant_mapped);

/* Free references form a list through their own entries. */

/**
 * pvguest_grant_set_link() - note after which free reference another comes
 * @ref: free reference
 * @next: the other one, or 0
 *
 * The number is in the entry's frame field, which the hypervisor does not read
 * while the entry grants nothing.
 *
 * Context: any.  The caller serialises the calls.
 */
void pvguest_grant_set_link(grant_ref_t ref, grant_ref_t next)
{
	if (pv_grant_is_v2())
		pv_grant_v2(ref)->full_page.frame = next;
	else
		pv_grant_v1(ref)->frame = next;
}

/**
 * pvguest_grant_link() - the reference that comes after a free one
 * @ref: free reference
 *
 * Context: any.  The caller serialises the calls.
 * Return: the number that pvguest_grant_set_link() noted.
 */
grant_ref_t pvguest_grant_link(grant_ref_t ref)
{
	return pv_grant_is_v2() ? pv_grant_v2(ref)->full_page.frame :
				  pv_grant_v1(ref)->frame;
}

/* Make @count frames part of the table; their numbers go to @list. */
static int pv_grant_get_frames(xen_pfn_t *list, unsigned int count)
{
	struct gnttab_setup_table op = {
		.dom = DOMID_SELF,
		.nr_frames = count,
	};
	int ret;

	set_xen_guest_handle(op.frame_list, list);
	ret = pvguest_grant_op(GNTTABOP_setup_table, &op, 1);
	if (ret)
		return ret;
	return op.status == GNTST_okay ? 0 : -ENOSPC;
}

static int pv_grant_get_status(u64 *list, unsigned int count)
{
	struct gnttab_get_status_frames op = {
		.dom = DOMID_SELF,
		.nr_frames = count,
	};
	int ret;

	set_xen_guest_handle(op.frame_list, list);
	ret = pvguest_grant_op(GNTTABOP_get_status_frames, &op, 1);
	if (ret)
		return ret;
	return op.status == GNTST_okay ? 0 : -ENOSPC;
}

/* Map what is new; entries that exist already stay as they are. */
static int pv_grant_map_new(void **va, const unsigned long *list,
			    unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (va[i])
			continue;
		va[i] = pvguest_map_frame(list[i]);
		if (!va[i])
			return -ENOMEM;
	}
	return 0;
}

static unsigned int pv_grant_status_count(unsigned int entry_frames)
{
	return DIV_ROUND_UP(entry_frames * V2_PER_FRAME, STATUS_PER_FRAME);
}

static int pv_grant_set_frames(unsigned int count)
{
	unsigned long *list;
	int ret;

	BUILD_BUG_ON(sizeof(xen_pfn_t) != sizeof(*list));
	BUILD_BUG_ON(sizeof(u64) != sizeof(*list));
	list = kcalloc(count, sizeof(*list), GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	ret = pv_grant_get_frames(list, count);
	if (!ret)
		ret = pv_grant_map_new(pv_grant_frame, list, count);
	if (!ret && pv_grant_is_v2()) {
		count = pv_grant_status_count(count);
		ret = pv_grant_get_status((u64 *)list, count);
		if (!ret)
			ret = pv_grant_map_new(pv_grant_status_frame, list,
					       count);
	}
	kfree(list);
	return ret;
}

/**
 * pvguest_grant_grow() - make at least so many more references
 * @refs: how many
 * @first: set to the lowest of the new ones
 * @count: set to how many there are, one after the other
 *
 * Context: process; sleeps.  The caller serialises the calls.
 * Return: 0, -ENOSPC at the hypervisor's limit, -ENOMEM.
 */
int pvguest_grant_grow(unsigned int refs, grant_ref_t *first,
		       unsigned int *count)
{
	unsigned int more = DIV_ROUND_UP(refs, pv_grant_per_frame());
	int ret = -ENOSPC;

	if (more <= pv_grant_max_frames - pv_grant_frames)
		ret = pv_grant_set_frames(pv_grant_frames + more);
	if (ret == -ENOSPC)
		pr_warn_ratelimited("pvguest: grant table: all %u frames in use (%d); raise max_grant_frames of this domain\n",
				    pv_grant_max_frames, ret);
	if (ret)
		return ret;
	*first = pv_grant_frames * pv_grant_per_frame();
	if (!*first) {
		/* Console and store are there since our creation. */
		*first = GNTTAB_NR_RESERVED_ENTRIES;
	}
	pv_grant_frames += more;
	*count = pv_grant_frames * pv_grant_per_frame() - *first;
	return 0;
}

/**
 * pvguest_grant_left() - references that pvguest_grant_grow() can still make
 *
 * Context: any.
 * Return: their number, if the hypervisor has the memory.
 */
unsigned int pvguest_grant_left(void)
{
	return (pv_grant_max_frames - READ_ONCE(pv_grant_frames)) *
	       pv_grant_per_frame();
}

static bool pv_grant_set_version(unsigned int version)
{
	struct gnttab_set_version op = { .version = version };

	return !pvguest_grant_op(GNTTABOP_set_version, &op, 1) &&
	       op.version == version;
}

/* Does the machine have frames that layout 1 has no bits for? */
static bool pv_grant_needs_v2(void)
{
	return pvguest_maximum_ram_page() > U32_MAX;
}

static int pv_grant_choose_version(void)
{
	bool must = pv_grant_needs_v2();

	if ((must || pv_grant_version == 2) && pv_grant_set_version(2)) {
		static_branch_enable(&pv_grant_layout_v2);
		return 0;
	}
	if (must) {
		pr_err("pvguest: grant table: frames beyond 16 TiB need version 2, which this domain may not use (%d); no front ends\n",
		       -ENODEV);
		return -ENODEV;
	}
	if (pv_grant_version == 2)
		pr_warn("pvguest: pvguest.grant_version=2: refused by the hypervisor (%d); using 1\n",
			-EOPNOTSUPP);
	/* One without this call, or without 2, has version 1 in any case. */
	pv_grant_set_version(1);
	return 0;
}

/**
 * pvguest_grant_init() - choose the layout
 *
 * There are no references until pvguest_grant_grow() makes some.
 *
 * Context: process, while booting.
 * Return: 0 or a negative error.
 */
int pvguest_grant_init(void)
{
	struct gnttab_query_size size = { .dom = DOMID_SELF };
	int ret;

	ret = pvguest_grant_op(GNTTABOP_query_size, &size, 1);
	if (ret || size.status != GNTST_okay)
		return -ENODEV;
	ret = pv_grant_choose_version();
	if (ret)
		return ret;
	pv_grant_frame = kvcalloc(size.max_nr_frames, sizeof(*pv_grant_frame),
				  GFP_KERNEL);
	pv_grant_status_frame = kvcalloc(pv_grant_status_count(size.max_nr_frames),
					 sizeof(*pv_grant_status_frame),
					 GFP_KERNEL);
	if (!pv_grant_frame || !pv_grant_status_frame) {
		kvfree(pv_grant_frame);
		kvfree(pv_grant_status_frame);
		return -ENOMEM;
	}
	pv_grant_max_frames = size.max_nr_frames;
	return 0;
}

/**
 * pvguest_grant_show() - the table's lines of debugfs pvguest/grants
 * @m: the file
 *
 * Context: process.
 */
void pvguest_grant_show(struct seq_file *m)
{
	seq_printf(m, "version %u\n", pv_grant_is_v2() ? 2 : 1);
	seq_printf(m, "frames %u\n", pv_grant_frames);
	seq_printf(m, "max_frames %u\n", pv_grant_max_frames);
	seq_printf(m, "limit %lu\n",
		   (unsigned long)pv_grant_max_frames * pv_grant_per_frame() -
		   GNTTAB_NR_RESERVED_ENTRIES);
}
