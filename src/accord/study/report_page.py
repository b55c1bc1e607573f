"""The report as a page for a person: plain words, no scripts, everything in one file, made to be printed on A4 and signed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from accord.study.report import digest

STYLE = """
@page { size: A4; margin: 16mm 17mm }
* { box-sizing: border-box }
body { font: 10.5pt/1.4 Georgia, "Liberation Serif", serif; color: #1b1b1b; background: #fff }
body { max-width: 176mm; margin: 10mm auto; padding: 0 4mm }
h1 { font-size: 19pt; margin: 0 0 1mm; font-weight: normal }
h2 { font-size: 12.5pt; margin: 7mm 0 1.5mm; padding-top: 1.5mm; border-top: 0.6pt solid #1b1b1b; break-after: avoid }
h3 { font-size: 10.5pt; margin: 4mm 0 1mm; break-after: avoid }
p { margin: 0 0 1.5mm }
table { border-collapse: collapse; width: 100%; margin: 1mm 0 2mm; font-size: 9.5pt }
th { text-align: left; font-weight: normal; color: #555; vertical-align: bottom }
th { border-bottom: 0.6pt solid #999; padding: 0.6mm 3mm 0.6mm 0 }
td { border-bottom: 0.3pt solid #ccc; padding: 0.8mm 3mm 0.8mm 0; vertical-align: top; overflow-wrap: anywhere }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
tr, li, .sign { break-inside: avoid }
.small { font-size: 8.5pt; color: #555 }
.code { font: 8.5pt/1.4 "DejaVu Sans Mono", monospace; overflow-wrap: anywhere }
ol.ask { list-style: none; padding: 0; margin: 1mm 0 }
ol.ask li { padding: 1.2mm 0 1.2mm 24mm; position: relative }
.box { position: absolute; left: 0; color: #555; font-size: 8.5pt }
.line { display: inline-block; border-bottom: 0.6pt solid #1b1b1b; height: 8mm }
@media print { body { margin: 0; padding: 0; max-width: none } }
"""
SQUARE = "&#9744;"


def page(report: Mapping[str, Any]) -> str:
    """The whole page."""
    study, releases = report["study"], report["releases"]
    parts = [
        f"<h1>Output check: {_text(study['title'])}</h1>",
        f"<p>What <b>{_text(report['recipient'])}</b> received, what held it back, and what is asked of the person who checks it.</p>",
        _grid(
            (),
            [
                ("Purpose", study["purpose"] + (f" (code {study['purpose_code']})" if study["purpose_code"] else "")),
                ("Data of", _and(one["owner"] for one in report["owners"])),
                ("Computed by", f"{_and(report['servers'])}, none of whom saw a figure ({report['security']})"),
                ("Run", report["run"]),
            ],
        ),
        "<h2>What is released</h2>",
        _released(releases),
        "<h2>What holds it back</h2>",
        *(_held(one) for one in releases),
        *(f"<p>Compared with earlier releases: {_text(one)}</p>" for one in report["compared"]),
        "<h2>How far from the truth</h2>",
        _grid(("table", "column", "distance"), [(one["release"], *each) for one in releases for each in one["evidence"]["bounds"].items()]),
        "<h2>What the owners looked at</h2>",
        *(_owner(one) for one in report["owners"]),
        "<h2>What is proven</h2>",
        f"<p>The receipt proves {_text(report['proves'])}.</p>",
        _sign(report),
    ]
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Output check: {_text(study["title"])}</title>'
    return f"{head}<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"


def _released(releases: Sequence[Mapping[str, Any]]) -> str:
    heads = ("table", "file", "rows released", "rows suppressed", "rows absent", "figures released", "figures suppressed")
    rows = []
    for one in releases:
        counts = one["counts"]
        names = ("rows_released", "rows_suppressed", "rows_absent", "cells_released", "cells_suppressed")
        rows.append(
            (f"{one['release']}: {one['evidence']['title']}", one["file"].get("name", "not kept"), *(counts[name] for name in names))
        )
    told = (
        "A suppressed row is marked and holds no figure. Whether it failed a rule itself, or is suppressed to protect one that did, is "
        "told to nobody: this table cannot say it, and neither can the servers. Absent are places of the table for which there is no row."
    )
    return _grid(heads, rows, numbers=5) + f'<p class="small">{told}</p>'


def _held(one: Mapping[str, Any]) -> str:
    evidence, parts = one["evidence"], [f"<h3>{_text(one['release'])}</h3>"]
    if rules := evidence["rules"]:
        rows = [(rule["sentence"], rule["stops"], rule["does_not_stop"]) for rule in rules]
        parts.append(_grid(("rule", "it stops", "it does not stop"), rows))
    if noise := evidence.get("noise"):
        parts.append(f"<p>Noise hides {_text(noise['hides'])}: {_text(noise['sentence'])}.</p>")
        laws = [(name, _law(law), law["sensitivity"]) for name, law in noise["columns"].items()]
        parts.append(
            _grid(
                ("column", "noise, from any two of the three servers", "most that one unit changes, in units of the last digit"),
                laws,
                numbers=1,
            )
        )
    if not rules and not noise:
        parts.append(f"<p>No rule holds anything back. The reason that all signed: {_text(evidence['reason'])}.</p>")
    parts += [f"<p>Mind: {_text(note)}</p>" for note in evidence["notes"]]
    return "".join(parts)


def _law(law: Mapping[str, Any]) -> str:
    size = f"scale {law['scale']}" if "scale" in law else f"variance {law['variance']}"
    return f"{law['mechanism'].replace('_', ' ')}, {size}"


def _owner(one: Mapping[str, Any]) -> str:
    head, part = f"<h3>{_text(one['owner'])}</h3>", one.get("part")
    if part is None:
        what = "Its own record lies with the owner; the receipt holds its hash. Ask the owner for it if you need to see it."
        return f'{head}<p class="small">{what}</p>'
    policy = f"under version {part['policy']['version']} of its policy" if part["policy"] else "without a policy of its own"
    versions = ", ".join(f"{table} {version[:16]}" for table, version in part["versions"].items())
    once = f"It found no earlier answer to the cells of {_and(part['once'])}." if part["once"] else "No release here is answered only once."
    lines = [f"<p>It shared on {_text(part['day'])}, {_text(policy)}. Versions of its data: {_text(versions)}. {_text(once)}</p>"]
    if part["quota"]:
        heads = ("who is told", "within days", "loss", "told before", "with this run", "at most")
        rows = [(q["recipient"], q["days"], q["measure"], q["before"], q["after"], q["most"]) for q in part["quota"]]
        lines.append(_grid(heads, rows, numbers=3))
    elif part["loses"]:
        told = "; ".join(f"{recipient}: ε = {loss['epsilon']}, ρ = {loss['rho']}" for recipient, loss in part["loses"].items())
        lines.append(f"<p>It has set no quota. This run tells of its units: {_text(told)}.</p>")
    return head + "".join(lines)


def _sign(report: Mapping[str, Any]) -> str:
    asked = "".join(
        f'<li><span class="box">{SQUARE} yes &nbsp;{SQUARE} no</span>{_text(question)}</li>' for question in report["questions"]
    )
    hashed = digest(report).hex()
    return (
        f'<h2>To be answered by the checker</h2><ol class="ask">{asked}</ol><div class="sign">'
        f"<p>{SQUARE} may be used as it is &nbsp;&nbsp; {SQUARE} may not, because "
        '<span class="line" style="width: 84mm"></span></p>'
        '<p><span class="line" style="width: 56mm"></span> <span class="line" style="width: 30mm"></span> '
        '<span class="line" style="width: 66mm"></span></p>'
        '<p class="small"><span style="display: inline-block; width: 58mm">name</span>'
        '<span style="display: inline-block; width: 32mm">day</span>signature</p>'
        f'<p class="small">Report</p><p class="code">{_grouped(hashed)}</p>'
        f'<p class="small">Receipt</p><p class="code">{_grouped(report["receipt"])}</p>'
        '<p class="small">With a key: accord approve-output REPORT --as PARTY --checker NAME. It signs the report by its first number '
        "above; accord verify REPORT then says who signed what.</p></div>"
    )


def _grid(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: int = 0) -> str:
    """A table; the last `numbers` columns stand right."""
    lines = []
    if heads:
        lines.append("<tr>" + "".join(f"<th{_side(at, len(heads), numbers)}>{_text(head)}</th>" for at, head in enumerate(heads)) + "</tr>")
    for row in rows:
        lines.append("<tr>" + "".join(f"<td{_side(at, len(row), numbers)}>{_text(cell)}</td>" for at, cell in enumerate(row)) + "</tr>")
    return f"<table>{''.join(lines)}</table>"


def _side(at: int, columns: int, numbers: int) -> str:
    return ' class="n"' if at >= columns - numbers else ""


def _text(value: object) -> str:
    """Another party's text is text here: no tag of it is one."""
    return escape(str(value))


def _and(names: Iterable[str]) -> str:
    *first, last = list(names) or ["nobody"]
    return f"{', '.join(first)} and {last}" if first else last


def _grouped(digits: str) -> str:
    return " ".join(digits[at : at + 8] for at in range(0, len(digits), 8))
