"""Plans of many joins in a row are planned in time that grows with their number."""

from __future__ import annotations

from accord.plan import facts
from accord.plan.catalog import Catalog
from accord.plan.nodes import Field, Join, Public
from accord.plan.types import INT, Type

JOINS = 40


def test_the_rows_of_a_chain_of_joins_are_counted_once_each(monkeypatch):
    asked = []
    once = facts._rows_max
    monkeypatch.setattr(facts, "_rows_max", lambda *given: asked.append(given) or once(*given))
    catalog = Catalog({}, {})
    chain = Public("t0", (Field("a0", Type(INT, 0, 9), True),), ((1,), (2,)))
    for at in range(1, JOINS):
        side = Public(f"t{at}", (Field(f"a{at}", Type(INT, 0, 9), True),), ((1,), (2,)))
        chain = Join(chain, side, "inner", ((f"a{at - 1}", f"a{at}"),))
    assert facts.rows_max(chain, frozenset(), catalog) == 2
    assert len(asked) <= 8 * JOINS
