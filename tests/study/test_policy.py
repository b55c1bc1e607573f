"""An owner's policy: what it may say, and ten questions and more that it refuses, with their sentences as people read them."""

import copy
import datetime
import tomllib
from pathlib import Path

import pytest

from accord.base.errors import Refused
from accord.cli.policy import report
from accord.node.compiled import compile_study
from accord.node.policies import asked_of
from accord.study import document, policy
from accord.study.policy_check import refusals
from accord.study.policy_told import told

FIXTURES = Path(__file__).parent / "fixtures" / "policies"
POLICY = (FIXTURES / "policy.toml").read_text()
STUDY = tomllib.loads((FIXTURES / "study.toml").read_text())
TODAY = datetime.date(2027, 1, 1)
CASES = sorted(path.stem for path in FIXTURES.glob("[0-9]*.toml"))
CONTRIBUTORS = '[{ rule = "minimum_contributors", unit = "firm", minimum = 3 }]'
ASKS = 'rules = [{ rule = "minimum_count", minimum = 10 }]\nnoise = { epsilon = "1" }\n'
OTHERS = {
    "purpose": ('"official statistics"', '"fraud control"'),
    "expired": ("2999-06-30", "2026-12-31"),
    "unnamed table": ("[tables.claims", "[tables.claim"),
    "unnamed column": ('cost = ["aggregated"]', 'costs = ["aggregated"]'),
    "contributors": ('[{ rule = "minimum_count", minimum = 10 }]', CONTRIBUTORS),
    "noise alone": ('rules = [{ rule = "minimum_count", minimum = 10 }]\n', ""),
    "recipients of the table": ("[tables.claims]\n", '[tables.claims]\nrecipients = ["ministry"]\n'),
}
"""Changes of the policy under which the study's own release is refused."""


STRICT = """rules = [
  { rule = "minimum_count", minimum = 10 },
  { rule = "dominance", n = 2, k = 85, unit = "firm" },
  { rule = "p_percent" },
  { rule = "rounding", base = 5 },
  { rule = "no_exact_extremes" },
]
"""
"""What the examples from 30 on are tried under; of those below 40 all are refused."""


def held_for(name):
    """The policy that an example is tried under: 30 asks for dominance alone, 31 for rounding."""
    if name < "30":
        return changed()
    kept = {"30": ("minimum_count", "dominance"), "31": ("rounding",)}.get(
        name[:2], ("minimum_count", "dominance", "p_percent", "rounding")
    )
    lines = [line for line in STRICT.splitlines(keepends=True) if "rule =" not in line or any(f'"{one}"' in line for one in kept)]
    return changed((ASKS, "".join(lines)))


def changed(*changes):
    text = POLICY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return policy.parse(tomllib.loads(text))


def compiled(releases=None):
    content = copy.deepcopy(STUDY)
    if releases is not None:
        content["releases"] = releases
    return compile_study(document.parse(content))


def example(name):
    return compiled(tomllib.loads((FIXTURES / f"{name}.toml").read_text())["releases"])


def said():
    """The reviewed sentences by case."""
    parts = (FIXTURES / "sentences.txt").read_text(encoding="utf-8").split("== ")[1:]
    return {head.strip(): body.strip() for head, _, body in (part.partition("\n") for part in parts)}


def now_said():
    lines = {name: report(held_for(name), example(name), TODAY)[0] for name in CASES}
    lines |= {name: report(changed(change), compiled(), TODAY)[0] for name, change in OTHERS.items()}
    return {name: "\n".join(one).strip() for name, one in lines.items()}


def write_sentences():
    """Writes the sentences anew; whoever calls it reads them."""
    text = "".join(f"== {name}\n{body}\n\n" for name, body in now_said().items())
    (FIXTURES / "sentences.txt").write_text(text.rstrip() + "\n", encoding="utf-8")


def test_every_refusal_is_told_as_reviewed():
    assert now_said() == said()


@pytest.mark.parametrize("name", [*CASES, *OTHERS])
def test_each_example_is_refused_but_those_that_are_allowed(name):
    verdicts = (report(held_for(name), example(name), TODAY) if name in CASES else report(changed(OTHERS[name]), compiled(), TODAY))[1]
    if name in ("20_allowed", "40_allowed"):
        assert len(verdicts) == (6 if name == "20_allowed" else 2) and set(verdicts.values()) == {"allowed"}
    elif name in ("11_quota", "purpose", "expired"):
        assert verdicts.pop("the study", "allowed") == "refused" and set(verdicts.values()) == {"allowed"}
    else:
        assert set(verdicts.values()) == {"refused"}


