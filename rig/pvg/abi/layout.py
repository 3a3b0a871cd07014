# SPDX-License-Identifier: GPL-2.0-only
"""The tables of the ABI's structures and constants, and the check of headers against them."""
import re
import subprocess
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from re import Pattern

import yaml

from pvg.base import errors, paths
from pvg.base.strict_yaml import Children, Reader
from pvg.abi import clauses

FOLDER = paths.REPO / "hypercall-abi" / "layout"
ABSENT = "-"

# Interface version of the packaged headers whose names the tables use.
LIBXEN_FLAGS = ("-D__XEN_INTERFACE_VERSION__=0x00040e00",)
LIBXEN_HEADERS = """stddef.h stdint.h xen/xen.h xen/callback.h xen/elfnote.h xen/event_channel.h
xen/features.h xen/grant_table.h xen/memory.h xen/nmi.h xen/physdev.h xen/sched.h xen/vcpu.h
xen/version.h xen/io/blkif.h xen/io/console.h xen/io/netif.h xen/io/xenbus.h
xen/io/xs_wire.h""".split()
LINUX_HEADERS = """errno.h linux/types.h xen/interface/xen.h xen/interface/callback.h
xen/interface/elfnote.h xen/interface/event_channel.h xen/interface/features.h
xen/interface/grant_table.h xen/interface/memory.h xen/interface/nmi.h xen/interface/physdev.h
xen/interface/sched.h xen/interface/vcpu.h xen/interface/version.h xen/interface/io/blkif.h
xen/interface/io/console.h xen/interface/io/netif.h xen/interface/io/xenbus.h
xen/interface/io/xs_wire.h""".split()

NAME = re.compile(r"(?:struct|union) [a-z]\w*")
MEMBER = re.compile(r"\w+(?:\.\w+)*")


@dataclass(frozen=True)
class Member:
    """One member of a structure; linux is its name there, or '-' where Linux has none."""

    name: str
    offset: int
    size: int
    linux: str
    line: int


@dataclass(frozen=True)
class Struct:
    """One structure."""

    name: str
    area: str
    size: int
    linux: str
    linux_size: int
    members: tuple[Member, ...]
    file: str
    line: int


@dataclass(frozen=True)
class Constant:
    """One named number."""

    name: str
    area: str
    value: int
    linux: str
    file: str
    line: int


@dataclass(frozen=True)
class Table:
    """Everything the tables of all areas hold."""

    structs: tuple[Struct, ...]
    constants: tuple[Constant, ...]


def _number(reader: Reader, node: yaml.Node, what: str) -> int:
    """NODE as a whole number, decimal or hexadecimal."""
    value = reader.text(node, what)
    try:
        return int(value, 0)
    except ValueError:
        reader.complain(node, f"{what} '{value}' is not a whole number")
        return 0


def _name(reader: Reader, node: yaml.Node, pattern: Pattern[str], what: str) -> str:
    """NODE as a C name that matches PATTERN, or '-'."""
    value = reader.text(node, what)
    if value != ABSENT and not pattern.fullmatch(value):
        reader.complain(node, f"{what} '{value}' is not a C name")
    return value


def _rows(reader: Reader, top: Children, key: str, keys: Collection[str],
          required: Collection[str]) -> Iterator[tuple[yaml.Node, Children]]:
    """The mappings in list KEY of TOP, each with its node."""
    node = top.get(key)
    if not isinstance(node, yaml.SequenceNode):
        return
    for item in node.value:
        row = reader.mapping(item, keys, f"row of {key}")
        missing = [name for name in required if name not in row]
        if missing:
            reader.complain(item, f"row of {key} has no {', '.join(missing)}")
        else:
            yield item, row


def _read_struct(reader: Reader, area: str, item: yaml.Node, row: Children) -> Struct:
    """One structure of AREA's table."""
    name = _name(reader, row["name"], NAME, "name")
    linux = _name(reader, row["linux"], NAME, "linux") if "linux" in row else name
    size = _number(reader, row["size"], "size")
    linux_size = _number(reader, row["linux_size"], "linux_size") if "linux_size" in row else size
    members, seen = [], set[str]()
    for node, field in _rows(reader, row, "fields", {"name", "offset", "size", "linux"},
                             ("name", "offset", "size")):
        member = _name(reader, field["name"], MEMBER, "name")
        if member in seen:
            reader.complain(node, f"member {member} of {name} appears twice")
        seen.add(member)
        entry = Member(member, _number(reader, field["offset"], "offset"),
                       _number(reader, field["size"], "size"),
                       _name(reader, field["linux"], MEMBER, "linux") if "linux" in field
                       else member, node.start_mark.line + 1)
        if entry.offset + entry.size > size:
            reader.complain(node, f"member {member} reaches beyond the {size} bytes of {name}")
        members.append(entry)
    return Struct(name, area, size, linux, linux_size, tuple(members), reader.path.name,
                  item.start_mark.line + 1)


