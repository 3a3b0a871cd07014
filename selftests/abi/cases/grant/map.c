// SPDX-License-Identifier: MIT
/* Mapping grants of the domain itself, so that one guest is both sides. */
#include "case.h"

static unsigned int me(void)
{
	return own_domid();
}

/*
 * GNTTABOP_map_grant_ref maps the granted memory and stores its machine
 * address and a handle.
 */
CASE(gmap, "GNT-MAP-001 GNT-MAP-002 GNT-MAP-016", 0)
{
	unsigned long *page = page_alloc(), *va = window(70);
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), h = 77;
	uint64_t bus = 0;

	page[3] = 0x1357;
	want_eq(grant_map(me(), ref, va, GNTMAP_host_map, &h, &bus), GNTST_okay);
	want_eq(bus >> PAGE_SHIFT, virt_mfn(page));
	want(h != 77);
	want_eq(va[3], 0x1357);
	va[4] = 0x2468;
	want_eq(page[4], 0x2468);
	want_eq(grant_unmap(va, h), GNTST_okay);
	want_eq(fault_read(va), TRAP_PF);
	want(grant_end(ref));
	page_free(page);
}

/* The entry has its in-use flags set while it is mapped. */
CASE(gmap_flags, "GNT-MAP-003", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), r, w;
	struct grant_entry_v1 *g = grant_entry(ref);

	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map | GNTMAP_readonly,
			  &r, NULL), 0);
	want_eq(g->flags, GTF_permit_access | GTF_reading);
	want_eq(grant_map(me(), ref, window(71), GNTMAP_host_map, &w, NULL), 0);
	want_eq(g->flags, GTF_permit_access | GTF_reading | GTF_writing);
	want(!grant_end(ref));
	want_eq(grant_unmap(window(71), w), 0);
	want_eq(g->flags, GTF_permit_access | GTF_reading);
	want_eq(grant_unmap(window(70), r), 0);
	want_eq(g->flags, GTF_permit_access);
	want(grant_end(ref));
	page_free(page);
}

/* GNTTABOP_map_grant_ref refuses a request for neither kind of mapping. */
CASE(gmap_no_flags, "GNT-MAP-004", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access);

	want_eq(grant_map(me(), ref, window(70), 0, NULL, NULL), GNTST_bad_gntref);
	want_eq(grant_map(me(), ref, window(70), GNTMAP_readonly, NULL, NULL),
		GNTST_bad_gntref);
	want(grant_end(ref));
	page_free(page);
}

/*
 * GNTTABOP_map_grant_ref refuses unknown domain numbers and DOMID_SELF as
 * granter.
 */
CASE(gmap_no_domain, "GNT-MAP-005", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access);

	want_eq(grant_map(NO_DOMAIN, ref, window(70), GNTMAP_host_map, NULL, NULL),
		GNTST_bad_domain);
	want_eq(grant_map(DOMID_SELF, ref, window(70), GNTMAP_host_map, NULL, NULL),
		GNTST_bad_domain);
	want_eq(grant_entry(ref)->flags, GTF_permit_access);
	want(grant_end(ref));
	page_free(page);
}

/* GNTTABOP_map_grant_ref refuses references beyond the table. */
CASE(gmap_bad_ref, "GNT-MAP-006", 0)
{
	grant_init(1);
	want_eq(grant_map(me(), 0x00ffffff, window(70), GNTMAP_host_map, NULL, NULL),
		GNTST_bad_gntref);
	want_eq(grant_map(me(), 0xffffffff, window(70), GNTMAP_host_map, NULL, NULL),
		GNTST_bad_gntref);
}

/* GNTTABOP_map_grant_ref refuses entries that grant nothing to the caller. */
CASE(gmap_no_grant, "GNT-MAP-007", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_accept_transfer);

	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map, NULL, NULL),
		GNTST_general_error);
	grant_entry(ref)->flags = GTF_invalid;
	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map, NULL, NULL),
		GNTST_general_error);
	ref = grant_alloc(NO_DOMAIN, page, GTF_permit_access);
	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map, NULL, NULL),
		GNTST_general_error);
	want_eq(grant_entry(ref)->flags, GTF_permit_access);
	want(grant_end(ref));
	want_eq(pte_of(window(70)), 0);
	page_free(page);
}

