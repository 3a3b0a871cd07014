// SPDX-License-Identifier: MIT
/*
 * Debugging a process: single-step over plain code, system calls, faults and
 * flag changes, breakpoints in text and in debug registers, and registers and
 * memory read and written from outside.
 */
#include <elf.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "guest.h"
#include "ptrace_pieces.h"

#define FLAG_TRAP 0x100

/* Debug register 7: slot 0 enabled, by kind of access. */
#define BREAK_ON_EXECUTION 0x00000001UL
#define BREAK_ON_WRITE8 0x00090001UL

unsigned long watched[16];

/* Stop the caller, to be traced by its parent. */
static void trace_me(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
}

static struct user_regs_struct registers_of(pid_t pid)
{
	struct user_regs_struct regs = { };

	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	return regs;
}

/* Resume @pid with @request; the signal it stops with, or -1 once it ended. */
static int resume(enum __ptrace_request request, pid_t pid)
{
	int status;

	if (ptrace(request, pid, NULL, NULL))
		return -1;
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -1;
	return WSTOPSIG(status);
}

/* Fork a child that runs @body under trace; it is stopped before @body. */
#define TRACED(body) ({					\
	pid_t child = fork();				\
	if (!child) {					\
		trace_me();				\
		body;					\
		_exit(0);				\
	}						\
	waitpid(child, NULL, 0);			\
	child;						\
})

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/*
 * Step until @pid is at @from, then count the steps until it is at @to; -1
 * when it ended or stopped for another reason first.
 */
static int steps_between(pid_t pid, const void *from, const void *to)
{
	int limit = 20000;
	int steps = 0;

	while (registers_of(pid).rip != (unsigned long)from)
		if (resume(PTRACE_SINGLESTEP, pid) != SIGTRAP || !limit--)
			return -1;
	do {
		if (resume(PTRACE_SINGLESTEP, pid) != SIGTRAP)
			return -1;
		steps++;
	} while (registers_of(pid).rip != (unsigned long)to && limit--);
	return steps;
}

static void call_piece(const void *code)
{
	asm volatile("call *%0" : : "r"(code) :
		     "rax", "rbx", "rcx", "rdx", "rdi", "r8", "r9", "r10",
		     "r11", "memory", "cc");
}

TEST(single_step_counts_instructions)
{
	pid_t pid = TRACED(call_piece(plain_code));

	EXPECT_EQ(100, steps_between(pid, plain_code, plain_end));
	end(pid);
}

TEST(single_step_over_syscall)
{
	pid_t pid = TRACED(call_piece(syscall_code));

	/* Each SYSCALL is one step: no step is lost, none is added inside. */
	EXPECT_EQ(40, steps_between(pid, syscall_code, syscall_end));
	EXPECT_EQ(pid, registers_of(pid).rax);
	EXPECT_EQ(0, registers_of(pid).eflags & FLAG_TRAP);
	end(pid);
}

TEST(single_step_over_int80)
{
	pid_t pid = TRACED(call_piece(int80_code));
	int steps = steps_between(pid, int80_code, int80_end);

	if (steps < 0 && registers_of(pid).rip < (unsigned long)int80_end) {
		end(pid);
		SKIP(return, "this kernel has no 32-bit system calls");
	}
	EXPECT_EQ(40, steps);
	end(pid);
}

TEST(single_step_over_loads_of_ss)
{
	/* A move to SS delays traps for one instruction, so one step is missing. */
	pid_t pid = TRACED(call_piece(stack_code));
	int steps = steps_between(pid, stack_code, stack_end);

	EXPECT_LE(3, steps);
	EXPECT_GE(4, steps);
	EXPECT_EQ(0, registers_of(pid).eflags & FLAG_TRAP);
	end(pid);
}

TEST(single_step_into_string_instruction)
{
	pid_t pid = TRACED(call_piece(string_code));
	int steps = steps_between(pid, string_code, string_end);

	/* REP traps after each of its sixteen rounds. */
	EXPECT_EQ(2 + 16, steps);
	end(pid);
}

static void do_nothing(int signal)
{
}

TEST(single_step_into_a_signal_handler)
{
	struct sigaction action = { .sa_handler = do_nothing };
	pid_t pid;
	int limit = 5000;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	pid = TRACED(call_piece(plain_code));
	ASSERT_EQ(0, ptrace(PTRACE_SINGLESTEP, pid, NULL, SIGUSR1));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	/* The very next stop is the handler's first instruction. */
	EXPECT_EQ((unsigned long)do_nothing, registers_of(pid).rip);
	while (registers_of(pid).rip != (unsigned long)plain_code && limit--)
		ASSERT_EQ(SIGTRAP, resume(PTRACE_SINGLESTEP, pid));
	EXPECT_LT(0, limit);
	end(pid);
}

