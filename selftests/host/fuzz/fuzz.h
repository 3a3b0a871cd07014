/* SPDX-License-Identifier: MIT */
/*
 * What all fuzz targets have in common.  An input is a script: bytes that say
 * what front end and back end do next; when it ends, so does the run, and the
 * target takes everything down and looks at what is left.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "../driver/kernel.h"
#include "../driver/hypervisor.h"

/* The next bytes of the script; zeros after its end. */
u8 next_u8(void);
u16 next_u16(void);
u32 next_u32(void);
/* One of @n, for @n > 0. */
u32 next_below(u32 n);
/* A number of the kind that breaks things: near @likely, or anything. */
u32 next_evil(u32 likely);
bool script_ended(void);

/*
 * Give the back end a part of the script for itself: @act is called whenever
 * it could get in between, up to @times times.
 */
void race_with(void (*act)(void), unsigned int times);
void race_over(void);

/* The back end's domain, and what it does with grants (back.c). */
#define BACK		2
/*
 * It has done nothing wrong so far; it may do wrong at all.  A target sets both
 * at the start: some runs are for what only shows with an honest one.
 */
extern bool honest, may_lie;

/* Start the grant layer; the hypervisor has been reset. */
void grants_boot(void);
/* Map or unmap something, writing to it if that is allowed. */
void back_map(void);
void back_unmap(void);
void back_map_or_unmap(void);
/*
 * The back end lets go of everything: then all must have been released, every
 * page and reference.
 */
void grants_end(void);
/* Write a word of a shared ring that an honest back end would not. */
void back_scribble(void *shared, size_t bytes, u32 req_prod, u32 rsp_cons);

/* The target's: one run. */
void run_script(void);

#define must(x)		shim_check(x, #x)

#endif /* FUZZ_H */
