"""`./dev bench mpc [--json] [--rows N] [--only NAME …] [--link plain|tls] [--repeats N] [--golden write|check]`"""

from __future__ import annotations

import argparse
import json
import sys

from bench import golden
from bench.mpc import CASES, LINKS, measure


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description="Time the protocols between three processes on this machine.")
    parser.add_argument("what", choices=["mpc"])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rows", type=int, help="rows of every case (default: each case's own)")
    parser.add_argument("--only", nargs="+", choices=[case.name for case in CASES], help="these cases only")
    parser.add_argument("--link", nargs="+", choices=LINKS, default=list(LINKS))
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each case; the median is printed")
    parser.add_argument("--golden", choices=["write", "check"], help="write or check bench/golden/mpc.json (bytes and rounds)")
    given = parser.parse_args()
    cases = [case for case in CASES if not given.only or case.name in given.only]
    results = [line for link in given.link for line in measure(cases, link, given.rows, given.repeats)]
    print(json.dumps({"results": results}, indent=2) if given.json else table(results))
    return golden.settle(given.golden, results) if given.golden else 0


def table(results: list[dict[str, object]]) -> str:
    """The results for reading."""
    lines = [f"{'protocol':<14}{'rows':>10}{'link':>7}{'seconds':>10}{'min':>9}{'max':>9}{'B/row/server':>14}{'rounds':>8}"]
    for one in results:
        rows, sent = int(str(one["rows"])), float(str(one["bytes_per_server"]))
        numbers = f"{one['seconds']:>10.4f}{one['seconds_min']:>9.4f}{one['seconds_max']:>9.4f}{sent / rows:>14.2f}"
        lines.append(f"{one['name']:<14}{rows:>10}{one['link']:>7}{numbers}{one['rounds']:>8}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
