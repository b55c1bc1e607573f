"""Canonical bytes: one value, one encoding, one digest."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.canonical import decode, digest, encode
from accord.base.errors import OurFault

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.text(max_size=5))
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3))
)


@given(DOCUMENTS)
def test_a_document_comes_back_and_has_one_spelling(document: Any) -> None:
    encoded = encode(document)
    assert decode(encoded) == document and encode(decode(encoded)) == encoded


def test_the_order_of_keys_does_not_count() -> None:
    assert encode({"b": 1, "a": [2, None, True]}) == encode({"a": [2, None, True], "b": 1}) == b'{"a":[2,null,true],"b":1}'


@pytest.mark.parametrize("document", [1.0, {"a": [0.5]}, {1: "a"}, {"a": b"bytes"}, {"a": {1, 2}}, float("nan")])
def test_what_has_no_one_spelling_is_refused(document: Any) -> None:
    with pytest.raises(OurFault, match="in a document"):
        encode(document)


@pytest.mark.parametrize(
    "encoded", [b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b"[1.0]", b"[1e2]", b'["\\u0061"]', b"[1]\n", b"", b"{", b"\xff"]
)
def test_another_spelling_is_refused(encoded: bytes) -> None:
    with pytest.raises(OurFault):
        decode(encoded)


def test_a_digest_tells_parts_and_domains_apart() -> None:
    """('ab', 'c') is not ('a', 'bc'), and nothing of one domain is anything of another."""
    made = [digest("a", b"b", b"c"), digest("a", b"bc"), digest("a", b"", b"bc"), digest("a", b"bc", b""), digest("ab", b"c"), digest("a")]
    assert len(set(made)) == len(made) and {len(one) for one in made} == {32}


def test_the_digest_is_frozen() -> None:
    """Computed here from SHA-256 alone: a change would unsign every study."""
    expected = hashlib.sha256(b"accord/1/approval" + bytes(7) + b"\x03abc" + bytes(8)).digest()
    assert digest("approval", b"abc", b"") == expected
