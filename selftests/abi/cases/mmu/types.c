// SPDX-License-Identifier: MIT
/*
 * Page types as security rules: every way to a writable mapping of a table is
 * tried and must fail, and every frame can be used afterwards as before.
 */
#include "common.h"

static void no_writable(int level)
{
	uint64_t *t = table();

	want_eq(pin(level, t), 0);
	want_eq(try_writable(t), 0);
	want_eq(try_contents(t), 0);
	want(mem_is(t, 0, level == 4 ? 2048 : PAGE_SIZE));
	want_eq(unpin(t), 0);
	want_usable(t);
	page_free(t);
}

/* No call makes a writable mapping of a level 1 table, or writes into one. */
CASE(type_writable_l1, "MMU-TYPE-001 MMU-TYPE-015", 0)
{
	no_writable(1);
}

/* No call makes a writable mapping of a level 2 table, or writes into one. */
CASE(type_writable_l2, "MMU-TYPE-002 MMU-TYPE-015", 0)
{
	no_writable(2);
}

/* No call makes a writable mapping of a level 3 table, or writes into one. */
CASE(type_writable_l3, "MMU-TYPE-003 MMU-TYPE-015", 0)
{
	no_writable(3);
}

/* No call makes a writable mapping of a level 4 table, or writes into one. */
CASE(type_writable_l4, "MMU-TYPE-004 MMU-TYPE-015", 0)
{
	no_writable(4);
}

/*
 * No call makes a writable mapping of the running root or of a table below it.
 */
CASE(type_writable_running, "MMU-TYPE-001 MMU-TYPE-004", 0)
{
	want(map(window(8), mk_pte((void *)start_info.pt_base, PTE_RW)) < 0);
	want(map(window(8), mk_pte(window_l1(), PTE_RW)) < 0);
	want_eq(try_contents((void *)start_info.pt_base), 0);
	want_eq(try_contents(window_l1()), 0);
	want_eq(pte_of(window(8)), 0);
}

/* No call makes a writable mapping of a GDT in use, or writes into one. */
CASE(type_writable_gdt, "MMU-TYPE-005", 0)
{
	uint64_t *gdt = page_alloc();
	unsigned long mfn = virt_mfn(gdt);

	page_ro(gdt);
	want_eq(hyp_set_gdt(&mfn, 512), 0);
	want_eq(try_writable(gdt), 0);
	want_eq(try_contents(gdt), 0);
	want_eq(hyp_set_gdt(NULL, 0), 0);
	want_usable(gdt);
	page_free(gdt);
}

/* A table can be read through any number of read-only mappings. */
CASE(type_read_only, "MMU-TYPE-006", 0)
{
	uint64_t *t = page_alloc();
	int level;

	t[1] = 0x77000;
	page_ro(t);
	for (level = 1; level <= 4; level++) {
		want_eq(pin(level, t), 0);
		want_eq(map(window(50), mk_pte(t, PTE_RO)), 0);
		want_eq(((uint64_t *)window(50))[1], 0x77000);
		want_eq(fault_write(window(51), 0), TRAP_PF);
		want_eq(map(window(50), 0), 0);
		want_eq(unpin(t), 0);
	}
	want_usable(t);
	page_free(t);
}

INSN(load_ldt, "mov $0x0f, %%eax; mov %%eax, %%es; xor %%eax, %%eax; mov %%eax, %%es")

/*
 * A frame that is mapped writable is refused as GDT, and selectors of an LDT
 * in such a frame do not load.
 */
CASE(type_descriptors_writable, "MMU-TYPE-008", 0)
{
	uint64_t *page = page_alloc();
	unsigned long mfn = virt_mfn(page);

	page[1] = 0x00cff3000000ffffUL;
	want_eq(hyp_set_gdt(&mfn, 512), -EINVAL);
	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)page, 512), 0);
	want(trap_of(load_ldt, NULL).vec >= 0);
	want_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
	want_usable(page);
	page_free(page);
}

/*
 * An entry must name a table of the level below; a frame of another type is
 * refused.
 */
CASE(type_levels, "MMU-TYPE-009", 0)
{
	uint64_t *t[5];
	int upper, lower;

	for (upper = 1; upper <= 4; upper++) {
		t[upper] = table();
		want_eq(pin(upper, t[upper]), 0);
	}
	for (upper = 2; upper <= 4; upper++)
		for (lower = 1; lower <= 4; lower++) {
			long ret = pte_set(&t[upper][1], mk_pte(t[lower], PTE_RW));

			if (lower == upper - 1) {
				want_eq(ret, 0);
				want_eq(pte_set(&t[upper][1], 0), 0);
			} else {
				want_eq(ret, -EINVAL);
				want_eq(t[upper][1], 0);
			}
		}
	for (upper = 4; upper >= 1; upper--) {
		want_eq(unpin(t[upper]), 0);
		want_usable(t[upper]);
		page_free(t[upper]);
	}
}

