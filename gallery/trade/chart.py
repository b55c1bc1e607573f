"""A recipient's result as one picture, in SVG written by hand: no drawing library, no script, opens in any browser.

Colours are of the Okabe and Ito palette and a single-hue scale, and every coloured mark also carries a sign or a number.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from accord.gallery.trade.parameters import AGREE, CLASSES, DEFAULT, DISAGREE, NEITHER, OFFICE_NAMES, ONE_SIDE_ONLY, SMALL, Parameters
from accord.gallery.trade.result import Cell, Released, TableRow

WIDTH, HEIGHT, MARGIN = 1240, 1140, 40
INK, SOFT, LINE = "#1f2933", "#5b6770", "#d5dade"
FILL = {AGREE: "#0072b2", DISAGREE: "#e69f00", ONE_SIDE_ONLY: "#9aa5ae", SMALL: "#e6e9ec", NEITHER: "#ffffff"}
SIGN = {AGREE: "=", DISAGREE: "≠", ONE_SIDE_ONLY: "1", SMALL: "·", NEITHER: "–"}
SCALE = ((255, 250, 242), (254, 217, 166), (247, 160, 72), (217, 95, 14), (140, 45, 4))
"""Light to dark orange: 0 % to 100 % of cells disagree."""
BAR = "#d95f0e"
HATCH = "url(#hatch)"

NOT_ERROR = "Disagreement is not error: re-exports, goods in transit, timing and classification make honest figures differ."


def draw(released: Released, parameters: Parameters = DEFAULT, source: str = "") -> str:
    """The SVG text of one office's result: what all offices got above, its own detail below. `source` is one line that says whose
    figures these are."""
    office = OFFICE_NAMES.get(released.office, released.office)
    parts = [
        _text(MARGIN, 52, "Do exporter and importer report the same trade?", size=27, weight=700),
        *_paragraph(MARGIN, 80, _subtitle(parameters), size=14),
        *_pairs(released, parameters, MARGIN, 142),
        *_groups(released, parameters, 650, 142),
        _line(MARGIN, 614, WIDTH - MARGIN),
        _text(MARGIN, 650, f"{office} only: its own trade with each partner", size=21, weight=700),
        *_legend(MARGIN, 672),
        *_totals(released, parameters, MARGIN, 722),
        *_own_bars("Material cells, by partner and direction", _by_partner(released), 400, 722, 150),
        *_own_bars("Material cells, by commodity group", _by_group(released, parameters), 812, 722, 112),
        *_footer(parameters, source),
    ]
    return "\n".join([_HEAD, *parts, "</svg>\n"])


def write_chart(path: Path, released: Released, parameters: Parameters = DEFAULT, source: str = "") -> Path:
    """Write the picture to `path` (a .svg file) and return it."""
    path.write_text(draw(released, parameters, source), encoding="utf-8")
    return path


_STOPS = "".join(
    f'<stop offset="{place / (len(SCALE) - 1)}" stop-color="#{red:02x}{green:02x}{blue:02x}"/>'
    for place, (red, green, blue) in enumerate(SCALE)
)
_HEAD = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img"
     font-family="Inter, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
     aria-label="Where trade reports agree and disagree">
<defs><pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="8" height="8" fill="#f3f4f6"/><rect width="3" height="8" fill="#dfe3e6"/></pattern>
<linearGradient id="scale">{_STOPS}</linearGradient></defs>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>"""


def _subtitle(parameters: Parameters) -> str:
    return (
        f"{len(parameters.offices)} statistical offices, {len(parameters.commodities)} commodities, "
        f"{parameters.years[0]}–{parameters.years[-1]}. A cell is what one country sold to another of one commodity in one year. "
        "It disagrees when the two reports, freight and insurance taken out, differ by more than "
        f"{_percent(parameters.tolerance_permille)} of the larger one and by more than {parameters.floor_usd:,} dollars."
    )


# ---- what all offices get -------------------------------------------------------------------------------------------


