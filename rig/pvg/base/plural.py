# SPDX-License-Identifier: GPL-2.0-only
"""Numbers with what they count, in the singular or the plural."""


def counted(count: int, noun: str) -> str:
    """COUNT and NOUN, which takes an s unless there is one: '1 case', '2 cases'."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
