"""From the bytes of a file to the rows that are kept, and to what is reported of the others."""

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from store_csv import rows
from store_csv.report import EXAMPLES, Tally
from store_csv.rows import Layout, Refused, Rows, layout_of

type Written = Callable[[bytes | str], Path]


def reading(file: Path) -> Rows:
    return Rows(file, layout_of(file), "id")


def kept(file: Path) -> list[list[str]]:
    frames = list(reading(file).kept(Tally()))
    return [list(row) for frame in frames for row in frame.itertuples(index=False)]


def reported(file: Path) -> Any:
    return reading(file).look()[0].as_document()


@pytest.mark.parametrize(
    ("content", "layout"),
    [
        (b"id,name\n", Layout(",", ["id", "name"])),
        (b"id;name\n1;a, b\n", Layout(";", ["id", "name"])),
        (b"id\tname, in full\tage\n", Layout("\t", ["id", "name, in full", "age"])),
        (b'"id";"a ""name"""\n', Layout(";", ["id", 'a "name"'])),
        (b"name\n", Layout(",", ["name"])),
        ("\ufeffимя, возраст \r\n".encode(), Layout(",", ["имя", "возраст"])),
        (b'\n\n"id","the\nname"\n', Layout(",", ["id", "the\nname"])),
        (b"a, b;c\n1,5;x\n2;y\n", Layout(";", ["a, b", "c"])),
        (b"a, b;c\n1;x\n2;y\n3,5;z\n", Layout(";", ["a, b", "c"])),
        (b"\xef\xbb\xbfsep=;\r\na, b;c\r\n1,5;x\r\n", Layout(";", ["a, b", "c"])),
    ],
)
def test_the_layout(content: bytes, layout: Layout, written: Written) -> None:
    assert layout_of(written(content)) == layout


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\xef\xbb\xbf", "empty_file"),
        (b"\n\r\n", "empty_file"),
        (b",,\n", "empty_file"),
        (b"id,,name\n", "blank_column"),
        (b"id,name,id\n", "duplicate_column"),
        (b"1,2\n3,4\n", "header_missing"),
        ("имя\n".encode("cp1251"), "not_utf8"),
        ("id,name\n".encode("utf-16"), "not_utf8"),
        (b"id,\x00name\n", "binary_content"),
        (b'id,"name\n', "malformed_csv"),
        (b"a, b;c\n1,5;x\n", "ambiguous_delimiter"),
        (b"sep=;\n", "empty_file"),
    ],
)
def test_files_without_a_layout(content: bytes, code: str, written: Written) -> None:
    with pytest.raises(Refused) as refusal:
        layout_of(written(content))
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ('2,"Boris\n3,Clara\n', "malformed_csv"),
        ('2,"Boris"x\n', "malformed_csv"),
        ("2,Bo\0ris\n", "binary_content"),
        ("2,\udcff\n", "not_utf8"),
    ],
)
def test_a_file_that_breaks_in_the_middle_is_refused_as_a_whole(
    end: str, code: str, written: Written
) -> None:
    file = written(("id,name\n1,Anna\n" + end).encode(errors="surrogateescape"))
    with pytest.raises(Refused) as refusal:
        reading(file).look()
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,name\n1,Anna\n2,Борис", [["1", "Anna"], ["2", "Борис"]]),
        ("id,name\r\n1,Anna\r\n\r\n2,Boris\r\n", [["1", "Anna"], ["2", "Boris"]]),
        ("\ufeffid;name\n1;Anna, the first\n", [["1", "Anna, the first"]]),
        ('id,name\n1,"two\r\nlines, ""so"""\n', [["1", 'two\r\nlines, "so"']]),
        ("id,name\n007, Anna \n", [["007", " Anna "]]),
        ("id,name\n1,line\u2028separator\n", [["1", "line\u2028separator"]]),
        ("id,name\n", []),
        ("id,name", []),
    ],
)
def test_values_are_what_the_file_says(
    content: str, expected: list[list[str]], written: Written
) -> None:
    assert kept(written(content)) == expected


