/* SPDX-License-Identifier: MIT */
/*
 * Everything a bare guest may use: include this, define guest_main(), link
 * with the runtime.  See README.md for a hello world.
 */
#ifndef RT_H
#define RT_H

#include <stdarg.h>
#include <stdbool.h>
#include "hyp.h"
#include "layout.h"

#define PAGE_SIZE	4096UL
#define PAGE_SHIFT	12
#define MS		1000000ULL
/*
 * Two processors' clocks agree only as well as the hypervisor calibrates them,
 * and a vCPU may move between the processor that set a timeout and the one
 * that reads the time: every check of "not before" allows for that.
 */
#define CLOCK_SLACK	(5 * MS)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()	asm volatile("" : : : "memory")
/* Orders all that is before it, stores too, with all that follows, for other processors. */
#define mb()		asm volatile("mfence" : : : "memory")
#define cpu_relax()	asm volatile("pause" : : : "memory")

#define PTE_P		0x001UL
#define PTE_W		0x002UL
#define PTE_U		0x004UL
#define PTE_PWT		0x008UL
#define PTE_PCD		0x010UL
#define PTE_A		0x020UL
#define PTE_D		0x040UL
#define PTE_PSE		0x080UL
#define PTE_G		0x100UL
#define PTE_NX		0x8000000000000000UL
#define PTE_RW		(PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define PTE_RO		(PTE_P | PTE_U | PTE_A | PTE_D)
#define PTE_ADDR	0x000ffffffffff000UL

/* --- supplied by the guest ------------------------------------------------ */

/** guest_main() - the guest; its return shuts the domain down (poweroff) */
void guest_main(void);

/* --- start.c: start of day ---------------------------------------------- */

extern struct start_info start_info;	/* copy taken at boot */
extern struct start_info *boot_info;	/* the hypervisor's own page */
extern struct shared_info *shared_info;
extern unsigned long *rt_p2m;		/* mfn of each pfn */
extern unsigned long rt_boot_cr3;	/* machine frame of the boot L4 */
/* Registers at the first instruction. */
extern struct boot_regs {
	unsigned long rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11,
		      r12, r13, r14, r15, rflags, cs, ss;
} rt_boot_regs;
extern char rt_image[], rt_etext[], rt_end[];

/** is_dom0() - running as the initial domain */
bool is_dom0(void);
/** cmdline_get() - value of "@key=" on the command line into @buf, or false */
bool cmdline_get(const char *key, char *buf, unsigned int size);
/** cmdline_num() - number after "@key=" on the command line, or @otherwise */
long cmdline_num(const char *key, long otherwise);
/** rt_exit() - shut the domain down with SHUTDOWN_* @reason */
void rt_exit(unsigned int reason) __attribute__((noreturn));

/* An unmapped address, one of the hypervisor's, an unused domain number. */
#define BAD_PTR		((void *)(RT_WINDOW + 510 * PAGE_SIZE))
#define XEN_PTR		((void *)0xffff820000000000UL)
#define NO_DOMAIN	0x7e00

/* --- string.c ------------------------------------------------------------ */

