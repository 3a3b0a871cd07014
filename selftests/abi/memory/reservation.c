// SPDX-License-Identifier: MIT
/* memory_op: pages given back, taken, exchanged; maps and queries. */
#include "case.h"

/* The public header shows these to tools only. */
#ifndef XENMEM_claim_pages
#define XENMEM_get_sharing_freed_pages	18
#define XENMEM_get_sharing_shared_pages	19
#define XENMEM_paging_op		20
#define XENMEM_access_op		21
#define XENMEM_sharing_op		22
#define XENMEM_claim_pages		24
#define XENMEM_reserved_device_memory_map 27
#endif

static long query(unsigned int op)
{
	domid_t dom = DOMID_SELF;

	return hyp_memory_op(op, &dom);
}

static long current(void)
{
	return query(XENMEM_current_reservation);
}

static long reserve(unsigned int op, xen_pfn_t *list, unsigned long n,
		    unsigned int order)
{
	struct xen_memory_reservation r = {
		.nr_extents = n, .extent_order = order, .domid = DOMID_SELF,
	};

	set_xen_guest_handle(r.extent_start, list);
	return hyp_memory_op(op, &r);
}

/* Take @page out of the linear map; its frame, to be given back. */
static xen_pfn_t unmapped(void *page)
{
	xen_pfn_t mfn = virt_mfn(page);

	if (map(page, 0))
		panic("cannot unmap a page");
	return mfn;
}

/* Put frame @mfn behind @page. */
static void remap(void *page, xen_pfn_t mfn)
{
	rt_p2m[virt_pfn(page)] = mfn;
	if (mmu_one((uint64_t)mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, virt_pfn(page)))
		panic("cannot set the machine-to-phys entry");
	if (map(page, mk_pte(page, PTE_RW)))
		panic("cannot map a page");
}

/* Operations that do not exist are refused by name. */
CASE(mem_unknown, "MEM-001", 0)
{
	want_eq(hyp_memory_op(60, BAD_PTR), -ENOSYS);
}

/* The reservation follows pages given back and taken, within its limit. */
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

/* The largest pseudo-physical page is what the guest wrote. */
CASE(mem_maximum_gpfn, "MEM-004", 0)
{
	shared_info->arch.max_pfn = 0x4321;
	want_eq(query(XENMEM_maximum_gpfn), 0x4320);
	shared_info->arch.max_pfn = 0;
	want(query(XENMEM_maximum_gpfn) <= 0);
}

/* Queries about nobody, and with nothing to read. */
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

/* The end of RAM lies above every frame of ours. */
CASE(mem_ram_page, "MEM-008", 0)
{
	long top = hyp_memory_op(XENMEM_maximum_ram_page, NULL);
	unsigned long i;

	for (i = 0; i < start_info.nr_pages; i++)
		if (rt_p2m[i] != ~0UL)
			want((long)rt_p2m[i] < top);
}

/* A frame of nobody stops the operation: what came before is done. */
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

/* The same frame twice is given back once. */
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

/* Orders and counts out of proportion do nothing. */
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

/* Nothing that can be read means nothing done. */
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

/* Populate stops at the maximum reservation. */
CASE(mem_populate_limit, "MEM-018", 0)
{
	static xen_pfn_t list[256];
	long left = query(XENMEM_maximum_reservation) - current(), got, i;

	needs(left >= 0 && left < 200, "the domain may take far more memory");
	for (i = 0; i < 256; i++)
		list[i] = 0x100000 + i;
	got = reserve(XENMEM_populate_physmap, list, 256, 0);
	want(got <= left);
	if (got)
		want_eq(reserve(XENMEM_decrease_reservation, list, got, 0), got);
}

/* Pages that come from the hypervisor are clean. */
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
		/* Another domain's contents would be foreign; ours may be back. */
		want(mem_is(page, 0, PAGE_SIZE) || mem_is(page, 0xa7, PAGE_SIZE));
	}
	page_free(page);
}

/* Increase gives frames and names them. */
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

/* An address width limits the frames, one below a page gives none. */
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

