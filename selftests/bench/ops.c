// SPDX-License-Identifier: MIT
/*
 * Counts instructions per operation: reads the time-stamp counter around many
 * rounds of each and prints the median of several batches, each in a fresh process, one line a row.
 *
 * The emulator must run with -icount shift=0, where the counter advances by one
 * an instruction, user, kernel and hypervisor alike.  Lines on standard output:
 *
 *	boot INSTRUCTIONS		from power-on to main()
 *	ticks_per_us COUNT		1000 when the counter counts instructions
 *	op NAME INSTRUCTIONS
 *	hypercalls NAME KIND COUNT	per thousand operations, where counted
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define MEBIBYTE (1024UL * 1024)
#define BATCHES 11
#define COUNTERS "/sys/kernel/debug/pvguest/hypercalls"
#define KINDS 64
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static unsigned long ticks(void)
{
	unsigned int low, high;

	/* Nothing may move across, though instructions are all that count. */
	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (unsigned long)high << 32;
}

static void load(const char *place)
{
	__atomic_load_n(place, __ATOMIC_RELAXED);
}

static void store(char *place)
{
	__atomic_store_n(place, 1, __ATOMIC_RELAXED);
}

static void fail(const char *what)
{
	fprintf(stderr, "ops: %s: %s\n", what, strerror(errno));
	exit(1);
}

/**
 * struct op - one row of the table
 * @name: the row's name
 * @rounds: operations in a batch
 * @prepare: called before the batches, may be NULL
 * @run: does so many operations
 * @between: called between two batches, may be NULL
 * @finish: called after the batches, may be NULL
 */
struct op {
	const char *name;
	unsigned long rounds;
	void (*prepare)(void);
	void (*run)(unsigned long rounds);
	void (*between)(void);
	void (*finish)(void);
};

static void null_call(unsigned long rounds)
{
	while (rounds--)
		syscall(SYS_getppid);
}

static void open_close(unsigned long rounds)
{
	while (rounds--)
		close(open("/dev/null", O_RDONLY));
}

static void ignore(int signal)
{
}

static void prepare_signal(void)
{
	struct sigaction action = { .sa_handler = ignore };

	sigaction(SIGUSR1, &action, NULL);
}

static void deliver_signal(unsigned long rounds)
{
	pid_t self = getpid();

	while (rounds--)
		kill(self, SIGUSR1);
}

static void wait_for(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		fail("child");
}

static void fork_exit(unsigned long rounds)
{
	while (rounds--) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		wait_for(pid);
	}
}

static char program[256];

static void fork_exec(unsigned long rounds)
{
	while (rounds--) {
		pid_t pid = fork();

		if (!pid) {
			execl(program, program, "--nothing", NULL);
			_exit(1);
		}
		wait_for(pid);
	}
}

static void fork_shell(unsigned long rounds)
{
	char command[300];

	snprintf(command, sizeof(command), "%s --nothing", program);
	while (rounds--) {
		pid_t pid = fork();

		if (!pid) {
			execl("/bin/sh", "sh", "-c", command, NULL);
			_exit(1);
		}
		wait_for(pid);
	}
}

/* A ring of processes that pass a token, each touching memory of its own. */
#define RING 16
static pid_t ring[RING];
static int ring_pipes[RING][2];
static int ring_size;
static unsigned long ring_bytes;
static char ring_memory[64 << 10];

static void touch_memory(void)
{
	unsigned long sum = 0;

	for (unsigned long at = 0; at < ring_bytes; at += 64)
		sum += *(unsigned long *)(ring_memory + at);
	asm volatile("" : : "r"(sum));
}

static void pass_token(int from, int to)
{
	char token;

	if (read(from, &token, 1) != 1)
		_exit(0);
	touch_memory();
	if (write(to, &token, 1) != 1)
		_exit(0);
}

static void start_ring(int size, unsigned long bytes)
{
	ring_size = size;
	ring_bytes = bytes;
	memset(ring_memory, 1, sizeof(ring_memory));
	for (int i = 0; i < size; i++)
		if (pipe(ring_pipes[i]))
			fail("pipe");
	for (int i = 1; i < size; i++) {
		ring[i] = fork();
		if (ring[i] < 0)
			fail("fork");
		if (ring[i])
			continue;
		memset(ring_memory, 2, sizeof(ring_memory));
		for (;;)
			pass_token(ring_pipes[i - 1][0], ring_pipes[i][1]);
	}
	memset(ring_memory, 3, sizeof(ring_memory));
}

