# SPDX-License-Identifier: GPL-2.0-only
"""Guests that run Linux: their first archive, their console and orders, one run from start to end.

methods/ holds the ways to boot one. Bare guests of the conformance suite belong in conformance/.
"""
