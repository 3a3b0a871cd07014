// SPDX-License-Identifier: MIT
/* mmu_update: good and bad requests of each kind, and lists that stop. */
#include "common.h"

static long update_dom(uint64_t ptr, uint64_t val, unsigned int dom)
{
	struct mmu_update u = { .ptr = ptr, .val = val };

	return hyp_mmu_update(&u, 1, NULL, dom);
}

/* mmu_update writes entries of every level, and they read back as written. */
CASE(mmu_levels, "MMU-001", 0)
{
	uint64_t *l1 = table(), *l2 = table(), *l3 = table(), *l4 = table();
	char *page = page_alloc();

	want_eq(pin(4, l4), 0);
	want_eq(pin(3, l3), 0);
	want_eq(pin(2, l2), 0);
	want_eq(pin(1, l1), 0);
	want_eq(pte_set(&l1[7], mk_pte(page, PTE_RW)), 0);
	want_eq(pte_set(&l2[8], mk_pte(l1, PTE_RW)), 0);
	want_eq(pte_set(&l3[9], mk_pte(l2, PTE_RW)), 0);
	want_eq(pte_set(&l4[3], mk_pte(l3, PTE_RW)), 0);
	want_eq(l1[7] & (PTE_ADDR | PTE_P | PTE_W), mk_pte(page, PTE_P | PTE_W));
	want_eq(l2[8] & (PTE_ADDR | PTE_P), mk_pte(l1, PTE_P));
	want_eq(l3[9] & (PTE_ADDR | PTE_P), mk_pte(l2, PTE_P));
	want_eq(l4[3] & (PTE_ADDR | PTE_P), mk_pte(l3, PTE_P));
	want_eq(pte_set(&l4[3], 0), 0);
	want_eq(l4[3], 0);
	want_eq(unpin(l4), 0);
	want_eq(unpin(l3), 0);
	want_eq(unpin(l2), 0);
	want_eq(unpin(l1), 0);
	table_free(l4);
	table_free(l3);
	table_free(l2);
	want_eq(l1[7] & PTE_P, PTE_P);
	table_free(l1);
	want_usable(page);
	page_free(page);
}

/* mmu_update writes the eight bytes as they are to an ordinary page. */
CASE(mmu_ordinary_page, "MMU-002", 0)
{
	uint64_t *page = page_alloc();

	want_eq(pte_set(&page[5], 0xdeadbeefcafef00dUL), 0);
	want_eq(page[5], 0xdeadbeefcafef00dUL);
	want_eq(page[4] | page[6], 0);
	page_free(page);
}

/* mmu_update returns -ENOSYS for request types above those defined. */
CASE(mmu_type, "MMU-003", 0)
{
	uint64_t *page = page_alloc();
	unsigned int type;

	for (type = 4; type < 8; type++)
		want_eq(mmu_one(virt_maddr(page) | type, 1), -ENOSYS);
	want_eq(page[0], 0);
	page_free(page);
}

/*
 * mmu_update performs the requests before an unreadable one and returns
 * -EFAULT.
 */
CASE(mmu_fault, "MMU-004 MMU-005", 0)
{
	uint64_t *page = page_alloc();
	struct mmu_update *u;
	unsigned int done = 99;

	want_eq(hyp_mmu_update(BAD_PTR, 1, NULL, DOMID_SELF), -EFAULT);
	want_eq(map(window(4), mk_pte(page, PTE_RW)), 0);
	u = (struct mmu_update *)((char *)window(5) - sizeof(*u));
	u->ptr = virt_maddr(&page[1]);
	u->val = 0x77;
	want_eq(hyp_mmu_update(u, 2, &done, DOMID_SELF), -EFAULT);
	want_eq(done, 1);
	want_eq(page[1], 0x77);
	want_eq(map(window(4), 0), 0);
	page_free(page);
}

