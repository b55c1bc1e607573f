"""Commitments hide and bind; versions need their key."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accord.base.errors import Refused
from accord.data.commitment import commit, data_version, new_secret, verify_commitment
from accord.data.encode import LocalField
from accord.data.local import LocalColumns

FIELDS = (LocalField("x", "int", 0, 9, nullable=True), LocalField("y", "decimal", -9, 9, 2))


def columns():
    values = {"x": np.array([1, 0, 0]), "y": np.array([-5, 7, 0])}
    return LocalColumns("in", FIELDS, values, {"x": np.array([False, True, False])}, np.array([True, True, False]))


def changed():
    """Every way in which an input can differ by as little as possible."""
    base = columns()
    yield replace(base, name="im")
    yield replace(
        base,
        fields=(replace(FIELDS[0], name="z"), FIELDS[1]),
        values={"z": base.values["x"], "y": base.values["y"]},
        nulls={"z": base.nulls["x"]},
    )
    yield replace(base, fields=(FIELDS[0], replace(FIELDS[1], scale=3)))
    yield replace(base, fields=FIELDS[::-1])
    yield replace(base, values={**base.values, "y": np.array([-5, 8, 0])})
    yield replace(base, nulls={"x": np.array([False, False, False])})
    yield replace(base, valid=np.array([True, True, True]))
    yield LocalColumns("in", FIELDS, {name: column[:2] for name, column in base.values.items()}, {"x": base.nulls["x"][:2]}, base.valid[:2])


def test_a_commitment_opens_to_its_columns_only():
    commitment, opening = commit(columns())
    assert (len(commitment), len(opening)) == (32, 32)
    verify_commitment(columns(), commitment, opening)
    for other in changed():
        with pytest.raises(Refused, match="these are not the committed columns"):
            verify_commitment(other, commitment, opening)
    for wrong in (bytes(32), opening[:31], b""):
        with pytest.raises(Refused):
            verify_commitment(columns(), commitment, wrong)


def test_equal_inputs_have_unequal_commitments():
    assert len({part for _ in range(4) for part in commit(columns())}) == 8


def test_a_version_needs_its_key_and_follows_the_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a\n1\n")
    secret, other = new_secret(), new_secret()
    version = data_version(path, secret)
    assert len(bytes.fromhex(version)) == 32
    assert data_version(path, secret) == version != data_version(path, other)
    path.write_bytes(b"a\n2\n")
    assert data_version(path, secret) != version
    with pytest.raises(Refused, match="a version key of 3 bytes"):
        data_version(path, b"abc")
