"""An owner's policy where it counts: when the owner signs, when it shares, and in its ledger."""

import datetime
import json
from fractions import Fraction

import pytest

from accord.base.errors import Refused
from accord.node import policies
from accord.node.compiled import compile_study
from accord.node.folder import open_folder
from accord.node.history import withdraw
from accord.node.session import open_study
from accord.study import document
from accord.study.approval import PolicyMark
from tests.node.conftest import sign_all, write_study

POLICY = """
owner = "north"
version = 1
expires = 2999-12-31
recipients = ["north", "south", "office"]
purposes = ["a test of whole runs"]

[tables.wages]
reason = "this is made up"
[tables.wages.columns]
region = ["after grouping"]
sector = ["after grouping"]
wage = ["aggregated"]
"""
STRICT = ('wage = ["aggregated"]', 'wage = "never"')
QUOTA = ("[tables.wages]\n", '[quota]\nepsilon = "3/2"\ndays = 30\n\n[tables.wages]\n')
TODAY = datetime.date(2027, 3, 1)


def write_policy(folder, *changes, party="north"):
    text = POLICY.replace('owner = "north"', f'owner = "{party}"')
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = open_folder(folder).party(party).path / "policy.toml"
    path.write_text(text)
    return path


def ledger_of(folder, party="north"):
    return open_folder(folder).party(party).ledger().path


def events(folder, party="north"):
    return [one.event for one in open_folder(folder).party(party).ledger().entries]


def with_noise(folder, epsilon):
    """One release of the study has noise in place of a rule, and the others are gone."""
    text = (folder / "study.toml").read_text()
    head = text[: text.index("[[releases]]")]
    unit = '{ table = "wages" }'
    (folder / "study.toml").write_text(f"""{head}[[releases]]
name = "counts"
title = "Rows by sector"
sql = "SELECT sector, COUNT(*) AS n FROM wages GROUP BY sector ORDER BY sector"
recipients = ["office"]
noise = {{ mechanism = "discrete_laplace", epsilon = "{epsilon}", unit = {unit} }}
""")
    return compile_study(document.read(folder))


# ---- signing


def test_an_owner_signs_what_its_policy_allows_and_under_its_mark(study):
    path = write_policy(study)
    session = open_study(study)
    assert session.missing() == [], "the signature without a policy stands until the owner signs anew"
    approval = session.sign("north")
    held = open_folder(study).party("north").policy()
    assert approval.policy == session.policy_mark("north")
    assert (approval.policy.version, approval.policy.policy) == (1, held.digest)
    assert session.missing() == []
    kept = open_folder(study).approvals()
    assert next(one for one in kept if one.party == "north") == approval
    facts = open_folder(study).party("north").ledger().entries[-1].facts
    assert facts == {**session.agreement.document(), **approval.policy.document()}
    path.unlink()
    assert open_study(study).policy_mark("north") is None


@pytest.mark.parametrize("changed", ["policy_version", "policy", "policy_told"])
def test_the_signature_covers_the_mark(study, changed):
    write_policy(study)
    session = open_study(study)
    session.sign("north")
    path = study / "approvals" / "north.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, changed: "2" if changed == "policy_version" else "00" * 32}))
    assert open_study(study).missing() == ["north"]
    path.write_text(json.dumps({name: value for name, value in said.items() if not name.startswith("policy")}))
    assert open_study(study).missing() == ["north"]
    path.write_text(json.dumps({name: value for name, value in said.items() if name != changed}))
    with pytest.raises(Refused, match="this approval is damaged"):
        open_study(study).missing()


def test_an_owner_does_not_sign_what_its_policy_does_not_allow(study):
    write_policy(study, STRICT)
    before = ledger_of(study).read_bytes(), (study / "approvals" / "north.json").read_bytes()
    with pytest.raises(Refused) as told:
        open_study(study).sign("north")
    assert str(told.value) == (
        "release means, SUM(wage): wages.wage is used aggregated (rule: policy of north, version 1: it allows of wages.wage: nothing); "
        "leave wage out"
    )
    assert (ledger_of(study).read_bytes(), (study / "approvals" / "north.json").read_bytes()) == before


def test_another_owner_is_not_bound_by_it(study):
    write_policy(study, STRICT)
    assert open_study(study).sign("south").policy is None


def test_a_server_that_owns_nothing_needs_no_policy(study):
    write_policy(study, STRICT, party="helper")
    assert open_study(study).sign("helper").policy is None


def test_a_policy_names_its_owner(study):
    write_policy(study).write_text(POLICY.replace('owner = "north"', 'owner = "south"'))
    with pytest.raises(Refused, match="this is a policy of south"):
        open_study(study).sign("north")


