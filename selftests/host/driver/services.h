/* SPDX-License-Identifier: MIT */
/*
 * What the little kernel does for a driver, each with the checks that a real
 * one leaves to luck: memory and pages accounted for, locks that notice being
 * taken twice, no sleep in atomic context, work run when the test says so.
 */
#ifndef DRIVER_SERVICES_H
#define DRIVER_SERVICES_H

/* Something that must never happen did: ends the program. */
void shim_die(const char *file, int line, const char *what)
	__attribute__((noreturn));
#define shim_check(x, what) \
	do { if (unlikely(!(x))) shim_die(__FILE__, __LINE__, what); } while (0)

/* The log. */

/* Lines logged so far, and the last of them. */
extern unsigned int shim_log_lines;
extern char shim_log_last[256];
void shim_log(const char *fmt, ...) __printf(1, 2);
#define pr_emerg		shim_log
#define pr_err			shim_log
#define pr_warn			shim_log
#define pr_notice		shim_log
#define pr_info			shim_log
#define pr_debug(...)		((void)0)
#define pr_err_ratelimited	shim_log
#define pr_warn_ratelimited	shim_log
#define pr_info_ratelimited	shim_log
#define pr_warn_once		shim_log

/* A test that provokes a warning on purpose counts it instead of dying. */
extern bool shim_warn_ok;
extern unsigned int shim_warnings;
bool shim_warn(const char *file, int line, const char *what);
#define WARN_ON(x) \
	(unlikely(x) ? shim_warn(__FILE__, __LINE__, #x) : false)
#define WARN_ON_ONCE(x)		WARN_ON(x)
#define WARN(x, ...)		WARN_ON(x)
#define WARN_ONCE(x, ...)	WARN_ON(x)
#define BUG_ON(x)		shim_check(!(x), #x)
#define BUG()			shim_check(false, "BUG")

/* Memory. */

#define GFP_KERNEL		1u
#define GFP_NOIO		1u
#define GFP_NOFS		1u
#define GFP_ATOMIC		0u
#define GFP_NOWAIT		0u
#define __GFP_ZERO		2u
#define __GFP_NOWARN		0u
#define __GFP_NORETRY		0u

/* Allocations not yet freed; pages not yet freed. */
extern unsigned int shim_allocations, shim_pages;
/* So many allocations work, of memory or pages, then one fails. -1: all work. */
extern int shim_fail_after;
void *shim_alloc(size_t n, size_t size, gfp_t flags);
void *shim_realloc(void *p, size_t size, gfp_t flags);
void kfree(const void *p);
#define kmalloc(size, flags)		shim_alloc(1, size, flags)
#define kzalloc(size, flags)		shim_alloc(1, size, (flags) | __GFP_ZERO)
#define kmalloc_array(n, size, flags)	shim_alloc(n, size, flags)
#define kcalloc(n, size, flags)		shim_alloc(n, size, (flags) | __GFP_ZERO)
#define krealloc(p, size, flags)	shim_realloc(p, size, flags)
#define kvmalloc			kmalloc
#define kvzalloc			kzalloc
#define kvmalloc_array			kmalloc_array
#define kvcalloc			kcalloc
#define kvfree				kfree
#define vfree				kfree
#define bitmap_zalloc(n, flags)		kcalloc(BITS_TO_LONGS(n), 8, flags)
#define bitmap_free			kfree
char *shim_strdup(const char *s, size_t max, gfp_t flags);
#define kstrdup(s, flags)		shim_strdup(s, (size_t)-1, flags)
#define kstrndup(s, n, flags)		shim_strdup(s, n, flags)
void *kmemdup(const void *p, size_t size, gfp_t flags);
char *kasprintf(gfp_t flags, const char *fmt, ...) __printf(2, 3);
char *kvasprintf(gfp_t flags, const char *fmt, va_list args);
ssize_t shim_strscpy(char *to, const char *from, size_t size);
#define strscpy				shim_strscpy
int kstrtouint(const char *s, unsigned int base, unsigned int *value);
#define kstrtou32			kstrtouint
int kstrtoull(const char *s, unsigned int base, unsigned long long *value);
#define scnprintf			shim_scnprintf
int shim_scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/* Pages, of which this machine has a few. */

#define PAGE_SHIFT		12
#define PAGE_SIZE		4096UL
#define PAGE_MASK		(~(PAGE_SIZE - 1))
#define offset_in_page(p)	((unsigned long)(p) & ~PAGE_MASK)
#define PAGE_KERNEL		0
#define VM_MAP			0
#define SHIM_PAGES		1024

struct page {
	int count;
	unsigned long private;
	struct list_head lru;
};

struct page *alloc_pages(gfp_t flags, unsigned int order);
#define alloc_page(flags)	alloc_pages(flags, 0)
void get_page(struct page *page);
void put_page(struct page *page);
void __free_page(struct page *page);
unsigned long get_zeroed_page(gfp_t flags);
void free_page(unsigned long va);
int page_count(const struct page *page);
void *page_address(const struct page *page);
struct page *virt_to_page(const void *va);
unsigned long page_to_pfn(const struct page *page);
struct page *pfn_to_page(unsigned long pfn);
/* Called when a page's last reference goes; a test's model may object. */
extern void (*shim_page_freed)(struct page *page);
/* Contiguous pages only; for others it fails as vmap() may. */
void *vmap(struct page **pages, unsigned int count, int flags, int prot);
void vunmap(const void *va);

/* Context and locks. */

/* More than 0: no sleeping. */
extern int shim_atomic;
static inline void might_sleep(void)
{
	shim_check(!shim_atomic, "sleeping in atomic context");
}

typedef struct { bool held; } spinlock_t;
struct mutex { bool held; };
#define DEFINE_SPINLOCK(name)	spinlock_t name
#define DEFINE_MUTEX(name)	struct mutex name
#define __MUTEX_INITIALIZER(name)	{ false }
#define spin_lock_init(l)	((l)->held = false)
#define mutex_init(l)		((l)->held = false)
#define mutex_destroy(l)	shim_check(!(l)->held, "destroyed while held")
#define lockdep_assert_held(l)	shim_check((l)->held, "lock not held")

static inline void spin_lock(spinlock_t *lock)
{
	shim_check(!lock->held, "spinlock taken twice");
	lock->held = true;
	shim_atomic++;
}

static inline void spin_unlock(spinlock_t *lock)
{
	shim_check(lock->held, "spinlock not held");
	lock->held = false;
	shim_atomic--;
}

#define spin_lock_irqsave(l, f)		((f) = 0, spin_lock(l))
#define spin_unlock_irqrestore(l, f)	((void)(f), spin_unlock(l))
#define spin_lock_irq			spin_lock
#define spin_unlock_irq			spin_unlock
#define spin_lock_bh			spin_lock
#define spin_unlock_bh			spin_unlock

static inline void mutex_lock(struct mutex *lock)
{
	might_sleep();
	shim_check(!lock->held, "mutex taken twice");
	lock->held = true;
}

static inline void mutex_unlock(struct mutex *lock)
{
	shim_check(lock->held, "mutex not held");
	lock->held = false;
}

struct static_key_false { bool on; };
#define DEFINE_STATIC_KEY_FALSE(name)	struct static_key_false name
#define DECLARE_STATIC_KEY_FALSE(name)	extern struct static_key_false name
#define static_branch_unlikely(key)	((key)->on)
#define static_branch_likely(key)	((key)->on)
#define static_branch_enable(key)	((key)->on = true)

/* Work, run by shim_run_work(). */

#define HZ			250

struct work_struct {
	void (*func)(struct work_struct *work);
	struct work_struct *next;
	bool pending;
};

struct delayed_work {
	struct work_struct work;
};

#define DECLARE_WORK(name, fn)		struct work_struct name = { .func = (fn) }
#define DECLARE_DELAYED_WORK(name, fn)	struct delayed_work name = { .work.func = (fn) }
#define INIT_WORK(w, fn)		(*(w) = (struct work_struct){ .func = (fn) })
#define INIT_DELAYED_WORK(w, fn)	INIT_WORK(&(w)->work, fn)
#define to_delayed_work(w)		container_of(w, struct delayed_work, work)
bool schedule_work(struct work_struct *work);
bool cancel_work_sync(struct work_struct *work);
#define schedule_delayed_work(w, delay)	schedule_work(&(w)->work)
#define mod_delayed_work(q, w, delay)	schedule_work(&(w)->work)
#define queue_work(q, w)		schedule_work(w)
#define cancel_delayed_work_sync(w)	cancel_work_sync(&(w)->work)
struct workqueue_struct;
#define WQ_MEM_RECLAIM		0
#define WQ_UNBOUND		0
#define alloc_workqueue(...)	((struct workqueue_struct *)-1L)
#define destroy_workqueue(q)	((void)(q))
/* Run what is due now, not what that makes due.  Returns how many ran. */
unsigned int shim_run_work(void);

/*
 * Whoever waits for a completion calls shim_wait again and again, in which the
 * test lets others act: more than 0 to go on, 0: time is over, less: killed.
 */
struct completion { unsigned int done; };
extern long (*shim_wait)(void);
#define init_completion(c)	((c)->done = 0)
#define complete(c)		((c)->done++)
long wait_for_completion_killable_timeout(struct completion *c,
					  unsigned long time);
#define wait_for_completion(c) \
	shim_check(wait_for_completion_killable_timeout(c, 0) > 0, "not completed")

/* Reference counts. */

struct kref { unsigned int count; };
#define kref_init(k)		((k)->count = 1)
#define kref_get(k)		((k)->count++)
#define kref_put(k, release)	(--(k)->count ? 0 : ((release)(k), 1))

/* Whether the system is going down. */
enum { SYSTEM_RUNNING, SYSTEM_POWER_OFF };
extern int system_state;

/* debugfs: a file's text is what its show function prints into a buffer. */

struct dentry;
struct seq_file { char text[2048]; size_t len; };
void seq_printf(struct seq_file *m, const char *fmt, ...) __printf(2, 3);
#define DEFINE_SHOW_ATTRIBUTE(name) \
	int (*const shim_show_##name)(struct seq_file *m, void *v) = name##_show
#define debugfs_lookup(name, parent)	((struct dentry *)NULL)
#define debugfs_create_file(n, mode, dir, data, fops) ((void)(dir))
#define dput(d)				((void)(d))

/* Interrupts: names for prototypes. */

typedef int irqreturn_t;
typedef irqreturn_t (*irq_handler_t)(int irq, void *dev);
#define IRQ_NONE		0
#define IRQ_HANDLED		1

/* Forget everything: all work, locks, pages, allocations.  Between two runs. */
void shim_reset(void);

#endif /* DRIVER_SERVICES_H */
