// SPDX-License-Identifier: MIT
/*
 * Segments: descriptors of the LDT and of the thread area, the bases of FS and
 * GS by system call and by instruction, and all of it kept apart between
 * threads and processes over thousands of switches.
 */
#include <asm/hwcap2.h>
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#include "faults.h"

#define LDT_SELECTOR(entry) (((entry) << 3) | 7)
#define GDT_SELECTOR(entry) (((entry) << 3) | 3)

/* Memory that 32-bit segment bases can reach. */
static char *low_memory(unsigned long length)
{
	char *start = mmap(NULL, length, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	return start == MAP_FAILED ? NULL : start;
}

static struct user_desc data_segment(unsigned int entry, const void *base,
				     unsigned int limit)
{
	return (struct user_desc){
		.entry_number = entry,
		.base_addr = (unsigned long)base,
		.limit = limit,
		.seg_32bit = 1,
		.contents = MODIFY_LDT_CONTENTS_DATA,
	};
}

/* The kernel returns 32 bits: errors come back as such, not through errno. */
static int write_ldt(const struct user_desc *entry)
{
	return syscall(SYS_modify_ldt, 0x11, entry, sizeof(*entry));
}

static int clear_ldt(unsigned int number)
{
	struct user_desc entry = {
		.entry_number = number,
		.read_exec_only = 1,
		.seg_not_present = 1,
	};

	return write_ldt(&entry);
}

static int read_ldt(void *buffer, unsigned long size)
{
	return syscall(SYS_modify_ldt, 0, buffer, size);
}

/* Load FS with @selector and read the 32-bit word at @offset through it. */
static unsigned int read_through(unsigned short selector, unsigned int offset)
{
	unsigned int value;

	/* The thread's own base in FS must come back before C goes on. */
	asm volatile("rdfsbase %%r8\n\t"
		     "mov %1, %%fs\n\t"
		     "mov %%fs:(%q2), %0\n\t"
		     "wrfsbase %%r8"
		     : "=&r"(value) : "r"(selector), "r"(offset) : "r8");
	return value;
}

/* Load GS, which 64-bit programs do not use, and read through it. */
static unsigned int read_through_gs(unsigned short selector,
				    unsigned int offset)
{
	unsigned int value;

	asm volatile("mov %1, %%gs\n\t"
		     "mov %%gs:(%q2), %0"
		     : "=&r"(value) : "r"(selector), "r"(offset));
	return value;
}

static unsigned short get_gs(void)
{
	unsigned short selector;

	asm volatile("mov %%gs, %0" : "=r"(selector));
	return selector;
}

static void load_gs(unsigned short selector)
{
	asm volatile("mov %0, %%gs" : : "r"(selector) : "memory");
}

static unsigned int segment_limit(unsigned short selector)
{
	unsigned int limit = 0;

	asm volatile("lsl %1, %0" : "+r"(limit) : "r"((unsigned int)selector));
	return limit;
}

static bool can_write_bases(void)
{
	return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
}

TEST(ldt_entries_give_their_base)
{
	unsigned int *words = (unsigned int *)low_memory(64 * PAGE);

	ASSERT_NE(NULL, words);
	for (unsigned int i = 0; i < 64; i++) {
		struct user_desc entry = data_segment(i, words + i * 1024,
						      4095);

		words[i * 1024] = i * 3;
		words[i * 1024 + 5] = i * 7;
		ASSERT_EQ(0, write_ldt(&entry));
	}
	for (unsigned int i = 0; i < 64; i++) {
		ASSERT_EQ(i * 3, read_through_gs(LDT_SELECTOR(i), 0));
		ASSERT_EQ(i * 7, read_through_gs(LDT_SELECTOR(i), 20));
		ASSERT_EQ(4095, segment_limit(LDT_SELECTOR(i)));
		if (can_write_bases())
			ASSERT_EQ(i * 7, read_through(LDT_SELECTOR(i), 20));
	}
	load_gs(0);
}

TEST_F(faults, ldt_absent_entries_fault)
{
	unsigned int *words = (unsigned int *)low_memory(PAGE);
	struct user_desc entry = data_segment(3, words, 4095);

	ASSERT_NE(NULL, words);
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(load_gs(LDT_SELECTOR(3))));
	EXPECT_EQ(VECTOR_PROTECTION, last_fault.vector);
	ASSERT_EQ(0, write_ldt(&entry));
	EXPECT_EQ(0, CATCH_FAULT(load_gs(LDT_SELECTOR(3))));
	EXPECT_EQ(LDT_SELECTOR(3), get_gs());
	load_gs(0);
	ASSERT_EQ(0, clear_ldt(3));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(load_gs(LDT_SELECTOR(3))));
	/* Entries that were never written, inside and beyond the table. */
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(load_gs(LDT_SELECTOR(200))));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(load_gs(LDT_SELECTOR(8191))));
}

