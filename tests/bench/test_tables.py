"""Bytes and rounds of the rules of a table are those of the golden file and of what is foretold; what is measured is right."""

from __future__ import annotations

import numpy as np

from accord.mpc.coins import PairKeys
from accord.mpc.party import Party
from accord.release.suppression_grid import Grid
from accord.release.suppression_plain import suppressed
from accord.testing.world import reconstruct
from accord.wire.local import run_local
from bench import golden
from bench.mpc import protocol_of, secrets_of
from bench.tables import CASES, SUITE, WIDTH, shape_of

FEW = 400


def test_the_golden_file_has_what_is_foretold():
    (case,) = CASES
    foretold = case.protocol.cost(case.rows)
    assert golden.read(SUITE)[golden.key(case.name, case.rows)] == [round(foretold.bytes / 3), foretold.rounds]


def test_what_is_measured_is_right_and_foretold():
    (case,) = CASES
    keys = [PairKeys({component: bytes([component]) * 16 for component in (i, (i + 1) % 3)}) for i in range(3)]
    secrets = [secrets_of(case, FEW, i) for i in range(3)]
    outcome = run_local([protocol_of(Party(i, keys[i]), case, secrets[i]) for i in range(3)])
    values, failed = (reconstruct([one[at] for one in secrets]) for at in (0, 1))
    held = suppressed(Grid(shape_of(FEW), np.arange(FEW)), [values.astype(np.int64)], failed == 1, lambda value: WIDTH)
    assert (reconstruct(outcome.results) == 1).tolist() == held.tolist() and held.sum() > failed.sum() == FEW // 20
    foretold = case.protocol.cost(FEW)
    assert (outcome.bytes_sent, outcome.rounds) == (foretold.bytes, foretold.rounds)
