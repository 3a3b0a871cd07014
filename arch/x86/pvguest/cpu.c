// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processor: CPUID, model-specific, control and debug registers, and I/O
 * permission, as far as a guest has them.
 */
#include <linux/init.h>
#include <asm/apicdef.h>
#include <asm/cpufeature.h>
#include <asm/emulate_prefix.h>
#include <asm/io_bitmap.h>
#include <asm/msr.h>
#include <asm/processor.h>

#include "batch.h"
#include "internal.h"

#define CPUID_CACHES		0x04
#define CPUID_TOPOLOGY		0x0b
#define CPUID_TOPOLOGY_V2	0x1f

/*
 * The CPUID instruction would describe the machine.  With the hypervisor's
 * forced-emulation prefix it describes what this domain may use.
 */
static void pv_cpuid(unsigned int *ax, unsigned int *bx, unsigned int *cx,
		     unsigned int *dx)
{
	unsigned int leaf = *ax;

	asm volatile(XEN_EMULATE_PREFIX "cpuid"
		     : "=a" (*ax), "=b" (*bx), "=c" (*cx), "=d" (*dx)
		     : "0" (leaf), "2" (*cx));

	switch (leaf) {
	case 1:
		/*
		 * vCPU n has APIC ID n, see ipi.c and smp.c, in a package of
		 * its own: one logical processor each.  Natively the
		 * instruction may be used where a task can migrate, too.
		 */
		*bx = (*bx & 0x0000ffff) | 1 << 16 |
		      raw_smp_processor_id() << 24;
		*cx &= ~(BIT(X86_FEATURE_MWAIT & 31) |
			 BIT(X86_FEATURE_X2APIC & 31) |
			 BIT(X86_FEATURE_PCID & 31) |
			 BIT(X86_FEATURE_TSC_DEADLINE_TIMER & 31));
		*dx &= ~(BIT(X86_FEATURE_PSE & 31) |
			 BIT(X86_FEATURE_MTRR & 31) |
			 BIT(X86_FEATURE_PGE & 31) |
			 BIT(X86_FEATURE_PSE36 & 31) |
			 BIT(X86_FEATURE_ACPI & 31));
		break;
	case CPUID_CACHES:
		/* Cores in the package, threads that share the cache: one. */
		*ax &= 0x00003fff;
		break;
	case CPUID_TOPOLOGY:
	case CPUID_TOPOLOGY_V2:
		/* The machine's topology says nothing about vCPUs. */
		*ax = 0;
		*bx = 0;
		*dx = 0;
		break;
	}
}

/* Features that a guest kernel at CPL 3, on 4 KiB pages, cannot use. */
static const u16 pv_unusable_features[] __initconst = {
	X86_FEATURE_PSE, X86_FEATURE_PSE36, X86_FEATURE_GBPAGES,
	X86_FEATURE_PGE, X86_FEATURE_PCID, X86_FEATURE_INVPCID,
	X86_FEATURE_LA57, X86_FEATURE_SMEP, X86_FEATURE_SMAP, X86_FEATURE_UMIP,
	X86_FEATURE_PKU, X86_FEATURE_OSPKE, X86_FEATURE_SHSTK, X86_FEATURE_IBT,
	X86_FEATURE_FRED, X86_FEATURE_LKGS, X86_FEATURE_MTRR,
	X86_FEATURE_X2APIC, X86_FEATURE_TSC_DEADLINE_TIMER,
	X86_FEATURE_MWAIT, X86_FEATURE_WAITPKG, X86_FEATURE_ACPI,
	X86_FEATURE_ACC, X86_FEATURE_APERFMPERF, X86_FEATURE_DCA,
	X86_FEATURE_SME, X86_FEATURE_SEV, X86_FEATURE_VMX, X86_FEATURE_SVM,
	X86_FEATURE_TOPOEXT, X86_FEATURE_XSAVES,
};

/**
 * pvguest_cpu_caps() - settle which features Linux may find
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_cpu_caps(void)
{
	unsigned int i;

	setup_force_cpu_cap(X86_FEATURE_XENPV);
	for (i = 0; i < ARRAY_SIZE(pv_unusable_features); i++)
		setup_clear_cpu_cap(pv_unusable_features[i]);
	/* XSAVE needs CR4.OSXSAVE, which only the hypervisor can set. */
	if (!(cpuid_ecx(1) & BIT(X86_FEATURE_OSXSAVE & 31)))
		setup_clear_cpu_cap(X86_FEATURE_XSAVE);
}

