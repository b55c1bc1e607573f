"""What the four offices sign: the totals of each ordered pair, with ε = 1 for each single report. All public."""

from __future__ import annotations

from collections.abc import Sequence

from accord.base.canonical import encode
from accord.gallery.trade.parameters import HS6, OFFICE_NAMES, Parameters
from accord.gallery.trade.study import FLOWS, ROWS_MAX

EPSILON = "1"
BOUND_THOUSAND_USD = 1_000
"""A report counts with at most so much: what one report can change, and so the scale of the noise."""
RELEASE = "totals"


def document(parameters: Parameters, servers: tuple[str, str, str] = ("usa", "nld", "ita")) -> str:
    """The text of `study.toml`."""
    pairs = [list(pair) for pair in parameters.pairs]
    owner_values = ", ".join(f"{office} = {_text(office)}" for office in OFFICE_NAMES)
    return f"""# Exports of each ordered pair of four countries in reported detail, with noise: no single report shows.
[study]
name = "trade_dp"
title = "How much do we export to each other, as reported in detail?"
purpose = "Publish totals per pair from which nobody, whatever else is known, can tell whether any single report is among them"
expires = 2027-12-31
servers = {_text(servers)}

[domains.office]
values = {_text(parameters.offices)}

[publics.pair]
columns = [
  {{ name = "exporter", kind = "category", domain = "office" }},
  {{ name = "importer", kind = "category", domain = "office" }},
]
rows = {encode(pairs).decode()}

[tables.trade]
owners = {_text(tuple(OFFICE_NAMES))}
rows_max = {ROWS_MAX}
unique = ["year", "reporter", "partner", "flow", "commodity"]
owner_column = "reporter"
owner_values = {{ {owner_values} }}
columns = [
  {{ name = "year", kind = "int", low = 1960, high = 2100 }},
  {{ name = "reporter", kind = "category", domain = "office" }},
  {{ name = "partner", kind = "category", domain = "office" }},
  {{ name = "flow", kind = "category", values = {_text(FLOWS)} }},
  {{ name = "level", kind = "category", values = {_text((HS6, "TOTAL"))} }},
  {{ name = "commodity", kind = "text key", characters_max = 8 }},
  {{ name = "value_usd", kind = "int", low = 0, high = {parameters.value_usd_max} }},
]

[[releases]]
name = "{RELEASE}"
title = "Exports in reported detail, thousand dollars, each report counted up to {BOUND_THOUSAND_USD:,}"
sql = \"\"\"
SELECT p.exporter, p.importer, COALESCE(t.thousand_usd, 0) AS thousand_usd
FROM pair AS p LEFT JOIN (
  SELECT reporter AS exporter, partner AS importer, SUM(LEAST(value_usd // 1000, {BOUND_THOUSAND_USD})) AS thousand_usd
  FROM trade WHERE flow = 'export' AND level = '{HS6}' GROUP BY reporter, partner
) AS t USING (exporter, importer)
ORDER BY exporter, importer\"\"\"
recipients = {_text(tuple(OFFICE_NAMES))}
noise = {{ mechanism = "discrete_laplace", epsilon = "{EPSILON}", unit = {{ table = "trade" }} }}
notes = ["ε = {EPSILON} covers this release: other releases of the same data add their own."]
"""


def _text(values: Sequence[str] | str) -> str:
    return encode(values if isinstance(values, str) else list(values)).decode()
