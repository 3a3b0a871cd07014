/* SPDX-License-Identifier: MIT */
/*
 * Included before a driver's source: its variables go where fuzz.c can put
 * them back as they were, so that each input meets a driver just loaded.
 */
#pragma clang section bss = "driver_bss" data = "driver_data"
