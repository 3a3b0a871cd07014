/* SPDX-License-Identifier: MIT */
/*
 * Shared by all fuzz targets.  An input is a script: bytes that select the next
 * action of front end and back end; when it ends, so does the run, and the target
 * frees everything and checks that nothing is left.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "../fakes/driver/kernel.h"
#include "../fakes/driver/hypervisor.h"

/* The next bytes of the script; zeros after its end. */
u8 next_u8(void);
u16 next_u16(void);
u32 next_u32(void);
/* One of @n, for @n > 0. */
u32 next_below(u32 n);
/* A number that often triggers bugs: near @likely, or any. */
u32 next_evil(u32 likely);
bool script_ended(void);

/*
 * Run a part of the script as the back end's: @act is called at every point where
 * it could interfere, up to @times times.
 */
void race_with(void (*act)(void), unsigned int times);
void race_over(void);

/* The back end's domain, and its use of grants (back.c). */
#define BACK		2
/*
 * The back end has not broken the protocol so far; it may break it.  A target sets
 * both at the start: some bugs show only with a back end that follows the protocol.
 */
extern bool honest, may_break;

/* Start the grant layer; the hypervisor has been reset. */
void grants_boot(void);
/* Map or unmap something, writing to it if that is allowed. */
void back_map(void);
void back_unmap(void);
void back_map_or_unmap(void);
/*
 * The back end unmaps everything: then every page and reference must have been
 * released.
 */
void grants_end(void);
/* Write a word of a shared ring that a good back end would not. */
void back_scribble(void *shared, size_t bytes, u32 req_prod, u32 rsp_cons);

/* The target's: one run. */
void run_script(void);

#define must(x)		shim_check(x, #x)

#endif /* FUZZ_H */