/* A read-only grant cannot be mapped writable. */
CASE(gmap_readonly_grant, "GNT-MAP-008", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access | GTF_readonly), h;

	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map, NULL, NULL),
		GNTST_general_error);
	want_eq(grant_entry(ref)->flags, GTF_permit_access | GTF_readonly);
	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map | GNTMAP_readonly,
			  &h, NULL), 0);
	want_eq(grant_unmap(window(70), h), 0);
	want(grant_end(ref));
	page_free(page);
}

/* A read-only mapping can be read; a write to it faults. */
CASE(gmap_readonly, "GNT-MAP-009", 0)
{
	unsigned long *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), h;

	page[0] = 42;
	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map | GNTMAP_readonly,
			  &h, NULL), 0);
	want_eq(*(unsigned long *)window(70), 42);
	want_eq(fault_write(window(70), 1), TRAP_PF);
	want_eq(page[0], 42);
	want_eq(grant_unmap(window(70), h), 0);
	want(grant_end(ref));
	page_free(page);
}

/* A frame that the granter does not own cannot be mapped through its grant. */
CASE(gmap_bad_frame, "GNT-MAP-010", 0)
{
	unsigned int ref = grant_alloc(me(), rt_image, GTF_permit_access);

	grant_entry(ref)->frame = 0x0fffffff;
	want(grant_map(me(), ref, window(70), GNTMAP_host_map, NULL, NULL) < 0);
	want_eq(grant_entry(ref)->flags, GTF_permit_access);
	want_eq(pte_of(window(70)), 0);
	want(grant_end(ref));
}

/*
 * A page table cannot be mapped writable through a grant, and a frame with
 * such a mapping cannot become a page table.
 */
CASE(gmap_page_table, "GNT-MAP-011 MMU-TYPE-001 MMU-TYPE-004", 0)
{
	char *page = page_alloc();
	unsigned int ref, h;
	int level;

	page_ro(page);
	for (level = 0; level < 4; level++) {
		want_eq(mmuext(MMUEXT_PIN_L1_TABLE + level, virt_mfn(page), 0), 0);
		ref = grant_alloc(me(), page, GTF_permit_access);
		want(grant_map(me(), ref, window(70), GNTMAP_host_map, NULL, NULL) < 0);
		want_eq(grant_entry(ref)->flags, GTF_permit_access);
		want_eq(mmuext(MMUEXT_UNPIN_TABLE, virt_mfn(page), 0), 0);
		want(grant_end(ref));
	}
	/* As a root it got the hypervisor's entries. */
	page_rw(page);
	memset(page, 0, PAGE_SIZE);
	page_ro(page);
	ref = grant_alloc(me(), page, GTF_permit_access);
	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map, &h, NULL), 0);
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, virt_mfn(page), 0), -EINVAL);
	want_eq(grant_unmap(window(70), h), 0);
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, virt_mfn(page), 0), 0);
	want_eq(mmuext(MMUEXT_UNPIN_TABLE, virt_mfn(page), 0), 0);
	want(grant_end(ref));
	page_rw(page);
	page_free(page);
}

/* GNTTABOP_map_grant_ref refuses addresses without a level 1 entry. */
CASE(gmap_no_table, "GNT-MAP-012", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access);

	want(grant_map(me(), ref, (void *)(7UL << 39), GNTMAP_host_map, NULL, NULL) < 0);
	want(grant_map(me(), ref, XEN_PTR, GNTMAP_host_map, NULL, NULL) < 0);
	want(grant_map(me(), ref, (void *)0x0000800000000000UL, GNTMAP_host_map,
		       NULL, NULL) < 0);
	want_eq(grant_entry(ref)->flags, GTF_permit_access);
	want(grant_end(ref));
	page_free(page);
}

/* GNTMAP_contains_pte names the entry to write by its machine address. */
CASE(gmap_by_pte, "GNT-MAP-013", 0)
{
	unsigned long *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), h;
	uint64_t ma = virt_maddr(&window_l1()[72]);

	page[0] = 0x99;
	want_eq(grant_map(me(), ref, (void *)ma, GNTMAP_host_map | GNTMAP_contains_pte,
			  &h, NULL), 0);
	want_eq(*(unsigned long *)window(72), 0x99);
	want_eq(grant_unmap((void *)ma, h), 0);
	want_eq(pte_of(window(72)) & PTE_P, 0);
	want(grant_map(me(), ref, (void *)(ma + 4), GNTMAP_host_map | GNTMAP_contains_pte,
		       NULL, NULL) < 0);
	want(grant_map(me(), ref, (void *)virt_maddr(page + 8),
		       GNTMAP_host_map | GNTMAP_contains_pte, NULL, NULL) < 0);
	want_eq(page[8], 0);
	want_eq(grant_entry(ref)->flags, GTF_permit_access);
	want(grant_end(ref));
	page_free(page);
}

