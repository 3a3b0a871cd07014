// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output before, and without, the console driver: the hypervisor's emergency
 * console, and for an ordinary guest also the ring that its console reads.
 */
#include <linux/console.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <pvguest/parameter.h>
#include <xen/interface/io/console.h>

#include "internal.h"

/*
 * Nanoseconds that all text waits in all for an end that takes nothing, and
 * what each byte taken gives back: all of it by a ring full.
 */
#define PV_RING_PATIENCE	(10ULL * NSEC_PER_SEC)
#define PV_RING_PATIENCE_BYTE \
	(PV_RING_PATIENCE / sizeof_field(struct xencons_interface, out))

static u64 pv_ring_waited;
/* drivers/pvcon writes to the ring. */
static bool pv_ring_taken;

/* Put as much of @s into the ring as there is room for. */
static unsigned int pv_ring_fill(struct xencons_interface *intf, const char *s,
				 unsigned int len)
{
	XENCONS_RING_IDX prod = READ_ONCE(intf->out_prod);
	XENCONS_RING_IDX cons = READ_ONCE(intf->out_cons);
	unsigned int i;

	/* The slots were read by the other end before we fill them again. */
	virt_mb();
	/* Nothing if it is full, or if the other end's index is invalid. */
	for (i = 0; i < len && prod - cons < sizeof(intf->out); i++, prod++)
		intf->out[MASK_XENCONS_IDX(prod, intf->out)] = s[i];
	/* The text before the index that says it is there. */
	virt_wmb();
	WRITE_ONCE(intf->out_prod, prod);
	return i;
}

/*
 * Wait until no more than @unread bytes are unread; false if the other end does
 * not take them in time.
 */
static bool pv_ring_wait(const struct xencons_interface *intf,
			 unsigned int unread)
{
	u64 begin;

	/* Before the shared info page is mapped there is no time to wait by. */
	if (!pvguest_shared_info)
		return false;
	while (READ_ONCE(intf->out_prod) - READ_ONCE(intf->out_cons) > unread) {
		if (pv_ring_waited >= PV_RING_PATIENCE)
			return false;
		begin = pvguest_clock_read();
		/* Any event of the domain ends this early. */
		pvguest_pause(USEC_PER_MSEC);
		pv_ring_waited += pvguest_clock_read() - begin;
	}
	return true;
}

/*
 * The ring belongs to drivers/pvcon once that is there; before, and when the
 * kernel dies, it shows why.
 */
static void pv_ring_write(const char *s, unsigned int len)
{
	struct pvguest_ring_page ring = pvguest_console_ring();
	struct xencons_interface *intf = ring.page;
	bool stalled = false;
	unsigned int written;

	if (!intf)
		return;
	for (;;) {
		written = pv_ring_fill(intf, s, len);
		if (written)
			pvguest_notify_port(ring.port);
		s += written;
		len -= written;
		pv_ring_waited -= min(pv_ring_waited,
				      written * PV_RING_PATIENCE_BYTE);
		/* Room that is gone again when it is to be used is none. */
		if (!len || (stalled && !written) ||
		    !pv_ring_wait(intf, sizeof(intf->out) - 1))
			return;
		stalled = !written;
	}
}

/**
 * pvguest_console_drain() - wait until a domU's console has read all
 *
 * The domain, and the ring with it, may be gone a moment later.
 *
 * Context: any.
 */
void pvguest_console_drain(void)
{
	struct pvguest_ring_page ring;

	if (pvguest_is_initial_domain())
		return;
	ring = pvguest_console_ring();
	if (ring.page)
		pv_ring_wait(ring.page, 0);
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

static void pv_early_write(struct console *con, const char *s, unsigned int len)
{
	if (pvguest_is_initial_domain())
		pvguest_console_write(s, len);
	else if (!pv_ring_taken)
		pv_ring_write(s, len);
}

/**
 * pvguest_console_taken() - the driver of a domU's console writes to its ring
 *
 * Linux lets the early console go on until the driver's is registered, or for good
 * (keep_bootcon): what it wrote, the driver would take for a fault of the back end.
 *
 * Context: any.
 */
void pvguest_console_taken(void)
{
	pv_ring_taken = true;
}
EXPORT_SYMBOL_GPL(pvguest_console_taken);

static struct console pv_early_console = {
	.name	= "pvearly",
	.write	= pv_early_write,
	.flags	= CON_PRINTBUFFER | CON_BOOT | CON_ANYTIME,
	.index	= -1,
};

static int __init pv_earlycon(char *arg)
{
	if (arg && *arg)
		pr_err("pvguest.early_console: '%.*s' given, but it takes no value (%d); ignored\n",
		       pvguest_shown(arg), arg, -EINVAL);
	else if (pvguest_running())
		register_console(&pv_early_console);
	/* Linux would only add that the word is malformed. */
	return 0;
}
early_param("pvguest.early_console", pv_earlycon);

/**
 * pvguest_early_console_init() - let early_printk() be read
 *
 * Linux reports by it what goes wrong before a console is registered, an
 * exception above all.
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_early_console_init(void)
{
#ifdef CONFIG_EARLY_PRINTK
	early_console = &pv_early_console;
#endif
}

/*
 * Calls of early_printk() after the boot, like those of perf in an interrupt, must
 * not write to the ring beside its driver, nor wait for room in it.
 */
static int __init pv_early_console_end(void)
{
#ifdef CONFIG_EARLY_PRINTK
	if (early_console == &pv_early_console)
		early_console = NULL;
#endif
	return 0;
}
late_initcall(pv_early_console_end);

/**
 * pvguest_panic_console() - let a panic that no console has shown be read
 *
 * Before the console driver is there, Linux keeps its messages for it.
 *
 * Context: panic.
 */
void pvguest_panic_console(void)
{
	/* As long as one vCPU runs, nothing else can hold the list's lock. */
	if (system_state != SYSTEM_BOOTING || !hlist_empty(&console_list))
		return;
	/* The driver's has not been registered. */
	pv_ring_taken = false;
	/* Also if console= names another one, which is not there yet. */
	pv_early_console.flags |= CON_ENABLED;
	register_console(&pv_early_console);
}

/**
 * pvguest_say() - print on the hypervisor's console and a domU's console ring
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
		pv_ring_write(buf, len);
}
