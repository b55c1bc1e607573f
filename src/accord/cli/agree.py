"""Agreeing on a study: keys, the explanation, signatures, and where it stands."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from accord.base.errors import Refused
from accord.cli.places import locate
from accord.cli.screen import amount, clock, console, grid, show_text
from accord.node.folder import open_folder
from accord.node.session import Session, open_study
from accord.study import consortium, keys
from accord.study.approval import Agreement
from accord.study.document import Study
from accord.study.lifecycle import State

RULE = "─" * 72
YES = "yes"


def make_keys(place: Path, parties: list[str]) -> None:
    """Make what is missing, and say whose keys lie where."""
    from accord.node import setup

    folder = open_folder(locate(place).study)
    try:
        setup.make_keys(folder, parties or None)
    finally:
        named = [folder.party(party) for party in folder.local_parties() if party in (parties or folder.study().parties)]
        made = [one for one in named if (one.path / keys.PRIVATE_FILE).is_file()]
        rows = [(one.name, _fingerprint(one.keys().public), str(one.path / keys.PRIVATE_FILE)) for one in made]
        console().print(grid(("party", "key", "private file, for this party alone"), rows))
    print(f"written: {folder.path / consortium.FILE}, who takes part and with which public keys; everybody signs it with the study")


def explain(place: Path, seconds: bool = False, rules: bool = False) -> None:
    """The explanation as it would be signed; on demand, below it, what nobody signs: which rules made the plan what it is, and how long
    this machine will take."""
    session = open_study(locate(place).study)
    show_text(session.explanation.text)
    for party in session.folder.local_parties():
        _show_policy(session, party)
    if rules:
        _show_rules(session)
    if seconds:
        _foretell(session)


def _show_rules(session: Session) -> None:
    """Each release's plan before and after each rule that changed it."""
    from accord.plan.outline import rewritings

    for branch in session.compiled.branches:
        print(f"\nHOW THE PLAN OF {branch.text.name} CAME ABOUT, not signed: each rule that changed it")
        for one in rewritings(branch.unplaced, session.compiled.study.catalog):
            print(f"\n{one.text}", end="")


def _foretell(session: Session) -> None:
    from accord.node.calibrate import calibration, file
    from accord.node.forecast import forecast

    if not file().is_file():
        print("accord: measuring this machine, once, about ten seconds", file=sys.stderr)
    found = forecast(session.compiled, calibration())
    figures = [(one.what.partition(" = ")[0], one.rounds, one.bytes_per_server, one.here, one.far) for one in found.steps]
    figures.append(("all, and release", found.cost.rounds, round(found.cost.bytes_per_server), found.here.seconds, found.far.seconds))
    rows = [(what, str(rounds), amount(sent), clock(here), clock(far)) for what, rounds, sent, here, far in figures]
    print("\nFORETOLD FOR THIS MACHINE, not signed: the secure steps, once the servers have met and all inputs are there")
    print("here: all three servers on this machine. Far: servers like it, 20 ms from each other, on lines of 100 Mbit/s.")
    console().print(grid(("step", "rounds", "sent a server", "here", "far"), rows, right=("rounds", "sent a server", "here", "far")))


def sign(place: Path, parties: list[str], all_local: bool, yes: bool) -> None:
    """Show what is signed, ask once, and sign for each party. Raises Refused without a yes."""
    session = open_study(locate(place).study)
    signers = _signers(session, parties, all_local)
    agreement = session.agreement
    for party in signers:
        session.policy_mark(party)
    if yes:
        print(f"accord: warning: signing unread for {_and(signers)}: nobody was shown what is computed and who learns it", file=sys.stderr)
    else:
        _show(session, agreement, signers)
        _require_yes(signers)
    for party in signers:
        session.sign(party)
        print(f"signed by {party}")
    print(_missing_line(session, place))


