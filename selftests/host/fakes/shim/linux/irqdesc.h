/* SPDX-License-Identifier: MIT */
/* All that a unit test needs of this header is in irq.h. */
#include "../irq.h"
