/* SPDX-License-Identifier: MIT */
/*
 * For the two event-channel ABIs, beyond kernel.h: atomic bits, pages, and a
 * mutex that threads of a test can wait for.
 */
#ifndef SHIM_EVENTS_H
#define SHIM_EVENTS_H

#include <errno.h>
#include <pthread.h>
#include <xen/event_channel.h>

#include "kernel.h"

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define __read_mostly
#define GENMASK(high, low)	((~0UL << (low)) & (~0UL >> (63 - (high))))
#define __ffs(x)		((unsigned long)__builtin_ctzl(x))

#define xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define sync_cmpxchg(p, old, new) \
	__sync_val_compare_and_swap(p, old, new)
#define virt_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define cpu_relax()		((void)0)

static inline bool shim_test_bit(unsigned int nr, const unsigned long *map)
{
	return READ_ONCE(map[nr / 64]) >> nr % 64 & 1;
}

static inline bool shim_set_bit(unsigned int nr, unsigned long *map)
{
	return __atomic_fetch_or(&map[nr / 64], BIT(nr % 64),
				 __ATOMIC_SEQ_CST) >> nr % 64 & 1;
}

static inline bool shim_clear_bit(unsigned int nr, unsigned long *map)
{
	return __atomic_fetch_and(&map[nr / 64], ~BIT(nr % 64),
				  __ATOMIC_SEQ_CST) >> nr % 64 & 1;
}

#define test_bit		shim_test_bit
#define set_bit			shim_set_bit
#define clear_bit		shim_clear_bit
#define __clear_bit		shim_clear_bit
#define sync_test_bit		shim_test_bit
#define sync_set_bit		shim_set_bit
#define sync_clear_bit		shim_clear_bit
#define sync_test_and_set_bit	shim_set_bit

/* Memory is this array; pages are never given back. */
#define SHIM_PAGES		64
static char shim_pages[SHIM_PAGES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static unsigned int shim_pages_used __attribute__((unused));
#undef __pa
#define __pa(va)		((unsigned long)((const char *)(va) - shim_pages[0]))
#define GFP_KERNEL		0
#define get_zeroed_page(flags)						\
	((unsigned long)shim_pages[__atomic_fetch_add(&shim_pages_used, 1, \
						      __ATOMIC_SEQ_CST)])
#define free_page(address)	((void)(address))

#define DEFINE_MUTEX(name) \
	pthread_mutex_t name = PTHREAD_MUTEX_INITIALIZER
void shim_mutex_lock(pthread_mutex_t *lock);
#define mutex_lock		shim_mutex_lock
#define mutex_unlock		pthread_mutex_unlock

long hyp_event_channel_op(int cmd, void *arg);

#endif /* SHIM_EVENTS_H */
