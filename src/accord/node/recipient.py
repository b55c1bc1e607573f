"""A recipient's part: decrypt the three servers' parts, put them together, and hold them against the receipt."""

from __future__ import annotations

from accord.base.errors import Refused
from accord.node.compiled import Compiled
from accord.node.folder import StudyFolder
from accord.release.seal import ReleasedTable, open_sealed, require_committed
from accord.study import receipt
from accord.study.keys import PartyKeys

SEALED = "sealed"
RECEIPT = "receipt.json"
EXPLANATION = "explanation.txt"
"""What everybody was shown before signing, kept beside the receipt."""


def open_run(
    compiled: Compiled, folder: StudyFolder, run_id: str, recipient: str, keys: PartyKeys, only: str = ""
) -> dict[str, ReleasedTable]:
    """What a run released to a recipient, by release, in the study's order; `only`: of one release, whatever became of the others.

    Raises Refused where a fault was found in one, nothing was released to it, the key is another's, or a part is not the one in the
    receipt.
    """
    place = folder.run(run_id)
    if not (place / RECEIPT).is_file():
        raise Refused("no such run, or it released nothing", where=str(place))
    statements = receipt.read(place / RECEIPT).statements
    servers = compiled.study.servers
    by_server = {servers.index(one.server): one.facts["releases"] for one in statements}
    tables = {}
    for release in (one for one in compiled.study.releases if only in ("", one.name)):
        paths = [place / SEALED / server / recipient / f"{release.name}.sealed" for server in servers]
        if not all(path.is_file() for path in paths):
            continue
        table = open_sealed([path.read_bytes() for path in paths], keys.encryption, compiled.study.digest.hex(), run_id)
        name = f"{release.name} for {recipient}"
        require_committed(table, {server: bytes.fromhex(facts.get(name, "")) for server, facts in by_server.items()})
        tables[release.name] = table
    if not tables:
        raise Refused(
            f"this run released {f'no {only}' if only else 'nothing'} to {recipient}",
            where=str(place),
            do=f"recipients are {', '.join(compiled.study.recipients)}",
        )
    return tables
