import unicodedata
from typing import Any

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from innotter.common.errors import Invalid
from innotter.common.text import bounded, cut, isolate, visible_line, visible_text, without_idle

SEQUENCES = [
    "👩‍👩‍👧‍👦",
    "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "🏳️‍🌈",
    "❤️‍🔥",
    "👩🏽‍💻",
    "1️⃣",
    "🇩🇪",
    "क्‍ष",
    "ශ්‍රී",
    "می‌خواهم",
]
INVISIBLE = regex.compile(r"[\p{C}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800\U0001d159]*")
CONTROLS = regex.compile(r"[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|[\ufdd0-\ufdef\ufffe\uffff]")
# Letters beside what has no shape: text() alone would seldom draw the latter.
ODD = st.sampled_from(
    "\u200b\u200c\u200d\u2060\ufeff\u00ad\u3164\u115f\ufff0\ufe0f\u0301\u094d\u2028\u2029\x85\x1b"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f\ue000\u0378\ud800\uffff\u2800 "
)
texts = st.text(
    st.characters(exclude_categories=()) | ODD | st.sampled_from("aяשبक🏳👩"), max_size=20
)


def taken(call: Any, *values: Any) -> str | None:
    try:
        return str(call("name", *values))
    except Invalid as error:
        return None if error.field == "name" else error.field


@given(texts)
@example("\u200b")
@example("\ufff0")
@example("a\nb")
def test_a_line_is_normal_visible_and_one_line_or_refused(text: str) -> None:
    line = taken(visible_line, text, 10)
    normal = unicodedata.normalize("NFC", text.strip())
    fine = not INVISIBLE.fullmatch(normal) and not CONTROLS.search(normal) and len(normal) <= 10
    assert line == (normal if fine else None)
    assert line is None or taken(visible_line, line, 10) == line


@given(texts)
def test_a_text_is_visible_and_otherwise_untouched(text: str) -> None:
    normal = unicodedata.normalize("NFC", text)
    fine = not INVISIBLE.fullmatch(normal) and len(normal) <= 10
    assert taken(visible_text, text, 10) == (normal if fine else None)


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_joined_letters_emoji_and_flags_are_fine_as_they_are(sequence: str) -> None:
    assert visible_line("name", f" {sequence}\u2003", 30) == sequence
    assert without_idle(f"a\u200b{sequence}\u200b") == f"a{sequence}"


@pytest.mark.parametrize(
    "idle", "\u200b\u200c\u200d\u2060\ufeff\u00ad\u3164\ufff0\ufe0f\u202e\u2069"
)
def test_what_is_not_seen_goes(idle: str) -> None:
    assert without_idle(f"{idle}a{idle}b1{idle}{idle}") == "ab1"


def test_length_is_counted_in_nfc_and_a_text_without_end_is_not_even_normalized() -> None:
    assert bounded("name", "e\u0301" * 30, 30) == "é" * 30
    # One code point that NFC makes two of.
    assert taken(bounded, "\u0958" * 16, 30) is None
    # Would take hours.
    assert taken(bounded, "a" + "\u0327\u0301" * 5_000_000, 30) is None


def openings_left(text: str) -> list[str]:
    """What is still open at the end of a text, by the rules of TR 9 (BD9)."""
    opened: list[str] = []
    for character in text:
        if character in "\u2066\u2067\u2068":
            opened.append(character)
        elif character == "\u2069" and opened:
            opened.pop()
    return opened


@given(texts)
@example("\u202eb\u2069c\u2067d")
def test_an_isolated_name_ends_where_it_began(text: str) -> None:
    shown = isolate(text)
    assert shown[0] == "\u2068"
    assert shown[-1] == "\u2069"
    assert not openings_left(shown)
    # And not sooner.
    assert openings_left(shown[:-1])[0] == "\u2068"
    assert all(openings_left(shown[:end]) for end in range(1, len(shown)))
    assert not CONTROLS.search(shown)


def test_a_plain_name_is_isolated_as_it_is() -> None:
    assert isolate("Сад \u2067שלום\u2069") == "\u2068Сад \u2067שלום\u2069\u2069"


@given(texts, st.integers(2, 12))
def test_a_cut_leaves_whole_characters(text: str, longest: int) -> None:
    short = cut(text, longest)
    assert len(short) <= longest
    if len(text) <= longest:
        assert short == text
    else:
        assert short[-1] == "…"
        assert text.startswith(short[:-1])


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_no_sequence_is_cut_in_two(sequence: str) -> None:
    clusters = len(regex.findall(r"\X", sequence))
    starts = {"".join(regex.findall(r"\X", sequence)[:n]) for n in range(clusters + 1)}
    text = f"ab{sequence}cd"
    for longest in range(4, len(text)):
        assert cut(text, longest)[2:-1].removesuffix("c") in starts
