"""`./dev bench report`: measure everything, keep it in bench/measured.json, and write docs/performance.md and its plots from that file."""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import golden, relational
from bench.mpc import CASES, LINKS, Order, measure, named

FILE = Path(__file__).parent / "measured.json"
SWEPT = ("multiply", "less_than", "equality", "bit_to_ring", "shuffle", "sort32", "division", "exp", "log", "logistic")
SWEEP_ROWS = (10**4, 10**5, 10**6)
SLOW_ROWS = 10**7
LONG = {"sort32": 2, "sort64": 1}
"""How often what takes seconds is timed at a million rows; all else five times, and once at ten million."""
REPEATS = 5

Result = dict[str, Any]


def main(again: bool, settle: str = "check", slow: bool = False) -> int:
    """Measure (unless `again`), write the page, check or write the golden file. Returns 1 where bytes or rounds are not those in it."""
    from bench import page

    if not again:
        FILE.write_text(json.dumps(measured(slow), indent=1) + "\n", encoding="utf-8")
    found = json.loads(FILE.read_text(encoding="utf-8"))
    page.write(found)
    say(f"written: {', '.join(page.FILES)}")
    sizes = {name: {named(name).rows, golden.small_rows(named(name))} for name in {one["name"] for one in found["results"]}}
    failed = golden.settle(settle, [one for one in found["results"] if one["rows"] in sizes[one["name"]]])
    own = {case.name: case.rows for case in relational.CASES}
    tables = [one for one in found.get("relational", []) if one["rows"] == own[one["name"]]]
    return failed or golden.settle(settle, tables, relational.SUITE)


def measured(slow: bool) -> dict[str, Any]:
    """All that the page tells. The quick parts that others build on come first; ten million rows are kept from before unless `slow`."""
    from accord.node import calibrate
    from bench import wan

    start = time.monotonic()
    say("calibrating this machine")
    machine = calibrate.here()
    results = [one for link in LINKS for one in _told(orders(link), link)]
    tables = list(_said(relational.measure(relational.orders(), "tls")))
    say("long links")
    far = list(wan.measure(calibrate.apart()))
    say("floors")
    found = {
        "date": datetime.date.today().isoformat(),
        "machine": machine_facts(),
        "results": results,
        "relational": tables,
        "wan": far,
        "foretold": list(foretold(results, machine)),
        **floors(results),
        "seconds": round(time.monotonic() - start),
    }
    return {**found, "slow": measured_slow(machine) if slow else kept_slow()}


def measured_slow(machine: Any) -> dict[str, Any]:
    """Ten million rows, once each: minutes and gigabytes."""
    start, wanted = time.monotonic(), [Order(case, SLOW_ROWS, 1) for case in CASES if case.slow or case.name in SWEPT]
    results = list(_told(wanted, "tls"))
    seconds = round(time.monotonic() - start)
    return {"date": datetime.date.today().isoformat(), "results": results, "foretold": list(foretold(results, machine)), "seconds": seconds}


def kept_slow() -> dict[str, Any]:
    """What the last slow report measured."""
    before = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    found: dict[str, Any] = before.get("slow", {"date": "", "results": [], "foretold": [], "seconds": 0})
    return found


def orders(link: str) -> list[Order]:
    """Every case at its own rows; over TLS, those that are swept at other sizes too. Sorts are timed over TLS alone."""
    found = []
    for case in CASES:
        if case.slow or (case.name in LONG and link == "plain"):
            continue
        sizes = {case.rows, *(SWEEP_ROWS if link == "tls" and case.name in SWEPT else ())}
        found += [Order(case, rows, LONG.get(case.name, REPEATS) if rows >= 10**6 else REPEATS) for rows in sorted(sizes)]
    return found


def _told(wanted: list[Order], link: str) -> Iterator[Result]:
    return _said(measure(wanted, link))


def _said(results: Iterator[Result]) -> Iterator[Result]:
    for one in results:
        say(f"{one['link']:<6}{one['name']:<14}{one['rows']:>9} rows {one['seconds']:9.4f} s")
        yield one


def machine_facts() -> dict[str, Any]:
    """What a reader must know of the machine, and nothing that names it."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gigabytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def floors(results: list[Result]) -> dict[str, Any]:
    """Speeds of this machine, and each case's floor at its own rows over TLS."""
    from bench.floors import floor, speeds

    own = {one["name"]: one for one in results if one["link"] == "tls" and one["rows"] == named(one["name"]).rows}
    found = speeds(own["swap"]["seconds_min"], own["swap"]["bytes_per_server"])
    least = {name: vars(floor(named(name), one["rows"], one["bytes_per_server"], found)) for name, one in own.items() if name != "swap"}
    return {"speeds": found.__dict__, "floors": least}


def foretold(results: list[Result], machine: Any) -> Iterator[dict[str, Any]]:
    """What the cost model says of each case over TLS, at each of its sizes."""
    from accord.mpc.party import LAN
    from bench import wan

    for one in results:
        if one["link"] == "tls" and one["name"] in wan.COUNTED:
            told = wan.foretold(named(one["name"]), one["rows"], LAN, machine)[1]
            yield {"name": one["name"], "rows": one["rows"], "foretold": told.seconds, "seconds": one["seconds"]}


def say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)
