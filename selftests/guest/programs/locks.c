// SPDX-License-Identifier: MIT
/*
 * Spinning locks of the kernel, for which all vCPUs come at once where there are
 * fewer processors: a vCPU that has to wait gives its processor away.
 */
#include <pthread.h>
#include <sys/mount.h>

#include "guest.h"

#define COUNTERS "/sys/kernel/debug/pvguest/locks"
#define MAX_CPUS 64
/* Locks of the file: a look at all of them is one hold of the kernel's lock. */
#define LOCKS 1000
/* Looks of each vCPU in one go. */
#define LOOKS 100
#define COMINGS 5
/* Goes: fair native locks take seconds for each where vCPUs share processors. */
#define GOES 2

struct worker {
	pthread_t thread;
	int cpu;
	int fd;
	unsigned int looks;
	const bool *stop;
	bool wrong;
};

FIXTURE(contended)
{
	int fd;
	int cpus;
};

/* The lock of the byte at @place, as @command (of fcntl) has it; 0 or -1. */
static int lock_of_byte(int fd, int command, off_t place, struct flock *lock)
{
	*lock = (struct flock) {
		.l_type = F_WRLCK, .l_whence = SEEK_SET,
		.l_start = place, .l_len = 1,
	};
	return fcntl(fd, command, lock);
}

FIXTURE_SETUP(contended)
{
	char path[] = "/tmp/locksXXXXXX";
	struct flock lock;

	self->cpus = online_cpus();
	if (self->cpus < 2 || self->cpus > MAX_CPUS)
		SKIP(return, "needs 2 to 64 processors");
	if (access("/sys/kernel/debug/pvguest", F_OK))
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	self->fd = mkstemp(path);
	ASSERT_LE(0, self->fd);
	unlink(path);
	/* Every second byte: neighbours would become one. */
	for (off_t i = 0; i < LOCKS; i++)
		ASSERT_EQ(0, lock_of_byte(self->fd, F_SETLK, 2 * i, &lock));
}

FIXTURE_TEARDOWN(contended)
{
	close(self->fd);
}

/* The number after @name in our own counters, or -1. */
static long counted(const char *name)
{
	char text[256], *at;

	if (read_file(COUNTERS, text, sizeof(text)) < 0)
		return -1;
	at = strstr(text, name);
	return at ? atol(at + strlen(name)) : -1;
}

static bool native_locks(void)
{
	char text[4096];

	return read_file("/proc/cmdline", text, sizeof(text)) > 0 &&
	       strstr(text, "nopvspin");
}

/* The kernel holds the file's lock while it goes through all locks of bytes. */
static void *look(void *data)
{
	struct worker *worker = data;
	struct flock lock;

	for (unsigned int i = 0; worker->stop ? !READ_ONCE(*worker->stop) :
						i < worker->looks; i++) {
		/* Again and again, as its processor may go and come. */
		if (i % LOOKS == 0)
			run_on_cpu(worker->cpu);
		if (lock_of_byte(worker->fd, F_GETLK, 2 * LOCKS, &lock) ||
		    lock.l_type != F_UNLCK)
			worker->wrong = true;
	}
	return NULL;
}

static int start(struct worker *workers, int cpus, int fd,
		 const bool *stop)
{
	int error = 0;

	for (int cpu = 0; cpu < cpus && !error; cpu++) {
		workers[cpu] = (struct worker) {
			.cpu = cpu, .fd = fd, .looks = LOOKS, .stop = stop,
		};
		error = pthread_create(&workers[cpu].thread, NULL, look,
				       &workers[cpu]);
	}
	return error;
}

/* Whether every look of the workers, who come to an end, was right. */
static bool finish(struct worker *workers, int cpus)
{
	bool right = true;

	for (int cpu = 0; cpu < cpus; cpu++) {
		pthread_join(workers[cpu].thread, NULL);
		right = right && !workers[cpu].wrong;
	}
	return right;
}

TEST_F(contended, every_look_ends)
{
	struct worker workers[MAX_CPUS];
	__u64 begin = now_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < GOES; i++) {
		ASSERT_EQ(0, start(workers, self->cpus, self->fd, NULL));
		EXPECT_TRUE(finish(workers, self->cpus));
	}
	TH_LOG("%d looks in %llu ms", GOES * LOOKS * self->cpus,
	       (now_ns(CLOCK_MONOTONIC) - begin) / 1000000);
}

TEST_F(contended, waits_and_kicks_are_made)
{
	struct worker workers[MAX_CPUS];
	long waits = counted("wait "), kicks = counted("kick ");

	if (!on_pvguest() || native_locks() || !kernel_has("PARAVIRT_SPINLOCKS"))
		SKIP(return, "not our locks");
	ASSERT_LE(0, waits);
	ASSERT_LE(0, kicks);
	/* As long as it takes: the scheduler below decides who has to wait. */
	while (counted("wait ") == waits || counted("kick ") == kicks) {
		ASSERT_EQ(0, start(workers, self->cpus, self->fd, NULL));
		ASSERT_TRUE(finish(workers, self->cpus));
	}
	TH_LOG("since boot: %ld waits, %ld kicks", counted("wait "),
	       counted("kick "));
}

TEST_F(contended, native_locks_make_none)
{
	struct worker workers[MAX_CPUS];

	if (!on_pvguest() || !native_locks())
		SKIP(return, "only with nopvspin");
	ASSERT_EQ(0, start(workers, self->cpus, self->fd, NULL));
	EXPECT_TRUE(finish(workers, self->cpus));
	EXPECT_EQ(0, counted("wait "));
	EXPECT_EQ(0, counted("kick "));
}

TEST_F(contended, a_processor_goes_and_comes)
{
	struct worker workers[MAX_CPUS];
	int last = self->cpus - 1;
	bool stop = false;

	ASSERT_EQ(0, start(workers, self->cpus, self->fd, &stop));
	for (int i = 0; i < COMINGS; i++) {
		ASSERT_EQ(0, set_online(last, false));
		ASSERT_EQ(0, set_online(last, true));
	}
	WRITE_ONCE(stop, true);
	EXPECT_TRUE(finish(workers, self->cpus));
	EXPECT_EQ(self->cpus, online_cpus());
}

TEST_HARNESS_MAIN
