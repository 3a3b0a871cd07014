// SPDX-License-Identifier: MIT
/*
 * The balloon's policy (drivers/pvballoon/balloon.c): which targets are followed,
 * how far, and what is said of those that are not.
 */
#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

#include "store_nodes.h"

/* The domain was started with as many pages as this machine has, and may have twice as many. */
#define BOOT			SHIM_PAGES
#define KIB(pages)		((pages) * 4UL)

#define SZ_8M			(8UL << 20)
#define GFP_HIGHUSER		GFP_KERNEL
#define __GFP_NOMEMALLOC	0u
#define WQ_FREEZABLE		4
#define cond_resched()		might_sleep()
#undef abs
#define abs(x)			({ __typeof__(x) x_ = (x); x_ < 0 ? -x_ : x_; })

/* Pages that Linux has to spare, beside what it keeps. */
static long spare;
static bool offline[BOOT], given[BOOT];
static unsigned int offline_lock;
static long managed;
/* Pages that the hypervisor does before it refuses; what it says then. */
static long accepts;
static int refusal;
static unsigned int calls;

#define KEPT			2048
#define si_mem_available()	(spare + KEPT - (managed < 0 ? -managed : 0))
/* Free swap, and memory that Linux could swap out. */
static long free_swap, anonymous;
#define get_nr_swap_pages()	free_swap
#define NR_ACTIVE_ANON		4
#define NR_INACTIVE_ANON	5
#define global_node_page_state(list)	((unsigned long)(anonymous * (list) / 9))

static void page_offline_begin(void)
{
	might_sleep();
	offline_lock++;
}

static void page_offline_end(void)
{
	offline_lock--;
}

static void __SetPageOffline(struct page *page)
{
	assert_int_equal(offline_lock, 1);
	assert_false(offline[page_to_pfn(page)]);
	offline[page_to_pfn(page)] = true;
}

static void __ClearPageOffline(struct page *page)
{
	assert_int_equal(offline_lock, 1);
	assert_true(offline[page_to_pfn(page)]);
	offline[page_to_pfn(page)] = false;
}

static void adjust_managed_page_count(struct page *page, long more)
{
	managed += more;
}

#include "../../../drivers/pvballoon/balloon.c"

unsigned long pvguest_memory_at_boot(void)
{
	return BOOT;
}

/* As many of @count as the hypervisor takes on. */
static unsigned int accepted(unsigned int count)
{
	calls++;
	assert_in_range(count, 1, PVGUEST_MEMORY_BATCH);
	if (accepts < 0)
		return count;
	if (count > accepts)
		count = accepts;
	accepts -= count;
	return count;
}

int pvguest_memory_give(struct page **list, unsigned int count, unsigned int *done)
{
	unsigned int i;

	might_sleep();
	*done = accepted(count);
	for (i = 0; i < count; i++) {
		unsigned long pfn = page_to_pfn(list[i]);
		const char *bytes = page_address(list[i]);

		assert_int_equal(page_count(list[i]), 1);
		assert_true(offline[pfn]);
		assert_false(given[pfn]);
		/* Another domain may read it next. */
		assert_true(!bytes[0] && !memcmp(bytes, bytes + 1, PAGE_SIZE - 1));
		given[pfn] = i < *done;
	}
	return *done == count ? 0 : refusal;
}

int pvguest_memory_take(struct page **list, unsigned int count, unsigned int *done)
{
	unsigned int i;

	might_sleep();
	*done = accepted(count);
	for (i = 0; i < *done; i++) {
		unsigned long pfn = page_to_pfn(list[i]);

		assert_true(offline[pfn] && given[pfn]);
		given[pfn] = false;
	}
	return *done == count ? 0 : refusal;
}

static void settle(void)
{
	unsigned int rounds = 0;

	/* A move that fails is tried again for ever. */
	while (rounds++ < 200 && shim_run_work())
		;
}

static void target(const char *value)
{
	node_set("memory/target", value);
	settle();
}

static void target_pages(unsigned long pages)
{
	char value[32];

	snprintf(value, sizeof(value), "%lu", KIB(pages));
	target(value);
}

/* The balloon holds @pages, for Linux and for the hypervisor alike. */
static void holds(unsigned long pages)
{
	unsigned long pfn, marked = 0, gone = 0;

	for (pfn = 0; pfn < BOOT; pfn++) {
		marked += offline[pfn];
		gone += given[pfn];
	}
	assert_int_equal(pvballoon_pages(), pages);
	assert_int_equal(marked, pages);
	assert_int_equal(gone, pages);
	assert_int_equal(shim_pages, pages);
	assert_int_equal(managed, -(long)pages);
}

