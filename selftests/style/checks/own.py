# SPDX-License-Identifier: MIT
"""Checks of this repository that are programs of their own in the folder above, with own tests."""
import sys

from checks import tools
from checks.tree import Tree


def check_words(tree: Tree) -> list[str]:
    """Documents, ABI and tests use the words that words.py demands."""
    def work() -> list[str]:
        output = tools.run([sys.executable, "-B", "selftests/style/words.py"], tree.root)
        return [line for line in output.splitlines() if not line.startswith("words: ")]

    return tree.whole("words", tree.names, "1", work)
