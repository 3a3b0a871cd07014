/* SPDX-License-Identifier: MIT */
/* All that a unit test needs of this header is in the test. */
#include "../ipi.h"
