"""A study compiled: every release as a placed plan with its recipients and rules, the inputs that owners share, what is signed of it.

Each party compiles for itself; the same study and version give the same plan, digest and explanation everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from accord.base import canonical
from accord.base.errors import Refused
from accord.base.limits import PROTOCOL_VERSION
from accord.frame.sql import to_plan
from accord.mpc.party import PROFILES, Profile
from accord.node.comparable import Told, require_comparable
from accord.node.noise import NoisedPlan, noised_plan
from accord.plan.catalog import Catalog
from accord.plan.document import formula_document, plan_document
from accord.plan.explain import Explanation, explain
from accord.plan.explain import Told as Explained
from accord.plan.facts import tables_of, walk
from accord.plan.lower import public_layouts
from accord.plan.nodes import Input, Node
from accord.plan.place import place, place_all
from accord.release.accounting import Loss, loss_of, together
from accord.release.gate import cost
from accord.release.noise import ColumnNoise, Unit, read_noise
from accord.release.rule import ChangeRule, RowRule, Rule, TableRule
from accord.release.rules import read_rules
from accord.release.spec import ByColumns, ReleaseSpec
from accord.study.approval import Agreement
from accord.study.consortium import Consortium
from accord.study.document import ReleaseText, Study

RECIPIENT = ":recipient"
ONCE = "Each of its cells is answered once for one version of the data; owners refuse it another time."


@dataclass(frozen=True)
class Branch:
    """One plan of a release: for all its recipients, or for the one whose value `:recipient` takes.

    `asked` is the question alone; `unplaced` also holds each unit to its number of rows, where the release has noise.
    """

    text: ReleaseText
    unplaced: Node
    spec: ReleaseSpec
    asked: Node
    parameters: tuple[tuple[str, str], ...] = ()

    def require_comparable(self, study: Study) -> None:
        """Raises Refused where the study compares releases and this one, which has no noise, could not be."""
        if study.history is not None and not self.text.noise:
            require_comparable(Told(self.spec.name, self.asked, self.spec.rules), study.history, study.catalog)

    def notes(self, study: Study) -> tuple[str, ...]:
        """What people are told of it besides what it releases."""
        once = (ONCE,) if self.text.once else ()
        compared = (study.history.sentence,) if study.history is not None and not self.text.noise else ()
        return (*self.text.notes, *once, *compared)


@dataclass(frozen=True)
class Compiled:
    """The plans of a study.

    `watch`, which a run adds, holds the checks against earlier releases, and `compared` the catalog that these read: see node/earlier.py.
    Neither is signed; both follow from what is.
    """

    study: Study
    branches: tuple[Branch, ...]
    watch: ReleaseSpec | None = None
    compared: Catalog | None = None

    @property
    def specs(self) -> tuple[ReleaseSpec, ...]:
        """What is carried out; the checks come last."""
        return (*(branch.spec for branch in self.branches), *([self.watch] if self.watch else []))

    @property
    def catalog(self) -> Catalog:
        """What is read by everything that is carried out."""
        return self.compared or self.study.catalog

    @property
    def receivers(self) -> tuple[str, ...]:
        """Everybody to whom something is sealed."""
        return tuple(dict.fromkeys([*self.study.recipients, *(self.watch.parties if self.watch else ())]))

    @property
    def profile(self) -> Profile:
        """What all servers agree on about links and blocks; part of the plan."""
        return PROFILES[self.study.profile]

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """What owners share, each once, in the order of the plans."""
        found = {node.name: node for spec in self.specs for node in walk(spec.node) if isinstance(node, Input)}
        return tuple(found.values())

    def inputs_of(self, owner: str) -> tuple[Input, ...]:
        return tuple(one for one in self.inputs if one.owner == owner)

    @cached_property
    def plan_digest(self) -> bytes:
        """The hash of everything that the servers will do: protocol version, profile, plans, recipients, rules."""
        releases = [
            {
                "release": branch.spec.name,
                "recipients": list(branch.spec.parties),
                "rules": list(branch.spec.sentences),
                **({"formulas": [[name, formula_document(one)] for name, one in branch.spec.formulas]} if branch.spec.formulas else {}),
                "judged": list(branch.spec.judged),
                "plan": plan_document(branch.spec.node, self.profile),
            }
            for branch in self.branches
        ]
        return canonical.digest("plan", canonical.encode({"version": PROTOCOL_VERSION, "releases": releases}))

    @cached_property
    def run_digest(self) -> bytes:
        """The hash of what one run does: the signed plan, and its checks against earlier releases."""
        if self.watch is None:
            return self.plan_digest
        return canonical.digest("run plan", self.plan_digest, canonical.encode(plan_document(self.watch.node, self.profile)))

    @cached_property
    def explanation(self) -> Explanation:
        """What each party is shown before it signs."""
        study = self.study
        told = [_told(branch, study) for branch in self.branches]
        purpose = f"{study.purpose} (code {study.purpose_code})" if study.purpose_code else study.purpose
        whole = cost([branch.spec for branch in self.branches], self.profile)
        composed = tuple(_composed(self.branches))
        return explain(told, study.catalog, self.profile, study.servers, study.title, purpose, composed, whole)

    def agreement(self, consortium: Consortium) -> Agreement:
        """What signatures cover."""
        return Agreement(self.study.digest, consortium.digest(), self.plan_digest, explanation_digest(self.explanation.text))

    def tables_of(self, release: str) -> tuple[str, ...]:
        """The owners' tables that a release reads."""
        found = [table for branch in self.branches if branch.text.name == release for table in tables_of(branch.unplaced)]
        return tuple(dict.fromkeys(found))

    def cells_of(self, release: str) -> dict[str, set[str]]:
        """The values that each public column of a release takes."""
        cells: dict[str, set[str]] = {}
        for branch in self.branches:
            if branch.text.name != release:
                continue
            for name, column in public_layouts((branch.spec.node,))[0].items():
                codes = np.unique(column.values[~column.nulls]).tolist()
                cells.setdefault(name, set()).update(column.type.values[code] if column.type.values else str(code) for code in codes)
        return cells


