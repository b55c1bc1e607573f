"""Two systems that link people across two owners on a secret number: the answer is the pooled rows' own, and to one recipient only."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from accord.base.errors import Refused
from accord.gallery import one_table
from accord.gallery.aio import entry as aio
from accord.gallery.aio import generate as aio_data
from accord.gallery.aio import oracle as aio_oracle
from accord.gallery.aio import study as aio_study
from accord.gallery.financial_aid import entry as aid
from accord.gallery.financial_aid import generate as aid_data
from accord.gallery.financial_aid import oracle as aid_oracle
from accord.gallery.financial_aid import study as aid_study


@pytest.mark.parametrize("generator", [aid_data, aio_data], ids=["financial_aid", "aio"])
def test_a_seed_gives_the_same_files(generator, tmp_path):
    made = [generator.generate(tmp_path / name, seed) for name, seed in (("one", 5), ("two", 5), ("three", 6))]
    texts = [[path.read_text() for tables in files.values() for path in tables.values()] for files in made]
    assert texts[0] == texts[1] != texts[2]
    assert all(text.count("\n") > 5_000 for text in texts[0])


def test_the_average_of_the_oracle_is_duckdbs(tmp_path):
    """In DuckDB's decimals, exactly."""
    files = aid_data.generate(tmp_path)
    sample, given = files["nces"]["sample"], files["nslds"]["aid"]
    found = duckdb.sql(f"""
        SELECT institution, income_band, SUM(CAST(weight AS DECIMAL(12, 2)) * CAST(amount AS DECIMAL(12, 2))) AS over,
          SUM(CAST(weight AS DECIMAL(12, 2))) AS under
        FROM read_csv('{sample}', all_varchar = true) JOIN read_csv('{given}', all_varchar = true) USING (ssn)
        GROUP BY institution, income_band HAVING COUNT(*) >= {aid_study.MATCHED_MIN}""").fetchall()
    answer = aid_oracle.answer(files)
    assert len(found) == len(answer.rows) and answer.suppressed > 0
    averages = {(institution, band): over / under for institution, band, over, under in found}
    assert all(abs(averages[institution, band] - average) <= Decimal("0.005") for institution, band, average in answer.rows)


def test_the_formula_of_the_oracle_is_the_signed_one():
    """The SQL that both sign, run by DuckDB over amounts at and around its corners, gives what the oracle's own arithmetic gives."""
    for gross in (0, 1, 99_999, 100_000, 100_001, 299_999, 300_000, 300_001, 2_500_000):
        column = f"CAST('{one_table.money(gross)}' AS DECIMAL(18, 2))"
        ((value,),) = duckdb.sql(f"SELECT {aio_study.net_sql(column)}").fetchall()
        assert int(value.scaleb(4)) == aio_oracle.net(gross)


@pytest.mark.parametrize(("entry", "recipient"), [(aid, aid_study.SURVEY), (aio, aio_study.PENSIONS)], ids=["financial_aid", "aio"])
def test_the_answer_is_the_pooled_rows_own(entry, recipient, tmp_path):
    """On the embedded data, in three server processes; the other owner and the servers receive nothing."""
    report = entry.run(None, tmp_path, "local:", lambda phase: None)
    facts = report.json()
    assert facts["matches_oracle"] is True, (report.released.rows[:5], report.expected.rows[:5])
    assert facts["rows_released"] > 0 and facts["rounds"] > 0
    assert report.table.recipient == recipient


def test_a_folder_without_a_table_is_refused(tmp_path):
    one_table.write_csv(tmp_path / "sample.csv", ("ssn",), [])
    with pytest.raises(Refused, match=r"no aid\.csv"):
        aid.run(tmp_path, tmp_path / "run", "sim:", lambda phase: None)
