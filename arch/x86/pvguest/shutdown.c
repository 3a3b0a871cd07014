// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends: power-off, reboot and crash reach the hypervisor with their reason.
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/panic_notifier.h>
#include <linux/pm.h>
#include <linux/reboot.h>
#include <asm/reboot.h>

#include "internal.h"

/**
 * pvguest_end_domain() - end this domain
 * @reason: SHUTDOWN_* (xen/sched.h)
 *
 * Does not return; pvguest_shutdown() makes that known to the compiler.
 *
 * Context: any.
 */
void pvguest_end_domain(unsigned int reason)
{
	struct sched_shutdown op = { .reason = reason };

	hyp_sched_op(SCHEDOP_shutdown, &op);
	/* The hypervisor may let us run a moment longer, on another vCPU. */
	for (;;)
		hyp_sched_op(SCHEDOP_yield, NULL);
}

/**
 * pvguest_last_words() - print why the kernel cannot go on, and crash
 * @why: "field: problem"
 * @error: negative error number
 *
 * Does not return; pvguest_die() makes that known to the compiler.
 *
 * Context: any, from the first instruction on.
 */
void pvguest_last_words(const char *why, long error)
{
	pvguest_say("%s (%ld); cannot go on\n", why, error);
	pvguest_console_drain();
	pvguest_end_domain(SHUTDOWN_crash);
}

/**
 * pvguest_early_exception() - end the domain, as Linux has stopped booting
 *
 * Linux has printed by early_printk() which exception it was, and left the
 * registers in its log.  To print that can itself be what fails.
 *
 * Does not return.
 *
 * Context: early_fixup_exception().
 */
void pvguest_early_exception(void)
{
	static bool again;

	if (!again) {
		again = true;
		pvguest_panic_console();
		pvguest_say("boot: exception that nothing handles (%d); cannot go on\n",
			    -EFAULT);
		pvguest_console_drain();
	}
	pvguest_end_domain(SHUTDOWN_crash);
}

static void pv_restart(char *command)
{
	pvguest_shutdown(SHUTDOWN_reboot);
}

/* A restart because of a panic is a crash to the hypervisor. */
static unsigned int pv_emergency_reason = SHUTDOWN_reboot;

static void pv_emergency_restart(void)
{
	pvguest_shutdown(pv_emergency_reason);
}

static void pv_halt_machine(void)
{
	pvguest_shutdown(SHUTDOWN_poweroff);
}

static void pv_power_off(void)
{
	pvguest_shutdown(SHUTDOWN_poweroff);
}

/* Devices are quiet by now; the hypervisor takes care of the vCPUs. */
static void pv_shutdown_machine(void)
{
}

#ifdef CONFIG_CRASH_DUMP
static void pv_crash_shutdown(struct pt_regs *regs)
{
	pvguest_shutdown(SHUTDOWN_crash);
}
#endif

static int pv_panic(struct notifier_block *nb, unsigned long event, void *msg)
{
	/*
	 * Linux still flushes its consoles and then restarts, after as many
	 * seconds as "panic=" says.  Without it, it would spin for good: a
	 * domain that has crashed is better reported than left running.
	 */
	pv_emergency_reason = SHUTDOWN_crash;
	if (!panic_timeout)
		panic_timeout = -1;
	pvguest_panic_console();
	return NOTIFY_DONE;
}

static struct notifier_block pv_panic_block = {
	.notifier_call	= pv_panic,
	.priority	= INT_MIN,
};

/**
 * pvguest_shutdown_init() - take over the ends of the machine
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_shutdown_init(void)
{
	machine_ops.restart = pv_restart;
	machine_ops.emergency_restart = pv_emergency_restart;
	machine_ops.halt = pv_halt_machine;
	machine_ops.power_off = pv_power_off;
	machine_ops.shutdown = pv_shutdown_machine;
#ifdef CONFIG_CRASH_DUMP
	machine_ops.crash_shutdown = pv_crash_shutdown;
#endif
	/* Linux asks this whether powering off is possible at all. */
	pm_power_off = pv_power_off;
	atomic_notifier_chain_register(&panic_notifier_list, &pv_panic_block);
}
