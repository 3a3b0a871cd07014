// SPDX-License-Identifier: MIT
/*
 * Changes of entries that are present already: one bit at a time, at each level,
 * and the references that such a change takes and drops.
 */
#include "common.h"

/* The bits of an entry that the guest wrote and the hypervisor keeps as they are. */
#define KEPT	(PTE_ADDR | PTE_P | PTE_W | PTE_NX | 7UL << 9)

/*
 * A present level 1 entry that becomes read-only drops the frame's writable
 * use, and one that becomes writable takes it: the frame can be a table in the
 * first state only.
 */
CASE(trans_l1_write, "MMU-001 MMU-TYPE-001 MMU-TYPE-007", 0)
{
	char *page = page_alloc();
	uint64_t *e = &window_l1()[60];

	page_ro(page);
	want_eq(pte_set(e, mk_pte(page, PTE_RW)), 0);
	want_eq(pin(1, page), -EINVAL);
	want_eq(pte_set(e, mk_pte(page, PTE_RO)), 0);
	want_eq(mmuext(MMUEXT_INVLPG_LOCAL, (unsigned long)window(60), 0), 0);
	want_eq(fault_write(window(60), 1), TRAP_PF);
	want_eq(pin(1, page), 0);
	want(pte_set(e, mk_pte(page, PTE_RW)) < 0);
	want_eq(*e & KEPT, mk_pte(page, PTE_P));
	want_eq(unpin(page), 0);
	want_eq(pte_set(e, mk_pte(page, PTE_RW)), 0);
	want_eq(fault_write(window(60), 0), -1);
	want_eq(pin(1, page), -EINVAL);
	want_eq(pte_set(e, 0), 0);
	want_usable(page);
	page_free(page);
}

/*
 * The available bits and the no-execute bit of a present level 1 entry change
 * one by one; the frame stays mapped and keeps no reference of the changes.
 */
CASE(trans_l1_bits, "MMU-001 MMU-018 MMU-TYPE-020", 0)
{
	unsigned char *page = page_alloc();
	uint64_t *e = &window_l1()[60], base = mk_pte(page, PTE_RO);
	unsigned int bit;

	page[0] = 0xc3;
	want_eq(pte_set(e, base), 0);
	for (bit = 9; bit < 12; bit++) {
		want_eq(pte_set(e, base | 1UL << bit), 0);
		want_eq(*e & KEPT, (base & KEPT) | 1UL << bit);
		want_eq(pte_set(e, base), 0);
		want_eq(*e & KEPT, base & KEPT);
		want_eq(fault_exec(window(60)), -1);
	}
	want_eq(map(window(60), base | PTE_NX), 0);
	want_eq(fault_exec(window(60)), TRAP_PF);
	want_eq(map(window(60), base), 0);
	want_eq(fault_exec(window(60)), -1);
	want_eq(map(window(60), 0), 0);
	page_free(page);
}

/* A present level 1 entry that names another frame holds that one only. */
CASE(trans_l1_frame, "MMU-001 MMU-TYPE-010", 0)
{
	char *a = page_alloc(), *b = page_alloc();
	uint64_t *e = &window_l1()[60];

	want_eq(pte_set(e, mk_pte(a, PTE_RW)), 0);
	want_eq(pte_set(e, mk_pte(b, PTE_RW)), 0);
	want_usable(a);
	page_ro(b);
	want_eq(pin(1, b), -EINVAL);
	want_eq(pte_set(e, mk_pte(a, PTE_RO)), 0);
	want_usable(b);
	want_eq(pte_set(e, 0), 0);
	page_free(a);
	page_free(b);
}

static uint64_t *chain[5];

/* Pinned tables of level 4 to 2, entry 7 of each naming that of the level below. */
static void chain_make(void)
{
	int level;

	for (level = 1; level <= 4; level++) {
		chain[level] = table();
		want_eq(pin(level, chain[level]), 0);
		if (level > 1)
			want_eq(pte_set(&chain[level][7],
					mk_pte(chain[level - 1], PTE_RW)), 0);
	}
}

static void chain_free(void)
{
	int level;

	for (level = 4; level >= 1; level--) {
		want_eq(unpin(chain[level]), 0);
		want_usable(chain[level]);
		page_free(chain[level]);
	}
}

