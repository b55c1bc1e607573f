"""Bytes and rounds of groups and joins are those of the golden file, and those that their protocols declare; what is measured is right."""

from __future__ import annotations

import numpy as np
import pytest

from accord.base.limits import SERVERS
from accord.mpc.coins import PairKeys
from accord.mpc.party import Party
from accord.testing.world import reconstruct
from accord.wire.local import run_local
from bench import golden
from bench.mpc import protocol_of, secrets_of
from bench.relational import CASES, SUITE, declared

BY_NAME = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
FEW = 1000


@BY_NAME
def test_bytes_and_rounds_at_few_rows(case):
    rows = golden.small_rows(case)
    assert golden.entry(case, rows, SUITE) == golden.read(SUITE)[golden.key(case.name, rows)]
    assert golden.counts(case, FEW)[0] == round(declared(case, FEW).bytes / SERVERS)


@BY_NAME
def test_bytes_and_rounds_at_full_size_are_declared(case):
    price = declared(case, case.rows)
    assert golden.read(SUITE)[golden.key(case.name, case.rows)] == [round(price.bytes / SERVERS), price.rounds]


def run(name):
    """A case of few rows: the outcome, and the arguments of each server."""
    case = next(one for one in CASES if one.name == name)
    keys = [PairKeys({component: bytes([component]) * 16 for component in (i, (i + 1) % SERVERS)}) for i in range(SERVERS)]
    secrets = [secrets_of(case, FEW, i) for i in range(SERVERS)]
    return run_local([protocol_of(Party(i, keys[i]), case, secrets[i]) for i in range(SERVERS)]), secrets


def ran(name):
    """What the servers hold after a case of few rows, and its secret columns in clear."""
    done, secrets = run(name)
    return done.results, [reconstruct([one[j] for one in secrets]) for j in range(len(secrets[0]))]


@pytest.mark.parametrize("name", ["group_by_sum", "group_median", "join_pk_fk", "join_many"])
def test_servers_send_alike(name):
    """Roles that send more go round."""
    sent = [one.bytes_sent for one in run(name)[0].traffic]
    assert max(sent) < 1.06 * sum(sent) / SERVERS, sent


def column(results, take):
    return reconstruct([take(one) for one in results])


def test_sums_and_medians_are_right():
    groups, (key, value) = ran("group_by_sum")
    names = np.unique(key)
    assert np.array_equal(column(groups, lambda one: one.sums[0])[: names.size], [value[key == name].sum() for name in names])
    assert np.array_equal(column(groups, lambda one: one.lasts[0])[: names.size], names)
    found, (key, _, value) = ran("group_median")
    names = np.unique(key)
    expected = [2 * np.median(value[key == name]) for name in names]
    assert np.array_equal(column(found, lambda one: one.columns[0])[: names.size], np.array(expected, np.uint64))


def test_joins_are_right():
    joined, (left, _, x, y, right, _) = ran("join_pk_fk")
    at = {one: row for row, one in enumerate(left.tolist())}
    found = [at.get(one) for one in right.tolist()]
    assert 400 < sum(one is not None for one in found) < 600
    for number, source in enumerate((x, y)):
        expected = [0 if one is None else source[one] for one in found]
        assert np.array_equal(column(joined, lambda one, number=number: one.columns[number]), expected)
    paired, (left, _, x, right, _, y) = ran("join_many")
    matched = column(paired, lambda one: one.matched) == 1
    pairs = zip(column(paired, lambda one: one.left[0])[matched], column(paired, lambda one: one.right[0])[matched], strict=True)
    expected = [(a, b) for key, a in zip(left, x, strict=True) for b in y[right == key]]
    assert sorted(pairs) == sorted(expected) and expected