/*
 * A program's GS base can be read only by a trapping RDMSR, and Linux reads the
 * old task's and writes the new one's on every switch.  Nearly all tasks have
 * the same, zero, so a value that was read during this switch is remembered
 * and not written again.
 */
static DEFINE_PER_CPU(u64, pv_user_gs_read);
static DEFINE_PER_CPU(bool, pv_user_gs_known);

static void pv_user_gs_was_read(u64 base)
{
	this_cpu_write(pv_user_gs_read, base);
	this_cpu_write(pv_user_gs_known, pv_switching_context());
}

static bool pv_user_gs_is(u64 base)
{
	if (!this_cpu_read(pv_user_gs_known))
		return false;
	/* Once: afterwards the program may change it behind our back. */
	this_cpu_write(pv_user_gs_known, false);
	return this_cpu_read(pv_user_gs_read) == base;
}

/**
 * pvguest_user_gs_loaded() - a selector was loaded, which sets the base too
 *
 * Drops the GS base that was read during this task switch.
 *
 * Context: any.
 */
void pvguest_user_gs_loaded(void)
{
	this_cpu_write(pv_user_gs_known, false);
}

/*
 * Registers that hypercalls stand in for.  Returns true if @msr is one; *@err
 * says how it went.
 */
static bool pv_write_special_msr(unsigned int msr, u64 val, int *err)
{
	unsigned int which;

	switch (msr) {
	case MSR_FS_BASE:
		which = SEGBASE_FS;
		break;
	case MSR_GS_BASE:
		which = SEGBASE_GS_KERNEL;
		break;
	case MSR_KERNEL_GS_BASE:
		if (pv_user_gs_is(val)) {
			*err = 0;
			return true;
		}
		which = SEGBASE_GS_USER;
		break;
	case MSR_STAR:
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_SYSCALL_MASK:
	case MSR_IA32_SYSENTER_CS:
	case MSR_IA32_SYSENTER_ESP:
	case MSR_IA32_SYSENTER_EIP:
		/* System call entry points are callbacks: traps.c. */
		*err = 0;
		return true;
	default:
		return false;
	}
	*err = hyp_set_segment_base(which, val) ? -EIO : 0;
	return true;
}

static bool pv_read_special_msr(unsigned int msr, u64 *val)
{
	if (msr != MSR_IA32_APICBASE)
		return false;
	/* Enabled where Linux expects it; ipi.c plays the device. */
	*val = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE;
	if (!raw_smp_processor_id())
		*val |= MSR_IA32_APICBASE_BSP;
	return true;
}

static u64 pv_read_msr_safe(unsigned int msr, int *err)
{
	u64 val;

	*err = 0;
	if (pv_read_special_msr(msr, &val))
		return val;
	val = native_read_msr_safe(msr, err);
	if (msr == MSR_KERNEL_GS_BASE)
		pv_user_gs_was_read(val);
	return val;
}

static u64 pv_read_msr(unsigned int msr)
{
	int err;

	/* Linux probes what a PC has; a register that is not there reads as 0. */
	return pv_read_msr_safe(msr, &err);
}

static void pv_write_msr(unsigned int msr, unsigned int low, unsigned int high)
{
	int err;

	if (pv_write_special_msr(msr, low | (u64)high << 32, &err))
		WARN_ONCE(err, "pvguest: MSR %#x: segment base refused by the hypervisor (%d); not written\n",
			  msr, err);
	else
		native_write_msr_safe(msr, low, high);
}

static int pv_write_msr_safe(unsigned int msr, unsigned int low,
			     unsigned int high)
{
	int err;

	if (pv_write_special_msr(msr, low | (u64)high << 32, &err))
		return err;
	return native_write_msr_safe(msr, low, high);
}

/* CR0 as Linux set it; the hypervisor lets a guest change TS and nothing else. */
static DEFINE_PER_CPU(unsigned long, pv_cr0);

static unsigned long pv_read_cr0(void)
{
	unsigned long cr0 = this_cpu_read(pv_cr0);

	if (unlikely(!cr0)) {
		cr0 = native_read_cr0();
		this_cpu_write(pv_cr0, cr0);
	}
	return cr0;
}

