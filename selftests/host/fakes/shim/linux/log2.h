/* SPDX-License-Identifier: MIT */
/* All that a unit test needs of this header is in kernel.h. */
#include "../kernel.h"
