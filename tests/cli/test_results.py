"""Running, opening and verifying: the good way, and each way in which it is refused."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from accord.study import keys

RELEASED = [["care", "13", "2644.094615"], ["mining", "suppressed", "suppressed"], ["retail", "13", "2346.409231"]]


@pytest.fixture
def done(accord, told, tutorial, tmp_path):
    """The tutorial's study after its run, to do with as one likes."""
    for name in ("north.csv", "south.csv"):
        shutil.copy(tutorial / name, tmp_path)
    return shutil.copytree(tutorial / "wages", tmp_path / "wages")


@pytest.fixture
def signed(accord, wages):
    """A study of two owners, signed by all."""
    assert accord("keys", "wages").code == 0
    assert accord("sign", "wages", "--all-local", "--yes").code == 0
    return wages


def only_run(folder):
    (run,) = (folder / "runs").iterdir()
    return run


def test_a_recipient_reads_its_table(accord, done):
    said = accord("open", "wages", "--as", "north")
    assert (said.code, said.err) == (0, "")
    rows = [line.split() for line in said.out.splitlines()]
    assert [row for row in rows if row[:1] and row[0] in ("care", "mining", "retail")] == RELEASED


@pytest.mark.parametrize("inside", ["", "receipt.json", "sealed"])
def test_a_run_can_be_named(accord, done, inside):
    assert accord("open", only_run(done) / inside, "--as", "south") == accord("open", "wages", "--as", "south")


def test_a_result_can_be_kept_as_csv(accord, done, tmp_path):
    said = accord("open", "wages", "--as", "south", "--csv", "out.csv")
    assert (said.code, said.err) == (0, "")
    assert [line.partition(",")[0] for line in said.out.splitlines()] == [
        "written: out.csv",
        "written: out.report.json",
        "written: out.report.html",
    ]
    rows = list(csv.reader((tmp_path / "out.csv").read_text().splitlines()))
    assert rows[0] == ["sector", "n", "mean_wage"]
    assert [rows[1], rows[3]] == [RELEASED[0], RELEASED[2]]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("wages", "--as", "helper"), "accord: helper receives nothing in this study; its recipients are north, south"),
        (("wages", "--as", "nort"), "accord: nort receives nothing in this study; its recipients are north, south"),
        (
            ("wages/approvals", "--as", "north"),
            "accord: wages/approvals: this is neither a study nor one of its runs; name the study's folder, or one under its runs",
        ),
    ],
)
def test_what_nobody_gets_is_refused(accord, done, arguments, line):
    said = accord("open", *arguments)
    assert (said.code, said.out, said.line) == (3, "", line)


def test_another_key_opens_nothing(accord, done):
    own = done / "parties" / "north"
    (own / keys.PRIVATE_FILE).unlink()
    keys.save(keys.generate("north"), own)
    said = accord("open", "wages", "--as", "north", "--csv", "out.csv")
    assert (said.code, said.out) == (3, "")
    assert "key" in said.line
    assert not (done.parent / "out.csv").exists()


def test_before_a_run_there_is_nothing_to_open_or_verify(accord, signed):
    line = "accord: wages: this study has released nothing yet; run it with: accord run"
    assert accord("open", "wages", "--as", "north").line == line
    assert accord("verify", "wages").line == line


def test_a_receipt_holds_wherever_it_lies(accord, done, tmp_path):
    receipt = shutil.copy(only_run(done) / "receipt.json", tmp_path / "kept.json")
    by_study = accord("verify", "wages")
    assert (by_study.code, by_study.err) == (0, "")
    assert re.match(rf"run {only_run(done).name}: the receipt holds\nsigned by helper, north, south: ", by_study.out)
    assert "does not prove that the servers computed honestly" in by_study.out
    for arguments in ((only_run(done),), (only_run(done) / "receipt.json",), (receipt, "--study", "wages")):
        assert accord("verify", *arguments) == by_study


def change_run(document):
    document["run"] = "another"


def drop_approval(document):
    del document["approvals"][0]


def change_facts(document):
    document["statements"][0]["facts"]["checks"] = []


def drop_statement(document):
    del document["statements"][2]


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (change_run, r"accord: \w+ states another run than this receipt .*"),
        (drop_approval, r"accord: not signed by \w+ \(rule: every owner and every server signs\); .*"),
        (change_facts, r"accord: the statement of \w+ is not signed by it, or was altered"),
        (drop_statement, r"accord: the three servers' statements are not all here .*"),
    ],
)
def test_a_changed_receipt_is_refused(accord, done, damage, line):
    path = only_run(done) / "receipt.json"
    document = json.loads(path.read_text())
    damage(document)
    path.write_text(json.dumps(document))
    said = accord("verify", path)
    assert (said.code, said.out) == (3, "")
    assert re.fullmatch(line, said.line)


