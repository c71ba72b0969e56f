"""For tests: what Prometheus would make of the figures that processes serve. Its own engine
evaluates the rules that we ship (deploy/prometheus), over minutes that nobody waits for."""

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx
from prometheus_client.parser import text_string_to_metric_families

from dev import tools
from dev.errors import Failed
from dev.paths import ROOT
from dev.stack import MEASURED, Stack

RULES = ROOT / "deploy" / "prometheus" / "alarms.yml"
# Minutes before what happens, and after it: longer than any rule looks back and waits.
BEFORE, AFTER = 30, 20
# How the names of what only grows end.
COUNTERS = ("_total", "_count", "_sum", "_bucket")
FIRING = 'group by (alertname) (ALERTS{alertstate="firing"})'

# A series, by its name and labels as Prometheus writes them, and its value.
type Scrape = Mapping[str, float]


def scrape(stack: Stack) -> Scrape:
    """All that the stack's processes serve, as Prometheus labels it; nothing of one that does not
    answer as fast as Prometheus asks for."""
    with ThreadPoolExecutor(len(MEASURED)) as pool:
        scrapes = pool.map(lambda name: _scrape(stack.metrics_url(name), name), MEASURED)
        return {series: value for each in scrapes for series, value in each.items()}


def _scrape(url: str, job: str) -> Scrape:
    try:
        text = httpx.get(url, timeout=10).raise_for_status().text
    except httpx.HTTPError:
        return {}
    return series_of(text, job=job)


def series_of(text: str, **target: str) -> Scrape:
    """Of what a process serves, the figures that the rules name."""
    named = RULES.read_text()
    return {
        _written(sample.name, {**sample.labels, **target}): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in named
    }


def firing(well: tuple[Scrape, Scrape], now: Scrape) -> set[str]:
    """The alarms that fire when it has been as it is `now` for some minutes. `well`: two scrapes
    from before, some seconds apart. What a counter grew by between two scrapes, it grows by each
    minute from then on."""
    first, second = well
    series = {
        name: " ".join(
            [
                *_minutes(BEFORE, name, first.get(name), second.get(name)),
                *_minutes(AFTER, name, second.get(name), now.get(name)),
            ]
        )
        for name in first.keys() | second.keys() | now.keys()
    }
    return firing_after(BEFORE + AFTER, series)


def firing_after(minutes: int, series: Mapping[str, str]) -> set[str]:
    """The alarms that fire after so many minutes of these series: values a minute, in promtool's
    own notation. Raises Failed."""
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        # It expects none, and is told which there are.
        "promql_expr_test": [{"expr": FIRING, "eval_time": f"{minutes - 1}m"}],
    }
    file = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as written:
        json.dump(file, written)
        written.flush()
        command = [str(tools.promtool()), "test", "rules", written.name]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode and "got:" not in said:
        raise Failed(f"promtool: {said}")
    return set(re.findall(r'alertname="(\w+)"', said.partition("got:")[2]))


def _minutes(count: int, name: str, before: float | None, value: float | None) -> list[str]:
    if value is None:
        # Nobody serves it any more, which Prometheus knows at once.
        return ["_" if before is None else "stale", *["_"] * (count - 1)]
    growth = max(value - (before or 0), 0) if name.partition("{")[0].endswith(COUNTERS) else 0
    return [f"{value + growth * minute:f}" for minute in range(count)]


def _written(name: str, labels: Mapping[str, str]) -> str:
    pairs = ",".join(f"{label}={json.dumps(value)}" for label, value in labels.items())
    return f"{name}{{{pairs}}}"
