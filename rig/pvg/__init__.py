# SPDX-License-Identifier: GPL-2.0-only
"""The rig: builds kernels, boots them, brings back what a command printed."""