def test_a_policy_that_changes_gets_a_higher_version(study):
    write_policy(study)
    open_study(study).sign("north")
    write_policy(study, ("2999-12-31", "2999-12-30"))
    with pytest.raises(Refused, match=r"policy of north, version 1 is not what was signed as version 1 .*write version = 2"):
        open_study(study).sign("north")
    write_policy(study, ("2999-12-31", "2999-12-30"), ("version = 1", "version = 2"))
    assert open_study(study).sign("north").policy.version == 2


def test_the_text_says_what_the_policy_asks(study):
    write_policy(study)
    text = open_study(study).policy_text("north")
    assert text.startswith("Policy of north, version 1: it allows this study until 2999-12-31")
    assert "It allows of wages.wage: aggregated; used aggregated: SUM(wage)." in text
    assert open_study(study).policy_text("south") == ""
    write_policy(study, STRICT)
    assert open_study(study).policy_text("north").startswith("The policy of north, version 1 does not allow this study:\n- release means")


# ---- sharing


@pytest.mark.parametrize("runtime", ["clear:", "sim:", "local:"])
def test_an_owner_shares_nothing_that_its_policy_does_not_allow(study, in_threads, runtime):
    write_policy(study, STRICT)
    before = ledger_of(study).read_bytes()
    with pytest.raises(Refused, match=r"policy of north, version 1: it allows of wages.wage: nothing"):
        open_study(study).run(runtime)
    assert ledger_of(study).read_bytes() == before
    assert not list(study.glob("runs/**/*.input"))


def test_an_owner_shares_under_the_policy_that_it_signed(study, in_threads):
    """A policy that came, changed or went after the signature stops the run, before anything is in the ledger; signed anew, it runs."""
    write_policy(study)
    with pytest.raises(Refused, match=r"north signed without a policy, and has version 1 now .*let north sign again"):
        open_study(study).run("local:")
    open_study(study).sign("north")
    path = write_policy(study, ("version = 1", "version = 2"))
    before = ledger_of(study).read_bytes()
    with pytest.raises(Refused, match="the ledger of north: north signed under version 1 of its policy, and has version 2 now"):
        open_study(study).run("local:")
    path.unlink()
    with pytest.raises(Refused, match="north signed under version 1 of its policy, and has none now"):
        open_study(study).run("local:")
    assert ledger_of(study).read_bytes() == before
    write_policy(study)
    outcome = open_study(study).run("local:")
    verified = open_study(study).verify(outcome.run_id)
    marks = {one.party: one.policy for one in verified.approvals}
    assert isinstance(marks["north"], PolicyMark) and marks["south"] is None


def test_it_expires_for_the_run_too(study):
    write_policy(study)
    compiled, party = compile_study(document.read(study)), open_folder(study).party("north")
    assert policies.require_allowed(compiled, party, TODAY)
    with pytest.raises(Refused, match="it expired on 2999-12-31"):
        policies.require_allowed(compiled, party, datetime.date(3000, 1, 1))


# ---- quota


@pytest.fixture
def spender(study):
    """An owner with a quota of ε = 3/2 in 30 days, and what it would be asked for: ε = 1."""
    write_policy(study, QUOTA, ('reason = "this is made up"', 'noise = { epsilon = "1" }'))
    compiled = with_noise(study, "1")
    agreement = compiled.agreement(open_folder(study).consortium())
    party = open_folder(study).party("north")
    party.ledger().append(policies.APPROVED, {**agreement.document(), **policies.mark(compiled, party, TODAY).document()})
    return compiled, agreement, party


def day(number):
    return TODAY + datetime.timedelta(number)


def test_a_quota_is_spent_and_given_back(spender):
    compiled, agreement, party = spender
    policies.require_agreed(compiled, agreement, party, TODAY)
    policies.spend(compiled, party, "run-1", TODAY)
    before = party.ledger().path.read_bytes()
    with pytest.raises(Refused) as told:
        policies.require_agreed(compiled, agreement, party, day(29))
    assert str(told.value) == (
        "the ledger of north: office was told epsilon = 1 in the last 30 days, and this run would add 1 (rule: policy of north, version 1: "
        "in any 30 days one recipient is told at most epsilon = 3/2); ask for epsilon of at most 1/2, or ask again on 2027-03-31"
    )
    assert party.ledger().path.read_bytes() == before
    assert day(30) == datetime.date(2027, 3, 31)
    policies.require_agreed(compiled, agreement, party, day(30))


def test_a_run_that_released_nothing_spends_nothing(spender):
    compiled, agreement, party = spender
    policies.spend(compiled, party, "run-1", TODAY)
    withdraw(party, "run-1")
    policies.require_agreed(compiled, agreement, party, TODAY)


