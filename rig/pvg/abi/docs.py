# SPDX-License-Identifier: GPL-2.0-only
"""The reference manual in docs/abi: Markdown pages made from the catalogue and the layout table."""
from pathlib import Path

from pvg.base import paths
from pvg.abi import clauses, layout

DOCS = paths.REPO / "docs" / "abi"
MADE = ("<!-- Made from hypercall-abi/ by './pvguest abi generate'; change the YAML there, "
        "not this page. -->")
USE = {
    "guest": "for every guest",
    "old": "an earlier form, may still work",
    "optional": "may be built in",
    "refused": "refused to a guest",
    "removed": "removed",
    "unused": "unused",
}


def anchor(clause_id: str) -> str:
    """The anchor of a clause in its page."""
    return clause_id.lower()


def _cell(text: str) -> str:
    """TEXT as it may stand in a table."""
    return text.replace("|", "\\|")


def _link(clause: clauses.Clause, here: bool = False) -> str:
    """A link to CLAUSE, from its own page if HERE."""
    return f"[{clause.id}]({'' if here else clause.area + '.md'}#{anchor(clause.id)})"


def _source(text: str) -> str:
    """A source as the manual shows it."""
    if text.startswith("public/"):
        where, _, word = text.partition(" ")
        name, _, line = where.rpartition(":")
        return f"`{name}` line {line}" + (f" {word}" if word else "")
    name, _, rest = text.partition(":")
    if name.startswith("docs/"):
        return f"`{name}`" + (f", “{rest.strip()}”" if rest else "")
    return f"`{name}`" + (f", `{rest}()`" if rest else "")


def _call(clause: clauses.Clause, numbers: dict[str, int]) -> str | None:
    """Which hypercall CLAUSE is about, for the line under its text."""
    if not clause.hypercall:
        return None
    name = f"`{clause.hypercall}` ({numbers[clause.hypercall]})"
    return f"{name} `{clause.subop}`" if clause.subop else name


def _releases(clause: clauses.Clause) -> str | None:
    """For which releases CLAUSE holds, or None for all."""
    if clause.since and clause.until:
        return f"releases {clause.since} to {clause.until}"
    if clause.since:
        return f"from release {clause.since}"
    return f"up to release {clause.until}" if clause.until else None


def _clause(clause: clauses.Clause, numbers: dict[str, int]) -> list[str]:
    """Lines of one clause."""
    facts = [f"**{clause.level}**", _call(clause, numbers), _releases(clause),
             None if clause.privilege == "any" else clauses.PRIVILEGES[clause.privilege],
             "checked with " + clauses.TESTS[clause.test] if clause.test != "none"
             else "cannot be checked from a guest"]
    if clause.errors:
        facts.append("errors " + ", ".join(f"`-{name}`" for name in clause.errors)
                     if clause.area != "store" else
                     "errors " + ", ".join(f"`{name}`" for name in clause.errors))
    lines = [f'<a id="{anchor(clause.id)}"></a>', f"#### {clause.id} · {clause.title}", "",
             clause.text, "", " · ".join(fact for fact in facts if fact) + "  ",
             "Source: " + "; ".join(_source(text) for text in clause.source), ""]
    if clause.note:
        lines += [f"> Note: {clause.note}", ""]
    if clause.untested:
        lines += [f"> No case: {clause.untested}", ""]
    return lines


def _layouts(table: layout.Table, area: str) -> list[str]:
    """Lines of the structures and constants of AREA."""
    structs = [struct for struct in table.structs if struct.area == area]
    constants = [constant for constant in table.constants if constant.area == area]
    lines = []
    if structs:
        lines += ["## Structures", "",
                  "Sizes and offsets in bytes, for x86-64 guests. The last column is Linux's name "
                  "where it differs.", ""]
    for struct in structs:
        lines += [f"### `{struct.name}`: {struct.size} bytes", ""]
        if struct.linux == layout.ABSENT:
            lines += ["Linux's headers lack it.", ""]
        elif struct.linux != struct.name:
            lines += [f"In Linux: `{struct.linux}`.", ""]
        lines += ["| offset | size | member | in Linux |", "|---:|---:|---|---|"]
        for member in struct.members:
            other = "" if member.linux == member.name or struct.linux == layout.ABSENT else (
                "absent" if member.linux == layout.ABSENT else f"`{member.linux}`")
            lines.append(f"| {member.offset} | {member.size or ''} | `{member.name}` | {other} |")
        lines.append("")
    if constants:
        lines += ["## Constants", "", "<details><summary>"
                  f"{len(constants)} names and values</summary>", "",
                  "| name | value | in Linux |", "|---|---:|---|"]
        for constant in constants:
            other = "" if constant.linux == constant.name else (
                "absent" if constant.linux == layout.ABSENT else f"`{constant.linux}`")
            value = f"{constant.value:#x}" if constant.value > 0xffff else str(constant.value)
            lines.append(f"| `{constant.name}` | {value} | {other} |")
        lines += ["", "</details>", ""]
    return lines


