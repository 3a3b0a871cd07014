# SPDX-License-Identifier: GPL-2.0-only
"""Adapter 'none': the kernel natively in the emulator, without a hypervisor."""
import re

from pvg import errors, network, qemu, session

KERNELS = ("native", "native-full")

# Without ACPI the machine stays on after it has been shut down: the kernel's word must do.
DEATHS = [
    (re.compile(rb"Kernel panic - not syncing: ([^\r\n]*)"), "the guest's kernel panicked"),
    (re.compile(rb"reboot: (?:Power |System halted|Restarting system)"),
     "the guest shut down before the command ended"),
]


def boot(options):
    """How to start the native kernel."""
    if options.kernel not in KERNELS:
        raise errors.UsageError(f"--hv none runs the native kernel, not {options.kernel}; "
                                "leave --kernel out")
    folder = options.folder
    (folder / "initrd").write_bytes(options.initramfs(1))
    words = qemu.command(options, options.memory) + [
        "-kernel", str(options.kernel_file()), "-initrd", str(folder / "initrd"),
        "-append", f"console=ttyS0 earlyprintk=serial,ttyS0 panic=-1 {options.append}".strip(),
        "-serial", "stdio"]
    for index in range(options.vifs):
        # A network of the emulator's own, with the control domain's address, and no way out.
        words += ["-netdev", f"user,id=net{index},restrict=on,ipv6=off,"
                  f"net={network.address(0, index)}/24,host={network.address(0, index)}",
                  "-device", f"virtio-net-pci,netdev=net{index},mac={network.mac(1, index)},"
                  "romfile="]
    for index, disk in enumerate(options.disks(1)):
        words += disk.words(f"disk{index}", "")
    return session.Boot(words, deaths=DEATHS)
