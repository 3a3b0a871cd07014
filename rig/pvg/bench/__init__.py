# SPDX-License-Identifier: GPL-2.0-only
"""Benchmarks: what is measured, and the tables of the results.

The programs that run in the guest stand in selftests/bench/, not here.
"""
