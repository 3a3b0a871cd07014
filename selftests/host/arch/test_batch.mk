# SPDX-License-Identifier: MIT
# Flags of the tests of the port: the stand-ins for its headers come first.
$(OUT)/arch/test_batch $(OUT)/arch/test_memory_map $(OUT)/arch/test_reservation: CFLAGS := -I$(REPO)/selftests/host/fakes/shim $(CFLAGS) \
	-Wno-unused-parameter -Wno-missing-field-initializers
