# SPDX-License-Identifier: MIT
include driver/driver.mk

$(OUT)/test_ring $(OUT)/test_grant: CFLAGS := $(DRIVER_CFLAGS) $(CFLAGS)
$(OUT)/test_ring $(OUT)/test_grant: $(DRIVER_HEADERS)
