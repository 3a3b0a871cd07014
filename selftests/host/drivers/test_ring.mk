# SPDX-License-Identifier: MIT
# Flags of the tests that share the stand-ins for the drivers.
DRIVER_TESTS := $(OUT)/arch/test_backoff $(OUT)/arch/test_early_console $(OUT)/arch/test_parameter \
	$(addprefix $(OUT)/drivers/,test_ring test_grant test_pvnet_tx test_pvnet_rx test_pvnet_receive test_pvnet_transmit test_pvnet_xdp test_pvnet_queue test_pvnet_main test_pvnet_stats test_store test_store_limits test_bus test_budget test_control test_vcpus test_pvballoon)
$(DRIVER_TESTS): CFLAGS := $(DRIVER_CFLAGS) $(CFLAGS)
# A u64 is a long here. Four queues have 514 pages each.
$(OUT)/drivers/test_pvnet_queue $(OUT)/drivers/test_pvnet_main: CFLAGS += -Wno-format -DSHIM_PAGES=4096
$(DRIVER_TESTS): $(DRIVER_HEADERS)
