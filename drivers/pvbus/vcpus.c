// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs that the tool stack switches on and off (xl vcpu-set): by a node for each in
 * XenStore, cpu/N/availability, which says "online" or "offline".
 *
 * A node decides when its word changes.  A vCPU that the user or maxcpus= has
 * switched stays as it is until then.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <pvbus/store.h>
#include <pvguest/parameter.h>
#include <pvguest/platform.h>

/**
 * struct pvbus_vcpu - what was last seen of a vCPU's node
 * @off: its last word was "offline"; Linux brings up a vCPU whose node has none
 * @problem: why it has no word now: a negative errno, or 0 if it has; logged once
 * @refusal: why Linux has not switched it, likewise
 */
struct pvbus_vcpu {
	bool off;
	int problem;
	int refusal;
};

/* Seconds for which the boot waits for XenStore's daemon. */
#define PVBUS_VCPUS_BOOT_TIME	10

/* Changed by the initcall and afterwards by the one work item. */
static DEFINE_PER_CPU(struct pvbus_vcpu, pvbus_vcpus);
static struct cpumask pvbus_vcpus_left_off __initdata;

/* 1 for the word "online", 0 for "offline", -EINVAL for another. */
static int pvbus_vcpu_parse(const char *value)
{
	if (!strcmp(value, "online"))
		return 1;
	return strcmp(value, "offline") ? -EINVAL : 0;
}

/* Memory may be there later, and what keeps all vCPUs as they are may end. */
static bool pvbus_vcpu_may_do_later(int error)
{
	return error == -ENOMEM || error == -EAGAIN || error == -EBUSY;
}

/*
 * A node that is missing is not worth a line, nor is a daemon that breaks the
 * protocol, of which the store's client has logged one.
 */
static void pvbus_vcpu_complain(unsigned int cpu, int problem, const char *value)
{
	if (problem == -EINVAL)
		pr_err("pvbus: cpu/%u/availability: '%.*s' is neither online nor offline (%d); ignored\n",
		       cpu, pvguest_shown(value), value, problem);
	else if (problem != -ENOENT && problem != -EPROTO)
		pr_err("pvbus: cpu/%u/availability: cannot be read (%d); %s\n",
		       cpu, problem,
		       pvbus_vcpu_may_do_later(problem) ?
		       "trying again each second" : "ignored until it changes");
}

/*
 * As pvbus_vcpu_parse(), or the error of reading the node: -ETIMEDOUT if the
 * daemon says nothing for @limit seconds, which are not limited by 0.
 */
static int pvbus_vcpu_look(unsigned int cpu, unsigned int limit)
{
	struct pvbus_vcpu *vcpu = per_cpu_ptr(&pvbus_vcpus, cpu);
	char *value = NULL;
	char dir[16];
	int ret;

	snprintf(dir, sizeof(dir), "cpu/%u", cpu);
	ret = pvstore_read_within(limit, dir, "availability", &value);
	if (!ret)
		ret = pvbus_vcpu_parse(value);
	if (ret < 0 && ret != vcpu->problem)
		pvbus_vcpu_complain(cpu, ret, value ?: "");
	vcpu->problem = min(ret, 0);
	kfree(value);
	return ret;
}

/* Both calls return 1 if nothing is left to do. */
static int pvbus_vcpu_switch(unsigned int cpu, bool on)
{
	/* There is none for one that is possible but was not present at boot. */
	if (!get_cpu_device(cpu))
		return -ENODEV;
	return on ? add_cpu(cpu) : remove_cpu(cpu);
}

/*
 * Returns whether to try again soon.  After another refusal any change of a node
 * is a reason to, as the tool stack repeats a request by the same words.
 */
static bool pvbus_vcpu_follow(unsigned int cpu)
{
	struct pvbus_vcpu *vcpu = per_cpu_ptr(&pvbus_vcpus, cpu);
	int on = pvbus_vcpu_look(cpu, 0), ret;

	if (on < 0)
		return pvbus_vcpu_may_do_later(on);
	ret = vcpu->off == on ? pvbus_vcpu_switch(cpu, on) : 0;
	if (ret < 0 && ret != vcpu->refusal)
		pr_err("pvbus: cpu/%u/availability: cannot be made %s (%d); %s\n",
		       cpu, on ? "online" : "offline", ret,
		       pvbus_vcpu_may_do_later(ret) ? "trying again each second" :
						      "left as it is until a node changes");
	vcpu->refusal = min(ret, 0);
	if (ret >= 0)
		vcpu->off = !on;
	return pvbus_vcpu_may_do_later(ret);
}

static void pvbus_vcpus_worker(struct work_struct *work);
static DECLARE_DELAYED_WORK(pvbus_vcpus_work, pvbus_vcpus_worker);

/*
 * Whatever node has changed, all are looked at: of many changes the last counts.
 * Not bound to a vCPU, which this may take down.
 */
static void pvbus_vcpus_worker(struct work_struct *work)
{
	unsigned int cpu;
	bool again = false;

	for_each_possible_cpu(cpu)
		again |= pvbus_vcpu_follow(cpu);
	if (again)
		queue_delayed_work(system_unbound_wq, &pvbus_vcpus_work, HZ);
}

static void pvbus_vcpus_changed(struct pvstore_watch *watch, const char *path)
{
	mod_delayed_work(system_unbound_wq, &pvbus_vcpus_work, 0);
}

static struct pvstore_watch pvbus_vcpus_nodes = { "cpu", pvbus_vcpus_changed };

/* The first event comes at once, and changes since the boot's look are seen. */
static void pvbus_vcpus_watch_worker(struct work_struct *work)
{
	static bool logged;
	int ret = pvstore_watch(&pvbus_vcpus_nodes);

	if (!ret)
		return;
	if (!logged)
		pr_err("pvbus: cpu: cannot be watched (%d); vCPUs are not switched until it can\n",
		       ret);
	logged = true;
	if (ret == -EPROTO || ret == -ENODEV)
		return;
	schedule_delayed_work(to_delayed_work(work), HZ);
}

static DECLARE_DELAYED_WORK(pvbus_vcpus_start, pvbus_vcpus_watch_worker);

/* Late: a vCPU that goes up or down calls what other initcalls have set up. */
static int __init pvbus_vcpus_init(void)
{
	if (pvstore_present())
		schedule_delayed_work(&pvbus_vcpus_start, 0);
	return 0;
}
late_initcall(pvbus_vcpus_init);

/*
 * Before any but the boot vCPU is up: those marked offline need not go up to be
 * taken down.  Where this fails the first event of the watch takes them down.
 */
static int __init pvbus_vcpus_at_boot(void)
{
	const struct cpumask *off = &pvbus_vcpus_left_off;
	unsigned int cpu;
	int on;

	if (!pvstore_present())
		return 0;
	for_each_possible_cpu(cpu) {
		/* The boot vCPU, which runs this, is refused later. */
		if (!cpu)
			continue;
		on = pvbus_vcpu_look(cpu, PVBUS_VCPUS_BOOT_TIME);
		if (on == -ETIMEDOUT)
			break;
		if (on)
			continue;
		per_cpu_ptr(&pvbus_vcpus, cpu)->off = true;
		cpumask_set_cpu(cpu, &pvbus_vcpus_left_off);
		pvguest_leave_vcpu_off(cpu);
	}
	if (!cpumask_empty(off))
		pr_info("pvbus: cpu: vCPUs %*pbl are offline in XenStore; not brought up\n",
			cpumask_pr_args(off));
	return 0;
}
early_initcall(pvbus_vcpus_at_boot);
