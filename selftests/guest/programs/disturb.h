/* SPDX-License-Identifier: MIT */
/*
 * For the program concurrency: the disturbers, each of which has the kernel take
 * away, clean, move, merge or protect pages of the areas, and proves that it did.
 */
#ifndef PVGUEST_SELFTESTS_GUEST_DISTURB_H
#define PVGUEST_SELFTESTS_GUEST_DISTURB_H

#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/uio.h>

#include "areas.h"
#include "loop.h"

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

#define SWAP_PAGES 4096
#define SPARE (4096 * PAGE)
#define KSM "/sys/kernel/mm/ksm/"
#define NODES "/sys/devices/system/node/"
#define CGROUPS "/sys/fs/cgroup"
#define CGROUP CGROUPS "/pvguest-concurrency"

struct scene;

/**
 * struct disturber - one way to change the pages of several processes
 * @losses: what they lose by it, enum losses
 * @on_device: the file is a block device, because others need no write-back
 * @missing: why this kernel cannot do it, or NULL
 * @set_up: after the areas are mapped and before they are written; 0 or -errno
 * @pass: do it once, on its vCPU; 0 or -errno
 * @serve: answer who waits for an answer, while no pass is run
 * @undo: what set_up did; 0 or -errno
 * @evidence: a number that grows as the kernel does it, from this line of /proc/vmstat;
 *	or NULL, where the passes count
 */
struct disturber {
	const char *name;
	int losses;
	bool on_device;
	const char *(*missing)(void);
	int (*set_up)(struct scene *scene);
	int (*pass)(struct scene *scene);
	void (*serve)(struct scene *scene);
	int (*undo)(struct scene *scene);
	const char *evidence;
};

/**
 * struct scene - a test
 * @control: what its processes share
 * @areas: the memory
 * @fd: the file of SHARED and PRIVATE
 * @loop: its block device, or the one for swap
 * @random: the disturber's numbers
 * @spare: memory to free, so that there is somewhere to go
 * @uffds: userfaultfds of the first process and of its children
 * @watched: how many
 * @seen: what the passes counted
 */
struct scene {
	const struct disturber *disturber;
	struct control *control;
	struct areas areas;
	int fd;
	struct loop loop;
	pthread_t thread, toggler;
	bool has_thread, has_toggler;
	__u64 random;
	char *spare;
	int uffds[CHILDREN * 2 + 1];
	unsigned int watched;
	unsigned long seen;
};

/* The number in the line of /proc/vmstat that begins with @name. */
static inline unsigned long vmstat(const char *name)
{
	char text[16384], start[64];
	char *line;

	if (read_file("/proc/vmstat", text, sizeof(text)) < 0)
		return 0;
	snprintf(start, sizeof(start), "\n%s ", name);
	line = strstr(text, start);
	return line ? strtoul(line + strlen(start), NULL, 10) : 0;
}

static inline long number_in(const char *path)
{
	char text[32];

	return read_file(path, text, sizeof(text)) < 0 ? -1 : atol(text);
}

/* The file: truncated, holes punched, written back. */

/* A new generation in all pages of the file, by way of the mapping. */
static inline void stamp_file(struct scene *scene)
{
	struct control *control = scene->control;
	__u32 generation = control->file_now + 1;

	__atomic_store_n(&control->file_now, generation, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < PAGES; i++) {
		__u64 *page = (__u64 *)place_of(&scene->areas, SHARED, i);

		WRITE_ONCE(page[FRONT], VALUE(TAG_FILE, i, generation));
		WRITE_ONCE(page[BACK], VALUE(TAG_FILE, i, generation));
		WRITE_ONCE(control->file[i], generation);
	}
}

/* Note that the file lost @count pages from @page on, if it did; 0 or -errno. */
static inline int file_lost(struct scene *scene, unsigned int page,
			    unsigned int count)
{
	__u64 word;

	if (pread(scene->fd, &word, sizeof(word), page * PAGE) != sizeof(word))
		return -EIO;
	scene->seen += !word;
	for (unsigned int i = page; i < page + count; i++)
		WRITE_ONCE(scene->control->file[i], 0);
	return 0;
}

