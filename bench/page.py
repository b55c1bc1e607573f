"""docs/performance.md and its plots: every figure comes from what was measured, from the golden file or from peers.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench import peers, svg
from bench.growth import GATHERING, fit
from bench.mpc import named
from bench.svg import COLOURS, Line, Mark, seconds

DOCS = Path(__file__).parents[1] / "docs"
PLOTS = ("performance-peers", "performance-floors", "performance-growth")
FILES = ("docs/performance.md", *(f"docs/pictures/{name}.svg" for name in PLOTS))
ENGINES = {"Accord": COLOURS[0], "MP-SPDZ": COLOURS[1], "ORQ": COLOURS[2], "SPU": COLOURS[3], "CrypTen": COLOURS[4]}

FACTOR = 1.5
"""Within which seconds are meant to be foretold."""

Found = dict[str, Any]


def write(found: Found) -> None:
    """The page and its three plots."""
    pictures = DOCS / "pictures"
    pictures.mkdir(exist_ok=True)
    drawings = dict(zip(PLOTS, (peers_plot(found), floors_plot(found), growth_plot(found)), strict=True))
    for name, drawing in drawings.items():
        (pictures / f"{name}.svg").write_text(drawing, encoding="utf-8")
    (DOCS / "performance.md").write_text(text(found), encoding="utf-8")


def text(found: Found) -> str:
    return "\n".join((_first(found), _second(found)))


def _first(found: Found) -> str:
    """What was measured, and what others need."""
    machine = found["machine"]
    return f"""# Performance

Made by `./dev bench report` on {found["date"]}, in {found["seconds"]} seconds; no figure on this page is typed by hand. Three server
processes on one machine share its {machine["cores"]} cores ({machine["processor"]}, {machine["gigabytes"]} GiB, {machine["system"]}, Python
{machine["python"]}) and talk over loopback. Inputs are shared before and outputs are not opened. Medians of {_repeats(found)}; a run lasts
as long as its slowest server.

## Our times

Bytes are what a server sends on average; they and the rounds (over one block of rows) are exact and checked against
`bench/golden/mpc.json`. Peak memory is a server's whole process over TLS, inputs included; it does not fall from line to line where the
allocator keeps what it has.

{_times(found)}

`swap` sends what a product sends and computes nothing: it is the link's own price. {_slow(found)}

## Beside other engines

{peers.VERSIONS}. Measured by us on 2026-11-22 on one virtual machine of 2 cores and 24 GiB (x86-64 with AVX-512 and VAES): three processes
on loopback, one worker thread each, medians, without compilation, start, input and output. Only MP-SPDZ can encrypt its links; ours above
and below are encrypted unless it says plain. Compare ratios, and only where this page was made on a machine of that kind.

![Seconds of Accord and of four engines on the same work](pictures/performance-peers.svg)

{_peers(found)}

## Groups and joins

On secret keys, over TLS (`./dev bench relational`): `group_by_sum` counts and sums a 64-bit column over groups of about ten rows of a
32-bit key, `group_median` takes the median of a 32-bit column over such groups; `join_pk_fk` brings two 64-bit columns of a table of
different 64-bit keys to another table of as many rows, half of which match; `join_many` pairs the rows of two tables whose keys repeat
on both sides, in room for two pairs a row. Rows are those of each table. Bytes and rounds are checked against
`bench/golden/relational.json`.

{_relational(found)}
"""


def _second(found: Found) -> str:
    """What bounds it, how it grows, how well it is foretold, and long links."""
    return f"""## The floor

What no implementation of these protocols could undercut on this machine: coins at {_rate(found["speeds"]["aes"])} of AES a core, arguments
and messages through memory at {_rate(found["speeds"]["memory"])} a core, messages over an encrypted link at
{_rate(found["speeds"]["link"])} a server (from the time of `swap`, all of its cost to the processors). Three servers share the cores.
The bars are the floor's parts as a share of the measured time: a protocol at 100 % would spend nothing on arithmetic, on moving bits
about, or on Python.

![Floor of each primitive as a share of its time](pictures/performance-floors.svg)

{_floors(found)}

## Growth

Over TLS. The line is a + b · rows, fitted so that small sizes count as much as large ones; the slopes are those between neighbouring
sizes. They mean to be within a quarter of b where rows stream, and within a factor of 3 where they are gathered from all over a column.

![Seconds over rows](pictures/performance-growth.svg)

{_growth(found)}

## Foretold and measured

