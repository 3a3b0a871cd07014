// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 2-level event-channel ABI: one pending and one mask bit for each of
 * 4096 ports in the shared info page, and a selector word for each vCPU that
 * tells which words of the pending bitmap to look at.
 */
#include <linux/bitops.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <asm/sync_bitops.h>

#include "evtchn.h"
#include "internal.h"

#define PV_2L_WORDS	BITS_PER_LONG

/*
 * Ports delivered to each vCPU.  The pending bitmap is common to all, so a
 * vCPU must leave alone what another one is told about.
 */
static DEFINE_PER_CPU(unsigned long [PV_2L_WORDS], pv_2l_mine);
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

static void pv_2l_bind_cpu(unsigned int port, unsigned int cpu, int old_cpu)
{
	if (old_cpu >= 0)
		clear_bit(port, per_cpu(pv_2l_mine, old_cpu));
	set_bit(port, per_cpu(pv_2l_mine, cpu));
}

static void pv_2l_mask(unsigned int port)
{
	sync_set_bit(port, pvguest_shared_info->evtchn_mask);
}

static void pv_2l_clear(unsigned int port)
{
	sync_clear_bit(port, pvguest_shared_info->evtchn_pending);
}

static bool pv_2l_is_pending(unsigned int port)
{
	return sync_test_bit(port, pvguest_shared_info->evtchn_pending);
}

/*
 * The hypervisor raises the upcall only when a bit becomes pending while it is
 * unmasked.  For a port of this vCPU we can do the rest ourselves; for one of
 * another vCPU we have to ask.
 */
static void pv_2l_unmask(unsigned int port)
{
	struct evtchn_unmask op = { .port = port };
	struct vcpu_info *info;
	unsigned long flags;

	local_irq_save(flags);
	if (!test_bit(port, *this_cpu_ptr(&pv_2l_mine))) {
		hyp_event_channel_op(EVTCHNOP_unmask, &op);
		pv_count_call(__HYPERVISOR_event_channel_op);
	} else {
		info = this_cpu_ptr(&pvguest_vcpu_info);
		sync_clear_bit(port, pvguest_shared_info->evtchn_mask);
		if (sync_test_bit(port, pvguest_shared_info->evtchn_pending) &&
		    !sync_test_and_set_bit(port / BITS_PER_LONG,
					   &info->evtchn_pending_sel))
			WRITE_ONCE(info->evtchn_upcall_pending, 1);
	}
	/* Unmasking events looks at upcall_pending again. */
	local_irq_restore(flags);
}

static unsigned long deliverable(unsigned int word, unsigned long *mine)
{
	const struct shared_info *s = pvguest_shared_info;

	return READ_ONCE(s->evtchn_pending[word]) &
	       ~READ_ONCE(s->evtchn_mask[word]) & mine[word];
}

static void pv_2l_handle(unsigned int cpu)
{
	struct vcpu_info *info = this_cpu_ptr(&pvguest_vcpu_info);
	unsigned long *mine = *this_cpu_ptr(&pv_2l_mine);
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
		bits = deliverable(word, mine);
		if (i == 0)
			bits &= GENMASK(BITS_PER_LONG - 1, start % BITS_PER_LONG);
		while (bits) {
			bit = __ffs(bits);
			bits &= bits - 1;
			__this_cpu_write(pv_2l_next,
					 (word * BITS_PER_LONG + bit + 1) %
					 EVTCHN_2L_NR_CHANNELS);
			pvguest_dispatch(word * BITS_PER_LONG + bit);
		}
	}
}

const struct pv_evtchn_abi pvguest_evtchn_2l = {
	.name		= "2-level",
	.nr_ports	= EVTCHN_2L_NR_CHANNELS,
	.cpu_up		= pv_2l_cpu_up,
	.setup_port	= pv_2l_setup_port,
	.bind_cpu	= pv_2l_bind_cpu,
	.mask		= pv_2l_mask,
	.unmask		= pv_2l_unmask,
	.clear		= pv_2l_clear,
	.is_pending	= pv_2l_is_pending,
	.handle		= pv_2l_handle,
};
