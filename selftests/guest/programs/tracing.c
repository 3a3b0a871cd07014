// SPDX-License-Identifier: MIT
/*
 * Kernel code that patches itself while it runs: kprobes, function tracing and
 * static keys switched on and off on hot functions, from other tasks' view.
 */
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "guest.h"

#define TRACING "/sys/kernel/tracing/"
#define HOT "__x64_sys_getppid"
/* Entry stubs are aliases of one function; ftrace may know it by any name. */
#define HOT_GLOB "*sys_getppid*"
#define HOT_PART "sys_getppid"
#define CALLS 1000

FIXTURE(tracing)
{
	pid_t load;
};

FIXTURE_SETUP(tracing)
{
	if (access(TRACING "current_tracer", F_OK))
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	if (access(TRACING "current_tracer", F_OK))
		SKIP(return, "this kernel has no tracefs");
	/* Small buffers, so that reading them back takes no time. */
	ASSERT_EQ(0, write_file(TRACING "buffer_size_kb", "256"));
	self->load = 0;
}

FIXTURE_TEARDOWN(tracing)
{
	if (self->load) {
		kill(self->load, SIGKILL);
		waitpid(self->load, NULL, 0);
	}
	write_file(TRACING "current_tracer", "nop");
	write_file(TRACING "set_ftrace_filter", "");
	write_file(TRACING "events/enable", "0");
	write_file(TRACING "kprobe_events", "");
}

