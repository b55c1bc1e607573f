"""What passes the gate: the right rows to the right party, nothing of what is held back, the cost foretold, one shape of traffic."""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import OurFault, Refused
from accord.mpc.cost import Cost
from accord.mpc.open import Permit, reveal
from accord.plan.expression import AggregateCall
from accord.plan.interpret import Table
from accord.plan.lower import stand_ins
from accord.plan.nodes import Aggregate, Field, Project, Public
from accord.plan.secure_calls import count
from accord.plan.secure_table import PublicColumn
from accord.plan.types import INT, TEXT, Type
from accord.plan.typing import call, column, integer
from accord.release.clear import release_in_clear
from accord.release.gate import cost, protect, run
from accord.release.layout import Layout
from accord.release.rules import MinimumCount, ZeroAndFull
from accord.release.seal import open_sealed
from accord.release.spec import ReleaseSpec
from accord.release.table import SUPPRESSED
from accord.testing.world import World
from accord.wire.local import run_local
from tests.plan.lowering import deal
from tests.release.offices import BY_OFFICE, CELLS, NAMES, OFFICES, cell, combined, gated, key, opened, sealed, spec

RULE = MinimumCount("n", 3)
SHOWN = (0, 1, 5, None, -12345, 3, 1, 19_723)
HELD = (1, 2, 2, 77, 999_999, 2, None, 500)


def test_values_markers_and_absent_rows():
    table = opened(spec(RULE, judged=["n"]), [SHOWN, HELD])
    assert table.rows() == [
        {
            "seller": "usa",
            "buyer": "nld",
            "part": None,
            "total": Decimal("-123.45"),
            "word": "many",
            "open": True,
            "since": datetime.date(2024, 1, 1),
        },
        {"seller": "nld", "buyer": "ita", **dict.fromkeys(("part", "total", "word", "open", "since"), SUPPRESSED)},
    ]
    assert table.suppressed == 1 and table.status.tolist() == [0, 2, 0, 0, 0, 1, 0, 0, 0]


def test_absent_rows_stay_absent_where_no_rule_judges():
    """Padding and filtered rows are neither released nor suppressed: they are not there."""
    table = opened(spec(reason="a test"), [SHOWN, HELD])
    assert table.status.tolist() == [0, 2, 0, 0, 0, 2, 0, 0, 0] and table.suppressed == 0


rows_strategy = st.lists(
    st.one_of(
        st.none(),
        st.tuples(
            st.integers(0, 6),
            st.one_of(st.none(), st.integers(0, 6)),
            st.one_of(st.none(), st.integers(-(10**9), 10**9)),
            st.integers(0, 3),
            st.one_of(st.none(), st.integers(0, 1)),
            st.integers(0, 30000),
        ),
    ),
    min_size=9,
    max_size=9,
)


def placed(cells):
    return [(*place, *one) for place, one in zip(product(range(3), range(3)), cells, strict=True) if one is not None]


@given(rows_strategy, st.booleans())
@settings(max_examples=12)
def test_secure_is_clear(cells, by_office):
    one = spec(RULE, ZeroAndFull("part", "n"), recipients=BY_OFFICE if by_office else ("usa", "nld"), judged=["part"])
    rows = placed(cells)
    parts = gated(one, rows).results
    clear = release_in_clear(one, Table.of(NAMES, rows).columns)
    for party in one.parties:
        table = open_sealed([part.blob for part in sealed(parts, party)], key(party))
        assert Counter(map(repr, table.rows())) == Counter(map(repr, clear[party].rows())), party


def test_each_row_goes_to_the_parties_that_it_names_and_to_nobody_else():
    rows = [cell(*place, 9) for place in product(range(3), range(3))]
    parts = gated(spec(recipients=BY_OFFICE, reason="why"), rows).results
    for party in OFFICES:
        table = open_sealed([part.blob for part in sealed(parts, party)], key(party))
        wanted = {(a, b) for a, b in product(OFFICES, OFFICES) if party in (a, b)}
        assert {(row["seller"], row["buyer"]) for row in table.rows()} == wanted and len(table.rows()) == 5


def test_nothing_of_a_suppressed_or_absent_row_is_in_what_the_recipient_gets():
    """Whatever the held values are, the three parts add up to the same; and a held row to zeros."""
    sums = []
    for held in (HELD, (1, 2, 0, None, None, 0, 1, 30_000)):
        parts = [part["usa"] for part in gated(spec(RULE), [SHOWN, held]).results]
        sums.append(combined(parts))
    assert np.array_equal(mask_out(sums[0]), mask_out(sums[1]))
    layout = Layout.read(_document(parts[0].layout))
    assert layout.rows == 9
    none = [part["usa"] for part in gated(spec(RULE), [HELD]).results]
    words = mask_out(combined(none))
    assert words[0] == 1 << 5 and not words[1:].any(), "one row is there, none is released, and there is nothing else"


def mask_out(pair):
    """Of each word, the sum where it belongs to a value, the XOR where it belongs to a plane."""
    layout = Layout.read(_document(gated(spec(RULE), [SHOWN]).results[0]["usa"].layout))
    kinds = [True, True]
    for field in layout.fields:
        if not field.public:
            kinds += [True] if field.type.kind == "bool" else [False] * layout.rows
            kinds += [True] * field.type.nullable
    total, planes = pair
    return np.where(kinds, planes, total)


def _document(encoded):
    from accord.base import canonical

    return canonical.decode(encoded)


