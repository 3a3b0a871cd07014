/* SPDX-License-Identifier: MIT */
/*
 * Shared by the tlb_ programs: accesses to one place from every vCPU, each by
 * way of whatever translation that vCPU still holds.
 *
 * Xen enters the translations of programs as global ones, which outlive the
 * CR3 load of every switch between program and guest kernel.  So what a vCPU
 * has once used it goes on using until it is flushed, also on the vCPU that
 * asked for the change.  A test looks at a place from every vCPU, has the
 * kernel change it, and looks again.  In between nothing may happen that
 * flushes by the way; therefore looking makes no system call.
 */
#ifndef PVGUEST_SELFTESTS_GUEST_TLB_H
#define PVGUEST_SELFTESTS_GUEST_TLB_H

#include <pthread.h>
#include <sys/mman.h>

#include "guest.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define MOST_CPUS 16

enum access { LOAD, STORE, FETCH, QUIT };

/**
 * struct look - the same access to some pages in a row, by one vCPU
 * @how: which access; FETCH calls what stands there
 * @start: first page
 * @pages: how many
 * @value: what the first page is to hold, or gets by STORE; the next one holds
 *	one more, and so on; but 0 means that all hold 0
 * @signal: what every access is to raise, or 0
 * @odd: out: on how many pages that was not so
 */
struct look {
	enum access how;
	char *start;
	unsigned long pages;
	__u64 value;
	int signal;
	unsigned long odd;
};

static __thread sigjmp_buf look_jump;
static __thread int look_signal;

static inline void look_failed(int signal)
{
	WRITE_ONCE(look_signal, signal);
	siglongjmp(look_jump, 1);
}

/* SA_NODEFER: neither the jump nor what comes after it has to set a mask. */
static inline int catch_looks(void)
{
	struct sigaction action = {
		.sa_handler = look_failed,
		.sa_flags = SA_NODEFER,
	};

	return sigaction(SIGSEGV, &action, NULL) ?:
	       sigaction(SIGBUS, &action, NULL);
}

/* Whether the access to @page goes as @look says, with @value. */
static inline bool access_is(const struct look *look, char *page, __u64 value)
{
	__u64 (*code)(void) = (void *)page;
	__u64 seen = value;

	WRITE_ONCE(look_signal, 0);
	if (!sigsetjmp(look_jump, 0)) {
		if (look->how == LOAD)
			seen = READ_ONCE(*(__u64 *)page);
		else if (look->how == STORE)
			WRITE_ONCE(*(__u64 *)page, value);
		else
			seen = code();
		barrier();
		return !look->signal && seen == value;
	}
	return READ_ONCE(look_signal) == look->signal;
}

static inline void do_look(struct look *look)
{
	look->odd = 0;
	for (unsigned long i = 0; look->how != QUIT && i < look->pages; i++)
		look->odd += !access_is(look, look->start + i * PAGE,
					look->value ? look->value + i : 0);
}

/* A sibling thread on a vCPU of its own that stays in user mode. */
struct witness {
	pthread_t thread;
	int cpu;
	struct look look;
	unsigned int asked;
	unsigned int answered;
};

static inline void *witness_body(void *data)
{
	struct witness *witness = data;
	unsigned int turn = 0;

	run_on_cpu(witness->cpu);
	__atomic_store_n(&witness->answered, 1, __ATOMIC_RELEASE);
	for (;;) {
		while (turn == __atomic_load_n(&witness->asked, __ATOMIC_ACQUIRE))
			__builtin_ia32_pause();
		turn++;
		do_look(&witness->look);
		if (witness->look.how == QUIT)
			return NULL;
		__atomic_store_n(&witness->answered, turn + 1, __ATOMIC_RELEASE);
	}
}

static inline void witness_wait(struct witness *witness)
{
	unsigned int expected = witness->asked + 1;

	/* A machine may have fewer processors than the guest has vCPUs. */
	for (unsigned long i = 1;
	     __atomic_load_n(&witness->answered, __ATOMIC_ACQUIRE) != expected; i++)
		if (i % 100000)
			__builtin_ia32_pause();
		else
			sched_yield();
}

static inline void witness_ask(struct witness *witness, struct look *look)
{
	witness->look = *look;
	__atomic_store_n(&witness->asked, witness->asked + 1, __ATOMIC_RELEASE);
	if (look->how == QUIT)
		return;
	witness_wait(witness);
	*look = witness->look;
}

/**
 * struct vcpus - the vCPUs of a test, and how they are reached
 * @count: how many there are
 * @home: the one that this thread runs on between looks
 * @here: the one that it runs on now
 * @siblings: a witness stands on each but the first; else this thread moves
 * @unseen: pages that did not show before a change what was to be there
 * @stale: pages that did not show it after the change, by vCPU
 */
struct vcpus {
	int count, home, here;
	bool siblings;
	struct witness witnesses[MOST_CPUS];
	unsigned long unseen;
	unsigned long stale[MOST_CPUS];
};

static inline void go_to(struct vcpus *vcpus, int cpu)
{
	if (vcpus->here == cpu)
		return;
	if (run_on_cpu(cpu))
		vcpus->unseen++;
	vcpus->here = cpu;
}

/*
 * Make @vcpus ready, in memory that no fork replaces under the witnesses' eyes;
 * NULL if something failed.
 */
