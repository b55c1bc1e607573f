"""`accord demo`: the four offices reconcile their trade, step by step, told to somebody who watches."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accord.gallery.trade import entry, transcripts
from accord.gallery.trade.chart import NOT_ERROR
from accord.gallery.trade.parameters import AGREE, CLASSES, DEFAULT, DISAGREE, OFFICE_NAMES
from accord.gallery.trade.result import Released, TableRow

if TYPE_CHECKING:
    from rich.console import Console

WATCHED = "ita"
"""The office whose own result is shown."""


def show(console: Console, folder: Path, progress: Any) -> int:
    """Prepare, preview, sign, run, open, verify; returns 0 where everything is as the oracle has it."""
    _say(console, "Four statistical offices reconcile their trade", _WHAT)
    session, files = entry.prepare(None, folder)
    console.print(f"Data: {files.description}", markup=False)
    servers = ", ".join(f"{OFFICE_NAMES[name]} ({name})" for name in session.study.servers)
    _say(console, "Who computes", f"Three computing servers, run by {servers}. Any one of them alone learns nothing; two together could.")
    _say(console, "What each office is shown before it signs", "")
    _preview(console, session.explanation.text)
    for party in session.study.approvers:
        session.sign(party)
    console.print(f"Signed by {', '.join(session.study.approvers)}: study, plan, and the explanation above, by hash.")
    with progress:
        outcome = session.run("local:", progress)
    report = entry.finish(session, files, outcome)
    _results(console, report.released[WATCHED])
    _where(console, report)
    _transcripts(console, folder)
    return 0 if report.matches_oracle else 1


_WHAT = (
    "Each knows what it exported to and imported from the others. What one sold the other bought: the two figures should mirror each "
    "other, and often do not. They want to know where, and may not show each other the figures."
)


def _say(console: Console, title: str, text: str) -> None:
    console.print(f"\n[bold]{title}[/bold]")
    if text:
        console.print(text, markup=False)


def _preview(console: Console, explanation: str) -> None:
    """The part on who learns what; the whole is signed."""
    told = explanation.split("\n\n")[1].splitlines()
    for line in told[1:]:
        console.print(line, markup=False)
    console.print(f"  (and {len(explanation.splitlines()) - len(told)} more lines: every step, its SQL, its rows, rounds and bytes)")


def _results(console: Console, released: Released) -> None:
    office = OFFICE_NAMES[released.office]
    _say(console, f"What {office} got: totals of all goods first", "")
    for name, count in _tally(released.totals.values()):
        console.print(f"  {name:<16}{count:>7,}", markup=False)
    _say(console, "For all four: by ordered pair (mirrored cells, share that disagrees, band of the asymmetry)", "")
    for (exporter, importer), row in released.pairs.items():
        console.print(f"  {exporter} → {importer:<22}{_row(row)}", markup=False)
    _say(console, "For all four: by commodity group", "")
    for group, row in released.groups.items():
        console.print(f"  {group:<28}{_row(row)}", markup=False)
    _say(console, f"The detail, for {office} alone: its own cells at six digits", "")
    for name, count in _tally(released.cells.values()):
        console.print(f"  {name:<16}{count:>7,}", markup=False)
    console.print(f"\n{NOT_ERROR}", markup=False)


def _tally(classes: Any) -> list[tuple[str, int]]:
    counts = Counter(classes)
    order = (AGREE, DISAGREE, *(one for one in range(len(CLASSES)) if one not in (AGREE, DISAGREE)))
    return [(CLASSES[one], counts[one]) for one in order]


def _row(row: TableRow | None) -> str:
    if row is None:
        return "suppressed (too few commodities, none or all disagree, or company for a single suppressed row)"
    return f"{row.mirrored:>5} cells  {row.share_permille / 10:>5.1f} %   {DEFAULT.bands[row.band]}"


def _where(console: Console, report: entry.Report) -> None:
    outcome = report.outcome
    verdict = "exactly the plaintext oracle's" if report.matches_oracle else "NOT THE ORACLE'S: this is a bug, please report it"
    cost = f"{outcome.seconds:.1f} s, {outcome.rounds} rounds, {outcome.bytes_per_server / 1e6:.1f} MB sent by each server"
    _say(console, "The run", "")
    console.print(f"{report.cells:,} cells in {cost}; results are {verdict}.", markup=False)
    console.print(f"Picture:  {report.charts[WATCHED]}  (opens in a browser)", markup=False)
    console.print(f"Receipt:  {outcome.receipt}  (check it: accord verify {outcome.receipt})", markup=False)


def _transcripts(console: Console, folder: Path) -> None:
    flat = f"a world where every report says {transcripts.FLAT_USD:,} dollars"
    who = f"server {transcripts.SERVER}"
    _say(console, "What a server saw", f"What {who} heard in a run on these figures (fewer years), and in {flat} (first bytes):")
    found = transcripts.compare(folder / "transcripts")
    console.print("   bytes  these figures                         the flat world", markup=False)
    for line in found.side_by_side():
        console.print(f"{line}", markup=False)
    shape = "the same in both runs, message by message" if found.same_shape else "DIFFERENT: this is a bug, please report it"
    size = f"{len(found.first):,} messages, {found.bytes_heard / 1e6:.1f} MB"
    console.print(f"\nSenders, steps, sizes and order: {shape} ({size}).", markup=False)
    test = f"{found.statistic:.0f} at {found.freedom} degrees of freedom, p = {found.p_value:.2f}"
    console.print(
        f"Byte values, chi-squared test of one distribution behind both: {test}; only a p near 0 would tell them apart.", markup=False
    )
