// SPDX-License-Identifier: MIT
/* Writes to page tables through read-only mappings, with the assist and without. */
#include "common.h"

/* A level 1 table in use, with window(60 + i) mapped by entry i of its own. */
static uint64_t *live_l1(void)
{
	static uint64_t *l1;

	if (!l1) {
		l1 = table();
		if (pte_set(pte_at(window(0), 2) + 3, mk_pte(l1, PTE_RW)))
			panic("cannot attach a live table");
	}
	return l1;
}

static volatile unsigned long *live_va(unsigned int i)
{
	return (void *)(RT_WINDOW + (3UL << 21) + i * PAGE_SIZE);
}

static bool assist(bool on)
{
	return hyp_vm_assist(on ? VMASST_CMD_enable : VMASST_CMD_disable,
			     VMASST_TYPE_writable_pagetables) == 0;
}

/*
 * With the assist a plain store of 8 bytes writes a level 1 entry, and the
 * entry maps.
 */
CASE(wr_store, "MMU-WR-001", 0)
{
	uint64_t *l1 = live_l1();
	unsigned long *page = page_alloc();

	page[0] = 0x600d;
	want(assist(true));
	want_eq(fault_write(&l1[1], mk_pte(page, PTE_RW)), -1);
	want_eq(l1[1] & (PTE_ADDR | PTE_P | PTE_W), mk_pte(page, PTE_P | PTE_W));
	want_eq(*live_va(1), 0x600d);
	want_eq(fault_write(&l1[1], 0), -1);
	want_eq(mmuext(MMUEXT_INVLPG_LOCAL, (unsigned long)live_va(1), 0), 0);
	want_eq(fault_read(live_va(1)), TRAP_PF);
	want(assist(false));
	want_usable(page);
	page_free(page);
}

INSN(store4, "movl $0x1000, (%%rdi)")
INSN(store2, "movw $0x2000, (%%rdi)")
INSN(store1, "movb $0x40, (%%rdi)")

/*
 * With the assist smaller aligned writes to a level 1 table are performed as
 * well.
 */
CASE(wr_small, "MMU-WR-001", 0)
{
	uint64_t *l1 = live_l1();

	want(assist(true));
	want_eq(trap_of(store4, &l1[2]).vec, -1);
	want_eq(l1[2], 0x1000);
	want_eq(trap_of(store2, &l1[2]).vec, -1);
	want_eq(l1[2], 0x2000);
	want_eq(trap_of(store1, &l1[2]).vec, -1);
	want_eq(l1[2], 0x2040);
	want_eq(pte_set(&l1[2], 0), 0);
	want(assist(false));
}

/*
 * With the assist a bad entry is not written: the kernel gets the page fault.
 */
CASE(wr_checked, "MMU-WR-002", 0)
{
	uint64_t *l1 = live_l1();

	want(assist(true));
	want_eq(fault_write(&l1[3], mk_pte((void *)start_info.pt_base, PTE_RW)),
		TRAP_PF);
	want_eq(l1[3], 0);
	want_eq(fault_write(&l1[3], 0x000ffffffffff000UL | PTE_RW), TRAP_PF);
	want_eq(l1[3], 0);
	want(assist(false));
}

/* Writes to tables of upper levels fault with the assist as well. */
CASE(wr_upper, "MMU-WR-003", 0)
{
	uint64_t *l2e = pte_at(window(0), 2), *l4 = (uint64_t *)start_info.pt_base;

	want(assist(true));
	want_eq(fault_write(l2e + 9, 0x1000), TRAP_PF);
	want_eq(fault_write(pte_at(window(0), 3) - 7, 0x1000), TRAP_PF);
	want_eq(fault_write(&l4[1], 0x1000), TRAP_PF);
	want_eq(l4[1], 0);
	want_eq(l2e[9], 0);
	want(assist(false));
}

/*
 * Without the assist a write faults and writes nothing. (Some releases perform
 * it for the hardware domain, whose writes take the emulation path of I/O
 * pages.)
 */
CASE(wr_off, "MMU-WR-004", DOMU)
{
	uint64_t *l1 = live_l1();

	want(assist(false));
	want_eq(fault_write(&l1[4], 0x1000), TRAP_PF);
	want_eq(l1[4], 0);
}

USER(user_store, "movq $0x1000, (%rdi)\n syscall");

/* A write by user mode to a page table faults with the assist as well. */
CASE(wr_user, "MMU-WR-005", 0)
{
	uint64_t *l1 = live_l1();
	struct trap t;

	want(assist(true));
	user_init();
	want_eq(pte_set(user_entry(USER_DATA + 0x10000), mk_pte(l1, PTE_RO)), 0);
	t = user_call(user_store, USER_DATA + 0x10000 + 5 * 8);
	want_eq(t.vec, TRAP_PF);
	want(t.user);
	want_eq(l1[5], 0);
	want_eq(pte_set(user_entry(USER_DATA + 0x10000), 0), 0);
	want(assist(false));
}

static void exchange(void *arg)
{
	uint64_t **p = arg;
	uint64_t old = (uint64_t)p[1];

	asm volatile("lock cmpxchgq %2, (%1)"
		     : "+a" (old) : "r" (p[0]), "r" (p[2]) : "memory", "cc");
	p[3] = (uint64_t *)old;
}

/*
 * A locked compare-and-exchange on a level 1 entry is performed, and a
 * mismatch is reported.
 */
