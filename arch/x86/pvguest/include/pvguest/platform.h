/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions of the port for drivers.  Machine frames and hypercalls appear
 * neither here nor in a driver.
 */
#ifndef PVGUEST_PLATFORM_H
#define PVGUEST_PLATFORM_H

#include <linux/interrupt.h>
#include <linux/mm_types.h>
#include <linux/seq_file.h>
#include <linux/types.h>
#include <xen/interface/grant_table.h>
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
void pvguest_console_taken(void);
void pvguest_pause(unsigned int us);
void pvguest_console_write(const char *s, unsigned int len);
int pvguest_console_read(char *buf, unsigned int len);

void pvguest_leave_vcpu_off(unsigned int cpu);

/* Pages without frames: the domain's reservation. */

/* Most pages of one call. */
#define PVGUEST_MEMORY_BATCH	64

int pvguest_memory_give(struct page **pages, unsigned int count,
			unsigned int *given);
int pvguest_memory_take(struct page **pages, unsigned int count,
			unsigned int *taken);
unsigned long pvguest_memory_at_boot(void);

/* Event channels as interrupts. */

/* The handler calls pvguest_irq_eoi() when it has done its work. */
#define PVGUEST_EVENT_LATE_EOI	BIT(0)
/* Only this vCPU: the interrupt never moves. */
#define PVGUEST_EVENT_PERCPU	BIT(1)

int pvguest_alloc_port(domid_t remote, unsigned int *port);
int pvguest_join_port(domid_t remote, unsigned int remote_port,
		      unsigned int *port);
void pvguest_close_port(unsigned int port);
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

/* The grant table, whose entries pvbus gives out. */

int pvguest_grant_init(void);
int pvguest_grant_grow(unsigned int refs, grant_ref_t *first,
		       unsigned int *count);
void pvguest_grant_allow(grant_ref_t ref, domid_t domain, struct page *page,
			 bool readonly);
bool pvguest_grant_revoke(grant_ref_t ref);
bool pvguest_grant_idle(grant_ref_t ref);
bool pvguest_grant_mapped(grant_ref_t ref);
unsigned int pvguest_grant_left(void);
void pvguest_grant_set_link(grant_ref_t ref, grant_ref_t next);
grant_ref_t pvguest_grant_link(grant_ref_t ref);
void pvguest_grant_show(struct seq_file *m);

#endif /* PVGUEST_PLATFORM_H */
