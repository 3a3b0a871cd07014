// SPDX-License-Identifier: MIT
/* memory_op at its limits, and lists of which one element is bad. */
#include "common.h"

/*
 * XENMEM_exchange with one bad frame at the first, a middle or the last place
 * stores how many it exchanged; the others stay the domain's, with their
 * contents and entries of the machine-to-phys table, and none is lost.
 */
CASE(mem_exchange_middle, "MEM-027", 0)
{
	char *page[3] = { page_alloc(), page_alloc(), page_alloc() };
	unsigned int bad, i;

	for (bad = 0; bad < 3; bad++) {
		xen_pfn_t in[3], out[3], mfn[3];
		struct xen_memory_exchange x;
		long before = current();

		for (i = 0; i < 3; i++) {
			memset(page[i], 0x30 + (int)i, PAGE_SIZE);
			mfn[i] = virt_mfn(page[i]);
			in[i] = mfn[i];
			out[i] = virt_pfn(page[i]);
			/* The bad one is still mapped. */
			if (i != bad)
				want_eq(map(page[i], 0), 0);
		}
		x = exchange(in, 3, out, 3);
		want(hyp_memory_op(XENMEM_exchange, &x) < 0);
		want(x.nr_exchanged <= bad);
		want_eq(current(), before);
		for (i = 0; i < 3; i++) {
			bool same = i >= x.nr_exchanged;

			if (!same)
				rt_p2m[virt_pfn(page[i])] = out[i];
			want_eq(m2p(virt_mfn(page[i])), virt_pfn(page[i]));
			want_eq(map(page[i], mk_pte(page[i], PTE_RW)), 0);
			want(!same || mfn[i] == virt_mfn(page[i]));
			want(!same || mem_is(page[i], 0x30 + (int)i, PAGE_SIZE));
		}
	}
	for (i = 0; i < 3; i++)
		page_free(page[i]);
}

/* XENMEM_exchange refuses two domain numbers that differ, though both mean the caller. */
CASE(mem_exchange_domains, "MEM-029", 0)
{
	char *page = page_alloc();
	xen_pfn_t in = virt_mfn(page), out = virt_pfn(page);
	struct xen_memory_exchange x = exchange(&in, 1, &out, 1);

	want_eq(map(page, 0), 0);
	x.out.domid = (domid_t)own_domid();
	want_eq(hyp_memory_op(XENMEM_exchange, &x), -EINVAL);
	want_eq(x.nr_exchanged, 0);
	want_eq(map(page, mk_pte(page, PTE_RW)), 0);
	page_free(page);
}

/*
 * XENMEM_exchange of sizes that differ in the order only, or in the count only,
 * is refused and exchanges nothing.
 */
CASE(mem_exchange_sizes, "MEM-025", 0)
{
	char *page = page_alloc();
	xen_pfn_t in[2] = { virt_mfn(page) }, out[2] = { virt_pfn(page) };
	struct xen_memory_exchange x = exchange(in, 1, out, 1);

	want_eq(map(page, 0), 0);
	x.out.extent_order = 1;
	want_eq(hyp_memory_op(XENMEM_exchange, &x), -EINVAL);
	x = exchange(in, 1, out, 1);
	x.out.nr_extents = 2;
	want_eq(hyp_memory_op(XENMEM_exchange, &x), -EINVAL);
	x = exchange(in, 1, out, 1);
	x.in.nr_extents = 0;
	want_eq(hyp_memory_op(XENMEM_exchange, &x), -EINVAL);
	want_eq(map(page, mk_pte(page, PTE_RW)), 0);
	page_free(page);
}

/*
 * XENMEM_machphys_mfn_list and, in the initial domain, XENMEM_machine_memory_map
 * store no more elements than requested; the second may refuse too few.
 */
CASE(mem_list_length, "MEM-033", 0)
{
	static xen_pfn_t list[4];
	static unsigned char map_of[20 * 4];
	struct xen_machphys_mfn_list l = { .max_extents = 0 };
	struct xen_memory_map m = { .nr_entries = 1 };

	memset(list, 0x5a, sizeof(list));
	set_xen_guest_handle(l.extent_start, list);
	want_eq(hyp_memory_op(XENMEM_machphys_mfn_list, &l), 0);
	want_eq(l.nr_extents, 0);
	want(mem_is(list, 0x5a, sizeof(list)));
	if (!is_dom0())
		return;
	memset(map_of, 0x5a, sizeof(map_of));
	set_xen_guest_handle(m.buffer, map_of);
	want_any(hyp_memory_op(XENMEM_machine_memory_map, &m), 0, -EINVAL);
	want(mem_is(map_of + 20, 0x5a, sizeof(map_of) - 20));
}

