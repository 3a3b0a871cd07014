// SPDX-License-Identifier: GPL-2.0-only
/*
 * The platform as Linux and drivers see it: what is there and what is not.
 */
#include <linux/acpi.h>
#include <linux/cpufreq.h>
#include <linux/cpuidle.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/vmalloc.h>
#include <asm/acpi.h>
#include <asm/hypervisor.h>
#include <asm/i8259.h>
#include <asm/iommu.h>
#include <asm/mach_traps.h>
#include <asm/mc146818rtc.h>
#include <asm/nmi.h>
#include <asm/numa.h>
#include <asm/x86_init.h>

#include "grant_table.h"
#include "internal.h"

/**
 * pvguest_page_frame() - machine frame of a page, to be put in a grant
 * @page: page of this domain's memory
 *
 * Context: any.
 * Return: machine frame number, or PVGUEST_NO_MFN if there is none.
 */
unsigned long pvguest_page_frame(const struct page *page)
{
	return pv_pfn_to_mfn(page_to_pfn(page));
}

static int pv_map_frame(pte_t *pte, unsigned long addr, void *data)
{
	unsigned long *frame = data;
	unsigned long pfn = *frame | 1UL << (PVGUEST_MACHINE_BIT - PAGE_SHIFT);

	set_pte_at(&init_mm, addr, pte, pfn_pte(pfn, PAGE_KERNEL));
	return 0;
}

/**
 * pvguest_map_frame() - map a frame that the hypervisor gave us access to
 * @frame: machine frame number, such as one of the grant table's
 *
 * Context: process; sleeps.
 * Return: kernel address of its page, or NULL.
 */
void *pvguest_map_frame(unsigned long frame)
{
	struct vm_struct *area = get_vm_area(PAGE_SIZE, VM_MAP);

	if (!area)
		return NULL;
	if (apply_to_page_range(&init_mm, (unsigned long)area->addr, PAGE_SIZE,
				pv_map_frame, &frame)) {
		free_vm_area(area);
		return NULL;
	}
	return area->addr;
}

/**
 * pvguest_grant_op() - issue operations on the grant table
 * @cmd: GNTTABOP_*
 * @ops: array of the operation's structures; each has its own status
 * @count: how many
 *
 * Context: any.
 * Return: 0 or a negative errno.
 */
int pvguest_grant_op(unsigned int cmd, void *ops, unsigned int count)
{
	return hyp_grant_table_op(cmd, ops, count);
}

/**
 * pvguest_maximum_ram_page() - highest machine frame number of the machine
 *
 * Context: any.
 * Return: the number, or a negative errno.
 */
long pvguest_maximum_ram_page(void)
{
	return hyp_memory_op(XENMEM_maximum_ram_page, NULL);
}

static unsigned char pv_get_nmi_reason(void)
{
	unsigned long why = READ_ONCE(pvguest_shared_info->arch.nmi_reason);
	unsigned char reason = 0;

	/* The initial domain learns of the machine's errors this way. */
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
	/* No device here does DMA: no 64 MiB of bounce buffers above 4 GiB. */
	no_iommu = 1;
#ifdef CONFIG_NUMA
	numa_off = 1;
#endif
}

static void __init pv_banner(void)
{
	unsigned int version = hyp_xen_version(XENVER_version, NULL);

	pr_info("pvguest: domain: %s, hypervisor %u.%u, %lu MiB\n",
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

/**
 * pvguest_platform_init() - nothing that a PC has is there
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_platform_init(void)
{
	x86_platform.set_legacy_features = pv_legacy_features;
	x86_platform.get_nmi_reason = pv_get_nmi_reason;
	x86_platform.realmode_reserve = x86_init_noop;
	x86_platform.realmode_init = x86_init_noop;
	x86_init.resources.probe_roms = x86_init_noop;
	x86_init.resources.reserve_resources = x86_init_noop;
	x86_init.resources.memory_setup = pvguest_memory_map;
	/* Not for DMI tables: the first hook after mem= and memmap= were read. */
	x86_init.resources.dmi_setup = pvguest_bound_memory_map;
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

/* Generic code chooses the workarounds for this interface by the type. */
const __initconst struct hypervisor_x86 x86_hyper_xen_pv = {
	.name		= "pvguest",
	.detect		= pv_detect,
	.type		= X86_HYPER_XEN_PV,
	.init.init_platform = pvguest_sched_clock_init,
	.runtime.pin_vcpu = x86_op_int_noop,
	.ignore_nopv	= true,
};
