# SPDX-License-Identifier: MIT
# Flags of the tests of the block front end.
PVBLK_TESTS := $(addprefix $(OUT)/drivers/,test_pvblk test_pvblk_pages test_pvblk_vdev test_pvblk_geometry)
$(PVBLK_TESTS): CFLAGS := $(DRIVER_CFLAGS) $(CFLAGS)
$(PVBLK_TESTS): $(DRIVER_HEADERS)
