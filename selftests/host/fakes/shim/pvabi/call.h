/* SPDX-License-Identifier: MIT */
/* The raw hypercalls that the tested files make, as functions of the test. */
#include "../kernel.h"

long hyp_call2(unsigned long nr, unsigned long a1, unsigned long a2);
