"""The rows of a file, read in chunks however large it is.

Records come from the csv module, which is strict about quotes and says how many fields a row
has; pandas, which fills short rows up and loses the numbers of long ones, judges their values.
"""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from itertools import batched, islice
from pathlib import Path
from typing import NamedTuple, TextIO

import pandas as pd

from store_csv.report import Tally
from store_csv.values import is_number, nulls

# Rows that are in memory at the same time.
CHUNK = 5_000
DELIMITERS = ",;\t"
# Records that are looked at to find the delimiter.
SAMPLE = 100
# What Excel reads and writes above the header.
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
# A column is not called like this: codes, phone numbers and decimal commas are values, too.
NUMBER = re.compile(r"[-+]?[0-9]+([.,][0-9]+)?([eE][-+]?[0-9]+)?")
# Far more than any row may have; the csv module's own limit would refuse the file for one row.
csv.field_size_limit(16 * 1024 * 1024)
# What DynamoDB takes: the sort key, and an item less some space for keys and names.
MAX_KEY_BYTES = 1024
MAX_ROW_BYTES = 390_000

type Record = list[str]


class Refused(Exception):
    """Nothing of the file can be stored. `code` is for programs, `detail` for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Layout(NamedTuple):
    delimiter: str
    columns: list[str]


def layout_of(file: Path) -> Layout:
    """Raises Refused unless there is a header."""
    delimiter = _delimiter_of(file)
    with _records(file, delimiter) as records:
        columns = [name.strip() for name in next(records, [])]
    if not any(columns):
        raise Refused("empty_file", "There is nothing in the file.")
    if all(map(NUMBER.fullmatch, columns)):
        raise Refused("header_missing", "The first row must hold the names of the columns.")
    if "" in columns:
        raise Refused("blank_column", f"Column {columns.index('') + 1} has no name.")
    if len(set(columns)) < len(columns):
        raise Refused("duplicate_column", "Two columns have the same name.")
    return Layout(delimiter, columns)


def _delimiter_of(file: Path) -> str:
    """The one that the file names, else the one that parts most of the first records as it parts
    the header; of several such, the one that makes most columns. Raises Refused if there are
    still several."""

    def fit(delimiter: str) -> tuple[float, int]:
        # To a wrong one, quotes are in wrong places: not strict.
        with _records(file, delimiter, strict=False) as records:
            header, *others = [len(record) for record in islice(records, SAMPLE)] or [0]
        if header < 2:
            return 0, header
        return (others.count(header) / len(others) if others else 1), header

    with file.open("rb") as content:
        beginning = content.read(20).decode("utf-8-sig", errors="ignore")
    if named := SEPARATOR_LINE.match(beginning):
        return named[1]
    fits = {delimiter: fit(delimiter) for delimiter in DELIMITERS}
    best = max(fits.values())
    tied = [delimiter for delimiter in DELIMITERS if fits[delimiter] == best]
    if len(tied) > 1 and best[1] > 1:
        raise Refused(
            "ambiguous_delimiter",
            f"It may be any of {', '.join(map(repr, tied))}. Say which in a first line: sep=;",
        )
    return tied[0]


class Rows:
    """The rows to be stored. Reading them twice gives the same twice."""

    def __init__(self, file: Path, layout: Layout, key_column: str) -> None:
        self._file = file
        self._layout = layout
        # A file without that column has rows with no key but their number.
        self.key_column = key_column if key_column in layout.columns else None

    def look(self) -> tuple[Tally, set[str]]:
        """All that the report contains, and the columns whose every value is a number.

        Raises Refused: a file that breaks in the middle is not stored in part.
        """
        tally = Tally()
        numbers = set(self._layout.columns)
        for frame in self.kept(tally):
            numbers = {name for name in numbers if frame[name].map(is_number).all()}
        return tally, numbers if tally.kept else set()

    def kept(self, tally: Tally) -> Iterator[pd.DataFrame]:
        """The index is the number of the row."""
        seen: set[bytes] = set()
        with _records(self._file, self._layout.delimiter) as records:
            next(records)
            for chunk in batched(enumerate(records, start=1), CHUNK, strict=False):
                tally.read += len(chunk)
                frame = self._of_right_width(chunk, tally)
                frame = _without_nulls(frame, tally)
                frame = _small_enough(frame, tally)
                if self.key_column is not None:
                    frame = _with_new_keys(frame, self.key_column, seen, tally)
                tally.kept += len(frame)
                yield frame

    def _of_right_width(self, chunk: tuple[tuple[int, Record], ...], tally: Tally) -> pd.DataFrame:
        columns = self._layout.columns
        fitting: dict[int, Record] = {}
        for number, record in chunk:
            if len(record) == len(columns):
                fitting[number] = record
            else:
                tally.reject(
                    "wrong_number_of_fields",
                    number,
                    f"{len(record)} fields, the header has {len(columns)}",
                )
        return pd.DataFrame(list(fitting.values()), index=list(fitting), columns=columns, dtype=str)


def _without_nulls(frame: pd.DataFrame, tally: Tally) -> pd.DataFrame:
    null = nulls(frame)
    bad = null.any(axis="columns")
    for name in frame.columns:
        tally.nulls[name] += int(null[name].sum())
    for number in frame.index[bad][: tally.dropped.free].tolist():
        names = ", ".join(name for name in frame.columns if null.loc[number, name])
        tally.dropped.examples.append({"row": number, "detail": f"no value in {names}"})
    tally.dropped.count += int(bad.sum())
    return frame[~bad]


def _small_enough(frame: pd.DataFrame, tally: Tally) -> pd.DataFrame:
    characters = sum(frame[name].str.len() for name in frame.columns)
    bad = []
    # A character has four bytes at most: only long rows are counted in bytes.
    for number in frame.index[characters > MAX_ROW_BYTES // 4].tolist():
        size = sum(len(value.encode()) for value in frame.loc[number])
        if size > MAX_ROW_BYTES:
            tally.reject("row_too_large", number, f"{size} bytes")
            bad.append(number)
    return frame.drop(index=bad)


def _with_new_keys(
    frame: pd.DataFrame, column: str, seen: set[bytes], tally: Tally
) -> pd.DataFrame:
    """The first row of a key is kept."""
    bad = []
    for number, key in zip(frame.index.tolist(), frame[column].str.strip(), strict=True):
        # As short as certainty allows: there may be millions.
        digest = blake2b(key.encode(), digest_size=16).digest()
        if len(key.encode()) > MAX_KEY_BYTES:
            tally.reject("key_too_long", number, f"{key[:40]}…")
            bad.append(number)
        elif digest in seen:
            tally.reject("duplicate_key", number, f"{column} {key[:40]} was there before")
            bad.append(number)
        seen.add(digest)
    return frame.drop(index=bad)


@contextmanager
def _records(file: Path, delimiter: str, *, strict: bool = True) -> Iterator[Iterator[Record]]:
    """Yields records from the beginning, without blank lines. Raises Refused for invalid CSV."""
    try:
        # Newlines stay as they are: one within quotes belongs to the value.
        with file.open(encoding="utf-8-sig", newline="") as text:
            yield filter(None, csv.reader(_checked(text), delimiter=delimiter, strict=strict))
    except UnicodeDecodeError:
        raise Refused("not_utf8", "The file is not UTF-8.") from None
    except csv.Error as error:
        raise Refused("malformed_csv", f"The file cannot be read as CSV: {error}.") from None


def _checked(text: TextIO) -> Iterator[str]:
    for number, line in enumerate(text):
        if number == 0 and SEPARATOR_LINE.fullmatch(line):
            continue
        if "\0" in line:
            raise Refused("binary_content", "The file holds NUL characters, which no text has.")
        yield line
