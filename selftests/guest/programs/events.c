// SPDX-License-Identifier: MIT
/*
 * No event is lost: not while its interrupt moves between processors, not when
 * a processor goes, not while the interrupt is disabled.
 */
#include <pthread.h>
#include <semaphore.h>
#include <sys/mount.h>

#include "guest.h"

#define MODULE "pvguest_event_test"
#define PARAMETERS "/sys/module/" MODULE "/parameters/"

FIXTURE(channel)
{
	int loaded;
	int irq;
	int cpus;
};

/* The event ABI in use, as our own counters name it. */
static const char *event_abi(void)
{
	static char text[4096];
	char *end;

	if (access("/sys/kernel/debug/pvguest", F_OK))
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (read_file("/sys/kernel/debug/pvguest/events", text,
		      sizeof(text)) < 0 || strncmp(text, "abi ", 4))
		return "unknown";
	end = strchr(text, '\n');
	if (end)
		*end = '\0';
	return text + 4;
}

FIXTURE_SETUP(channel)
{
	char text[32];

	self->cpus = online_cpus();
	self->loaded = 1;
	if (!on_pvguest())
		SKIP(return, "not our own kernel as a guest");
	self->loaded = load_module(MODULE, "");
	ASSERT_EQ(0, self->loaded);
	ASSERT_LT(0, read_file(PARAMETERS "near_irq", text, sizeof(text)));
	self->irq = atoi(text);
	TH_LOG("%s events", event_abi());
}

FIXTURE_TEARDOWN(channel)
{
	if (!self->loaded)
		EXPECT_EQ(0, unload_module(MODULE));
}

static int send_events(int count)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", count);
	return write_file(PARAMETERS "send", text);
}

/* Have @irq handled by @cpu; 0 or -errno. */
static int move(int irq, int cpu)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "/proc/irq/%d/smp_affinity_list", irq);
	snprintf(text, sizeof(text), "%d", cpu);
	return write_file(path, text);
}

TEST_F(channel, events_come)
{
	EXPECT_EQ(0, send_events(1000));
}

TEST_F(channel, an_event_while_disabled_comes_when_enabled)
{
	char text[16];

	for (int cpu = 0; cpu < self->cpus; cpu++) {
		ASSERT_EQ(0, move(self->irq, cpu));
		snprintf(text, sizeof(text), "%d", cpu);
		for (int i = 0; i < 20; i++)
			ASSERT_EQ(0, write_file(PARAMETERS "miss", text));
	}
}

struct mover {
	pthread_t thread;
	int irq;
	int cpus;
	bool stop;
	__u64 moves;
	int error;
};

static void *keep_moving(void *data)
{
	struct mover *mover = data;

	for (int i = 0; !__atomic_load_n(&mover->stop, __ATOMIC_ACQUIRE); i++) {
		mover->error |= move(mover->irq, i % mover->cpus);
		WRITE_ONCE(mover->moves, mover->moves + 1);
	}
	return NULL;
}

TEST_F(channel, no_event_is_lost_while_the_interrupt_moves)
{
	struct mover mover = { .irq = self->irq, .cpus = self->cpus };

	if (self->cpus < 2)
		SKIP(return, "one processor only");
	ASSERT_EQ(0, pthread_create(&mover.thread, NULL, keep_moving, &mover));
	/* Until there have been enough of both, whichever is the slower. */
	do {
		ASSERT_EQ(0, send_events(500));
	} while (READ_ONCE(mover.moves) < 2000);
	__atomic_store_n(&mover.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(mover.thread, NULL));
	EXPECT_EQ(0, mover.error);
}

struct sender {
	pthread_t thread;
	sem_t sent;
	bool stop;
	int error;
};

static void *keep_sending(void *data)
{
	struct sender *sender = data;

	while (!__atomic_load_n(&sender->stop, __ATOMIC_ACQUIRE)) {
		sender->error |= send_events(20);
		sem_post(&sender->sent);
	}
	return NULL;
}

/* Until events have been sent and handled that were not begun yet. */
static void wait_for_events(struct sender *sender)
{
	while (!sem_trywait(&sender->sent))
		;
	for (int i = 0; i < 2; i++)
		while (sem_wait(&sender->sent))
			;
}

TEST_F(channel, no_event_is_lost_when_its_processor_goes)
{
	struct sender sender = { };

	if (self->cpus < 2)
		SKIP(return, "one processor only");
	ASSERT_EQ(0, sem_init(&sender.sent, 0, 0));
	ASSERT_EQ(0, pthread_create(&sender.thread, NULL, keep_sending,
				    &sender));
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, move(self->irq, self->cpus - 1));
		wait_for_events(&sender);
		ASSERT_EQ(0, set_online(self->cpus - 1, false));
		wait_for_events(&sender);
		ASSERT_EQ(0, set_online(self->cpus - 1, true));
	}
	__atomic_store_n(&sender.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(sender.thread, NULL));
	EXPECT_EQ(0, sender.error);
}

TEST_HARNESS_MAIN