def _pairs(released: Released, parameters: Parameters, left: float, top: float) -> Iterable[str]:
    """Heat map of ordered pairs: rows export, columns import."""
    width, height, first, names = 116, 82, left + 104, [OFFICE_NAMES.get(office, office) for office in parameters.offices]
    yield _text(left, top, "Share of mirrored cells that disagree, by pair", size=18, weight=700)
    yield _text(left, top + 21, "Each square: share that disagrees, number of cells, band of the asymmetry", size=13, fill=SOFT)
    yield _text(first + 2 * width, top + 48, "imported by", size=12.5, fill=SOFT, anchor="middle")
    yield _text(left, top + 68, "exported by", size=12.5, fill=SOFT)
    for place, name in enumerate(names):
        yield _text(first + (place + 0.5) * width, top + 68, name, size=13, weight=600, anchor="middle")
        yield _text(left, top + 78 + (place + 0.5) * height, name if len(name) < 12 else name.replace(" ", "\n"), size=13, weight=600)
    for row, exporter in enumerate(parameters.offices):
        for column, importer in enumerate(parameters.offices):
            x, y = first + column * width, top + 78 + row * height
            if exporter == importer:
                yield _rect(x + 1.5, y + 1.5, width - 3, height - 3, "#fafbfb")
            else:
                yield from _square(released.pairs[exporter, importer], parameters, x + 1.5, y + 1.5, width - 3, height - 3)
    yield from _scale(first, top + 78 + 4 * height + 10, 4 * width)


def _square(row: TableRow | None, parameters: Parameters, x: float, y: float, width: float, height: float) -> Iterable[str]:
    middle = x + width / 2
    if row is None:
        yield _rect(x, y, width, height, HATCH, LINE)
        yield _text(middle, y + height / 2 + 5, "suppressed", size=13, fill=SOFT, anchor="middle")
        return
    fill, ink = _shade(row.share_permille)
    yield _rect(x, y, width, height, fill)
    yield _text(middle, y + 36, _percent(row.share_permille), size=22, weight=700, anchor="middle", fill=ink)
    yield _text(middle, y + 55, f"{row.mirrored:,} cells", size=12, anchor="middle", fill=ink)
    yield _text(middle, y + 72, _short(parameters, row.band), size=12, anchor="middle", fill=ink)


def _scale(left: float, top: float, width: float) -> Iterable[str]:
    yield _rect(left, top, width, 9, "url(#scale)")
    for permille, anchor in ((0, "start"), (500, "middle"), (1000, "end")):
        yield _text(left + width * permille / 1000, top + 24, _percent(permille), size=11.5, fill=SOFT, anchor=anchor)


def _shade(permille: int) -> tuple[str, str]:
    """Fill for a share, and an ink that is readable on it."""
    place = permille * (len(SCALE) - 1) / 1000
    low = min(int(place), len(SCALE) - 2)
    colour = [round(a + (b - a) * (place - low)) for a, b in zip(SCALE[low], SCALE[low + 1], strict=True)]
    light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 138
    return f"#{colour[0]:02x}{colour[1]:02x}{colour[2]:02x}", INK if light else "#ffffff"


