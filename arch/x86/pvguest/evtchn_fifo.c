// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FIFO event-channel ABI: one word for each of up to 131072 ports, and
 * for each vCPU 16 queues of ports by priority, linked through the words.
 *
 * The hypervisor appends a port to the queue of its vCPU when it becomes
 * pending; the guest unlinks from the head (xen/event_channel.h, "FIFO ABI").
 */
#include <linux/bitops.h>
#include <linux/gfp.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <asm/cmpxchg.h>

#include "evtchn.h"
#include "internal.h"

#define PV_WORDS_PER_PAGE	(PAGE_SIZE / sizeof(event_word_t))
#define PV_MAX_ARRAY_PAGES	(EVTCHN_FIFO_NR_CHANNELS / PV_WORDS_PER_PAGE)

static event_word_t *pv_fifo_page[PV_MAX_ARRAY_PAGES] __read_mostly;
static unsigned int pv_fifo_nr_pages __read_mostly;
/* Drivers and vCPUs that start come for ports at any time. */
static DEFINE_MUTEX(pv_fifo_growth_lock);

static DEFINE_PER_CPU(struct evtchn_fifo_control_block *, pv_control);
/* Head of each queue as the guest sees it; 0 when the queue was emptied. */
static DEFINE_PER_CPU(u32 [EVTCHN_FIFO_MAX_QUEUES], pv_head);

static event_word_t *pv_fifo_word(unsigned int port)
{
	return &pv_fifo_page[port / PV_WORDS_PER_PAGE][port % PV_WORDS_PER_PAGE];
}

static int pv_fifo_cpu_up(unsigned int cpu)
{
	struct evtchn_init_control op = { .vcpu = cpu };
	struct evtchn_fifo_control_block *control = per_cpu(pv_control, cpu);
	long ret;

	/* A vCPU that comes back keeps its block, and its queues. */
	if (control)
		return 0;
	control = (void *)get_zeroed_page(GFP_KERNEL);
	if (!control)
		return -ENOMEM;
	op.control_gfn = pv_virt_to_mfn(control);
	ret = hyp_event_channel_op(EVTCHNOP_init_control, &op);
	if (ret) {
		free_page((unsigned long)control);
		return ret;
	}
	per_cpu(pv_control, cpu) = control;
	return 0;
}

/*
 * The hypervisor appends each page to what it has, so ours has to be entered
 * under the number that it gets there.
 */
static int pv_fifo_add_page(void)
{
	struct evtchn_expand_array op;
	event_word_t *words;
	unsigned int i;
	long ret;

	words = (event_word_t *)get_zeroed_page(GFP_KERNEL);
	if (!words)
		return -ENOMEM;
	for (i = 0; i < PV_WORDS_PER_PAGE; i++)
		words[i] = BIT(EVTCHN_FIFO_MASKED);
	op.array_gfn = pv_virt_to_mfn(words);
	ret = hyp_event_channel_op(EVTCHNOP_expand_array, &op);
	if (ret) {
		free_page((unsigned long)words);
		return ret;
	}
	pv_fifo_page[pv_fifo_nr_pages++] = words;
	return 0;
}

static int pv_fifo_setup_port(unsigned int port)
{
	int ret = 0;

	if (port >= EVTCHN_FIFO_NR_CHANNELS)
		return -ERANGE;
	mutex_lock(&pv_fifo_growth_lock);
	while (!ret && pv_fifo_nr_pages <= port / PV_WORDS_PER_PAGE)
		ret = pv_fifo_add_page();
	mutex_unlock(&pv_fifo_growth_lock);
	return ret;
}

/*
 * Nothing to do when a port moves: the hypervisor links it to the queue of the
 * vCPU that it has at that moment, and a vCPU that empties a queue serves what is
 * in it, also a port that has moved on.
 */
static void pv_fifo_bind_cpu(unsigned int port, unsigned int cpu, int old_cpu)
{
}

static void pv_fifo_release(unsigned int port)
{
}

/*
 * Change bits of a word that the hypervisor changes too, on another processor
 * even if we have only one: the lock prefix must not be patched away.
 * Returns the old value.
 */
static event_word_t pv_fifo_change_word(event_word_t *word, event_word_t clear,
					event_word_t set)
{
	event_word_t old = READ_ONCE(*word), seen;

	for (;;) {
		seen = sync_cmpxchg(word, old, (old & ~clear) | set);
		if (seen == old)
			return old;
		old = seen;
	}
}

static bool pv_fifo_mask(unsigned int port)
{
	return pv_fifo_change_word(pv_fifo_word(port), 0, BIT(EVTCHN_FIFO_MASKED)) &
	       BIT(EVTCHN_FIFO_MASKED);
}

