# SPDX-License-Identifier: MIT
"""Tests of an image that was installed under Linux's own port: our kernel boots it, and back."""
import os
import re
import subprocess
import unittest

import rigtest
from pvg.base import paths
from pvg.guest import debian
from pvg.machine import network
from rigtest import call

LONG = bool(os.environ.get("PVGUEST_LONG"))

ADDRESS = f"{network.address(1)}/24"
ROOT, DATA = (f"6a1f0f2e-6d0b-4f0c-9a55-00000000000{number}" for number in (1, 2))

# As an administrator configures a guest: the interface by its name, the root by its UUID, another
# disk by its name. Nothing in it depends on the kernel.
INSTALL = f"""
cat > /etc/network/interfaces.d/guest << END
auto enX0
iface enX0 inet static
	address {ADDRESS}
END
cat > /etc/fstab << END
UUID={ROOT} / ext4 defaults 0 1
/dev/xvdb /srv ext4 defaults 0 2
END
ls /sys/class/net
"""

# Prints lines of the form NAME=VALUE.
SURVEY = f"""
uname -r >> /root/boots
echo "boots=$(xargs < /root/boots)"
echo "state=$(systemctl is-system-running --wait)"
echo "virt=$(systemd-detect-virt)"
echo "interfaces=$(ls /sys/class/net | xargs)"
echo "address=$(ip -o -4 address show dev enX0 | awk '{{ print $2, $4 }}')"
ping -c 1 -W 60 {network.address(0)} > /dev/null && echo "ping=answered"
echo "root=$(findmnt --noheadings --output SOURCE,UUID / | xargs)"
echo "data=$(findmnt --noheadings --output SOURCE,UUID /srv | xargs)"
echo "pci=$(ls /sys/bus/pci/devices 2> /dev/null)"
for device in /sys/bus/xen/devices/*; do
	echo "bus.${{device##*/}}=$(readlink -f "$device") $(cat "$device/modalias")"
done
for device in /sys/bus/xen/devices/* /sys/class/net/* /sys/block/xvd* /sys/class/tty/hvc0; do
	udevadm info --query=property "$device" | sed "s|^|udev.${{device##*/}}.|"
done
for link in /dev/disk/*/*; do
	echo "link.$link=$(readlink -f "$link")"
done
"""
EXPECTED = {
    "state": "running", "virt": "xen", "pci": "", "ping": "answered", "address": f"enX0 {ADDRESS}",
    "root": f"/dev/xvda {ROOT}", "data": f"/dev/xvdb {DATA}",
    "bus.vif-0": "/sys/devices/vif-0 xen:vif", "bus.vbd-51712": "/sys/devices/vbd-51712 xen:vbd",
    "udev.enX0.ID_NET_NAME_SLOT": "enX0", "udev.enX0.ID_PATH": "xen-vif-0",
    f"link./dev/disk/by-uuid/{ROOT}": "/dev/xvda"}
# Numbers of one boot, and the names of drivers, which are our own.
DIFFERENT = ("USEC_INITIALIZED", "DISKSEQ", "IFINDEX", ".DRIVER", "ID_NET_DRIVER")
BY_NUMBER = "/dev/disk/by-diskseq/"


def setUpModule() -> None:
    """Make the image and the kernels first: they take longer than any test may."""
    if LONG:
        rigtest.build()
        if "--no-build" not in rigtest.WORDS:
            call("build", "--kernel", "mainline").check_returncode()
        debian.image()


def survey(text: str) -> dict[str, str]:
    """The lines of SURVEY, printed as TEXT, without those that may differ from one boot to another."""
    found = dict(line.split("=", 1) for line in text.splitlines())
    for name in [name for name in found if name.endswith("LINKS")]:
        found[name] = " ".join(sorted(link for link in found[name].split() if BY_NUMBER not in link))
    return {name: value for name, value in found.items()
            if not name.endswith(DIFFERENT) and BY_NUMBER not in name}


@unittest.skipUnless(LONG, "boots Debian three times; make check-long runs it")
class Installed(rigtest.FolderCase):
    """A Debian that was installed under Linux's own port."""

    maxDiff = None

    def setUp(self) -> None:
        super().setUp()
        self.root, self.data = self.folder / "root.img", self.folder / "data.img"
        subprocess.run(["cp", "--sparse=always", debian.image().path, self.root], check=True)
        subprocess.run(["tune2fs", "-U", ROOT, self.root], check=True, stdout=subprocess.DEVNULL)
        self.data.write_bytes(bytes(16 << 20))
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-U", DATA, self.data], check=True)

    def boot(self, kernel: str, script: str) -> str:
        """Standard output of SCRIPT in the image, booted with KERNEL; it must succeed."""
        result = call("run", "--kernel", kernel, *rigtest.WORDS, "--root", self.root, "--disk",
                      self.data, "--timeout", "3600", "--", "sh", "-e", "-c", script)
        self.assertEqual(result.returncode, 0, (result.stdout + result.stderr).decode())
        return result.stdout.decode()

    def test_there_and_back(self) -> None:
        """Network, disks and udev's names are the same with either kernel; each uses the other's files."""
        self.assertIn("enX0", self.boot("mainline", INSTALL).split())
        ours = survey(self.boot(rigtest.KERNEL, SURVEY))
        theirs = survey(self.boot("mainline", SURVEY))
        boots = [ours.pop("boots"), *theirs.pop("boots").split()]
        self.assertEqual([release.rpartition("-")[2] for release in boots],
                         [rigtest.KERNEL, rigtest.KERNEL, "mainline"])
        self.assertEqual({name: ours.get(name) for name in EXPECTED}, EXPECTED)
        self.assertEqual(ours, theirs)
        for disk in (self.root, self.data):
            subprocess.run(["e2fsck", "-f", "-n", disk], check=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)


class Switch(rigtest.FolderCase):
    """The script that goes on with the image, on a folder in its place."""

    def setUp(self) -> None:
        super().setUp()
        self.control = self.folder / "newroot" / "usr" / "local" / "bin" / "control"
        self.control.parent.mkdir(parents=True)
        for name in ("pvg/disk", "pvg/settings", "pvg/devices", "pvg/pvguest.service", "init"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text("text\n")
        for name in ("mount", "switch_root", "poweroff"):
            (self.folder / name).write_text("#!/bin/sh\n")
            (self.folder / name).chmod(0o755)
        script = (paths.RIG / "debian" / "switch").read_text()
        self.script = re.sub(r"(?<!\w)/(?=(pvg|init|newroot)\b)", f"{self.folder}/", script)

    def switch(self) -> None:
        """Run the script, which must succeed."""
        subprocess.run(["sh", "-c", self.script], check=True, stderr=subprocess.DEVNULL,
                       env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"})

    def test_program_for_orders(self) -> None:
        for _boot in range(2):
            self.switch()
            self.assertEqual(os.readlink(self.control), "/run/pvg/init")
            self.assertTrue((self.folder / "newroot" / "run" / "pvg" / "init").is_file())

    def test_program_of_the_user_stays(self) -> None:
        self.control.write_text("own\n")
        self.switch()
        self.assertFalse(self.control.is_symlink())
        self.assertEqual(self.control.read_text(), "own\n")


if __name__ == "__main__":
    unittest.main()
