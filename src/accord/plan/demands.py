"""What the servers' form of a step demands of a placed plan, refused at plan time with the nearest form."""

from __future__ import annotations

from accord.base.errors import OurFault, Refused
from accord.mpc.lookup import INDEX_BITS_MAX
from accord.plan.largest import values_of
from accord.plan.nodes import Aggregate, AsOf, Between, Join, Node, Sort, Window
from accord.plan.share import unbounded
from accord.plan.types import CATEGORY, TEXT, Type

LOWERED_JOINS = ("inner", "left", "cross", "semi", "anti")
MATCHED_JOINS = {Between: ("inner", "left", "semi", "anti"), AsOf: ("inner", "left")}


def require_secure(node: Node) -> None:
    """Raises Refused for a step that servers cannot do."""
    if isinstance(node, Join):
        _require_kind(node)
        _require_bound(node)
    if isinstance(node, Sort) and not node.is_public:
        for name, _ in node.keys:
            _require_order(name, node.field(name).type)
    if isinstance(node, Window):
        for name, _ in node.order:
            _require_order(name, node.field(name).type)
    if isinstance(node, Aggregate) and not node.is_public:
        _require_single_values(node)


def _require_kind(node: Join) -> None:
    if node.kind not in LOWERED_JOINS:
        do = "turn a right join round; write a full one as a left join and the rows of the right that meet none"
        raise Refused(f"a {node.kind} join on shares", rule=", ".join(LOWERED_JOINS), do=do)
    if node.match and node.kind not in MATCHED_JOINS[type(node.match)]:
        raise OurFault(f"a {node.kind} join on {node.match.text}", do="write it as an inner join")
    matched = [(a, b) for a in node.match.names[0] for b in node.match.names[1]] if node.match else []
    for left, right in (*node.on, *matched):
        a, b = node.left.field(left).type, node.right.field(right).type
        if a.values != b.values or a.scale != b.scale:
            raise OurFault(f"a join of {left} with {right}, which are not in one form")


def _require_bound(node: Join) -> None:
    """A join on secret columns in which several rows of both sides may agree needs room that does not depend on the data."""
    if not unbounded(node):
        return
    raise Refused(
        f"a JOIN on {node.agreement}, which is secret, where several rows of either side may agree",
        rule="how many rows meet is secret, so that their number needs a bound",
        do="make one side unique with GROUP BY in a subquery, declare the columns unique, or bound the rows: JOIN /*+ rows_max(1000) */",
    )


def _require_order(name: str, type: Type) -> None:
    """A secret column is ordered by its bits, a category by ranks looked up in a table."""
    if type.kind == TEXT and not type.bytes_max:
        raise Refused(
            f"an order by {name}, a text of unbounded length", rule="servers have its digest alone", do="declare its bytes_max in the study"
        )
    texts = [value.encode() for value in type.values]
    if type.kind == CATEGORY and len(texts) > 1 << INDEX_BITS_MAX and texts != sorted(texts):
        raise Refused(
            f"an order by {name}, a category of {len(texts)} values",
            rule=f"secret categories of more than {1 << INDEX_BITS_MAX} values are declared in their order",
            do="declare its values in alphabetical order",
        )


def _require_single_values(node: Aggregate) -> None:
    """Secret groups have their largest contributions by the order of one column."""
    if any(len(values_of(call.argument)) > 1 for _, call in node.aggregates):
        raise Refused(
            f"the largest contributions to groups by {', '.join(node.keys)}, which are secret, of groups within them",
            rule="contributions that are groups within groups have public groups",
            do="declare smaller domains, or count different values (COUNT(DISTINCT …)) in a release of its own",
        )
