// SPDX-License-Identifier: MIT
/*
 * The system as a whole: memory complete and mapped once, no page both writable
 * and executable, interrupts counted, the hypervisor and our own counters
 * reported, and no fault in the kernel's log.
 */
#include <pthread.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/sysinfo.h>

#include "guest.h"

#define DEBUG_FOLDER "/sys/kernel/debug/pvguest/"
#define LOG_READ_ALL 3
#define LOG_SIZE 10

/* The kernel's log as a string that the caller frees. */
static char *kernel_log(void)
{
	int size = klogctl(LOG_SIZE, NULL, 0);
	char *text = size > 0 ? malloc(size + 1) : NULL;
	int length = text ? klogctl(LOG_READ_ALL, text, size) : -1;

	if (length < 0) {
		free(text);
		return NULL;
	}
	text[length] = '\0';
	return text;
}

TEST(half_of_free_memory_holds_what_is_written)
{
	struct sysinfo info;
	unsigned long length;
	char *start;

	ASSERT_EQ(0, sysinfo(&info));
	length = (info.freeram * info.mem_unit / 2) & -PAGE;
	ASSERT_LT(16UL << 20, length);
	start = mmap(NULL, length, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, start);
	/* Two pages on one frame would show the later stamp in both. */
	for (unsigned long at = 0; at < length; at += PAGE)
		stamp_page(start + at, at);
	for (unsigned long at = 0; at < length; at += PAGE) {
		ASSERT_TRUE(page_has_stamp(start + at, at)) {
			TH_LOG("page %lu of %lu", at / PAGE, length / PAGE);
		}
	}
}

TEST(no_page_is_writable_and_executable)
{
	char *log;
	char *verdict;

	if (!kernel_has("DEBUG_WX"))
		SKIP(return, "this kernel was built without CONFIG_DEBUG_WX");
	log = kernel_log();
	ASSERT_NE(NULL, log);
	verdict = strstr(log, "Checked W+X mappings");
	ASSERT_NE(NULL, verdict);
	verdict[strcspn(verdict, "\n")] = '\0';
	EXPECT_EQ(0, strncmp(verdict, "Checked W+X mappings: passed", 28)) {
		TH_LOG("%s", verdict);
	}
	free(log);
}

/* The number after @name at the start of a line of @path, or -1. */
static long counter(const char *path, const char *name)
{
	static char text[65536];
	size_t length = strlen(name);

	if (read_file(path, text, sizeof(text)) < 0)
		return -1;
	for (char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, length) && line[length] == ' ')
			return atol(line + length);
	}
	return -1;
}

TEST(interrupts_are_counted)
{
	struct timespec nap = { 0, 100000000 };
	static char text[65536];
	long before = counter("/proc/stat", "intr");
	int columns = 0;

	ASSERT_LT(0, before);
	ASSERT_EQ(0, nanosleep(&nap, NULL));
	EXPECT_LT(before, counter("/proc/stat", "intr"));
	ASSERT_LT(0, read_file("/proc/interrupts", text, sizeof(text)));
	for (char *place = strstr(text, "CPU"); place && *place != '\n';
	     place = strpbrk(place + 1, "C\n"))
		columns += !strncmp(place, "CPU", 3);
	EXPECT_EQ(online_cpus(), columns);
}

TEST(load_of_interrupts_is_sane)
{
	/* An idle second without a storm: an event that stays raised is one. */
	struct timespec nap = { 1, 0 };
	__u64 start = now_ns(CLOCK_MONOTONIC), milliseconds;
	long before = counter("/proc/stat", "intr"), after;

	ASSERT_EQ(0, nanosleep(&nap, NULL));
	after = counter("/proc/stat", "intr");
	milliseconds = (now_ns(CLOCK_MONOTONIC) - start) / 1000000;
	EXPECT_GT(before + 5L * online_cpus() * (long)milliseconds, after);
}

TEST(hypervisor_is_named)
{
	char text[64];

	if (access("/sys/hypervisor/type", F_OK)) {
		EXPECT_FALSE(kernel_has("PVGUEST") &&
			     !access(DEBUG_FOLDER, F_OK));
		SKIP(return, "no hypervisor under this kernel");
	}
	ASSERT_LT(0, read_file("/sys/hypervisor/type", text, sizeof(text)));
	EXPECT_EQ(0, strcmp(text, "xen\n"));
	ASSERT_LT(0, read_file("/sys/hypervisor/version/major", text,
			       sizeof(text)));
	EXPECT_LE(4, atoi(text));
	ASSERT_LT(0, read_file("/sys/hypervisor/version/minor", text,
			       sizeof(text)));
	EXPECT_LE(0, atoi(text));
}

TEST(own_counters_count)
{
	struct {
		const char *file;
		const char *name;
	} rising[] = {
		{ DEBUG_FOLDER "hypercalls", "mmu_update" },
		{ DEBUG_FOLDER "hypercalls", "mmuext_op" },
	};
	long before[ARRAY_SIZE(rising)];

	if (!on_pvguest())
		SKIP(return, "not our own kernel as a guest");
	if (access("/sys/kernel/debug/pvguest", F_OK))
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(rising); i++) {
		before[i] = counter(rising[i].file, rising[i].name);
		ASSERT_LE(0, before[i]) {
			TH_LOG("%s has no %s", rising[i].file, rising[i].name);
		}
	}
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid)
			_exit(0);
		ASSERT_EQ(0, exit_status(pid));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(rising); i++) {
		EXPECT_LT(before[i], counter(rising[i].file, rising[i].name)) {
			TH_LOG("%s did not change over twenty forks",
			       rising[i].name);
		}
	}
}

TEST(features_a_guest_cannot_use_are_hidden)
{
	static const char *const hidden[] = { " pcid ", " monitor " };
	static char text[65536];
	char *flags;

	if (!on_pvguest())
		SKIP(return, "not our own kernel as a guest");
	ASSERT_LT(0, read_file("/proc/cpuinfo", text, sizeof(text)));
	flags = strstr(text, "flags");
	ASSERT_NE(NULL, flags);
	flags[strcspn(flags, "\n")] = '\0';
	EXPECT_NE(NULL, strstr(flags, " nx "));
	for (unsigned int i = 0; i < ARRAY_SIZE(hidden); i++) {
		EXPECT_EQ(NULL, strstr(flags, hidden[i])) {
			TH_LOG("%s is offered", hidden[i]);
		}
	}
}

TEST(kernel_log_is_clean)
{
	static const char *const bad[] = {
		"BUG:", "WARNING:", "Call Trace:", "Oops", "INFO: rcu",
		"soft lockup", "nobody cared", "Bad page", "bad pmd",
		"general protection fault, ", "unable to handle",
		"UBSAN:", "INFO: task", "INFO: possible",
		"INFO: trying to register", "INFO: suspicious",
	};
	char *log;

	if (!access("/sys/hypervisor/type", F_OK) && !on_pvguest())
		SKIP(return, "messages of Linux's own port are not tested");
	log = kernel_log();
	ASSERT_NE(NULL, log);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		char *place = strstr(log, bad[i]);

		EXPECT_EQ(NULL, place) {
			place[strcspn(place, "\n")] = '\0';
			TH_LOG("%s", place);
		}
	}
	free(log);
}

TEST_HARNESS_MAIN
