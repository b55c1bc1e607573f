"""What an owner's policy asks of a study, as the owner reads it before it signs: only what applies, in the order of the policy's tables."""

from __future__ import annotations

from accord.study.policy import Policy, TablePolicy
from accord.study.policy_check import Asked, Question, losses, measure_of


def told(policy: Policy, asked: Asked) -> str:
    """Plain text; its hash is part of the owner's approval."""
    title = policy.title[0].upper() + policy.title[1:]
    lines = [f"{title}: it allows this study until {policy.expires}, for {' or '.join(repr(one) for one in policy.purposes)}."]
    for name in asked.tables:
        questions = [one for one in asked.questions if name in one.usage.tables]
        if questions:
            lines += _table(policy.tables[name], questions)
    if policy.history is not None:
        lines += [f"- History: {policy.history.sentence_of(name)}." for name in asked.tables if name in policy.history.tables]
        lines.append(f"  After {policy.history.stopped_max} runs that were stopped for it, no more are begun over one version of the data.")
    if policy.quota is not None:
        lines.append(f"- Quota: {policy.quota.sentence}{_taken(asked)}.")
    return "\n".join(lines) + "\n"


def _table(table: TablePolicy, questions: list[Question]) -> list[str]:
    names = ", ".join(dict.fromkeys(one.name for one in questions))
    lines = [f"- {table.name} goes into {names}. Its results go to {', '.join(table.recipients)} alone."]
    used: dict[str, dict[str, str]] = {}
    for question in questions:
        for use in question.usage.uses:
            if use.table == table.name:
                used.setdefault(use.column, {}).setdefault(use.use, f"{use.use}: {use.place}")
    lines += [f"  It {table.sentence_of(column)}; used {'; '.join(uses.values())}." for column, uses in used.items()]
    return [*lines, f"  It asks for {table.judges}."]


def _taken(asked: Asked) -> str:
    found = ((recipient, *measure_of(loss)) for recipient, loss in losses(asked).items())
    taken = [f"{recipient} {measure} = {loss}" for recipient, measure, loss in found]
    return f"; one run of this study tells {', '.join(taken)}" if taken else ""
