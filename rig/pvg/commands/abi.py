# SPDX-License-Identifier: GPL-2.0-only
"""pvguest abi: checks the clause catalogue and the layout table and makes the reference manual."""
from pvg import abi_docs, clauses, errors, layout, paths, progress

HELP = "check the ABI's catalogue and layouts, make its manual"


def configure(parser):
    """Options of 'pvguest abi'."""
    parser.add_argument("action", choices=["check", "layout", "generate"], nargs="?",
                        default="check",
                        help="check: catalogue, layouts and manual (default) · layout: layouts "
                             "only · generate: write docs/abi anew")
    parser.add_argument("--linux-tree", metavar="DIR",
                        help="Linux source tree whose headers are checked (default: the newest "
                             "that the rig has unpacked under build/)")
    parser.epilog = "example: pvguest abi check --linux-tree ../linux-6.12"


def _tree(given):
    """The Linux tree to check: the one GIVEN, the newest unpacked, or None."""
    if given:
        return given
    found = [path for path in paths.BUILD.glob("linux-*/source")
             if (path / "include/xen/interface/xen.h").is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _check_layouts(table, given):
    """Compile the layout assertions against both sets of headers."""
    count = layout.check(table)
    print(f"layouts: {count} assertions hold in the packaged headers")
    tree = _tree(given)
    if tree is None:
        print("layouts: Linux's headers not checked: no tree under build/ and no --linux-tree")
        return
    count = layout.check(table, tree)
    print(f"layouts: {count} assertions hold in {paths.shown(tree)}")


def _run(args):
    """What ARGS ask for."""
    table = layout.load()
    if args.action == "layout":
        _check_layouts(table, args.linux_tree)
        return 0
    catalogue = clauses.load()
    unknown = ({row.area for row in table.structs + table.constants}
               - {area.name for area in catalogue.areas})
    if unknown:
        raise errors.RigError(f"{paths.shown(layout.TABLE)}: no area '{sorted(unknown)[0]}'")
    made = abi_docs.pages(catalogue, table)
    if args.action == "generate":
        changed = abi_docs.write(made)
        print(f"manual: {len(made)} pages, {len(changed)} changed")
        return 0
    print(f"catalogue: {len(catalogue.clauses)} clauses in {len(catalogue.areas)} areas, "
          f"{len(catalogue.musts())} of them binding and checkable")
    _check_layouts(table, args.linux_tree)
    old = abi_docs.stale(made)
    if old:
        raise errors.RigError(f"docs/abi/{old[0]} is not what the catalogue makes"
                              + (f" (and {len(old) - 1} more)" if len(old) > 1 else "")
                              + ": run pvguest abi generate")
    print(f"manual: {len(made)} pages, up to date")
    return 0


def main(args):
    """Run the action; print every problem of a broken catalogue, not the first alone."""
    try:
        return _run(args)
    except clauses.CatalogueError as error:
        for problem in error.problems:
            progress.say(problem)
        return errors.EXIT_RIG
