// SPDX-License-Identifier: MIT
/* update_va_mapping, root slots, foreign frames, and flushes. */
#include "common.h"

/* The hypervisor's slots of a root cannot be changed, in use or not. */
CASE(mmu_root_slots, "MMU-022 SOD-029", 0)
{
	uint64_t *own = (uint64_t *)start_info.pt_base, *l4 = table();
	uint64_t *l3 = table();
	unsigned int slot;

	want_eq(pin(4, l4), 0);
	want_eq(pin(3, l3), 0);
	for (slot = 256; slot < 272; slot++) {
		uint64_t before = own[slot];

		want_eq(pte_set(&own[slot], mk_pte(l3, PTE_RW)), -EINVAL);
		want_eq(pte_set(&own[slot], 0), -EINVAL);
		want_eq(own[slot], before);
		want_eq(pte_set(&l4[slot], mk_pte(l3, PTE_RW)), -EINVAL);
	}
	want_eq(unpin(l4), 0);
	want_eq(unpin(l3), 0);
	table_free(l4);
	table_free(l3);
}

/*
 * mmu_update refuses frames that are no RAM of the domain: I/O frames without
 * right, and the all-ones frame.
 */
CASE(mmu_io_frames, "MMU-023", DOMU)
{
	want_eq(map(window(6), 0xfee00000UL | PTE_RW), -EPERM);
	want(map(window(6), 0x000ffffffffff000UL | PTE_RW) < 0);
	want_eq(pte_of(window(6)), 0);
}

/* mmu_update refuses frames of the hypervisor and frames that do not exist. */
CASE(mmu_xen_frames, "MMU-012 MMU-024 MMU-025", 0)
{
	uint64_t *l2 = table();
	unsigned long mfn, tried = 0;

	want_eq(pin(2, l2), 0);
	want(map(window(6), 0x000ffffffffff000UL | PTE_RW) < 0);
	want(map(window(6), 0x000fffff00000000UL | PTE_RO) < 0);
	/* Frames above 1 MiB that are not this domain's. */
	for (mfn = 0x100; mfn < 0x8000 && tried < 200; mfn += 37) {
		unsigned long pfn = m2p(mfn);

		if (pfn < start_info.nr_pages && rt_p2m[pfn] == mfn)
			continue;
		tried++;
		want(pte_set(&l2[0], (uint64_t)mfn << PAGE_SHIFT | PTE_RW) < 0);
		if (!is_dom0())
			want(map(window(6), (uint64_t)mfn << PAGE_SHIFT | PTE_RO) < 0);
	}
	want(tried);
	want_eq(l2[0], 0);
	want_eq(unpin(l2), 0);
	table_free(l2);
}

/* The guest sets or clears the user bit of an entry. */
CASE(mmu_user_bit, "MMU-026", 0)
{
	char *page = page_alloc();

	want_eq(map(window(6), mk_pte(page, PTE_P | PTE_W)), 0);
	want_eq(fault_write(window(6), 5), -1);
	want_eq(pte_of(window(6)) & (PTE_ADDR | PTE_P | PTE_W),
		mk_pte(page, PTE_P | PTE_W));
	want_eq(map(window(6), 0), 0);
	page_free(page);
}

/*
 * A list of thousands of requests is one call, and its count is that of the
 * whole list.
 */
CASE(mmu_long_list, "MMU-027 HCL-010", 0)
{
	unsigned int n = 16 * PAGE_SIZE / sizeof(struct mmu_update), done = 0, i;
	struct mmu_update *u = pages_alloc(16);
	uint64_t *page = page_alloc();

	for (i = 0; i < n; i++) {
		u[i].ptr = virt_maddr(&page[i % 512]);
		u[i].val = i;
	}
	want_eq(hyp_mmu_update(u, n, &done, DOMID_SELF), 0);
	want_eq(done, n);
	for (i = 0; i < 512; i++)
		want_eq(page[i], n - 512 + i);
	page_free(page);
}

static volatile unsigned int step;
static volatile unsigned long seen[4];

static void reader(void *arg)
{
	volatile unsigned long *p = arg;

	seen[0] = *p;
	step = 1;
	until(step == 2, 20000);
	seen[1] = *p;
}

