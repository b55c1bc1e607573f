"""For every test: Hypothesis without deadlines (cores are shared), and a closing line that says which rooms were tested."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import settings

settings.register_profile("developer", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


def room(nodeid: str) -> str:
    """The folder under tests/ that a test stands in."""
    parts = nodeid.split("::")[0].split("/")
    return parts[1] if len(parts) > 2 else parts[-1]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = Counter(room(report.nodeid) for report in terminalreporter.stats.get("passed", []))
    if passed:
        terminalreporter.write_line("passed by room: " + ", ".join(f"{name} {count}" for name, count in sorted(passed.items())))
