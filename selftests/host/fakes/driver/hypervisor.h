/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's side of the grant table, as far as drivers depend on it; a
 * back end reaches the guest's pages through it only.
 */
#ifndef DRIVER_HYPERVISOR_H
#define DRIVER_HYPERVISOR_H

#include <linux/mm.h>
#include <xen/interface/grant_table.h>

#define HYP_MAX_FRAMES	64

/**
 * hyp_reset() - a new domain: nothing granted, nothing mapped
 * @max_frames: limit of its grant table, at most HYP_MAX_FRAMES
 * @max_version: 1 or 2
 */
void hyp_reset(unsigned int max_frames, unsigned int max_version);

/* Largest machine frame number + 1; above 2^32 layout 1 cannot be used. */
extern u64 hyp_max_mfn;
/* GNTTABOP_* calls made. */
extern unsigned int hyp_calls;

/*
 * A back end in @domain maps a grant, as GNTTABOP_map_grant_ref would.  NULL:
 * refused.  The unmap needs the same @write.
 */
void *hyp_map(grant_ref_t ref, domid_t domain, bool write);
void hyp_unmap(grant_ref_t ref, bool write);
/* Is @ref mapped by a back end? */
bool hyp_mapped(grant_ref_t ref);
/* Is @page mapped by a back end, through whatever reference? */
bool hyp_page_mapped(const struct page *page);
/* Can a back end still reach @page, by a mapping or by a later one? */
bool hyp_reachable(const struct page *page);
/* References that grant something. */
unsigned int hyp_granted(void);
/* Undo all mappings. */
void hyp_unmap_all(void);

#endif /* DRIVER_HYPERVISOR_H */
