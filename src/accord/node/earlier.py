"""Comparing a run with what its owners answered before for the same data: the list that all agree on, and the checks that follow from it.

Each owner keeps the text of every study that it shared data for, and states, signed and for this run, which of them it answered with the
versions of its tables that it has now. Owners and servers then make the same checks of the same list. Nobody is told any data: a study's
text says what was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import msgspec

from accord.base import canonical
from accord.base.errors import OurFault, Refused
from accord.base.limits import EARLIER_RELEASES_MAX, STOPPED_MAX
from accord.node.comparable import Told
from accord.node.compiled import Compiled, questions
from accord.node.folder import PartyFolder
from accord.node.history import SHARED, STOPPED, WITHDRAWN
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.facts import tables_of
from accord.plan.masks import Grouping
from accord.plan.nodes import Node, Public, Scan
from accord.plan.overlap import CLOSE, any_of, close, crowded
from accord.plan.rewrite import bottom_up
from accord.release.overlap import COMPARED, HISTORY, Check, watch
from accord.release.rules import read_rules
from accord.release.seal import open_sealed
from accord.study import document
from accord.study.document import Study
from accord.study.history import History
from accord.study.keys import PublicKeys, is_signed
from accord.study.ledger import Ledger

AGAIN = "let the owner state it again"


@dataclass(frozen=True)
class Answered:
    """An earlier study, and which of its tables are which of this study's: the same files, unchanged."""

    study: Study
    tables: Mapping[str, str]


# ---- what an owner states


def keep_text(owner: PartyFolder, study: Study) -> None:
    """Keep a study's text in the owner's folder, for comparing later ones with it."""
    path = owner.answered(study.digest.hex())
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(study.encoded + b"\n")


def state(owner: PartyFolder, compiled: Compiled, run: str, versions: Mapping[str, str]) -> bytes:
    """The owner's signed statement, for one run of a study, of what it answered with the data that it has now.

    Raises Refused where a text is missing, or so many runs over these data were stopped that the owner tells no more.
    """
    ledger, study = owner.ledger(), compiled.study.digest.hex()
    _require_patience(owner, ledger, versions)
    answered = []
    for earlier, tables in sorted(_earlier(ledger, versions, study).items()):
        answered.append({"study": _text(owner, earlier).content, "tables": tables})
    facts = {"owner": owner.name, "run": run, "study": study, "answered": answered}
    signature = owner.keys().sign(_message(facts))
    return canonical.encode({"facts": facts, "signature": signature.hex()})


def _earlier(ledger: Ledger, versions: Mapping[str, str], study: str) -> dict[str, dict[str, str]]:
    """Other studies that released something of these versions: of each, which of its tables are which of these."""
    silent = {entry.facts["run"] for event in (WITHDRAWN, STOPPED) for entry in ledger.find(event)}
    names = {version: table for table, version in versions.items()}
    found: dict[str, dict[str, str]] = {}
    for entry in ledger.find(SHARED):
        before = entry.facts.get("versions", {})
        tables = {table: names[version] for table, version in before.items() if version in names}
        if tables and entry.facts["run"] not in silent and entry.facts["study"] != study:
            found.setdefault(entry.facts["study"], {}).update(tables)
    return found


def _text(owner: PartyFolder, study: str) -> Study:
    path = owner.answered(study)
    try:
        found = document.parse(canonical.decode(path.read_bytes().strip()))
    except (OSError, OurFault) as error:
        rule, do = "what was answered is compared with what is asked", "restore the file from your backup"
        raise Refused("the text of a study that was answered is missing or damaged", where=str(path), rule=rule, do=do) from error
    if found.digest.hex() != study:
        raise Refused("this is not the text of the study that was answered", where=str(path), do="restore the file from your backup")
    return found


def _require_patience(owner: PartyFolder, ledger: Ledger, versions: Mapping[str, str]) -> None:
    policy = owner.policy()
    most = policy.history.stopped_max if policy is not None and policy.history is not None else STOPPED_MAX
    before = [one for one in ledger.find(STOPPED) if set(one.facts["versions"].values()) & set(versions.values())]
    if len(before) >= most:
        raise Refused(
            f"{len(before)} runs over these data were stopped for being too close to earlier ones",
            where=f"the ledger of {owner.name}",
            rule=f"each such stop tells a little; after {most} the owner answers no more for one version of its data",
            do="ask of a new version of the data, or let the owner raise stopped_max in its policy",
        )


