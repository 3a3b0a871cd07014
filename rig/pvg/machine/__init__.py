# SPDX-License-Identifier: GPL-2.0-only
"""The emulated machine: emulator, hypervisor, disks, network, and (control/) the control domain.

Nothing here knows what a guest runs or says.
"""
