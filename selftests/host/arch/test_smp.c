// SPDX-License-Identifier: MIT
/*
 * The start of a vCPU: whatever step of it fails, the next attempt begins where
 * that one ended, and what the hypervisor takes only once it is given once.  One
 * that is left off is present all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define SHIM_VCPUS 2
#define CONFIG_PARAVIRT_SPINLOCKS

#include "shim/ipi.h"

#define X86_EFLAGS_IOPL_BIT	12
#define X86_EFLAGS_FIXED	BIT(1)
#define __KERNEL_CS		0x10
#define __KERNEL_DS		0x18
#define GDT_ENTRIES		16
#define CPUHP_AP_ONLINE_IDLE	1
#define pr_err(...)		((void)0)
#define smp_mb()		((void)0)

/* Linux, as far as a start needs it. */
struct gdt { char bytes[PAGE_SIZE]; };
struct pt_regs { unsigned long ip; };
static struct gdt gdts[SHIM_VCPUS];
#define init_top_pgt		((pgd_t *)shim_pages)
static struct pt_regs stack;
static bool present[SHIM_VCPUS] = { true, true };
typedef struct cpumask cpumask_t;
struct shim_smp_ops {
	void (*smp_prepare_boot_cpu)(void);
	void (*smp_prepare_cpus)(unsigned int max_cpus);
	void (*smp_cpus_done)(unsigned int max_cpus);
	int (*kick_ap_alive)(unsigned int cpu, struct task_struct *idle);
	void (*poll_sync_state)(void);
	void (*stop_this_cpu)(void);
};

static struct shim_smp_ops smp_ops;

#define task_pt_regs(task)	((void)(task), &stack)
#define task_top_of_stack(task)	((unsigned long)(&stack + 1))
#define get_cpu_gdt_rw(cpu)	((void *)&gdts[cpu])
#define cpu_kernelmode_gs_base(cpu)	((unsigned long)(cpu))
#define cpumask_test_cpu(cpu, mask)	(!!((mask)->bits[0] & BIT(cpu)))
#define cpumask_set_cpu(cpu, mask)	((void)((mask)->bits[0] |= BIT(cpu)))
#define for_each_cpu(cpu, mask)	for_each_cpu_and(cpu, mask, mask)
#define kzalloc(size, flags)	fake_kzalloc(size)
#define kfree(p)		free(p)
#define cr4_init()		((void)0)
#define cpu_init_exception_handling(boot)	((void)0)
#define cpuhp_ap_sync_alive()	((void)0)
#define cpu_init()		((void)0)
#define fpu__init_cpu()		((void)0)
#define rcutree_report_cpu_starting(cpu)	((void)0)
#define smp_store_cpu_info(cpu)	((void)0)
#define set_cpu_sibling_map(cpu)	((void)0)
#define speculative_store_bypass_ht_init()	((void)0)
#define notify_cpu_starting(cpu)	((void)0)
#define set_cpu_online(cpu, is)	((void)0)
#define __initdata
#define set_cpu_present(cpu, is)	((void)(present[cpu] = (is)))
#define local_irq_enable()	((void)0)
#define cpu_startup_entry(state)	((void)0)
#define native_smp_prepare_boot_cpu()	((void)0)
#define smp_prepare_cpus_common()	((void)0)

static void *fake_kzalloc(size_t size);
static int common_cpu_up(unsigned int cpu, struct task_struct *idle);
long hyp_sched_op(int cmd, void *arg);

#include "../../../arch/x86/pvguest/smp.c"

#include "vcpus.h"

static unsigned long frames[SHIM_PAGES];
unsigned long *pvguest_p2m = frames;
unsigned long pvguest_p2m_entries = ARRAY_SIZE(frames);
const struct cpumask *cpu_online_mask;

/* Steps of a start that can fail, in their order; how often each succeeded. */
enum step {
	LINUX, REGISTER, PORTS, MEMORY, INITIALISE, IPI, LOCK, TIMER, UP, STEPS
};

static unsigned int succeeded[STEPS];
static int failing = STEPS;

static int step(enum step which)
{
	if ((int)which == failing)
		return -ENOMEM;
	succeeded[which]++;
	return 0;
}

static int common_cpu_up(unsigned int cpu, struct task_struct *idle)
{
	return step(LINUX);
}

static void *fake_kzalloc(size_t size)
{
	return step(MEMORY) ? NULL : calloc(1, size);
}

int pvguest_vcpu_setup(unsigned int cpu)
{
	return step(REGISTER);
}

int pvguest_ports_cpu_up(unsigned int cpu)
{
	return step(PORTS);
}

