"""Input packages: shares that add up, packed to the bit, and copies that must agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault, Refused
from accord.base.ring import Ring
from accord.mpc import package as packages
from accord.mpc.bits import column_from_planes
from accord.mpc.cost import cost_of
from accord.mpc.package import Package, Part, check_replicas, deal, expand
from accord.testing.world import World, reconstruct
from tests.mpc.cases import ROWS, numbers, run_at_cost, words

CONTEXT = b"plan, run, input"


def parts_of(rows: int) -> tuple[tuple[Part, ...], dict[str, np.ndarray]]:
    """Every kind at narrow, odd and full width, with its data."""
    kinds = [("ring", width) for width in (1, 7, 32, 64)] + [("bits", width) for width in (1, 5, 64)]
    parts = tuple(Part(f"{kind}.{width}", kind, width, rows) for kind, width in kinds)
    data = [numbers(rows, Ring(one.width)) if one.kind == "ring" else words(rows, one.width) for one in parts]
    return parts, {one.name: column for one, column in zip(parts, data, strict=True)}


@pytest.mark.parametrize("rows", ROWS)
def test_shares_add_up_to_the_data(rows: int) -> None:
    parts, data = parts_of(rows)
    held = [expand(Package.decode(one.encode()), parts, CONTEXT) for one in deal(parts, data, CONTEXT)]
    for part in parts:
        got = reconstruct([one[part.name] for one in held])
        expected = part.ring.encode(data[part.name]) if part.kind == "ring" else data[part.name]
        assert np.array_equal(got, expected), part


@pytest.mark.parametrize("rows", ROWS)
def test_an_upload_is_packed_to_the_bit(rows: int) -> None:
    parts, data = parts_of(rows)
    first, second, third = deal(parts, data, CONTEXT)
    bits_per_row = {"ring": 1 + 7 + 32 + 64, "bits": 1 + 5 + 64}
    assert len(first.explicit) == 0
    assert second.explicit == third.explicit
    assert len(second.explicit) <= sum(bits_per_row.values()) * rows / 8 + sum(1 if one.kind == "ring" else one.width for one in parts)


def test_every_component_and_every_package_is_fresh() -> None:
    """Two packages of the same data, and two parts of one package, share no component."""
    parts = tuple(Part(name, "ring", 64, 40) for name in "ab")
    data = {name: np.zeros(40, np.int64) for name in "ab"}
    columns = []
    for _ in range(2):
        for package in deal(parts, data, CONTEXT):
            columns += [expand(package, parts, CONTEXT)[name].own for name in "ab"]
    assert len({column.tobytes() for column in columns}) == len(columns) == 12


def test_streams_depend_on_context_and_name() -> None:
    parts = (Part("a", "ring", 64, 10),)
    package = deal(parts, {"a": np.arange(10)}, CONTEXT)[0]
    other = expand(package, (Part("b", "ring", 64, 10),), CONTEXT)["b"]
    assert not np.array_equal(expand(package, parts, CONTEXT)["a"].own, other.own)
    assert not np.array_equal(expand(package, parts, CONTEXT)["a"].own, expand(package, parts, b"another run")["a"].own)


def test_pad_bits_of_the_explicit_component_hold_nothing() -> None:
    parts = (Part("flag", "bits", 1, 65),)
    share = expand(deal(parts, {"flag": np.ones(65, bool)}, CONTEXT)[1], parts, CONTEXT)["flag"]
    assert int(share.next[0, 1]) < 2 and column_from_planes(share.next, 65).shape == (65,)


def run_check(dealt: tuple[Package, ...], parts: Any, contexts: tuple[bytes, ...] = (CONTEXT,) * 3) -> Any:
    return run_at_cost(
        World(), cost_of(check_replicas), lambda me: check_replicas(me, dealt[me.index], parts, contexts[me.index], "trade of nl")
    )


def test_honest_copies_pass() -> None:
    parts, data = parts_of(65)
    run_check(deal(parts, data, CONTEXT), parts)


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("server", "what"), [*((i, what) for i in range(3) for what in ("seed", "opening")), (1, "explicit"), (2, "explicit")]
)
def test_every_server_refuses_a_copy_that_differs(server: int, what: str) -> None:
    """Whichever copy of whichever component differs, all three refuse, and name the input."""
    parts, data = parts_of(65)
    dealt = list(deal(parts, data, CONTEXT))
    one = dealt[server]
    changes: dict[str, Any] = {
        "seed": lambda: {"seeds": (flipped(one.seeds[0]), *one.seeds[1:])},
        "opening": lambda: {"openings": (one.openings[0], flipped(one.openings[1]))},
        "explicit": lambda: {"explicit": flipped(one.explicit)},
    }
    dealt[server] = replace(one, **changes[what]())
    refused = []

    async def guarded(me: Any) -> None:
        try:
            await check_replicas(me, dealt[me.index], parts, CONTEXT, "trade of nl")
        except Refused as error:
            refused.append(str(error))

    World().run(guarded)
    assert len(refused) == 3 and all("input trade of nl" in error and "different copies" in error for error in refused)


def test_another_context_or_another_form_is_another_input() -> None:
    parts, data = parts_of(10)
    dealt = deal(parts, data, CONTEXT)
    with pytest.raises(Refused, match="different copies"):
        run_check(dealt, parts, (CONTEXT, CONTEXT, b"another run"))


def test_a_digest_hides_what_it_is_of() -> None:
    """The same data under two openings give two digests: who lacks the opening cannot test a guess."""
    parts = (Part("a", "ring", 64, 1),)
    one, other = (deal(parts, {"a": np.array([5])}, CONTEXT)[1] for _ in range(2))
    same = replace(other, seeds=one.seeds, explicit=one.explicit)
    assert bytes(packages._digest(one, parts, CONTEXT, 2)) != bytes(packages._digest(same, parts, CONTEXT, 2))


def test_a_damaged_package_is_refused() -> None:
    parts, data = parts_of(10)
    first, second, _third = deal(parts, data, CONTEXT)
    for damaged in (
        replace(first, seeds=first.seeds[:1]),
        replace(first, server=1),
        replace(second, explicit=second.explicit[:-1]),
        replace(second, openings=(b"", second.openings[1])),
        replace(second, server=7),
    ):
        with pytest.raises(Refused, match="does not hold"):
            expand(damaged, parts, CONTEXT)
    with pytest.raises(Refused, match="no input package"):
        Package.decode(b"\x80")
    with pytest.raises(OurFault, match="package of server 1"):
        check_replicas(World().parties()[0], second, parts, CONTEXT, "t").send(None)


def test_parts_and_columns_must_match() -> None:
    part = Part("a", "ring", 8, 3)
    for parts, data in (((part,), {}), ((part,), {"a": np.arange(4)}), ((part, part), {"a": np.arange(3)})):
        with pytest.raises(OurFault):
            deal(parts, data, CONTEXT)
    for kind, width, rows in (("tree", 8, 3), ("ring", 0, 3), ("bits", 65, 3), ("ring", 8, 0)):
        with pytest.raises(OurFault):
            Part("a", kind, width, rows)  # type: ignore[arg-type]


def test_a_package_shows_no_secret() -> None:
    parts, data = parts_of(3)
    shown = repr(deal(parts, data, CONTEXT)[1])
    assert "server=1" in shown and "b'" not in shown
