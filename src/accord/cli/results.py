"""Running a study and reading what came out: results, with the recipient's key, and receipts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from accord.cli.places import locate, require_runtime
from accord.cli.screen import Phases, amount, console
from accord.node.session import Outcome, open_study
from accord.release.seal import ReleasedTable

IN_THE_CLEAR = "computed in the clear on this machine, to check the question: nothing was encrypted, signed or released"


def run(place: Path, runtime: str) -> None:
    """Run, with the phases on stderr; then the cost, and where everything lies."""
    require_runtime(runtime)
    session = open_study(locate(place).study)
    with Phases() as progress:
        outcome = session.run(runtime, progress)
    print(f"run {outcome.run_id}: done in {outcome.seconds:.1f} s")
    if runtime == "clear:":
        for recipient, tables in outcome.tables.items():
            print(f"\nfor {recipient}, {IN_THE_CLEAR}")
            show(tables)
        return
    print(f"cost: {outcome.rounds} rounds, {cost(outcome)}")
    print(f"results: {outcome.folder}")
    for recipient in outcome.recipients:
        print(f"  {recipient} opens its own with: accord open {place} --as {recipient}")
    if outcome.receipt:
        print(f"receipt: {outcome.receipt}")
        print(f"  anybody checks it with: accord verify {outcome.receipt}")


def cost(outcome: Outcome) -> str:
    """What each server sent."""
    return f"{amount(outcome.bytes_per_server)} sent by each server"


def open_result(place: Path, recipient: str, csv: Path | None) -> None:
    """Print a recipient's tables, or write them as CSV."""
    study, run_id = locate(place)
    tables = open_study(study).open(recipient, run_id)
    if csv is None:
        show(tables)
        return
    for path, table in _files(csv, tables).items():
        table.to_csv(path)
        print(f"written: {path}")


def show(tables: Mapping[str, ReleasedTable]) -> None:
    screen = console()
    for name, table in tables.items():
        screen.print(f"\n{name}", style="bold", markup=False)
        table.print(screen)


def verify(receipt: Path, study: Path | None) -> None:
    """Check a receipt against the study's consortium, and say what that proves."""
    place = locate(study) if study else locate(receipt)
    session = open_study(place.study)
    checked = session.verify(place.run)
    print(f"run {checked.run}: the receipt holds")


def _files(csv: Path, tables: Mapping[str, ReleasedTable]) -> dict[Path, ReleasedTable]:
    """One file for one release; with more, the release's name joins the file's."""
    if len(tables) == 1:
        return {csv: next(iter(tables.values()))}
    return {csv.with_name(f"{csv.stem}-{name}{csv.suffix or '.csv'}"): table for name, table in tables.items()}
