"""Approvals: what a party's signature covers, and when a study counts as signed.

A signature covers the study, the consortium, the compiled plan and the explanation that the signer was shown. Verification
raises, counts keys and not signatures, and names who is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from accord.base import canonical
from accord.base.errors import Refused
from accord.study.keys import PartyKeys, PublicKeys, is_signed


@dataclass(frozen=True)
class Agreement:
    """The four hashes that a signature covers, 32 bytes each."""

    study: bytes
    consortium: bytes
    plan: bytes
    explanation: bytes

    def message(self) -> bytes:
        """What is signed."""
        return canonical.digest("approval", self.study, self.consortium, self.plan, self.explanation)

    def document(self) -> dict[str, str]:
        return {
            "study": self.study.hex(),
            "consortium": self.consortium.hex(),
            "plan": self.plan.hex(),
            "explanation": self.explanation.hex(),
        }


@dataclass(frozen=True)
class Approval:
    """One party's signature (64 bytes) over an agreement."""

    party: str
    signature: bytes

    def document(self) -> dict[str, str]:
        return {"party": self.party, "signature": self.signature.hex()}


def approve(keys: PartyKeys, agreement: Agreement) -> Approval:
    return Approval(keys.party, keys.sign(agreement.message()))


def missing(agreement: Agreement, approvals: Iterable[Approval], required: Mapping[str, PublicKeys]) -> list[str]:
    """The required parties whose own key has not signed exactly this agreement, by name."""
    message = agreement.message()
    good = {one.party for one in approvals if one.party in required and is_signed(required[one.party].signing, message, one.signature)}
    return sorted(set(required) - good)


def require_approved(agreement: Agreement, approvals: Iterable[Approval], required: Mapping[str, PublicKeys]) -> None:
    """Return only if every required party's own key signed exactly these hashes.

    Raises Refused naming who has not signed, and who signed something else or with another key.
    """
    given = list(approvals)
    absent = missing(agreement, given, required)
    if not absent:
        return
    stale = [name for name in absent if any(one.party == name for one in given)]
    if stale:
        raise Refused(
            f"the approval of {', '.join(stale)} is not for this study as it stands",
            rule="a signature covers study, consortium, plan and explanation, by the party's own key",
            do="whoever changed it must offer it again; each party then reads and signs anew",
        )
    raise Refused(f"not signed by {', '.join(absent)}", rule="every owner and every server signs", do="sign with: accord sign")