void *memset(void *d, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
void *memmove(void *d, const void *s, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strcpy(char *d, const char *s);
/** mem_is() - all @n bytes at @p equal @c */
bool mem_is(const void *p, int c, size_t n);
/** vformat() / format() - %d %u %x %p %s %c, l modifier, zero-padded widths */
int vformat(char *buf, size_t size, const char *fmt, va_list ap);
int format(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* --- console.c ------------------------------------------------------------ */

/** print() - one formatted line or part of it to the console; any context */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** console_drained() - everything printed has been fetched (domU) */
bool console_drained(void);
/** console_input() - bytes typed at the PV console, without waiting (domU) */
unsigned int console_input(char *buf, unsigned int size);
/** panic() - print a reason and crash the domain */
void panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* --- trap.c ---------------------------------------------------------------- */

struct frame {
	unsigned long r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx,
		      rdx, rcx, rax, vector, error, rip, cs, rflags, rsp, ss;
};

/* One trap; vec is -1 without one. */
struct trap {
	int vec;
	bool user;
	unsigned long error, cr2, masked;
	struct frame f;
};

enum { TRAP_DE, TRAP_DB, TRAP_NMI, TRAP_BP, TRAP_OF, TRAP_BR, TRAP_UD,
	TRAP_NM, TRAP_DF, TRAP_TS = 10, TRAP_NP, TRAP_SS, TRAP_GP, TRAP_PF,
	TRAP_MF = 16, TRAP_AC, TRAP_MC, TRAP_XM };

/** trap_of() - run @fn(@arg) until it ends or traps; the trap, vec -1 if none */
struct trap trap_of(void (*fn)(void *arg), void *arg);
/** INSN() - define a function for trap_of() that runs @code, its argument in RDI */
#define INSN(name, code) \
	static void name(void *arg) \
	{ \
		asm volatile(code : "+D" (arg) : : "rax", "rcx", "rdx", "rsi", \
			     "r8", "r9", "r10", "r11", "memory", "cc"); \
	}
/** fault_read() / fault_write() / fault_exec() - vector raised, -1 if none */
int fault_read(const volatile void *p);
int fault_write(volatile void *p, unsigned long value);
int fault_exec(const void *p);
extern struct trap last_trap;		/* of the three above */
/** trap_hook - called first on every kernel trap; true: handled, resume */
extern bool (*trap_hook)(struct frame *f);
/** trap_table_install() - register the runtime's own handlers again */
void trap_table_install(void);
/** trap_table_fill() - write the runtime's table, sentinel last, 257 slots */
void trap_table_fill(struct trap_info *t);
/** callbacks_install() - register the runtime's event, failsafe, syscall entry */
void callbacks_install(void);
extern char rt_trap_stubs[], rt_trap_stubs_err[], rt_entry_event[],
	rt_entry_failsafe[], rt_entry_syscall[], rt_entry_syscall32[],
	rt_entry_sysenter[], rt_entry_nmi[], rt_ap_entry[];
void rt_resume(struct frame *f) __attribute__((noreturn));
void rt_iret_raw(void *sp) __attribute__((noreturn));

struct jump { unsigned long reg[8]; };
int rt_setjmp(struct jump *j) __attribute__((returns_twice));
void rt_longjmp(struct jump *j) __attribute__((noreturn));

/* --- memory.c: frames, page tables, heap ----------------------------------- */

/** page_alloc() - one zeroed page from the heap; panics when there is none */
void *page_alloc(void);
/** pages_alloc() - @n zeroed pages, virtually and pseudo-physically adjacent */
void *pages_alloc(unsigned int n);
/**
 * page_renew() - exchange the frame of a heap page for a new one
 *
 * False if that is refused, because something but the page's own mapping still
 * refers to the frame: a reference that a hypercall took and did not drop. True
 * as well, and the page keeps its frame, if the hypervisor has no other one:
 * it looks for that after it has taken the old frame from the domain.
 */
bool page_renew(void *page);
/** page_renew_width - address width of the frames that page_renew() takes, 0: any */
extern unsigned int page_renew_width;
/**
 * page_free() - free a page; it must be mapped writable again
 *
 * Panics unless the frame can be renewed, so that every case that frees what it
 * used notices a lost reference.
 */
void page_free(void *page);
/** alloc() - @size bytes, zeroed, aligned to 16, never freed */
void *alloc(size_t size);
/** virt_pfn() / virt_mfn() / mfn_virt() - between names of one page */
unsigned long virt_pfn(const void *va);
unsigned long virt_mfn(const void *va);
void *mfn_virt(unsigned long mfn);
/** virt_maddr() - machine address of @va, offset in the page included */
uint64_t virt_maddr(const void *va);
/** m2p() - the machine-to-physical table's entry of @mfn, ~0 if unreadable */
unsigned long m2p(unsigned long mfn);
/** pte_at() - the entry of @level (1 to 4) that maps @va, NULL if absent */
uint64_t *pte_at(const volatile void *va, int level);
/** pte_of() - value of the L1 entry that maps @va, 0 if absent */
uint64_t pte_of(const volatile void *va);
/** pte_set() - mmu_update of the table entry @entry to @value */
long pte_set(uint64_t *entry, uint64_t value);
/** mk_pte() - entry for the frame of @page */
uint64_t mk_pte(const void *page, uint64_t flags);
/** map() - map @va to @pte with update_va_mapping, local TLB flushed */
long map(void *va, uint64_t pte);
/** page_ro() / page_rw() - change the linear mapping of one heap page */
void page_ro(void *page);
void page_rw(void *page);
/**
 * window() - unmapped address @i (0 to 383) that has a level 1 table
 *
 * Those above are the runtime's: grant table, BAD_PTR, shared info page.
 */
void *window(unsigned int i);
/** window_l1() - the page table behind window() */
uint64_t *window_l1(void);
/** mmuext() - one mmuext_op with its two arguments */
long mmuext(unsigned int cmd, unsigned long arg1, unsigned long arg2);
/** mmu_one() - one mmu_update request */
long mmu_one(uint64_t ptr, uint64_t val);
/** root_new() - a read-only page to be a root, with the boot root's entries for the kernel */
uint64_t *root_new(void);
/** own_cr3() - machine frame of the running L4 */
unsigned long own_cr3(void);

/* --- event.c ----------------------------------------------------------------- */

extern volatile unsigned int event_count[4096];	/* events delivered, by port */
extern volatile unsigned int upcall_count;
/** evtchn() - EVTCHNOP @cmd */
long evtchn(int cmd, void *arg);
int evtchn_alloc(unsigned int dom, unsigned int remote);
int evtchn_bind(unsigned int dom, unsigned int port);
int evtchn_virq(unsigned int virq, unsigned int vcpu);
int evtchn_ipi(unsigned int vcpu);
long evtchn_send(unsigned int port);
long evtchn_close(unsigned int port);
long evtchn_unmask(unsigned int port);
long evtchn_status(unsigned int port, struct evtchn_status *st);
/** port_pending() / port_masked() - 2-level bitmaps of the shared page */
bool port_pending(unsigned int port);
bool port_masked(unsigned int port);
void port_mask(unsigned int port);
void port_clear(unsigned int port);
/** port_open() - clear the mask bit in memory, without the hypercall */
void port_open(unsigned int port);
/** events_on() / events_off() - the upcall mask of this vCPU; on delivers */
void events_on(void);
bool events_off(void);
/* Both ends of a channel from the domain to itself. */
struct chan {
	unsigned int a, b;
};

/** chan_open() - such a channel, unmasked and with nothing pending */
struct chan chan_open(void);
void chan_close(struct chan c);
/**
 * timer_open() - port of this vCPU's VIRQ_TIMER, masked and not pending
 *
 * Stops the periodic timer that every vCPU starts with.
 */
unsigned int timer_open(void);

/* --- time.c -------------------------------------------------------------------- */

struct wallclock { uint32_t version, sec, nsec, sec_hi; };
/** time_snap() - consistent copy of a vCPU's time record */
struct vcpu_time_info time_snap(unsigned int vcpu);
/** now() - system time in ns from this vCPU's record and the TSC */
uint64_t now(void);
uint64_t rdtsc(void);
/** wallclock_snap() - consistent copy of the wall clock record */
struct wallclock wallclock_snap(void);
/**
 * struct patience - how long something is still waited for
 *
 * Counts what passes between two looks, but 10 ms at most for each: a machine
 * that let the guest stand still for longer has not kept it waiting.
 */
struct patience {
	uint64_t left, last;
};

/** patience() - for @ms from now */
struct patience patience(unsigned int ms);
/** patient() - count what has passed; whether to look once more */
bool patient(struct patience *p);
/**
 * until() - wait up to @ms for @cond, yielding
 *
 * The result is what the last look found: another look may find a condition that held a
 * moment ago no longer so.
 */
#define until(cond, ms) ({ \
	struct patience patience_ = patience(ms); \
	bool met_; \
	while (!(met_ = (cond)) && patient(&patience_)) \
		rt_yield(); \
	met_; })
void rt_yield(void);
/** delay() - spin for @ns */
void delay(uint64_t ns);

/* --- vcpu.c ---------------------------------------------------------------------- */

#define MAX_VCPUS	16

struct vcpu {
	unsigned int id;
	bool started;
	volatile bool busy;
	struct vcpu_info *info;
	struct jump *recover;		/* where a kernel trap unwinds to */
	struct trap *trap;
	struct jump *user;		/* where an entry from user mode unwinds to */
	void (*fn)(void *arg);
	void *arg;
	char *stack;
};

extern struct vcpu vcpus[MAX_VCPUS];
/** self() - the running vCPU, found from the stack pointer */
struct vcpu *self(void);
/** vcpu_number() - how many vCPUs this domain has, at most MAX_VCPUS */
unsigned int vcpu_number(void);
/** vcpu_context() - fill @c so that vCPU @id would start in the runtime */
void vcpu_context(struct vcpu_guest_context *c, unsigned int id);
/** vcpu_run() - run @fn(@arg) on vCPU @id, bringing it up; panics if busy */
void vcpu_run(unsigned int id, void (*fn)(void *arg), void *arg);
/** vcpu_join() - wait for @id to finish and go down; false after 5 s */
bool vcpu_join(unsigned int id);

struct lock { volatile int held; };
void lock(struct lock *l);
void unlock(struct lock *l);

/* --- user.c ------------------------------------------------------------------------ */

#define USER_CODE	0x0000000000400000UL
#define USER_DATA	0x0000000000401000UL
#define USER_STACK	0x0000000000403000UL

/** user_init() - build and pin user page tables: code, data, stack page */
void user_init(void);
/** user_page() - kernel address of user page USER_CODE, _DATA or the stack's */
void *user_page(unsigned long va);
/** user_cr3() - machine frame of the user L4 */
unsigned long user_cr3(void);
/** user_entry() - L1 entry of user address @va (the three pages and beyond) */
uint64_t *user_entry(unsigned long va);
/** user_depth - bytes to leave free above the frames of entries from user mode */
extern unsigned int user_depth;
/** user_rflags / user_cs - flags and code selector that user_run() starts with */
extern unsigned long user_rflags;
extern uint16_t user_cs;
/**
 * user_run() - copy @code to USER_CODE, run it there with @arg in RDI
 *
 * Returns the entry that ended it: trap, system call, event.
 */
struct trap user_run(const void *code, size_t size, unsigned long arg);
/** USER() - define user-mode code called @name for user_call() */
#define USER(name, code) \
	extern char name[], name##_end[]; \
	asm(".pushsection .rodata\n" #name ":\n" code "\n" #name "_end:\n" \
	    ".popsection")
#define user_call(name, arg) \
	user_run(name, (size_t)(name##_end - name), (unsigned long)(arg))

/* --- grant.c ------------------------------------------------------------------------ */

/** grant_init() - version-1 table of @frames pages; how many it has */
unsigned int grant_init(unsigned int frames);
struct grant_entry_v1 *grant_entry(unsigned int ref);
/** grant_alloc() - a reference for @page, for @dom, GTF_* flags; never 0 */
unsigned int grant_alloc(unsigned int dom, const void *page, unsigned int flags);
/** grant_end() - revoke @ref; false while it is in use */
bool grant_end(unsigned int ref);
/** grant_map() / grant_unmap() - GNTTABOP at host address @va; the status */
int grant_map(unsigned int dom, unsigned int ref, void *va, unsigned int flags,
	      unsigned int *handle, uint64_t *bus);
int grant_unmap(void *va, unsigned int handle);
/** own_domid() - number of this domain, found without XenStore */
unsigned int own_domid(void);

/* --- store.c (domU) ------------------------------------------------------------------- */

/** store_call() - one XenStore request; length of the reply in @reply or -errno */
int store_call(unsigned int type, unsigned int tx, const void *body,
	       unsigned int len, char *reply, unsigned int size);
int store_read(const char *path, char *buf, unsigned int size);
/** store_number() - value of the node BASE/NAME as a number, -1 if it cannot be read */
long store_number(const char *base, const char *name);
int store_write(const char *path, const char *value);
int store_op1(unsigned int type, unsigned int tx, const char *path, char *buf,
	      unsigned int size);
/** store_event() - next watch event "path\0token\0" within @ms, else -1 */
int store_event(char *buf, unsigned int size, unsigned int ms);
extern struct xsd_sockmsg store_last;	/* header of the last reply */

/* --- mutate.c --------------------------------------------------------------------------- */

/* Shared memory that cases read through accessors, for faults to alter. */
enum view { VIEW_TIME = 1, VIEW_WALL, VIEW_TRAP, VIEW_USER, VIEW_START,
	VIEW_RUNSTATE, VIEW_FRAME, VIEW_TIME_OTHER, VIEW_CPUID, VIEW_MSR };
/** mutant_view() - let the active mutant alter @data, a copy of @what */
void mutant_view(enum view what, void *data, size_t size);
/** mutant_event() - how often to count the upcall of @port: 0, 1, 2 */
unsigned int mutant_event(unsigned int port);
extern bool mutant_on;
void mutant_select(unsigned int number);
long mutant_call(unsigned long nr, unsigned long *a);

#endif /* RT_H */
