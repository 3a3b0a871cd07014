// SPDX-License-Identifier: MIT
/*
 * The actions of any back end: map a granted page, keep it mapped, write to it,
 * and write any value into a ring.
 */
#include <pvbus/grant.h>

#include "fuzz.h"

#define MAPPINGS	32

extern int (*const shim_show_pvgrant)(struct seq_file *m, void *v);
extern int (*const shim_init_pvgrant_init)(void);

static struct { grant_ref_t ref; bool write; } mapped[MAPPINGS];
static unsigned int mapped_count;
bool honest, may_break;

/* A search of the whole table takes long where many pages are freed. */
#define FULL_LOOKS	32
static unsigned int looks;

static void page_freed(struct page *page)
{
	bool full = looks++ < FULL_LOOKS || looks % FULL_LOOKS == 0;

	shim_check(!(full ? hyp_reachable(page) : hyp_page_mapped(page)),
		   "page freed while a back end can reach it");
}

void grants_boot(void)
{
	mapped_count = 0;
	looks = 0;
	must(!shim_init_pvgrant_init());
	shim_page_freed = page_freed;
}

void back_map(void)
{
	grant_ref_t ref = next_u8() & 1 ? 8 + next_below(64) : next_u16();
	bool write = next_u8() & 1;
	u64 *page;

	if (mapped_count == MAPPINGS)
		return;
	page = hyp_map(ref, BACK, write);
	if (!page)
		return;
	/* A page that was not cleared would show its former contents. */
	must(page[0] != 0x5a5a5a5a5a5a5a5a && page[511] != 0x5a5a5a5a5a5a5a5a);
	if (write && may_break && next_u8() & 1) {
		/* It may be part of a ring. */
		honest = false;
		page[next_below(512)] = next_u8();
	}
	mapped[mapped_count].ref = ref;
	mapped[mapped_count++].write = write;
}

void back_unmap(void)
{
	unsigned int i;

	if (!mapped_count)
		return;
	i = next_below(mapped_count);
	hyp_unmap(mapped[i].ref, mapped[i].write);
	mapped[i] = mapped[--mapped_count];
}

void back_map_or_unmap(void)
{
	if (next_u8() & 1)
		back_map();
	else
		back_unmap();
}

static unsigned int value_of(const char *text, const char *name)
{
	char line[32];
	const char *at;

	snprintf(line, sizeof(line), "\n%s ", name);
	at = strstr(text, line);
	must(at);
	return strtoul(at + strlen(line), NULL, 10);
}

void grants_end(void)
{
	struct seq_file m = {};
	unsigned int forgotten;

	shim_fail_after = -1;
	hyp_unmap_all();
	shim_run_work();
	must(!shim_run_work());
	shim_show_pvgrant(&m, NULL);
	/* Only references that no memory was left to record are lost. */
	forgotten = value_of(m.text, "forgotten");
	must(value_of(m.text, "deferred") == 0);
	must(value_of(m.text, "lost") == 0);
	must(value_of(m.text, "in_use") == forgotten);
	must(shim_pages == forgotten && hyp_granted() <= forgotten);
	/* The two lists of frames stay. */
	must(shim_allocations == 2);
}

void back_scribble(void *shared, size_t bytes, u32 req_prod, u32 rsp_cons)
{
	struct { u32 req_prod, req_event, rsp_prod, rsp_event; } *words = shared;
	u8 what = next_u8();

	if (!may_break)
		return;
	honest = false;
	switch (what & 7) {
	case 0:
	case 1:
		words->rsp_prod = next_evil(rsp_cons);
		break;
	case 2:
		words->rsp_prod = next_evil(req_prod);
		break;
	case 3:
		words->req_event = next_evil(req_prod);
		break;
	case 4:
	case 5:
		((u8 *)shared)[64 + next_u16() % (bytes - 64)] = next_u8();
		break;
	default:
		((u32 *)shared)[next_u16() % (bytes / 4)] = next_u32();
		break;
	}
}
