// SPDX-License-Identifier: MIT
/*
 * Pages that stay granted (drivers/pvblk/pages.c): the data that a back end can
 * read, and the time at which the pages are freed.
 */
#include "driver/kernel.c"
#include "driver/hypervisor.c"
#include "grant.h"

#include <setjmp.h>
#include <cmocka.h>

#include "../../../drivers/pvblk/pages.c"

#define BACK	3

static DEFINE_SPINLOCK(lock);
static struct pvblk_cache cache;

static int start(void **state)
{
	grant_reset(4, 1);
	assert_int_equal(pvgrant_init(), 0);
	pvblk_pages_init(&cache, &lock);
	cache.domain = BACK;
	return 0;
}

static int stop(void **state)
{
	bool good;

	pvblk_pages_destroy(&cache);
	/* The grant table's own two. */
	good = !shim_pages && shim_allocations == 2 && !hyp_granted();
	shim_reset();
	return !good;
}

static void zeroed_and_granted(void **state)
{
	struct pvblk_page *p, *last;

	assert_int_equal(pvblk_pages_grow(&cache, 5, GFP_KERNEL), 0);
	assert_int_equal(cache.count, 5);
	assert_int_equal(cache.nfree, 5);
	assert_int_equal(cache.granted, 5);
	for (p = cache.free; p; p = p->next) {
		unsigned char *seen = hyp_map(p->ref, BACK, true);

		assert_non_null(seen);
		for (unsigned int i = 0; i < PAGE_SIZE; i++)
			assert_int_equal(seen[i], 0);
		seen[7] = 1;
		assert_int_equal(((char *)p->va)[7], 1);
		hyp_unmap(p->ref, true);
		assert_null(hyp_map(p->ref, BACK + 1, false));
	}
	assert_null(pvblk_pages_take(&cache, 6, &last));
	assert_int_equal(cache.nfree, 5);
}

/* The pages used last are used next: the back end has them mapped. */
static void last_in_first_out(void **state)
{
	struct pvblk_page *a, *b, *a_end, *b_end, *p, *end;

	assert_int_equal(pvblk_pages_grow(&cache, 8, GFP_KERNEL), 0);
	a = pvblk_pages_take(&cache, 3, &a_end);
	b = pvblk_pages_take(&cache, 2, &b_end);
	assert_int_equal(cache.nfree, 3);
	assert_ptr_equal(a->next->next, a_end);
	assert_ptr_equal(b->next, b_end);
	pvblk_pages_give(&cache, a, a_end, 3);
	pvblk_pages_give(&cache, b, b_end, 2);
	p = pvblk_pages_take(&cache, 3, &end);
	assert_ptr_equal(p, b);
	assert_ptr_equal(end, a);
	pvblk_pages_give(&cache, p, end, 3);
	p = pvblk_pages_take(&cache, 8, &end);
	assert_null(cache.free);
	assert_null(end->next);
	pvblk_pages_give(&cache, p, end, 8);
}

static void grown_twice(void **state)
{
	struct pvblk_page *p, *end;

	assert_int_equal(pvblk_pages_grow(&cache, 2, GFP_KERNEL), 0);
	assert_int_equal(pvblk_pages_grow(&cache, 3, GFP_KERNEL), 0);
	assert_int_equal(cache.count, 5);
	p = pvblk_pages_take(&cache, 5, &end);
	assert_non_null(p);
	pvblk_pages_give(&cache, p, end, 5);
}

/* Whatever fails, the pages that exist can be used and are freed. */
static void too_little_memory(void **state)
{
	for (int i = 0; i < 6; i++) {
		unsigned int chunks = shim_allocations, count = cache.count;

		shim_fail_after = i;
		assert_int_equal(pvblk_pages_grow(&cache, 4, GFP_NOIO), -ENOMEM);
		shim_fail_after = -1;
		assert_int_equal(cache.nfree, cache.count);
		/* A page that was not made holds no reference, and an empty chunk is gone. */
		assert_int_equal(pvgrant_free_count, pvgrant_total_count - cache.count);
		if (cache.count == count)
			assert_int_equal(shim_allocations, chunks);
	}
	assert_int_equal(cache.count, 0 + 1 + 2 + 3);
	assert_int_equal(hyp_granted(), cache.count);
}

