/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interfaces between the files of the port.  Drivers see include/pvguest/
 * only.
 */
#ifndef PVGUEST_INTERNAL_H
#define PVGUEST_INTERNAL_H

#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <asm/desc.h>
#include <asm/paravirt.h>
#include <asm/pgtable.h>
#include <pvguest/platform.h>

#include "hypercall.h"
#include "layout.h"
#include "stats.h"

/* domain.c */
extern struct start_info *pvguest_start_info;
extern struct shared_info *pvguest_shared_info;
/* The hypervisor uses pvguest_vcpu_info. */
extern bool pvguest_vcpu_ready;
/* Top table in use (physical address), and the one the hypervisor has loaded. */
DECLARE_PER_CPU(unsigned long, pvguest_cr3);
DECLARE_PER_CPU(unsigned long, pvguest_loaded_cr3);

static inline bool pvguest_is_initial_domain(void)
{
	return pvguest_start_info->flags & SIF_INITDOMAIN;
}

/* start.c, boot_cpu.c */
void pvguest_start(struct start_info *si);
void pvguest_boot_cpu_ready(void);

/* Of Linux, declared in no header of its own, or only for its own port. */
void early_xen_iret_patch(void);
void noist_exc_debug(struct pt_regs *regs);
void noist_exc_machine_check(struct pt_regs *regs);
void xen_pv_evtchn_do_upcall(struct pt_regs *regs);

/* entry.S */
extern struct trap_info pvguest_trap_table[];
extern struct trap_info pvguest_ia32_trap_table[];
extern const char pvguest_early_stubs[NUM_EXCEPTION_VECTORS][PVGUEST_EARLY_STUB_SIZE];
void pvguest_event_entry(void);
void pvguest_failsafe_entry(void);
void pvguest_nmi_entry(void);
void pvguest_syscall64_entry(void);
void pvguest_syscall32_entry(void);
void pvguest_syscall32_ignored(void);
void pvguest_sysenter_entry(void);
void pvguest_irq_disable(void);
void pvguest_irq_enable(void);
void pvguest_save_fl(void);
void pvguest_read_cr2(void);
void xen_iret(void);

/* xlate.S: callee-save paravirt calls */
void pvguest_entry_to_pseudo(void);
void pvguest_pseudo_to_entry(void);

/* domain.c, p2m.c */
extern unsigned long *pvguest_p2m;
extern unsigned long pvguest_p2m_entries;

void pvguest_p2m_early(void);
unsigned long pvguest_p2m_size(void);
void pvguest_p2m_relocate(void);
void pvguest_p2m_publish(void);
void pvguest_p2m_boot_range(unsigned long *start, unsigned long *end);
u64 pvguest_any_virt_to_maddr(const void *va);

#define PVGUEST_NO_MFN	(~0UL)

/* Machine frame behind @pfn, PVGUEST_NO_MFN if there is none. */
static __always_inline unsigned long pv_pfn_to_mfn(unsigned long pfn)
{
	return pfn < pvguest_p2m_entries ? pvguest_p2m[pfn] : PVGUEST_NO_MFN;
}

/* Pseudo-physical frame of machine frame @mfn, which must be this domain's. */
static __always_inline unsigned long pv_mfn_to_pfn(unsigned long mfn)
{
	return ((unsigned long *)__MACH2PHYS_VIRT_START)[mfn];
}

/* Machine frame of a direct-map or kernel-image address. */
static __always_inline unsigned long pv_virt_to_mfn(const void *va)
{
	return pvguest_p2m[__pa(va) >> PAGE_SHIFT];
}

/* Machine address of a direct-map or kernel-image address. */
static __always_inline u64 pv_virt_to_maddr(const void *va)
{
	unsigned long pa = __pa(va);

	return ((u64)pvguest_p2m[pa >> PAGE_SHIFT] << PAGE_SHIFT) |
	       offset_in_page(pa);
}

/* memory_map.c */
void pvguest_reserve_boot_memory(void);
char *pvguest_memory_map(void);
void pvguest_bound_memory_map(void);

/* boot_pagetable.c */
extern u64 pvguest_boot_mapped_end;
void pvguest_adopt_boot_pagetable(void);

/* mmu.c */
void pvguest_mmu_init(void);

