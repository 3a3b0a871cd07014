// SPDX-License-Identifier: MIT
/* The grant table itself: size, frames, versions, and bad calls. */
#include "case.h"

#define LIST	64

static long query(unsigned int dom, struct gnttab_query_size *q)
{
	memset(q, 0, sizeof(*q));
	q->dom = (domid_t)dom;
	return hyp_grant_table_op(GNTTABOP_query_size, q, 1);
}

static long setup(unsigned int dom, unsigned int n, xen_pfn_t *list, int16_t *status)
{
	struct gnttab_setup_table s = { .dom = (domid_t)dom, .nr_frames = n };
	long ret;

	set_xen_guest_handle(s.frame_list, list);
	ret = hyp_grant_table_op(GNTTABOP_setup_table, &s, 1);
	*status = s.status;
	return ret;
}

/* grant_table_op returns -ENOSYS for unknown operations. */
CASE(gnt_unknown, "GNT-001 GNT-017", 0)
{
	char *page = page_alloc();

	want_eq(hyp_grant_table_op(100, page, 1), -ENOSYS);
	want_eq(hyp_grant_table_op(GNTTABOP_dump_table, page, 1), -ENOSYS);
	page_free(page);
}

/* grant_table_op refuses a negative count. */
CASE(gnt_negative, "GNT-002", 0)
{
	char *page = page_alloc();

	want_eq(hyp_grant_table_op(GNTTABOP_map_grant_ref, page, 0x80000000), -EINVAL);
	want_eq(hyp_grant_table_op(GNTTABOP_copy, page, 0xffffffff), -EINVAL);
	page_free(page);
}

/*
 * grant_table_op returns -EFAULT for arrays that cannot be read and those in
 * the hypervisor's range.
 */
CASE(gnt_fault, "GNT-003 HCL-012", 0)
{
	static const unsigned int ops[] = {
		GNTTABOP_map_grant_ref, GNTTABOP_unmap_grant_ref,
		GNTTABOP_setup_table, GNTTABOP_copy, GNTTABOP_query_size,
		GNTTABOP_unmap_and_replace, GNTTABOP_set_version,
		GNTTABOP_get_status_frames, GNTTABOP_get_version,
		GNTTABOP_swap_grant_ref,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		want_eq(hyp_grant_table_op(ops[i], BAD_PTR, 1), -EFAULT);
		want_eq(hyp_grant_table_op(ops[i], XEN_PTR, 1), -EFAULT);
	}
}

/* grant_table_op returns 0 for a count of 0. */
CASE(gnt_zero, "GNT-004", 0)
{
	char *page = page_alloc();

	want_eq(hyp_grant_table_op(GNTTABOP_map_grant_ref, page, 0), 0);
	want_eq(hyp_grant_table_op(GNTTABOP_unmap_grant_ref, page, 0), 0);
	want_eq(hyp_grant_table_op(GNTTABOP_copy, page, 0), 0);
	page_free(page);
}

/* GNTTABOP_query_size reports the current and the maximum number of frames. */
CASE(gnt_query, "GNT-005", 0)
{
	struct gnttab_query_size q;

	grant_init(1);
	want_eq(query(DOMID_SELF, &q), 0);
	want_eq(q.status, GNTST_okay);
	want(q.nr_frames >= 1);
	want(q.max_nr_frames >= q.nr_frames);
	want(q.max_nr_frames < 4096);
}

/* GNTTABOP_query_size and GNTTABOP_setup_table refuse a count other than 1. */
CASE(gnt_one_element, "GNT-006", 0)
{
	struct gnttab_query_size q[2] = { { .dom = DOMID_SELF } };
	struct gnttab_setup_table s[2] = { { .dom = DOMID_SELF } };

	want_eq(hyp_grant_table_op(GNTTABOP_query_size, q, 2), -EINVAL);
	want_eq(hyp_grant_table_op(GNTTABOP_query_size, q, 0), -EINVAL);
	want_eq(hyp_grant_table_op(GNTTABOP_setup_table, s, 2), -EINVAL);
	want_eq(hyp_grant_table_op(GNTTABOP_setup_table, s, 0), -EINVAL);
}

/* Operations on the table of a domain that does not exist are refused. */
CASE(gnt_no_domain, "GNT-007 GNT-012 GNT-019", 0)
{
	struct gnttab_query_size q;
	struct gnttab_get_version v = { .dom = NO_DOMAIN };
	xen_pfn_t list[LIST];
	int16_t status;

	want_eq(query(NO_DOMAIN, &q), 0);
	want_eq(q.status, GNTST_bad_domain);
	want_eq(setup(NO_DOMAIN, 1, list, &status), 0);
	want_eq(status, GNTST_bad_domain);
	want_eq(hyp_grant_table_op(GNTTABOP_get_version, &v, 1), -ESRCH);
}