/* One grant can be mapped several times, each with a handle of its own. */
CASE(gmap_several, "GNT-MAP-014", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), h[8], i, j;

	for (i = 0; i < 8; i++) {
		want_eq(grant_map(me(), ref, window(70 + i), GNTMAP_host_map, &h[i],
				  NULL), 0);
		for (j = 0; j < i; j++)
			want(h[i] != h[j]);
	}
	for (i = 0; i < 8; i++) {
		want(grant_entry(ref)->flags & GTF_writing);
		want_eq(grant_unmap(window(70 + i), h[i]), 0);
	}
	want_eq(grant_entry(ref)->flags, GTF_permit_access);
	want(grant_end(ref));
	page_free(page);
}

/*
 * GNTTABOP_unmap_grant_ref refuses handles that were never returned or are
 * unmapped already.
 */
CASE(gmap_bad_handle, "GNT-MAP-017", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), h;

	want_eq(grant_unmap(window(70), 0x7fffffff), GNTST_bad_handle);
	want_eq(grant_unmap(window(70), 0xffffffff), GNTST_bad_handle);
	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map, &h, NULL), 0);
	want_eq(grant_unmap(window(70), h), 0);
	want_eq(grant_unmap(window(70), h), GNTST_bad_handle);
	want(grant_end(ref));
	page_free(page);
}

/* An unmap at another address is refused and unmaps nothing. */
CASE(gmap_bad_address, "GNT-MAP-018", 0)
{
	char *page = page_alloc(), *other = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), h;

	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map, &h, NULL), 0);
	want_eq(map(window(71), mk_pte(other, PTE_RW)), 0);
	want(grant_unmap(window(71), h) < 0);
	want_eq(fault_write(window(70), 1), -1);
	want_eq(fault_write(window(71), 1), -1);
	want(grant_entry(ref)->flags & GTF_writing);
	want_eq(grant_unmap(window(70), h), 0);
	want_eq(map(window(71), 0), 0);
	want(grant_end(ref));
	page_free(page);
	page_free(other);
}

/*
 * An unmap of a device mapping is refused unless the bus address is the
 * mapping's own.
 */
CASE(gmap_bad_bus, "GNT-MAP-019", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), h;
	struct gnttab_unmap_grant_ref u;
	uint64_t bus;

	want_eq(grant_map(me(), ref, NULL, GNTMAP_device_map, &h, &bus), 0);
	memset(&u, 0, sizeof(u));
	u.handle = h;
	u.dev_bus_addr = bus + PAGE_SIZE;
	want_eq(hyp_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
	want_eq(u.status, GNTST_bad_dev_addr);
	u.dev_bus_addr = bus;
	want_eq(hyp_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
	want_eq(u.status, GNTST_okay);
	want(grant_end(ref));
	page_free(page);
}

/* Clearing the entry does not remove the mapping; the unmap does. */
CASE(gmap_end_access, "GNT-MAP-020", 0)
{
	unsigned long *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), h;

	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map, &h, NULL), 0);
	grant_entry(ref)->flags &= (uint16_t)~GTF_type_mask;
	page_ro(page);
	want_eq(fault_write(window(70), 0x31), -1);
	want_eq(page[0], 0x31);
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, virt_mfn(page), 0), -EINVAL);
	want_eq(grant_unmap(window(70), h), 0);
	want_eq(grant_entry(ref)->flags & (GTF_reading | GTF_writing), 0);
	memset(grant_entry(ref), 0, sizeof(struct grant_entry_v1));
	page_rw(page);
	page[0] = 0;
	page_ro(page);
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, virt_mfn(page), 0), 0);
	want_eq(mmuext(MMUEXT_UNPIN_TABLE, virt_mfn(page), 0), 0);
	page_rw(page);
	page_free(page);
}

/*
 * GNTTABOP_unmap_and_replace moves an entry to the mapping's address in one
 * step.
 */
