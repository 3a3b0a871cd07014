// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consoles that XenStore lists as devices, hvc1 and following: channels to
 * programs in the control domain, plugged in and out at any time.
 */
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <pvbus/device.h>
#include <pvbus/grant.h>
#include <pvbus/store.h>
#include <pvguest/platform.h>

#include "pvcon.h"

/**
 * struct pvcon_device - a console from XenStore
 * @con: its ring and terminal, one of pvcon_consoles
 * @area: the page of the ring
 * @irq: the back end's events, 0 for none
 */
struct pvcon_device {
	struct pvcon *con;
	struct pvgrant_area area;
	unsigned int irq;
};

/* Which of pvcon_consoles are in use. */
static DECLARE_BITMAP(pvcon_used, PVCON_MAX) = { BIT(0) };

static unsigned int pvcon_index(const struct pvcon *con)
{
	return con - pvcon_consoles;
}

static int pvcon_probe(struct pvbus_device *dev)
{
	struct pvcon_device *p;
	unsigned int i;

	/* Console 0 is the boot console, whose ring the tool stack makes. */
	if (!dev->id)
		return -ENODEV;
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	do {
		i = find_first_zero_bit(pvcon_used, PVCON_MAX);
		if (i == PVCON_MAX) {
			dev_err(&dev->dev, "terminal: all %u in use (%d); waiting for its nodes to change\n",
				PVCON_MAX, -ENOSPC);
			kfree(p);
			return -ENOSPC;
		}
	} while (test_and_set_bit(i, pvcon_used));
	p->con = &pvcon_consoles[i];
	p->con->dev = dev;
	dev_set_drvdata(&dev->dev, p);
	return 0;
}

static int pvcon_setup(struct pvbus_device *dev)
{
	struct pvcon_device *p = pvbus_priv(dev);
	unsigned int port;
	int ret;

	ret = pvgrant_area_alloc(&p->area, dev->backend_id, 1);
	if (ret)
		return ret;
	ret = pvguest_alloc_port(dev->backend_id, &port);
	if (ret)
		return ret;
	pvcon_attach(p->con, p->area.va, port);
	ret = pvguest_bind_port(port, pvcon_event, PVGUEST_EVENT_LATE_EOI,
				dev_name(&dev->dev), p->con);
	if (ret < 0)
		return ret;
	p->irq = ret;
	return 0;
}

static int pvcon_publish(struct pvbus_device *dev, u32 txn)
{
	struct pvcon_device *p = pvbus_priv(dev);
	int ret;

	ret = pvstore_printf(txn, dev->node, "ring-ref", "%u", p->area.refs[0]);
	if (ret)
		return ret;
	return pvstore_printf(txn, dev->node, "port", "%u", p->con->port);
}

/* Log the name that the tool stack has given the console. */
static void pvcon_log_name(struct pvbus_device *dev, struct hvc_struct *hp)
{
	unsigned int len;
	char *name;

	if (pvstore_read(PVSTORE_NO_TXN, dev->node, "name", &name, &len)) {
		dev_info(&dev->dev, "terminal: hvc%d\n", hp->index);
		return;
	}
	dev_info(&dev->dev, "terminal: hvc%d, channel %*pE\n", hp->index,
		 (int)min(len, 64U), name);
	kfree(name);
}

static int pvcon_connected(struct pvbus_device *dev)
{
	struct pvcon_device *p = pvbus_priv(dev);
	struct hvc_struct *hp = p->con->hp;

	if (!hp) {
		hp = hvc_alloc(PVCON_COOKIE + pvcon_index(p->con), p->irq,
			       &pvcon_ring_ops, 256);
		if (IS_ERR(hp))
			return PTR_ERR(hp);
		WRITE_ONCE(p->con->hp, hp);
		pvcon_log_name(dev, hp);
	}
	hp->data = p->irq;
	/* For input and output since the ring was published. */
	hvc_kick();
	return 0;
}

static int pvcon_closing(struct pvbus_device *dev)
{
	return 0;
}

static void pvcon_disconnect(struct pvbus_device *dev)
{
	struct pvcon_device *p = pvbus_priv(dev);

	pvcon_detach(p->con);
	if (p->irq)
		pvguest_unbind(p->irq, p->con);
	p->irq = 0;
	pvgrant_area_free(&p->area);
}

static void pvcon_remove(struct pvbus_device *dev)
{
	struct pvcon_device *p = pvbus_priv(dev);
	struct hvc_struct *hp = p->con->hp;

	WRITE_ONCE(p->con->hp, NULL);
	if (hp)
		hvc_remove(hp);
	p->con->dev = NULL;
	clear_bit(pvcon_index(p->con), pvcon_used);
	kfree(p);
}

static struct pvbus_driver pvcon_driver = {
	.driver.name	= "pvcon",
	.type		= "console",
	.announce	= XenbusStateInitialised,
	.probe		= pvcon_probe,
	.setup		= pvcon_setup,
	.publish	= pvcon_publish,
	.connected	= pvcon_connected,
	.closing	= pvcon_closing,
	.disconnect	= pvcon_disconnect,
	.remove		= pvcon_remove,
};

static int __init pvcon_store_init(void)
{
	int ret = pvbus_register(&pvcon_driver);

	return ret == -ENODEV ? 0 : ret;
}
device_initcall(pvcon_store_init);
