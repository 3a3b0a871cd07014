// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boot console hvc0: on the ring that the tool stack has set up, or in the
 * initial domain on the hypervisor's emergency console.
 */
#include <linux/console.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <pvguest/platform.h>

#include "pvcon.h"

static ssize_t pvcon_emergency_put(u32 vtermno, const u8 *buf, size_t len)
{
	pvguest_console_write(buf, len);
	return len;
}

static ssize_t pvcon_emergency_get(u32 vtermno, u8 *buf, size_t len)
{
	return pvguest_console_read(buf, len);
}

static const struct hv_ops pvcon_emergency_ops = {
	.get_chars	= pvcon_emergency_get,
	.put_chars	= pvcon_emergency_put,
	.notifier_add	= pvcon_open,
	.notifier_del	= pvcon_close,
	.notifier_hangup = pvcon_close,
};

static irqreturn_t pvcon_emergency_event(int irq, void *dev)
{
	if (hvc_poll(dev))
		hvc_kick();
	return IRQ_HANDLED;
}

static const struct hv_ops *pvcon_ops(void)
{
	if (pvguest_initial_domain())
		return &pvcon_emergency_ops;
	return pvguest_console_ring().page ? &pvcon_ring_ops : NULL;
}

static int __init pvcon_console_init(void)
{
	struct pvguest_ring_page ring;
	const struct hv_ops *ops;

	if (!pvguest_running())
		return 0;
	ops = pvcon_ops();
	if (!ops)
		return 0;
	ring = pvguest_console_ring();
	if (ring.page) {
		pvguest_console_taken();
		pvcon_attach(&pvcon_consoles[0], ring.page, ring.port);
	}
	hvc_instantiate(PVCON_COOKIE, 0, ops);
	add_preferred_console("hvc", 0, NULL);
	return 0;
}
console_initcall(pvcon_console_init);

static int __init pvcon_init(void)
{
	struct pvcon *con = &pvcon_consoles[0];
	const struct hv_ops *ops;
	struct hvc_struct *hp;
	int irq;

	if (!pvguest_running())
		return 0;
	ops = pvcon_ops();
	if (!ops)
		return 0;
	hp = hvc_alloc(PVCON_COOKIE, 0, ops, 256);
	if (IS_ERR(hp))
		return PTR_ERR(hp);
	con->hp = hp;
	if (ops == &pvcon_ring_ops)
		irq = pvguest_bind_port(con->port, pvcon_event,
					PVGUEST_EVENT_LATE_EOI, "pvcon", con);
	else
		irq = pvguest_bind_virq(VIRQ_CONSOLE, 0, pvcon_emergency_event,
					0, "pvcon", hp);
	if (irq < 0)
		pr_warn("pvcon: hvc0: no interrupt (%d); polling\n", irq);
	else
		hp->data = irq;
	return 0;
}
device_initcall(pvcon_init);
