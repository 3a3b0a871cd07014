/* SPDX-License-Identifier: MIT */
/*
 * Vector registers loaded, carried through one system call and stored again,
 * with nothing but the kernel between.
 */
#ifndef PVGUEST_SELFTESTS_FPU_REGISTERS_H
#define PVGUEST_SELFTESTS_FPU_REGISTERS_H

#include <asm/types.h>

/**
 * struct vectors - a register file, 64 bytes a register whatever the width
 * @word: the registers' contents, lowest part first
 */
struct vectors {
	__u64 word[32][8];
};

/**
 * vector_call - load registers, make a system call, store the registers
 * @load: register contents to load
 * @store: register contents after the call
 * @number: system call number
 * @first: its first argument
 * @second: its second argument
 *
 * Return: the system call's.
 */
typedef long vector_call(const struct vectors *load, struct vectors *store,
			 long number, long first, long second);

vector_call sse_through_call;
vector_call avx_through_call;
vector_call avx512_through_call;

/**
 * sse_store() - store the sixteen SSE registers as they are
 * @store: where to store
 */
void sse_store(struct vectors *store);

#endif /* PVGUEST_SELFTESTS_FPU_REGISTERS_H */
