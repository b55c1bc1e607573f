"""Names that stand in paths and SQL without quotes; errors that are one sentence."""

from __future__ import annotations

import pytest

from accord.base.errors import AccordError, OurFault, PeerFault, Refused
from accord.base.names import column_name, fresh_name, party_name


@pytest.mark.parametrize("name", ["", "Nl", "1nl", "a/b", "../b", "a b", "a.b", "é", "a\n", "a" * 64, "-a"])
def test_a_party_is_named_plainly(name: str) -> None:
    with pytest.raises(Refused, match="cannot be a name"):
        party_name(name)


@pytest.mark.parametrize("name", ["", "1a", "a-b", 'a"b', "a;b", "a b", "a\n", "x" * 64, "é", "?valid", "a?null"])
def test_a_column_is_named_plainly(name: str) -> None:
    with pytest.raises(Refused, match="cannot name a table or column"):
        column_name(name)


def test_good_names_come_back() -> None:
    assert [party_name(one) for one in ("nl", "a" * 63, "x-1_b")] == ["nl", "a" * 63, "x-1_b"]
    assert [column_name(one) for one in ("A", "_a1", "x" * 63)] == ["A", "_a1", "x" * 63]


def test_a_fresh_name_differs_from_all() -> None:
    assert fresh_name("a", {"b"}) == "a"
    assert fresh_name("a", {"a", "a_2"}) == "a_3"


def test_an_error_is_one_sentence_of_its_parts() -> None:
    error = Refused("7 rows", where="t.csv", rule="at most 5", do="leave two out")
    assert str(error) == "t.csv: 7 rows (rule: at most 5); leave two out" and error.args == (str(error),)
    assert str(OurFault("no")) == "no"
    assert all(issubclass(one, AccordError) for one in (OurFault, PeerFault, Refused))
