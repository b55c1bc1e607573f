"""What people are shown and sign: who learns what in plain words, costs as measured, the same bytes every time."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from accord.base import canonical
from accord.frame.sql import to_plan
from accord.mpc.party import LAN
from accord.plan.document import plan_document
from accord.plan.explain import LOCAL, RELEASE, SECURE, Explanation, Told, explain
from accord.plan.facts import with_inputs
from accord.plan.lower import cost
from accord.plan.nodes import Join, Node
from accord.plan.place import place
from tests.plan.worlds import CATALOG

GOLDEN = Path(__file__).parent / "fixtures" / "explanation.txt"
SHOPS = "SELECT shop, region, SUM(amount) AS total, COUNT(*) AS n FROM sales WHERE n > 0 GROUP BY shop, region ORDER BY shop, region"
RANKS = "SELECT rank, SUM(pay) > 100 AS much FROM area JOIN staff USING (region) GROUP BY rank"


def explained() -> Explanation:
    """Write the golden text anew with: python -m tests.plan.test_explain"""
    shops, ranks = (place(to_plan(sql, CATALOG), CATALOG) for sql in (SHOPS, RANKS))
    told = (
        Told("shops", "sales by shop", shops, ("a", "b", "c"), ("shop",), ("a row is shown only where n is at least 3",), judged=("n",)),
        Told("ranks", "", ranks, ("d",), reason="only whether it is much", notes=("Whoever knows two of three pays may guess the third.",)),
    )
    return explain(told, CATALOG, LAN, ("x", "y", "z"), "Shops and pay", "to see where more is sold")


def test_the_text_is_what_is_expected() -> None:
    assert explained().text == GOLDEN.read_text(encoding="utf-8")


def test_the_structure_says_the_same_as_the_text() -> None:
    explanation = explained()
    assert [one.world for one in explanation.steps] == sorted((one.world for one in explanation.steps), key=[LOCAL, SECURE, RELEASE].index)
    assert all(line in explanation.text for line in (*explanation.learns, *explanation.public))
    assert all(one.what in explanation.text for one in explanation.steps)
    assert all(line in explanation.text for one in explanation.steps for line in one.sql.splitlines())


def test_cost_is_that_of_all_plans_together() -> None:
    explanation = explained()
    alone = [cost(place(to_plan(sql, CATALOG), CATALOG)) for sql in (SHOPS, RANKS)]
    assert explanation.cost.bytes == sum(one.bytes for one in alone)
    assert explanation.cost.rounds == max(one.rounds for one in alone)
    assert sum(one.bytes_per_server for one in explanation.steps if one.world == SECURE) * 3 >= explanation.cost.bytes


def test_equal_plans_have_equal_bytes_in_another_process() -> None:
    """Nothing depends on the process: hash seeds, addresses, order of work."""
    code = """
from tests.plan.test_explain import *
plan = place(to_plan(RANKS, CATALOG), CATALOG)
print(canonical.digest("test", explained().text.encode(), canonical.encode(plan_document(plan, LAN))).hex())
"""
    root = Path(__file__).resolve().parents[2]
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] and len(runs[0].strip()) == 64


def test_another_plan_or_profile_has_another_document() -> None:
    """Each change that a server would notice changes the bytes."""
    from dataclasses import replace

    def encoded(sql: str, profile=LAN) -> bytes:
        return canonical.encode(plan_document(place(to_plan(sql, CATALOG), CATALOG), profile))

    changes = [
        encoded(RANKS),
        encoded(RANKS, replace(LAN, block_rows=64)),
        encoded(RANKS.replace("100", "101")),
        encoded(RANKS.replace("SUM", "MAX")),
        encoded(RANKS.replace(" > ", " < ")),
        encoded(RANKS.replace("much", "more")),
        encoded(RANKS.replace("rank", "region").replace("USING (region)", "USING (region) WHERE rank > 1")),
        encoded(RANKS.replace("JOIN staff", "LEFT JOIN staff")),
        encoded(RANKS.replace("pay", "grade")),
    ]
    assert len(set(changes)) == len(changes)
    assert all(canonical.encode(canonical.decode(one)) == one for one in changes)


if __name__ == "__main__":
    GOLDEN.write_text(explained().text, encoding="utf-8")


def test_secret_rows_and_broken_promises_are_told() -> None:
    """What a join without a layout tells: how many rows there are, and whether there are more than was declared."""
    plan = place(to_plan("SELECT s.price, t.pay FROM sales s JOIN staff t ON s.amount = t.pay ORDER BY price", CATALOG), CATALOG)
    bounded = _with_bound(plan, 20)
    text = explain((Told("pairs", "", bounded, ("d",), reason="a test"),), CATALOG, LAN).text
    assert "amount = on, which stays secret" not in text and "which rows meet, and how many, stays secret" in text
    assert "beside them their number is told" in text
    assert "that data break a promise: that the join on amount = pay has more than the 20 rows" in text
    assert "row numbers behind shuffles" in text and "hashes" not in text
    grouped = place(to_plan("SELECT amount, kind, ok, price, day, n, COUNT(*) AS c FROM sales GROUP BY ALL", CATALOG), CATALOG)
    assert "promise" not in explain((Told("groups", "", grouped, ("d",), reason="a test"),), CATALOG, LAN).text


def _with_bound(node: Node, rows_max: int) -> Node:
    """The plan with a bound on each join's rows."""
    over = with_inputs(node, tuple(_with_bound(one, rows_max) for one in node.inputs))
    return replace(over, rows_max=rows_max) if isinstance(over, Join) else over
