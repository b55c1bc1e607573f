"""The study that the offices sign, written out: `study.toml` from the signed parameters, ready to be read by people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from accord.base.canonical import encode
from accord.gallery.trade.parameters import HS6, OFFICE_NAMES, TOTAL, Parameters

FLOWS = ("export", "import")
ALL_GOODS = "all goods"
ROWS_MAX = 20_000
"""Each office's public bound on its reports."""

KEYS = "exporter, importer, commodity, year"


def document(parameters: Parameters, servers: tuple[str, str, str] = ("usa", "nld", "ita")) -> str:
    """The text of `study.toml`. The three servers are run by three of the offices."""
    parts = [_head(servers), _domains(parameters), _publics(parameters), _table(parameters), _queries(parameters), _releases(parameters)]
    return "\n".join(parts)


def _head(servers: tuple[str, str, str]) -> str:
    return f"""# Four statistical offices reconcile what they exported to and imported from each other.
[study]
name = "trade"
title = "Do our trade figures agree with our partners' mirror figures?"
purpose = "Find the cells of bilateral merchandise trade where exporter and importer report different figures, without showing the figures"
expires = 2027-12-31
servers = {_text(servers)}

[party_values]
{_lines((office, _text(office)) for office in OFFICE_NAMES)}
"""


def _domains(parameters: Parameters) -> str:
    goods = [*((code, group, HS6) for group, codes in parameters.groups.items() for code in codes), (TOTAL, ALL_GOODS, TOTAL)]
    codes, groups, levels = zip(*goods, strict=True)
    years = sorted({*parameters.years, *parameters.total_years})
    return f"""[domains.office]
values = {_text(parameters.offices)}

[domains.commodity]
values = {_text(codes)}
[domains.commodity.columns]
commodity_group = {_text(groups)}
level = {_text(levels)}

[domains.year]
values = {_text(str(year) for year in years)}
"""


def _publics(parameters: Parameters) -> str:
    factors = [[exporter, importer, parameters.factor_permille[exporter, importer]] for exporter, importer in parameters.pairs]
    grids = [*([HS6, str(year)] for year in parameters.years), *([TOTAL, str(year)] for year in parameters.total_years)]
    return f"""# What freight and insurance add from one border to the other, in permille; signed for each ordered pair.
[publics.factor]
columns = [
  {{ name = "exporter", kind = "category", domain = "office" }},
  {{ name = "importer", kind = "category", domain = "office" }},
  {{ name = "factor_permille", kind = "int", low = 1000, high = 2000 }},
]
rows = {_text(factors)}

# Which years each grid covers: totals are never mixed with six-digit codes.
[publics.covered]
columns = [
  {{ name = "level", kind = "category", values = {_text((HS6, TOTAL))} }},
  {{ name = "year", kind = "category", domain = "year" }},
]
rows = {_text(grids)}
"""


def _table(parameters: Parameters) -> str:
    return f"""# What each office brings: its own reports, one row for each year, partner, flow and commodity.
[tables.trade]
owners = {_text(OFFICE_NAMES)}
rows_max = {ROWS_MAX}
unique = ["year", "reporter", "partner", "flow", "commodity"]
owner_column = "reporter"
owner_values = {{ {", ".join(f"{office} = {_text(office)}" for office in OFFICE_NAMES)} }}
columns = [
  {{ name = "year", kind = "category", domain = "year" }},
  {{ name = "reporter", kind = "category", domain = "office" }},
  {{ name = "partner", kind = "category", domain = "office" }},
  {{ name = "flow", kind = "category", values = {_text(FLOWS)} }},
  {{ name = "commodity", kind = "category", domain = "commodity" }},
  {{ name = "value_usd", kind = "int", low = 0, high = {parameters.value_usd_max} }},
]
"""


def _queries(parameters: Parameters) -> str:
    return f"""# Each query is a table for those after it. A cell has one report (see unique above): MAX is that report.
# X is the exporter's figure, M the importer's at the exporter's border.
[queries]
exports = \"\"\"
SELECT reporter AS exporter, partner AS importer, commodity, year, MAX(value_usd) AS x
FROM trade WHERE flow = 'export' GROUP BY reporter, partner, commodity, year\"\"\"
imports = \"\"\"
SELECT partner AS exporter, reporter AS importer, commodity, year, MAX(value_usd) AS cif
FROM trade WHERE flow = 'import' GROUP BY partner, reporter, commodity, year\"\"\"
mirror = \"\"\"
SELECT i.exporter, i.importer, i.commodity, i.year, i.cif * 1000 // f.factor_permille AS m
FROM imports AS i JOIN factor AS f ON f.exporter = i.exporter AND f.importer = i.importer\"\"\"
grid = \"\"\"
SELECT f.exporter, f.importer, c.commodity, c.commodity_group, c.level, y.year
FROM factor AS f CROSS JOIN commodity AS c JOIN covered AS y ON y.level = c.level\"\"\"
cells = \"\"\"
SELECT g.exporter, g.importer, g.commodity, g.commodity_group, g.level, g.year, exports.x, mirror.m
FROM grid AS g LEFT JOIN exports USING ({KEYS}) LEFT JOIN mirror USING ({KEYS})\"\"\"
classes = \"\"\"
SELECT exporter, importer, commodity, commodity_group, level, year, ABS(x - m) AS gap, x + m AS volume,
  CASE
    WHEN x IS NULL AND m IS NULL THEN 'neither'
    WHEN GREATEST(COALESCE(x, 0), COALESCE(m, 0)) < {parameters.materiality_usd} THEN 'small'
    WHEN x IS NULL OR m IS NULL THEN 'one side only'
    WHEN ABS(x - m) * 1000 <= GREATEST({parameters.floor_usd * 1000}, {parameters.tolerance_permille} * GREATEST(x, m)) THEN 'agree'
    ELSE 'disagree'
  END AS class
FROM cells\"\"\"
"""


