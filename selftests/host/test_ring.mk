# SPDX-License-Identifier: MIT
include driver/driver.mk

DRIVER_TESTS := $(addprefix $(OUT)/,test_ring test_grant test_backoff test_pvnet_tx test_pvnet_rx test_store)
$(DRIVER_TESTS): CFLAGS := $(DRIVER_CFLAGS) $(CFLAGS)
$(DRIVER_TESTS): $(DRIVER_HEADERS)
