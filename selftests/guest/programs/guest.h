/* SPDX-License-Identifier: MIT */
/*
 * Helpers shared by the tests that run inside the guest: patterns to fill and
 * check memory with, children that report by exit status, faults caught as
 * values, and small files read whole.
 */
#ifndef PVGUEST_SELFTESTS_GUEST_H
#define PVGUEST_SELFTESTS_GUEST_H

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "kselftest_harness.h"

/*
 * The harness allows 30 s a test.  An emulated machine under a hypervisor is
 * two orders slower than silicon, the machine below has other work as well, and
 * a slow pass is still a pass: the limit is there for what hangs.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 1800

#define PAGE 4096UL

#define READ_ONCE(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)
#define WRITE_ONCE(place, value) \
	__atomic_store_n(&(place), value, __ATOMIC_RELAXED)

/* Keep the compiler from moving memory accesses across this place. */
static inline void barrier(void)
{
	asm volatile("" : : : "memory");
}

/* x86 exception numbers, as a signal's machine context reports them. */
enum vector {
	VECTOR_DIVIDE = 0,
	VECTOR_DEBUG = 1,
	VECTOR_BREAKPOINT = 3,
	VECTOR_OPCODE = 6,
	VECTOR_STACK = 12,
	VECTOR_PROTECTION = 13,
	VECTOR_PAGE = 14,
	VECTOR_SIMD = 19,
};

/* Page-fault error code bits. */
enum fault_bits {
	FAULT_PRESENT = 1 << 0,
	FAULT_WRITE = 1 << 1,
	FAULT_USER = 1 << 2,
	FAULT_FETCH = 1 << 4,
};

/**
 * struct fault - the last signal caught by catch_faults()
 * @signal: signal number, 0 when none came
 * @code: si_code
 * @address: si_addr
 * @vector: x86 exception number
 * @error: x86 error code
 */
struct fault {
	int signal;
	int code;
	unsigned long address;
	unsigned long vector;
	unsigned long error;
};

static struct fault last_fault;
static sigjmp_buf fault_jump;

static inline void record_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	last_fault.signal = signal;
	last_fault.code = info->si_code;
	last_fault.address = (unsigned long)info->si_addr;
	last_fault.vector = uc->uc_mcontext.gregs[REG_TRAPNO];
	last_fault.error = uc->uc_mcontext.gregs[REG_ERR];
	siglongjmp(fault_jump, 1);
}

/* Route every synchronous fault to last_fault; see CATCH_FAULT(). */
static inline int catch_faults(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	struct sigaction action = {
		.sa_sigaction = record_fault,
		.sa_flags = SA_SIGINFO,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], &action, NULL))
			return -1;
	return 0;
}

/* Run @statement; the signal it raised, or 0. */
#define CATCH_FAULT(statement) ({		\
	last_fault.signal = 0;			\
	if (!sigsetjmp(fault_jump, 1)) {	\
		statement;			\
		barrier();			\
	}					\
	last_fault.signal;			\
})

/*
 * The signal that reading, or writing, the byte at @place raises, or 0.  The
 * compiler must not know the place, or it warns of the intended fault.
 */
static inline int load_fault(const void *place)
{
	asm volatile("" : "+r"(place));
	return CATCH_FAULT((void)READ_ONCE(*(const char *)place));
}

static inline int store_fault(void *place)
{
	asm volatile("" : "+r"(place));
	return CATCH_FAULT(WRITE_ONCE(*(char *)place, 1));
}

/* A value that depends on its place, so a page that moved shows. */
static inline __u64 mix(__u64 value)
{
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
	return value ^ (value >> 31);
}

/* Small repeatable random numbers; the state must start non-zero. */
static inline __u64 next_random(__u64 *state)
{
	*state += 0x9e3779b97f4a7c15ULL;
	return mix(*state);
}

/* Fill the start, the middle and the end of a page from @seed. */
static inline void stamp_page(void *page, __u64 seed)
{
	__u64 *word = page;

	WRITE_ONCE(word[0], mix(seed));
	WRITE_ONCE(word[255], mix(seed + 1));
	WRITE_ONCE(word[511], mix(seed + 2));
}

static inline bool page_has_stamp(const void *page, __u64 seed)
{
	const __u64 *word = page;

	return READ_ONCE(word[0]) == mix(seed) &&
	       READ_ONCE(word[255]) == mix(seed + 1) &&
	       READ_ONCE(word[511]) == mix(seed + 2);
}

static inline bool page_is_zero(const void *page)
{
	const __u64 *word = page;

	for (int i = 0; i < 512; i++)
		if (READ_ONCE(word[i]))
			return false;
	return true;
}

/* Wait for @pid; its exit status, or 1000 + the signal that ended it. */
static inline int exit_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Read @path into @buffer as a string; its length, or -errno. */
static inline ssize_t read_file(const char *path, char *buffer, size_t size)
{
	size_t used = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (used < size - 1) {
		got = read(fd, buffer + used, size - 1 - used);
		if (got <= 0)
			break;
		used += got;
	}
	buffer[used] = '\0';
	close(fd);
	return used;
}

/* Replace the contents of the existing file @path by @text; 0 or -errno. */
static inline int write_file(const char *path, const char *text)
{
	size_t length = strlen(text);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (length && write(fd, text, length) != (ssize_t)length)
		error = -errno;
	/* Some files of the kernel parse their input only at close. */
	if (close(fd) && !error)
		error = -errno;
	return error;
}

/* Load @name.ko, which is beside this program; 0 or -errno. */
static inline int load_module(const char *name, const char *arguments)
{
	char self[200], path[256];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int status, fd;

	if (length < 0)
		return -errno;
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(path, sizeof(path), "%s/%s.ko", self, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	status = syscall(SYS_finit_module, fd, arguments, 0) ? -errno : 0;
	close(fd);
	return status;
}

static inline int unload_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

/* Whether the running kernel is a guest of our own port. */
static inline bool on_pvguest(void)
{
	return !system("zcat /proc/config.gz 2>&1 | grep -q ^CONFIG_PVGUEST=y") &&
	       !access("/sys/hypervisor/type", F_OK);
}

/* Whether the running kernel has @option built in (/proc/config.gz). */
static inline bool kernel_has(const char *option)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "zcat /proc/config.gz 2>&1 | grep -q ^CONFIG_%s=y", option);
	return !system(command);
}

static inline int online_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

static inline int run_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

/* Switch vCPU @cpu off or on; 0 or -errno.  Busy: others have it stay as it is for a moment. */
static inline int set_online(int cpu, bool online)
{
	char path[64];
	int error;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	do {
		error = write_file(path, online ? "1" : "0");
	} while (error == -EBUSY);
	return error;
}

static inline __u64 now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

#endif /* PVGUEST_SELFTESTS_GUEST_H */
