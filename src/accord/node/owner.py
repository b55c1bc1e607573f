"""An owner's part of a run: check its data, take the local steps, and hand each server its sealed share.

Before anything is sealed the owner looks at its policy, which must allow the study, and at its ledger: a cell that was answered is not
answered again for the same data.
"""

from __future__ import annotations

import datetime
import functools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from accord.base import canonical
from accord.base.errors import Refused
from accord.data.commitment import commit, data_version
from accord.data.encode import LocalField
from accord.data.local import LocalColumns, LocalStep, OwnedTable, run_local_steps
from accord.data.publics import PublicTable
from accord.data.share_out import share_out
from accord.node.compiled import Compiled
from accord.node.earlier import keep_text
from accord.node.envelope import close
from accord.node.evidence import keep_owners_part
from accord.node.folder import PARTY_FILE, PartyFolder
from accord.node.history import SHARED, require_unanswered
from accord.node.policies import require_agreed, require_allowed, spend
from accord.plan.catalog import Catalog
from accord.plan.nodes import Field, Input, Public
from accord.study.consortium import Consortium
from accord.study.document import Study


@dataclass(frozen=True)
class Prepared:
    """One input on its way: its bytes for each server by party name, its commitment, and the opening that stays with the owner."""

    name: str
    envelopes: Mapping[str, bytes]
    commitment: bytes
    opening: bytes = field(repr=False)


def owned_tables(catalog: Catalog, folder: PartyFolder) -> dict[str, OwnedTable]:
    """The party's files with their declared schemas. Raises Refused where `party.toml` names no file for a table."""
    paths = folder.data()
    tables = {}
    for name, table in catalog.tables.items():
        if folder.name not in table.owners:
            continue
        if name not in paths:
            do = f'add {name} = "FILE" below [data]'
            raise Refused(f"{folder.name} has named no file for table {name}", where=str(folder.path / PARTY_FILE), do=do)
        place = table.owners.index(folder.name)
        constant = {table.owner_column: table.owner_values[place]} if table.owner_column else None
        tables[name] = OwnedTable(paths[name], table.schema, table.rows_max[place], constant)
    return tables


def data_versions(study: Study, folder: PartyFolder) -> dict[str, str]:
    """The version of the party's file for each table that it owns; only this party can tell what file it is."""
    salt = folder.keys().salt
    return {name: data_version(table.path, salt) for name, table in owned_tables(study.catalog, folder).items()}


def local_columns(compiled: Compiled, folder: PartyFolder, done: Callable[[str], None]) -> list[LocalColumns]:
    """The owner's plain results for each of its inputs; nothing leaves the machine yet.

    Raises BadData, or Refused where the owner's policy does not allow the study.
    """
    require_allowed(compiled, folder, datetime.date.today())
    tables = owned_tables(compiled.catalog, folder)
    publics = {name: public_table(node) for name, node in compiled.catalog.publics.items()}
    results = []
    for columns in run_local_steps(map(local_step, compiled.inputs_of(folder.name)), tables, publics):
        results.append(columns)
        done(columns.name)
    return results


def prepare(compiled: Compiled, consortium: Consortium, folder: PartyFolder, run: str, done: Callable[[str], None]) -> list[Prepared]:
    """Check, compute, commit and seal; the owner's ledger then says which cells are answered and what was shared.

    The openings of the commitments stay in the owner's folder. Raises BadData or Refused before anything is sealed; the owner's policy is
    asked first, so that what it does not allow leaves no trace in the ledger.
    """
    keys, today = folder.keys(), datetime.date.today()
    require_agreed(compiled, compiled.agreement(consortium), folder, today)
    columns = local_columns(compiled, folder, done)
    versions = data_versions(compiled.study, folder)
    require_unanswered(folder, compiled, versions, run)
    spend(compiled, folder, run, today)
    encryption = [consortium.keys_of(place.party).encryption for place in consortium.servers]
    prepared = []
    for one in columns:
        commitment, opening = commit(one)
        sealed = share_out(one, encryption, package_context(compiled, one.name, run))
        envelopes = {
            place.party: close(keys, one.name, run, place.party, commitment, body)
            for place, body in zip(consortium.servers, sealed, strict=True)
        }
        prepared.append(Prepared(one.name, envelopes, commitment, opening))
    _keep_openings(folder, run, prepared)
    keep_text(folder, compiled.study)
    commitments = {one.name: one.commitment.hex() for one in prepared}
    shared = {"run": run, "study": compiled.study.digest.hex(), "role": "owner", "versions": versions, "inputs": commitments}
    folder.ledger().append(SHARED, shared)
    keep_owners_part(compiled, compiled.agreement(consortium).document(), folder, run, versions, commitments)
    return prepared


def _keep_openings(folder: PartyFolder, run: str, prepared: Iterable[Prepared]) -> None:
    path = folder.openings(run)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(canonical.encode({one.name: one.opening.hex() for one in prepared}) + b"\n")


def local_step(node: Input) -> LocalStep:
    """The data room's form of an input leaf."""
    return LocalStep(node.name, node.sql, node.keys, node.slots, tuple(local_field(one) for one in node.fields))


@functools.cache
def public_table(node: Public) -> PublicTable:
    """The data room's form of a public table."""
    return PublicTable(tuple(local_field(one) for one in node.columns), node.rows)


def local_field(field: Field) -> LocalField:
    kind = field.type
    return LocalField(field.name, kind.kind, kind.low, kind.high, kind.scale, kind.values, kind.nullable, kind.bytes_max)


def package_context(compiled: Compiled, name: str, run: str) -> bytes:
    """What an input package is bound to: the plan, the run, the input."""
    return b"\0".join([compiled.plan_digest, run.encode(), name.encode()])


def write_envelopes(prepared: Iterable[Prepared], inbox: Callable[[str], Path]) -> None:
    """Put each envelope into its server's inbox."""
    for one in prepared:
        for server, body in one.envelopes.items():
            folder = inbox(server)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{one.name}.input").write_bytes(body)
