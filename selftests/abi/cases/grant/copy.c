// SPDX-License-Identifier: MIT
/* Copies between grants and own frames, transfers, and table version 2. */
#include "case.h"

static struct gnttab_copy own_copy(const void *to, const void *from,
				   unsigned int len)
{
	struct gnttab_copy c;

	memset(&c, 0, sizeof(c));
	c.source.u.gmfn = virt_mfn(from);
	c.source.domid = DOMID_SELF;
	c.source.offset = (uint16_t)((unsigned long)from & 4095);
	c.dest.u.gmfn = virt_mfn(to);
	c.dest.domid = DOMID_SELF;
	c.dest.offset = (uint16_t)((unsigned long)to & 4095);
	c.len = (uint16_t)len;
	return c;
}

static int copy(struct gnttab_copy *c)
{
	c->status = 99;
	if (hyp_grant_table_op(GNTTABOP_copy, c, 1))
		return -100;
	return c->status;
}

/*
 * GNTTABOP_copy copies bytes from frame to frame, with offsets, and no other
 * byte changes.
 */
CASE(gcopy_frames, "GNT-CPY-001", 0)
{
	char *a = page_alloc(), *b = page_alloc();
	struct gnttab_copy c = own_copy(b + 100, a + 7, 300);

	memset(a, 0x21, PAGE_SIZE);
	want_eq(copy(&c), GNTST_okay);
	want(mem_is(b, 0, 100));
	want(mem_is(b + 100, 0x21, 300));
	want(mem_is(b + 400, 0, PAGE_SIZE - 400));
	page_free(a);
	page_free(b);
}

/*
 * GNTTABOP_copy copies through a grant on either side, and no in-use flag
 * stays in the entry.
 */
CASE(gcopy_grants, "GNT-CPY-001 GNT-CPY-009", 0)
{
	char *a = page_alloc(), *b = page_alloc();
	unsigned int from = grant_alloc(own_domid(), a, GTF_permit_access | GTF_readonly);
	unsigned int to = grant_alloc(own_domid(), b, GTF_permit_access);
	struct gnttab_copy c = own_copy(b, a, PAGE_SIZE);

	memset(a, 0x42, PAGE_SIZE);
	c.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
	c.source.u.ref = from;
	c.source.domid = (domid_t)own_domid();
	c.dest.u.ref = to;
	c.dest.domid = (domid_t)own_domid();
	want_eq(copy(&c), GNTST_okay);
	want(mem_is(b, 0x42, PAGE_SIZE));
	want_eq(grant_entry(from)->flags, GTF_permit_access | GTF_readonly);
	want_eq(grant_entry(to)->flags, GTF_permit_access);
	want(grant_end(from));
	want(grant_end(to));
	page_free(a);
	page_free(b);
}

/* GNTTABOP_copy refuses an offset and length beyond the page, on both sides. */
CASE(gcopy_beyond, "GNT-CPY-002", 0)
{
	char *a = page_alloc(), *b = page_alloc();
	struct gnttab_copy c = own_copy(b, a + 4000, 97);

	memset(a, 0x11, PAGE_SIZE);
	want_eq(copy(&c), GNTST_bad_copy_arg);
	c = own_copy(b + 4000, a, 97);
	want_eq(copy(&c), GNTST_bad_copy_arg);
	c = own_copy(b, a, 8192);
	want_eq(copy(&c), GNTST_bad_copy_arg);
	c = own_copy(b, a, 16);
	c.source.offset = 0xfff8;
	want_eq(copy(&c), GNTST_bad_copy_arg);
	want(mem_is(b, 0, PAGE_SIZE));
	page_free(a);
	page_free(b);
}

/*
 * GNTTABOP_copy refuses references beyond the table and entries that grant
 * nothing to the caller.
 */
CASE(gcopy_bad_ref, "GNT-CPY-003", 0)
{
	char *a = page_alloc(), *b = page_alloc();
	unsigned int ref = grant_alloc(NO_DOMAIN, a, GTF_permit_access);
	struct gnttab_copy c = own_copy(b, a, 16);

	c.flags = GNTCOPY_source_gref;
	c.source.domid = (domid_t)own_domid();
	c.source.u.ref = 0x7fffffff;
	want_eq(copy(&c), GNTST_bad_gntref);
	c.source.u.ref = ref;
	want_eq(copy(&c), GNTST_general_error);
	want(grant_end(ref));
	want_eq(copy(&c), GNTST_general_error);
	page_free(a);
	page_free(b);
}

