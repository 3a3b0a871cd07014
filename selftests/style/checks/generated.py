# SPDX-License-Identifier: MIT
"""Checks of what has to agree with something else: the generated manual, the version."""
import re
import sys

from checks import tools
from checks.tree import Tree

MANUAL = ("hypercall-abi/*", "docs/abi/*", "rig/pvg/abi/*", "rig/pvg/base/*",
          "rig/pvg/commands/*", "rig/pvg/cli.py", "linux/*/release.yaml")


def check_manual(tree: Tree) -> list[str]:
    """docs/abi is what the clause catalogue and the layout table generate."""
    def work() -> list[str]:
        output = tools.run([sys.executable, "-B", "pvguest", "abi", "check"], tree.root,
                           good=range(256))
        # One line for each table that agrees; anything else is a complaint.
        return [f"docs/abi/README.md:1: {line}" for line in output.splitlines()
                if not re.match("(catalogue|layouts|manual): ", line)]

    return tree.whole("manual", tree.files(*MANUAL), tools.version("libxen-dev"), work)


def check_version(tree: Tree) -> list[str]:
    """The newest heading of the changelog is the version that ./pvguest --version prints."""
    code, log = "rig/pvg/base/version.py", "CHANGELOG.md"
    said = re.search(r'^VERSION = "(\d+\.\d+\.\d+)"', tree.text(code), re.M)
    if not said:
        return [f"{code}:1: no VERSION of three numbers"]
    heading = re.search(r"^## (\S+)(?: - (\d{4}-\d\d-\d\d))?$", tree.text(log), re.M)
    if not heading or not heading.group(2):
        return [f"{log}:1: the first heading is not '## VERSION - YEAR-MONTH-DAY'"]
    if heading.group(1) != said.group(1):
        return [f"{log}:1: the newest version is {heading.group(1)}, that of {code} "
                f"{said.group(1)}"]
    return []
