# SPDX-License-Identifier: GPL-2.0-only
"""pvguest porting-cost: how many lines the port takes, and how like Linux's own they are."""
import argparse
import dataclasses
import json

from pvg.base import arguments, files, releases
from pvg.kernel import cost, linux, similarity

HELP = "count the lines that the port takes, beside Linux's own port"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of 'pvguest porting-cost'."""
    parser.add_argument("--linux", default=releases.default(), choices=releases.names(),
                        help="Linux release (default: %(default)s)")
    parser.add_argument("--json", type=arguments.result_file, metavar="FILE",
                        help="write all numbers there as well")
    parser.add_argument("--similarity", action="store_true",
                        help="print instead, for each of our files, which part of it (in runs of "
                             f"{similarity.RUN} tokens, without comments and #include) stands in one file of "
                             "Linux's own port as well")
    parser.epilog = ("example: ./pvguest porting-cost --json porting-cost.json\n"
                     "example: ./pvguest porting-cost --similarity\n"
                     "The tables are the output; Linux's source is unpacked below build/ first.")


def table(title: str, parts: dict[str, cost.Part]) -> None:
    """Print the PARTS of one port."""
    print(f"{title:40} {'lines':>7} {'files':>6} {'largest':>8}")
    for name, part in parts.items():
        print(f"  {name:38} {part['lines']:7} {part['files']:6} {part['largest']:8}")
    print(f"  {'total':38} {sum(p['lines'] for p in parts.values()):7} "
          f"{sum(p['files'] for p in parts.values()):6}")


def _similarity(args: argparse.Namespace, tree: linux.LinuxTree) -> int:
    """Compare and print."""
    found = similarity.compare(tree.source)
    for each in found:
        print(f"{100 * each.share:5.1f} %  {each.name}  ({each.other})")
    if args.json:
        files.write_atomically(args.json, json.dumps(
            [dataclasses.asdict(each) for each in found], indent=1))
    return 0


def main(args: argparse.Namespace) -> int:
    """Count and print."""
    tree = linux.LinuxTree(args.linux)
    tree.prepare()
    if args.similarity:
        return _similarity(args, tree)
    result = {"pvguest": cost.ours(args.linux),
              "mainline": cost.mainline(tree.source)}
    table("pvguest", result["pvguest"]["parts"])
    patches = result["pvguest"]["patches"]
    print(f"  Linux's own lines: {patches['added']} added, {patches['removed']} removed, "
          f"in {patches['files']} files\n")
    table(f"Linux {args.linux}'s own port, PV guest parts", result["mainline"]["parts"])
    if args.json:
        files.write_atomically(args.json, json.dumps(result, indent=1))
    return 0