/* GNTTABOP_copy refuses a read-only grant as destination. */
CASE(gcopy_readonly, "GNT-CPY-004", 0)
{
	char *a = page_alloc(), *b = page_alloc();
	unsigned int ref = grant_alloc(own_domid(), b, GTF_permit_access | GTF_readonly);
	struct gnttab_copy c = own_copy(b, a, 16);

	memset(a, 0x13, PAGE_SIZE);
	c.flags = GNTCOPY_dest_gref;
	c.dest.u.ref = ref;
	c.dest.domid = (domid_t)own_domid();
	want_eq(copy(&c), GNTST_general_error);
	want(mem_is(b, 0, PAGE_SIZE));
	want_eq(grant_entry(ref)->flags, GTF_permit_access | GTF_readonly);
	want(grant_end(ref));
	page_free(a);
	page_free(b);
}

/*
 * GNTTABOP_copy refuses a page table or descriptor table as destination, by
 * frame or by grant.
 */
CASE(gcopy_page_table, "GNT-CPY-005 MMU-TYPE-001 MMU-TYPE-005", 0)
{
	char *a = page_alloc();
	uint64_t *gdt = page_alloc(), *l1 = window_l1(), before = l1[511];
	unsigned long mfn = virt_mfn(gdt);
	unsigned int ref = grant_alloc(own_domid(), l1, GTF_permit_access);
	struct gnttab_copy c = own_copy(l1 + 511, a, 8);

	want_eq(copy(&c), GNTST_general_error);
	c.flags = GNTCOPY_dest_gref;
	c.dest.u.ref = ref;
	c.dest.domid = (domid_t)own_domid();
	want(copy(&c) < 0);
	want_eq(READ_ONCE(l1[511]), before);
	page_ro(gdt);
	want_eq(hyp_set_gdt(&mfn, 512), 0);
	memset(a, 0xff, 8);
	c = own_copy(gdt + 3, a, 8);
	want_eq(copy(&c), GNTST_general_error);
	want_eq(gdt[3], 0);
	want_eq(hyp_set_gdt(NULL, 0), 0);
	page_rw(gdt);
	want(grant_end(ref));
	page_free(gdt);
	page_free(a);
}

/*
 * GNTTABOP_copy refuses plain frames of other domains, and domains that do not
 * exist.
 */
CASE(gcopy_foreign, "GNT-CPY-006 GNT-CPY-007", 0)
{
	char *a = page_alloc(), *b = page_alloc();
	struct gnttab_copy c = own_copy(b, a, 16);

	c.source.domid = (domid_t)(own_domid() + 1);
	want_any(copy(&c), GNTST_permission_denied, GNTST_bad_domain);
	c = own_copy(b, a, 16);
	c.dest.domid = NO_DOMAIN;
	want_any(copy(&c), GNTST_bad_domain, GNTST_permission_denied);
	c = own_copy(b, a, 16);
	c.flags = GNTCOPY_source_gref;
	c.source.u.ref = 8;
	c.source.domid = NO_DOMAIN;
	want_eq(copy(&c), GNTST_bad_domain);
	want(mem_is(b, 0, PAGE_SIZE));
	page_free(a);
	page_free(b);
}

static long transfer(unsigned long mfn, unsigned int dom, unsigned int ref,
		     int16_t *status)
{
	struct gnttab_transfer t = { .mfn = mfn, .domid = (domid_t)dom, .ref = ref };
	long ret = hyp_grant_table_op(GNTTABOP_transfer, &t, 1);

	*status = t.status;
	return ret;
}

/*
 * GNTTABOP_transfer refuses frames in use and frames that are not the
 * domain's.
 */
CASE(gtransfer_bad_page, "GNT-XFR-002", 0)
{
	char *page = page_alloc();
	int16_t status = 0;
	long ret = transfer(0xfffffffUL, own_domid(), 8, &status);

	if (ret == -EOPNOTSUPP || ret == -ENOSYS) {
		case_skip("transfers are switched off");
		return;
	}
	want_eq(ret, 0);
	want_eq(status, GNTST_bad_page);
	page_ro(page);
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, virt_mfn(page), 0), 0);
	want_eq(transfer(virt_mfn(page), own_domid(), 8, &status), 0);
	want_eq(status, GNTST_bad_page);
	want_eq(mmuext(MMUEXT_UNPIN_TABLE, virt_mfn(page), 0), 0);
	page_rw(page);
	page_free(page);
}

/*
 * GNTTABOP_transfer to a domain that does not exist sets status
 * GNTST_bad_domain.
 */
CASE(gtransfer_no_domain, "GNT-XFR-004", ALONE)
{
	char *page = page_alloc();
	int16_t status = 0;
	unsigned long mfn = virt_mfn(page);
	long ret;

	want_eq(map(page, 0), 0);
	ret = transfer(mfn, NO_DOMAIN, 8, &status);
	if (ret == -EOPNOTSUPP || ret == -ENOSYS) {
		case_skip("transfers are switched off");
		return;
	}
	want_eq(ret, 0);
	want_eq(status, GNTST_bad_domain);
}

