"""A process that runs single tests, each in a fork of its own; run as a script, not imported.

It loads the libraries once and Accord never: every fork imports Accord anew from PYTHONPATH, as it stands on the disk then. Standard
input holds one JSON line a test, {"test", "report", "log"}; each is answered by a line with the fork's exit code. The report says how
many tests passed, and which errors ended the others.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys

LIBRARIES = ("numpy", "numba", "msgspec", "duckdb", "sqlglot.optimizer.qualify", "ibis", "hypothesis", "typer", "rich.console")
CRYPTOGRAPHY = ("cryptography.x509", "cryptography.hazmat.primitives.hpke", "cryptography.hazmat.primitives.kdf.hkdf")
TEST_SECONDS_MAX = 60
VERDICTS = ("AssertionError", "Failed", "AccordError")
"""What a test may end with that has caught something: an assertion, pytest's own verdict, or a refusal of Accord's."""


def is_verdict(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(is_verdict(one) for one in error.exceptions)
    return any(kind.__name__ in VERDICTS for kind in type(error).__mro__)


class Recorder:
    """A pytest plugin that keeps what happened."""

    def __init__(self) -> None:
        self.passed = 0
        self.failures: list[dict[str, object]] = []

    def pytest_collection(self) -> None:
        """Property tests try the same examples every time, and need not find the smallest that fails."""
        from hypothesis import HealthCheck, Phase, settings

        settings.register_profile(
            "sabotage",
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("sabotage")

    def pytest_runtest_logreport(self, report: object) -> None:
        self.passed += report.when == "call" and report.passed  # type: ignore[attr-defined]

    def pytest_exception_interact(self, call: object) -> None:
        error = call.excinfo.value  # type: ignore[attr-defined]
        said = f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]
        self.failures.append({"said": said[:200], "verdict": is_verdict(error)})


def run(test: str, report: str, log: str) -> int:
    """One test in this process; pytest's exit code."""
    import pytest

    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    recorder = Recorder()
    code = pytest.main([test, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:faulthandler"], plugins=[recorder])
    with open(report, "w", encoding="utf-8") as file:
        json.dump({"passed": recorder.passed, "failures": recorder.failures}, file)
    return int(code)


def forked(request: dict[str, str]) -> int:
    """The exit code of a fork that runs a request; −signal where one ended it."""
    child = os.fork()
    if child == 0:
        signal.alarm(TEST_SECONDS_MAX)
        os._exit(run(**request))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def abs_of(number: int) -> int:
    return abs(number)


def main() -> None:
    for name in (*LIBRARIES, *CRYPTOGRAPHY, "pytest"):
        importlib.import_module(name)
    importlib.import_module("numba").njit(abs_of)(1)  # what the first compilation loads, every fork has then
    gc.freeze()
    for line in sys.stdin:
        sys.stdout.write(f"{forked(json.loads(line))}\n")
        sys.stdout.flush()
    os._exit(0)  # what is frozen cannot be tidied up


if __name__ == "__main__":
    main()