/* Run reader() on vCPU 1 across a change of window(20)'s page and @flush. */
static void seen_by_other(void (*flush)(void *va, uint64_t pte))
{
	unsigned long *a = page_alloc(), *b = page_alloc();
	void *va = window(20);

	a[0] = 0xaaaa;
	b[0] = 0xbbbb;
	want_eq(map(va, mk_pte(a, PTE_RW)), 0);
	step = 0;
	vcpu_run(1, reader, va);
	want(until(step == 1, 20000));
	flush(va, mk_pte(b, PTE_RW));
	step = 2;
	want(vcpu_join(1));
	want_eq(seen[0], 0xaaaa);
	want_eq(seen[1], 0xbbbb);
	want_eq(*(unsigned long *)va, 0xbbbb);
	want_eq(hyp_update_va_mapping((unsigned long)va, 0, UVMF_INVLPG | UVMF_ALL), 0);
	page_free(a);
	page_free(b);
}

static void by_tlb_all(void *va, uint64_t pte)
{
	want_eq(pte_set(pte_at(va, 1), pte), 0);
	want_eq(mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
}

static void by_invlpg_all(void *va, uint64_t pte)
{
	want_eq(pte_set(pte_at(va, 1), pte), 0);
	want_eq(mmuext(MMUEXT_INVLPG_ALL, (unsigned long)va, 0), 0);
}

static void by_tlb_multi(void *va, uint64_t pte)
{
	unsigned long set = 3;

	want_eq(pte_set(pte_at(va, 1), pte), 0);
	want_eq(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, (unsigned long)&set), 0);
}

static void by_invlpg_multi(void *va, uint64_t pte)
{
	/* Bits without a vCPU are ignored. */
	unsigned long set = ~0UL;

	want_eq(pte_set(pte_at(va, 1), pte), 0);
	want_eq(mmuext(MMUEXT_INVLPG_MULTI, (unsigned long)va, (unsigned long)&set), 0);
}

static void by_uvmf_tlb(void *va, uint64_t pte)
{
	want_eq(hyp_update_va_mapping((unsigned long)va, pte,
				      UVMF_TLB_FLUSH | UVMF_ALL), 0);
}

static void by_uvmf_invlpg(void *va, uint64_t pte)
{
	want_eq(hyp_update_va_mapping((unsigned long)va, pte,
				      UVMF_INVLPG | UVMF_ALL), 0);
}

static void by_uvmf_set(void *va, uint64_t pte)
{
	unsigned long set = 3;

	want_eq(hyp_update_va_mapping((unsigned long)va, pte,
				      UVMF_TLB_FLUSH | (unsigned long)&set), 0);
}

/* Another vCPU uses a changed entry after MMUEXT_TLB_FLUSH_ALL. */
CASE(mmu_flush_tlb_all, "MMU-028 MMU-EXT-027", 0)
{
	seen_by_other(by_tlb_all);
}

/* Another vCPU uses a changed entry after MMUEXT_INVLPG_ALL of its address. */
CASE(mmu_flush_invlpg_all, "MMU-028 MMU-EXT-027", 0)
{
	seen_by_other(by_invlpg_all);
}

/*
 * Another vCPU uses a changed entry after MMUEXT_TLB_FLUSH_MULTI with a set
 * that contains it.
 */
CASE(mmu_flush_tlb_multi, "MMU-EXT-024", 0)
{
	seen_by_other(by_tlb_multi);
}

/*
 * Another vCPU uses a changed entry after MMUEXT_INVLPG_MULTI with a set that
 * contains it, and bits without a vCPU are ignored.
 */
CASE(mmu_flush_invlpg_multi, "MMU-EXT-024 MMU-EXT-026", 0)
{
	seen_by_other(by_invlpg_multi);
}

/*
 * Another vCPU uses a changed entry after update_va_mapping with
 * UVMF_TLB_FLUSH on all vCPUs.
 */
CASE(uva_flush_tlb_all, "MMU-UVA-004", 0)
{
	seen_by_other(by_uvmf_tlb);
}

/*
 * Another vCPU uses a changed entry after update_va_mapping with UVMF_INVLPG
 * on all vCPUs.
 */
CASE(uva_flush_invlpg_all, "MMU-UVA-004", 0)
{
	seen_by_other(by_uvmf_invlpg);
}

/*
 * Another vCPU uses a changed entry after update_va_mapping with a flush on a
 * set of vCPUs.
 */
CASE(uva_flush_set, "MMU-UVA-004", 0)
{
	seen_by_other(by_uvmf_set);
}

