"""The alarms speak of what there is, and the person on call finds each explained."""

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

from innotter.events.metrics import OutboxFigures, QueueFigures
from innotter.mail.metrics import MAILS
from innotter_stats.metrics import DOWN

ROOT = Path(__file__).parents[1]
[GROUP] = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alarms.yml").read_text())["groups"]


@pytest.mark.django_db
def test_each_figure_exists(rabbitmq: str) -> None:
    looked_at = [*OutboxFigures().collect(), *QueueFigures(rabbitmq).collect()]
    figures = {figure.name for figure in looked_at} | set(REGISTRY._names_to_collectors)
    assert {MAILS._name, DOWN._name} <= figures
    for rule in GROUP["rules"]:
        named = set(re.findall(r"innotter_\w+", rule["expr"]))
        assert named
        assert named <= figures, rule["alert"]


def test_each_alarm_is_explained() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    explained = set(re.findall(r"^\*\*(\w+)\*\*", page, re.M))
    assert {rule["alert"] for rule in GROUP["rules"]} <= explained
