"""Running a study and reading what came out: results, with the recipient's key, and receipts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from accord.base.errors import Refused
from accord.cli import output
from accord.cli.places import locate
from accord.cli.screen import Phases, amount, clock, console, grid, show_text
from accord.node.runtimes import Outcome
from accord.node.session import open_study
from accord.release.seal import ReleasedTable
from accord.study import document
from accord.study.receipt import PROVES
from accord.study.report import is_report

REHEARSALS = {
    "clear:": "computed in the clear on this machine, to check the question: nothing was encrypted, signed or released",
    "sim:": "computed on shares in one process on this machine, to rehearse: nothing was signed, sealed or sent",
}


def run(place: Path, runtime: str, report: Path | None = None) -> None:
    """Run, with the phases on stderr; then the cost, and where everything lies. `report` keeps the outcome, or the refusal, as JSON."""
    session = open_study(locate(place).study)
    with output.reported(report, session) as told, Phases() as progress:
        outcome = session.run(runtime, progress)
        told |= {"run": outcome.run_id, "runtime": runtime, "receipt": str(outcome.receipt) if outcome.receipt else ""}
    if outcome.is_stored:
        print(f"run {outcome.run_id} holds the answer: the same study was run over the same data; nothing was computed or spent now")
    else:
        print(f"run {outcome.run_id}: done in {outcome.seconds:.1f} s")
        show_costs(outcome)
    if outcome.tables is not None:
        _rehearsed(runtime, outcome.tables)
        return
    print(f"results: {outcome.folder}")
    for recipient in outcome.recipients:
        print(f"  {recipient} opens its own with: accord open {place} --as {recipient}")
    if outcome.receipt:
        print(f"receipt: {outcome.receipt}")
        print(f"  anybody checks it with: accord verify {outcome.receipt}")
    if outcome.stops:
        do = "ask for groups that earlier releases had, or for ones that differ by more; the owners have counted this stop"
        raise Refused("; ".join(outcome.stops), where=f"run {outcome.run_id}", do=do)


def show_costs(outcome: Outcome) -> None:
    """What the servers took beside what was foretold; nothing for a run in the clear."""
    told = outcome.foretold
    if told is None:
        return
    seconds = "not calibrated" if told.seconds is None else clock(told.seconds)
    rows = [
        ("rounds", str(told.rounds), str(outcome.rounds)),
        ("sent by each server", amount(told.bytes_per_server), amount(outcome.bytes_per_server)),
        ("computing", seconds, clock(outcome.computing_seconds)),
    ]
    console().print(grid(("cost", "foretold", "measured"), rows, right=("foretold", "measured")))


def _rehearsed(runtime: str, tables: Mapping[str, Mapping[str, ReleasedTable]]) -> None:
    print(REHEARSALS[runtime])
    for recipient, released in tables.items():
        print(f"\n{recipient} would get")
        show(released)


def open_result(place: Path, recipient: str, csv: Path | None, *, release: str = "", sums: bool = False) -> None:
    """Print a recipient's tables, or one `release` alone, or write them as CSV; `sums`: print the sums with noise that they come from."""
    study, run_id = locate(place)
    session = open_study(study)
    if recipient not in session.study.recipients:
        raise Refused(f"{recipient} receives nothing in this study", do=f"its recipients are {', '.join(session.study.recipients)}")
    tables = session.open(recipient, run_id, only=release)
    if csv is None:
        show({name: table.basis or table if sums else table for name, table in tables.items()})
        return
    files = _files(csv, tables)
    for name, path in files.items():
        tables[name].to_csv(path)
        print(f"written: {path}")
    output.write(session, run_id or session.newest, recipient, tables, files, csv)


def show(tables: Mapping[str, ReleasedTable]) -> None:
    screen = console()
    for name, table in tables.items():
        screen.print(name, style="bold", markup=False)
        table.print(screen)


def verify(receipt: Path, study: Path | None) -> None:
    """Check a receipt against the study and its consortium, and say what it proves; or the report on an output, with its approvals."""
    if receipt.is_file() and is_report(receipt):
        output.verify(receipt, study)
        return
    place = locate(study or receipt)
    session = open_study(place.study)
    is_file = receipt.is_file() and receipt.name != document.FILE
    checked = session.verify_file(receipt) if is_file else session.verify(place.run)
    signers, servers = (one.party for one in checked.approvals), (one.server for one in checked.statements)
    print(f"run {checked.run}: the receipt holds")
    print(f"signed by {', '.join(sorted(signers))}: study, consortium, plan and explanation")
    print(f"computed by {', '.join(servers)}: they state the same inputs and checks")
    if checked.owners:
        print(f"data of {', '.join(sorted(one.server for one in checked.owners))}: each owner states what it shared")
    show_text(f"it proves {PROVES}")


def _files(csv: Path, tables: Mapping[str, ReleasedTable]) -> dict[str, Path]:
    """One file for one release; with more, the release's name joins the file's."""
    if len(tables) == 1:
        return {next(iter(tables)): csv}
    return {name: csv.with_name(f"{csv.stem}-{name}{csv.suffix or '.csv'}") for name in tables}
