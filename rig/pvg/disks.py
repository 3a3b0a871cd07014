# SPDX-License-Identifier: GPL-2.0-only
"""Disk files of guests: what they hold, and how the emulator shows them."""
import json


class Disk:
    """One disk of the emulated machine: the file PATH of the given FORMAT."""

    def __init__(self, path, kind="raw"):
        self.path = path
        self.kind = kind

    def words(self, node, device):
        """Words for the emulator: the disk is called NODE, and DEVICE are options of its device."""
        backend = {"driver": self.kind, "node-name": node, "discard": "unmap",
                   "file": {"driver": "file", "filename": str(self.path), "discard": "unmap",
                            "cache": {"no-flush": True}}}
        return ["-blockdev", json.dumps(backend), "-device", f"virtio-blk-pci,drive={node},{device}"]