def explanation_digest(text: str) -> bytes:
    """The hash of an explanation as it was shown: 32 bytes."""
    return canonical.digest("explanation", text.encode())


def compile_study(study: Study) -> Compiled:
    """Plan every release. Raises Refused with the release's name for what cannot be planned, and the nearest form."""
    named = _queries(study)
    drafts = [draft for release in study.releases for draft in _noised(study, release, named)]
    branches = tuple(_branch(draft, node) for draft, node in zip(drafts, _placed(study, drafts), strict=True))
    for branch in branches if study.history else ():
        with _named(f"release {branch.spec.name}"):
            branch.require_comparable(study)
    return Compiled(study, branches)


def questions(study: Study) -> list[tuple[ReleaseText, Node]]:
    """Every question of a study as it was asked, with its release."""
    named = _queries(study)
    return [(draft.text, draft.asked) for release in study.releases for draft in _drafts(study, release, named)]


def _queries(study: Study) -> dict[str, Node]:
    named: dict[str, Node] = {}
    for name, sql in study.queries.items():
        with _named(f"query {name}"):
            named[name] = to_plan(sql, study.catalog, named)
    return named


def _noised(study: Study, release: ReleaseText, named: Mapping[str, Node]) -> list[_Draft]:
    drafts = _drafts(study, release, named)
    with _named(f"release {release.name}"):
        return [draft.judged(study.catalog).noised(study.catalog) for draft in drafts]


@dataclass(frozen=True)
class _Draft:
    """A plan of a release before it is placed."""

    text: ReleaseText
    asked: Node
    unplaced: Node
    recipients: tuple[str, ...] | ByColumns
    parameters: tuple[tuple[str, str], ...] = ()
    noise: tuple[tuple[str, ColumnNoise], ...] = ()
    noised_plan: NoisedPlan | None = None
    rules: tuple[Rule, ...] = ()

    def judged(self, catalog: Catalog) -> _Draft:
        """With the columns that its rules add to the question."""
        rules, plan = read_rules(self.text.rules), self.unplaced
        hidden = {*self.text.judged, *(name for rule in rules if isinstance(rule, ChangeRule) for name in rule.shows)}
        exact = frozenset(one.name for one in plan.fields) - hidden if not self.text.noise else frozenset[str]()
        for rule in rules:
            rule.require_asked(self.unplaced, catalog, exact)
            plan = rule.prepared(plan, catalog)
        return replace(self, unplaced=plan, rules=rules)

    def noised(self, catalog: Catalog) -> _Draft:
        """With the noise that the release asks for, scaled by what one unit can do, and with each unit held to its number of rows."""
        if not self.text.noise:
            return self
        if self.parameters:
            raise Refused("noise where each recipient asks its own question", do="ask one question for all, so that one loss covers it")
        made = noised_plan(self.unplaced, self.text.noise, catalog)
        return replace(self, unplaced=made.unplaced, noise=made.noise, noised_plan=made)


