/* SPDX-License-Identifier: MIT */
/* All else that a unit test needs of this header is in kernel.h. */
#ifndef SHIM_PVGUEST_PLATFORM_H
#define SHIM_PVGUEST_PLATFORM_H

#include "../kernel.h"

void pvguest_close_port(unsigned int port);

#endif /* SHIM_PVGUEST_PLATFORM_H */
