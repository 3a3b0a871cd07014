// SPDX-License-Identifier: MIT
/*
 * Reads CLOCK_MONOTONIC again and again on each processor until SIGTERM, and then
 * prints how often it went back, also from one processor to another, and for how
 * many milliseconds none of them read it: the shortest, over the processors, of
 * the longest time between two readings.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_CPUS	64

struct pace {
	long long last;			/* a reading of any processor */
	long back;
	long long longest[MOST_CPUS];
};

static volatile sig_atomic_t ending;

static void end(int number)
{
	ending = 1;
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void read_on(struct pace *pace, int cpu)
{
	long long before = now(), seen, time;
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	if (sched_setaffinity(0, sizeof(only), &only)) {
		perror("sched_setaffinity");
		_exit(1);
	}
	while (!ending) {
		seen = __atomic_load_n(&pace->last, __ATOMIC_SEQ_CST);
		time = now();
		if (time < seen || time < before)
			__atomic_fetch_add(&pace->back, 1, __ATOMIC_SEQ_CST);
		if (time - before > pace->longest[cpu])
			pace->longest[cpu] = time - before;
		before = time;
		__atomic_store_n(&pace->last, time, __ATOMIC_SEQ_CST);
	}
	_exit(0);
}

int main(void)
{
	struct pace *pace = mmap(NULL, sizeof(*pace), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), status, failed = 0;
	struct sigaction action = { .sa_handler = end };
	long long shortest = -1;
	pid_t reader[MOST_CPUS];

	if (pace == MAP_FAILED || cpus > MOST_CPUS)
		return 1;
	sigaction(SIGTERM, &action, NULL);
	for (int cpu = 0; cpu < cpus; cpu++) {
		reader[cpu] = fork();
		if (reader[cpu] < 0)
			return 1;
		if (!reader[cpu])
			read_on(pace, cpu);
	}
	while (!ending)
		usleep(10000);
	for (int cpu = 0; cpu < cpus; cpu++) {
		kill(reader[cpu], SIGTERM);
		if (waitpid(reader[cpu], &status, 0) < 0 || status)
			failed = 1;
		if (shortest < 0 || pace->longest[cpu] < shortest)
			shortest = pace->longest[cpu];
	}
	printf("back %ld\nstood %lld\n", pace->back, shortest / 1000000);
	return failed;
}
