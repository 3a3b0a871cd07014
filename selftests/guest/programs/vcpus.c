// SPDX-License-Identifier: MIT
/*
 * Each vCPU, the boot vCPU or not, before and after it was switched off: the
 * kernel can use I/O ports on it, and NMIs come more than once.
 */
#include "guest.h"

#include <sys/klog.h>

#define PARAMETERS "/sys/module/pvguest_vcpu_test/parameters/"
/* Of syslog(2). */
#define CONSOLE_OFF 6
#define CONSOLE_ON 7

static int set_number(const char *path, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	return write_file(path, text);
}

FIXTURE(vcpus)
{
	int loaded;
	int cpus;
};

FIXTURE_SETUP(vcpus)
{
	self->cpus = online_cpus();
	self->loaded = 1;
	if (self->cpus < 2)
		SKIP(return, "one processor only");
	self->loaded = load_module("pvguest_vcpu_test", "");
	if (self->loaded == -ENOENT)
		SKIP(return, "pvguest_vcpu_test.ko was not built for this kernel");
	ASSERT_EQ(0, self->loaded);
}

FIXTURE_TEARDOWN(vcpus)
{
	if (!self->loaded)
		EXPECT_EQ(0, unload_module("pvguest_vcpu_test"));
}

TEST_F(vcpus, kernel_reads_a_port_on_each)
{
	for (int cpu = 0; cpu < self->cpus; cpu++) {
		EXPECT_EQ(0, set_number(PARAMETERS "read_port", cpu)) {
			TH_LOG("processor %d", cpu);
		}
	}
}

TEST_F(vcpus, kernel_reads_a_port_on_one_that_was_off)
{
	int last = self->cpus - 1;

	ASSERT_EQ(0, set_online(last, false));
	EXPECT_EQ(-ENXIO, set_number(PARAMETERS "read_port", last));
	ASSERT_EQ(0, set_online(last, true));
	EXPECT_EQ(0, set_number(PARAMETERS "read_port", last));
}

/* A kernel with DEBUG_PREEMPT would complain if this depended on the processor. */
TEST_F(vcpus, kernel_reads_cpuid_wherever_it_is)
{
	EXPECT_EQ(0, set_number(PARAMETERS "read_cpuid", 1));
}

/* Have every processor show where it is; whether @expected was said of it. */
static bool backtraces_say(const char *expected)
{
	char record[8192];
	bool said = false;
	ssize_t length;
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return false;
	lseek(fd, 0, SEEK_END);
	/*
	 * Not to the console: results pass over it as well, in the initial domain, and
	 * the hypervisor takes lines of more than 127 characters in parts.
	 */
	klogctl(CONSOLE_OFF, NULL, 0);
	write_file("/proc/sysrq-trigger", "l");
	klogctl(CONSOLE_ON, NULL, 0);
	for (;;) {
		length = read(fd, record, sizeof(record) - 1);
		/* EPIPE: older records were overwritten meanwhile. */
		if (length < 0 && errno == EPIPE)
			continue;
		if (length <= 0)
			break;
		record[length] = '\0';
		said |= !!strstr(record, expected);
	}
	close(fd);
	return said;
}

/*
 * The line that announces them is on the console whatever its level, 16 characters at a
 * time: process 1, which sends the results there, must not write between two of these.
 */
TEST_F(vcpus, an_idle_one_shows_where_it_is_again_and_again)
{
	cpu_set_t before, first;
	char expected[64];

	snprintf(expected, sizeof(expected), "NMI backtrace for cpu %d",
		 self->cpus - 1);
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	ASSERT_EQ(0, sched_getaffinity(1, sizeof(before), &before));
	ASSERT_EQ(0, sched_setaffinity(1, sizeof(first), &first));
	/* The others have nothing to do. */
	ASSERT_EQ(0, run_on_cpu(0));
	for (int i = 0; i < 5; i++) {
		EXPECT_TRUE(backtraces_say(expected)) {
			TH_LOG("round %d: no \"%s\"", i, expected);
		}
	}
	EXPECT_EQ(0, sched_setaffinity(1, sizeof(before), &before));
}

TEST_HARNESS_MAIN