def _groups(released: Released, parameters: Parameters, left: float, top: float) -> Iterable[str]:
    """A bar a commodity group, with the band of the asymmetry beside it."""
    start, full = left + 120, 250
    step = min(60, 372 / max(1, len(released.groups)))
    yield _text(left, top, "The same, by commodity group", size=18, weight=700)
    yield _text(left, top + 21, "All pairs together. Asymmetry: Σ|X − M′| / Σ(X + M′), as a band", size=13, fill=SOFT)
    for place, (name, row) in enumerate(released.groups.items()):
        y = top + 46 + place * step
        yield _text(left, y + 23, name, size=14, weight=600)
        if row is None:
            yield _rect(start, y, full, 34, HATCH, LINE)
            yield _text(start + full / 2, y + 22, "suppressed", size=13, fill=SOFT, anchor="middle")
            continue
        yield _rect(start, y, full, 34, "#f3f4f6")
        yield _rect(start, y, full * row.share_permille / 1000, 34, BAR)
        yield _text(
            start + 10, y + 23, _percent(row.share_permille), size=15, weight=700, fill="#ffffff" if row.share_permille > 180 else INK
        )
        yield _text(start + full + 12, y + 14, f"{row.mirrored:,} cells", size=12.5, fill=INK)
        yield _text(start + full + 12, y + 31, f"asymmetry {parameters.bands[row.band]}", size=12.5, fill=SOFT)
    yield from _why_suppressed(parameters, left, top + 46 + len(released.groups) * step + 12)


def _why_suppressed(parameters: Parameters, left: float, top: float) -> Iterable[str]:
    lines = (
        f"Suppressed: fewer than {parameters.commodities_min} commodities, or none or all of the cells disagree,",
        "in the whole or in the part that is news to this office; or the row keeps a",
        "single suppressed one company. The servers do not know which rows these are.",
    )
    for place, line in enumerate(lines):
        yield _text(left, top + 17 * place, line, size=12.5, fill=SOFT)


# ---- what one office gets -------------------------------------------------------------------------------------------


def _legend(left: float, top: float) -> Iterable[str]:
    words = {ONE_SIDE_ONLY: "one side only reports it", SMALL: "small: below the threshold", NEITHER: "neither reports it"}
    for value in (AGREE, DISAGREE, ONE_SIDE_ONLY, SMALL, NEITHER):
        label = words.get(value, CLASSES[value])
        yield from _tile(left, top, 22, value)
        yield _text(left + 30, top + 16, label, size=13.5)
        left += 62 + 7.4 * len(label)


def _tile(x: float, y: float, size: float, value: int) -> Iterable[str]:
    yield _rect(x, y, size, size, FILL[value], LINE if value in (SMALL, NEITHER) else "none")
    yield _text(
        x + size / 2, y + size / 2 + 5.5, SIGN[value], size=16, weight=700, anchor="middle", fill="#ffffff" if value == AGREE else INK
    )


def _totals(released: Released, parameters: Parameters, left: float, top: float) -> Iterable[str]:
    """All goods together: a tile a year, for each partner and direction."""
    yield _text(left, top + 16, "All goods together, by year", size=16, weight=700)
    for place, year in enumerate(parameters.total_years):
        yield _text(left + 172 + place * 40, top + 42, str(year), size=12, fill=SOFT, anchor="middle")
    for place, (label, pair) in enumerate(_directions(released)):
        y = top + 52 + place * 38
        yield _text(left, y + 20, label, size=13.5)
        for step, year in enumerate(parameters.total_years):
            yield from _tile(left + 157 + step * 40, y, 30, released.totals[Cell(*pair, "TOTAL", year)])


def _directions(released: Released) -> list[tuple[str, tuple[str, str]]]:
    """The office's own pairs, each as seen from it."""
    own = [pair for pair in released.pairs if released.office in pair]
    named = [(f"to {OFFICE_NAMES.get(b, b)}" if a == released.office else f"from {OFFICE_NAMES.get(a, a)}", (a, b)) for a, b in own]
    return sorted(named, key=lambda one: (one[1][0] != released.office, one[0]))


def _by_partner(released: Released) -> dict[str, Counter[int]]:
    return {label: _count(released.cells, lambda cell, pair=pair: cell.pair == pair) for label, pair in _directions(released)}  # type: ignore[misc]


def _by_group(released: Released, parameters: Parameters) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = {}
    for name, codes in parameters.groups.items():
        members = set(codes)
        found[name] = _count(released.cells, lambda cell, members=members: cell.commodity in members)  # type: ignore[misc]
    return found


