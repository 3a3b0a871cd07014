// SPDX-License-Identifier: MIT
/* mmuext_op: pins, roots, the LDT, page operations, and lists of them. */
#include "common.h"

/* mmuext_op returns -ENOSYS for an unknown operation. */
CASE(ext_unknown, "MMU-EXT-001", 0)
{
	want_eq(mmuext(60, 0, 0), -ENOSYS);
	want_eq(mmuext(0x7fffffff, 0, 0), -ENOSYS);
}

/*
 * mmuext_op performs the operations before an unreadable one and returns
 * -EFAULT.
 */
CASE(ext_fault, "MMU-EXT-002 MMU-EXT-003", 0)
{
	uint64_t *l1 = table();
	char *page = page_alloc();
	struct mmuext_op *op;
	unsigned int done = 99;

	want_eq(hyp_mmuext_op(BAD_PTR, 1, NULL, DOMID_SELF), -EFAULT);
	want_eq(map(window(40), mk_pte(page, PTE_RW)), 0);
	op = (void *)((char *)window(41) - sizeof(*op));
	op->cmd = MMUEXT_PIN_L1_TABLE;
	op->arg1.mfn = virt_mfn(l1);
	want_eq(hyp_mmuext_op(op, 2, &done, DOMID_SELF), -EFAULT);
	want_eq(done, 1);
	want_eq(unpin(l1), 0);
	want_eq(map(window(40), 0), 0);
	table_free(l1);
	page_free(page);
}

/*
 * mmuext_op stops at the first failing operation and stores the number of
 * operations done.
 */
CASE(ext_done, "MMU-EXT-003", 0)
{
	struct mmuext_op op[3] = {
		{ .cmd = MMUEXT_TLB_FLUSH_LOCAL }, { .cmd = 60 },
		{ .cmd = MMUEXT_PIN_L1_TABLE },
	};
	uint64_t *l1 = table();
	unsigned int done = 99;

	op[2].arg1.mfn = virt_mfn(l1);
	want_eq(hyp_mmuext_op(op, 3, &done, DOMID_SELF), -ENOSYS);
	want_eq(done, 1);
	want_eq(unpin(l1), -EINVAL);
	op[1].cmd = MMUEXT_TLB_FLUSH_LOCAL;
	want_eq(hyp_mmuext_op(op, 3, &done, DOMID_SELF), 0);
	want_eq(done, 3);
	want_eq(unpin(l1), 0);
	table_free(l1);
}

/* mmuext_op refuses domains that do not exist, and the caller's own number. */
CASE(ext_domains, "MMU-EXT-004", 0)
{
	struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };

	want_eq(hyp_mmuext_op(&op, 1, NULL, NO_DOMAIN), -ESRCH);
	want_eq(hyp_mmuext_op(&op, 1, NULL, own_domid()), -ESRCH);
}

/*
 * A frame can be pinned at each level, is held while pinned, and is free after
 * the unpin.
 */
CASE(ext_pin, "MMU-EXT-006 MMU-EXT-012 MMU-TYPE-010", 0)
{
	int level;

	for (level = 1; level <= 4; level++) {
		uint64_t *t = table();

		want_eq(pin(level, t), 0);
		want(hyp_update_va_mapping((unsigned long)t, mk_pte(t, PTE_RW), 0) < 0);
		want_eq(unpin(t), 0);
		want_usable(t);
		page_free(t);
	}
}

/* A pin of a pinned table is refused and adds no reference. */
CASE(ext_pin_twice, "MMU-EXT-007 MMU-EXT-013", 0)
{
	uint64_t *t = table();

	want_eq(pin(4, t), 0);
	want_eq(pin(4, t), -EINVAL);
	want_eq(unpin(t), 0);
	want_eq(unpin(t), -EINVAL);
	want_usable(t);
	page_free(t);
}

/* A frame that is not the domain's cannot be pinned or unpinned. */
CASE(ext_pin_foreign, "MMU-EXT-008 MMU-EXT-013", 0)
{
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, 0xfffffffUL, 0), -EINVAL);
	want_eq(mmuext(MMUEXT_PIN_L4_TABLE, ~0UL, 0), -EINVAL);
	want_eq(mmuext(MMUEXT_PIN_L1_TABLE, 8, 0), -EINVAL);
	want_eq(mmuext(MMUEXT_UNPIN_TABLE, 0xfffffffUL, 0), -EINVAL);
	want_eq(mmuext(MMUEXT_UNPIN_TABLE, 8, 0), -EINVAL);
}

