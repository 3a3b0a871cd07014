// SPDX-License-Identifier: MIT
/*
 * 32-bit programs: system calls by INT 0x80, SYSENTER, SYSCALL and the vDSO's
 * own choice, with six arguments, signals and restarts; the exceptions only
 * 32-bit code can raise; thread areas; and far jumps to 64-bit code and back.
 */
#include <asm/ldt.h>
#include <cpuid.h>
#include <linux/time_types.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/time.h>

#include "compat_entry.h"
#include "faults.h"

#define USER64_SELECTOR 0x33
#define VECTOR_OVERFLOW 4
#define VECTOR_BOUND 5

FIXTURE(entry)
{
	void *function;
};

/* Which vendors' processors leave an entry undefined in 32-bit code. */
enum vendors { NOBODY, INTEL, AMD };

FIXTURE_VARIANT(entry)
{
	void (*function)(void);
	enum vendors undefined;
	const char *missing;
};

FIXTURE_VARIANT_ADD(entry, int80)
{
	.function = enter_by_int80,
	.undefined = NOBODY,
};

FIXTURE_VARIANT_ADD(entry, sysenter)
{
	.function = enter_by_sysenter,
	.undefined = AMD,
	.missing = "SYSENTER is undefined in compatibility mode on this CPU",
};

FIXTURE_VARIANT_ADD(entry, syscall)
{
	.function = enter_by_syscall,
	.undefined = INTEL,
	.missing = "SYSCALL is undefined in compatibility mode on this CPU",
};

FIXTURE_VARIANT_ADD(entry, vdso)
{
	.function = NULL,
	.undefined = NOBODY,
	.missing = "no vDSO for 32-bit programs",
};

static bool intel_processor(void)
{
	unsigned int highest, ebx, ecx, edx;

	__cpuid(0, highest, ebx, ecx, edx);
	return ebx == signature_INTEL_ebx;
}

FIXTURE_SETUP(entry)
{
	static const struct sigaction by_default = { .sa_handler = SIG_DFL };
	static const struct call getpid_call = { .number = SYS_getpid };
	void *from_vdso = (void *)getauxval(AT_SYSINFO);
	int signal;

	self->function = variant->function ?: from_vdso;
	if (!self->function)
		SKIP(return, "%s", variant->missing);
	ASSERT_EQ(0, catch_faults());
	signal = CATCH_FAULT(call_through(self->function, &getpid_call));
	if (signal && variant->undefined == (intel_processor() ? INTEL : AMD))
		SKIP(return, "%s", variant->missing);
	ASSERT_EQ(0, signal);
	sigaction(SIGSEGV, &by_default, NULL);
	sigaction(SIGILL, &by_default, NULL);
}

FIXTURE_TEARDOWN(entry)
{
}

#define CALL(...) call_through(self->function, &(struct call){ __VA_ARGS__ })

TEST_F(entry, returns_the_result)
{
	for (int i = 0; i < 2000; i++) {
		ASSERT_EQ(getpid(), CALL(SYS_getpid));
		ASSERT_EQ(-EBADF, CALL(SYS_close, { -1 }));
	}
	/* Unknown call numbers fail as in libc. */
	ASSERT_EQ(-1, syscall(5000));
	EXPECT_EQ(-errno, CALL(5000));
	EXPECT_EQ(-errno, CALL(-2));
}

TEST_F(entry, carries_six_arguments)
{
	int fd = memfd_create("six", MFD_CLOEXEC);
	char page[PAGE];
	char *start;

	ASSERT_LE(0, fd);
	for (int i = 0; i < 8; i++) {
		stamp_page(page, i);
		ASSERT_EQ(PAGE, write(fd, page, PAGE));
	}
	for (int i = 0; i < 8; i++) {
		/* The sixth argument is the offset, in pages. */
		start = (char *)CALL(SYS_mmap2, { 0, PAGE, PROT_READ,
						  MAP_SHARED, fd, i });
		ASSERT_NE(MAP_FAILED, start);
		EXPECT_TRUE(page_has_stamp(start, i));
		EXPECT_EQ(0, CALL(SYS_munmap, { (long)start, PAGE }));
	}
}

TEST_F(entry, forks)
{
	for (int i = 0; i < 30; i++) {
		pid_t pid = CALL(SYS_fork);

		ASSERT_LE(0, pid);
		if (!pid) {
			CALL(SYS_exit, { i });
			_exit(100);
		}
		ASSERT_EQ(i, exit_status(pid));
	}
}

static int handled;
static int *reported;	/* where another process reads it */

