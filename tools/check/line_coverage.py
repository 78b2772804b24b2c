"""Line coverage a crate, and the files with the least, from a report in lcov's format.

Counts product code alone: whatever follows `#[cfg(test)] mod …` in a file is a test, too.
Exits 1 when a crate is below the percentage of `--least`.
"""

import argparse
import re
import sys
from collections import defaultdict
from pathlib import Path

CRATES = {
    f"{crate}/src": crate for crate in ("aurax-core", "aurax-providers", "aurax-store", "aurax-server")
}
TESTS = re.compile(r"^#\[cfg\(test\)\]\n(?:#\[.*?\]\n)*mod \w+ \{", re.MULTILINE | re.DOTALL)
WORST = 10


def files(report):
    """Yields each file of the report with the hits of its lines."""
    name, lines = None, {}
    for row in report.read_text().splitlines():
        kind, _, rest = row.partition(":")
        if kind == "SF":
            name, lines = Path(rest), {}
        elif kind == "DA":
            line, hits = rest.split(",")[:2]
            lines[int(line)] = max(int(hits), lines.get(int(line), 0))
        elif row == "end_of_record" and name:
            yield name, lines


def product(path, lines):
    """The lines ahead of the file's own tests."""
    text = path.read_text()
    tests = TESTS.search(text)
    end = text.count("\n", 0, tests.start()) if tests else len(text)
    return [hits for line, hits in lines.items() if line <= end]


def percent(covered, total):
    return 100 * covered / total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--least", type=float, help="percentage each crate must reach")
    asked = parser.parse_args()

    root = Path(__file__).resolve().parents[2]
    crates, seen = defaultdict(lambda: [0, 0]), []
    for path, lines in files(asked.report):
        if not path.is_relative_to(root):
            continue
        name = path.relative_to(root)
        crate = next((crate for folder, crate in CRATES.items() if name.is_relative_to(folder)), None)
        hits = product(path, lines) if crate and name.stem != "tests" else []
        if hits:
            covered = sum(hit > 0 for hit in hits)
            crates[crate][0] += covered
            crates[crate][1] += len(hits)
            seen.append((percent(covered, len(hits)), covered, len(hits), name))

    print("least covered files:")
    for share, covered, total, name in sorted(seen)[:WORST]:
        print(f"  {share:6.2f} %  {covered:5} of {total:5} lines  {name}")
    print("line coverage:")
    failed = False
    for crate in CRATES.values():
        covered, total = crates[crate]
        if not total:
            sys.exit(f"line_coverage: the report has nothing of {crate}")
        share = percent(covered, total)
        print(f"  {share:6.2f} %  {covered:5} of {total:5} lines  {crate}")
        if asked.least is not None and share < asked.least:
            print(f"line_coverage: {crate} is below {asked.least:g} %", file=sys.stderr)
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
