// SPDX-License-Identifier: GPL-2.0-only
/*
 * The grant table that the hypervisor reads: its frames, its two layouts, and
 * how an entry starts and stops granting.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/jump_label.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <asm/barrier.h>
#include <asm/cmpxchg.h>
#include <pvguest/platform.h>
#include <xen/interface/memory.h>

#include "grant.h"

#define V1_PER_FRAME		(PAGE_SIZE / sizeof(struct grant_entry_v1))
#define V2_PER_FRAME		(PAGE_SIZE / sizeof(union grant_entry_v2))
#define STATUS_PER_FRAME	(PAGE_SIZE / sizeof(grant_status_t))
#define GTF_IN_USE		(GTF_reading | GTF_writing)

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	"pvguest."

static unsigned int wanted_version;
module_param_named(grant_version, wanted_version, uint, 0);
MODULE_PARM_DESC(grant_version,
		 "grant table layout, 1 or 2; 0: 2 only if this machine's memory needs it");

/* Layout 2 has wider frame numbers and keeps what is in use elsewhere. */
static DEFINE_STATIC_KEY_FALSE(layout_v2);

/* Table and status frames, mapped one by one so that none moves on growth. */
static void **entry_frame;
static void **status_frame;
static unsigned int frames;
static unsigned int max_frames;
/* Held to grow. */
static DEFINE_MUTEX(table_lock);

static bool v2(void)
{
	return static_branch_unlikely(&layout_v2);
}

static unsigned int per_frame(void)
{
	return v2() ? V2_PER_FRAME : V1_PER_FRAME;
}

static struct grant_entry_v1 *entry_v1(grant_ref_t ref)
{
	return (struct grant_entry_v1 *)entry_frame[ref / V1_PER_FRAME] +
	       ref % V1_PER_FRAME;
}

static union grant_entry_v2 *entry_v2(grant_ref_t ref)
{
	return (union grant_entry_v2 *)entry_frame[ref / V2_PER_FRAME] +
	       ref % V2_PER_FRAME;
}

static grant_status_t *status_of(grant_ref_t ref)
{
	return (grant_status_t *)status_frame[ref / STATUS_PER_FRAME] +
	       ref % STATUS_PER_FRAME;
}

/**
 * pvgrant_allow() - let a domain reach a page
 * @ref: reference that grants nothing yet
 * @domain: the domain
 * @page: the page
 * @readonly: it may only read
 *
 * Context: any.
 */
void pvgrant_allow(grant_ref_t ref, domid_t domain, struct page *page,
		   bool readonly)
{
	u16 flags = GTF_permit_access | (readonly ? GTF_readonly : 0);
	unsigned long mfn = pvguest_page_frame(page);

	if (v2()) {
		union grant_entry_v2 *entry = entry_v2(ref);

		entry->full_page.frame = mfn;
		entry->hdr.domid = domain;
		/* grant_table.h: the flags last, which make the rest valid. */
		virt_wmb();
		WRITE_ONCE(entry->hdr.flags, flags);
	} else {
		struct grant_entry_v1 *entry = entry_v1(ref);

		entry->frame = mfn;
		entry->domid = domain;
		/* grant_table.h: the flags last, which make the rest valid. */
		virt_wmb();
		WRITE_ONCE(entry->flags, flags);
	}
}
EXPORT_SYMBOL_GPL(pvgrant_allow);

static bool revoke_v1(grant_ref_t ref)
{
	struct grant_entry_v1 *entry = entry_v1(ref);
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

static bool revoke_v2(grant_ref_t ref)
{
	WRITE_ONCE(entry_v2(ref)->hdr.flags, GTF_invalid);
	/*
	 * The hypervisor marks the status first and then looks at the flags
	 * again, so one of us sees the other.
	 */
	virt_mb();
	if (READ_ONCE(*status_of(ref)) & GTF_IN_USE)
		return false;
	/* The end of its use before anything that we do with the page. */
	virt_rmb();
	return true;
}

/**
 * pvgrant_revoke() - end a domain's access
 * @ref: reference that pvgrant_allow() made good, or that was revoked before
 *
 * Decided at one instant: once this returns true, no access is possible any
 * more; as long as it returns false, the back end has the page mapped, or is
 * copying, and neither page nor reference may be used for anything else.  In
 * that case call again later, or pvgrant_abandon().  A failed call may already
 * have ended what is not in use: a page to stay granted is not to be revoked.
 *
 * Context: any.
 */
bool pvgrant_revoke(grant_ref_t ref)
{
	return v2() ? revoke_v2(ref) : revoke_v1(ref);
}
EXPORT_SYMBOL_GPL(pvgrant_revoke);

/** pvgrant_idle() - does @ref grant nothing, with nobody using it? */
bool pvgrant_idle(grant_ref_t ref)
{
	if (v2())
		return !(READ_ONCE(entry_v2(ref)->hdr.flags) & GTF_type_mask) &&
		       !(READ_ONCE(*status_of(ref)) & GTF_IN_USE);
	return !READ_ONCE(entry_v1(ref)->flags);
}

/* Free references form a list through their own entries. */

/** pvgrant_set_link() - note after which free reference another comes */
void pvgrant_set_link(grant_ref_t ref, grant_ref_t next)
{
	if (v2())
		entry_v2(ref)->full_page.frame = next;
	else
		entry_v1(ref)->frame = next;
}

/** pvgrant_link() - what pvgrant_set_link() noted */
grant_ref_t pvgrant_link(grant_ref_t ref)
{
	return v2() ? entry_v2(ref)->full_page.frame : entry_v1(ref)->frame;
}

/* Make @count frames part of the table; their numbers go to @list. */
static int get_entry_frames(xen_pfn_t *list, unsigned int count)
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

static int get_status_frames(u64 *list, unsigned int count)
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
static int map_new(void **va, const unsigned long *list, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (va[i])
			continue;
		va[i] = pvguest_map_frames(&list[i], 1);
		if (!va[i])
			return -ENOMEM;
	}
	return 0;
}

