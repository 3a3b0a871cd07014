// SPDX-License-Identifier: MIT
/*
 * User mode of a bare guest: a second, pinned tree of page tables with three
 * pages, and one function that runs code there until the next entry.
 */
#include "rt.h"

#define NR_PAGES	3

static uint64_t *l4, *l1;
static char *pages[NR_PAGES];

static uint64_t *table(void)
{
	return page_alloc();
}

void user_init(void)
{
	uint64_t *l3, *l2;
	unsigned int i;

	if (l4)
		return;
	l4 = table();
	l3 = table();
	l2 = table();
	l1 = table();
	for (i = 0; i < NR_PAGES; i++) {
		pages[i] = page_alloc();
		l1[i] = mk_pte(pages[i], PTE_RW);
	}
	l4[0] = mk_pte(l3, PTE_RW);
	l3[0] = mk_pte(l2, PTE_RW);
	l2[USER_CODE >> 21] = mk_pte(l1, PTE_RW);
	page_ro(l4);
	page_ro(l3);
	page_ro(l2);
	page_ro(l1);
	if (mmuext(MMUEXT_PIN_L4_TABLE, virt_mfn(l4), 0))
		panic("cannot pin the user page tables");
	if (mmuext(MMUEXT_NEW_USER_BASEPTR, virt_mfn(l4), 0))
		panic("cannot set the user page tables");
}

void *user_page(unsigned long va)
{
	user_init();
	return pages[(va - USER_CODE) / PAGE_SIZE] + (va & (PAGE_SIZE - 1));
}

unsigned long user_cr3(void)
{
	user_init();
	return virt_mfn(l4);
}

uint64_t *user_entry(unsigned long va)
{
	user_init();
	return l1 + ((va >> PAGE_SHIFT) & 511);
}

unsigned int user_depth;
unsigned long user_rflags = 0x202;
uint16_t user_cs = FLAT_USER_CS | 3;

static void enter(unsigned long arg)
{
	struct frame f;

	memset(&f, 0, sizeof(f));
	f.rdi = arg;
	f.rip = USER_CODE;
	f.cs = user_cs;
	f.ss = FLAT_USER_SS | 3;
	f.rflags = user_rflags;
	f.rsp = USER_STACK - 16;
	/* Entries from user mode must not overwrite the frames below this. */
	if (hyp_stack_switch(FLAT_KERNEL_SS, (unsigned long)&f - 256 - user_depth))
		panic("stack_switch failed");
	rt_resume(&f);
}

struct trap user_run(const void *code, size_t size, unsigned long arg)
{
	struct vcpu *v = self();
	struct jump here;
	struct trap t, *outer = v->trap;
	volatile unsigned char mask = v->info->evtchn_upcall_mask;

	user_init();
	memcpy(pages[0], code, size);
	memset(&t, 0, sizeof(t));
	t.vec = -1;
	v->trap = &t;
	if (!rt_setjmp(&here)) {
		v->user = &here;
		enter(arg);
	}
	v->trap = outer;
	v->info->evtchn_upcall_mask = mask;
	barrier();
	return t;
}
