// SPDX-License-Identifier: MIT
/*
 * Grant references (drivers/pvbus/grant*.c) in both layouts: allocated, revoked,
 * kept mapped by a back end, and none ever lost.
 */
#include "driver/kernel.c"
#include "driver/hypervisor.c"
#include "grant.h"

#include <setjmp.h>
#include <cmocka.h>

#define BACK	3
#define PER_FRAME	(PAGE_SIZE / (pv_grant_layout_v2.on ? 16 : 8))
#define FIRST_FREE	(PER_FRAME - GNTTAB_NR_RESERVED_ENTRIES)

static struct page *page;

/* A domain that has just been created. */
static void boot(unsigned int max, unsigned int version, unsigned int offered)
{
	grant_reset(max, offered);
	pv_grant_layout_v2.on = false;
	pv_grant_version = version;
	page = NULL;
}

static int start_v1(void **state)
{
	boot(3, 0, 2);
	assert_int_equal(pvgrant_init(), 0);
	page = alloc_page(GFP_KERNEL);
	return 0;
}

static int start_v2(void **state)
{
	boot(3, 2, 2);
	assert_int_equal(pvgrant_init(), 0);
	assert_true(pv_grant_layout_v2.on);
	page = alloc_page(GFP_KERNEL);
	return 0;
}

static bool no_leak(void)
{
	unsigned int pages = page ? 1 : 0;

	return shim_pages == pages && shim_allocations == 2 &&
	       pvgrant_free_count == pvgrant_total_count && !pvgrant_lost_count && !hyp_granted();
}

static int stop(void **state)
{
	bool good = no_leak();

	shim_reset();
	return !good;
}

static void versions(void **state)
{
	/* Layout 2 is requested and refused. */
	boot(4, 2, 1);
	assert_int_equal(pvgrant_init(), 0);
	assert_false(pv_grant_layout_v2.on);
	assert_non_null(strstr(shim_log_last, "grant_version=2"));
	/* Layout 2 is not requested, but it is the only one that works. */
	boot(4, 0, 2);
	hyp_max_mfn = 0x100000001;
	assert_int_equal(pvgrant_init(), 0);
	assert_true(pv_grant_layout_v2.on);
	boot(4, 1, 2);
	hyp_max_mfn = 0x100000000;
	assert_int_equal(pvgrant_init(), 0);
	assert_false(pv_grant_layout_v2.on);
	/* No layout works. */
	boot(4, 1, 1);
	hyp_max_mfn = 0x100000001;
	assert_int_equal(pvgrant_init(), -ENODEV);
	assert_int_equal(pvgrant_spare(), PVGRANT_NONE);
	shim_reset();
}

/* A number that is no layout, and not 0 either, is refused when it is given. */
static void version_that_is_none(void **state)
{
	const struct kernel_param *param = &shim_param_grant_version;

	pv_grant_version = 1;
	assert_int_equal(param->ops->set("3", param), -EINVAL);
	assert_int_equal(shim_log_lines, 1);
	assert_string_equal(shim_log_last,
			    "pvguest.grant_version: '3' is not within 0 to 2 (-22); ignored\n");
	assert_int_equal(pv_grant_version, 1);
	assert_int_equal(param->ops->set("2", param), 0);
	assert_int_equal(pv_grant_version, 2);
	shim_reset();
}

static void kept_pages_are_a_number(void **state)
{
	const struct kernel_param *param = &shim_param_kept_pages;

	assert_int_equal(param->ops->set("-1\n", param), -EINVAL);
	assert_int_equal(shim_log_lines, 1);
	assert_string_equal(shim_log_last,
			    "pvbus.kept_pages: '-1' is not within 0 to 4294967295 (-22); ignored\n");
	assert_int_equal(pvgrant_kept_pages, 2048);
	assert_int_equal(param->ops->set("0\n", param), 0);
	assert_int_equal(pvgrant_kept_pages, 0);
	pvgrant_kept_pages = 2048;
	shim_reset();
}

