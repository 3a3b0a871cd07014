# SPDX-License-Identifier: MIT
# For programs that compile drivers' sources in user space: DRIVER_CFLAGS, and the headers
# made in $(DRIVER_INCLUDE).  The ABI's headers are those of the Linux tree, as in the kernel.

DRIVER := $(REPO)/selftests/host/fakes/driver
DRIVER_INCLUDE := $(REPO)/build/selftests/host/driver
DRIVER_HEADERS := $(DRIVER_INCLUDE)/.made
# The release that the rig takes where none is named.
LINUX_RELEASE := $(shell cd $(REPO)/rig && python3 -B -c \
	'from pvg.base import releases; print(releases.default())')
ifeq ($(LINUX_RELEASE),)
$(error no Linux release: see linux/*/release.yaml)
endif
LINUX_SOURCE := $(REPO)/build/linux-$(LINUX_RELEASE)/source
DRIVER_CFLAGS := -I$(DRIVER_INCLUDE) -I$(DRIVER) -I$(REPO)/arch/x86/pvguest/include \
	-I$(REPO)/drivers/pvbus/include -include $(DRIVER)/kernel.h \
	-Wno-unused-parameter -Wno-missing-field-initializers -Wno-sign-compare

# Part of the unpacked tree: make must not remove it when it is interrupted.  No kernel is needed.
.PRECIOUS: $(LINUX_SOURCE)/include/xen/interface/xen.h
$(LINUX_SOURCE)/include/xen/interface/xen.h:
	cd $(REPO)/rig && python3 -B -c 'from pvg.kernel import linux; linux.LinuxTree().prepare()'

$(DRIVER_HEADERS): $(DRIVER)/headers $(DRIVER)/driver.mk | $(LINUX_SOURCE)/include/xen/interface/xen.h
	rm -rf $(DRIVER_INCLUDE)
	mkdir -p $(addprefix $(DRIVER_INCLUDE)/,asm linux/sched net/page_pool uapi xen)
	for name in $$(cat $(DRIVER)/headers); do \
		echo '#include "$(DRIVER)/kernel.h"' > $(DRIVER_INCLUDE)/$$name; done
	ln -s $(LINUX_SOURCE)/include/xen/interface $(DRIVER_INCLUDE)/xen/interface
	ln -s $(LINUX_SOURCE)/include/uapi/xen $(DRIVER_INCLUDE)/uapi/xen
	for name in xen pvclock-abi.h emulate_prefix.h; do \
		ln -s $(LINUX_SOURCE)/arch/x86/include/asm/$$name $(DRIVER_INCLUDE)/asm/$$name; done
	echo $(LINUX_RELEASE) > $@

# Made of another release: make them anew, and all that is compiled with them.
ifneq ($(shell cat $(DRIVER_HEADERS) 2> /dev/null),$(LINUX_RELEASE))
.PHONY: $(DRIVER_HEADERS)
endif
