"""What is on record of a run beside its figures: what servers state of each release, and what each owner looked at before it shared.

Servers state rules with their parameters, what each stops and does not, noise with its laws and losses, and how far off columns can be.
An owner's part (what its quotas had left, which versions of its data, what its history was asked) says more than others should know: it
stays in the owner's folder, and its hash, salted, stands in the owner's signed statement in the receipt.
"""

from __future__ import annotations

import datetime
import os
import secrets
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import msgspec

from accord.base import canonical
from accord.base.errors import OurFault, Refused
from accord.base.limits import SALT_BYTES
from accord.node.compiled import Branch, Compiled
from accord.node.folder import PartyFolder
from accord.node.losses import lost
from accord.node.policies import asked_of, told_before
from accord.release.accounting import Law, Loss, shown, together
from accord.release.bounds import error_bounds
from accord.release.rule import Rule
from accord.study import receipt
from accord.study.document import Study
from accord.study.policy_check import bounds_of, figure, losses

MODE = 0o600


def of_releases(compiled: Compiled) -> dict[str, Any]:
    """What holds each release back, and what that does and does not do, by release."""
    noised = {one.release: one.document() for one in lost(compiled)}
    return {one.spec.name: _of_release(one, compiled.study, noised.get(one.spec.name)) for one in compiled.branches}


def _of_release(branch: Branch, study: Study, noise: Mapping[str, Any] | None) -> dict[str, Any]:
    spec, text = branch.spec, branch.text
    return {
        "title": spec.title,
        "rules": [of_rule(one) for one in spec.rules],
        "reason": spec.reason,
        "bounds": error_bounds(spec),
        "once": text.once,
        "notes": list(branch.notes(study)),
        **({"noise": noise} if noise else {}),
    }


def of_rule(rule: Rule) -> dict[str, Any]:
    """A rule as the base class knows it."""
    return {
        "rule": rule.name,
        "parameters": {name: _plain(value) for name, value in rule.parameters.items()},
        "sentence": rule.sentence,
        "stops": rule.stops,
        "does_not_stop": rule.does_not_stop,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | bool) else str(value)


# ---- an owner's part


def keep_owners_part(
    compiled: Compiled, agreement: Mapping[str, str], folder: PartyFolder, run: str, versions: Mapping[str, str], inputs: Mapping[str, str]
) -> None:
    """Write down what the owner looked at for a run, and sign its hash with the inputs that it shares. Comes after the run is spent."""
    part = owners_part(compiled, folder, run, versions, datetime.date.today())
    facts = {"run": run, "agreement": dict(agreement), "inputs": dict(inputs), "evidence": digest(part).hex()}
    statement = receipt.state(folder.keys(), facts)
    path = folder.evidence(run)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    with os.fdopen(handle, "wb") as file:
        file.write(canonical.encode(part) + b"\n")
    receipt.write_statement(statement, folder.owners_statement(run))


def owners_part(compiled: Compiled, folder: PartyFolder, run: str, versions: Mapping[str, str], today: datetime.date) -> dict[str, Any]:
    """The owner's policy, each recipient's quota before and after the run, the versions of its data, and what was asked of its history."""
    policy, told = folder.policy(), losses(asked_of(compiled, folder.name))
    return {
        "salt": secrets.token_hex(SALT_BYTES),
        "owner": folder.name,
        "run": run,
        "day": today.isoformat(),
        "policy": {"version": policy.version, "hash": policy.digest.hex()} if policy else {},
        "quota": _quota(folder, told, run, today),
        "loses": {recipient: {"epsilon": shown(loss.epsilon), "rho": shown(loss.rho)} for recipient, loss in told.items()},
        "versions": dict(versions),
        "once": [one.name for one in compiled.study.releases if one.once and set(compiled.tables_of(one.name)) & set(versions)],
        "ledger": folder.ledger().head.hex(),
    }


def _quota(folder: PartyFolder, told: Mapping[str, Loss], run: str, today: datetime.date) -> list[dict[str, Any]]:
    policy = folder.policy()
    if policy is None or policy.quota is None:
        return []
    found = []
    for recipient, loss in told.items():
        before = together(one for _, one in told_before(folder.ledger(), recipient, policy.quota.days, today, but=run))
        for measure, most in bounds_of(policy.quota, loss).items():
            after = figure(together([before, loss]), measure)
            sizes = {"most": shown(most), "before": shown(figure(before, measure)), "after": shown(after)}
            found.append({"recipient": recipient, "measure": measure, "days": policy.quota.days, **sizes})
    return found


def digest(part: Mapping[str, Any]) -> bytes:
    """The hash of an owner's part: salted, so that nobody who has not the part can test a guess. 32 bytes."""
    return canonical.digest("owner's evidence", canonical.encode(dict(part)))


def read_owners_part(folder: PartyFolder, run: str, stated: str) -> dict[str, Any] | None:
    """What an owner kept, where it lies on this machine. Raises Refused where it is not what the owner's statement has the hash of."""
    path = folder.evidence(run)
    if not path.is_file():
        return None
    try:
        part: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        found = digest(part).hex()
    except (msgspec.MsgspecError, OurFault, TypeError, ValueError) as error:
        raise Refused("this is no evidence, or is damaged", where=str(path), do="restore it from your backup") from error
    if found != stated:
        raise Refused(
            "this is not what its owner looked at for this run", where=str(path), rule="the receipt holds its hash", do="restore it"
        )
    return part


# ---- checking


def require_sound(found: receipt.Receipt) -> None:
    """Return only if the losses that servers state follow from the laws of noise that they state. Raises Refused naming the release."""
    for name, one in found.statements[0].facts.get("evidence", {}).items():
        if "noise" in one and not _is_sound(one["noise"]):
            raise Refused(
                f"the noise of release {name} loses something else than is stated",
                rule="a loss follows from the scale that was drawn, and what one unit can change",
                do="ask the servers what they drew",
            )


def _is_sound(stated: Mapping[str, Any]) -> bool:
    try:
        laws, delta = [Law.read(one) for one in stated["columns"].values()], Fraction(stated["delta"])
        found = Loss(tuple(laws))
        return bool(stated["loses"] == found.told(delta) and stated["sentence"] == found.sentence(stated["hides"], delta))
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        return False