static inline struct vcpus *vcpus_new(bool siblings)
{
	struct vcpus *vcpus = mmap(NULL, sizeof(*vcpus), READ_WRITE, MAP_SHARED |
				   MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (vcpus == MAP_FAILED || catch_looks())
		return NULL;
	vcpus->count = online_cpus() < MOST_CPUS ? online_cpus() : MOST_CPUS;
	vcpus->siblings = siblings;
	vcpus->here = -1;
	go_to(vcpus, 0);
	for (int cpu = 1; siblings && cpu < vcpus->count; cpu++) {
		struct witness *witness = &vcpus->witnesses[cpu];

		witness->cpu = cpu;
		if (pthread_create(&witness->thread, NULL, witness_body, witness))
			return NULL;
		witness_wait(witness);
	}
	return vcpus;
}

static inline void vcpus_stop(struct vcpus *vcpus)
{
	struct look quit = { .how = QUIT };

	for (int cpu = 1; vcpus->siblings && cpu < vcpus->count; cpu++) {
		witness_ask(&vcpus->witnesses[cpu], &quit);
		pthread_join(vcpus->witnesses[cpu].thread, NULL);
	}
}

/* Round @round begins: a thread that moves takes its turns on every vCPU. */
static inline void next_home(struct vcpus *vcpus, int round)
{
	vcpus->home = vcpus->siblings ? 0 : round % vcpus->count;
	go_to(vcpus, vcpus->home);
}

/* Look from vCPU @cpu; returns on how many pages that was odd. */
static inline unsigned long look_from(struct vcpus *vcpus, int cpu,
				      struct look look)
{
	if (vcpus->siblings && cpu) {
		witness_ask(&vcpus->witnesses[cpu], &look);
	} else {
		go_to(vcpus, cpu);
		do_look(&look);
	}
	return look.odd;
}

/* The vCPU whose turn is @turn: home first, because moving there may flush. */
static inline int nth_cpu(struct vcpus *vcpus, int turn)
{
	return (vcpus->home + turn) % vcpus->count;
}

/* Before a change: have every vCPU use its translations of @pages. */
static inline void use(struct vcpus *vcpus, enum access how, void *start,
		       unsigned long pages, __u64 value)
{
	for (int turn = vcpus->count; turn-- > 0; )
		vcpus->unseen += look_from(vcpus, nth_cpu(vcpus, turn),
					   (struct look){ how, start, pages, value });
}

/* After a change: every vCPU must find @value in @pages. */
static inline void must_find(struct vcpus *vcpus, void *start,
			     unsigned long pages, __u64 value)
{
	for (int turn = 0; turn < vcpus->count; turn++) {
		int cpu = nth_cpu(vcpus, turn);

		vcpus->stale[cpu] += look_from(vcpus, cpu, (struct look){
					       LOAD, start, pages, value });
	}
	go_to(vcpus, vcpus->home);
}

/* After a change: the access must raise @signal on every vCPU. */
static inline void must_fault(struct vcpus *vcpus, enum access how, void *start,
			      unsigned long pages, int signal)
{
	for (int turn = 0; turn < vcpus->count; turn++) {
		int cpu = nth_cpu(vcpus, turn);

		vcpus->stale[cpu] += look_from(vcpus, cpu, (struct look){
					       how, start, pages, 0, signal });
	}
	go_to(vcpus, vcpus->home);
}

/* How often each change is tried; PVGUEST_ROUNDS has the last word. */
static inline int rounds(int usual)
{
	const char *given = getenv("PVGUEST_ROUNDS");

	return given && atoi(given) > 0 ? atoi(given) : usual;
}

/* @pages of memory of our own, all there, each with its number in front. */
static inline char *own_pages(unsigned long pages)
{
	char *start = mmap(NULL, pages * PAGE, READ_WRITE,
			   ANONYMOUS | MAP_POPULATE, -1, 0);

	for (unsigned long i = 0; start != MAP_FAILED && i < pages; i++)
		*(__u64 *)(start + i * PAGE) = i + 1;
	return start;
}

/* The result of a test: nothing was missing before, nothing was left after. */
#define VCPUS_VERDICT(vcpus)							\
do {										\
	vcpus_stop(vcpus);							\
	EXPECT_EQ(0, (vcpus)->unseen);						\
	for (int cpu = 0; cpu < (vcpus)->count; cpu++) {			\
		EXPECT_EQ(0, (vcpus)->stale[cpu]) {				\
			TH_LOG("vCPU %d saw %lu pages as they were before",	\
			       cpu, (vcpus)->stale[cpu]);			\
		}								\
	}									\
} while (0)

FIXTURE(tlb)
{
	struct vcpus *vcpus;
};

FIXTURE_VARIANT(tlb)
{
	bool siblings;
};

/* Other vCPUs run threads of the process just then, or did so a moment ago. */
FIXTURE_VARIANT_ADD(tlb, sibling_spins) { .siblings = true };
FIXTURE_VARIANT_ADD(tlb, process_moved) { .siblings = false };

FIXTURE_SETUP(tlb)
{
	if (online_cpus() < 2)
		SKIP(return, "one processor only");
	self->vcpus = vcpus_new(variant->siblings);
	ASSERT_NE(NULL, self->vcpus);
}

FIXTURE_TEARDOWN(tlb)
{
	VCPUS_VERDICT(self->vcpus);
}

#endif /* PVGUEST_SELFTESTS_GUEST_TLB_H */
