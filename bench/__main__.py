"""`./dev bench mpc [--json] [--rows N,N…] [--only NAME …] [--link plain|tls] [--repeats N] [--golden write|check]`
`./dev bench relational [...]`: groups and joins on secret keys, likewise. `./dev bench cells [...]`: the rules of a cell.
`./dev bench tables [...]`: the rules of a whole table.
`./dev bench wan [--json]`: long links, by a simulated network. `./dev bench report [--slow | --again]`: all of it, and docs/performance.md
with its plots; `--slow` measures ten million rows too, which other reports then keep."""

from __future__ import annotations

import argparse
import json
import sys

from bench import cells, golden, mpc, relational, tables
from bench.mpc import LINKS, Order

SUITES = {"mpc": golden.MPC, "relational": relational.SUITE, "cells": cells.SUITE, "tables": tables.SUITE}
MEASURES = {"mpc": mpc.measure, "relational": relational.measure, "cells": mpc.measure, "tables": tables.measure}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description="Time the protocols between three processes on this machine.")
    parser.add_argument("what", choices=["mpc", "relational", "cells", "tables", "wan", "report"])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rows", type=rows_of, help="rows of every case, one number or several (1e4,1e5); default: each case's own")
    parser.add_argument(
        "--only", nargs="+", choices=[case.name for suite in SUITES.values() for case in suite.cases], help="these cases only"
    )
    parser.add_argument("--slow", action="store_true", help="the cases too that take minutes and gigabytes; a report: sizes up to 1e7")
    parser.add_argument("--link", nargs="+", choices=LINKS, default=list(LINKS))
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each case; the median is printed")
    parser.add_argument("--golden", choices=["write", "check"], help="write or check the golden file (bytes and rounds); a report checks")
    parser.add_argument("--again", action="store_true", help="report: write the page anew from bench/measured.json, measure nothing")
    given = parser.parse_args()
    if given.what == "report":
        from bench import report

        return report.main(given.again, given.golden or "check", given.slow)
    if given.what == "wan":
        found = far_results()
        print(json.dumps({"results": found}, indent=2) if given.json else far_table(found))
        return 0
    if given.only and not {*given.only} <= {case.name for case in SUITES[given.what].cases}:
        parser.error(f"--only: {given.what} has {', '.join(case.name for case in SUITES[given.what].cases)}")
    suite, measure = SUITES[given.what], MEASURES[given.what]
    cases = [case for case in suite.cases if (case.name in given.only if given.only else given.slow or not case.slow)]
    orders = [Order(case, rows, given.repeats) for case in cases for rows in given.rows or [case.rows]]
    results = [line for link in given.link for line in measure(orders, link)]
    print(json.dumps({"results": results}, indent=2) if given.json else table(results))
    if given.rows and len(given.rows) > 1 and not given.json:
        print(growths(results))
    return golden.settle(given.golden, results, suite) if given.golden else 0


def far_results() -> list[dict[str, object]]:
    """Long links, on servers like this machine."""
    from accord.node import calibrate
    from bench import wan

    return list(wan.measure(calibrate.apart()))


def far_table(results: list[dict[str, object]]) -> str:
    """Long links for reading."""
    lines = [f"{'protocol':<14}{'rows':>10}{'profile':>9}{'foretold':>10}{'measured':>10}{'ratio':>7}{'MB/server':>11}{'rounds':>8}"]
    for one in results:
        told, taken, sent = (float(str(one[name])) for name in ("foretold", "seconds", "bytes_per_server"))
        numbers = f"{told:>9.2f}s{taken:>9.2f}s{taken / told:>7.2f}{sent / 1e6:>11.1f}"
        lines.append(f"{one['name']:<14}{one['rows']:>10}{one['profile']:>9}{numbers}{one['rounds']:>8}")
    return "\n".join(lines)


def rows_of(text: str) -> list[int]:
    """Numbers of rows, such as 1e4,1e5."""
    return [int(float(one)) for one in text.split(",")]


def table(results: list[dict[str, object]]) -> str:
    """The results for reading."""
    lines = [f"{'protocol':<14}{'rows':>10}{'link':>7}{'seconds':>10}{'min':>9}{'max':>9}{'B/row/server':>14}{'rounds':>8}{'peak MB':>9}"]
    for one in results:
        rows, sent = int(str(one["rows"])), float(str(one["bytes_per_server"]))
        numbers = f"{one['seconds']:>10.4f}{one['seconds_min']:>9.4f}{one['seconds_max']:>9.4f}{sent / rows:>14.2f}"
        lines.append(f"{one['name']:<14}{rows:>10}{one['link']:>7}{numbers}{one['rounds']:>8}{int(str(one['peak_bytes'])) >> 20:>9}")
    return "\n".join(lines)


def growths(results: list[dict[str, object]]) -> str:
    """How each case grows with its rows: a + b · rows."""
    from bench.growth import GATHERING, fit

    lines = []
    for name, link in dict.fromkeys((str(one["name"]), str(one["link"])) for one in results):
        points = [(int(str(one["rows"])), float(str(one["seconds"]))) for one in results if (one["name"], one["link"]) == (name, link)]
        found = fit(points)
        line = f"{found.start * 1e3:8.2f} ms + {found.slope * 1e9:9.1f} ns a row, slopes from {found.spread}"
        lines.append(f"{name:<14}{link:>7}  {line}{'' if found.holds(name in GATHERING) else ' !'}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