static int fresh(void **state)
{
	shim_reset();
	memset(nodes, 0, sizeof(nodes));
	INIT_LIST_HEAD(&node_watches);
	memset(&pvballoon, 0, sizeof(pvballoon));
	INIT_LIST_HEAD(&pvballoon.pages);
	pvballoon.delay = 1;
	pvballoon_work.work.pending = false;
	pvballoon_start.work.pending = false;
	memset(offline, 0, sizeof(offline));
	memset(given, 0, sizeof(given));
	managed = 0;
	calls = 0;
	accepts = -1;
	refusal = -ENOMEM;
	spare = BOOT;
	free_swap = 0;
	anonymous = 0;
	node_put("memory/static-max", "8192");
	node_put("memory/target", "4096");
	assert_int_equal(shim_init_pvballoon_init(), 0);
	settle();
	holds(0);
	assert_int_equal(shim_log_lines, 0);
	return 0;
}

static int done(void **state)
{
	assert_int_equal(shim_allocations, 0);
	assert_int_equal(offline_lock, 0);
	return 0;
}

static void memory_goes_down_and_up(void **state)
{
	unsigned int round;

	for (round = 0; round < 10; round++) {
		target_pages(BOOT / 4);
		holds(BOOT - BOOT / 4);
		assert_int_equal(pvballoon_target(), BOOT / 4);
		target_pages(BOOT / 2);
		holds(BOOT / 2);
		target_pages(BOOT);
		holds(0);
	}
	assert_int_equal(shim_log_lines, 0);
}

/* A tool stack that rounds moves nothing; but a move ends at the very page. */
static void a_small_difference_is_none(void **state)
{
	target_pages(BOOT - PVBALLOON_SLACK + 1);
	assert_int_equal(calls, 0);
	target_pages(BOOT - PVBALLOON_SLACK);
	holds(PVBALLOON_SLACK);
	accepts = 90;
	target_pages(BOOT - PVBALLOON_SLACK - 100);
	holds(PVBALLOON_SLACK + 90);
	accepts = -1;
	settle();
	holds(PVBALLOON_SLACK + 100);
}

static void nonsense_is_refused_by_one_line(void **state)
{
	target_pages(BOOT / 2);
	target("lots\npvguest: all is well");
	assert_string_equal(shim_log_last,
			    "pvballoon: memory/target: 'lots' is no number of KiB (-22); ignored\n");
	target("-4096");
	target("");
	target("2048x");
	target("99999999999999999999999999");
	assert_int_equal(shim_log_lines, 1);
	target("0");
	assert_string_equal(shim_log_last,
			    "pvballoon: memory/target: 0 KiB is zero or above the domain's maximum (-34); ignored\n");
	target("8193");
	target("18446744073709551615");
	assert_int_equal(shim_log_lines, 2);
	holds(BOOT / 2);
	target_pages(BOOT);
	holds(0);
	target("x");
	assert_int_equal(shim_log_lines, 3);
	node_remove("memory/target");
	node_event("memory/target");
	settle();
	assert_int_equal(shim_log_lines, 3);
	holds(0);
}

/* A domain without a maximum follows what it can. */
static void more_than_at_the_start_is_that(void **state)
{
	target_pages(BOOT / 2);
	target_pages(BOOT * 2);
	holds(0);
	assert_int_equal(shim_log_lines, 1);
	assert_string_equal(shim_log_last,
			    "pvballoon: memory/target: more than the 4096 KiB of the start (-28); using these\n");
	node_remove("memory/static-max");
	target("18446744073709551615");
	holds(0);
	target_pages(BOOT / 2);
	holds(BOOT / 2);
}

static void linux_keeps_what_it_needs(void **state)
{
	spare = 100;
	target("1");
	holds(100);
	assert_int_equal(shim_log_lines, 1);
	assert_string_equal(shim_log_last,
			    "pvballoon: memory/target: 3696 KiB are missing, as Linux has no more to spare (-12); trying again and again\n");
	/* Some of it is freed: followed without a word. */
	spare = 200;
	settle();
	holds(200);
	assert_int_equal(shim_log_lines, 1);
	/* An allocation may fail all the same. */
	spare = BOOT;
	shim_fail_after = 30;
	settle();
	holds(BOOT);
	target_pages(BOOT);
	holds(0);
}

