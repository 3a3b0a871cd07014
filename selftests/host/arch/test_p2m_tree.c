// SPDX-License-Identifier: MIT
/*
 * The tree in which the frame list is published: its size and its contents.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../arch/x86/pvguest/p2m_tree.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static void sizes(void **state)
{
	static const struct {
		unsigned long entries, mids, leaves;
	} expected[] = {
		{ 1, 1, 1 },
		{ 512, 1, 1 },
		{ 513, 1, 2 },
		{ 512 * 512, 1, 512 },
		{ 512 * 512 + 1, 2, 513 },
		{ 1UL << 27, 512, 512 * 512 },		/* 512 GiB */
		{ (1UL << 27) + 1, 512, 512 * 512 },	/* no room for more */
	};
	unsigned long mids, leaves;
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		pv_p2m_tree_size(expected[i].entries, &mids, &leaves);
		assert_int_equal(mids, expected[i].mids);
		assert_int_equal(leaves, expected[i].leaves);
	}
}

static const unsigned long *base;

/* The frame of page n of the list is 1000 + n. */
static unsigned long long frame(const void *page)
{
	return 1000 + ((const unsigned long *)page - base) / P2M_PER_PAGE;
}

static void fill(unsigned long nr)
{
	unsigned long pages = (nr + P2M_PER_PAGE - 1) / P2M_PER_PAGE, i;
	unsigned long *table = malloc((pages * P2M_PER_PAGE + 1) * sizeof(long));

	/* The list itself is never read, only its addresses are used. */
	base = (const unsigned long *)0x100000;
	table[pages * P2M_PER_PAGE] = 0x5a5a;
	pv_p2m_tree_fill(table, base, nr, frame);
	for (i = 0; i < nr; i++)
		assert_int_equal(table[i], 1000 + i);
	for (; i < pages * P2M_PER_PAGE; i++)
		assert_int_equal(table[i], ~0UL);
	assert_int_equal(table[i], 0x5a5a);
	free(table);
}

static void contents(void **state)
{
	(void)state;
	fill(1);
	fill(511);
	fill(512);
	fill(513);
	fill(3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(contents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
