// SPDX-License-Identifier: MIT
/*
 * Floating-point and vector registers: x87, SSE, AVX and, where the processor
 * offers it, AVX-512 state kept apart over thousands of switches, carried by
 * fork, and saved and restored around signals.
 */
#include <cpuid.h>
#include <pthread.h>
#include <sys/time.h>

#include "fpu_registers.h"
#include "guest.h"

#define SWITCHES 2000
#define TASKS 6

/* Bits of XCR0. */
#define STATE_AVX 0x06UL
#define STATE_AVX512 0xe6UL

static __u64 enabled_states(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
		return 0;
	asm volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return eax | (__u64)edx << 32;
}

static void fill(struct vectors *vectors, __u64 seed)
{
	for (int i = 0; i < 32; i++)
		for (int j = 0; j < 8; j++)
			vectors->word[i][j] = mix(seed * 1000 + i * 8 + j);
}

FIXTURE(width)
{
	int bytes;
	int registers;
};

FIXTURE_VARIANT(width)
{
	vector_call *call;
	__u64 states;
	int bytes;
	int registers;
	const char *name;
};

FIXTURE_VARIANT_ADD(width, sse)
{
	.call = sse_through_call,
	.bytes = 16,
	.registers = 16,
	.name = "SSE",
};

FIXTURE_VARIANT_ADD(width, avx)
{
	.call = avx_through_call,
	.states = STATE_AVX,
	.bytes = 32,
	.registers = 16,
	.name = "AVX",
};

FIXTURE_VARIANT_ADD(width, avx512)
{
	.call = avx512_through_call,
	.states = STATE_AVX512,
	.bytes = 64,
	.registers = 32,
	.name = "AVX-512",
};

FIXTURE_SETUP(width)
{
	if ((enabled_states() & variant->states) != variant->states)
		SKIP(return, "this processor and kernel have no %s",
		     variant->name);
	self->bytes = variant->bytes;
	self->registers = variant->registers;
}

FIXTURE_TEARDOWN(width)
{
}

static bool same(const struct vectors *a, const struct vectors *b, int bytes,
		 int registers)
{
	for (int i = 0; i < registers; i++)
		if (memcmp(a->word[i], b->word[i], bytes))
			return false;
	return true;
}

struct task {
	pthread_t thread;
	vector_call *call;
	int bytes;
	int registers;
	__u64 seed;
	int status;
};

/* Keep the thread's own values over many yields. */
static void *hold_registers(void *data)
{
	struct task *task = data;
	struct vectors loaded, stored;

	for (int i = 0; i < SWITCHES; i++) {
		fill(&loaded, task->seed + i);
		memset(&stored, 0, sizeof(stored));
		task->call(&loaded, &stored, SYS_sched_yield, 0, 0);
		if (!same(&loaded, &stored, task->bytes, task->registers))
			task->status = i + 1;
	}
	return NULL;
}

TEST_F(width, over_switches_between_threads)
{
	struct task tasks[TASKS];

	for (int t = 0; t < TASKS; t++) {
		tasks[t] = (struct task){
			.call = variant->call,
			.bytes = self->bytes,
			.registers = self->registers,
			.seed = t * 1000000,
		};
		ASSERT_EQ(0, pthread_create(&tasks[t].thread, NULL,
					    hold_registers, &tasks[t]));
	}
	for (int t = 0; t < TASKS; t++) {
		ASSERT_EQ(0, pthread_join(tasks[t].thread, NULL));
		EXPECT_EQ(0, tasks[t].status);
	}
}

TEST_F(width, over_switches_between_processes)
{
	pid_t children[TASKS];

	for (int t = 0; t < TASKS; t++) {
		struct task task = {
			.call = variant->call,
			.bytes = self->bytes,
			.registers = self->registers,
			.seed = t * 1000000,
		};

		children[t] = fork();
		ASSERT_LE(0, children[t]);
		if (!children[t]) {
			hold_registers(&task);
			_exit(!!task.status);
		}
	}
	for (int t = 0; t < TASKS; t++)
		EXPECT_EQ(0, exit_status(children[t]));
}

TEST_F(width, carried_into_children)
{
	struct vectors loaded, stored;
	pid_t parent = getpid();

	for (int i = 0; i < 50; i++) {
		pid_t pid;

		fill(&loaded, i);
		/* fork as a bare call: both sides come back in the asm. */
		pid = variant->call(&loaded, &stored, SYS_fork, 0, 0);
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(getpid() == parent ||
			      !same(&loaded, &stored, self->bytes,
				    self->registers));
		ASSERT_TRUE(same(&loaded, &stored, self->bytes,
				 self->registers));
		ASSERT_EQ(0, exit_status(pid));
	}
}

static vector_call *spoil;

static void spoil_registers(int signal)
{
	struct vectors other, unused;

	fill(&other, 0xbad);
	spoil(&other, &unused, SYS_getpid, 0, 0);
}

TEST_F(width, over_signal_handlers)
{
	struct vectors loaded, stored;
	pid_t self_pid = getpid();

	spoil = variant->call;
	ASSERT_NE(SIG_ERR, signal(SIGUSR1, spoil_registers));
	for (int i = 0; i < SWITCHES; i++) {
		fill(&loaded, i);
		variant->call(&loaded, &stored, SYS_kill, self_pid, SIGUSR1);
		ASSERT_TRUE(same(&loaded, &stored, self->bytes,
				 self->registers));
	}
}