static void too_few_grants(void **state)
{
	assert_int_not_equal(pvblk_pages_grow(&cache, 4 * 512, GFP_KERNEL), 0);
	assert_int_equal(cache.count, 0);
	assert_int_equal(pvblk_pages_grow(&cache, 4, GFP_KERNEL), 0);
}

/* A page that is still mapped is not freed until it is unmapped. */
static void held_by_the_back_end(void **state)
{
	struct pvblk_page *p;
	struct page *page;
	grant_ref_t ref;

	assert_int_equal(pvblk_pages_grow(&cache, 3, GFP_KERNEL), 0);
	p = cache.free->next;
	page = virt_to_page(p->va);
	ref = p->ref;
	assert_non_null(hyp_map(ref, BACK, true));
	pvblk_pages_destroy(&cache);
	assert_int_equal(cache.revoked, 2);
	assert_int_equal(shim_pages, 1);
	assert_true(hyp_reachable(page));
	hyp_unmap(ref, true);
	pvgrant_retry(&pvgrant_retry_work.work);
	assert_int_equal(shim_pages, 0);
	/* A new connection can begin. */
	assert_int_equal(pvblk_pages_grow(&cache, 2, GFP_KERNEL), 0);
	assert_int_equal(cache.count, 2);
}

/* All spare pages, those used last at the end; the base stays. */
static void shrunk(void **state)
{
	struct pvblk_page *p, *end, *first;
	unsigned int free = pvgrant_free_count;

	assert_int_equal(pvblk_pages_grow(&cache, 4, GFP_KERNEL), 0);
	cache.base = cache.count;
	assert_int_equal(pvblk_pages_spare(&cache), 0);
	assert_int_equal(pvblk_pages_shrink(&cache, 4), 0);
	assert_int_equal(pvblk_pages_grow(&cache, 100, GFP_KERNEL), 0);
	cache.full = true;
	assert_int_equal(pvblk_pages_spare(&cache), 100);
	first = cache.free;
	assert_int_equal(pvblk_pages_shrink(&cache, 30), 30);
	assert_ptr_equal(cache.free, first);
	assert_false(cache.full);
	assert_int_equal(cache.count, 74);
	assert_int_equal(cache.nfree, 74);
	assert_int_equal(shim_pages, 74);
	assert_int_equal(hyp_granted(), 74);
	/* Requests have most of them. */
	p = pvblk_pages_take(&cache, 72, &end);
	assert_int_equal(pvblk_pages_shrink(&cache, 1000), 2);
	pvblk_pages_give(&cache, p, end, 72);
	assert_int_equal(pvblk_pages_shrink(&cache, 1000), 68);
	assert_int_equal(cache.count, 4);
	/* Their references are others'. */
	assert_int_equal(pvgrant_free_count, pvgrant_total_count - 4);
	assert_true(pvgrant_free_count >= free - 4);
	assert_int_equal(pvgrant_lost_count, 0);
	p = pvblk_pages_take(&cache, 4, &end);
	assert_non_null(p);
	pvblk_pages_give(&cache, p, end, 4);
	/* Both chunks are freed in the end, one of them now: 4 are left. */
	assert_int_equal(pvblk_pages_grow(&cache, 10, GFP_KERNEL), 0);
	assert_int_equal(pvblk_pages_shrink(&cache, 10), 10);
}

/* A chunk goes with its last page. */
static void shrunk_chunks(void **state)
{
	unsigned int before;

	assert_int_equal(pvblk_pages_grow(&cache, 4, GFP_KERNEL), 0);
	before = shim_allocations;
	cache.base = 4;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(pvblk_pages_grow(&cache, 20, GFP_KERNEL), 0);
		assert_int_equal(pvblk_pages_shrink(&cache, 20), 20);
	}
	/* The first four may be of any chunk. */
	assert_in_range(shim_allocations, before, before + 4 * 2);
}