def _drafts(study: Study, release: ReleaseText, named: Mapping[str, Node]) -> list[_Draft]:
    """One plan where all recipients get the same; one for each where the question depends on who asks."""
    with _named(f"release {release.name}"):
        by_columns = ByColumns(release.recipient_columns, tuple(study.party_values.items())) if release.recipient_columns else None
        if RECIPIENT not in release.sql:
            asked = to_plan(release.sql, study.catalog, named)
            return [_Draft(release, asked, asked, by_columns or release.recipients)]
        if by_columns:
            raise Refused("a question with :recipient whose rows go to parties by column", do="name the recipients")
        values = {party: value for value, party in study.party_values.items()}
        if unnamed := set(release.recipients) - set(values):
            raise Refused(f":recipient has no value for {', '.join(sorted(unnamed))}", do="add them to [party_values]")
        drafts = []
        for party in release.recipients:
            parameters = (("recipient", values[party]),)
            asked = to_plan(release.sql, study.catalog, named, dict(parameters))
            drafts.append(_Draft(release, asked, asked, (party,), parameters))
        return drafts


def _placed(study: Study, drafts: Sequence[_Draft]) -> tuple[Node, ...]:
    """All plans placed together, so that what they share runs once; one by one where that is refused, to say which."""
    try:
        return place_all([draft.unplaced for draft in drafts], study.catalog)
    except Refused:
        placed = []
        for draft in drafts:
            with _named(f"release {draft.text.name}"):
                placed.append(place(draft.unplaced, study.catalog))
        return tuple(placed)


def _branch(draft: _Draft, node: Node) -> Branch:
    with _named(f"release {draft.text.name}"):
        spec = ReleaseSpec(
            name=draft.text.name,
            node=draft.noised_plan.whole(node, draft.text.name) if draft.noised_plan else node,
            recipients=draft.recipients,
            rules=draft.rules,
            noise=draft.noise,
            losing=_losing(draft),
            formulas=draft.noised_plan.formulas if draft.noised_plan else (),
            judged=(*draft.text.judged, *(name for rule in draft.rules for name in rule.adds)),
            reason=draft.text.reason,
            title=draft.text.title,
        )
    return Branch(draft.text, draft.unplaced, spec, draft.asked, draft.parameters)


def _losing(draft: _Draft) -> str:
    """What the release's noise promises, by the scales that are drawn."""
    if not draft.noise:
        return ""
    asked = read_noise(draft.text.noise)
    return loss_of(one for _, one in draft.noise).sentence(asked.unit.sentence, asked.delta)


def _composed(branches: Sequence[Branch]) -> Iterator[str]:
    """What several releases of one unit tell a recipient together."""
    found: dict[tuple[str, Unit], list[Branch]] = {}
    for branch in branches:
        for party in branch.spec.parties if branch.text.noise else ():
            found.setdefault((party, read_noise(branch.text.noise).unit), []).append(branch)
    for (party, unit), several in found.items():
        if len(several) > 1:
            loss: Loss = together(loss_of(noise for _, noise in one.spec.noise) for one in several)
            names, delta = " and ".join(one.spec.name for one in several), min(read_noise(one.text.noise).delta for one in several)
            yield f"Of {names} together, as {party} sees them: {loss.sentence(unit.sentence, delta)}"


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Say in which query or release something is refused."""
    try:
        yield
    except Refused as error:
        place = f"{where}, {error.where}" if error.where else where
        raise Refused(error.what, where=place, rule=error.rule, do=error.do) from error


def _told(branch: Branch, study: Study) -> Explained:
    """A release as the explanation tells it."""
    spec = branch.spec
    return Explained(
        name=spec.name,
        title=spec.title,
        node=spec.node,
        recipients=spec.parties,
        by_columns=spec.recipients.columns if isinstance(spec.recipients, ByColumns) else (),
        rules=tuple(rule.sentence for rule in spec.rules if isinstance(rule, RowRule | TableRule)),
        stated=tuple(rule.sentence for rule in spec.rules if not isinstance(rule, RowRule | TableRule)),
        bounds=tuple(spec.bounds.items()),
        noise=spec.noise_told,
        made=spec.made,
        hidden=read_noise(branch.text.noise).unit.sentence if branch.text.noise else "",
        losing=spec.losing,
        reason=spec.reason,
        judged=spec.judged,
        notes=branch.notes(study),
    )
