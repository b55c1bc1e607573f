"""Owners' policies at work: an owner signs nothing and shares nothing that its own policy does not allow.

The policy is read from the owner's folder and never handed in by a caller. Its hash stands in the owner's approval and ledger, so that a
run finds the policy under which the owner signed, or none takes place.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from accord.base import canonical
from accord.base.errors import Refused
from accord.node.compiled import Branch, Compiled
from accord.node.folder import PartyFolder
from accord.node.history import WITHDRAWN
from accord.plan.usage import usage
from accord.release.accounting import Law, Loss, loss_of, together
from accord.release.noise import read_noise
from accord.study.approval import Agreement, PolicyMark
from accord.study.ledger import Entry, Ledger
from accord.study.policy import Policy, Quota
from accord.study.policy_check import STUDY, Asked, Question, Refusal, bounds_of, figure, losses, measure_of, refusals
from accord.study.policy_told import told

APPROVED = "approved"
SPENT = "spent"
"""What a run told of an owner's units: its day, and the loss of each recipient, with the laws that it follows from."""


def asked_of(compiled: Compiled, owner: str) -> Asked:
    """What a study asks of an owner."""
    study = compiled.study
    tables = tuple(name for name, table in study.catalog.tables.items() if owner in table.owners)
    questions = (_question(compiled, branch) for branch in compiled.branches)
    mine = tuple(one for one in questions if set(one.usage.tables) & set(tables))
    return Asked(study.purpose, study.purpose_code, tables, mine, study.history)


def _question(compiled: Compiled, branch: Branch) -> Question:
    spec, text = branch.spec, branch.text
    found = usage(branch.asked if text.noise else branch.unplaced, compiled.study.catalog, spec.judged)
    laws = loss_of(one for _, one in spec.noise).laws
    return Question(
        spec.name, spec.parties, spec.rules, read_noise(text.noise) if text.noise else None, found, laws, frozenset(spec.judged)
    )


def judged(policy: Policy, asked: Asked, today: datetime.date) -> dict[str, tuple[Refusal, ...]]:
    """What the policy does not allow, by release; first, where there is any, of the study as a whole."""
    every = refusals(policy, asked, today)
    whole = tuple(one for one in every if one.place == STUDY)
    by_name: dict[str, tuple[Refusal, ...]] = {STUDY: whole} if whole else {}
    for question in asked.questions:
        own = tuple(one for one in every if one.place == question.place or one.place.startswith(f"{question.place}, "))
        by_name[question.name] = own
    return by_name


def policy_text(compiled: Compiled, folder: PartyFolder, today: datetime.date) -> str:
    """What the owner's policy asks of this study, for the owner to read before it signs, or why it does not allow it; empty where it has
    none."""
    policy = folder.policy() if folder.name in compiled.study.owners else None
    if policy is None:
        return ""
    asked = asked_of(compiled, folder.name)
    refused = [f"- {one.sentence}" for one in refusals(policy, asked, today)]
    return "\n".join([f"The {policy.title} does not allow this study:", *refused]) + "\n" if refused else told(policy, asked)


def mark(compiled: Compiled, folder: PartyFolder, today: datetime.date) -> PolicyMark | None:
    """What an owner's signature covers of its policy. Raises Refused where the policy does not allow the study, or changed and kept its
    version."""
    if folder.name not in compiled.study.owners:
        return None
    policy = require_allowed(compiled, folder, today)
    if policy is None:
        return None
    _require_raised(policy, folder.ledger())
    return PolicyMark(policy.version, policy.digest, canonical.digest("policy told", policy_text(compiled, folder, today).encode()))


def require_allowed(compiled: Compiled, folder: PartyFolder, today: datetime.date) -> Policy | None:
    """The owner's policy, which allows all that the study asks of it; None where it has none. Raises Refused with the first that it does
    not allow."""
    policy = folder.policy()
    if policy is not None:
        for refusal in refusals(policy, asked_of(compiled, folder.name), today):
            raise refusal.error()
    return policy


def require_agreed(compiled: Compiled, agreement: Agreement, folder: PartyFolder, today: datetime.date) -> None:
    """Return only if the owner's policy allows the study, is the one under which it signed, and its quota is not spent.

    Raises Refused otherwise; the ledger is read and not written.
    """
    policy, ledger = require_allowed(compiled, folder, today), folder.ledger()
    _require_signed(policy, agreement, ledger, folder.name)
    if policy is not None and policy.quota is not None:
        _require_left(policy, policy.quota, losses(asked_of(compiled, folder.name)), ledger, today)