TEST(ldt_reads_back)
{
	static unsigned char table[8192 * 8];
	struct user_desc entry = data_segment(300, (void *)0x12345678, 0xabcde);

	entry.limit_in_pages = 1;
	ASSERT_EQ(0, write_ldt(&entry));
	ASSERT_LE(301 * 8, read_ldt(table, sizeof(table)));
	/* Limit low, base low, base middle, access, flags, base high. */
	EXPECT_EQ(0xde, table[300 * 8]);
	EXPECT_EQ(0xbc, table[300 * 8 + 1]);
	EXPECT_EQ(0x78, table[300 * 8 + 2]);
	EXPECT_EQ(0x56, table[300 * 8 + 3]);
	EXPECT_EQ(0x34, table[300 * 8 + 4]);
	EXPECT_EQ(0xf2, table[300 * 8 + 5] & 0xfe);
	EXPECT_EQ(0xca, table[300 * 8 + 6]);
	EXPECT_EQ(0x12, table[300 * 8 + 7]);
}

TEST(ldt_full_table)
{
	unsigned int *words = (unsigned int *)low_memory(2 * PAGE);

	ASSERT_NE(NULL, words);
	words[0] = 0xaaaa;
	words[1024] = 0xbbbb;
	for (unsigned int i = 0; i < 8192; i += 41) {
		struct user_desc entry = data_segment(i, words + i % 2 * 1024,
						      4095);

		ASSERT_EQ(0, write_ldt(&entry));
	}
	for (unsigned int i = 0; i < 8192; i += 41)
		ASSERT_EQ(i % 2 ? 0xbbbb : 0xaaaa,
			  read_through_gs(LDT_SELECTOR(i), 0));
	load_gs(0);
}

TEST_F(faults, ldt_refuses_gates_and_system_segments)
{
	struct user_desc entry = data_segment(0, NULL, 0xfffff);

	/* Conforming code and out-of-range entries are not tested. */
	entry.contents = MODIFY_LDT_CONTENTS_CODE | 1;
	EXPECT_EQ(-EINVAL, write_ldt(&entry));
	entry = data_segment(8192, NULL, 0);
	EXPECT_EQ(-EINVAL, write_ldt(&entry));
	EXPECT_EQ(SIGSEGV, CATCH_FAULT(load_gs(LDT_SELECTOR(8191))));
}

TEST(ldt_is_inherited_and_then_private)
{
	unsigned int *words = (unsigned int *)low_memory(2 * PAGE);
	struct user_desc first = data_segment(1, words, 4095);
	struct user_desc second = data_segment(1, words + 1024, 4095);

	ASSERT_NE(NULL, words);
	words[0] = 1;
	words[1024] = 2;
	ASSERT_EQ(0, write_ldt(&first));
	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			if (read_through_gs(LDT_SELECTOR(1), 0) != 1)
				_exit(1);
			if (write_ldt(&second))
				_exit(2);
			sched_yield();
			_exit(read_through_gs(LDT_SELECTOR(1), 0) == 2 ? 0 : 3);
		}
		sched_yield();
		ASSERT_EQ(1, read_through_gs(LDT_SELECTOR(1), 0));
		ASSERT_EQ(0, exit_status(pid));
		ASSERT_EQ(1, read_through_gs(LDT_SELECTOR(1), 0));
	}
	load_gs(0);
}

struct rewriter {
	bool stop;
	unsigned int *words;
	int status;
};

static void *read_while_rewritten(void *data)
{
	struct rewriter *rewriter = data;

	while (!READ_ONCE(rewriter->stop)) {
		unsigned int seen = read_through_gs(LDT_SELECTOR(2), 0);

		if (seen != 1 && seen != 2)
			rewriter->status = seen ?: -1;
	}
	load_gs(0);
	return NULL;
}

TEST(ldt_rewritten_under_other_threads)
{
	struct rewriter rewriter = { };
	struct user_desc entry;
	pthread_t threads[3];

	rewriter.words = (unsigned int *)low_memory(2 * PAGE);
	ASSERT_NE(NULL, rewriter.words);
	rewriter.words[0] = 1;
	rewriter.words[1024] = 2;
	entry = data_segment(2, rewriter.words, 4095);
	ASSERT_EQ(0, write_ldt(&entry));
	for (int t = 0; t < 3; t++)
		ASSERT_EQ(0, pthread_create(&threads[t], NULL,
					    read_while_rewritten, &rewriter));
	for (int i = 0; i < 300; i++) {
		entry = data_segment(2, rewriter.words + i % 2 * 1024, 4095);
		ASSERT_EQ(0, write_ldt(&entry));
		ASSERT_EQ(1 + i % 2, read_through_gs(LDT_SELECTOR(2), 0));
		if (i % 10 == 0)
			sched_yield();
	}
	WRITE_ONCE(rewriter.stop, true);
	for (int t = 0; t < 3; t++)
		ASSERT_EQ(0, pthread_join(threads[t], NULL));
	EXPECT_EQ(0, rewriter.status);
	load_gs(0);
}