/* A program may single-step itself by setting TF in its flags. */
static int own_traps;

static void count_trap(int signal, siginfo_t *info, void *context)
{
	own_traps++;
}

TEST(trap_flag_set_by_the_program)
{
	struct sigaction action = {
		.sa_sigaction = count_trap,
		.sa_flags = SA_SIGINFO,
	};

	ASSERT_EQ(0, sigaction(SIGTRAP, &action, NULL));
	for (int i = 0; i < 100; i++) {
		int result;

		own_traps = 0;
		asm volatile("sub $128, %%rsp\n\t"
			     "pushf\n\t"
			     "orq $0x100, (%%rsp)\n\t"
			     "popf\n\t"
			     "nop\n\t"
			     "mov $39, %%eax\n\t"
			     "syscall\n\t"
			     "nop\n\t"
			     "pushf\n\t"
			     "andq $~0x100, (%%rsp)\n\t"
			     "popf\n\t"
			     "add $128, %%rsp"
			     : "=&a"(result) : : "rcx", "r11", "memory", "cc");
		ASSERT_EQ(getpid(), result);
		/*
		 * NOP, MOV, SYSCALL, NOP, PUSHF, AND, POPF; the return from the
		 * system call traps at once or one instruction later, as the
		 * processor does it.
		 */
		ASSERT_LE(6, own_traps);
		ASSERT_GE(7, own_traps);
	}
}

TEST(breakpoints_in_text)
{
	pid_t pid = TRACED(({
		for (int i = 0; i < 50; i++)
			call_piece(plain_code);
	}));
	unsigned long place = (unsigned long)plain_code + 8;
	unsigned long text = ptrace(PTRACE_PEEKTEXT, pid, place, NULL);

	for (int i = 0; i < 50; i++) {
		struct user_regs_struct regs;

		/* Write to a page of text that the child shares with this process. */
		ASSERT_EQ(0, ptrace(PTRACE_POKETEXT, pid, place,
				    (text & ~0xffUL) | 0xcc));
		ASSERT_EQ(SIGTRAP, resume(PTRACE_CONT, pid));
		regs = registers_of(pid);
		ASSERT_EQ(place + 1, regs.rip);
		ASSERT_EQ(0, ptrace(PTRACE_POKETEXT, pid, place, text));
		regs.rip = place;
		ASSERT_EQ(0, ptrace(PTRACE_SETREGS, pid, NULL, &regs));
		ASSERT_EQ(SIGTRAP, resume(PTRACE_SINGLESTEP, pid));
		ASSERT_EQ(place + 1, registers_of(pid).rip);
	}
	/* This process's text did not change. */
	EXPECT_EQ(0x90, *(unsigned char *)place);
	end(pid);
}

static long set_debug_register(pid_t pid, int number, unsigned long value)
{
	return ptrace(PTRACE_POKEUSER, pid,
		      offsetof(struct user, u_debugreg[number]), value);
}

static unsigned long debug_register(pid_t pid, int number)
{
	return ptrace(PTRACE_PEEKUSER, pid,
		      offsetof(struct user, u_debugreg[number]), NULL);
}

TEST(watchpoint_on_write)
{
	pid_t pid = TRACED(({
		for (int i = 0; i < 100; i++) {
			WRITE_ONCE(watched[0], i);
			WRITE_ONCE(watched[3], i);
			sched_yield();
		}
	}));

	if (set_debug_register(pid, 0, (unsigned long)&watched[3]) ||
	    set_debug_register(pid, 7, BREAK_ON_WRITE8)) {
		end(pid);
		SKIP(return, "no hardware breakpoints in this kernel");
	}
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(SIGTRAP, resume(PTRACE_CONT, pid));
		ASSERT_EQ(1, debug_register(pid, 6) & 0xf);
		ASSERT_EQ(i, ptrace(PTRACE_PEEKDATA, pid, &watched[3], NULL));
	}
	ASSERT_EQ(0, set_debug_register(pid, 7, 0));
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, NULL, NULL));
	EXPECT_EQ(0, exit_status(pid));
}

