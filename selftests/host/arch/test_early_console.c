// SPDX-License-Identifier: MIT
/*
 * Output without the console driver (arch/x86/pvguest/early_console.c): the ring
 * is the driver's alone once Linux has booted.
 */
#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

/* Of the port, this much is used. */
#define PVGUEST_INTERNAL_H
#define CONSOLEIO_write		0
#define CONSOLEIO_read		1
#define CONFIG_EARLY_PRINTK
#define NSEC_PER_SEC		1000000000ULL
#define USEC_PER_MSEC		1000
#define sizeof_field(type, member) sizeof(((type *)NULL)->member)
#define vscnprintf		vsnprintf
#define early_param(name, fn) \
	static int (*const unused_##fn)(char *arg) __attribute__((unused)) = (fn)
#define hlist_empty(list)	true
#define SYSTEM_BOOTING		-1
#define CON_PRINTBUFFER		1
#define CON_ENABLED		4
#define CON_BOOT		8
#define CON_ANYTIME		16

struct console {
	char name[16];
	void (*write)(struct console *con, const char *s, unsigned int len);
	short flags, index;
};

static struct console *early_console, *registered;
static const void *pvguest_shared_info;

static void register_console(struct console *con)
{
	registered = con;
}

static long hyp_console_io(int cmd, int count, char *text)
{
	return count;
}

static u64 pvguest_clock_read(void)
{
	return 0;
}

static void pvguest_notify_port(unsigned int port)
{
}

static bool pvguest_is_initial_domain(void)
{
	return false;
}

#include <pvguest/platform.h>

void pvguest_say(const char *fmt, ...);

#include "../../../arch/x86/pvguest/early_console.c"

static struct xencons_interface page;

struct pvguest_ring_page pvguest_console_ring(void)
{
	return (struct pvguest_ring_page) { .page = &page, .port = 1 };
}

void pvguest_pause(unsigned int us)
{
}

bool pvguest_running(void)
{
	return true;
}

/* Linux's early_printk(), without the format. */
static void print_early(const char *text)
{
	if (early_console)
		early_console->write(early_console, text, strlen(text));
}

/* A message while the early console is registered. */
static void print_boot(const char *text)
{
	pv_early_console.write(&pv_early_console, text, strlen(text));
}

static void ring_is_the_drivers(void **state)
{
	struct console other = { .name = "other" };

	pvguest_early_console_init();
	print_early("1234");
	assert_int_equal(page.out_prod, 4);
	/* Linux has booted. */
	assert_int_equal(shim_init_pv_early_console_end(), 0);
	print_early("5678");
	assert_int_equal(page.out_prod, 4);
	/* Another console stays. */
	early_console = &other;
	assert_int_equal(shim_init_pv_early_console_end(), 0);
	assert_ptr_equal(early_console, &other);
}

/*
 * Until Linux has the driver's console, and with keep_bootcon beside it: the driver
 * has noted how far the ring is written.
 */
static void driver_has_the_ring(void **state)
{
	XENCONS_RING_IDX before;

	print_boot("1234");
	before = page.out_prod;
	pvguest_console_taken();
	print_boot("5678");
	assert_int_equal(page.out_prod, before);
	/* A panic before that console is registered is to be read. */
	system_state = SYSTEM_BOOTING;
	pvguest_panic_console();
	print_boot("9");
	assert_int_equal(page.out_prod, before + 1);
}

/* The parameter takes no value, not even one that looks as if it switched it off. */
static void parameter_without_a_value(void **state)
{
	char empty[] = "", off[] = "0";

	registered = NULL;
	assert_int_equal(pv_earlycon(off), 0);
	assert_null(registered);
	assert_string_equal(shim_log_last,
			    "pvguest.early_console: '0' given, but it takes no value (-22); ignored\n");
	assert_int_equal(pv_earlycon(NULL), 0);
	assert_ptr_equal(registered, &pv_early_console);
	registered = NULL;
	assert_int_equal(pv_earlycon(empty), 0);
	assert_ptr_equal(registered, &pv_early_console);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_is_the_drivers),
		cmocka_unit_test(driver_has_the_ring),
		cmocka_unit_test(parameter_without_a_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
