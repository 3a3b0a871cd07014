# SPDX-License-Identifier: GPL-2.0-only
"""The ABI on paper: reads the clause catalogue and the layout table, and writes the manual.

Nothing here runs a program or boots a machine.
"""