/* mmu_update stores the number of requests done, on success and on failure. */
CASE(mmu_done, "MMU-005 MMU-006", 0)
{
	uint64_t *page = page_alloc();
	struct mmu_update u[4];
	unsigned int done = 99, i;

	for (i = 0; i < 4; i++) {
		u[i].ptr = virt_maddr(&page[i]);
		u[i].val = 0x100 + i;
	}
	want_eq(hyp_mmu_update(u, 4, &done, DOMID_SELF), 0);
	want_eq(done, 4);
	u[2].ptr |= 7;
	for (i = 0; i < 4; i++)
		u[i].val = 0x200 + i;
	done = 99;
	want_eq(hyp_mmu_update(u, 4, &done, DOMID_SELF), -ENOSYS);
	want_eq(done, 2);
	want_eq(page[0], 0x200);
	want_eq(page[1], 0x201);
	want_eq(page[2], 0x102);
	want_eq(page[3], 0x103);
	page_free(page);
}

/*
 * mmu_update refuses domains that do not exist, and the caller's own number in
 * place of DOMID_SELF.
 */
CASE(mmu_domains, "MMU-007 MMU-008 MMU-009", 0)
{
	uint64_t *page = page_alloc();
	uint64_t ptr = virt_maddr(page);

	want_eq(update_dom(ptr, 1, NO_DOMAIN), -ESRCH);
	want_eq(update_dom(ptr, 1, DOMID_SELF | (NO_DOMAIN + 1) << 16), -ESRCH);
	want_eq(update_dom(ptr, 1, own_domid()), -ESRCH);
	want_eq(page[0], 0);
	page_free(page);
}

/*
 * mmu_update refuses a table that is not the caller's frame or does not exist.
 */
CASE(mmu_not_ours, "MMU-012", 0)
{
	want_eq(mmu_one(0xfffffff000UL, 0), -EINVAL);
	want_eq(mmu_one(0x7ffffffffff000UL, 0), -EINVAL);
	/* The hypervisor's own first frames. */
	want_eq(mmu_one(0x8000, 0x1234), -EINVAL);
}

/* mmu_update does not write a descriptor table. */
CASE(mmu_descriptor_table, "MMU-013", 0)
{
	uint64_t *gdt = page_alloc();
	unsigned long mfn = virt_mfn(gdt);

	gdt[1] = 0x00cff3000000ffffUL;
	page_ro(gdt);
	want_eq(hyp_set_gdt(&mfn, 512), 0);
	want_eq(pte_set(&gdt[3], 0), -EINVAL);
	want_eq(pte_set(&gdt[1], 0), -EINVAL);
	want(gdt[1] != 0);
	want_eq(hyp_set_gdt(NULL, 0), 0);
	table_free(gdt);
}

/*
 * A request of type 2 keeps accessed and dirty bits that the processor has set
 * meanwhile.
 */
CASE(mmu_preserve_ad, "MMU-014", 0)
{
	char *page = page_alloc();
	uint64_t *e = &window_l1()[12];

	want_eq(map(window(12), mk_pte(page, PTE_P | PTE_U | PTE_W)), 0);
	*(volatile char *)window(12) = 1;
	want_eq(READ_ONCE(*e) & (PTE_A | PTE_D), PTE_A | PTE_D);
	want_eq(mmu_one(virt_maddr(e) | MMU_PT_UPDATE_PRESERVE_AD,
			mk_pte(page, PTE_P | PTE_U)), 0);
	want_eq(READ_ONCE(*e) & (PTE_A | PTE_D | PTE_W), PTE_A | PTE_D);
	want_eq(mmu_one(virt_maddr(e), mk_pte(page, PTE_P | PTE_U)), 0);
	want_eq(READ_ONCE(*e) & (PTE_A | PTE_D), 0);
	want_eq(map(window(12), 0), 0);
	page_free(page);
}

/* A request of type 3 acts as one of type 0 for a paravirtual domain. */
CASE(mmu_no_translate, "MMU-015", 0)
{
	uint64_t *page = page_alloc();

	want_any(mmu_one(virt_maddr(page) | MMU_PT_UPDATE_NO_TRANSLATE, 0x42),
		 0, -ENOSYS);
	want(page[0] == 0x42 || page[0] == 0);
	page_free(page);
}

/*
 * A request of type 1 sets the machine-to-phys entry of a frame of the domain.
 */
CASE(mmu_machphys, "MMU-016", 0)
{
	char *page = page_alloc();
	unsigned long mfn = virt_mfn(page), pfn = virt_pfn(page);
	uint64_t ptr = (uint64_t)mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE;

	want_eq(mmu_one(ptr, 0x12345), 0);
	want_eq(m2p(mfn), 0x12345);
	want_eq(mmu_one(ptr, pfn), 0);
	want_eq(m2p(mfn), pfn);
	page_free(page);
}

