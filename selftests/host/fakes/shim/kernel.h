/* SPDX-License-Identifier: MIT */
/*
 * Just enough of the kernel for the port's files whose logic needs no machine
 * to be compiled in a unit test: one vCPU, or SHIM_VCPUS of them, no
 * interrupts, hypercalls faked by the test.
 */
#ifndef SHIM_KERNEL_H
#define SHIM_KERNEL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <xen/xen.h>
#include <xen/vcpu.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef uint64_t phys_addr_t;

#undef static_assert
#define static_assert(expr)	_Static_assert(expr, #expr)
#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#undef noinline
#define noinline		__attribute__((noinline))
#define __cold
#define __init
#define __noreturn		__attribute__((noreturn))
#define __printf(a, b)		__attribute__((format(printf, a, b)))
#define __percpu
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define min(a, b)		((a) < (b) ? (a) : (b))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define BITS_PER_LONG		64
#define NR_CPUS			64
#define BITS_TO_LONGS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define BIT(n)			(1UL << (n))
#define PAGE_SHIFT		12
#define PAGE_SIZE		4096UL
#define PAGE_MASK		(~(PAGE_SIZE - 1))
#define offset_in_page(p)	((unsigned long)(p) & ~PAGE_MASK)
#define NUM_EXCEPTION_VECTORS	32
#undef __MACH2PHYS_VIRT_START
#define __MACH2PHYS_VIRT_START	0
#define __pa(va)		((unsigned long)(va))
#define __va(pa)		((void *)(unsigned long)(pa))

static inline unsigned int ilog2(unsigned long n)
{
	return 63 - __builtin_clzl(n);
}

#ifdef SHIM_VCPUS
/* A per-CPU variable is an array; the test says which vCPU this is. */
extern unsigned int shim_cpu;
#define DECLARE_PER_CPU(type, name)	extern __typeof__(type) name[SHIM_VCPUS]
#define DEFINE_PER_CPU(type, name)	__typeof__(type) name[SHIM_VCPUS]
#define per_cpu(v, cpu)		((v)[cpu])
#define per_cpu_ptr(p, cpu)	(&(*(p))[cpu])
#define this_cpu_ptr(p)		per_cpu_ptr(p, shim_cpu)
#define this_cpu_inc(v)		((void)0)
#define this_cpu_read(v)	((v)[shim_cpu])
#define __this_cpu_read(v)	((v)[shim_cpu])
#define this_cpu_write(v, x)	((v)[shim_cpu] = (x))
#define __this_cpu_write(v, x)	((v)[shim_cpu] = (x))
#define smp_processor_id()	shim_cpu
#define for_each_possible_cpu(cpu) \
	for ((cpu) = 0; (cpu) < SHIM_VCPUS; (cpu)++)
#else
/* One vCPU: a per-CPU variable is a variable. */
#define DECLARE_PER_CPU(type, name)	extern __typeof__(type) name
#define DEFINE_PER_CPU(type, name)	__typeof__(type) name
#define this_cpu_ptr(p)		(p)
#define this_cpu_inc(v)		((v)++)
#define this_cpu_read(v)	(v)
#define __this_cpu_read(v)	(v)
#define this_cpu_write(v, x)	((v) = (x))
#endif
#define DECLARE_PER_CPU_ALIGNED(type, name)	DECLARE_PER_CPU(type, name)

/* Interrupts and tasks, set by the test. */
extern bool shim_in_task;
extern unsigned int shim_irq_depth;
#define in_task()		shim_in_task
#define local_irq_save(flags)	((flags) = shim_irq_depth++)
#define local_irq_restore(f)	(shim_irq_depth--, (void)(f))

struct thread_info { unsigned long flags; };
struct task_struct { struct thread_info ti; };
#define TIF_LAZY_MMU_UPDATES	1
#define task_thread_info(t)	(&(t)->ti)
#define set_ti_thread_flag(ti, bit)	((ti)->flags |= BIT(bit))
static inline bool test_and_clear_ti_thread_flag(struct thread_info *ti, int bit)
{
	bool was = ti->flags & BIT(bit);

	ti->flags &= ~BIT(bit);
	return was;
}

/* The test says which vCPUs are online. */
struct cpumask { unsigned long bits[BITS_TO_LONGS(NR_CPUS)]; };
extern const struct cpumask *cpu_online_mask;
#define to_cpumask(bitmap)	((struct cpumask *)(bitmap))
static inline bool cpumask_and(struct cpumask *to, const struct cpumask *a,
			       const struct cpumask *b)
{
	to->bits[0] = a->bits[0] & b->bits[0];
	return to->bits[0];
}

typedef struct { u64 pte; } pte_t;
typedef struct { u64 pgd; } pgd_t;
struct page;
struct pt_regs;
struct mm_struct;

void shim_emerg(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define pr_emerg(...)		shim_emerg(__VA_ARGS__)
void shim_bug(void) __noreturn;
#define BUG()			shim_bug()

#endif /* SHIM_KERNEL_H */
