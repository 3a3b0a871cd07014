// SPDX-License-Identifier: MIT
/*
 * Prints how the machine looks to programs, one line "name value" for each
 * thing that a boot parameter may change: what the kernel says of processors,
 * memory and time, and what instructions and addresses really do.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <dirent.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define VSYSCALL_PAGE	0xffffffffff600000UL

static sigjmp_buf after;
static const char *fault;

static void caught(int signal)
{
	fault = strsignal(signal);
	siglongjmp(after, 1);
}

/* Print whether @probe runs to its end, on processor @cpu. */
static void probe(const char *name, int cpu, long (*body)(void))
{
	static const int signals[] = { SIGSEGV, SIGILL, SIGBUS, SIGTRAP };
	volatile long value = 0;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], caught);
	fault = NULL;
	if (!sigsetjmp(after, 1))
		value = body();
	if (fault)
		printf("%s.cpu%d %s\n", name, cpu, fault);
	else
		printf("%s.cpu%d %ld\n", name, cpu, value);
}

static long int80(void)
{
	long result = 20;	/* getpid of the 32-bit ABI */

	asm volatile("int $0x80" : "+a" (result) : : "memory", "r8", "r9",
		     "r10", "r11");
	return result == getpid();
}

static long read_vsyscall(void)
{
	return *(volatile unsigned char *)VSYSCALL_PAGE;
}

static long call_vsyscall(void)
{
	time_t (*vtime)(time_t *now);

	vtime = (void *)(VSYSCALL_PAGE + 0x400);
	return vtime(NULL) != 0;
}

static long vdso(void)
{
	return getauxval(AT_SYSINFO_EHDR) != 0;
}

static long fsgsbase(void)
{
	unsigned long base;

	asm volatile("rdfsbase %0" : "=r" (base));
	return base != 0;
}

static long hwcap2(void)
{
	return getauxval(AT_HWCAP2);
}

static long cpuid_osxsave(void)
{
	unsigned int ax = 1, bx, cx = 0, dx;

	asm volatile("cpuid" : "+a" (ax), "=b" (bx), "+c" (cx), "=d" (dx));
	return !!(cx & (1U << 27));
}

static long xgetbv(void)
{
	unsigned int ax, dx;

	asm volatile("xgetbv" : "=a" (ax), "=d" (dx) : "c" (0));
	return ax & 7;
}

static long rdtsc(void)
{
	unsigned int ax, dx;

	asm volatile("rdtsc" : "=a" (ax), "=d" (dx));
	return 1;
}

static long store_gdt(void)
{
	struct { char bytes[16]; } gdt;

	asm volatile("sgdt %0" : "=m" (gdt));
	return 1;
}

static long stack_is_executable(void)
{
	unsigned char code[] = { 0xb8, 1, 0, 0, 0, 0xc3 };
	int (*function)(void) = (void *)code;

	return function();
}

/* The words of the first line of @path that begins with @label, each a line. */
static void words(const char *path, const char *label, const char *name)
{
	static char line[65536];
	FILE *file = fopen(path, "r");
	char *word;

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, label, strlen(label)))
			continue;
		word = strchr(line, ':');
		for (word = strtok(word ? word + 1 : line, " \t\n"); word;
		     word = strtok(NULL, " \t\n"))
			printf("%s.%s yes\n", name, word);
		break;
	}
	if (file)
		fclose(file);
}

/* The first line of @path. */
static void file_line(const char *path, const char *name)
{
	char line[4096];
	FILE *file = fopen(path, "r");

	if (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		printf("%s %s\n", name, line);
	}
	if (file)
		fclose(file);
}

static void each_file(const char *folder, const char *name)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[512], title[512];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		snprintf(title, sizeof(title), "%s.%s", name, entry->d_name);
		file_line(path, title);
	}
	if (dir)
		closedir(dir);
}

/* MiB of memory that the kernel was given, and what is reserved of it. */
static void memory(void)
{
	unsigned long start, end, ram = 0;
	char line[256], what[128];
	FILE *file = fopen("/proc/iomem", "r");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %lx-%lx : %127[^\n]", &start, &end, what) != 3)
			continue;
		if (line[0] != ' ' && !strcmp(what, "System RAM"))
			ram += end + 1 - start;
		else if (!strcmp(what, "Crash kernel"))
			printf("crash_kernel %lu\n", (end + 1 - start) >> 20);
	}
	printf("ram %lu\n", ram >> 20);
	if (file)
		fclose(file);
}

static void meminfo(const char *field)
{
	char line[256];
	unsigned long kib;
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, field, strlen(field)) &&
		    sscanf(line + strlen(field), ": %lu", &kib) == 1)
			printf("meminfo.%s %lu\n", field, kib);
	if (file)
		fclose(file);
}