/* The caller uses its own changed entry after a local flush. */
CASE(mmu_flush_local, "MMU-EXT-022 MMU-UVA-004", 0)
{
	unsigned long *a = page_alloc(), *b = page_alloc();
	volatile unsigned long *va = window(21);
	uint64_t *e = pte_at(va, 1);

	a[0] = 1;
	b[0] = 2;
	want_eq(map((void *)va, mk_pte(a, PTE_RW)), 0);
	want_eq(*va, 1);
	want_eq(pte_set(e, mk_pte(b, PTE_RW)), 0);
	want_eq(mmuext(MMUEXT_INVLPG_LOCAL, (unsigned long)va, 0), 0);
	want_eq(*va, 2);
	want_eq(pte_set(e, mk_pte(a, PTE_RW)), 0);
	want_eq(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
	want_eq(*va, 1);
	want_eq(hyp_update_va_mapping((unsigned long)va, mk_pte(b, PTE_RW),
				      UVMF_TLB_FLUSH | UVMF_LOCAL), 0);
	want_eq(*va, 2);
	want_eq(map((void *)va, 0), 0);
	want_eq(fault_read(va), TRAP_PF);
	page_free(a);
	page_free(b);
}

/*
 * MMUEXT_INVLPG_* of addresses that cannot be mapped returns 0 and has no
 * effect.
 */
CASE(mmu_invlpg_any, "MMU-EXT-023", 0)
{
	unsigned long set = 1;

	want_eq(mmuext(MMUEXT_INVLPG_LOCAL, 0x0000800000000000UL, 0), 0);
	want_eq(mmuext(MMUEXT_INVLPG_LOCAL, (unsigned long)XEN_PTR, 0), 0);
	want_eq(mmuext(MMUEXT_INVLPG_ALL, 0x0000900000000000UL, 0), 0);
	want_eq(mmuext(MMUEXT_INVLPG_MULTI, (unsigned long)XEN_PTR,
		       (unsigned long)&set), 0);
}

/* A flush with a set of vCPUs that cannot be read returns an error. */
CASE(mmu_flush_set_fault, "MMU-EXT-025", 0)
{
	want_any(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, (unsigned long)BAD_PTR),
		 -EINVAL, -EFAULT);
	want_any(mmuext(MMUEXT_INVLPG_MULTI, RT_BASE, (unsigned long)BAD_PTR),
		 -EINVAL, -EFAULT);
}

/* A new level 2 entry is used at once, a removed one no longer. */
CASE(mmu_upper_level, "MMU-029", 0)
{
	uint64_t *l1 = page_alloc(), *l2e = pte_at(window(0), 2) + 2;
	unsigned long *page = page_alloc();
	volatile unsigned long *va = (void *)(RT_WINDOW + (2UL << 21));

	page[0] = 0x1234;
	l1[0] = mk_pte(page, PTE_RW);
	page_ro(l1);
	want_eq(fault_read(va), TRAP_PF);
	want_eq(pte_set(l2e, mk_pte(l1, PTE_RW)), 0);
	want_eq(*va, 0x1234);
	want_eq(pte_set(l2e, 0), 0);
	want_eq(fault_read(va), TRAP_PF);
	table_free(l1);
	page_free(page);
}

static volatile bool saw_root;

static void root_reader(void *arg)
{
	step = 1;
	until(step == 2, 20000);
	saw_root = *(volatile unsigned long *)arg == 0x4321;
	step = 3;
	until(step == 4, 20000);
	saw_root = saw_root && fault_read(arg) == TRAP_PF;
}

/*
 * Every vCPU on a root uses a new entry of it; a removed one is used by none.
 */
