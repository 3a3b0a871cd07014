// SPDX-License-Identifier: MIT
/*
 * Memory of a bare guest: all of it mapped at RT_BASE + pfn * 4096, a page
 * heap above what the domain builder placed, and the primitives with which
 * cases edit page tables.
 */
#include "rt.h"

#define HEAP_MAX_PFN	(256UL << 8)	/* 256 MiB: below RT_WINDOW */

struct free_page {
	struct free_page *next;
};

static struct free_page *free_list;
static unsigned long heap_next, heap_end, heap_free;
static uint64_t *win_l1;

unsigned int page_renew_width;

void memory_init(void);

unsigned long virt_pfn(const void *va)
{
	return ((unsigned long)va - RT_BASE) >> PAGE_SHIFT;
}

unsigned long virt_mfn(const void *va)
{
	return rt_p2m[virt_pfn(va)];
}

uint64_t virt_maddr(const void *va)
{
	return ((uint64_t)virt_mfn(va) << PAGE_SHIFT) |
	       ((unsigned long)va & (PAGE_SIZE - 1));
}

unsigned long m2p(unsigned long mfn)
{
	const unsigned long *entry = machine_to_phys_mapping + mfn;

	/* The end of the table may be unmapped. */
	if (mfn >= MACH2PHYS_NR_ENTRIES)
		return ~0UL;
	return READ_ONCE(*entry);
}

void *mfn_virt(unsigned long mfn)
{
	return (void *)(RT_BASE + (m2p(mfn) << PAGE_SHIFT));
}

unsigned long own_cr3(void)
{
	unsigned long cr3;

	asm volatile("mov %%cr3, %0" : "=r" (cr3));
	return cr3 >> PAGE_SHIFT;
}

uint64_t *pte_at(const volatile void *va, int level)
{
	unsigned long mfn = rt_boot_cr3;
	int l;

	for (l = 4; ; l--) {
		uint64_t *table = mfn_virt(mfn);
		uint64_t *e = table + (((unsigned long)va >>
					(12 + 9 * (l - 1))) & 511);

		if (l == level)
			return e;
		if (!(READ_ONCE(*e) & PTE_P))
			return NULL;
		mfn = (READ_ONCE(*e) & PTE_ADDR) >> PAGE_SHIFT;
	}
}

uint64_t pte_of(const volatile void *va)
{
	uint64_t *e = pte_at(va, 1);

	return e ? READ_ONCE(*e) : 0;
}

long mmu_one(uint64_t ptr, uint64_t val)
{
	struct mmu_update u = { .ptr = ptr, .val = val };

	return hyp_mmu_update(&u, 1, NULL, DOMID_SELF);
}

long pte_set(uint64_t *entry, uint64_t value)
{
	return mmu_one(virt_maddr(entry) | MMU_NORMAL_PT_UPDATE, value);
}

uint64_t mk_pte(const void *page, uint64_t flags)
{
	return ((uint64_t)virt_mfn(page) << PAGE_SHIFT) | flags;
}

long map(void *va, uint64_t pte)
{
	return hyp_update_va_mapping((unsigned long)va, pte,
				     UVMF_INVLPG | UVMF_LOCAL);
}

void page_ro(void *page)
{
	if (hyp_update_va_mapping((unsigned long)page, mk_pte(page, PTE_RO),
				  UVMF_INVLPG | UVMF_ALL))
		panic("cannot map %p read-only", page);
}

void page_rw(void *page)
{
	if (hyp_update_va_mapping((unsigned long)page, mk_pte(page, PTE_RW),
				  UVMF_INVLPG | UVMF_ALL))
		panic("cannot map %p writable", page);
}

uint64_t *root_new(void)
{
	const uint64_t *boot = (uint64_t *)start_info.pt_base;
	uint64_t *l4 = page_alloc();

	/* The slots below are a program's, and the hypervisor's, which fills them in. */
	memcpy(l4 + 272, boot + 272, 240 * 8);
	page_ro(l4);
	return l4;
}

