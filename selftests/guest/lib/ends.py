# SPDX-License-Identifier: MIT
"""The end of a guest: the reason that the hypervisor or the tool stack reports."""
import re
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pvg.base import ktap, releases

from lib import build, guest

DIED = 126

# The line of the hypervisor's console, or of xl, for each way of ending a guest.
WAYS = {
    "power off": (["sh", "-c", "exec poweroff -f"], {
        "xen-dom0": r"Hardware Dom0 halted",
        "xen-domu": r"reason code 0\b"}),
    "reboot": (["sh", "-c", "exec reboot -f"], {
        "xen-dom0": r"Hardware Dom0 shutdown: rebooting",
        "xen-domu": r"reason code 1\b"}),
    "panic": (["sh", "-c", "echo c > /proc/sysrq-trigger"], {
        "xen-dom0": r"Hardware Dom0 crashed",
        "xen-domu": r"reason code 3\b"}),
}


# Functions of the port during boot: the first after there are handlers, and one in setup_arch().
EARLY = ("pvguest_cpu_init", "pvguest_bound_memory_map")
# movq 0x10, %rax: a page fault.
_FAULT = bytes((0x48, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0))
# The log then has the exception, where it was, and that this was the end.
_REPORT = (r"PANIC: early exception 0x0e .*cr2 0x10\b", r"RIP: \w+:{}\+0x0/",
           r"pvguest: boot: exception that nothing handles")


def _file_offset(elf: bytes, address: int) -> int:
    """Where in the 64-bit executable ELF the byte is that is loaded at ADDRESS."""
    start, size, count = struct.unpack_from("<Q", elf, 32)[0], *struct.unpack_from("<HH", elf, 54)
    for at in range(start, start + size * count, size):
        kind, _, offset, virtual, _, length = struct.unpack_from("<IIQQQQ", elf, at)
        if kind == 1 and virtual <= address < virtual + length:
            return int(offset + address - virtual)
    raise build.BuildError(f"kernel: no segment has {address:#x}")


def _faulty(kernel: str, function: str) -> Path:
    """A copy of KERNEL in which FUNCTION begins with an access to address 0x10."""
    objects = build.LINUX / kernel / "vmlinux"
    names = subprocess.run(["nm", str(objects)], check=True, capture_output=True, text=True).stdout
    found = re.search(rf"^([0-9a-f]+) \w {function}$", names, re.M)
    if not found:
        raise build.BuildError(f"{objects}: no function {function}")
    stripped = guest.BUILD / "kernels" / releases.default() / kernel / "vmlinux"
    elf = bytearray(stripped.read_bytes())
    at = _file_offset(elf, int(found.group(1), 16))
    elf[at:at + len(_FAULT)] = _FAULT
    image = guest.WORK / f"faulty-{function}"
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(elf)
    return image


def _end(hv: str, kernel: str, way: str, command: Sequence[str],
         options: Sequence[str] = ()) -> tuple[guest.Run, str]:
    """A guest that ends by COMMAND or before; returns its run and its log."""
    log = guest.WORK / f"end-{hv}-{way.replace(' ', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    run = guest.Run(hv, kernel, command, vcpus=2, timeout=1800,
                    options=["--log", str(log), *options])
    run.lines()
    return run, log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""


def _result(group: ktap.Group, name: str, run: guest.Run, text: str,
            expected: Sequence[str]) -> None:
    missing = [pattern for pattern in expected if not re.search(pattern, text)]
    good = run.status == DIED and not missing
    group.result(good, name, [] if good else [
        f"exit status {run.status}, expected {DIED}", *(f"expected: {one}" for one in missing),
        *text.splitlines()[-4:]])


def check(group: ktap.Group, hv: str, kernel: str) -> None:
    """One result for each way."""
    for way, (command, reasons) in WAYS.items():
        run, text = _end(hv, kernel, way, command)
        _result(group, f"{way} reaches the hypervisor as such", run, text, [reasons[hv]])
    if kernel != "pvguest":
        return
    for function in EARLY:
        image = _faulty(kernel, function)
        run, text = _end(hv, kernel, function, ["true"], ["--image", str(image)])
        image.unlink()
        _result(group, f"an exception in {function}() is reported", run, text,
                [*(pattern.format(function) for pattern in _REPORT), WAYS["panic"][1][hv]])
