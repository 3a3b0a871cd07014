// SPDX-License-Identifier: MIT
/* Grants of a bare guest: a version-1 table and references in it. */
#include "rt.h"

/* Windows 384 and up hold the table's frames. */
#define TABLE_WINDOW	384
#define MAX_FRAMES	32
#define PER_FRAME	(PAGE_SIZE / sizeof(struct grant_entry_v1))

static unsigned int table_frames;
/* The first references are reserved for the tool stack (grant_table.h). */
static unsigned int next_ref = GNTTAB_NR_RESERVED_ENTRIES;

unsigned int grant_init(unsigned int frames)
{
	struct gnttab_setup_table setup = {
		.dom = DOMID_SELF, .nr_frames = frames,
	};
	static xen_pfn_t list[MAX_FRAMES];
	unsigned int i;

	if (frames <= table_frames)
		return table_frames;
	set_xen_guest_handle(setup.frame_list, list);
	if (hyp_grant_table_op(GNTTABOP_setup_table, &setup, 1) ||
	    setup.status != GNTST_okay)
		panic("grant table of %u frames: %d", frames, setup.status);
	for (i = 0; i < frames; i++)
		if (map(window(TABLE_WINDOW + i),
			((uint64_t)list[i] << PAGE_SHIFT) | PTE_RW))
			panic("cannot map grant table frame %u", i);
	table_frames = frames;
	return frames;
}

struct grant_entry_v1 *grant_entry(unsigned int ref)
{
	grant_init(1);
	return (struct grant_entry_v1 *)window(TABLE_WINDOW) + ref;
}

unsigned int grant_alloc(unsigned int dom, const void *page, unsigned int flags)
{
	struct grant_entry_v1 *g;

	grant_init(1);
	if (next_ref >= table_frames * PER_FRAME)
		next_ref = GNTTAB_NR_RESERVED_ENTRIES;
	while (grant_entry(next_ref)->flags)
		next_ref++;
	g = grant_entry(next_ref);
	g->domid = (domid_t)dom;
	g->frame = (uint32_t)virt_mfn(page);
	/* The entry before its flags. */
	mb();
	g->flags = (uint16_t)flags;
	return next_ref++;
}

bool grant_end(unsigned int ref)
{
	struct grant_entry_v1 *g = grant_entry(ref);
	uint16_t flags = READ_ONCE(g->flags);

	do {
		if (flags & (GTF_reading | GTF_writing))
			return false;
	} while (!__atomic_compare_exchange_n(&g->flags, &flags, 0, false,
					      __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	return true;
}

int grant_map(unsigned int dom, unsigned int ref, void *va, unsigned int flags,
	      unsigned int *handle, uint64_t *bus)
{
	struct gnttab_map_grant_ref m = {
		.host_addr = (unsigned long)va, .flags = flags, .ref = ref,
		.dom = (domid_t)dom, .handle = ~0U,
	};

	if (hyp_grant_table_op(GNTTABOP_map_grant_ref, &m, 1))
		return -100;
	if (handle)
		*handle = m.handle;
	if (bus)
		*bus = m.dev_bus_addr;
	return m.status;
}

int grant_unmap(void *va, unsigned int handle)
{
	struct gnttab_unmap_grant_ref u = {
		.host_addr = (unsigned long)va, .handle = handle,
	};

	if (hyp_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1))
		return -100;
	return u.status;
}

/*
 * The initial domain is number 0; any other domain reads its number in a CPUID
 * leaf of the hypervisor, else takes it from the command line.
 */
unsigned int own_domid(void)
{
	uint32_t eax, ebx, ecx, edx, base = 0x40000000;

	if (is_dom0())
		return 0;
	/* Leaf +4: ECX holds the domain number when EAX bit 4 says so. */
	for (; base < 0x40010000; base += 0x100) {
		eax = base;
		asm volatile("ud2a; .ascii \"xen\"; cpuid"
			     : "+a" (eax), "=b" (ebx), "=c" (ecx), "=d" (edx));
		if (ebx == 0x566e6558 && ecx == 0x65584d4d && edx == 0x4d4d566e)
			break;
	}
	eax = base + 4;
	ecx = 0;
	asm volatile("ud2a; .ascii \"xen\"; cpuid"
		     : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx));
	if (eax & (1U << 4))
		return ecx;
	return (unsigned int)cmdline_num("domid", DOMID_SELF);
}
