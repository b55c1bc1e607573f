"""The command around owners' policies: tried before signing, shown at signing, refused before anybody is asked."""

import pytest

POLICY = """
owner = "north"
version = 1
expires = 2999-12-31
recipients = ["north", "south"]
purposes = ["say here what the results are for"]

[tables.wages]
rules = [{ rule = "minimum_count", minimum = 10 }]
[tables.wages.columns]
sector = ["after grouping"]
wage = ["aggregated"]
"""
EXAMPLES = """
[[releases]]
name = "means"
title = "Mean wages"
sql = "SELECT sector, COUNT(*) AS n, AVG(wage) AS mean_wage FROM wages GROUP BY sector"
recipients = ["south"]
rules = [{ rule = "minimum_count", column = "n", minimum = 10 }]

[[releases]]
name = "top"
title = "The highest wages"
sql = "SELECT wage FROM wages ORDER BY wage DESC LIMIT 3"
recipients = ["south"]
reason = "we are curious"
expect = "refused"
"""


@pytest.fixture
def held(accord, wages, tmp_path):
    """A study of which north has a policy that allows it."""
    text = (wages / "study.toml").read_text()
    purpose = next(line for line in text.splitlines() if line.startswith("purpose = "))
    path = wages / "parties" / "north" / "policy.toml"
    path.write_text(POLICY.replace('purposes = ["say here what the results are for"]', f"purposes = [{purpose.partition(' = ')[2]}]"))
    return path


def strict(path):
    path.write_text(path.read_text().replace('wage = ["aggregated"]', 'wage = "never"'))


def test_a_policy_is_tried_on_a_study(accord, held):
    said = accord("policy", "test", held, "--study", "wages")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0] == "policy of north, version 1, on wages"
    assert all(line.startswith("allowed  ") for line in said.out.splitlines()[1:])
    strict(held)
    said = accord("policy", "test", held, "--study", "wages")
    assert said.code == 3
    assert "refused  " in said.out and "it allows of wages.wage: nothing); leave wage out" in said.out


def test_a_policy_is_tried_on_examples_that_say_what_they_expect(accord, held, tmp_path):
    examples = tmp_path / "examples.toml"
    examples.write_text(EXAMPLES)
    said = accord("policy", "test", held, "--study", "wages", "--examples", examples)
    assert (said.code, said.err) == (0, "")
    assert [line for line in said.out.splitlines() if not line.startswith(" ")][1:] == ["allowed  means", "refused  top"]
    examples.write_text(EXAMPLES.replace('expect = "refused"', 'expect = "allowed"'))
    said = accord("policy", "test", held, "--study", "wages", "--examples", examples)
    assert said.code == 3 and said.out.splitlines()[-1] == "not as expected: top"
    examples.write_text(EXAMPLES.replace('expect = "refused"', 'expect = "no"'))
    said = accord("policy", "test", held, "--study", "wages", "--examples", examples)
    assert said.line.endswith("expect = 'no' (rule: allowed or refused)")
    examples.write_text("[tables.wages]\n")
    said = accord("policy", "test", held, "--study", "wages", "--examples", examples)
    assert "tables in a file of examples" in said.line


def test_a_policy_of_nobody_here_is_refused(accord, held):
    held.write_text(held.read_text().replace('owner = "north"', 'owner = "east"'))
    said = accord("policy", "test", held, "--study", "wages")
    assert (said.code, said.out) == (3, "")
    assert said.line.startswith("accord: no release reads a table of east")


def test_an_owner_is_shown_its_policy_and_signs_it(accord, held):
    assert accord("keys", "wages").code == 0
    said = accord("sign", "wages", "--party", "north", answer="yes\n")
    assert said.code == 0
    shown, _, rest = said.out.partition("Your signature covers")
    assert "Policy of north, version 1: it allows this study until 2999-12-31" in shown
    assert "  policy       " in rest and "signed by north" in rest
    assert "Policy of north" in accord("explain", "wages").out
    assert "Policy of north" not in accord("sign", "wages", "--party", "south", answer="yes\n").out


@pytest.mark.parametrize("how", [("--all-local", "--yes"), ("--party", "south", "--party", "north")])
def test_what_a_policy_does_not_allow_is_refused_before_anybody_is_asked(accord, held, wages, how):
    assert accord("keys", "wages").code == 0
    strict(held)
    said = accord("sign", "wages", *how, answer="yes\n")
    assert (said.code, said.out) == (3, "")
    assert "wages.wage is used" in said.line and "policy of north, version 1: it allows of wages.wage: nothing" in said.line
    assert not (wages / "approvals").exists()
    assert "The policy of north, version 1 does not allow this study:" in accord("explain", "wages").out
