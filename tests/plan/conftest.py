"""Closes what the worlds keep open, and says what random questions were asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accord.testing.harness import Tally
from tests.plan.worlds import owner_connection


@pytest.fixture(scope="session", autouse=True)
def closed_connections() -> Iterator[None]:
    yield
    owner_connection.cache_clear()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The coverage of the grammar, over all workers."""
    told = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "questions" and getattr(report, "when", "") == "call"
    ]
    if told:
        terminalreporter.write_line(str(Tally.of(told)))
