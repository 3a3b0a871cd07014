# SPDX-License-Identifier: GPL-2.0-only
"""The conformance suite: its cases, images, runs over an adapter, results, mutants and report.

adapter.py and xl.py serve adapters. Cases themselves stand in selftests/abi/, not here.
"""