/*
 * A request of type 1 for a frame that is not the domain's is refused and
 * leaves its machine-to-phys entry.
 */
CASE(mmu_machphys_foreign, "MMU-017", 0)
{
	unsigned long before = m2p(9);

	want(mmu_one(0x9000 | MMU_MACHPHYS_UPDATE, 5) < 0);
	want_eq(m2p(9), before);
	want_any(mmu_one(0xfffffffff000UL | MMU_MACHPHYS_UPDATE, 5), -EINVAL, -EPERM);
}

/*
 * mmu_update refuses flags that a guest may not set in present entries of any
 * level.
 */
CASE(mmu_flags, "MMU-018", 0)
{
	uint64_t *l1 = table(), *l2 = table();
	char *page = page_alloc();
	unsigned int bit;

	want_eq(pin(1, l1), 0);
	want_eq(pin(2, l2), 0);
	for (bit = 9; bit < 12; bit++) {
		want_eq(pte_set(&l1[1], mk_pte(page, PTE_RW | 1UL << bit)), 0);
		want(l1[1] >> bit & 1);
	}
	want_eq(pte_set(&l2[0], mk_pte(l1, PTE_RW | PTE_PCD)), -EINVAL);
	want_eq(pte_set(&l2[0], mk_pte(l1, PTE_RW | PTE_PWT)), -EINVAL);
	want_eq(pte_set(&l2[0], mk_pte(l1, PTE_RW | PTE_G)), -EINVAL);
	want_eq(l2[0], 0);
	want_eq(unpin(l2), 0);
	want_eq(unpin(l1), 0);
	table_free(l2);
	table_free(l1);
	page_free(page);
}

/* mmu_update refuses cache attributes to a domain without hardware. */
CASE(mmu_cache_attributes, "MMU-018", DOMU)
{
	char *page = page_alloc();

	want_eq(map(window(6), mk_pte(page, PTE_RW | PTE_PCD)), -EINVAL);
	want_eq(map(window(6), mk_pte(page, PTE_RW | PTE_PWT)), -EINVAL);
	want_eq(map(window(6), mk_pte(page, PTE_RW | PTE_PSE)), -EINVAL);
	want_eq(pte_of(window(6)), 0);
	page_free(page);
}

/* mmu_update refuses superpages. */
CASE(mmu_superpage, "MMU-019 MMU-EXT-037", 0)
{
	uint64_t *l2 = table();
	char *page = page_alloc();

	want_eq(pin(2, l2), 0);
	want_eq(pte_set(&l2[0], (mk_pte(page, PTE_RW) & ~0x1ff000UL) | PTE_PSE),
		-EINVAL);
	want_eq(l2[0], 0);
	want_eq(unpin(l2), 0);
	table_free(l2);
	page_free(page);
	want_eq(mmuext(MMUEXT_MARK_SUPER, 0, 0), -EOPNOTSUPP);
	want_eq(mmuext(MMUEXT_UNMARK_SUPER, 0, 0), -EOPNOTSUPP);
}

/*
 * mmu_update writes entries that are not present as they are, and they hold no
 * reference.
 */
CASE(mmu_not_present, "MMU-020 MMU-021", 0)
{
	uint64_t *l1 = table(), *l2 = table();
	char *page = page_alloc();

	want_eq(pin(1, l1), 0);
	want_eq(pte_set(&l1[0], 0xfffffffffffffffeUL & ~PTE_ADDR), 0);
	want_eq(l1[0], 0xfffffffffffffffeUL & ~PTE_ADDR);
	/* Address bits that name no memory. */
	want_eq(pte_set(&l1[1], 0x000ffffffffff000UL), 0);
	want_eq(l1[1], 0x000ffffffffff000UL);
	want_eq(pin(2, l2), 0);
	want_eq(pte_set(&l2[3], 0x000ffffffffff0f8UL), 0);
	want_eq(l2[3], 0x000ffffffffff0f8UL);
	want_eq(unpin(l2), 0);
	want_eq(unpin(l1), 0);
	table_free(l2);
	table_free(l1);
	page_free(page);
}
