// SPDX-License-Identifier: MIT
/*
 * The batcher's rules: order is kept, neighbours share a call, requests that may
 * wait do so, and a refused request is reported with its caller.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../arch/x86/pvguest/batch.c"

static const struct cpumask online = { .bits = { 0xff } };
const struct cpumask *cpu_online_mask = &online;
bool shim_in_task = true;
unsigned int shim_irq_depth;
struct start_info *pvguest_start_info;
unsigned long *pvguest_p2m;
unsigned long pvguest_p2m_entries;
DEFINE_PER_CPU(unsigned long, pvguest_cr3);
DEFINE_PER_CPU(unsigned long, pvguest_loaded_cr3);

/* The requests to the hypervisor, one character each, in order. */
static char asked[4096];
static unsigned int calls_made;
static long answer;
static char said[4096];
static jmp_buf bug;

void shim_emerg(const char *fmt, ...)
{
	size_t n = strlen(said);
	va_list args;

	va_start(args, fmt);
	vsnprintf(said + n, sizeof(said) - n, fmt, args);
	va_end(args);
}

void shim_bug(void)
{
	longjmp(bug, 1);
}

static void note(char c)
{
	size_t n = strlen(asked);

	asked[n] = c;
	asked[n + 1] = 0;
}

static void run_one(unsigned long op, unsigned long a1, unsigned long a2)
{
	unsigned int i;

	if (op == __HYPERVISOR_mmu_update)
		for (i = 0; i < a2; i++)
			note('a' + ((struct mmu_update *)a1)[i].val % 26);
	else if (op == __HYPERVISOR_mmuext_op)
		for (i = 0; i < a2; i++)
			note('0' + ((struct mmuext_op *)a1)[i].cmd % 10);
	else
		note('A' + a1 % 26);
}

long hyp_mmu_update(struct mmu_update *req, unsigned int count,
		    unsigned int *done, unsigned int dom)
{
	calls_made++;
	assert_int_equal(dom, DOMID_SELF);
	run_one(__HYPERVISOR_mmu_update, (unsigned long)req, count);
	*done = answer < 0 ? count - 1 : count;
	return answer;
}

long hyp_mmuext_op(struct mmuext_op *op, unsigned int count,
		   unsigned int *done, unsigned int dom)
{
	calls_made++;
	run_one(__HYPERVISOR_mmuext_op, (unsigned long)op, count);
	*done = count;
	return answer;
}

long pv_raw_call2(unsigned long nr, unsigned long a1, unsigned long a2)
{
	calls_made++;
	run_one(nr, a1, a2);
	return answer;
}

long hyp_multicall(struct multicall_entry *calls, unsigned int count)
{
	unsigned int i;

	calls_made++;
	for (i = 0; i < count; i++) {
		run_one(calls[i].op, calls[i].args[0], calls[i].args[1]);
		calls[i].result = i + 1 == count ? answer : 0;
	}
	return 0;
}

static int fresh(void **state)
{
	asked[0] = 0;
	said[0] = 0;
	calls_made = 0;
	answer = 0;
	shim_in_task = true;
	shim_irq_depth = 0;
	pvguest_lazy = PV_LAZY_NONE;
	memset(&pvguest_queue, 0, sizeof(pvguest_queue));
	return 0;
}

static void outside_lazy_mode_at_once(void **state)
{
	pv_update(0x1000, 0, PV_LAZY_MMU);
	assert_string_equal(asked, "a");
	pv_update(0x1008, 1, PV_LAZY_MMU);
	assert_string_equal(asked, "ab");
	assert_int_equal(calls_made, 2);
	assert_int_equal(shim_irq_depth, 0);
}

static void lazy_updates_share_one_call(void **state)
{
	unsigned int i;

	pv_enter_lazy_mmu();
	for (i = 0; i < 20; i++)
		pv_update(0x1000 + 8 * i, i, PV_LAZY_MMU);
	assert_int_equal(calls_made, 0);
	pv_leave_lazy_mmu();
	assert_int_equal(calls_made, 1);
	assert_string_equal(asked, "abcdefghijklmnopqrst");
}

