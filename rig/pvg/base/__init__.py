# SPDX-License-Identifier: GPL-2.0-only
"""Modules that every other may use: paths, errors, progress, locks and hashes, Debian packages, KTAP.

Nothing here knows a kernel, a machine, a guest or a case. This is the only room that programs under
selftests/ may import, except the host tests of the package and the checks of style.
"""