static void life_of_a_grant(void **state)
{
	struct pvgrant_pool pool;
	grant_ref_t ref;
	u8 *seen;

	assert_int_equal(pvgrant_pool_init(&pool, 2), 0);
	ref = pvgrant_take(&pool);
	/* The first 8 are the tool stack's. */
	assert_int_equal(ref, 8);
	assert_int_equal(pvgrant_take(&pool), 9);
	assert_int_equal(pvgrant_take(&pool), PVGRANT_NONE);
	assert_null(hyp_map(ref, BACK, false));

	pvguest_grant_allow(ref, BACK, page, true);
	assert_null(hyp_map(ref, BACK + 1, false));
	assert_null(hyp_map(ref, BACK, true));
	seen = hyp_map(ref, BACK, false);
	assert_ptr_equal(seen, page_address(page));
	assert_false(pvguest_grant_revoke(ref));
	assert_false(pvguest_grant_revoke(ref));
	hyp_unmap(ref, false);
	assert_true(pvguest_grant_revoke(ref));
	assert_null(hyp_map(ref, BACK, false));
	assert_true(pvguest_grant_revoke(ref));

	pvguest_grant_allow(ref, BACK, page, false);
	assert_non_null(hyp_map(ref, BACK, true));
	hyp_unmap(ref, true);
	assert_true(pvguest_grant_revoke(ref));
	pvgrant_put(&pool, ref);
	pvgrant_put(&pool, 9);
	shim_warn_ok = true;
	pvgrant_put(&pool, 9);
	assert_int_equal(shim_warnings, 1);
	pvgrant_pool_destroy(&pool);
}

static grant_ref_t racing;
static bool raced;

static unsigned int countdown;

static void map_after_steps(void)
{
	if (!countdown--) {
		shim_race = NULL;
		raced = hyp_map(racing, BACK, true);
	}
}

/*
 * The back end maps at each point of a revocation: either it gets the page and
 * the revocation reports that, or it does not.
 */
static void map_while_revoking(void **state)
{
	struct pvgrant_pool pool;
	unsigned int step, early = 0, late = 0;
	bool revoked;

	assert_int_equal(pvgrant_pool_init(&pool, 1), 0);
	racing = pvgrant_take(&pool);
	for (step = 0; step < 6; step++) {
		pvguest_grant_allow(racing, BACK, page, false);
		raced = false;
		countdown = step;
		shim_race = map_after_steps;
		revoked = pvguest_grant_revoke(racing);
		shim_race = NULL;
		if (revoked)
			assert_false(raced);
		early += raced;
		late += revoked;
		if (raced)
			hyp_unmap(racing, true);
		assert_true(pvguest_grant_revoke(racing));
	}
	/* Some were in time, some too late. */
	assert_true(early && late);
	pvgrant_put(&pool, racing);
	pvgrant_pool_destroy(&pool);
}

static void growth(void **state)
{
	struct pvgrant_pool first, rest, more;
	unsigned int limit_refs = 3 * PER_FRAME - GNTTAB_NR_RESERVED_ENTRIES;
	static unsigned char seen[3 * 512];
	grant_ref_t ref;

	memset(seen, 0, sizeof(seen));
	assert_int_equal(pvgrant_pool_init(&first, 10), 0);
	assert_int_equal(pv_grant_frames, 1);
	ref = pvgrant_take(&first);
	pvguest_grant_allow(ref, BACK, page, false);
	assert_int_equal(pvgrant_pool_init(&rest, limit_refs - 10), 0);
	assert_int_equal(pv_grant_frames, 3);
	assert_int_equal(pvgrant_free_count, 0);
	/* Each reference is allocated once and works. */
	while (rest.free) {
		grant_ref_t next = pvgrant_take(&rest);

		assert_in_range(next, 18, 3 * PER_FRAME - 1);
		assert_int_equal(seen[next]++, 0);
		pvguest_grant_allow(next, BACK, page, true);
		assert_non_null(hyp_map(next, BACK, false));
		assert_false(pvguest_grant_revoke(next));
		hyp_unmap(next, false);
		assert_true(pvguest_grant_revoke(next));
	}
	/* Earlier grants are unchanged. */
	assert_non_null(hyp_map(ref, BACK, false));
	hyp_unmap(ref, false);
	assert_true(pvguest_grant_revoke(ref));
	pvgrant_put(&first, ref);

	assert_int_equal(pvgrant_pool_init(&more, 1), -ENOSPC);
	assert_non_null(strstr(shim_log_last, "max_grant_frames"));
	pvgrant_pool_destroy(&more);
	for (ref = 18; rest.free < rest.size; ref++)
		pvgrant_put(&rest, ref);
	pvgrant_pool_destroy(&rest);
	pvgrant_pool_destroy(&first);
}

