"""Sealed and opened: by the right key only, of one release only, unaltered only; commitments; the table that people see."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from accord.base.errors import OurFault, Refused
from accord.release.rules import MinimumCount
from accord.release.seal import SUITE, ReleasedTable, Suppressed, open_sealed, require_committed, seal
from tests.release.offices import binding, cell, gated, key, sealed, spec

ROWS = [cell(0, 1, 5, None, -12345, 3, 1, 19_723), cell(1, 2, 2, 1, 7, 1, 0, 500), cell(2, 2, 9, 4, None, 2, None, 20_000)]
SPEC = spec(MinimumCount("n", 3))


@pytest.fixture(scope="module")
def parts():
    return gated(SPEC, ROWS).results


@pytest.fixture(scope="module")
def blobs(parts):
    return [one.blob for one in sealed(parts)]


def refused(words, given, name="usa", **expected):
    with pytest.raises(Refused, match=words) as caught:
        open_sealed(given, key(name), **expected)
    assert "\n" not in str(caught.value)


def test_a_round_trip_in_any_order(blobs):
    table = open_sealed(blobs[::-1], key("usa"), "5d" * 32, "run-1")
    assert isinstance(table, ReleasedTable)
    assert [row["n"] for row in table.rows()] == [5, Suppressed(), 9]


def test_another_key_opens_nothing(blobs):
    refused("this key does not open it: it is sealed to usa", blobs, "nld")


@pytest.mark.parametrize("place", [10, 100, 150, -1, -40])
def test_an_altered_part_opens_nothing(blobs, place):
    altered = bytearray(blobs[1])
    altered[place] ^= 1
    with pytest.raises(Refused):
        open_sealed([blobs[0], bytes(altered), blobs[2]], key("usa"))


@pytest.mark.parametrize("cut", [0, 3, 50, 200])
def test_a_part_that_is_cut_short_is_named(blobs, cut):
    with pytest.raises(Refused):
        open_sealed([blobs[0][:cut], *blobs[1:]], key("usa"))


def test_one_part_of_each_server(blobs):
    refused("parts of servers 0, 1, 1", [blobs[0], blobs[1], blobs[1]])
    refused("parts of servers 0, 2", [blobs[0], blobs[2]])
    refused("different studies, runs, releases or recipients|parts of servers none", [])


def test_parts_of_another_run_study_or_release_do_not_mix(parts, blobs):
    for change in ({"run": "run-2"}, {"study": "00" * 32}):
        other = [one.blob for one in sealed(parts, **change)]
        refused("different studies, runs, releases or recipients", [blobs[0], other[1], blobs[2]])
    refused("of another run", blobs, run="run-2")
    refused("of another study", blobs, study="00" * 32)


def test_a_server_that_seals_another_runs_part_does_not_give_a_table(parts):
    """Same binding, other masks: the parts do not add up, and nobody is told a wrong number."""
    others = gated(SPEC, ROWS, seed=9).results
    mixed = [parts[0], others[1], parts[2]]
    refused("do not add up", [one.blob for one in sealed(mixed)])


def test_servers_that_seal_under_each_others_number_are_noticed(parts):
    public = key("usa").public_key().public_bytes_raw()
    twice = [seal(part["usa"], binding(server), public).blob for server, part in zip((0, 1, 1), parts, strict=True)]
    refused("parts of servers 0, 1, 1", twice)


def test_a_header_that_was_changed_does_not_open(blobs):
    """The binding stands in the open, and is bound by the encryption."""
    changed = blobs[2].replace(b'"server":2', b'"server":1')
    assert changed != blobs[2]
    refused("was altered", [blobs[0], blobs[1], changed])


def test_a_part_is_sealed_under_its_own_binding_only(parts):
    public = key("usa").public_key().public_bytes_raw()
    with pytest.raises(OurFault, match="binding of another"):
        seal(parts[0]["usa"], binding(0, "nld"), public)


def test_layouts_that_differ_are_noticed(parts):
    other = replace(parts[1]["usa"], layout=parts[1]["usa"].layout.replace(b"Cells of trade", b"Cells of tirade"))
    refused("disagree on the layout", [one.blob for one in sealed([parts[0], {"usa": other}, parts[2]])])


def test_payloads_of_another_size_are_noticed(parts):
    other = replace(parts[1]["usa"], payload=parts[1]["usa"].payload[:-8])
    refused("not of the size", [one.blob for one in sealed([parts[0], {"usa": other}, parts[2]])])


def test_sizes_follow_from_public_facts(blobs):
    for rows in ([], ROWS[:1]):
        others = [one.blob for one in sealed(gated(SPEC, rows).results)]
        assert list(map(len, others)) == list(map(len, blobs))


# ---- commitments


def test_commitments_bind_and_hide(parts):
    first, second = sealed(parts), sealed(parts)
    table = open_sealed([one.blob for one in first], key("usa"))
    require_committed(table, {server: one.commitment for server, one in enumerate(first)})
    assert all(one.commitment != other.commitment for one, other in zip(first, second, strict=True)), "the same part, another salt"
    with pytest.raises(Refused, match="server 1's part of cells is not the one that it committed to"):
        require_committed(table, {0: first[0].commitment, 1: second[1].commitment, 2: first[2].commitment})
    with pytest.raises(Refused, match="server 0"):
        require_committed(table, {})


def test_the_part_under_the_seal_holds_no_more_than_salt_layout_and_masked_words(parts, blobs):
    part, blob = parts[0]["usa"], blobs[0]
    overhead = SUITE.encrypt(b"", key("usa").public_key(), b"")
    head = 4 + len(binding(0).encoded)
    assert len(blob) == head + len(overhead) + 32 + 4 + len(part.layout) + len(part.payload)


def test_secrets_do_not_show_in_a_repr(parts, blobs):
    part, one = parts[0]["usa"], sealed(parts)[0]
    assert repr(part.payload) not in repr(part) and "payload" not in repr(part)
    assert "blob" not in repr(one)


# ---- what people see


def test_the_table_prints_itself(blobs):
    text = str(open_sealed(blobs, key("usa")))
    assert text.splitlines()[0] == "Cells of trade"
    assert "-123.45" in text and "suppressed" in text and "2024-01-01" in text and "NULL" in text
    assert "3 rows; all columns exact" in text and "1 of 3 rows suppressed" in text
    assert "rule: a row is shown only where n is at least 3" in text


def test_the_table_is_written_as_csv(blobs, tmp_path):
    table = open_sealed(blobs, key("usa"))
    table.to_csv(tmp_path / "cells.csv")
    with (tmp_path / "cells.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["seller", "buyer", "n", "part", "total", "word", "open", "since"]
    assert rows[1] == ["usa", "nld", "5", "", "-123.45", "many", "true", "2024-01-01"]
    assert rows[2] == ["nld", "ita", *["suppressed"] * 6]
    assert set(table.error_bounds.values()) == {"exact"}


def test_a_release_without_rules_prints_why():
    parts = gated(spec(reason="a test"), ROWS).results
    assert "no rule: a test" in str(open_sealed([one.blob for one in sealed(parts)], key("usa")))