/*
 * GNTTABOP_get_status_frames is refused in version 1, and with a count other
 * than 1.
 */
CASE(gv2_status_frames_wrong, "GNT-V2-002 GNT-V2-003", 0)
{
	static uint64_t list[4];
	struct gnttab_get_status_frames f[2] = {
		{ .nr_frames = 1, .dom = DOMID_SELF },
	};

	set_xen_guest_handle(f[0].frame_list, list);
	want_eq(hyp_grant_table_op(GNTTABOP_get_status_frames, f, 1), 0);
	want_eq(f[0].status, GNTST_general_error);
	want_eq(hyp_grant_table_op(GNTTABOP_get_status_frames, f, 2), -EINVAL);
	f[0].dom = NO_DOMAIN;
	want_eq(hyp_grant_table_op(GNTTABOP_get_status_frames, f, 1), 0);
	want_eq(f[0].status, GNTST_bad_domain);
}

/* Set version 2; false where it is switched off. */
static bool version2(void)
{
	struct gnttab_set_version s = { .version = 2 };
	long ret;

	grant_init(1);
	ret = hyp_grant_table_op(GNTTABOP_set_version, &s, 1);
	if (ret) {
		want_eq(ret, -ENOSYS);
		return false;
	}
	want_eq(s.version, 2);
	return true;
}

static uint16_t *status_words(void)
{
	static uint64_t list[1];
	struct gnttab_get_status_frames f = { .nr_frames = 1, .dom = DOMID_SELF };

	set_xen_guest_handle(f.frame_list, list);
	want_eq(hyp_grant_table_op(GNTTABOP_get_status_frames, &f, 1), 0);
	want_eq(f.status, GNTST_okay);
	want_eq(map(window(90), list[0] << PAGE_SHIFT | PTE_RW), 0);
	return window(90);
}

/* In version 2 the in-use flags are in the status words. */
CASE(gv2_status, "GNT-022 GNT-V2-001", ALONE)
{
	char *page = page_alloc();
	union grant_entry_v2 *g;
	uint16_t *status;
	unsigned int h;

	needs(version2(), "version 2 is switched off");
	g = (union grant_entry_v2 *)grant_entry(0) + 40;
	status = status_words();
	g->full_page.hdr.domid = (domid_t)own_domid();
	g->full_page.frame = virt_mfn(page);
	/* The entry before its flags. */
	mb();
	g->hdr.flags = GTF_permit_access;
	want_eq(grant_map(own_domid(), 40, window(91), GNTMAP_host_map, &h, NULL), 0);
	want_eq(status[40], GTF_reading | GTF_writing);
	want_eq(g->hdr.flags, GTF_permit_access);
	want_eq(grant_unmap(window(91), h), 0);
	want_eq(status[40], 0);
}

/* A sub-page grant permits copies within its range and no mapping. */
CASE(gv2_sub_page, "GNT-V2-004", ALONE)
{
	char *page = page_alloc(), *to = page_alloc();
	union grant_entry_v2 *g;
	struct gnttab_copy c;

	needs(version2(), "version 2 is switched off");
	g = (union grant_entry_v2 *)grant_entry(0) + 41;
	memset(page, 0x66, PAGE_SIZE);
	g->sub_page.hdr.domid = (domid_t)own_domid();
	g->sub_page.page_off = 512;
	g->sub_page.length = 64;
	g->sub_page.frame = virt_mfn(page);
	/* The entry before its flags. */
	mb();
	g->hdr.flags = GTF_permit_access | GTF_sub_page;
	c = own_copy(to, page + 520, 32);
	c.flags = GNTCOPY_source_gref;
	c.source.u.ref = 41;
	c.source.domid = (domid_t)own_domid();
	want_eq(copy(&c), GNTST_okay);
	want(mem_is(to, 0x66, 32));
	c.source.offset = 500;
	want_eq(copy(&c), GNTST_general_error);
	c.source.offset = 560;
	want_eq(copy(&c), GNTST_general_error);
	want(grant_map(own_domid(), 41, window(91), GNTMAP_host_map, NULL, NULL) < 0);
}

