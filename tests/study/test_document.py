"""The study document: what it accepts, what it refuses with which sentence, and that its hash is over the content."""

import datetime
import tomllib

import pytest

from accord.base.errors import Refused
from accord.study.document import parse

from .conftest import TEXT


def test_a_study_knows_its_owners_recipients_and_catalog(content):
    study = parse(content)
    assert study.owners == ("alpha", "beta")
    assert study.recipients == ("alpha", "beta")
    assert study.parties == study.approvers == ("alpha", "beta", "gamma")
    assert study.catalog.tables["wages"].rows_max == (1000, 1000)
    assert study.catalog.publics["region"].rows == ((0, 0), (1, 1))
    assert study.catalog.publics["rate"].rows == ((0, 106), (1, 98))


def test_the_hash_is_over_the_content_not_the_spelling():
    spaced = TEXT.replace(" = ", "=").replace('title = "Wages by region"', 'title="Wages by region" # the title')
    assert parse(tomllib.loads(TEXT)).digest == parse(tomllib.loads(spaced)).digest


@pytest.mark.parametrize(
    ("old", "new"), [("minimum = 3", "minimum = 2"), ("2030-01-31", "2030-02-01"), ("1.06", "1.07"), ('"south"]', '"South"]')]
)
def test_every_change_of_a_value_changes_the_hash(old, new):
    assert parse(tomllib.loads(TEXT)).digest != _digest(TEXT.replace(old, new))


def _digest(text):
    try:
        return parse(tomllib.loads(text)).digest
    except Refused:
        return b"refused"


def _without(content, *path):
    for key in path[:-1]:
        content = content[key]
    del content[path[-1]]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda c: c["study"].pop("purpose"), "[study]: purpose is missing; add purpose = … (text)"),
        (lambda c: c["study"].update(purpos="x"), "[study]: 'purpos' is no field of this table; did you mean purpose?"),
        (lambda c: c["study"].update(security="active"), "security = 'active' (rule: one of semi-honest)"),
        (lambda c: c["study"].update(expires="soon"), "expires = soon (rule: a day as 2027-12-31)"),
        (lambda c: c["study"].update(name="No Name"), "cannot be a name"),
        (lambda c: c["study"].update(servers=["alpha", "beta"]), "servers = alpha, beta (rule: three servers"),
        (lambda c: c["releases"][0].pop("rules"), "has no disclosure rule"),
        (lambda c: c["releases"][0].update(recipients=[]), "nobody would receive this release"),
        (lambda c: c["releases"].append(dict(c["releases"][0])), "two releases are named means"),
        (lambda c: c.update(releases=[]), "this study releases nothing"),
        (lambda c: c["tables"]["wages"].update(rows_max=0), "rows_max = 0 for alpha"),
        (lambda c: c["tables"]["wages"].update(rows_max={"alpha": 5}), "does not name each owner once"),
        (lambda c: c["tables"]["wages"].update(owners=["alpha", "alpha"]), "owners, each named once"),
        (lambda c: c["tables"]["wages"].update(unique=[], unique_across_owners=True), "unique_across_owners without a unique key"),
        (lambda c: c["tables"]["wages"].update(owner_values={"alpha": "north", "beta": "north"}), "a declared value of its own"),
        (lambda c: c["tables"]["wages"]["columns"][0].update(domain="land"), "no domain 'land'"),
        (lambda c: c["tables"]["wages"]["columns"][1].pop("high"), "high is missing"),
        (lambda c: c["tables"]["wages"]["columns"][1].update(low=5, high=4), "low ≤ high"),
        (lambda c: c["publics"]["rate"]["rows"].append(["north"]), "this row does not hold 2 values"),
        (lambda c: c["publics"]["rate"]["rows"].append(["west", "1.00"]), "'west' in column region"),
        (lambda c: c["publics"]["rate"]["rows"].append(["north", "1.005"]), "'1.005' in column rate"),
        (lambda c: c["publics"]["rate"]["rows"].append(["north", 1.5]), "1.5 is a float"),
        (
            lambda c: c["publics"]["rate"]["columns"].append({"name": "note", "kind": "text", "bytes_max": 9}),
            "column note is a text (rule: texts of a public table are categories)",
        ),
        (lambda c: c["tables"]["wages"]["columns"].append({"name": "note", "kind": "text"}), "bytes_max is missing"),
        (lambda c: c["domains"]["region"]["columns"].update(coast=["yes"]), "does not hold one value for each of 2"),
    ],
)
def test_bad_studies_are_refused_with_one_sentence(content, damage, sentence):
    damage(content)
    with pytest.raises(Refused) as refusal:
        parse(content)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_release_without_rules_needs_a_reason(content):
    content["releases"][0].update(rules=[], reason="published already")
    assert parse(content).releases[0].reason == "published already"


def test_a_study_expires_after_its_last_day(content):
    study = parse(content)
    study.require_unexpired(datetime.date(2030, 1, 31))
    with pytest.raises(Refused, match="expired on 2030-01-31"):
        study.require_unexpired(datetime.date(2030, 2, 1))