static struct xen_memory_exchange exchange(xen_pfn_t *in, unsigned long nin,
					   xen_pfn_t *out, unsigned long nout)
{
	struct xen_memory_exchange x;

	memset(&x, 0, sizeof(x));
	x.in.nr_extents = nin;
	x.out.nr_extents = nout;
	x.in.domid = DOMID_SELF;
	x.out.domid = DOMID_SELF;
	set_xen_guest_handle(x.in.extent_start, in);
	set_xen_guest_handle(x.out.extent_start, out);
	return x;
}

/* Frames are exchanged one for one; ours knows the page it stands for. */
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

/* Lists that do not match, run over, or name no domain. */
CASE(mem_exchange_wrong, "MEM-025 MEM-026 MEM-028 MEM-029", 0)
{
	char *page = page_alloc();
	xen_pfn_t in[2] = { virt_mfn(page) }, out[2] = { virt_pfn(page) };
	struct xen_memory_exchange x = exchange(in, 1, out, 2);

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
	want_eq(virt_mfn(page), in[0]);
	want_eq(fault_write(page, 1), -1);
	page_free(page);
}

/* Frames in use are not exchanged and stay what they are. */
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

/* Where the machine-to-phys table is. */
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

/* The frames that hold it, as many as asked for. */
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

/* The domain's memory map, if somebody set one. */
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

/* The machine's own map is the initial domain's to read. */
CASE(mem_machine_map_refused, "MEM-036", DOMU)
{
	static unsigned char buf[20 * 128];
	struct xen_memory_map m = { .nr_entries = 128 };

	set_xen_guest_handle(m.buffer, buf);
	want_eq(hyp_memory_op(XENMEM_machine_memory_map, &m), -EPERM);
}

/* And holds RAM. */
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

/* Setting a map: arguments that cannot be. */
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

/* Guest-physical maps are not for paravirtual domains. */
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

/* Claims and foreign resources are for privileged domains. */
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

/* No virtual NUMA. */
CASE(mem_vnuma, "MEM-044", 0)
{
	struct xen_vnuma_topology_info v = { .domid = DOMID_SELF };

	want_eq(hyp_memory_op(XENMEM_get_vnumainfo, &v), -EOPNOTSUPP);
	v.pad = 1;
	want_any(hyp_memory_op(XENMEM_get_vnumainfo, &v), -EINVAL, -EOPNOTSUPP);
	want_eq(hyp_memory_op(XENMEM_get_vnumainfo, BAD_PTR), -EFAULT);
}

/* No populate on demand. */
CASE(mem_pod, "MEM-046", 0)
{
	struct xen_pod_target t = { .domid = DOMID_SELF };

	want_any(hyp_memory_op(XENMEM_set_pod_target, &t), -EINVAL, -ENOSYS, -EPERM);
	want_any(hyp_memory_op(XENMEM_get_pod_target, &t), -EINVAL, -ENOSYS, -EPERM);
}

/* Counts that may be had or not. */
CASE(mem_optional, "MEM-047 MEM-049", 0)
{
	struct { uint32_t a, b; uint64_t h; uint64_t c; } m = { 0 };

	want(hyp_memory_op(XENMEM_get_sharing_freed_pages, NULL) > -4096);
	want(hyp_memory_op(XENMEM_get_sharing_shared_pages, NULL) > -4096);
	want(hyp_memory_op(XENMEM_reserved_device_memory_map, &m) > -4096);
}

/* The table for 32-bit guests, where there are any. */
CASE(mem_compat_list, "MEM-048", 0)
{
	xen_pfn_t list[1] = { 0 };
	struct xen_machphys_mfn_list l = { .max_extents = 1 };

	set_xen_guest_handle(l.extent_start, list);
	want_any(hyp_memory_op(XENMEM_machphys_compat_mfn_list, &l), 0, -EOPNOTSUPP,
		 -ENOSYS);
}

/* Operations that are not continued take no start extent. */
CASE(mem_start_extent, "MEM-050", 0)
{
	domid_t dom = DOMID_SELF;
	struct xen_machphys_mapping m;

	want_eq(hyp_memory_op(XENMEM_current_reservation | 1 << 6, &dom), -EINVAL);
	want(hyp_memory_op(XENMEM_machphys_mapping | 5 << 6, &m) < 0);
}

/* The control domain's memory is out of a guest's reach. */
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
