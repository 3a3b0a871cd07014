// SPDX-License-Identifier: MIT
/* console_io, the console of the initial domain. */
#include "case.h"

/*
 * CONSOLEIO_write accepts no bytes and some bytes, and returns -EFAULT for a
 * buffer that cannot be read.
 */
CASE(cio_write, "CIO-001 CIO-002 CIO-008", DOM0)
{
	char text[] = "(a line from the console case)\n";

	want_eq(hyp_console_io(CONSOLEIO_write, 0, text), 0);
	want_eq(hyp_console_io(CONSOLEIO_write, sizeof(text) - 1, text), 0);
	want_eq(hyp_console_io(CONSOLEIO_write, 4, BAD_PTR), -EFAULT);
	want_eq(hyp_console_io(CONSOLEIO_write, 4, XEN_PTR), -EFAULT);
}

/* CONSOLEIO_read without input stores nothing and returns 0. */
CASE(cio_read, "CIO-003", DOM0)
{
	char buf[16];

	memset(buf, 0x5a, sizeof(buf));
	want_eq(hyp_console_io(CONSOLEIO_read, sizeof(buf), buf), 0);
	want(mem_is(buf, 0x5a, sizeof(buf)));
}

/* console_io refuses counts that are negative as an int. */
CASE(cio_count, "CIO-004", DOM0)
{
	char buf[16];

	want_eq(rt_call(__HYPERVISOR_console_io, CONSOLEIO_read, 0x80000000UL,
			(unsigned long)buf, 0, 0), -E2BIG);
}

/* console_io returns -ENOSYS for unknown operations. */
CASE(cio_unknown, "CIO-005", DOM0)
{
	char buf[16];

	want_eq(hyp_console_io(9, 0, buf), -ENOSYS);
}

/*
 * CONSOLEIO_read is refused to an unprivileged domain, and CONSOLEIO_write too
 * except by debug builds.
 */
CASE(cio_refused, "CIO-006 CIO-007", DOMU)
{
	char buf[16] = "";

	want_eq(hyp_console_io(CONSOLEIO_read, sizeof(buf), buf), -EPERM);
	want_any(hyp_console_io(CONSOLEIO_write, 0, buf), -EPERM, 0);
}