def test_each_row_has_one_outcome(written: Written) -> None:
    file = written(
        "id,name,city\n"
        "1,Anna,Riga\n"
        "2,,Riga\n"
        "3,NULL, n/a \n"
        "4,Clara\n"
        "5,David,Oslo,extra\n"
        "\n"
        "1,Again,Riga\n"
        "6,Emil,Bonn\n"
    )
    assert reported(file) == {
        "rows": {"read": 7, "kept": 2, "dropped": 2, "rejected": 3},
        "dropped": {
            "null_value": {
                "count": 2,
                "examples": [
                    {"row": 2, "detail": "no value in name"},
                    {"row": 3, "detail": "no value in name, city"},
                ],
                "columns": {"id": 0, "name": 2, "city": 1},
            }
        },
        "rejected": {
            "wrong_number_of_fields": {
                "count": 2,
                "examples": [
                    {"row": 4, "detail": "2 fields, the header has 3"},
                    {"row": 5, "detail": "4 fields, the header has 3"},
                ],
            },
            "duplicate_key": {
                "count": 1,
                "examples": [{"row": 6, "detail": "id 1 was there before"}],
            },
        },
    }
    assert [row[0] for row in kept(file)] == ["1", "6"]


def test_a_key_of_a_dropped_row_is_still_free(written: Written) -> None:
    assert kept(written("id,name\n1,\n1,Anna\n")) == [["1", "Anna"]]


def test_without_a_key_column_every_row_counts(written: Written) -> None:
    assert kept(written("name\nAnna\nAnna\n")) == [["Anna"], ["Anna"]]


def test_what_dynamodb_would_not_take(written: Written) -> None:
    wide = ",".join("abcd")
    file = written(
        f"id,{wide}\n"
        f"{'k' * 1025},1,1,1,1\n"
        f"2,{','.join(['я' * 60_000] * 4)}\n"
        f"3,{','.join(['x' * 90_000] * 4)}\n"
    )
    document = reported(file)
    assert document["rows"] == {"read": 3, "kept": 1, "dropped": 0, "rejected": 2}
    assert set(document["rejected"]) == {"key_too_long", "row_too_large"}
    assert [row[0] for row in kept(file)] == ["3"]


def test_one_long_field_is_the_matter_of_its_row(written: Written) -> None:
    document = reported(written(f"id,name\n1,{'x' * 140_000}\n2,{'x' * 400_000}\n3,y\n"))
    assert document["rows"] == {"read": 3, "kept": 2, "dropped": 0, "rejected": 1}
    assert document["rejected"]["row_too_large"]["examples"][0]["row"] == 2


def test_a_report_stays_small(written: Written) -> None:
    file = written("id,name\n" + "1,\n" * 300 + "1\n" * 300)
    document = reported(file)
    assert document["rows"] == {"read": 600, "kept": 0, "dropped": 300, "rejected": 300}
    assert len(document["dropped"]["null_value"]["examples"]) == EXAMPLES
    assert len(document["rejected"]["wrong_number_of_fields"]["examples"]) == EXAMPLES


def test_a_column_is_numbers_when_every_kept_value_is_one(written: Written) -> None:
    file = written(
        "id,price,zip,phone,note\n"
        "1,1.50,10115,+79161234567,x\n"
        "2,-3,01067,+79161234568,2\n"
        "3,NaN,soon,,\n"
    )
    assert reading(file).look()[1] == {"id", "price"}
    assert reading(written("id,name\n1,\n")).look()[1] == set()


def test_chunks_change_nothing(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(7)
    values = ["1", "2", "x", "", "NA", '"a\nb"', "1,2", "я"]
    lines = [f"{draw.randrange(40)},{draw.choice(values)}" for _ in range(90)]
    file = written("id,name\n" + "\n".join(lines))
    whole = reported(file), kept(file), reading(file).look()[1]
    monkeypatch.setattr(rows, "CHUNK", 20)
    assert (reported(file), kept(file), reading(file).look()[1]) == whole


def test_memory_grows_with_the_hashes_of_keys_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "CHUNK", 50)
    few, many = (_peak_of_reading(tmp_path, count) for count in (100, 1_000))
    # A row has 5,000 characters and its key 1,000.
    assert many - few < 900 * 500


def _peak_of_reading(folder: Path, count: int) -> int:
    """Bytes that Python and NumPy have allocated at the same time."""
    file = folder / f"{count}.csv"
    with file.open("w") as lines:
        lines.write("id,note\n")
        for number in range(count):
            lines.write(f"{number:01000},{'note' * 1_000}\n")
    tracemalloc.start()
    try:
        tally, _ = reading(file).look()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        assert tally.kept == count


def test_frames_carry_the_numbers_of_their_rows(written: Written) -> None:
    [frame] = reading(written("id,name\n1,\n2,Boris\n3\n4,David\n")).kept(Tally())
    assert isinstance(frame, pd.DataFrame)
    assert frame.index.tolist() == [2, 4]