/*
 * The write, no-execute and available bits of a present entry of levels 2 to 4
 * change one by one; the table below stays a table, held once.
 */
CASE(trans_upper_bits, "MMU-001 MMU-018", 0)
{
	static const uint64_t bits[] = { PTE_W, PTE_NX, 1UL << 9, 1UL << 10, 1UL << 11 };
	unsigned int i;
	int level;

	chain_make();
	for (level = 2; level <= 4; level++) {
		uint64_t base = mk_pte(chain[level - 1], PTE_RW);

		for (i = 0; i < ARRAY_SIZE(bits); i++) {
			want_eq(pte_set(&chain[level][7], base ^ bits[i]), 0);
			want_eq(chain[level][7] & KEPT, (base ^ bits[i]) & KEPT);
			want_eq(pte_set(&chain[level][7], base), 0);
			want_eq(chain[level][7] & KEPT, base & KEPT);
		}
	}
	chain_free();
}

/*
 * Flags that a guest may not set are refused on a present entry of levels 2 to
 * 4 as on an empty one, and the entry stays.
 */
CASE(trans_upper_flags, "MMU-018 MMU-019", 0)
{
	static const uint64_t bits[] = { PTE_PWT, PTE_PCD, PTE_PSE, PTE_G };
	unsigned int i;
	int level;

	chain_make();
	for (level = 2; level <= 4; level++) {
		uint64_t base = mk_pte(chain[level - 1], PTE_RW), before;

		before = chain[level][7];
		for (i = 0; i < ARRAY_SIZE(bits); i++) {
			want_eq(pte_set(&chain[level][7], base | bits[i]), -EINVAL);
			want_eq(chain[level][7], before);
			want_eq(pte_set(&chain[level][8], base | bits[i]), -EINVAL);
			want_eq(chain[level][8], 0);
		}
	}
	chain_free();
}

/*
 * A present entry of levels 2 to 4 that names another table holds that one
 * only, and the old table is free at once.
 */
CASE(trans_upper_frame, "MMU-001 MMU-TYPE-010", 0)
{
	int level;

	chain_make();
	for (level = 2; level <= 4; level++) {
		uint64_t *other = table(), *old = chain[level - 1];

		want_eq(pte_set(&chain[level][7], mk_pte(other, PTE_RW)), 0);
		want(map(window(61), mk_pte(other, PTE_RW)) < 0);
		want_eq(unpin(old), 0);
		want_usable(old);
		page_ro(old);
		want_eq(pin(level - 1, old), 0);
		want_eq(pte_set(&chain[level][7], mk_pte(old, PTE_RW)), 0);
		want_usable(other);
		page_free(other);
	}
	chain_free();
}

/*
 * A present read-only entry that names a table of its own level, where such
 * entries are permitted, cannot be made writable.
 */
CASE(trans_linear, "MMU-TYPE-014", 0)
{
	int level;

	for (level = 2; level <= 4; level++) {
		uint64_t *t = table();

		want_eq(pin(level, t), 0);
		if (!pte_set(&t[1], mk_pte(t, PTE_RO))) {
			want_eq(pte_set(&t[1], mk_pte(t, PTE_RW)), -EINVAL);
			want_eq(t[1] & PTE_W, 0);
			want_eq(pte_set(&t[1], 0), 0);
		}
		want_eq(unpin(t), 0);
		want_usable(t);
		page_free(t);
	}
}

/*
 * A request of type 2 keeps the accessed and dirty bits of entries of every
 * level, a request of type 0 clears them. (An accessed bit in a root may be set
 * by the hypervisor, as a processor may that reads ahead.)
 */
CASE(trans_preserve_ad, "MMU-014", 0)
{
	const uint64_t ad = PTE_A | PTE_D;
	char *page = page_alloc();
	int level;

	chain_make();
	for (level = 1; level <= 4; level++) {
		uint64_t *e = &chain[level][7];
		uint64_t base = mk_pte(level > 1 ? (void *)chain[level - 1] : page, PTE_P | PTE_U);

		want_eq(pte_set(e, base | PTE_W | ad), 0);
		want_eq(*e & ad, ad);
		want_eq(mmu_one(virt_maddr(e) | MMU_PT_UPDATE_PRESERVE_AD, base), 0);
		want_eq(*e & (ad | PTE_W), ad);
		want_eq(pte_set(e, base), 0);
		want_eq(*e & (level < 4 ? ad : PTE_D), 0);
		want_eq(mmu_one(virt_maddr(e) | MMU_PT_UPDATE_PRESERVE_AD, base | PTE_A), 0);
		want_eq(*e & ad, PTE_A);
	}
	want_eq(pte_set(&chain[1][7], 0), 0);
	chain_free();
	page_free(page);
}

