"""The structure of a CSV file, byte by byte, before anything reads its values.

Every record must have as many cells as the header, quotes must stand around whole cells, lines must end in one way, and the
text must be UTF-8: what a lenient reader would skip, trim or guess is refused here, with its line. A vectorised scan in blocks
of a few megabytes; memory does not grow with the file beyond one line number a record.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import Refused

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Positions = NDArray[np.intp]

BLOCK_BYTES = 1 << 23
RECORD_BYTES_MAX = 1 << 20
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_QUOTE, _LF, _CR, _NUL = 34, 10, 13, 0


@dataclass(frozen=True)
class CsvLayout:
    """`header`: the cells of the first record. `lines[i]` is the line, counted from 1, on which data record i begins."""

    delimiter: str
    header: tuple[str, ...]
    lines: NDArray[np.int64]


def scan(path: Path, wanted: Sequence[str] = ()) -> CsvLayout:
    """The layout of a CSV file. `wanted` names decide between delimiters where the header line allows several.

    Raises Refused, naming file and line, for a file that is empty, no UTF-8, or in which some record is not like the header.
    """
    with path.open("rb") as file:
        block = file.read(BLOCK_BYTES)
        _require_text(path.name, block)
        block = block.removeprefix(codecs.BOM_UTF8)
        line = _header_line(path.name, block)
        delimiter = _delimiter(path.name, line, wanted)
        header = _cells(line, delimiter)
        scanner = _Scanner(path.name, ord(delimiter), len(header))
        while block:
            scanner.feed(block)
            block = file.read(BLOCK_BYTES)
    return CsvLayout(delimiter, header, scanner.finish()[1:])


def _require_text(name: str, first: bytes) -> None:
    if not first.removeprefix(codecs.BOM_UTF8).strip():
        rule, do = "the first line names the columns", "export the table again, with a header line"
        raise Refused("this file is empty", where=name, rule=rule, do=do)
    if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise Refused("this file is UTF-16", where=name, rule="CSV files are UTF-8", do="save it as 'CSV UTF-8'")


def _header_line(name: str, block: bytes) -> str:
    """The first record's text: up to the first line end outside quotes."""
    codes = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero((codes == _LF) & ~_inside_quotes(codes, False))
    text = block[: int(ends[0])] if ends.size else block
    if len(text) > RECORD_BYTES_MAX:
        raise Refused("the header never ends", where=f"{name}, line 1", rule=_overlong()[0], do=_overlong()[1])
    if b"\n" in text:  # DuckDB misreads such headers behind a byte-order mark
        rule, do = "the header is one line", "take the line break out of the column's name"
        raise Refused("a column's name goes over several lines", where=f"{name}, line 1", rule=rule, do=do)
    try:
        return text.decode("utf-8").removesuffix("\r")
    except UnicodeDecodeError:
        raise _not_utf8(name, 1) from None


def _delimiter(name: str, line: str, wanted: Sequence[str]) -> str:
    """The delimiter of the header: the only candidate, or the only one under which the most wanted names appear."""
    outside = "".join(line.split('"')[::2])
    found = [one for one in DELIMITERS if one in outside] or [","]
    if len(found) == 1:
        return found[0]
    hits = Counter({one: len(set(_cells(line, one)) & set(wanted)) for one in found})
    (best, most), (_, second) = hits.most_common(2)
    if most == second:
        spelled = " and at each ".join(DELIMITERS[one] for one in found)
        remedy = "put a column name that holds one of them in double quotes"
        raise Refused(f"the header could be split at each {spelled}", where=f"{name}, line 1", rule="one delimiter", do=remedy)
    return best


def _cells(line: str, delimiter: str) -> tuple[str, ...]:
    return tuple(next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter), ()))


def _inside_quotes(codes: Bytes, carried: bool) -> Flags:
    """Which bytes stand between quotes; an opening quote counts as inside, a closing one as outside.

    The parity of the quotes so far: a doubled quote closes and opens again, which changes nothing around it.
    """
    parity = np.cumsum(codes == _QUOTE, dtype=np.uint8)
    return ((parity + np.uint8(carried)) & 1).astype(np.bool_)