/* The kernel's own memory cannot be swapped out. */
static void swap_counts_as_far_as_it_helps(void **state)
{
	spare = 100;
	free_swap = 4 * BOOT;
	anonymous = 90;
	target("4");
	holds(190);
	target_pages(BOOT);
	free_swap = 30;
	target("4");
	holds(130);
}

static void a_refusal_of_the_hypervisor_is_tried_again(void **state)
{
	target_pages(BOOT / 2);
	accepts = 70;
	target_pages(BOOT);
	holds(BOOT / 2 - 70);
	assert_int_equal(shim_log_lines, 1);
	assert_string_equal(shim_log_last,
			    "pvballoon: memory/target: 1768 KiB are missing, as the hypervisor refuses (-12); trying again and again\n");
	assert_int_equal(pvballoon.delay, PVBALLOON_MAX_DELAY);
	accepts = -1;
	settle();
	holds(0);
	assert_int_equal(pvballoon.delay, 1);
	/* Pages that are refused go back to Linux. */
	accepts = 10;
	refusal = -EBUSY;
	target_pages(BOOT / 2);
	holds(10);
	assert_int_equal(shim_log_lines, 2);
	accepts = 0;
	target_pages(BOOT);
	holds(10);
	assert_int_equal(shim_log_lines, 3);
	accepts = -1;
	settle();
	holds(0);
}

/* The callback of a watch must not do anything but queue work. */
static void the_watch_queues_work_only(void **state)
{
	shim_atomic = 1;
	node_set("memory/target", "1024");
	node_set("memory/target", "2048");
	shim_atomic = 0;
	holds(0);
	assert_true(shim_queue_flags & WQ_FREEZABLE);
	settle();
	holds(BOOT / 2);
}

/* A target that changes on the way is followed from there. */
static void the_last_target_counts(void **state)
{
	node_set("memory/target", "4");
	shim_run_work();
	assert_in_range(pvballoon_pages(), 1, PVBALLOON_ROUND * PVGUEST_MEMORY_BATCH);
	target_pages(BOOT - 20);
	holds(20);
}

static void a_node_that_cannot_be_read_changes_nothing(void **state)
{
	target_pages(BOOT / 2);
	node_error = -EACCES;
	target_pages(BOOT);
	holds(BOOT / 2);
	assert_string_equal(shim_log_last,
			    "pvballoon: memory/target: cannot be read (-13); ignored until it changes\n");
	node_error = -EPROTO;
	node_event("memory/target");
	settle();
	assert_int_equal(shim_log_lines, 1);
	node_event("memory/target");
	settle();
	holds(0);
}

/* Linux changes the mappings of its image then, and goes by them. */
static void no_page_goes_before_the_boot_is_over(void **state)
{
	INIT_LIST_HEAD(&node_watches);
	system_state = SYSTEM_FREEING_INITMEM;
	assert_int_equal(shim_init_pvballoon_init(), 0);
	target_pages(BOOT / 2);
	holds(0);
	assert_int_equal(calls, 0);
	system_state = SYSTEM_RUNNING;
	settle();
	holds(BOOT / 2);
	assert_int_equal(shim_log_lines, 0);
}

static void a_tool_stack_that_asks_is_answered(void **state)
{
	assert_false(pvstore_exists(0, "control", "feature-balloon"));
	node_put("control/feature-balloon", "");
	assert_int_equal(shim_init_pvballoon_init(), 0);
	INIT_LIST_HEAD(&node_watches);
	settle();
	assert_string_equal(node_find("control/feature-balloon")->value, "1");
}

#define a_test(name)	cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		a_test(memory_goes_down_and_up),
		a_test(a_small_difference_is_none),
		a_test(nonsense_is_refused_by_one_line),
		a_test(more_than_at_the_start_is_that),
		a_test(linux_keeps_what_it_needs),
		a_test(swap_counts_as_far_as_it_helps),
		a_test(a_refusal_of_the_hypervisor_is_tried_again),
		a_test(the_watch_queues_work_only),
		a_test(the_last_target_counts),
		a_test(a_node_that_cannot_be_read_changes_nothing),
		a_test(no_page_goes_before_the_boot_is_over),
		a_test(a_tool_stack_that_asks_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
