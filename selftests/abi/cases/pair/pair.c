// SPDX-License-Identifier: MIT
/*
 * Two guests: one uses what the other shares, and everything else is refused.
 * Both run the same code: guest a reports the results, guest b is the other
 * side and reports only its own failures.
 */
#include "case.h"
#include <xen/io/xs_wire.h>

#define PEER	pair_peer()

/* Wait until the other guest has come to the same point. */
static void meet(const char *where)
{
	pair_write(where, 1);
	pair_read(where);
}

/*
 * A page granted by one guest is mapped by the other, and both read what
 * either wrote.
 */
CASE(pair_map, "GNT-MAP-001 GNT-MAP-003 GNT-MAP-016", PAIR | DOMU)
{
	unsigned long *page = page_alloc();

	if (pair_first()) {
		unsigned int ref = grant_alloc(PEER, page, GTF_permit_access);

		page[0] = 0x1111;
		pair_write("ref", ref);
		pair_read("written");
		want_eq(page[1], 0x2222);
		want(grant_entry(ref)->flags & GTF_writing);
		want(!grant_end(ref));
		pair_write("unmap", 1);
		pair_read("unmapped");
		want_eq(grant_entry(ref)->flags, GTF_permit_access);
		want(grant_end(ref));
	} else {
		unsigned long *va = window(70);
		unsigned int h;

		want_eq(grant_map(PEER, (unsigned int)pair_read("ref"), va,
				  GNTMAP_host_map, &h, NULL), 0);
		want_eq(va[0], 0x1111);
		va[1] = 0x2222;
		pair_write("written", 1);
		pair_read("unmap");
		want_eq(grant_unmap(va, h), 0);
		pair_write("unmapped", 1);
	}
}

/*
 * A grant to another domain cannot be mapped, and a read-only grant cannot be
 * mapped writable.
 */
CASE(pair_map_refused, "GNT-MAP-007 GNT-MAP-008 GNT-CPY-003 GNT-CPY-004 GNT-CPY-006",
	PAIR | DOMU)
{
	char *page = page_alloc();

	if (pair_first()) {
		unsigned int ro = grant_alloc(PEER, page, GTF_permit_access | GTF_readonly);
		unsigned int zero = grant_alloc(0, page, GTF_permit_access);

		pair_write("ro", ro);
		pair_write("zero", zero);
		pair_write("mfn", virt_mfn(page));
		pair_read("done");
		want(mem_is(page, 0, PAGE_SIZE));
		want(grant_end(ro));
		want(grant_end(zero));
	} else {
		unsigned int ro = (unsigned int)pair_read("ro");
		unsigned int zero = (unsigned int)pair_read("zero"), h;
		unsigned long mfn = pair_read("mfn");
		struct gnttab_copy c;

		want_eq(grant_map(PEER, ro, window(70), GNTMAP_host_map, NULL, NULL),
			GNTST_general_error);
		want_eq(grant_map(PEER, zero, window(70), GNTMAP_host_map, NULL, NULL),
			GNTST_general_error);
		want_eq(grant_map(PEER, ro, window(70),
				  GNTMAP_host_map | GNTMAP_readonly, &h, NULL), 0);
		want_eq(fault_write(window(70), 1), TRAP_PF);
		/* The mapped frame still belongs to the other guest. */
		want(mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0) < 0);
		want(map(window(71), (uint64_t)mfn << PAGE_SHIFT | PTE_RW) < 0);
		want_eq(grant_unmap(window(70), h), 0);
		memset(&c, 0, sizeof(c));
		memset(page, 0x33, PAGE_SIZE);
		c.source.u.gmfn = virt_mfn(page);
		c.source.domid = DOMID_SELF;
		c.dest.u.ref = ro;
		c.dest.domid = (domid_t)PEER;
		c.flags = GNTCOPY_dest_gref;
		c.len = 64;
		want_eq(hyp_grant_table_op(GNTTABOP_copy, &c, 1), 0);
		want_eq(c.status, GNTST_general_error);
		c.dest.u.gmfn = mfn;
		c.flags = 0;
		want_eq(hyp_grant_table_op(GNTTABOP_copy, &c, 1), 0);
		want_eq(c.status, GNTST_permission_denied);
		pair_write("done", 1);
	}
}

