"""What the two owners sign: the question, its rule, and who gets the answer. Everything in it is public."""

from __future__ import annotations

from accord.base.canonical import encode

SURVEY, REGISTER, TRUSTEE = "nces", "nslds", "trustee"
"""The survey's office and the register's; the third only computes."""
INSTITUTIONS = ("public 4-year", "public 2-year", "private non-profit", "private for-profit")
INCOME_BANDS = ("below 30000", "30000 to 64999", "65000 to 109999", "110000 and more")
MATCHED_MIN = 30
"""A group is shown from so many matched students on: the office's own habit for survey estimates, and a parameter here."""
SSN = (1_000_000, 999_999_999)
SAMPLE_ROWS_MAX, AID_ROWS_MAX = 12_000, 30_000
WEIGHT_MAX, AID_MAX = "2000.00", "20000.00"
TABLES = {"sample": SURVEY, "aid": REGISTER}


def document() -> str:
    """The text of `study.toml`."""
    return f"""# Average federal aid of students, from a survey's sample and the register of aid.
[study]
name = "financial_aid"
title = "How much federal aid do students get, by institution and income of their family?"
purpose = "Estimate average aid from the survey's weights and the register's amounts, without showing who was sampled or who got aid"
expires = 2027-12-31
servers = {_text((SURVEY, REGISTER, TRUSTEE))}

# Who was sampled. The number of students is hidden below {SAMPLE_ROWS_MAX:,}.
[tables.sample]
owners = ["{SURVEY}"]
rows_max = {SAMPLE_ROWS_MAX}
unique = ["ssn"]
columns = [
  {{ name = "ssn", kind = "int", low = {SSN[0]}, high = {SSN[1]} }},
  {{ name = "weight", kind = "decimal", scale = 2, low = "0.00", high = "{WEIGHT_MAX}" }},
  {{ name = "institution", kind = "category", values = {_text(INSTITUTIONS)} }},
  {{ name = "income_band", kind = "category", values = {_text(INCOME_BANDS)} }},
]

# Who got how much in the year: one row a person.
[tables.aid]
owners = ["{REGISTER}"]
rows_max = {AID_ROWS_MAX}
unique = ["ssn"]
columns = [
  {{ name = "ssn", kind = "int", low = {SSN[0]}, high = {SSN[1]} }},
  {{ name = "amount", kind = "decimal", scale = 2, low = "0.00", high = "{AID_MAX}" }},
]

[[releases]]
name = "average_aid"
title = "Weighted average aid of students who got any"
sql = \"\"\"
SELECT s.institution, s.income_band, ROUND(SUM(s.weight * a.amount) / SUM(s.weight), 2) AS average_aid, COUNT(*) AS matched
FROM sample AS s JOIN aid AS a ON a.ssn = s.ssn
GROUP BY s.institution, s.income_band\"\"\"
recipients = ["{SURVEY}"]
judged = ["matched"]
rules = [{{ rule = "minimum_count", column = "matched", minimum = {MATCHED_MIN} }}]
notes = ["An average is exact to the cent: where it moves between two surveys, it moves by the students who joined or left."]
"""


def _text(values: tuple[str, ...]) -> str:
    return encode(list(values)).decode()
