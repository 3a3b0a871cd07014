# SPDX-License-Identifier: MIT
# What a program needs that compiles drivers' sources in user space: DRIVER_CFLAGS, and the headers
# made in $(DRIVER_INCLUDE).  The ABI's headers are those of the Linux tree, as in the kernel.

DRIVER := $(REPO)/selftests/host/driver
DRIVER_INCLUDE := $(REPO)/build/selftests/host/driver
DRIVER_HEADERS := $(DRIVER_INCLUDE)/.made
LINUX_SOURCE := $(REPO)/build/linux-6.12/source
DRIVER_CFLAGS := -I$(DRIVER_INCLUDE) -I$(DRIVER) -I$(REPO)/arch/x86/pvguest/include \
	-I$(REPO)/drivers/pvbus/include -include $(DRIVER)/kernel.h \
	-Wno-unused-parameter -Wno-missing-field-initializers -Wno-sign-compare

$(LINUX_SOURCE)/include/xen/interface/xen.h:
	$(REPO)/pvguest build --kernel pvguest

$(DRIVER_HEADERS): $(DRIVER)/headers $(DRIVER)/driver.mk | $(LINUX_SOURCE)/include/xen/interface/xen.h
	rm -rf $(DRIVER_INCLUDE)
	mkdir -p $(DRIVER_INCLUDE)/xen $(DRIVER_INCLUDE)/linux $(DRIVER_INCLUDE)/asm
	for name in $$(cat $(DRIVER)/headers); do \
		echo '#include "$(DRIVER)/kernel.h"' > $(DRIVER_INCLUDE)/$$name; done
	ln -s $(LINUX_SOURCE)/include/xen/interface $(DRIVER_INCLUDE)/xen/interface
	for name in xen pvclock-abi.h emulate_prefix.h; do \
		ln -s $(LINUX_SOURCE)/arch/x86/include/asm/$$name $(DRIVER_INCLUDE)/asm/$$name; done
	touch $@