static unsigned int status_frames(unsigned int entry_frames)
{
	return DIV_ROUND_UP(entry_frames * V2_PER_FRAME, STATUS_PER_FRAME);
}

static int set_frames(unsigned int count)
{
	unsigned long *list;
	int ret;

	BUILD_BUG_ON(sizeof(xen_pfn_t) != sizeof(*list));
	BUILD_BUG_ON(sizeof(u64) != sizeof(*list));
	list = kcalloc(count, sizeof(*list), GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	ret = get_entry_frames(list, count);
	if (!ret)
		ret = map_new(entry_frame, list, count);
	if (!ret && v2()) {
		ret = get_status_frames((u64 *)list, status_frames(count));
		if (!ret)
			ret = map_new(status_frame, list, status_frames(count));
	}
	kfree(list);
	return ret;
}

/**
 * pvgrant_table_grow() - make at least so many more references
 * @refs: how many
 *
 * Context: process; sleeps.
 * Return: 0, -ENOSPC at the hypervisor's limit, -ENOMEM.
 */
int pvgrant_table_grow(unsigned int refs)
{
	unsigned int first, more = DIV_ROUND_UP(refs, per_frame());
	int ret = -ENOSPC;

	mutex_lock(&table_lock);
	if (more <= max_frames - frames)
		ret = set_frames(frames + more);
	if (!ret) {
		first = frames * per_frame();
		if (!first) {
			/* Console and store are there since our creation. */
			first = GNTTAB_NR_RESERVED_ENTRIES;
		}
		frames += more;
		pvgrant_add_free(first, frames * per_frame() - first);
	}
	mutex_unlock(&table_lock);
	if (ret == -ENOSPC)
		pr_warn_ratelimited("pvbus: no grant references left: all %u frames in use; raise max_grant_frames of this domain\n",
				    max_frames);
	return ret;
}

static bool set_version(unsigned int version)
{
	struct gnttab_set_version op = { .version = version };

	return !pvguest_grant_op(GNTTABOP_set_version, &op, 1) &&
	       op.version == version;
}

/* Does the machine have frames that layout 1 has no bits for? */
static bool needs_v2(void)
{
	return pvguest_memory_op(XENMEM_maximum_ram_page, NULL) > U32_MAX;
}

static int choose_version(void)
{
	bool must = needs_v2();

	if ((must || wanted_version == 2) && set_version(2)) {
		static_branch_enable(&layout_v2);
		return 0;
	}
	if (must) {
		pr_err("pvbus: frames beyond 16 TiB need grant table version 2, which this domain may not use: no front ends\n");
		return -ENODEV;
	}
	if (wanted_version == 2)
		pr_warn("pvbus: pvguest.grant_version=2 refused by the hypervisor; using 1\n");
	/* One without this call, or without 2, has version 1 in any case. */
	set_version(1);
	return 0;
}

/**
 * pvgrant_table_init() - choose the layout and make the first frame
 *
 * Context: process, while booting.
 * Return: 0 or a negative error; then there are no references.
 */
int pvgrant_table_init(void)
{
	struct gnttab_query_size size = { .dom = DOMID_SELF };
	int ret;

	ret = pvguest_grant_op(GNTTABOP_query_size, &size, 1);
	if (ret || size.status != GNTST_okay)
		return -ENODEV;
	ret = choose_version();
	if (ret)
		return ret;
	entry_frame = kvcalloc(size.max_nr_frames, sizeof(*entry_frame),
			       GFP_KERNEL);
	status_frame = kvcalloc(status_frames(size.max_nr_frames),
				sizeof(*status_frame), GFP_KERNEL);
	if (!entry_frame || !status_frame) {
		kvfree(entry_frame);
		kvfree(status_frame);
		return -ENOMEM;
	}
	max_frames = size.max_nr_frames;
	return pvgrant_table_grow(1);
}

/** pvgrant_table_show() - this part's lines of debugfs pvguest/grants */
void pvgrant_table_show(struct seq_file *m)
{
	seq_printf(m, "version %u\n", v2() ? 2 : 1);
	seq_printf(m, "frames %u\n", frames);
	seq_printf(m, "max_frames %u\n", max_frames);
	seq_printf(m, "limit %lu\n", (unsigned long)max_frames * per_frame() -
		   GNTTAB_NR_RESERVED_ENTRIES);
}