/*
 * Frames of the other guest cannot be mapped, read or made tables by their
 * number.
 */
CASE(pair_foreign_frames, "MMU-011 MMU-024 MMU-025 MMU-010", PAIR | DOMU)
{
	uint64_t *page = page_alloc();

	if (pair_first()) {
		page[0] = 0x5ec4e6;
		pair_write("mfn", virt_mfn(page));
		pair_read("done");
		want_eq(page[0], 0x5ec4e6);
		page_ro(page);
		want_eq(mmuext(MMUEXT_PIN_L1_TABLE, virt_mfn(page), 0), 0);
		want_eq(mmuext(MMUEXT_UNPIN_TABLE, virt_mfn(page), 0), 0);
		page_rw(page);
	} else {
		unsigned long mfn = pair_read("mfn");
		uint64_t *l2 = page_alloc();
		struct mmu_update u = {
			.ptr = virt_maddr(&window_l1()[72]),
			.val = (uint64_t)mfn << PAGE_SHIFT | PTE_RO,
		};

		want(map(window(70), (uint64_t)mfn << PAGE_SHIFT | PTE_RW) < 0);
		want(map(window(70), (uint64_t)mfn << PAGE_SHIFT | PTE_RO) < 0);
		want_eq(hyp_mmu_update(&u, 1, NULL, PEER), -EPERM);
		u.ptr = (uint64_t)mfn << PAGE_SHIFT;
		want(hyp_mmu_update(&u, 1, NULL, DOMID_SELF) < 0);
		want_eq(hyp_mmu_update(&u, 1, NULL, DOMID_SELF | (PEER + 1) << 16), -EPERM);
		page_ro(l2);
		want_eq(mmuext(MMUEXT_PIN_L2_TABLE, virt_mfn(l2), 0), 0);
		want(pte_set(&l2[0], (uint64_t)mfn << PAGE_SHIFT | PTE_RW) < 0);
		want_eq(mmuext(MMUEXT_UNPIN_TABLE, virt_mfn(l2), 0), 0);
		want_eq(rt_call(__HYPERVISOR_update_va_mapping_otherdomain,
				(unsigned long)window(70),
				(uint64_t)mfn << PAGE_SHIFT | PTE_RO, 0, PEER, 0), -EPERM);
		pair_write("done", 1);
	}
}

/*
 * An event sent by one guest is raised at the other, and a close leaves the
 * other end unbound.
 */
CASE(pair_event, "EVT-009 EVT-027 EVT-030", PAIR | DOMU)
{
	struct evtchn_status st;

	if (pair_first()) {
		int p = evtchn_alloc(DOMID_SELF, PEER);

		port_mask(p);
		pair_write("port", p);
		pair_read("bound");
		port_clear(p);
		pair_write("ready", 1);
		want(until(port_pending(p), 10000));
		want_eq(evtchn_status(p, &st), 0);
		want_eq(st.status, EVTCHNSTAT_interdomain);
		want_eq(st.u.interdomain.dom, PEER);
		pair_write("got", 1);
		pair_read("closed");
		want_eq(evtchn_status(p, &st), 0);
		want_eq(st.status, EVTCHNSTAT_unbound);
		want_eq(evtchn_send(p), 0);
		evtchn_close(p);
	} else {
		int p = evtchn_bind(PEER, (unsigned int)pair_read("port"));

		want(p >= 1);
		pair_write("bound", 1);
		pair_read("ready");
		want_eq(evtchn_send(p), 0);
		pair_read("got");
		want_eq(evtchn_close(p), 0);
		pair_write("closed", 1);
	}
}

/* A port that is reserved for one domain cannot be bound by another. */
CASE(pair_event_refused, "EVT-013", PAIR | DOMU)
{
	struct evtchn_status st;

	if (pair_first()) {
		int p = evtchn_alloc(DOMID_SELF, 0);

		pair_write("port", p);
		pair_read("done");
		want_eq(evtchn_status(p, &st), 0);
		want_eq(st.status, EVTCHNSTAT_unbound);
		evtchn_close(p);
	} else {
		want_eq(evtchn_bind(PEER, (unsigned int)pair_read("port")), -EINVAL);
		pair_write("done", 1);
	}
}

