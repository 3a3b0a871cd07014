#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks the words of documents, comments, docstrings and strings; prints FILE:LINE: PROBLEM.

A program requests, reads, reports and breaks a protocol; it does not wish, hear, tell or lie. The
names of tests, cases and mutants are titles and are read as words; other names and code are not
checked. Paths on the command line replace the folders that are checked.

example: selftests/style/words.py docs selftests/guest
"""
import argparse
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import Iterator, NamedTuple

sys.dont_write_bytecode = True
REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "rig"))

from pvg.base import arguments, errors, plural  # noqa: E402  (the path must be set first)

PROG = "selftests/style/words.py"
# Folders and files without a banned word; one that is here stays here.
CHECKED = (".ci", "CHANGELOG.md", "CONTRIBUTING.md", "Kbuild", "Kconfig", "Makefile", "README.md",
           "arch", "docs", "drivers", "hypercall-abi", "linux", "pvguest", "rig", "selftests")
NO_TEXT = ("selftests/host/fuzz/corpus/",)      # inputs in base64

Prose = Iterator[tuple[int, str]]       # number of the first line, text


class Word(NamedTuple):
    """Forms of a word that texts do not use, and words to use instead."""

    forms: str
    instead: str


WORDS = (
    Word(r"wish(?:e[sd]|ing)?", "request, set"),
    Word(r"want(?:s|ed|ing)?", "need, request, expect"),
    Word(r"lie[sd]?|lying|liars?", "break the protocol, injected fault; for a place: is"),
    Word(r"heed(?:s|ed|ing)?", "check, use"),
    Word(r"protest(?:s|ed|ing)?", "report, refuse"),
    Word(r"tell(?:s|ing)?|told", "report, print, name, distinguish"),
    Word(r"hear[sd]?|hearing", "read, receive"),
    Word(r"nonsense|mak(?:e|es|ing) (?:no |any )?sense", "invalid"),
    Word(r"(?:some|no|any|every)(?:body| ?one)(?: else)?(?! of| for| in| and)",
         "the domain, back end, caller or process"),
    Word(r"of (?:ours|theirs)|oneself|one's own", "the name of the owner"),
    Word(r"forgiv(?:e|es|en|ing)|forg[eo]t(?:s|ten|ting)?", "drop, reset, clear"),
    Word(r"believ(?:e|es|ed|ing)", "accept, use"),
    Word(r"drawn by lot|by lot", "randomised (ASLR)"),
    Word(r"whoever", "the vCPU, task or domain that"),
)


class Passed(NamedTuple):
    """A banned word that one file may hold."""

    file: str
    text: str
    reason: str


PASSED = (
    Passed("drivers/pvbus/grant_deferred.c", "forgotten", "a line of a file in debugfs"),
    Passed("selftests/guest/programs/system.c", "nobody", "Linux's own message 'nobody cared'"),
    Passed("selftests/guest/devices/network/network-invalid.sh", "nonsense", "a bad value"),
    Passed("selftests/host/style/test_words.py", "", "the words that the check is tested with"),
    Passed("selftests/style/words.py", "", "the list itself"),
)
BANNED = re.compile(r"(?<![\w-])(?:" + "|".join(f"({word.forms})" for word in WORDS)
                    + r")(?![\w(-])", re.IGNORECASE)
# A question may begin so; a statement has its subject first.
OPENING = re.compile(r"(?:\A|(?<=[.:;?!] ))\[?(?:What|Who|Whoever)\b[^.?]*(?P<end>[.?]|\Z)")

# Names of tests, cases and mutants, which are their titles.
TITLE = re.compile(r"\b(?:TEST|CASE|cmocka_unit_test\w*)\(\s*(\w+)|\bTEST_F\w*\(\s*\w+,\s*(\w+)"
                   r"|\bdef test_(\w+)|- name: (\w+)")
TITLE_OPENING = re.compile(r"(?:what|who|and|nor|so)_")
# A comment before a function or an object is read alone, in its file as in a report.
BEFORE = re.compile(r"^/\*+\s*(?:\*\s*)?(?P<opening>Also|And|But|Its?|Nor|Or|Otherwise|So|"
                    r"Such as|That|The other|The same|These|They|This|Those|What|Who|Whoever)\b", re.MULTILINE)

C_PROSE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)+\'', re.DOTALL)
HASH_PROSE = re.compile(r"(?:^|(?<=\s))#[^\n]*|\"(?:[^\"\\]|\\.)*\"|'[^']*'", re.MULTILINE)
# In documents: code, addresses of links, tags.
CODE = re.compile(r"^```.*?^```|`[^`]*`|(?<=\])\([^)\n]*\)|<[^>\n]*>", re.DOTALL | re.MULTILINE)
VARIABLE = re.compile(r"\$\w+|\$\{\w+")
# Lines of a file's head that say nothing of it.
NO_PROSE = re.compile(r"#!|(?:#|//) SPDX-")
# An item of a list begins as a sentence does.
LIST_MARK = re.compile(r"^[ \t]*[-*] ", re.MULTILINE)


def _blank(match: re.Match[str]) -> str:
    """As many line ends as MATCH has, so that lines keep their numbers."""
    return "\n" * match[0].count("\n") or "x"


def _pieces(text: str, pattern: re.Pattern[str], decoration: str) -> Prose:
    """What PATTERN finds in TEXT, without DECORATION at the starts of lines; '#' or '//' lines
    that follow each other are one piece."""
    last, number = 0, 0
    lines: list[str] = []
    for match in pattern.finditer(text):
        if NO_PROSE.match(match[0]):
            continue
        at = text.count("\n", 0, match.start()) + 1
        piece = re.sub(decoration, "", match[0], flags=re.MULTILINE)
        one_line = match[0].startswith(("#", "//"))
        if one_line and lines and at == last + 1:
            lines.append(piece)
        else:
            if lines:
                yield number, "\n".join(lines)
            number, lines = at, [piece]
        last = at if one_line else -1
    if lines:
        yield number, "\n".join(lines)


def _python(text: str) -> Prose:
    """Comments, docstrings and texts of a Python file."""
    last, number = -1, 0
    lines: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not NO_PROSE.match(token.string):
            if token.start[0] != last + 1 and lines:
                yield number, "\n".join(lines)
                lines = []
            if not lines:
                number = token.start[0]
            lines.append(token.string.lstrip("# "))
            last = token.start[0]
        elif token.type == tokenize.STRING:
            yield token.start[0], re.sub(r"\A[a-zA-Z]*(?:\"\"\"|'''|[\"'])|(?:\"\"\"|'''|[\"'])\Z",
                                         "", token.string)
    if lines:
        yield number, "\n".join(lines)


def prose(name: str, text: str, kind: str) -> Prose:
    """Pieces of prose in the file NAME that holds TEXT; KIND: python, shell or by its name."""
    if kind == "python":
        yield from _python(text)
    elif kind == "shell" or name.endswith((".mk", "Makefile", "Kbuild", ".config", ".service")):
        yield from _pieces(VARIABLE.sub(_blank, text), HASH_PROSE, r"^[ \t]*#+ ?|^[\"']|[\"']$")
    elif name.endswith((".c", ".h", ".S", ".lds", ".def")):
        yield from _pieces(text, C_PROSE, r"^[ \t]*(?:/\*+|//|\*)(?!/) ?|\*/\Z|^[\"']|[\"']$")
    elif name.endswith(".md"):
        text = CODE.sub(_blank, text)
        # A list's continuation is indented as well; code follows an empty line.
        text = re.sub(r"(?<=\n\n)(?:(?: {4}|\t)[^\n]*\n)+", _blank, text)
        for number, block in _blocks(text):
            yield number, block
    elif name.endswith(".patch"):
        yield from _blocks(_own_lines(text))
    elif name.endswith((".yaml", "Kconfig", ".txt", ".html")):
        yield from _blocks(text)


def _own_lines(text: str) -> str:
    """The head of a patch's TEXT and the lines that it adds; the others, which are Linux's, empty."""
    head, mark, body = text.partition("\n---\n")
    return head + mark + "\n".join(line if line.startswith("+") else "" for line in body.split("\n"))


def _blocks(text: str) -> Prose:
    """Paragraphs of TEXT."""
    number = 1
    for block in re.split(r"(\n\s*\n)", text):
        if block.strip():
            yield number, block
        number += block.count("\n")


def titles(name: str, text: str) -> list[str]:
    """Banned words and openings in names of tests, cases and mutants in the file NAME that holds
    TEXT."""
    if not name.endswith((".c", ".py", ".yaml")):
        return []
    found = []
    for match in TITLE.finditer(text):
        title = match[match.lastindex or 1]
        line = text.count("\n", 0, match.start()) + 1
        banned = BANNED.search(title.replace("_", " "))
        if banned:
            word = WORDS[(banned.lastindex or 1) - 1]
            found.append(f"{name}:{line}: '{banned[0]}' in {title}; {word.instead}")
        elif TITLE_OPENING.match(title):
            found.append(f"{name}:{line}: '{title}'; begin with the subject")
    return found


def openings(name: str, text: str) -> list[str]:
    """Comments before functions and objects of the C file NAME, which holds TEXT, that refer to
    what stands before them."""
    if not name.endswith((".c", ".h")):
        return []
    return [f"{name}:{text.count(chr(10), 0, match.start('opening')) + 1}: '{match['opening']}'; "
            "write a sentence that can be read alone" for match in BEFORE.finditer(text)]


def findings(name: str, text: str, kind: str = "") -> list[str]:
    """Banned words and openings in the file NAME that holds TEXT, one line each."""
    passed = [entry.text for entry in PASSED if entry.file == name]
    found = titles(name, text) + openings(name, text) if "" not in passed else []
    for first, piece in prose(name, text, kind):
        if len(piece.split()) < 2:      # a name or a value
            continue
        for match in BANNED.finditer(piece):
            if not any(text in match[0] for text in passed):
                line = first + piece.count("\n", 0, match.start())
                word = WORDS[(match.lastindex or 1) - 1]
                found.append(f"{name}:{line}: '{match[0]}'; {word.instead}")
        for match in OPENING.finditer(re.sub(r"\s+", " ", LIST_MARK.sub(". ", piece)).strip()):
            if match["end"] != "?" and not any(text in match[0] for text in passed):
                found.append(f"{name}:{first}: '{' '.join(match[0].split()[:4])}...'; "
                             "begin with the subject")
    return found


def kind_of(name: str, text: str) -> str:
    """Whether the file NAME that holds TEXT is a Python or shell script; else an empty string."""
    shebang = text.split("\n", 1)[0] if text.startswith("#!") else ""
    if name.endswith(".py") or "python" in shebang:
        return "python"
    return "shell" if name.endswith(".sh") or shebang.endswith("sh") else ""


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The meaning of the command line WORDS."""
    parser = arguments.Parser(prog=PROG, description=__doc__,
                              formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="*", help="files and folders (default: all that are checked)")
    return parser.parse_args(words)