static void kinds_keep_their_order(void **state)
{
	unsigned long flags = pv_batch_begin();

	pv_queue_mmu(0x1000, 0);
	pv_queue_ext(7);
	pv_queue_mmu(0x1008, 1);
	pv_queue_mmu(0x1010, 2);
	pv_queue_call(__HYPERVISOR_stack_switch, 3, 0);
	pv_queue_ext(8);
	pv_queue_ext(9);
	assert_int_equal(calls_made, 0);
	pv_batch_end(flags, PV_LAZY_CPU);
	assert_int_equal(calls_made, 1);
	assert_string_equal(asked, "a7bcD89");
}

static void other_kind_of_lazy_mode_does_not_wait(void **state)
{
	pv_enter_lazy_mmu();
	pv_update(0x1000, 0, PV_LAZY_MMU);
	pv_update(0x1008, 1, PV_LAZY_CPU);
	/* The earlier one went first. */
	assert_string_equal(asked, "ab");
	assert_int_equal(calls_made, 1);
	pv_leave_lazy_mmu();
	assert_int_equal(calls_made, 1);
}

static void interrupts_do_not_wait(void **state)
{
	pv_enter_lazy_mmu();
	pv_update(0x1000, 0, PV_LAZY_MMU);
	shim_in_task = false;
	/* An interrupt's own lazy section does not end the task's. */
	pv_enter_lazy_mmu();
	pv_update(0x1008, 1, PV_LAZY_MMU);
	assert_string_equal(asked, "ab");
	pv_leave_lazy_mmu();
	shim_in_task = true;
	pv_update(0x1010, 2, PV_LAZY_MMU);
	assert_string_equal(asked, "ab");
	pv_leave_lazy_mmu();
	assert_string_equal(asked, "abc");
}

static void full_queue_flushes_and_goes_on(void **state)
{
	unsigned int i;

	pv_enter_lazy_mmu();
	for (i = 0; i < 1000; i++)
		pv_update(0x1000, i, PV_LAZY_MMU);
	pv_leave_lazy_mmu();
	assert_int_equal(strlen(asked), 1000);
	for (i = 0; i < 1000; i++)
		assert_int_equal(asked[i], 'a' + i % 26);
	assert_int_equal(calls_made, 4);
}

static void alternating_kinds_overflow_in_order(void **state)
{
	unsigned long flags = pv_batch_begin();
	unsigned int i;

	for (i = 0; i < 100; i++) {
		pv_queue_mmu(0x1000, 0);
		pv_queue_ext(7);
		pv_queue_call(__HYPERVISOR_stack_switch, 1, 0);
	}
	pv_batch_end(flags, PV_LAZY_CPU);
	assert_int_equal(strlen(asked), 300);
	for (i = 0; i < 300; i += 3)
		assert_memory_equal(asked + i, "a7B", 3);
}

static void masks_live_until_the_flush(void **state)
{
	struct pv_queue *q = this_cpu_ptr(&pvguest_queue);
	unsigned long flags = pv_batch_begin();
	struct cpumask cpus[5];
	unsigned int i;

	for (i = 0; i < 5; i++)
		cpus[i].bits[0] = 1UL << i;
	for (i = 0; i < 4; i++)
		pv_queue_ext_multi(MMUEXT_INVLPG_MULTI, 0x1000 * i, &cpus[i]);
	assert_int_equal(calls_made, 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(q->ext[i].arg1.linear_addr, 0x1000 * i);
		assert_int_equal(*(unsigned long *)q->ext[i].arg2.vcpumask.p,
				 1UL << i);
	}
	/* No more room: the four are issued before one is used again. */
	pv_queue_ext_multi(MMUEXT_TLB_FLUSH_MULTI, 0, &cpus[4]);
	assert_int_equal(calls_made, 1);
	assert_ptr_equal(q->ext[0].arg2.vcpumask.p, q->mask[0]);
	assert_int_equal(q->mask[0][0], 1UL << 4);
	pv_batch_end(flags, PV_LAZY_NONE);
}

/* A flush has no mask that a later one could find still taken. */
static void masks_are_free_after_the_flush(void **state)
{
	struct pv_queue *q = this_cpu_ptr(&pvguest_queue);
	struct cpumask cpus = { .bits = { 1 } };
	unsigned int i;

	for (i = 0; i < 3 * PV_MAX_MASKS; i++) {
		unsigned long flags = pv_batch_begin();

		pv_queue_ext_multi(MMUEXT_TLB_FLUSH_MULTI, 0, &cpus);
		assert_ptr_equal(q->ext[0].arg2.vcpumask.p, q->mask[0]);
		pv_batch_issue(flags);
		assert_int_equal(q->nr_masks, 0);
	}
}

