// SPDX-License-Identifier: MIT
/*
 * An event channel from this domain to itself, so that both ends can be
 * watched: the near end is a driver's port as any other, the far end sends.
 *
 * No test of the guest can play a back end that sends at a given moment, so
 * this module issues the two hypercalls for that itself.
 */
#include <linux/atomic.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/wait.h>
#include <pvabi/hypercall.h>
#include <pvguest/platform.h>

/* An event that has not come by then is lost: seconds. */
#define PATIENCE	60

static int near_irq, far_irq;
static unsigned int far_port;
static atomic_t near_count, far_count;
static DECLARE_WAIT_QUEUE_HEAD(came);

module_param(near_irq, int, 0444);
MODULE_PARM_DESC(near_irq, "interrupt of the near end");

static irqreturn_t near_event(int irq, void *unused)
{
	atomic_inc(&near_count);
	wake_up_all(&came);
	return IRQ_HANDLED;
}

static irqreturn_t far_event(int irq, void *unused)
{
	atomic_inc(&far_count);
	return IRQ_HANDLED;
}

/* One event from the far end; 0 when the near end has seen it. */
static int send_one(void)
{
	int before = atomic_read(&near_count);

	pvguest_notify_port(far_port);
	if (!wait_event_timeout(came, atomic_read(&near_count) != before,
				PATIENCE * HZ))
		return -ETIME;
	return 0;
}

static int send_set(const char *text, const struct kernel_param *param)
{
	unsigned int i, count;
	int ret = kstrtouint(text, 0, &count);

	for (i = 0; !ret && i < count; i++)
		ret = send_one();
	if (ret)
		pr_err("pvguest_event_test: event %u of %u: %d\n", i, count, ret);
	return ret;
}

static const struct kernel_param_ops send_ops = { .set = send_set };
module_param_cb(send, &send_ops, NULL, 0200);
MODULE_PARM_DESC(send, "send so many events, each when the last has come");

/* On the vCPU of the near end, so that an event comes within the hypercall. */
static int miss_one(void *unused)
{
	int near = atomic_read(&near_count), far = atomic_read(&far_count);

	disable_irq_nosync(near_irq);
	pvguest_notify_port(far_port);
	if (atomic_read(&near_count) != near)
		return -EBUSY;
	enable_irq(near_irq);
	if (atomic_read(&near_count) != near + 1)
		return -ETIME;
	return atomic_read(&far_count) == far ? 0 : -EREMOTE;
}

static int miss_set(const char *text, const struct kernel_param *param)
{
	unsigned int cpu;

	return kstrtouint(text, 0, &cpu) ?:
	       smp_call_on_cpu(cpu, miss_one, NULL, false);
}

static const struct kernel_param_ops miss_ops = { .set = miss_set };
module_param_cb(miss, &miss_ops, NULL, 0200);
MODULE_PARM_DESC(miss, "on this processor, where the near end is: an event while its interrupt is disabled");

static int __init pvguest_event_test_init(void)
{
	struct evtchn_bind_interdomain op = { .remote_dom = DOMID_SELF };
	unsigned int near_port;
	int ret;

	if (!pvguest_running())
		return -ENODEV;
	ret = pvguest_alloc_port(DOMID_SELF, &near_port);
	if (ret)
		return ret;
	op.remote_port = near_port;
	near_irq = pvguest_bind_port(near_port, near_event, 0, "event-test-near",
				     &near_count);
	if (near_irq < 0)
		return near_irq;
	ret = hyp_event_channel_op(EVTCHNOP_bind_interdomain, &op);
	if (ret)
		goto unbind;
	far_port = op.local_port;
	far_irq = pvguest_bind_port(far_port, far_event, 0, "event-test-far",
				    &far_count);
	if (far_irq >= 0)
		return 0;
	ret = far_irq;
unbind:
	pvguest_unbind(near_irq, &near_count);
	return ret;
}
module_init(pvguest_event_test_init);

static void __exit pvguest_event_test_exit(void)
{
	pvguest_unbind(far_irq, &far_count);
	pvguest_unbind(near_irq, &near_count);
}
module_exit(pvguest_event_test_exit);

MODULE_DESCRIPTION("Test of event channels as interrupts");
MODULE_LICENSE("Dual MIT/GPL");
