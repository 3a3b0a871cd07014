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
#include <asm/tlbflush.h>
#include <asm/x86_init.h>
#include <asm/xen/interface.h>

#include "internal.h"

/*
 * Address space for the shared info page.  The guest's page behind it is
 * unmapped and never used again.
 */
static u8 pv_shared_info_window[PAGE_SIZE] __page_aligned_bss;

/* Fails before anything else has been set up, so that it can be reported. */
static void __init pv_check_hypervisor(void)
{
	const struct start_info *si = pvguest_start_info;
	unsigned int version = hyp_xen_version(XENVER_version, NULL);
	struct xen_feature_info features = { .submap_idx = 0 };
	long ret;

	if (strncmp(si->magic, "xen-3.", 6))
		pvguest_die("start_info: unknown magic", -EINVAL);
	/* 4.4 brought FIFO events and the 64-bit features relied upon here. */
	if (version < (4 << 16 | 4))
		pvguest_die("hypervisor: older than 4.4", -ENODEV);
	ret = hyp_xen_version(XENVER_get_features, &features);
	if (ret)
		pvguest_die("XENVER_get_features: refused by the hypervisor", ret);
	if (features.submap & BIT(XENFEAT_auto_translated_physmap))
		pvguest_die("domain: not paravirtual, as addresses are translated", -EINVAL);
}

/* x86_configure_nx() asks boot_cpu_data, which is not filled in yet. */
static void __init pv_configure_nx(void)
{
	if (cpuid_edx(0x80000001) & BIT(X86_FEATURE_NX & 31))
		__supported_pte_mask |= _PAGE_NX;
	else
		__supported_pte_mask &= ~_PAGE_NX;
}

static void __init pv_map_shared_info(void)
{
	long ret;

	ret = hyp_update_va_mapping((unsigned long)pv_shared_info_window,
				    pvguest_start_info->shared_info |
				    _PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED |
				    _PAGE_DIRTY, UVMF_INVLPG);
	if (ret)
		pvguest_die("shared info page: cannot be mapped", ret);
	pvguest_shared_info = (struct shared_info *)pv_shared_info_window;
}

/* The initrd is a frame number (MOD_START_PFN) or, from old tools, an address. */
static unsigned long __init pv_initrd_address(const struct start_info *si)
{
	unsigned long start, pages;

	if (!si->mod_len)
		return 0;
	start = si->flags & SIF_MOD_START_PFN ? si->mod_start << PAGE_SHIFT :
						__pa(si->mod_start);
	pages = PFN_UP(start + si->mod_len);
	if (pages > si->nr_pages || start + si->mod_len < start)
		pvguest_die("initrd: end is outside memory", -EINVAL);
	return start;
}

static void __init pv_fill_boot_params(void)
{
	const struct start_info *si = pvguest_start_info;

	/* A version makes x86_64_start_reservations() keep what is here. */
	boot_params.hdr.version = 0x20f;
	boot_params.hdr.type_of_loader = 9 << 4;
	boot_params.hdr.hardware_subarch = X86_SUBARCH_XEN;
	boot_params.hdr.ramdisk_image = pv_initrd_address(si);
	boot_params.ext_ramdisk_image = pv_initrd_address(si) >> 32;
	boot_params.hdr.ramdisk_size = si->mod_len;
	boot_params.ext_ramdisk_size = si->mod_len >> 32;
	boot_params.hdr.cmd_line_ptr = __pa(si->cmd_line);
	strscpy(boot_command_line, si->cmd_line,
		min_t(size_t, COMMAND_LINE_SIZE, sizeof(si->cmd_line)));
}

/**
 * pvguest_start() - first C code of the domain
 * @si: what the domain builder left
 */
asmlinkage __visible void __init pvguest_start(struct start_info *si)
{
	pvguest_start_info = si;
	pv_check_hypervisor();
	pvguest_p2m_early();

	pv_info.name = "pvguest";
	pv_info.extra_user_64bit_cs = FLAT_USER_CS64;
	early_boot_irqs_disabled = true;

	/* Linux's return to the kernel goes through a jump: aim it at ours. */
	__text_gen_insn(&early_xen_iret_patch, JMP32_INSN_OPCODE,
			&early_xen_iret_patch, &xen_iret, JMP32_INSN_SIZE);

	/* An exception is reported: it needs a console, and a way to end. */
	pvguest_early_console_init();
	pvguest_irq_ops_init();
	pvguest_traps_early();
	pvguest_cpu_init();
	pvguest_segments_init();
	pvguest_traps_ops();
	pvguest_cpu_caps();
	pvguest_cr4_init();
	cr4_init_shadow();
	/* No entry is global: the hypervisor owns the global TLB entries. */
	__supported_pte_mask &= ~_PAGE_GLOBAL;
	__default_kernel_pte_mask &= ~_PAGE_GLOBAL;
	pv_configure_nx();

	/* Until early_cpu_init(), for the checks of __pa() in the direct map. */
	if (IS_ENABLED(CONFIG_DEBUG_VIRTUAL))
		boot_cpu_data.x86_phys_bits = MAX_PHYSMEM_BITS;

	pv_map_shared_info();
	pvguest_mmu_init();
	pvguest_tlb_init();
	pvguest_adopt_boot_pagetable();
	pvguest_reserve_boot_memory();
	pvguest_register_callbacks();

	pvguest_platform_init();
	pvguest_shutdown_init();
	pvguest_ipi_init();
	pvguest_time_init();
	pvguest_smp_init();

	pv_fill_boot_params();
	x86_64_start_reservations((char *)__pa_symbol(&boot_params));
}
