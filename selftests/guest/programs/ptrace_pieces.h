/* SPDX-License-Identifier: MIT */
/*
 * Pieces of code to single-step through, each between two labels.
 */
#ifndef PVGUEST_SELFTESTS_PTRACE_PIECES_H
#define PVGUEST_SELFTESTS_PTRACE_PIECES_H

/* A hundred NOPs. */
extern const char plain_code[], plain_end[];

/* Twenty times getpid by SYSCALL, then by INT 0x80, two instructions each. */
extern const char syscall_code[], syscall_end[];
extern const char int80_code[], int80_end[];

/* SS read, SS written, NOP, CPUID. */
extern const char stack_code[], stack_end[];

/* Two instructions, then REP STOSQ of the sixteen words of watched[]. */
extern const char string_code[], string_end[];

#endif /* PVGUEST_SELFTESTS_PTRACE_PIECES_H */