static void offline_vcpus_are_left_out(void **state)
{
	struct pv_queue *q = this_cpu_ptr(&pvguest_queue);
	unsigned long flags = pv_batch_begin();
	struct cpumask cpus = { .bits = { ~0UL } };

	pv_queue_ext_multi(MMUEXT_TLB_FLUSH_MULTI, 0, &cpus);
	assert_int_equal(q->mask[0][0], cpu_online_mask->bits[0]);
	pv_batch_issue(flags);
}

static void a_long_section_is_issued_in_order(void **state)
{
	unsigned long flags = pv_batch_begin();
	unsigned int i;

	for (i = 0; i < 1000; i++)
		pv_queue_mmu(0x1000, i);
	pv_batch_issue(flags);
	assert_int_equal(strlen(asked), 1000);
	for (i = 0; i < 1000; i++)
		assert_int_equal(asked[i], 'a' + i % 26);
	assert_int_equal(calls_made, 4);
	assert_int_equal(shim_irq_depth, 0);
}

static void a_held_switch_goes_with_the_next(void **state)
{
	pv_batch_hold_switch();
	assert_true(pv_switching_context());
	pv_update(0x1000, 0, PV_LAZY_CPU);
	assert_int_equal(calls_made, 0);
	pv_batch_keep_switch();
	assert_false(pv_switching_context());
	assert_int_equal(calls_made, 0);
	pv_update(0x1008, 1, PV_LAZY_CPU);
	assert_int_equal(calls_made, 1);
	assert_string_equal(asked, "ab");
}

static void kept_requests_go_with_the_next(void **state)
{
	unsigned long flags = pv_batch_begin();

	pv_queue_mmu(0x1000, 0);
	pv_batch_keep(flags);
	assert_int_equal(calls_made, 0);
	assert_int_equal(shim_irq_depth, 0);
	pv_update(0x1008, 1, PV_LAZY_MMU);
	assert_int_equal(calls_made, 1);
	assert_string_equal(asked, "ab");
}

static void a_tried_update_is_issued_alone_and_last(void **state)
{
	pv_enter_lazy_mmu();
	pv_update(0x1000, 0, PV_LAZY_MMU);
	assert_int_equal(pv_try_update(0x1008, 1), 0);
	assert_int_equal(calls_made, 2);
	assert_string_equal(asked, "ab");
	answer = -1;
	assert_int_equal(pv_try_update(0x1010, 2), -1);
	assert_int_equal(shim_irq_depth, 0);
	answer = 0;
	pv_leave_lazy_mmu();
	assert_int_equal(calls_made, 3);
}

static void loaded_table_is_known_after_the_flush(void **state)
{
	unsigned long flags = pv_batch_begin();

	pvguest_loaded_cr3 = 1;
	pvguest_cr3 = 2;
	pv_queue_ext(MMUEXT_NEW_BASEPTR);
	assert_int_equal(pvguest_loaded_cr3, 1);
	pv_batch_end(flags, PV_LAZY_NONE);
	assert_int_equal(pvguest_loaded_cr3, 2);
	/* A flush without a switch does not change the mode. */
	pvguest_cr3 = 3;
	pv_update(0x1000, 0, PV_LAZY_NONE);
	assert_int_equal(pvguest_loaded_cr3, 2);
}

static void switch_suspends_lazy_mode(void **state)
{
	struct task_struct a = {}, b = {};

	pv_enter_lazy_mmu();
	pv_update(0x1000, 0, PV_LAZY_MMU);
	pv_start_context_switch(&a);
	assert_string_equal(asked, "a");
	pv_update(0x1000, 1, PV_LAZY_CPU);
	assert_string_equal(asked, "a");
	pv_end_context_switch(&b);
	assert_string_equal(asked, "ab");
	/* The next task is in no lazy mode. */
	pv_update(0x1000, 2, PV_LAZY_MMU);
	assert_string_equal(asked, "abc");
	/* The first task is in lazy mode still when it runs again. */
	pv_start_context_switch(&b);
	pv_end_context_switch(&a);
	pv_update(0x1000, 3, PV_LAZY_MMU);
	assert_string_equal(asked, "abc");
	pv_leave_lazy_mmu();
	assert_string_equal(asked, "abcd");
}

