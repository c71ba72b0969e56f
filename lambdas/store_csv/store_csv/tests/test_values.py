from importlib import import_module

import pandas as pd
import pytest

from store_csv.values import NULLS, is_number, nulls


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "\t", "\u00a0", "NaN", "nan", "NA", "na", "N/A", "n/a", "#N/A", "<NA>"),
        *("null", "NULL", "Null", " null ", "None", "none", "-NaN", "1.#QNAN"),
    ],
)
def test_this_is_a_null(text: str) -> None:
    assert nulls(pd.DataFrame({"a": [text]}, dtype=str)).loc[0, "a"]


@pytest.mark.parametrize(
    "text", ["0", "-", "?", "nil", "Nano", "no", "Ann", "N.A.", "false", "nullable", "пусто"]
)
def test_this_is_none(text: str) -> None:
    assert not nulls(pd.DataFrame({"a": [text]}, dtype=str)).loc[0, "a"]


def test_nulls_are_those_of_pandas_in_any_case() -> None:
    parsers = import_module("pandas._libs.parsers")
    assert {value.casefold() for value in parsers.STR_NA_VALUES} == NULLS


@pytest.mark.parametrize(
    "text",
    [
        *("0", "7", "-7", "10115", "0.1", "-0.50", "1.10", " 12 ", "1e5", "2.5E-07", "1e125"),
        *("1E-130", "9" * 38, "0." + "1" * 38, "1" + "0" * 60, "1." + "0" * 60),
    ],
)
def test_this_is_a_number(text: str) -> None:
    assert is_number(text)


@pytest.mark.parametrize(
    "text",
    [
        # Codes and phone numbers.
        *("007", "+79161234567", "00.5", "+1", "1_000", "1,5", "1 000", ".5", "5.", "0x10"),
        # Digits that are not ASCII, words of float(), and what only begins as a number.
        *("١٢٣", "²", "inf", "-Infinity", "1e", "e5", "--1", "1-2", "2026-11-25", "1\n2"),
        # More than DynamoDB keeps.
        *("9" * 39, "1e126", "1e-131", "1e999", "0e200"),
    ],
)
def test_this_stays_text(text: str) -> None:
    assert not is_number(text)