static inline int truncate_pass(struct scene *scene)
{
	unsigned int end = KEPT + next_random(&scene->random) % (PAGES - KEPT);

	stamp_file(scene);
	if (ftruncate(scene->fd, end * PAGE) ||
	    ftruncate(scene->fd, PAGES * PAGE))
		return -errno;
	return file_lost(scene, end, PAGES - end);
}

static inline int punch_pass(struct scene *scene)
{
	stamp_file(scene);
	for (int hole = 0; hole < 3; hole++) {
		unsigned int page = KEPT +
			next_random(&scene->random) % (PAGES - KEPT);
		unsigned int count = 1 +
			next_random(&scene->random) % (PAGES - page);
		int error;

		if (fallocate(scene->fd, FALLOC_FL_PUNCH_HOLE |
			      FALLOC_FL_KEEP_SIZE, page * PAGE, count * PAGE))
			return -errno;
		error = file_lost(scene, page, count);
		if (error)
			return error;
	}
	return 0;
}

static inline const char *writeback_missing(void)
{
	return kernel_has("BLK_DEV_LOOP") ? NULL : "this kernel has no loop device";
}

static inline int writeback_pass(struct scene *scene)
{
	const struct areas *areas = &scene->areas;

	stamp_file(scene);
	switch (scene->control->file_now % 3) {
	case 0:
		return fdatasync(scene->fd) ? -errno : 0;
	case 1:
		return sync_file_range(scene->fd, 0, PAGES * PAGE,
				       SYNC_FILE_RANGE_WAIT_BEFORE |
				       SYNC_FILE_RANGE_WRITE |
				       SYNC_FILE_RANGE_WAIT_AFTER) ? -errno : 0;
	}
	for (unsigned int piece = 0; piece < PIECES; piece++) {
		unsigned int first = first_of(piece);

		if (msync(place_of(areas, SHARED, first),
			  (first_of(piece + 1) - first) * PAGE, MS_SYNC))
			return -errno;
	}
	return 0;
}

/* Swap, age and free. */

static inline const char *swap_missing(void)
{
	return kernel_has("SWAP") && kernel_has("BLK_DEV_LOOP") ? NULL :
	       "this kernel has no swap or no loop device";
}

static inline int swap_set_up(struct scene *scene)
{
	int error = loop_open(&scene->loop, SWAP_PAGES);

	if (!error)
		error = loop_make_swap(&scene->loop, SWAP_PAGES);
	if (!error && swapon(scene->loop.path, 0))
		error = -errno;
	return error;
}

static inline int swap_undo(struct scene *scene)
{
	int error = swapoff(scene->loop.path) ? -errno : 0;

	return loop_close(&scene->loop) ?: error;
}

/* @advice for all of process @pid, which may be gone, or going by this. */
static inline int advise_other(struct scene *scene, pid_t pid, int advice)
{
	struct iovec all[PIECES];
	int fd = syscall(SYS_pidfd_open, pid, 0);
	int error = 0;

	/* EINVAL: it is being reaped at this moment (pidfd_prepare()). */
	if (fd < 0)
		return errno == ESRCH || errno == EINVAL ? 0 : -errno;
	for (enum kind kind = 0; kind < KINDS && !error; kind++) {
		for (unsigned int i = 0; i < PIECES; i++) {
			unsigned int first = first_of(i);

			all[i].iov_base = place_of(&scene->areas, kind, first);
			all[i].iov_len = (first_of(i + 1) - first) * PAGE;
		}
		if (syscall(SYS_process_madvise, fd, all, PIECES, advice, 0) < 0)
			error = -errno;
	}
	close(fd);
	return error == -ESRCH ? 0 : error;
}

static inline int advise_all(struct scene *scene, int advice)
{
	int error = 0;

	for (enum kind kind = 0; kind < KINDS && !error; kind++)
		error = areas_advise(&scene->areas, kind, 0, PAGES, advice);
	for (int i = 0; i < CHILDREN && !error; i++) {
		pid_t pid = READ_ONCE(scene->control->targets[i]);

		if (pid)
			error = advise_other(scene, pid, advice);
	}
	return error;
}

