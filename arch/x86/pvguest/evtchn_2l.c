// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 2-level event-channel ABI: one pending and one mask bit for each of
 * 4096 ports in the shared info page, and a selector word for each vCPU that
 * says which words of the pending bitmap to look at.
 *
 * The pending bitmap is common to all vCPUs, only the selector says whose
 * event it is; and the hypervisor looks up a port's vCPU before it sets either,
 * so an event may go to the vCPU from which the port has just moved.
 * That one finds a pending port which is not its own: it must neither take
 * it, nor drop it, because no other vCPU may know.
 */
#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <asm/sync_bitops.h>

#include "evtchn.h"
#include "internal.h"

#define PV_2L_WORDS	BITS_PER_LONG

/* Ports that are delivered to each vCPU, and ports that once were. */
static DEFINE_PER_CPU(unsigned long [PV_2L_WORDS], pv_2l_mine);
static DEFINE_PER_CPU(unsigned long [PV_2L_WORDS], pv_2l_former);
/* Where the last scan stopped, so that low ports cannot starve high ones. */
static DEFINE_PER_CPU(unsigned int, pv_2l_next);

static int pv_2l_cpu_up(unsigned int cpu)
{
	return 0;
}

static int pv_2l_setup_port(unsigned int port)
{
	return port < EVTCHN_2L_NR_CHANNELS ? 0 : -ERANGE;
}

/* Both vCPUs may be scanning: at no time does neither of them know the port. */
static void pv_2l_bind_cpu(unsigned int port, unsigned int cpu, int old_cpu)
{
	set_bit(port, per_cpu(pv_2l_mine, cpu));
	clear_bit(port, per_cpu(pv_2l_former, cpu));
	if (old_cpu < 0)
		return;
	set_bit(port, per_cpu(pv_2l_former, old_cpu));
	clear_bit(port, per_cpu(pv_2l_mine, old_cpu));
}

static void pv_2l_release(unsigned int port)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		clear_bit(port, per_cpu(pv_2l_mine, cpu));
		clear_bit(port, per_cpu(pv_2l_former, cpu));
	}
}

static bool pv_2l_mask(unsigned int port)
{
	return sync_test_and_set_bit(port, pvguest_shared_info->evtchn_mask);
}

static void pv_2l_clear(unsigned int port)
{
	sync_clear_bit(port, pvguest_shared_info->evtchn_pending);
}

static void pv_2l_set_pending(unsigned int port)
{
	sync_set_bit(port, pvguest_shared_info->evtchn_pending);
}

static bool pv_2l_is_pending(unsigned int port)
{
	return sync_test_bit(port, pvguest_shared_info->evtchn_pending);
}

/* A vCPU takes the selector bit back before it looks at the pending bits. */
static bool pv_2l_is_notified(unsigned int port, unsigned int cpu)
{
	return sync_test_bit(port / BITS_PER_LONG,
			     &per_cpu(pvguest_vcpu_info, cpu).evtchn_pending_sel);
}

/*
 * The hypervisor raises the upcall only when a bit becomes pending while it is
 * unmasked.  For a port of this vCPU we can do the rest ourselves; for one of
 * another vCPU we have to ask.  Should the port just move away, we notify
 * ourselves and pass it on like any that comes to the wrong vCPU.
 */
static void pv_2l_unmask(unsigned int port)
{
	struct evtchn_unmask op = { .port = port };
	struct vcpu_info *info;
	unsigned long flags;

	local_irq_save(flags);
	if (!test_bit(port, *this_cpu_ptr(&pv_2l_mine))) {
		hyp_event_channel_op(EVTCHNOP_unmask, &op);
	} else {
		info = this_cpu_ptr(&pvguest_vcpu_info);
		sync_clear_bit(port, pvguest_shared_info->evtchn_mask);
		if (sync_test_bit(port, pvguest_shared_info->evtchn_pending) &&
		    !sync_test_and_set_bit(port / BITS_PER_LONG,
					   &info->evtchn_pending_sel))
			WRITE_ONCE(info->evtchn_upcall_pending, 1);
	}
	/* Unmasking events looks at evtchn_upcall_pending again. */
	local_irq_restore(flags);
}

/* Ports of @word that may be delivered, as far as @ours has them. */
static unsigned long pv_2l_deliverable(unsigned int word, const unsigned long *ours)
{
	const struct shared_info *s = pvguest_shared_info;

	return READ_ONCE(s->evtchn_pending[word]) &
	       ~READ_ONCE(s->evtchn_mask[word]) & READ_ONCE(ours[word]);
}

static void pv_2l_pass_on(unsigned int word, const unsigned long *former,
			  pv_port_fn *stray)
{
	unsigned long bits = pv_2l_deliverable(word, former);

	for (; bits; bits &= bits - 1)
		stray(word * BITS_PER_LONG + __ffs(bits));
}

static void pv_2l_handle(pv_port_fn *event, pv_port_fn *stray)
{
	struct vcpu_info *info = this_cpu_ptr(&pvguest_vcpu_info);
	unsigned long *mine = *this_cpu_ptr(&pv_2l_mine);
	unsigned long *former = *this_cpu_ptr(&pv_2l_former);
	unsigned int start = __this_cpu_read(pv_2l_next);
	unsigned int first = start / BITS_PER_LONG;
	unsigned int i, word, bit;
	unsigned long sel, bits;

	sel = xchg(&info->evtchn_pending_sel, 0);
	/* One word more than there are: the first is visited in two parts. */
	for (i = 0; sel && i <= PV_2L_WORDS; i++) {
		word = (first + i) % PV_2L_WORDS;
		if (!(sel & BIT(word)))
			continue;
		bits = pv_2l_deliverable(word, mine);
		if (i == 0)
			bits &= GENMASK(BITS_PER_LONG - 1, start % BITS_PER_LONG);
		while (bits) {
			bit = __ffs(bits);
			bits &= bits - 1;
			__this_cpu_write(pv_2l_next,
					 (word * BITS_PER_LONG + bit + 1) %
					 EVTCHN_2L_NR_CHANNELS);
			event(word * BITS_PER_LONG + bit);
		}
		if (i < PV_2L_WORDS && unlikely(READ_ONCE(former[word])))
			pv_2l_pass_on(word, former, stray);
	}
}

static void pv_2l_cpu_dead(unsigned int cpu, pv_port_fn *stray)
{
	unsigned int word;

	for (word = 0; word < PV_2L_WORDS; word++)
		pv_2l_pass_on(word, per_cpu(pv_2l_former, cpu), stray);
}

const struct pv_evtchn_abi pvguest_evtchn_2l = {
	.name		= "2-level",
	.cpu_up		= pv_2l_cpu_up,
	.cpu_dead	= pv_2l_cpu_dead,
	.setup_port	= pv_2l_setup_port,
	.bind_cpu	= pv_2l_bind_cpu,
	.release	= pv_2l_release,
	.mask		= pv_2l_mask,
	.unmask		= pv_2l_unmask,
	.clear		= pv_2l_clear,
	.set_pending	= pv_2l_set_pending,
	.is_pending	= pv_2l_is_pending,
	.is_notified	= pv_2l_is_notified,
	.handle		= pv_2l_handle,
};
