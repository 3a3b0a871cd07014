# SPDX-License-Identifier: MIT
"""The checks of suite 'style': every function check_NAME(tree) of the modules here is one.

A check takes the Tree and returns what it finds, each a line 'path:line: what is wrong'.
"""
import importlib
import pkgutil
from typing import Callable

from checks.tree import Tree

Check = Callable[[Tree], list[str]]


def discover() -> dict[str, Check]:
    """All checks by name, those that take a moment first."""
    found: dict[str, Check] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"checks.{module.name}")
        for name, value in vars(loaded).items():
            if name.startswith("check_") and callable(value):
                found[name.removeprefix("check_").replace("_", "-")] = value
    return found