/* XENMEM_current_reservation counts a frame that was given back as one less, each. */
CASE(mem_count, "MEM-002 MEM-009 MEM-017", 0)
{
	char *page[4];
	xen_pfn_t mfn[4], pfn[4];
	long before = current();
	unsigned int i;

	for (i = 0; i < 4; i++) {
		page[i] = page_alloc();
		mfn[i] = virt_mfn(page[i]);
		pfn[i] = virt_pfn(page[i]);
		want_eq(map(page[i], 0), 0);
	}
	want_eq(reserve(XENMEM_decrease_reservation, mfn, 3, 0), 3);
	want_eq(current(), before - 3);
	want_eq(reserve(XENMEM_populate_physmap, pfn, 3, 0), 3);
	want_eq(current(), before);
	/* The fourth of each list was not asked for. */
	want_eq(pfn[3], virt_pfn(page[3]));
	pfn[3] = mfn[3];
	for (i = 0; i < 4; i++) {
		want_eq(m2p(pfn[i]), virt_pfn(page[i]));
		rt_p2m[virt_pfn(page[i])] = pfn[i];
		want_eq(map(page[i], mk_pte(page[i], PTE_RW)), 0);
		page_free(page[i]);
	}
}

/* Whether frame @mfn is below the limit that @width bits of address set. */
static bool below(xen_pfn_t mfn, unsigned int width)
{
	return !(mfn >> (width - PAGE_SHIFT));
}

/*
 * Every address width limits the frames that XENMEM_increase_reservation and
 * XENMEM_populate_physmap allocate; one up to the page shift allocates none, and one
 * that holds all of RAM always one.
 */
CASE(mem_width_reserve, "MEM-022 MEM-052", 0)
{
	static const unsigned int ops[] = {
		XENMEM_increase_reservation, XENMEM_populate_physmap,
	};
	char *page = page_alloc();
	long top = hyp_memory_op(XENMEM_maximum_ram_page, NULL), before = current();
	xen_pfn_t mfn = virt_mfn(page);
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
	unsigned int i, width;

	want_eq(map(page, 0), 0);
	set_xen_guest_handle(r.extent_start, &mfn);
	want_eq(hyp_memory_op(XENMEM_decrease_reservation, &r), 1);
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		for (width = 1; width <= 52; width++) {
			long ret;

			mfn = virt_pfn(page);
			r.mem_flags = XENMEMF_address_bits(width);
			ret = hyp_memory_op(ops[i], &r);
			want_any(ret, 0, 1);
			want(!ret || (width > PAGE_SHIFT && below(mfn, width)));
			want(ret || width <= PAGE_SHIFT || !below((xen_pfn_t)top - 1, width));
			want_eq(current(), before - 1 + ret);
			r.mem_flags = 0;
			if (ret)
				want_eq(hyp_memory_op(XENMEM_decrease_reservation, &r), 1);
		}
	}
	mfn = virt_pfn(page);
	want_eq(hyp_memory_op(XENMEM_populate_physmap, &r), 1);
	rt_p2m[virt_pfn(page)] = mfn;
	want_eq(map(page, mk_pte(page, PTE_RW)), 0);
	page_free(page);
}

/*
 * Every address width limits the frames that XENMEM_exchange allocates; where no
 * frame is left it returns -ENOMEM, and the old one stays the domain's.
 */
CASE(mem_width_exchange, "MEM-052 MEM-053", 0)
{
	char *page = page_alloc();
	xen_pfn_t in, out;
	long before = current();
	unsigned int width, none = 0;

	memset(page, 0x6b, PAGE_SIZE);
	want_eq(map(page, 0), 0);
	for (width = 13; width <= 52; width++) {
		struct xen_memory_exchange x = exchange(&in, 1, &out, 1);
		long ret;

		in = virt_mfn(page);
		out = virt_pfn(page);
		x.out.mem_flags = XENMEMF_address_bits(width);
		ret = hyp_memory_op(XENMEM_exchange, &x);
		want_any(ret, 0, -ENOMEM);
		want_eq(x.nr_exchanged, !ret);
		want_eq(current(), before);
		if (ret) {
			none++;
			want_eq(out, virt_pfn(page));
		} else {
			want(below(out, width));
			rt_p2m[virt_pfn(page)] = out;
		}
		want_eq(m2p(virt_mfn(page)), virt_pfn(page));
		want_eq(map(page, mk_pte(page, PTE_RW)), 0);
		want(width - 12 != none || mem_is(page, 0x6b, PAGE_SIZE));
		want_eq(map(page, 0), 0);
	}
	want_eq(map(page, mk_pte(page, PTE_RW)), 0);
	page_free(page);
}

/*
 * The runtime's page_renew() takes -ENOMEM of XENMEM_exchange for what it is: the
 * hypervisor had taken the frame, so nothing else refers to it, and it had no other.
 */
CASE(mem_renew_no_memory, "MEM-053", 0)
{
	char *page = page_alloc();
	unsigned long mfn = virt_mfn(page);
	bool renewed, freed;

	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0), -EINVAL);
	page_renew_width = 13;
	renewed = page_renew(page);
	page_ro(page);
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, virt_mfn(page), 0), 0);
	freed = page_renew(page);
	page_renew_width = 0;
	want_eq(mmuext(MMUEXT_UNPIN_TABLE, virt_mfn(page), 0), 0);
	page_rw(page);
	want(renewed);
	/* While it is a table it cannot be exchanged. */
	want(!freed);
	want_eq(fault_write(page, 1), -1);
	needs(virt_mfn(page) == mfn, "the hypervisor has a frame below 8 KiB");
	page_free(page);
}

