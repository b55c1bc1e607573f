"""The page is made of what was measured: sizes, foretold beside measured, ten million rows where they were measured."""

from __future__ import annotations

import pytest

from bench import page, report
from bench.mpc import named


def result(name: str, rows: int, seconds: float, link: str = "tls", peak: int = 1 << 30) -> dict:
    spread = {"seconds": seconds, "seconds_min": seconds, "seconds_max": seconds}
    return {"name": name, "rows": rows, "link": link, "bytes_per_server": 8 * rows, "rounds": 1, "peak_bytes": peak, **spread}


def told(name: str, rows: int, foretold: float, seconds: float) -> dict:
    return {"name": name, "rows": rows, "foretold": foretold, "seconds": seconds}


@pytest.fixture
def found() -> dict:
    results = [result("multiply", rows, 1e-3 + rows * 6e-8) for rows in (10**4, 10**5, 10**6)]
    far = [{"name": "less_than", "profile": "wan", "rows": 10**6, "foretold": 1.9, "seconds": 1.85, "bytes_per_server": 1, "rounds": 8}]
    return {
        "date": "2026-11-22",
        "machine": {"processor": "P", "cores": 2, "gigabytes": 24, "system": "Linux", "python": "3.11.7"},
        "results": results,
        "relational": [result("group_by_sum", 10**6, 4.85), result("join_pk_fk_big", 10**6, 20.0)],
        "wan": far,
        "foretold": [told("multiply", 10**5, 0.004, 0.006), told("multiply", 10**6, 0.01, 0.06)],
        "speeds": {"aes": 1e9, "memory": 1e10, "link": 1e9},
        "floors": {"multiply": {"aes": 0.01, "memory": 0.01, "link": 0.01}},
        "seconds": 100,
        "slow": {"date": "", "results": [], "foretold": [], "seconds": 0},
    }


def test_what_was_foretold_stands_beside_what_was_measured(found):
    text = page.text(found)
    assert "| `multiply` | 1,000,000 | 10 ms | 60 ms | 6.00 |" in text
    assert "1 of 2 are; the ratios lie between 1.50 and 6.00" in text


def test_groups_and_joins_stand_beside_others(found):
    text = page.text(found)
    assert "| `group_by_sum` | ORQ 48.5 s (without TLS) | 1,000,000 | 4.85 s | 8 | 1 | 10.0 × |" in text
    assert "| `join_pk_fk` |  | 1,000,000 | 20 s | 8 | 1 |  |" in text


def test_growth_says_whether_it_holds(found):
    assert "| `multiply` | 10,000 – 1,000,000 | 1.00 ms | 60 ns | 60 – 60 ns | within 25 % |" in page.text(found)
    found["results"][-1]["seconds"] *= 2
    assert "NOT within 25 %" in page.text(found)


def test_ten_million_rows_are_told_where_they_were_measured(found):
    assert "Ten million rows are measured by `./dev bench report --slow`" in page.text(found)
    found["slow"] = {
        "date": "2026-11-23",
        "results": [result("sort32x4", 10**7, 100.0, peak=2_300_000_000), result("multiply", 10**7, 0.6)],
        "foretold": [told("sort32x4", 10**7, 90.0, 100.0)],
        "seconds": 300,
    }
    text = page.text(found)
    assert "with at most 2.3 GB a server (2026-11-23; 6 GB are allowed)" in text
    assert "| `sort32x4` | 10,000,000 | 90 s | 100 s | 1.11 |" in text
    assert "| `multiply` | 10,000 – 10,000,000 |" in text


def test_a_report_keeps_ten_million_rows_from_before(monkeypatch, tmp_path):
    monkeypatch.setattr(report, "FILE", tmp_path / "measured.json")
    assert report.kept_slow()["results"] == []
    report.FILE.write_text('{"slow": {"date": "then", "results": [1], "foretold": [], "seconds": 9}}')
    assert report.kept_slow()["date"] == "then"


def test_slow_cases_are_ordered_only_where_they_are_asked_for():
    for link in ("plain", "tls"):
        wanted = report.orders(link)
        assert not any(one.case.slow or one.rows > 10**6 for one in wanted)
    assert named("sort32x4").slow
