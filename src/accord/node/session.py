"""A study in the hands of whoever works with it: explain, sign, run, open, verify. The Python face of the command."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import accord
from accord.base.errors import Refused
from accord.node import recipient as recipients
from accord.node import runtimes
from accord.node.compiled import Compiled, compile_study, explanation_digest
from accord.node.evidence import require_sound
from accord.node.folder import StudyFolder, open_folder
from accord.node.history import has_failed
from accord.node.job import Phase
from accord.node.policies import APPROVED, mark, policy_text
from accord.node.processes import Progress
from accord.node.recipient import EXPLANATION, RECEIPT
from accord.node.runtimes import Outcome
from accord.plan.explain import Explanation
from accord.release.seal import ReleasedTable
from accord.study import consortium, receipt
from accord.study.approval import Agreement, Approval, PolicyMark, approve, missing
from accord.study.document import Study
from accord.study.keys import PartyKeys, PublicKeys
from accord.study.lifecycle import State


def _ignore(phase: Phase) -> None:
    """For those who do not watch."""


@dataclass(frozen=True)
class Session:
    """One study's folder. Every property reads the files anew when the session is made, and once."""

    folder: StudyFolder

    @cached_property
    def study(self) -> Study:
        return self.folder.study()

    @cached_property
    def compiled(self) -> Compiled:
        """Raises Refused for what cannot be planned, with the reason and the nearest form."""
        return compile_study(self.study)

    @property
    def explanation(self) -> Explanation:
        return self.compiled.explanation

    @property
    def agreement(self) -> Agreement:
        """What signatures cover. Raises Refused where there is no consortium yet."""
        return self.compiled.agreement(self.folder.consortium())

    @property
    def required(self) -> dict[str, PublicKeys]:
        """Whose approvals a run needs, with their keys."""
        parties = self.folder.consortium()
        return {name: parties.keys_of(name) for name in self.study.approvers}

    def missing(self) -> list[str]:
        """Who has not signed the study as it stands."""
        return missing(self.agreement, self.folder.approvals(), self.required)

    def sign(self, party: str) -> Approval:
        """Sign with the party's key, which lies in its folder here; hand the approval in and write it into the party's ledger.

        Raises Refused where an owner's own policy does not allow the study.
        """
        if party not in self.study.approvers:
            raise Refused(f"the signature of {party} is not needed", rule="every owner and every server signs")
        self.study.require_unexpired(datetime.date.today())
        place = self.folder.party(party)
        keys, agreement = place.keys(), self.agreement
        if keys.public != self.folder.consortium().keys_of(party):
            raise Refused(
                f"the keys here are not those that the consortium has for {party}", do="make the consortium anew with: accord keys"
            )
        policy = self.policy_mark(party)
        approval = approve(keys, agreement, policy)
        self.folder.add_approval(approval)
        place.ledger().append(APPROVED, {**agreement.document(), **(policy.document() if policy else {})})
        return approval

    def policy_text(self, party: str) -> str:
        """What a party's own policy asks of the study: its signature covers this too. Empty where its folder here holds none."""
        return policy_text(self.compiled, self.folder.party(party), datetime.date.today())

    def policy_mark(self, party: str) -> PolicyMark | None:
        """What a party's signature covers of its own policy. Raises Refused where that does not allow the study."""
        return mark(self.compiled, self.folder.party(party), datetime.date.today())

    def state(self) -> State:
        """Where the study stands, from the files that are here. A study that was changed after a run stands where its signatures do."""
        has_consortium = (self.folder.path / consortium.FILE).exists()
        if has_consortium and any(receipt.read(one).agreement == self.agreement for one in self._receipts().values()):
            return State.DONE
        if datetime.date.today() > self.study.expires:
            return State.EXPIRED
        if not has_consortium:
            return State.DRAFT
        if self.missing():
            return State.OFFERED
        if set(self.folder.runs()) - set(self._receipts()):
            return State.RUNNING if runtimes.is_running(self.folder) else State.FAILED
        ledgers = [self.folder.party(name).ledger() for name in self.study.approvers]
        return State.FAILED if any(has_failed(one, self.study) for one in ledgers) else State.SIGNED

    def run(self, runtime: str = "local:", progress: Progress = _ignore) -> Outcome:
        """Run the study: `clear:` on plaintext, `sim:` in one process, `local:` with three server processes over TLS.

        Raises Refused, PeerFault or OurFault; nothing is released then.
        """
        return runtimes.run(runtime, self.folder, self.compiled, progress)

    def tables(self, recipient: str, outcome: Outcome) -> dict[str, ReleasedTable]:
        """A recipient's tables of a run, by release: opened with its key, or plain where the runtime was `clear:`."""
        return dict(outcome.tables[recipient]) if outcome.tables else self.open(recipient, outcome.run_id)

    def open(self, recipient: str, run_id: str | None = None, keys: PartyKeys | None = None, only: str = "") -> dict[str, ReleasedTable]:
        """Decrypt what a run released to a recipient (the newest run by default), with the key in its folder or the given one; or `only`
        one release.

        Raises Refused where a fault was found in what is opened, there is nothing for it, or the key is another's.
        """
        run = run_id or self.newest
        return recipients.open_run(self.compiled, self.folder, run, recipient, keys or self.folder.party(recipient).keys(), only)

    def verify(self, run_id: str | None = None) -> receipt.Receipt:
        """The receipt of a run (the newest by default), verified. Raises Refused for what does not hold."""
        return self.verify_file(self.folder.run(run_id or self.newest) / RECEIPT)

    def verify_file(self, path: Path) -> receipt.Receipt:
        """A receipt from anywhere, verified against this study as it stands.

        The explanation that was signed is the one kept beside the receipt, else the one of this version. The plan must be what this
        version compiles, unless another version made the receipt. Raises Refused for what does not hold.
        """
        found = receipt.read(path)
        ours, theirs = self.agreement, found.agreement
        if (theirs.study, theirs.consortium) != (ours.study, ours.consortium):
            raise Refused("this receipt is of another study or consortium", where=str(path), do="name its study with --study")
        kept = path.with_name(EXPLANATION)
        shown = explanation_digest(kept.read_text(encoding="utf-8")) if kept.is_file() else ours.explanation
        if shown != theirs.explanation:
            raise Refused(
                "the explanation that was signed is another", where=str(path), do=f"put the {EXPLANATION} of that run beside the receipt"
            )
        receipt.verify(found, self.folder.consortium(), self.required)
        require_sound(found)
        same_version = {one.facts["versions"]["accord"] for one in found.statements} == {accord.__version__}
        if theirs.plan != ours.plan and same_version:
            raise Refused("this receipt is of another plan", where=str(path), rule="one version compiles a study to one plan")
        return found

    @property
    def newest(self) -> str:
        """The newest run that released something. Raises Refused where there is none."""
        done = self._receipts()
        if not done:
            raise Refused("this study has released nothing yet", where=str(self.folder.path), do="run it with: accord run")
        return list(done)[-1]

    def _receipts(self) -> dict[str, Path]:
        """The receipts that are here by run, oldest first."""
        paths = {run: self.folder.run(run) / RECEIPT for run in self.folder.runs()}
        return {run: path for run, path in paths.items() if path.exists()}


def open_study(path: str | Path) -> Session:
    """The study in a folder (or the `study.toml` inside)."""
    return Session(open_folder(Path(path)))
