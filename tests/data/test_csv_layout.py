"""The structure of CSV files: what must pass is read as Python's own csv module reads it, what must not is refused by line."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.data import csv_layout
from accord.data.csv_layout import scan
from accord.data.read import connect, load, open_source

QUOTE_RULE = "(rule: quotes stand around a whole cell, and a quote inside it is doubled); quote the whole cell, or take the quotes out"
COUNT_RULE = "(rule: every row has a cell for each column); "
FEW = COUNT_RULE + "add the missing cells (empty ones count)"
MANY = COUNT_RULE + "put a cell that holds the delimiter in double quotes"
ENDS = "save the file with one kind of line end"
RETURN = f"a carriage return stands here without a line feed (rule: lines end in LF or CRLF); {ENDS}"
OVERLONG = "(rule: a record has at most 1048576 bytes); look for a quote that is not closed"

WALL = [
    (b"", "t.csv: this file is empty (rule: the first line names the columns); export the table again, with a header line"),
    (
        b"\xef\xbb\xbf\r\n",
        "t.csv: this file is empty (rule: the first line names the columns); export the table again, with a header line",
    ),
    ("a,b\n1,2\n".encode("utf-16"), "t.csv: this file is UTF-16 (rule: CSV files are UTF-8); save it as 'CSV UTF-8'"),
    (b"a,b\n1,2\n3\n", f"t.csv, line 3: 1 cell where the header has 2 {FEW}"),
    (b"a,b\n1,2\n3", f"t.csv, line 3: 1 cell where the header has 2 {FEW}"),
    (b"a,b\n1,2,3\n", f"t.csv, line 2: 3 cells where the header has 2 {MANY}"),
    (b'a,b\n1,"x\ny"\n1,2,3\n', f"t.csv, line 4: 3 cells where the header has 2 {MANY}"),
    (b'a,b\n1,"x\n\n,y",3\n1,2\n', f"t.csv, line 2: 3 cells where the header has 2 {MANY}"),
    (b"a,b\n1,2\n\n3,4\n", "t.csv, line 3: this line is empty (rule: one row a line); delete the line"),
    (b"a,b\r\n1,2\r\n\r\n", "t.csv, line 3: this line is empty (rule: one row a line); delete the line"),
    (b"a\n1\n\n3\n", 't.csv, line 3: this line is empty (rule: one row a line); delete the line, or write "" for an empty cell'),
    (b"a,b\n1,2\r\n", f"t.csv, line 2: this line ends in CRLF, the first in LF (rule: all lines end alike); {ENDS}"),
    (b"a,b\r\n1,2\n", f"t.csv, line 2: this line ends in LF, the first in CRLF (rule: all lines end alike); {ENDS}"),
    (b"a,b\r1,2\r", f"t.csv, line 1: {RETURN}"),
    (b"a,b\n1,2\r", f"t.csv, line 2: {RETURN}"),
    (b'a,b\n1,"x\ry"\n', f"t.csv, line 2: {RETURN}"),
    (b'a,b\n1,x"y\n', f"t.csv, line 2: a quote stands inside a cell that did not begin with one {QUOTE_RULE}"),
    (b'a,b\n1, "xy"\n', f"t.csv, line 2: a quote stands inside a cell that did not begin with one {QUOTE_RULE}"),
    (b'a,b\n1,"x" \n', f"t.csv, line 2: a cell goes on after its closing quote {QUOTE_RULE}"),
    (b'a,b\n"x\ny"z,1\n', f"t.csv, line 3: a cell goes on after its closing quote {QUOTE_RULE}"),
    (b'a,b\n1,"x\n2,3\n', "t.csv, line 2: a quote in this record is never closed (rule: quotes come in pairs); close the quoted cell"),
    (b"a,b\n1,\xff\n", "t.csv, line 2: these bytes are no UTF-8 text (rule: CSV files are UTF-8); save the file as 'CSV UTF-8'"),
    (b"\xe9,b\n1,2\n", "t.csv, line 1: these bytes are no UTF-8 text (rule: CSV files are UTF-8); save the file as 'CSV UTF-8'"),
    (b"a,b\n1,2\n3,\xc3", "t.csv, line 3: these bytes are no UTF-8 text (rule: CSV files are UTF-8); save the file as 'CSV UTF-8'"),
    (b"a,b\n1,\0\n", "t.csv, line 2: a zero byte stands here (rule: CSV files are text); export the table again"),
    (b"a,b\n1," + b"x" * (1 << 20) + b"\n", f"t.csv, line 2: this record never ends {OVERLONG}"),
    (b'a,b\n1,"' + b"x" * (1 << 21), f"t.csv, line 2: this record never ends {OVERLONG}"),
    (b'"' + b"x" * (1 << 21), f"t.csv, line 1: the header never ends {OVERLONG}"),
    (
        b'a,"b\nc"\n1,2\n',
        "t.csv, line 1: a column's name goes over several lines (rule: the header is one line); "
        "take the line break out of the column's name",
    ),
    (
        b"a;b,c\n1;2,3\n",
        "t.csv, line 1: the header could be split at each comma and at each semicolon (rule: one delimiter); "
        "put a column name that holds one of them in double quotes",
    ),
]


@pytest.mark.parametrize(("content", "said"), WALL, ids=range(len(WALL)))
@pytest.mark.parametrize("block_bytes", [1 << 23, 5])
def test_a_file_of_another_shape_is_refused_by_line(tmp_path, monkeypatch, content, said, block_bytes):
    if content.startswith((b"a,b\n", b"a\n")):  # the first block holds the header
        monkeypatch.setattr(csv_layout, "BLOCK_BYTES", block_bytes if len(content) < 1000 else 4096)
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(Refused) as error:
        scan(path)
    assert str(error.value) == said


def test_delimiters(tmp_path):
    path = tmp_path / "t.csv"
    for delimiter in ",;\t":
        path.write_text(f"year{delimiter}value\n2000{delimiter}7\n")
        assert scan(path).delimiter == delimiter
    path.write_text('"a,b";c\n1;2\n')
    assert scan(path).header == ("a,b", "c")
    path.write_text("value (US$, FOB);year\n1;2\n")
    assert scan(path, ["year"]).header == ("value (US$, FOB)", "year")


CELLS = st.one_of(
    st.sampled_from(["", "1", "a,b", "x\ny", "x\r\ny", '"', 'p"q', " 7 ", "#", "é", "NULL", "\\N", "\ufeff", "a;b"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=6),
)


@st.composite
def files(draw):
    """A well-formed file: its bytes and its records."""
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=8))
    out = io.StringIO(newline="")
    quoting = draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(out, delimiter=draw(st.sampled_from(",;\t")) if width > 1 else ",", lineterminator=end, quoting=quoting)
    header = [f'h"{index}' if draw(st.booleans()) else f"h {index}" for index in range(width)]
    writer.writerow(header)
    writer.writerows(rows)
    text = out.getvalue()
    if draw(st.booleans()):
        text = text.removesuffix(end)
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + text.encode(), header, rows


@settings(max_examples=40)
@given(files(), st.sampled_from([64, 97, 1 << 23]))
def test_well_formed_files_are_read_as_pythons_csv_reads_them(tmp_path_factory, file, block_bytes):
    content, header, rows = file
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_layout, "BLOCK_BYTES", block_bytes)
        layout = scan(path, header)
        assert list(layout.header) == header
        assert list(layout.lines) == record_lines(rows)
        with connect() as connection:
            source = open_source(path, header)
            load(connection, source, header, "t")
            found = connection.execute("SELECT * FROM t ORDER BY rowid").fetchall()
    assert found == [tuple(cell or None for cell in row) for row in rows]


def record_lines(rows):
    """The first line of each record, by counting line ends in the cells."""
    lines, line = [], 2
    for row in rows:
        lines.append(line)
        line += 1 + sum(cell.count("\n") for cell in row)
    return lines


def test_a_reader_that_sees_fewer_rows_is_caught(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    source = open_source(path, ["a"])
    path.write_text("a,b\n1,2\n")
    with connect() as connection, pytest.raises(Refused) as error:
        load(connection, source, ["a"], "t")
    assert str(error.value) == (
        "t.csv: 2 rows were counted and 1 read (rule: no row is dropped); "
        "let nothing write to the file while it is read; if nothing does, export it again"
    )


def test_missing_and_repeated_columns(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("Year,value_eur,x,x\n")
    rule = "(rule: the header names every column of the schema, letter by letter); rename the column in the file or in the schema"
    for wanted, said in [
        ("year", f"t.csv: no column 'year'; the nearest is 'Year' {rule}"),
        ("value_usd", f"t.csv: no column 'value_usd'; the nearest is 'value_eur' {rule}"),
        ("age", f"t.csv: no column 'age'; it has 'Year', 'value_eur', 'x', 'x' {rule}"),
        ("x", "t.csv: column 'x' stands there 2 times (rule: every column has a name of its own); rename all but one"),
    ]:
        with pytest.raises(Refused) as error:
            open_source(path, [wanted])
        assert str(error.value) == said


def test_paths(tmp_path):
    (tmp_path / "trade.csv").write_text("a\n")
    with pytest.raises(Refused, match=r"there is no file 'trad\.csv' in .*; the nearest name there is 'trade\.csv'; check the path"):
        open_source(tmp_path / "trad.csv")
    (tmp_path / "t*.csv").write_text("a\n")
    with pytest.raises(Refused, match=r"the path of 't\*\.csv' holds '\*' \(rule: no wildcards in a path\)"):
        open_source(tmp_path / "t*.csv")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_of_several_blocks(tmp_path, end):
    """More than one of the scan's blocks and of DuckDB's buffers, with line ends inside quotes throughout."""
    path, rows = tmp_path / "t.csv", 300_000
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator=end)
        writer.writerow(["number", "text"])
        writer.writerows((number, f"line{end if number % 3 else ''},{'x' * (number % 61)}") for number in range(rows))
    source = open_source(path, ["number"])
    assert path.stat().st_size > csv_layout.BLOCK_BYTES
    with connect() as connection:
        load(connection, source, ["number", "text"], "t")
        assert connection.execute("SELECT bool_and(CAST(number AS BIGINT) = rowid) AND count(*) = 300000 FROM t").fetchone() == (True,)
        whole = f"sum(length(text)) = sum(5 + {len(end)} * (number::int % 3 <> 0)::int + number::int % 61)"
        assert connection.execute(f"SELECT {whole} FROM t").fetchone() == (True,)
    assert source.place(0) == "line 2"
    assert source.place(rows - 1) == f"line {2 + (rows - 1) + 200_000 - 1 + (rows - 1) % 3 // 3}"
