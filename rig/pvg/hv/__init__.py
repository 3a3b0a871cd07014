# SPDX-License-Identifier: GPL-2.0-only
"""Adapters: one module for each way in which a guest can be booted.

Each has boot(options) -> session.Boot, which says how to start the emulator, where the guest's
console comes out and what its death looks like.
"""
import importlib

NAMES = ("xen-domu", "xen-dom0", "none")


def load(name):
    """The adapter module called NAME on the command line."""
    return importlib.import_module("pvg.hv." + name.replace("-", "_"))