def read_statement(encoded: bytes, owner: str, run: str, study: Study, keys: PublicKeys) -> list[Answered]:
    """What an owner answered, from its statement for this run. Raises Refused where it is not its own, or for something else."""
    where = f"the statement of {owner} on what it answered"
    try:
        document_ = msgspec.json.decode(encoded)
        facts, signature = document_["facts"], bytes.fromhex(document_["signature"])
        is_due = (facts["owner"], facts["run"], facts["study"]) == (owner, run, study.digest.hex())
        if not is_due or not is_signed(keys.signing, _message(facts), signature):
            raise Refused("it is not signed by its owner, or is for another run or study", where=where, do=AGAIN)
        return [Answered(document.parse(one["study"]), dict(one["tables"])) for one in facts["answered"]]
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError, OurFault) as error:
        raise Refused("it is damaged", where=where, do=AGAIN) from error


def _message(facts: dict[str, Any]) -> bytes:
    return canonical.digest("answered before", canonical.encode(facts))


# ---- the checks


def with_history(compiled: Compiled, answered: Iterable[Answered] = ()) -> Compiled:
    """The study with the checks that compare its releases with each other and with earlier ones; itself where it asks for none.

    Raises Refused where an earlier release cannot be compared: then it cannot be told that nothing is disclosed.
    """
    history = compiled.study.history
    if history is None:
        return compiled
    earlier = _agreed(answered)
    catalog = compiled.study.catalog
    releases: list[tuple[Study, Told]] = []
    for one in earlier:
        catalog, found = _over(one, catalog)
        releases += [(one.study, told) for told in found]
    if len(releases) > EARLIER_RELEASES_MAX:
        raise Refused(
            f"{len(releases)} earlier releases are of the same data",
            rule=f"a release is compared with at most {EARLIER_RELEASES_MAX}",
            do="ask of a new version of the data, or put what you still need into one study",
        )
    mine = [Told(branch.spec.name, branch.asked, branch.spec.rules) for branch in compiled.branches if not branch.text.noise]
    checks = [*_units(history, catalog), *_own(history, mine, catalog)]
    for study, told in releases:
        what = f"the answer is too close to release {told.release} of study {study.name} ({study.digest.hex()[:8]})"
        checks += _check(what, history, [(told, one) for one in mine], catalog)
    if not checks:
        return compiled
    owners = tuple(dict.fromkeys(owner for name in history.tables for owner in catalog.tables[name].owners))
    return replace(compiled, watch=watch(checks, owners, catalog), compared=catalog)


def _agreed(answered: Iterable[Answered]) -> list[Answered]:
    """What all owners state, each study once, in an order that all find."""
    found: dict[bytes, Answered] = {}
    for one in answered:
        before = found.setdefault(one.study.digest, one)
        if any(before.tables.get(name, table) != table for name, table in one.tables.items()):
            raise Refused(f"owners disagree on which tables study {one.study.name} was about", do="let them compare their ledgers")
        found[one.study.digest] = Answered(before.study, {**before.tables, **one.tables})
    return [found[digest] for digest in sorted(found)]


def _units(history: History, catalog: Catalog) -> Iterator[Check]:
    for table, unit in history.tables.items():
        if unit.columns and (node := crowded(table, unit.columns, unit.rows_max, catalog)):
            yield Check(f"a {' and '.join(unit.columns)} has more than the {unit.rows_max} rows of {table} that the study declares", node)


def _own(history: History, mine: list[Told], catalog: Catalog) -> Iterator[Check]:
    """The releases of the study itself. Inside one, groups of the same rows by other keys are margins: its rules look after those."""
    by_name: dict[str, list[Told]] = {}
    for one in mine:
        by_name.setdefault(one.release, []).append(one)
        pairs = [(table, pair) for table in one.tables(history) for pair in combinations(one.groupings(table), 2)]
        apart = [(table, *pair) for table, pair in pairs if pair[0].node.input != pair[1].node.input]
        yield from _closeness(f"parts of release {one.release} are too close", history, apart, catalog)
    for (first, left), (second, right) in combinations(by_name.items(), 2):
        yield from _check(f"releases {first} and {second} of this study are too close", history, list(product(left, right)), catalog)


def _check(what: str, history: History, pairs: list[tuple[Told, Told]], catalog: Catalog) -> Iterator[Check]:
    met = [
        (table, one, other)
        for first, second in pairs
        for table in first.tables(history)
        for one, other in product(first.groupings(table), second.groupings(table))
    ]
    return _closeness(what, history, met, catalog)


