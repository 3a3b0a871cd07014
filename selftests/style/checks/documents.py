# SPDX-License-Identifier: MIT
"""Checks of documents: every path, command, option and function that a page names exists."""
import fnmatch
import functools
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Union

from checks import help_texts, rules
from checks.scripts import pythons
from checks.tree import Tree
from pvg.kernel import linux

ENDINGS = "c|h|S|py|sh|yaml|md|mk|lds|def|txt|config|html|patch|service|awk"
PATH = re.compile(rf"(?:[\w.*+-]+/)*[\w*+-][\w.*+-]*\.(?:{ENDINGS})|(?:[\w.*+-]+/)+[\w.*+-]*")
OPTION = re.compile(r"--[a-z][a-z0-9-]*")
OWN_NAME = re.compile(r"(pv[a-z]*_\w+|hyp_\w+|rt_\w+)(?:\(.*\))?")
# Parts of a name that stand for something else, as in docs/NAME.md.
PLACEHOLDER = re.compile(r"<[a-z-]+>|(?<![A-Za-z0-9])[A-Z]{2,}(?:_[A-Z]+)*(?![A-Za-z0-9])|\.\.\.")
# Where names of others' files may be found, besides Linux's source.
HEADERS = Path("/usr/include/xen")
BLOCK_INDENT = "    "


class Piece(NamedTuple):
    """Text that a page sets as code: its line there, and whether it is a block's line."""

    line: int
    text: str
    block: bool


def pieces(text: str) -> Iterator[Piece]:
    """The code in the page TEXT: `pieces` in sentences, and the lines of blocks."""
    fence, prose = False, [""]
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fence = not fence
        elif fence or (line.startswith(BLOCK_INDENT) and not prose[-1].strip()):
            yield Piece(number, line.strip(), True)
            continue
        else:
            for match in re.finditer(r"(?<!`)`([^`]+)`(?!`)", line):
                yield Piece(number, match.group(1), False)
        prose.append(line)


def pages(tree: Tree) -> list[str]:
    """Names of the pages that people write."""
    return [name for name in tree.files("*.md") if not name.startswith("docs/abi/")]


class Names:
    """The names that a page may use: files of the tree, of Linux and of Xen's headers; options."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.files = set(tree.names)
        self.folders = {str(parent) for name in tree.names for parent in Path(name).parents}
        sources = [name for name in tree.names if not name.endswith((".md", ".patch"))]
        self.words = {word for name in sources
                      for word in re.findall(r"\w+", tree.text(name)) if "_" in word}
        # Those of our programs, and what our sub-commands print.
        self.options = {option for name in pythons(tree)
                        for call in re.findall(r"add_argument\(([^)]*)", tree.text(name))
                        for option in OPTION.findall(call)} | {"--version"}
        for name in help_texts.commands():
            self.options.update(OPTION.findall(help_texts.help_of(name)))
        self.programs = set(help_texts.programs(tree))
        self.targets = set(re.findall(r"^([\w-]+(?: [\w-]+)*):", tree.text("Makefile"), re.M)) \
            if "Makefile" in self.files else set()
        self.targets = {target for line in self.targets for target in line.split()}

    def own(self, name: str) -> bool:
        """Whether NAME, or one that begins with it if it ends in '_', is in a source."""
        if name.endswith("_"):
            return any(word.startswith(name) for word in self.words)
        return name in self.words

    def path(self, page: str, name: str) -> bool:
        """Whether NAME, as PAGE has it, is a file or folder."""
        pattern = PLACEHOLDER.sub("*", name).rstrip("/")
        near = os.path.normpath(Path(page).parent / pattern)
        for known in (self.files, self.folders):
            if pattern in known or near in known:
                return True
            if any(fnmatch.fnmatchcase(other, pattern) or fnmatch.fnmatchcase(other, "*/" + pattern)
                   for other in known):
                return True
        return foreign(pattern)


@functools.cache
def foreign(pattern: str) -> bool:
    """Whether PATTERN is a file or folder of Linux or of Xen's headers."""
    release = linux.LinuxTree()
    release.prepare()
    source = Path(release.source)
    places = (source, source / "include", source / "include/xen", source / "include/xen/interface",
              source / "arch/x86/include", source / "arch/x86", source / "tools", HEADERS,
              HEADERS.parent)
    if any(True for place in places for _ in place.glob(pattern)):
        return True
    return "/" not in pattern and bool(fnmatch.filter(native(), pattern))


@functools.cache
def native() -> frozenset[str]:
    """Names without folders of Linux's files about processors, memory and tasks."""
    source = Path(linux.LinuxTree().source)
    return frozenset(path.name for place in ("arch/x86", "kernel", "mm")
                     for path in (source / place).rglob("*.[chS]"))


def command_line(text: str) -> str:
    """The command in TEXT, a block's line: without prompt and without what is said about it."""
    text = re.sub(r"^(?:\$|guest#|#) ", "", text)
    for match in re.finditer(r"\s{2,}\S|\s# ", text):
        before = text[:match.start()]
        if before.count("'") % 2 == 0 and before.count('"') % 2 == 0:
            return before
    return text


