"""The tutorial tells the truth: its files are written, its commands run as they stand, what it shows is what is printed.

Three server processes over TLS compute; the opened figures are compared with plain Python on the pooled files.
"""

import csv
import re
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

from tests.cli.page import FILES, pattern, plain, steps

WORDS = ("new", "keys", "explain", "sign", "run", "open")


def test_six_commands_lead_to_the_result():
    words = [step.command.split()[1] for step in steps()]
    assert tuple(words[: len(WORDS)]) == WORDS
    assert set(FILES) == {"north.csv", "south.csv"}


def test_every_command_prints_what_the_page_shows(told):
    for step, done in told:
        assert done.returncode == 0, f"{step.command}: {done.stderr}"
        assert re.fullmatch(pattern(step.shown), plain(done.stderr + done.stdout), re.DOTALL), (
            f"{step.command} printed\n{done.stderr}{done.stdout}\nbut the page shows\n{step.shown}"
        )


def expected():
    """Count and exact mean by sector, where ten or more are counted."""
    wages = defaultdict(list)
    for text in FILES.values():
        for row in csv.DictReader(text.splitlines()):
            wages[row["sector"]].append(Decimal(row["wage"]))
    step = Decimal(1).scaleb(-6)
    return {
        sector: (len(some), (sum(some) / len(some)).quantize(step, ROUND_HALF_UP)) for sector, some in wages.items() if len(some) >= 10
    }, {sector for sector, some in wages.items() if len(some) < 10}


def test_the_opened_figures_are_those_of_the_pooled_files(told, tutorial):
    right, suppressed = expected()
    assert right and suppressed, "the page shows both a released and a suppressed row"
    rows = list(csv.DictReader((tutorial / "wages.csv").read_text().splitlines()))
    assert {row["sector"] for row in rows} == {*right, *suppressed}
    for row in rows:
        if row["sector"] in right:
            assert (int(row["n"]), Decimal(row["mean_wage"])) == right[row["sector"]]
        else:
            assert not row["n"].isdigit() and row["n"] == row["mean_wage"]


def test_no_server_kept_a_value(told, tutorial):
    """Nothing under the runs holds a cell of the files, in text."""
    cells = {row["wage"] for text in FILES.values() for row in csv.DictReader(text.splitlines())}
    kept = b"".join(path.read_bytes() for path in (tutorial / "wages" / "runs").rglob("*") if path.is_file())
    assert kept and not [cell for cell in cells if cell.encode() in kept]