static void *read_and_yield(void *data)
{
	struct rewriter *rewriter = data;

	if (run_on_cpu(1))
		return data;
	while (!READ_ONCE(rewriter->stop)) {
		unsigned int seen = read_through_gs(LDT_SELECTOR(2), 0);

		if (seen != 1 && seen != 2)
			rewriter->status = seen ?: -1;
		sched_yield();
	}
	load_gs(0);
	return NULL;
}

/*
 * A vCPU that switches to another process is no user of the address space
 * before it has left its LDT.
 */
TEST(ldt_rewritten_while_another_vcpu_switches_processes)
{
	struct rewriter rewriter = { };
	struct user_desc entry;
	pthread_t thread;
	void *failed;
	pid_t pid;

	if (online_cpus() < 2)
		SKIP(return, "one vCPU leaves no address space while it frees an LDT");
	rewriter.words = (unsigned int *)low_memory(2 * PAGE);
	ASSERT_NE(NULL, rewriter.words);
	rewriter.words[0] = 1;
	rewriter.words[1024] = 2;
	entry = data_segment(2, rewriter.words, 4095);
	ASSERT_EQ(0, write_ldt(&entry));
	ASSERT_EQ(0, run_on_cpu(0));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || run_on_cpu(1))
			_exit(1);
		for (;;)
			sched_yield();
	}
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_and_yield, &rewriter));
	for (int i = 0; i < 1000; i++) {
		entry = data_segment(2, rewriter.words + i % 2 * 1024, 4095);
		ASSERT_EQ(0, write_ldt(&entry));
	}
	WRITE_ONCE(rewriter.stop, true);
	ASSERT_EQ(0, pthread_join(thread, &failed));
	EXPECT_EQ(NULL, failed);
	EXPECT_EQ(0, rewriter.status);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(1000 + SIGKILL, exit_status(pid));
}

/* Thread areas are a 32-bit call; a 64-bit program reaches it by INT 0x80. */
static int thread_area(int number, struct user_desc *entry)
{
	int status = number;

	asm volatile("int $0x80" : "+a"(status) : "b"(entry) : "memory",
		     "r8", "r9", "r10", "r11");
	return status;
}

#define I386_SET_THREAD_AREA 243
#define I386_GET_THREAD_AREA 244

TEST_F(faults, thread_area_by_int80)
{
	unsigned int *words = (unsigned int *)low_memory(2 * PAGE);
	struct user_desc *entry = (struct user_desc *)(words + 1024);
	struct user_desc *back = entry + 1;
	int status = 0;
	int signal;

	ASSERT_NE(NULL, words);
	words[3] = 0x77;
	*entry = data_segment(-1, words, 4095);
	signal = CATCH_FAULT(status = thread_area(I386_SET_THREAD_AREA, entry));
	if (signal)
		SKIP(return, "this kernel has no 32-bit system calls");
	ASSERT_EQ(0, status);
	ASSERT_LE(12, entry->entry_number);
	ASSERT_GE(14, entry->entry_number);
	back->entry_number = entry->entry_number;
	ASSERT_EQ(0, thread_area(I386_GET_THREAD_AREA, back));
	EXPECT_EQ(entry->base_addr, back->base_addr);
	EXPECT_EQ(entry->limit, back->limit);
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0x77, read_through_gs(GDT_SELECTOR(entry->entry_number),
						12));
		sched_yield();
	}
	load_gs(0);
}

/* Threads that each keep a base of their own in GS and check it without end. */
#define KEEPERS 6
#define SWITCHES 2000

static int keep_base(int number, bool by_instruction)
{
	unsigned long words[2] = { 1000 + number, 2000 + number };

	for (int i = 0; i < SWITCHES; i++) {
		unsigned long base = (unsigned long)&words[i & 1];
		unsigned long seen, value;

		if (by_instruction)
			asm volatile("wrgsbase %0" : : "r"(base) : "memory");
		else if (syscall(SYS_arch_prctl, ARCH_SET_GS, base))
			return 1;
		sched_yield();
		asm volatile("mov %%gs:0, %0" : "=r"(value) : : "memory");
		if (value != words[i & 1])
			return 2;
		if (syscall(SYS_arch_prctl, ARCH_GET_GS, &seen))
			return 3;
		if (seen != base)
			return 4;
		if (can_write_bases()) {
			asm volatile("rdgsbase %0" : "=r"(seen));
			if (seen != base)
				return 5;
		}
	}
	return 0;
}

