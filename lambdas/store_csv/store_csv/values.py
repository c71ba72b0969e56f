"""What counts as a null, and what as a number."""

import re
from decimal import Decimal

import pandas as pd

# What pandas takes for a missing value in a CSV, here in any case and with blanks around it.
NULLS = frozenset(
    {
        "",
        "#n/a",
        "#n/a n/a",
        "#na",
        "-1.#ind",
        "-1.#qnan",
        "-nan",
        "1.#ind",
        "1.#qnan",
        "<na>",
        "n/a",
        "na",
        "nan",
        "none",
        "null",
    }
)
# As people write numbers, and as programs do. No leading zero and no plus: those are codes
# and phone numbers.
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
# What DynamoDB keeps exactly.
MAX_DIGITS = 38
MAGNITUDES = range(-130, 126)


def nulls(frame: pd.DataFrame) -> pd.DataFrame:
    """True where a value says that there is none."""
    return pd.DataFrame(
        {name: frame[name].str.strip().str.casefold().isin(NULLS) for name in frame.columns}
    )


def is_number(text: str) -> bool:
    """Whether it is written as a number, blanks around it aside, that DynamoDB keeps exactly."""
    match = NUMBER.fullmatch(text.strip())
    if match is None:
        return False
    if match[3] is None and len(match[0]) <= MAX_DIGITS:
        return True
    number = Decimal(match[0])
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return len(digits) <= MAX_DIGITS and number.adjusted() in MAGNITUDES