/* A frame that is mapped writable cannot become a table of any level. */
CASE(ext_pin_writable, "MMU-EXT-009 MMU-TYPE-007", 0)
{
	char *page = page_alloc();
	int level;

	for (level = 1; level <= 4; level++)
		want_eq(pin(level, page), -EINVAL);
	/* A second, writable mapping refuses the pin as well. */
	want_eq(map(window(42), mk_pte(page, PTE_RW)), 0);
	page_ro(page);
	want_eq(pin(1, page), -EINVAL);
	want_eq(map(window(42), mk_pte(page, PTE_RO)), 0);
	want_eq(pin(1, page), 0);
	want_eq(unpin(page), 0);
	want_eq(map(window(42), 0), 0);
	want_usable(page);
	page_free(page);
}

/* A table in use at one level cannot be pinned at another. */
CASE(ext_pin_level, "MMU-EXT-010 MMU-TYPE-009", 0)
{
	int used, level;

	for (used = 1; used <= 4; used++) {
		uint64_t *t = table();

		want_eq(pin(used, t), 0);
		for (level = 1; level <= 4; level++)
			if (level != used)
				want_eq(pin(level, t), -EINVAL);
		want_eq(unpin(t), 0);
		want_usable(t);
		page_free(t);
	}
}

/*
 * A table with one bad entry is refused, and the frames of its good entries
 * are free afterwards.
 */
CASE(ext_pin_bad_entry, "MMU-EXT-011 MMU-TYPE-012 MMU-TYPE-015", 0)
{
	char *good = page_alloc();
	uint64_t *l1 = page_alloc();
	static const unsigned int at[] = { 0, 255, 511 };
	unsigned int i;

	page_ro(good);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		memset(l1, 0, PAGE_SIZE);
		l1[100] = mk_pte(good, PTE_RW);
		l1[at[i]] = 0x000ffffffffff000UL | PTE_RW;
		page_ro(l1);
		want(pin(1, l1) < 0);
		page_rw(l1);
		l1[at[i]] = mk_pte((void *)start_info.pt_base, PTE_RW);
		page_ro(l1);
		want(pin(1, l1) < 0);
		page_rw(l1);
	}
	want_usable(good);
	want_usable(l1);
	page_free(good);
	page_free(l1);
}

/* Tables below a pinned one lose their type with its pin, not before. */
CASE(ext_unpin_tree, "MMU-EXT-012 MMU-TYPE-010", 0)
{
	uint64_t *l1 = page_alloc(), *l2 = page_alloc(), *l3 = page_alloc();
	char *page = page_alloc();

	page_ro(page);
	l1[0] = mk_pte(page, PTE_RW);
	page_ro(l1);
	l2[0] = mk_pte(l1, PTE_RW);
	page_ro(l2);
	l3[0] = mk_pte(l2, PTE_RW);
	page_ro(l3);
	want_eq(pin(3, l3), 0);
	want_eq(pin(2, l2), 0);
	want_eq(pin(1, page), -EINVAL);
	want_eq(unpin(l3), 0);
	/* l2 is still pinned, so l1 is still a table and page writable by it. */
	want(hyp_update_va_mapping((unsigned long)l1, mk_pte(l1, PTE_RW), 0) < 0);
	want_eq(pin(1, page), -EINVAL);
	want_eq(unpin(l2), 0);
	want_usable(l3);
	want_usable(l2);
	want_usable(l1);
	want_usable(page);
	page_free(l1);
	page_free(l2);
	page_free(l3);
	page_free(page);
}

/* The running root may be unpinned; it stays a root while in use. */
CASE(ext_unpin_running, "MMU-EXT-014 MMU-TYPE-004", 0)
{
	void *l4 = (void *)start_info.pt_base;

	want_eq(unpin(l4), 0);
	want(map(window(43), mk_pte(l4, PTE_RW)) < 0);
	want_eq(unpin(l4), -EINVAL);
	want_eq(pin(4, l4), 0);
}

/*
 * MMUEXT_NEW_BASEPTR switches to a root, pinned or not, at once; the root is
 * held while in use.
 */
CASE(ext_new_root, "MMU-EXT-015 MMU-EXT-017 MMU-EXT-018", 0)
{
	uint64_t *l4 = root_new();

	want_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_mfn(l4), 0), 0);
	want_eq(own_cr3(), virt_mfn(l4));
	want(map(window(44), mk_pte(l4, PTE_RW)) < 0);
	want_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_mfn(l4), 0), 0);
	want_eq(mmuext(MMUEXT_NEW_BASEPTR, rt_boot_cr3, 0), 0);
	want_eq(own_cr3(), rt_boot_cr3);
	want_usable(l4);
	page_free(l4);
}

