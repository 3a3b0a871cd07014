// SPDX-License-Identifier: MIT
/* Numbers of virtual disks (drivers/pvblk/vdev.c): names, minors, refusals. */
#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

#include "../../../drivers/pvblk/vdev.c"

static void is(unsigned int vdev, const char *text, unsigned int minor,
	       unsigned int minors)
{
	struct pvblk_name name = {};

	assert_int_equal(pvblk_name(&name, vdev), 0);
	assert_string_equal(name.name, text);
	assert_int_equal(name.minor, minor);
	assert_int_equal(name.minors, minors);
}

static void is_none(unsigned int vdev)
{
	struct pvblk_name name;

	assert_int_equal(pvblk_name(&name, vdev), -EINVAL);
}

static void xvd_numbers(void **state)
{
	is(202 << 8, "xvda", 0, 16);
	is(202 << 8 | 16, "xvdb", 16, 16);
	is(202 << 8 | 15 << 4, "xvdp", 240, 16);
	is(202 << 8 | 1, "xvda1", 1, 1);
	is(202 << 8 | 15 << 4 | 15, "xvdp15", 255, 1);
}

static void extended_numbers(void **state)
{
	is(1 << 28, "xvda", 0, 16);
	is(1 << 28 | 2 << 8 | 3, "xvdc3", 35, 1);
	is(1 << 28 | 16 << 8, "xvdq", 4096, 256);
	is(1 << 28 | 25 << 8, "xvdz", 25 * 256, 256);
	is(1 << 28 | 26 << 8, "xvdaa", 26 * 256, 256);
	is(1 << 28 | 26 << 8 | 200, "xvdaa200", 26 * 256 + 200, 1);
	is(1 << 28 | 701 << 8, "xvdzz", 701 * 256, 256);
	is(1 << 28 | 702 << 8, "xvdaaa", 702 * 256, 256);
	is(1 << 28 | 4095 << 8 | 255, "xvdfan255", 0xfffff, 1);
}

static void old_numbers(void **state)
{
	is(3 << 8, "xvda", 0, 16);
	is(3 << 8 | 64, "xvdb", 16, 16);
	is(3 << 8 | 64 | 3, "xvdb3", 19, 1);
	is(22 << 8, "xvdc", 32, 16);
	is(22 << 8 | 64, "xvdd", 48, 16);
	is(8 << 8, "xvda", 0, 16);
	is(8 << 8 | 16 | 2, "xvdb2", 18, 1);
	is(65 << 8, "xvdq", 4096, 256);
	is(71 << 8 | 0xf0, "xvddx", 127 * 256, 256);
	is(128 << 8, "xvddy", 128 * 256, 256);
	is(135 << 8 | 0xf0, "xvdiv", 255 * 256, 256);
}

static void no_disks(void **state)
{
	is_none(0);
	is_none(203 << 8);
	is_none(9 << 8);
	is_none(3 << 8 | 128);
	is_none(22 << 8 | 128);
	/* Minors that are another disk's. */
	is_none(3 << 8 | 16);
	is_none(1 << 28 | 1 << 8 | 16);
	/* Beyond Linux's minors. */
	is_none(1 << 28 | 4096 << 8);
	is_none(2 << 28 | 16 << 8);
	is_none(UINT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xvd_numbers),
		cmocka_unit_test(extended_numbers),
		cmocka_unit_test(old_numbers),
		cmocka_unit_test(no_disks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
