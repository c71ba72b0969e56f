"""Draws statistics as SVG. Pure: the same numbers give the same picture."""

import re
import sys
from datetime import date
from typing import Any, Literal, NamedTuple, get_args
from xml.etree.ElementTree import Element

import pygal
from pygal.style import Style

from innotter_contracts.direction import within_text
from innotter_contracts.events import Metric
from innotter_stats.schemas import Statistics

# It looks for plugins by a protocol that Python 3.12 has dropped; code that asks all finders, as
# pytest does, fails on it.
sys.meta_path[:] = [each for each in sys.meta_path if type(each).__name__ != "PluginImportFixer"]

type Language = Literal["en", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language.__value__)


class Measure(NamedTuple):
    """Pixels, of a picture that is shown as wide as it is or a little narrower."""

    width: int
    height: int
    # So many days have their name below the axis, at most.
    named_days: int
    # And so many lines stand behind the bars.
    lines: int
    margin: int


type Size = Literal["wide", "narrow"]
# `narrow` is for phones: letters keep their size, and there are fewer of them. The page that shows
# it names itself.
MEASURES: dict[Size, Measure] = {
    "wide": Measure(900, 420, named_days=10, lines=16, margin=16),
    "narrow": Measure(330, 260, named_days=4, lines=6, margin=8),
}
# The picture stands alone, so that its colours may follow the reader's light or dark mode. They are
# those of a card of the site, which shows it.
COLOURS = """
svg { --paper: #ffffff; --ink: #1c2225; --faint: #e3e0d9; --bar: #0b665c; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #1a1e21; --ink: #e8eaea; --faint: #2d3439; --bar: #62d3c2; }
}
svg { color-scheme: light dark; background: var(--paper); }
#chart-statistics .reactive { stroke: none; }
"""
STYLE = Style(
    background="var(--paper)",
    plot_background="var(--paper)",
    foreground="var(--ink)",
    foreground_strong="var(--ink)",
    foreground_subtle="var(--ink)",
    guide_stroke_color="var(--faint)",
    guide_stroke_dasharray="none",
    major_guide_stroke_color="var(--faint)",
    major_guide_stroke_dasharray="none",
    colors=("var(--bar)",),
    opacity="1",
    opacity_hover="1",
    transition="none",
    font_family="-apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif",
    label_font_size=13,
    major_label_font_size=13,
    title_font_size=17,
)
# Characters that XML cannot hold, even escaped.
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Words(NamedTuple):
    metrics: dict[Metric, str]
    months: str
    in_total: str
    change: str
    days: str
    days_between: str

    def period(self, first: date, last: date) -> str:
        if first == last:
            return f"{self.days}, {self.full_day(first)}"
        between = self.days_between.format(first=self.full_day(first), last=self.full_day(last))
        return f"{self.days}, {between}"

    def day(self, day: date) -> str:
        return f"{day.day} {self.months.split()[day.month - 1]}"

    def full_day(self, day: date) -> str:
        return f"{self.day(day)} {day.year}"


WORDS: dict[Language, Words] = {
    "en": Words(
        metrics={
            "posts": "Posts",
            "replies": "Replies written",
            "replies_received": "Replies received",
            "likes": "Likes",
            "followers": "Followers",
            "follow_requests": "Follow requests",
        },
        months="Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        in_total="{n} in total",
        change="Change per day",
        days="Days (UTC)",
        days_between="{first} to {last}",
    ),
    "ru": Words(
        metrics={
            "posts": "Записи",
            "replies": "Написанные ответы",
            "replies_received": "Полученные ответы",
            "likes": "Лайки",
            "followers": "Подписчики",
            "follow_requests": "Запросы на подписку",
        },
        months="янв. февр. марта апр. мая июня июля авг. сент. окт. нояб. дек.",
        in_total="всего {n}",
        change="Изменение за день",
        days="Дни (UTC)",
        days_between="{first} – {last}",
    ),
}


def draw(statistics: Statistics, metric: Metric, language: Language, size: Size = "wide") -> bytes:
    """A bar a day, with its axes named; the total stands in the title."""
    words, measure = WORDS[language], MEASURES[size]
    days = [day.date for day in statistics.daily]
    total = words.in_total.format(n=_number(getattr(statistics.totals, metric)))
    values = [getattr(day, metric) for day in statistics.daily]
    counted, is_wide = f"{words.metrics[metric]}, {total}", size == "wide"
    title = f"{within_text(statistics.page.name)}\n{counted}"
    chart = pygal.Bar(
        width=measure.width,
        height=measure.height,
        style=STYLE,
        css=["file://style.css", "file://graph.css", f"inline:{COLOURS}"],
        js=[],
        title=NOT_XML.sub("", title) if is_wide else f"{counted}\n{words.change}",
        x_title=words.period(days[0], days[-1]) if is_wide else words.days,
        y_title=words.change if is_wide else None,
        max_scale=measure.lines,
        x_labels=_named(days, words, measure.named_days),
        truncate_label=-1,
        show_legend=False,
        # Things are counted in whole numbers; without any, the axis shows a few all the same.
        order_min=0,
        range=(min(0, *values), max(4, *values)),
        value_formatter=_number,
        formatter=lambda value, index: f"{words.full_day(days[index])}: {_number(value)}",
        margin=measure.margin,
        spacing=8,
    )
    # Otherwise a random one, in every rule.
    chart.uuid = "statistics"
    chart.add(words.metrics[metric], values)
    chart.add_xml_filter(_plain)
    picture: bytes = chart.render()
    return picture


def _named(days: list[date], words: Words, most: int) -> list[str]:
    """Every so many days a name, beginning with the first."""
    step = -(-len(days) // most)
    return [words.day(day) if n % step == 0 else "" for n, day in enumerate(days)]


def _number(number: float) -> str:
    """With a narrow space between thousands, as both languages allow, and a real minus."""
    return f"{number:,.0f}".replace(",", "\u202f").replace("-", "\u2212")


def _plain(root: Element) -> Element:
    """Without scripts and remarks. What a script would show at a bar, the browser shows; and who
    uses a screen reader learns that it is one."""
    for parent in list(root.iter()):
        for child in list(parent):
            tag: Any = child.tag
            if tag == "desc" and child.get("class") == "value":
                child.tag = "title"
                child.attrib.clear()
            elif not isinstance(tag, str) or tag in ("script", "desc"):
                parent.remove(child)
    root.set("role", "img")
    return root