def spend(compiled: Compiled, folder: PartyFolder, run: str, today: datetime.date) -> None:
    """Write down what a run will tell of the owner's units; nothing where it has no noise for them."""
    has_noise = any(branch.text.noise for branch in compiled.branches)
    if found := losses(asked_of(compiled, folder.name)) if has_noise else {}:
        told = [_told(recipient, loss) for recipient, loss in found.items()]
        folder.ledger().append(SPENT, {"run": run, "study": compiled.study.digest.hex(), "day": today.isoformat(), "losses": told})


def _told(recipient: str, loss: Loss) -> dict[str, Any]:
    measure, value = measure_of(loss)
    return {"recipient": recipient, "measure": measure, "loss": str(value), "laws": [law.document() for law in loss.laws]}


# ---- versions


def _require_raised(policy: Policy, ledger: Ledger) -> None:
    for entry in ledger.find(APPROVED):
        before = int(entry.facts.get("policy_version", 0))
        if before >= policy.version and entry.facts["policy"] != policy.digest.hex():
            raise Refused(
                f"{policy.title} is not what was signed as version {before}",
                rule="a policy that changes gets a higher version",
                do=f"write version = {before + 1}",
            )


def _require_signed(policy: Policy | None, agreement: Agreement, ledger: Ledger, owner: str) -> None:
    signed: Mapping[str, Any] = next((one.facts for one in reversed(ledger.find(APPROVED, **agreement.document()))), {})
    if signed.get("policy") == (policy.digest.hex() if policy else None):
        return
    before = f"under version {signed['policy_version']} of its policy" if "policy" in signed else "without a policy"
    now = f"has version {policy.version} now" if policy else "has none now"
    raise Refused(
        f"{owner} signed {before}, and {now}",
        where=f"the ledger of {owner}",
        rule="an owner shares data under the policy that it signed",
        do=f"let {owner} sign again, or put that version back",
    )


# ---- quota


def _require_left(policy: Policy, quota: Quota, wanted: Mapping[str, Loss], ledger: Ledger, today: datetime.date) -> None:
    for recipient, loss in wanted.items():
        before = told_before(ledger, recipient, quota.days, today)
        spent = together(one for _, one in before)
        for measure, most in bounds_of(quota, loss).items():
            had, total = figure(spent, measure), figure(together([spent, loss]), measure)
            if total > most:
                day = _refilled(before, loss, measure, most) + datetime.timedelta(quota.days)
                raise Refused(
                    f"{recipient} was told {measure} = {had} in the last {quota.days} days, and this run would add {total - had}",
                    where=f"the ledger of {policy.owner}",
                    rule=f"{policy.title}: {quota.sentence}",
                    do=f"ask for {measure} of at most {most - had}, or ask again on {day}" if most > had else f"ask again on {day}",
                )


def told_before(ledger: Ledger, recipient: str, days: int, today: datetime.date, but: str = "") -> list[tuple[datetime.date, Loss]]:
    """What runs but one told a recipient in a quota's days, oldest first; a run that released nothing told nothing."""
    withdrawn = {entry.facts["run"] for entry in ledger.find(WITHDRAWN)}
    entries = [entry for entry in ledger.find(SPENT) if entry.facts["run"] not in {but, *withdrawn}]
    told = [(datetime.date.fromisoformat(one.facts["day"]), loss) for one in entries for loss in _losses_of(one, recipient)]
    return sorted([one for one in told if (today - one[0]).days < days], key=lambda one: one[0])


def _losses_of(entry: Entry, recipient: str) -> Iterator[Loss]:
    """Entries of earlier versions have a figure and no laws."""
    for one in entry.facts["losses"]:
        if one["recipient"] == recipient:
            laws = one.get("laws")
            yield Loss(tuple(map(Law.read, laws)) if laws is not None else (Law.losing(one["measure"], Fraction(one["loss"])),))


def _refilled(before: list[tuple[datetime.date, Loss]], loss: Loss, measure: str, most: Fraction) -> datetime.date:
    """The day of which so much was told that without it and all before there is room. Needs: the loss alone fits."""
    for at, (day, _) in enumerate(before):
        if figure(together([*(one for _, one in before[at + 1 :]), loss]), measure) <= most:
            return day
    raise AssertionError("a run that alone exceeds the quota is refused before")