/* pin.c */
void pvguest_enter_mmap(struct mm_struct *mm);
void pvguest_exit_mmap(struct mm_struct *mm);
void pvguest_user_gs_loaded(void);
void pvguest_unpin_mm(struct mm_struct *mm);
void pvguest_write_cr3(unsigned long cr3);

/* tlb.c */
void pvguest_tlb_init(void);

/* cpu.c */
void pvguest_cpu_init(void);
void pvguest_cpu_caps(void);
void pvguest_cr4_init(void);

/* segments.c */
void pvguest_segments_init(void);
void pvguest_gdt_loaded(unsigned int cpu, unsigned long mfn);
void pvguest_protect_descriptors(void *va, bool writable);

/* traps.c */
void pvguest_traps_ops(void);
void pvguest_traps_early(void);
void pvguest_traps_enable(void);
void pvguest_register_callbacks(void);
void pvguest_register_ia32_callbacks(void);
void pvguest_fill_trap_table(struct vcpu_guest_context *ctxt);

/* events.c */
void pvguest_irq_ops_init(void);

/* vcpu_info.c */
DECLARE_PER_CPU_ALIGNED(struct vcpu_info, pvguest_vcpu_info);
int pvguest_vcpu_setup(unsigned int cpu);

/* ipi.c */
DECLARE_PER_CPU(unsigned int, pvguest_ipi_port);
void pvguest_ipi_event(void);
void pvguest_ipi_init(void);
int pvguest_ipi_cpu_up(unsigned int cpu);
void pvguest_ipi_cpu_down(unsigned int cpu);

/* time.c, vtime.c */
DECLARE_PER_CPU(unsigned int, pvguest_timer_port);
void pvguest_timer_event(void);
void pvguest_time_init(void);
void pvguest_sched_clock_init(void);
int pvguest_timer_prepare(unsigned int cpu);
void pvguest_timer_cpu_up(unsigned int cpu);
void pvguest_timer_cpu_down(unsigned int cpu);
u64 pvguest_clock_read(void);
void pvguest_vtime_cpu_up(unsigned int cpu);
void pvguest_vtime_cpu_starts(void);
void pvguest_vtime_cpu_stops(void);
void pvguest_vtime_init(void);
bool pvguest_vtime_was_paused(void);
bool pvguest_vcpu_is_preempted(long cpu);

/* spinlock.c */
#ifdef CONFIG_PARAVIRT_SPINLOCKS
int pvguest_lock_cpu_up(unsigned int cpu);
void pvguest_lock_cpu_down(unsigned int cpu);
void pvguest_lock_init(void);
#else
static inline int pvguest_lock_cpu_up(unsigned int cpu) { return 0; }
static inline void pvguest_lock_cpu_down(unsigned int cpu) { }
static inline void pvguest_lock_init(void) { }
#endif

/* smp.c */
#ifdef CONFIG_SMP
void pvguest_smp_init(void);
#else
static inline void pvguest_smp_init(void) { }
#endif
/* ap_entry.S */
void pvguest_ap_entry(void);
void pvguest_ap_again(void (*start)(void), void *stack);

/* ipi.c */
unsigned int pvguest_count_vcpus(void);

/* platform.c, shutdown.c, early_console.c */
void pvguest_platform_init(void);
void pvguest_shutdown_init(void);
void pvguest_end_domain(unsigned int reason);
void pvguest_last_words(const char *why, long error);

/*
 * pvguest_shutdown() and pvguest_die() do not return.  BUG() says so, not an
 * attribute: objtool knows only the names of Linux's own functions that do not.
 */

/**
 * pvguest_shutdown() - end this domain
 * @reason: SHUTDOWN_* (xen/sched.h)
 *
 * Context: any.
 */
#define pvguest_shutdown(reason)					\
do {									\
	pvguest_end_domain(reason);					\
	BUG();								\
} while (0)

/**
 * pvguest_die() - say why the kernel cannot go on, and crash the domain
 * @why: "field: problem"
 * @error: negative error number
 *
 * Context: any, from the first instruction on.
 */
#define pvguest_die(why, error)						\
do {									\
	pvguest_last_words(why, error);					\
	BUG();								\
} while (0)
void pvguest_say(const char *fmt, ...) __printf(1, 2);
void pvguest_early_console_init(void);
void pvguest_console_drain(void);
void pvguest_panic_console(void);
void pvguest_early_exception(void);

#endif /* PVGUEST_INTERNAL_H */
