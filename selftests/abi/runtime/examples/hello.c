// SPDX-License-Identifier: MIT
/* The smallest guest: prints one line and powers off. */
#include "rt.h"

void guest_main(void)
{
	long version = hyp_xen_version(XENVER_version, NULL);

	print("hello from Xen %ld.%ld\n", version >> 16, version & 0xffff);
}