CASE(wr_cmpxchg, "MMU-WR-006", 0)
{
	uint64_t *l1 = live_l1();
	uint64_t *args[4] = { &l1[6], 0, (uint64_t *)0x3000, 0 };

	want(assist(true));
	want_eq(trap_of(exchange, args).vec, -1);
	want_eq(args[3], 0);
	want_eq(l1[6], 0x3000);
	args[2] = (uint64_t *)0x5000;
	want_eq(trap_of(exchange, args).vec, -1);
	want_eq(args[3], 0x3000);
	want_eq(l1[6], 0x3000);
	want_eq(pte_set(&l1[6], 0), 0);
	want(assist(false));
}

/*
 * Emulated writes and exchanges of present entries hold the new frame and drop
 * the old one; an exchange that finds another value holds nothing new.
 */
CASE(wr_references, "MMU-WR-001 MMU-WR-006 MMU-TYPE-010", 0)
{
	uint64_t *l1 = live_l1();
	unsigned long *a = page_alloc(), *b = page_alloc(), before;
	uint64_t *args[4];

	want(assist(true));
	want_eq(fault_write(&l1[7], mk_pte(a, PTE_RW)), -1);
	want_eq(fault_write(&l1[7], mk_pte(b, PTE_RW)), -1);
	want_usable(a);
	before = l1[7];
	/* Another value than the entry's: nothing changes. */
	args[0] = &l1[7];
	args[1] = (uint64_t *)(before ^ 1UL << 9);
	args[2] = (uint64_t *)mk_pte(a, PTE_RW);
	want_eq(trap_of(exchange, args).vec, -1);
	want_eq((uint64_t)args[3], before);
	want_eq(l1[7], before);
	want_usable(a);
	/* The entry's value: it is replaced. */
	args[1] = (uint64_t *)before;
	args[2] = (uint64_t *)mk_pte(a, PTE_RW);
	want_eq(trap_of(exchange, args).vec, -1);
	want_eq((uint64_t)args[3], before);
	want_eq(l1[7] & PTE_ADDR, mk_pte(a, 0));
	want_usable(b);
	page_ro(a);
	want_eq(pin(1, a), -EINVAL);
	want_eq(fault_write(&l1[7], 0), -1);
	want(assist(false));
	want_usable(a);
	page_free(a);
	page_free(b);
}

/* A frame's tables from level 3 to 1, not pinned, entry 0 of each in use. */
static void tree_make(uint64_t **t, const void *page)
{
	int level;

	for (level = 1; level <= 3; level++) {
		t[level] = page_alloc();
		t[level][0] = level == 1 ? mk_pte(page, PTE_RO) : mk_pte(t[level - 1], PTE_RW);
		page_ro(t[level]);
	}
}

static void tree_free(uint64_t **t)
{
	int level;

	for (level = 3; level >= 1; level--)
		table_free(t[level]);
}

INSN(load_ldt_1, "mov $0x0f, %%eax; mov %%eax, %%es; xor %%eax, %%eax; mov %%eax, %%es")

/*
 * One address names one table under one root and another under the next: an
 * emulated write changes that of the root in use, and a selector is loaded from
 * the LDT page of the root in use.
 */
CASE(wr_other_root, "MMU-WR-001 MMU-EXT-015 TRP-DT-014", 0)
{
	uint64_t *own = (uint64_t *)start_info.pt_base, *l4 = root_new();
	uint64_t *ta[4], *tb[4], *la = table(), *lb = table();
	volatile uint64_t *va = (void *)(6UL << 39);

	tree_make(ta, la);
	tree_make(tb, lb);
	want_eq(pin(1, la), 0);
	want_eq(pin(1, lb), 0);
	page_rw(l4);
	l4[6] = mk_pte(tb[3], PTE_RW);
	page_ro(l4);
	want_eq(pte_set(&own[6], mk_pte(ta[3], PTE_RW)), 0);
	want(assist(true));
	want_eq(fault_write(&va[3], 0x1000), -1);
	want_eq(la[3], 0x1000);
	want_eq(lb[3], 0);
	want_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_mfn(l4), 0), 0);
	want_eq(fault_write(&va[3], 0x2000), -1);
	want_eq(la[3], 0x1000);
	want_eq(lb[3], 0x2000);
	want_eq(mmuext(MMUEXT_NEW_BASEPTR, rt_boot_cr3, 0), 0);
	want_eq(fault_write(&va[3], 0), -1);
	want_eq(la[3], 0);
	want_eq(lb[3], 0x2000);
	want(assist(false));
	want_eq(unpin(la), 0);
	want_eq(unpin(lb), 0);
	/* The two frames as LDTs: entry 1 is a data segment in the first only. */
	want_eq(hyp_update_descriptor(virt_maddr(&la[1]), 0x00cff3000000ffffUL), 0);
	want_eq(hyp_update_descriptor(virt_maddr(&lb[3]), 0), 0);
	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)va, 512), 0);
	want_eq(trap_of(load_ldt_1, NULL).vec, -1);
	want_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_mfn(l4), 0), 0);
	want_trap(load_ldt_1, NULL, TRAP_GP);
	want_eq(mmuext(MMUEXT_NEW_BASEPTR, rt_boot_cr3, 0), 0);
	want_eq(trap_of(load_ldt_1, NULL).vec, -1);
	want_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
	want_eq(pte_set(&own[6], 0), 0);
	table_free(l4);
	tree_free(ta);
	tree_free(tb);
	table_free(la);
	table_free(lb);
}
