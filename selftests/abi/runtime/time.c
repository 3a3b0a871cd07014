// SPDX-License-Identifier: MIT
/* Time of a bare guest, from the hypervisor's records. */
#include "rt.h"

uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("lfence\n\trdtsc" : "=a" (lo), "=d" (hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static void snap(struct vcpu_time_info *t, unsigned int vcpu)
{
	volatile struct vcpu_time_info *s = &vcpus[vcpu].info->time;
	uint32_t version;

	do {
		version = s->version;
		barrier();
		memcpy(t, (const void *)s, sizeof(*t));
		barrier();
	} while (version & 1 || version != s->version);
}

struct vcpu_time_info time_snap(unsigned int vcpu)
{
	struct vcpu_time_info t;

	snap(&t, vcpu);
	mutant_view(VIEW_TIME, &t, sizeof(t));
	if (vcpu)
		mutant_view(VIEW_TIME_OTHER, &t, sizeof(t));
	return t;
}

uint64_t now(void)
{
	struct vcpu_time_info t;
	uint64_t delta;

	snap(&t, self()->id);
	delta = rdtsc() - t.tsc_timestamp;
	if (t.tsc_shift >= 0)
		delta <<= t.tsc_shift;
	else
		delta >>= -t.tsc_shift;
	return t.system_time +
	       (uint64_t)(((__uint128_t)delta * t.tsc_to_system_mul) >> 32);
}

struct wallclock wallclock_snap(void)
{
	volatile struct shared_info *s = shared_info;
	struct wallclock w;

	do {
		w.version = s->wc_version;
		barrier();
		w.sec = s->wc_sec;
		w.nsec = s->wc_nsec;
		w.sec_hi = s->wc_sec_hi;
		barrier();
	} while (w.version & 1 || w.version != s->wc_version);
	mutant_view(VIEW_WALL, &w, sizeof(w));
	return w;
}

struct patience patience(unsigned int ms)
{
	return (struct patience){ .left = ms * MS, .last = now() };
}

bool patient(struct patience *p)
{
	uint64_t t = now(), passed = t - p->last;

	p->last = t;
	if (passed > 10 * MS)
		passed = 10 * MS;
	p->left -= passed < p->left ? passed : p->left;
	return p->left;
}

void rt_yield(void)
{
	raw_call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
}

void delay(uint64_t ns)
{
	uint64_t end = now() + ns;

	while (now() < end)
		cpu_relax();
}
