// SPDX-License-Identifier: MIT
/*
 * Memory, pages, work and log of the little kernel.
 */
#include <sanitizer/asan_interface.h>

#include "kernel.h"

void (*shim_race)(void);
void (*shim_page_freed)(struct page *page);
unsigned int shim_log_lines, shim_warnings, shim_allocations, shim_pages;
char shim_log_last[256];
bool shim_warn_ok;
int shim_fail_after = -1;
unsigned int shim_io_allocations, shim_noio, shim_queue_flags;
int shim_atomic;

void shim_die(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	fprintf(stderr, "last line logged: %s\n", shim_log_last);
	abort();
}

bool shim_warn(const char *file, int line, const char *what)
{
	shim_warnings++;
	if (!shim_warn_ok)
		shim_die(file, line, what);
	return true;
}

void shim_log(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(shim_log_last, sizeof(shim_log_last), fmt, args);
	va_end(args);
	shim_log_lines++;
}

/* Memory: every block is on a list, its header out of a driver's reach. */

struct block {
	struct list_head list;
	size_t size;
	u64 pad;
};

static LIST_HEAD(blocks);

static bool fails(void)
{
	if (shim_fail_after < 0)
		return false;
	if (shim_fail_after) {
		shim_fail_after--;
		return false;
	}
	shim_fail_after = -1;
	return true;
}

void *shim_alloc(size_t n, size_t size, gfp_t flags)
{
	struct block *b;
	size_t bytes;

	if (flags & GFP_KERNEL)
		might_sleep();
	shim_io_allocations += flags & 16 && !shim_noio;
	if (__builtin_mul_overflow(n, size, &bytes) || bytes > (64u << 20) ||
	    fails())
		return NULL;
	b = malloc(sizeof(*b) + max_t(size_t, bytes, 1));
	if (!b)
		abort();
	/* Memory that was not written is not zero. */
	memset(b + 1, flags & __GFP_ZERO ? 0 : 0x5a, bytes);
	b->size = bytes;
	if (!list_empty(&blocks))
		ASAN_UNPOISON_MEMORY_REGION(blocks.next, sizeof(*b));
	list_add(&b->list, &blocks);
	if (b->list.next != &blocks)
		ASAN_POISON_MEMORY_REGION(b->list.next, sizeof(*b));
	ASAN_POISON_MEMORY_REGION(b, sizeof(*b));
	shim_allocations++;
	return b + 1;
}

void kfree(const void *p)
{
	struct list_head *next, *prev;
	struct block *b;

	if (IS_ERR_OR_NULL(p))
		return;
	b = (struct block *)p - 1;
	/* The sanitizer reports this read of freed or unallocated memory. */
	(void)*(volatile const char *)p;
	ASAN_UNPOISON_MEMORY_REGION(b, sizeof(*b));
	next = b->list.next;
	prev = b->list.prev;
	if (next != &blocks)
		ASAN_UNPOISON_MEMORY_REGION(next, sizeof(*b));
	if (prev != &blocks)
		ASAN_UNPOISON_MEMORY_REGION(prev, sizeof(*b));
	list_del(&b->list);
	if (next != &blocks)
		ASAN_POISON_MEMORY_REGION(next, sizeof(*b));
	if (prev != &blocks)
		ASAN_POISON_MEMORY_REGION(prev, sizeof(*b));
	shim_allocations--;
	free(b);
}

void *kmemdup(const void *p, size_t size, gfp_t flags)
{
	void *new = shim_alloc(1, size, flags);

	return new ? memcpy(new, p, size) : NULL;
}

char *shim_strdup(const char *s, size_t max, gfp_t flags)
{
	size_t len = s ? strnlen(s, max) : 0;
	char *new = s ? shim_alloc(1, len + 1, flags) : NULL;

	if (new) {
		memcpy(new, s, len);
		new[len] = '\0';
	}
	return new;
}

char *kvasprintf(gfp_t flags, const char *fmt, va_list args)
{
	char text[4096];

	vsnprintf(text, sizeof(text), fmt, args);
	return kstrdup(text, flags);
}

