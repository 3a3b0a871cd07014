// SPDX-License-Identifier: GPL-2.0-only
/*
 * The platform as Linux and drivers see it: what is there and what is not.
 */
#include <linux/acpi.h>
#include <linux/cpufreq.h>
#include <linux/cpuidle.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/vmalloc.h>
#include <asm/acpi.h>
#include <asm/hypervisor.h>
#include <asm/i8259.h>
#include <asm/mach_traps.h>
#include <asm/mc146818rtc.h>
#include <asm/nmi.h>
#include <asm/numa.h>
#include <asm/x86_init.h>

#include "internal.h"

/** pvguest_running() - has this kernel been started by the hypervisor? */
bool pvguest_running(void)
{
	return pvguest_start_info;
}
EXPORT_SYMBOL_GPL(pvguest_running);

/** pvguest_initial_domain() - is this the domain that owns the machine? */
bool pvguest_initial_domain(void)
{
	return pvguest_running() && pvguest_is_initial_domain();
}
EXPORT_SYMBOL_GPL(pvguest_initial_domain);

static struct pvguest_ring_page ring_page(unsigned long mfn, unsigned int port)
{
	struct pvguest_ring_page ring = {};
	unsigned long pfn;

	if (!pvguest_running() || pvguest_is_initial_domain() || !mfn)
		return ring;
	pfn = pv_mfn_to_pfn(mfn);
	/* The page is memory of ours, whoever says otherwise. */
	if (pv_pfn_to_mfn(pfn) != mfn)
		return ring;
	ring.page = __va(pfn << PAGE_SHIFT);
	ring.port = port;
	return ring;
}

/** pvguest_store_ring() - ring to the store daemon, from the tool stack */
struct pvguest_ring_page pvguest_store_ring(void)
{
	const struct start_info *si = pvguest_start_info;

	return ring_page(si ? si->store_mfn : 0, si ? si->store_evtchn : 0);
}
EXPORT_SYMBOL_GPL(pvguest_store_ring);

/** pvguest_console_ring() - ring to the console daemon, from the tool stack */
struct pvguest_ring_page pvguest_console_ring(void)
{
	const struct start_info *si = pvguest_start_info;

	return ring_page(si ? si->console.domU.mfn : 0,
			 si ? si->console.domU.evtchn : 0);
}
EXPORT_SYMBOL_GPL(pvguest_console_ring);

/** pvguest_page_frame() - frame number of @page to put into a grant or ring */
unsigned long pvguest_page_frame(const struct page *page)
{
	return pv_pfn_to_mfn(page_to_pfn(page));
}
EXPORT_SYMBOL_GPL(pvguest_page_frame);

/** pvguest_virt_frame() - the same for a direct-map address */
unsigned long pvguest_virt_frame(const void *va)
{
	return pv_virt_to_mfn(va);
}
EXPORT_SYMBOL_GPL(pvguest_virt_frame);

struct frame_iter {
	const unsigned long *frame;
};

static int map_one_frame(pte_t *pte, unsigned long addr, void *data)
{
	struct frame_iter *it = data;
	unsigned long pfn = *it->frame++ |
			    (1UL << (PVGUEST_MACHINE_BIT - PAGE_SHIFT));

	set_pte_at(&init_mm, addr, pte, pfn_pte(pfn, PAGE_KERNEL));
	return 0;
}

/**
 * pvguest_map_frames() - map frames that the hypervisor gave us access to
 * @frames: machine frames, such as those of the grant table
 * @count: how many
 *
 * Context: process.
 * Return: contiguous kernel address, or NULL.
 */
void *pvguest_map_frames(const unsigned long *frames, unsigned int count)
{
	struct frame_iter it = { .frame = frames };
	struct vm_struct *area;
	unsigned long addr;

	area = get_vm_area((unsigned long)count << PAGE_SHIFT, VM_MAP);
	if (!area)
		return NULL;
	addr = (unsigned long)area->addr;
	if (apply_to_page_range(&init_mm, addr, (unsigned long)count << PAGE_SHIFT,
				map_one_frame, &it)) {
		free_vm_area(area);
		return NULL;
	}
	return area->addr;
}
EXPORT_SYMBOL_GPL(pvguest_map_frames);