long mmuext(unsigned int cmd, unsigned long arg1, unsigned long arg2)
{
	struct mmuext_op op = { .cmd = cmd };

	op.arg1.mfn = arg1;
	memcpy(&op.arg2, &arg2, sizeof(arg2));
	return hyp_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

void *pages_alloc(unsigned int n)
{
	char *p = (char *)(RT_BASE + (heap_next << PAGE_SHIFT));

	if (heap_next + n > heap_end)
		panic("heap exhausted");
	heap_next += n;
	heap_free -= n;
	memset(p, 0, n * PAGE_SIZE);
	return p;
}

void *page_alloc(void)
{
	struct free_page *p = free_list;

	if (!p)
		return pages_alloc(1);
	free_list = p->next;
	heap_free--;
	memset(p, 0, PAGE_SIZE);
	return p;
}

bool page_renew(void *page)
{
	unsigned long pfn = virt_pfn(page);
	xen_pfn_t in = rt_p2m[pfn], out = pfn;
	struct xen_memory_exchange x;
	long ret;

	memset(&x, 0, sizeof(x));
	x.in.nr_extents = 1;
	x.in.domid = DOMID_SELF;
	x.out.nr_extents = 1;
	x.out.domid = DOMID_SELF;
	x.out.mem_flags = XENMEMF_address_bits(page_renew_width);
	set_xen_guest_handle(x.in.extent_start, &in);
	set_xen_guest_handle(x.out.extent_start, &out);
	if (raw_call4(__HYPERVISOR_update_va_mapping, (unsigned long)page, 0,
		      UVMF_INVLPG | UVMF_ALL, 0))
		return false;
	ret = raw_call2(__HYPERVISOR_memory_op, XENMEM_exchange, (unsigned long)&x);
	if (!ret)
		rt_p2m[pfn] = out;
	if (raw_call4(__HYPERVISOR_update_va_mapping, (unsigned long)page,
		      mk_pte(page, PTE_RW), UVMF_INVLPG | UVMF_ALL, 0))
		return false;
	return !ret || ret == -ENOMEM;
}

void page_free(void *page)
{
	struct free_page *p = page;

	if (!page_renew(page))
		panic("page %p is freed, but something refers to its frame", page);
	p->next = free_list;
	free_list = p;
	heap_free++;
}

void *alloc(size_t size)
{
	static char *at;
	static size_t left;
	char *p;

	size = (size + 15) & ~15UL;
	if (size > left) {
		if (size >= PAGE_SIZE)
			return pages_alloc((unsigned int)((size + PAGE_SIZE - 1) >>
							  PAGE_SHIFT));
		at = page_alloc();
		left = PAGE_SIZE;
	}
	p = at;
	at += size;
	left -= size;
	return p;
}

/* Make a fresh page the page table of the L2 entry for @va. */
static uint64_t *l1_attach(void *table, void *va)
{
	uint64_t *l2e = pte_at(va, 2);

	if (!l2e)
		panic("no L2 table above %p", va);
	page_ro(table);
	if (pte_set(l2e, mk_pte(table, PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)))
		panic("cannot attach page table for %p", va);
	return table;
}

void memory_init(void)
{
	unsigned long used, mapped, pfn, end = start_info.nr_pages;
	char *va;

	rt_boot_cr3 = virt_mfn((void *)start_info.pt_base);
	/* The page tables are the last thing the builder placed before the stack. */
	used = virt_pfn((void *)(start_info.pt_base +
				 start_info.nr_pt_frames * PAGE_SIZE)) + 1;
	if (used < virt_pfn(rt_end))
		used = virt_pfn(rt_end);
	va = (char *)(RT_BASE + (used << PAGE_SHIFT));
	while (pte_at(va, 2) && (*pte_at(va, 2) & PTE_P) && (pte_of(va) & PTE_P))
		va += PAGE_SIZE;
	mapped = virt_pfn(va);
	/* The boot stack page is directly after the page tables. */
	heap_next = used + 1;
	heap_end = mapped;
	heap_free = heap_end - heap_next;
	if (end > HEAP_MAX_PFN)
		end = HEAP_MAX_PFN;
	for (pfn = mapped; pfn < end; ) {
		uint64_t *l1 = pages_alloc(1);
		unsigned long n;

		va = (char *)(RT_BASE + (pfn << PAGE_SHIFT));
		for (n = pfn & 511; n < 512 && pfn < end; n++, pfn++)
			if (rt_p2m[pfn] != ~0UL)
				l1[n] = (rt_p2m[pfn] << PAGE_SHIFT) | PTE_RW;
		l1_attach(l1, va);
	}
	win_l1 = l1_attach(pages_alloc(1), (void *)RT_WINDOW);
	heap_free += pfn - heap_end;
	heap_end = pfn;
	shared_info = window(511);
	if (map(shared_info, (start_info.shared_info & PTE_ADDR) | PTE_RW))
		panic("cannot map shared_info");
	for (pfn = 0; pfn < MAX_VCPUS; pfn++)
		vcpus[pfn].info = &shared_info->vcpu_info[pfn];
	/* Every port is masked until a case unmasks it. */
	memset(shared_info->evtchn_mask, 0xff, sizeof(shared_info->evtchn_mask));
}

void *window(unsigned int i)
{
	return (void *)(RT_WINDOW + i * PAGE_SIZE);
}

uint64_t *window_l1(void)
{
	return win_l1;
}
