/* SPDX-License-Identifier: MIT */
/*
 * For ports as interrupts, beyond events.h: an interrupt layer of one interrupt, of
 * which the test has the other end.
 */
#ifndef SHIM_IRQ_H
#define SHIM_IRQ_H

#include <stdlib.h>

#include "events.h"

#define HZ				250
#define U32_MAX				UINT32_MAX
#define __ro_after_init
#define EXPORT_SYMBOL_GPL(x)
#define WARN_ON(x)			(!!(x))
#define pr_err(...)			((void)0)
#define pr_info(...)			((void)0)
#define panic(...)			abort()
#define container_of(p, type, member)	((type *)((char *)(p) - offsetof(type, member)))
#define kzalloc(size, flags)		calloc(1, size)
#define kfree(p)			free(p)
#define rcu_read_lock()			((void)0)
#define rcu_read_unlock()		((void)0)

typedef unsigned long irq_hw_number_t;
typedef int irqreturn_t;
typedef irqreturn_t (*irq_handler_t)(int irq, void *dev);
#define IRQ_HANDLED			1
#define IRQF_NOBALANCING		1
#define IRQ_NO_BALANCING		1
#define IRQ_MOVE_PCNTXT			2
#define IRQ_SET_MASK_OK			0
#define IRQCHIP_SKIP_SET_WAKE		1
#define PVGUEST_EVENT_LATE_EOI		BIT(0)
#define PVGUEST_EVENT_PERCPU		BIT(1)
#define nr_cpu_ids			SHIM_VCPUS

typedef int raw_spinlock_t;
#define raw_spin_lock_irqsave(lock, flags)	((void)(lock), (void)((flags) = 0))
#define raw_spin_unlock_irqrestore(lock, flags)	((void)(lock), (void)(flags))

struct irq_data { void *chip_data; unsigned int effective; };
struct irq_desc { raw_spinlock_t lock; struct irq_data irq_data; };

struct irq_chip {
	const char *name;
	void (*irq_mask)(struct irq_data *d);
	void (*irq_unmask)(struct irq_data *d);
	void (*irq_ack)(struct irq_data *d);
	int (*irq_retrigger)(struct irq_data *d);
	int (*irq_set_affinity)(struct irq_data *d, const struct cpumask *mask, bool force);
	unsigned int flags;
};

struct irq_domain;
struct irq_domain_ops {
	int (*map)(struct irq_domain *domain, unsigned int irq, irq_hw_number_t hw);
};

struct irq_domain { const struct irq_domain_ops *ops; void *host_data; };

/* The one interrupt: the port that it is mapped to, 0: none. */
#define SHIM_IRQ			40
static struct irq_domain shim_domain;
static struct irq_desc shim_desc;
static irq_hw_number_t shim_mapped;
static const struct irq_chip *shim_chip;
/* A handler, once it has been requested. */
static irq_handler_t shim_handler;
static void *shim_handler_dev;
/* Called when an event finds no mapping; another vCPU may do what it likes. */
static void (*shim_unmapped)(void);

#define irq_create_mapping(domain, port) \
	(shim_mapped = (port), (domain)->ops->map(domain, SHIM_IRQ, port), SHIM_IRQ)
#define irq_dispose_mapping(irq)	((void)(irq), (void)(shim_mapped = 0))
#define irq_find_mapping(domain, port) \
	((void)(domain), shim_mapped == (port) ? SHIM_IRQ : 0)
#define irq_resolve_mapping(domain, port) \
	((void)(domain), shim_mapped == (port) ? &shim_desc : NULL)
#define irq_desc_get_irq_data(desc)	(&(desc)->irq_data)
#define irq_data_get_irq_chip_data(d)	((d)->chip_data)
#define irq_get_chip_data(irq)		((void)(irq), shim_desc.irq_data.chip_data)
#define irq_set_chip_data(irq, data)	((void)(irq), shim_desc.irq_data.chip_data = (data))
#define irq_set_chip_and_handler_name(irq, chip, handler, name) \
	((void)(irq), (void)(name), shim_chip = (chip))
#define irq_set_status_flags(irq, set)	((void)(irq), (void)(set))
#define irq_data_update_effective_affinity(d, mask) \
	((d)->effective = (mask)->bits[0])

static inline struct irq_domain *shim_create_domain(const struct irq_domain_ops *ops)
{
	shim_domain.ops = ops;
	return &shim_domain;
}

#define irq_domain_create_tree(fwnode, ops, data)	shim_create_domain(ops)

/* Enabling an interrupt unmasks it. */
static inline int request_irq(unsigned int irq, irq_handler_t handler, unsigned long flags,
			      const char *name, void *dev)
{
	shim_handler = handler;
	shim_handler_dev = dev;
	shim_chip->irq_unmask(&shim_desc.irq_data);
	return 0;
}

static inline void free_irq(unsigned int irq, void *dev)
{
	shim_chip->irq_mask(&shim_desc.irq_data);
	shim_handler = NULL;
}

/* An edge interrupt without a handler is masked. */
static inline int generic_handle_domain_irq(struct irq_domain *domain, unsigned int port)
{
	void (*act)(void) = shim_unmapped;

	if (shim_mapped != port) {
		shim_unmapped = NULL;
		if (act)
			act();
		return -EINVAL;
	}
	shim_chip->irq_ack(&shim_desc.irq_data);
	if (shim_handler)
		shim_handler(SHIM_IRQ, shim_handler_dev);
	else
		shim_chip->irq_mask(&shim_desc.irq_data);
	return 0;
}

static inline const struct cpumask *cpumask_of(unsigned int cpu)
{
	static struct cpumask mask;

	mask.bits[0] = BIT(cpu);
	return &mask;
}

static inline unsigned int cpumask_any_and(const struct cpumask *a, const struct cpumask *b)
{
	unsigned long both = a->bits[0] & b->bits[0];

	return both ? __builtin_ctzl(both) : SHIM_VCPUS;
}

/* Delayed work, run by the test. */
struct work_struct { void (*func)(struct work_struct *work); };
struct delayed_work { struct work_struct work; unsigned long delay; };
#define INIT_DELAYED_WORK(w, fn)	((w)->work.func = (fn))
#define to_delayed_work(w)		container_of(w, struct delayed_work, work)
#define schedule_delayed_work(w, time)	((w)->delay = (time), shim_delayed = (w))
#define cancel_delayed_work_sync(w)	((void)(w), shim_delayed = NULL)
static struct delayed_work *shim_delayed;

void pvguest_close_port(unsigned int port);

#endif /* SHIM_IRQ_H */
