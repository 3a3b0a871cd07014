// SPDX-License-Identifier: GPL-2.0-only
/*
 * The domain's own state: start_info, the shared info page, each vCPU's page
 * table, the frame list and the tool stack's rings.  Every file may read it; none
 * is used from here.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/percpu.h>

#include "internal.h"

struct start_info *pvguest_start_info __ro_after_init;
struct shared_info *pvguest_shared_info __ro_after_init;
bool pvguest_vcpu_ready __ro_after_init;

/* boot_pagetable.c, pin.c and batch.c write them. */
DEFINE_PER_CPU(unsigned long, pvguest_cr3);
DEFINE_PER_CPU(unsigned long, pvguest_loaded_cr3);

/* p2m.c fills them, all files and xlate.S read them. */
unsigned long *pvguest_p2m __ro_after_init;
unsigned long pvguest_p2m_entries __ro_after_init;

/**
 * pvguest_running() - has this kernel been started by the hypervisor?
 *
 * Context: any.
 * Return: false if it was booted natively.
 */
bool pvguest_running(void)
{
	return pvguest_start_info;
}
EXPORT_SYMBOL_GPL(pvguest_running);

/**
 * pvguest_initial_domain() - is this the domain that owns the machine?
 *
 * Context: any.
 * Return: true in that domain; false in all others, and natively.
 */
bool pvguest_initial_domain(void)
{
	return pvguest_running() && pvguest_is_initial_domain();
}
EXPORT_SYMBOL_GPL(pvguest_initial_domain);

static struct pvguest_ring_page pv_ring_page(unsigned long mfn, unsigned int port)
{
	struct pvguest_ring_page ring = {};
	unsigned long pfn;

	if (!pvguest_running() || pvguest_is_initial_domain() || !mfn)
		return ring;
	pfn = pv_mfn_to_pfn(mfn);
	/* The page is the domain's own memory, or it is refused. */
	if (pv_pfn_to_mfn(pfn) != mfn)
		return ring;
	/* Until the direct map exists, the builder's mapping leads to it. */
	if ((unsigned long)pvguest_start_info >= __START_KERNEL_map)
		ring.page = (void *)(__START_KERNEL_map + (pfn << PAGE_SHIFT));
	else
		ring.page = __va(pfn << PAGE_SHIFT);
	ring.port = port;
	return ring;
}

/**
 * pvguest_store_ring() - ring to the store daemon, from the tool stack
 *
 * Context: any.
 * Return: the ring's page and port; the page is NULL natively, in the initial
 * domain, or if the tool stack gave none that is this domain's memory.
 */
struct pvguest_ring_page pvguest_store_ring(void)
{
	const struct start_info *si = pvguest_start_info;

	return pv_ring_page(si ? si->store_mfn : 0, si ? si->store_evtchn : 0);
}
EXPORT_SYMBOL_GPL(pvguest_store_ring);

/**
 * pvguest_console_ring() - ring to the console daemon, from the tool stack
 *
 * Context: any.
 * Return: the ring's page and port; the page is NULL natively, in the initial
 * domain, or if the tool stack gave none that is this domain's memory.
 */
struct pvguest_ring_page pvguest_console_ring(void)
{
	const struct start_info *si = pvguest_start_info;

	return pv_ring_page(si ? si->console.domU.mfn : 0,
			    si ? si->console.domU.evtchn : 0);
}
EXPORT_SYMBOL_GPL(pvguest_console_ring);