def listed(paths: Sequence[str]) -> list[str]:
    """Names of the repository's files in PATHS; UsageError if one of these holds none."""
    found: list[str] = []
    for path in paths:
        place = Path(path).resolve()
        if not place.exists():
            raise errors.UsageError(f"{path}: no such file or folder")
        names = _git(str(place.relative_to(REPO))) if place.is_relative_to(REPO) else []
        if not names:
            raise errors.UsageError(f"{path}: no file of this repository")
        found += names
    return list(dict.fromkeys(found))


def _git(*places: str) -> list[str]:
    """Names of the repository's files in PLACES."""
    # The clone may be another user's.
    done = subprocess.run(["git", "-c", "safe.directory=*", "--literal-pathspecs", "ls-files", "-z",
                           "--", *places], cwd=REPO, stdout=subprocess.PIPE, check=True)
    return [name for name in done.stdout.decode().split("\0") if name]


def main(words: Sequence[str]) -> int:
    """Check the files that WORDS name, or those below CHECKED; exit status 1 if one has a banned
    word."""
    try:
        args = parse(words)
        files = listed(args.path) if args.path else _git(*CHECKED)
    except errors.UsageError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return error.status
    found, count = [], 0
    for name in files:
        path = REPO / name
        if name.startswith(NO_TEXT) or path.is_symlink() or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += findings(name, text, kind_of(name, text))
        count += 1
    for line in found:
        print(line)
    print(f"words: {plural.counted(len(found), 'problem')} in {plural.counted(count, 'file')}", file=sys.stderr)
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