def _not_utf8(name: str, line: int) -> Refused:
    place, rule = f"{name}, line {line}", "CSV files are UTF-8"
    return Refused("these bytes are no UTF-8 text", where=place, rule=rule, do="save the file as 'CSV UTF-8'")


def _overlong() -> tuple[str, str]:
    return f"a record has at most {RECORD_BYTES_MAX} bytes", "look for a quote that is not closed"


@dataclass(frozen=True)
class _Problem:
    """What is wrong, first seen at a byte of the block, on a line of the file."""

    position: int
    line: int
    what: str
    rule: str
    do: str

    def refused(self, name: str) -> Refused:
        return Refused(self.what, where=f"{name}, line {self.line}", rule=self.rule, do=self.do)


class _Block:
    """One block's bytes and what stands where; `before` holds each byte's predecessor."""

    def __init__(self, block: bytes, previous: int, inside: bool) -> None:
        self.codes: Bytes = np.frombuffer(block, np.uint8)
        self.before: Bytes = np.concatenate([np.array([previous], np.uint8), self.codes[:-1]])
        self.has_quotes = inside or _QUOTE in block or previous == _QUOTE
        self.has_returns = _CR in block or previous == _CR
        self.has_zeros = _NUL in block
        self.inside: Flags = _inside_quotes(self.codes, inside) if self.has_quotes else np.zeros(self.codes.shape, np.bool_)
        self.line_ends: Positions = np.flatnonzero(self.codes == _LF)
        self.record_ends: Positions = self.line_ends[~self.inside[self.line_ends]]

    def line(self, position: int) -> int:
        """Lines that end before a byte of this block."""
        return int(np.searchsorted(self.line_ends, position))


