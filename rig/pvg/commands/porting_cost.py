# SPDX-License-Identifier: GPL-2.0-only
"""pvguest porting-cost: how many lines the port takes."""
import json

from pvg import linux_tree, porting_cost

HELP = "count the lines that the port takes, beside Linux's own port"


def configure(parser):
    """Options of 'pvguest porting-cost'."""
    parser.add_argument("--linux", default=linux_tree.DEFAULT, choices=linux_tree.releases(),
                        help="Linux release (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there as well")
    parser.epilog = "example: pvguest porting-cost --json build/porting-cost.json"


def table(title, parts):
    """Print the PARTS of one port."""
    print(f"{title:40} {'lines':>7} {'files':>6} {'largest':>8}")
    for name, part in parts.items():
        print(f"  {name:38} {part['lines']:7} {part['files']:6} {part['largest']:8}")
    print(f"  {'total':38} {sum(p['lines'] for p in parts.values()):7} "
          f"{sum(p['files'] for p in parts.values()):6}")


def main(args):
    """Count and print."""
    tree = linux_tree.LinuxTree(args.linux)
    tree.prepare()
    result = {"pvguest": porting_cost.ours(args.linux),
              "mainline": porting_cost.mainline(tree.source)}
    table("pvguest", result["pvguest"]["parts"])
    patches = result["pvguest"]["patches"]
    print(f"  Linux's own lines: {patches['added']} added, {patches['removed']} removed, "
          f"in {patches['files']} files\n")
    table(f"Linux {args.linux}'s own port, PV guest parts", result["mainline"]["parts"])
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    return 0
