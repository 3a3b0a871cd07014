# SPDX-License-Identifier: MIT
"""Checks of C by Linux's own scripts, as the supported release has them, and by sparse."""
import functools
import hashlib
import re
from pathlib import Path
from typing import Sequence

from checks import rules, tools
from checks.tree import Tree
from pvg.kernel import linux

SOURCES = ("*.c", "*.h", "*.S")
KERNEL = ("arch/*", "drivers/*", "hypercall-abi/include/*")
# The script reads a comment of one line only if it is about a member, "/** @NAME: ... */".
ONE_LINE = re.compile(r"\s*/\*\*(?!\s*[@*/])(.*?)\*/")


@functools.cache
def _script(name: str) -> tuple[Path, str]:
    """Path and hash of Linux's script NAME; the source is unpacked first if it is not."""
    tree = linux.LinuxTree()
    tree.prepare()
    path = Path(tree.source) / "scripts" / name
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def check_checkpatch(tree: Tree) -> list[str]:
    """checkpatch.pl --strict finds nothing but what rules.py lets pass."""
    script, version = _script("checkpatch.pl")
    # In a folder that is no clone, or it would look there for the names in Linux's headers.
    view = tree.state / "checkpatch"
    view.mkdir(parents=True, exist_ok=True)
    link = view / "tree"
    if not link.is_symlink():
        link.symlink_to(tree.root.resolve())
    passed = rules.checkpatch_passed(tree.names)

    def work(names: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        # One file at a time: it reports a name that it does not like only once.
        for name in names:
            command = ["perl", str(script), "--strict", "--terse", "--show-types", "--no-summary",
                       "--no-tree", f"--root={script.parents[1]}",
                       f"--max-line-length={rules.LINE}", "-f", f"tree/{name}"]
            if passed[name]:
                command[2:2] = ["--ignore", ",".join(passed[name])]
            lines = tools.by_file(tools.run(command, view), [name], "tree/")[name]
            found[name] = [line for line in lines if not rules.camel_passed(line)]
        return found

    return tree.each("checkpatch", tree.files(*SOURCES),
                     lambda name: f"{version} {rules.LINE} {passed[name]} {sorted(rules.CAMEL)}", work)


def check_kernel_doc(tree: Tree) -> list[str]:
    """Every kernel-doc comment is read, and describes the whole of what follows it."""
    script, version = _script("kernel-doc")

    def work(names: Sequence[str]) -> dict[str, list[str]]:
        output = tools.run(["perl", str(script), "-none", "-Wall", *names], tree.root,
                           good=range(255))
        found = tools.by_file(output, names)
        for name in names:
            found[name] += [f"{name}:{number}: error: one-line kernel-doc is not read by "
                            f"kernel-doc: {match.group(1).strip()}"
                            for number, line in tree.lines(name)
                            if (match := ONE_LINE.match(line))]
        return found

    names = [name for name in tree.files(*KERNEL) if name.endswith((".c", ".h"))]
    return tree.each("kernel-doc", names, lambda name: f"{version} {ONE_LINE.pattern}", work)
