# SPDX-License-Identifier: GPL-2.0-only
"""The version of the whole repository; the newest heading of CHANGELOG.md has the same."""

VERSION = "0.4.0"
