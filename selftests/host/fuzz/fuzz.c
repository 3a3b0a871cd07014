// SPDX-License-Identifier: MIT
/*
 * One input, one run: reads the script, and puts everything back afterwards.
 */
#include "fuzz.h"

static const u8 *at, *end;

u8 next_u8(void)
{
	return at < end ? *at++ : 0;
}

u16 next_u16(void)
{
	u16 low = next_u8();

	return low | next_u8() << 8;
}

u32 next_u32(void)
{
	u32 low = next_u16();

	return low | (u32)next_u16() << 16;
}

u32 next_below(u32 n)
{
	return (n <= 256 ? next_u8() : next_u16()) % n;
}

u32 next_evil(u32 likely)
{
	static const u32 edges[] = {
		0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff,
		0x80000000, 0xfffff000, 0xfffffffe, 0xffffffff,
	};
	u8 how = next_u8();

	if (how < 128)
		return likely + (how & 15) - 7;
	if (how < 192)
		return edges[how % ARRAY_SIZE(edges)];
	return how < 224 ? likely + (s16)next_u16() : next_u32();
}

bool script_ended(void)
{
	return at >= end;
}

static void (*race_act)(void);
static unsigned int race_left;

static void race(void)
{
	void (*act)(void) = race_act;

	if (!race_left || script_ended()) {
		race_over();
		return;
	}
	race_left--;
	/* The back end's own actions are not interrupted. */
	shim_race = NULL;
	act();
	if (race_left)
		shim_race = race;
}

void race_with(void (*act)(void), unsigned int times)
{
	race_act = act;
	race_left = times;
	shim_race = times ? race : NULL;
}

void race_over(void)
{
	race_left = 0;
	shim_race = NULL;
}

/* The linker's symbols for the start and end of the drivers' variables. */
extern u64 __start_driver_bss[], __stop_driver_bss[];
extern u64 __start_driver_data[], __stop_driver_data[];
static u8 *saved_data;

/* The sections of a driver's variables exist even if it has none. */
#include "state.h"
static u64 some_bss __attribute__((used));
static u64 some_data __attribute__((used)) = 1;
#pragma clang section bss = "" data = ""

/* Whole variables, also the gaps between them. */
static void copy(u8 *to, const u8 *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile u8 *)to)[i] = from ? from[i] : 0;
}

static void driver_as_loaded(void)
{
	size_t size = (u8 *)__stop_driver_data - (u8 *)__start_driver_data;

	if (!saved_data) {
		saved_data = malloc(size);
		copy(saved_data, (u8 *)__start_driver_data, size);
		return;
	}
	copy((u8 *)__start_driver_data, saved_data, size);
	copy((u8 *)__start_driver_bss, NULL,
	     (u8 *)__stop_driver_bss - (u8 *)__start_driver_bss);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	at = data;
	end = data + size;
	driver_as_loaded();
	run_script();
	race_over();
	shim_reset();
	return 0;
}
