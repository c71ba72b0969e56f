"""What is shipped for Prometheus and Grafana is what they read. That each metric exists is seen on
a running stack: tests/test_metrics.py."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from dev import tools
from dev.paths import ROOT
from dev.stack import SERVICES

FOLDER = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
CONFIG = yaml.safe_load((FOLDER / "prometheus.yml").read_text())


def test_prometheus_takes_configuration_and_rules() -> None:
    tools.run([str(tools.promtool()), "check", "config", str(FOLDER / "prometheus.yml")])


def test_it_reads_each_role_where_its_metrics_are() -> None:
    [first] = {
        line.split("=")[1].strip(" \\")
        for file in ("core", "stats")
        for line in (ROOT / "deploy" / file / "Dockerfile").read_text().splitlines()
        if "METRICS_PORT=" in line
    }
    read = {job["job_name"]: job["dns_sd_configs"][0] for job in CONFIG["scrape_configs"]}
    del read["rabbitmq"]
    ports = {
        role: int(first) + number
        for roles in SERVICES.values()
        for number, role in enumerate(roles)
    }
    assert read == {
        role: {"names": [role], "type": "A", "port": port} for role, port in ports.items()
    }
    forked = _services("compose.yaml")
    for service, (first_role, *others) in SERVICES.items():
        assert service == first_role
        assert forked[service]["networks"]["inner"]["aliases"] == others
    wide = _services("wide.yaml")
    for role in ports.keys() - SERVICES.keys():
        assert wide[role]["environment"] == {"METRICS_PORT": str(ports[role])}
        assert f":{ports[role]}/" in str(wide[role]["healthcheck"])


def _services(file: str) -> Any:
    text = (ROOT / "deploy" / file).read_text().replace("!override", "")
    return yaml.safe_load(text)["services"]


def test_prometheus_takes_each_query_of_the_dashboard(tmp_path: Path) -> None:
    queries = [target["expr"] for panel in panels() for target in panel.get("targets", [])]
    assert len(queries) > 20
    rules = [{"record": f"query_{n}", "expr": query} for n, query in enumerate(queries)]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    tools.run([str(tools.promtool()), "check", "rules", str(file)])


def test_no_panel_of_the_dashboard_lies_on_another() -> None:
    places = [panel["gridPos"] for panel in panels()]
    assert len({panel["id"] for panel in panels()}) == len(places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    assert all(place["x"] + place["w"] <= 24 for place in places)


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DASHBOARD["panels"]
    return found
