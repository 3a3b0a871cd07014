// SPDX-License-Identifier: MIT
/*
 * A console's ring (drivers/pvcon/ring.c) against a back end that is slow, dead,
 * or writes into the indexes whatever it likes.
 */
#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

/* Of hvc, the driver uses this much. */
#define HVC_CONSOLE_H
#define HVC_ALLOC_TTY_ADAPTERS 8
struct hvc_struct {
	int irq_requested;
};

struct hv_ops {
	ssize_t (*get_chars)(u32 vtermno, u8 *buf, size_t count);
	ssize_t (*put_chars)(u32 vtermno, const u8 *buf, size_t count);
	int (*flush)(u32 vtermno, bool wait);
	int (*notifier_add)(struct hvc_struct *hp, int irq);
	void (*notifier_del)(struct hvc_struct *hp, int irq);
	void (*notifier_hangup)(struct hvc_struct *hp, int irq);
};

/* Of the bus, the boot console uses nothing. */
#define PVBUS_DEVICE_H
#define CONFIG_PVGUEST_BUS 0
struct pvbus_device;
#define pvbus_fail(dev, ...) ((void)(dev))

#define __acquires(lock)
#define __releases(lock)
#define __acquire(lock) ((void)0)
#define __release(lock) ((void)0)
#define __RAW_SPIN_LOCK_UNLOCKED(lock) { }
#define IS_ENABLED(CONFIG_option) (CONFIG_option)
#define NSEC_PER_SEC 1000000000LL
#define sizeof_field(type, member) sizeof(((type *)NULL)->member)

#define PANIC_CPU_INVALID (-1)
#define smp_processor_id() 0

static int oops_in_progress;
static int panic_cpu = PANIC_CPU_INVALID;
#undef atomic_read
#define atomic_read(v) (*(v))
static u64 now;

static u64 sched_clock(void)
{
	return now;
}

static int hvc_poll(struct hvc_struct *hp)
{
	return 0;
}

static void hvc_kick(void)
{
}

#include "../../../drivers/pvcon/ring.c"

#define BOOT_CONSOLE	PVCON_COOKIE
#define RING		((unsigned int)sizeof_field(struct xencons_interface, out))

static struct xencons_interface page;
static unsigned int events, spurious, looks;
/* Acts for the back end at each look of a kernel message that waits. */
static void (*back_end)(void);

void pvguest_notify_port(unsigned int port)
{
	events++;
}

void pvguest_irq_eoi(unsigned int irq, bool nothing)
{
	spurious = nothing;
}

/* Do events of the domain end each pause early? */
static unsigned int early;

void pvguest_pause(unsigned int us)
{
	now += early ? 1000ULL : us * 1000ULL;
	looks++;
	/* A minute of looks: the message waits for ever. */
	assert_true(looks < 120000);
	if (back_end)
		back_end();
}

static struct pvcon *attach(void)
{
	struct pvcon *con = &pvcon_consoles[0];

	memset(&page, 0, sizeof(page));
	memset(con, 0, sizeof(*con));
	oops_in_progress = 0;
	panic_cpu = PANIC_CPU_INVALID;
	looks = 0;
	early = 0;
	back_end = NULL;
	pvcon_attach(con, &page, 1);
	return con;
}

static ssize_t put(size_t bytes)
{
	static const u8 text[2 * 2048];

	return pvcon_ring_ops.put_chars(BOOT_CONSOLE, text, bytes);
}

static void test_text_waits_for_room(void **state)
{
	attach();
	assert_int_equal(put(RING + 10), RING);
	assert_int_equal(put(10), -EAGAIN);
	page.out_cons += 4;
	assert_int_equal(pvcon_ring_ops.flush(BOOT_CONSOLE, false), 0);
	assert_int_equal(looks, 0);
	assert_int_equal(put(10), 4);
}