static void count_signal(int signal, siginfo_t *info, void *context)
{
	handled++;
	if (reported)
		WRITE_ONCE(*reported, handled);
}

static int handle(int signal, int flags)
{
	struct sigaction action = {
		.sa_sigaction = count_signal,
		.sa_flags = SA_SIGINFO | flags,
	};

	return sigaction(signal, &action, NULL);
}

TEST_F(entry, signals_on_the_way_out)
{
	handled = 0;
	ASSERT_EQ(0, handle(SIGUSR1, 0));
	for (int i = 1; i <= 500; i++) {
		ASSERT_EQ(0, CALL(SYS_kill, { getpid(), SIGUSR1 }));
		ASSERT_EQ(i, handled);
	}
	/* Without SA_SIGINFO the frame, and its return call, are the old ones. */
	ASSERT_NE(SIG_ERR, signal(SIGUSR1, (void (*)(int))count_signal));
	for (int i = 1; i <= 500; i++) {
		ASSERT_EQ(0, CALL(SYS_kill, { getpid(), SIGUSR1 }));
		ASSERT_EQ(500 + i, handled);
	}
}

TEST_F(entry, restarts_after_a_signal)
{
	struct itimerval soon = { { 0, 2000 }, { 0, 2000 } };
	struct itimerval never = { };
	struct timespec request = { 0, 30000000 }, minute = { 60, 0 };
	__u64 before;
	int pipes[2];
	char byte;
	pid_t pid;

	handled = 0;
	reported = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)reported);
	ASSERT_EQ(0, handle(SIGALRM, SA_RESTART));
	ASSERT_EQ(0, pipe(pipes));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		nanosleep(&request, NULL);
		while (!READ_ONCE(*reported))
			sched_yield();
		_exit(write(pipes[1], "x", 1) == 1 ? 0 : 1);
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	/* The call's number and arguments must be restored each time. */
	EXPECT_EQ(1, CALL(SYS_read, { pipes[0], (long)&byte, 1 }));
	EXPECT_LT(0, handled);
	before = now_ns(CLOCK_MONOTONIC);
	EXPECT_EQ(-EINTR, CALL(SYS_nanosleep, { (long)&minute }));
	EXPECT_GT(60000000000ULL, now_ns(CLOCK_MONOTONIC) - before);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	reported = NULL;
	EXPECT_EQ(0, exit_status(pid));
}

TEST_F(entry, bad_stack_is_a_fault_not_a_crash)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		asm volatile("mov $20, %%eax\n\t"
			     "mov $16, %%esp\n\t"
			     "jmp *%0" : : "r"(self->function) : "memory");
		_exit(0);
	}
	EXPECT_EQ(1000 + SIGSEGV, exit_status(pid));
}

TEST_F(faults, overflow_and_bound)
{
	static const int bounds[2] = { 10, 20 };
	int outside = 30;

	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("mov $0x7fffffff, %%eax\n\t"
						    "add $1, %%eax\n\t"
						    "into" : : : "eax")));
	EXPECT_EQ(VECTOR_OVERFLOW, last_fault.vector);
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(asm volatile("bound %0, %1" : :
						    "r"(outside),
						    "m"(bounds))));
	EXPECT_EQ(VECTOR_BOUND, last_fault.vector);
}

TEST_F(faults, breakpoint_and_page_fault)
{
	EXPECT_EQ(SIGTRAP, CATCH_FAULT(asm volatile("int3")));
	EXPECT_EQ(VECTOR_BREAKPOINT, last_fault.vector);
	EXPECT_EQ(SIGSEGV, load_fault((void *)0xfffff000));
	EXPECT_EQ(VECTOR_PAGE, last_fault.vector);
	EXPECT_EQ(SIGSEGV, store_fault((void *)16));
	EXPECT_EQ(16, last_fault.address);
}

TEST_F(faults, local_segments)
{
	static char byte[4096];
	struct user_desc entry = {
		.entry_number = 0,
		.base_addr = (unsigned long)byte,
		.limit = 15,
		.seg_32bit = 1,
	};
	unsigned int limit = 0;
	char seen;

	ASSERT_EQ(0, syscall(SYS_modify_ldt, 0x11, &entry, sizeof(entry)));
	byte[15] = 42;
	EXPECT_EQ(0, CATCH_FAULT(asm volatile("mov %1, %%es\n\t"
					      "mov %%es:(%2), %0\n\t"
					      "push %%ds; pop %%es"
					      : "=&q"(seen)
					      : "r"(7), "r"(15))));
	EXPECT_EQ(42, seen);
	/* Emulators check no limits, but LSL must return them. */
	asm volatile("lsl %1, %0" : "+r"(limit) : "r"(7));
	EXPECT_EQ(15, limit);
}