`accord explain STUDY --seconds` foretells a study's time, and `accord run` says it beside the time that it took. Messages are exact, and
so are rates of work from a calibration of ten seconds; both are played on one clock (`src/accord/plan/clock.py`). It means to be within
a factor of 1.5. Here with a calibration from just before the measurements above; {_within(found)}.

{_foretold(found)}

## Long links

Servers 20 ms apart on lines of 100 Mbit/s to both others together, in a simulated network whose clock adds what each server computes as if
it had a machine of its own (`./dev bench wan`). The profile `wan` takes the adder of fewest rounds, keeps all blocks in flight, so that a
million rows wait as often as one, and sorts what fits one block by wider digits; what a line carries, it cannot change. Foretold with a
calibration of one server; the rounds count how often one message waits for another.

{_far(found)}
"""


# ---- tables


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> str:
    marks = ["---" if at < text_columns else "---:" for at in range(len(heads))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, marks, *rows))


def _results(found: Found) -> list[Found]:
    """All that was measured, ten million rows last."""
    return [*found["results"], *found["slow"]["results"]]


def _own(found: Found, link: str = "tls") -> dict[str, Found]:
    """Each case at its own rows."""
    return {one["name"]: one for one in _results(found) if one["link"] == link and one["rows"] == named(one["name"]).rows}


def _at(found: Found, name: str, rows: int, link: str = "tls") -> float | None:
    return next((one["seconds"] for one in _results(found) if (one["name"], one["rows"], one["link"]) == (name, rows, link)), None)


def _repeats(found: Found) -> str:
    from bench.report import LONG, REPEATS

    longer = " and ".join(f"{count} for {name}" for name, count in LONG.items())
    return f"{REPEATS} runs (at a million rows {longer})"


def _slow(found: Found) -> str:
    """What a sort of ten million rows needs, where it was measured."""
    slow = found["slow"]
    one = next((one for one in slow["results"] if one["name"] == "sort32x4"), None)
    if one is None:
        return "Ten million rows are measured by `./dev bench report --slow`."
    size, gigabytes = f"{one['rows']:,} rows of a 32-bit key and three 64-bit columns", one["peak_bytes"] / 1e9
    return f"`sort32x4` sorts {size}, once, with at most {gigabytes:.1f} GB a server ({slow['date']}; 6 GB are allowed)."


def _times(found: Found) -> str:
    plain = _own(found, "plain")
    rows = [
        (
            f"`{name}`",
            f"{one['rows']:,}",
            seconds(one["seconds"]),
            f"{seconds(one['seconds_min'])} – {seconds(one['seconds_max'])}",
            seconds(plain[name]["seconds"]) if name in plain else "",
            f"{one['bytes_per_server'] / 1e6:,.2f}",
            str(one["rounds"]),
            f"{one['peak_bytes'] / 2**20:,.0f}",
        )
        for name, one in _own(found).items()
    ]
    return _table(("primitive", "rows", "TLS", "least – most", "plain", "MB a server", "rounds", "peak MiB"), rows)


def _peers(found: Found) -> str:
    rows = []
    for (name, count), theirs in _by_case().items():
        mine = _at(found, name, count)
        if mine is None:
            continue
        best = min(theirs, key=lambda one: one.seconds)
        others = "; ".join(f"{one.engine} {seconds(one.seconds)} ({one.note})" for one in sorted(theirs, key=lambda one: one.seconds))
        rows.append((f"`{name}`", others, f"{count:,}", seconds(mine), f"{best.seconds / mine:.1f} ×"))
    return _table(("primitive", "others", "rows", "Accord, TLS", "best other / Accord"), rows, 2)


def _relational(found: Found) -> str:
    rows, others = [], _by_case(peers.RELATIONAL)
    for one in found.get("relational", []):
        theirs = sorted(others.get((one["name"], one["rows"]), []), key=lambda peer: peer.seconds)
        said = "; ".join(f"{peer.engine} {seconds(peer.seconds)} ({peer.note})" for peer in theirs)
        ratio = f"{theirs[0].seconds / one['seconds']:.1f} ×" if theirs else ""
        sent, name = f"{one['bytes_per_server'] / one['rows']:,.0f}", one["name"].removesuffix("_big")
        rows.append((f"`{name}`", said, f"{one['rows']:,}", seconds(one["seconds"]), sent, str(one["rounds"]), ratio))
    return _table(("operator", "others", "rows", "Accord", "bytes a row and server", "rounds", "best other / Accord"), rows, 2)


def _by_case(every: Sequence[peers.Peer] = peers.PEERS) -> dict[tuple[str, int], list[peers.Peer]]:
    grouped: dict[tuple[str, int], list[peers.Peer]] = {}
    for one in every:
        grouped.setdefault((one.case, one.rows), []).append(one)
    return grouped


def _floors(found: Found) -> str:
    rows = [
        (
            f"`{name}`",
            *(seconds(one[part]) for part in ("aes", "memory", "link")),
            seconds(_own(found)[name]["seconds"]),
            f"{100 * sum(one.values()) / _own(found)[name]['seconds']:.0f} %",
        )
        for name, one in found["floors"].items()
    ]
    return _table(("primitive", "AES", "memory", "link", "measured", "floor / measured"), rows)


def _growth(found: Found) -> str:
    rows = []
    for line in _lines(found):
        one = fit([(round(x), y) for x, y in line.points])
        slopes, gathers = f"{one.least * 1e9:,.0f} – {one.most * 1e9:,.0f}", line.name in GATHERING
        meant, sizes = "3 ×" if gathers else "25 %", f"{line.points[0][0]:,.0f} – {line.points[-1][0]:,.0f}"
        verdict = f"{'within' if one.holds(gathers) else 'NOT within'} {meant}"
        rows.append((f"`{line.name}`", sizes, f"{one.start * 1e3:.2f} ms", f"{one.slope * 1e9:,.0f} ns", f"{slopes} ns", verdict))
    return _table(("primitive", "rows", "a", "b", "slopes", "b"), rows)


def _told(found: Found) -> list[Found]:
    return [*found["foretold"], *found["slow"]["foretold"]]


def _within(found: Found) -> str:
    """How many are as near as is meant."""
    ratios = [one["seconds"] / one["foretold"] for one in _told(found)]
    near = sum(1 / FACTOR <= ratio <= FACTOR for ratio in ratios)
    return f"{near} of {len(ratios)} are; the ratios lie between {min(ratios):.2f} and {max(ratios):.2f}"


def _foretold(found: Found) -> str:
    rows = [
        (
            f"`{one['name']}`",
            f"{one['rows']:,}",
            seconds(one["foretold"]),
            seconds(one["seconds"]),
            f"{one['seconds'] / one['foretold']:.2f}",
        )
        for one in _told(found)
    ]
    return _table(("primitive", "rows", "foretold", "measured", "measured / foretold"), rows)


def _far(found: Found) -> str:
    rows = [
        (
            f"`{one['name']}`",
            one["profile"],
            f"{one['rows']:,}",
            seconds(one["foretold"]),
            seconds(one["seconds"]),
            f"{one['seconds'] / one['foretold']:.2f}",
            f"{one['bytes_per_server'] / 1e6:,.1f}",
            str(one["rounds"]),
        )
        for one in found["wan"]
    ]
    heads = ("primitive", "profile", "rows", "foretold", "measured", "measured / foretold", "MB a server", "rounds")
    return _table(heads, rows, 2)


def _rate(bytes_per_second: float) -> str:
    return f"{bytes_per_second / 1e9:.1f} GB/s"


# ---- plots


def peers_plot(found: Found) -> str:
    rows = []
    for (name, count), theirs in _by_case().items():
        mine, plain = _at(found, name, count), _at(found, name, count, "plain")
        marks = [Mark(one.seconds, ENGINES[one.engine], one.engine, one.note == "TLS") for one in theirs]
        marks += [Mark(value, ENGINES["Accord"], "Accord", filled) for value, filled in ((plain, False), (mine, True)) if value]
        rows.append((f"{name} {count:,}", marks))
    legend = [(name, colour, True) for name, colour in ENGINES.items()]
    return svg.strips("Seconds for the same work", rows, [*legend, ("filled: TLS; hollow: plain", "#222", False)])


def floors_plot(found: Found) -> str:
    own = _own(found)
    rows = [(name, (one["aes"], one["memory"], one["link"]), own[name]["seconds"]) for name, one in found["floors"].items()]
    return svg.stacks("The floor as a share of the time", rows, ("coins (AES)", "memory", "link (TLS)"))


def growth_plot(found: Found) -> str:
    return svg.growth("Seconds over rows, TLS", _lines(found))


def _lines(found: Found) -> list[Line]:
    """The cases measured at several sizes over TLS."""
    points: dict[str, list[tuple[float, float]]] = {}
    for one in _results(found):
        if one["link"] == "tls":
            points.setdefault(one["name"], []).append((one["rows"], one["seconds"]))
    return [Line(name, sorted(at)) for name, at in points.items() if len(at) > 1]
