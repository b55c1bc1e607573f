"""What a study's plans do and who learns what, in words for those who must agree: canonical text, since its hash is signed.

The same plans give the same text everywhere: nothing here looks at data, clocks or machines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from accord.mpc.cost import FREE, Cost
from accord.mpc.hash_keys import FAILURE_BITS
from accord.mpc.party import Profile
from accord.plan.catalog import Catalog
from accord.plan.correlated import CORRELATED, correlated
from accord.plan.facts import walk
from accord.plan.lower import NodeCost, distinct, execute_all, faults_of, has_one_row, node_costs, stand_ins
from accord.plan.nodes import Field, Input, Node
from accord.plan.noised import Noised
from accord.plan.secure_calls import count
from accord.plan.secure_table import input_parts
from accord.plan.steps import sentence, value_text
from accord.plan.types import BOOL, CATEGORY, TEXT

LOCAL, SECURE, RELEASE = "LOCAL", "SECURE", "RELEASE"


@dataclass(frozen=True)
class Told:
    """One release as people are to be told of it.

    `node` is its placed plan. Every row goes to all `recipients`; where `by_columns` names columns, only to those of them whom the row
    names there. `rules` are sentences; `reason` says why there are none. `judged` columns are read by rules and not released.
    `noise` gives a sentence for each noised column, none for those that another's covers, and `hidden` says whose presence it hides,
    `losing` how well, `made` what recipients compute of it. `stated` are rules that hold no row back; `bounds` says how far columns can be
    off that these show otherwise.
    """

    name: str
    title: str
    node: Node
    recipients: tuple[str, ...]
    by_columns: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    reason: str = ""
    judged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    plans: int = 1
    noise: tuple[tuple[str, str], ...] = ()
    hidden: str = ""
    losing: str = ""
    made: tuple[str, ...] = ()
    stated: tuple[str, ...] = ()
    bounds: tuple[tuple[str, str], ...] = ()


OWNERS_LISTED_MAX = 8
"""Where more owners share alike, one line tells of all."""


@dataclass(frozen=True)
class PlanStep:
    """One step: in which world, where, what it does, how many rows it makes.

    `rounds` and `bytes_per_server` are what it would take alone; for a LOCAL step `bytes_per_server` is what its owner sends.
    """

    world: str
    where: str
    what: str
    rows: int
    rounds: int = 0
    bytes_per_server: int = 0
    sql: str = ""


@dataclass(frozen=True)
class Explanation:
    """The steps in order, the cost of all secure steps together, sentences on who learns what, and the text that people read and sign."""

    title: str
    purpose: str
    steps: tuple[PlanStep, ...]
    cost: Cost
    learns: tuple[str, ...]
    public: tuple[str, ...]
    sections: tuple[tuple[str, tuple[str, ...]], ...] = field(repr=False)

    @property
    def text(self) -> str:
        """Plain text, sections with a heading each, no line longer than its sentence."""
        lines = [self.title, *([f"Purpose: {self.purpose}"] if self.purpose else [])]
        for heading, sentences in self.sections:
            lines += ["", heading, *sentences]
        return "\n".join(lines) + "\n"

    def __str__(self) -> str:
        return self.text


def explain(
    releases: Sequence[Told],
    catalog: Catalog,
    profile: Profile,
    servers: Sequence[str] = (),
    title: str = "This study",
    purpose: str = "",
    composed: Sequence[str] = (),
    whole: Cost | None = None,
) -> Explanation:
    """Explains placed plans, each with its release, and what several of them lose together. Costs are foretold by counting the very
    protocols that will run; `whole` is that of the plans with what judges and releases."""
    nodes = tuple(one.node for one in releases)
    prices = node_costs(nodes, profile)
    local, secure = _local_steps(nodes, catalog), _secure_steps(nodes, prices)
    total = count(lambda me: execute_all(me, nodes, stand_ins(nodes)), profile)[1] if nodes else FREE
    merged = _merged(releases)
    told = tuple(_release_step(one) for one in merged)
    learns = _who_learns(merged, composed, catalog, servers)
    public = _what_is_public(merged, catalog)
    who = f" ({_and(servers)})" if servers else ""
    sections = (
        ("WHO LEARNS WHAT", learns),
        ("WHAT IS KNOWN TO ALL WHO TAKE PART", public),
        ("LOCAL: WHAT EACH OWNER COMPUTES ALONE", _local_text(local)),
        (f"SECURE: WHAT THE THREE SERVERS{who} COMPUTE ON SHARES", _secure_text(secure, total, any(one.moves_rows for one in prices))),
        ("RELEASE", (*(f"- {step.what}" for step in told), *_whole(whole))),
        ("ACCURACY", (*_accuracy(merged), *_hashed(prices))),
    )
    return Explanation(title, purpose, (*local, *secure, *told), total, learns, public, sections)


def _whole(whole: Cost | None) -> tuple[str, ...]:
    if whole is None:
        return ()
    return (
        f"- With these rules, {whole.rounds} rounds and {_bytes(-(-whole.bytes // 3))} a server in all, before the parts for recipients.",
    )


def _accuracy(releases: Sequence[Told]) -> tuple[str, ...]:
    noised = [f"{one.name}.{name}" for one in releases for name, text in one.noise if text]
    changed = [f"{one.name}.{name}" for one in releases for name, _ in one.bounds]
    parts = [*([f"{_and(noised)}, which have noise"] if noised else []), *([f"{_and(changed)}, see their rules"] if changed else [])]
    but = f", but for {_and(parts)}" if parts else ""
    near = [f"{one.name}.{name}" for one in releases for name in sorted(correlated(one.node))]
    within = f" Of {_and(near)}, {CORRELATED}." if near else ""
    return (f"- Every released number is exact: integers and decimals, quotients rounded half away from zero{but}.{within}",)


def _merged(releases: Sequence[Told]) -> tuple[Told, ...]:
    """Plans of one release that differ in nothing but their recipients, as one."""
    merged: dict[tuple[object, ...], Told] = {}
    for one in releases:
        rules = one.rules, one.stated, one.reason, one.judged
        alike = (one.name, one.title, one.node.fields, one.by_columns, *rules, one.notes, one.noise, one.made)
        before = merged.get(alike)
        merged[alike] = replace(before, recipients=before.recipients + one.recipients, plans=before.plans + 1) if before else one
    return tuple(merged.values())


# ---- who learns what


def _who_learns(releases: Sequence[Told], composed: Sequence[str], catalog: Catalog, servers: Sequence[str]) -> tuple[str, ...]:
    lines = [line for one in releases for line in _release_lines(one)]
    lines += [f"- {one}." for one in composed]
    owners = tuple(dict.fromkeys(owner for info in catalog.tables.values() for owner in info.owners))
    if owners:
        lines.append(f"- Nobody else learns anything of the data of {_and(owners)}: no row of it leaves its owner except as secret shares.")
    who = f"The servers {_and(servers)} learn" if servers else "The three servers learn"
    alone = "each holds random-looking shares, and any one of them alone learns nothing"
    together = "Two of them together, if they broke their agreement, could reconstruct what was shared"
    lines.append(f"- {who} no value: {alone}. {together}.")
    return tuple(lines)


def _release_lines(told: Told) -> list[str]:
    shown = [one for one in told.node.fields if one.name not in told.judged]
    keys, values = [one for one in shown if one.public], [one for one in shown if not one.public]
    who = f"{_and(told.recipients)} {'learn' if len(told.recipients) != 1 else 'learns'}"
    each = f"for each row, that is for each {_and([one.name for one in keys])}" if keys else "in each row"
    near, noise = correlated(told.node), dict(told.noise)
    values_told = (
        "; ".join(_otherwise(one, told) or _shown(one, noise, one.name in near) for one in values if noise.get(one.name, True))
        or "that it is there"
    )
    lines = [f"- {told.name}{f' ({told.title})' if told.title else ''}: {who}, {each}: {values_told}."]
    if told.plans > 1:
        lines.append("  Each of them by a question of its own, in which :recipient stands for it; it gets the answer to its own only.")
    if told.by_columns:
        lines.append(f"  Each row goes only to those of them whom it names in {_and(told.by_columns)}; the others do not get it.")
    lines += [f"  Rule: {rule}; where it fails, a marker says so and no server knows which rows failed." for rule in told.rules]
    lines += [f"  Rule: {rule}." for rule in told.stated]
    lines += [f"  The recipient's machine makes of this {one}." for one in told.made]
    if told.noise:
        lines.append(f"  Noise that no server knows hides whether {told.hidden} is among the data{_rows_shown(told.node)}.")
        if told.losing:
            lines.append(f"  {told.losing[0].upper()}{told.losing[1:]}.")
    elif not told.rules and not told.stated:
        lines.append(f"  No rule holds anything back{f': {told.reason}' if told.reason else ''}.")
    if told.judged:
        lines.append(f"  Used by the rules and shown to nobody: {_and(told.judged)}.")
    if not any(one.public for one in told.node.fields) and not has_one_row(told.node):
        lines.append("  Which rows there are is secret: they come without the places of others, so that beside them their number is told.")
    if faults := faults_of(told.node):
        lines.append(f"  Or, in place of all rows and whoever they are of, that data break a promise: that {'; or that '.join(faults)}.")
    return lines + [f"  Mind: {note}" for note in told.notes]


def _rows_shown(node: Node) -> str:
    """Which rows a release with noise shows."""
    within = next((one for one in walk(node) if isinstance(one, Noised)), None)
    if within is None:
        return "; every row is shown, data or not"
    chosen = "; rows are chosen and ordered by values with noise and public ones alone"
    return f"{chosen}; {within.threshold.sentence}" if within.threshold else chosen


def _otherwise(field: Field, told: Told) -> str:
    """A column that rules show otherwise; nothing for others."""
    bound = dict(told.bounds).get(field.name)
    return f"{field.name}, {bound}" if bound else ""


def _shown(field: Field, noise: Mapping[str, str], is_near: bool) -> str:
    """A secret column of a release and what it can be; `is_near`: it is made of correlations."""
    type = field.type
    if field.name in noise:
        return f"{field.name}, with {noise[field.name]}"
    if type.kind == CATEGORY:
        what = f"one of {_values(type.values)}"
    elif type.kind == BOOL:
        what = "true or false"
    elif type.kind == TEXT:
        what = f"a text of at most {type.bytes_max} bytes"
    else:
        what = f"{'nearly' if is_near else 'exactly'}, between {value_text(type, type.low)} and {value_text(type, type.high)}"
    return f"{field.name}, {what}{', or that there is none' if type.nullable else ''}"


def _values(values: Sequence[str]) -> str:
    listed = [repr(one) for one in values[:10]]
    return ", ".join(listed) + (f" and {len(values) - 10} more" if len(values) > 10 else "")


def _what_is_public(releases: Sequence[Told], catalog: Catalog) -> tuple[str, ...]:
    lines = []
    for name, info in catalog.tables.items():
        bounds = ", ".join(f"{owner} at most {rows}" for owner, rows in zip(info.owners, info.rows_max, strict=True))
        declared = f"- The columns of {name} with their declared ranges, and how many rows each owner can have"
        lines.append(f"{declared}: {bounds}. Not how many it has.")
    lines += [f"- The table {name}, whose {len(one.rows)} rows stand in the study." for name, one in catalog.publics.items()]
    named = [(told.name, _and([one.name for one in told.node.fields if one.public])) for told in releases]
    lines += [f"- Which rows {name} has: every {keys} that could occur, whether or not there is data." for name, keys in named if keys]
    return (*lines, "- This plan: every step below, its SQL, its number of rows, and how much is sent.")


# ---- steps


def _inputs(nodes: Sequence[Node]) -> list[Input]:
    return list({one.name: one for node in nodes for one in walk(node) if isinstance(one, Input)}.values())


def _local_steps(nodes: Sequence[Node], catalog: Catalog) -> tuple[PlanStep, ...]:
    return tuple(
        PlanStep(LOCAL, one.owner, f"{one.name}: {_grid(one)}", one.rows, 0, sum(part.nbytes for part in input_parts(one)), one.sql)
        for one in _inputs(nodes)
    )


def _grid(node: Input) -> str:
    keys = " × ".join(f"{name} ({len(values)})" for name, values in node.keys)
    secret = [one.name for one in node.columns if not one.public]
    rows = (
        f"one row for each {keys}" if keys and node.slots == 1 else f"{node.slots} rows for each {keys}" if keys else f"{node.slots} rows"
    )
    return f"shares {_and(secret) or 'only whether a row is there'}; {rows}, missing ones padded so that their number tells nothing"


def _hashed(prices: Sequence[NodeCost]) -> tuple[str, ...]:
    """What hashes of wide keys can do to an answer."""
    steps = sum("hash_keys" in one.work.done for one in prices)
    which = "one step compares" if steps == 1 else f"{steps} steps compare"
    hashes = f"- Of the steps above {which} wide keys by hashes made in the run: in each, two of all keys that differ are taken for one"
    return (f"{hashes} with a chance below 2^-{FAILURE_BITS}.",) if steps else ()


def _secure_steps(nodes: Sequence[Node], prices: Sequence[NodeCost]) -> tuple[PlanStep, ...]:
    """One step for each distinct node; inputs go by their names, what is computed by numbers."""
    names: dict[int, str] = {}
    steps: list[PlanStep] = []
    for price, (_, alike) in zip(prices, distinct(tuple(nodes)), strict=True):
        if isinstance(price.node, Input):
            name = price.node.name
        else:
            name = f"table {len(steps) + 1}"
            what = f"{name} = {sentence(price.node, [names[id(below)] for below in price.node.inputs])}"
            steps.append(PlanStep(SECURE, "servers", what, price.rows, price.cost.rounds, -(-price.cost.bytes // 3)))
        names.update({id(one): name for one in alike})
    return tuple(steps)


def _release_step(told: Told) -> PlanStep:
    passed = f", judged on shares by {len(told.rules)} rule{'s' if len(told.rules) != 1 else ''}" if told.rules else ""
    columns = _and([one.name for one in told.node.fields if one.name not in told.judged])
    what = f"{told.name}: {columns}{passed}, re-randomised and encrypted by each server to the keys of {_and(told.recipients)}"
    return PlanStep(RELEASE, _and(told.recipients), what, 0)


def _local_text(steps: Sequence[PlanStep]) -> tuple[str, ...]:
    """One paragraph for each SQL, with the owners who run it."""
    lines: list[str] = []
    for sql in dict.fromkeys(one.sql for one in steps):
        mine = [one for one in steps if one.sql == sql]
        told = [(one, one.what.partition(": ")) for one in mine]
        for shares, sent in dict.fromkeys((what, (one.rows, one.bytes_per_server)) for one, (_, _, what) in told):
            alike = [(one.where, name) for one, (name, _, what) in told if (what, (one.rows, one.bytes_per_server)) == (shares, sent)]
            lines += _shared(alike, f"{shares}. {sent[0]} rows, {_bytes(sent[1])} to each of two servers.")
        lines += ["  They run:" if len(mine) > 1 else "  It runs:", *(f"    {line}" for line in sql.splitlines())]
    return tuple(lines)


def _shared(alike: Sequence[tuple[str, str]], what: str) -> list[str]:
    """What owners share alike, each with its input's name: a line an owner, or one line where many do."""
    if len(alike) <= OWNERS_LISTED_MAX:
        return [f"- {owner} {name}: {what}" for owner, name in alike]
    return [f"- Each of {len(alike)} owners {what} As {_and([name for _, name in alike])}."]


def _secure_text(steps: Sequence[PlanStep], total: Cost, moves_rows: bool) -> tuple[str, ...]:
    lines = [
        f"- {one.what}. {one.rows} rows"
        + (f", {one.rounds} rounds, {_bytes(one.bytes_per_server)} a server." if one.rounds else ", nothing sent.")
        for one in steps
    ]
    together = (
        f"Together {total.rounds} rounds and {_bytes(-(-total.bytes // 3))} a server, steps that do not need each other side by side."
    )
    moved = "- Where rows are sorted, servers see row numbers behind shuffles that none of them knows: by chance alone, whatever the data."
    opened = "- No value is opened in any of these steps, neither data nor which rows are there."
    return (*lines, f"- {together}", opened, *([moved] if moves_rows else []))


def _bytes(number: int) -> str:
    return f"{number} bytes" if number < 10_000 else f"{number // 1000} kB" if number < 10_000_000 else f"{number // 1_000_000} MB"


def _and(names: Sequence[str]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])
