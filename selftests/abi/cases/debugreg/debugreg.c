// SPDX-License-Identifier: MIT
/* Debug registers by hypercall and by instruction. */
#include "case.h"

/* set_debugreg keeps a breakpoint address in each of registers 0 to 3. */
CASE(dbg_addresses, "DBG-001", 0)
{
	int i;

	for (i = 0; i < 4; i++)
		want_eq(hyp_set_debugreg(i, (unsigned long)rt_image + i * 64), 0);
	for (i = 0; i < 4; i++)
		want_eq(hyp_get_debugreg(i), (unsigned long)rt_image + i * 64);
	for (i = 0; i < 4; i++)
		want_eq(hyp_set_debugreg(i, 0), 0);
	want_eq(hyp_get_debugreg(3), 0);
}

/*
 * set_debugreg refuses breakpoints in the hypervisor's range and non-canonical
 * addresses.
 */
CASE(dbg_hypervisor, "DBG-002", 0)
{
	want_eq(hyp_set_debugreg(1, (unsigned long)rt_image), 0);
	want_eq(hyp_set_debugreg(1, 0xffff82d080200000UL), -EPERM);
	want_eq(hyp_set_debugreg(1, 0xffff800000000000UL), -EPERM);
	want_eq(hyp_set_debugreg(1, 0x0000800000000000UL), -EPERM);
	want_eq(hyp_get_debugreg(1), (unsigned long)rt_image);
	want_eq(hyp_set_debugreg(1, 0), 0);
}

/*
 * Debug registers 6 and 7 are 32 bits wide, and their reserved bits are fixed.
 */
CASE(dbg_status_control, "DBG-003 DBG-004 HCN-009", 0)
{
	want_eq(hyp_set_debugreg(6, 1UL << 32), -EINVAL);
	want_eq(hyp_set_debugreg(7, 1UL << 32), -EINVAL);
	want_eq(hyp_set_debugreg(6, 0), 0);
	want_eq(hyp_get_debugreg(6) & 0xffff0ff0UL, 0xffff0ff0UL);
	want_eq(hyp_set_debugreg(7, 0), 0);
	want_eq(hyp_get_debugreg(7) & 0x400, 0x400);
	want_eq(hyp_get_debugreg(7) & 0xd800, 0);
}

/*
 * set_debugreg refuses general detect, which would report the hypervisor's own
 * accesses.
 */
CASE(dbg_general_detect, "DBG-005", 0)
{
	want_eq(hyp_set_debugreg(7, 0x2000), -EPERM);
	want_eq(hyp_get_debugreg(7) & 0x2000, 0);
}

/* An enabled I/O breakpoint (type 2) needs CR4.DE. */
CASE(dbg_io, "DBG-006", 0)
{
	want_eq(hyp_set_debugreg(7, 0x00020001), -EPERM);
}

/* Debug registers 4 and 5 are aliases of 6 and 7. */
CASE(dbg_aliases, "DBG-007", 0)
{
	want_eq(hyp_set_debugreg(5, 0), 0);
	want_eq(hyp_get_debugreg(5), hyp_get_debugreg(7));
	want_eq(hyp_set_debugreg(4, 0), 0);
	want_eq(hyp_get_debugreg(4), hyp_get_debugreg(6));
}

/* set_debugreg and get_debugreg refuse registers above 7. */
CASE(dbg_range, "DBG-008", 0)
{
	want_eq(hyp_set_debugreg(8, 0), -ENODEV);
	want_eq(hyp_set_debugreg(0x7fffffff, 0), -ENODEV);
	want_eq(hyp_get_debugreg(8), -ENODEV);
}

static volatile unsigned long watched;

static void touch_watched(void *arg)
{
	watched = 5;
	barrier();
	watched = 6;
}

INSN(mov_to_dr0, "mov %%rdi, %%dr0")
INSN(mov_dr0, "mov %%dr0, %%rax; mov %%rax, (%%rdi)")
INSN(mov_to_dr7, "mov %%rdi, %%dr7")

/* An enabled data breakpoint raises #DB with its bit in register 6. */
CASE(dbg_fires, "DBG-009", 0)
{
	struct trap t;

	want_eq(hyp_set_debugreg(0, (unsigned long)&watched), 0);
	want_eq(hyp_set_debugreg(6, 0), 0);
	/* Register 0, local, write, 8 bytes. */
	want_eq(hyp_set_debugreg(7, 0x00090001), 0);
	t = trap_of(touch_watched, NULL);
	want_eq(hyp_set_debugreg(7, 0), 0);
	want_eq(t.vec, TRAP_DB);
	want(hyp_get_debugreg(6) & 1);
	want_eq(watched, 5);
	want_eq(hyp_set_debugreg(6, 0), 0);
	want_eq(hyp_set_debugreg(0, 0), 0);
	want_eq(trap_of(touch_watched, NULL).vec, -1);
}

/* MOV to and from debug registers acts as set_debugreg and get_debugreg do. */
CASE(dbg_by_instruction, "DBG-010", 0)
{
	unsigned long v = 0;

	want_eq(trap_of(mov_to_dr0, rt_image).vec, -1);
	want_eq(hyp_get_debugreg(0), (unsigned long)rt_image);
	want_eq(trap_of(mov_dr0, &v).vec, -1);
	want_eq(v, (unsigned long)rt_image);
	want_trap(mov_to_dr0, 0xffff82d080200000UL, TRAP_GP);
	want_trap(mov_to_dr7, 0x2000, TRAP_GP);
	want_eq(hyp_get_debugreg(0), (unsigned long)rt_image);
	want_eq(hyp_set_debugreg(0, 0), 0);
}