def status(place: Path) -> None:
    """Who has what part, who has signed, and the runs so far."""
    session = open_study(locate(place).study)
    study, state = session.study, session.state()
    missing = set(study.approvers if state == State.DRAFT else session.missing())
    print(f"{study.title}: {state}, may run until {study.expires}")
    local = set(session.folder.local_parties())
    rows = [(party, roles(study, party), "yes" if party in local else "no", _signed(party, study, missing)) for party in study.parties]
    console().print(grid(("party", "part", "keys here", "signed"), rows))
    for run in session.folder.runs():
        print(f"run {run}: {session.folder.run(run)}")


def roles(study: Study, party: str) -> str:
    """A party's parts in a study, in words."""
    owned = [name for name, table in study.catalog.tables.items() if party in table.owners]
    parts = [f"owns {_and(owned)}"] if owned else []
    parts += ["computes"] if party in study.servers else []
    got = [release.name for release in study.releases if party in release.recipients or release.recipient_columns]
    parts += [f"receives {_and(got)}"] if got and party in study.recipients else []
    return ", ".join(parts)


def _signers(session: Session, parties: list[str], all_local: bool) -> list[str]:
    """Who signs now. Raises Refused for nobody, for a party that the study does not ask, or whose keys are elsewhere."""
    approvers, local = session.study.approvers, session.folder.local_parties()
    if bool(parties) == all_local:
        raise Refused("who signs?", do=f"name one of {_and(approvers)} with --party, or give --all-local for all whose keys are here")
    signers = [party for party in approvers if party in local] if all_local else list(dict.fromkeys(parties))
    for party in signers:
        if party not in approvers:
            raise Refused(f"{party} is not asked to sign this study", rule=f"it asks its owners and servers: {_and(approvers)}")
        if party not in local:
            raise Refused(
                f"the keys of {party} are not on this machine", do=f"let {party} sign where they are, or make them with: accord keys"
            )
    if not signers:
        raise Refused("no keys of this study are on this machine", do="make them with: accord keys")
    return signers


def _show(session: Session, agreement: Agreement, signers: list[str]) -> None:
    show_text(session.explanation.text)
    for party in signers:
        _show_policy(session, party)
    print(f"\n{RULE}\nYour signature covers exactly this text and what it describes:")
    for name, value in agreement.document().items():
        print(f"  {name:<12} {_grouped(value)}")
    for party in signers:
        if policy := session.policy_mark(party):
            print(f"  {'policy':<12} {_grouped(policy.policy.hex())}, version {policy.version}, of {party} alone")
    rows = [(party, roles(session.study, party), _fingerprint(session.folder.party(party).keys().public)) for party in signers]
    console().print(grid(("signs", "part", "with key"), rows))


def _show_policy(session: Session, party: str) -> None:
    if text := session.policy_text(party):
        print()
        show_text(text)


def _require_yes(signers: list[str]) -> None:
    """A person types the word; an empty answer or the end of the input is no."""
    print(f"\nDo you agree, for {_and(signers)}? Type {YES} to sign: ", end="", flush=True)
    answer = sys.stdin.readline()
    if not sys.stdin.isatty():
        print()
    if answer.strip().lower() != YES:
        raise Refused(f"not signed: the answer was not {YES}", do="nothing was written; sign when you agree")


def _missing_line(session: Session, place: Path) -> str:
    missing = session.missing()
    if missing:
        return f"not yet signed by {_and(missing)}"
    return f"everybody has signed; run it with: accord run {place} --runtime local:"


def _signed(party: str, study: Study, missing: set[str]) -> str:
    if party not in study.approvers:
        return "not asked"
    return "no" if party in missing else "yes"


def _fingerprint(public: keys.PublicKeys) -> str:
    """The first 8 bytes of the signing key, for comparing over the telephone."""
    return _grouped(public.signing.hex())


def _grouped(digits: str) -> str:
    return " ".join(digits[at : at + 4] for at in range(0, 16, 4))


def _and(names: Iterable[str]) -> str:
    """a, b and c."""
    *first, last = list(names) or ["nobody"]
    return f"{', '.join(first)} and {last}" if first else last
