# SPDX-License-Identifier: MIT
# Flags of the tests of event channels, ports, IPIs, vCPUs and time.
$(OUT)/arch/test_evtchn $(OUT)/arch/test_ipi $(OUT)/arch/test_ports $(OUT)/arch/test_smp $(OUT)/arch/test_spinlock \
	$(OUT)/arch/test_vtime: \
	CFLAGS := -I$(REPO)/selftests/host/fakes/shim $(CFLAGS) \
	-Wno-unused-parameter -Wno-missing-field-initializers -pthread
$(OUT)/arch/test_tsc_trust: CFLAGS += -Wno-unused-parameter