/* Four adjacent pages, out of the linear map; page @kept, if it is one of them, is not. */
static void unmap_four(char *page, unsigned int kept, xen_pfn_t *mfn)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		mfn[i] = virt_mfn(page + i * PAGE_SIZE);
		memset(page + i * PAGE_SIZE, 0x40 + (int)i, PAGE_SIZE);
		if (i != kept)
			want_eq(map(page + i * PAGE_SIZE, 0), 0);
	}
}

/* All four are as unmap_four() found them, and mapped again. */
static void kept_four(char *page, const xen_pfn_t *mfn)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		char *p = page + i * PAGE_SIZE;

		want_eq(virt_mfn(p), mfn[i]);
		want_eq(m2p(mfn[i]), virt_pfn(p));
		want_eq(map(p, mk_pte(p, PTE_RW)), 0);
		want(mem_is(p, 0x40 + (int)i, PAGE_SIZE));
	}
}

/* All four have the frames @mfn now. */
static void new_four(char *page, const xen_pfn_t *mfn)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		char *p = page + i * PAGE_SIZE;

		want_eq(m2p(mfn[i]), virt_pfn(p));
		rt_p2m[virt_pfn(p)] = mfn[i];
		want_eq(map(p, mk_pte(p, PTE_RW)), 0);
	}
}

/*
 * XENMEM_exchange of four frames for one extent of four, and back, exchanges nothing
 * when any of the four is in use: none is lost, and contents and entries of the
 * machine-to-phys table stay. When none is, the extent is aligned and its four frames
 * have the four pages' entries.
 */
CASE(mem_exchange_chunk, "MEM-024 MEM-027", 0)
{
	char *page = pages_alloc(4);
	xen_pfn_t mfn[4], one;
	struct xen_memory_exchange x;
	long before = current(), ret;
	unsigned int i;

	for (i = 0; i <= 4; i++) {
		unmap_four(page, i, mfn);
		one = virt_pfn(page);
		x = exchange(mfn, 4, &one, 1);
		x.out.extent_order = 2;
		ret = hyp_memory_op(XENMEM_exchange, &x);
		want_eq(current(), before);
		if (!ret)
			break;
		want(i < 4 || ret == -ENOMEM);
		want_eq(x.nr_exchanged, 0);
		kept_four(page, mfn);
	}
	needs(!ret, "the hypervisor has no four adjacent frames");
	want_eq(i, 4);
	want_eq(x.nr_exchanged, 4);
	want_eq(one & 3, 0);
	for (i = 0; i < 4; i++)
		mfn[i] = one + i;
	new_four(page, mfn);
	for (i = 0; i <= 4; i++) {
		xen_pfn_t fresh[4], first = one;
		unsigned int j;

		unmap_four(page, i, mfn);
		for (j = 0; j < 4; j++)
			fresh[j] = virt_pfn(page) + j;
		x = exchange(&first, 1, fresh, 4);
		x.in.extent_order = 2;
		ret = hyp_memory_op(XENMEM_exchange, &x);
		want_eq(current(), before);
		want(ret ? i < 4 || ret == -ENOMEM : i == 4);
		want_eq(x.nr_exchanged, !ret);
		if (ret)
			kept_four(page, mfn);
		else
			new_four(page, fresh);
	}
	for (i = 0; i < 4; i++)
		page_free(page + i * PAGE_SIZE);
}

/*
 * XENMEM_exchange with a list that can be read in part exchanges the frames before the
 * unreadable place and stores how many they are; the others stay the domain's.
 */
CASE(mem_exchange_fault, "MEM-028 MEM-054", 0)
{
	char *list = page_alloc(), *page[3] = { page_alloc(), page_alloc(), page_alloc() };
	xen_pfn_t *in = (xen_pfn_t *)window(121) - 2, out[3];
	struct xen_memory_exchange x;
	long before = current();
	unsigned int i;

	want_eq(map(window(120), mk_pte(list, PTE_RW)), 0);
	for (i = 0; i < 3; i++) {
		if (i < 2)
			in[i] = virt_mfn(page[i]);
		out[i] = virt_pfn(page[i]);
		want_eq(map(page[i], 0), 0);
	}
	x = exchange(in, 3, out, 3);
	want_eq(hyp_memory_op(XENMEM_exchange, &x), -EFAULT);
	want_eq(x.nr_exchanged, 2);
	want_eq(current(), before);
	want_eq(out[2], virt_pfn(page[2]));
	for (i = 0; i < 3; i++) {
		if (i < 2)
			rt_p2m[virt_pfn(page[i])] = out[i];
		want_eq(m2p(virt_mfn(page[i])), virt_pfn(page[i]));
		want_eq(map(page[i], mk_pte(page[i], PTE_RW)), 0);
		page_free(page[i]);
	}
	want_eq(map(window(120), 0), 0);
	page_free(list);
}
