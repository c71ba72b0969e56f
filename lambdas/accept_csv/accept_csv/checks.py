"""Is it really CSV? Name, media type, size, bytes, text, columns: the cheapest look first.

Every refusal has a code of its own; the README lists them.
"""

import codecs
import csv
import io
import re
from http import HTTPStatus
from itertools import islice
from typing import NamedTuple

from multipart import parse_options_header

from accept_csv.problems import Refused
from accept_csv.uploads import Upload

EXTENSION = ".csv"
# What file systems allow.
MAX_NAME_BYTES = 255
MEDIA_TYPES = {
    "text/csv",
    "application/csv",
    "text/x-csv",
    # What clients say that do not know better: Windows with Excel, and anybody.
    "application/vnd.ms-excel",
    "text/plain",
    "application/octet-stream",
    "",
}
CHARSETS = {"utf-8", "utf8", "us-ascii", "ascii", ""}
DELIMITERS = ",;\t"
# Records that are looked at to find the delimiter.
SAMPLE = 100
# What Excel reads and writes above the header.
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
# Far more than any row may have; the csv module's own limit would refuse the file for one row.
csv.field_size_limit(16 * 1024 * 1024)
FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or another ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
}
# All control characters but tab, line feed and carriage return.
CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# A column is not called like this: codes, phone numbers and decimal commas are values, too.
NUMBER = re.compile(r"[-+]?[0-9]+([.,][0-9]+)?([eE][-+]?[0-9]+)?")


class Table(NamedTuple):
    columns: list[str]
    rows: int


def check(upload: Upload, *, max_bytes: int) -> Table:
    """What is in the file. Raises Refused when it is no CSV, or none that we take."""
    _check_name(upload.name)
    _check_media_type(upload.content_type)
    if len(upload.content) > max_bytes:
        raise Refused(
            "too_large",
            f"The file has {len(upload.content)} bytes, {max_bytes} are allowed.",
            HTTPStatus.CONTENT_TOO_LARGE,
        )
    text = _text(upload.content)
    try:
        return _table(text)
    except csv.Error as error:
        raise Refused("malformed_csv", f"The file cannot be read as CSV: {error}.") from None


def _check_name(name: str) -> None:
    if not name:
        raise Refused("name_missing", "Say how the file is called: ?name=people.csv")
    if not name.lower().endswith(EXTENSION):
        raise Refused("wrong_extension", f"The name of the file must end with {EXTENSION}.")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise Refused("name_too_long", f"The name has more than {MAX_NAME_BYTES} bytes.")


def _check_media_type(content_type: str) -> None:
    media_type, options = parse_options_header(content_type)
    if media_type not in MEDIA_TYPES:
        raise Refused(
            "unsupported_media_type",
            f"{media_type} is not taken; send text/csv.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    charset = options.get("charset", "").lower()
    if charset not in CHARSETS:
        raise Refused(
            "unsupported_charset",
            f"{charset} is not taken; save the file as UTF-8.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )


def _text(content: bytes) -> str:
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        raise Refused("empty_file", "There is nothing in the file.")
    for beginning, what in FOREIGN.items():
        if content.startswith(beginning):
            raise Refused("binary_content", f"This is {what} and not CSV.")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Refused("not_utf8", "The file is UTF-16. Save it as UTF-8.")
    if found := CONTROL.search(content):
        raise Refused(
            "binary_content",
            f"Line {_line(content, found.start())} holds the byte 0x{found[0].hex()}, "
            "which no text has.",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Its position does not count the mark at the beginning.
        text = content.removeprefix(codecs.BOM_UTF8)
        raise Refused(
            "not_utf8",
            f"Line {_line(text, error.start)} is not UTF-8. Save the file as UTF-8; "
            "Windows programs may have saved it as windows-1251 or windows-1252.",
        ) from None


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _table(text: str) -> Table:
    named = SEPARATOR_LINE.match(text)
    if named:
        # A blank line in its place, so that the lines keep their numbers.
        text = "\n" + text[named.end() :]
    delimiter = named[1] if named else _delimiter(text)
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    records = filter(None, reader)
    columns = [name.strip() for name in next(records, [])]
    _check_columns(columns)
    rows = 0
    for record in records:
        rows += 1
        if len(record) != len(columns):
            raise Refused(
                "inconsistent_columns",
                f"The row that ends in line {reader.line_num} has {len(record)} fields, "
                f"the header has {len(columns)}.",
            )
    return Table(columns, rows)


def _delimiter(text: str) -> str:
    """The one that parts most of the first records as it parts the header; of several such, the
    one that makes most columns. Raises Refused if there are still several."""

    def fit(delimiter: str) -> tuple[float, int]:
        # To a wrong one, quotes are in wrong places: not strict.
        records = filter(None, csv.reader(_lines(text), delimiter=delimiter))
        header, *others = [len(record) for record in islice(records, SAMPLE)] or [0]
        if header < 2:
            return 0, header
        return (others.count(header) / len(others) if others else 1), header

    fits = {delimiter: fit(delimiter) for delimiter in DELIMITERS}
    best = max(fits.values())
    tied = [delimiter for delimiter in DELIMITERS if fits[delimiter] == best]
    if len(tied) > 1 and best[1] > 1:
        raise Refused(
            "ambiguous_delimiter",
            f"It may be any of {', '.join(map(repr, tied))}. Say which in a first line: sep=;",
        )
    return tied[0]


def _lines(text: str) -> io.StringIO:
    # Newlines stay as they are: one within quotes belongs to the value.
    return io.StringIO(text, newline="")


def _check_columns(columns: list[str]) -> None:
    if not any(columns):
        raise Refused("empty_file", "There is nothing in the file.")
    if all(map(NUMBER.fullmatch, columns)):
        raise Refused("header_missing", "The first row must hold the names of the columns.")
    if "" in columns:
        raise Refused("blank_column", f"Column {columns.index('') + 1} has no name.")
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise Refused("duplicate_column", f"There are two columns {twice[0]!r}.")
