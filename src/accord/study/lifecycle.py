"""The life of a study, as a table that does not know who we are."""

from __future__ import annotations

from enum import StrEnum

from accord.base.errors import Refused


class State(StrEnum):
    """Where a study stands."""

    DRAFT = "draft"
    OFFERED = "offered"
    SIGNED = "signed"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"


class Event(StrEnum):
    """What can happen to it."""

    OFFER = "offer"
    APPROVE_LAST = "approve_last"
    CHANGE = "change"
    DECLINE = "decline"
    START = "start"
    RELEASE = "release"
    ABORT = "abort"
    EXPIRE = "expire"


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.DRAFT: {Event.OFFER: State.OFFERED, Event.CHANGE: State.DRAFT},
    State.OFFERED: {Event.APPROVE_LAST: State.SIGNED, Event.CHANGE: State.DRAFT, Event.DECLINE: State.REFUSED, Event.EXPIRE: State.EXPIRED},
    State.SIGNED: {Event.START: State.RUNNING, Event.CHANGE: State.DRAFT, Event.DECLINE: State.REFUSED, Event.EXPIRE: State.EXPIRED},
    State.RUNNING: {Event.RELEASE: State.DONE, Event.ABORT: State.FAILED},
    State.FAILED: {Event.START: State.RUNNING, Event.CHANGE: State.DRAFT, Event.EXPIRE: State.EXPIRED},
    State.DONE: {},
    State.REFUSED: {},
    State.EXPIRED: {},
}


def after(state: State, event: Event) -> State:
    """The next state. Raises Refused for what cannot happen now."""
    allowed = TRANSITIONS[state]
    if event not in allowed:
        possible = ", ".join(allowed) or "nothing more"
        raise Refused(f"a study that is {state} cannot {event.replace('_', ' ')}", rule=f"now possible: {possible}")
    return allowed[event]
