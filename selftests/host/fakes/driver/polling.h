/* SPDX-License-Identifier: MIT */
/*
 * The network core as a driver's queue sees it: polls that are added, scheduled
 * and completed, the RTNL, page pools, and the events of rings.
 *
 * Included after driver/network.h and driver/sending.h.
 */
#ifndef DRIVER_POLLING_H
#define DRIVER_POLLING_H

#define NUMA_NO_NODE			(-1)
#define MEM_TYPE_PAGE_POOL		2
#define cpumask_of(cpu)			(cpu)
#define cpumask_local_spread(i, node)	((void)(node), (i))
#define irq_set_affinity_and_hint(irq, mask)	((void)(mask))
#define irq_update_affinity_hint(irq, mask)	((void)(mask))

/* The state of the one poll and of the events. */
static struct {
	bool added, scheduled;
	int (*fn)(struct napi_struct *napi, int budget);
	bool rtnl;
	unsigned int pools, rxqs;
	/* By interrupt. */
	irq_handler_t handler[16];
	void *data[16];
	unsigned int bound, eois, idle_eois;
	/* Completions that the core puts off to its timer (napi_defer_hard_irqs). */
	unsigned int deferrals;
	/* Ports before none is left; -1: there are always some. */
	int ports;
	unsigned int carrier_lost;
} polling;

static inline void rtnl_lock(void)
{
	shim_check(!polling.rtnl, "RTNL taken twice");
	polling.rtnl = true;
}

static inline void rtnl_unlock(void)
{
	shim_check(polling.rtnl, "RTNL not held");
	polling.rtnl = false;
}

static inline void netif_napi_add(struct net_device *dev, struct napi_struct *napi,
				  int (*fn)(struct napi_struct *napi, int budget))
{
	shim_check(polling.rtnl, "a poll is added without the RTNL");
	polling.added = true;
	polling.fn = fn;
}

static inline void netif_napi_del(struct napi_struct *napi)
{
	shim_check(polling.rtnl && polling.added, "a poll is deleted without the RTNL");
}

#undef napi_schedule
static inline void napi_schedule(struct napi_struct *napi)
{
	polling.scheduled = true;
}

static inline bool napi_complete_done(struct napi_struct *napi, int work)
{
	polling.scheduled = false;
	return !polling.deferrals || !polling.deferrals--;
}

static inline bool __netif_tx_trylock(struct netdev_queue *txq)
{
	return !txq->locked && ++txq->locked;
}

static inline void netif_carrier_off(struct net_device *dev)
{
	polling.carrier_lost++;
}

struct page_pool_params {
	unsigned int pool_size, queue_idx;
	int nid;
	struct napi_struct *napi;
	struct net_device *netdev;
};

static inline struct page_pool *page_pool_create(const struct page_pool_params *params)
{
	struct page_pool *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	if (!pool)
		return ERR_PTR(-ENOMEM);
	polling.pools++;
	return pool;
}

static inline void page_pool_destroy(struct page_pool *pool)
{
	polling.pools--;
	kfree(pool);
}

static inline int xdp_rxq_info_reg(struct xdp_rxq_info *rxq, struct net_device *dev, u32 index,
				   unsigned int napi)
{
	rxq->unused = 1;
	polling.rxqs++;
	return 0;
}

static inline int xdp_rxq_info_reg_mem_model(struct xdp_rxq_info *rxq, int type, void *pool)
{
	return 0;
}

#define xdp_rxq_info_is_reg(rxq)	((rxq)->unused)

static inline void xdp_rxq_info_unreg(struct xdp_rxq_info *rxq)
{
	rxq->unused = 0;
	polling.rxqs--;
}

int pvguest_alloc_port(domid_t remote, unsigned int *port)
{
	if (!polling.ports)
		return -ENOSPC;
	if (polling.ports > 0)
		polling.ports--;
	*port = 1;
	return 0;
}

int pvguest_bind_port(unsigned int port, irq_handler_t handler, unsigned int flags,
		      const char *name, void *dev)
{
	int irq;

	shim_check(flags & PVGUEST_EVENT_LATE_EOI, "events without late EOI");
	for (irq = 1; polling.handler[irq]; irq++)
		;
	polling.handler[irq] = handler;
	polling.data[irq] = dev;
	polling.bound++;
	return irq;
}

void pvguest_unbind(unsigned int irq, void *dev)
{
	shim_check(polling.data[irq] == dev && polling.handler[irq], "not bound");
	polling.handler[irq] = NULL;
	polling.bound--;
}

unsigned int pvguest_irq_port(unsigned int irq)
{
	return irq;
}

void pvguest_irq_eoi(unsigned int irq, bool idle)
{
	polling.eois++;
	polling.idle_eois += idle;
}

/* The back end sends the event of a ring. */
static inline void polling_event(int irq)
{
	shim_check(polling.handler[irq], "event of nothing");
	polling.handler[irq](irq, polling.data[irq]);
}

/* Poll as long as that is scheduled; how often it was. */
static inline unsigned int polling_run(struct napi_struct *napi, int budget)
{
	unsigned int polls = 0;

	for (; polling.scheduled && polls < 1000; polls++)
		if (polling.fn(napi, budget) < budget)
			shim_check(!polling.scheduled, "not completed below the budget");
	return polls;
}

#endif /* DRIVER_POLLING_H */
