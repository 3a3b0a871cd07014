// SPDX-License-Identifier: MIT
/*
 * /dev/xen/evtchn (drivers/pvuser/evtchn.c): no event of a port is lost, also where
 * its interrupt comes while the program has the port.
 */
#include "driver/kernel.c"
#include "driver/files.h"

#include <setjmp.h>
#include <cmocka.h>

#include "../../../drivers/pvuser/evtchn.c"

#define PORT	7
#define IRQ	40

/* The port's handler, and how often the driver has unmasked it. */
static irq_handler_t handler;
static void *handler_dev;
static unsigned int unmasked;

bool pvguest_running(void)
{
	return true;
}

int pvguest_alloc_port(domid_t remote, unsigned int *port)
{
	*port = PORT;
	return 0;
}

int pvguest_join_port(domid_t remote, unsigned int remote_port, unsigned int *port)
{
	return -EINVAL;
}

void pvguest_close_port(unsigned int port)
{
}

int pvguest_bind_port(unsigned int port, irq_handler_t fn, unsigned int flags, const char *name,
		      void *dev)
{
	handler = fn;
	handler_dev = dev;
	return IRQ;
}

int pvguest_bind_virq(unsigned int virq, unsigned int cpu, irq_handler_t fn, unsigned int flags,
		      const char *name, void *dev)
{
	return -EINVAL;
}

void pvguest_unbind(unsigned int irq, void *dev)
{
	handler = NULL;
}

unsigned int pvguest_irq_port(unsigned int irq)
{
	return PORT;
}

void pvguest_irq_eoi(unsigned int irq, bool spurious)
{
	assert_int_equal(irq, IRQ);
	unmasked++;
}

void pvguest_notify_port(unsigned int port)
{
}

static struct file filp;
static const struct file_operations *const fops = &pvuser_evtchn_fops;

static int start(void **state)
{
	struct ioctl_evtchn_bind_unbound_port bind = { .remote_domain = 1 };

	unmasked = 0;
	shim_readers_woken = 0;
	shim_signals = 0;
	filp = (struct file) { .f_flags = O_NONBLOCK };
	assert_int_equal(fops->open(NULL, &filp), 0);
	assert_int_equal(fops->unlocked_ioctl(&filp, IOCTL_EVTCHN_BIND_UNBOUND_PORT,
					      (unsigned long)&bind), PORT);
	return 0;
}

static int stop(void **state)
{
	fops->release(NULL, &filp);
	assert_null(handler);
	assert_int_equal(shim_allocations, 0);
	shim_reset();
	return 0;
}

static void event(void)
{
	assert_int_equal(handler(IRQ, handler_dev), IRQ_HANDLED);
}

/* The port that a read returns, or 0 if there is none. */
static unsigned int read_port(void)
{
	u32 port = 0;
	ssize_t ret = fops->read(&filp, (char *)&port, sizeof(port), NULL);

	assert_int_equal(ret, port ? (ssize_t)sizeof(port) : -EAGAIN);
	assert_int_equal(!!(fops->poll(&filp, NULL) & EPOLLIN), false);
	return port;
}

static void write_port(u32 port)
{
	assert_int_equal(fops->write(&filp, (char *)&port, sizeof(port), NULL), sizeof(port));
}

static void once(void **state)
{
	event();
	assert_int_equal(shim_readers_woken, 1);
	assert_true(fops->poll(&filp, NULL) & EPOLLIN);
	assert_int_equal(read_port(), PORT);
	assert_int_equal(read_port(), 0);
	assert_int_equal(unmasked, 0);
	write_port(PORT);
	assert_int_equal(unmasked, 1);
	/* A second time it is not the program's to give back, nor is another port. */
	write_port(PORT);
	write_port(PORT + 1);
	assert_int_equal(unmasked, 1);
	event();
	assert_int_equal(read_port(), PORT);
}

/*
 * The interrupt layer unmasks a port that moves to another vCPU while its handler
 * runs, and so it can have an event while the program works on the last one.
 */
static void while_held(void **state)
{
	event();
	assert_int_equal(read_port(), PORT);
	event();
	assert_int_equal(read_port(), 0);
	write_port(PORT);
	assert_int_equal(read_port(), PORT);
	assert_int_equal(unmasked, 0);
	write_port(PORT);
	assert_int_equal(read_port(), 0);
	assert_int_equal(unmasked, 1);
	/* One that comes before the read is the same as the first. */
	event();
	event();
	assert_int_equal(read_port(), PORT);
	write_port(PORT);
	assert_int_equal(read_port(), 0);
	assert_int_equal(unmasked, 2);
}

static void reset(void **state)
{
	event();
	assert_int_equal(fops->unlocked_ioctl(&filp, IOCTL_EVTCHN_RESET, 0), 0);
	assert_int_equal(read_port(), 0);
	assert_int_equal(unmasked, 1);
	event();
	assert_int_equal(read_port(), PORT);
}

static void signals(void **state)
{
	event();
	assert_int_equal(shim_signals, 0);
	assert_int_equal(fops->fasync(3, &filp, 1), 0);
	assert_int_equal(read_port(), PORT);
	write_port(PORT);
	event();
	assert_int_equal(shim_signals, 1);
	/* With a signal there is something to read. */
	event();
	assert_int_equal(shim_signals, 1);
	assert_int_equal(read_port(), PORT);
	event();
	assert_int_equal(shim_signals, 1);
	write_port(PORT);
	assert_int_equal(shim_signals, 2);
	assert_int_equal(read_port(), PORT);
	assert_int_equal(fops->fasync(-1, &filp, 0), 0);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(once),
		TEST(while_held),
		TEST(reset),
		TEST(signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