static void pv_fifo_clear(unsigned int port)
{
	pv_fifo_change_word(pv_fifo_word(port), BIT(EVTCHN_FIFO_PENDING), 0);
}

static void pv_fifo_set_pending(unsigned int port)
{
	pv_fifo_change_word(pv_fifo_word(port), 0, BIT(EVTCHN_FIFO_PENDING));
}

static bool pv_fifo_is_pending(unsigned int port)
{
	return READ_ONCE(*pv_fifo_word(port)) & BIT(EVTCHN_FIFO_PENDING);
}

/* Linked: in a queue, whose vCPU will serve it. */
static bool pv_fifo_is_notified(unsigned int port, unsigned int cpu)
{
	return READ_ONCE(*pv_fifo_word(port)) & BIT(EVTCHN_FIFO_LINKED);
}

/*
 * A port that became pending while masked is in no queue; only the hypervisor
 * can put it into one.
 */
static void pv_fifo_unmask(unsigned int port)
{
	struct evtchn_unmask op = { .port = port };
	event_word_t *word = pv_fifo_word(port);
	event_word_t old = READ_ONCE(*word), seen;

	while (!(old & BIT(EVTCHN_FIFO_PENDING))) {
		/* BUSY: the hypervisor is linking the word right now. */
		old &= ~BIT(EVTCHN_FIFO_BUSY);
		seen = sync_cmpxchg(word, old, old & ~BIT(EVTCHN_FIFO_MASKED));
		if (seen == old)
			return;
		old = seen;
		cpu_relax();
	}
	hyp_event_channel_op(EVTCHNOP_unmask, &op);
}

/* Take a port off its queue; returns the next one, 0 at the end. */
static u32 pv_fifo_unlink(event_word_t *word)
{
	return pv_fifo_change_word(word, BIT(EVTCHN_FIFO_LINKED) | EVTCHN_FIFO_LINK_MASK,
			   0) & EVTCHN_FIFO_LINK_MASK;
}

/*
 * Call @serve for the first port of queue @q of a vCPU, if it is deliverable;
 * clears the queue's bit in @ready at its end.
 */
static void pv_fifo_serve_one(const struct evtchn_fifo_control_block *control,
			      u32 *heads, unsigned int q, unsigned long *ready,
		      pv_port_fn *serve)
{
	event_word_t *word, old;
	u32 port = heads[q];

	if (!port) {
		/* Pairs with the hypervisor's write of head before ready. */
		virt_rmb();
		port = READ_ONCE(control->head[q]);
	}
	word = pv_fifo_word(port);
	heads[q] = pv_fifo_unlink(word);
	if (!heads[q])
		__clear_bit(q, ready);
	old = READ_ONCE(*word);
	if ((old & BIT(EVTCHN_FIFO_PENDING)) && !(old & BIT(EVTCHN_FIFO_MASKED)))
		serve(port);
}

static void pv_fifo_empty_queues(struct evtchn_fifo_control_block *control, u32 *heads,
				 pv_port_fn *serve)
{
	unsigned long ready;

	ready = xchg(&control->ready, 0);
	while (ready) {
		pv_fifo_serve_one(control, heads, __ffs(ready), &ready, serve);
		/* A higher priority may have become ready. */
		ready |= xchg(&control->ready, 0);
	}
}

static void pv_fifo_handle(pv_port_fn *event, pv_port_fn *stray)
{
	pv_fifo_empty_queues(__this_cpu_read(pv_control), *this_cpu_ptr(&pv_head),
			     event);
}

/*
 * A port in a queue is linked nowhere else, so what a vCPU leaves in its
 * queues would be silent until it comes back.
 */
static void pv_fifo_cpu_dead(unsigned int cpu, pv_port_fn *stray)
{
	pv_fifo_empty_queues(per_cpu(pv_control, cpu), per_cpu(pv_head, cpu), stray);
}

const struct pv_evtchn_abi pvguest_evtchn_fifo = {
	.name		= "FIFO",
	.cpu_up		= pv_fifo_cpu_up,
	.cpu_dead	= pv_fifo_cpu_dead,
	.setup_port	= pv_fifo_setup_port,
	.bind_cpu	= pv_fifo_bind_cpu,
	.release	= pv_fifo_release,
	.mask		= pv_fifo_mask,
	.unmask		= pv_fifo_unmask,
	.clear		= pv_fifo_clear,
	.set_pending	= pv_fifo_set_pending,
	.is_pending	= pv_fifo_is_pending,
	.is_notified	= pv_fifo_is_notified,
	.handle		= pv_fifo_handle,
};