/* A change of version keeps the reserved entries and empties the others. */
CASE(gv2_change, "GNT-024 GNT-023", ALONE)
{
	char *page = page_alloc();
	struct gnttab_set_version s = { .version = 2 };
	struct grant_entry_v1 *g = grant_entry(2), *other = grant_entry(50);
	unsigned int h;
	long ret;

	g->domid = (domid_t)own_domid();
	g->frame = (uint32_t)virt_mfn(page);
	other->domid = (domid_t)own_domid();
	other->frame = (uint32_t)virt_mfn(page);
	/* The entry before its flags. */
	mb();
	g->flags = GTF_permit_access;
	other->flags = GTF_permit_access;
	want_eq(grant_map(own_domid(), 50, window(91), GNTMAP_host_map, &h, NULL), 0);
	ret = hyp_grant_table_op(GNTTABOP_set_version, &s, 1);
	if (ret == -ENOSYS) {
		case_skip("version 2 is switched off");
		return;
	}
	want_eq(ret, -EBUSY);
	want_eq(grant_unmap(window(91), h), 0);
	s.version = 2;
	want_eq(hyp_grant_table_op(GNTTABOP_set_version, &s, 1), 0);
	want_eq(grant_map(own_domid(), 2, window(91), GNTMAP_host_map, &h, NULL), 0);
	want_eq(grant_unmap(window(91), h), 0);
	want(grant_map(own_domid(), 50, window(91), GNTMAP_host_map, &h, NULL) < 0);
}

/*
 * GNTTABOP_transfer moves a frame to an accepting entry, here of the domain
 * itself: the entry then holds the frame and both flags.
 */
CASE(gtransfer, "GNT-XFR-001", ALONE)
{
	char *page = page_alloc();
	unsigned long mfn = virt_mfn(page);
	unsigned int ref = grant_alloc(own_domid(), rt_image, 0);
	struct grant_entry_v1 *g = grant_entry(ref);
	int16_t status = 0;
	long ret;

	g->frame = (uint32_t)virt_pfn(page);
	g->domid = (domid_t)own_domid();
	/* The entry before its flags. */
	mb();
	g->flags = GTF_accept_transfer;
	memset(page, 0x4d, PAGE_SIZE);
	want_eq(map(page, 0), 0);
	ret = transfer(mfn, own_domid(), ref, &status);
	if (ret == -EOPNOTSUPP || ret == -ENOSYS) {
		case_skip("transfers are switched off");
		return;
	}
	want_eq(ret, 0);
	want_eq(status, GNTST_okay);
	want_eq(g->flags & (GTF_transfer_committed | GTF_transfer_completed),
		GTF_transfer_committed | GTF_transfer_completed);
	want_eq(map(window(92), (uint64_t)g->frame << PAGE_SHIFT | PTE_RW), 0);
	want(mem_is(window(92), 0x4d, PAGE_SIZE));
}

/*
 * GNTTABOP_transfer without an accepting entry moves nothing to the receiver.
 */
CASE(gtransfer_not_accepted, "GNT-XFR-003", ALONE)
{
	char *page = page_alloc();
	unsigned long mfn = virt_mfn(page);
	unsigned int ref = grant_alloc(own_domid(), rt_image, GTF_permit_access);
	int16_t status = 0;
	long ret;

	want_eq(map(page, 0), 0);
	ret = transfer(mfn, own_domid(), ref, &status);
	if (ret == -EOPNOTSUPP || ret == -ENOSYS) {
		case_skip("transfers are switched off");
		return;
	}
	want_eq(ret, 0);
	want_eq(status, GNTST_general_error);
	want_eq(grant_entry(ref)->frame, virt_mfn(rt_image));
	want_eq(grant_entry(ref)->flags, GTF_permit_access);
}

/* A transitive grant passes on another grant for copies, or is switched off. */
CASE(gv2_transitive, "GNT-V2-005", ALONE)
{
	char *page = page_alloc(), *to = page_alloc();
	union grant_entry_v2 *g;
	struct gnttab_copy c;
	int status;

	needs(version2(), "version 2 is switched off");
	g = (union grant_entry_v2 *)grant_entry(0) + 42;
	memset(page, 0x2b, PAGE_SIZE);
	g[0].full_page.hdr.domid = (domid_t)own_domid();
	g[0].full_page.frame = virt_mfn(page);
	g[1].transitive.hdr.domid = (domid_t)own_domid();
	g[1].transitive.trans_domid = (domid_t)own_domid();
	g[1].transitive.gref = 42;
	/* The entries before their flags. */
	mb();
	g[0].hdr.flags = GTF_permit_access;
	g[1].hdr.flags = GTF_transitive;
	c = own_copy(to, page, 64);
	c.flags = GNTCOPY_source_gref;
	c.source.u.ref = 43;
	c.source.domid = (domid_t)own_domid();
	status = copy(&c);
	want_any(status, GNTST_okay, GNTST_general_error);
	want(mem_is(to, status == GNTST_okay ? 0x2b : 0, 64));
	want(grant_map(own_domid(), 43, window(91), GNTMAP_host_map, NULL, NULL) < 0);
}
