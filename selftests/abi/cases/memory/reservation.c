// SPDX-License-Identifier: MIT
/* memory_op: pages given back, allocated, exchanged; maps and queries. */
#include "common.h"

/* The public header defines these for tools only. */
#ifndef XENMEM_claim_pages
#define XENMEM_get_sharing_freed_pages	18
#define XENMEM_get_sharing_shared_pages	19
#define XENMEM_paging_op		20
#define XENMEM_access_op		21
#define XENMEM_sharing_op		22
#define XENMEM_claim_pages		24
#define XENMEM_reserved_device_memory_map 27
#endif

/* Take @page out of the linear map; its frame, to be given back. */
static xen_pfn_t unmapped(void *page)
{
	xen_pfn_t mfn = virt_mfn(page);

	if (map(page, 0))
		panic("cannot unmap a page");
	return mfn;
}

/* Map frame @mfn at @page. */
static void remap(void *page, xen_pfn_t mfn)
{
	rt_p2m[virt_pfn(page)] = mfn;
	if (mmu_one((uint64_t)mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, virt_pfn(page)))
		panic("cannot set the machine-to-phys entry");
	if (map(page, mk_pte(page, PTE_RW)))
		panic("cannot map a page");
}

/* memory_op returns -ENOSYS for unknown operations. */
CASE(mem_unknown, "MEM-001", 0)
{
	want_eq(hyp_memory_op(60, BAD_PTR), -ENOSYS);
}

/*
 * The current reservation follows pages given back and allocated, within its
 * limit.
 */