def _read_area(path: Path, seen: set[str], problems: list[str]) -> Table:
    """The table in the file PATH; SEEN has the names of the tables before it."""
    reader = Reader(path, problems)
    top = reader.compose()
    structs: list[Struct] = []
    constants: list[Constant] = []
    if top is None:
        return Table((), ())
    parts = reader.mapping(top, {"area", "structs", "constants"}, "file")
    area = reader.text(parts["area"], "area") if "area" in parts else ""
    if area != path.stem:
        reader.complain(parts.get("area", top), f"area '{area}' does not match the file's name")
    for item, row in _rows(reader, parts, "structs",
                           {"name", "size", "linux", "linux_size", "fields"},
                           ("name", "size", "fields")):
        structs.append(_read_struct(reader, area, item, row))
        if structs[-1].name in seen:
            reader.complain(item, f"{structs[-1].name} appears twice")
        seen.add(structs[-1].name)
    for item, row in _rows(reader, parts, "constants", {"name", "value", "linux"},
                           ("name", "value")):
        name = _name(reader, row["name"], MEMBER, "name")
        if name in seen:
            reader.complain(item, f"{name} appears twice")
        seen.add(name)
        constants.append(Constant(name, area, _number(reader, row["value"], "value"),
                                  _name(reader, row["linux"], MEMBER, "linux") if "linux" in row
                                  else name, path.name, item.start_mark.line + 1))
    if not structs and not constants:
        reader.complain(1, "the table has neither structs nor constants")
    return Table(tuple(structs), tuple(constants))


def load(folder: Path = FOLDER) -> Table:
    """Read the tables in FOLDER, one for an area; raises CatalogueError with file and line of
    every problem."""
    problems: list[str] = []
    seen: set[str] = set()
    tables = [_read_area(path, seen, problems) for path in sorted(folder.glob("*.yaml"))]
    if not tables:
        problems.append(f"{paths.shown(folder)}: no tables")
    if problems:
        raise clauses.CatalogueError(problems)
    return Table(tuple(struct for table in tables for struct in table.structs),
                 tuple(constant for table in tables for constant in table.constants))


def _statements(table: Table, linux: bool) -> Iterator[tuple[str, str, str]]:
    """The assertions of TABLE: each a C condition, FILE:LINE of its row, and a description."""
    for struct in table.structs:
        name, size = (struct.linux, struct.linux_size) if linux else (struct.name, struct.size)
        if name == ABSENT:
            continue
        yield f"sizeof({name}) == {size}", f"{struct.file}:{struct.line}", f"size of {name}"
        for member in struct.members:
            field = member.linux if linux else member.name
            if field == ABSENT:
                continue
            where = f"{struct.file}:{member.line}"
            yield (f"offsetof({name}, {field}) == {member.offset}", where,
                   f"offset of {field} in {name}")
            if member.size:  # 0 stands for an array that has no size of its own
                yield (f"sizeof((({name} *)0)->{field}) == {member.size}", where,
                       f"size of {field} in {name}")
    for constant in table.constants:
        name = constant.linux if linux else constant.name
        if name != ABSENT:
            yield (f"(unsigned long)({name}) == {constant.value & (2**64 - 1):#x}UL",
                   f"{constant.file}:{constant.line}", f"value of {name}")


def source(table: Table, linux: bool) -> str:
    """C source whose compilation checks the packaged headers, or Linux's when LINUX is true."""
    lines = ["/* Generated from hypercall-abi/layout/; compiling it is the check. */"]
    lines += [f"#include <{name}>" for name in (LINUX_HEADERS if linux else LIBXEN_HEADERS)]
    lines += [f'_Static_assert({condition}, "{where}: {text}");'
              for condition, where, text in _statements(table, linux)]
    return "\n".join(lines) + "\n"


def check(table: Table, linux_tree: str | Path | None = None) -> int:
    """Compile the assertions against the packaged headers, or those in LINUX_TREE.

    Returns the number of assertions; raises CatalogueError with one line for each that fails.
    """
    linux = linux_tree is not None
    if linux_tree is not None and not (Path(linux_tree) / "include/xen/interface/xen.h").is_file():
        raise errors.UsageError(f"{linux_tree} is no Linux source tree: "
                                "include/xen/interface/xen.h is missing")
    where = paths.BUILD / "abi" / f"layout-{'linux' if linux else 'libxen'}.c"
    where.parent.mkdir(parents=True, exist_ok=True)
    text = source(table, linux)
    where.write_text(text, encoding="utf-8")
    flags: Sequence[str] = LIBXEN_FLAGS
    if linux_tree is not None:
        tree = Path(linux_tree).resolve()
        flags = ("-D__KERNEL__", "-D__packed=__attribute__((__packed__))",
                 f"-I{FOLDER / 'stub'}", f"-I{tree / 'include'}",
                 f"-I{tree / 'arch/x86/include'}")
    try:
        done = subprocess.run(["gcc", "-std=gnu11", "-m64", "-fsyntax-only", "-fmax-errors=0",
                               *flags, str(where)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise errors.RigError("gcc is missing: apt-get install gcc") from None
    if done.returncode:
        failed = re.findall(r'static assertion failed: "(\w+\.yaml:\d+): ([^"]*)"', done.stderr)
        other = [line for line in done.stderr.splitlines() if ": error: " in line
                 or ": fatal error: " in line]
        other = [line for line in other if "static assertion failed" not in line]
        shown = paths.shown(FOLDER)
        hint = "" if linux else " (package libxen-dev)"
        raise clauses.CatalogueError(
            [f"{shown}/{row}: {text} differs from the header's{hint}" for row, text in failed]
            + (other or ([] if failed else [f"gcc failed (exit status {done.returncode})"])))
    return text.count("_Static_assert(")