def _releases(parameters: Parameters) -> str:
    return "\n".join(
        [
            _cells_release("cells", "Your own cells, class by class", HS6),
            _cells_release("totals", "Your own totals of all goods, class by class", TOTAL),
            _table_release("pairs", "By ordered pair", "exporter, importer", parameters, residual=False),
            _table_release("groups", "By commodity group", "commodity_group", parameters, residual=True),
        ]
    )


def _cells_release(name: str, title: str, level: str) -> str:
    return f"""[[releases]]
name = "{name}"
title = "{title}"
sql = \"\"\"
SELECT exporter, importer, commodity, year, class FROM classes WHERE level = '{level}' ORDER BY exporter, importer, commodity, year\"\"\"
recipients = {{ columns = ["exporter", "importer"] }}
once = true
reason = "a class goes only to the two offices whose figures it compares"
notes = [
  "'agree' tells you your partner's figure to within the tolerance; 'small' tells you that it is below the threshold.",
  "Asked again with another tolerance, the answers would close in on the figure.",
]
"""


def _table_release(name: str, title: str, keys: str, parameters: Parameters, *, residual: bool) -> str:
    rules = [*_rules("", parameters), *(_rules("_of_others", parameters) if residual else []), '{ rule = "never_alone" }']
    of_others = ["mirrored_of_others", "disagreeing_of_others", "commodities_of_others"]
    judged = ["disagreeing", "commodities", *(of_others if residual else [])]
    others = _tallies("_of_others", " AND exporter <> :recipient AND importer <> :recipient") if residual else []
    bands = " ".join(
        f"WHEN 100 * gap < {cut} * volume THEN '{band}'" for cut, band in zip(parameters.band_cuts_percent, parameters.bands, strict=False)
    )
    sums = [f"SUM({one}) FILTER (WHERE {_MIRRORED}) AS {one}" for one in ("gap", "volume")]
    tallies = ",\n    ".join([*_tallies("", ""), *others, *sums])
    return f"""[[releases]]
name = "{name}"
title = "{title}: mirrored cells, share that disagree, band of the asymmetry"
sql = \"\"\"
SELECT {keys}, mirrored, (2000 * disagreeing + mirrored) // (2 * mirrored) AS share_permille,
  CASE {bands} ELSE '{parameters.bands[-1]}' END AS band, {", ".join(judged)}
FROM (
  SELECT {keys}, {tallies}
  FROM classes WHERE level = '{HS6}' GROUP BY {keys})
ORDER BY {keys}\"\"\"
recipients = {_text(OFFICE_NAMES)}
judged = {_text(judged)}
rules = [
{"".join(f"  {rule},{chr(10)}" for rule in rules)}]
notes = [{_text(_note(name))}]
"""


_MIRRORED = "class IN ('agree', 'disagree')"


def _tallies(suffix: str, condition: str) -> list[str]:
    return [
        f"COUNT(*) FILTER (WHERE {_MIRRORED}{condition}) AS mirrored{suffix}",
        f"COUNT(*) FILTER (WHERE class = 'disagree'{condition}) AS disagreeing{suffix}",
        f"COUNT(DISTINCT commodity) FILTER (WHERE {_MIRRORED}{condition}) AS commodities{suffix}",
    ]


def _rules(suffix: str, parameters: Parameters) -> list[str]:
    return [
        f'{{ rule = "minimum_contributors", column = "commodities{suffix}", minimum = {parameters.commodities_min} }}',
        f'{{ rule = "zero_and_full", part = "disagreeing{suffix}", whole = "mirrored{suffix}" }}',
    ]


def _note(name: str) -> str:
    if name == "groups":
        return "A row is also judged on the cells that are news to you: those of pairs to which you do not belong."
    return "The asymmetry is told as a band only: the exact index would let each office solve for its partner's figure."


def _text(value: Any) -> str:
    """A TOML value: text, a number, or a list."""
    if isinstance(value, str | int):
        return encode(value).decode()
    return encode(list(value)).decode() if isinstance(value, Iterable) else str(value)


def _lines(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in pairs)