static inline int swap_pass(struct scene *scene)
{
	int error = advise_all(scene, MADV_COLD) ?:
		    advise_all(scene, MADV_PAGEOUT);

	if (error || READ_ONCE(scene->control->passes) % 4)
		return error;
	/* This looks for the entries in all processes. */
	return swapoff(scene->loop.path) || swapon(scene->loop.path, 0) ?
	       -errno : 0;
}

static inline int lazyfree_pass(struct scene *scene)
{
	return areas_advise(&scene->areas, ANON, KEPT, PAGES - KEPT, MADV_FREE) ?:
	       areas_advise(&scene->areas, ANON, 0, PAGES, MADV_PAGEOUT);
}

/* Reclaim as under pressure: by reverse mapping, in processes that die as well. */

static inline const char *reclaim_missing(void)
{
	if (access(CGROUPS "/cgroup.procs", F_OK) &&
	    mount("cgroup2", CGROUPS, "cgroup2", 0, NULL))
		return "this kernel has no control groups";
	if (write_file(CGROUPS "/cgroup.subtree_control", "+memory"))
		return "this kernel has no memory control groups";
	return swap_missing();
}

static inline int reclaim_set_up(struct scene *scene)
{
	int error = swap_set_up(scene);

	if (!error && mkdir(CGROUP, 0755) && errno != EEXIST)
		error = -errno;
	return error ?: write_file(CGROUP "/cgroup.procs", "0");
}

static inline int reclaim_pass(struct scene *scene)
{
	/* Less could be taken than was asked for: EAGAIN. */
	int error = write_file(CGROUP "/memory.reclaim", "2M");

	return error == -EAGAIN ? 0 : error;
}

static inline int reclaim_undo(struct scene *scene)
{
	int error = write_file(CGROUPS "/cgroup.procs", "0");

	/* Busy: a thread that was joined may be on its way out, and stays in the group. */
	while (!error && rmdir(CGROUP))
		error = errno == EBUSY ? 0 : -errno;
	return swap_undo(scene) ?: error;
}

/* Pages that move: compaction, and by order. */

static inline const char *compact_missing(void)
{
	return access("/proc/sys/vm/compact_memory", F_OK) ?
	       "this kernel has no compaction" : NULL;
}

