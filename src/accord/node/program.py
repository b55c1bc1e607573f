"""What the three servers do together between inputs and sealed results, as one coroutine without I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

import accord
from accord.base.limits import SERVERS
from accord.mpc.compose import together
from accord.mpc.cost import FREE, Cost, cost_of
from accord.mpc.package import Package, check_replicas, expand
from accord.mpc.party import Party
from accord.node.compiled import Compiled
from accord.node.evidence import of_releases
from accord.node.owner import package_context
from accord.plan.secure_table import SecureTable, from_input, input_parts
from accord.release.bounds import error_bounds
from accord.release.gate import run
from accord.release.seal import Binding, Sealed, seal
from accord.study.approval import Agreement
from accord.study.receipt import VERSION as RECEIPT_VERSION
from accord.wire.traffic import Traffic

PACKAGES = ("numpy", "numba", "cryptography", "duckdb", "sqlglot")
"""Whose versions stand in the receipt."""


@dataclass(frozen=True)
class Finished:
    """One server's results: a sealed part for each (recipient, release)."""

    sealed: Mapping[tuple[str, str], Sealed]


def _forget(finished: Finished) -> None:
    """For rehearsals, which release nothing."""


async def compute(
    me: Party,
    compiled: Compiled,
    encryption: Mapping[str, bytes],
    packages: Mapping[str, Package],
    run_id: str,
    keep: Callable[[Finished], None] = _forget,
) -> Finished:
    """Compare the inputs' replicas, run all plans, judge, re-randomise and seal to each recipient's key (raw X25519, by party).

    `keep` is called with the results, to commit to them; then comes a round in which every server hears that the others have done so:
    none releases alone, or what it could not send again.
    """
    contexts = {name: package_context(compiled, name, run_id) for name in packages}
    nodes = {node.name: node for node in compiled.inputs}
    checks = (
        check_replicas(me.step(f"replicas.{at}"), package, input_parts(nodes[name]), contexts[name], name)
        for at, (name, package) in enumerate(packages.items())
    )
    await together(*checks)
    tables: dict[str, SecureTable] = {
        name: from_input(nodes[name], expand(package, input_parts(nodes[name]), contexts[name])) for name, package in packages.items()
    }
    released = await run(me.step("run"), compiled.specs, tables)
    sealed = {}
    for parts in released:
        for party, part in parts.items():
            binding = Binding(compiled.study.digest.hex(), run_id, part.release, party, me.index)
            sealed[party, part.release] = seal(part, binding, encryption[party])
    finished, done = Finished(sealed), np.ones(1, np.uint8)
    keep(finished)
    await me.step("all done").exchange({me.left: done, me.right: done}, {me.left: 1, me.right: 1})
    return finished


def around_cost(compiled: Compiled) -> Cost:
    """What `compute` takes beside the plans and the gate: the comparison of replicas, all inputs at once, and the last round."""
    check = cost_of(check_replicas)
    compared = Cost(check.rounds, len(compiled.inputs) * check.bytes) if compiled.inputs else FREE
    return compared.then(Cost(1, 2 * SERVERS))


def facts(
    compiled: Compiled, agreement: Agreement, run_id: str, commitments: Mapping[str, bytes], finished: Finished, traffic: Traffic
) -> dict[str, Any]:
    """What a server states of a run, in plain data; the three servers' run, agreement, inputs, checks and evidence are the same."""
    return {
        "receipt": RECEIPT_VERSION,
        "run": run_id,
        "agreement": agreement.document(),
        "security": compiled.study.security,
        "profile": compiled.profile.name,
        "owners": sorted(compiled.study.owners),
        "inputs": {name: commitment.hex() for name, commitment in sorted(commitments.items())},
        "checks": {spec.name: list(spec.sentences) for spec in compiled.specs},
        "evidence": of_releases(compiled),
        "releases": {f"{release} for {party}": one.commitment.hex() for (party, release), one in sorted(finished.sealed.items())},
        "error_bounds": {spec.name: error_bounds(spec) for spec in compiled.specs},
        "rounds": traffic.rounds,
        "bytes_sent": traffic.bytes_sent,
        "versions": {"accord": accord.__version__, **{name: metadata.version(name) for name in PACKAGES}},
    }