/* Another disk may wait for the growth that one disk has asked for. */
static void growth_waits_for_no_disk(void **state)
{
	unsigned int before = shim_io_allocations;

	assert_int_equal(pvgrant_grow(1), 0);
	assert_int_equal(shim_io_allocations, before);
	assert_int_equal(shim_noio, 0);
}

static void growth_without_memory(void **state)
{
	struct pvgrant_pool pool;
	unsigned int fail;
	int ret = -ENOMEM;

	for (fail = 0; ret; fail++) {
		shim_fail_after = fail;
		ret = pvgrant_pool_init(&pool, PER_FRAME);
		shim_fail_after = -1;
		if (ret) {
			assert_int_equal(ret, -ENOMEM);
			assert_int_equal(shim_allocations, 2);
			assert_int_equal(pvgrant_free_count, FIRST_FREE);
		}
	}
	assert_true(fail > 2);
	pvgrant_pool_destroy(&pool);
}

static void pools(void **state)
{
	struct pvgrant_pool pool;
	grant_ref_t held;

	/* A thousand devices are added and removed; a lost reference would show. */
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(pvgrant_pool_init(&pool, 300), 0);
		pvgrant_put(&pool, pvgrant_take(&pool));
		pvgrant_pool_destroy(&pool);
		assert_int_equal(pvgrant_free_count, pvgrant_total_count);
	}

	/* Wrong uses are reported, and their references are lost. */
	shim_warn_ok = true;
	assert_int_equal(pvgrant_pool_init(&pool, 2), 0);
	held = pvgrant_take(&pool);
	pvguest_grant_allow(held, BACK, page, false);
	pvgrant_put(&pool, held);
	pvgrant_pool_destroy(&pool);
	assert_int_equal(shim_warnings, 1);
	assert_int_equal(pvgrant_lost_count, 1);
	assert_int_equal(pvgrant_free_count, pvgrant_total_count - 1);
	assert_int_equal(pvgrant_pool_init(&pool, 2), 0);
	assert_int_not_equal(pvgrant_take(&pool), held);
	pvgrant_pool_destroy(&pool);
	assert_int_equal(shim_warnings, 2);
	assert_int_equal(pvgrant_lost_count, 2);

	/* Corrected, so that the checks at the end of the test pass. */
	assert_true(pvguest_grant_revoke(held));
	pvgrant_give_back(&held, 1);
	held = 9;
	pvgrant_give_back(&held, 1);
	pvgrant_lost_count = 0;
}

static void area(void **state)
{
	struct pvgrant_area area;
	unsigned int i, fail, count;

	assert_int_equal(pvgrant_area_alloc(&area, BACK, 0), -EINVAL);
	assert_int_equal(pvgrant_area_alloc(&area, BACK, 17), -EINVAL);
	pvgrant_area_free(&area);
	for (count = 1; count <= 16; count += 15) {
		assert_int_equal(pvgrant_area_alloc(&area, BACK, count), 0);
		for (i = 0; i < count * PAGE_SIZE; i++)
			assert_int_equal(((u8 *)area.va)[i], 0);
		for (i = 0; i < count; i++) {
			u8 *seen = hyp_map(area.refs[i], BACK, true);

			assert_ptr_equal(seen, area.va + i * PAGE_SIZE);
			hyp_unmap(area.refs[i], true);
		}
		pvgrant_area_free(&area);
		assert_null(area.va);
		assert_true(no_leak());
	}
	for (fail = 0; fail < 6; fail++) {
		shim_fail_after = fail;
		assert_int_equal(pvgrant_area_alloc(&area, BACK, 4),
				 fail < 5 ? -ENOMEM : 0);
		shim_fail_after = -1;
		pvgrant_area_free(&area);
		assert_true(no_leak());
	}
}