static void start_two(void)
{
	start_ring(2, 0);
}

static void start_sixteen(void)
{
	start_ring(RING, sizeof(ring_memory));
}

static void switch_context(unsigned long rounds)
{
	char token = 0;

	for (; rounds >= (unsigned long)ring_size; rounds -= ring_size) {
		if (write(ring_pipes[0][1], &token, 1) != 1 ||
		    read(ring_pipes[ring_size - 1][0], &token, 1) != 1)
			fail("ring");
		touch_memory();
	}
}

static void stop_ring(void)
{
	for (int i = 1; i < ring_size; i++) {
		kill(ring[i], SIGKILL);
		waitpid(ring[i], NULL, 0);
	}
	for (int i = 0; i < ring_size; i++) {
		close(ring_pipes[i][0]);
		close(ring_pipes[i][1]);
	}
}

static int file = -1;
static char *area;

static void make_file(void)
{
	static char page[PAGE];

	file = memfd_create("bench", 0);
	if (file < 0)
		fail("memfd_create");
	memset(page, 5, sizeof(page));
	for (unsigned long at = 0; at < 4 * MEBIBYTE; at += PAGE)
		if (write(file, page, PAGE) != PAGE)
			fail("write");
}

static void close_file(void)
{
	close(file);
}

static void map_touch_unmap(unsigned long rounds)
{
	while (rounds--) {
		area = mmap(NULL, 4 * MEBIBYTE, PROT_READ | PROT_WRITE,
			    MAP_SHARED, file, 0);
		if (area == MAP_FAILED)
			fail("mmap");
		for (unsigned long at = 0; at < 4 * MEBIBYTE; at += 4 * PAGE)
			*(char *)(area + at) = 1;
		munmap(area, 4 * MEBIBYTE);
	}
}

static void fault_shared(unsigned long rounds)
{
	area = mmap(NULL, 4 * MEBIBYTE, PROT_READ, MAP_SHARED, file, 0);
	if (area == MAP_FAILED)
		fail("mmap");
	for (unsigned long at = 0; at < rounds * PAGE; at += PAGE)
		load(area + at);
}

static void unmap_area(void)
{
	munmap(area, 4 * MEBIBYTE);
}

static void unmap_file(void)
{
	unmap_area();
	close_file();
}