def test_a_refusal_is_a_value_with_rule_owner_place_reason_and_nearest_form():
    (one,) = refusals(changed(), asked_of(example("01_never"), "insurer"), TODAY)
    assert (one.owner, one.place) == ("insurer", "release odd, WHERE remark = 'odd'")
    assert one.rule.startswith("policy of insurer, version 3: ") and one.reason and one.nearest
    assert str(one.error()) == one.sentence


def test_the_last_day_is_allowed():
    day = datetime.date(2999, 6, 30)
    assert not refusals(changed(), asked_of(compiled(), "insurer"), day)
    assert refusals(changed(), asked_of(compiled(), "insurer"), day + datetime.timedelta(1))


@pytest.mark.parametrize("written", ["official statistics", " Official  Statistics", "official statistics on the cost of care"])
def test_a_purpose_is_known_by_its_code_or_its_words(written):
    assert not refusals(changed(('["official statistics"]', f'["{written}"]')), asked_of(compiled(), "insurer"), TODAY)


def test_another_owners_tables_are_not_judged():
    theirs = [{**STUDY["releases"][0], "sql": "SELECT COUNT(*) AS n FROM visits"}]
    assert asked_of(compiled(theirs), "insurer").questions == ()
    assert not refusals(changed(OTHERS["purpose"]), asked_of(compiled(theirs), "insurer"), TODAY)


def test_contributors_are_counted_by_the_column_that_the_owner_names():
    held = changed(OTHERS["contributors"])
    release = {**STUDY["releases"][0], "sql": "SELECT sector, COUNT(DISTINCT firm) AS n, SUM(cost) AS cost FROM claims GROUP BY sector"}
    for rule, minimum, is_allowed in (
        ("minimum_contributors", 3, True),
        ("minimum_contributors", 2, False),
        ("minimum_count", 3, False),
    ):
        asked = asked_of(compiled([{**release, "rules": [{"rule": rule, "column": "n", "minimum": minimum}]}]), "insurer")
        assert bool(refusals(held, asked, TODAY)) != is_allowed
    rows = {**release, "sql": release["sql"].replace("DISTINCT firm", "*")}
    asked = asked_of(compiled([{**rows, "rules": [{"rule": "minimum_contributors", "column": "n", "minimum": 3}]}]), "insurer")
    assert [one.reason for one in refusals(held, asked, TODAY)] == [
        "n, which minimum_contributors judges, does not count different firm of claims"
    ]


def test_noise_hides_the_unit_that_the_owner_names():
    held = changed(('noise = { epsilon = "1" }', 'noise = { epsilon = "1", unit = ["person"] }'))
    noise = {"mechanism": "discrete_laplace", "epsilon": "1", "unit": {"table": "claims"}}
    release = {**STUDY["releases"][0], "sql": "SELECT sector, COUNT(*) AS n FROM claims GROUP BY sector", "rules": [], "noise": noise}
    assert refusals(held, asked_of(compiled([release]), "insurer"), TODAY)
    release["noise"] = {**noise, "unit": {"table": "claims", "columns": ["person"], "rows_max": 2}}
    assert not refusals(held, asked_of(compiled([release]), "insurer"), TODAY)


def test_what_is_told_is_what_applies():
    held, asked = changed(), asked_of(example("20_allowed"), "insurer")
    text = told(held, asked)
    assert text.startswith("Policy of insurer, version 3: it allows this study until 2999-06-30, for 'official statistics'.\n")
    assert "It allows of claims.person: join key; used join key: JOIN on " in text
    assert "It asks for minimum_count with minimum at least 10, or noise with epsilon at most 1 that hides a row." in text
    assert "one run of this study tells office epsilon = 1." in text
    assert "remark" not in text and "visits." not in text


# ---- the document