static void watch_page(struct page *freed)
{
	shim_check(!hyp_reachable(freed), "page freed while granted");
}

static void held_on_to(void **state)
{
	struct pvgrant_area area;
	struct pvgrant_pool pool;
	struct seq_file m = {};
	grant_ref_t ref, kept;

	shim_page_freed = watch_page;
	assert_int_equal(pvgrant_area_alloc(&area, BACK, 3), 0);
	kept = area.refs[1];
	assert_non_null(hyp_map(kept, BACK, true));
	pvgrant_area_free(&area);
	assert_int_equal(shim_pages, 2);

	assert_int_equal(pvgrant_pool_init(&pool, 2), 0);
	ref = pvgrant_take(&pool);
	get_page(page);
	pvguest_grant_allow(ref, BACK, page, false);
	assert_non_null(hyp_map(ref, BACK, false));
	assert_false(pvguest_grant_revoke(ref));
	pvgrant_abandon(&pool, ref, page);
	/* The pool is whole, with another one in its place. */
	assert_int_equal(pool.free, 2);
	assert_int_not_equal(pvgrant_take(&pool), ref);
	assert_int_not_equal(pvgrant_take(&pool), ref);
	assert_int_equal(pvgrant_deferred_count, 2);

	/* Retries change nothing until the back end unmaps. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(shim_run_work(), 1);
		assert_int_equal(pvgrant_deferred_count, 2);
		assert_int_equal(page_count(page), 2);
		assert_int_equal(shim_pages, 2);
	}
	pvgrant_show(&m, NULL);
	assert_non_null(strstr(m.text, "in_use 4\n"));
	assert_non_null(strstr(m.text, "deferred 2\n"));

	hyp_unmap(ref, false);
	assert_int_equal(shim_run_work(), 1);
	assert_int_equal(page_count(page), 1);
	assert_int_equal(pvgrant_deferred_count, 1);
	hyp_unmap(kept, true);
	assert_int_equal(shim_run_work(), 1);
	assert_int_equal(pvgrant_deferred_count, 0);
	assert_int_equal(pvgrant_released_count, 2);
	assert_int_equal(shim_pages, 1);
	/* No retry is scheduled any more. */
	assert_int_equal(shim_run_work(), 0);

	for (ref = 8; pool.free < pool.size; ref++) {
		if (ref != kept)
			pvgrant_put(&pool, ref);
	}
	pvgrant_pool_destroy(&pool);
}

/* Pages that a task abandons are charged to the account that it has open. */
static void held_on_account(void **state)
{
	struct pvgrant_account *account = pvgrant_account_new();
	struct pvgrant_charge charge;
	struct pvgrant_area area;
	grant_ref_t refs[4];

	assert_non_null(account);
	assert_int_equal(pvgrant_account_pages(account), 0);
	for (unsigned int round = 0; round < 2; round++) {
		assert_int_equal(pvgrant_area_alloc(&area, BACK, 3), 0);
		for (unsigned int i = 0; i < 2; i++) {
			refs[2 * round + i] = area.refs[i];
			assert_non_null(hyp_map(area.refs[i], BACK, true));
		}
		pvgrant_charge_begin(&charge, round ? NULL : account);
		pvgrant_area_free(&area);
		pvgrant_charge_end(&charge);
	}
	/* Those of the second round are charged to no account. */
	assert_int_equal(pvgrant_account_pages(account), 2);
	assert_int_equal(pvgrant_deferred_count, 4);
	hyp_unmap(refs[0], true);
	hyp_unmap(refs[2], true);
	shim_run_work();
	assert_int_equal(pvgrant_account_pages(account), 1);
	/* The device goes before its last page. */
	pvgrant_account_put(account);
	hyp_unmap(refs[1], true);
	hyp_unmap(refs[3], true);
	shim_run_work();
	assert_int_equal(pvgrant_deferred_count, 0);
	assert_int_equal(pvgrant_account_pages(NULL), 0);
}