def _area_page(catalogue: clauses.Catalogue, table: layout.Table, area: clauses.Area,
               before: clauses.Area | None, after: clauses.Area | None) -> list[str]:
    """The page of one area."""
    numbers = {number.name: number.nr for number in catalogue.numbers}
    lines = [MADE, "", f"# {area.title}", "", area.intro, ""]
    way = ["[All chapters](README.md)", "[By number](by-number.md)"]
    if before:
        way.append(f"previous: [{before.title}]({before.name}.md)")
    if after:
        way.append(f"next: [{after.title}]({after.name}.md)")
    lines += [" · ".join(way), "", "## Contents", ""]
    for prefix, title in area.prefixes.items():
        mine = [c for c in area.clauses if c.id.rsplit("-", 1)[0] == prefix]
        lines += [f"**{title}**", "", "| clause | | level |", "|---|---|---|"]
        lines += [f"| {_link(c, here=True)} | {_cell(c.title)} | {c.level} |" for c in mine]
        lines.append("")
    for prefix, title in area.prefixes.items():
        lines += [f"## {title}" if len(area.prefixes) > 1 else "## Clauses", ""]
        for clause in area.clauses:
            if clause.id.rsplit("-", 1)[0] == prefix:
                lines += _clause(clause, numbers)
    return lines + _layouts(table, area.name)


def _by_number(catalogue: clauses.Catalogue) -> list[str]:
    """The index by hypercall number."""
    lines = [MADE, "", "# Hypercalls by number", "",
             "Every number, its use by an unprivileged guest, and the clauses about it. "
             "The first clause of each row names the result that proves that the number is "
             "implemented, or the result that refuses it.", "", "[All chapters](README.md)", "",
             "| number | name | use | clauses |", "|---:|---|---|---|"]
    for number in catalogue.numbers:
        found = catalogue.of_hypercall(number.name)
        first = [c for c in found if c.id == f"HCN-{number.nr:03d}"]
        rest = [c for c in found if c not in first]
        links = [_link(c) for c in first]
        for area in catalogue.areas:
            mine = [c for c in rest if c.area == area.name]
            if len(mine) > 4:
                links.append(f"{_link(mine[0])} to {_link(mine[-1])} ({len(mine)})")
            else:
                links += [_link(c) for c in mine]
        lines.append(f"| {number.nr} | `{number.name}` | {USE[number.use]} | {', '.join(links)} |")
    lines += ["", "## Sub-operations", "",
              "| hypercall | sub-operation | clauses |", "|---|---|---|"]
    for number in catalogue.numbers:
        subops: dict[str, list[str]] = {}
        for clause in catalogue.of_hypercall(number.name):
            if clause.subop:
                subops.setdefault(clause.subop, []).append(_link(clause))
        for name, links in subops.items():
            lines.append(f"| `{number.name}` | `{name}` | {', '.join(links)} |")
    return lines + [""]


def _overview(catalogue: clauses.Catalogue, table: layout.Table) -> list[str]:
    """The first page."""
    every = list(catalogue.clauses.values())
    lines = [MADE, "", "# The hypercall ABI, clause by clause", "",
             "The duties of a hypervisor towards a 64-bit paravirtual x86 guest, in "
             f"{len(every)} checkable statements. Each has an id that never changes, a level, "
             "the errors it permits and the public source it was checked against; the conformance "
             "cases in `selftests/abi/cases/` name the clauses they check.", "",
             "| level | clauses | meaning |", "|---|---:|---|"]
    meaning = {"must": "holds for every hypervisor",
               "may": "permitted; a guest has to accept either behaviour",
               "removed": "held for earlier releases only"}
    for level, text in meaning.items():
        lines.append(f"| {level} | {sum(c.level == level for c in every)} | {text} |")
    lines += ["", "Statements hold for releases 4.17 and later; where releases differ the clause "
              "names every permitted result. The initial domain may do more than others: a clause "
              "that holds for one kind of domain only says so.", "",
              "## Chapters", "", "| chapter | clauses | structures | constants |",
              "|---|---:|---:|---:|"]
    for area in catalogue.areas:
        structs = sum(struct.area == area.name for struct in table.structs)
        constants = sum(constant.area == area.name for constant in table.constants)
        lines.append(f"| [{area.title}]({area.name}.md) | {len(area.clauses)} | {structs or ''} | "
                     f"{constants or ''} |")
    lines += ["", "[Hypercalls by number](by-number.md) lists every number from 0 to "
              f"{catalogue.numbers[-1].nr}, those a guest must not use included.", "",
              "## How to read a source", "",
              "`public/…` is a public header as packaged in Debian's libxen-dev (release 4.17), "
              "with its line; `xen/…` and `tools/…` are the reference hypervisor's and its tools' "
              "source of that release; `docs/…` are the documents that come with them.", "",
              "## Where this comes from", "",
              "The pages are made from `hypercall-abi/clauses/*.yaml` and "
              "`hypercall-abi/layout/*.yaml` by `./pvguest abi generate`; "
              "`./pvguest abi check` says whether they are up to date.", ""]
    return lines


def pages(catalogue: clauses.Catalogue, table: layout.Table) -> dict[str, str]:
    """The manual: {file name: text}."""
    made = {"README.md": _overview(catalogue, table), "by-number.md": _by_number(catalogue)}
    areas: list[clauses.Area | None] = [None, *catalogue.areas, None]
    for before, area, after in zip(areas, areas[1:], areas[2:]):
        if area is not None:
            made[f"{area.name}.md"] = _area_page(catalogue, table, area, before, after)
    return {name: "\n".join(lines).rstrip() + "\n" for name, lines in made.items()}


def stale(made: dict[str, str], folder: Path = DOCS) -> list[str]:
    """Names of the files in FOLDER that differ from the pages MADE, are missing or left over."""
    have = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    return sorted(name for name in made.keys() | have.keys() if made.get(name) != have.get(name))


def write(made: dict[str, str], folder: Path = DOCS) -> list[str]:
    """Bring FOLDER up to date with the pages MADE; returns the names that changed."""
    changed = stale(made, folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in made:
            (folder / name).write_text(made[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed
