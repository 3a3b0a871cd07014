// SPDX-License-Identifier: MIT
/*
 * Parameters of the port and the drivers (arch/x86/pvguest/parameter.c): what they
 * take, and the line of the log about what they refuse.
 */
#include "driver/kernel.c"

#include <setjmp.h>
#include <cmocka.h>

#include "../../../arch/x86/pvguest/parameter.c"

static unsigned int size = 30;
static unsigned int whole;
static bool fast;

pvguest_number(size, size, 1, 3600, 0644);
pvguest_number(whole, whole, 0, UINT_MAX, 0644);
pvguest_switch(fast, fast, 0644);

static int start(void **state)
{
	size = 30;
	fast = false;
	shim_reset();
	return 0;
}

/* Write @text as root does to the parameter's file. */
static int set(const struct kernel_param *param, const char *text)
{
	shim_log_lines = 0;
	return param->ops->set(text, param);
}

static void expect_shown(const struct kernel_param *param, const char *text)
{
	char buffer[64] = "";

	assert_int_equal(param->ops->get(buffer, param), strlen(text));
	assert_string_equal(buffer, text);
}

static void expect_refused(const struct kernel_param *param, const char *text,
			   const char *line)
{
	assert_int_equal(set(param, text), -EINVAL);
	assert_int_equal(shim_log_lines, 1);
	assert_string_equal(shim_log_last, line);
}

static void number_in_its_range(void **state)
{
	assert_int_equal(set(&shim_param_size, "1\n"), 0);
	assert_int_equal(size, 1);
	assert_int_equal(set(&shim_param_size, "0xe10"), 0);
	assert_int_equal(size, 3600);
	expect_shown(&shim_param_size, "3600\n");
	assert_int_equal(set(&shim_param_whole, "4294967295"), 0);
	assert_int_equal(whole, UINT_MAX);
	expect_shown(&shim_param_whole, "4294967295\n");
	assert_int_equal(shim_log_lines, 0);
}

static void number_out_of_range(void **state)
{
	expect_refused(&shim_param_size, "0",
		       "shim.size: '0' is not within 1 to 3600 (-22); ignored\n");
	expect_refused(&shim_param_size, "3601",
		       "shim.size: '3601' is not within 1 to 3600 (-22); ignored\n");
	expect_refused(&shim_param_size, "Y",
		       "shim.size: 'Y' is not within 1 to 3600 (-22); ignored\n");
	expect_refused(&shim_param_size, "",
		       "shim.size: '' is not within 1 to 3600 (-22); ignored\n");
	/* The name alone on the command line. */
	assert_true(shim_param_size.ops->flags & KERNEL_PARAM_OPS_FL_NOARG);
	expect_refused(&shim_param_size, NULL,
		       "shim.size: no value, where one within 1 to 3600 belongs (-22); ignored\n");
	/* A terminal obeys what comes after ESC. */
	expect_refused(&shim_param_size, "12\033[2J",
		       "shim.size: '12' is not within 1 to 3600 (-22); ignored\n");
	expect_refused(&shim_param_whole, "-1",
		       "shim.whole: '-1' is not within 0 to 4294967295 (-22); ignored\n");
	assert_int_equal(size, 30);
}

static void switch_on_and_off(void **state)
{
	static const char * const on[] = { "1", "1\n", "Y", "y", "on\n" };
	static const char * const off[] = { "0", "0\n", "N", "n", "off\n" };

	for (int i = 0; i < ARRAY_SIZE(on); i++) {
		assert_int_equal(set(&shim_param_fast, on[i]), 0);
		expect_shown(&shim_param_fast, "Y\n");
		assert_int_equal(set(&shim_param_fast, off[i]), 0);
		expect_shown(&shim_param_fast, "N\n");
	}
	/* The word without a value. */
	assert_true(shim_param_fast.ops->flags & KERNEL_PARAM_OPS_FL_NOARG);
	assert_int_equal(set(&shim_param_fast, NULL), 0);
	assert_true(fast);
	assert_int_equal(shim_log_lines, 0);
}

static void switch_that_is_neither(void **state)
{
	expect_refused(&shim_param_fast, "2\n",
		       "shim.fast: '2' is neither 0 nor 1 (-22); ignored\n");
	/* Linux's own switch would look at the first character alone. */
	expect_refused(&shim_param_fast, "10",
		       "shim.fast: '10' is neither 0 nor 1 (-22); ignored\n");
	expect_refused(&shim_param_fast, "",
		       "shim.fast: '' is neither 0 nor 1 (-22); ignored\n");
	assert_false(fast);
	fast = true;
	expect_refused(&shim_param_fast, "no",
		       "shim.fast: 'no' is neither 0 nor 1 (-22); ignored\n");
	assert_true(fast);
}

/* One line of the log, not the two that a newline makes, nor a page of text. */
static void text_in_the_log(void **state)
{
	char text[100];

	expect_refused(&shim_param_size, "70000\n",
		       "shim.size: '70000' is not within 1 to 3600 (-22); ignored\n");
	expect_refused(&shim_param_size, "1\npvguest: all is well\n",
		       "shim.size: '1' is not within 1 to 3600 (-22); ignored\n");
	memset(text, '9', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(pvguest_shown(text), 32);
	expect_refused(&shim_param_size, text,
		       "shim.size: '99999999999999999999999999999999' is not within 1 to 3600 (-22); ignored\n");
}

#define TEST(name)	cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(number_in_its_range), TEST(number_out_of_range),
		TEST(switch_on_and_off), TEST(switch_that_is_neither),
		TEST(text_in_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
