"""What both functions find out by themselves, they find alike."""

from pathlib import Path

import pytest

from accept_csv.checks import check
from accept_csv.problems import Refused as NotAccepted
from accept_csv.uploads import Upload
from store_csv.report import Tally
from store_csv.rows import Refused as NotStored
from store_csv.rows import Rows, layout_of


def accepted(content: bytes) -> object:
    """Columns and the number of rows, or the code of the refusal."""
    try:
        return tuple(check(Upload("a.csv", "text/csv", content), max_bytes=100_000_000))
    except NotAccepted as refusal:
        return refusal.code


def stored(content: bytes, file: Path) -> object:
    file.write_bytes(content)
    try:
        layout = layout_of(file)
        tally = Tally()
        list(Rows(file, layout, "id").kept(tally))
    except NotStored as refusal:
        return refusal.code
    if "wrong_number_of_fields" in tally.rejected:
        return "inconsistent_columns"
    return layout.columns, tally.read


@pytest.mark.parametrize(
    "content",
    [
        b"id,name\n1,Anna\n",
        "\ufeffid;имя\r\n1;Анна, или нет\r\n".encode(),
        b"id\tname\n1\ta;b,c\n",
        b'"id";"the ""name"""\n1;"two\nlines"\n',
        b"\n\n id , name \n\n1,2\n",
        b"a;b,c\n1;2,3\n",
        b"a;b,c\n1;2,3\n4;5\n",
        b"Betrag, EUR;Datum\n1,50;2026-01-01\n",
        b"Betrag, EUR;Datum\n1,50;2026-01-01\n2;2026-01-02\n",
        b"Betrag, EUR;Datum;Ort\n1,50;2026-01-01;Bonn\n",
        b"sep=;\r\nBetrag, EUR;Datum\r\n1,50;2026-01-01\r\n",
        b'\xef\xbb\xbf"sep=|"\nid|name\n1|a,b\n',
        b"SEP=\t\rid\tname\r1\ta,b\r",
        b"sep=,\n1,2\n",
        b"sep=;",
        b"sep=;x\n1;2\n",
        b",,\n",
        b"id,name\n1," + b"x" * 140_000 + b"\n2,y\n",
        b"name\nAnna\n",
        b"id,name\n",
        b"",
        b"\n\r\n",
        b"\xef\xbb\xbf",
        b"1,2\n3,4\n",
        b"-1.5;2\n",
        b"007;008\n",
        b"sep=;\n+49170;-1,5\n",
        b"1e5;2\n",
        b"1" * 60 + b";2\n",
        "١;٢\n".encode(),
        b"1;2-3\n",
        b"1;0x10\n",
        b"id,,name\n",
        b"id,name,id\n",
        b"id,name\n1\n",
        b"id,name\n1,2,3\n",
        b'id,name\n1,"Anna\n',
        b'id,name\n1,"Anna"x\n',
        b"id,name\n1,\x00\n",
        "id,имя\n1,Анна\n".encode("cp1251"),
        "id,name\n".encode("utf-16"),
    ],
)
def test_both_see_the_same_in_a_file(content: bytes, tmp_path: Path) -> None:
    assert accepted(content) == stored(content, tmp_path / "a.csv")


def test_both_say_the_same_of_the_longest_field(tmp_path: Path) -> None:
    limit = 16 * 1024 * 1024
    for content, expected in (
        (b"sep=,\nid,name\n1," + b"x" * limit + b"\n", (["id", "name"], 1)),
        (b"sep=,\nid,name\n1," + b"x" * (limit + 1) + b"\n", "malformed_csv"),
    ):
        assert accepted(content) == stored(content, tmp_path / "a.csv") == expected
