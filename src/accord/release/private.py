"""A private release on shares: every row of its public layout is shown, with noise, whatever the data are.

Rows that no owner has count 0, as does NULL. No flag is computed from a value, so that what is shown depends on noised values alone.
"""

from __future__ import annotations

from accord.base.ring import Column
from accord.release.layout import STATUS_PLANES
from accord.release.samplers import Words
from accord.release.spec import ReleaseSpec


def shares(spec: ReleaseSpec, rows: int, key: bytes) -> dict[int, Column]:
    """This server's noise for each part that the gate opens, by its place: `rows` integers over Z_2^64.

    `key` (16 bytes) is fresh and this server's alone: who knows two servers' keys knows the noise that was accounted for.
    """
    noised, secret = {} if spec.within else dict(spec.noise), [one.name for one in spec.released if not one.public]
    return {
        STATUS_PLANES + at: noised[name].share(Words(key, f"{spec.name}/{name}"), rows) for at, name in enumerate(secret) if name in noised
    }