def _count(cells: Mapping[Cell, int], wanted: Callable[[Cell], bool]) -> Counter[int]:
    return Counter(value for cell, value in cells.items() if wanted(cell))


def _own_bars(title: str, rows: Mapping[str, Counter[int]], left: float, top: float, label_width: float) -> Iterable[str]:
    """Stacked counts of the cells that matter; the small and the empty ones in words, since they would hide the others."""
    shown: Sequence[int] = (AGREE, DISAGREE, ONE_SIDE_ONLY)
    full = 372 - label_width - 12
    most = max([sum(counts[value] for value in shown) for counts in rows.values()] + [1])
    yield _text(left, top + 16, title, size=16, weight=700)
    yield _text(left + label_width, top + 42, "number of cells; the small ones in words", size=12, fill=SOFT)
    for place, (label, counts) in enumerate(rows.items()):
        y, x = top + 52 + place * 38, left + label_width
        yield _text(left, y + 20, label, size=13.5)
        for value in shown:
            wide = (full - 66) * counts[value] / most
            if counts[value]:
                yield _rect(x, y, wide, 30, FILL[value], "#ffffff")
            if wide > 8 + 8 * len(str(counts[value])):
                ink = "#ffffff" if value == AGREE else INK
                yield _text(x + wide / 2, y + 20, str(counts[value]), size=12.5, weight=600, anchor="middle", fill=ink)
            x += wide
        yield _text(x + 7, y + 20, f"+ {counts[SMALL]:,} small", size=12, fill=SOFT)


def _footer(parameters: Parameters, source: str) -> Iterable[str]:
    definition = (
        f"Mirrored: both sides report the flow, and the larger report is at least {parameters.materiality_usd:,} dollars. "
        "X: the exporter's report. M′: the importer's report less freight and insurance, at the signed factor of the pair."
    )
    yield _line(MARGIN, 1016, WIDTH - MARGIN)
    yield _text(MARGIN, 1044, NOT_ERROR, size=15.5, weight=700)
    yield from _paragraph(MARGIN, 1066, definition, size=12.5)
    yield from _paragraph(MARGIN, 1104, source, size=12.5)


# ---- marks ----------------------------------------------------------------------------------------------------------


def _percent(permille: int) -> str:
    return f"{permille // 10} %" if permille % 10 == 0 else f"{permille // 10}.{permille % 10} %"


def _short(parameters: Parameters, band: int) -> str:
    """A band's name that fits into a square."""
    cuts = parameters.band_cuts_percent
    if band == 0:
        return f"< {cuts[0]} %"
    return f"≥ {cuts[-1]} %" if band == len(cuts) else f"{cuts[band - 1]}–{cuts[band]} %"


def _text(x: float, y: float, content: str, *, size: float, weight: int = 400, fill: str = INK, anchor: str = "start") -> str:
    style = f'font-size="{size}" font-weight="{weight}" fill="{fill}" text-anchor="{anchor}"'
    lines = content.split("\n")
    if len(lines) == 1:
        return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(content)}</text>'
    spans = "".join(
        f'<tspan x="{x:.1f}" dy="{0 if place == 0 else 1.2 * size:.1f}">{escape(line)}</tspan>' for place, line in enumerate(lines)
    )
    return f'<text x="{x:.1f}" y="{y - 0.6 * size:.1f}" {style}>{spans}</text>'


def _paragraph(x: float, y: float, content: str, *, size: float) -> Iterable[str]:
    """Text over the whole width, broken for the widest of the fonts named above."""
    for place, line in enumerate(textwrap.wrap(content, int((WIDTH - 2 * MARGIN) / (0.575 * size)))):
        yield _text(x, y + place * 1.4 * size, line, size=size, fill=SOFT)


def _rect(x: float, y: float, width: float, height: float, fill: str, stroke: str = "none") -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2" fill="{fill}" stroke="{stroke}"/>'


def _line(x: float, y: float, to: float) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to:.1f}" y2="{y:.1f}" stroke="{LINE}"/>'
