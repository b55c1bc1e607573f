"""Plots as SVG, drawn by hand: log axes, few colours that colour-blind readers tell apart, text that stays text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3c8d", "#6b6b6b", "#8c510a", "#1b1b1b")
INK = "#222"
FONT = "font-family='Helvetica, Arial, sans-serif'"


class Line(NamedTuple):
    """A named series of (x, y), both above zero."""

    name: str
    points: Sequence[tuple[float, float]]


class Mark(NamedTuple):
    """One dot in a row of a strip chart."""

    value: float
    colour: str
    label: str
    filled: bool = True


class Drawing:
    """An SVG under way, white beneath, so that it reads on any page."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.parts = [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}' {FONT}>",
            f"<title>{escape(title)}</title><rect width='{width}' height='{height}' fill='#ffffff'/>",
        ]
        self.text(16, 28, title, size=17, weight="bold")

    def text(
        self, x: float, y: float, what: str, *, size: int = 13, anchor: str = "start", colour: str = "#222", weight: str = "normal"
    ) -> None:
        style = f"font-size='{size}' text-anchor='{anchor}' fill='{colour}' font-weight='{weight}'"
        self.parts.append(f"<text x='{x:.1f}' y='{y:.1f}' {style}>{escape(what)}</text>")

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = "#ddd", width: float = 1) -> None:
        self.parts.append(f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' stroke-width='{width}'/>")

    def path(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f"<polyline points='{joined}' fill='none' stroke='{colour}' stroke-width='2'/>")

    def dot(self, x: float, y: float, colour: str, *, filled: bool = True) -> None:
        fill = colour if filled else "#ffffff"
        self.parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='5' fill='{fill}' stroke='{colour}' stroke-width='2'/>")

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self.parts.append(f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 0):.1f}' height='{height}' fill='{colour}'/>")

    def done(self) -> str:
        return "\n".join([*self.parts, "</svg>"]) + "\n"


class Scale(NamedTuple):
    """A log axis from one pixel to another."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return self.start + share * (self.stop - self.start)

    @property
    def decades(self) -> list[float]:
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        return [10.0**power for power in range(first, last + 1)]


def decades(values: Sequence[float]) -> tuple[float, float]:
    """Whole decades around some values."""
    return 10.0 ** math.floor(math.log10(min(values))), 10.0 ** math.ceil(math.log10(max(values)) + 1e-9)


def growth(title: str, lines: Sequence[Line]) -> str:
    """Lines over rows, both axes in decades; each is named at its end, apart from its neighbours."""
    drawing = Drawing(860, 560, title)
    xs, ys = ([point[at] for line in lines for point in line.points] for at in (0, 1))
    x, y = Scale(min(xs), max(xs), 80, 690), Scale(*decades(ys), 500, 50)
    for value in x.decades:
        drawing.line(x(value), 50, x(value), 500)
        drawing.text(x(value), 520, f"{value:,.0f}", anchor="middle")
    for value in y.decades:
        drawing.line(80, y(value), 690, y(value))
        drawing.text(72, y(value) + 4, seconds(value), anchor="end")
    drawing.text(385, 545, "rows", anchor="middle")
    ends = sorted((y(line.points[-1][1]), number) for number, line in enumerate(lines))
    below = 0.0
    for height, number in ends:
        line, colour = lines[number], COLOURS[number % len(COLOURS)]
        at = [(x(rows), y(taken)) for rows, taken in line.points]
        drawing.path(at, colour)
        for one in at:
            drawing.dot(*one, colour)
        below = max(height, below + 17)
        drawing.line(at[-1][0] + 6, height, 704, below, colour)
        drawing.text(708, below + 4, line.name, colour=colour)
    return drawing.done()


def strips(title: str, rows: Sequence[tuple[str, Sequence[Mark]]], legend: Sequence[tuple[str, str, bool]]) -> str:
    """A row of dots for each name, on one log axis of seconds."""
    height = 92 + 34 * len(rows)
    drawing = Drawing(860, height, title)
    x = Scale(*decades([mark.value for _, marks in rows for mark in marks]), 190, 830)
    _axis(drawing, x, height)
    for number, (name, marks) in enumerate(rows):
        y = 78 + 34 * number
        drawing.line(190, y, 830, y, "#eee")
        drawing.text(180, y + 4, name, anchor="end")
        for mark in marks:
            drawing.dot(x(mark.value), y, mark.colour, filled=mark.filled)
    _legend(drawing, legend)
    return drawing.done()


def stacks(title: str, rows: Sequence[tuple[str, Sequence[float], float]], names: Sequence[str]) -> str:
    """Shares of a floor stacked, in proportion to what was measured: a full bar would be at the floor."""
    height = 92 + 30 * len(rows)
    drawing = Drawing(860, height, title)
    for tenth in range(0, 11, 2):
        at = 190 + 64 * tenth
        drawing.line(at, 58, at, height - 30)
        drawing.text(at, height - 12, f"{10 * tenth} %", anchor="middle")
    for number, (name, parts, measured) in enumerate(rows):
        y, at = 64 + 30 * number, 190.0
        drawing.text(180, y + 15, name, anchor="end")
        for part, colour in zip(parts, COLOURS, strict=False):
            width = min(640 * part / measured, 830 - at)
            drawing.bar(at, y, width, 20, colour)
            at += width
        drawing.text(min(at + 8, 826), y + 15, f"{100 * sum(parts) / measured:.0f} %")
    _legend(drawing, [(name, colour, True) for name, colour in zip(names, COLOURS, strict=False)])
    return drawing.done()


def _axis(drawing: Drawing, x: Scale, height: int) -> None:
    for value in x.decades:
        drawing.line(x(value), 58, x(value), height - 30)
        drawing.text(x(value), height - 12, seconds(value), anchor="middle")


def _legend(drawing: Drawing, entries: Sequence[tuple[str, str, bool]]) -> None:
    at = 190.0
    for name, colour, filled in entries:
        drawing.dot(at, 46, colour, filled=filled)
        drawing.text(at + 10, 50, name, size=12)
        at += 30 + 6.6 * len(name)


def seconds(value: float) -> str:
    """A time for an axis or a table."""
    if value < 0.9995e-3:
        return f"{value * 1e6:.3g} µs"
    return f"{value * 1e3:.3g} ms" if value < 0.9995 else f"{value:.3g} s"