static void pv_write_cr0(unsigned long cr0)
{
	unsigned long old = pv_read_cr0();
	unsigned long flags;

	this_cpu_write(pv_cr0, cr0);
	if (!((old ^ cr0) & X86_CR0_TS))
		return;
	flags = pv_batch_begin();
	pv_queue_call(__HYPERVISOR_fpu_taskswitch, !!(cr0 & X86_CR0_TS), 0);
	pv_batch_end(flags, PV_LAZY_CPU);
}

static void pv_write_cr4(unsigned long cr4)
{
	/* Emulated; bits that are the hypervisor's business would be logged. */
	native_write_cr4(cr4 & ~(X86_CR4_PGE | X86_CR4_PSE | X86_CR4_PCE));
}

/**
 * pvguest_cr4_init() - turn off on this vCPU what Linux turns on itself
 *
 * The hypervisor starts a vCPU with these features on, a machine with all of
 * them off.  Linux sets their bits when it uses them and hardly ever clears
 * one, so nofsgsbase and noxsave would otherwise leave them to programs.
 *
 * Not by native_write_cr4(): bits that Linux has pinned are not changed there,
 * and it is before cr4_init() that a vCPU begins.
 */
void pvguest_cr4_init(void)
{
	unsigned long cr4 = native_read_cr4() &
			    ~(X86_CR4_FSGSBASE | X86_CR4_OSXSAVE);

	asm volatile("mov %0, %%cr4" : : "r" (cr4) : "memory");
}

/*
 * Debug registers are read and written on the way into the kernel, before
 * tracing is possible.
 */
static noinstr unsigned long pv_get_debugreg(int reg)
{
	return hyp_get_debugreg(reg);
}

static noinstr void pv_set_debugreg(int reg, unsigned long val)
{
	hyp_set_debugreg(reg, val);
}

#ifdef CONFIG_X86_IOPL_IOPERM
static void pv_set_io_bitmap(const void *bitmap, unsigned int ports)
{
	struct physdev_set_iobitmap op = { .nr_ports = ports };
	long ret;

	set_xen_guest_handle(op.bitmap, (unsigned char *)bitmap);
	ret = hyp_physdev_op(PHYSDEVOP_set_iobitmap, &op);
	WARN_ONCE(ret, "pvguest: I/O permission bitmap: refused by the hypervisor (%ld); not changed\n",
		  ret);
}

static void pv_invalidate_io_bitmap(void)
{
	native_tss_invalidate_io_bitmap();
	pv_set_io_bitmap(NULL, 0);
}

/* The hypervisor reads the bitmap in place, when a port access traps. */
static void pv_update_io_bitmap(void)
{
	const struct x86_hw_tss *tss = &this_cpu_ptr(&cpu_tss_rw)->x86_tss;

	native_tss_update_io_bitmap();
	if (tss->io_bitmap_base == IO_BITMAP_OFFSET_INVALID)
		pv_set_io_bitmap(NULL, 0);
	else
		pv_set_io_bitmap((const char *)tss + tss->io_bitmap_base,
				 IO_BITMAP_BITS);
}
#endif

static void pv_io_delay(void)
{
}

/**
 * pvguest_cpu_init() - take over the processor operations
 *
 * Context: boot, in pvguest_start().
 */
void __init pvguest_cpu_init(void)
{
	struct physdev_set_iopl iopl = { .iopl = 1 };
	struct pv_cpu_ops *cpu = &pv_ops.cpu;

	cpu->cpuid = pv_cpuid;
	cpu->read_msr = pv_read_msr;
	cpu->read_msr_safe = pv_read_msr_safe;
	cpu->write_msr = pv_write_msr;
	cpu->write_msr_safe = pv_write_msr_safe;
	cpu->read_cr0 = pv_read_cr0;
	cpu->write_cr0 = pv_write_cr0;
	cpu->write_cr4 = pv_write_cr4;
	cpu->get_debugreg = pv_get_debugreg;
	cpu->set_debugreg = pv_set_debugreg;
	cpu->io_delay = pv_io_delay;
#ifdef CONFIG_X86_IOPL_IOPERM
	cpu->invalidate_io_bitmap = pv_invalidate_io_bitmap;
	cpu->update_io_bitmap = pv_update_io_bitmap;
#endif
	cpu->start_context_switch = pv_start_context_switch;

	/* The kernel itself may use ports, as far as the domain may. */
	hyp_physdev_op(PHYSDEVOP_set_iopl, &iopl);
}