def test_parts_are_masked_and_masks_are_fresh():
    """A server's part of constant data looks like nothing: no word is there twice, and another run shares none."""
    rows = [cell(*place, 9, 9, 9, 0, 0, 9) for place in product(range(3), range(3))]
    first, second = (gated(spec(RULE), rows, seed=seed).results for seed in (1, 2))
    for server in range(3):
        words = np.frombuffer(first[server]["usa"].payload, "<u8")
        others = np.frombuffer(second[server]["usa"].payload, "<u8")
        values = words[words > 2**20]
        assert len(set(values.tolist())) == len(values) > 30
        assert not set(values.tolist()) & set(others.tolist())


def test_the_cost_is_foretold_and_the_traffic_has_one_shape():
    one = spec(RULE, ZeroAndFull("part", "n"))
    shapes = []
    for rows in ([SHOWN, HELD], [], [cell(*place, 7) for place in product(range(3), range(3))]):
        outcome = gated(one, rows, keep=True)
        gate_cost = count(lambda me: protect(me, one, stand_ins((CELLS,))["cells"]))[1]
        assert gate_cost == Cost(outcome.rounds, outcome.bytes_sent)
        sizes = [len(part["usa"].payload) for part in outcome.results]
        shapes.append((sizes, [[(line.receiver, line.path, line.nbytes) for line in each.lines] for each in outcome.traffic]))
    assert shapes[0] == shapes[1] == shapes[2]


def test_several_releases_run_together_and_share_what_they_share():
    cells = {"cells": Table.of(NAMES, [SHOWN, HELD])}
    doubled = Project(CELLS, (("seller", column(CELLS.field("seller"))), ("twice", call("multiply", column(CELLS.field("n")), integer(2)))))
    specs = [spec(RULE), replace(spec(node=doubled, reason="why", recipients=("nld",)), name="twice")]
    world = World(4)
    held = deal(world, CELLS, cells)
    outcome = run_local([run(me, specs, held[me.index]) for me in world.parties()])
    assert cost(specs) == Cost(outcome.rounds, outcome.bytes_sent)
    assert [sorted(one) for one in outcome.results[0]] == [["nld", "usa"], ["nld"]]


def test_counts_that_servers_know_are_released_like_secrets():
    """A COUNT(*) over rows that are all there is known to servers; the recipient's part has it as any other column."""
    counted = Aggregate(CELLS, ("seller",), (("c", AggregateCall("count", None, Type(INT, 0, 9))),))
    one = ReleaseSpec("counts", counted, ("usa",), (MinimumCount("c", 2),))
    world = World(1)
    held = [replace(one["cells"], valid=True) for one in deal(world, CELLS, {"cells": Table.of(NAMES, [])})]
    outcome = run_local([run(me, [one], {"cells": held[me.index]}) for me in world.parties()])
    parts = [part[0] for part in outcome.results]
    blobs = [sealed_part.blob for sealed_part in sealed(parts, "usa", release="counts")]
    assert [row["c"] for row in open_sealed(blobs, key("usa")).rows()] == [3, 3, 3]


def test_what_is_computed_in_rows_that_are_not_there_stays_there():
    """x + 1 is 1 in an absent row, on shares; no rule judges it, and still nothing of it leaves."""
    raised = Project(CELLS, (("seller", column(CELLS.field("seller"))), ("more", call("add", column(CELLS.field("n")), integer(1)))))
    parts = gated(spec(node=raised, reason="why"), [SHOWN]).results
    table = open_sealed([one.blob for one in sealed(parts)], key("usa"))
    assert [row["more"] for row in table.rows()] == [6]


def test_a_row_that_names_nobody_goes_to_nobody():
    office = replace(CELLS.field("seller").type, nullable=True)
    pairs = Public("pairs", (Field("seller", office, True), Field("n", Type(INT, 0, 9), True)), ((0, 1), (None, 2), (1, 3)))
    one = ReleaseSpec("pairs", pairs, replace(BY_OFFICE, columns=("seller",)), (MinimumCount("n", 1),))
    known = PublicColumn(office, np.array([0, 0, 1]), np.array([False, True, False]))
    assert [one.rows_for(office, {"seller": known}, 3).tolist() for office in OFFICES] == [[0], [2], []]


# ---- what no release can be


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rules": (), "reason": ""}, "no rules and no reason"),
        ({"judged": ("m",)}, "no column 'm'"),
        ({"judged": ("part",)}, "no rule reads part"),
        ({"recipients": ()}, "nobody would receive it"),
        ({"recipients": replace(BY_OFFICE, columns=("n",))}, "recipients by n, which is secret"),
        ({"recipients": replace(BY_OFFICE, columns=("elsewhere",))}, "no column"),
    ],
)
def test_a_release_that_cannot_be_is_refused(changes, words):
    with pytest.raises(Refused, match=words):
        replace(spec(RULE), **changes)


def test_text_keys_and_empty_tables_of_columns_are_not_released():
    text = Project(CELLS, (("n", column(CELLS.field("n"))),))
    with pytest.raises(Refused, match="needs columns"):
        ReleaseSpec("x", text, ("usa",), (RULE,), ("n",))
    keyed = replace(CELLS, columns=(*CELLS.columns, Field("name", Type(TEXT, 0, 0))))
    with pytest.raises(Refused, match="none of them text keys"):
        ReleaseSpec("x", keyed, ("usa",), (RULE,))


def test_nothing_is_revealed_without_the_gates_permit():
    with pytest.raises(OurFault, match="outside the gate"):
        Permit("cells", ("usa",), object())
    with pytest.raises(OurFault, match="without a permit"):
        World().run(lambda me, x: reveal(me, x, None), [1, 2])
