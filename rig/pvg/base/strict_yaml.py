# SPDX-License-Identifier: GPL-2.0-only
"""YAML read with suspicion: every complaint names file and line, no key goes unnoticed."""
from collections.abc import Collection
from pathlib import Path

import yaml

from pvg.base import paths

Children = dict[str, yaml.Node]


class Reader:
    """Reads one YAML file into plain values while remembering where each came from."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path = path
        self.name = paths.shown(path)
        self.problems = problems

    def complain(self, node: yaml.Node | int, text: str) -> None:
        """Remember that TEXT is wrong at NODE."""
        line = node if isinstance(node, int) else node.start_mark.line + 1
        self.problems.append(f"{self.name}:{line}: {text}")

    def top(self) -> yaml.Node | None:
        """The file's top node, or None after complaining."""
        try:
            with open(self.path, encoding="utf-8") as stream:
                node: yaml.Node | None = yaml.SafeLoader(stream).get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.complain(mark.line + 1 if mark else 1, f"not YAML: {error.problem}")
            return None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            self.complain(1, f"not YAML: {' '.join(str(error).split())}")
            return None
        if node is None:
            self.complain(1, "the file is empty")
        return node

    def compose(self) -> yaml.MappingNode | None:
        """The file's top node, a mapping, or None after complaining."""
        node = self.top()
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode):
            self.complain(node, "the file is not a mapping")
            return None
        return node

    def mapping(self, node: yaml.Node, keys: Collection[str], what: str) -> Children:
        """NODE's children by key; complains of unknown and repeated keys."""
        children: Children = {}
        if not isinstance(node, yaml.MappingNode):
            self.complain(node, f"{what} is not a mapping")
            return children
        for key, value in node.value:
            name = key.value
            if name not in keys:
                self.complain(key, f"unknown key '{name}' in {what}; known: "
                                   + ", ".join(sorted(keys)))
            elif name in children:
                self.complain(key, f"key '{name}' appears twice in {what}")
            else:
                children[name] = value
        return children

    def text(self, node: yaml.Node, what: str) -> str:
        """NODE as a non-empty string."""
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self.complain(node, f"{what} is not a text")
            return ""
        return " ".join(node.value.split())

    def number(self, node: yaml.Node, what: str) -> int:
        """NODE as a whole number."""
        value = self.text(node, what)
        if not value.isdigit():
            self.complain(node, f"{what} '{value}' is not a whole number")
            return 0
        return int(value)

    def texts(self, node: yaml.Node, what: str) -> tuple[tuple[str, yaml.Node], ...]:
        """NODE as a tuple of strings, with the node of each."""
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.complain(node, f"{what} is not a list with at least one entry")
            return ()
        return tuple((self.text(item, what), item) for item in node.value)

    def named_texts(self, node: yaml.Node, what: str) -> dict[str, str]:
        """NODE as a mapping of names to strings, in the file's order."""
        if not isinstance(node, yaml.MappingNode) or not node.value:
            self.complain(node, f"{what} is not a mapping with at least one entry")
            return {}
        return {key.value: self.text(value, what) for key, value in node.value}

    def word(self, node: yaml.Node, value: str, allowed: Collection[str], what: str) -> None:
        """Complain unless VALUE is one of ALLOWED."""
        if value not in allowed:
            self.complain(node, f"{what} '{value}' is not one of: {', '.join(allowed)}")