/* Sends that race with the close of the other end raise no other port. */
CASE(pair_close_race, "EVT-052", PAIR | DOMU)
{
	unsigned int i;

	if (pair_first()) {
		int p = evtchn_alloc(DOMID_SELF, PEER);

		pair_write("port", p);
		pair_read("bound");
		for (i = 0; i < 500; i++)
			want_any(evtchn_send(p), 0, -EINVAL);
		pair_write("sent", 1);
		pair_read("done");
		evtchn_close(p);
	} else {
		unsigned int remote = (unsigned int)pair_read("port");
		int p = evtchn_bind(PEER, remote), other = evtchn_ipi(0);

		want(p >= 1);
		port_clear(other);
		pair_write("bound", 1);
		for (i = 0; i < 200; i++) {
			want_eq(evtchn_close(p), 0);
			p = evtchn_bind(PEER, remote);
			want(p >= 1);
		}
		pair_read("sent");
		want(!port_pending(other));
		evtchn_close(other);
		evtchn_close(p);
		pair_write("done", 1);
	}
}

/* Copies between domains succeed where grants permit them, and only there. */
CASE(pair_copy, "GNT-CPY-001 GNT-CPY-009", PAIR | DOMU)
{
	char *page = page_alloc();

	if (pair_first()) {
		unsigned int ref = grant_alloc(PEER, page, GTF_permit_access);

		memset(page, 0x21, 2048);
		pair_write("ref", ref);
		pair_read("done");
		want(mem_is(page, 0x21, 2048));
		want(mem_is(page + 2048, 0x43, 100));
		want(mem_is(page + 2148, 0, PAGE_SIZE - 2148));
		want_eq(grant_entry(ref)->flags, GTF_permit_access);
		want(grant_end(ref));
	} else {
		struct gnttab_copy c[2];
		char *to = page_alloc();

		memset(page, 0x43, PAGE_SIZE);
		memset(c, 0, sizeof(c));
		c[0].source.u.ref = (grant_ref_t)pair_read("ref");
		c[0].source.domid = (domid_t)PEER;
		c[0].dest.u.gmfn = virt_mfn(to);
		c[0].dest.domid = DOMID_SELF;
		c[0].len = 1000;
		c[0].flags = GNTCOPY_source_gref;
		c[1].source.u.gmfn = virt_mfn(page);
		c[1].source.domid = DOMID_SELF;
		c[1].dest.u.ref = c[0].source.u.ref;
		c[1].dest.domid = (domid_t)PEER;
		c[1].dest.offset = 2048;
		c[1].len = 100;
		c[1].flags = GNTCOPY_dest_gref;
		want_eq(hyp_grant_table_op(GNTTABOP_copy, c, 2), 0);
		want_eq(c[0].status, GNTST_okay);
		want_eq(c[1].status, GNTST_okay);
		want(mem_is(to, 0x21, 1000));
		pair_write("done", 1);
	}
}

/* A node is readable by the domains that its owner permits, and by no other. */
CASE(pair_store_rights, "STO-023", PAIR | DOMU)
{
	char path[80], buf[20];

	meet("here");
	if (pair_first()) {
		want(store_write("data/secret", "s") >= 0);
		pair_write("written", 1);
		pair_read("done");
	} else {
		pair_read("written");
		format(path, sizeof(path), "/local/domain/%u/data/secret", PEER);
		want_eq(store_read(path, buf, sizeof(buf)), -EACCES);
		want_eq(store_write(path, "x"), -EACCES);
		pair_write("done", 1);
	}
}

/*
 * When a guest is destroyed while frames of its own are mapped elsewhere, the
 * mappings stay usable until they are unmapped, and the other end of its
 * channel becomes unbound.
 */
