"""The same study over the same data gives the stored release; one marked `once` answers each cell once for one version of the data."""

import pytest

from accord.base.errors import Refused
from accord.node.compiled import compile_study
from accord.node.folder import open_folder
from accord.node.history import answers, require_unanswered, withdraw
from accord.node.session import open_study
from accord.study import document
from tests.node.conftest import TEXT, require_nothing_released, sign_all, write_data, write_study

TOLERANCE = ("2500 *", "2600 *")
NAME = ('name = "high"', 'name = "higher"')
ALIAS = ("SELECT sector, SUM(wage) > 2500 * COUNT(wage) AS high", "SELECT sector AS branch, SUM(wage) > 2500 * COUNT(wage) AS high")
NO_CELLS = (
    "SELECT sector, SUM(wage) > 2500 * COUNT(wage) AS high FROM wages GROUP BY sector ORDER BY sector",
    "SELECT SUM(wage) > 2500 * COUNT(wage) AS high FROM wages",
)
ONCE = ("once = true\n", "")
V1, V2 = {"wages": "1" * 64}, {"wages": "2" * 64}
ASKED = """
[publics.asked]
columns = [{ name = "sector", kind = "category", values = ["care", "mining", "retail"] }]
rows = [["%s"]]

[[releases]]
name = "high"
"""
PART = """sql = "SELECT a.sector, t.high FROM asked AS a LEFT JOIN (SELECT sector, SUM(wage) > 2500 * COUNT(wage) AS high
FROM wages GROUP BY sector) AS t ON t.sector = a.sector ORDER BY a.sector"
""".replace("\n", " ", 1)


def compiled(tmp_path, *changes):
    write_study(tmp_path, *changes)
    return compile_study(document.read(tmp_path))


def about(sector):
    """The study's question on one sector alone."""
    whole = next(line for line in TEXT.splitlines(keepends=True) if "2500" in line)
    return ('\n[[releases]]\nname = "high"\n', ASKED % sector), (whole, PART)


@pytest.fixture
def owner(tmp_path):
    """An owner that was asked the study's question in run-1, of version 1 of its data."""
    (tmp_path / "north").mkdir()
    party = open_folder(study_in(tmp_path)).party("north")
    require_unanswered(party, compiled(tmp_path), V1, "run-1")
    return party


def study_in(folder):
    write_study(folder)
    return folder


@pytest.mark.parametrize("changes", [(), (TOLERANCE,), (NAME,), (ALIAS,), (NO_CELLS,), about("care")])
def test_what_was_answered_is_not_answered_again(owner, tmp_path, changes):
    """Not with another tolerance, under another name, of the whole instead of its parts, or of one part."""
    with pytest.raises(Refused) as told:
        require_unanswered(owner, compiled(tmp_path, *changes), V1, "run-2")
    name = "higher" if NAME in changes else "high"
    assert str(told.value) == (
        f"the ledger of north: cells of release {name} were answered in run run-1 (rule: each cell is answered once per data version); "
        "open that run's result; a new version of the data may be asked again"
    )
    assert len(owner.ledger().entries) == 1


def test_a_new_version_of_the_data_may_be_asked(owner, tmp_path):
    require_unanswered(owner, compiled(tmp_path, TOLERANCE), V2, "run-2")
    for versions in (V1, V2):
        with pytest.raises(Refused, match="answered in run"):
            require_unanswered(owner, compiled(tmp_path), versions, "run-3")


def test_a_run_that_released_nothing_does_not_count(owner, tmp_path):
    withdraw(owner, "run-1")
    require_unanswered(owner, compiled(tmp_path, TOLERANCE), V1, "run-2")
    with pytest.raises(Refused, match="were answered in run run-2"):
        require_unanswered(owner, compiled(tmp_path), V1, "run-3")


def test_only_that_run_is_withdrawn(owner, tmp_path):
    withdraw(owner, "run-0")
    assert [one.event for one in owner.ledger().entries] == ["answered"]
    with pytest.raises(Refused, match="were answered in run run-1"):
        require_unanswered(owner, compiled(tmp_path), V1, "run-2")


def test_a_run_is_withdrawn_once(owner):
    withdraw(owner, "run-1")
    withdraw(owner, "run-1")
    assert [one.event for one in owner.ledger().entries] == ["answered", "withdrawn"]


def test_other_cells_may_be_asked(tmp_path):
    party = open_folder(study_in(tmp_path)).party("north")
    require_unanswered(party, compiled(tmp_path, *about("care")), V1, "run-1")
    require_unanswered(party, compiled(tmp_path, *about("mining")), V1, "run-2")
    for changes in (about("care"), about("mining"), ()):
        with pytest.raises(Refused, match="were answered in run"):
            require_unanswered(party, compiled(tmp_path, *changes), V1, "run-3")


def test_a_release_that_is_not_marked_is_not_remembered(tmp_path):
    party = open_folder(study_in(tmp_path)).party("north")
    for run in ("run-1", "run-2"):
        require_unanswered(party, compiled(tmp_path, ONCE), V1, run)
    assert party.ledger().entries == []


def test_an_owner_without_the_tables_of_a_release_remembers_nothing(tmp_path):
    party = open_folder(study_in(tmp_path)).party("north")
    require_unanswered(party, compiled(tmp_path), {}, "run-1")
    assert party.ledger().entries == []