static void test_back_end_is_notified_of_text(void **state)
{
	attach();
	events = 0;
	assert_int_equal(put(3), 3);
	assert_int_equal(events, 1);
	assert_int_equal(put(RING), RING - 3);
	assert_int_equal(events, 2);
	/* There is nothing new to read. */
	assert_int_equal(put(1), -EAGAIN);
	assert_int_equal(events, 2);
}

static void read_some(void)
{
	if (looks == 100)
		page.out_cons += 16;
}

static void test_text_is_not_dropped_when_room_comes(void **state)
{
	attach();
	assert_int_equal(put(RING), RING);
	back_end = read_some;
	assert_int_equal(put(16), -EAGAIN);
	pvcon_ring_ops.flush(BOOT_CONSOLE, false);
	assert_int_equal(looks, 100);
	assert_int_equal(put(16), 16);
}

static void test_dead_back_end_costs_its_time_once(void **state)
{
	u64 begin;

	attach();
	assert_int_equal(put(RING), RING);
	begin = now;
	pvcon_ring_ops.flush(BOOT_CONSOLE, false);
	assert_in_range(now - begin, PVCON_PATIENCE, PVCON_PATIENCE + NSEC_PER_SEC);
	begin = now;
	for (int i = 0; i < 10; i++) {
		pvcon_ring_ops.flush(BOOT_CONSOLE, false);
		assert_int_equal(put(10), 0);
	}
	assert_int_equal(now, begin);
	/* It lives again. */
	page.out_cons += RING;
	assert_int_equal(put(10), 10);
	assert_int_equal(put(RING), RING - 10);
	assert_int_equal(put(1), -EAGAIN);
}

static void test_panic_waits_longer(void **state)
{
	u64 begin;

	attach();
	assert_int_equal(put(RING), RING);
	oops_in_progress = 1;
	begin = now;
	pvcon_ring_ops.flush(BOOT_CONSOLE, false);
	assert_in_range(now - begin, PVCON_LAST_PATIENCE, 20LL * NSEC_PER_SEC);
}

static void read_ten(void)
{
	page.out_cons += min(page.out_prod - page.out_cons, 10U);
}

/* The domain may be gone, and its ring, when the kernel has written its last message. */
static void test_panic_waits_until_all_is_read(void **state)
{
	attach();
	back_end = read_ten;
	assert_int_equal(put(95), 95);
	pvcon_ring_ops.flush(BOOT_CONSOLE, false);
	assert_int_equal(looks, 0);
	panic_cpu = 1;
	pvcon_ring_ops.flush(BOOT_CONSOLE, false);
	assert_int_equal(looks, 10);
	assert_int_equal(page.out_cons, 95);
}

/* A back end that reads nothing costs a panic the last messages' time, once. */
static void test_panic_before_a_dead_back_end(void **state)
{
	u64 begin;

	attach();
	assert_int_equal(put(95), 95);
	panic_cpu = 1;
	begin = now;
	pvcon_ring_ops.flush(BOOT_CONSOLE, false);
	assert_in_range(now - begin, PVCON_LAST_PATIENCE, 20LL * NSEC_PER_SEC);
	begin = now;
	assert_int_equal(put(95), 95);
	pvcon_ring_ops.flush(BOOT_CONSOLE, false);
	assert_int_equal(now, begin);
}

/*
 * In a panic the lock's owner is waited for once, as it may run, and then done
 * without; also when the oops is over and the last messages are flushed.
 */
static void test_panic_while_the_lock_is_held(void **state)
{
	struct pvcon *con = attach();
	unsigned int waited;

	spin_lock(&con->lock);
	oops_in_progress = 1;
	panic_cpu = 1;
	assert_int_equal(put(100), 100);
	assert_int_equal(page.out_prod, 100);
	assert_in_range(looks, 1, 1000);
	waited = looks;
	assert_int_equal(put(100), 100);
	oops_in_progress = 0;
	assert_int_equal(put(100), 100);
	page.out_cons = page.out_prod;
	assert_int_equal(pvcon_ring_ops.flush(BOOT_CONSOLE, false), 0);
	assert_int_equal(page.out_prod, 300);
	assert_int_equal(looks, waited);
	assert_true(con->lock.held);
	spin_unlock(&con->lock);
}

