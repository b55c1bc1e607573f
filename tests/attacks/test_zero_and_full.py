"""Zero and full cells: where none or all of a group have a trait, whoever is known to be in the group is known to lack or have it."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from tests.attacks.conftest import COUNT_RULE, OFFICE_RULE, OFFICES, POLICY, Person, is_held_back, row_of

SQL = """SELECT town, job, COUNT(*) AS n, COUNT(DISTINCT office) AS offices, SUM(ill) AS ill
FROM persons GROUP BY town, job ORDER BY town, job"""
RULE = '{ rule = "zero_and_full", part = "ill", whole = "n" }'
WITH = f"rules = [{COUNT_RULE}, {OFFICE_RULE}, {RULE}]"
WITHOUT = f"rules = [{COUNT_RULE}, {OFFICE_RULE}]"
ASKS = POLICY.replace("rules = [", 'rules = [\n  { rule = "zero_and_full" },')


def trait(rows, job):
    """The attacker: whether everybody of Elm with this job is ill (1) or nobody (0); None where he cannot say."""
    cell = row_of(rows, town="elm", job=job)
    if is_held_back(cell):
        return None
    return {0: 0, cell["n"]: 1}.get(cell["ill"])


@pytest.mark.parametrize("ill", [0, 1])
def test_a_full_or_empty_cell_tells_nothing_of_its_members(register, ill):
    """A reader knows twelve judges of Elm by name, and that they are all of them; the rule that a part is neither none nor all stops him
    from reading off whether each of them is ill."""
    judges = [Person(OFFICES[at % 3], 9000 + at, "elm", "judge", 50, ill, 100_000) for at in range(12)]
    register = register.with_rows(*judges)
    assert trait(register.ask(SQL, WITH, policy=ASKS), "judge") is None
    with pytest.raises(Refused, match="no zero_and_full judges it"):
        register.ask(SQL, WITHOUT, policy=ASKS)
    assert trait(register.ask(SQL, WITHOUT, policy=False), "judge") == ill
