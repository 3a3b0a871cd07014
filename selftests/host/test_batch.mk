# SPDX-License-Identifier: MIT
$(OUT)/test_batch $(OUT)/test_memory_map: CFLAGS := -I$(REPO)/selftests/host/shim $(CFLAGS) \
	-Wno-unused-parameter -Wno-missing-field-initializers
