// SPDX-License-Identifier: MIT
/* console_io, the initial domain's way to speak. */
#include "case.h"

/* A write of nothing, of something, and of what cannot be read. */
CASE(cio_write, "CIO-001 CIO-002 CIO-008", DOM0)
{
	char text[] = "(a line from the console case)\n";

	want_eq(hyp_console_io(CONSOLEIO_write, 0, text), 0);
	want_eq(hyp_console_io(CONSOLEIO_write, sizeof(text) - 1, text), 0);
	want_eq(hyp_console_io(CONSOLEIO_write, 4, BAD_PTR), -EFAULT);
	want_eq(hyp_console_io(CONSOLEIO_write, 4, XEN_PTR), -EFAULT);
}

/* Nobody types: a read stores nothing. */
CASE(cio_read, "CIO-003", DOM0)
{
	char buf[16];

	memset(buf, 0x5a, sizeof(buf));
	want_eq(hyp_console_io(CONSOLEIO_read, sizeof(buf), buf), 0);
	want(mem_is(buf, 0x5a, sizeof(buf)));
}

/* Counts that are negative as an int. */
CASE(cio_count, "CIO-004", DOM0)
{
	char buf[16];

	want_eq(rt_call(__HYPERVISOR_console_io, CONSOLEIO_read, 0x80000000UL,
			(unsigned long)buf, 0, 0), -E2BIG);
}

/* Operations that do not exist. */
CASE(cio_unknown, "CIO-005", DOM0)
{
	char buf[16];

	want_eq(hyp_console_io(9, 0, buf), -ENOSYS);
}

/* Reading is refused to others, writing too unless the build is for debugging. */
CASE(cio_refused, "CIO-006 CIO-007", DOMU)
{
	char buf[16] = "";

	want_eq(hyp_console_io(CONSOLEIO_read, sizeof(buf), buf), -EPERM);
	want_any(hyp_console_io(CONSOLEIO_write, 0, buf), -EPERM, 0);
}
