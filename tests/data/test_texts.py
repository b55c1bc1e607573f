"""Texts on their way: judged, encoded as one big-endian number a row, digested where they are only compared, shared and put together."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.data.commitment import commit, verify_commitment
from accord.data.encode import LocalField, text_bytes
from accord.data.local import LocalStep, OwnedTable, run_local_step
from accord.data.problems import BadData
from accord.data.schema import ColumnSchema, TableSchema
from accord.data.share_out import deal_columns, parts_of, text_words
from accord.mpc.bits import column_from_planes
from accord.mpc.package import expand
from accord.plan.nodes import Field, Input
from accord.plan.secure_table import from_input, input_parts
from accord.plan.types import TEXT, Type

SCHEMA = TableSchema("people", (ColumnSchema("name", "text", bytes_max=11, nullable=True), ColumnSchema("id", "text key")))
FIELDS = (LocalField("name", "text", nullable=True, bytes_max=11), LocalField("id", "text"))
NODE = Input("in", "north", "", (), 4, (Field("name", Type(TEXT, 0, 0, nullable=True, bytes_max=11)), Field("id", Type(TEXT, 0, 0))))
STEP = LocalStep("in", "SELECT name, id FROM people", (), 4, FIELDS)
TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)


def columns_of(folder, rows, step=STEP):
    path = folder / "people.csv"
    path.write_text("name,id\n" + "".join(f'"{name}","{key}"\n' for name, key in rows), encoding="utf-8")
    return run_local_step(step, {"people": OwnedTable(path, SCHEMA)}, {})


def numbers(bits):
    """What three servers' bits put together are, as Python's integers."""
    planes = bits[0].own ^ bits[1].own ^ bits[2].own
    words = [column_from_planes(planes[at : at + 64], bits[0].rows) for at in range(0, len(planes), 64)]
    return [sum(int(word[row]) << 64 * at for at, word in enumerate(words)) for row in range(bits[0].rows)]


def test_servers_hold_texts_and_digests(tmp_path):
    columns = columns_of(tmp_path, [("Zoë Ångst", "k1"), ("", "k2"), ("abc", "k1")])
    packages = deal_columns(columns, b"context")
    assert parts_of(columns) == input_parts(NODE)
    tables = [from_input(NODE, expand(one, input_parts(NODE), b"context")) for one in packages]
    names, keys = ([table.columns[name].value for table in tables] for name in ("name", "id"))
    assert names[0].width == 88 and keys[0].width == 128
    found = sorted(zip(numbers(names), numbers(keys), strict=True))
    digest = {k: int.from_bytes(hashlib.sha256(f"k{k}".encode()).digest()[:16], "big") for k in (1, 2)}
    assert found[0] == (0, 0), "a padded row"
    text = {name: int.from_bytes(name.encode().ljust(11, b"\0"), "big") for name in ("Zoë Ångst", "", "abc")}
    assert found[1:] == sorted(zip(text.values(), (digest[1], digest[2], digest[1]), strict=True))


@given(st.lists(TEXTS, min_size=1, max_size=8), st.integers(1, 3))
@settings(max_examples=60)
def test_planes_are_ordered_and_equal_as_texts_are(texts, spare):
    encoded = [one.encode() for one in texts]
    words = text_words(text_bytes(texts, max(len(one) for one in encoded) + spare))
    whole = [sum(int(word[row]) << 64 * at for at, word in enumerate(words)) for row in range(len(texts))]
    for left, first in zip(encoded, whole, strict=True):
        for right, second in zip(encoded, whole, strict=True):
            assert (left < right, left == right) == (first < second, first == second)


def test_a_commitment_holds_texts(tmp_path):
    columns = columns_of(tmp_path, [("a", "k1")])
    commitment, opening = commit(columns)
    verify_commitment(columns_of(tmp_path, [("a", "k1")]), commitment, opening)
    with pytest.raises(Refused, match="not the committed columns"):
        verify_commitment(columns_of(tmp_path, [("b", "k1")]), commitment, opening)
    with pytest.raises(Refused, match="not the committed columns"):
        verify_commitment(columns_of(tmp_path, [("a", "k2")]), commitment, opening)


def test_a_text_that_the_own_step_makes_too_long_is_refused(tmp_path):
    long = LocalStep("in", "SELECT name || '123456789' AS name, id FROM people", (), 4, FIELDS)
    with pytest.raises(BadData, match="holds texts of up to 12 bytes, or a NUL character"):
        columns_of(tmp_path, [("abc", "k1")], long)


@pytest.mark.parametrize("bytes_max", [0, 257])
def test_a_text_has_a_bound(bytes_max):
    with pytest.raises(Refused, match="a text has 1 to 256 bytes"):
        ColumnSchema("x", "text", bytes_max=bytes_max)
