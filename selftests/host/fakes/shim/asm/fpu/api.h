/* SPDX-License-Identifier: MIT */
/* All that a unit test needs of this header is in ipi.h or in the test. */
#include "../../ipi.h"