def test_the_digest_covers_what_is_said_and_not_how_it_is_spaced():
    assert changed().digest == changed(("\n\n", "\n\n# a comment\n\n")).digest
    for change in (("version = 3", "version = 4"), ('"never"', '["in conditions"]'), ("minimum = 10", "minimum = 11")):
        assert changed(change).digest != changed().digest


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('"never"', '["never", "aggregated"]'), r"remark = \['never', 'aggregated'\]"),
        (('"never"', "[]"), r"remark = \[\]"),
        (('"never"', '"aggregate"'), "remark = 'aggregate' .*never, or a list of join key, in conditions, aggregated"),
        (("version = 3", "version = 0"), "version = 0"),
        (("2999-06-30", '"soon"'), "expires = soon"),
        (('recipients = ["office"]', "recipients = []"), "recipients is empty .*what is not named is not allowed"),
        (('purposes = ["official statistics"]\n', ""), "purposes is missing"),
        (('epsilon = "2"', 'epsilon = "-1"'), r"\[quota\]: epsilon = '-1'"),
        (('epsilon = "2"\n', ""), r"\[quota\]: no loss is named"),
        (("days = 365", "days = 0"), "days = 0"),
        (('rule = "minimum_count"', 'rule = "minimal_count"'), "no rule 'minimal_count'"),
        (("minimum = 10", "minimum = 10, column = 'n'"), "'column' is no field of this table"),
        ((ASKS, f"rules = {CONTRIBUTORS}\n".replace("firm", "shop")), "counts shop, which this table does not name"),
        ((ASKS, ""), "nothing says what must judge a release of claims"),
        (("[quota]", "[quote]"), "'quote' is no field of this table; did you mean quota"),
    ],
)  # fmt: skip
def test_a_policy_that_says_something_else_is_refused(change, sentence):
    with pytest.raises(Refused, match=sentence):
        changed(change)


def test_a_table_that_needs_no_rule_says_why():
    held = changed((ASKS, 'reason = "public since 2020"\n'))
    release = {**STUDY["releases"][0], "rules": [], "reason": "public"}
    assert not refusals(held, asked_of(compiled([release]), "insurer"), TODAY)
    assert "It asks for no rule: public since 2020." in told(held, asked_of(compiled([release]), "insurer"))


def test_the_how_to_says_what_is_so():
    """Its example is a policy, and its refusal is what a study with such a table gets."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "policy.md").read_text(encoding="utf-8")
    held = policy.parse(tomllib.loads(page.split("```toml\n")[1].split("```")[0]))
    columns = [
        {"name": "sector", "kind": "category", "values": ["care", "retail"]},
        {"name": "wage", "kind": "int", "low": 0, "high": 100},
        {"name": "person", "kind": "text", "bytes_max": 9},
    ]
    content = {
        "study": {**STUDY["study"], "servers": ["north", "south", "helper"]},
        "tables": {"wages": {"owners": ["north"], "rows_max": 9, "columns": columns}},
        "releases": [
            {**STUDY["releases"][0], "name": "means", "sql": "SELECT sector, COUNT(*) AS n, AVG(wage) AS wage FROM wages GROUP BY sector"},
            {"name": "top", "title": "", "sql": "SELECT wage FROM wages", "recipients": ["office"], "reason": "we are curious"},
        ],
    }
    lines, _ = report(held, compile_study(document.parse(content)), TODAY)
    assert lines[:4] == page.split("```text\n")[1].split("```")[0].splitlines()


def test_bounds_are_those_of_the_rule_where_the_policy_says_nothing():
    """A rule that is asked for by its name is asked for with its defaults: p at least 10, n at least 2, k at most 90."""
    held = changed((ASKS, 'rules = [{ rule = "p_percent" }, { rule = "dominance" }, { rule = "top_coding", limit = 9 }]\n'))
    told_of = [one.sentence for one in held.tables["claims"].rules]
    assert told_of == ["p_percent with p at least 10", "dominance with n at least 2, k at most 90", "top_coding with limit at most 9"]
    with pytest.raises(Refused, match="'model_parameters' is no field"):
        changed((ASKS, 'rules = [{ rule = "minimum_degrees_of_freedom", model_parameters = 3 }]\n'))


def test_the_default_that_the_how_to_names_is_a_policys():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "policy.md").read_text(encoding="utf-8")
    held = changed((ASKS, page.split("```toml\n")[2].split("```")[0]))
    assert [one.name for one in held.tables["claims"].rules][2:] == ["dominance", "p_percent", "no_exact_extremes"]
