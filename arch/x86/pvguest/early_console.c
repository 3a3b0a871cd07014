// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output before, and without, the console driver: the hypervisor's emergency
 * console, and for an ordinary guest also the ring that its console reads.
 */
#include <linux/console.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <xen/interface/io/console.h>

#include "internal.h"

/*
 * The ring belongs to drivers/pvcon once that is there; before, and when the
 * kernel dies, somebody has to be able to say why.
 */
static void ring_write(const char *s, unsigned int len)
{
	struct pvguest_ring_page ring = pvguest_console_ring();
	struct xencons_interface *intf = ring.page;
	XENCONS_RING_IDX prod, cons;

	if (!intf)
		return;
	prod = READ_ONCE(intf->out_prod);
	while (len) {
		cons = READ_ONCE(intf->out_cons);
		/* The slot was read by the other end before we fill it again. */
		virt_mb();
		/* Full, or nonsense written by the other end: give up. */
		if (prod - cons >= sizeof(intf->out))
			break;
		intf->out[MASK_XENCONS_IDX(prod, intf->out)] = *s++;
		prod++;
		len--;
	}
	/* The text before the index that says it is there. */
	virt_wmb();
	WRITE_ONCE(intf->out_prod, prod);
	pvguest_notify_port(ring.port);
}

/**
 * pvguest_console_write() - write to the hypervisor's emergency console
 * @s: text
 * @len: its length
 *
 * Context: any, from the first instruction on.  Production hypervisors drop
 * what guests other than the initial domain write.
 */
void pvguest_console_write(const char *s, unsigned int len)
{
	hyp_console_io(CONSOLEIO_write, len, (char *)s);
}
EXPORT_SYMBOL_GPL(pvguest_console_write);

/**
 * pvguest_console_read() - read what was typed on the emergency console
 * @buf: where to
 * @len: room
 *
 * Return: number of bytes, 0 if there is nothing.
 */
int pvguest_console_read(char *buf, unsigned int len)
{
	int ret = hyp_console_io(CONSOLEIO_read, len, buf);

	return max(ret, 0);
}
EXPORT_SYMBOL_GPL(pvguest_console_read);

static void early_write(struct console *con, const char *s, unsigned int len)
{
	if (pvguest_is_initial_domain())
		pvguest_console_write(s, len);
	else
		ring_write(s, len);
}

static struct console pv_early_console = {
	.name	= "pvearly",
	.write	= early_write,
	.flags	= CON_PRINTBUFFER | CON_BOOT | CON_ANYTIME,
	.index	= -1,
};

static int __init pv_earlycon(char *arg)
{
	if (pvguest_running())
		register_console(&pv_early_console);
	return 0;
}
early_param("pvearly", pv_earlycon);

/**
 * pvguest_say() - tell whoever reads the hypervisor's console
 * @fmt: printf format
 *
 * Context: any, from the first instruction on.
 */
void pvguest_say(const char *fmt, ...)
{
	char buf[160];
	va_list args;
	int len;

	len = scnprintf(buf, sizeof(buf), "pvguest: ");
	va_start(args, fmt);
	len += vscnprintf(buf + len, sizeof(buf) - len, fmt, args);
	va_end(args);
	pvguest_console_write(buf, len);
	if (!pvguest_is_initial_domain())
		ring_write(buf, len);
}
