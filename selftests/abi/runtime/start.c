// SPDX-License-Identifier: MIT
/* Start of day: from the hypervisor's first instruction to guest_main(). */
#include "rt.h"

char boot_stack[RT_STACK]
	__attribute__((aligned(RT_STACK), section(".bss.stack")));
struct start_info start_info;
struct start_info *boot_info;
struct shared_info *shared_info;
unsigned long *rt_p2m;
unsigned long rt_boot_cr3;
/* In .data: the first instructions store here. */
struct boot_regs rt_boot_regs __attribute__((section(".data")));

void memory_init(void);
void vcpu_init(void);
void rt_start(struct start_info *si) __attribute__((noreturn));

bool is_dom0(void)
{
	return start_info.flags & SIF_INITDOMAIN;
}

bool cmdline_get(const char *key, char *buf, unsigned int size)
{
	const char *p = (const char *)start_info.cmd_line;
	size_t n = strlen(key);

	for (; *p; p++) {
		if (p != (const char *)start_info.cmd_line && p[-1] != ' ')
			continue;
		if (strncmp(p, key, n) || p[n] != '=')
			continue;
		for (p += n + 1; *p && *p != ' ' && size > 1; size--)
			*buf++ = *p++;
		*buf = 0;
		return true;
	}
	return false;
}

long cmdline_num(const char *key, long otherwise)
{
	char buf[24], *p = buf;
	long v = 0;

	if (!cmdline_get(key, buf, sizeof(buf)))
		return otherwise;
	for (; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + *p - '0';
	return v;
}

void rt_exit(unsigned int reason)
{
	struct sched_shutdown down = { .reason = reason };

	if (!is_dom0()) {
		/* The console daemon must drain the ring before the page goes. */
		until(console_drained(), 20000);
		/* Its client must read the last line before the pty closes. */
		until(false, 600);
	}
	for (;;)
		raw_call2(__HYPERVISOR_sched_op, SCHEDOP_shutdown,
			  (unsigned long)&down);
}

void rt_start(struct start_info *si)
{
	boot_info = si;
	start_info = *si;
	rt_p2m = (unsigned long *)si->mfn_list;
	vcpu_init();
	trap_table_install();
	callbacks_install();
	memory_init();
	mutant_select((unsigned int)cmdline_num("mutant", 0));
	guest_main();
	rt_exit(SHUTDOWN_poweroff);
}