@functools.cache
def help_of(program: Path) -> str:
    """The output of PROGRAM --help."""
    done = subprocess.run([str(program), "--help"], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    return done.stdout.decode("utf-8", "replace")


def pvguest_problem(words: list[str]) -> Optional[str]:
    """The problem of WORDS, a command line of ./pvguest without the program's name."""
    problem = help_texts.complaint(words)
    if problem is None or not words:
        return None
    text = " ".join(words[:words.index("--")] if "--" in words else words)
    if not PLACEHOLDER.search(text) and not re.search(r"\b[A-Z]\b|[\[|]", text):
        return problem
    # It has words that stand for others: judge the rest.
    if words[0].startswith("-") or PLACEHOLDER.fullmatch(words[0]):
        return None
    if words[0] not in help_texts.commands():
        return problem
    known = set(OPTION.findall(help_texts.help_of(words[0])))
    gone = [word for word in OPTION.findall(text) if word not in known]
    return f"no option {gone[0]}" if gone else None


def program_problem(program: Path, words: list[str]) -> Optional[str]:
    """The problem of WORDS, options of PROGRAM, one of the tree."""
    if not any(word.startswith("--") for word in words):
        return None
    text = help_of(program)
    for at, word in enumerate(words):
        option = word.partition("=")[0]
        if not OPTION.fullmatch(option):
            continue
        if not re.search(rf"(?<![\w-]){option}(?![\w-])", text):
            return f"no option {option}"
        choices = re.search(rf"{option} {{([\w,-]+)}}", text)
        value = words[at + 1] if at + 1 < len(words) else ""
        if choices and not PLACEHOLDER.search(value) and value not in choices.group(1).split(","):
            return f"{option}: no {value}"
    return None


def command_problem(names: Names, words: list[str]) -> Optional[str]:
    """The problem of the command WORDS, if it is one of this repository."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if not words:
        return None
    first, rest = words[0].removeprefix("./"), words[1:]
    if first == "pvguest" and rest and (words[0] != first or rest[0] in help_texts.commands()):
        return pvguest_problem(rest)
    if first == "make":
        targets = [] if "-C" in rest else [word for word in rest if re.fullmatch(r"[\w-]+", word)]
        gone = [target for target in targets if target not in names.targets]
        return f"no target {gone[0]}" if gone else None
    if first in names.programs and not PLACEHOLDER.search(" ".join(rest)):
        return help_texts.program_complaint(names.tree, first, rest)
    if first in names.files and "/" in first:
        program = names.tree.root / first
        return program_problem(program, rest) if os.access(program, os.X_OK) else None
    return None


def _judge(names: Names, page: str, piece: Piece) -> Iterator[str]:
    """The problems of PIECE of PAGE."""
    text = command_line(piece.text) if piece.block else piece.text
    if re.search("[\u2500-\u257f]", text):
        return              # a drawing
    commands = help_texts.simple_commands(text)
    for words in commands:
        problem = command_problem(names, words)
        if problem:
            yield f"'{shlex.join(words)}': {problem}"
    if piece.block:
        # Blocks show drawings and outputs as well: only commands are judged.
        return
    if text.startswith("--"):
        option = re.split(r"[ =]", text)[0]
        if OPTION.fullmatch(option) and option not in names.options:
            yield f"{option}: no command has this option"
    name = text.removeprefix("./")
    if PATH.fullmatch(PLACEHOLDER.sub("*", name)) and not name.startswith(rules.NOT_PATHS):
        if not names.path(page, name):
            yield f"{name}: no such file or folder"
    own = OWN_NAME.fullmatch(text)
    if own and not names.own(own.group(1)) and own.group(1) not in rules.FOREIGN:
        yield f"{own.group(1)}: not in any source"


def check_documents(tree: Tree) -> list[str]:
    """All that pages set as code exists: paths, commands, options, names of the port."""
    names = Names(tree)
    return [f"{page}:{piece.line}: {problem}" for page in pages(tree)
            for piece in pieces(tree.text(page)) for problem in _judge(names, page, piece)]


def anchors(text: str) -> set[str]:
    """The anchors of the headings of the page TEXT, as they are formed by the usual viewers."""
    found: dict[str, int] = {}
    result = set()
    for match in re.finditer(r"^#{1,6} +(.*?) *#*$", text, re.M):
        words = re.sub(r"[^\w\- ]", "", match.group(1).lower().replace("`", "")).replace(" ", "-")
        count = found.get(words, 0)
        found[words] = count + 1
        result.add(f"{words}-{count}" if count else words)
    return result | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def _target_problem(tree: Tree, page: str, target: str) -> Union[str, None]:
    """The problem of the link TARGET of PAGE."""
    if re.match(r"[a-z]+:", target):
        return None
    path, _, anchor = target.partition("#")
    file = (tree.root / page).parent / path if path else tree.root / page
    if not file.exists():
        return "no such file or folder"
    if anchor and file.suffix == ".md" and \
            anchor not in anchors(file.read_text(encoding="utf-8")):
        return f"no heading makes #{anchor}"
    return None


def check_links(tree: Tree) -> list[str]:
    """Every link of a page to a file or heading leads there."""
    found = []
    for page in pages(tree):
        for number, line in tree.lines(page):
            for target in re.findall(r"\]\(([^()\s]+)\)", line):
                problem = _target_problem(tree, page, target)
                if problem:
                    found.append(f"{page}:{number}: {target}: {problem}")
    return found