char *kasprintf(gfp_t flags, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = kvasprintf(flags, fmt, args);
	va_end(args);
	return text;
}

ssize_t shim_strscpy(char *to, const char *from, size_t size)
{
	size_t len = strnlen(from, size);

	if (!size)
		return -E2BIG;
	memcpy(to, from, len);
	if (len < size) {
		to[len] = '\0';
		return len;
	}
	to[size - 1] = '\0';
	return -E2BIG;
}

int shim_scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(buf, size, fmt, args);
	va_end(args);
	return !size ? 0 : n < (int)size ? n : (int)size - 1;
}

int kstrtoull(const char *s, unsigned int base, unsigned long long *value)
{
	unsigned long long got;
	char *end;

	if (*s == '+')
		s++;
	if (!isalnum(*s))
		return -EINVAL;
	errno = 0;
	got = strtoull(s, &end, base);
	if (errno)
		return -ERANGE;
	if (end == s)
		return -EINVAL;
	if (*end == '\n')
		end++;
	if (*end)
		return -EINVAL;
	*value = got;
	return 0;
}

int kstrtouint(const char *s, unsigned int base, unsigned int *value)
{
	unsigned long long wide;
	int ret = kstrtoull(s, base, &wide);

	if (!ret && wide > UINT_MAX)
		ret = -ERANGE;
	if (!ret)
		*value = wide;
	return ret;
}

unsigned long shim_find_bit(const unsigned long *map, unsigned long size,
			    unsigned long from, bool value)
{
	unsigned long word;

	while (from < size) {
		word = (value ? map[from / 64] : ~map[from / 64]) >> (from % 64);
		if (word) {
			from += __builtin_ctzl(word);
			return min(from, size);
		}
		from = (from | 63) + 1;
	}
	return size;
}

/* Pages. */

static struct page pages[SHIM_PAGES];
static u8 page_memory[SHIM_PAGES][PAGE_SIZE] __aligned(4096);
static DECLARE_BITMAP(page_used, SHIM_PAGES);

static unsigned long find_pages(unsigned int count)
{
	unsigned long start = 0, end;

	for (;;) {
		start = find_next_zero_bit(page_used, SHIM_PAGES, start);
		end = find_next_bit(page_used, SHIM_PAGES, start);
		if (start + count > SHIM_PAGES || end - start >= count)
			return start;
		start = end;
	}
}

struct page *alloc_pages(gfp_t flags, unsigned int order)
{
	unsigned int i, count = 1u << order;
	unsigned long pfn;

	if (flags & GFP_KERNEL)
		might_sleep();
	pfn = find_pages(count);
	if (pfn + count > SHIM_PAGES || fails())
		return NULL;
	for (i = 0; i < count; i++) {
		__set_bit(pfn + i, page_used);
		pages[pfn + i] = (struct page) { .count = 1 };
		INIT_LIST_HEAD(&pages[pfn + i].lru);
		ASAN_UNPOISON_MEMORY_REGION(page_memory[pfn + i], PAGE_SIZE);
		/* Stale data, unless the page has to be zero. */
		memset(page_memory[pfn + i], flags & __GFP_ZERO ? 0 : 0x5a,
		       PAGE_SIZE);
	}
	shim_pages += count;
	return &pages[pfn];
}

void get_page(struct page *page)
{
	shim_check(page->count > 0, "reference to a free page");
	page->count++;
}

void put_page(struct page *page)
{
	shim_check(page->count > 0, "page freed twice");
	if (--page->count)
		return;
	if (shim_page_freed)
		shim_page_freed(page);
	__clear_bit(page - pages, page_used);
	ASAN_POISON_MEMORY_REGION(page_address(page), PAGE_SIZE);
	shim_pages--;
}

void __free_page(struct page *page)
{
	put_page(page);
}

unsigned long get_zeroed_page(gfp_t flags)
{
	struct page *page = alloc_page(flags | __GFP_ZERO);

	return page ? (unsigned long)page_address(page) : 0;
}

