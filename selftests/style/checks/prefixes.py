#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks of names in kernel code, and that drivers issue no hypercalls.

Each function and each object outside functions has the prefix of its driver or of the port, so
that a stack trace, a symbol table or a lock report shows its origin: docs/names.md.

Run alone, it prints one line for each violation in the files that are named, or in all, and exits
with 1 if there is one.

example: selftests/style/checks/prefixes.py
         selftests/style/checks/prefixes.py drivers/pvnet/xdp.c
"""
from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.dont_write_bytecode = True
REPO = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "rig"))

from pvg.base import arguments, errors  # noqa: E402  (the path must be set first)

if TYPE_CHECKING:
    from checks.tree import Tree

PROG = "selftests/style/checks/prefixes.py"

# Folder: prefixes that its functions and objects may have.
DRIVERS = {
    "drivers/pvbus": ("pvbus_", "pvstore_", "pvgrant_", "pvring_"),
    "drivers/pvblk": ("pvblk_",),
    "drivers/pvnet": ("pvnet_",),
    "drivers/pvcon": ("pvcon_",),
    "drivers/pvuser": ("pvuser_",),
    "drivers/pvballoon": ("pvballoon_",),
}

PORT = "arch/x86/pvguest"
# In the port: what other files and drivers use; what one file uses, and the batcher's users.
PORT_PREFIX, LOCAL_PREFIX = "pvguest_", "pv_"
# Names in the port that Linux has given.
LINUX_NAMES = ("x86_hyper_xen_pv", "xen_pv_evtchn_do_upcall")

# Macros that define an object: which argument names it, and what is added to that name.
DEFINING = {
    "ATTRIBUTE_GROUPS": (0, "{}_groups"),
    "DECLARE_BITMAP": (0, "{}"),
    "DECLARE_DELAYED_WORK": (0, "{}"),
    "DECLARE_WAIT_QUEUE_HEAD": (0, "{}"),
    "DECLARE_WORK": (0, "{}"),
    "DEFINE_MUTEX": (0, "{}"),
    "DEFINE_PER_CPU": (1, "{}"),
    "DEFINE_RAW_SPINLOCK": (0, "{}"),
    "DEFINE_SHOW_ATTRIBUTE": (0, "{}_fops"),
    "DEFINE_SPINLOCK": (0, "{}"),
    "DEFINE_STATIC_KEY_FALSE": (0, "{}"),
    "DEVICE_ATTR_RO": (0, "dev_attr_{}"),
    "DEVICE_ATTR_RW": (0, "dev_attr_{}"),
    "LIST_HEAD": (0, "{}"),
}

# No driver contains these: hypercalls, their operations, and machine frame numbers.
HYPERCALL = re.compile(
    r"<pvabi/|__HYPERVISOR_\w+|\bhyp_\w+\s*\(|\bpvguest_\w+_op\s*\("
    r"|\b(?:GNTTABOP|XENMEM|EVTCHNOP|SCHEDOP|VCPUOP|PHYSDEVOP|MMUEXT|UVMF)_\w+|\bmfns?\b")
# Of the port, drivers include these two.
PORT_HEADER = re.compile(
    r"""\#\s*include\s+[<"](?:pvguest/(?!(?:platform|parameter)\.h>)[^>"]*|[^>"]*arch/x86/pvguest/[^>"]*)""")