static void fault_anonymous(unsigned long rounds)
{
	area = mmap(NULL, 4 * MEBIBYTE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		fail("mmap");
	for (unsigned long at = 0; at < rounds * PAGE; at += PAGE)
		area[at] = 1;
}

static sigjmp_buf back;
static unsigned long faults_left;

static void count_fault(int signal)
{
	/* Returning faults again, until enough were seen. */
	if (!--faults_left)
		siglongjmp(back, 1);
}

static void prepare_protection(void)
{
	struct sigaction action = { .sa_handler = count_fault };

	sigaction(SIGSEGV, &action, NULL);
	make_file();
	area = mmap(NULL, 4 * MEBIBYTE, PROT_READ, MAP_SHARED, file, 0);
	if (area == MAP_FAILED)
		fail("mmap");
	load(area);
}

static void fault_to_handler(unsigned long rounds)
{
	faults_left = rounds;
	if (!sigsetjmp(back, 1))
		store(area);
}

static void prepare_mprotect(void)
{
	area = mmap(NULL, 4 * MEBIBYTE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		fail("mmap");
	memset(area, 1, MEBIBYTE);
}

static void protect_there_and_back(unsigned long rounds)
{
	while (rounds--) {
		mprotect(area, MEBIBYTE, PROT_READ);
		mprotect(area, MEBIBYTE, PROT_READ | PROT_WRITE);
	}
}

static const struct op ops[] = {
	{ "null_call", 2000, NULL, null_call },
	{ "open_close", 500, NULL, open_close },
	{ "signal", 500, prepare_signal, deliver_signal },
	{ "fork_exit", 20, NULL, fork_exit },
	{ "fork_exec", 15, NULL, fork_exec },
	{ "shell", 10, NULL, fork_shell },
	{ "switch_2p_0k", 400, start_two, switch_context, NULL, stop_ring },
	{ "switch_16p_64k", 400, start_sixteen, switch_context, NULL,
	  stop_ring },
	{ "mmap", 10, make_file, map_touch_unmap, NULL, close_file },
	{ "fault_shared", 1024, make_file, fault_shared, unmap_area,
	  unmap_file },
	{ "fault_anonymous", 256, NULL, fault_anonymous, unmap_area,
	  unmap_area },
	{ "fault_to_handler", 300, prepare_protection, fault_to_handler, NULL,
	  unmap_file },
	{ "mprotect", 10, prepare_mprotect, protect_there_and_back, NULL,
	  unmap_area },
};

/* The hypercall counters that our own kernel keeps: "name value" lines. */
static char kind_names[KINDS][32];

static int read_counters(unsigned long *values)
{
	FILE *counters = fopen(COUNTERS, "r");
	int count = 0;

	if (!counters)
		return 0;
	while (count < KINDS && fscanf(counters, "%31s %lu", kind_names[count],
				       &values[count]) == 2)
		count++;
	fclose(counters);
	return count;
}

static int compare(const void *a, const void *b)
{
	const unsigned long *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Prepare, warm up, and run one batch; its ticks. */
static unsigned long run_batch(const struct op *op)
{
	unsigned long spent;

	if (op->prepare)
		op->prepare();
	op->run(op->rounds);
	if (op->between)
		op->between();
	spent = ticks();
	op->run(op->rounds);
	spent = ticks() - spent;
	if (op->finish)
		op->finish();
	return spent;
}

/*
 * A batch in a program of its own: its addresses are randomised (ASLR), which
 * changes the number of page tables that a fork copies.
 */
static unsigned long fresh_batch(const struct op *op)
{
	unsigned long spent;
	int result[2];
	pid_t pid;

	if (pipe(result))
		fail("pipe");
	pid = fork();
	if (!pid) {
		dup2(result[1], 3);
		execl(program, program, "--batch", op->name, NULL);
		_exit(1);
	}
	close(result[1]);
	if (read(result[0], &spent, sizeof(spent)) != sizeof(spent))
		fail(op->name);
	close(result[0]);
	wait_for(pid);
	return spent;
}

static void measure(const struct op *op)
{
	unsigned long before[KINDS], after[KINDS];
	unsigned long batch[BATCHES];
	int kinds;

	for (int i = 0; i < BATCHES; i++)
		batch[i] = fresh_batch(op);
	qsort(batch, BATCHES, sizeof(batch[0]), compare);
	printf("op %s %lu\n", op->name, batch[BATCHES / 2] / op->rounds);

	if (op->prepare)
		op->prepare();
	op->run(op->rounds);
	if (op->between)
		op->between();
	kinds = read_counters(before);
	op->run(op->rounds);
	kinds = kinds ? read_counters(after) : 0;
	if (op->finish)
		op->finish();
	for (int i = 0; i < kinds; i++)
		if (after[i] != before[i])
			printf("hypercalls %s %s %lu\n", op->name,
			       kind_names[i],
			       (after[i] - before[i]) * 1000 / op->rounds);
	fflush(stdout);
}

/* Counter ticks in a microsecond of the system's clock. */
static unsigned long ticks_per_us(void)
{
	struct timespec start, now;
	unsigned long first;
	long elapsed;

	clock_gettime(CLOCK_MONOTONIC, &start);
	first = ticks();
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
		elapsed = (now.tv_sec - start.tv_sec) * 1000000000L +
			  now.tv_nsec - start.tv_nsec;
	} while (elapsed < 20000000);
	return (ticks() - first) * 1000 / elapsed;
}

/* The row called @name, or NULL. */
static const struct op *find(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
		if (!strcmp(name, ops[i].name))
			return &ops[i];
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long boot = ticks();
	unsigned long spent;
	ssize_t length;

	if (argc > 1 && !strcmp(argv[1], "--nothing"))
		return 0;
	length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (length < 0)
		fail("/proc/self/exe");
	program[length] = '\0';
	if (argc > 2 && !strcmp(argv[1], "--batch") && find(argv[2])) {
		spent = run_batch(find(argv[2]));
		return write(3, &spent, sizeof(spent)) != sizeof(spent);
	}
	if (access(COUNTERS, F_OK))
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	printf("boot %lu\nticks_per_us %lu\n", boot, ticks_per_us());
	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
		if (argc < 2 || !strcmp(argv[1], ops[i].name))
			measure(&ops[i]);
	return 0;
}