void free_page(unsigned long va)
{
	if (va)
		put_page(virt_to_page((void *)va));
}

int page_count(const struct page *page)
{
	return page->count;
}

void *page_address(const struct page *page)
{
	return page_memory[page - pages];
}

struct page *virt_to_page(const void *va)
{
	unsigned long pfn = ((u8 *)va - page_memory[0]) / PAGE_SIZE;

	shim_check(pfn < SHIM_PAGES, "not the address of a page");
	return &pages[pfn];
}

unsigned long page_to_pfn(const struct page *page)
{
	return page - pages;
}

struct page *pfn_to_page(unsigned long pfn)
{
	return pfn < SHIM_PAGES ? &pages[pfn] : NULL;
}

void *vmap(struct page **list, unsigned int count, int flags, int prot)
{
	unsigned int i;

	(void)flags;
	(void)prot;
	might_sleep();
	for (i = 1; i < count; i++) {
		if (list[i] != list[0] + i)
			return NULL;
	}
	return fails() ? NULL : page_address(list[0]);
}

void vunmap(const void *va)
{
	(void)va;
	might_sleep();
}

/* Work, in the order in which it was queued. */

static struct work_struct *work_first, **work_last = &work_first;

long (*shim_wait)(void);
int system_state;

long wait_for_completion_killable_timeout(struct completion *c,
					  unsigned long time)
{
	long left = 1;

	might_sleep();
	while (left > 0 && !c->done)
		left = shim_wait ? shim_wait() : 0;
	if (left > 0)
		c->done--;
	return left;
}

bool shim_killed;

long schedule_timeout_killable(long time)
{
	might_sleep();
	shim_check(time > 0, "sleep of no time");
	shim_killed = shim_wait && shim_wait() < 0;
	return 0;
}

bool schedule_work(struct work_struct *work)
{
	if (work->pending)
		return false;
	work->pending = true;
	work->next = NULL;
	*work_last = work;
	work_last = &work->next;
	return true;
}

bool cancel_work_sync(struct work_struct *work)
{
	struct work_struct **at = &work_first;

	might_sleep();
	if (!work->pending)
		return false;
	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	if (work_last == &work->next)
		work_last = at;
	work->pending = false;
	return true;
}

unsigned int shim_run_work(void)
{
	unsigned int due = 0, ran = 0;
	struct work_struct *work;

	for (work = work_first; work; work = work->next)
		due++;
	/* Work may cancel other work that is due. */
	for (; ran < due && (work = work_first); ran++) {
		work_first = work->next;
		if (!work_first)
			work_last = &work_first;
		work->pending = false;
		work->func(work);
	}
	return ran;
}

void seq_printf(struct seq_file *m, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	m->len += vsnprintf(m->text + m->len, sizeof(m->text) - m->len, fmt,
			    args);
	va_end(args);
	shim_check(m->len < sizeof(m->text), "seq_file full");
}

void shim_reset(void)
{
	struct list_head *at, *next;
	unsigned long pfn;

	for (at = blocks.next; at != &blocks; at = next) {
		ASAN_UNPOISON_MEMORY_REGION(at, sizeof(struct block));
		next = at->next;
		free(at);
	}
	INIT_LIST_HEAD(&blocks);
	for_each_set_bit(pfn, page_used, SHIM_PAGES) {
		pages[pfn].count = 0;
		ASAN_POISON_MEMORY_REGION(page_memory[pfn], PAGE_SIZE);
	}
	bitmap_zero(page_used, SHIM_PAGES);
	work_first = NULL;
	work_last = &work_first;
	shim_race = NULL;
	shim_page_freed = NULL;
	shim_log_lines = 0;
	shim_warnings = 0;
	shim_allocations = 0;
	shim_pages = 0;
	shim_log_last[0] = '\0';
	shim_warn_ok = false;
	shim_fail_after = -1;
	shim_io_allocations = 0;
	shim_noio = 0;
	shim_atomic = 0;
}
