// SPDX-License-Identifier: GPL-2.0-only
/*
 * Abilities of Linux on a machine that this port lacks: refused with an error,
 * before anything has been changed.
 */
#include <linux/init.h>
#include <linux/memory.h>
#include <linux/notifier.h>
#include <linux/suspend.h>

#include "internal.h"

/*
 * An image of memory holds machine frames, in page tables and in the frame list,
 * that another domain does not have.
 */
static int pv_refuse_hibernation(struct notifier_block *nb, unsigned long action,
				 void *data)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		pr_info("pvguest: hibernation: not possible here (%d); refused\n",
			-EOPNOTSUPP);
		return notifier_from_errno(-EOPNOTSUPP);
	}
	return NOTIFY_DONE;
}

static struct notifier_block pv_hibernation_block = {
	.notifier_call = pv_refuse_hibernation,
};

/*
 * Removing a memory block would tear down its part of the direct map, whose
 * tables the hypervisor knows.
 */
static int pv_refuse_offlining(struct notifier_block *nb, unsigned long action,
			       void *data)
{
	if (action != MEM_GOING_OFFLINE)
		return NOTIFY_DONE;
	pr_info("pvguest: removal of memory: not possible here (%d); refused\n",
		-EOPNOTSUPP);
	return notifier_from_errno(-EOPNOTSUPP);
}

static struct notifier_block pv_offlining_block = {
	.notifier_call = pv_refuse_offlining,
};

static int __init pv_refusals_init(void)
{
	if (!pvguest_running())
		return 0;
	return register_pm_notifier(&pv_hibernation_block) ?:
	       register_memory_notifier(&pv_offlining_block);
}
core_initcall(pv_refusals_init);