/*
 * MMUEXT_NEW_BASEPTR refuses frames that cannot be a root, and the old root
 * stays.
 */
CASE(ext_new_root_wrong, "MMU-EXT-016", 0)
{
	uint64_t *l1 = table();
	char *page = page_alloc();

	want_eq(pin(1, l1), 0);
	want_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_mfn(l1), 0), -EINVAL);
	want_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_mfn(page), 0), -EINVAL);
	want_eq(mmuext(MMUEXT_NEW_BASEPTR, 0xfffffffUL, 0), -EINVAL);
	want_eq(own_cr3(), rt_boot_cr3);
	want_eq(unpin(l1), 0);
	table_free(l1);
	page_free(page);
}

USER(user_read_data, "mov (%rdi), %rsi\n syscall");

/*
 * MMUEXT_NEW_USER_BASEPTR sets the user root for the next return to user mode
 * and refuses a bad one.
 */
CASE(ext_user_root, "MMU-EXT-019 MMU-EXT-021", 0)
{
	char *page = page_alloc();
	struct trap t;

	*(unsigned long *)user_page(USER_DATA) = 0x5151;
	t = user_call(user_read_data, USER_DATA);
	want_eq(t.vec, RT_VEC_SYSCALL);
	want_eq(t.f.rsi, 0x5151);
	want_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, virt_mfn(page), 0), -EINVAL);
	want_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, 0xfffffffUL, 0), -EINVAL);
	t = user_call(user_read_data, USER_DATA);
	want_eq(t.f.rsi, 0x5151);
	page_free(page);
}

/*
 * MMUEXT_NEW_USER_BASEPTR with frame 0 removes the user root and frees the old
 * one.
 */
CASE(ext_user_root_zero, "MMU-EXT-020", 0)
{
	unsigned long mfn = user_cr3();
	uint64_t *l4 = mfn_virt(mfn);

	want_eq(unpin(l4), 0);
	want(map(window(45), mk_pte(l4, PTE_RW)) < 0);
	want_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
	want_eq(map(window(45), mk_pte(l4, PTE_RW)), 0);
	want_eq(map(window(45), 0), 0);
	want_eq(pin(4, l4), 0);
	want_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn, 0), 0);
}

/* Cache flushes are refused to a domain without hardware. */
CASE(ext_cache_flush, "MMU-EXT-028 MMU-EXT-029", DOMU)
{
	want_eq(mmuext(MMUEXT_FLUSH_CACHE, 0, 0), -EACCES);
	want_any(mmuext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), -EINVAL, -EACCES);
}

INSN(load_ldt, "mov $0x0f, %%eax; mov %%eax, %%es; xor %%eax, %%eax; mov %%eax, %%es")

/*
 * The selectors of an LDT can be loaded, its frame has the descriptor type,
 * and dropping the LDT frees the frame.
 */
CASE(ext_ldt, "MMU-EXT-030 MMU-EXT-032 TRP-DT-014 MMU-TYPE-005", 0)
{
	uint64_t *ldt = page_alloc();

	ldt[1] = 0x00cff3000000ffffUL;
	page_ro(ldt);
	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)ldt, 512), 0);
	want_eq(trap_of(load_ldt, NULL).vec, -1);
	want(map(window(46), mk_pte(ldt, PTE_RW)) < 0);
	want_eq(try_contents(ldt), 0);
	want_eq(mmuext(MMUEXT_SET_LDT, 0x1234, 0), 0);
	want_trap(load_ldt, NULL, TRAP_GP);
	want_usable(ldt);
	page_free(ldt);
}

static volatile enum { LDT_IDLE, LDT_IN_USE, LDT_LEAVE } ldt_use;
static volatile int other_ldt_vec;

static void use_ldt(void *ldt)
{
	long ret = mmuext(MMUEXT_SET_LDT, (unsigned long)ldt, 512);

	other_ldt_vec = ret ? (int)ret : trap_of(load_ldt, NULL).vec;
	ldt_use = LDT_IN_USE;
	until(ldt_use == LDT_LEAVE, 20000);
	mmuext(MMUEXT_SET_LDT, 0, 0);
}

/*
 * An LDT page that another vCPU has used stays a descriptor table until that vCPU
 * drops or replaces its LDT, whatever this vCPU does with its own.
 */
