/* SPDX-License-Identifier: MIT */
/*
 * The services of the little kernel for a driver, each with checks that a real
 * one lacks: memory and pages are counted, locks report a second acquisition and
 * a sleep in atomic context, and work runs when the test runs it.
 */
#ifndef DRIVER_SERVICES_H
#define DRIVER_SERVICES_H

/* An event that must never happen: ends the program. */
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
#define pr_info			shim_log
#define pr_err_ratelimited	shim_log
#define pr_warn_ratelimited	shim_log
#define pr_info_ratelimited	shim_log
#define pr_warn_once		shim_log

/* A test that provokes a warning counts it instead of ending. */
extern bool shim_warn_ok;
extern unsigned int shim_warnings;
bool shim_warn(const char *file, int line, const char *what);
#define WARN_ON(x) \
	(unlikely(x) ? shim_warn(__FILE__, __LINE__, #x) : false)
#define WARN_ON_ONCE(x)		WARN_ON(x)
#define WARN_ONCE(x, ...)	WARN_ON(x)
#define BUG_ON(x)		shim_check(!(x), #x)
#define BUG()			shim_check(false, "BUG")

/* Memory. */

/* Bit 0: may sleep; bit 4: may wait for disks, if memalloc_noio_save() is not in force. */
#define GFP_KERNEL		17u
#define GFP_NOIO		1u
#define GFP_ATOMIC		0u
#define __GFP_ZERO		2u
#define __GFP_NOWARN		0u
#define __GFP_NORETRY		0u

/* Allocations not yet freed; pages not yet freed. */
extern unsigned int shim_allocations, shim_pages;
/* Allocations that could have waited for a disk. */
extern unsigned int shim_io_allocations;
extern unsigned int shim_noio;
static inline unsigned int memalloc_noio_save(void)
{
	unsigned int was = shim_noio;

	shim_noio = 1;
	return was;
}

#define memalloc_noio_restore(was)	(shim_noio = (was))
/* Allocations, of memory or pages, before one fails.  -1: none fails. */
extern int shim_fail_after;
void *shim_alloc(size_t n, size_t size, gfp_t flags);
void kfree(const void *p);
#define kmalloc(size, flags)		shim_alloc(1, size, flags)
#define kzalloc(size, flags)		shim_alloc(1, size, (flags) | __GFP_ZERO)
#define kmalloc_array(n, size, flags)	shim_alloc(n, size, flags)
#define kcalloc(n, size, flags)		shim_alloc(n, size, (flags) | __GFP_ZERO)
#define kvmalloc			kmalloc
#define kvzalloc			kzalloc
#define kvmalloc_array			kmalloc_array
#define kvcalloc			kcalloc
#define kvfree				kfree
#define bitmap_zalloc(n, flags)		kcalloc(BITS_TO_LONGS(n), 8, flags)
#define bitmap_free			kfree
char *shim_strdup(const char *s, size_t max, gfp_t flags);
#define kstrdup(s, flags)		shim_strdup(s, (size_t)-1, flags)
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
#ifndef SHIM_PAGES
#define SHIM_PAGES		1024
#endif

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
/* Called when a page's last reference is dropped; a test's model may fail. */
extern void (*shim_page_freed)(struct page *page);
/* Contiguous pages only; for others it fails as vmap() may. */
void *vmap(struct page **pages, unsigned int count, int flags, int prot);
void vunmap(const void *va);

/* Context and locks. */

/* More than 0: no sleeping. */
extern int shim_atomic;
#define in_task()	true
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

static inline bool spin_trylock(spinlock_t *lock)
{
	if (lock->held)
		return false;
	spin_lock(lock);
	return true;
}

/* Without PREEMPT_RT the same. */
typedef spinlock_t raw_spinlock_t;
#define raw_spin_lock			spin_lock
#define raw_spin_trylock		spin_trylock
#define raw_spin_unlock			spin_unlock

#define local_irq_save(f)		((f) = 0)
#define local_irq_restore(f)		((void)(f))
#define spin_lock_irqsave(l, f)		((f) = 0, spin_lock(l))
#define spin_unlock_irqrestore(l, f)	((void)(f), spin_unlock(l))
#define raw_spin_lock_irqsave		spin_lock_irqsave
#define raw_spin_unlock_irqrestore	spin_unlock_irqrestore
#define spin_lock_irq			spin_lock
#define spin_unlock_irq			spin_unlock

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
#define queue_delayed_work(q, w, delay)	schedule_work(&(w)->work)
#define queue_work(q, w)		schedule_work(w)
#define cancel_delayed_work_sync(w)	cancel_work_sync(&(w)->work)
struct workqueue_struct;
#define WQ_MEM_RECLAIM		8
#define WQ_UNBOUND		2
/* Flags of the work queue that was made last. */
extern unsigned int shim_queue_flags;
#define alloc_workqueue(name, flags, n) \
	(shim_queue_flags = (flags), (struct workqueue_struct *)-1L)
#define system_unbound_wq	((struct workqueue_struct *)-2L)
#define system_wq		((struct workqueue_struct *)-3L)
#define destroy_workqueue(q)	((void)(q))
/* Run the work due now, not work that it queues.  Returns how many ran. */
unsigned int shim_run_work(void);

/*
 * A wait for a completion calls shim_wait again and again, in which the test runs
 * others: more than 0 to continue, 0: the time is over, less: killed.
 */
struct completion { unsigned int done; };
extern long (*shim_wait)(void);
#define init_completion(c)	((c)->done = 0)
#define complete(c)		((c)->done++)
long wait_for_completion_killable_timeout(struct completion *c,
					  unsigned long time);
#define wait_for_completion(c) \
	shim_check(wait_for_completion_killable_timeout(c, 0) > 0, "not completed")

/* A sleep is a turn of others as well; a test may have the task killed in it. */
extern bool shim_killed;
long schedule_timeout_killable(long time);
#define msecs_to_jiffies(ms)		((ms) * HZ / 1000)
#define current				NULL
#define fatal_signal_pending(task)	((void)(task), shim_killed)

/* Reference counts. */

struct kref { unsigned int count; };
#define kref_init(k)		((k)->count = 1)
#define kref_get(k)		((k)->count++)
#define kref_put(k, release)	(--(k)->count ? 0 : ((release)(k), 1))

/* Whether the system is still coming up, or going down. */
enum { SYSTEM_FREEING_INITMEM = -1, SYSTEM_RUNNING, SYSTEM_POWER_OFF };
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
#define IRQ_HANDLED		1

/* Reset everything: all work, locks, pages, allocations.  Between two runs. */
void shim_reset(void);

#endif /* DRIVER_SERVICES_H */
