// SPDX-License-Identifier: MIT
/*
 * Signals and faults: every exception a program can raise arrives as the right
 * signal with the right vector and address, on the normal and the alternate
 * stack, nested, in storms, and with a return to any address of the handler's.
 */
#include <pthread.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include "faults.h"

TEST_F(faults, divide_error)
{
	EXPECT_EQ(SIGFPE, CATCH_FAULT(({
		unsigned int low = 1, high = 0;

		asm volatile("divl %2" : "+a"(low), "+d"(high) : "r"(0));
	})));
	EXPECT_EQ(FPE_INTDIV, last_fault.code);
	EXPECT_EQ(VECTOR_DIVIDE, last_fault.vector);
}

TEST_F(faults, breakpoint)
{
	EXPECT_EQ(SIGTRAP, CATCH_FAULT(asm volatile("int3")));
	EXPECT_EQ(VECTOR_BREAKPOINT, last_fault.vector);
	/* The two-byte form goes through the table's privilege check. */
	EXPECT_EQ(SIGTRAP, CATCH_FAULT(asm volatile(".byte 0xcd, 0x03")));
	EXPECT_EQ(VECTOR_BREAKPOINT, last_fault.vector);
}

TEST_F(faults, invalid_opcode)
{
	EXPECT_EQ(SIGILL, CATCH_FAULT(asm volatile("ud2")));
	EXPECT_EQ(ILL_ILLOPN, last_fault.code);
	EXPECT_EQ(VECTOR_OPCODE, last_fault.vector);
}

TEST_F(faults, privileged_instructions)
{
	unsigned long value = 0;

	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("hlt")));
	EXPECT_EQ(VECTOR_PROTECTION, last_fault.vector);
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("cli")));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("mov %%cr3, %0" :
						    "=r"(value))));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("mov %0, %%cr3" : :
						    "r"(value))));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("rdmsr" : "=a"(value) :
						    "c"(0x10) : "rdx")));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("wbinvd")));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("lgdt %0" : :
						    "m"(value))));
	EXPECT_EQ(VECTOR_PROTECTION, last_fault.vector);
}

TEST_F(faults, software_interrupts_are_refused)
{
	/* Gates of hardware and of the kernel must not be callable. */
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("int $0x0e")));
	EXPECT_EQ(VECTOR_PROTECTION, last_fault.vector);
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("int $0x20")));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("int $0x82")));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("int $0xf0")));
	EXPECT_EQ(VECTOR_PROTECTION, last_fault.vector);
}

TEST_F(faults, kernel_addresses)
{
	EXPECT_EQ(SIGSEGV, load_fault((void *)0xffffffff81000000UL));
	EXPECT_EQ(SEGV_MAPERR, last_fault.code);
	EXPECT_EQ(VECTOR_PAGE, last_fault.vector);
	/* The hypervisor's own range. */
	EXPECT_EQ(SIGSEGV, load_fault((void *)0xffff820000000000UL));
	EXPECT_EQ(SIGSEGV, store_fault((void *)0xffff828000000000UL));
}

TEST_F(faults, non_canonical_addresses)
{
	EXPECT_EQ(SIGSEGV, load_fault((void *)0x0123456789abcdefUL));
	EXPECT_EQ(VECTOR_PROTECTION, last_fault.vector);
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(({
		asm volatile("jmp *%0" : : "r"(0x8000000000000000UL));
	})));
	EXPECT_EQ(VECTOR_PROTECTION, last_fault.vector);
}

TEST_F(faults, instruction_fetch)
{
	static char page[2 * PAGE] __attribute__((aligned(PAGE)));
	void (*call)(void) = (void (*)(void))page;

	/* RET in a page without execute permission. */
	page[0] = 0xc3;
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(call()));
	EXPECT_EQ((unsigned long)page, last_fault.address);
	EXPECT_EQ(SEGV_ACCERR, last_fault.code);
	EXPECT_EQ(FAULT_PRESENT | FAULT_USER | FAULT_FETCH, last_fault.error);
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(0, CATCH_FAULT(call()));
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(call()));
}

TEST_F(faults, past_the_end_of_a_file)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	char *start;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 2 * PAGE));
	start = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, start);
	EXPECT_EQ(0, store_fault(start + PAGE));
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	EXPECT_EQ(SIGBUS, store_fault(start + PAGE));
	EXPECT_EQ(BUS_ADRERR, last_fault.code);
	EXPECT_EQ((unsigned long)start + PAGE, last_fault.address);
	EXPECT_EQ(0, store_fault(start));
}

TEST_F(faults, vector_arithmetic)
{
	unsigned int control = 0x1f80 & ~(1U << 9);
	unsigned int normal = 0x1f80;
	float one = 1.0f, zero = 0.0f;
	int signal;

	signal = CATCH_FAULT(asm volatile("ldmxcsr %0; divss %2, %1" : :
					  "m"(control), "x"(one), "x"(zero)));
	asm volatile("ldmxcsr %0" : : "m"(normal));
	if (!signal)
		SKIP(return, "this processor, an emulator's, raises no #XM");
	EXPECT_EQ(SIGFPE, signal);
	EXPECT_EQ(FPE_FLTDIV, last_fault.code);
	EXPECT_EQ(VECTOR_SIMD, last_fault.vector);
}