TEST_F(width, over_interrupts)
{
	struct itimerval often = { { 0, 700 }, { 0, 700 } };
	struct itimerval never = { };
	struct vectors loaded, stored;
	__u64 until;

	spoil = variant->call;
	ASSERT_NE(SIG_ERR, signal(SIGALRM, spoil_registers));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	until = now_ns(CLOCK_MONOTONIC) + 300000000;
	for (int i = 0; now_ns(CLOCK_MONOTONIC) < until; i++) {
		fill(&loaded, i);
		variant->call(&loaded, &stored, SYS_getpid, 0, 0);
		ASSERT_TRUE(same(&loaded, &stored, self->bytes,
				 self->registers));
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
}

TEST_F(width, clean_after_exec)
{
	struct vectors zero = { };
	struct vectors loaded, stored;
	pid_t pid;

	/* A new program must not find the parent's values. */
	fill(&loaded, 5);
	pid = variant->call(&loaded, &stored, SYS_fork, 0, 0);
	ASSERT_LE(0, pid);
	if (!pid) {
		static const char path[] = "/proc/self/exe";
		static char *const arguments[] = { "fpu", "--ok", NULL };

		variant->call(&loaded, &zero, SYS_execve, (long)path,
			      (long)arguments);
		_exit(1);
	}
	EXPECT_EQ(42, exit_status(pid));
}

/* The control words, which the kernel could lose without losing a register. */
static void *hold_control_words(void *data)
{
	unsigned int mxcsr = 0x1f80 | ((unsigned long)data & 3) << 13;
	unsigned short x87 = 0x37f & ~(((unsigned long)data & 3) << 8);

	for (int i = 0; i < SWITCHES; i++) {
		unsigned int mxcsr_seen;
		unsigned short x87_seen;

		asm volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(x87));
		sched_yield();
		asm volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr_seen),
			     "=m"(x87_seen));
		if (mxcsr_seen != mxcsr || x87_seen != x87)
			return "lost";
	}
	return NULL;
}

TEST(control_words_over_switches)
{
	pthread_t threads[TASKS];
	void *problem;

	for (unsigned long t = 0; t < TASKS; t++)
		ASSERT_EQ(0, pthread_create(&threads[t], NULL,
					    hold_control_words, (void *)t));
	for (int t = 0; t < TASKS; t++) {
		ASSERT_EQ(0, pthread_join(threads[t], &problem));
		EXPECT_EQ(NULL, problem);
	}
}

/* The x87 stack, full, over switches. */
static void *hold_x87_stack(void *data)
{
	double number = (unsigned long)data * 100;

	for (int i = 0; i < SWITCHES; i++) {
		double values[8], seen[8];

		for (int r = 0; r < 8; r++)
			values[r] = number + r + i / 8.0;
		for (int r = 0; r < 8; r++)
			asm volatile("fldl %0" : : "m"(values[r]));
		asm volatile("syscall" : : "a"(SYS_sched_yield) :
			     "rcx", "r11", "memory");
		for (int r = 7; r >= 0; r--)
			asm volatile("fstpl %0" : "=m"(seen[r]));
		if (memcmp(values, seen, sizeof(values)))
			return "lost";
	}
	return NULL;
}

TEST(x87_stack_over_switches)
{
	pthread_t threads[TASKS];
	void *problem;

	for (unsigned long t = 0; t < TASKS; t++)
		ASSERT_EQ(0, pthread_create(&threads[t], NULL, hold_x87_stack,
					    (void *)t));
	for (int t = 0; t < TASKS; t++) {
		ASSERT_EQ(0, pthread_join(threads[t], &problem));
		EXPECT_EQ(NULL, problem);
	}
}

/* Change the interrupted program's registers from a handler. */
static void set_xmm7(int signal, siginfo_t *info, void *context)
{
	struct _libc_fpstate *fp = ((ucontext_t *)context)->uc_mcontext.fpregs;
	double value = 6.25;

	memcpy(&fp->_xmm[7], &value, sizeof(value));
}

TEST(handlers_may_change_registers)
{
	struct sigaction action = {
		.sa_sigaction = set_xmm7,
		.sa_flags = SA_SIGINFO,
	};
	long result = SYS_kill;
	double seen;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	asm volatile("xorps %%xmm7, %%xmm7\n\t"
		     "syscall\n\t"
		     "movsd %%xmm7, %1"
		     : "+a"(result), "=m"(seen)
		     : "D"((long)getpid()), "S"((long)SIGUSR1)
		     : "rcx", "r11", "xmm7", "memory");
	EXPECT_EQ(0, result);
	EXPECT_EQ(6250, (int)(seen * 1000));
}

/* Started with --ok: 42 if no register holds a value of clean_after_exec. */
static int all_clean(void)
{
	struct vectors seen;

	sse_store(&seen);
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 2; j++)
			if (seen.word[i][j] == mix(5 * 1000 + i * 8 + j))
				return 1;
	return 42;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--ok"))
		return all_clean();
	return test_harness_run(argc, argv);
}
