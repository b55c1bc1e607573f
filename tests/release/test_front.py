"""Tables whose layout is secret: places tell nothing, texts arrive, a broken promise releases nothing, the cost is foretold."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.mpc.cost import Cost
from accord.plan.evaluate import Plain
from accord.plan.secure_calls import count
from accord.plan.secure_table import PublicColumn, SecureTable
from accord.release.clear import release_in_clear
from accord.release.gate import protect, release
from accord.release.rule_counts import MinimumCount
from accord.release.seal import open_sealed
from accord.release.table import SUPPRESSED
from accord.testing.world import World
from accord.wire.local import run_local
from tests.release.offices import combined, key, sealed
from tests.release.rows import BY_N, PEOPLE, SLOTS, deal, gated, opened, plain, spec
from tests.release.rows import spec as specified

RULE = MinimumCount("n", 10)
ROWS = [("Zoë Ångst", 50, 1, 1), (None, 40, None, None), ("", 30, -7, 0), ("abcdefghijk", 3, 9, 1), ("held", 2, 9, 0), ("b", 11, 0, 0)]
texts = st.one_of(
    st.none(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5).filter(lambda t: len(t.encode()) <= 11),
)
rows_strategy = st.lists(
    st.tuples(texts, st.integers(0, 20), st.one_of(st.none(), st.integers(-(10**9), 10**9)), st.sampled_from([None, 0, 1])), max_size=SLOTS
)


def shown(table):
    return Counter(map(repr, table.rows()))


@given(rows_strategy, st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=15)
def test_secure_is_clear(rows, judged, is_ordered, is_packed):
    one = spec(*([RULE] if judged else []), node=BY_N if is_ordered else PEOPLE)
    table, clear = opened(one, rows, is_packed=is_packed), release_in_clear(one, plain(rows))["usa"]
    assert shown(table) == shown(clear)
    assert table.status.tolist() == sorted(table.status.tolist(), reverse=True), "released, then suppressed, then absent"
    if is_ordered:
        assert list(map(repr, table.rows())) == list(map(repr, clear.rows()))


def test_texts_and_markers():
    table = opened(spec(RULE, node=BY_N), ROWS)
    names = [row["name"] for row in table.rows()]
    assert names == ["Zoë Ångst", None, "", "b", SUPPRESSED, SUPPRESSED] and table.suppressed == 2
    assert "Zoë Ångst" in str(table)


def test_a_text_cannot_write_on_the_recipients_screen(tmp_path):
    table = opened(spec(), [("a\x1b[2J\nb", 1, 0, 0)])
    assert "a\\x1b[2J\\nb" in str(table) and "\x1b" not in str(table)
    table.to_csv(tmp_path / "t.csv")
    assert "a\x1b[2J\nb" in (tmp_path / "t.csv").read_text(encoding="utf-8"), "a file has it as it is"


def test_places_differ_from_run_to_run_where_no_order_is_asked_for():
    rows = [(f"r{at}", 50, at, 0) for at in range(20)]
    orders = [tuple(row["name"] for row in opened(spec(), rows, seed=seed, is_packed=True).rows()) for seed in range(4)]
    assert len(set(orders)) == 4 and all(sorted(order) == sorted(f"r{at}" for at in range(20)) for order in orders)
    ordered = [tuple(row["name"] for row in opened(spec(node=BY_N), rows, seed=seed).rows()) for seed in range(2)]
    assert ordered == [tuple(f"r{at}" for at in range(20))] * 2


def test_a_broken_promise_releases_nothing_and_is_named():
    faults = [("keys repeat", False), ("the join on x has more than the 9 rows", True)]
    outcome = gated(spec(), ROWS, faults=faults)
    blobs = [part.blob for part in sealed(outcome.results)]
    with pytest.raises(Refused, match="release cells: the join on x has more than the 9 rows"):
        open_sealed(blobs, key("usa"))
    total, planes = combined([part["usa"] for part in outcome.results])
    secret = np.where(np.isin(np.arange(len(total)), _value_words()), total, planes)
    assert secret[:2].tolist() == [0, 1] and not secret[2:].any(), "but for the fault's own bit all parts add up to zero"


def _value_words():
    """Where the payload's ring elements stand: behind two faults, two statuses (2 words each), a text's 88 planes and its NULLs."""
    first = 2 + 2 * 2 + 88 * 2 + 2
    return np.arange(first, first + 2 * SLOTS)


def test_promises_that_hold_are_no_hindrance():
    faults = [("keys repeat", False), ("too many rows", False)]
    assert shown(opened(spec(RULE), ROWS, faults=faults)) == shown(release_in_clear(spec(RULE), plain(ROWS))["usa"])


@pytest.mark.parametrize("node", [PEOPLE, BY_N])
@pytest.mark.parametrize("rules", [(), (RULE,)])
@pytest.mark.parametrize("faults", [(), (("keys repeat", False),)])
def test_the_cost_is_foretold_and_the_traffic_has_one_shape(node, rules, faults):
    one, shapes = specified(*rules, node=node), []
    for rows in (ROWS, [], [("x", 99, 9, 1)] * SLOTS):
        outcome = gated(one, rows, keep=True, faults=faults)
        sizes = [len(part["usa"].payload) for part in outcome.results]
        shapes.append((sizes, [[(line.receiver, line.path, line.nbytes) for line in each.lines] for each in outcome.traffic]))
        table = deal(World(0), rows, faults=faults)[0]
        assert count(lambda me, table=table: protect(me, one, table))[1] == Cost(outcome.rounds, outcome.bytes_sent)
    assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_that_servers_know_to_be_empty_is_released_as_such(rows):
    columns = {one.name: PublicColumn(one.type, Plain.empty(one.type, rows).values, np.ones(rows, np.bool_)) for one in PEOPLE.fields}
    outcome = run_local([release(me, spec(), SecureTable(rows, columns, np.zeros(rows, np.bool_))) for me in World(3).parties()])
    table = open_sealed([part.blob for part in sealed(outcome.results)], key("usa"))
    assert table.rows() == [] and len(table.status) == rows