CASE(mem_current, "MEM-002 MEM-003 MEM-009 MEM-017 MEM-023", 0)
{
	char *page = page_alloc();
	long before = current();
	xen_pfn_t mfn = unmapped(page), pfn = virt_pfn(page);

	want(query(XENMEM_maximum_reservation) >= before);
	want_eq(reserve(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
	want_eq(current(), before - 1);
	want_eq(reserve(XENMEM_populate_physmap, &pfn, 1, 0), 1);
	want_eq(current(), before);
	want_eq(m2p(pfn), virt_pfn(page));
	remap(page, pfn);
	page_free(page);
}

/*
 * XENMEM_maximum_gpfn returns the largest pseudo-physical page that the guest
 * wrote.
 */
CASE(mem_maximum_gpfn, "MEM-004", 0)
{
	shared_info->arch.max_pfn = 0x4321;
	want_eq(query(XENMEM_maximum_gpfn), 0x4320);
	shared_info->arch.max_pfn = 0;
	want(query(XENMEM_maximum_gpfn) <= 0);
}

/*
 * The reservation queries refuse domains that do not exist and unreadable
 * arguments.
 */
CASE(mem_query_wrong, "MEM-005 MEM-006", 0)
{
	static const unsigned int ops[] = {
		XENMEM_current_reservation, XENMEM_maximum_reservation,
		XENMEM_maximum_gpfn,
	};
	domid_t dom = NO_DOMAIN;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		want_eq(hyp_memory_op(ops[i], BAD_PTR), -EFAULT);
		want_eq(hyp_memory_op(ops[i], &dom), -ESRCH);
	}
}

/* XENMEM_maximum_ram_page is above every frame of the domain. */
CASE(mem_ram_page, "MEM-008", 0)
{
	long top = hyp_memory_op(XENMEM_maximum_ram_page, NULL);
	unsigned long i;

	for (i = 0; i < start_info.nr_pages; i++)
		if (rt_p2m[i] != ~0UL)
			want((long)rt_p2m[i] < top);
}

/*
 * XENMEM_decrease_reservation stops at a frame that is not the domain's, after
 * those before it.
 */
CASE(mem_decrease_foreign, "MEM-011", 0)
{
	char *a = page_alloc(), *b = page_alloc();
	xen_pfn_t list[3] = { unmapped(a), 0xfffffffUL, unmapped(b) };
	xen_pfn_t pfn = virt_pfn(a), kept = list[2];
	long before = current();

	want_eq(reserve(XENMEM_decrease_reservation, list, 3, 0), 1);
	want_eq(current(), before - 1);
	want_eq(reserve(XENMEM_populate_physmap, &pfn, 1, 0), 1);
	remap(a, pfn);
	remap(b, kept);
	page_free(a);
	page_free(b);
}

/* XENMEM_decrease_reservation gives a frame that is listed twice back once. */
CASE(mem_decrease_twice, "MEM-012", 0)
{
	char *a = page_alloc();
	xen_pfn_t list[2] = { unmapped(a) }, pfn = virt_pfn(a);
	long before = current();

	list[1] = list[0];
	want_eq(reserve(XENMEM_decrease_reservation, list, 2, 0), 1);
	want_eq(current(), before - 1);
	want_eq(reserve(XENMEM_populate_physmap, &pfn, 1, 0), 1);
	remap(a, pfn);
	page_free(a);
}

/*
 * The reservation operations do nothing for orders and counts that are too
 * large.
 */
CASE(mem_too_much, "MEM-013 MEM-015 MEM-020", 0)
{
	char *a = page_alloc();
	xen_pfn_t mfn = virt_mfn(a);
	long before = current();

	want_eq(reserve(XENMEM_decrease_reservation, &mfn, 1, 40), 0);
	want_eq(reserve(XENMEM_populate_physmap, &mfn, 1, 40), 0);
	want_eq(reserve(XENMEM_increase_reservation, &mfn, 1, 40), 0);
	want_eq(reserve(XENMEM_decrease_reservation, &mfn, 1UL << 40, 0), 0);
	want_eq(reserve(XENMEM_populate_physmap, &mfn, 1UL << 40, 0), 0);
	want_eq(current(), before);
	page_free(a);
}

/* The reservation operations do nothing for an argument that cannot be read. */
CASE(mem_reserve_fault, "MEM-014", 0)
{
	static const unsigned int ops[] = {
		XENMEM_decrease_reservation, XENMEM_increase_reservation,
		XENMEM_populate_physmap,
	};
	long before = current();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		want_eq(hyp_memory_op(ops[i], BAD_PTR), 0);
	want_eq(reserve(XENMEM_decrease_reservation, BAD_PTR, 1, 0), 0);
	want_eq(reserve(XENMEM_populate_physmap, BAD_PTR, 1, 0), 0);
	want_eq(current(), before);
}

/*
 * XENMEM_populate_physmap stops at the maximum reservation: of more pages than are
 * missing there it allocates exactly those.
 */
CASE(mem_populate_limit, "MEM-003 MEM-018", 0)
{
	static xen_pfn_t list[512];
	char *page[3] = { page_alloc(), page_alloc(), page_alloc() };
	long most = query(XENMEM_maximum_reservation), left = most - current(), got, i;

	needs(left >= 0 && left < 500, "the domain may take far more memory");
	for (i = 0; i < 512; i++)
		list[i] = 0x100000 + i;
	for (i = 0; i < 3; i++)
		list[i] = unmapped(page[i]);
	want_eq(reserve(XENMEM_decrease_reservation, list, 3, 0), 3);
	for (i = 0; i < 3; i++)
		list[i] = virt_pfn(page[i]);
	got = reserve(XENMEM_populate_physmap, list, left + 8, 0);
	want(got >= 3 && got <= left + 3);
	want_eq(current(), most - left - 3 + got);
	for (i = 0; i < 3; i++)
		remap(page[i], list[i]);
	if (got > 3)
		want_eq(reserve(XENMEM_decrease_reservation, list + 3, got - 3, 0), got - 3);
	want_eq(current(), most - left);
	for (i = 0; i < 3; i++)
		page_free(page[i]);
	needs(got == left + 3, "the hypervisor has less memory than the domain may take");
}

/* Pages that the hypervisor allocates hold no data of another domain. */
CASE(mem_clean, "MEM-019", 0)
{
	char *page = page_alloc();
	xen_pfn_t mfn, pfn = virt_pfn(page);
	unsigned int i;

	memset(page, 0xa7, PAGE_SIZE);
	for (i = 0; i < 4; i++) {
		mfn = unmapped(page);
		want_eq(reserve(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
		pfn = virt_pfn(page);
		want_eq(reserve(XENMEM_populate_physmap, &pfn, 1, 0), 1);
		remap(page, pfn);
		/* The page may come back with this domain's own contents. */
		want(mem_is(page, 0, PAGE_SIZE) || mem_is(page, 0xa7, PAGE_SIZE));
	}
	page_free(page);
}

/* XENMEM_increase_reservation allocates frames and stores them in the list. */
CASE(mem_increase, "MEM-021 MEM-023", 0)
{
	char *page = page_alloc();
	long before = current();
	xen_pfn_t mfn = unmapped(page), fresh = 0;

	want_eq(reserve(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
	want_eq(reserve(XENMEM_increase_reservation, &fresh, 1, 0), 1);
	want(fresh);
	want_eq(current(), before);
	remap(page, fresh);
	page_free(page);
}

/*
 * An address width limits the allocated frames; one below a page allocates
 * none.
 */
CASE(mem_address_limit, "MEM-022", 0)
{
	char *page = page_alloc();
	xen_pfn_t mfn = unmapped(page), fresh = 0;
	struct xen_memory_reservation r = {
		.nr_extents = 1, .domid = DOMID_SELF,
		.mem_flags = XENMEMF_address_bits(10),
	};

	want_eq(reserve(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
	set_xen_guest_handle(r.extent_start, &fresh);
	want_eq(hyp_memory_op(XENMEM_increase_reservation, &r), 0);
	r.mem_flags = XENMEMF_address_bits(32);
	want_eq(hyp_memory_op(XENMEM_increase_reservation, &r), 1);
	want(fresh < 1UL << 20);
	remap(page, fresh);
	page_free(page);
}

/*
 * XENMEM_exchange exchanges frames one for one and sets their machine-to-phys
 * entries.
 */
CASE(mem_exchange, "MEM-024 MEM-030", 0)
{
	char *page = page_alloc();
	long before = current();
	xen_pfn_t in = unmapped(page), out = virt_pfn(page);
	struct xen_memory_exchange x = exchange(&in, 1, &out, 1);

	want_eq(hyp_memory_op(XENMEM_exchange, &x), 0);
	want_eq(x.nr_exchanged, 1);
	want_eq(m2p(out), virt_pfn(page));
	want_eq(current(), before);
	want_eq(hyp_memory_op(XENMEM_exchange, &x), 0);
	want_eq(x.nr_exchanged, 1);
	want_eq(m2p(out), virt_pfn(page));
	remap(page, out);
	page_free(page);
}

/*
 * XENMEM_exchange refuses lists that do not match or overflow, and domains
 * that do not exist, for a frame that could be exchanged; it stays the domain's.
 */
CASE(mem_exchange_wrong, "MEM-025 MEM-026 MEM-028 MEM-029", 0)
{
	char *page = page_alloc();
	xen_pfn_t mfn = unmapped(page), in[2] = { mfn }, out[2] = { virt_pfn(page) };
	struct xen_memory_exchange x = exchange(in, 1, out, 2);
	long before = current();

	want_eq(hyp_memory_op(XENMEM_exchange, BAD_PTR), -EFAULT);
	want_eq(hyp_memory_op(XENMEM_exchange, &x), -EINVAL);
	x = exchange(in, 1, out, 1);
	x.nr_exchanged = 2;
	want_eq(hyp_memory_op(XENMEM_exchange, &x), -EINVAL);
	x = exchange(in, 1, out, 1);
	x.out.domid = NO_DOMAIN;
	want_eq(hyp_memory_op(XENMEM_exchange, &x), -EINVAL);
	x = exchange(in, 1, out, 1);
	x.in.domid = NO_DOMAIN;
	x.out.domid = NO_DOMAIN;
	want_any(hyp_memory_op(XENMEM_exchange, &x), -ESRCH, -EINVAL);
	x = exchange(in, 1, out, 1);
	x.in.extent_order = 40;
	x.out.extent_order = 40;
	want_any(hyp_memory_op(XENMEM_exchange, &x), -EPERM, -EINVAL);
	x = exchange(BAD_PTR, 1, out, 1);
	want_eq(hyp_memory_op(XENMEM_exchange, &x), -EFAULT);
	x = exchange(in, 1, XEN_PTR, 1);
	want_eq(hyp_memory_op(XENMEM_exchange, &x), -EFAULT);
	want_eq(in[0], mfn);
	want_eq(out[0], virt_pfn(page));
	want_eq(current(), before);
	want_eq(m2p(mfn), virt_pfn(page));
	want_eq(map(page, mk_pte(page, PTE_RW)), 0);
	page_free(page);
}

/* XENMEM_exchange refuses frames in use, and they stay the domain's. */
CASE(mem_exchange_busy, "MEM-027", 0)
{
	char *page = page_alloc();
	xen_pfn_t in = virt_mfn(page), out = virt_pfn(page);
	struct xen_memory_exchange x = exchange(&in, 1, &out, 1);

	want(hyp_memory_op(XENMEM_exchange, &x) < 0);
	want_eq(x.nr_exchanged, 0);
	want_eq(fault_write(page, 8), -1);
	page_ro(page);
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, in, 0), 0);
	out = virt_pfn(page);
	x = exchange(&in, 1, &out, 1);
	want(hyp_memory_op(XENMEM_exchange, &x) < 0);
	want_eq(mmuext(MMUEXT_UNPIN_TABLE, in, 0), 0);
	page_rw(page);
	in = 0xfffffffUL;
	x = exchange(&in, 1, &out, 1);
	want(hyp_memory_op(XENMEM_exchange, &x) < 0);
	page_free(page);
}

/* XENMEM_machphys_mapping stores the range of the machine-to-phys table. */
CASE(mem_machphys, "MEM-031 MEM-032", 0)
{
	struct xen_machphys_mapping m = { 0 };

	want_eq(hyp_memory_op(XENMEM_machphys_mapping, &m), 0);
	want_eq(m.v_start, MACH2PHYS_VIRT_START);
	want(m.v_end > m.v_start);
	want(m.max_mfn);
	want_eq(hyp_memory_op(XENMEM_machphys_mapping, BAD_PTR), -EFAULT);
	want_eq(hyp_memory_op(XENMEM_machphys_mapping, XEN_PTR), -EFAULT);
}

/*
 * XENMEM_machphys_mfn_list stores the frames of the machine-to-phys table, at
 * most as many as requested.
 */
CASE(mem_machphys_list, "MEM-033", 0)
{
	xen_pfn_t list[4] = { 0, 0x5a5a, 0x5a5a, 0x5a5a };
	struct xen_machphys_mfn_list l = { .max_extents = 1 };

	set_xen_guest_handle(l.extent_start, list);
	want_eq(hyp_memory_op(XENMEM_machphys_mfn_list, &l), 0);
	want_eq(l.nr_extents, 1);
	want(list[0]);
	want_eq(list[1], 0x5a5a);
	want_eq(hyp_memory_op(XENMEM_machphys_mfn_list, BAD_PTR), -EFAULT);
}

/* XENMEM_memory_map stores the domain's memory map, if one was set. */
CASE(mem_map, "MEM-034 MEM-035", 0)
{
	static unsigned char buf[20 * 128];
	struct xen_memory_map m = { .nr_entries = 128 };
	long ret;

	set_xen_guest_handle(m.buffer, buf);
	want_eq(hyp_memory_op(XENMEM_memory_map, BAD_PTR), -EFAULT);
	ret = hyp_memory_op(XENMEM_memory_map, &m);
	want_any(ret, 0, -ENOSYS);
	if (ret)
		return;
	want(m.nr_entries >= 1 && m.nr_entries <= 128);
	set_xen_guest_handle(m.buffer, XEN_PTR);
	want_eq(hyp_memory_op(XENMEM_memory_map, &m), -EFAULT);
	m.nr_entries = 0;
	set_xen_guest_handle(m.buffer, buf);
	want_eq(hyp_memory_op(XENMEM_memory_map, &m), 0);
	want_eq(m.nr_entries, 0);
}

/* XENMEM_machine_memory_map is refused to an unprivileged domain. */
CASE(mem_machine_map_refused, "MEM-036", DOMU)
{
	static unsigned char buf[20 * 128];
	struct xen_memory_map m = { .nr_entries = 128 };

	set_xen_guest_handle(m.buffer, buf);
	want_eq(hyp_memory_op(XENMEM_machine_memory_map, &m), -EPERM);
}

/* XENMEM_machine_memory_map stores a map with RAM for the initial domain. */
CASE(mem_machine_map, "MEM-037", DOM0)
{
	static struct { uint64_t start, size; uint32_t type; }
		__attribute__((packed)) buf[128];
	struct xen_memory_map m = { .nr_entries = 128 };
	unsigned int i, ram = 0;

	set_xen_guest_handle(m.buffer, buf);
	want_eq(hyp_memory_op(XENMEM_machine_memory_map, &m), 0);
	want(m.nr_entries >= 1 && m.nr_entries <= 128);
	for (i = 0; i < m.nr_entries; i++)
		ram += buf[i].type == 1;
	want(ram);
}

/* XENMEM_set_memory_map refuses bad arguments. */
CASE(mem_set_map_wrong, "MEM-038", 0)
{
	static unsigned char buf[20];
	struct xen_foreign_memory_map f = { .domid = DOMID_SELF };

	want_eq(hyp_memory_op(XENMEM_set_memory_map, BAD_PTR), -EFAULT);
	f.map.nr_entries = 0xffff;
	set_xen_guest_handle(f.map.buffer, buf);
	want_eq(hyp_memory_op(XENMEM_set_memory_map, &f), -EINVAL);
	f.map.nr_entries = 1;
	f.domid = NO_DOMAIN;
	want_eq(hyp_memory_op(XENMEM_set_memory_map, &f), -ESRCH);
}

/* Operations on a guest-physical map are refused to a paravirtual domain. */
CASE(mem_physmap, "MEM-040 MEM-041 MEM-042", 0)
{
	struct xen_add_to_physmap a = {
		.domid = DOMID_SELF, .space = XENMAPSPACE_shared_info,
		.gpfn = virt_pfn(rt_image),
	};
	struct xen_remove_from_physmap r = {
		.domid = DOMID_SELF, .gpfn = virt_pfn(rt_image),
	};

	want(hyp_memory_op(XENMEM_add_to_physmap, &a) < 0);
	a.space = XENMAPSPACE_grant_table;
	want(hyp_memory_op(XENMEM_add_to_physmap, &a) < 0);
	a.space = XENMAPSPACE_gmfn_foreign;
	want_eq(hyp_memory_op(XENMEM_add_to_physmap, &a), -ENOSYS);
	want(hyp_memory_op(XENMEM_remove_from_physmap, &r) < 0);
	want_eq(m2p(virt_mfn(rt_image)), virt_pfn(rt_image));
}

/*
 * XENMEM_claim_pages, XENMEM_acquire_resource and the access, paging and
 * sharing operations are refused to an unprivileged domain.
 */
CASE(mem_refused, "MEM-043 MEM-045 MEM-051", DOMU)
{
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
	struct xen_mem_acquire_resource q = {
		.domid = NO_DOMAIN, .type = XENMEM_resource_grant_table,
	};
	static unsigned char zero[256];

	want_any(hyp_memory_op(XENMEM_claim_pages, &r), -EPERM, -EINVAL);
	want(hyp_memory_op(XENMEM_acquire_resource, &q) < 0);
	q.domid = DOMID_SELF;
	want(hyp_memory_op(XENMEM_acquire_resource, &q) < 0);
	*(uint16_t *)zero = DOMID_SELF;
	want(hyp_memory_op(XENMEM_access_op, zero) < 0);
	want(hyp_memory_op(XENMEM_paging_op, zero) < 0);
	want(hyp_memory_op(XENMEM_sharing_op, zero) < 0);
}

/* XENMEM_get_vnumainfo is refused to a domain without virtual NUMA. */
CASE(mem_vnuma, "MEM-044", 0)
{
	struct xen_vnuma_topology_info v = { .domid = DOMID_SELF };

	want_eq(hyp_memory_op(XENMEM_get_vnumainfo, &v), -EOPNOTSUPP);
	v.pad = 1;
	want_any(hyp_memory_op(XENMEM_get_vnumainfo, &v), -EINVAL, -EOPNOTSUPP);
	want_eq(hyp_memory_op(XENMEM_get_vnumainfo, BAD_PTR), -EFAULT);
}

/* Populate on demand is refused to a paravirtual domain. */
CASE(mem_pod, "MEM-046", 0)
{
	struct xen_pod_target t = { .domid = DOMID_SELF };

	want_any(hyp_memory_op(XENMEM_set_pod_target, &t), -EINVAL, -ENOSYS, -EPERM);
	want_any(hyp_memory_op(XENMEM_get_pod_target, &t), -EINVAL, -ENOSYS, -EPERM);
}

/*
 * XENMEM_get_sharing_freed_pages and other optional queries return a count or
 * an error.
 */
CASE(mem_optional, "MEM-047 MEM-049", 0)
{
	struct { uint32_t a, b; uint64_t h; uint64_t c; } m = { 0 };

	want(hyp_memory_op(XENMEM_get_sharing_freed_pages, NULL) > -4096);
	want(hyp_memory_op(XENMEM_get_sharing_shared_pages, NULL) > -4096);
	want(hyp_memory_op(XENMEM_reserved_device_memory_map, &m) > -4096);
}

/* XENMEM_machphys_compat_mfn_list is refused where 32-bit guests are off. */
CASE(mem_compat_list, "MEM-048", 0)
{
	xen_pfn_t list[1] = { 0 };
	struct xen_machphys_mfn_list l = { .max_extents = 1 };

	set_xen_guest_handle(l.extent_start, list);
	want_any(hyp_memory_op(XENMEM_machphys_compat_mfn_list, &l), 0, -EOPNOTSUPP,
		 -ENOSYS);
}

/* Operations that cannot be continued refuse a start extent. */
CASE(mem_start_extent, "MEM-050", 0)
{
	domid_t dom = DOMID_SELF;
	struct xen_machphys_mapping m;

	want_eq(hyp_memory_op(XENMEM_current_reservation | 1 << 6, &dom), -EINVAL);
	want(hyp_memory_op(XENMEM_machphys_mapping | 5 << 6, &m) < 0);
}

/*
 * The reservation operations and queries of another domain are refused to an
 * unprivileged one.
 */
CASE(mem_other_domain, "MEM-007 MEM-016 MEM-039", DOMU)
{
	struct xen_foreign_memory_map f = { .domid = 0 };
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = 0 };
	static unsigned char buf[20];
	xen_pfn_t frame = 1;
	domid_t dom = 0;

	want_eq(hyp_memory_op(XENMEM_current_reservation, &dom), -EPERM);
	want_eq(hyp_memory_op(XENMEM_maximum_reservation, &dom), -EPERM);
	want_eq(hyp_memory_op(XENMEM_maximum_gpfn, &dom), -EPERM);
	set_xen_guest_handle(r.extent_start, &frame);
	want_eq(hyp_memory_op(XENMEM_decrease_reservation, &r), 0);
	want_eq(hyp_memory_op(XENMEM_populate_physmap, &r), 0);
	f.map.nr_entries = 1;
	set_xen_guest_handle(f.map.buffer, buf);
	want_eq(hyp_memory_op(XENMEM_set_memory_map, &f), -EPERM);
}