int pvguest_ipi_cpu_up(unsigned int cpu)
{
	return step(IPI);
}

int pvguest_lock_cpu_up(unsigned int cpu)
{
	return step(LOCK);
}

int pvguest_timer_prepare(unsigned int cpu)
{
	return step(TIMER);
}

/* As the hypervisor does: a second context for a vCPU is refused (EEXIST). */
long hyp_vcpu_op(int cmd, unsigned int vcpu, void *arg)
{
	const struct vcpu_guest_context *ctxt = arg;

	assert_int_equal(vcpu, 1);
	if (cmd == VCPUOP_up) {
		assert_int_equal(succeeded[INITIALISE], 1);
		assert_true(pvguest_vcpu_info[1].evtchn_upcall_mask);
		return step(UP);
	}
	assert_int_equal(cmd, VCPUOP_initialise);
	if (succeeded[INITIALISE])
		return -EEXIST;
	assert_true(ctxt->flags & VGCF_IN_KERNEL);
	/* The first instructions call what is in %rdi. */
	assert_ptr_equal(ctxt->user_regs.rip, pvguest_ap_entry);
	assert_ptr_equal(ctxt->user_regs.rdi, pv_ap_start);
	assert_int_equal(ctxt->user_regs.rflags >> X86_EFLAGS_IOPL_BIT & 3, 1);
	return step(INITIALISE);
}

void pvguest_vtime_cpu_up(unsigned int cpu)
{
}

/* Not reached. */
long hyp_sched_op(int cmd, void *arg)
{
	fail();
	return 0;
}

u64 pvguest_any_virt_to_maddr(const void *va)
{
	return 0;
}

void pvguest_protect_descriptors(void *va, bool writable)
{
	assert_false(writable);
}

void pvguest_gdt_loaded(unsigned int cpu, unsigned long mfn)
{
}

void pvguest_fill_trap_table(struct vcpu_guest_context *ctxt)
{
}

void pvguest_cr4_init(void) { }
void pvguest_register_callbacks(void) { }
void pvguest_register_ia32_callbacks(void) { }
void pvguest_vtime_cpu_starts(void) { }
void pvguest_timer_cpu_up(unsigned int cpu) { }
void pvguest_boot_cpu_ready(void) { }
void pvguest_lock_init(void) { }
void pvguest_syscall64_entry(void) { }
void pvguest_failsafe_entry(void) { }
void pvguest_event_entry(void) { }
void pvguest_ap_entry(void) { }

void shim_emerg(const char *fmt, ...)
{
}

void shim_bug(void)
{
	fail();
	abort();
}

bool pvguest_early_table_is_live(const void *table)
{
	return false;
}

void shim_mutex_lock(pthread_mutex_t *lock)
{
}

static int fresh(void **state)
{
	memset(succeeded, 0, sizeof(succeeded));
	memset(&pv_registered_vcpus, 0, sizeof(pv_registered_vcpus));
	memset(&pv_initialised_vcpus, 0, sizeof(pv_initialised_vcpus));
	pvguest_smp_init();
	return 0;
}

static void a_failed_start_is_not_final(void **state)
{
	struct task_struct idle = { };
	enum step first;

	for (first = LINUX; first < STEPS; first++) {
		fresh(state);
		failing = first;
		assert_int_equal(smp_ops.kick_ap_alive(1, &idle), -ENOMEM);
		assert_int_equal(succeeded[UP], 0);
		failing = STEPS;
		assert_int_equal(smp_ops.kick_ap_alive(1, &idle), 0);
		assert_int_equal(succeeded[UP], 1);
		assert_int_equal(succeeded[REGISTER], 1);
		assert_int_equal(succeeded[INITIALISE], 1);
	}
}

/* A vCPU that did not report in time, or was off. */
static void a_vcpu_can_be_started_again(void **state)
{
	struct task_struct idle = { };

	assert_int_equal(smp_ops.kick_ap_alive(1, &idle), 0);
	assert_int_equal(smp_ops.kick_ap_alive(1, &idle), 0);
	assert_int_equal(succeeded[UP], 2);
	assert_int_equal(succeeded[REGISTER], 1);
}

/* Linux brings up what is present, and makes devices of what is then. */
static void one_left_off_is_present_afterwards(void **state)
{
	pvguest_leave_vcpu_off(1);
	assert_true(present[0]);
	assert_false(present[1]);
	smp_ops.smp_cpus_done(SHIM_VCPUS);
	assert_true(present[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_failed_start_is_not_final, fresh),
		cmocka_unit_test_setup(a_vcpu_can_be_started_again, fresh),
		cmocka_unit_test_setup(one_left_off_is_present_afterwards, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
