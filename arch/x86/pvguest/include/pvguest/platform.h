/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What drivers may ask of the port.  Nothing here, and nothing else, tells a
 * driver about machine frames or hypercalls.
 */
#ifndef PVGUEST_PLATFORM_H
#define PVGUEST_PLATFORM_H

#include <linux/interrupt.h>
#include <linux/mm_types.h>
#include <linux/types.h>
#include <xen/interface/xen.h>

/* Running under the hypervisor?  False when this kernel was booted natively. */
bool pvguest_running(void);
/* Is this the domain that owns the machine? */
bool pvguest_initial_domain(void);

/**
 * struct pvguest_ring_page - a page and a port set up by the tool stack
 * @page: the shared page, mapped; NULL if the domain was given none
 * @port: event channel to the other end
 */
struct pvguest_ring_page {
	void *page;
	unsigned int port;
};

struct pvguest_ring_page pvguest_store_ring(void);
struct pvguest_ring_page pvguest_console_ring(void);
void pvguest_console_write(const char *s, unsigned int len);
int pvguest_console_read(char *buf, unsigned int len);

/* Event channels as interrupts. */

/* The handler calls pvguest_irq_eoi() when it has done its work. */
#define PVGUEST_EVENT_LATE_EOI	BIT(0)
/* Only this vCPU: the interrupt never moves. */
#define PVGUEST_EVENT_PERCPU	BIT(1)

int pvguest_alloc_port(domid_t remote, unsigned int *port);
int pvguest_bind_port(unsigned int port, irq_handler_t handler,
		      unsigned int flags, const char *name, void *dev);
int pvguest_bind_virq(unsigned int virq, unsigned int cpu,
		      irq_handler_t handler, unsigned int flags,
		      const char *name, void *dev);
void pvguest_unbind(unsigned int irq, void *dev);
unsigned int pvguest_irq_port(unsigned int irq);
void pvguest_irq_eoi(unsigned int irq, bool spurious);
void pvguest_notify(unsigned int irq);
void pvguest_notify_port(unsigned int port);

/* Memory that another domain is to reach. */

unsigned long pvguest_page_frame(const struct page *page);
unsigned long pvguest_virt_frame(const void *va);
void *pvguest_map_frames(const unsigned long *frames, unsigned int count);
void pvguest_unmap_frames(void *va);
int pvguest_grant_op(unsigned int cmd, void *ops, unsigned int count);
long pvguest_memory_op(unsigned int cmd, void *arg);

#endif /* PVGUEST_PLATFORM_H */