/*
 * A pin that is refused for one bad entry, at each level and at the first, a
 * middle and the last place, leaves every frame of the other entries free.
 */
CASE(trans_pin_refused, "MMU-EXT-011 MMU-TYPE-012 MMU-TYPE-015", 0)
{
	static const unsigned int at[] = { 0, 200, 255 };
	uint64_t *bad = page_alloc();
	unsigned int i;
	int level;

	for (level = 1; level <= 4; level++) {
		for (i = 0; i < ARRAY_SIZE(at); i++) {
			uint64_t *good = page_alloc(), *t = page_alloc();
			unsigned int n;

			page_ro(good);
			for (n = 0; n < 256; n += 50)
				t[n] = mk_pte(good, PTE_RW);
			/* A frame that is writable is no table; no frame is at the top. */
			t[at[i]] = level > 1 ? mk_pte(bad, PTE_RW) : PTE_ADDR | PTE_RW;
			page_ro(t);
			want_eq(pin(level, t), -EINVAL);
			want_usable(t);
			want_usable(good);
			page_free(t);
			page_free(good);
		}
	}
	page_free(bad);
}

/*
 * Operations that are refused for the frame they name keep no reference: a
 * table, and a frame of a table in use, are free afterwards.
 */
CASE(trans_refused_free, "MMU-EXT-013 MMU-EXT-016 MMU-EXT-034 MMU-EXT-036 MMU-TYPE-015", 0)
{
	uint64_t *t = table();
	char *page = page_alloc();
	unsigned int i;

	want_eq(pin(2, t), 0);
	for (i = 0; i < 3; i++) {
		want_eq(pin(2, t), -EINVAL);
		want_eq(pin(1, t), -EINVAL);
		want_eq(unpin(page), -EINVAL);
		want_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_mfn(t), 0), -EINVAL);
		want_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, virt_mfn(t), 0), -EINVAL);
		want_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, virt_mfn(page), 0), -EINVAL);
		want_eq(mmuext(MMUEXT_CLEAR_PAGE, virt_mfn(t), 0), -EINVAL);
		want_eq(mmuext(MMUEXT_COPY_PAGE, virt_mfn(t), virt_mfn(page)), -EINVAL);
		want_eq(mmuext(MMUEXT_COPY_PAGE, 0xfffffffUL, virt_mfn(page)), -EINVAL);
		want_eq(mmuext(MMUEXT_COPY_PAGE, virt_mfn(page), 0xfffffffUL), -EINVAL);
		want_eq(mmu_one(virt_maddr(page) | 7, 0), -ENOSYS);
		want_eq(pte_set(&t[3], mk_pte(page, PTE_RW)), -EINVAL);
		want(map(window(62), mk_pte(t, PTE_RW)) < 0);
	}
	want_eq(unpin(t), 0);
	want_usable(t);
	want_usable(page);
	page_free(t);
	page_free(page);
}

/* Roots of both kinds that were in use are free when another is in their place. */
CASE(trans_root_free, "MMU-EXT-015 MMU-EXT-018 MMU-EXT-019 MMU-EXT-020", 0)
{
	uint64_t *l4 = root_new(), *user = table();
	unsigned long before = user_cr3();
	unsigned int i;

	for (i = 0; i < 3; i++) {
		want_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_mfn(l4), 0), 0);
		want_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_mfn(l4), 0), 0);
		want_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, virt_mfn(user), 0), 0);
		want_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, virt_mfn(user), 0), 0);
		want(map(window(62), mk_pte(user, PTE_RW)) < 0);
		want_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, before, 0), 0);
		want_eq(mmuext(MMUEXT_NEW_BASEPTR, rt_boot_cr3, 0), 0);
	}
	want_usable(l4);
	want_usable(user);
	page_free(l4);
	page_free(user);
}
