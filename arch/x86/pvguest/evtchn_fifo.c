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
#include <linux/percpu.h>
#include <linux/slab.h>
#include <asm/cmpxchg.h>

#include "evtchn.h"
#include "internal.h"

#define PV_WORDS_PER_PAGE	(PAGE_SIZE / sizeof(event_word_t))
#define PV_MAX_ARRAY_PAGES	(EVTCHN_FIFO_NR_CHANNELS / PV_WORDS_PER_PAGE)

static event_word_t *word_page[PV_MAX_ARRAY_PAGES] __read_mostly;
static unsigned int nr_word_pages __read_mostly;

static DEFINE_PER_CPU(struct evtchn_fifo_control_block *, pv_control);
/* Head of each queue as the guest sees it; 0 when the queue was emptied. */
static DEFINE_PER_CPU(u32 [EVTCHN_FIFO_MAX_QUEUES], pv_head);

static event_word_t *port_word(unsigned int port)
{
	return &word_page[port / PV_WORDS_PER_PAGE][port % PV_WORDS_PER_PAGE];
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

static int pv_fifo_setup_port(unsigned int port)
{
	unsigned int page = port / PV_WORDS_PER_PAGE;
	struct evtchn_expand_array op;
	event_word_t *words;
	unsigned int i;
	long ret;

	if (port >= EVTCHN_FIFO_NR_CHANNELS)
		return -ERANGE;
	while (nr_word_pages <= page) {
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
		word_page[nr_word_pages++] = words;
	}
	return 0;
}

static void pv_fifo_bind_cpu(unsigned int port, unsigned int cpu, int old_cpu)
{
	/* The queue of the old vCPU may still hold the port: served there. */
}

/*
 * Change bits of a word that the hypervisor changes too, on another processor
 * even if we have only one: the lock prefix must not be patched away.
 * Returns the old value.
 */
static event_word_t change_word(event_word_t *word, event_word_t clear,
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

static void pv_fifo_mask(unsigned int port)
{
	change_word(port_word(port), 0, BIT(EVTCHN_FIFO_MASKED));
}

static void pv_fifo_clear(unsigned int port)
{
	change_word(port_word(port), BIT(EVTCHN_FIFO_PENDING), 0);
}

static bool pv_fifo_is_pending(unsigned int port)
{
	return READ_ONCE(*port_word(port)) & BIT(EVTCHN_FIFO_PENDING);
}

/*
 * A port that became pending while masked is in no queue; only the hypervisor
 * can put it into one.
 */
static void pv_fifo_unmask(unsigned int port)
{
	struct evtchn_unmask op = { .port = port };
	event_word_t *word = port_word(port);
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
	pv_count_call(__HYPERVISOR_event_channel_op);
}

/* Take a port off its queue; returns the next one, 0 at the end. */
static u32 unlink_port(event_word_t *word)
{
	return change_word(word, BIT(EVTCHN_FIFO_LINKED) | EVTCHN_FIFO_LINK_MASK,
			   0) & EVTCHN_FIFO_LINK_MASK;
}

/* Serve one port of queue @q; clears its bit in @ready at the end. */
static void serve_one(struct evtchn_fifo_control_block *control,
		      unsigned int q, unsigned long *ready)
{
	u32 *head = &(*this_cpu_ptr(&pv_head))[q];
	event_word_t *word, old;
	u32 port = *head;

	if (!port) {
		/* Pairs with the hypervisor's write of head before ready. */
		virt_rmb();
		port = READ_ONCE(control->head[q]);
	}
	word = port_word(port);
	*head = unlink_port(word);
	if (!*head)
		__clear_bit(q, ready);
	old = READ_ONCE(*word);
	if ((old & BIT(EVTCHN_FIFO_PENDING)) && !(old & BIT(EVTCHN_FIFO_MASKED)))
		pvguest_dispatch(port);
}

static void pv_fifo_handle(unsigned int cpu)
{
	struct evtchn_fifo_control_block *control = __this_cpu_read(pv_control);
	unsigned long ready;

	ready = xchg(&control->ready, 0);
	while (ready) {
		serve_one(control, __ffs(ready), &ready);
		/* A higher priority may have become ready. */
		ready |= xchg(&control->ready, 0);
	}
}

const struct pv_evtchn_abi pvguest_evtchn_fifo = {
	.name		= "FIFO",
	.nr_ports	= EVTCHN_FIFO_NR_CHANNELS,
	.cpu_up		= pv_fifo_cpu_up,
	.setup_port	= pv_fifo_setup_port,
	.bind_cpu	= pv_fifo_bind_cpu,
	.mask		= pv_fifo_mask,
	.unmask		= pv_fifo_unmask,
	.clear		= pv_fifo_clear,
	.is_pending	= pv_fifo_is_pending,
	.handle		= pv_fifo_handle,
};
