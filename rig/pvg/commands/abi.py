# SPDX-License-Identifier: GPL-2.0-only
"""pvguest abi: checks the clause catalogue and the layout table and makes the reference manual."""
import argparse
from pathlib import Path

from pvg.base import arguments, errors, paths, plural, progress, releases
from pvg.abi import clauses, docs, layout

HELP = "check the ABI's catalogue and layouts, make its manual"

_HEADER = "include/xen/interface/xen.h"


def _check_tree(text: str) -> None:
    if not (Path(text) / _HEADER).is_file():
        raise errors.UsageError(f"{text}: no Linux source tree (no {_HEADER})")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of 'pvguest abi'."""
    parser.add_argument("action", choices=["check", "layout", "generate"], nargs="?",
                        default="check",
                        help="check: catalogue, layouts and manual (default) · layout: layouts "
                             "only · generate: write docs/abi anew")
    parser.add_argument("--linux", default=releases.default(), choices=releases.names(),
                        help="Linux release whose headers are checked, if the rig has unpacked it "
                             "under build/ (default: %(default)s)")
    parser.add_argument("--linux-tree", type=arguments.named(_check_tree), metavar="DIR",
                        help="check the headers of the Linux source tree DIR instead")
    parser.epilog = ("example: ./pvguest abi check --linux-tree ../linux\n"
                     "Findings are the output; only 'generate' writes files, those of docs/abi.")


def _tree(args: argparse.Namespace) -> Path | None:
    """The Linux tree whose headers are checked, or None if it was not unpacked yet."""
    if args.linux_tree:
        return Path(args.linux_tree)
    tree = paths.BUILD / f"linux-{args.linux}" / "source"
    return tree if (tree / _HEADER).is_file() else None


def _check_layouts(table: layout.Table, args: argparse.Namespace) -> None:
    """Compile the layout assertions against both sets of headers."""
    count = layout.check(table)
    print(f"layouts: {count} assertions hold in the packaged headers")
    tree = _tree(args)
    if tree is None:
        print(f"layouts: Linux's headers not checked: build/linux-{args.linux} holds no source, "
              "and there is no --linux-tree")
        return
    count = layout.check(table, tree)
    print(f"layouts: {count} assertions hold in {paths.shown(tree)}")


def _run(args: argparse.Namespace) -> int:
    """Do what ARGS ask for; returns the exit status."""
    table = layout.load()
    if args.action == "layout":
        _check_layouts(table, args)
        return 0
    catalogue = clauses.load()
    unknown = ({row.area for row in table.structs + table.constants}
               - {area.name for area in catalogue.areas})
    if unknown:
        raise errors.RigError(f"{paths.shown(layout.FOLDER)}: no area '{sorted(unknown)[0]}'")
    made = docs.pages(catalogue, table)
    if args.action == "generate":
        changed = docs.write(made)
        print(f"manual: {plural.counted(len(made), 'page')}, {len(changed)} changed")
        return 0
    print(f"catalogue: {len(catalogue.clauses)} clauses in {len(catalogue.areas)} areas, "
          f"{len(catalogue.musts())} of them binding and checkable")
    _check_layouts(table, args)
    old = docs.stale(made)
    if old:
        raise errors.RigError(f"docs/abi/{old[0]} is not what the catalogue makes"
                              + (f" (and {len(old) - 1} more)" if len(old) > 1 else "")
                              + ": run ./pvguest abi generate")
    print(f"manual: {len(made)} pages, up to date")
    return 0


def main(args: argparse.Namespace) -> int:
    """Run the action; print every problem of a broken catalogue, not the first alone."""
    try:
        return _run(args)
    except clauses.CatalogueError as error:
        for problem in error.problems:
            progress.say(problem)
        return errors.EXIT_RIG
