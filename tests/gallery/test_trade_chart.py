"""The picture: well-formed, complete, and it shows nothing of a suppressed row."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from accord.gallery.trade.chart import HATCH, NOT_ERROR, WIDTH, draw, write_chart
from accord.gallery.trade.generate import DESCRIPTION
from accord.gallery.trade.oracle import reconcile
from accord.gallery.trade.parameters import DEFAULT, OFFICE_NAMES
from accord.gallery.trade.result import TableRow

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def found(office_files):
    return reconcile(office_files.files)


def texts(svg):
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("office", DEFAULT.offices)
def test_the_picture_says_what_it_shows(found, office):
    words = " ".join(texts(draw(found.released_to(office), source=DESCRIPTION)))
    assert NOT_ERROR in words and f"{OFFICE_NAMES[office]} only" in words and "Invented figures" in words
    for word in ("agree", "disagree", "one side only", "small", "neither", "suppressed", *DEFAULT.groups):
        assert word in words


def test_every_released_number_is_drawn_and_every_suppressed_row_is_hatched(found):
    released = found.released_to("nld")
    released = replace(released, pairs={**released.pairs, ("ita", "usa"): None})
    svg = draw(released)
    shown = texts(svg)
    for row in (*released.pairs.values(), *released.groups.values()):
        if row:
            assert f"{row.mirrored:,} cells" in shown
    suppressed = [row for row in (*released.pairs.values(), *released.groups.values()) if row is None]
    assert len(suppressed) > 1 and svg.count(f'fill="{HATCH}"') == shown.count("suppressed") == len(suppressed)


def test_a_suppressed_row_leaves_no_trace(found):
    """Two results that differ only under a suppressed row give the same picture: the row is not there to be drawn."""
    released = found.released_to("usa")
    hidden = replace(released, groups={**released.groups, "fresh fish": None})
    marked = replace(released, groups={**released.groups, "fresh fish": TableRow(987_654, 321, 0)})
    assert "987,654" in draw(marked) and "987,654" not in draw(hidden)


def test_nothing_stands_outside_and_tiles_carry_signs(found):
    svg = draw(found.released_to("gbr"), source=DESCRIPTION)
    root = ElementTree.fromstring(svg)
    for element in root.iter(f"{SVG}rect"):
        x, width = float(element.get("x", 0)), float(element.get("width", 0))
        assert x >= 0 and x + width <= WIDTH + 0.01
    for text in root.iter(f"{SVG}text"):
        width = 0.6 * float(text.get("font-size")) * max(len("".join(span.itertext())) for span in (text.findall(f"{SVG}tspan") or [text]))
        left = float(text.get("x")) - {"start": 0, "middle": width / 2, "end": width}[text.get("text-anchor")]
        assert left >= 0 and left + width <= WIDTH, "".join(text.itertext())
    assert texts(svg).count("=") + texts(svg).count("≠") >= 6 * len(DEFAULT.total_years)
    assert not re.search(r"<script|href|http(?!://www\.w3\.org/2000/svg)", svg)


def test_the_file_is_written(found, tmp_path):
    path = write_chart(tmp_path / "usa.svg", found.released_to("usa"))
    assert path.read_text(encoding="utf-8").startswith("<svg") and path.stat().st_size < 100_000