CASE(ext_ldt_each_vcpu, "MMU-EXT-039 MMU-EXT-032 VCP-061", 0)
{
	uint64_t *ldt = page_alloc();

	ldt[1] = 0x00cff3000000ffffUL;
	page_ro(ldt);
	ldt_use = LDT_IDLE;
	vcpu_run(1, use_ldt, ldt);
	want(until(ldt_use == LDT_IN_USE, 20000));
	want_eq(other_ldt_vec, -1);
	want_trap(load_ldt, NULL, TRAP_GP);
	want(map(ldt, mk_pte(ldt, PTE_RW)) < 0);
	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)ldt, 512), 0);
	want_eq(trap_of(load_ldt, NULL).vec, -1);
	want_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
	want(map(ldt, mk_pte(ldt, PTE_RW)) < 0);
	want_eq(try_contents(ldt), 0);
	ldt_use = LDT_LEAVE;
	want(vcpu_join(1));
	want_usable(ldt);
	page_free(ldt);
}

/* MMUEXT_SET_LDT refuses bad arguments and the old LDT stays in use. */
CASE(ext_ldt_wrong, "MMU-EXT-031", 0)
{
	uint64_t *ldt = page_alloc();

	ldt[1] = 0x00cff3000000ffffUL;
	page_ro(ldt);
	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)ldt, 512), 0);
	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)ldt, 8193), -EINVAL);
	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)ldt + 8, 8), -EINVAL);
	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)XEN_PTR, 8), -EINVAL);
	want_eq(trap_of(load_ldt, NULL).vec, -1);
	want_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
	table_free(ldt);
}

/* MMUEXT_CLEAR_PAGE clears a page of the domain and not the next one. */
CASE(ext_clear, "MMU-EXT-033", 0)
{
	char *p = pages_alloc(2);

	memset(p, 0x77, 2 * PAGE_SIZE);
	want_eq(mmuext(MMUEXT_CLEAR_PAGE, virt_mfn(p), 0), 0);
	want(mem_is(p, 0, PAGE_SIZE));
	want(mem_is(p + PAGE_SIZE, 0x77, PAGE_SIZE));
}

/* MMUEXT_CLEAR_PAGE refuses tables and frames that are not the domain's. */
CASE(ext_clear_wrong, "MMU-EXT-034", 0)
{
	uint64_t *l1 = page_alloc();

	l1[5] = 0xabcde000;
	page_ro(l1);
	want_eq(pin(1, l1), 0);
	want_eq(mmuext(MMUEXT_CLEAR_PAGE, virt_mfn(l1), 0), -EINVAL);
	want_eq(mmuext(MMUEXT_CLEAR_PAGE, 0xfffffffUL, 0), -EINVAL);
	want_eq(mmuext(MMUEXT_CLEAR_PAGE, 8, 0), -EINVAL);
	want_eq(l1[5], 0xabcde000);
	want_eq(unpin(l1), 0);
	table_free(l1);
}

static long copy_page(unsigned long to, unsigned long from)
{
	return mmuext(MMUEXT_COPY_PAGE, to, from);
}

/*
 * MMUEXT_COPY_PAGE copies one page to another; the source may be a page table.
 */
CASE(ext_copy, "MMU-EXT-035", 0)
{
	char *a = page_alloc(), *b = page_alloc();

	memset(a, 0x3c, PAGE_SIZE);
	want_eq(copy_page(virt_mfn(b), virt_mfn(a)), 0);
	want(mem_is(b, 0x3c, PAGE_SIZE));
	want_eq(copy_page(virt_mfn(b), virt_mfn(window_l1())), 0);
	want_eq(memcmp(b, window_l1(), PAGE_SIZE), 0);
	page_free(a);
	page_free(b);
}

/*
 * MMUEXT_COPY_PAGE refuses a table as target, and frames that are not the
 * domain's as target and as source.
 */
CASE(ext_copy_wrong, "MMU-EXT-036", 0)
{
	uint64_t *l1 = table();
	char *a = page_alloc();

	memset(a, 0x55, PAGE_SIZE);
	want_eq(pin(1, l1), 0);
	want_eq(copy_page(virt_mfn(l1), virt_mfn(a)), -EINVAL);
	want_eq(copy_page(0xfffffffUL, virt_mfn(a)), -EINVAL);
	want_eq(copy_page(virt_mfn(a), 0xfffffffUL), -EINVAL);
	want_eq(copy_page(virt_mfn(a), 8), -EINVAL);
	want(mem_is(l1, 0, PAGE_SIZE));
	want(mem_is(a, 0x55, PAGE_SIZE));
	want_eq(unpin(l1), 0);
	table_free(l1);
	page_free(a);
}
