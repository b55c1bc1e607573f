"""What was sent: bytes, frames and rounds of one party, and on demand the transcript itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from accord.wire.exchange import Message


class Line(NamedTuple):
    """One message of a transcript. `payload` is kept only where the recorder was asked to keep it."""

    sender: int
    receiver: int
    path: str
    nbytes: int
    round: int
    payload: bytes | None


@dataclass
class Traffic:
    """Counts of one party's sending. Bytes are payload bytes, without frame headers or TLS.

    `rounds` is the party's logical clock: the longest chain of messages, each sent after hearing the one before.
    """

    party: int
    keep: bool = False
    bytes_sent: int = 0
    frames_sent: int = 0
    rounds: int = 0
    lines: list[Line] = field(default_factory=list)
    _hash: sha256 = field(default_factory=sha256)  # type: ignore[valid-type]

    def sent(self, message: Message) -> None:
        self.bytes_sent += message.payload.size
        self.frames_sent += 1
        if self.keep:
            payload = message.payload.tobytes()
            self.lines.append(Line(self.party, message.peer, message.path, len(payload), self.rounds + 1, payload))

    def heard(self, round: int) -> None:
        """A message of the given round came in: whatever is sent next depends on it."""
        self.rounds = max(self.rounds, round)
