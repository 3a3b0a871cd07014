// SPDX-License-Identifier: MIT
/*
 * Several vCPUs change one address space at once: while one has the kernel
 * truncate, punch, write back, swap, reclaim, free, move, merge or protect
 * pages, by reverse mapping or by its own tables, others fork the process, take
 * faults in it, or end processes that have the same pages; also while a vCPU
 * goes off and on.  Every word of every page must hold what was written there.
 */
#include <linux/futex.h>

#include "disturb.h"

/* How many rounds of the worker at least, and passes of the disturber. */
#define ROUNDS 2
/* Times that a vCPU goes off and on meanwhile. */
#define CYCLES 2
#define CPU_ONLINE "/sys/devices/system/cpu/cpu1/online"
#define MOST_FAULTERS 16

static bool failed(const struct control *control)
{
	return __atomic_load_n(&control->complaints, __ATOMIC_ACQUIRE);
}

/* The disturber, a thread of the first process, mostly on vCPU 1. */

static void give_order(struct control *control, enum order order)
{
	__atomic_store_n(&control->order, order, __ATOMIC_RELEASE);
	syscall(SYS_futex, &control->order, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void *disturb(void *data)
{
	struct scene *scene = data;
	struct control *control = scene->control;
	const struct disturber *disturber = scene->disturber;
	int order, error;

	for (;;) {
		order = __atomic_load_n(&control->order, __ATOMIC_ACQUIRE);
		if (order == QUIT)
			return NULL;
		/* Fails while it is off. */
		run_on_cpu(1);
		if (order == HOLD) {
			__atomic_store_n(&control->held, true, __ATOMIC_RELEASE);
			if (disturber->serve) {
				disturber->serve(scene);
				sched_yield();
			} else {
				syscall(SYS_futex, &control->order, FUTEX_WAIT,
					HOLD, NULL, NULL, 0);
			}
			continue;
		}
		__atomic_store_n(&control->held, false, __ATOMIC_RELEASE);
		__atomic_fetch_add(&control->started, 1, __ATOMIC_RELEASE);
		error = disturber->pass(scene);
		if (error)
			complain(control, "%s: %s", disturber->name,
				 strerror(-error));
		__atomic_fetch_add(&control->passes, 1, __ATOMIC_RELEASE);
	}
}

/* Let it go on, and return in the middle of a pass. */
static void release(struct control *control)
{
	unsigned int before = READ_ONCE(control->started);

	give_order(control, RUN);
	while (__atomic_load_n(&control->started, __ATOMIC_ACQUIRE) == before)
		sched_yield();
}

static void hold(struct control *control)
{
	give_order(control, HOLD);
	while (!__atomic_load_n(&control->held, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void wait_for_pass(struct control *control)
{
	unsigned int before = READ_ONCE(control->passes);

	while (READ_ONCE(control->passes) == before &&
	       READ_ONCE(control->order) != QUIT)
		sched_yield();
}

/* vCPU 1 goes off and on, with a pass of the disturber in each state. */

static void *toggle(void *data)
{
	struct control *control = data;

	run_on_cpu(0);
	while (READ_ONCE(control->cycles) < CYCLES &&
	       READ_ONCE(control->order) != QUIT) {
		int error = set_online(1, false);

		if (!error) {
			wait_for_pass(control);
			error = set_online(1, true);
		}
		if (error) {
			complain(control, CPU_ONLINE ": %s", strerror(-error));
			break;
		}
		wait_for_pass(control);
		__atomic_fetch_add(&control->cycles, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* The children. */

struct children {
	pid_t pids[CHILDREN];
	int go[2], ready[2];
};

static int children_begin(struct children *children)
{
	memset(children, 0, sizeof(*children));
	return pipe(children->go) || pipe(children->ready) ? -errno : 0;
}

/* Make child number @slot, which runs @body and is not seen again. */
static void children_add(struct children *children, struct scene *scene,
			 int slot, __u32 generation,
			 void (*body)(struct children *children,
				      struct scene *scene, int slot,
				      __u32 generation))
{
	pid_t pid = fork();

	if (!pid) {
		close(children->go[1]);
		/* Fails if it is off. */
		run_on_cpu(slot % sysconf(_SC_NPROCESSORS_CONF));
		body(children, scene, slot, generation);
		_exit(0);
	}
	if (pid < 0)
		complain(scene->control, "fork: %s", strerror(errno));
	children->pids[slot] = pid;
	WRITE_ONCE(scene->control->targets[slot], pid > 0 ? pid : 0);
}

static void child_is_ready(struct children *children)
{
	if (write(children->ready[1], "", 1) != 1)
		_exit(2);
}

static void child_waits(struct children *children)
{
	char byte;

	/* Nothing comes: the other end is closed. */
	if (read(children->go[0], &byte, 1))
		_exit(3);
}

static void wait_until_ready(struct children *children, struct scene *scene)
{
	char byte;

	for (int i = 0; i < CHILDREN; i++)
		if (children->pids[i] > 0 && read(children->ready[0], &byte, 1) != 1)
			complain(scene->control, "a child was not ready");
}

/* Wait for the children, of which @signal ended every other one if it is not 0. */
static void children_end(struct children *children, struct scene *scene,
			 int signal)
{
	for (int i = 0; i < CHILDREN; i++) {
		int expected = signal && i % 2 ? 1000 + signal : 0;
		int status;

		if (children->pids[i] <= 0)
			continue;
		status = exit_status(children->pids[i]);
		WRITE_ONCE(scene->control->targets[i], 0);
		if (status != expected)
			complain(scene->control, "child %d ended with %d", i,
				 status);
	}
	close(children->go[0]);
	close(children->ready[0]);
	close(children->ready[1]);
}

/* Each worker does a round of its work, for as long as its name says. */
typedef void worker(struct scene *scene, __u32 generation);

/* fork: the children look at what they were given, at once and later. */

static void look_twice(struct children *children, struct scene *scene, int slot,
		       __u32 generation)
{
	bool good = areas_check_all(&scene->areas, LIVE);

	child_is_ready(children);
	child_waits(children);
	_exit(good && areas_check_all(&scene->areas, EXACT) ? 0 : 1);
}

static void fork_children(struct scene *scene, __u32 generation)
{
	struct control *control = scene->control;
	struct children children;

	if (children_begin(&children)) {
		complain(control, "pipe: %s", strerror(errno));
		return;
	}
	for (unsigned int i = 0; i < PAGES; i++) {
		areas_write(&scene->areas, ANON, i, generation);
		if (i % 2)
			areas_write(&scene->areas, PRIVATE, i, generation);
	}
	release(control);
	/* Every other time when pages are gone already that no child had. */
	if (generation % 2)
		wait_for_pass(control);
	for (int slot = 0; slot < CHILDREN; slot++)
		children_add(&children, scene, slot, generation, look_twice);
	wait_until_ready(&children, scene);
	hold(control);
	close(children.go[1]);
	children_end(&children, scene, 0);
}

/* exit: children with plenty of pages end, or are killed, all at once. */

static void own_and_wait(struct children *children, struct scene *scene,
			 int slot, __u32 generation)
{
	struct areas *areas = &scene->areas;
	bool good = areas_check_all(areas, EXACT);

	for (unsigned int i = 0; i < PAGES; i++) {
		__u64 *shared = (__u64 *)place_of(areas, SHARED, i);

		areas_write(areas, ANON, i, generation);
		if (i % 2)
			areas_write(areas, PRIVATE, i, generation);
		/* Only this process's entry knows so far that the page is dirty. */
		WRITE_ONCE(shared[CHILD + slot],
			   VALUE(TAG_CHILD + slot, i, generation));
	}
	good &= areas_check_all(areas, EXACT);
	child_is_ready(children);
	child_waits(children);
	_exit(good ? 0 : 1);
}

/* Whether @words, of @page, which they shared, are the ones that the children wrote last. */
static bool has_childrens_words(const struct scene *scene, unsigned int page,
				const __u64 *words, __u32 generation)
{
	bool loses = scene->areas.losses & FILE_LOSES && page >= KEPT;

	for (int slot = 0; slot < CHILDREN; slot++) {
		__u64 word = READ_ONCE(words[CHILD + slot]);

		if (word != VALUE(TAG_CHILD + slot, page, generation) &&
		    (word || !loses)) {
			complain(scene->control,
				 "page %u has %#llx from child %d, after generation %u",
				 page, (unsigned long long)word, slot, generation);
			return false;
		}
	}
	return true;
}

static void end_children(struct scene *scene, __u32 generation)
{
	struct control *control = scene->control;
	struct children children;

	if (children_begin(&children)) {
		complain(control, "pipe: %s", strerror(errno));
		return;
	}
	for (int slot = 0; slot < CHILDREN; slot++)
		children_add(&children, scene, slot, generation, own_and_wait);
	wait_until_ready(&children, scene);
	release(control);
	/* At another moment of the pass in each round. */
	for (unsigned int wait = 0; wait < generation % 16; wait++)
		sched_yield();
	for (int slot = 1; slot < CHILDREN; slot += 2)
		if (children.pids[slot] > 0)
			kill(children.pids[slot], SIGKILL);
	close(children.go[1]);
	children_end(&children, scene, SIGKILL);
	hold(control);
	for (unsigned int i = 0; i < PAGES && !failed(control); i++)
		has_childrens_words(scene, i, (const __u64 *)
				    place_of(&scene->areas, SHARED, i), generation);
}

/* fault: pages are thrown away, looked at and written to, by a thread on each other vCPU. */

struct faulter {
	pthread_t thread;
	struct scene *scene;
	int cpu;
	unsigned int first, count;
	__u32 generation;
};

static void *fault(void *data)
{
	struct faulter *faulter = data;
	struct areas *areas = &faulter->scene->areas;
	__u64 random = mix(faulter->generation) + faulter->cpu + 1;

	/* Fails if it is off. */
	run_on_cpu(faulter->cpu);
	for (int burst = 0; burst < 20; burst++) {
		enum kind kind = burst % KINDS;
		/* Pairs are written together. */
		unsigned int page = next_random(&random) % faulter->count & ~1U;
		unsigned int count = (next_random(&random) % 32 & ~1U) + 2;

		if (page + count > faulter->count)
			count = faulter->count - page;
		page += faulter->first;
		areas_check(areas, kind, page, count, LIVE);
		if (next_random(&random) % 2) {
			areas_drop(areas, kind, page, count);
			areas_check(areas, kind, page, count, LIVE);
		}
		for (unsigned int i = page; i < page + count; i++)
			if (kind != PRIVATE || i % 2)
				areas_write(areas, kind, i, faulter->generation);
		areas_check(areas, kind, page, count, LIVE);
	}
	return NULL;
}

static void fault_everywhere(struct scene *scene, __u32 generation)
{
	struct faulter faulters[MOST_FAULTERS];
	int cpus = sysconf(_SC_NPROCESSORS_CONF);
	/* One for the disturber. */
	int count = cpus - 1 < MOST_FAULTERS ? cpus - 1 : MOST_FAULTERS;
	int started = 1;

	for (int i = 0; i < count; i++) {
		unsigned int share = PAGES / count & ~1U;

		faulters[i] = (struct faulter){
			.scene = scene, .cpu = i ? i + 1 : 0,
			.first = i * share, .count = share,
			.generation = generation,
		};
	}
	release(scene->control);
	while (started < count && !pthread_create(&faulters[started].thread, NULL,
						  fault, &faulters[started]))
		started++;
	if (started < count)
		complain(scene->control, "only %d of %d threads", started, count);
	fault(&faulters[0]);
	while (started-- > 1)
		pthread_join(faulters[started].thread, NULL);
	hold(scene->control);
}

/* Whether the device holds what the pages of its file do, without a look at these. */
static void check_device(struct scene *scene)
{
	static __u64 page[PAGE / sizeof(__u64)] __attribute__((aligned(PAGE)));
	int fd = open(scene->loop.path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd < 0 || fdatasync(scene->fd))
		complain(scene->control, "device: %s", strerror(errno));
	for (unsigned int i = 0; i < PAGES && !failed(scene->control); i++) {
		const __u64 *mapped = (__u64 *)place_of(&scene->areas, SHARED, i);

		if (pread(fd, page, PAGE, i * PAGE) != (ssize_t)PAGE)
			complain(scene->control, "device: page %u is not read", i);
		else if (memcmp(page, mapped, PAGE))
			complain(scene->control,
				 "device: page %u lacks what was written to it", i);
	}
	close(fd);
}

static int scene_open(struct scene *scene, const struct disturber *disturber)
{
	int error;

	*scene = (struct scene){ .disturber = disturber, .fd = -1, .loop.fd = -1,
				 .random = 1 };
	scene->control = mmap(NULL, sizeof(*scene->control), READ_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene->control == MAP_FAILED)
		return -errno;
	if (disturber->on_device) {
		error = loop_open(&scene->loop, PAGES);
		scene->fd = scene->loop.fd;
	} else {
		scene->fd = memfd_create("concurrency", MFD_CLOEXEC);
		error = scene->fd < 0 || ftruncate(scene->fd, PAGES * PAGE) ?
			-errno : 0;
	}
	scene->areas.control = scene->control;
	scene->areas.losses = disturber->losses;
	error = error ?: areas_map(&scene->areas, scene->fd) ?:
		catch_bus_errors();
	if (!error && disturber->set_up)
		error = disturber->set_up(scene);
	if (error)
		return error;
	error = -pthread_create(&scene->thread, NULL, disturb, scene);
	scene->has_thread = !error;
	return error;
}

/* The first contents of everything. */
static void scene_fill(struct scene *scene)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		areas_write(&scene->areas, SHARED, i, 1);
		areas_write(&scene->areas, ANON, i, 1);
		if (i % 2)
			areas_write(&scene->areas, PRIVATE, i, 1);
	}
	stamp_file(scene);
	areas_check_all(&scene->areas, EXACT);
}

static int scene_close(struct scene *scene)
{
	int error = 0;

	give_order(scene->control, QUIT);
	if (scene->has_toggler)
		pthread_join(scene->toggler, NULL);
	if (scene->has_thread)
		pthread_join(scene->thread, NULL);
	if (scene->disturber->undo)
		error = scene->disturber->undo(scene);
	if (scene->disturber->on_device) {
		for (unsigned int i = 0; i < KINDS * PIECES; i++)
			munmap(scene->areas.base + i * SPAN, DENSE * PAGE);
		error = loop_close(&scene->loop);
	}
	return error;
}

/* How often each; PVGUEST_ROUNDS has the last word. */
static unsigned int rounds(void)
{
	const char *text = getenv("PVGUEST_ROUNDS");

	return text && atoi(text) > 0 ? atoi(text) : ROUNDS;
}

/* Rounds of @work until worker, disturber and vCPU have each had enough, or one failed. */
static void scene_play(struct scene *scene, worker *work)
{
	struct control *control = scene->control;
	const char *evidence = scene->disturber->evidence;
	unsigned long before = evidence ? vmstat(evidence) : 0;
	unsigned int round = 0;

	while (!failed(control) &&
	       (round < rounds() || READ_ONCE(control->passes) < rounds() ||
		(scene->has_toggler && READ_ONCE(control->cycles) < CYCLES))) {
		run_on_cpu(0);
		work(scene, 2 + round++);
		areas_check_all(&scene->areas, EXACT);
		if (scene->disturber->on_device)
			check_device(scene);
	}
	if (evidence)
		scene->seen = vmstat(evidence) - before;
}

FIXTURE(concurrency)
{
	struct scene scene;
};

/* @brief: also where PVGUEST_LONG is not set. */
FIXTURE_VARIANT(concurrency)
{
	enum which disturber;
	worker *work;
	bool brief;
};

#define DURING(name, which, worker, work, brief)				\
	FIXTURE_VARIANT_ADD(concurrency, name##_##worker) { which, work, brief }

DURING(truncate, TRUNCATE, fork, fork_children, true);
DURING(truncate, TRUNCATE, fault, fault_everywhere, false);
DURING(truncate, TRUNCATE, exit, end_children, true);
DURING(punch, PUNCH, fork, fork_children, true);
DURING(punch, PUNCH, fault, fault_everywhere, false);
DURING(punch, PUNCH, exit, end_children, true);
DURING(writeback, WRITEBACK, fork, fork_children, false);
DURING(writeback, WRITEBACK, fault, fault_everywhere, false);
DURING(writeback, WRITEBACK, exit, end_children, false);
DURING(swap, SWAP, fork, fork_children, true);
DURING(swap, SWAP, fault, fault_everywhere, false);
DURING(swap, SWAP, exit, end_children, true);
DURING(lazyfree, LAZYFREE, fork, fork_children, false);
DURING(lazyfree, LAZYFREE, fault, fault_everywhere, false);
DURING(lazyfree, LAZYFREE, exit, end_children, false);
DURING(reclaim, RECLAIM, fork, fork_children, false);
DURING(reclaim, RECLAIM, fault, fault_everywhere, false);
DURING(reclaim, RECLAIM, exit, end_children, false);
DURING(compact, COMPACT, fork, fork_children, false);
DURING(compact, COMPACT, fault, fault_everywhere, false);
DURING(compact, COMPACT, exit, end_children, false);
DURING(migrate, MIGRATE, fork, fork_children, false);
DURING(migrate, MIGRATE, fault, fault_everywhere, false);
DURING(migrate, MIGRATE, exit, end_children, false);
DURING(ksm, KSM_MERGE, fork, fork_children, false);
DURING(ksm, KSM_MERGE, fault, fault_everywhere, false);
DURING(ksm, KSM_MERGE, exit, end_children, false);
DURING(uffd, UFFD, fork, fork_children, false);
DURING(uffd, UFFD, fault, fault_everywhere, false);
DURING(uffd, UFFD, exit, end_children, false);

FIXTURE_SETUP(concurrency)
{
	const struct disturber *disturber = &disturbers[variant->disturber];
	const char *missing;

	if (online_cpus() < 2)
		SKIP(return, "one processor only");
	if (!variant->brief && !getenv("PVGUEST_LONG"))
		SKIP(return, "only with PVGUEST_LONG=1");
	missing = disturber->missing ? disturber->missing() : NULL;
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, run_on_cpu(0));
	ASSERT_EQ(0, scene_open(&self->scene, disturber));
	scene_fill(&self->scene);
}

FIXTURE_TEARDOWN(concurrency)
{
	EXPECT_EQ(0, scene_close(&self->scene));
	EXPECT_STREQ("", self->scene.control->complaint);
}

TEST_F(concurrency, every_vcpu_stays)
{
	scene_play(&self->scene, variant->work);
	EXPECT_LT(0, self->scene.seen);
}

TEST_F(concurrency, a_vcpu_goes_and_comes)
{
	struct scene *scene = &self->scene;

	if (access(CPU_ONLINE, W_OK))
		SKIP(return, "vCPU 1 cannot be switched off");
	scene->has_toggler = !pthread_create(&scene->toggler, NULL, toggle,
					     scene->control);
	ASSERT_TRUE(scene->has_toggler);
	scene_play(scene, variant->work);
	EXPECT_LT(0, scene->seen);
	EXPECT_EQ(1, number_in(CPU_ONLINE));
}

TEST_HARNESS_MAIN