/* A frame is free again when its last use as a table has ended. */
CASE(type_last_use, "MMU-TYPE-010", 0)
{
	uint64_t *l1 = table(), *l2 = table();

	want_eq(pin(2, l2), 0);
	want_eq(pte_set(&l2[0], mk_pte(l1, PTE_RW)), 0);
	want_eq(pte_set(&l2[1], mk_pte(l1, PTE_RW)), 0);
	want_eq(pin(1, l1), 0);
	want_eq(unpin(l1), 0);
	want_eq(pin(2, l1), -EINVAL);
	want_eq(pte_set(&l2[0], 0), 0);
	want_eq(pin(2, l1), -EINVAL);
	want_eq(pte_set(&l2[1], 0), 0);
	want_eq(pin(2, l1), 0);
	want_eq(unpin(l1), 0);
	want_eq(unpin(l2), 0);
	want_usable(l1);
	want_usable(l2);
	page_free(l1);
	page_free(l2);
}

static volatile bool stale_stop;
static volatile unsigned long stale_writes;

static void stale_writer(void *arg)
{
	volatile unsigned long *p = (volatile unsigned long *)arg + 100;

	while (!stale_stop) {
		if (fault_write(p, 0x5a5a000) < 0)
			stale_writes++;
	}
}

/*
 * One vCPU writes to a page through its own translation while another makes
 * the page a table: from then on no write reaches it.
 */
CASE(type_stale, "MMU-TYPE-011 MMU-TYPE-018", 0)
{
	uint64_t *page = page_alloc();
	uint64_t *e = pte_at(page, 1);
	unsigned int i;

	stale_stop = false;
	stale_writes = 0;
	vcpu_run(1, stale_writer, page);
	want(until(stale_writes > 10, 20000));
	for (i = 0; i < 100; i++) {
		/* No flush is requested: the change of type must do it. */
		want_eq(pte_set(e, mk_pte(page, PTE_RO)), 0);
		want_eq(pin(2, page), 0);
		want_eq(pte_set(&page[100], 0), 0);
		rt_yield();
		want_eq(READ_ONCE(page[100]), 0);
		want_eq(unpin(page), 0);
		page_rw(page);
		memset(page, 0, PAGE_SIZE);
	}
	stale_stop = true;
	want(vcpu_join(1));
	page_rw(page);
	page_free(page);
}

/*
 * Read-only entries that name a table of the same level may be permitted;
 * writable ones are refused.
 */
CASE(type_linear, "MMU-TYPE-013 MMU-TYPE-014", 0)
{
	int level;

	for (level = 2; level <= 4; level++) {
		uint64_t *t = table();
		long ret;

		want_eq(pin(level, t), 0);
		want_eq(pte_set(&t[1], mk_pte(t, PTE_RW)), -EINVAL);
		want_eq(t[1], 0);
		ret = pte_set(&t[1], mk_pte(t, PTE_RO));
		want_any(ret, 0, -EINVAL);
		if (!ret)
			want_eq(pte_set(&t[1], 0), 0);
		want_eq(unpin(t), 0);
		want_usable(t);
		page_free(t);
	}
}

/* A page table that is given back stays allocated while it is in use. */
CASE(type_free_under, "MMU-TYPE-017 MEM-010", ALONE)
{
	uint64_t *t = table();
	xen_pfn_t mfn = virt_mfn(t);
	struct xen_memory_reservation r = {
		.nr_extents = 1, .domid = DOMID_SELF,
	};

	want_eq(pin(1, t), 0);
	set_xen_guest_handle(r.extent_start, &mfn);
	want_any(hyp_memory_op(XENMEM_decrease_reservation, &r), 0, 1);
	/* The mapping still reads the same frame, whatever the result. */
	want(mem_is(t, 0, PAGE_SIZE));
	want_eq((pte_of(t) & PTE_ADDR) >> PAGE_SHIFT, mfn);
	want(map(window(52), mk_pte(t, PTE_RW)) < 0);
}

static volatile unsigned int pins, maps;
static volatile bool pin_stop;