TEST_F(faults, x87_arithmetic)
{
	unsigned short x87 = 0x37f & ~(1 << 2);

	EXPECT_EQ(SIGFPE,
		  CATCH_FAULT(asm volatile("fldcw %0; fld1; fldz; fdivrp; fwait"
					   : : "m"(x87))));
	EXPECT_EQ(FPE_FLTDIV, last_fault.code);
	asm volatile("fninit");
}

/* Handlers that return and read their own frames. */
static int handled;
static unsigned long handler_stack;

static void count_signal(int signal, siginfo_t *info, void *context)
{
	handler_stack = (unsigned long)__builtin_frame_address(0);
	__atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST);
}

static int handle(int signal, void (*handler)(int, siginfo_t *, void *),
		  int flags)
{
	struct sigaction action = {
		.sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | flags,
	};

	return sigaction(signal, &action, NULL);
}

TEST(ten_thousand_signals)
{
	ASSERT_EQ(0, handle(SIGUSR1, count_signal, 0));
	for (int i = 1; i <= 10000; i++) {
		ASSERT_EQ(0, raise(SIGUSR1));
		ASSERT_EQ(i, handled);
	}
}

static char alternate[64 * 1024];

static int use_alternate(void)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };

	return sigaltstack(&stack, NULL);
}

static bool on_alternate(unsigned long pointer)
{
	return pointer - (unsigned long)alternate < sizeof(alternate);
}

TEST(alternate_stack)
{
	ASSERT_EQ(0, use_alternate());
	ASSERT_EQ(0, handle(SIGUSR1, count_signal, 0));
	ASSERT_EQ(0, raise(SIGUSR1));
	EXPECT_FALSE(on_alternate(handler_stack));
	ASSERT_EQ(0, handle(SIGUSR1, count_signal, SA_ONSTACK));
	ASSERT_EQ(0, raise(SIGUSR1));
	EXPECT_TRUE(on_alternate(handler_stack));
	EXPECT_EQ(2, handled);
}

static void leave_overflow(int signal, siginfo_t *info, void *context)
{
	handler_stack = (unsigned long)__builtin_frame_address(0);
	siglongjmp(fault_jump, 1);
}

/* Recursion that the compiler cannot flatten. */
static int dig(int depth)
{
	char hole[8192];

	memset(hole, depth, sizeof(hole));
	WRITE_ONCE(hole[depth & 1023], 1);
	if (!READ_ONCE(hole[depth & 1023]))
		return 0;
	return dig(depth + 1) + hole[depth & 511];
}

TEST(stack_overflow_on_the_alternate_stack)
{
	ASSERT_EQ(0, use_alternate());
	ASSERT_EQ(0, handle(SIGSEGV, leave_overflow, SA_ONSTACK));
	for (int i = 0; i < 5; i++) {
		handler_stack = 0;
		if (!sigsetjmp(fault_jump, 1))
			WRITE_ONCE(handled, dig(0));
		EXPECT_TRUE(on_alternate(handler_stack));
	}
}

TEST(no_stack_left_kills)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		/* No alternate stack: the frame cannot be written. */
		handle(SIGSEGV, count_signal, 0);
		asm volatile("mov $16, %%rsp; push %%rax" : : : "memory");
		_exit(0);
	}
	EXPECT_EQ(1000 + SIGSEGV, exit_status(pid));
}

/* Faults inside handlers of faults. */
#define DEPTH 30
static int depth_reached;

static void fault_again(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	depth_reached++;
	if (depth_reached < DEPTH) {
		if (depth_reached % 3 == 0)
			asm volatile("ud2");
		else if (depth_reached % 3 == 1)
			asm volatile("movb $1, 16" : : : "memory");
		else
			asm volatile("int3");
	}
	handled++;
	/* Step over: UD2 is 2 bytes, INT3 is past itself already. */
	if (signal == SIGILL)
		regs[REG_RIP] += 2;
	else if (signal == SIGSEGV)
		regs[REG_RIP] += 8;
}

TEST(nested_faults)
{
	ASSERT_EQ(0, handle(SIGSEGV, fault_again, SA_NODEFER));
	ASSERT_EQ(0, handle(SIGILL, fault_again, SA_NODEFER));
	ASSERT_EQ(0, handle(SIGTRAP, fault_again, SA_NODEFER));
	for (int i = 1; i <= 100; i++) {
		depth_reached = 0;
		asm volatile("ud2" : : : "memory");
		ASSERT_EQ(DEPTH, depth_reached);
		ASSERT_EQ(DEPTH * i, handled);
	}
}

static void set_registers(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	handled++;
	regs[REG_RIP] += 2;
	/* RCX differs from RIP, so no fast return that loads it from there. */
	regs[REG_RCX] = 0x1111111111111111;
	regs[REG_R11] = 0x2222222222222222;
	regs[REG_RAX] += 1;
	regs[REG_R15] += 2;
}

