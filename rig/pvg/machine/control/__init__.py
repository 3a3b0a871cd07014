# SPDX-License-Identifier: GPL-2.0-only
"""The control domain: its boot archive, archives of further programs, and how it is saved and resumed.

The programs that run inside it stand in rig/control/, not here.
"""
