# SPDX-License-Identifier: GPL-2.0-only
"""Linux: unpacks and patches a source tree, builds kernels, counts the lines of a port.

Nothing here boots what it builds.
"""
