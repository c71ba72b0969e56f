"""What is CSV, and what is not."""

import pytest

from accept_csv.checks import Table, check
from accept_csv.problems import Refused
from accept_csv.uploads import Upload


def look(content: bytes) -> Table:
    return check(Upload("people.csv", "text/csv", content), max_bytes=10_000)


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        (b"id,name\n1,Anna\n", ["id", "name"], 1),
        (b"id,name\n1,Anna", ["id", "name"], 1),
        (b"id,name\r\n1,Anna\r\n2,Boris\r\n", ["id", "name"], 2),
        (b"id,name\r1,Anna\r", ["id", "name"], 1),
        (b"id;name\n1;Anna, the first\n", ["id", "name"], 1),
        (b"id\tname\n1\tAnna\n", ["id", "name"], 1),
        ("\ufeffid,имя\n1,Анна\n".encode(), ["id", "имя"], 1),
        (b'id,note\n1,"two\nlines, and ""quotes"""\n', ["id", "note"], 1),
        (b'"id"; "name" \n1;Anna\n', ["id", '"name"'], 1),
        (b"\n\nid,name\n\n1,Anna\n\n", ["id", "name"], 1),
        (b"id,name\n", ["id", "name"], 0),
        (b"name\nAnna\nBoris\n", ["name"], 2),
        (b"id,2024,2025\na,1,2\n", ["id", "2024", "2025"], 1),
        (b"id,name\n1,\n", ["id", "name"], 1),
        (b"Betrag, EUR;Datum\n1,50;2026-01-01\n2;2026-01-02\n", ["Betrag, EUR", "Datum"], 2),
        (b"Betrag, EUR;Datum;Ort\n1,50;2026-01-01;Bonn\n", ["Betrag, EUR", "Datum", "Ort"], 1),
        (b"sep=;\r\nBetrag, EUR;Datum\r\n1,50;2026-01-01\r\n", ["Betrag, EUR", "Datum"], 1),
        (b'\xef\xbb\xbf"sep=|"\nid|name\n1|a,b\n', ["id", "name"], 1),
    ],
)
def test_this_is_csv(content: bytes, columns: list[str], rows: int) -> None:
    assert look(content) == (columns, rows)


@pytest.mark.parametrize(
    ("content", "code", "hint"),
    [
        (b"", "empty_file", "nothing"),
        (b" \r\n\t\n", "empty_file", "nothing"),
        (b"\xef\xbb\xbf", "empty_file", "nothing"),
        (b"PK\x03\x04\x14\x00", "binary_content", "Excel"),
        (b"\x89PNG\r\n\x1a\n", "binary_content", "PNG"),
        (b"%PDF-1.7\n", "binary_content", "PDF"),
        (b"\x1f\x8b\x08", "binary_content", "gzip"),
        (b"id,name\n1,An\x00na\n", "binary_content", "Line 2 holds the byte 0x00"),
        (b"id,name\n1,\x1b[31mAnna\n", "binary_content", "0x1b"),
        ("id,имя\n1,Анна\n".encode("cp1251"), "not_utf8", "Line 1"),
        ("id,name\n1,Café\n".encode("cp1252"), "not_utf8", "Line 2"),
        ("\ufeffid,name\n1,".encode() + b"\xff\n", "not_utf8", "Line 2"),
        ("id,name\n1,Anna\n".encode("utf-16"), "not_utf8", "UTF-16"),
        (b'id,name\n1,"Anna\n2,Boris\n', "malformed_csv", "end of data"),
        (b'id,name\n1,"Anna"x\n', "malformed_csv", "expected"),
        (b"id,name\n1,Anna\n2,Boris,extra\n", "inconsistent_columns", "line 3 has 3 fields"),
        (b"id,name\n1\n", "inconsistent_columns", "has 1 fields, the header has 2"),
        (b'id,name\n1,"two\nlines",x\n', "inconsistent_columns", "line 3"),
        (b"sep=;\nid;name\n1\n", "inconsistent_columns", "line 3"),
        (b"sep=;\n", "empty_file", "nothing"),
        (b",,\n", "empty_file", "nothing"),
        (b"Betrag, EUR;Datum\n1,50;2026-01-01\n", "ambiguous_delimiter", "',', ';'"),
        (b"1,2\n3,4\n", "header_missing", "first row"),
        (b"-1.5;+2.5\n3;4\n", "header_missing", "first row"),
        (b"id,,name\n1,2,3\n", "blank_column", "Column 2"),
        (b"id,name,\n1,2,3\n", "blank_column", "Column 3"),
        (b"id,name, id\n1,2,3\n", "duplicate_column", "'id'"),
    ],
)
def test_this_is_not(content: bytes, code: str, hint: str) -> None:
    with pytest.raises(Refused) as refusal:
        look(content)
    assert refusal.value.code == code
    assert hint in refusal.value.detail


def test_a_long_field_is_no_reason_to_refuse_a_file() -> None:
    content = b"id,name\n1," + b"x" * 140_000 + b"\n"
    assert check(Upload("people.csv", "", content), max_bytes=1_000_000).rows == 1


@pytest.mark.parametrize(
    "media_type",
    ["text/csv", "TEXT/CSV; charset=UTF-8; header=present", "application/vnd.ms-excel", ""],
)
def test_media_types_that_are_taken(media_type: str) -> None:
    assert check(Upload("people.csv", media_type, b"a\nb\n"), max_bytes=100).rows == 1
