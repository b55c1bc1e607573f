"""Bytes and rounds of the rules of a cell are those of the golden file; what is measured is right."""

from __future__ import annotations

import numpy as np
import pytest

from accord.mpc.coins import PairKeys
from accord.mpc.party import Party
from accord.testing.world import reconstruct
from accord.wire.local import run_local
from bench import golden
from bench.cells import CASES, COLUMNS, NOISE, OWNERS, RULES, SUITE
from bench.mpc import protocol_of, secrets_of

FEW = 1000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bytes_and_rounds_at_few_rows(case):
    rows = golden.small_rows(case)
    assert golden.entry(case, rows, SUITE) == golden.read(SUITE)[golden.key(case.name, rows)]


def run(name):
    """A case of few rows: its results, and its arguments in the plain."""
    case = next(one for one in CASES if one.name == name)
    keys = [PairKeys({component: bytes([component]) * 16 for component in (i, (i + 1) % 3)}) for i in range(3)]
    secrets = [secrets_of(case, FEW, i) for i in range(3)]
    results = run_local([protocol_of(Party(i, keys[i]), case, secrets[i]) for i in range(3)]).results
    return results, [reconstruct(list(parts)).astype(np.int64) for parts in zip(*secrets, strict=True)]


def test_all_five_rules_judge():
    results, plain = run("cell_rules")
    rows = [dict(zip(COLUMNS, map(int, row), strict=True)) for row in zip(*plain, strict=True)]
    wanted = [all(rule.passes(row) for rule in RULES) for row in rows]
    assert reconstruct(list(results)).tolist() == wanted and 0 < sum(wanted) < FEW
    for rule in RULES:
        assert not all(rule.passes(row) for row in rows), f"{rule.name} has nothing to do"


def test_the_two_largest_are_those_of_all_owners():
    results, plain = run("two_largest")
    values = np.sort(np.concatenate(plain).reshape(2, -1, OWNERS).transpose(1, 0, 2).reshape(-1, 2 * OWNERS), axis=1)
    for place in (1, 2):
        assert (reconstruct([one[place - 1] for one in results]).astype(np.int64) == values[:, -place]).all()


def test_each_count_has_its_noise():
    results, (counts, keys) = run("cell_key")
    made = reconstruct(list(results)).astype(np.int64)
    assert made.tolist() == [int(n) + NOISE.noise(int(n), int(key)) for n, key in zip(counts, keys, strict=True)]
