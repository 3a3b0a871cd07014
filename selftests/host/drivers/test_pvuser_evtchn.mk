# SPDX-License-Identifier: MIT
# Flags of the test of /dev/xen/evtchn.
$(OUT)/drivers/test_pvuser_evtchn: CFLAGS := $(DRIVER_CFLAGS) $(CFLAGS)
$(OUT)/drivers/test_pvuser_evtchn: $(DRIVER_HEADERS)