def test_the_ledger_holds_cells_and_versions(owner, tmp_path):
    (sheet,) = answers(compiled(tmp_path), V1)
    assert sheet["cells"] == {"sector": ["care", "mining", "retail"]}
    assert sheet["versions"] == ["1" * 64]
    (entry,) = owner.ledger().entries
    assert entry.facts == {**sheet, "run": "run-1"}


def test_whole_runs_on_the_same_data_are_answered_once(study, in_threads):
    """A study with another tolerance is refused, naming the first run; then south brings new data, then north."""
    first = open_study(study).run("local:")
    write_study(study, TOLERANCE)
    with pytest.raises(Refused, match=f"the ledger of north: cells of release high were answered in run {first.run_id} "):
        sign_all(study).run("local:")
    old = {name: (study / f"{name}.csv").read_text() for name in ("north", "south")}
    write_data(study, seed=8)
    assert old["north"] != (study / "north.csv").read_text()
    (study / "south.csv").write_text(old["south"])
    with pytest.raises(Refused, match=f"the ledger of south: cells of release high were answered in run {first.run_id} "):
        open_study(study).run("local:")
    assert open_folder(study).runs() == [first.run_id]
    write_data(study, seed=8)
    second = open_study(study).run("local:")
    assert open_folder(study).runs() == [first.run_id, second.run_id]
    events = [one.event for one in open_folder(study).party("north").ledger().entries]
    began = ["answered", "shared"]
    assert events == ["approved", *began, "committed", "ran", "approved", *began, "withdrawn", *began, "committed", "ran"]


# ---- the same again


def test_the_same_again_is_the_stored_release(study, in_threads, accord):
    """Exit code 0, the first run's name, and not a line more in any ledger."""
    first = open_study(study).run("local:")
    assert not first.is_stored
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    said = accord("run", study, "--runtime", "local:")
    assert said.code == 0
    assert said.out.splitlines()[0] == (
        f"run {first.run_id} holds the answer: the same study was run over the same data; nothing was computed or spent now"
    )
    second = open_study(study).run("local:")
    assert second.is_stored and (second.run_id, second.folder) == (first.run_id, first.folder)
    assert open_study(study).tables("south", second)["high"].rows() == open_study(study).open("south", first.run_id)["high"].rows()
    assert {path: path.read_bytes() for path in study.rglob("*") if path.is_file()} == before


def test_noise_is_drawn_once(study, in_threads):
    """The second run has the first one's noise, and spends nothing."""
    noise = 'noise = { mechanism = "discrete_laplace", epsilon = "1", unit = { table = "wages" } }'
    write_study(
        study,
        ('reason = "a yes or no for a whole sector"', noise),
        ("SUM(wage) > 2500 * COUNT(wage) AS high", "COUNT(*) AS high"),
        ("once = true\n", ""),
    )
    first = sign_all(study).run("local:")
    spent = [len(open_folder(study).party(name).ledger().find("spent")) for name in ("north", "south")]
    second = open_study(study).run("local:")
    assert second.is_stored and spent == [1, 1]
    tables = [open_study(study).tables("south", one)["high"].rows() for one in (first, second)]
    assert tables[0] == tables[1]
    assert [len(open_folder(study).party(name).ledger().find("spent")) for name in ("north", "south")] == spent


def test_a_stored_release_is_of_the_data_as_they_are(study, in_threads):
    """South's file changed back and forth: each version has its own run."""
    write_study(study, ONCE)
    first = sign_all(study).run("local:")
    old = (study / "south.csv").read_text()
    (study / "south.csv").write_text("\n".join(old.splitlines()[:-1]) + "\n")
    second = open_study(study).run("local:")
    assert not second.is_stored and second.run_id != first.run_id
    (study / "south.csv").write_text(old)
    assert open_study(study).run("local:").run_id == first.run_id


def test_a_run_that_an_owner_withdrew_is_not_stored(study, in_threads):
    write_study(study, ONCE)
    first = sign_all(study).run("local:")
    withdraw(open_folder(study).party("south"), first.run_id)
    assert not open_study(study).run("local:").is_stored


def test_a_failed_run_leaves_the_answer_open(study, in_threads, monkeypatch):
    """South's package for the helper is lost on its way; then it comes."""
    from accord.node import owner as owners

    write = owners.write_envelopes

    def lose(prepared, inbox):
        write(prepared, inbox)
        for path in inbox("helper").glob("south*"):
            path.unlink()

    with monkeypatch.context() as patch:
        patch.setattr(owners, "write_envelopes", lose)
        patch.setattr("accord.node.server.connect", lambda *_, **__: pytest.fail("nobody should get there"))
        patch.setattr("accord.node.runtimes.run_servers", only_the_helper)
        with pytest.raises(Refused, match=r"input south_wages_\w+ of south has not come; let the owner send it, then run again"):
            open_study(study).run("local:")
    require_nothing_released(study, runs=1)
    outcome = open_study(study).run("local:")
    assert open_study(study).open("south", outcome.run_id)["high"].rows()


def only_the_helper(jobs, progress, kept_open=()):
    from accord.node.server import serve

    return [serve(next(job for job in jobs if job.party == "helper"))]