def _closeness(what: str, history: History, met: list[tuple[str, Grouping, Grouping]], catalog: Catalog) -> Iterator[Check]:
    nodes = [close(one, other, history.rows_min(table), catalog) for table, one, other in met]
    units = dict.fromkeys(history.tables[table].sentence(table, history.difference_min) for table, _, _ in met)
    if nodes:
        yield Check(f"{what}: groups of theirs differ by fewer than {' or '.join(units)}", any_of(nodes))


# ---- an earlier study over the tables as they are named now


def _over(answered: Answered, catalog: Catalog) -> tuple[Catalog, list[Told]]:
    """What an earlier study released under rules, over this catalog's tables, and the catalog with the columns that it reads besides."""
    before, found = answered.study, []
    names = {**{name: name for name in before.catalog.tables}, **answered.tables}
    for text, asked in questions(before):
        read = tables_of(asked)
        if text.noise or not set(read) & set(answered.tables):
            continue
        for name in read:
            catalog = _joined(before, name, names[name], catalog)
        asked, catalog = _renamed(asked, names, catalog)
        found.append(Told(text.name, asked, read_rules(text.rules)))
    return catalog, found


def _joined(before: Study, name: str, table: str, catalog: Catalog) -> Catalog:
    """The catalog with the columns of an earlier study's table. Raises Refused where the two do not fit."""
    theirs, ours = before.catalog.tables[name], catalog.tables.get(table)
    place = f"release of study {before.name} ({before.digest.hex()[:8]})"
    rule = "a release is compared with all earlier ones of the same data"
    if ours is None:
        do = f"declare table {table} in this study too, or ask of a new version of the data"
        raise Refused(f"it read {table}, which this study does not declare", where=place, rule=rule, do=do)
    if set(theirs.owners) != set(ours.owners):
        raise Refused(
            f"it read {table} of {', '.join(theirs.owners)}, and this study has it of {', '.join(ours.owners)}",
            where=place,
            rule=rule,
            do="ask of the same owners, or of a new version of the data",
        )
    columns = {one.name: one for one in ours.schema.columns}
    for one in theirs.schema.columns:
        if columns.setdefault(one.name, one) != one:
            raise Refused(
                f"it declared {table}.{one.name} otherwise than this study",
                where=place,
                rule=rule,
                do="declare it as it was declared before",
            )
    info: TableInfo = replace(ours, schema=replace(ours.schema, columns=tuple(columns.values())))
    return Catalog({**catalog.tables, table: info}, catalog.publics)


def _renamed(asked: Node, names: Mapping[str, str], catalog: Catalog) -> tuple[Node, Catalog]:
    """The question over this study's names; its public tables go by their content where this study has others of their names."""
    publics = dict(catalog.publics)

    def step(one: Node) -> Node:
        if isinstance(one, Scan):
            return replace(one, table=names[one.table])
        if isinstance(one, Public) and one != publics.get(one.name):
            one = replace(one, name=f"{one.name[:40]}_{canonical.digest('public', repr(one).encode()).hex()[:8]}")
            publics[one.name] = one
        return one

    return bottom_up(asked, step), Catalog(catalog.tables, publics)


# ---- what came of it


def count_stops(owner: PartyFolder, study: Study, run: str, sealed: Sequence[Path]) -> None:
    """Open what the three servers' checks found, from their folders for this owner, and write down whether they stopped the run: its
    recipients were told, and such a run answered nothing. Nothing where there were no checks, or it is written already."""
    paths = [folder / f"{HISTORY}.sealed" for folder in sealed]
    ledger = owner.ledger()
    if ledger.find(STOPPED, run=run) or not all(path.is_file() for path in paths):
        return
    table = open_sealed([path.read_bytes() for path in paths], owner.keys().encryption, study.digest.hex(), run)
    reasons = [row[COMPARED] for row in table.rows() if row[CLOSE]]
    shared = ledger.find(SHARED, run=run)
    if reasons and shared:
        facts = {"run": run, "study": study.digest.hex(), "versions": shared[0].facts["versions"], "reasons": reasons}
        ledger.append(STOPPED, facts)


def stops_of(owners: Iterable[PartyFolder], run: str) -> tuple[str, ...]:
    """What stopped a run, as these owners' ledgers have it."""
    entries = (entry for owner in owners for entry in owner.ledger().find(STOPPED, run=run))
    return tuple(dict.fromkeys(reason for entry in entries for reason in entry.facts["reasons"]))
