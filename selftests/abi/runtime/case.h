/* SPDX-License-Identifier: MIT */
/*
 * How a conformance case is written: a comment that states the rule, CASE()
 * with the clauses it covers, and want() for each thing that must hold.
 */
#ifndef RT_CASE_H
#define RT_CASE_H

#include "rt.h"

/* CASE() flags. */
#define ALONE	1	/* gets a boot of its own */
#define DIES	2	/* passes when the domain ends as dying() announced */
#define DOMU	4	/* not for the initial domain */
#define DOM0	8	/* for the initial domain only */
#define PAIR	16	/* needs a second guest (the two-guest part) */
#define BACKEND	32	/* needs a control domain with XenStore and back ends */
#define MANY	64	/* needs more than 32 vCPUs */

/** pair_first() - in a two-guest case: whether this is guest a, which reports */
bool pair_first(void);
/** pair_peer() - domain number of the other guest */
unsigned int pair_peer(void);
/** pair_write() / pair_read() - a number under @key to, or from, the other guest */
void pair_write(const char *key, unsigned long value);
unsigned long pair_read(const char *key);

struct case_desc {
	const char *name;
	void (*fn)(void);
	unsigned long flags;
};

/*
 * CASE() - define a case
 *
 * @name: unique over the suite; @clauses: string of clause ids, read by the
 * runner from the source; @flags: 0 or the above, or'ed.
 */
#define CASE(name, clauses, flags) \
	static void case_##name(void); \
	static const struct case_desc desc_##name \
		__attribute__((section(".cases"), used, aligned(8))) = { \
			#name, case_##name, flags }; \
	static void case_##name(void)

/** case_fail() - end the case and the boot with a reason */
void case_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, cold, format(printf, 3, 4)));
void case_fail_eq(const char *file, int line, const char *what, long got,
		  long expected) __attribute__((noreturn, cold));
/** case_skip() - report why the case cannot run; the caller returns */
void case_skip(const char *reason);
/**
 * dying() - from here on the case passes if the domain ends as @how
 * @how: "crash", "poweroff", "reboot", "suspend" or "watchdog"
 */
void dying(const char *how);

/** want() - the case fails unless @cond holds */
#define want(cond) do { \
	if (!(cond)) \
		case_fail(__FILE_NAME__, __LINE__, "not so: %s", #cond); \
} while (0)

/** want_eq() - @got must equal @expected; both are shown when not */
#define want_eq(got, expected) do { \
	long got_ = (long)(got), expected_ = (long)(expected); \
	if (got_ != expected_) \
		case_fail_eq(__FILE_NAME__, __LINE__, #got, got_, expected_); \
} while (0)

/** want_any() - @got must be one of the values that follow */
#define want_any(got, ...) do { \
	long got_ = (long)(got); \
	static const long any_[] = { __VA_ARGS__ }; \
	unsigned int i_; \
	for (i_ = 0; i_ < ARRAY_SIZE(any_) && any_[i_] != got_; i_++) \
		; \
	if (i_ == ARRAY_SIZE(any_)) \
		case_fail(__FILE_NAME__, __LINE__, \
			  "%s is %ld, none of %s", #got, got_, #__VA_ARGS__); \
} while (0)

/** want_trap() - @call (a trap_of(), fault_...()) must raise vector @vec */
#define want_trap(fn, arg, vec_) ({ \
	struct trap t_ = trap_of(fn, (void *)(arg)); \
	if (t_.vec != (int)(vec_)) \
		case_fail_eq(__FILE_NAME__, __LINE__, "trap of " #fn, \
			     t_.vec, vec_); \
	t_; })

/**
 * struct tries - attempts at what must be done within some time; zero at first
 *
 * A machine that is busy with something else makes one attempt late, or lets a
 * time pass between two calls; a hypervisor that is late is late each time.
 */
struct tries {
	unsigned int made;
	bool good;		/* the last one was */
};

/**
 * again() - note whether an attempt was @good; whether to make another
 *
 * Waits before that, longer each time: for some seconds in all.  A calibration that a busy
 * machine disturbed leaves two processors' clocks tens of ms apart until the next one, and
 * attempts that follow each other at once would all find that.
 */
static inline bool again(struct tries *t, bool good)
{
	t->good = good;
	if (good || ++t->made == 10)
		return false;
	until(false, 100 * t->made);
	return true;
}

/*
 * Attempts at a timer, and how many of them show one that is early.  A busy machine hides
 * it in some, and a vCPU that moves to a processor with another clock shows it in few.
 */
#define TIMER_ATTEMPTS	20
#define TIMER_EARLY	4

/**
 * near() - whether two multipliers of the time record mean one rate
 *
 * The hypervisor calibrates them again and again, so equal ones may be copies
 * from before and after.
 */
static inline bool near(uint32_t a, uint32_t b)
{
	uint32_t gap = a > b ? a - b : b - a;

	return gap <= a / 100;
}

/** needs() - skip the case with @reason unless @cond holds */
#define needs(cond, reason) do { \
	if (!(cond)) { \
		case_skip(reason); \
		return; \
	} \
} while (0)

#endif /* RT_CASE_H */
