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

/* A whole entry is written by a plain store, and maps. */
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

/* Smaller aligned writes are done as well. */
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

/* A bad entry is not written: the kernel gets the page fault. */
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

/* Tables of upper levels are not written this way. */
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
 * Without the assist a write faults and writes nothing.  (The hardware domain
 * is helped all the same by some releases, for the sake of I/O pages.)
 */
CASE(wr_off, "MMU-WR-004", DOMU)
{
	uint64_t *l1 = live_l1();

	want(assist(false));
	want_eq(fault_write(&l1[4], 0x1000), TRAP_PF);
	want_eq(l1[4], 0);
}

USER(user_store, "movq $0x1000, (%rdi)\n syscall");

/* User mode is never helped to write a page table. */
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

/* A locked compare-and-exchange works, and tells a mismatch. */
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