COMMENT_OR_TEXT = re.compile(
    r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
ATTRIBUTE = re.compile(r"\b__(?!pv)\w+(?:\s*\((?:[^()]|\([^()]*\))*\))?")


class Definition(NamedTuple):
    """A function or an object of file scope."""
    line: int
    name: str
    kind: str
    local: bool


def blank(match: re.Match[str]) -> str:
    """As many lines of nothing."""
    return re.sub(r"[^\n]", " ", match.group())


def without_comments(text: str) -> str:
    """TEXT with blanks in place of comments and of what stands in quotes."""
    return COMMENT_OR_TEXT.sub(blank, text)


def declarations(code: str) -> Iterator[tuple[int, str, bool]]:
    """Line, text without bodies, and whether a body ends it, of each declaration in CODE."""
    depth = parens = 0
    head = ""
    line = start = 1
    for char in code:
        line += char == "\n"
        if depth:
            depth += (char == "{") - (char == "}")
            if depth or char != "}":
                continue
            if is_function(head):
                yield start, head, True
                head = ""
            continue
        parens += (char == "(") - (char == ")")
        if char == "{" and not parens:
            depth = 1
            continue
        if char == ";" and not parens:
            yield start, head, False
            head = ""
            continue
        if not head.strip():
            head, start = "", line
        head += char


def is_function(head: str) -> bool:
    """Whether HEAD, before a body, is a function's."""
    return "=" not in head and CALL.search(ATTRIBUTE.sub("", head)) is not None


def definitions(text: str) -> Iterator[Definition]:
    """The definitions at file scope of TEXT, a C file."""
    code = DIRECTIVE.sub(blank, without_comments(text))
    for line, head, body in declarations(code):
        words = ATTRIBUTE.sub("", head).strip()
        if re.match(r"(extern|typedef)\b", words):
            continue
        local = re.search(r"\bstatic\b", words) is not None
        call = CALL.search(words.split("=")[0])
        if body:
            if call is not None and not call[1].isupper():
                yield Definition(line, call[1], "function", local)
        elif call is not None:
            yield from by_macro(line, call[1], words[call.end():])
        elif re.search(r"\w\s*[\s*]\s*\w", words) and not re.fullmatch(
                r"(struct|union|enum)\s+\w+", words):
            for part in words.split("=")[0].split(","):
                names = re.findall(r"\w+", part.split("[")[0])
                if names:
                    yield Definition(line, names[-1], "object", local)


def by_macro(line: int, macro: str, arguments: str) -> Iterator[Definition]:
    """The object that a use of MACRO defines, if it is one that does."""
    if macro in DEFINING:
        place, form = DEFINING[macro]
        name = re.split(r"[,)]", arguments)[place].strip()
        yield Definition(line, form.format(name), "object", True)


def fits(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether NAME has one of PREFIXES, or is one without its last letter."""
    return name.startswith(prefixes) or name + "_" in prefixes


def bad_names(text: str, outside: tuple[str, ...],
              local: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and message for each name that TEXT defines without one of the prefixes OUTSIDE, or, if
    it is static, without one of LOCAL."""
    for item in definitions(text):
        prefixes = local if item.local else outside
        if not fits(item.name, prefixes):
            yield item.line, f"{item.kind} {item.name} has no prefix {' or '.join(prefixes)}"


def hypercalls(text: str) -> Iterator[tuple[int, str]]:
    """Line and message for each place in TEXT, a driver's, that must not be in a driver."""
    code = COMMENT_OR_TEXT.sub(lambda m: m.group() if m.group()[0] in "\"'" else blank(m), text)
    for number, line in enumerate(code.split("\n"), 1):
        found = HYPERCALL.search(line) or PORT_HEADER.search(line)
        if found:
            yield number, f"{found.group().strip()}: only the port issues hypercalls"


def names(name: str, text: str) -> list[str]:
    """Violations of the rules for names in TEXT, the file NAME of the repository."""
    path = Path(name)
    folder = "/".join(path.parts[:2])
    found: Iterator[tuple[int, str]] = iter(())
    if folder in DRIVERS:
        found = bad_names(text, DRIVERS[folder], DRIVERS[folder])
    elif path.is_relative_to(PORT):
        local = (PORT_PREFIX, LOCAL_PREFIX, *LINUX_NAMES)
        outside = local if path.stem == "batch" else (PORT_PREFIX, *LINUX_NAMES)
        found = bad_names(text, outside, local)
    return [f"{name}:{line}: {message}" for line, message in found]


def calls(name: str, text: str) -> list[str]:
    """Hypercalls in TEXT, the file NAME of the repository, if it is a driver's."""
    if not name.startswith("drivers/"):
        return []
    return [f"{name}:{line}: {message}" for line, message in hypercalls(text)]


def check_prefixes(tree: Tree) -> list[str]:
    """Names of functions and objects have the prefix of their driver or of the port."""
    return [line for name in tree.files("drivers/*.[ch]", f"{PORT}/*.[ch]")
            for line in names(name, tree.text(name))]


def check_hypercalls(tree: Tree) -> list[str]:
    """Drivers contain no hypercall and no machine frame number."""
    return [line for name in tree.files("drivers/*.[ch]") for line in calls(name, tree.text(name))]


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The meaning of the command line WORDS."""
    parser = arguments.Parser(prog=PROG, description=__doc__,
                              formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="*", type=Path, help="C files (default: all of the kernel's)")
    return parser.parse_args(words)


def checked(path: Path) -> Path:
    """The file PATH of the repository; UsageError if it is none."""
    found = path.resolve()
    if not found.is_file():
        raise errors.UsageError(f"{path}: {'not a file' if found.exists() else 'no such file'}")
    if not found.is_relative_to(REPO):
        raise errors.UsageError(f"{path}: not in this repository")
    return found


def main(words: Sequence[str]) -> int:
    """Check the files that WORDS name, or all."""
    try:
        paths = [checked(path) for path in parse(words).file]
    except errors.UsageError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return error.status
    paths = paths or sorted(
        path for folder in ("drivers", PORT) for path in (REPO / folder).rglob("*.[ch]"))
    files = {str(path.relative_to(REPO)): path.read_text("utf-8", "replace") for path in paths}
    lines = [line for name, text in files.items() for line in names(name, text) + calls(name, text)]
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
