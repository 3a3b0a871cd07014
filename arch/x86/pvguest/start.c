// SPDX-License-Identifier: GPL-2.0-only
/*
 * From start_info to Linux: the first C code, on the way to start_kernel().
 */
#include <linux/init.h>
#include <linux/linkage.h>
#include <linux/string.h>
#include <asm/bootparam.h>
#include <asm/desc.h>
#include <asm/processor.h>
#include <asm/sections.h>
#include <asm/setup.h>
#include <asm/text-patching.h>
#include <asm/x86_init.h>
#include <asm/xen/interface.h>

#include "internal.h"

struct start_info *pvguest_start_info __ro_after_init;
struct shared_info *pvguest_shared_info __ro_after_init;
bool pvguest_vcpu_ready __ro_after_init;

/*
 * Address space for the shared info page.  The page of ours behind it is
 * unmapped and never used again.
 */
static u8 shared_info_window[PAGE_SIZE] __page_aligned_bss;

/* Fails before anything else has been set up, so that it can be reported. */
static void __init check_hypervisor(void)
{
	const struct start_info *si = pvguest_start_info;
	unsigned int version = hyp_xen_version(XENVER_version, NULL);
	struct xen_feature_info features = { .submap_idx = 0 };

	if (strncmp(si->magic, "xen-3.", 6))
		pvguest_die("start_info is not of the interface this kernel speaks", 0);
	/* 4.4 brought FIFO events and the 64-bit features relied upon here. */
	if (version < (4 << 16 | 4))
		pvguest_die("the hypervisor is older than 4.4", version);
	if (hyp_xen_version(XENVER_get_features, &features))
		pvguest_die("the hypervisor does not tell its features", -1);
	if (features.submap & BIT(XENFEAT_auto_translated_physmap))
		pvguest_die("the hypervisor translates addresses: not a paravirtual domain", 0);
}

/* x86_configure_nx() asks boot_cpu_data, which nobody has filled in yet. */
static void __init configure_nx(void)
{
	if (cpuid_edx(0x80000001) & BIT(X86_FEATURE_NX & 31))
		__supported_pte_mask |= _PAGE_NX;
	else
		__supported_pte_mask &= ~_PAGE_NX;
}

static void __init map_shared_info(void)
{
	long ret;

	ret = hyp_update_va_mapping((unsigned long)shared_info_window,
				    pvguest_start_info->shared_info |
				    _PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED |
				    _PAGE_DIRTY, UVMF_INVLPG);
	if (ret)
		pvguest_die("cannot map the shared info page", ret);
	pvguest_shared_info = (struct shared_info *)shared_info_window;
}

/* The initrd is a frame number (MOD_START_PFN) or, from old tools, an address. */
static unsigned long __init initrd_address(const struct start_info *si)
{
	unsigned long start, pages;

	if (!si->mod_len)
		return 0;
	start = si->flags & SIF_MOD_START_PFN ? si->mod_start << PAGE_SHIFT :
						__pa(si->mod_start);
	pages = PFN_UP(start + si->mod_len);
	if (pages > si->nr_pages || start + si->mod_len < start)
		pvguest_die("the initrd does not lie in memory", si->mod_len);
	return start;
}

static void __init fill_boot_params(void)
{
	const struct start_info *si = pvguest_start_info;

	/* A version makes x86_64_start_reservations() keep what is here. */
	boot_params.hdr.version = 0x20f;
	boot_params.hdr.type_of_loader = 9 << 4;
	boot_params.hdr.hardware_subarch = X86_SUBARCH_XEN;
	boot_params.hdr.ramdisk_image = initrd_address(si);
	boot_params.ext_ramdisk_image = initrd_address(si) >> 32;
	boot_params.hdr.ramdisk_size = si->mod_len;
	boot_params.ext_ramdisk_size = si->mod_len >> 32;
	boot_params.hdr.cmd_line_ptr = __pa(si->cmd_line);
	strscpy(boot_command_line, si->cmd_line,
		min_t(size_t, COMMAND_LINE_SIZE, sizeof(si->cmd_line)));
}

/**
 * pvguest_boot_cpu_ready() - the boot vCPU has its final per-CPU area
 *
 * Until here the event mask was just a flag of ours; events were masked by
 * the hypervisor all along, so nothing can have been missed.
 */
void __init pvguest_boot_cpu_ready(void)
{
	long ret = pvguest_vcpu_setup(0);

	if (ret)
		pvguest_die("the vcpu_info area was refused", ret);
	pvguest_vcpu_ready = true;
	pvguest_traps_enable();
}

/**
 * pvguest_start() - first C code of the domain
 * @si: what the domain builder left
 */
asmlinkage __visible void __init pvguest_start(struct start_info *si)
{
	pvguest_start_info = si;
	check_hypervisor();

	pv_info.name = "pvguest";
	pv_info.extra_user_64bit_cs = FLAT_USER_CS64;
	early_boot_irqs_disabled = true;

	/* Linux's return to the kernel goes through a jump: aim it at ours. */
	__text_gen_insn(&early_xen_iret_patch, JMP32_INSN_OPCODE,
			&early_xen_iret_patch, &xen_iret, JMP32_INSN_SIZE);

	pvguest_traps_early();
	pvguest_irq_ops_init();
	pvguest_cpu_init();
	pvguest_segments_init();
	pvguest_traps_ops();
	pvguest_cpu_caps();
	/* No entry is global: the hypervisor owns the global TLB entries. */
	__supported_pte_mask &= ~_PAGE_GLOBAL;
	__default_kernel_pte_mask &= ~_PAGE_GLOBAL;
	configure_nx();

	map_shared_info();
	pvguest_p2m_early();
	pvguest_mmu_init();
	pvguest_tlb_init();
	pvguest_adopt_boot_pagetable();
	pvguest_register_callbacks();

	pvguest_platform_init();
	pvguest_shutdown_init();
	pvguest_ipi_init();
	pvguest_time_init();
	pvguest_smp_init();

	fill_boot_params();
	x86_64_start_reservations((char *)__pa_symbol(&boot_params));
}