static inline int compact_set_up(struct scene *scene)
{
	scene->spare = mmap(NULL, SPARE, READ_WRITE, MAP_PRIVATE |
			    MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return scene->spare == MAP_FAILED ? -errno : 0;
}

static inline int compact_pass(struct scene *scene)
{
	if (scene->spare && munmap(scene->spare, SPARE))
		return -errno;
	scene->spare = NULL;
	return write_file("/proc/sys/vm/compact_memory", "1");
}

static inline const char *migrate_missing(void)
{
	if (syscall(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0))
		return "this kernel has no CONFIG_NUMA";
	return access(NODES "node0", F_OK) || access(NODES "node1", F_OK) ?
	       "memory is all in one node" : NULL;
}

static inline int migrate_pass(struct scene *scene)
{
	unsigned int round = READ_ONCE(scene->control->passes);
	unsigned long mask = 1UL << round % 2;
	int nodes[PAGES], status[PAGES];
	void *pages[PAGES];

	for (enum kind kind = 0; kind < KINDS; kind++) {
		for (unsigned int i = 0; i < PAGES; i++) {
			pages[i] = place_of(&scene->areas, kind, i);
			nodes[i] = round % 2;
		}
		/* Positive: so many were busy and stayed. */
		if (syscall(SYS_move_pages, 0, PAGES, pages, nodes, status,
			    MPOL_MF_MOVE_ALL) < 0)
			return -errno;
		for (unsigned int i = 0; i < PIECES; i++) {
			unsigned int first = first_of(i);

			if (syscall(SYS_mbind, place_of(&scene->areas, kind, first),
				    (first_of(i + 1) - first) * PAGE, MPOL_BIND,
				    &mask, 8 * sizeof(mask), MPOL_MF_MOVE_ALL))
				return -errno;
		}
	}
	return 0;
}

/* Pages that are alike become one. */

static inline const char *ksm_missing(void)
{
	return access(KSM "run", F_OK) ? "this kernel has no CONFIG_KSM" : NULL;
}

static inline int ksm_set_up(struct scene *scene)
{
	/* Where there is this, pages that were not alike are left out at first. */
	if (!access(KSM "smart_scan", F_OK) &&
	    write_file(KSM "smart_scan", "0"))
		return -EIO;
	return write_file(KSM "sleep_millisecs", "1") ?:
	       write_file(KSM "pages_to_scan", "1000") ?:
	       areas_advise(&scene->areas, ANON, 0, PAGES, MADV_MERGEABLE);
}

/* The second look at a page merges it, if it has not changed since the first. */
static inline int ksm_pass(struct scene *scene)
{
	long scans = number_in(KSM "full_scans");
	long sharing;
	int error = write_file(KSM "run", "1");

	while (!error && number_in(KSM "full_scans") < scans + 2)
		sched_yield();
	sharing = number_in(KSM "pages_sharing");
	if (sharing > 0)
		scene->seen += sharing;
	return error ?: write_file(KSM "run", "0");
}

static inline int ksm_undo(struct scene *scene)
{
	return write_file(KSM "run", "2") ?: write_file(KSM "run", "0");
}

/* Userfaultfd: pages missing and protected, in the children as well. */

static inline const char *uffd_missing(void)
{
	return kernel_has("USERFAULTFD") ? NULL :
	       "this kernel has no CONFIG_USERFAULTFD";
}

static inline void uffd_watch(struct scene *scene, int fd)
{
	if (scene->watched == ARRAY_SIZE(scene->uffds)) {
		complain(scene->control, "a userfaultfd too many");
		close(fd);
		return;
	}
	scene->uffds[scene->watched++] = fd;
}

static inline int uffd_set_up(struct scene *scene)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_EVENT_FORK |
			    UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			    UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		return -errno;
	for (unsigned int i = 0; i < PIECES; i++) {
		struct uffdio_register range = {
			.range.len = (first_of(i + 1) - first_of(i)) * PAGE,
		};
		static const int modes[KINDS] = {
			[SHARED] = UFFDIO_REGISTER_MODE_WP,
			[ANON] = UFFDIO_REGISTER_MODE_WP |
				 UFFDIO_REGISTER_MODE_MISSING,
		};

		for (enum kind kind = 0; kind < KINDS; kind++) {
			range.range.start = (unsigned long)
				place_of(&scene->areas, kind, first_of(i));
			range.mode = modes[kind];
			if (range.mode && ioctl(fd, UFFDIO_REGISTER, &range))
				return -errno;
		}
	}
	uffd_watch(scene, fd);
	return 0;
}

/*
 * ioctl() that the kernel puts off while processes are made: their events come
 * first.  EEXIST and ENOENT: the page came, or went, just then.
 */
static inline int uffd_do(int fd, unsigned long what, void *argument)
{
	if (!ioctl(fd, what, argument) || errno == EAGAIN || errno == EEXIST ||
	    errno == ENOENT)
		return 0;
	return -errno;
}

/* Answer the fault at @place; what could not be done comes back as another fault. */
static inline int uffd_answer(struct scene *scene, int fd, unsigned long place,
			      bool protected)
{
	struct uffdio_range range = { place, PAGE };
	unsigned int page = page_at(&scene->areas, place);
	static __u64 filled[512];
	struct uffdio_copy copy = {
		.dst = place,
		.src = (unsigned long)filled,
		.len = PAGE,
	};
	struct uffdio_writeprotect protect = { .range = range };
	int error;

	scene->seen++;
	if (protected) {
		error = uffd_do(fd, UFFDIO_WRITEPROTECT, &protect);
	} else {
		for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
			filled[words[i]] = VALUE(TAG_SHARED + ANON, page, 0);
		error = uffd_do(fd, UFFDIO_COPY, &copy);
	}
	return error ?: uffd_do(fd, UFFDIO_WAKE, &range);
}

