"""Making keys: each party's own, the servers' TLS certificates, and from their public halves the consortium."""

from __future__ import annotations

from collections.abc import Iterable

from accord.base.errors import Refused
from accord.node.folder import PartyFolder, StudyFolder
from accord.study import consortium, keys
from accord.study.consortium import Consortium, ServerPlace
from accord.study.document import Study
from accord.wire.tls import Identity, make_identity

FIRST_PORT = 9101


def make_keys(folder: StudyFolder, parties: Iterable[str] | None = None) -> Consortium:
    """Make the keys that are missing for these parties (default: all that have none yet), then write `consortium.toml`.

    A party that the consortium has and whose keys are not here made them elsewhere: it keeps them. Raises Refused where such a party is
    named, and where a party that the study names has no public keys yet.
    """
    study = folder.study()
    known = folder.consortium() if (folder.path / consortium.FILE).exists() else None
    elsewhere = {name for name in (known.parties if known else ()) if not _has_keys(folder.party(name))}
    for name in study.parties if parties is None else parties:
        if name not in study.parties:
            raise Refused(f"{name} is no party of this study", do=f"it names {', '.join(study.parties)}")
        if name not in elsewhere:
            _make(folder.party(name), serves=name in study.servers)
        elif parties is not None:
            raise Refused(
                f"{name} has keys already, on another machine",
                where=str(folder.path / consortium.FILE),
                do=f"let {name} sign there; to replace its keys, take its entry out of this file first",
            )
    made = _gather(folder, study, known)
    consortium.write(made, folder.path)
    return made


def identity(party: PartyFolder) -> Identity:
    """A server's certificate and TLS key in its own folder."""
    return Identity(party.path / "tls.pem", party.path / "tls.private.pem")


def _has_keys(party: PartyFolder) -> bool:
    return (party.path / keys.PRIVATE_FILE).exists()


def _make(party: PartyFolder, *, serves: bool) -> None:
    party.make()
    if not _has_keys(party):
        keys.save(keys.generate(party.name), party.path)
    if serves and not identity(party).key_file.exists():
        make_identity(party.name, party.path)


def _gather(folder: StudyFolder, study: Study, known: Consortium | None) -> Consortium:
    public = {}
    for name in study.parties:
        if _has_keys(folder.party(name)):
            public[name] = folder.party(name).keys().public
        elif known is not None and name in known.parties:
            public[name] = known.keys_of(name)
        else:
            raise Refused(f"{name} has made no keys yet", do=f"run: accord keys STUDY {name}, on its machine, and merge the public keys")
    places = tuple(_place(folder.party(name), known, FIRST_PORT + at) for at, name in enumerate(study.servers))
    return Consortium(public, places)


def _place(party: PartyFolder, known: Consortium | None, port: int) -> ServerPlace:
    """Where a server is: as the consortium has it, else on this machine; its certificate is its own, where that is here."""
    before = next((place for place in known.servers if place.party == party.name), None) if known else None
    own = identity(party)
    if own.certificate_file.exists():
        return ServerPlace(party.name, before.address if before else f"127.0.0.1:{port}", own.fingerprint)
    if before is None:
        raise Refused(f"{party.name} has made no certificate yet", do=f"run: accord keys STUDY {party.name}, on its machine")
    return before