TEST_F(faults, high_and_low_memory)
{
	/* The program owns the whole 4 GiB, a 32-bit kernel's part included. */
	static const unsigned long places[] = {
		0x00200000, 0x40000000, 0x80000000, 0xc0000000, 0xe8000000,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		char *page = mmap((void *)places[i], PAGE,
				  PROT_READ | PROT_WRITE, MAP_PRIVATE |
				  MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		ASSERT_EQ((char *)places[i], page);
		stamp_page(page, i);
		EXPECT_TRUE(page_has_stamp(page, i));
	}
}

/* Thread areas: GS of every 32-bit thread comes from its own descriptor. */
static __thread unsigned long own_word;

static void *keep_thread_local(void *data)
{
	unsigned long number = (unsigned long)data;

	for (unsigned long i = 0; i < 2000; i++) {
		WRITE_ONCE(own_word, number * 10000 + i);
		sched_yield();
		if (READ_ONCE(own_word) != number * 10000 + i)
			return "lost";
	}
	return NULL;
}

TEST(thread_areas_over_switches)
{
	pthread_t threads[6];
	void *problem;

	for (unsigned long t = 0; t < 6; t++)
		ASSERT_EQ(0, pthread_create(&threads[t], NULL,
					    keep_thread_local, (void *)t));
	for (int t = 0; t < 6; t++) {
		ASSERT_EQ(0, pthread_join(threads[t], &problem));
		EXPECT_EQ(NULL, problem);
	}
}

TEST(thread_areas_by_hand)
{
	static unsigned int words[2][1024];
	struct user_desc area = {
		.entry_number = -1,
		.limit = 4095,
		.seg_32bit = 1,
	};

	for (int i = 0; i < 200; i++) {
		unsigned int seen;

		words[i & 1][2] = i;
		area.base_addr = (unsigned long)words[i & 1];
		ASSERT_EQ(0, syscall(SYS_set_thread_area, &area));
		sched_yield();
		asm volatile("mov %1, %%fs\n\t"
			     "mov %%fs:8, %0"
			     : "=r"(seen) : "r"(area.entry_number * 8 + 3));
		ASSERT_EQ(i, seen);
	}
	asm volatile("mov %0, %%fs" : : "r"(0));
}

TEST(far_jumps_to_64_bit_code)
{
	/* Back by the 32-bit selector this kernel gave us, whatever it is. */
	unsigned int low, high;

	for (unsigned int i = 0; i < 2000; i++) {
		asm volatile("push %%ds\n\t"
			     "push %%cs\n\t"
			     "push $2f\n\t"
			     "ljmp %3, $1f\n"
			     "1:\n\t"
			     /* mov rax, 0x1122334400000000; add rax, rcx */
			     ".byte 0x48, 0xb8\n\t"
			     ".long 0, 0x11223344\n\t"
			     ".byte 0x48, 0x01, 0xc8\n\t"
			     /* mov rdx, rax; shr rdx, 32; lretl */
			     ".byte 0x48, 0x89, 0xc2\n\t"
			     ".byte 0x48, 0xc1, 0xea, 0x20\n\t"
			     ".byte 0xcb\n"
			     "2:\n\t"
			     "pop %%ds"
			     : "=&a"(low), "=&d"(high)
			     : "c"(i), "i"(USER64_SELECTOR) : "memory");
		ASSERT_EQ(i, low);
		ASSERT_EQ(0x11223344, high);
		if (i % 64 == 0)
			sched_yield();
	}
}

TEST(execs_itself)
{
	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			execl("/proc/self/exe", "compat", "--exit", NULL);
			_exit(1);
		}
		ASSERT_EQ(23, exit_status(pid));
	}
}

TEST(clock_by_vdso_and_by_call)
{
	struct __kernel_timespec call;
	struct timespec before, after;

	for (int i = 0; i < 500; i++) {
		clock_gettime(CLOCK_MONOTONIC, &before);
		ASSERT_EQ(0, syscall(SYS_clock_gettime64, CLOCK_MONOTONIC,
				     &call));
		clock_gettime(CLOCK_MONOTONIC, &after);
		ASSERT_LE(before.tv_sec * 1000000000LL + before.tv_nsec,
			  call.tv_sec * 1000000000LL + call.tv_nsec);
		ASSERT_LE(call.tv_sec * 1000000000LL + call.tv_nsec,
			  after.tv_sec * 1000000000LL + after.tv_nsec);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--exit"))
		return 23;
	return test_harness_run(argc, argv);
}
