"""The consortium: who takes part, their public keys, and which three of them compute, where.

`consortium.toml` stands beside the study; its hash is part of what every party signs with the study.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accord.base import canonical
from accord.base.errors import Refused
from accord.base.limits import PARTIES_MAX, SERVERS
from accord.base.names import party_name
from accord.study.fields import Fields, read_toml
from accord.study.keys import PublicKeys

FILE = "consortium.toml"


@dataclass(frozen=True)
class ServerPlace:
    """Where a computing server listens (`host:port`), and the SHA-256 fingerprint of its TLS certificate (32 bytes)."""

    party: str
    address: str
    certificate: bytes


@dataclass(frozen=True)
class Consortium:
    """Parties by name, and the three servers in their order around the ring."""

    parties: dict[str, PublicKeys]
    servers: tuple[ServerPlace, ...]

    def __post_init__(self) -> None:
        if len(self.servers) != SERVERS or len({one.party for one in self.servers}) != SERVERS:
            raise Refused(
                f"{len(self.servers)} servers by {len({one.party for one in self.servers})} parties",
                rule="three servers, run by three organisations",
                do="name a third party that only computes, if there are two",
            )
        if len(self.parties) > PARTIES_MAX:
            raise Refused(f"{len(self.parties)} parties", rule=f"at most {PARTIES_MAX}")
        for place in self.servers:
            self.keys_of(place.party)
        self._require_own_keys()

    def keys_of(self, party: str) -> PublicKeys:
        """Raises Refused for a stranger."""
        if party not in self.parties:
            raise Refused(f"{party} is no party of this consortium", do=f"its parties are {', '.join(sorted(self.parties))}")
        return self.parties[party]

    def _require_own_keys(self) -> None:
        seen: dict[bytes, str] = {}
        for name, keys in self.parties.items():
            for key in (keys.signing, keys.encryption):
                if key in seen:
                    raise Refused(f"{seen[key]} and {name} have the same key", rule="one key counts once", do="make a key for each party")
                seen[key] = name

    def document(self) -> dict[str, Any]:
        """The plain form that is hashed."""
        return {
            "parties": {name: {"signing": keys.signing.hex(), "encryption": keys.encryption.hex()} for name, keys in self.parties.items()},
            "servers": [{"party": one.party, "address": one.address, "certificate": one.certificate.hex()} for one in self.servers],
        }

    def digest(self) -> bytes:
        return canonical.digest("consortium", canonical.encode(self.document()))


def read(folder: Path) -> Consortium:
    """The consortium beside a study. Raises Refused where the file is missing or wrong."""
    path = folder / FILE
    if not path.exists():
        raise Refused("this study has no consortium yet", where=str(path), do="make each party's keys with: accord keys")
    fields = Fields(read_toml(path), FILE)
    parties: dict[str, PublicKeys] = {}
    for one in fields.tables("parties"):
        name = party_name(one.take("name", str))
        if name in parties:
            raise Refused(f"{name} stands here twice", where=one.where, rule="one party, one entry")
        parties[name] = PublicKeys(_hex(one, "signing"), _hex(one, "encryption"))
        one.done()
    servers = []
    for one in fields.tables("servers"):
        servers.append(ServerPlace(one.take("party", str), one.take("address", str), _hex(one, "certificate")))
        one.done()
    fields.done()
    return Consortium(parties, tuple(servers))


def write(consortium: Consortium, folder: Path) -> Path:
    """Write `consortium.toml`, ordered by name."""
    lines = ["# Who takes part: public keys and places. Every party signs this file's hash together with the study.", ""]
    for name, keys in sorted(consortium.parties.items()):
        lines += ["[[parties]]", f'name = "{name}"', f'signing = "{keys.signing.hex()}"', f'encryption = "{keys.encryption.hex()}"', ""]
    for one in consortium.servers:
        lines += ["[[servers]]", f'party = "{one.party}"', f'address = "{one.address}"', f'certificate = "{one.certificate.hex()}"', ""]
    path = folder / FILE
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _hex(fields: Fields, name: str) -> bytes:
    text = fields.take(name, str)
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 32:
        raise Refused(f"{name} is no key or fingerprint", where=fields.where, rule="32 bytes as 64 hexadecimal digits")
    return value