CASE(pair_granter_dies, "GNT-MAP-023 EVT-051", PAIR | DOMU | ALONE)
{
	struct evtchn_status st;

	if (!pair_first()) {
		unsigned long *page = page_alloc();
		int p = evtchn_alloc(DOMID_SELF, PEER);

		page[0] = 0xdead;
		pair_write("ref", grant_alloc(PEER, page, GTF_permit_access));
		pair_write("port", p);
		pair_read("mapped");
		rt_exit(SHUTDOWN_poweroff);
	} else {
		unsigned long *va = window(70);
		int p, status = GNTST_okay;
		unsigned int h, i;

		want_eq(grant_map(PEER, (unsigned int)pair_read("ref"), va,
				  GNTMAP_host_map, &h, NULL), 0);
		p = evtchn_bind(PEER, (unsigned int)pair_read("port"));
		want(p >= 1);
		pair_write("mapped", 1);
		want(until(!evtchn_status(p, &st) && st.status == EVTCHNSTAT_unbound, 30000));
		want_eq(evtchn_send(p), 0);
		want_eq(va[0], 0xdead);
		va[0] = 1;
		want_eq(grant_unmap(va, h), 0);
		want_eq(fault_read(va), TRAP_PF);
		evtchn_close(p);
		/* That was the last use of its frames: now its number is free. */
		for (i = 0; i < 300 && status != GNTST_bad_domain; i++) {
			/* Not all the time: the hypervisor has a message for each. */
			until(false, 100);
			status = grant_map(PEER, 8, va, GNTMAP_host_map, NULL, NULL);
		}
		want_eq(status, GNTST_bad_domain);
	}
}

/*
 * When a guest is destroyed while it maps a frame, the granter can end the
 * grant.
 */
CASE(pair_mapper_dies, "GNT-MAP-024", PAIR | DOMU | ALONE)
{
	if (pair_first()) {
		char *page = page_alloc();
		unsigned int ref = grant_alloc(PEER, page, GTF_permit_access);

		pair_write("ref", ref);
		pair_read("mapped");
		want(grant_entry(ref)->flags & GTF_writing);
		want(until(!(READ_ONCE(grant_entry(ref)->flags) &
			     (GTF_reading | GTF_writing)), 30000));
		want(grant_end(ref));
		want_eq(grant_entry(ref)->flags, 0);
	} else {
		unsigned int h;

		want_eq(grant_map(PEER, (unsigned int)pair_read("ref"), window(70),
				  GNTMAP_host_map, &h, NULL), 0);
		pair_write("mapped", 1);
		rt_exit(SHUTDOWN_poweroff);
	}
}

/*
 * Two guests each map a frame of the other. When one is destroyed, its mapping of the
 * survivor's frame ends and the survivor's of its frame stays; the survivor can end
 * its grant, and is then itself destroyed with that mapping in use.
 */
CASE(pair_both_die, "GNT-MAP-023 GNT-MAP-024 MMU-TYPE-016", PAIR | DOMU | DIES)
{
	unsigned long *page = page_alloc(), *va = window(70);
	unsigned int ref = grant_alloc(PEER, page, GTF_permit_access), h;

	page[0] = 0xaaaa + own_domid();
	pair_write("ref", ref);
	want_eq(grant_map(PEER, (unsigned int)pair_read("ref"), va, GNTMAP_host_map, &h, NULL),
		0);
	want_eq(va[0], 0xaaaa + PEER);
	meet("mapped");
	if (!pair_first())
		rt_exit(SHUTDOWN_poweroff);
	want(until(!(READ_ONCE(grant_entry(ref)->flags) & (GTF_reading | GTF_writing)), 30000));
	want(grant_end(ref));
	want_eq(va[0], 0xaaaa + PEER);
	va[0] = 1;
	/* The flags come first, the reference goes with the other's page tables. */
	want(until(page_renew(page), 30000));
	page_free(page);
	dying("poweroff");
	rt_exit(SHUTDOWN_poweroff);
}

static long current(void)
{
	domid_t dom = DOMID_SELF;

	return hyp_memory_op(XENMEM_current_reservation, &dom);
}

/*
 * The reservation operations on the other guest's domain do nothing, though the frame
 * is one that the other could give back, and it may allocate another.
 */