TEST(breakpoint_on_execution)
{
	pid_t pid = TRACED(({
		for (int i = 0; i < 50; i++)
			call_piece(plain_code);
	}));

	if (set_debug_register(pid, 0, (unsigned long)plain_code + 4) ||
	    set_debug_register(pid, 7, BREAK_ON_EXECUTION)) {
		end(pid);
		SKIP(return, "no hardware breakpoints in this kernel");
	}
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(SIGTRAP, resume(PTRACE_CONT, pid));
		ASSERT_EQ((unsigned long)plain_code + 4,
			  registers_of(pid).rip);
	}
	end(pid);
}

TEST(debug_registers_belong_to_one_process)
{
	pid_t pid = TRACED(({
		for (;;)
			WRITE_ONCE(watched[5], 1);
	}));
	pid_t other;

	if (set_debug_register(pid, 0, (unsigned long)&watched[5]) ||
	    set_debug_register(pid, 7, BREAK_ON_WRITE8)) {
		end(pid);
		SKIP(return, "no hardware breakpoints in this kernel");
	}
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(SIGTRAP, resume(PTRACE_CONT, pid));
	/* The same address in a process without a breakpoint. */
	other = fork();
	ASSERT_LE(0, other);
	if (!other) {
		for (int i = 0; i < 2000; i++) {
			WRITE_ONCE(watched[5], i);
			if (i % 100 == 0)
				sched_yield();
		}
		_exit(0);
	}
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(SIGTRAP, resume(PTRACE_CONT, pid));
	EXPECT_EQ(0, exit_status(other));
	end(pid);
}

TEST(syscall_stops_see_and_change_calls)
{
	pid_t pid = TRACED(_exit(syscall(SYS_getppid) == 4242 ? 0 : 1));
	struct user_regs_struct regs;
	int limit = 50;

	do {
		ASSERT_EQ(SIGTRAP, resume(PTRACE_SYSCALL, pid));
		regs = registers_of(pid);
	} while (regs.orig_rax != SYS_getppid && limit--);
	ASSERT_EQ(SIGTRAP, resume(PTRACE_SYSCALL, pid));
	regs = registers_of(pid);
	EXPECT_EQ(getpid(), regs.rax);
	regs.rax = 4242;
	/* A return that no SYSRET could make. */
	regs.rcx = 0x1234;
	ASSERT_EQ(0, ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, NULL, NULL));
	EXPECT_EQ(0, exit_status(pid));
}

TEST(segment_bases_from_outside)
{
	pid_t pid = TRACED(({
		unsigned long value;

		asm volatile("mov %%gs:8, %0" : "=r"(value));
		_exit(value == 99 ? 0 : 1);
	}));
	struct user_regs_struct regs = registers_of(pid);

	watched[1] = 99;
	ASSERT_EQ(0, ptrace(PTRACE_POKEDATA, pid, &watched[1], 99));
	EXPECT_NE(0, regs.fs_base);
	regs.gs_base = (unsigned long)watched;
	ASSERT_EQ(0, ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	EXPECT_EQ((unsigned long)watched, registers_of(pid).gs_base);
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, NULL, NULL));
	EXPECT_EQ(0, exit_status(pid));
}

TEST(selectors_cannot_gain_privilege)
{
	pid_t pid = TRACED(pause());
	struct user_regs_struct regs = registers_of(pid);

	/* Ring 0 and ring 1 selectors, and flags that only a kernel may set. */
	regs.cs = 0x10;
	EXPECT_EQ(-1, ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	regs = registers_of(pid);
	regs.ss = 0x18;
	EXPECT_EQ(-1, ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	regs = registers_of(pid);
	regs.eflags |= 0x3000;
	ptrace(PTRACE_SETREGS, pid, NULL, &regs);
	EXPECT_EQ(0, registers_of(pid).eflags & 0x3000);
	end(pid);
}

TEST(floating_point_from_outside)
{
	pid_t pid = TRACED(({
		double value;

		raise(SIGSTOP);
		asm volatile("movsd %%xmm7, %0" : "=m"(value));
		_exit(value == 2.5 ? 0 : 1);
	}));
	struct user_fpregs_struct fp;
	struct iovec state = { &fp, sizeof(fp) };
	double value = 2.5;

	ASSERT_EQ(SIGSTOP, resume(PTRACE_CONT, pid));
	ASSERT_EQ(0, ptrace(PTRACE_GETREGSET, pid, NT_PRFPREG, &state));
	memcpy(&fp.xmm_space[7 * 4], &value, sizeof(value));
	ASSERT_EQ(0, ptrace(PTRACE_SETREGSET, pid, NT_PRFPREG, &state));
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, NULL, NULL));
	EXPECT_EQ(0, exit_status(pid));
}

TEST_HARNESS_MAIN
