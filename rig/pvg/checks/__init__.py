# SPDX-License-Identifier: GPL-2.0-only
"""Test suites: running them, and long runs in shards whose results are kept."""