/* Answer all tasks that wait just now. */
static inline void uffd_serve(struct scene *scene)
{
	for (unsigned int i = 0; i < scene->watched; i++) {
		struct uffd_msg message;
		int fd = scene->uffds[i];

		while (read(fd, &message, sizeof(message)) == sizeof(message)) {
			__u64 flags = message.arg.pagefault.flags;
			int error = 0;

			if (message.event == UFFD_EVENT_FORK)
				uffd_watch(scene, message.arg.fork.ufd);
			else
				error = uffd_answer(scene, fd,
						    message.arg.pagefault.address,
						    flags & UFFD_PAGEFAULT_FLAG_WP);
			/* ESRCH: the process that waited is gone. */
			if (error && error != -ESRCH)
				complain(scene->control, "userfaultfd's answer: %s",
					 strerror(-error));
		}
	}
}

static inline int uffd_protect(struct scene *scene, int fd, enum kind kind,
			       unsigned int piece)
{
	unsigned int first = first_of(piece);
	struct uffdio_writeprotect protect = {
		.range = {
			(unsigned long)place_of(&scene->areas, kind, first),
			(first_of(piece + 1) - first) * PAGE,
		},
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return uffd_do(fd, UFFDIO_WRITEPROTECT, &protect);
}

static inline int uffd_pass(struct scene *scene)
{
	for (unsigned int piece = 0; piece < 2 * PIECES; piece++) {
		unsigned int i = 0;

		while (i < scene->watched) {
			int error = uffd_protect(scene, scene->uffds[i],
						 piece % 2 ? ANON : SHARED,
						 piece / 2);

			if (!error) {
				i++;
				continue;
			}
			if (error != -ESRCH)
				return error;
			/* The child is gone. */
			close(scene->uffds[i]);
			scene->uffds[i] = scene->uffds[--scene->watched];
		}
		uffd_serve(scene);
	}
	return 0;
}

static inline int uffd_undo(struct scene *scene)
{
	while (scene->watched)
		close(scene->uffds[--scene->watched]);
	return 0;
}

static const struct disturber disturbers[] = {
	{ "truncate", FILE_LOSES | FILE_SHRINKS, .pass = truncate_pass },
	{ "punch", FILE_LOSES, .pass = punch_pass },
	{ "writeback", .on_device = true, .missing = writeback_missing,
	  .pass = writeback_pass, .evidence = "nr_written" },
	{ "swap", .missing = swap_missing, .set_up = swap_set_up,
	  .pass = swap_pass, .undo = swap_undo, .evidence = "pswpout" },
	{ "lazyfree", ANON_LOSES, .pass = lazyfree_pass, .evidence = "pglazyfreed" },
	{ "reclaim", .missing = reclaim_missing, .set_up = reclaim_set_up,
	  .pass = reclaim_pass, .undo = reclaim_undo, .evidence = "pswpout" },
	{ "compact", .missing = compact_missing, .set_up = compact_set_up,
	  .pass = compact_pass, .evidence = "pgmigrate_success" },
	{ "migrate", .missing = migrate_missing, .pass = migrate_pass,
	  .evidence = "pgmigrate_success" },
	{ "ksm", ANON_PAIRS, .missing = ksm_missing, .set_up = ksm_set_up,
	  .pass = ksm_pass, .undo = ksm_undo },
	{ "uffd", ANON_FILLED, .missing = uffd_missing, .set_up = uffd_set_up,
	  .pass = uffd_pass, .serve = uffd_serve, .undo = uffd_undo },
};

enum which { TRUNCATE, PUNCH, WRITEBACK, SWAP, LAZYFREE, RECLAIM, COMPACT,
	     MIGRATE, KSM_MERGE, UFFD };

#endif /* PVGUEST_SELFTESTS_GUEST_DISTURB_H */
