/* SPDX-License-Identifier: MIT */
/*
 * For the program concurrency: mappings of one file and of no file, spread
 * over many level-1 tables, and what each word of them may hold while, and
 * after, another process or thread takes pages away.
 */
#ifndef PVGUEST_SELFTESTS_GUEST_AREAS_H
#define PVGUEST_SELFTESTS_GUEST_AREAS_H

#include <stdarg.h>
#include <sys/mman.h>

#include "guest.h"

/*
 * Each kind of mapping consists of pieces, each of which has a level-1 table of
 * its own: one with many pages, between as many with few on either side.
 */
enum kind { SHARED, PRIVATE, ANON, KINDS };

#define DENSE 128U
#define SPARSE 8U
#define HALF 6U
#define PIECES (2 * HALF + 1)
#define PAGES (2 * HALF * SPARSE + DENSE)
#define SPAN (2UL << 20)
#define READ_WRITE (PROT_READ | PROT_WRITE)

/* The first pages of each kind, as many as this, never lose anything. */
#define KEPT 64U

/* Processes that live at the same time, besides the first. */
#define CHILDREN 6

/* Losses that a disturber causes; without one it moves or protects pages only. */
enum losses {
	FILE_LOSES = 1 << 0,	/* the file gets holes */
	FILE_SHRINKS = 1 << 1,	/* so it does, and its end moves: private pages go too */
	ANON_LOSES = 1 << 2,	/* written pages become zero pages */
	ANON_FILLED = 1 << 3,	/* a page that was thrown away comes back filled */
	ANON_PAIRS = 1 << 4,	/* two pages each are alike */
};

/* The words of a page that are used, and the first of those of the children. */
enum { FRONT = 0, CHILD = 16, MIDDLE = 255, BACK = 511 };

static const int words[] = { FRONT, MIDDLE, BACK };

/* The writer is the first part of a word; page and generation follow. */
enum tag { TAG_SHARED = 1, TAG_FILE = TAG_SHARED + KINDS, TAG_CHILD };

#define VALUE(tag, page, generation) \
	((__u64)(tag) << 56 | (__u64)(page) << 32 | (__u32)(generation))

enum order { HOLD, RUN, QUIT };

/**
 * struct control - memory that all processes and threads of a test share
 * @order: to the disturber, an enum order
 * @held: the disturber stands still
 * @started: passes that the disturber has begun
 * @passes: passes that it has finished
 * @cycles: times that a vCPU was off and on again
 * @targets: processes that the disturber may act on, or 0
 * @file_now: generation that the disturber writes to the file
 * @file: what it left in each page of the file; 0: zero bytes
 * @complaints: how many there were
 * @complaint: the first
 */
struct control {
	int order;
	bool held;
	unsigned int started, passes, cycles;
	pid_t targets[CHILDREN];
	__u32 file_now;
	__u32 file[PAGES];
	int complaints;
	char complaint[256];
};

/**
 * struct areas - the mappings, as one process knows them
 * @base: where they begin
 * @losses: enum losses
 * @generation: what this process wrote last to each page; 0: nothing
 * @own: PRIVATE pages that were written, and are not the file's any more
 * @control: what is shared with the other processes
 */
struct areas {
	char *base;
	int losses;
	__u32 generation[KINDS][PAGES];
	bool own[PAGES];
	struct control *control;
};

__attribute__((format(printf, 2, 3)))
static inline void complain(struct control *control, const char *format, ...)
{
	va_list list;

	if (__atomic_fetch_add(&control->complaints, 1, __ATOMIC_ACQ_REL))
		return;
	va_start(list, format);
	vsnprintf(control->complaint, sizeof(control->complaint), format, list);
	va_end(list);
}

static inline unsigned int piece_of(unsigned int page)
{
	if (page < HALF * SPARSE)
		return page / SPARSE;
	if (page < HALF * SPARSE + DENSE)
		return HALF;
	return HALF + 1 + (page - HALF * SPARSE - DENSE) / SPARSE;
}

static inline unsigned int first_of(unsigned int piece)
{
	return piece * SPARSE + (piece > HALF ? DENSE - SPARSE : 0);
}

static inline char *place_of(const struct areas *areas, enum kind kind,
			     unsigned int page)
{
	unsigned int piece = piece_of(page);

	return areas->base + (kind * PIECES + piece) * SPAN +
	       (page - first_of(piece)) * PAGE;
}

