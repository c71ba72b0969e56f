"""Charts stand on pages of the site, and neither of the two services knows the other."""

import re

from dev.paths import ROOT
from innotter_stats.charts import COLOURS

# What a colour of a chart is called on the site.
NAMES = {"paper": "surface", "ink": "ink", "faint": "line", "bar": "accent"}


def test_a_chart_has_the_colours_of_the_card_that_shows_it() -> None:
    style = (ROOT / "core/innotter/web/static/web/site.css").read_text()
    site = {
        name: (light, dark)
        for name, light, dark in re.findall(r"--(\w+): light-dark\((#\w+), (#\w+)\)", style)
    }
    light, dark = (dict(re.findall(r"--(\w+): (#\w+)", theme)) for theme in COLOURS.split("@media"))
    assert {name: (light[name], dark[name]) for name in NAMES} == {
        name: site[theirs] for name, theirs in NAMES.items()
    }
