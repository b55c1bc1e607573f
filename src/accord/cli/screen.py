"""What a person sees: the two consoles, tables, and the phases of a run.

Colours and moving bars are for terminals; a file or a pipe gets plain lines that are never cut.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import IO, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

READABLE_COLUMNS = 110
PLAIN_COLUMNS = 10_000
"""The width of a pipe: wide enough that no table is cut."""

PHASES = {
    "check": "check the owners' files",
    "share": "check the files, split into shares",
    "connect": "connect the servers",
    "compute": "compute on shares",
    "release": "judge the rules and seal the results",
    "receipt": "sign the receipt",
}


def console(stream: IO[str] | None = None) -> Console:
    """A console on a stream (default: standard output). Words wrap at a terminal's edge; elsewhere no line is broken."""
    file = stream or sys.stdout
    return Console(file=file, highlight=False, soft_wrap=not file.isatty(), width=None if file.isatty() else PLAIN_COLUMNS)


def show_text(text: str) -> None:
    """A text for reading. On a terminal, words wrap under the beginning of their line; elsewhere it is printed as it is."""
    lines = text.rstrip().splitlines()
    if sys.stdout.isatty():
        width = min(shutil.get_terminal_size().columns, READABLE_COLUMNS)
        lines = [_wrapped(line, width) for line in lines]
    print("\n".join(lines))


def _wrapped(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip(" -")))
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def grid(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[str] = ()) -> Table:
    """A table without frame. Columns named in `right` stand right-aligned."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    aligned = set(right)
    for head in heads:
        table.add_column(escape(head), justify="right" if head in aligned else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def amount(size: float) -> str:
    """Bytes for a person."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def clock(seconds: float) -> str:
    """Two digits that count: more are not foretold."""
    return f"{seconds * 1000:.2g} ms" if seconds < 0.0995 else f"{seconds:.2g} s" if seconds < 99.5 else f"{seconds / 60:.0f} min"


class Phases:
    """Shows a run's phases on stderr: a bar each on a terminal, a line as each begins elsewhere.

    Used as a context around each run, and as the `progress` of that run: it is called with (name, done, total, who). Several parties
    tell of one phase, in step; its bar is as far as anybody said.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.parts: dict[str, float] = {}
        self.tasks: dict[str, TaskID] = {}
        self.bar: Progress | None = None

    def __enter__(self) -> Self:
        self.parts, self.tasks, self.bar = {}, {}, None
        if not self.quiet and sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[who]}"), TimeElapsedColumn())
            self.bar = Progress(*columns, console=console(sys.stderr))
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, phase: tuple[str, int, int, str]) -> None:
        name, done, total, who = phase
        if name not in self.parts and not self.quiet and not self.bar:
            print(f"… {PHASES.get(name, name)}", file=sys.stderr, flush=True)
        self.parts[name] = max(self.parts.get(name, 0.0), done / total if total else 1.0)
        if self.bar:
            self._move(self.bar, name, who)

    def _move(self, bar: Progress, name: str, who: str) -> None:
        if name not in self.tasks:
            self.tasks[name] = bar.add_task(f"{PHASES.get(name, name):<38}", total=1.0, who="")
        bar.update(self.tasks[name], completed=self.parts[name], who=escape(who) if self.parts[name] < 1.0 else "")
