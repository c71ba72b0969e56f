import re
from collections.abc import Callable
from datetime import date, timedelta
from xml.etree.ElementTree import Element, fromstring

import pytest

from innotter_contracts.direction import isolate
from innotter_contracts.events import METRICS
from innotter_stats.charts import LANGUAGES, WORDS, Language, draw
from innotter_stats.schemas import Statistics

SVG = "{http://www.w3.org/2000/svg}"


def statistics(
    days: int, change: Callable[[int], int] = lambda _: 0, *, name: str = "Coffee", total: int = 0
) -> Statistics:
    first = date(2026, 11, 25) - timedelta(days=days - 1)
    return Statistics.model_validate(
        {
            "page": {"uuid": "coffee", "name": name},
            "totals": dict.fromkeys(METRICS, total),
            "daily": [
                {"date": first + timedelta(days=n), **dict.fromkeys(METRICS, change(n))}
                for n in range(days)
            ],
            "as_of": "2026-11-25T12:00:00Z",
        }
    )


def parsed(picture: bytes) -> Element:
    return fromstring(picture)  # noqa: S314 (our own)


def texts(picture: bytes) -> list[str]:
    return [node.text or "" for node in parsed(picture).iter(f"{SVG}text")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("metric", METRICS)
def test_it_says_what_it_shows(language: Language, metric: str) -> None:
    said = texts(draw(statistics(30, total=1234567), metric, language))  # type: ignore[arg-type]
    words = WORDS[language]
    assert "Coffee" in said
    assert any(words.metrics[metric] in text and "1\u202f234\u202f567" in text for text in said)  # type: ignore[index]
    assert words.change in said
    assert any(words.days in text for text in said)


def test_every_day_has_its_bar_below_zero_too() -> None:
    picture = draw(statistics(3, lambda n: n - 1), "likes", "en").decode()
    for bar in ("23 Nov 2026: \u22121", "24 Nov 2026: 0", "25 Nov 2026: 1"):
        assert f"<title>{bar}</title>" in picture


@pytest.mark.parametrize("days", [1, 2, 30, 365, 366])
def test_the_days_below_the_axis_are_named_and_few(days: int) -> None:
    said = texts(draw(statistics(days), "likes", "en"))
    named = [text for text in said if re.fullmatch(r"\d+ [A-Z][a-z]{2}", text)]
    assert min(days, 5) <= len(named) <= 10


def test_a_narrow_one_keeps_the_size_of_its_letters_and_says_what_it_shows() -> None:
    wide, narrow = (draw(statistics(30), "likes", "en", size) for size in ("wide", "narrow"))
    assert parsed(wide).get("viewBox") == "0 0 900 420"
    assert parsed(narrow).get("viewBox") == "0 0 330 260"
    letters = [set(re.findall(r"font-size:\s*(\d+px)", text.decode())) for text in (wide, narrow)]
    assert letters[0] == letters[1]
    days = [text for text in texts(narrow) if re.fullmatch(r"\d+ [A-Z][a-z]{2}", text)]
    assert 2 <= len(days) <= 4
    assert {"Likes, 0 in total", "Change per day", "Days (UTC)"} < set(texts(narrow))


@pytest.mark.parametrize("highest", [0, 1, 3, 7, 1_000_000_000])
def test_the_axis_counts_in_whole_numbers(highest: int) -> None:
    said = texts(draw(statistics(5, lambda _: highest), "likes", "en"))
    numbers = [text for text in said if re.fullmatch(r"[\d\u202f.]+", text)]
    assert len(numbers) > 2
    assert len(set(numbers)) == len(numbers)
    assert "." not in "".join(numbers)


@pytest.mark.parametrize(
    "name",
    [
        "</text><script>alert(1)</script>",
        "a & b ]]> \" '",
        "ends\x00 with\x1b \ufffe nothing",
        "🔥" * 100,
        "x" * 100,
        " ",
    ],
)
def test_a_name_is_only_text(name: str) -> None:
    picture = draw(statistics(2, name=name), "likes", "en")
    tags = {node.tag.removeprefix(SVG) for node in parsed(picture).iter()}
    assert tags <= {"svg", "defs", "style", "title", "g", "rect", "text", "path", "line"}


@pytest.mark.parametrize("name", ["\u202eevil", "a\u2067b", "\u2069a\u202d", "קפה", "قهوة"])
def test_a_name_turns_nothing_of_the_chart_around(name: str) -> None:
    picture = parsed(draw(statistics(2, name=name), "likes", "en"))
    shown = isolate(name)
    places = [node.text for node in picture.iter() if name.strip("\u2069") in (node.text or "")]
    assert len(places) >= 2
    assert all(text and text.startswith(shown) for text in places)


def test_it_needs_nothing_from_elsewhere_and_follows_the_readers_mode() -> None:
    picture = draw(statistics(30, lambda n: n), "likes", "en").decode()
    assert "prefers-color-scheme: dark" in picture or "prefers-color-scheme:dark" in picture
    without_namespaces = picture.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "http" not in without_namespaces
    assert "url(" not in without_namespaces


def test_the_same_numbers_give_the_same_picture() -> None:
    assert draw(statistics(30), "likes", "ru") == draw(statistics(30), "likes", "ru")