def test_what_is_no_receipt_is_refused(accord, done):
    (done / "note.json").write_text("{}")
    said = accord("verify", "wages/note.json", "--study", "wages")
    assert (said.code, said.line) == (3, "accord: wages/note.json: this file is no receipt, or is damaged; ask a server for its copy")


def test_an_unsigned_study_does_not_run(accord, wages):
    accord("keys", "wages")
    accord("sign", "wages", "--party", "north", "--yes")
    said = accord("run", "wages")
    assert (said.code, said.out) == (3, "")
    assert said.line == "accord: not signed by helper, south (rule: every owner and every server signs); sign with: accord sign"
    assert not (wages / "runs").exists()


def test_a_bad_cell_stops_the_run_before_anything_is_shared(accord, signed):
    path = signed.parent / "south.csv"
    path.write_text(path.read_text().replace("2411.05", "2411,05"))
    said = accord("run", "wages")
    assert said.code == 3
    assert "accord: south.csv" in said.err and "line 2" in said.err
    assert not list((signed / "runs").glob("*/sealed"))


def test_a_rehearsal_in_the_clear_needs_no_signature_and_says_what_it_is(accord, wages):
    said = accord("run", "wages", "--runtime", "clear:")
    assert said.code == 0, said.err
    assert "computed in the clear on this machine, to check the question: nothing was encrypted, signed or released" in said.out
    assert "\nnorth would get\n" in said.out and "\nsouth would get\n" in said.out
    assert not (wages / "consortium.toml").exists()


def test_a_rehearsal_in_one_process_says_what_it_costs(accord, wages):
    said = accord("run", "wages", "--runtime", "sim:")
    assert said.code == 0, said.err
    assert re.search(r"^rounds +(\d+) +\1 *$", said.out, re.MULTILINE)
    assert re.search(r"^sent by each server +([\d.]+ k?M?B) +\1 *$", said.out, re.MULTILINE)
    assert re.search(r"^computing +(not calibrated|[\d.]+ m?s) +[\d.]+ m?s *$", said.out, re.MULTILINE)
    assert "computed on shares in one process" in said.out


def test_seconds_are_foretold_where_this_machine_was_measured(accord, wages, monkeypatch, tmp_path):
    from accord.node import calibrate
    from accord.plan.clock import Machine, Rate

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert re.search(r"^computing +not calibrated ", accord("run", "wages", "--runtime", "sim:").out, re.MULTILINE)
    machine = Machine({"sign": Rate(0.05, 0.0)}, 0.0)
    monkeypatch.setattr(calibrate, "here", lambda: machine)
    monkeypatch.setattr(calibrate, "apart", lambda: machine)
    calibrate.calibration()
    said = accord("run", "wages", "--runtime", "sim:")
    found = re.search(r"^computing +([\d.]+) s +[\d.]+ m?s *$", said.out, re.MULTILINE)
    assert found and float(found[1]) > 3 * 0.05, "so long for every exchange of each of three servers"