/* MiB of each kind of memory on each node, such as what only moves. */
static void zones(void)
{
	char line[256], zone[64];
	unsigned long pages;
	unsigned int node = 0;
	FILE *file = fopen("/proc/zoneinfo", "r");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %u, zone %63s", &node, zone) == 2)
			continue;
		if (sscanf(line, " present %lu", &pages) == 1 && pages)
			printf("zone.%u.%s %lu\n", node, zone, pages >> 8);
	}
	if (file)
		fclose(file);
}

/* Lines of the kernel's log: what it did with memory, and its complaints. */
static void kernel_log(void)
{
	static const char * const complaints[] = {
		"WARNING:", "BUG:", "Call Trace:", "PANIC:", "Oops",
	};
	static char log[1 << 20];
	long size = klogctl(3 /* read all */, log, sizeof(log) - 1);
	unsigned int found = 0;
	char *line;

	if (size < 0)
		return;
	log[size] = '\0';
	for (line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
		char *text = strstr(line, "mem auto-init: ");

		if (text)
			printf("auto_init %s\n", text + strlen("mem auto-init: "));
		for (size_t i = 0; i < ARRAY_SIZE(complaints); i++)
			found += !!strstr(line, complaints[i]);
	}
	printf("complaints %u\n", found);
}

/* On a stack of its own program: READ_IMPLIES_EXEC would be seen here. */
static void probes(int cpu)
{
	probe("int80", cpu, int80);
	probe("vsyscall_read", cpu, read_vsyscall);
	probe("vsyscall_call", cpu, call_vsyscall);
	probe("rdfsbase", cpu, fsgsbase);
	probe("osxsave", cpu, cpuid_osxsave);
	probe("xgetbv", cpu, xgetbv);
	probe("rdtsc", cpu, rdtsc);
	probe("sgdt", cpu, store_gdt);
	probe("stack_code", cpu, stack_is_executable);
}

int main(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	printf("online %ld\n", cpus);
	file_line("/sys/devices/system/cpu/possible", "possible");
	file_line("/sys/devices/system/cpu/smt/control", "smt");
	words("/proc/cpuinfo", "flags", "flag");
	words("/proc/cpuinfo", "bugs", "bug");
	words("/sys/devices/system/clocksource/clocksource0/available_clocksource",
	      "", "clocksource");
	file_line("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  "clocksource");
	file_line("/sys/kernel/mm/transparent_hugepage/enabled", "thp");
	file_line("/proc/sys/kernel/randomize_va_space", "randomize_va_space");
	file_line("/proc/sys/kernel/nmi_watchdog", "nmi_watchdog");
	file_line("/proc/sys/kernel/soft_watchdog", "soft_watchdog");
	file_line("/sys/kernel/debug/sched/preempt", "preempt");
	file_line("/sys/devices/system/cpu/isolated", "isolated");
	file_line("/sys/devices/system/cpu/nohz_full", "nohz_full");
	file_line("/sys/kernel/irq/default_smp_affinity", "irq_affinity");
	file_line("/sys/devices/system/node/online", "nodes");
	file_line("/sys/devices/system/cpu/cpuidle/current_driver", "idle_driver");
	file_line("/sys/devices/system/cpu/present", "present");
	file_line("/sys/kernel/debug/swiotlb/io_tlb_nslabs", "bounce_buffers");
	file_line("/sys/kernel/slab/kmalloc-64/red_zone", "slab_red_zone");
	file_line("/sys/kernel/slab/kmalloc-64/poison", "slab_poison");
	file_line("/sys/kernel/profiling", "profiling");
	file_line("/sys/module/workqueue/parameters/power_efficient",
		  "workqueue_power_efficient");
	file_line("/proc/sys/kernel/tainted", "tainted");
	file_line("/proc/sys/kernel/panic_on_warn", "panic_on_warn");
	file_line("/proc/sys/kernel/unknown_nmi_panic", "unknown_nmi_panic");
	file_line("/proc/sys/kernel/watchdog_thresh", "watchdog_thresh");
	file_line("/proc/sys/kernel/stack_tracer_enabled", "stack_tracer");
	file_line("/sys/kernel/debug/tracing/current_tracer", "tracer");
	each_file("/sys/devices/system/cpu/vulnerabilities", "vulnerability");
	memory();
	meminfo("HugePages_Total");
	meminfo("CmaTotal");
	meminfo("Hugepagesize");
	zones();
	kernel_log();
	probe("vdso", 0, vdso);
	probe("hwcap2", 0, hwcap2);
	probes(0);
	if (cpus > 1)
		probes(cpus - 1);
	return 0;
}