/*
 * GNTTABOP_setup_table stores the frames of the table, which can be mapped
 * writable and stay the same.
 */
CASE(gnt_setup, "GNT-009 GNT-010", 0)
{
	xen_pfn_t a[LIST] = { 0 }, b[LIST] = { 0 };
	struct grant_entry_v1 *g;
	struct gnttab_query_size q;
	int16_t status;

	want_eq(setup(DOMID_SELF, 2, a, &status), 0);
	want_eq(status, GNTST_okay);
	want(a[0] && a[1] && a[0] != a[1]);
	want_eq(query(DOMID_SELF, &q), 0);
	want(q.nr_frames >= 2);
	want_eq(map(window(60), (uint64_t)a[1] << PAGE_SHIFT | PTE_RW), 0);
	g = window(60);
	g[7].domid = 0x123;
	want_eq(setup(DOMID_SELF, 2, b, &status), 0);
	want_eq(memcmp(a, b, 2 * sizeof(a[0])), 0);
	want_eq(setup(DOMID_SELF, 1, b, &status), 0);
	want_eq(status, GNTST_okay);
	want_eq(query(DOMID_SELF, &q), 0);
	want(q.nr_frames >= 2);
	want_eq(g[7].domid, 0x123);
	g[7].domid = 0;
	want_eq(map(window(60), 0), 0);
}

/*
 * GNTTABOP_setup_table of more frames than the limit is refused, and the table
 * does not grow.
 */
CASE(gnt_setup_too_many, "GNT-011", 0)
{
	struct gnttab_query_size q, after;
	static xen_pfn_t list[LIST];
	int16_t status;

	want_eq(query(DOMID_SELF, &q), 0);
	want_eq(setup(DOMID_SELF, q.max_nr_frames + 1, list, &status), 0);
	want_eq(status, GNTST_general_error);
	want_eq(setup(DOMID_SELF, 0xffffffff, list, &status), 0);
	want_eq(status, GNTST_general_error);
	want_eq(query(DOMID_SELF, &after), 0);
	want_eq(after.nr_frames, q.nr_frames);
}

/*
 * GNTTABOP_setup_table does not write a frame list in the hypervisor's range.
 */
CASE(gnt_setup_list_fault, "GNT-013", 0)
{
	int16_t status;

	want_eq(setup(DOMID_SELF, 1, XEN_PTR, &status), -EFAULT);
}

/* New grant frames hold no grants. */
CASE(gnt_new_empty, "GNT-014", ALONE)
{
	unsigned int i;

	grant_init(3);
	for (i = 8; i < 3 * PAGE_SIZE / sizeof(struct grant_entry_v1); i++)
		want_eq(grant_entry(i)->flags & GTF_type_mask, GTF_invalid);
}

/*
 * The first entries are the builder's grants of the console and XenStore
 * pages.
 */
CASE(gnt_reserved, "GNT-015", DOMU)
{
	struct grant_entry_v1 *g = grant_entry(GNTTAB_RESERVED_XENSTORE);

	if (g->flags & GTF_type_mask)
		want_eq(g->frame, start_info.store_mfn);
	g = grant_entry(GNTTAB_RESERVED_CONSOLE);
	if (g->flags & GTF_type_mask)
		want_eq(g->frame, start_info.console.domU.mfn);
}

/*
 * A grant table frame belongs to the hypervisor: it cannot become a page
 * table, and no entry of the phys-to-machine list names it.
 */
CASE(gnt_frames_not_ours, "GNT-016", 0)
{
	xen_pfn_t list[LIST];
	int16_t status;
	unsigned long i;

	want_eq(setup(DOMID_SELF, 1, list, &status), 0);
	want(mmuext(MMUEXT_PIN_L1_TABLE, list[0], 0) < 0);
	for (i = 0; i < start_info.nr_pages; i++)
		want(rt_p2m[i] != list[0]);
	want(mmuext(MMUEXT_PIN_L4_TABLE, list[0], 0) < 0);
}

/* The version in use is 1 until GNTTABOP_set_version selects another. */
CASE(gnt_version, "GNT-018 GNT-021 GNT-025", 0)
{
	struct gnttab_get_version v = { .dom = DOMID_SELF };
	struct gnttab_set_version s = { .version = 3 };

	want_eq(hyp_grant_table_op(GNTTABOP_get_version, &v, 1), 0);
	want_eq(v.version, 1);
	want_eq(hyp_grant_table_op(GNTTABOP_set_version, &s, 1), -EINVAL);
	s.version = 0;
	want_eq(hyp_grant_table_op(GNTTABOP_set_version, &s, 1), -EINVAL);
	s.version = 1;
	want_eq(hyp_grant_table_op(GNTTABOP_set_version, &s, 1), 0);
	want_eq(s.version, 1);
}