static void refusal_names_the_update(void **state)
{
	static u64 table[512] __attribute__((aligned(4096)));
	unsigned long maddr = (unsigned long)table;

	/* The report reads the entry: let the frame translate to itself. */
	answer = -22;
	if (!setjmp(bug)) {
		/* One call of one: the entry's number and value are known. */
		pvguest_lazy = PV_LAZY_NONE;
		pv_update(maddr, 0x67, PV_LAZY_NONE);
		fail_msg("a refused update was accepted");
	}
	assert_non_null(strstr(said, "hypercall 1: call 1 of 1 in the batch failed (-22)"));
	assert_non_null(strstr(said, "val=0x67"));
	assert_non_null(strstr(said, "queued by:"));
}

/* An oops goes on using this vCPU: what was refused must not come again. */
static void refusal_leaves_the_queue_empty(void **state)
{
	unsigned long flags;

	answer = -22;
	if (!setjmp(bug)) {
		flags = pv_batch_begin();
		pv_queue_mmu(0x1000, 0);
		pv_queue_ext(7);
		pv_batch_issue(flags);
		fail_msg("a refused call was accepted");
	}
	answer = 0;
	asked[0] = 0;
	pv_update(0x1008, 1, PV_LAZY_NONE);
	assert_string_equal(asked, "b");
}

/* The hypervisor does not say which of a call's requests in a multicall it refused. */
static void refusal_in_a_multicall_names_no_request(void **state)
{
	unsigned long flags;

	answer = -22;
	if (!setjmp(bug)) {
		flags = pv_batch_begin();
		pv_queue_ext(7);
		pv_queue_mmu(0x1000, 0x67);
		pv_queue_mmu(0x1008, 0x68);
		pv_batch_issue(flags);
		fail_msg("a refused call was accepted");
	}
	assert_non_null(strstr(said,
			       "one of 2 page-table updates, the first: ptr=0x1000 val=0x67"));
	said[0] = 0;
	if (!setjmp(bug)) {
		flags = pv_batch_begin();
		pv_queue_mmu(0x1000, 0);
		pv_queue_ext(7);
		pv_queue_ext(8);
		pv_batch_issue(flags);
		fail_msg("a refused call was accepted");
	}
	assert_non_null(strstr(said, "extended operation 2 of 2: cmd=8"));
	assert_null(strstr(said, "<- refused"));
}

static void refusal_in_a_multicall_is_found(void **state)
{
	unsigned long flags;

	answer = -1;
	if (!setjmp(bug)) {
		flags = pv_batch_begin();
		pv_queue_ext(7);
		pv_queue_call(__HYPERVISOR_stack_switch, 3, 4);
		pv_batch_end(flags, PV_LAZY_NONE);
		fail_msg("a refused call was accepted");
	}
	assert_non_null(strstr(said, "call 2 of 2"));
	assert_non_null(strstr(said, "arguments: 0x3 0x4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(outside_lazy_mode_at_once, fresh),
		cmocka_unit_test_setup(lazy_updates_share_one_call, fresh),
		cmocka_unit_test_setup(kinds_keep_their_order, fresh),
		cmocka_unit_test_setup(other_kind_of_lazy_mode_does_not_wait, fresh),
		cmocka_unit_test_setup(interrupts_do_not_wait, fresh),
		cmocka_unit_test_setup(full_queue_flushes_and_goes_on, fresh),
		cmocka_unit_test_setup(alternating_kinds_overflow_in_order, fresh),
		cmocka_unit_test_setup(masks_live_until_the_flush, fresh),
		cmocka_unit_test_setup(masks_are_free_after_the_flush, fresh),
		cmocka_unit_test_setup(offline_vcpus_are_left_out, fresh),
		cmocka_unit_test_setup(a_long_section_is_issued_in_order, fresh),
		cmocka_unit_test_setup(a_held_switch_goes_with_the_next, fresh),
		cmocka_unit_test_setup(kept_requests_go_with_the_next, fresh),
		cmocka_unit_test_setup(a_tried_update_is_issued_alone_and_last, fresh),
		cmocka_unit_test_setup(loaded_table_is_known_after_the_flush, fresh),
		cmocka_unit_test_setup(switch_suspends_lazy_mode, fresh),
		cmocka_unit_test_setup(refusal_names_the_update, fresh),
		cmocka_unit_test_setup(refusal_leaves_the_queue_empty, fresh),
		cmocka_unit_test_setup(refusal_in_a_multicall_names_no_request, fresh),
		cmocka_unit_test_setup(refusal_in_a_multicall_is_found, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