static struct pvcon *locked;

static void owner_unlocks(void)
{
	if (looks == 3)
		spin_unlock(&locked->lock);
}

static void test_panic_waits_for_the_lock(void **state)
{
	locked = attach();
	spin_lock(&locked->lock);
	back_end = owner_unlocks;
	oops_in_progress = 1;
	assert_int_equal(put(100), 100);
	assert_int_equal(looks, 3);
	assert_false(locked->lock.held);
}

static void owner_unlocks_late(void)
{
	if (looks == 5000)
		spin_unlock(&locked->lock);
}

/* In an oops no vCPU is stopped, so the owner comes back, however late. */
static void test_oops_waits_for_the_lock(void **state)
{
	locked = attach();
	spin_lock(&locked->lock);
	back_end = owner_unlocks_late;
	oops_in_progress = 1;
	assert_int_equal(put(100), 100);
	assert_int_equal(looks, 5000);
	assert_false(locked->lock.held);
}

/* Any event of the domain ends a pause: looks are no measure of time. */
static void test_panic_waits_for_a_time(void **state)
{
	struct pvcon *con = attach();
	u64 begin = now;

	spin_lock(&con->lock);
	panic_cpu = 1;
	early = 1;
	assert_int_equal(put(100), 100);
	assert_true(now - begin >= PVCON_LOCK_TIME);
	spin_unlock(&con->lock);
}

/* The lock's owner is what this vCPU was doing: it does not come back. */
static void test_oops_of_the_owner(void **state)
{
	struct pvcon *con = attach();

	spin_lock(&con->lock);
	con->owner = smp_processor_id() + 1;
	oops_in_progress = 1;
	assert_int_equal(put(100), 100);
	assert_int_equal(looks, 0);
	assert_int_equal(page.out_prod, 100);
	spin_unlock(&con->lock);
}

static unsigned int steps;

/* An oops on this vCPU, where it holds the lock of a console with a ring. */
static void oops_inside(void)
{
	if (!locked->lock.held || !locked->ring || ++steps != 2)
		return;
	oops_in_progress = 1;
	assert_int_equal(put(100), 100);
	oops_in_progress = 0;
}

static void check_oops_inside(void)
{
	shim_race = NULL;
	assert_true(steps >= 2);
	assert_int_equal(looks, 0);
	assert_int_equal(page.out_prod, 100);
	assert_false(locked->lock.held);
	assert_int_equal(locked->owner, 0);
	steps = 0;
}

/* Whatever takes the lock: its oops gets out, and does not wait for itself. */
static void test_oops_inside(void **state)
{
	locked = attach();
	shim_race = oops_inside;
	pvcon_event(1, locked);
	check_oops_inside();

	locked = attach();
	shim_race = oops_inside;
	pvcon_detach(locked);
	check_oops_inside();
	assert_null(locked->ring);

	locked = attach();
	locked->ring = NULL;
	shim_race = oops_inside;
	pvcon_attach(locked, &page, 1);
	check_oops_inside();
	/* The text before and after does not overlap. */
	assert_int_equal(locked->out_prod, 100);
}

/* An event in a panic, while a stopped vCPU has the lock. */
static void test_event_while_the_lock_is_held(void **state)
{
	struct pvcon *con = attach();

	spin_lock(&con->lock);
	panic_cpu = 1;
	page.in_prod = 3;
	spurious = true;
	assert_int_equal(pvcon_event(1, con), IRQ_HANDLED);
	assert_false(spurious);
	assert_true(con->lock.held);
	assert_int_equal(con->seen_in_prod, 0);
	/* The same for what takes the ring away. */
	pvcon_detach(con);
	assert_null(con->ring);
	spin_unlock(&con->lock);
}

