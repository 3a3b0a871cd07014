# SPDX-License-Identifier: GPL-2.0-only
"""Coverage: clauses without a case, cases without a clause; either fails."""
from collections.abc import Sequence

from pvg.base import plural
from pvg.abi import clauses
from pvg.conformance.suite import Case


def main(cases: Sequence[Case]) -> int:
    """Entry point of 'conformance --coverage'."""
    result = clauses.coverage(clauses.load(), cases)
    for problem in result.problems:
        print(problem)
    for clause in result.uncovered:
        print(f"{clause.file}:{clause.line}: clause {clause.id} ({clause.level}, {clause.test}) "
              f"has no case: {clause.title}")
    done = sum(count for count, _ in result.areas.values())
    total = sum(count for _, count in result.areas.values())
    print(f"{'area':14s}{'must-clauses':>14s}{'covered':>9s}")
    for area, (covered, count) in sorted(result.areas.items()):
        print(f"{area:14s}{count:14d}{covered:9d}")
    print(f"{'total':14s}{total:14d}{done:9d}  {done / max(total, 1):.1%}")
    print(f"{plural.counted(len(cases), 'case')}, {plural.counted(len(result.waived), 'clause')} "
          f"that no guest can test, {len(result.uncovered)} without a case")
    return 1 if result.problems or result.uncovered else 0