CASE(mmu_root_everywhere, "MMU-030", 0)
{
	uint64_t *own = (uint64_t *)start_info.pt_base;
	uint64_t *l3 = table(), *l2 = table(), *l1 = page_alloc();
	unsigned long *page = page_alloc();
	volatile unsigned long *va = (void *)(5UL << 39);

	page[0] = 0x4321;
	l1[0] = mk_pte(page, PTE_RW);
	page_ro(l1);
	want_eq(pin(3, l3), 0);
	want_eq(pin(2, l2), 0);
	want_eq(pte_set(&l2[0], mk_pte(l1, PTE_RW)), 0);
	want_eq(pte_set(&l3[0], mk_pte(l2, PTE_RW)), 0);
	step = 0;
	vcpu_run(1, root_reader, (void *)va);
	want(until(step == 1, 20000));
	want_eq(pte_set(&own[5], mk_pte(l3, PTE_RW)), 0);
	want_eq(*va, 0x4321);
	step = 2;
	want(until(step == 3, 20000));
	want_eq(pte_set(&own[5], 0), 0);
	want_eq(fault_read(va), TRAP_PF);
	step = 4;
	want(vcpu_join(1));
	want(saw_root);
	want_eq(unpin(l3), 0);
	want_eq(unpin(l2), 0);
	table_free(l3);
	table_free(l2);
	table_free(l1);
	page_free(page);
}

/* update_va_mapping refuses addresses without a level 1 table. */
CASE(uva_no_table, "MMU-UVA-002", 0)
{
	char *page = page_alloc();
	uint64_t pte = mk_pte(page, PTE_RW);

	want_eq(hyp_update_va_mapping(0x1000, pte, 0), -EINVAL);
	want_eq(hyp_update_va_mapping(7UL << 39, pte, 0), -EINVAL);
	want_eq(hyp_update_va_mapping(0x0000800000000000UL, pte, 0), -EINVAL);
	want_eq(hyp_update_va_mapping(0xffff800000000000UL, pte, 0), -EINVAL);
	want_eq(hyp_update_va_mapping((unsigned long)XEN_PTR, pte, 0), -EINVAL);
	want_eq(hyp_update_va_mapping(RT_WINDOW + (100UL << 21), pte, 0), -EINVAL);
	page_free(page);
}

/*
 * update_va_mapping changes the entry of one address and not its neighbours'.
 */
CASE(uva_one, "MMU-UVA-001", 0)
{
	char *page = page_alloc();

	want_eq(map(window(31), mk_pte(page, PTE_RO)), 0);
	want_eq(pte_of(window(31)) & (PTE_ADDR | PTE_P | PTE_W), mk_pte(page, PTE_P));
	want_eq(pte_of(window(30)), 0);
	want_eq(pte_of(window(32)), 0);
	want_eq(map(window(31), 0), 0);
	want_eq(pte_of(window(31)), 0);
	page_free(page);
}

/* update_va_mapping leaves the entry and its translation when it is refused. */
CASE(uva_refused, "MMU-UVA-003 MMU-UVA-006", 0)
{
	unsigned long *page = page_alloc();
	uint64_t before;

	page[0] = 99;
	want_eq(map(window(33), mk_pte(page, PTE_RO)), 0);
	before = pte_of(window(33));
	want(map(window(33), mk_pte(window_l1(), PTE_RW)) < 0);
	want(map(window(33), 0x000ffffffffff000UL | PTE_RW) < 0);
	want(map(window(33), mk_pte((void *)start_info.pt_base, PTE_RW)) < 0);
	want_eq(pte_of(window(33)), before);
	want_eq(*(unsigned long *)window(33), 99);
	want_eq(map(window(33), 0), 0);
	want_usable(page);
	page_free(page);
}

/*
 * update_va_mapping with a set of vCPUs that cannot be read returns -EFAULT
 * after it has written the entry.
 */
CASE(uva_set_fault, "MMU-UVA-005", 0)
{
	char *page = page_alloc();
	unsigned long set = (unsigned long)BAD_PTR;

	want_eq(hyp_update_va_mapping((unsigned long)window(34),
				      mk_pte(page, PTE_RW), UVMF_TLB_FLUSH | set),
		-EFAULT);
	want_eq(pte_of(window(34)) & PTE_ADDR, mk_pte(page, 0));
	want_eq(map(window(34), 0), 0);
	page_free(page);
}

/* update_va_mapping_otherdomain with DOMID_SELF acts as update_va_mapping. */
CASE(uva_otherdomain_self, "MMU-UVA-008", 0)
{
	char *page = page_alloc();

	want_eq(rt_call(__HYPERVISOR_update_va_mapping_otherdomain,
			(unsigned long)window(35), mk_pte(page, PTE_RW),
			UVMF_INVLPG | UVMF_LOCAL, DOMID_SELF, 0), 0);
	want_eq(fault_write(window(35), 8), -1);
	want_eq(*(unsigned long *)page, 8);
	want_eq(map(window(35), 0), 0);
	page_free(page);
}