static unsigned int raw_entry(unsigned int ref, unsigned int dom, const void *page,
			      unsigned int flags)
{
	struct grant_entry_v1 *g = grant_entry(ref);

	g->flags = 0;
	/* No flag while the entry changes. */
	mb();
	g->domid = (domid_t)dom;
	g->frame = page ? (uint32_t)virt_mfn(page) : 0;
	/* The entry before its flags. */
	mb();
	g->flags = (uint16_t)flags;
	return ref;
}

/* GNTTABOP_swap_grant_ref exchanges two unused entries. */
CASE(gnt_swap, "GNT-026 GNT-027", 0)
{
	unsigned int a = raw_entry(100, 0x11, rt_image, GTF_permit_access);
	unsigned int b = raw_entry(101, 0x22, rt_image + PAGE_SIZE, GTF_permit_access);
	struct gnttab_swap_grant_ref s = { .ref_a = a, .ref_b = b };

	want_eq(hyp_grant_table_op(GNTTABOP_swap_grant_ref, &s, 1), 0);
	want_eq(s.status, GNTST_okay);
	want_eq(grant_entry(a)->domid, 0x22);
	want_eq(grant_entry(b)->domid, 0x11);
	want_eq(grant_entry(b)->frame, virt_mfn(rt_image));
	s.ref_b = a;
	want_eq(hyp_grant_table_op(GNTTABOP_swap_grant_ref, &s, 1), 0);
	want_eq(s.status, GNTST_okay);
	want_eq(grant_entry(a)->domid, 0x22);
	s.ref_b = 0x7fffffff;
	want_eq(hyp_grant_table_op(GNTTABOP_swap_grant_ref, &s, 1), 0);
	want_eq(s.status, GNTST_bad_gntref);
	raw_entry(a, 0, NULL, 0);
	raw_entry(b, 0, NULL, 0);
}

/* GNTTABOP_swap_grant_ref refuses an entry that is mapped. */
CASE(gnt_swap_busy, "GNT-028", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(own_domid(), page, GTF_permit_access), h;
	struct gnttab_swap_grant_ref s = { .ref_a = ref, .ref_b = 120 };

	want_eq(grant_map(own_domid(), ref, window(61), GNTMAP_host_map, &h, NULL), 0);
	want_eq(hyp_grant_table_op(GNTTABOP_swap_grant_ref, &s, 1), 0);
	want_eq(s.status, GNTST_eagain);
	want_eq(grant_entry(ref)->frame, virt_mfn(page));
	want_eq(grant_unmap(window(61), h), 0);
	want(grant_end(ref));
	page_free(page);
}

/* GNTTABOP_cache_flush is unavailable or checks its range and flags. */
CASE(gnt_cache_flush, "GNT-029", 0)
{
	struct gnttab_cache_flush f = {
		.offset = 4000, .length = 1000, .op = GNTTAB_CACHE_CLEAN,
	};
	char *page = page_alloc();

	f.a.dev_bus_addr = virt_maddr(page);
	want_any(hyp_grant_table_op(GNTTABOP_cache_flush, &f, 1), -EINVAL,
		 -EOPNOTSUPP, -ENOSYS, -EPERM);
	f.op = 0x100;
	f.offset = 0;
	want_any(hyp_grant_table_op(GNTTABOP_cache_flush, &f, 1), -EINVAL,
		 -EOPNOTSUPP, -ENOSYS, -EPERM);
	page_free(page);
}

/* Each of hundreds of elements in one call gets a status of its own. */
CASE(gnt_long_array, "GNT-030 GNT-CPY-008 HCL-010", 0)
{
	unsigned int n = 400, i;
	struct gnttab_copy *c = pages_alloc(6);
	char *a = page_alloc(), *b = page_alloc();

	for (i = 0; i < PAGE_SIZE; i++)
		a[i] = (char)(i * 7);
	for (i = 0; i < n; i++) {
		c[i].source.u.gmfn = virt_mfn(a);
		c[i].source.domid = DOMID_SELF;
		c[i].dest.u.gmfn = virt_mfn(b);
		c[i].dest.domid = i == 17 ? NO_DOMAIN : DOMID_SELF;
		c[i].source.offset = (uint16_t)(i * 8);
		c[i].dest.offset = (uint16_t)(i * 8);
		c[i].len = 8;
		c[i].status = 99;
	}
	want_eq(hyp_grant_table_op(GNTTABOP_copy, c, n), 0);
	for (i = 0; i < n; i++)
		if (i == 17)
			want_any(c[i].status, GNTST_bad_domain, GNTST_permission_denied);
		else
			want_eq(c[i].status, GNTST_okay);
	want_eq(memcmp(a, b, 17 * 8), 0);
	want(mem_is(b + 17 * 8, 0, 8));
	want_eq(memcmp(a + 18 * 8, b + 18 * 8, (n - 18) * 8), 0);
	page_free(a);
	page_free(b);
}
