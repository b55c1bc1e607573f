"""How a command ends: an exit code, and at most one line on stderr.

0 done · 1 this program failed · 2 it was called wrongly · 3 refused: a rule said no, nothing was released · 4 another party failed or
went away, a new attempt may succeed · 130 interrupted.
"""

from __future__ import annotations

import sys
import traceback
from types import TracebackType
from typing import Any

import typer
from typer.main import get_command

from accord.base.errors import AccordError, PeerFault, Refused

FAILED, MISUSED, REFUSED, PEER_FAILED, INTERRUPTED = 1, 2, 3, 4, 130

CODES = (
    "Exit codes: 0 done; 1 this program failed; 2 called wrongly; 3 refused by a rule, nothing was released; "
    "4 another party failed, try again; 130 interrupted."
)


def run(app: typer.Typer, arguments: list[str]) -> int:
    """Call the app, print what went wrong as one line, and return the exit code.

    `--debug` is taken wherever it stands and prints the trace too. An exception that nobody meant goes on to `sys.excepthook`, which is
    set here to print one line unless `--debug` is given (calling `app` itself would set Typer's own hook).
    """
    debug = "--debug" in arguments
    if not debug:
        sys.excepthook = unexpected
    try:
        command = get_command(app)
        code = command.main([one for one in arguments if one != "--debug"], prog_name="accord", standalone_mode=False)
    except AccordError as error:
        return _failed(error, str(error), _code_of(error), debug)
    except typer.TyperException as error:
        return _failed(error, _usage(error), error.exit_code, debug)
    except OSError as error:
        return _failed(error, _file_trouble(error), FAILED, debug)
    except (typer.Abort, KeyboardInterrupt):
        say("interrupted; nothing more was done")
        return INTERRUPTED
    if code == INTERRUPTED:
        say("interrupted; nothing more was done")
    return code if isinstance(code, int) else 0


def say(sentence: str) -> None:
    """One line on stderr, whatever the sentence holds."""
    print(f"accord: {' '.join(sentence.split())}", file=sys.stderr, flush=True)


def unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Any:
    """A bug's one line. It names the place and not the message, which may hold data."""
    if issubclass(kind, KeyboardInterrupt):
        return say("interrupted; nothing more was done")
    place = traceback.extract_tb(trace)[-1] if trace else None
    where = f" in {_short(place.filename)}, line {place.lineno}" if place else ""
    return say(
        f"unexpected {kind.__name__}{where}: this is a bug in Accord, and nothing was released; call again with --debug and report "
        "the trace to the project (read it first: it may hold data)"
    )


def _failed(error: BaseException, sentence: str, code: int, debug: bool) -> int:
    """Print, and return the code. A list of bad cells stands below the line, a single one in it."""
    if debug:
        traceback.print_exception(error)
    first, *rest = sentence.splitlines() or [type(error).__name__]
    if len(rest) == 1:
        first, rest = f"{first}: {rest[0]}", []
    say(first)
    for line in rest:
        print(line, file=sys.stderr, flush=True)
    return code


def _code_of(error: AccordError) -> int:
    if isinstance(error, Refused):
        return REFUSED
    return PEER_FAILED if isinstance(error, PeerFault) else FAILED


def _usage(error: typer.TyperException) -> str:
    """Click's sentence without its full stop, and where help is."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "accord"
    return f"{error.format_message().rstrip('.')}; see: {command} --help"


def _file_trouble(error: OSError) -> str:
    """The system's own words with the file that they are about."""
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{(error.strerror or type(error).__name__).lower()}; check the path and its permissions"


def _short(filename: str) -> str:
    """From the package on: what stands before it is nobody's business in a report."""
    at = filename.rfind("accord/")
    return filename[at:] if at >= 0 else filename.rsplit("/", 1)[-1]
