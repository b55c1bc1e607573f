"""Approvals: what a party's signature covers, and when a study counts as signed.

A signature covers the study, the consortium, the compiled plan and the explanation that the signer was shown; an owner's covers its own
policy too, where it has one. Verification raises, counts keys and not signatures, and names who is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from accord.base import canonical
from accord.base.errors import Refused
from accord.base.limits import PROTOCOL_VERSION
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
class PolicyMark:
    """Under which policy of its own an owner signs: its version, and the hashes (32 bytes each) of it and of what was told of it."""

    version: int
    policy: bytes
    told: bytes

    def document(self) -> dict[str, str]:
        return {"policy_version": str(self.version), "policy": self.policy.hex(), "policy_told": self.told.hex()}

    @staticmethod
    def read(document: Mapping[str, str]) -> PolicyMark | None:
        """None where there is none. Raises KeyError or ValueError where it is damaged."""
        if not {"policy_version", "policy", "policy_told"} & set(document):
            return None
        return PolicyMark(int(document["policy_version"]), bytes.fromhex(document["policy"]), bytes.fromhex(document["policy_told"]))


@dataclass(frozen=True)
class Approval:
    """One party's signature (64 bytes) over an agreement, and over the mark of its own policy where it has one."""

    party: str
    signature: bytes
    policy: PolicyMark | None = None

    def message(self, agreement: Agreement) -> bytes:
        """What this party signed, if it signed that agreement."""
        return _message(agreement, self.policy)

    def document(self) -> dict[str, str]:
        mark = self.policy.document() if self.policy else {}
        return {"party": self.party, "protocol": str(PROTOCOL_VERSION), "signature": self.signature.hex(), **mark}

    @staticmethod
    def read(document: Mapping[str, str]) -> Approval:
        """Raises Refused where it was signed under another protocol version, KeyError or ValueError where it is no approval."""
        party, protocol = document["party"], document["protocol"]
        if protocol != str(PROTOCOL_VERSION):
            raise Refused(
                f"the approval of {party} is of protocol version {protocol}, we run {PROTOCOL_VERSION}",
                rule="all parties run the same",
                do="install the same release everywhere, then sign anew",
            )
        return Approval(party, bytes.fromhex(document["signature"]), PolicyMark.read(document))


def _message(agreement: Agreement, policy: PolicyMark | None) -> bytes:
    if policy is None:
        return agreement.message()
    return canonical.digest("approval under policy", agreement.message(), str(policy.version).encode(), policy.policy, policy.told)


def approve(keys: PartyKeys, agreement: Agreement, policy: PolicyMark | None = None) -> Approval:
    return Approval(keys.party, keys.sign(_message(agreement, policy)), policy)


def missing(agreement: Agreement, approvals: Iterable[Approval], required: Mapping[str, PublicKeys]) -> list[str]:
    """The required parties whose own key has not signed exactly this agreement, by name."""
    known = [one for one in approvals if one.party in required]
    good = {one.party for one in known if is_signed(required[one.party].signing, one.message(agreement), one.signature)}
    return sorted(set(required) - good)


def require_approved(agreement: Agreement, approvals: Iterable[Approval], required: Mapping[str, PublicKeys]) -> None:
    """Return only if every required party's own key signed exactly these hashes.

    Raises Refused naming who has not signed, and who signed something else or with another key.
    """
    given = list(approvals)
    absent = missing(agreement, given, required)
    if not absent:
        return
    _require_own_keys(agreement, [one for one in given if one.party in absent], required)
    stale = [name for name in absent if any(one.party == name for one in given)]
    if stale:
        raise Refused(
            f"the approval of {', '.join(stale)} is not for this study as it stands",
            rule="a signature covers study, consortium, plan and explanation, by the party's own key",
            do="whoever changed it must offer it again; each party then reads and signs anew",
        )
    raise Refused(f"not signed by {', '.join(absent)}", rule="every owner and every server signs", do="sign with: accord sign")


def _require_own_keys(agreement: Agreement, approvals: Iterable[Approval], required: Mapping[str, PublicKeys]) -> None:
    for one in approvals:
        for other, keys in required.items():
            if is_signed(keys.signing, one.message(agreement), one.signature):
                raise Refused(
                    f"the approval of {one.party} is signed with the key of {other}",
                    rule="one key counts once",
                    do=f"let {one.party} sign with its own key",
                )