def test_an_interrupted_run_ends_at_once_and_leaves_nothing(signed):
    command = [sys.executable, "-m", "accord", "run", "wages"]
    with subprocess.Popen(
        command, cwd=signed.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        said = []
        while "connect" not in "".join(said):
            said.append(run.stderr.readline())
            assert said[-1], f"the run ended before its servers met: {said}"
        os.killpg(run.pid, signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "accord: interrupted; nothing more was done"
    assert "Traceback" not in err
    assert not list((signed / "runs").iterdir())


def test_an_unknown_runtime_is_refused(accord, wages):
    said = accord("run", "wages", "--runtime", "fast:")
    assert (said.code, said.line) == (3, "accord: no runtime 'fast:' (rule: one of clear:, sim:, local:)")


# ---- the report, and who checked it


@pytest.fixture
def opened(accord, done, tmp_path):
    """What north received, in a file, with its report."""
    accord("open", "wages", "--as", "north", "--csv", "out.csv")
    return tmp_path / "out.report.json"


def checked(accord, *arguments, party="south", **answers):
    return accord("approve-output", "out.report.json", "--as", party, "--checker", "A. Example", "--study", "wages", *arguments, **answers)


def test_a_checker_reads_signs_and_is_named(accord, opened):
    held = accord("verify", "out.report.json", "--study", "wages")
    assert held.code == 0 and "out.csv: the table that was reported on\nnobody has checked it yet" in held.out
    said = checked(accord, answer="yes\n")
    assert (said.code, said.err) == (0, "")
    assert "The page to read first: out.report.html" in said.out and "No row tells of one person or firm" in said.out
    assert "Does A. Example sign this for south? Type yes to sign" in said.out
    assert said.out.endswith("approved by A. Example for south: out.report.approval.south.json\n")
    assert checked(accord, "--yes", "--decline", "mining is known", party="helper").code == 0
    found = accord("verify", "out.report.json", "--study", "wages").out.splitlines()
    assert [line.partition(" on 2")[0] for line in found[2:]] == ["declined by A. Example for helper", "approved by A. Example for south"]
    assert found[2].endswith(": mining is known")


@pytest.mark.parametrize("answer", ["", "no\n", "y\n"])
def test_no_is_no(accord, opened, answer):
    said = checked(accord, answer=answer)
    assert (said.code, said.line) == (3, "accord: not signed: the answer was not yes; nothing was written")
    assert not list(opened.parent.glob("*approval*"))


def test_a_report_that_changed_after_it_was_signed_is_refused(accord, opened):
    assert checked(accord, "--yes").code == 0
    text = opened.read_text()
    opened.write_text(text.replace('"rows_suppressed": 1', '"rows_suppressed": 0'))
    said = accord("verify", "out.report.json", "--study", "wages")
    assert said.code == 3
    assert said.line.startswith("accord: what A. Example of south signed is another report (rule: a signature covers every character")
    opened.write_text(text.replace("at least", "at most"))
    said = accord("verify", "out.report.json", "--study", "wages")
    assert (said.code, said.out) == (3, "")
    assert said.line.startswith("accord: release means: the report says something else than the receipt") or "report says" in said.line
    assert checked(accord, "--yes", party="helper").code == 3, "nobody signs what does not hold"


def test_a_table_that_changed_after_it_was_reported_is_refused(accord, opened):
    path = opened.with_name("out.csv")
    path.write_text(path.read_text().replace("suppressed", "7", 1))
    said = accord("verify", "out.report.json", "--study", "wages")
    assert said.code == 3 and said.line.startswith("accord: out.csv: this is not the table that the report is about")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--as", "nobody", "--checker", "A"), "accord: the keys of nobody are not on this machine; sign where they are"),
        (("--as", "south", "--checker", " "), "accord: who checks? (rule: a name and a reason of at most 200 characters); "),
    ],
)
def test_who_cannot_sign_is_told(accord, opened, arguments, line):
    said = accord("approve-output", "out.report.json", "--study", "wages", "--yes", *arguments)
    assert (said.code, said.out) == (3, "") and said.line.startswith(line)


# ---- a run's outcome as a value


def test_a_refused_run_is_kept_as_a_value(accord, signed):
    policy = signed / "parties" / "south" / "policy.toml"
    text = 'owner = "south"\nversion = 1\nexpires = 2999-12-31\nrecipients = ["north", "south"]\npurposes = ["anything else"]\n'
    policy.write_text(text + '[tables.wages]\nreason = "made up"\n[tables.wages.columns]\nwage = ["aggregated"]\n')
    said = accord("run", "wages", "--report", "refused.json")
    assert said.code == 3
    told = json.loads((signed.parent / "refused.json").read_text())
    assert (told["kind"], told["outcome"], told["owner"]) == ("accord run report", "refused", "south")
    assert told["rule"].startswith("policy of south, version 1: its data may serve 'anything else'")
    assert told["where"] == "the study" and told["reason"].startswith("its purpose is") and told["nearest"].startswith("write purpose_code")
    assert said.err.splitlines()[-1] == f"accord: {told['where']}: {told['reason']} (rule: {told['rule']}); {told['nearest']}"


def test_an_unsigned_run_is_refused_by_nobody_in_particular(accord, wages):
    accord("keys", "wages")
    assert accord("run", "wages", "--report", "refused.json").code == 3
    told = json.loads((wages.parent / "refused.json").read_text())
    assert (told["outcome"], told["owner"], told["nearest"]) == ("refused", "", "sign with: accord sign")


def test_a_rehearsal_is_no_release(accord, wages):
    assert accord("run", "wages", "--runtime", "clear:", "--report", "ran.json").code == 0
    told = json.loads((wages.parent / "ran.json").read_text())
    assert (told["outcome"], told["runtime"], told["receipt"]) == ("rehearsed", "clear:", "")