@dataclass
class _Scanner:
    """The state that one block hands to the next. `feed` takes the file's bytes in order; `finish` gives each record's first line."""

    name: str
    delimiter: int
    cells: int
    previous: int = _LF
    """The byte before this block; a file begins as if after a line end."""
    inside: bool = False
    line: int = 1
    record_line: int = 1
    record_bytes: int = 0
    record_delimiters: int = 0
    carriage_returns: bool | None = None
    starts: list[NDArray[np.int64]] = field(default_factory=list)
    decoder: codecs.IncrementalDecoder = field(default_factory=codecs.getincrementaldecoder("utf-8"))

    def feed(self, block: bytes) -> None:
        view = _Block(block, self.previous, self.inside)
        self._require_utf8(block, view)
        problems = [*self._bad_bytes(view), *self._bad_records(view)]
        if problems:
            raise min(problems, key=lambda one: one.position).refused(self.name)
        self.previous, self.inside, self.line = int(view.codes[-1]), bool(view.inside[-1]), self.line + view.line_ends.size

    def finish(self) -> NDArray[np.int64]:
        """The line on which each record begins, header included. Raises Refused where the file ends in the middle of something."""
        self._require_utf8(b"", None)
        if self.inside:
            rule, do = "quotes come in pairs", "close the quoted cell"
            raise _Problem(0, self.record_line, "a quote in this record is never closed", rule, do).refused(self.name)
        if self.previous == _CR:
            raise _Problem(0, self.line, *_LONE_RETURN).refused(self.name)
        if self.record_bytes and self.record_delimiters + 1 != self.cells:
            raise _Problem(0, self.record_line, *self._miscounted(self.record_delimiters + 1)).refused(self.name)
        last = np.full(int(self.record_bytes > 0), self.record_line, np.int64)
        return np.concatenate([*self.starts, last])

    def _require_utf8(self, block: bytes, view: _Block | None) -> None:
        try:
            self.decoder.decode(block, final=view is None)
        except UnicodeDecodeError as error:
            raise _not_utf8(self.name, self.line + (view.line(error.start) if view else 0)) from None

    def _bad_bytes(self, view: _Block) -> Iterator[_Problem]:
        """A quote opens only at the start of a cell and closes only at its end; readers differ on everything else."""
        codes, before = view.codes, view.before
        if view.has_zeros:
            yield from self._first(view, codes == _NUL, "a zero byte stands here", "CSV files are text", "export the table again")
        if view.has_returns:
            yield from self._first(view, (before == _CR) & (codes != _LF), *_LONE_RETURN)
        if view.has_quotes:
            quote, delimiter = codes == _QUOTE, self.delimiter
            opens_late = quote & view.inside & (before != delimiter) & (before != _LF) & (before != _QUOTE)
            yield from self._first(view, opens_late, "a quote stands inside a cell that did not begin with one", *_QUOTE_RULE)
            closed = (before == _QUOTE) & ~np.concatenate([np.array([self.inside]), view.inside[:-1]])
            goes_on = closed & ~quote & (codes != delimiter) & (codes != _LF) & (codes != _CR)
            yield from self._first(view, goes_on, "a cell goes on after its closing quote", *_QUOTE_RULE)

    def _first(self, view: _Block, where: Flags, what: str, rule: str, do: str) -> Iterator[_Problem]:
        position = int(np.argmax(where))
        if where[position]:
            yield _Problem(position, self.line + view.line(position), what, rule, do)

    def _bad_records(self, view: _Block) -> Iterator[_Problem]:
        """Empty, overlong and uneven records; takes note of where the next ones begin."""
        ends = view.record_ends
        delimiters = np.flatnonzero((view.codes == self.delimiter) & ~view.inside)
        edges = np.concatenate([[-1], ends, [view.codes.size]])
        lengths, counts = np.diff(edges) - 1, np.diff(np.searchsorted(delimiters, edges))
        lengths[0] += self.record_bytes
        counts[0] += self.record_delimiters
        lines = self.line + np.searchsorted(view.line_ends, edges[:-1], side="right").astype(np.int64)
        lines[0] = self.record_line
        yield from self._uneven(view, lengths[:-1], counts[:-1], lines)
        self.starts.append(lines[:-1])
        self.record_line, self.record_bytes, self.record_delimiters = int(lines[-1]), int(lengths[-1]), int(counts[-1])
        if self.record_bytes > RECORD_BYTES_MAX:
            yield _Problem(view.codes.size, self.record_line, "this record never ends", *_overlong())

    def _uneven(self, view: _Block, lengths: Positions, counts: Positions, lines: NDArray[np.int64]) -> Iterator[_Problem]:
        if not lengths.size:
            return
        returns = view.before[view.record_ends] == _CR
        if self.carriage_returns is None:
            self.carriage_returns = bool(returns[0])
        this, other = ("LF", "CRLF") if self.carriage_returns else ("CRLF", "LF")
        empty = lengths == returns
        checks: tuple[tuple[Flags, tuple[str, str, str] | None], ...] = (
            (empty, ("this line is empty", "one row a line", self._empty_remedy())),
            (lengths > RECORD_BYTES_MAX, ("this record never ends", *_overlong())),
            (~empty & (counts + 1 != self.cells), None),
            (returns != self.carriage_returns, (f"this line ends in {this}, the first in {other}", "all lines end alike", _SAVE_AGAIN)),
        )
        for where, sentence in checks:
            index = int(np.argmax(where))
            if where[index]:
                yield _Problem(int(view.record_ends[index]), int(lines[index]), *(sentence or self._miscounted(int(counts[index]) + 1)))

    def _miscounted(self, cells: int) -> tuple[str, str, str]:
        few, many = "add the missing cells (empty ones count)", "put a cell that holds the delimiter in double quotes"
        what = f"{cells} {'cell' if cells == 1 else 'cells'} where the header has {self.cells}"
        return what, "every row has a cell for each column", few if cells < self.cells else many

    def _empty_remedy(self) -> str:
        return 'delete the line, or write "" for an empty cell' if self.cells == 1 else "delete the line"


_SAVE_AGAIN = "save the file with one kind of line end"
_LONE_RETURN = ("a carriage return stands here without a line feed", "lines end in LF or CRLF", _SAVE_AGAIN)
_QUOTE_RULE = ("quotes stand around a whole cell, and a quote inside it is doubled", "quote the whole cell, or take the quotes out")