TEST(return_restores_what_the_handler_set)
{
	ASSERT_EQ(0, handle(SIGILL, set_registers, 0));
	for (unsigned long i = 0; i < 1000; i++) {
		register unsigned long r11 asm("r11") = 0;
		register unsigned long r15 asm("r15") = i;
		unsigned long rax = i, rcx = 0;

		asm volatile("ud2" : "+a"(rax), "+c"(rcx), "+r"(r11),
			     "+r"(r15) : : "memory");
		ASSERT_EQ(i + 1, rax);
		ASSERT_EQ(i + 2, r15);
		ASSERT_EQ(0x1111111111111111, rcx);
		ASSERT_EQ(0x2222222222222222, r11);
	}
}

static void go_non_canonical(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	regs[REG_RIP] = signal == SIGUSR1 ? 0x0000800000000000 :
					    (greg_t)0xffff8000deadbeef;
}

TEST(return_to_nowhere_is_a_signal)
{
	/* SYSRET to a non-canonical address faults in the kernel on Intel. */
	for (int i = 0; i < 20; i++) {
		int signal = i % 2 ? SIGUSR1 : SIGUSR2;
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			handle(signal, go_non_canonical, 0);
			raise(signal);
			_exit(0);
		}
		ASSERT_EQ(1000 + SIGSEGV, exit_status(pid));
	}
}

/* Address of the kernel's symbol @name, 0 if it has none. */
static unsigned long kernel_symbol(const char *name)
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	unsigned long address, found = 0;
	char line[256], this[128];

	while (symbols && !found && fgets(line, sizeof(line), symbols))
		if (sscanf(line, "%lx %*c %127s", &address, this) == 2 &&
		    !strcmp(this, name))
			found = address;
	if (symbols)
		fclose(symbols);
	return found;
}

static struct {
	unsigned long address;
	int left;
	sigjmp_buf done;
	/* Room for a signal's frame, which has all registers of the FPU. */
	__u64 stack[65536 / sizeof(__u64)];
} way_out;

static void return_there(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (!way_out.left--)
		siglongjmp(way_out.done, 1);
	regs[REG_RIP] = way_out.address;
	regs[REG_RSP] = (greg_t)(way_out.stack + ARRAY_SIZE(way_out.stack) / 2);
}

/*
 * An interrupt that finds the kernel on its own way out is served there on the
 * stack of what it was to resume.  A program that is only said to be at that
 * address must not lend its stack for it.
 */
TEST(return_to_the_kernels_way_out_is_a_signal)
{
	struct itimerspec often = { { 0, 100000 }, { 0, 100000 } };
	unsigned long iret = kernel_symbol("xen_iret");
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (!iret)
		SKIP(return, "this kernel has no way out that is found by name");
	ASSERT_LE(0, timer);
	ASSERT_EQ(0, handle(SIGSEGV, return_there, SA_NODEFER));
	ASSERT_EQ(0, timerfd_settime(timer, 0, &often, NULL));
	for (unsigned long i = 0; i < 96; i += 4) {
		way_out.address = iret + i;
		way_out.left = 1000;
		if (!sigsetjmp(way_out.done, 1))
			raise(SIGSEGV);
	}
	close(timer);
}

TEST(timer_storm_leaves_registers_alone)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } };
	struct itimerval never = { };

	ASSERT_EQ(0, handle(SIGALRM, count_signal, SA_RESTART));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	while (READ_ONCE(handled) < 300) {
		unsigned long sum = 0, expected = 0;

		/* Interrupted at any of these instructions, nothing may change. */
		for (unsigned long i = 0; i < 1000; i++) {
			asm volatile("lea (%0,%1), %0" : "+r"(sum) : "r"(i));
			asm volatile("add %1, %0" : "+r"(expected) : "r"(i));
		}
		ASSERT_EQ(expected, sum);
		ASSERT_EQ(499500, sum);
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
}

TEST(queued_signals_all_arrive_in_order)
{
	sigset_t set;
	siginfo_t info;
	union sigval value;
	pid_t parent = getpid();
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (int i = 0; i < 500; i++) {
			value.sival_int = i;
			while (sigqueue(parent, SIGRTMIN, value))
				sched_yield();
		}
		_exit(0);
	}
	for (int i = 0; i < 500; i++) {
		ASSERT_EQ(SIGRTMIN, sigwaitinfo(&set, &info));
		ASSERT_EQ(i, info.si_value.sival_int);
	}
	EXPECT_EQ(0, exit_status(pid));
}

static void *raise_many(void *unused)
{
	for (int i = 0; i < 500; i++)
		pthread_kill(pthread_self(), SIGUSR1);
	return NULL;
}

TEST(threads_signal_themselves)
{
	pthread_t threads[8];

	ASSERT_EQ(0, handle(SIGUSR1, count_signal, 0));
	for (int t = 0; t < 8; t++)
		ASSERT_EQ(0, pthread_create(&threads[t], NULL, raise_many,
					    NULL));
	for (int t = 0; t < 8; t++)
		ASSERT_EQ(0, pthread_join(threads[t], NULL));
	EXPECT_EQ(4000, handled);
}

TEST_HARNESS_MAIN
