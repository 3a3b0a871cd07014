# SPDX-License-Identifier: GPL-2.0-only
"""Archives of programs for the control domain that only some runs need, beside its image."""

from pathlib import Path

from pvg.base import cpio, files, paths, programs, progress

# Programs, the packages that hold them and what they need, and other files from this machine.
EXTRAS = {
    "tools": (("tcpdump", "iperf3", "ethtool"),
              ("tcpdump", "libpcap0.8", "libdbus-1-3", "libssl3", "iperf3", "libiperf0",
               "libsctp1", "ethtool", "libmnl0"), ()),
    "qemu": (("xen-qemu-system-i386",),
             ("qemu-system-xen", "libspice-server1", "libopus0", "libgstreamer1.0-0",
              "libgstreamer-plugins-base1.0-0", "liborc-0.4-0", "libsasl2-2", "libunwind8",
              "libdw1", "libelf1", "libpixman-1-0", "libjpeg62-turbo", "libusb-1.0-0", "libfdt1",
              "libglib2.0-0", "libpcre2-8-0", "libssl3", "liblz4-1", "libffi8", "libbz2-1.0",
              "libxenmisc4.17", "libxencall1", "libxendevicemodel1", "libxenevtchn1",
              "libxenforeignmemory1", "libxengnttab1", "libxenstore4", "libxentoolcore1",
              "libxentoollog1"), ("usr/share/qemu/keymaps/en-us",)),
}


def extra(name: str) -> Path:
    """Path of an archive with the programs called NAME in EXTRAS, for runs that need them."""
    requested, package_names, others = EXTRAS[name]
    source = programs.Programs(package_names)
    key = files.digest([Path(programs.__file__)], [*requested, *others, *source.versions()])
    target = paths.BUILD / "control" / f"{name}-{key}.cpio"
    if not target.exists():
        progress.say(f"making the control domain's archive of {name}")
        archive = cpio.Archive()
        found = [source.find(program) for program in requested]
        for path in found:
            archive.copy(path, f"usr/{path.parent.name}/{path.name}")
        for other in others:
            archive.copy(Path("/") / other, other)
        source.add_libraries(archive, found)
        files.write_atomically(target, archive.bytes())
    return target