static void step_back_and_forth(void)
{
	page.out_cons += looks % 2 ? -1U : 1U;
}

static void test_index_that_goes_back(void **state)
{
	struct pvcon *con = attach();

	assert_int_equal(put(RING), RING);
	page.out_cons = 1;
	assert_int_equal(put(1), 1);
	back_end = step_back_and_forth;
	pvcon_ring_ops.flush(BOOT_CONSOLE, false);
	assert_string_equal(con->broken, "out_cons");
	/* Text without a reader is discarded. */
	assert_int_equal(put(10), 10);
}

/* Not so far that the ring would hold more than it can. */
static void test_index_that_goes_back_a_little(void **state)
{
	struct pvcon *con = attach();

	assert_int_equal(put(20), 20);
	page.out_cons = 12;
	assert_int_equal(put(1), 1);
	page.out_cons = 11;
	assert_int_equal(put(1), 1);
	assert_string_equal(con->broken, "out_cons");
	assert_int_equal(con->value, 11);
}

static void test_index_beyond_the_text(void **state)
{
	struct pvcon *con = attach();

	assert_int_equal(put(5), 5);
	page.out_cons = 6;
	assert_int_equal(put(5), 5);
	assert_string_equal(con->broken, "out_cons");
}

static void test_more_input_than_the_ring_holds(void **state)
{
	struct pvcon *con = attach();
	u8 buf[8];

	page.in_prod = sizeof(page.in);
	assert_int_equal(pvcon_ring_ops.get_chars(BOOT_CONSOLE, buf, 8), 8);
	assert_null(con->broken);
	page.in_prod = sizeof(page.in) + 9;
	assert_int_equal(pvcon_ring_ops.get_chars(BOOT_CONSOLE, buf, 8), 0);
	assert_string_equal(con->broken, "in_prod");
	assert_int_equal(page.in_cons, 8);
}

static void test_our_indexes_in_the_page(void **state)
{
	struct pvcon *con = attach();
	u8 buf[8];

	assert_int_equal(put(5), 5);
	page.out_prod = 1000;
	page.in_cons = 1000;
	page.out_cons = 6;
	pvcon_event(1, con);
	assert_true(spurious);
	page.out_cons = 5;
	page.in_prod = 3;
	pvcon_event(1, con);
	assert_false(spurious);
	assert_int_equal(pvcon_ring_ops.get_chars(BOOT_CONSOLE, buf, 8), 3);
	assert_int_equal(page.in_cons, 3);
	assert_int_equal(put(2), 2);
	assert_int_equal(page.out_prod, 7);
	assert_null(con->broken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_waits_for_room),
		cmocka_unit_test(test_back_end_is_notified_of_text),
		cmocka_unit_test(test_text_is_not_dropped_when_room_comes),
		cmocka_unit_test(test_dead_back_end_costs_its_time_once),
		cmocka_unit_test(test_panic_waits_longer),
		cmocka_unit_test(test_panic_waits_until_all_is_read),
		cmocka_unit_test(test_panic_before_a_dead_back_end),
		cmocka_unit_test(test_panic_while_the_lock_is_held),
		cmocka_unit_test(test_panic_waits_for_the_lock),
		cmocka_unit_test(test_oops_waits_for_the_lock),
		cmocka_unit_test(test_panic_waits_for_a_time),
		cmocka_unit_test(test_oops_of_the_owner),
		cmocka_unit_test(test_oops_inside),
		cmocka_unit_test(test_event_while_the_lock_is_held),
		cmocka_unit_test(test_index_that_goes_back),
		cmocka_unit_test(test_index_that_goes_back_a_little),
		cmocka_unit_test(test_index_beyond_the_text),
		cmocka_unit_test(test_more_input_than_the_ring_holds),
		cmocka_unit_test(test_our_indexes_in_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
