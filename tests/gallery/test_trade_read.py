"""Reading what an office has: both forms of UN Comtrade's export, the tidy form, and what must be refused."""

import csv
import io
from pathlib import Path

import pytest

from accord.base.errors import Refused
from accord.gallery.trade.read import read

TIDY = "year,reporter,partner,flow,commodity_code,commodity_level,value_usd\n"
LEGACY = (
    "Classification,Year,Period,Period Desc.,Aggregate Level,Is Leaf Code,Trade Flow Code,Trade Flow,Reporter Code,Reporter,Reporter ISO,"
    "Partner Code,Partner,Partner ISO,2nd Partner Code,2nd Partner,2nd Partner ISO,Customs Proc. Code,Customs,Mode of Transport Code,"
    "Mode of Transport,Commodity Code,Commodity,Qty Unit Code,Qty Unit,Qty,Netweight (kg),Trade Value (US$),Flag"
)
PLUS = (
    "typeCode,freqCode,refPeriodId,refYear,refMonth,period,reporterCode,reporterISO,reporterDesc,flowCode,flowDesc,partnerCode,partnerISO,"
    "partnerDesc,partner2Code,partner2ISO,partner2Desc,classificationCode,classificationSearchCode,isOriginalClassification,cmdCode,cmdDesc,"
    "aggrLevel,isLeaf,customsCode,customsDesc,mosCode,motCode,motDesc,qtyUnitCode,qtyUnitAbbr,qty,isQtyEstimated,altQtyUnitCode,"
    "altQtyUnitAbbr,altQty,isAltQtyEstimated,netWgt,isNetWgtEstimated,grossWgt,isGrossWgtEstimated,cifvalue,fobvalue,primaryValue,"
    "legacyEstimationFlag,isReported,isAggregate"
)
EACH_OFFICE = [
    (2016, "USA", "GBR", "export", "030211", "HS6", 10),
    (2016, "NLD", "GBR", "export", "030211", "HS6", 20),
    (2016, "ITA", "GBR", "export", "030211", "HS6", 30),
    (2016, "GBR", "USA", "import", "030211", "HS6", 40),
]


