"""What both offices sign: the households asked about, the formula from gross to net, and the one bit that is told. All public."""

from __future__ import annotations

from accord.base.canonical import encode

PENSIONS, INCOMES, TRUSTEE = "svb", "uwv", "trustee"
"""The pension office and the income register; the third only computes."""
BSN = (100_000_000, 999_999_999)
HOUSEHOLD = (1, 999_999)
PENSIONERS_ROWS_MAX, INCOMES_ROWS_MAX = 12_000, 30_000
NORM_MAX, GROSS_MAX = "5000.00", "25000.00"
NET_PERCENT = ((0, 96), (1_000, 63), (3_000, 51))
"""Approximate net income of a month: from each of these gross euros on, so many cents of a further euro are left."""
TABLES = {"pensioners": PENSIONS, "incomes": INCOMES}


def net_sql(gross: str) -> str:
    """The piecewise linear formula over a gross amount, as SQL."""
    return " + ".join(_piece(gross, place) for place in range(len(NET_PERCENT)))


def _piece(gross: str, place: int) -> str:
    start, percent = NET_PERCENT[place]
    upper = f"LEAST({gross}, {NET_PERCENT[place + 1][0]})" if place + 1 < len(NET_PERCENT) else gross
    return f"GREATEST({upper} - {start}, 0) * 0.{percent}" if start else f"{upper} * 0.{percent}"


def document() -> str:
    """The text of `study.toml`."""
    return f"""# Which pensioners' households have an income below the norm, and may be owed a supplement?
[study]
name = "aio"
title = "Which households have a net income below their norm?"
purpose = "Find pensioners who may be owed a supplement and do not ask for it, without showing incomes, or whom the question is about"
expires = 2027-12-31
servers = {_text((PENSIONS, INCOMES, TRUSTEE))}

# Every member of a household, with the norm that applies to it. How many there are is hidden below {PENSIONERS_ROWS_MAX:,}.
[tables.pensioners]
owners = ["{PENSIONS}"]
rows_max = {PENSIONERS_ROWS_MAX}
unique = ["bsn"]
columns = [
  {{ name = "bsn", kind = "int", low = {BSN[0]}, high = {BSN[1]} }},
  {{ name = "household", kind = "int", low = {HOUSEHOLD[0]}, high = {HOUSEHOLD[1]} }},
  {{ name = "norm", kind = "decimal", scale = 2, low = "0.00", high = "{NORM_MAX}" }},
]

# Gross income of the month, one row for each source.
[tables.incomes]
owners = ["{INCOMES}"]
rows_max = {INCOMES_ROWS_MAX}
columns = [
  {{ name = "bsn", kind = "int", low = {BSN[0]}, high = {BSN[1]} }},
  {{ name = "gross", kind = "decimal", scale = 2, low = "0.00", high = "{GROSS_MAX}" }},
]

# Who has no income row has no income.
[queries]
income = \"\"\"
SELECT bsn, LEAST(SUM(gross), {GROSS_MAX}) AS gross FROM incomes GROUP BY bsn\"\"\"
persons = \"\"\"
SELECT p.household, p.norm, COALESCE(i.gross, 0) AS gross FROM pensioners AS p LEFT JOIN income AS i ON i.bsn = p.bsn\"\"\"
households = \"\"\"
SELECT household, MAX(norm) AS norm, SUM({net_sql("gross")}) AS net FROM persons GROUP BY household\"\"\"

[[releases]]
name = "below_norm"
title = "Households whose approximate net income lies below their norm"
sql = "SELECT household, net < norm AS below FROM households"
recipients = ["{PENSIONS}"]
reason = "the law asks the pension office to approach these households; the bit is the purpose, and nobody else receives anything"
notes = ["Asked again with another norm, the answers would close in on a household's income."]
"""


def _text(values: tuple[str, ...]) -> str:
    return encode(list(values)).decode()
