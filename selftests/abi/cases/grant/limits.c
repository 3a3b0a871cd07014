// SPDX-License-Identifier: MIT
/* Grant mappings: flags seen in the entry, neighbours of what is valid, uses kept apart. */
#include "case.h"

/*
 * The guest's available bits of a map request are those of the entry that maps
 * the grant, and the entry is writable unless the request is read-only.
 */
CASE(glimit_entry, "GNT-MAP-001 GNT-MAP-009", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(own_domid(), page, GTF_permit_access), h, bits;

	for (bits = 0; bits < 8; bits++) {
		unsigned int flags = GNTMAP_host_map | bits << _GNTMAP_guest_avail0;

		want_eq(grant_map(own_domid(), ref, window(70), flags, &h, NULL), 0);
		want_eq(pte_of(window(70)) >> 9 & 7, bits);
		want_eq(pte_of(window(70)) & (PTE_ADDR | PTE_P | PTE_W),
			mk_pte(page, PTE_P | PTE_W));
		want_eq(grant_unmap(window(70), h), 0);
		want_eq(grant_map(own_domid(), ref, window(70), flags | GNTMAP_readonly, &h, NULL),
			0);
		want_eq(pte_of(window(70)) >> 9 & 7, bits);
		want_eq(pte_of(window(70)) & PTE_W, 0);
		want_eq(grant_unmap(window(70), h), 0);
	}
	want(grant_end(ref));
	page_free(page);
}

USER(user_read, "mov (%rdi), %rsi\n syscall");

/*
 * User mode reads a grant that is mapped in its tables with
 * GNTMAP_application_map, and gets a page fault for one that is mapped without.
 */
CASE(glimit_application, "GNT-MAP-013", 0)
{
	unsigned long *page = page_alloc();
	unsigned long va = USER_DATA + 0x20000;
	unsigned int ref = grant_alloc(own_domid(), page, GTF_permit_access), h;
	void *entry = (void *)virt_maddr(user_entry(va));
	struct trap t;

	page[0] = 0x4242;
	want_eq(grant_map(own_domid(), ref, entry, GNTMAP_host_map | GNTMAP_contains_pte |
			  GNTMAP_application_map, &h, NULL), 0);
	t = user_call(user_read, va);
	want_eq(t.vec, RT_VEC_SYSCALL);
	want_eq(t.f.rsi, 0x4242);
	want_eq(grant_unmap(entry, h), 0);
	want_eq(user_call(user_read, va).vec, TRAP_PF);
	want(grant_end(ref));
	page_free(page);
}

/* The last reference of the table can be mapped, the one behind it is refused. */
CASE(glimit_reference, "GNT-MAP-006", 0)
{
	struct gnttab_query_size q = { .dom = DOMID_SELF };
	char *page = page_alloc();
	unsigned int last, h;
	struct grant_entry_v1 *g;

	grant_init(1);
	want_eq(hyp_grant_table_op(GNTTABOP_query_size, &q, 1), 0);
	last = grant_init(q.nr_frames) * (PAGE_SIZE / sizeof(*g)) - 1;
	g = grant_entry(last);
	g->domid = (domid_t)own_domid();
	g->frame = (uint32_t)virt_mfn(page);
	/* The entry before its flags. */
	mb();
	g->flags = GTF_permit_access;
	want_eq(grant_map(own_domid(), last, window(70), GNTMAP_host_map, &h, NULL), 0);
	want_eq(grant_unmap(window(70), h), 0);
	want_eq(grant_map(own_domid(), last + 1, window(70), GNTMAP_host_map, NULL, NULL),
		GNTST_bad_gntref);
	g->flags = 0;
	page_free(page);
}

/*
 * A device mapping and a host mapping of one grant are two uses: each keeps the
 * entry's flags when the other ends.
 */
CASE(glimit_two_uses, "GNT-MAP-003 GNT-MAP-014", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(own_domid(), page, GTF_permit_access), host, device;
	struct gnttab_unmap_grant_ref u;
	uint64_t bus;

	want_eq(grant_map(own_domid(), ref, window(70), GNTMAP_host_map, &host, NULL), 0);
	want_eq(grant_map(own_domid(), ref, NULL, GNTMAP_device_map | GNTMAP_readonly, &device,
			  &bus), 0);
	want_eq(grant_unmap(window(70), host), 0);
	want_eq(grant_entry(ref)->flags, GTF_permit_access | GTF_reading);
	want_eq(grant_map(own_domid(), ref, window(70), GNTMAP_host_map, &host, NULL), 0);
	want_eq(grant_entry(ref)->flags, GTF_permit_access | GTF_reading | GTF_writing);
	memset(&u, 0, sizeof(u));
	u.handle = device;
	u.dev_bus_addr = bus;
	want_eq(hyp_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
	want_eq(u.status, GNTST_okay);
	want_eq(grant_entry(ref)->flags, GTF_permit_access | GTF_reading | GTF_writing);
	want_eq(grant_unmap(window(70), host), 0);
	want_eq(grant_entry(ref)->flags, GTF_permit_access);
	want(grant_end(ref));
	page_free(page);
}

/* GNTTABOP_swap_grant_ref refuses an entry that is mapped in either place. */
CASE(glimit_swap, "GNT-028", 0)
{
	char *page = page_alloc();
	unsigned int ref = grant_alloc(own_domid(), page, GTF_permit_access), h, i;

	want_eq(grant_map(own_domid(), ref, window(70), GNTMAP_host_map, &h, NULL), 0);
	for (i = 0; i < 2; i++) {
		struct gnttab_swap_grant_ref s = {
			.ref_a = i ? ref : 130, .ref_b = i ? 130 : ref,
		};

		want_eq(hyp_grant_table_op(GNTTABOP_swap_grant_ref, &s, 1), 0);
		want_eq(s.status, GNTST_eagain);
		want_eq(grant_entry(ref)->frame, virt_mfn(page));
		want_eq(grant_entry(130)->flags, 0);
	}
	want_eq(grant_unmap(window(70), h), 0);
	want(grant_end(ref));
	page_free(page);
}

/* GNTTABOP_copy up to the last byte of a page succeeds, one byte more is refused. */
CASE(glimit_copy, "GNT-CPY-001 GNT-CPY-002", 0)
{
	char *a = page_alloc(), *b = page_alloc();
	unsigned int side, more;

	memset(a, 0x31, PAGE_SIZE);
	for (side = 0; side < 2; side++) {
		for (more = 0; more < 2; more++) {
			struct gnttab_copy c;

			memset(&c, 0, sizeof(c));
			memset(b, 0, PAGE_SIZE);
			c.source.u.gmfn = virt_mfn(a);
			c.source.domid = DOMID_SELF;
			c.source.offset = side ? 0 : 4000;
			c.dest.u.gmfn = virt_mfn(b);
			c.dest.domid = DOMID_SELF;
			c.dest.offset = side ? 4000 : 0;
			c.len = (uint16_t)(96 + more);
			c.status = 99;
			want_eq(hyp_grant_table_op(GNTTABOP_copy, &c, 1), 0);
			want_eq(c.status, more ? GNTST_bad_copy_arg : GNTST_okay);
			want(mem_is(b + c.dest.offset, more ? 0 : 0x31, 96));
		}
	}
	page_free(a);
	page_free(b);
}
