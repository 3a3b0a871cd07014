/* SPDX-License-Identifier: MIT */
/*
 * The little kernel in which the drivers' protocol halves run in user space: one
 * processor, no interrupts but those a test raises, pages and grants that are
 * checked, and a hook wherever another domain could interfere.
 */
#ifndef DRIVER_KERNEL_H
#define DRIVER_KERNEL_H

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef u16 __le16, __be16, __sum16;
typedef u32 __le32, __be32, __wsum;
typedef u64 __le64, __be64, sector_t, phys_addr_t;
typedef unsigned int gfp_t;

/* The compiler. */

#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#undef noinline
#define noinline		__attribute__((noinline))
#define __printf(a, b)		__attribute__((format(printf, a, b)))
#define __must_check		__attribute__((warn_unused_result))
#define __packed		__attribute__((packed))
#define __aligned(n)		__attribute__((aligned(n)))
#define __cold
#define __init
#define __ro_after_init
#define __read_mostly
#define __user
#define __percpu
#define ____cacheline_aligned_in_smp
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define BUILD_BUG_ON(x)		_Static_assert(!(x), #x)
#undef static_assert
#define static_assert(x, ...)	_Static_assert(x, #x)
#define EXPORT_SYMBOL_GPL(x)
#define MODULE_PARM_DESC(name, text)
/* The test calls shim_init_NAME(). */
#define shim_initcall(fn)	int (*const shim_init_##fn)(void) = (fn)
#define early_initcall(fn)	shim_initcall(fn)
#define core_initcall(fn)	shim_initcall(fn)
#define subsys_initcall(fn)	shim_initcall(fn)
#define device_initcall(fn)	shim_initcall(fn)
#define late_initcall(fn)	shim_initcall(fn)
#define late_initcall_sync(fn)	shim_initcall(fn)

/* Numbers. */

#define U16_MAX			UINT16_MAX
#define U32_MAX			UINT32_MAX
#define S32_MAX			INT32_MAX
#define BITS_PER_LONG		64
#define BITS_TO_LONGS(n)	(((n) + 63) / 64)
#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define GENMASK(h, l)		((~0UL << (l)) & (~0UL >> (63 - (h))))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define shim_pick(a, op, b) ({						\
	__typeof__(a) a_ = (a);						\
	__typeof__(b) b_ = (b);						\
	a_ op b_ ? a_ : b_; })
#define min(a, b)		shim_pick(a, <, b)
#define max(a, b)		shim_pick(a, >, b)
#define min_t(t, a, b)		shim_pick((t)(a), <, (t)(b))
#define max_t(t, a, b)		shim_pick((t)(a), >, (t)(b))
#define min3(a, b, c)		min(min(a, b), c)
#define clamp(x, lo, hi)	min(max(x, lo), hi)
#define swap(a, b) do { __typeof__(a) t_ = (a); (a) = (b); (b) = t_; } while (0)
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define ALIGN(x, a)		(((x) + (__typeof__(x))(a) - 1) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a)	((x) & ~((__typeof__(x))(a) - 1))
#define round_up(x, a)		ALIGN(x, a)
#define round_down(x, a)	ALIGN_DOWN(x, a)
#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))
#define struct_size(p, member, n) \
	(sizeof(*(p)) + sizeof((p)->member[0]) * (size_t)(n))
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))

static inline unsigned int ilog2(unsigned long n)
{
	return 63 - __builtin_clzl(n);
}

static inline unsigned long rounddown_pow_of_two(unsigned long n)
{
	return 1UL << ilog2(n);
}

/* Errors in place of pointers. */

static inline void *ERR_PTR(long error)
{
	return (void *)error;
}

static inline long PTR_ERR(const void *p)
{
	return (long)p;
}

static inline bool IS_ERR(const void *p)
{
	return (unsigned long)p >= -4095UL;
}

static inline bool IS_ERR_OR_NULL(const void *p)
{
	return !p || IS_ERR(p);
}

/*
 * The points where another domain may interfere: before every read of a word
 * that it could have written, around every write of one, and at every barrier.
 */
extern void (*shim_race)(void);
static inline void shim_step(void)
{
	if (unlikely(shim_race))
		shim_race();
}

#define shim_access(x)		(*(volatile __typeof__(x) *)&(x))
#define READ_ONCE(x)		({ shim_step(); shim_access(x); })
#define WRITE_ONCE(x, v) do {			\
	shim_step();				\
	shim_access(x) = (v);			\
	shim_step();				\
} while (0)
#define barrier() do {				\
	__asm__ volatile("" : : : "memory");	\
	shim_step();				\
} while (0)
#define virt_mb()		barrier()
#define virt_rmb()		barrier()
#define virt_wmb()		barrier()
#define smp_mb()		barrier()
#define smp_load_acquire(p)	READ_ONCE(*(p))
#define smp_store_release(p, v)	WRITE_ONCE(*(p), v)
#define virt_store_mb(x, v)	WRITE_ONCE(x, v)
#define xchg(p, v)		({ shim_step(); \
				   __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); })
#define try_cmpxchg(p, old, new) ({ shim_step(); \
	__atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, \
				    __ATOMIC_SEQ_CST); })
#define cmpxchg(p, old, new) ({ __typeof__(*(p)) o_ = (old); \
				(void)try_cmpxchg(p, &o_, new); o_; })
