"""Rule: where a question reads the unique key of a table that several owners hold, servers check that no two of their rows share one.

Owners check their own rows; that no row of one has the key of another's is a promise of the study, on which bounds and joins rely. The keys
are shared once more, on their own, so that the check sees every row, whatever the question chooses. Where no column of the key is read, or
only some of them, nothing can rely on it.
"""

from __future__ import annotations

from accord.plan.catalog import Catalog
from accord.plan.facts import table_info, walk, with_inputs
from accord.plan.nodes import Limit, Node, Project, Promise, Scan, Several, Sort
from accord.plan.prune import read_of_inputs
from accord.plan.typing import column


def check_promises(node: Node, catalog: Catalog) -> Node:
    """The rows stay as they are; a key that repeats is a fault of the question's table."""
    if isinstance(node, Several):
        return with_inputs(node, tuple(check_promises(one, catalog) for one in node.inputs))
    keys = _keys(node, catalog)
    return _with_check(node, tuple(keys), tuple(keys.values())) if keys else node


def _keys(node: Node, catalog: Catalog) -> dict[str, Node]:
    """The promised keys that a question reads, of each table all rows."""
    read = {id(node): frozenset(one.name for one in node.fields)}
    found: dict[str, Node] = {}
    for one in reversed(list(walk(node))):
        for below, names in zip(one.inputs, read_of_inputs(one, read[id(one)]), strict=True):
            read[id(below)] = read.get(id(below), frozenset()) | names
        info = table_info(catalog, one.table) if isinstance(one, Scan) else None
        if info and info.promises_unique and frozenset(info.schema.unique) <= read[id(one)]:
            found[info.schema.name] = Project(one, tuple((name, column(one.field(name))) for name in info.schema.unique))
    return dict(sorted(found.items()))


def _with_check(node: Node, tables: tuple[str, ...], keys: tuple[Node, ...]) -> Node:
    """Below the order of the whole, which stays last."""
    chain = isinstance(node, Sort | Limit) or (isinstance(node, Project) and isinstance(node.input, Sort | Limit))
    if chain:
        return with_inputs(node, (_with_check(node.inputs[0], tables, keys),))
    return Promise(node, tables, keys)
