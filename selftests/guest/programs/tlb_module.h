/* SPDX-License-Identifier: MIT */
/* Modules beside the program, and the requests to pvguest_tlb. */
#ifndef PVGUEST_SELFTESTS_GUEST_TLB_MODULE_H
#define PVGUEST_SELFTESTS_GUEST_TLB_MODULE_H

#include <linux/module.h>

#include "guest.h"

#define TLB_MODULE "pvguest_tlb"
#define TLB_PARAMETERS "/sys/module/" TLB_MODULE "/parameters/"

/* Read up to @most numbers from @parameter; how many there were, or -errno. */
static inline int tlb_numbers(const char *parameter, long *numbers, int most)
{
	char path[128], text[128], *rest = text, *next;
	ssize_t length;
	int count;

	snprintf(path, sizeof(path), TLB_PARAMETERS "%s", parameter);
	length = read_file(path, text, sizeof(text));
	if (length < 0)
		return length;
	for (count = 0; count < most; count++, rest = next) {
		numbers[count] = strtol(rest, &next, 10);
		if (next == rest)
			break;
	}
	return count;
}

#endif /* PVGUEST_SELFTESTS_GUEST_TLB_MODULE_H */