def tidy(folder: Path, *rows: str) -> Path:
    """A tidy file with one report of each office, then the given rows."""
    path = folder / "reports.csv"
    path.write_text(TIDY + "".join(",".join(map(str, row)) + "\n" for row in EACH_OFFICE) + "".join(row + "\n" for row in rows))
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def export(headings: str, *rows: dict[str, object]) -> str:
    """A CSV text of a Comtrade form with the given cells, all others blank."""
    names = headings.split(",")
    assert all(set(row) <= set(names) for row in rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def plus_row(**cells: object) -> dict[str, object]:
    what = {"freqCode": "A", "refYear": 2016, "period": 2016, "reporterISO": "USA", "flowCode": "X", "partnerISO": "GBR"}
    whole = {"partner2Code": 0, "customsCode": "C00", "mosCode": 0, "motCode": 0}
    return {**what, **whole, "cmdCode": "030211", "primaryValue": 5, **cells}


def test_reading_what_was_written_changes_nothing(office_files, tmp_path):
    again = read(next(iter(office_files.files.values())).parent, tmp_path)
    assert again.set_aside == {}
    for office, path in office_files.files.items():
        assert sorted(path.read_bytes().splitlines()) == sorted(again.files[office].read_bytes().splitlines())


def test_legacy_export_is_read_with_its_flows_codes_and_zeros(tmp_path):
    usual = {"Year": 2016, "Period": 2016, "Trade Flow Code": 2, "Reporter ISO": "USA", "Partner ISO": "GBR", "Commodity": "Trout, fresh"}
    text = export(
        LEGACY,
        {**usual, "Commodity Code": "030211", "Trade Value (US$)": "1234.5"},
        {**usual, "Commodity Code": "30213", "Trade Value (US$)": "99.49"},
        {**usual, "Commodity Code": "TOTAL", "Trade Value (US$)": "5E+9", "Trade Flow Code": 1},
        {**usual, "Commodity Code": "030211", "Trade Value (US$)": 7, "Trade Flow Code": 3},
        {**usual, "Commodity Code": "0302", "Trade Value (US$)": 7},
        {**usual, "Commodity Code": "030211", "Trade Value (US$)": 7, "Mode of Transport Code": 1000},
        {**usual, "Commodity Code": "030211", "Trade Value (US$)": 7, "Partner ISO": "WLD"},
        {**usual, "Reporter ISO": "", "Reporter Code": 381, "Commodity Code": "030211", "Trade Value (US$)": 8},
        {**usual, "Commodity Code": "030211", "Trade Value (US$)": 7, "Period": 201603},
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "comtrade.csv").write_text(text)
    rest = [row for row in EACH_OFFICE if row[1] in ("NLD", "GBR")]
    (tmp_path / "in" / "others.csv").write_text(TIDY + "".join(",".join(map(str, row)) + "\n" for row in rest))
    found = read(tmp_path / "in", tmp_path / "out")
    assert [(row["flow"], row["commodity"], row["level"], row["value_usd"]) for row in rows_of(found.files["usa"])] == [
        ("export", "030211", "HS6", "1235"),
        ("export", "030213", "HS6", "99"),
        ("import", "TOTAL", "TOTAL", "5000000000"),
    ]
    assert [(row["reporter"], row["partner"], row["value_usd"]) for row in rows_of(found.files["ita"])] == [("ita", "gbr", "8")]
    assert found.set_aside == {
        "other flows than exports and imports": 1,
        "other levels than HS6 and TOTAL": 1,
        "parts by customs procedure, transport, supply or second partner": 1,
        "trade with other countries": 1,
        "months and quarters (the study is annual)": 1,
    }
    assert found.rows_read == 11


def test_new_export_is_read_in_latin_1_and_with_a_delimiter_at_the_end_of_rows(tmp_path):
    text = export(
        PLUS,
        plus_row(primaryValue="1000000.500", partnerDesc="Curaçao"),
        plus_row(flowCode="M", cmdCode="160414"),
        plus_row(flowCode="RX"),
        plus_row(customsCode="C01"),
        plus_row(partner2Code=56),
        plus_row(freqCode="M", period=201601),
        plus_row(cmdCode="010121"),
        plus_row(refYear=2009, period=2009),
        plus_row(reporterISO="USA", partnerISO="USA"),
        *(plus_row(reporterISO=office, partnerISO="USA") for office in ("NLD", "ITA", "GBR")),
    )
    head, *rows = text.splitlines()
    path = tmp_path / "TradeData.csv"
    path.write_bytes("\n".join([head, *(row + "," for row in rows)]).encode("latin-1"))
    found = read(path, tmp_path / "out")
    assert [(row["flow"], row["commodity"], row["value_usd"]) for row in rows_of(found.files["usa"])] == [
        ("export", "030211", "1000001"),
        ("import", "160414", "5"),
    ]
    assert found.rows == {"usa": 2, "nld": 1, "ita": 1, "gbr": 1}
    assert found.set_aside["parts by customs procedure, transport, supply or second partner"] == 2
    assert found.set_aside["commodities outside the study"] == found.set_aside["years outside the study"] == 1
    assert found.set_aside["trade of a country with itself"] == 1
    assert found.rows_read == 12


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2016,USA,NLD,export,030211,HS6,", ("row 6", "column value_usd", "blank")),
        ("2016,USA,NLD,export,030211,HS6,12o", ("row 6", "column value_usd", "not a number")),
        ('2016,USA,NLD,export,030211,HS6,"1,200"', ("row 6", "column value_usd", "not a number")),
        ("2016,USA,NLD,export,030211,HS6,-1", ("row 6", "column value_usd", "out of bounds")),
        ("2016,USA,NLD,export,030211,HS6,500000000001", ("row 6", "column value_usd", "out of bounds")),
        ("2016,USA,NLD,exprot,030211,HS6,5", ("row 6", "column flow", "not a flow")),
        ("2O16,USA,NLD,export,030211,HS6,5", ("row 6", "column year", "not a year")),
        ("2016,USA,NLD,export,030211,TOTAL,5", ("row 6", "column commodity_level", "does not fit")),
        ("2016,USA,NLD,export,,HS6,5", ("row 6", "column commodity_code", "blank")),
        ("2016,,NLD,export,030211,HS6,5", ("row 6", "column reporter", "blank")),
        ("2016,USA,NLD,export,030211,HS6", ("row 6", "more or fewer columns")),
        ("2016,USA,NLD,export,030211,HS6,5,6", ("row 6", "more or fewer columns")),
        ("2016,usa,GBR,export,030211,HS6,10", ("reports.csv, row 2", "row 6", "one row for a year")),
    ],
)
def test_a_bad_cell_is_refused_with_its_place_the_rule_and_what_to_do(tmp_path, row, words):
    with pytest.raises(Refused) as refusal:
        read(tidy(tmp_path, row), tmp_path / "out")
    message = str(refusal.value)
    assert all(word in message for word in (*words, "reports.csv", "rule:")), message
    assert refusal.value.do and "\n" not in message
    assert not (tmp_path / "out").exists()


def test_no_message_holds_a_reported_value(tmp_path):
    with pytest.raises(Refused) as refusal:
        read(tidy(tmp_path, "2016,USA,NLD,export,030211,HS6,987654321098765"), tmp_path / "out")
    assert "98765" not in str(refusal.value)


def test_a_value_at_the_bound_and_a_reported_zero_are_kept(tmp_path):
    found = read(tidy(tmp_path, "2016,USA,NLD,export,030211,HS6,500000000000", "2016,USA,ITA,export,030211,HS6,0.4"), tmp_path / "out")
    assert [row["value_usd"] for row in rows_of(found.files["usa"])] == ["10", "0", "500000000000"]


def test_an_office_without_reports_is_named(tmp_path):
    path = tidy(tmp_path)
    path.write_text("\n".join(line for line in path.read_text().splitlines() if ",ITA," not in line))
    with pytest.raises(Refused, match="no report of ita"):
        read(path, tmp_path / "out")


def test_a_file_of_another_form_is_named(tmp_path):
    tidy(tmp_path)
    (tmp_path / "notes.csv").write_text("date,remark\n2016-01-01,hello\n")
    with pytest.raises(Refused, match=r"notes\.csv: no column for the"):
        read(tmp_path, tmp_path / "out")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(Refused, match="no CSV file"):
        read(tmp_path, tmp_path / "out")