def quota_of(**losses):
    bounds = "\n".join(f'{name} = "{value}"' for name, value in losses.items())
    return ("[tables.wages]\n", f"[quota]\n{bounds}\ndays = 30\n\n[tables.wages]\n")


def told(party, run, *losses):
    """Earlier runs, as their ledger's lines of this and of earlier versions are."""
    party.ledger().append(policies.SPENT, {"run": run, "study": "", "day": TODAY.isoformat(), "losses": list(losses)})


def test_a_quota_of_rho_counts_all_noise_together(study):
    """ε = 1 is ρ = 1/2 of 1; what was told with Gaussian noise takes from the same."""
    write_policy(study, quota_of(rho="1"), ('reason = "this is made up"', 'noise = { rho = "1" }'))
    compiled, party = with_noise(study, "1"), open_folder(study).party("north")
    agreement = compiled.agreement(open_folder(study).consortium())
    party.ledger().append(policies.APPROVED, {**agreement.document(), **policies.mark(compiled, party, TODAY).document()})
    told(party, "run-1", {"recipient": "office", "measure": "rho", "loss": "1/2"})
    policies.require_agreed(compiled, agreement, party, TODAY)
    gauss = {"mechanism": "discrete_gaussian", "variance": "5000", "sensitivity": 10}
    told(party, "run-2", {"recipient": "office", "measure": "rho", "loss": "1/100", "laws": [gauss]})
    with pytest.raises(Refused, match=r"office was told rho = 51/100 in the last 30 days, and this run would add 1/2 .* at most 49/100"):
        policies.require_agreed(compiled, agreement, party, TODAY)


def test_a_quota_of_epsilon_allows_nothing_that_has_none(study):
    write_policy(study, QUOTA, ('reason = "this is made up"', 'noise = { rho = "1" }'))
    party = open_folder(study).party("north")
    assert policies.mark(with_noise(study, "1"), party, TODAY)
    text = (study / "study.toml").read_text()
    (study / "study.toml").write_text(text.replace('discrete_laplace", epsilon = "1"', 'discrete_gaussian", rho = "1/100"'))
    with pytest.raises(Refused, match=r"office would be told rho = 1/100 in one run .*ask for discrete_laplace"):
        policies.mark(compile_study(document.read(study)), party, TODAY)


def test_the_ledger_has_the_laws_that_were_drawn(spender):
    compiled, _, party = spender
    policies.spend(compiled, party, "run-1", TODAY)
    (entry,) = party.ledger().find(policies.SPENT)
    law = {"mechanism": "discrete_laplace", "scale": "1", "sensitivity": 1}
    assert entry.facts["losses"] == [{"recipient": "office", "measure": "epsilon", "loss": "1", "laws": [law]}]


def test_each_recipient_has_a_quota_of_its_own(spender):
    compiled, agreement, party = spender
    other = {"recipient": "press", "measure": "epsilon", "loss": "1"}
    party.ledger().append(policies.SPENT, {"run": "run-0", "study": "", "day": TODAY.isoformat(), "losses": [other]})
    policies.require_agreed(compiled, agreement, party, TODAY)
    party.ledger().append(
        policies.SPENT, {"run": "run-1", "study": "", "day": TODAY.isoformat(), "losses": [{**other, "recipient": "office"}]}
    )
    with pytest.raises(Refused, match="office was told epsilon = 1"):
        policies.require_agreed(compiled, agreement, party, TODAY)


def test_what_one_run_alone_takes_beyond_the_quota_is_not_signed(study):
    write_policy(study, QUOTA, ('reason = "this is made up"', 'noise = { epsilon = "2" }'))
    compiled, party = with_noise(study, "2"), open_folder(study).party("north")
    with pytest.raises(Refused, match=r"office would be told epsilon = 2 in one run .*ask for epsilon of at most 3/2 in all"):
        policies.mark(compiled, party, TODAY)


def test_every_run_with_noise_is_written_down_policy_or_not(study, in_threads):
    with_noise(study, "1")
    sign_all(study)
    outcome = open_study(study).run("local:")
    for owner in ("north", "south"):
        spent = [entry.facts for entry in open_folder(study).party(owner).ledger().find(policies.SPENT)]
        assert [one["run"] for one in spent] == [outcome.run_id]
        assert [Fraction(loss["loss"]) for one in spent for loss in one["losses"]] == [1]
    assert "spent" not in events(study, "helper")


def test_a_run_without_noise_spends_nothing(study):
    write_study(study)
    compiled, party = compile_study(document.read(study)), open_folder(study).party("north")
    before = events(study)
    policies.spend(compiled, party, "run-1", TODAY)
    assert events(study) == before
