"""A model with a dummy for one person: its coefficient is that person's value, in the form of sums from which anyone solves it."""

from __future__ import annotations

from fractions import Fraction

from tests.attacks.conftest import Person, is_held_back

TARGET = Person("south", 9000, "elm", "judge", 58, 0, 187_654)
SQL = """SELECT COUNT(*) AS n, SUM(wage) AS wages, SUM(dummy) AS dummies, COUNT(*) - SUM(dummy) AS others, SUM(dummy * wage) AS products
FROM (SELECT wage, CASE WHEN town = 'elm' AND job = 'judge' THEN 1 ELSE 0 END AS dummy FROM persons)"""
RULES = """rules = [
  { rule = "minimum_count", column = "n", minimum = 10 },
  { rule = "minimum_count", column = "dummies", minimum = 10 },
  { rule = "minimum_count", column = "others", minimum = 10 },
]"""
WEAK = 'rules = [{ rule = "minimum_count", column = "n", minimum = 10 }]'


def predicted(row):
    """The attacker: solves wage = a + b · dummy by least squares and predicts for the dummy 1; None where nothing is shown."""
    if is_held_back(row):
        return None
    n, wages, dummies, products = (row[name] for name in ("n", "wages", "dummies", "products"))
    slope = Fraction(n * products - dummies * wages, n * dummies - dummies * dummies)
    return (wages - slope * dummies) / n + slope


def test_a_dummy_for_one_person_is_not_estimated(register):
    """A researcher who knows that one judge lives in Elm regresses wages on a dummy for Elm's judges; a minimum count of each level of
    the dummy stops him, where one over all rows of the model does not."""
    register = register.with_rows(TARGET)
    judged = ("others",)
    (held,) = register.ask(SQL, RULES, policy=False, judged=judged)
    assert predicted(held) is None
    (told,) = register.ask(SQL.replace("COUNT(*) - SUM(dummy) AS others, ", ""), WEAK, policy=False)
    assert predicted(told) == TARGET.wage
