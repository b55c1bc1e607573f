"""Statistics over data that its owners never share.

Organisations agree on a study; three computing servers run it over secret shares of their data; each named recipient gets the
approved result and nothing else. The rooms of this package import only from rooms above them: base, wire, mpc, data, plan, release,
stats, frame, study, node, cli, testing. This file imports nothing, so that `import accord` stays quick.

`accord.open_study(path)` opens a study from Python (`accord.study` is the room of documents and signatures, not a call).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accord.node.session import open_study as open_study

__version__ = "0.2.0"


def __getattr__(name: str) -> object:
    """`open_study` on first use: what it needs (DuckDB, Ibis, Numba) is imported then, not with `import accord`."""
    if name == "open_study":
        from accord.node.session import open_study

        return open_study
    raise AttributeError(f"module 'accord' has no attribute {name!r}")