#define cpu_relax()		shim_step()

/* Bits. */

static inline bool test_bit(long n, const unsigned long *map)
{
	return map[n / 64] >> (n % 64) & 1;
}

static inline void __set_bit(long n, unsigned long *map)
{
	map[n / 64] |= 1UL << (n % 64);
}

static inline void __clear_bit(long n, unsigned long *map)
{
	map[n / 64] &= ~(1UL << (n % 64));
}

static inline bool __test_and_set_bit(long n, unsigned long *map)
{
	bool was = test_bit(n, map);

	__set_bit(n, map);
	return was;
}

static inline bool __test_and_clear_bit(long n, unsigned long *map)
{
	bool was = test_bit(n, map);

	__clear_bit(n, map);
	return was;
}

#define set_bit			__set_bit
#define clear_bit		__clear_bit
#define test_and_set_bit	__test_and_set_bit
#define test_and_clear_bit	__test_and_clear_bit
#define DECLARE_BITMAP(name, n)	unsigned long name[BITS_TO_LONGS(n)]

/* First bit from @from on that is @value, or @size. */
unsigned long shim_find_bit(const unsigned long *map, unsigned long size,
			    unsigned long from, bool value);
#define find_first_bit(m, n)		shim_find_bit(m, n, 0, true)
#define find_next_bit(m, n, from)	shim_find_bit(m, n, from, true)
#define find_first_zero_bit(m, n)	shim_find_bit(m, n, 0, false)
#define find_next_zero_bit(m, n, from)	shim_find_bit(m, n, from, false)
#define for_each_set_bit(i, m, n) \
	for ((i) = find_first_bit(m, n); (i) < (n); (i) = find_next_bit(m, n, (i) + 1))

static inline void bitmap_zero(unsigned long *map, unsigned int n)
{
	memset(map, 0, BITS_TO_LONGS(n) * sizeof(long));
}

/* Parameters; a test reaches one as shim_param_NAME. */

struct kernel_param;
struct kernel_param_ops {
	unsigned int flags;
	int (*set)(const char *text, const struct kernel_param *param);
	int (*get)(char *buffer, const struct kernel_param *param);
};

struct kernel_param {
	const char *name;
	const struct kernel_param_ops *ops;
	void *arg;
	unsigned int mode;
};

#define KERNEL_PARAM_OPS_FL_NOARG	1
#define MODULE_PARAM_PREFIX		"shim."
#define module_param_cb(n, o, a, m)					\
	static const struct kernel_param shim_param_##n			\
	__attribute__((unused)) = {					\
		.name = MODULE_PARAM_PREFIX #n, .ops = (o), .arg = (a),	\
		.mode = (m),						\
	}

static inline int param_get_bool(char *buffer, const struct kernel_param *param)
{
	return sprintf(buffer, "%c\n", *(bool *)param->arg ? 'Y' : 'N');
}

#define sysfs_emit		sprintf

static inline int shim_match(const char * const *words, size_t n, const char *text)
{
	size_t len = strlen(text);

	len -= len && text[len - 1] == '\n';
	for (size_t i = 0; i < n; i++)
		if (strlen(words[i]) == len && !memcmp(words[i], text, len))
			return i;
	return -EINVAL;
}

#define sysfs_match_string(words, text) shim_match(words, ARRAY_SIZE(words), text)

/* Lists. */

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name)	{ &(name), &(name) }
#define LIST_HEAD(name)		struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline void list_add(struct list_head *item, struct list_head *after)
{
	item->prev = after;
	item->next = after->next;
	after->next->prev = item;
	after->next = item;
}

static inline void list_add_tail(struct list_head *item, struct list_head *head)
{
	list_add(item, head->prev);
}

static inline void list_del_init(struct list_head *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	INIT_LIST_HEAD(item);
}

static inline void list_del(struct list_head *item)
{
	list_del_init(item);
	item->next = NULL;
	item->prev = NULL;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_splice(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->prev->next = to->next;
	to->next->prev = from->prev;
	from->next->prev = to;
	to->next = from->next;
}

static inline void list_splice_init(struct list_head *from,
				    struct list_head *to)
{
	list_splice(from, to);
	INIT_LIST_HEAD(from);
}

static inline void list_splice_tail_init(struct list_head *from,
					 struct list_head *to)
{
	list_splice_init(from, to->prev);
}

static inline void list_move_tail(struct list_head *item, struct list_head *head)
{
	list_del(item);
	list_add_tail(item, head);
}

#define list_entry(p, type, member)	container_of(p, type, member)
#define list_first_entry(h, type, member) list_entry((h)->next, type, member)
#define list_for_each_entry(p, h, member) \
	for ((p) = list_entry((h)->next, __typeof__(*(p)), member); \
	     &(p)->member != (h); \
	     (p) = list_entry((p)->member.next, __typeof__(*(p)), member))
#define list_for_each_entry_safe(p, n, h, member) \
	for ((p) = list_entry((h)->next, __typeof__(*(p)), member), \
	     (n) = list_entry((p)->member.next, __typeof__(*(p)), member); \
	     &(p)->member != (h); \
	     (p) = (n), (n) = list_entry((n)->member.next, __typeof__(*(n)), member))

#include "services.h"

#endif /* DRIVER_KERNEL_H */
