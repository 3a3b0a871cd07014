// SPDX-License-Identifier: MIT
/*
 * Frames that go back to the hypervisor and come from it: in which order mapping,
 * list and reservation change, and what is left when the hypervisor does a part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "shim/kernel.h"
#include <xen/memory.h>

#define PAGES			80
#define PVGUEST_MEMORY_BATCH	64
#define WRITE_ONCE(x, v)	((x) = (v))
#define WARN_ON_ONCE(x)		(x)
#define clamp(x, lo, hi)	((x) < (lo) ? (lo) : (x) > (hi) ? (hi) : (x))
#define page_to_pfn(page)	((unsigned long)(page))
#define DECLARE_STATIC_KEY_FALSE(name)	extern bool name
#define static_branch_likely(key)	(*(key))
#define virt_to_page(va)	((struct page *)(va))
#define PagePinned(page)	(!(page))
#define EINVAL			22
#define EBUSY			16
#define ENOMEM			12

bool pvguest_running(void);

#include "../../../arch/x86/pvguest/reservation.c"

bool shim_in_task = true;
unsigned int shim_irq_depth;
bool pvguest_have_struct_pages;
static struct start_info start_info = { .nr_pages = PAGES };
struct start_info *pvguest_start_info = &start_info;
static unsigned long list[PAGES];
unsigned long *pvguest_p2m = list;
unsigned long pvguest_p2m_entries = PAGES;
DEFINE_PER_CPU(struct pv_stats, pvguest_stats);

/* Pages and the frames that they are mapped with; which of them a translation may name. */
static unsigned long mapped[PAGES];
static bool translated[PAGES];
/* Requests that wait in the queue: the pages, and 1 for a mapping; a flush. */
static struct { unsigned long pfn; bool map; } queue[2 * PAGES];
static unsigned int queued;
static bool flush_queued;
/* For how many extents the next call is done, or its error. */
static long answer;
static unsigned int calls;
static struct page *pages[PAGES];

#define FRAME(pfn)		(1000 + (pfn))
#define NEW_FRAME(pfn)		(2000 + (pfn))

void shim_emerg(const char *fmt, ...)
{
}

void shim_bug(void)
{
	fail_msg("the port has given up");
	__builtin_unreachable();
}

bool pvguest_running(void)
{
	return true;
}

bool pvguest_early_table_is_live(const void *table)
{
	return false;
}

void pvguest_queue_protect(unsigned long pfn, bool writable)
{
	assert_true(writable);
	queue[queued].pfn = pfn;
	queue[queued++].map = true;
}

void pvguest_queue_unmap(unsigned long pfn)
{
	queue[queued].pfn = pfn;
	queue[queued++].map = false;
}

struct mmuext_op *pv_queue_ext(unsigned int cmd)
{
	static struct mmuext_op op;

	assert_int_equal(cmd, MMUEXT_TLB_FLUSH_ALL);
	flush_queued = true;
	return &op;
}

void pv_batch_flush(void)
{
	unsigned int i;

	assert_int_equal(shim_irq_depth, 1);
	for (i = 0; i < queued; i++) {
		unsigned long pfn = queue[i].pfn;

		mapped[pfn] = queue[i].map ? list[pfn] : 0;
		translated[pfn] |= queue[i].map;
	}
	for (i = 0; flush_queued && i < PAGES; i++)
		translated[i] = mapped[i];
	queued = 0;
	flush_queued = false;
}

long hyp_memory_op(unsigned int cmd, void *arg)
{
	struct xen_memory_reservation *op = arg;
	unsigned long *frames;
	long i, n = answer < 0 ? 0 : answer;

	calls++;
	frames = op->extent_start.p;
	assert_int_equal(op->domid, DOMID_SELF);
	assert_int_equal(op->extent_order, 0);
	assert_in_range(n, 0, op->nr_extents);
	for (i = 0; i < (long)op->nr_extents; i++) {
		unsigned long pfn = (unsigned long)pages[i];

		/* No page is in any use, by list, mapping or translation, while it changes. */
		assert_int_equal(list[pfn], PVGUEST_NO_MFN);
		assert_int_equal(mapped[pfn], 0);
		assert_false(translated[pfn]);
		if (cmd == XENMEM_decrease_reservation) {
			assert_int_equal(frames[i], FRAME(pfn));
		} else {
			assert_int_equal(cmd, XENMEM_populate_physmap);
			assert_int_equal(frames[i], pfn);
			if (i < n)
				frames[i] = NEW_FRAME(pfn);
		}
	}
	return answer;
}