struct keeper {
	pthread_t thread;
	int number;
	int status;
};

static void *keep_by_both(void *data)
{
	struct keeper *keeper = data;

	keeper->status = keep_base(keeper->number, can_write_bases() &&
				   keeper->number % 2);
	return NULL;
}

TEST(gs_base_per_thread_over_switches)
{
	struct keeper keepers[KEEPERS] = { };

	for (int k = 0; k < KEEPERS; k++) {
		keepers[k].number = k;
		ASSERT_EQ(0, pthread_create(&keepers[k].thread, NULL,
					    keep_by_both, &keepers[k]));
	}
	for (int k = 0; k < KEEPERS; k++) {
		ASSERT_EQ(0, pthread_join(keepers[k].thread, NULL));
		EXPECT_EQ(0, keepers[k].status);
	}
}

TEST(gs_base_per_process_over_switches)
{
	pid_t children[KEEPERS];

	for (int k = 0; k < KEEPERS; k++) {
		children[k] = fork();
		ASSERT_LE(0, children[k]);
		if (!children[k])
			_exit(keep_base(k, can_write_bases() && k % 2));
	}
	for (int k = 0; k < KEEPERS; k++)
		EXPECT_EQ(0, exit_status(children[k]));
}

static __thread unsigned long own_word;

static void *keep_thread_local(void *data)
{
	struct keeper *keeper = data;

	for (int i = 0; i < SWITCHES; i++) {
		WRITE_ONCE(own_word, keeper->number * 100000UL + i);
		sched_yield();
		if (READ_ONCE(own_word) != keeper->number * 100000UL + i)
			keeper->status = 1;
	}
	return NULL;
}

TEST(fs_base_per_thread_over_switches)
{
	struct keeper keepers[KEEPERS] = { };

	for (int k = 0; k < KEEPERS; k++) {
		keepers[k].number = k;
		ASSERT_EQ(0, pthread_create(&keepers[k].thread, NULL,
					    keep_thread_local, &keepers[k]));
	}
	for (int k = 0; k < KEEPERS; k++) {
		ASSERT_EQ(0, pthread_join(keepers[k].thread, NULL));
		EXPECT_EQ(0, keepers[k].status);
	}
}

TEST(selector_stays_beside_a_base)
{
	/*
	 * With FSGSBASE selector and base are independent: a thread may load a
	 * selector and then a base that is not its descriptor's.
	 */
	unsigned int *words = (unsigned int *)low_memory(PAGE);
	struct user_desc entry = data_segment(4, words, 4095);
	unsigned long other = 0x5a5a5a5a;
	unsigned long seen;

	ASSERT_NE(NULL, words);
	if (!can_write_bases())
		SKIP(return, "this CPU has no FSGSBASE for programs");
	ASSERT_EQ(0, write_ldt(&entry));
	load_gs(LDT_SELECTOR(4));
	asm volatile("rdgsbase %0" : "=r"(seen));
	EXPECT_EQ((unsigned long)words, seen);
	asm volatile("wrgsbase %0" : : "r"(other));
	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			asm volatile("rdgsbase %0" : "=r"(seen));
			_exit(get_gs() != LDT_SELECTOR(4) || seen != other);
		}
		ASSERT_EQ(0, exit_status(pid));
		asm volatile("rdgsbase %0" : "=r"(seen));
		ASSERT_EQ(other, seen);
		ASSERT_EQ(LDT_SELECTOR(4), get_gs());
	}
	load_gs(0);
}

TEST(bases_survive_signals)
{
	unsigned long base = 0x123456789;
	unsigned long seen;

	signal(SIGUSR1, SIG_IGN);
	ASSERT_EQ(0, syscall(SYS_arch_prctl, ARCH_SET_GS, base));
	for (int i = 0; i < 500; i++)
		ASSERT_EQ(0, raise(SIGUSR1));
	ASSERT_EQ(0, syscall(SYS_arch_prctl, ARCH_GET_GS, &seen));
	EXPECT_EQ(base, seen);
}

TEST(bases_must_be_canonical_user_addresses)
{
	EXPECT_EQ(-1, syscall(SYS_arch_prctl, ARCH_SET_GS,
			      0xffff800000000000UL));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, syscall(SYS_arch_prctl, ARCH_SET_FS,
			      0x8000000000000000UL));
	EXPECT_EQ(EPERM, errno);
}

TEST(null_selectors_load)
{
	for (unsigned short selector = 0; selector < 4; selector++) {
		load_gs(selector);
		for (int i = 0; i < 50; i++)
			sched_yield();
		/* RPL bits of a null selector need not survive a switch. */
		EXPECT_GE(3, get_gs());
	}
	load_gs(0);
}

TEST_HARNESS_MAIN
