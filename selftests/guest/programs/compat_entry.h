/* SPDX-License-Identifier: MIT */
/*
 * The three instructions by which 32-bit code enters the kernel, as functions
 * that take their number and arguments in the registers of INT 0x80.
 */
#ifndef PVGUEST_SELFTESTS_COMPAT_ENTRY_H
#define PVGUEST_SELFTESTS_COMPAT_ENTRY_H

/**
 * struct call - one system call
 * @number: i386 system call number
 * @argument: up to six arguments
 */
struct call {
	int number;
	long argument[6];
};

/**
 * call_through() - make a system call by a given entry
 * @entry: one of the functions below, or the vDSO's __kernel_vsyscall
 * @call: number and arguments
 *
 * Return: EAX after the call.
 */
long call_through(void *entry, const struct call *call);

void enter_by_int80(void);
void enter_by_sysenter(void);
void enter_by_syscall(void);

#endif /* PVGUEST_SELFTESTS_COMPAT_ENTRY_H */