/* The page at @place, which is of some kind. */
static inline unsigned int page_at(const struct areas *areas,
				   unsigned long place)
{
	unsigned long offset = place - (unsigned long)areas->base;

	return first_of(offset / SPAN % PIECES) + offset % SPAN / PAGE;
}

/* How many of @count pages from @page on are in one piece. */
static inline unsigned int in_one_piece(unsigned int page, unsigned int count)
{
	unsigned int end = first_of(piece_of(page) + 1);

	return page + count < end ? count : end - page;
}

/* Map everything, SHARED and PRIVATE from @fd; 0 or -errno. */
static inline int areas_map(struct areas *areas, int fd)
{
	size_t length = (KINDS * PIECES + 1) * SPAN;
	char *all = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_NORESERVE, -1, 0);

	if (all == MAP_FAILED)
		return -errno;
	areas->base = (char *)(((unsigned long)all + SPAN - 1) & ~(SPAN - 1));
	munmap(all, length);
	for (unsigned int i = 0; i < KINDS * PIECES; i++) {
		static const int flags[] = {
			[SHARED] = MAP_SHARED,
			[PRIVATE] = MAP_PRIVATE,
			[ANON] = MAP_PRIVATE | MAP_ANONYMOUS,
		};
		enum kind kind = i / PIECES;
		unsigned int first = first_of(i % PIECES);
		size_t size = (first_of(i % PIECES + 1) - first) * PAGE;
		char *wanted = areas->base + i * SPAN;

		if (mmap(wanted, size, READ_WRITE, flags[kind] |
			 MAP_FIXED_NOREPLACE, kind == ANON ? -1 : fd,
			 kind == ANON ? 0 : first * PAGE) != wanted)
			return -errno;
	}
	return 0;
}

/*
 * madvise() for @count pages of @kind from @page on; 0 or -errno.  EAGAIN is the
 * kernel's word for a page that was busy.
 */
static inline int areas_advise(const struct areas *areas, enum kind kind,
			       unsigned int page, unsigned int count, int advice)
{
	while (count) {
		unsigned int some = in_one_piece(page, count);

		if (madvise(place_of(areas, kind, page), some * PAGE, advice) &&
		    errno != EAGAIN)
			return -errno;
		page += some;
		count -= some;
	}
	return 0;
}

/* Place at which a thread goes on after SIGBUS, an access behind the end of the file. */
static __thread struct __jmp_buf_tag *landing;

static inline void land(int signal)
{
	if (landing)
		siglongjmp(landing, 1);
	abort();
}

/* SA_NODEFER: the jump has no mask to restore. */
static inline int catch_bus_errors(void)
{
	struct sigaction action = {
		.sa_handler = land,
		.sa_flags = SA_NODEFER,
	};

	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
}

/* Read the word at @place; false after SIGBUS. */
static inline bool read_word(const __u64 *place, __u64 *word)
{
	sigjmp_buf here;

	if (sigsetjmp(here, 0)) {
		landing = NULL;
		return false;
	}
	landing = here;
	barrier();
	*word = READ_ONCE(*place);
	barrier();
	landing = NULL;
	return true;
}

/* Write the words of the page at @place, or the middle one alone; false after SIGBUS. */
static inline bool write_words(__u64 *place, bool all, __u64 value)
{
	sigjmp_buf here;

	if (sigsetjmp(here, 0)) {
		landing = NULL;
		return false;
	}
	landing = here;
	barrier();
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		if (all || words[i] == MIDDLE)
			WRITE_ONCE(place[words[i]], value);
	barrier();
	landing = NULL;
	return true;
}

/* Whether accesses to @page of @kind may be behind the end of the file now. */
static inline bool may_be_gone(const struct areas *areas, enum kind kind,
			       unsigned int page)
{
	return kind != ANON && areas->losses & FILE_SHRINKS && page >= KEPT;
}

/* The word that this process wrote last to @page of @kind. */
static inline __u64 written(const struct areas *areas, enum kind kind,
			    unsigned int page)
{
	__u32 generation = areas->generation[kind][page];

	if (!generation && !(areas->losses & ANON_FILLED))
		return 0;
	if (kind == ANON && areas->losses & ANON_PAIRS)
		page &= ~1U;
	return VALUE(TAG_SHARED + kind, page, generation);
}