static int fresh(void **state)
{
	unsigned long pfn;

	for (pfn = 0; pfn < PAGES; pfn++) {
		list[pfn] = FRAME(pfn);
		mapped[pfn] = FRAME(pfn);
		translated[pfn] = true;
	}
	for (pfn = 0; pfn < PVGUEST_MEMORY_BATCH; pfn++)
		pages[pfn] = (struct page *)(PAGES - 1 - pfn);
	calls = 0;
	return 0;
}

/* The pages from @first to @end of the batch have these frames; all are as the list says. */
static void has(unsigned int first, unsigned int end, unsigned long (*frame)(unsigned long pfn))
{
	for (; first < end; first++) {
		unsigned long pfn = (unsigned long)pages[first], mfn = frame(pfn);

		assert_int_equal(list[pfn], mfn);
		assert_int_equal(mapped[pfn], mfn == PVGUEST_NO_MFN ? 0 : mfn);
	}
}

static unsigned long old(unsigned long pfn)
{
	return FRAME(pfn);
}

static unsigned long new(unsigned long pfn)
{
	return NEW_FRAME(pfn);
}

static unsigned long none(unsigned long pfn)
{
	return PVGUEST_NO_MFN;
}

static void pages_go_and_come(void **state)
{
	unsigned int n;

	answer = PVGUEST_MEMORY_BATCH;
	assert_int_equal(pvguest_memory_give(pages, PVGUEST_MEMORY_BATCH, &n), 0);
	assert_int_equal(n, PVGUEST_MEMORY_BATCH);
	has(0, n, none);
	assert_int_equal(pvguest_memory_take(pages, PVGUEST_MEMORY_BATCH, &n), 0);
	assert_int_equal(n, PVGUEST_MEMORY_BATCH);
	has(0, n, new);
	/* Pages that had no part in it. */
	assert_int_equal(list[0], FRAME(0));
	assert_int_equal(mapped[0], FRAME(0));
}

static void a_part_goes_and_the_rest_is_as_it_was(void **state)
{
	unsigned int n;

	answer = 3;
	assert_int_equal(pvguest_memory_give(pages, 8, &n), -EBUSY);
	assert_int_equal(n, 3);
	has(0, 3, none);
	has(3, 8, old);
	fresh(state);
	answer = -EINVAL;
	assert_int_equal(pvguest_memory_give(pages, 8, &n), -EINVAL);
	assert_int_equal(n, 0);
	has(0, 8, old);
}

static void a_part_comes(void **state)
{
	unsigned int n;

	answer = 8;
	assert_int_equal(pvguest_memory_give(pages, 8, &n), 0);
	answer = 5;
	assert_int_equal(pvguest_memory_take(pages, 8, &n), -ENOMEM);
	assert_int_equal(n, 5);
	has(0, 5, new);
	has(5, 8, none);
	fresh(state);
	answer = 8;
	assert_int_equal(pvguest_memory_give(pages, 8, &n), 0);
	answer = -EINVAL;
	assert_int_equal(pvguest_memory_take(pages, 8, &n), -EINVAL);
	assert_int_equal(n, 0);
	has(0, 8, none);
}

static void more_than_a_batch_is_refused(void **state)
{
	unsigned int n = 1;

	assert_int_equal(pvguest_memory_give(pages, PVGUEST_MEMORY_BATCH + 1, &n), -EINVAL);
	assert_int_equal(n, 0);
	assert_int_equal(pvguest_memory_take(pages, PVGUEST_MEMORY_BATCH + 1, &n), -EINVAL);
	assert_int_equal(calls, 0);
	has(0, PVGUEST_MEMORY_BATCH, old);
}

static void the_start_counts(void **state)
{
	assert_int_equal(pvguest_memory_at_boot(), PAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(pages_go_and_come, fresh),
		cmocka_unit_test_setup(a_part_goes_and_the_rest_is_as_it_was, fresh),
		cmocka_unit_test_setup(a_part_comes, fresh),
		cmocka_unit_test_setup(more_than_a_batch_is_refused, fresh),
		cmocka_unit_test_setup(the_start_counts, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
