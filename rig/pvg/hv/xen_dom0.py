# SPDX-License-Identifier: GPL-2.0-only
"""Adapter 'xen-dom0': the kernel as the initial domain of Xen."""
import re

from pvg import errors, qemu, session, xen

KERNELS = ("pvguest", "pvguest-full", "mainline", "mainline-full")

# Ways in which Xen says that its initial domain is no more.
DEATHS = [
    (re.compile(rb"Hardware Dom0 crashed"), "the guest crashed"),
    (re.compile(rb"Panic on CPU \d+"), "the hypervisor panicked"),
    (re.compile(rb"Hardware Dom0 (?:halted|shutdown)"),
     "the guest shut down before the command ended"),
    (re.compile(rb"Could not (?:construct|set up) d(?:om)?0"),
     "the hypervisor refused the kernel"),
]


def boot(options):
    """How to start Xen with the kernel and its initial RAM file system as modules."""
    if options.kernel not in KERNELS:
        raise errors.UsageError(f"--hv xen-dom0 cannot run kernel {options.kernel}; "
                                "use --hv none")
    if options.disk:
        raise errors.UsageError("--disk needs --hv xen-domu or none: "
                                "an initial domain has no back end")
    folder = options.folder
    (folder / "initrd").write_bytes(options.initramfs(1))
    # The initial domain boots on the frames that hold its modules: spare some for both.
    spare = xen.OVERHEAD_MIB + ((folder / "initrd").stat().st_size >> 20)
    arguments = xen.COMMON_ARGUMENTS + [
        f"dom0_mem={options.memory}M,max:{options.memory}M", f"dom0_max_vcpus={options.vcpus}",
        "noreboot=1"]
    kernel_line = f"{options.kernel_file()} console=hvc0 earlyprintk=xen panic=-1 {options.append}"
    # QEMU separates modules by commas and reads a doubled one as itself.
    modules = ",".join(module.strip().replace(",", ",,")
                       for module in (kernel_line, str(folder / "initrd")))
    words = qemu.command(options, options.memory + spare) + [
        "-kernel", str(xen.binary(options.xen)), "-append", " ".join(arguments),
        "-initrd", modules, "-serial", "stdio"]
    return session.Boot(words, deaths=DEATHS)
