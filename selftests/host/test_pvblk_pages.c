// SPDX-License-Identifier: MIT
/*
 * Pages that stay granted (drivers/pvblk/pages.c): what a back end can see, and
 * when the system gets them back.
 */
#include "driver/kernel.c"
#include "driver/hypervisor.c"

#include <setjmp.h>
#include <cmocka.h>

#include "../../drivers/pvbus/grant.c"
#include "../../drivers/pvbus/grant_deferred.c"
#include "../../drivers/pvbus/grant_table.c"
#include "../../drivers/pvblk/pages.c"

#define BACK	3

static DEFINE_SPINLOCK(lock);
static struct pvblk_cache cache;

static int start(void **state)
{
	shim_reset();
	hyp_reset(4, 1);
	frames = 0;
	max_frames = 0;
	free_head = PVGRANT_NONE;
	free_count = 0;
	total_count = 0;
	INIT_LIST_HEAD(&deferred_list);
	deferred_count = 0;
	retry_work = (struct delayed_work) { .work.func = retry };
	assert_int_equal(pvgrant_table_init(), 0);
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

/* Those that were used last are used next: the back end has them mapped. */
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

/* Whatever fails, what there is can be used and is given back. */
static void too_little_memory(void **state)
{
	for (int i = 0; i < 6; i++) {
		shim_fail_after = i;
		assert_int_equal(pvblk_pages_grow(&cache, 4, GFP_NOIO), -ENOMEM);
		shim_fail_after = -1;
		assert_int_equal(cache.nfree, cache.count);
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

/* A page that is still mapped is nobody's until it is let go. */
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
	retry(&retry_work.work);
	assert_int_equal(shim_pages, 0);
	/* And a new connection can begin. */
	assert_int_equal(pvblk_pages_grow(&cache, 2, GFP_KERNEL), 0);
	assert_int_equal(cache.count, 2);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(zeroed_and_granted), TEST(last_in_first_out),
		TEST(grown_twice), TEST(too_little_memory),
		TEST(too_few_grants), TEST(held_by_the_back_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