static void pinner(void *arg)
{
	while (!pin_stop) {
		if (!pin(1, arg)) {
			pins++;
			unpin(arg);
		}
	}
}

/*
 * One vCPU pins a frame as a table while another maps it writable: never do
 * both hold, because a writable mapping refuses the pin until it is removed.
 */
CASE(type_pin_race, "MMU-TYPE-018", 0)
{
	uint64_t *t = table();
	unsigned int i, refused = 0;

	pin_stop = false;
	pins = 0;
	vcpu_run(1, pinner, t);
	want(until(pins > 0, 20000));
	for (i = 0; i < 400; i++) {
		unsigned int before;

		if (map(window(53), mk_pte(t, PTE_RW))) {
			refused++;
			continue;
		}
		before = pins;
		want_eq(pin(1, t), -EINVAL);
		*(volatile uint64_t *)window(53) = 0;
		/* One success may have been counted late, no more. */
		want(pins - before <= 1);
		want_eq(hyp_update_va_mapping((unsigned long)window(53), 0,
					      UVMF_INVLPG | UVMF_ALL), 0);
	}
	pin_stop = true;
	want(vcpu_join(1));
	want(refused < 400 || pins > 0);
	table_free(t);
}

INSN(read_at, "mov (%%rdi), %%al")

/* The hypervisor's range cannot be read, written or executed. */
CASE(type_xen_range, "MMU-TYPE-019", 0)
{
	static const unsigned long where[] = {
		0xffff804000000000, 0xffff808000000000, 0xffff820000000000,
		0xffff82d040000000, 0xffff82d080000000, 0xffff830000000000,
		0xffff830000100000, 0xffff838000000000, 0xffff87fffffff000,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(where); i++) {
		want_trap(read_at, where[i], TRAP_PF);
		want_eq(fault_write((void *)where[i], 1), TRAP_PF);
		want_eq(fault_exec((void *)where[i]), TRAP_PF);
	}
	want_eq(fault_write((void *)MACH2PHYS_VIRT_START, 1), TRAP_PF);
}

/* A page with the no-execute bit cannot be executed, and one without it can. */
CASE(type_no_execute, "MMU-TYPE-020", 0)
{
	unsigned char *page = page_alloc();

	page[0] = 0xc3;
	want_eq(map(window(54), mk_pte(page, PTE_RO)), 0);
	want_eq(fault_exec(window(54)), -1);
	want_eq(map(window(54), mk_pte(page, PTE_RO | PTE_NX)), 0);
	want_eq(fault_exec(window(54)), TRAP_PF);
	want_eq(last_trap.cr2, (unsigned long)window(54));
	want(last_trap.error & 0x10);
	want_eq(map(window(54), 0), 0);
	page_free(page);
}

/* A write to a read-only page faults in kernel mode too. */
CASE(type_write_protect, "MMU-TYPE-021", 0)
{
	unsigned long *page = page_alloc();

	want_eq(map(window(55), mk_pte(page, PTE_RO)), 0);
	want_eq(fault_write(window(55), 1), TRAP_PF);
	want_eq(last_trap.error & 7, 3);
	want_eq(page[0], 0);
	want_eq(map(window(55), 0), 0);
	page_free(page);
}

/*
 * A domain that ends with pinned tables, a user root, a GDT, an LDT and a
 * grant mapping in use is destroyed completely: the tool stack reports it as
 * gone.
 */
CASE(type_dies_holding, "MMU-TYPE-016", DOMU | DIES)
{
	uint64_t *t[5], *gdt = page_alloc(), *ldt = page_alloc();
	unsigned long mfn = virt_mfn(gdt);
	char *page = page_alloc();
	unsigned int ref, h;
	int level;

	for (level = 1; level <= 4; level++) {
		t[level] = table();
		want_eq(pin(level, t[level]), 0);
		if (level > 1)
			want_eq(pte_set(&t[level][1], mk_pte(t[level - 1], PTE_RW)), 0);
	}
	user_init();
	page_ro(gdt);
	page_ro(ldt);
	want_eq(hyp_set_gdt(&mfn, 512), 0);
	want_eq(mmuext(MMUEXT_SET_LDT, (unsigned long)ldt, 512), 0);
	ref = grant_alloc(own_domid(), page, GTF_permit_access);
	want_eq(grant_map(own_domid(), ref, window(56), GNTMAP_host_map, &h, NULL), 0);
	want_eq(mmuext(MMUEXT_NEW_BASEPTR, rt_boot_cr3, 0), 0);
	dying("poweroff");
	rt_exit(SHUTDOWN_poweroff);
}
