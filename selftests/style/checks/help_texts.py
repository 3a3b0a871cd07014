# SPDX-License-Identifier: MIT
"""Checks of help texts, manual and version: what they say is what the commands do."""
import ast
import contextlib
import functools
import importlib.machinery
import importlib.util
import io
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Callable, Optional

from checks.tree import Tree
from pvg import cli
from pvg.base import errors


def simple_commands(text: str) -> list[list[str]]:
    """The simple commands in the shell TEXT, as words; it may end within a quotation."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[list[str]] = [[]]
    try:
        for word in lexer:
            if re.fullmatch(r"[;|&()]+", word):
                found.append([])
            else:
                found[-1].append(word)
    except ValueError:
        pass        # the quotation goes on in the next line
    return [words for words in found if words]


def examples(text: str) -> list[list[str]]:
    """The commands that follow 'example:' in a help TEXT, and below in the same column, as words."""
    found: list[list[str]] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = re.match(r"( *examples?: +)(\S.*)", line)
        if not match:
            continue
        found += simple_commands(match.group(2))
        indent = " " * len(match.group(1))
        for more in lines[number + 1:]:
            if not more.startswith(indent) or not more.strip():
                break
            found += simple_commands(more)
    return found


def complaint(words: list[str]) -> Optional[str]:
    """The error of the command line WORDS, which lacks the program's name, or None."""
    if not words or words in (["--help"], ["--version"]):
        return None
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            cli.parse(words)
    except errors.UsageError as error:
        return str(error)
    except SystemExit:
        return None         # it printed its help
    return None


def commands() -> list[str]:
    """Names of the sub-commands."""
    return list(cli.discover())


def help_of(name: str) -> str:
    """The help of sub-command NAME."""
    return str(cli.parser(name).format_help())


def programs(tree: Tree) -> list[str]:
    """Names of the adapters and of the suites' programs; parse(words) of each reads its options.

    'units' is none: it is a list that 'pvguest check' reads.
    """
    return [name for name in tree.files("rig/adapters/*", "selftests/*")
            if tree.first_line(name).startswith("#!/usr/bin/python3")
            and not name.endswith((".py", "/units"))]


@functools.cache
def _parse_of(path: Path, digest: str) -> Callable[[list[str]], object]:
    """The function parse() of the program PATH, whose contents have DIGEST."""
    name = f"program_{digest}"
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    # Where it finds its modules when it is started.
    sys.path.insert(0, str(path.parent))
    try:
        loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    found = module.parse
    assert callable(found)
    return lambda words: found(words)


def program_complaint(tree: Tree, name: str, words: list[str]) -> Optional[str]:
    """The error of the command line WORDS of the program NAME, one of programs(), or None."""
    parse = _parse_of(tree.root / name, tree.digest(name))
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            parse(words)
    except errors.UsageError as error:
        return str(error)
    except SystemExit:
        return None         # it printed its help
    return None


def program_help(tree: Tree, name: str) -> str:
    """The help of the program NAME, one of programs()."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        _parse_of(tree.root / name, tree.digest(name))(["--help"])
    return text.getvalue()


def _program_findings(tree: Tree, name: str) -> list[str]:
    """The problems of the examples of the program NAME."""
    if "Parser(" not in tree.text(name) and not name.startswith("rig/adapters/"):
        return [f"{name}:1: '{name} --help' prints no help: it has no parse(words)"]
    lines = examples(program_help(tree, name))
    found = []
    if not any(words[0] == name for words in lines):
        found.append(f"{name}:1: '{name} --help' has no example")
    for words in lines:
        problem = program_complaint(tree, name, words[1:]) if words[0] == name else \
            "not of this program"
        if problem:
            found.append(f"{name}:1: example '{shlex.join(words)}': {problem}")
    return found


def _hints(name: str, text: str) -> list[str]:
    """The problems of the file NAME, which holds TEXT: a page, or a Python program's strings."""
    bare = re.compile(rf"(?<![./\w])pvguest (?:{'|'.join(map(re.escape, commands()))})\b")
    if name.endswith(".md"):
        places = list(enumerate(text.splitlines(), 1))
    else:
        places = [(node.lineno, node.value) for node in _strings(text)]
    return [f"{name}:{line}: a reader types './{match[0]}', not '{match[0]}'"
            for line, part in places if (match := bare.search(part))]


def _strings(text: str) -> list[ast.Constant]:
    """The strings of the Python program TEXT that are no comments."""
    made = ast.parse(text)
    comments = {node.body[0].value for node in ast.walk(made)
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body
                and isinstance(node.body[0], ast.Expr)}
    return [node for node in ast.walk(made)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            and node not in comments]


def check_hints(tree: Tree) -> list[str]:
    """Pages, and messages and help texts of the rig, name its commands as they are typed."""
    def work(names: Sequence[str]) -> dict[str, list[str]]:
        return {name: _hints(name, tree.text(name)) for name in names}

    return tree.each("hints", tree.files("rig/pvg/*.py", "*.md"), lambda name: "2", work)


def check_help_examples(tree: Tree) -> list[str]:
    """The help of every sub-command, adapter and suite's program has examples, which these take."""
    found = [finding for name in programs(tree) for finding in _program_findings(tree, name)]
    for name in commands():
        where = f"rig/pvg/commands/{name.replace('-', '_')}.py:1"
        lines = examples(help_of(name))
        if not any(words[:2] == ["./pvguest", name] for words in lines):
            found.append(f"{where}: './pvguest {name} --help' has no example of its own")
        for words in lines:
            problem = complaint(words[1:]) if words[0] == "./pvguest" else "not of this program"
            if problem:
                found.append(f"{where}: example '{shlex.join(words)}': {problem}")
    return found
