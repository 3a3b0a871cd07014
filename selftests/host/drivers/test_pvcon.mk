# SPDX-License-Identifier: MIT
# Flags of the test of the consoles. By the last path hvc's header is found, relative to it.
$(OUT)/drivers/test_pvcon: CFLAGS := $(DRIVER_CFLAGS) -iquote $(LINUX_SOURCE)/include/xen/interface $(CFLAGS)
$(OUT)/drivers/test_pvcon: $(DRIVER_HEADERS)