CASE(gmap_replace, "GNT-MAP-021", 0)
{
	unsigned long *page = page_alloc(), *other = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), h;
	struct gnttab_unmap_and_replace u;

	other[0] = 0x0707;
	want_eq(map(window(71), mk_pte(other, PTE_RW)), 0);
	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map, &h, NULL), 0);
	memset(&u, 0, sizeof(u));
	u.host_addr = (unsigned long)window(70);
	u.new_addr = (unsigned long)window(71);
	u.handle = h;
	want_eq(hyp_grant_table_op(GNTTABOP_unmap_and_replace, &u, 1), 0);
	want_eq(u.status, GNTST_okay);
	want_eq(*(unsigned long *)window(70), 0x0707);
	want_eq(pte_of(window(71)) & PTE_P, 0);
	want_eq(grant_entry(ref)->flags, GTF_permit_access);
	want_eq(map(window(70), 0), 0);
	want(grant_end(ref));
	page_free(page);
	page_free(other);
}

/*
 * GNTTABOP_unmap_and_replace with a bad handle or new address replaces
 * nothing.
 */
CASE(gmap_replace_wrong, "GNT-MAP-022", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), h;
	struct gnttab_unmap_and_replace u = {
		.host_addr = (unsigned long)window(70),
		.new_addr = (unsigned long)window(71), .handle = 0x7fffffff,
	};

	want_eq(hyp_grant_table_op(GNTTABOP_unmap_and_replace, &u, 1), 0);
	want_eq(u.status, GNTST_bad_handle);
	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map, &h, NULL), 0);
	u.handle = h;
	u.new_addr = 7UL << 39;
	want_eq(hyp_grant_table_op(GNTTABOP_unmap_and_replace, &u, 1), 0);
	want(u.status < 0);
	want_eq(fault_write(window(70), 1), -1);
	want_eq(grant_unmap(window(70), h), 0);
	want(grant_end(ref));
	page_free(page);
}

/*
 * GNTTABOP_map_grant_ref sets status GNTST_no_space when no handle is left,
 * and every mapping can be undone. Each grant is mapped fewer times than its
 * use count can hold; a domain with more than 300,000 handles is skipped.
 */
CASE(gmap_no_space, "GNT-MAP-015", ALONE)
{
	char *page = page_alloc();
	unsigned int n, ref = 0, h = 0, kept[8];
	int status = 0;

	grant_init(7);
	for (n = 0; n < 300000; n++) {
		if (n % 100 == 0)
			ref = grant_alloc(me(), page, GTF_permit_access);
		/* Device mappings take no page-table entry. */
		status = grant_map(me(), ref, NULL, GNTMAP_device_map, &h, NULL);
		if (status)
			break;
		want(!n || h != kept[(n - 1) % 8]);
		kept[n % 8] = h;
	}
	needs(n < 300000, "the domain may have more than 300,000 mappings");
	want_eq(status, GNTST_no_space);
	for (n = 0; n < 8; n++)
		want_eq(grant_unmap(NULL, kept[n]), GNTST_okay);
}

/* A frame mapped through a grant cannot become a table of the mapper. */
CASE(gmap_stays_foreign, "GNT-MAP-025", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(me(), page, GTF_permit_access), h;

	want_eq(grant_map(me(), ref, window(70), GNTMAP_host_map, &h, NULL), 0);
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, virt_mfn(page), 0), -EINVAL);
	want_eq(grant_unmap(window(70), h), 0);
	want(grant_end(ref));
	page_free(page);
}

static volatile bool hammer_stop, hammer_bad;
static unsigned int hammer_ref;

static void hammer(void *arg)
{
	unsigned int h, slot = 80 + self()->id;

	while (!hammer_stop) {
		if (grant_map(me(), hammer_ref, window(slot), GNTMAP_host_map, &h, NULL) ||
		    fault_write(window(slot), slot) != -1 ||
		    grant_unmap(window(slot), h))
			hammer_bad = true;
	}
}

/* Mapping and unmapping on two vCPUs at once leaves the entry unused. */
CASE(gmap_race, "GNT-MAP-026", 0)
{
	char *page = page_alloc();
	unsigned int i, h;

	hammer_ref = grant_alloc(me(), page, GTF_permit_access);
	hammer_stop = false;
	hammer_bad = false;
	vcpu_run(1, hammer, NULL);
	for (i = 0; i < 300; i++) {
		want_eq(grant_map(me(), hammer_ref, window(70), GNTMAP_host_map, &h,
				  NULL), 0);
		want(grant_entry(hammer_ref)->flags & GTF_writing);
		want_eq(grant_unmap(window(70), h), 0);
	}
	hammer_stop = true;
	want(vcpu_join(1));
	want(!hammer_bad);
	want_eq(grant_entry(hammer_ref)->flags, GTF_permit_access);
	want(grant_end(hammer_ref));
	page_free(page);
}
