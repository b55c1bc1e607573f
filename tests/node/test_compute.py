"""What the three servers do together, in one process: copies of inputs are compared, and nobody is done before all are."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from dataclasses import replace
from types import coroutine
from typing import Any

import pytest

from accord.base.errors import OurFault, Refused
from accord.data.problems import BadData
from accord.data.share_out import deal_columns
from accord.node import owner
from accord.node.program import Finished, compute
from accord.node.session import open_study
from accord.study import keys
from accord.testing.world import World
from accord.wire.local import run_local
from tests.node.conftest import OWNERS

RUN = "run-1"


@pytest.fixture(scope="module")
def ready(original):
    """The compiled study, and each input's three packages."""
    session = open_study(original)
    compiled = session.compiled
    packages = {
        columns.name: deal_columns(columns, owner.package_context(compiled, columns.name, RUN))
        for name in OWNERS
        for columns in owner.local_columns(compiled, session.folder.party(name), lambda _: None)
    }
    return compiled, {one.name: packages[one.name] for one in compiled.inputs}


def protocols(compiled, packages, run=RUN):
    encryption = {name: keys.generate(name).public.encryption for name in compiled.study.recipients}
    parties = World(5, compiled.profile).parties()
    return [compute(me, compiled, encryption, {name: dealt[me.index] for name, dealt in packages.items()}, run) for me in parties]


def test_every_server_seals_a_part_for_every_recipient(ready):
    compiled, packages = ready
    sealed = [set(one.sealed) for one in run_local(protocols(compiled, packages)).results]
    expected = {("north", "means"), ("office", "means"), ("north", "high"), ("south", "high"), ("north", "own"), ("south", "own")}
    assert sealed == [expected] * 3


def test_a_run_compares_the_copies_of_every_input(ready):
    """One bit of the last input differs between two servers: nothing is computed."""
    compiled, packages = ready
    name = list(packages)[-1]
    first, second, third = packages[name]
    damaged = replace(third, explicit=third.explicit[:-1] + bytes([third.explicit[-1] ^ 1]))
    with pytest.raises(Refused, match=f"input {name}: two servers hold different copies of this input"):
        run_local(protocols(compiled, {**packages, name: (first, second, damaged)}))


def test_packages_belong_to_their_run(ready):
    """What streams and seals are bound to tells inputs and runs apart."""
    compiled, _ = ready
    assert owner.package_context(compiled, "a", "run-1") != owner.package_context(compiled, "a", "run-2")
    assert owner.package_context(compiled, "a", "run-1") != owner.package_context(compiled, "b", "run-1")


def test_an_owner_shares_no_rows_of_another_owner(study):
    """North's file with a row of south's: the study says whose rows are whose."""
    (study / "north.csv").write_text((study / "north.csv").read_text() + "south,care,2000.00\n")
    session = open_study(study)
    with pytest.raises(BadData, match="every row of this owner holds 'north'"):
        owner.local_columns(session.compiled, session.folder.party("north"), lambda _: None)


def test_what_opens_a_commitment_is_for_its_owner_alone(study):
    session = open_study(study)
    north = session.folder.party("north")
    prepared = owner.prepare(session.compiled, session.folder.consortium(), north, RUN, lambda _: None)
    path = north.openings(RUN)
    assert path.stat().st_mode & 0o777 == 0o600 and prepared[0].opening.hex() in path.read_text()
    assert prepared[0].opening.hex() not in repr(prepared[0])


@coroutine
def until(path: str, protocol: Coroutine[Any, Any, Finished]) -> Generator[Any, Any, None]:
    """The protocol up to the exchange at a path, before it says anything there; to its end where it has none."""
    heard: Any = None
    while True:
        try:
            request = protocol.send(heard)
        except StopIteration:
            return
        if request.sends and request.sends[0].path.startswith(path):
            protocol.close()
            return
        heard = yield request


def test_nobody_has_a_result_before_all_have(ready):
    """Server 2 goes away after its last step, with its parts sealed: the others do not end."""
    compiled, packages = ready
    first, second, third = protocols(compiled, packages)
    with pytest.raises(OurFault, match=r"all parties wait: server 0 for .*all done@0 of server 2"):
        run_local([first, second, until("all done", third)])