/* Pages that the back end keeps mapped stay granted and in use. */
static void shrunk_while_mapped(void **state)
{
	struct pvblk_page *p;
	grant_ref_t ref[10];
	unsigned int n = 0;

	assert_int_equal(pvblk_pages_grow(&cache, 10, GFP_KERNEL), 0);
	for (p = cache.free; p; p = p->next) {
		ref[n++] = p->ref;
		if (n > 7)
			assert_non_null(hyp_map(p->ref, BACK, true));
	}
	assert_int_equal(pvblk_pages_shrink(&cache, 10), 7);
	assert_int_equal(cache.nfree, 3);
	assert_int_equal(pvgrant_deferred_count, 0);
	for (n = 7; n < 10; n++)
		hyp_unmap(ref[n], true);
	for (p = cache.free; p; p = p->next) {
		assert_non_null(hyp_map(p->ref, BACK, true));
		hyp_unmap(p->ref, true);
	}
	assert_int_equal(pvblk_pages_shrink(&cache, 10), 3);
	assert_int_equal(shim_pages, 0);
}

static void shrink_it(void)
{
	shim_race = NULL;
	if (!lock.held)
		pvblk_pages_shrink(&cache, 100);
	shim_race = shrink_it;
}

/* Memory is short while the first pages are made: all that a request needs stay. */
static void shrunk_at_once(void **state)
{
	shim_race = shrink_it;
	assert_int_equal(pvblk_pages_first(&cache, 20), 0);
	shrink_it();
	shim_race = NULL;
	assert_int_equal(cache.nfree, 20);
}

static grant_ref_t racing;
static unsigned int countdown;
static bool raced;

static void map_after_steps(void)
{
	if (!countdown--) {
		shim_race = NULL;
		raced = hyp_map(racing, BACK, true);
	}
}

/* Mapped at each point of its return: it is kept, set aside, or out of reach. */
static void shrunk_and_mapped(void **state)
{
	unsigned int step, done, kept = 0, aside = 0, gone = 0;

	for (step = 0; step < 16; step++) {
		assert_int_equal(pvblk_pages_grow(&cache, 1, GFP_KERNEL), 0);
		racing = cache.free->ref;
		raced = false;
		countdown = step;
		shim_race = map_after_steps;
		done = pvblk_pages_shrink(&cache, 1);
		shim_race = NULL;
		assert_int_equal(done, !cache.count);
		kept += !done;
		aside += pvgrant_deferred_count;
		gone += done && !pvgrant_deferred_count;
		/* A page that the back end has mapped was not freed. */
		if (raced)
			assert_int_equal(cache.count + pvgrant_deferred_count, 1);
		if (raced)
			hyp_unmap(racing, true);
		pvgrant_retry(&pvgrant_retry_work.work);
		pvblk_pages_shrink(&cache, 1);
		assert_int_equal(shim_pages, 0);
	}
	assert_true(kept && aside && gone);
}

/* Only pages that were free all the time count as idle. */
static void idle(void **state)
{
	struct pvblk_page *p, *end;

	assert_int_equal(pvblk_pages_grow(&cache, 4, GFP_KERNEL), 0);
	cache.base = 4;
	assert_int_equal(pvblk_pages_grow(&cache, 20, GFP_KERNEL), 0);
	pvblk_pages_idle(&cache);
	p = pvblk_pages_take(&cache, 15, &end);
	pvblk_pages_give(&cache, p, end, 15);
	assert_int_equal(pvblk_pages_idle(&cache), 9);
	assert_int_equal(pvblk_pages_idle(&cache), 20);
	assert_int_equal(pvblk_pages_shrink(&cache, 20), 20);
	assert_int_equal(pvblk_pages_idle(&cache), 0);
}

/* The last references are for devices that cannot do without. */
static void reserve(void **state)
{
	/* Four frames: a quarter of them is kept. */
	assert_true(pvgrant_can_spare(3 * 512 - 100));
	assert_false(pvgrant_can_spare(3 * 512 + 1));
	assert_int_equal(pvblk_pages_grow(&cache, 900, GFP_KERNEL), 0);
	assert_true(pvgrant_can_spare(3 * 512 - 900 - 100));
	assert_false(pvgrant_can_spare(3 * 512 - 900 + 1));
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(zeroed_and_granted), TEST(last_in_first_out),
		TEST(grown_twice), TEST(too_little_memory),
		TEST(too_few_grants), TEST(held_by_the_back_end),
		TEST(shrunk), TEST(shrunk_chunks), TEST(shrunk_while_mapped),
		TEST(shrunk_and_mapped), TEST(shrunk_at_once), TEST(idle), TEST(reserve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