/* Write to @page of @kind; in SHARED only the middle word is ours. */
static inline void areas_write(struct areas *areas, enum kind kind,
			       unsigned int page, __u32 generation)
{
	__u64 *place = (__u64 *)place_of(areas, kind, page);
	__u32 before = areas->generation[kind][page];

	areas->generation[kind][page] = generation;
	if (write_words(place, kind != SHARED, written(areas, kind, page))) {
		if (kind == PRIVATE)
			areas->own[page] = true;
		return;
	}
	areas->generation[kind][page] = before;
	/* The private page went with the end of the file. */
	if (kind == PRIVATE)
		areas->own[page] = false;
	if (!may_be_gone(areas, kind, page))
		complain(areas->control, "SIGBUS by a write to page %u of kind %d",
			 page, kind);
}

/*
 * Throw away what this process has mapped of @count pages of @kind from @page
 * on, and with it what is in no file.
 */
static inline void areas_drop(struct areas *areas, enum kind kind,
			      unsigned int page, unsigned int count)
{
	int error = areas_advise(areas, kind, page, count, MADV_DONTNEED);

	if (error)
		complain(areas->control, "MADV_DONTNEED: %s", strerror(-error));
	for (unsigned int i = page; i < page + count; i++) {
		if (kind == ANON)
			areas->generation[ANON][i] = 0;
		else if (kind == PRIVATE)
			areas->own[i] = false;
	}
}

/* LIVE: while others change things; EXACT: while all stand still; COPY: from an unknown moment. */
enum when { LIVE, EXACT, COPY };

/* Whether @word, the one at @index, can be what the file holds in @page. */
static inline bool is_of_file(const struct areas *areas, unsigned int page,
			      int index, __u64 word, enum when when)
{
	bool loses = areas->losses & FILE_LOSES && page >= KEPT;
	__u32 exact = READ_ONCE(areas->control->file[page]);
	enum tag tag = index == MIDDLE ? TAG_SHARED : TAG_FILE;

	if (when != COPY && index == MIDDLE)
		return word == written(areas, SHARED, page) || (loses && !word);
	if (when == EXACT)
		return word == (exact ? VALUE(TAG_FILE, page, exact) : 0);
	if (!word)
		return loses;
	if (word >> 32 != VALUE(tag, page, 0) >> 32 || !(__u32)word)
		return false;
	return when == COPY ||
	       (__u32)word <= READ_ONCE(areas->control->file_now);
}

static inline bool word_is_good(const struct areas *areas, enum kind kind,
				unsigned int page, int index, __u64 word,
				enum when when)
{
	bool ours = kind == ANON || (kind == PRIVATE && areas->own[page]);

	if (!ours)
		return is_of_file(areas, page, index, word, when);
	if (word == written(areas, kind, page))
		return true;
	if (kind == ANON)
		return areas->losses & ANON_LOSES && page >= KEPT && !word;
	return areas->losses & FILE_SHRINKS && page >= KEPT &&
	       is_of_file(areas, page, index, word, COPY);
}

/* Check @count pages of @kind from @page on; false, and a complaint, if one is wrong. */
static inline bool areas_check(const struct areas *areas, enum kind kind,
			       unsigned int page, unsigned int count,
			       enum when when)
{
	for (unsigned int end = page + count; page < end; page++) {
		const __u64 *place = (__u64 *)place_of(areas, kind, page);

		for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
			__u64 word;

			if (!read_word(&place[words[i]], &word)) {
				if (when == LIVE && may_be_gone(areas, kind, page))
					break;
				complain(areas->control,
					 "SIGBUS by a read of page %u of kind %d",
					 page, kind);
				return false;
			}
			if (word_is_good(areas, kind, page, words[i], word, when))
				continue;
			complain(areas->control,
				 "kind %d, page %u, word %d: %#llx; ours %#llx, file %u, when %d",
				 kind, page, words[i],
				 (unsigned long long)word,
				 (unsigned long long)written(areas, kind, page),
				 READ_ONCE(areas->control->file[page]), when);
			return false;
		}
	}
	return true;
}

static inline bool areas_check_all(const struct areas *areas, enum when when)
{
	return areas_check(areas, SHARED, 0, PAGES, when) &&
	       areas_check(areas, PRIVATE, 0, PAGES, when) &&
	       areas_check(areas, ANON, 0, PAGES, when);
}

#endif /* PVGUEST_SELFTESTS_GUEST_AREAS_H */
