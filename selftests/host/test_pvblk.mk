# SPDX-License-Identifier: MIT
include driver/driver.mk

$(OUT)/test_pvblk $(OUT)/test_pvblk_pages $(OUT)/test_pvblk_vdev: CFLAGS := $(DRIVER_CFLAGS) $(CFLAGS)
$(OUT)/test_pvblk $(OUT)/test_pvblk_pages $(OUT)/test_pvblk_vdev: $(DRIVER_HEADERS)