/*
 * A pool's pages are charged to the device that it was made for, by whichever
 * task or interrupt they are abandoned; with too many, it gets no replacements.
 */
static void held_on_account_of_pool(void **state)
{
	struct pvgrant_account *account = pvgrant_account_new();
	struct pvgrant_charge charge;
	struct pvgrant_pool pool;
	grant_ref_t refs[6];

	pvgrant_kept_pages = 3;
	pvgrant_charge_begin(&charge, account);
	assert_int_equal(pvgrant_pool_init(&pool, 6), 0);
	pvgrant_charge_end(&charge);
	for (unsigned int i = 0; i < 6; i++) {
		refs[i] = pvgrant_take(&pool);
		get_page(page);
		pvguest_grant_allow(refs[i], BACK, page, false);
		assert_non_null(hyp_map(refs[i], BACK, false));
		/* The fifth cannot be kept track of, and is charged all the same. */
		shim_fail_after = i == 4 ? 0 : -1;
		pvgrant_abandon(&pool, refs[i], page);
		assert_int_equal(pvgrant_account_pages(account), i + 1);
		assert_int_equal(pvgrant_account_full(account), i >= 2);
	}
	shim_fail_after = -1;
	/* Three have been replaced. */
	assert_int_equal(pool.size, 3);
	assert_int_equal(pool.free, 3);
	for (unsigned int i = 0; i < 6; i++)
		hyp_unmap(refs[i], false);
	shim_run_work();
	assert_int_equal(pvgrant_account_pages(account), 1);
	assert_int_equal(pvgrant_forgotten_count, 1);
	assert_true(pvguest_grant_revoke(refs[4]));
	pvgrant_give_back(&refs[4], 1);
	put_page(page);
	pvgrant_pool_destroy(&pool);
	pvgrant_account_put(account);
	pvgrant_kept_pages = 2048;
}

static void held_without_memory(void **state)
{
	struct pvgrant_pool pool;
	grant_ref_t ref;

	assert_int_equal(pvgrant_pool_init(&pool, FIRST_FREE), 0);
	ref = pvgrant_take(&pool);
	pvguest_grant_allow(ref, BACK, page, false);
	assert_non_null(hyp_map(ref, BACK, false));
	shim_fail_after = 0;
	pvgrant_abandon(&pool, ref, page);
	/* No other reference is available at once: the pool is smaller by one. */
	assert_int_equal(pool.size, FIRST_FREE - 1);
	assert_int_equal(pool.free, FIRST_FREE - 1);
	assert_int_equal(pvgrant_forgotten_count, 1);
	assert_int_equal(pvgrant_deferred_count, 0);
	pvgrant_pool_destroy(&pool);
	assert_int_equal(pvgrant_free_count, pvgrant_total_count - 1);
	hyp_unmap(ref, false);
	assert_true(pvguest_grant_revoke(ref));
	pvgrant_give_back(&ref, 1);
}

/* The first 8 belong to the tool stack in either layout. */
static void reserved_entries_untouched(void **state)
{
	struct pvgrant_pool pool;
	grant_ref_t ref;

	assert_int_equal(pvgrant_pool_init(&pool, FIRST_FREE), 0);
	for (ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++) {
		assert_int_equal(flags_of(ref), 0);
		assert_int_equal(mfn_of(ref), 0);
	}
	pvgrant_pool_destroy(&pool);
	for (ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++)
		assert_int_equal(mfn_of(ref), 0);
}

#define BOTH(test)							\
	{ #test " v1", test, start_v1, stop, NULL },			\
	{ #test " v2", test, start_v2, stop, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions),
		cmocka_unit_test(version_that_is_none),
		cmocka_unit_test(kept_pages_are_a_number),
		BOTH(life_of_a_grant),
		BOTH(map_while_revoking),
		BOTH(growth),
		BOTH(growth_waits_for_no_disk),
		BOTH(growth_without_memory),
		BOTH(pools),
		BOTH(area),
		BOTH(held_on_to),
		BOTH(held_on_account),
		BOTH(held_on_account_of_pool),
		BOTH(held_without_memory),
		BOTH(reserved_entries_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