/** pvguest_unmap_frames() - undo pvguest_map_frames() */
void pvguest_unmap_frames(void *va)
{
	vunmap(va);
}
EXPORT_SYMBOL_GPL(pvguest_unmap_frames);

/** pvguest_grant_op() - GNTTABOP_* for pvbus, which owns the grant table */
int pvguest_grant_op(unsigned int cmd, void *ops, unsigned int count)
{
	pv_count_call(__HYPERVISOR_grant_table_op);
	return hyp_grant_table_op(cmd, ops, count);
}
EXPORT_SYMBOL_GPL(pvguest_grant_op);

/** pvguest_memory_op() - XENMEM_* for pvbus, which owns the balloon */
long pvguest_memory_op(unsigned int cmd, void *arg)
{
	pv_count_call(__HYPERVISOR_memory_op);
	return hyp_memory_op(cmd, arg);
}
EXPORT_SYMBOL_GPL(pvguest_memory_op);

static unsigned char pv_get_nmi_reason(void)
{
	unsigned long why = READ_ONCE(pvguest_shared_info->arch.nmi_reason);
	unsigned char reason = 0;

	/* The initial domain is told about the machine's errors this way. */
	if (why & BIT(_XEN_NMIREASON_io_error))
		reason |= NMI_REASON_IOCHK;
	if (why & BIT(_XEN_NMIREASON_pci_serr))
		reason |= NMI_REASON_SERR;
	return reason;
}

static void __init pv_legacy_features(void)
{
	x86_platform.legacy.rtc = 0;
	x86_platform.legacy.no_vga = 1;
	x86_platform.legacy.warm_reset = 0;
	x86_platform.legacy.i8042 = X86_LEGACY_I8042_PLATFORM_ABSENT;
	x86_platform.legacy.reserve_bios_regions = 0;
	x86_platform.legacy.devices.pnpbios = 0;
}

static void __init pv_arch_setup(void)
{
	disable_cpuidle();
	disable_cpufreq();
#ifdef CONFIG_NUMA
	numa_off = 1;
#endif
}

static void __init pv_banner(void)
{
	unsigned int version = hyp_xen_version(XENVER_version, NULL);

	pr_info("pvguest: %s domain on hypervisor %u.%u, %lu MiB\n",
		pvguest_is_initial_domain() ? "initial" : "ordinary",
		version >> 16, version & 0xffff,
		pvguest_start_info->nr_pages >> (20 - PAGE_SHIFT));
}

#ifdef CONFIG_PCI
static int __init pv_no_pci(void)
{
	/* Not an error: do not look for a bus. */
	return 0;
}
#endif

/** pvguest_platform_init() - nothing that a PC has is there */
void __init pvguest_platform_init(void)
{
	x86_platform.set_legacy_features = pv_legacy_features;
	x86_platform.get_nmi_reason = pv_get_nmi_reason;
	x86_platform.realmode_reserve = x86_init_noop;
	x86_platform.realmode_init = x86_init_noop;
	x86_init.resources.probe_roms = x86_init_noop;
	x86_init.resources.reserve_resources = x86_init_noop;
	x86_init.resources.dmi_setup = x86_init_noop;
	x86_init.resources.memory_setup = pvguest_memory_map;
	x86_init.oem.arch_setup = pv_arch_setup;
	x86_init.oem.banner = pv_banner;
#ifdef CONFIG_PCI
	x86_init.pci.arch_init = pv_no_pci;
	x86_init.pci.init = pv_no_pci;
	x86_init.pci.init_irq = x86_init_noop;
#endif
	legacy_pic = &null_legacy_pic;
	disable_acpi();
}

static u32 __init pv_detect(void)
{
	return pvguest_running() ? ~0U : 0;
}

/* The type tells generic code which workarounds this interface needs. */
const __initconst struct hypervisor_x86 x86_hyper_xen_pv = {
	.name		= "pvguest",
	.detect		= pv_detect,
	.type		= X86_HYPER_XEN_PV,
	.init.init_platform = pvguest_sched_clock_init,
	.runtime.pin_vcpu = x86_op_int_noop,
	.ignore_nopv	= true,
};