CASE(pair_memory_refused, "MEM-007 MEM-016", PAIR | DOMU)
{
	char *page = page_alloc(), *room = page_alloc();
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
	xen_pfn_t frame = virt_mfn(room), list;
	domid_t dom = (domid_t)PEER;
	long before;

	want_eq(map(page, 0), 0);
	want_eq(map(room, 0), 0);
	set_xen_guest_handle(r.extent_start, &frame);
	want_eq(hyp_memory_op(XENMEM_decrease_reservation, &r), 1);
	before = current();
	pair_write("frame", virt_mfn(page));
	list = pair_read("frame");
	meet("ready");
	r.domid = dom;
	set_xen_guest_handle(r.extent_start, &list);
	want_eq(hyp_memory_op(XENMEM_decrease_reservation, &r), 0);
	list = 0x100000;
	want_eq(hyp_memory_op(XENMEM_populate_physmap, &r), 0);
	want_eq(hyp_memory_op(XENMEM_increase_reservation, &r), 0);
	want_eq(hyp_memory_op(XENMEM_current_reservation, &dom), -EPERM);
	want_eq(hyp_memory_op(XENMEM_maximum_reservation, &dom), -EPERM);
	meet("done");
	want_eq(current(), before);
	frame = virt_pfn(room);
	r.domid = DOMID_SELF;
	set_xen_guest_handle(r.extent_start, &frame);
	want_eq(hyp_memory_op(XENMEM_populate_physmap, &r), 1);
	rt_p2m[virt_pfn(room)] = frame;
	want_eq(map(page, mk_pte(page, PTE_RW)), 0);
	want_eq(map(room, mk_pte(room, PTE_RW)), 0);
	page_free(page);
	page_free(room);
}

/* Operations on the other guest's domain are refused. */
CASE(pair_refused,
	"EVT-005 EVT-037 EVT-047 SCH-019 MEM-007 MEM-016 GNT-008 GNT-020 MMU-EXT-005 MMU-UVA-009 GNT-012",
	PAIR | DOMU)
{
	struct evtchn_reset reset = { .dom = (domid_t)PEER };
	struct evtchn_status st = { .dom = (domid_t)PEER, .port = 1 };
	struct sched_remote_shutdown rs = {
		.domain_id = (domid_t)PEER, .reason = SHUTDOWN_crash,
	};
	struct gnttab_query_size q = { .dom = (domid_t)PEER };
	struct gnttab_get_version v = { .dom = (domid_t)PEER };
	struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
	struct evtchn_alloc_unbound a = {
		.dom = (domid_t)PEER, .remote_dom = DOMID_SELF,
	};
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = (domid_t)PEER };
	domid_t dom = (domid_t)PEER;
	xen_pfn_t frame = 1;

	meet("here");
	want_eq(evtchn(EVTCHNOP_alloc_unbound, &a), -EPERM);
	want_any(evtchn(EVTCHNOP_status, &st), -EPERM, -EACCES);
	want_eq(evtchn(EVTCHNOP_reset, &reset), -EPERM);
	want_eq(hyp_sched_op(SCHEDOP_remote_shutdown, &rs), -EPERM);
	want_eq(hyp_memory_op(XENMEM_current_reservation, &dom), -EPERM);
	want_eq(hyp_memory_op(XENMEM_maximum_reservation, &dom), -EPERM);
	set_xen_guest_handle(r.extent_start, &frame);
	want_eq(hyp_memory_op(XENMEM_decrease_reservation, &r), 0);
	want_eq(hyp_memory_op(XENMEM_populate_physmap, &r), 0);
	want_eq(hyp_memory_op(XENMEM_increase_reservation, &r), 0);
	want_eq(hyp_grant_table_op(GNTTABOP_query_size, &q, 1), 0);
	want_eq(q.status, GNTST_permission_denied);
	want_eq(hyp_grant_table_op(GNTTABOP_get_version, &v, 1), -EPERM);
	want_eq(hyp_mmuext_op(&op, 1, NULL, PEER), -EPERM);
	meet("done");
}
