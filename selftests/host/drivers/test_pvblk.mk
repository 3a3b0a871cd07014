# SPDX-License-Identifier: MIT
# Flags of the tests of the block front end.
$(OUT)/drivers/test_pvblk $(OUT)/drivers/test_pvblk_pages $(OUT)/drivers/test_pvblk_vdev: CFLAGS := $(DRIVER_CFLAGS) $(CFLAGS)
$(OUT)/drivers/test_pvblk $(OUT)/drivers/test_pvblk_pages $(OUT)/drivers/test_pvblk_vdev: $(DRIVER_HEADERS)
