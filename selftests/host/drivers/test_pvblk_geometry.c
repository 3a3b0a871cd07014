// SPDX-License-Identifier: MIT
/* Heads, sectors and cylinders (drivers/pvblk/geometry.c) of disks of any size. */
#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

struct gendisk { sector_t capacity; };
struct block_device { struct gendisk *bd_disk; };
struct hd_geometry {
	unsigned char heads, sectors;
	unsigned short cylinders;
	unsigned long start;
};

#define get_capacity(disk)	((disk)->capacity)

#include "../../../drivers/pvblk/geometry.c"

static void is(u64 sectors, unsigned int cylinders)
{
	struct gendisk disk = { .capacity = sectors };
	struct block_device bdev = { .bd_disk = &disk };
	struct hd_geometry geo = { .start = 2048 };

	assert_int_equal(pvblk_getgeo(&bdev, &geo), 0);
	assert_int_equal(geo.heads, 255);
	assert_int_equal(geo.sectors, 63);
	assert_int_equal(geo.cylinders, cylinders);
	assert_int_equal(geo.start, 2048);
}

static void of_any_size(void **state)
{
	const u64 cylinder = 255 * 63;

	is(0, 1);
	is(cylinder - 1, 1);
	is(cylinder, 1);
	is(32768, 2);
	is(20ULL << 21, 2610);
	is(65535 * cylinder - 1, 65534);
	is(65535 * cylinder, 65535);
	/* No more can be said; it must not begin at 0 again. */
	is(65536 * cylinder, 65535);
	is(1ULL << 32, 65535);
	is(1ULL << 40, 65535);
	is((1ULL << 32) * cylinder, 65535);
	is(UINT64_MAX, 65535);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_any_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