/* Call the hot function without end, so that it is patched while it runs. */
static pid_t start_load(void)
{
	pid_t pid = fork();

	if (!pid) {
		/* A failed test must not leave the thread running. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			syscall(SYS_getppid);
	}
	return pid;
}

/* How often probe @name was hit, by kprobe_profile; -1 when unknown. */
static long hits(const char *name)
{
	char text[4096];
	char *place;

	if (read_file(TRACING "kprobe_profile", text, sizeof(text)) < 0)
		return -1;
	place = strstr(text, name);
	return place ? atol(place + strlen(name)) : -1;
}

static void call_hot(void)
{
	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
}

/* Count the lines of the trace that name @what. */
static int traced(const char *what)
{
	FILE *trace = fopen(TRACING "trace", "r");
	char line[512];
	int count = 0;

	if (!trace)
		return -1;
	while (fgets(line, sizeof(line), trace))
		count += line[0] != '#' && strstr(line, what);
	fclose(trace);
	return count;
}

TEST_F(tracing, kprobe_counts_every_call)
{
	if (access(TRACING "kprobe_events", F_OK))
		SKIP(return, "this kernel has no kprobe events");
	ASSERT_EQ(0, write_file(TRACING "kprobe_events",
				"p:pvguest/hot " HOT "+0"));
	ASSERT_EQ(0, write_file(TRACING "events/pvguest/hot/enable", "1"));
	call_hot();
	EXPECT_EQ(CALLS, hits(" hot "));
	ASSERT_EQ(0, write_file(TRACING "events/pvguest/hot/enable", "0"));
	call_hot();
	EXPECT_EQ(CALLS, hits(" hot "));
}

TEST_F(tracing, return_probe_sees_the_result)
{
	char expected[64];

	if (access(TRACING "kprobe_events", F_OK))
		SKIP(return, "this kernel has no kprobe events");
	ASSERT_EQ(0, write_file(TRACING "kprobe_events",
				"r:pvguest/back " HOT " pid=$retval:u32"));
	ASSERT_EQ(0, write_file(TRACING "trace", ""));
	ASSERT_EQ(0, write_file(TRACING "events/pvguest/back/enable", "1"));
	call_hot();
	ASSERT_EQ(0, write_file(TRACING "events/pvguest/back/enable", "0"));
	EXPECT_EQ(CALLS, hits(" back "));
	snprintf(expected, sizeof(expected), "pid=%d", getppid());
	EXPECT_EQ(CALLS, traced(expected));
}

TEST_F(tracing, kprobe_inside_a_function)
{
	/* Not at the entry, where ftrace would serve: a breakpoint, stepped. */
	char text[64];
	int offset = 0;

	if (access(TRACING "kprobe_events", F_OK))
		SKIP(return, "this kernel has no kprobe events");
	for (int try = 5; try < 24 && !offset; try++) {
		snprintf(text, sizeof(text), "p:pvguest/inside %s+%d", HOT, try);
		if (!write_file(TRACING "kprobe_events", text))
			offset = try;
	}
	ASSERT_LT(0, offset);
	ASSERT_EQ(0, write_file(TRACING "events/pvguest/inside/enable", "1"));
	call_hot();
	EXPECT_LE(CALLS, hits(" inside "));
	EXPECT_EQ(getppid(), syscall(SYS_getppid));
}

TEST_F(tracing, kprobes_come_and_go_under_load)
{
	if (access(TRACING "kprobe_events", F_OK))
		SKIP(return, "this kernel has no kprobe events");
	self->load = start_load();
	ASSERT_LT(0, self->load);
	for (int i = 0; i < 15; i++) {
		ASSERT_EQ(0, write_file(TRACING "kprobe_events",
					"p:pvguest/hot " HOT "+0"));
		ASSERT_EQ(0, write_file(TRACING "events/pvguest/hot/enable",
					"1"));
		call_hot();
		ASSERT_LE(CALLS, hits(" hot "));
		ASSERT_EQ(0, write_file(TRACING "events/pvguest/hot/enable",
					"0"));
		ASSERT_EQ(0, write_file(TRACING "kprobe_events", ""));
	}
	EXPECT_EQ(0, kill(self->load, 0));
}

TEST_F(tracing, one_function)
{
	if (access(TRACING "set_ftrace_filter", F_OK))
		SKIP(return, "this kernel has no function tracer");
	ASSERT_EQ(0, write_file(TRACING "set_ftrace_filter", HOT_GLOB));
	ASSERT_EQ(0, write_file(TRACING "trace", ""));
	ASSERT_EQ(0, write_file(TRACING "current_tracer", "function"));
	call_hot();
	ASSERT_EQ(0, write_file(TRACING "tracing_on", "0"));
	EXPECT_LE(CALLS, traced(HOT_PART));
	ASSERT_EQ(0, write_file(TRACING "current_tracer", "nop"));
	ASSERT_EQ(0, write_file(TRACING "tracing_on", "1"));
	call_hot();
	EXPECT_EQ(0, traced(HOT_PART));
}

TEST_F(tracing, one_function_on_and_off_under_load)
{
	if (access(TRACING "set_ftrace_filter", F_OK))
		SKIP(return, "this kernel has no function tracer");
	self->load = start_load();
	ASSERT_LT(0, self->load);
	ASSERT_EQ(0, write_file(TRACING "set_ftrace_filter", HOT_GLOB));
	for (int i = 0; i < 15; i++) {
		ASSERT_EQ(0, write_file(TRACING "current_tracer", "function"));
		ASSERT_EQ(getppid(), syscall(SYS_getppid));
		ASSERT_EQ(0, write_file(TRACING "current_tracer", "nop"));
		ASSERT_EQ(getppid(), syscall(SYS_getppid));
	}
	EXPECT_EQ(0, kill(self->load, 0));
}

TEST_F(tracing, every_function)
{
	char tracers[256];
	char *fresh;
	pid_t pid;

	ASSERT_LT(0, read_file(TRACING "available_tracers", tracers,
			       sizeof(tracers)));
	if (!strstr(tracers, "function_graph"))
		SKIP(return, "this kernel has no graph tracer");
	/*
	 * Every function of the kernel is patched, and patched back.  The call
	 * that is looked for comes last; 30,000 more calls would overwrite it,
	 * as interrupts are traced as well.
	 */
	ASSERT_EQ(0, write_file(TRACING "buffer_size_kb", "2048"));
	fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, fresh);
	ASSERT_EQ(0, write_file(TRACING "current_tracer", "function_graph"));
	for (int i = 0; i < 5; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(0);
		ASSERT_EQ(0, exit_status(pid));
	}
	*(volatile char *)fresh = 1;
	ASSERT_EQ(0, write_file(TRACING "tracing_on", "0"));
	EXPECT_LT(0, traced("handle_mm_fault"));
	munmap(fresh, 4096);
	ASSERT_EQ(0, write_file(TRACING "current_tracer", "nop"));
	ASSERT_EQ(0, write_file(TRACING "tracing_on", "1"));
}

/* Whether the function tracer may be attached to @name; @list holds all, one a line. */
static bool can_be_traced(const char *list, const char *name)
{
	size_t length = strlen(name);
	const char *at = list;

	while ((at = strstr(at, name))) {
		if ((at == list || at[-1] == '\n') &&
		    (at[length] == '\n' || at[length] == ' '))
			return true;
		at += length;
	}
	return false;
}

/*
 * The idle loop, and the ways into the kernel and out of it, call these while
 * RCU does not look, so a tracer's data could go while it runs.
 */
TEST_F(tracing, functions_of_entry_code_are_not_traced)
{
	static const char *const called[] = {
		"pv_safe_halt", "pv_get_debugreg", "pv_set_debugreg",
		"pv_write_cr2",
	};
	const size_t size = 4 << 20;
	char *list;

	if (!on_pvguest())
		SKIP(return, "not our own kernel as a guest");
	if (access(TRACING "available_filter_functions", F_OK))
		SKIP(return, "this kernel has no function tracer");
	list = malloc(size);
	ASSERT_NE(NULL, list);
	ASSERT_LT(0, read_file(TRACING "available_filter_functions", list, size));
	/* The list has the port's functions at all. */
	EXPECT_TRUE(can_be_traced(list, "pv_set_pte"));
	for (unsigned int i = 0; i < ARRAY_SIZE(called); i++) {
		EXPECT_FALSE(can_be_traced(list, called[i])) {
			TH_LOG("%s", called[i]);
		}
	}
	free(list);
}

TEST_F(tracing, trace_points_under_load)
{
	if (access(TRACING "events/sched/enable", F_OK))
		SKIP(return, "this kernel has no trace points");
	self->load = start_load();
	ASSERT_LT(0, self->load);
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, write_file(TRACING "trace", ""));
		ASSERT_EQ(0, write_file(TRACING "events/sched/enable", "1"));
		for (int j = 0; j < 20; j++)
			sched_yield();
		usleep(2000);
		ASSERT_EQ(0, write_file(TRACING "events/sched/enable", "0"));
		ASSERT_LT(0, traced("sched_switch"));
	}
}

TEST_HARNESS_MAIN
